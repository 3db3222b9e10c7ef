// What the customer does, and what the bank's answer means for the page. The page decides nothing.

import { call } from "/bank.js";
import { el } from "/dom.js";
import { followDelivery } from "/delivery.js";
import { ENDED, ended, focusNextStep, paid } from "/ending.js";
import { showExchanges } from "/exchange.js";
import { FIELDS, markInvalid, readDetails, sameDetails, subscriber } from "/form.js";
import { digitsOf } from "/format.js";
import { language } from "/language.js";
import { say, sayNothing } from "/notice.js";
import { render } from "/render.js";
import { begin, isAlive, isLocked, keepPaymentId, state } from "/state.js";

// One act at a time: a second press while the first is under way does nothing, and nothing can be typed or chosen, so
// that the answer is shown beside what it is about.
export async function act(button, work) {
  if (state.busy) return;
  state.busy = true;
  button.setAttribute("aria-busy", "true");
  render();
  try {
    await work();
  } finally {
    state.busy = false;
    state.acts += 1;
    button.removeAttribute("aria-busy");
    render();
    followDelivery();
    showExchanges(state.paymentId);
  }
}

// Has a code made for what is typed. Says whether there is one.
export async function issue() {
  const details = readDetails();
  if (details === null) return false;
  const saved = state.paymentId === null
    ? await call("POST", "payments", { ...subscriber(), details })
    : await call("PUT", `payments/${state.paymentId}`, details);
  if (saved.outcome !== "saved") return refused(saved);
  keepPaymentId(saved.payment_id);
  state.saved = details;
  const reply = await call("POST", `payments/${state.paymentId}/otp`, { locale: language() });
  if (reply.outcome !== "sent") return refused(reply);
  begin(reply, details);
  state.editing = false;
  el("code").value = "";
  markInvalid("code", null);
  say("delivery_queued", { destination: reply.destination });
  return true;
}

export async function generate() {
  if (!await issue()) return;
  render();
  el("code").focus();
}

export async function confirmPayment() {
  const code = digitsOf(el("code").value);
  const { codeLength } = state.challenge;
  if (code.length !== codeLength) return wrongCodeLength();
  markInvalid("code", null);
  const reply = await call("POST", `payments/${state.paymentId}/confirm`, { code });
  if (reply.outcome === "approved") return paid(reply.receipt);
  if (reply.outcome === "no_answer") state.challenge.state = "unanswered";
  refused(reply);
}

export async function resend() {
  const reply = await call("POST", `payments/${state.paymentId}/resend`, {});
  if (reply.outcome !== "resent") return refused(reply);
  const { challenge } = state;
  challenge.delivery = "queued";
  challenge.resendOver = reply.resend_after_seconds === null;
  challenge.resendAt = performance.now() + (reply.resend_after_seconds ?? 0) * 1000;
  say("resent", { reference: challenge.reference });
  el("code").focus();
}

export async function cancel() {
  refused(await call("POST", `payments/${state.paymentId}/cancel`, {}));
}

// First press: the amount may be typed. Second: the bank keeps the new one, for which no code was made.
export async function editAmount() {
  if (!state.editing) {
    state.editing = true;
    render();
    el("amount").focus();
    el("amount").select();
    return;
  }
  const details = readDetails();
  if (details === null) return;
  const saved = await call("PUT", `payments/${state.paymentId}`, details);
  if (saved.outcome !== "saved") return refused(saved);
  state.saved = details;
  state.editing = false;
  sayIfChanged(details);
  el("code").focus();
}

// A code is only for the payment that it was made for.
export function sayIfChanged(details) {
  const bound = state.challenge.details;
  if (sameDetails(details, bound)) sayNothing();
  else if (details.amount === bound.amount) say("payee_changed");
  else say("amount_changed", { before: { money: bound.amount }, after: { money: details.amount } });
}

// A payment that the bank still keeps is left behind, its code with it.
export function startOver() {
  const { paymentId } = state;
  if (paymentId !== null && isAlive()) call("POST", `payments/${paymentId}/cancel`, {});
  keepPaymentId(null);
  Object.assign(state, { challenge: null, saved: null, editing: false, receipt: null, notice: null, lockedUntil: 0 });
  el("code").value = "";
  markInvalid("code", null);
  showExchanges(null);
}

// ---- What a refusal means -------------------------------------------------------------------------

const HOW_IT_ENDED = {
  ...Object.fromEntries(Object.entries(ENDED).map(([how, outcome]) => [outcome, how])),
  not_found: "forgotten",
};

// Never true: nothing was made.
export function refused(reply) {
  const { outcome } = reply;
  if (outcome === "invalid_code") return wrongCodeLength();
  if (outcome === "invalid" && reply.field in FIELDS) {
    markInvalid(FIELDS[reply.field], `invalid_${reply.field}`);
    el(FIELDS[reply.field]).focus();
  }
  keepInMind(reply);
  const how = HOW_IT_ENDED[outcome];
  if (how !== undefined && state.challenge !== null) ended(how, outcome, valuesOf(reply));
  else say(outcome, valuesOf(reply));
  if (isLocked()) focusNextStep();
  if (isAlive()) codeRefused(reply);
  return false;
}

// What a refusal says of more than this act.
function keepInMind({ outcome, retry_after_seconds }) {
  if (outcome === "locked") state.lockedUntil = performance.now() + retry_after_seconds * 1000;
  if (outcome === "disabled") state.lockedUntil = Infinity;
  if (outcome === "not_found") keepPaymentId(null);
  // Whether the payment was made is for the bank to say: it is asked next.
  if (outcome === "already_used" && state.challenge !== null) state.challenge.state = "unanswered";
}

// The code lives on.
function codeRefused(reply) {
  const { challenge } = state;
  if (reply.outcome === "too_soon") challenge.resendAt = performance.now() + reply.retry_after_seconds * 1000;
  if (reply.outcome === "resend_limit") challenge.resendOver = true;
  if (reply.outcome !== "incorrect") return;
  challenge.attemptsLeft = reply.attempts_left;
  el("code").focus();
  el("code").select();
}

function valuesOf(reply) {
  const at = Date.now() + (reply.retry_after_seconds ?? 0) * 1000;
  return {
    reference: state.challenge?.reference ?? "",
    count: reply.attempts_left ?? 0,
    seconds: reply.retry_after_seconds ?? 0,
    time: { at },
    when: { at, sentence: true },
  };
}

function wrongCodeLength() {
  markInvalid("code", "invalid_code", { length: state.challenge?.codeLength ?? 6 });
  el("code").focus();
  return false;
}
