// How a code comes to its end, what is said then, and the one step that is next.

import { codeSecondsLeft, renderCountdown } from "/countdown.js";
import { el } from "/dom.js";
import { hideHeadsUp, showHandsetTime } from "/handset.js";
import { say, sayNothing } from "/notice.js";
import { render } from "/render.js";
import { isAlive, isLocked, state } from "/state.js";

// The sentence for each end of a code that made no payment.
export const ENDED = {
  expired: "expired", attempts_exhausted: "attempts_exhausted", voided: "transaction_changed", cancelled: "cancelled",
  forgotten: "unknown_challenge", locked: "locked", disabled: "disabled",
};

// The code can no longer be presented: says why, and leads to the next step.
export function ended(how, sentence = ENDED[how], values = {}) {
  state.challenge.state = how;
  state.editing = false;
  el("code").value = "";
  say(sentence, values);
  render();
  focusNextStep();
}

// The payment is made: the bank's receipt says so, and nothing else does.
export function paid(receipt) {
  state.receipt = receipt;
  state.challenge.state = "approved";
  el("code").value = "";
  sayNothing();
  hideHeadsUp();
  render();
  focusNextStep();
}

// Four times a second: what runs out. While an act is under way its answer decides.
export function tick() {
  showHandsetTime(new Date());
  renderCountdown();
  if (state.busy) return;
  if (state.lockedUntil > 0 && !isLocked()) lockEnded();
  else if (isAlive() && state.challenge.state === "open" && codeSecondsLeft() === 0) ended("expired");
}

// The lock has ended the code, too, so that one step is next, however long the code would have lived.
function lockEnded() {
  state.lockedUntil = 0;
  say("lock_over");
  render();
  focusNextStep();
}

// Leads to the one thing that can be done next, unless the visitor is busy outside the payment.
export function focusNextStep() {
  if (document.activeElement?.closest("#attacks, .side, .top")) return;
  const next = state.receipt !== null ? "receipt-title" : isLocked() ? "notice" : isAlive() ? "code" : "generate";
  el(next).focus();
}
