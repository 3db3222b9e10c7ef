// The payment's details as they are typed: read, judged field by field, filled in.

import { parseAmount } from "/amount.js";
import { el } from "/dom.js";
import { grouped } from "/format.js";
import { language, t } from "/language.js";
import { say } from "/notice.js";
import { state } from "/state.js";

export const FIELDS = {
  beneficiary_name: "beneficiary-name",
  beneficiary_account: "beneficiary-account",
  amount: "amount",
  reference: "reference",
};
export const SAMPLE = {
  beneficiary_name: "PT Sumber Makmur Contoh",
  beneficiary_account: "8800123456",
  amount: "12500000",
  reference: "INV-2026-0117",
};

// The same rules as the bank's own: see details.rs. The amount's are in amount.js.
const RULES = {
  beneficiary_name: /^[A-Za-z0-9 .,'()&\/+-]{1,70}$/,
  beneficiary_account: /^[A-Z0-9]{1,34}$/,
  reference: /^[\x20-\x7e]{1,35}$/,
};

export const company = () => state.companies[el("company").selectedIndex];
export const user = () => company().users[el("user").selectedIndex];
export const subscriber = () => ({ corporate_id: company().corporate_id, user_id: user().user_id });

// What is typed; an amount that is not understood is empty.
export function typedDetails() {
  return {
    beneficiary_name: el("beneficiary-name").value.trim(),
    beneficiary_account: el("beneficiary-account").value.replace(/[\s-]/g, "").toUpperCase(),
    amount: parseAmount(el("amount").value).digits ?? "",
    reference: el("reference").value.trim(),
  };
}

export const sameDetails = (one, other) => Object.keys(FIELDS).every((name) => one[name] === other[name]);

export function writeDetails(details) {
  for (const [name, id] of Object.entries(FIELDS)) el(id).value = details[name];
  writeAmount();
}

// Groups the amount's digits, if it is one; what is not stays as it was typed.
export function writeAmount() {
  const { digits } = parseAmount(el("amount").value);
  if (digits !== undefined) el("amount").value = grouped(digits, language());
}

// The details if all are as they must be; otherwise each mistake is marked, and the first has the focus.
export function readDetails() {
  const details = typedDetails();
  const wrong = Object.keys(FIELDS).filter((name) => problem(name, details) !== null);
  for (const [name, id] of Object.entries(FIELDS)) markInvalid(id, problem(name, details));
  if (wrong.length === 0) return details;
  say("invalid");
  el(FIELDS[wrong[0]]).focus();
  return null;
}

// The name of the sentence that says what is wrong with a field.
function problem(name, details) {
  if (name !== "amount") return RULES[name].test(details[name]) ? null : `invalid_${name}`;
  const { problem: found } = parseAmount(el("amount").value);
  return found === undefined ? null : `amount_${found}`;
}

// Says at a field what is wrong with it, by the name of the sentence, in whatever language is chosen.
export function markInvalid(id, key, values = {}) {
  el(`${id}-error`).textContent = key === null ? "" : t(key, values);
  el(`${id}-error`).dataset.problem = key ?? "";
  if (key === null) el(id).removeAttribute("aria-invalid");
  else el(id).setAttribute("aria-invalid", "true");
}

export function translateMistakes() {
  const values = { length: state.challenge?.codeLength ?? 6 };
  for (const id of [...Object.values(FIELDS), "code"]) {
    const { problem: key } = el(`${id}-error`).dataset;
    if (key) el(`${id}-error`).textContent = t(key, values);
  }
}
