// The payment: details, code, receipt. The page decides nothing: it shows what the bank answers.

import { fill, texts } from "/texts.js";
import {
  dateAndTime, digitsOf, grouped, groupWhileTyping, minutesAndSeconds, rupiah, until,
} from "/format.js";
import { hideHeadsUp, setHandsetLanguage, showHandsetTime, watchHandset } from "/handset.js";

const REPLY_TIMEOUT_MS = 20_000; // Longer than the bank waits for the gateway, retry included.
const URGENT_SECONDS = 30;
const LANGUAGE_KEY = "language";
const SAMPLE = {
  beneficiary_name: "PT Sumber Makmur Contoh",
  beneficiary_account: "8800123456",
  amount: "12500000",
  reference: "INV-2026-0117",
};
const FIELDS = { beneficiary_name: "beneficiary-name", beneficiary_account: "beneficiary-account", amount: "amount", reference: "reference" };

const el = (id) => document.getElementById(id);

const state = {
  language: "id",
  companies: [],
  paymentId: null, // The draft that the bank keeps for us.
  challenge: null, // The newest code's terms, and whether it can still be accepted as far as we know.
  editing: false, // The amount is being changed after its code was sent.
  receipt: null,
  notice: null,
  busy: false,
};

const t = (key, values = {}) => fill(texts[state.language][key], values);

// ---- What the bank is asked -------------------------------------------------------------------

async function call(method, path, body) {
  try {
    const reply = await fetch(`/api/${path}`, {
      method,
      headers: body === undefined ? {} : { "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(REPLY_TIMEOUT_MS),
    });
    return await reply.json();
  } catch {
    return { outcome: "no_answer" };
  }
}

// One act at a time: a second press while the first is under way does nothing.
async function act(button, work) {
  if (state.busy) return;
  state.busy = true;
  button.setAttribute("aria-busy", "true");
  try {
    await work();
  } finally {
    state.busy = false;
    button.removeAttribute("aria-busy");
    render();
  }
}

// ---- The acts ---------------------------------------------------------------------------------

async function generate() {
  const details = readDetails();
  if (details === null) return;
  const saved = state.paymentId === null
    ? await call("POST", "payments", { ...subscriber(), details })
    : await call("PUT", `payments/${state.paymentId}`, details);
  if (saved.outcome !== "saved") return refused(saved);
  state.paymentId = saved.payment_id;
  const reply = await call("POST", `payments/${state.paymentId}/otp`, { locale: state.language });
  if (reply.outcome !== "sent") return refused(reply);
  const now = performance.now();
  state.challenge = {
    alive: true,
    amount: details.amount,
    destination: reply.destination,
    reference: reply.sms_reference,
    codeLength: reply.code_length,
    ttlMs: reply.ttl_seconds * 1000,
    endsAt: now + reply.ttl_seconds * 1000,
    resendAt: now + (reply.resend_after_seconds ?? 0) * 1000,
    resendOver: reply.resend_after_seconds === null,
    attemptsMax: reply.attempts_left,
    attemptsLeft: reply.attempts_left,
  };
  state.editing = false;
  el("code").value = "";
  say("ok", "sent", { destination: reply.destination, reference: reply.sms_reference });
  render();
  el("code").focus();
}

async function confirmPayment() {
  const code = digitsOf(el("code").value);
  const { codeLength } = state.challenge;
  if (code.length !== codeLength) {
    return markInvalid("code", t("invalid_code", { length: codeLength }));
  }
  markInvalid("code", "");
  const reply = await call("POST", `payments/${state.paymentId}/confirm`, { code });
  if (reply.outcome !== "approved") return refused(reply);
  state.receipt = reply.receipt;
  state.challenge.alive = false;
  state.notice = null;
  hideHeadsUp();
  render();
  el("receipt-title").focus();
}

async function resend() {
  const reply = await call("POST", `payments/${state.paymentId}/resend`, {});
  if (reply.outcome !== "resent") return refused(reply);
  const { challenge } = state;
  if (reply.resend_after_seconds === null) challenge.resendOver = true;
  else challenge.resendAt = performance.now() + reply.resend_after_seconds * 1000;
  say("ok", "resent", { reference: challenge.reference });
  el("code").focus();
}

async function cancel() {
  refused(await call("POST", `payments/${state.paymentId}/cancel`, {}));
  render();
  el("generate").focus();
}

// First press: the amount may be typed. Second: the bank keeps the new one, for which no code was made.
async function editAmount() {
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
  state.editing = false;
  if (details.amount === state.challenge.amount) state.notice = null;
  else say("warn", "amount_changed", { before: { money: state.challenge.amount }, after: { money: details.amount } });
  el("code").focus();
}

// A payment that the bank still keeps is left behind, its code with it.
function startOver() {
  const { paymentId, challenge } = state;
  if (paymentId !== null && challenge?.alive) call("POST", `payments/${paymentId}/cancel`, {});
  Object.assign(state, { paymentId: null, challenge: null, editing: false, receipt: null, notice: null });
  el("code").value = "";
  markInvalid("code", "");
}

// ---- What a refusal means for the page ----------------------------------------------------------

const ENDS_THE_CODE = new Set([
  "expired", "attempts_exhausted", "transaction_changed", "cancelled", "unknown_challenge", "locked", "disabled",
  "already_used", "not_found",
]);
const KINDS = {
  expired: "warn", cancelled: "info", too_soon: "info", resend_limit: "info", daily_limit: "warn",
  not_on_sms_otp: "info", unknown_subscriber: "info", unavailable: "warn", no_answer: "warn",
  already_used: "warn", already_confirmed: "warn", not_found: "warn",
};

function refused(reply) {
  const { challenge } = state;
  const outcome = Array.isArray(texts.id[reply.outcome]) ? reply.outcome : "no_answer";
  if (reply.outcome === "invalid_code") {
    return markInvalid("code", t("invalid_code", { length: challenge.codeLength }));
  }
  if (challenge !== null) {
    if (ENDS_THE_CODE.has(outcome)) challenge.alive = false;
    if (outcome === "incorrect") challenge.attemptsLeft = reply.attempts_left;
    if (["attempts_exhausted", "locked", "disabled"].includes(outcome)) challenge.attemptsLeft = 0;
    if (outcome === "too_soon") challenge.resendAt = performance.now() + reply.retry_after_seconds * 1000;
    if (outcome === "resend_limit") challenge.resendOver = true;
  }
  if (outcome === "not_found") state.paymentId = null;
  if (outcome === "invalid" && reply.field in FIELDS) {
    markInvalid(FIELDS[reply.field], t(`invalid_${reply.field}`));
  }
  say(KINDS[outcome] ?? "bad", outcome, {
    reference: challenge?.reference ?? "",
    count: reply.attempts_left ?? 0,
    seconds: reply.retry_after_seconds ?? 0,
    time: { at: Date.now() + (reply.retry_after_seconds ?? 0) * 1000 },
    when: { at: Date.now() + (reply.retry_after_seconds ?? 0) * 1000, sentence: true },
  });
  if (outcome === "incorrect") {
    el("code").focus();
    el("code").select();
  }
}

// A notice is kept as its name and values, so that it follows a change of language.
function say(kind, key, values = {}) {
  state.notice = { kind, key, values };
  renderNotice();
}

// ---- Reading the form ---------------------------------------------------------------------------

// The same rules as the bank's own: see payment.rs.
const RULES = {
  beneficiary_name: /^[A-Za-z0-9 .,'()&\/+-]{1,70}$/,
  beneficiary_account: /^[A-Z0-9]{1,34}$/,
  amount: /^[1-9][0-9]{0,14}$/,
  reference: /^[\x20-\x7e]{1,35}$/,
};

function typedDetails() {
  return {
    beneficiary_name: el("beneficiary-name").value.trim(),
    beneficiary_account: el("beneficiary-account").value.replace(/[\s-]/g, "").toUpperCase(),
    amount: digitsOf(el("amount").value),
    reference: el("reference").value.trim(),
  };
}

function readDetails() {
  const details = typedDetails();
  const wrong = Object.keys(RULES).filter((name) => !RULES[name].test(details[name]));
  for (const name of Object.keys(RULES)) {
    markInvalid(FIELDS[name], wrong.includes(name) ? t(`invalid_${name}`) : "");
  }
  if (wrong.length === 0) return details;
  say("bad", "invalid");
  el(FIELDS[wrong[0]]).focus();
  return null;
}

function markInvalid(id, sentence) {
  el(`${id}-error`).textContent = sentence;
  if (sentence === "") el(id).removeAttribute("aria-invalid");
  else {
    el(id).setAttribute("aria-invalid", "true");
    el(id).focus();
  }
}

const company = () => state.companies[el("company").selectedIndex];
const user = () => company().users[el("user").selectedIndex];
const subscriber = () => ({ corporate_id: company().corporate_id, user_id: user().user_id });

// ---- Showing --------------------------------------------------------------------------------------

function setText(id, text) {
  if (el(id).textContent !== text) el(id).textContent = text;
}

function render() {
  if (state.companies.length === 0) return;
  const { challenge, receipt } = state;
  const alive = challenge !== null && challenge.alive;
  const locked = alive || receipt !== null;
  const details = typedDetails();

  for (const id of Object.values(FIELDS)) el(id).readOnly = locked && !(id === "amount" && state.editing);
  el("company").disabled = alive;
  el("user").disabled = alive;
  el("edit-amount").hidden = !alive;
  setText("edit-amount", t(state.editing ? "save_amount" : "edit_amount"));
  setText("amount-help", alive ? "" : t("amount_help"));

  el("payment").hidden = receipt !== null;
  el("receipt").hidden = receipt === null;
  el("review").hidden = receipt !== null;
  el("generate-block").hidden = receipt !== null || alive;
  setText("confirm-title", t(receipt === null ? "confirm_title" : "confirm_title_done"));
  setText("confirm-help", t(receipt === null ? "confirm_help" : "confirm_help_done"));
  setText("generate-help", user().authenticator === "sms_otp"
    ? t("generate_help", { phone: user().phone })
    : t("generate_help_token"));

  setText("review-amount", rupiah(details.amount, state.language));
  setText("review-name", details.beneficiary_name || "–");
  setText("review-account", details.beneficiary_account || "–");

  el("code").disabled = challenge === null;
  el("confirm").disabled = challenge === null || state.editing;
  setText("code-help", challenge === null
    ? t("code_help_idle")
    : t("code_help", { length: challenge.codeLength, reference: challenge.reference }));
  el("meters").hidden = !alive;
  el("secondary").hidden = !alive;

  const step = receipt !== null ? "done" : alive ? "code" : "details";
  let past = true;
  for (const item of document.querySelectorAll("[data-step]")) {
    const current = item.dataset.step === step;
    if (current) past = false;
    item.toggleAttribute("data-past", past || (current && step === "done"));
    if (current) item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
  }
  renderOwner();
  renderReceipt();
  renderNotice();
  renderAttempts();
  tick();
}

function renderOwner() {
  setText("handset-owner", t("handset_owner", { user: user().user_id, phone: user().phone }));
}

function renderReceipt() {
  const { receipt } = state;
  if (receipt === null) return;
  setText("receipt-amount", rupiah(receipt.amount, state.language));
  setText("receipt-name", receipt.beneficiary_name);
  setText("receipt-account", receipt.beneficiary_account);
  setText("receipt-reference", receipt.reference);
  setText("receipt-from", `${company().name} · ${user().user_id}`);
  setText("receipt-time", `${dateAndTime(new Date(receipt.approved_at), state.language)} WIB`);
  setText("receipt-number", receipt.number);
}

function renderNotice() {
  const { notice } = state;
  el("notice").dataset.kind = notice === null ? "none" : notice.kind;
  const [title, body] = notice === null ? ["", ""] : texts[state.language][notice.key];
  const values = Object.fromEntries(
    Object.entries(notice?.values ?? {}).map(([name, value]) => [name, readable(value)]),
  );
  setText("notice-title", title);
  setText("notice-body", fill(body, values));
}

function readable(value) {
  if (typeof value !== "object") return value;
  if ("money" in value) return rupiah(value.money, state.language);
  const time = until(new Date(value.at), new Date(), state.language);
  return value.sentence ? t("later", { time }) : time;
}

function renderAttempts() {
  const { challenge } = state;
  if (challenge === null) return;
  setText("attempts", t("attempts_left", { count: challenge.attemptsLeft }));
  el("dots").replaceChildren(...Array.from({ length: challenge.attemptsMax }, (_, index) => {
    const dot = document.createElement("i");
    dot.toggleAttribute("data-left", index < challenge.attemptsLeft);
    return dot;
  }));
}

// Four times a second: the countdowns. Touches the page only where a text changes.
function tick() {
  showHandsetTime(new Date());
  const { challenge } = state;
  if (challenge === null || !challenge.alive) return;
  const now = performance.now();
  const left = Math.max(0, Math.ceil((challenge.endsAt - now) / 1000));
  setText("validity", minutesAndSeconds(left));
  el("ring").style.setProperty("--left", String(Math.max(0, challenge.endsAt - now) / challenge.ttlMs));
  el("meters").toggleAttribute("data-urgent", left <= URGENT_SECONDS);
  const wait = Math.max(0, Math.ceil((challenge.resendAt - now) / 1000));
  el("resend").disabled = challenge.resendOver || wait > 0;
  setText("resend", challenge.resendOver ? t("resend_over") : wait > 0 ? t("resend_in", { seconds: wait }) : t("resend"));
  if (left === 0) {
    challenge.alive = false;
    state.editing = false;
    say("warn", "expired");
    render();
  }
}

// ---- Language -------------------------------------------------------------------------------------

function speak(language) {
  state.language = language;
  document.documentElement.lang = language;
  document.title = `${t("title")} – Bank Contoh`;
  for (const node of document.querySelectorAll("[data-text]")) node.textContent = t(node.dataset.text);
  for (const node of document.querySelectorAll("[data-label]")) node.setAttribute("aria-label", t(node.dataset.label));
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === language));
  }
  for (const id of [...Object.values(FIELDS), "code"]) {
    const name = id.replace("-", "_");
    const values = { length: state.challenge?.codeLength ?? 6 };
    if (el(id).hasAttribute("aria-invalid")) setText(`${id}-error`, t(`invalid_${name}`, values));
  }
  el("amount").value = grouped(digitsOf(el("amount").value), language);
  setHandsetLanguage(language);
  renderUsers();
  render();
}

function remembered() {
  try {
    return localStorage.getItem(LANGUAGE_KEY) === "en" ? "en" : "id";
  } catch {
    return "id"; // Storage is off: the language is not remembered, nothing else.
  }
}

function remember(language) {
  try {
    localStorage.setItem(LANGUAGE_KEY, language);
  } catch {
    // As above.
  }
}

// ---- Start ------------------------------------------------------------------------------------------

function options(select, labels) {
  const index = Math.max(0, Math.min(select.selectedIndex, labels.length - 1));
  select.replaceChildren(...labels.map((label) => new Option(label)));
  select.selectedIndex = index;
}

function renderUsers() {
  if (state.companies.length === 0) return;
  options(el("user"), company().users.map((one) =>
    one.authenticator === "sms_otp" ? one.user_id : t("token_user", { user: one.user_id })));
}

function userChosen() {
  startOver();
  watchHandset(subscriber());
  render();
}

async function start() {
  for (const [name, id] of Object.entries(FIELDS)) el(id).value = SAMPLE[name];
  speak(remembered());
  const reply = await call("GET", "companies");
  if (!Array.isArray(reply.companies)) return say("warn", "no_answer");
  state.companies = reply.companies;
  el("wall").href = reply.wall;
  options(el("company"), state.companies.map((one) => one.name));
  speak(state.language);
  watchHandset(subscriber());

  el("company").addEventListener("change", () => {
    el("user").selectedIndex = 0;
    renderUsers();
    userChosen();
  });
  el("user").addEventListener("change", userChosen);
  el("payment").addEventListener("input", (event) => {
    if (event.target.id === "amount") groupWhileTyping(event.target, state.language);
    if (event.target.hasAttribute("aria-invalid")) {
      el(`${event.target.id}-error`).textContent = "";
      event.target.removeAttribute("aria-invalid");
    }
    render();
  });
  el("payment").addEventListener("submit", (event) => {
    event.preventDefault();
    if (state.editing) act(el("edit-amount"), editAmount);
    else if (state.challenge?.alive !== true) act(el("generate"), generate);
  });
  el("code-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (state.challenge !== null) act(el("confirm"), confirmPayment);
  });
  el("edit-amount").addEventListener("click", () => act(el("edit-amount"), editAmount));
  el("resend").addEventListener("click", () => act(el("resend"), resend));
  el("cancel").addEventListener("click", () => act(el("cancel"), cancel));
  el("new-payment").addEventListener("click", () => {
    startOver();
    render();
    el("amount").focus();
    el("amount").select();
  });
  setInterval(tick, 250);
}

for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => {
    remember(button.dataset.language);
    speak(button.dataset.language);
  });
}

start();
