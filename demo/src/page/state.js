// What the page knows of its payment. The bank keeps the payment; the page keeps its id over a reload.

const PAYMENT_KEY = "payment";

export const state = {
  companies: [],
  paymentId: null,
  challenge: null, // The newest code's terms, and what became of it.
  saved: null, // The details that the bank keeps: what would be paid.
  editing: false, // The amount is being changed after its code was made.
  receipt: null,
  notice: null,
  lockedUntil: 0, // In the time of performance.now(); without end if the branch has to act.
  busy: false,
  acts: 0, // What was asked before an act began says nothing of what it did.
};

export const isLocked = () => performance.now() < state.lockedUntil;

// Whether the code can be presented, as far as the page knows. A code whose answer was lost can be: only the answer
// says what became of it.
export const isAlive = () => ["open", "unanswered"].includes(state.challenge?.state) && !isLocked();

// The challenge as the bank shows it. What the gateway did not say stays as it was. Only the bank's receipt says that
// the payment was made.
export function adopt(shown, receipt) {
  state.receipt = receipt;
  if (shown === null) {
    state.challenge = null;
    return;
  }
  const now = performance.now();
  const before = state.challenge;
  const { currency: _, ...details } = shown.details; // All that the form has: everything is in rupiah.
  const stands = shown.state ?? before?.state ?? (shown.left_ms > 0 ? "open" : "expired");
  state.challenge = {
    state: stands === "approved" && receipt === null ? "unanswered" : stands,
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
  adopt({ ...sent, details, state: "open", left_ms: sent.ttl_seconds * 1000, resend_in_ms }, null);
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
