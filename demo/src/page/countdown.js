// What runs out while the customer looks: the code, the wait for a resend, a lock.

import { el, setText } from "/dom.js";
import { minutesAndSeconds } from "/format.js";
import { t } from "/language.js";
import { isAlive, state } from "/state.js";

const URGENT_SECONDS = 30;
const HAS_FAILED = new Set(["undelivered", "expired", "rejected", "dropped", "unknown"]);

const secondsUntil = (at) => Math.max(0, Math.ceil((at - performance.now()) / 1000));

export const codeSecondsLeft = () => secondsUntil(state.challenge.endsAt);

export function renderCountdown() {
  renderLock();
  if (!isAlive()) return;
  renderCode();
  renderResend();
}

// How long the code lives.
function renderCode() {
  const { challenge } = state;
  const left = codeSecondsLeft();
  setText("validity", minutesAndSeconds(left));
  const share = Math.max(0, challenge.endsAt - performance.now()) / challenge.ttlMs;
  el("ring").style.setProperty("--left", String(share));
  el("meters").toggleAttribute("data-urgent", left <= URGENT_SECONDS);
}

// When the SMS may be sent again: it is the next step if the last one did not arrive.
function renderResend() {
  const { challenge } = state;
  const wait = secondsUntil(challenge.resendAt);
  const hasFailed = HAS_FAILED.has(challenge.delivery);
  const may = !challenge.resendOver && wait === 0;
  el("resend").disabled = !may;
  el("resend").classList.toggle("urged", may && hasFailed);
  if (challenge.resendOver) setText("resend", t("resend_over"));
  else if (wait > 0) setText("resend", t("resend_in", { seconds: wait }));
  else setText("resend", t(hasFailed ? "resend_now" : "resend"));
}

// How long the lock lasts, if it ends by itself.
function renderLock() {
  const left = secondsUntil(state.lockedUntil);
  const shown = left > 0 && Number.isFinite(left);
  el("lock-left").hidden = !shown;
  setText("lock-left", shown ? t("lock_left", { time: minutesAndSeconds(left) }) : "");
}
