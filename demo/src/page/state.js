// What the page knows of its payment. The bank keeps the payment; the page keeps its id over a reload.

const PAYMENT_KEY = "payment";

export const state = {
  companies: [],
  paymentId: null,
  challenge: null, // The newest code's terms, and what became of it.
  editing: false, // The amount is being changed after its code was made.
  receipt: null,
  notice: null,
  lockedUntil: 0, // In the time of performance.now(); for ever if the branch has to act.
  busy: false,
  acts: 0, // What was asked before an act began says nothing of what it did.
};

export const isLocked = () => performance.now() < state.lockedUntil;

// Whether the code can be presented, as far as the page knows.
export const isAlive = () => state.challenge?.state === "open" && !isLocked();

// The challenge as the bank shows it. What the gateway did not say stays as it was.
export function adopt(shown) {
  if (shown === null) {
    state.challenge = null;
    return;
  }
  const now = performance.now();
  const before = state.challenge;
  const { currency: _, ...details } = shown.details; // All that the form has: everything is in rupiah.
  state.challenge = {
    state: shown.state ?? before?.state ?? (shown.left_ms > 0 ? "open" : "expired"),
    delivery: shown.delivery ?? before?.delivery ?? "queued",
    details,
    destination: shown.destination,
    reference: shown.sms_reference,
    codeLength: shown.code_length,
    expiresAt: new Date(shown.expires_at),
    ttlMs: shown.ttl_seconds * 1000,
    endsAt: now + shown.left_ms,
    resendAt: now + (shown.resend_in_ms ?? 0),
    resendOver: shown.resend_in_ms === null,
    attemptsMax: shown.attempts_left,
    attemptsLeft: shown.attempts_left_now ?? before?.attemptsLeft ?? shown.attempts_left,
  };
}

// The challenge of a code that was just made for `details`.
export function begin(sent, details) {
  const wait = sent.resend_after_seconds;
  const resend_in_ms = wait === null ? null : wait * 1000;
  state.challenge = null;
  adopt({ ...sent, details, state: "open", left_ms: sent.ttl_seconds * 1000, resend_in_ms });
}

export function keepPaymentId(id) {
  state.paymentId = id;
  try {
    if (id === null) sessionStorage.removeItem(PAYMENT_KEY);
    else sessionStorage.setItem(PAYMENT_KEY, id);
  } catch {
    // Storage is off: a reload forgets the payment, nothing else.
  }
}

export function keptPaymentId() {
  try {
    return sessionStorage.getItem(PAYMENT_KEY);
  } catch {
    return null;
  }
}
