// The handset beside the form: the SMS of one subscriber, as they arrive.

import { el, make } from "/dom.js";
import { clock, marked } from "/format.js";
import { t } from "/language.js";

const MESSAGES_MAX = 20; // What a demonstration reads back; older ones leave the screen.
const HEADS_UP_MS = 12_000; // As long as a phone shows its notification, and a little more to read.

let source = null;
let shown = [];
let headsUpTimer = 0;
let wall = "";
let comparison = null; // What the customer is to compare, while there is a code to type.
let useCode = () => {};
const arrived = new EventTarget();

// `wall` is where the simulator shows all handsets; `use` takes the code that a tap on a message chooses.
export function initHandset(address, use) {
  wall = address;
  useCode = use;
}

// Shows the phone of another subscriber; what was on the screen belongs to somebody else.
export function watchHandset(subscriber) {
  source?.close();
  shown = [];
  el("messages").replaceChildren();
  el("handset-sender").textContent = "";
  el("empty").hidden = false;
  el("wall").href = wall;
  hideHeadsUp();
  const query = new URLSearchParams(subscriber);
  source = new EventSource(`/api/handset?${query}`);
  source.addEventListener("message", (event) => show(JSON.parse(event.data)));
}

function show(message) {
  if (shown.some((other) => other.message.id === message.id)) return; // A reconnect repeats.
  const time = make("time", "", clock(new Date(message.time)));
  time.dateTime = new Date(message.time).toISOString();
  const node = make("div", "message", make("p", ""), time);
  shown.push({ message, node });
  write({ message, node });
  el("messages").append(node);
  if (shown.length > MESSAGES_MAX) shown.shift().node.remove();
  el("handset-sender").textContent = message.from;
  el("empty").hidden = true;
  el("wall").href = message.wall;
  if (Date.now() - message.time < HEADS_UP_MS) headsUp(message);
  scrollToNewest();
  arrived.dispatchEvent(new Event("message"));
}

const scrollToNewest = () => {
  el("messages").scrollTop = el("messages").scrollHeight;
};

// ---- What is to be compared, and the code that fits -----------------------------------------------

// `compared` has the words that page and SMS share, and the reference of the code that is waited for.
export function compareMessages(compared) {
  if (JSON.stringify(compared) === JSON.stringify(comparison)) return;
  comparison = compared;
  for (const one of shown) write(one);
  scrollToNewest();
}

// A message's text with the compared words set off, and a button where its code can be used.
function write({ message, node }) {
  const code = codeIn(message, comparison);
  const pieces = marked(message.text, code === null ? [] : comparison.words);
  node.querySelector("p").replaceChildren(
    ...pieces.map(({ text, mark }) => (mark ? make("mark", "", text) : text)),
  );
  node.querySelector("button")?.remove();
  if (code === null) return;
  const button = make("button", "use-code", t("use_code"));
  button.type = "button";
  button.addEventListener("click", () => useCode(code));
  node.querySelector("p").after(button);
}

// The code at the end of a message, if it is the one that belongs to `compared`.
function codeIn(message, compared) {
  if (compared === null || !message.text.includes(`ref ${compared.reference}`)) return null;
  const code = /#(\d+)\s*$/.exec(message.text)?.[1];
  return code?.length === compared.codeLength ? code : null;
}

// The code of the message with this reference, as soon as it has arrived; `null` if it does not.
export async function codeOnHandset(compared, patienceMs) {
  const given = AbortSignal.timeout(patienceMs);
  for (;;) {
    const found = shown.map(({ message }) => codeIn(message, compared)).find((code) => code !== null);
    if (found !== undefined) return found;
    if (given.aborted) return null;
    await new Promise((resolve) => {
      arrived.addEventListener("message", resolve, { once: true });
      given.addEventListener("abort", resolve, { once: true });
    });
  }
}

// ---- The notification -----------------------------------------------------------------------------

// On a narrow window the handset is below the fold: its notification comes to the top, as on a phone.
function headsUp(message) {
  el("heads-up-sender").textContent = message.from;
  el("heads-up-text").textContent = message.text;
  el("heads-up").hidden = false;
  clearTimeout(headsUpTimer);
  headsUpTimer = setTimeout(hideHeadsUp, HEADS_UP_MS);
}

export function hideHeadsUp() {
  el("heads-up").hidden = true;
}

el("heads-up").addEventListener("click", () => {
  const code = shown.length > 0 ? codeIn(shown.at(-1).message, comparison) : null;
  hideHeadsUp();
  if (code !== null) useCode(code);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") hideHeadsUp();
});

// ---- Time and language -----------------------------------------------------------------------------

export function showHandsetTime(now) {
  const text = clock(now);
  if (el("handset-time").textContent !== text) el("handset-time").textContent = text;
}

export function translateHandset() {
  for (const button of document.querySelectorAll(".use-code")) button.textContent = t("use_code");
}
