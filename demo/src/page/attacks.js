// The attacks that the visitor may try. The page plays the attacker: it has the right code from the handset.

import { act, issue, startOver } from "/acts.js";
import { call } from "/bank.js";
import { el, make, setText } from "/dom.js";
import { sameDetails } from "/form.js";
import { money } from "/format.js";
import { codeOnHandset, hideHeadsUp } from "/handset.js";
import { language, sentence, t } from "/language.js";
import { kept, takeOver } from "/restore.js";
import { isAlive, state } from "/state.js";

const SMS_PATIENCE_MS = 10_000; // It arrives within milliseconds, unless the operator is made to fail.
const AT_ONCE = 64;
const THIEF = { beneficiary_name: "CV Rekening Penipu", beneficiary_account: "6666000666" };

// What became of the attack: its name, what was done, and what each code was answered.
let result = { attack: null, running: false, failure: null, steps: [], outcomes: [] };

const ATTACKS = {
  async payee(code, details) {
    step("payee", { payee: THIEF.beneficiary_name, account: THIEF.beneficiary_account });
    step("right");
    return [await post("confirm-changed", { code, details: { ...details, ...THIEF } })];
  },
  twice: (code) => atOnce("same", [code, code]),
  flood: (code) => atOnce("same", Array(AT_ONCE).fill(code)),
  guess: (code) => atOnce("wrong", guesses(code)),
  async colleague(code) {
    step("colleague");
    const stolen = await post("confirm-as-colleague", { code });
    step("owner");
    return [stolen, await post("confirm", { code })];
  },
  async replay(code) {
    step("right");
    const first = await post("confirm", { code });
    step("again");
    return [first, await post("confirm", { code })];
  },
};

const post = (path, body) => call("POST", `payments/${state.paymentId}/${path}`, body);

async function atOnce(how, codes) {
  step(how, { count: codes.length });
  const { outcomes } = await post("confirm-at-once", { codes });
  return outcomes ?? [];
}

// As many codes as are tried at once, each another one, none of them right.
function guesses(code) {
  const modulus = 10 ** code.length;
  return Array.from({ length: AT_ONCE }, (_, index) =>
    String((Number(code) + index + 1) % modulus).padStart(code.length, "0"));
}

// ---- The course of an attack ------------------------------------------------------------------------

export function initAttacks() {
  for (const button of document.querySelectorAll("[data-attack]")) {
    button.addEventListener("click", () => act(button, () => run(button.dataset.attack)));
  }
  renderAttack();
}

async function run(attack) {
  result = { attack, running: true, failure: null, steps: [], outcomes: [] };
  renderAttack();
  result.failure = await carryOut(attack);
  result.running = false;
  renderAttack();
  el("attack-result").scrollIntoView({ block: "nearest" });
}

// The name of what kept the attack from being tried, if anything.
async function carryOut(attack) {
  if (!await arm()) return "attack_no_code";
  const { details, reference, codeLength } = state.challenge;
  const code = await codeOnHandset({ reference, codeLength }, SMS_PATIENCE_MS);
  hideHeadsUp();
  if (code === null) return "attack_no_sms";
  step("code", { amount: { money: details.amount }, payee: details.beneficiary_name, reference });
  result.outcomes = await ATTACKS[attack](code, details);
  await followUp();
  return isComplete(result.outcomes) ? null : "attack_no_answer";
}

// Without every answer nothing is claimed.
const isComplete = (outcomes) => outcomes.length > 0 && outcomes.every(({ outcome }) => outcome !== "no_answer");

// A code that lives and fits the payment: the customer's own, or a new one.
async function arm() {
  if (isAlive() && !state.editing && await fitsItsCode()) return true;
  if (state.receipt !== null) startOver();
  return issue();
}

// Whether the bank still keeps the details that the code was made for.
async function fitsItsCode() {
  const payment = await kept(state.paymentId);
  return payment.outcome === "kept" && sameDetails(payment.details, state.challenge.details);
}

// The customer's page shows what the attack has left.
async function followUp() {
  const payment = await kept(state.paymentId);
  if (payment.outcome === "kept") takeOver(state.paymentId, payment);
}

function step(key, values = {}) {
  result.steps.push({ key: `attack_step_${key}`, values });
  renderAttack();
}

// ---- Showing ------------------------------------------------------------------------------------------

export function renderAttack() {
  const { attack, running, failure, steps, outcomes } = result;
  const approved = outcomes.filter((one) => one.outcome === "approved").length;
  const isOver = attack !== null && !running && failure === null;
  el("attack-result").dataset.kind = !isOver ? "none" : approved <= 1 ? "ok" : "bad";
  setText("attack-name", attack === null ? "" : t(`attack_${attack}`));
  setText("attack-verdict", verdict(approved, isOver));
  setText("attack-counts", isOver
    ? t("attack_counts", { sent: outcomes.length, approved, refused: outcomes.length - approved })
    : "");
  el("attack-steps").replaceChildren(...steps.map(({ key, values }) => make("li", "", t(key, readable(values)))));
  el("attack-tiles").replaceChildren(...(outcomes.length > 1 ? outcomes.map(tile) : []));
  el("attack-legend").replaceChildren(...legend(outcomes));
}

function verdict(approved, isOver) {
  if (result.attack === null) return t("attack_idle");
  if (result.failure !== null) return t(result.failure);
  if (!isOver) return t("attack_running");
  return t(approved === 0 ? "attack_none" : approved === 1 ? "attack_one" : "attack_many", { approved });
}

function readable(values) {
  return Object.fromEntries(Object.entries(values).map(([name, value]) =>
    [name, typeof value === "object" ? money(value.money, language()) : value]));
}

function tile({ outcome }) {
  const one = make("i", "");
  one.dataset.outcome = outcome === "approved" ? "approved" : "refused";
  return one;
}

// How often which answer came, in the order of the first of each.
function legend(outcomes) {
  const counts = new Map();
  for (const { outcome } of outcomes) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  return [...counts].map(([outcome, count]) => {
    const times = make("strong", "", `${count} ×`);
    const line = make("li", "", times, " ", nameOf(outcome), " ", make("code", "", outcome));
    line.dataset.outcome = outcome === "approved" ? "approved" : "refused";
    return line;
  });
}

const nameOf = (outcome) =>
  outcome === "approved" ? t("receipt_title") : (sentence(outcome) ?? sentence("no_answer"))[0];
