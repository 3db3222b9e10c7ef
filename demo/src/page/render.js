// Shows the page as its state is.

import { renderCountdown } from "/countdown.js";
import { el, make, setOptions, setText } from "/dom.js";
import { FIELDS, company, typedDetails, user } from "/form.js";
import { accountParts, clockInZone, dateAndTime, money } from "/format.js";
import { compareMessages } from "/handset.js";
import { language, t } from "/language.js";
import { renderNotice } from "/notice.js";
import { isAlive, isLocked, state } from "/state.js";

export function render() {
  if (state.companies.length === 0) return;
  renderForm();
  renderReview();
  renderControls();
  renderSteps();
  renderReceipt();
  renderNotice();
  renderAttempts();
  renderTrack();
  setText("handset-owner", t("handset_owner", { user: user().user_id, phone: user().phone }));
  compareMessages(isAlive() ? comparison() : null);
  renderCountdown();
}

export function renderUsers() {
  if (state.companies.length === 0) return;
  setOptions("user", company().users.map((one) =>
    one.authenticator === "sms_otp" ? one.user_id : t("token_user", { user: one.user_id })));
}

function renderForm() {
  const alive = isAlive();
  const { busy, editing, receipt } = state;
  const fixed = alive || receipt !== null;
  // Fields that are under way stay in reach of the keyboard: what has the focus keeps it.
  for (const id of Object.values(FIELDS)) el(id).readOnly = busy || (fixed && !(id === "amount" && editing));
  el("code").readOnly = busy;
  el("company").disabled = alive || busy;
  el("user").disabled = alive || busy;
  el("edit-amount").hidden = !alive;
  setText("edit-amount", t(editing ? "save_amount" : "edit_amount"));
  setText("amount-help", alive ? "" : t("amount_help"));
}

// While there is a code: what the bank keeps and would pay, and not what is typed.
function renderReview() {
  const { challenge, saved } = state;
  const alive = isAlive();
  const details = alive ? saved : typedDetails();
  el("review").toggleAttribute("data-compare", alive);
  el("compare").hidden = !alive;
  for (const id of ["review-reference-line", "review-until-line"]) el(id).hidden = !alive;
  setText("review-amount", money(details.amount, language()));
  setText("review-name", details.beneficiary_name || "–");
  showAccount("review-account", details.beneficiary_account || "–");
  setText("review-reference", challenge?.reference ?? "");
  setText("review-until", challenge === null ? "" : clockInZone(challenge.expiresAt));
}

// An account with the digits set off that the SMS has, too.
function showAccount(id, account) {
  const [before, last] = accountParts(account);
  if (el(id).textContent !== account) el(id).replaceChildren(before, make("span", "compared", last));
}

// What the customer is to find in the SMS, as it is written there.
function comparison() {
  const { details, reference, codeLength } = state.challenge;
  const [, account] = accountParts(details.beneficiary_account);
  const amounts = ["id", "en"].map((one) => money(details.amount, one));
  return { reference, codeLength, words: [...amounts, account, reference] };
}

function renderControls() {
  const { challenge, receipt } = state;
  const alive = isAlive();
  el("payment").hidden = receipt !== null;
  el("receipt").hidden = receipt === null;
  el("confirm-card").hidden = receipt !== null;
  el("generate-block").hidden = alive;
  el("generate").disabled = isLocked();
  setText("generate-help", user().authenticator === "sms_otp"
    ? t("generate_help", { phone: user().phone })
    : t("generate_help_token"));
  el("code").disabled = !alive;
  el("confirm").disabled = !alive || state.editing;
  el("cancel").disabled = !alive;
  el("meters").hidden = !alive;
  el("track").hidden = !alive;
  el("secondary").hidden = !alive;
  if (alive) setText("code-help", t("code_help", { length: challenge.codeLength, reference: challenge.reference }));
  else setText("code-help", t(challenge === null ? "code_help_idle" : "code_help_ended"));
}

function renderSteps() {
  const step = state.receipt !== null ? "done" : isAlive() ? "code" : "details";
  let past = true;
  for (const item of document.querySelectorAll("[data-step]")) {
    const current = item.dataset.step === step;
    if (current) past = false;
    item.toggleAttribute("data-past", past || (current && step === "done"));
    if (current) item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
  }
}

function renderReceipt() {
  const { receipt } = state;
  if (receipt === null) return;
  setText("receipt-amount", money(receipt.amount, language()));
  setText("receipt-name", receipt.beneficiary_name);
  showAccount("receipt-account", receipt.beneficiary_account);
  setText("receipt-reference", receipt.reference);
  setText("receipt-from", `${company().name} · ${user().user_id}`);
  setText("receipt-time", dateAndTime(new Date(receipt.approved_at), language()));
  setText("receipt-number", receipt.number);
}

function renderAttempts() {
  const { challenge } = state;
  if (challenge === null) return;
  setText("attempts", t("attempts_left", { count: challenge.attemptsLeft }));
  el("dots").replaceChildren(...Array.from({ length: challenge.attemptsMax }, (_, index) => {
    const dot = make("i", "");
    dot.toggleAttribute("data-left", index < challenge.attemptsLeft);
    return dot;
  }));
}

// How far it is known that the SMS got: to the bank's queue, the operator, the phone.
const STATIONS = ["queued", "accepted", "delivered"];
const REACHED = {
  queued: 0, dropped: 0, expired: 0, rejected: 0, accepted: 1, undelivered: 1, unknown: 1, delivered: 2,
};
const LAST_STATION = {
  queued: "track_delivered", accepted: "track_delivered", delivered: "track_delivered", unknown: "track_unknown",
};

function renderTrack() {
  const { challenge } = state;
  if (challenge === null) return;
  el("track").dataset.delivery = challenge.delivery;
  for (const [index, station] of STATIONS.entries()) {
    el(`track-${station}`).toggleAttribute("data-past", index <= REACHED[challenge.delivery]);
    el(`track-${station}`).toggleAttribute("data-current", station === challenge.delivery);
  }
  setText("track-delivered-text", t(LAST_STATION[challenge.delivery] ?? "track_failed"));
}
