// Follows the SMS: asks the bank once a second, until it has arrived or failed, or the code has ended.

import { call } from "/bank.js";
import { el } from "/dom.js";
import { showExchanges } from "/exchange.js";
import { say } from "/notice.js";
import { ENDED, ended, render } from "/render.js";
import { adopt, isAlive, state } from "/state.js";

const LOOK_MS = 1_000; // The gateway asks not to be asked more often.
const ON_ITS_WAY = new Set(["queued", "accepted", "unknown"]); // An operator may still report what is unknown.
const ARRIVES = new Set(["queued", "accepted", "delivered"]);

let timer = 0;

// Looks now, and goes on while there is something to wait for.
export async function followDelivery() {
  clearTimeout(timer);
  if (!isOnItsWay()) return;
  await refresh();
  clearTimeout(timer);
  if (isOnItsWay()) timer = setTimeout(followDelivery, LOOK_MS);
}

const isOnItsWay = () => isAlive() && ON_ITS_WAY.has(state.challenge.delivery);

// Takes over what the bank says, unless the customer did something meanwhile.
async function refresh() {
  const { paymentId, acts } = state;
  const before = state.challenge;
  const kept = await call("GET", `payments/${paymentId}`);
  const isStale = state.busy || state.acts !== acts || state.paymentId !== paymentId || state.challenge !== before;
  if (kept.outcome !== "kept" || kept.challenge === null || isStale) return;
  adopt(kept.challenge);
  const { challenge } = state;
  if (challenge.state !== "open") {
    state.receipt = kept.receipt;
    ended(challenge.state in ENDED ? challenge.state : "forgotten");
  } else if (challenge.delivery !== before.delivery) {
    sayDelivery();
  }
  render();
  showExchanges(paymentId);
}

// Good news does not hide what the customer has to read; bad news is what he has to read.
export function sayDelivery() {
  const { challenge, notice } = state;
  const isGood = ARRIVES.has(challenge.delivery);
  if (isGood && notice !== null && !notice.key.startsWith("delivery_")) return;
  say(`delivery_${challenge.delivery}`, { destination: challenge.destination, reference: challenge.reference });
  render();
  const isFree = el("code").value === "" && ["code", ""].includes(document.activeElement?.id ?? "");
  if (!isGood && isFree && !el("resend").disabled) el("resend").focus();
}
