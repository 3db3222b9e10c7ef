// Follows the SMS: asks the bank once a second, until it has arrived or failed, or the code has ended. So is a
// confirmation followed whose answer was lost.

import { call } from "/bank.js";
import { codeSecondsLeft } from "/countdown.js";
import { el } from "/dom.js";
import { ENDED, ended, paid } from "/ending.js";
import { showExchanges } from "/exchange.js";
import { say } from "/notice.js";
import { render } from "/render.js";
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

function isOnItsWay() {
  const { challenge } = state;
  if (!isAlive()) return false;
  return challenge.state === "unanswered" ? codeSecondsLeft() > 0 : ON_ITS_WAY.has(challenge.delivery);
}

// Takes over what the bank says, unless the customer did something meanwhile.
async function refresh() {
  const { paymentId, acts } = state;
  const before = state.challenge;
  const kept = await call("GET", `payments/${paymentId}`);
  const isStale = state.busy || state.acts !== acts || state.paymentId !== paymentId || state.challenge !== before;
  if (kept.outcome !== "kept" || kept.challenge === null || isStale) return;
  adopt(kept.challenge, kept.receipt);
  sayNews(before);
  render();
  showExchanges(paymentId);
}

function sayNews(before) {
  const { challenge, receipt } = state;
  if (receipt !== null) paid(receipt);
  else if (!isAlive()) ended(challenge.state in ENDED ? challenge.state : "forgotten");
  else if (challenge.state === "unanswered" && before.state === "open") say("no_answer");
  else if (challenge.delivery !== before.delivery) sayDelivery();
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
