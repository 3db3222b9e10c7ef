// Starts the page, and leads what is pressed and typed to what it does.

import {
  act, cancel, confirmPayment, editAmount, generate, resend, startOver,
} from "/acts.js";
import { initAttacks, renderAttack } from "/attacks.js";
import { call } from "/bank.js";
import { followDelivery } from "/delivery.js";
import { el, setOptions } from "/dom.js";
import { tick } from "/ending.js";
import { showExchanges } from "/exchange.js";
import { SAMPLE, company, markInvalid, subscriber, translateMistakes, writeAmount, writeDetails } from "/form.js";
import { hideHeadsUp, initHandset, translateHandset, watchHandset } from "/handset.js";
import { rememberLanguage, rememberedLanguage, setLanguage } from "/language.js";
import { forgetMistakes, say, sayNothing } from "/notice.js";
import { render, renderUsers } from "/render.js";
import { kept, takeOver } from "/restore.js";
import { isAlive, keptPaymentId, state } from "/state.js";

const TICK_MS = 250;
const RETRY_MS = 2_000; // Soon enough for somebody who waits.

async function start() {
  writeDetails(SAMPLE);
  setLanguage(rememberedLanguage());
  const { companies, wall, payment } = await load();
  // From here to the end at once: nobody can press what nothing listens to.
  sayNothing();
  state.companies = companies;
  setOptions("company", state.companies.map((one) => one.name));
  renderUsers();
  initHandset(wall, useCode);
  if (payment.outcome === "kept") resume(payment);
  watchHandset(subscriber());
  initAttacks();
  listen();
  speak(rememberedLanguage());
  followDelivery();
  showExchanges(state.paymentId);
  setInterval(tick, TICK_MS);
}

// What the page begins with. Without an answer it asks again: an empty form would leave a payment behind.
async function load() {
  for (;;) {
    const { companies, wall } = await call("GET", "companies");
    const payment = await kept(keptPaymentId());
    if (Array.isArray(companies) && payment.outcome !== "no_answer") return { companies, wall, payment };
    say("unreachable");
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

// A page that was loaded anew goes on with its payment.
function resume(payment) {
  el("company").selectedIndex = state.companies.findIndex((one) => one.corporate_id === payment.corporate_id);
  renderUsers();
  el("user").selectedIndex = company().users.findIndex((one) => one.user_id === payment.user_id);
  takeOver(keptPaymentId(), payment);
}

function speak(language) {
  setLanguage(language);
  writeAmount();
  translateMistakes();
  translateHandset();
  renderUsers();
  renderAttack();
  render();
}

// A tap on the SMS: the code stands in its field, and the customer compares and confirms.
function useCode(code) {
  if (!isAlive() || state.busy) return;
  el("code").value = code;
  markInvalid("code", null);
  forgetMistakes();
  hideHeadsUp();
  el("code").focus();
}

function userChosen() {
  startOver();
  watchHandset(subscriber());
  render();
}

// ---- What is pressed and typed ----------------------------------------------------------------------

function listen() {
  el("company").addEventListener("change", () => {
    el("user").selectedIndex = 0;
    renderUsers();
    userChosen();
  });
  el("user").addEventListener("change", userChosen);
  el("payment").addEventListener("input", typed);
  el("amount").addEventListener("change", writeAmount);
  el("code").addEventListener("input", typed);
  el("payment").addEventListener("submit", (event) => {
    event.preventDefault();
    if (state.editing) act(el("edit-amount"), editAmount);
    else if (!isAlive() && !el("generate").disabled) act(el("generate"), generate);
  });
  el("code-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (isAlive() && !state.editing) act(el("confirm"), confirmPayment);
  });
  for (const [id, work] of Object.entries({ "edit-amount": editAmount, resend, cancel })) {
    el(id).addEventListener("click", () => act(el(id), work));
  }
  el("new-payment").addEventListener("click", () => {
    if (state.busy) return;
    startOver();
    render();
    el("amount").focus();
    el("amount").select();
  });
}

// A field that is typed in is judged anew.
function typed(event) {
  if (event.target.hasAttribute("aria-invalid")) markInvalid(event.target.id, null);
  forgetMistakes();
  render();
}

for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => {
    rememberLanguage(button.dataset.language);
    speak(button.dataset.language);
  });
}

start();
