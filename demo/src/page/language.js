// The language that the visitor chose, and the page's fixed texts in it.

import { fill, texts } from "/texts.js";

const LANGUAGE_KEY = "language";

let chosen = "id";

export const language = () => chosen;

export const sentence = (key) => texts[chosen][key];

export const t = (key, values = {}) => fill(sentence(key), values);

// Whether there is a notice of this name: a title and a body.
export const hasNotice = (key) => Array.isArray(texts[chosen][key]);

export function setLanguage(code) {
  chosen = code;
  document.documentElement.lang = code;
  document.title = `${t("title")} – Bank Contoh`;
  for (const node of document.querySelectorAll("[data-text]")) node.textContent = t(node.dataset.text);
  for (const node of document.querySelectorAll("[data-label]")) node.setAttribute("aria-label", t(node.dataset.label));
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === code));
  }
}

export function rememberedLanguage() {
  try {
    return localStorage.getItem(LANGUAGE_KEY) === "en" ? "en" : "id";
  } catch {
    return "id"; // Storage is off: the language is not remembered, nothing else.
  }
}

export function rememberLanguage(code) {
  try {
    localStorage.setItem(LANGUAGE_KEY, code);
  } catch {
    // As above.
  }
}
