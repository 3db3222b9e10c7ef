// The handset beside the form: the SMS of one subscriber, as they arrive.

import { clock } from "/format.js";

const MESSAGES_MAX = 20; // What a demonstration reads back; older ones leave the screen.
const HEADS_UP_MS = 12_000; // As long as a phone shows its notification, and a little more to read.

const el = (id) => document.getElementById(id);

let source = null;
let shown = [];
let headsUpTimer = 0;
let language = "id";

export function setHandsetLanguage(chosen) {
  language = chosen;
  for (const { message, node } of shown) node.querySelector("time").textContent = clock(new Date(message.time), language);
}

// Shows the phone of another subscriber; what was on the screen belongs to somebody else.
export function watchHandset(subscriber) {
  source?.close();
  shown = [];
  el("messages").replaceChildren();
  el("handset-sender").textContent = "";
  el("empty").hidden = false;
  hideHeadsUp();
  const query = new URLSearchParams(subscriber);
  source = new EventSource(`/api/handset?${query}`);
  source.addEventListener("message", (event) => show(JSON.parse(event.data)));
}

function show(message) {
  if (shown.some((other) => other.message.id === message.id)) return; // A reconnect repeats.
  const node = document.createElement("div");
  node.className = "message";
  const text = document.createElement("p");
  text.textContent = message.text;
  const time = document.createElement("time");
  time.dateTime = new Date(message.time).toISOString();
  time.textContent = clock(new Date(message.time), language);
  node.append(text, time);
  shown.push({ message, node });
  el("messages").append(node);
  if (shown.length > MESSAGES_MAX) shown.shift().node.remove();
  el("messages").scrollTop = el("messages").scrollHeight;
  el("handset-sender").textContent = message.from;
  el("empty").hidden = true;
  if (Date.now() - message.time < HEADS_UP_MS) headsUp(message);
}

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

el("heads-up").addEventListener("click", hideHeadsUp);

export function showHandsetTime(now) {
  const text = clock(now, language);
  if (el("handset-time").textContent !== text) el("handset-time").textContent = text;
}
