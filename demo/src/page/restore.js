// Takes a payment over from the bank as it stands there: after a reload, and after an attack.

import { sayIfChanged } from "/acts.js";
import { call } from "/bank.js";
import { sayDelivery } from "/delivery.js";
import { ENDED } from "/ending.js";
import { sameDetails, writeDetails } from "/form.js";
import { say, sayNothing } from "/notice.js";
import { adopt, keepPaymentId, state } from "/state.js";

// What the bank answers about this id: what it keeps, or that it keeps nothing, and the id is forgotten.
export async function kept(id) {
  const reply = id === null ? { outcome: "not_found" } : await call("GET", `payments/${id}`);
  if (reply.outcome === "not_found") keepPaymentId(null);
  return reply;
}

export function takeOver(id, payment) {
  keepPaymentId(id);
  writeDetails(payment.details);
  adopt(payment.challenge, payment.receipt);
  Object.assign(state, { saved: payment.details, editing: false });
  state.lockedUntil = 0;
  sayNothing();
  if (payment.lock !== null) return takeOverLock(payment.lock);
  if (payment.challenge === null || payment.receipt !== null) return;
  if (state.challenge.state === "unanswered") say("no_answer");
  else if (state.challenge.state !== "open") say(ENDED[state.challenge.state]);
  else if (!sameDetails(payment.details, payment.challenge.details)) sayIfChanged(payment.details);
  else sayDelivery();
}

// A lock has ended the code, as it does when it is new.
function takeOverLock({ kind, left_ms }) {
  const isTemporary = kind === "temporary";
  if (state.challenge !== null) state.challenge.state = isTemporary ? "locked" : "disabled";
  state.lockedUntil = isTemporary ? performance.now() + left_ms : Infinity;
  if (isTemporary) say("locked", { time: { at: Date.now() + left_ms } });
  else say("disabled");
}
