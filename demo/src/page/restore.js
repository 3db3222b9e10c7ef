// Takes a payment over from the bank as it stands there: after a reload, and after an attack.

import { sayIfChanged } from "/acts.js";
import { call } from "/bank.js";
import { sayDelivery } from "/delivery.js";
import { writeDetails } from "/form.js";
import { say, sayNothing } from "/notice.js";
import { ENDED } from "/render.js";
import { adopt, isLocked, keepPaymentId, state } from "/state.js";

// What the bank keeps under this id; `null` if nothing, and the id is forgotten.
export async function kept(id) {
  const payment = id === null ? null : await call("GET", `payments/${id}`);
  if (payment?.outcome === "kept") return payment;
  if (payment?.outcome === "not_found") keepPaymentId(null);
  return null;
}

export function takeOver(id, payment) {
  keepPaymentId(id);
  writeDetails(payment.details);
  adopt(payment.challenge);
  Object.assign(state, { receipt: payment.receipt, editing: false });
  state.lockedUntil = payment.locked_ms === 0 ? 0 : performance.now() + payment.locked_ms;
  sayNothing();
  if (isLocked()) return say("locked", { time: { at: Date.now() + payment.locked_ms } });
  if (payment.challenge === null || payment.receipt !== null) return;
  if (state.challenge.state !== "open") say(ENDED[state.challenge.state]);
  else if (payment.details.amount !== payment.challenge.details.amount) sayIfChanged(payment.details);
  else sayDelivery();
}
