// The one sentence that says what happened.

import { el, setText } from "/dom.js";
import { money, until } from "/format.js";
import { hasNotice, language, sentence, t } from "/language.js";
import { state } from "/state.js";
import { fill } from "/texts.js";

const KINDS = {
  resent: "ok", delivery_queued: "info", delivery_accepted: "info", delivery_delivered: "ok",
  delivery_unknown: "warn", lock_over: "info", amount_changed: "warn", payee_changed: "warn",
  expired: "warn", cancelled: "info", too_soon: "info", resend_limit: "info", daily_limit: "warn",
  not_on_sms_otp: "info", unknown_subscriber: "info", unavailable: "warn", no_answer: "warn", unreachable: "warn",
  already_used: "warn", already_confirmed: "warn", not_found: "warn",
};

// What the customer corrects by typing.
const CORRECTED_BY_TYPING = new Set(["invalid", "incorrect"]);

// A notice is kept as its name and values, so that it follows a change of language.
export function say(key, values = {}) {
  state.notice = { key: hasNotice(key) ? key : "no_answer", values };
  renderNotice();
}

export function sayNothing() {
  state.notice = null;
  renderNotice();
}

// What was typed anew is not blamed for what stood there before.
export function forgetMistakes() {
  if (CORRECTED_BY_TYPING.has(state.notice?.key)) sayNothing();
}

export function renderNotice() {
  const { notice } = state;
  el("notice").dataset.kind = notice === null ? "none" : KINDS[notice.key] ?? "bad";
  const [title, body] = notice === null ? ["", ""] : sentence(notice.key);
  const values = Object.entries(notice?.values ?? {}).map(([name, value]) => [name, readable(value)]);
  setText("notice-title", title);
  setText("notice-body", fill(body, Object.fromEntries(values)));
}

function readable(value) {
  if (typeof value !== "object") return value;
  if ("money" in value) return money(value.money, language());
  const time = until(new Date(value.at), new Date(), language());
  return value.sentence ? t("later", { time }) : time;
}
