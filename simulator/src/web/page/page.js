// Wires the stream to the wall and the conversation, and both to the controls.

import { Behavior } from "./behavior.js";
import { Conversation } from "./conversation.js";
import { Feed } from "./feed.js";
import { counted } from "./format.js";
import { Panel } from "./panel.js";
import { handsetCount, Wall } from "./wall.js";

/** Between draws: quick to the eye, and slow enough to read at full load. */
const DRAW_MS = 200;
/** Between looks at the counters. */
const COUNTERS_MS = 1_000;
/** Between announcements to screen readers. */
const ANNOUNCE_MS = 5_000;
const SEARCH_MS = 250;
/** From so many digits on, a number that is not on the wall is asked for. */
const SEARCH_DIGITS = 6;
/** Messages read of a number that is not on the wall: more than it draws. */
const FOUND_MESSAGES = 100;

const element = (id) => document.getElementById(id);

const STATES = {
  connecting: "Connecting",
  live: "Live",
  waiting: "Reconnecting",
  locked: "Token needed",
};

const totals = { messages: 0, lost: 0, sinceAnnounced: 0 };
/** What the simulator had delivered when it was asked last. */
let delivered = null;
let drawing = false;
let ready = false;

const wall = new Wall(element("wall"), element("handset-template"), element("bubble-template"), openHandset);

const feed = new Feed({
  state(name) {
    const state = element("state");
    state.dataset.state = name;
    state.textContent = STATES[name];
    if (name === "live") {
      ready = true;
      requestDraw();
    }
  },
  events(events) {
    for (const { type, data } of events) take(type, data);
    requestDraw();
  },
  tokenNeeded() {
    element("token-form").hidden = false;
    element("token").focus();
  },
});

const conversation = new Conversation(feed);

const behavior = new Behavior(feed, (title, name) => {
  const chip = element("behavior-name");
  chip.textContent = title;
  chip.hidden = false;
  chip.dataset.name = name;
});

const panel = new Panel((sheet) => {
  if (sheet === "conversation") {
    const { number } = conversation;
    conversation.close();
    wall.mark(null);
    if (!wall.focus(number)) element("search").focus();
  } else {
    element("behavior-open").setAttribute("aria-expanded", "false");
    element("behavior-open").focus();
  }
});

function take(type, data) {
  if (type === "message") {
    totals.messages += 1;
    totals.sinceAnnounced += 1;
    wall.add(data);
    conversation.take(data);
  } else if (type === "lost") {
    totals.lost += data.lost;
    totals.messages += data.lost;
  } else if (type === "cleared") {
    Object.assign(totals, { messages: 0, lost: 0, sinceAnnounced: 0 });
    wall.clear();
    conversation.clear();
  }
}

function requestDraw() {
  if (drawing) return;
  drawing = true;
  setTimeout(() => {
    drawing = false;
    draw();
  }, DRAW_MS);
}

function draw() {
  wall.draw();
  element("messages").textContent = counted.format(totals.messages);
  element("handsets").textContent = handsetCount(wall);
  element("clear").disabled = totals.messages === 0;
  drawNotice();
  drawEmpty();
}

function drawNotice() {
  const notice = element("notice");
  notice.hidden = totals.lost === 0;
  notice.textContent =
    `${counted.format(totals.lost)} messages went by faster than this page reads, or before it was opened. ` +
    "The handsets show the newest.";
}

function drawEmpty() {
  const digits = searched();
  const searching = element("search").value.trim() !== "";
  element("empty").hidden = !ready || wall.shown > 0;
  element("about").hidden = searching || element("about-smpp").textContent === "";
  element("empty-title").textContent = searching ? "No such handset" : "No messages yet";
  element("empty-text").textContent = searching
    ? "No message of this number is in the inbox. Type the whole number to look among older ones, too."
    : "Bind to the SMSC and submit a message: its handset appears here at once.";
  element("empty-write").hidden = digits.length < SEARCH_DIGITS;
  element("empty-write").textContent = `Write from +${digits}`;
}

setInterval(() => {
  if (ready && !document.hidden) readCounters();
}, COUNTERS_MS);

function stepInWords({ name, seconds_left: left }) {
  return left === null ? name : `${name}, ${counted.format(left)} s left`;
}

async function readCounters() {
  try {
    const counters = await (await feed.call("/counters")).json();
    const now = performance.now();
    if (delivered !== null) {
      const rate = ((counters.messages.delivered - delivered.count) * 1_000) / (now - delivered.at);
      element("rate").textContent = counted.format(Math.max(0, Math.round(rate)));
    }
    delivered = { count: counters.messages.delivered, at: now };
    element("sessions").textContent = counted.format(counters.sessions_bound);
    element("accepted").textContent = counted.format(counters.submits.accepted);
    const { submits, faults } = counters;
    element("refused").textContent = counted.format(submits.throttled + submits.refused + faults.refused);
    element("expired").textContent = counted.format(counters.messages.expired);
    element("receipts").textContent = counted.format(counters.receipts.acknowledged);
    const step = counters.scenario_step;
    element("step-row").hidden = step === null;
    element("step").textContent = step === null ? "" : stepInWords(step);
  } catch {
    // The state shows whether the simulator is there.
  }
}

setInterval(() => {
  if (totals.sinceAnnounced === 0) return;
  const count = totals.sinceAnnounced;
  element("announcer").textContent = count === 1 ? "1 new message" : `${counted.format(count)} new messages`;
  totals.sinceAnnounced = 0;
}, ANNOUNCE_MS);

// A handset's conversation, and the behaviour.

function openHandset(number) {
  element("behavior-open").setAttribute("aria-expanded", "false");
  conversation.open(number);
  wall.mark(number);
  panel.open("conversation");
}

element("behavior-open").addEventListener("click", () => {
  if (panel.sheet === "behavior") {
    panel.close();
    return;
  }
  conversation.close();
  wall.mark(null);
  element("behavior-open").setAttribute("aria-expanded", "true");
  panel.open("behavior");
  behavior.refresh().catch(() => {
    // The state shows whether the simulator is there.
  });
});

element("empty-write").addEventListener("click", () => openHandset(searched()));

// Search: at once among the handsets on the wall, then in the inbox.

let searchTimer;

function searched() {
  return element("search").value.replace(/\D/g, "");
}

element("search").addEventListener("input", (event) => {
  wall.search(event.target.value);
  drawEmpty();
  clearTimeout(searchTimer);
  searchTimer = setTimeout(find, SEARCH_MS);
});

element("search-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  clearTimeout(searchTimer);
  await find();
  if (searched() !== "" && wall.first) openHandset(wall.first);
});

async function find() {
  const digits = searched();
  if (digits.length < SEARCH_DIGITS || wall.shown > 0) return;
  try {
    const reply = await feed.call(`/messages?with=${digits}&last=${FOUND_MESSAGES}`);
    const { messages } = await reply.json();
    if (messages.length > 0) wall.replace(digits, messages);
  } catch {
    // The state shows whether the simulator is there; the wall stays as it is.
  }
  draw();
}

element("clear").addEventListener("click", async () => {
  try {
    await feed.call("/messages", { method: "DELETE", headers: { "Content-Type": "application/json" } });
    element("announcer").textContent = "Inbox cleared";
  } catch {
    element("announcer").textContent = "The inbox could not be cleared";
  }
});

element("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  feed.token = element("token").value;
  element("token").value = "";
  element("token-form").hidden = true;
  open();
});

document.addEventListener("keydown", (event) => {
  const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement;
  if (event.key === "/" && !typing) {
    event.preventDefault();
    element("search").focus();
  } else if (event.key === "Escape") {
    panel.close();
  }
});

async function open() {
  try {
    const about = await (await feed.call("/about")).json();
    element("about-smpp").textContent = about.smpp;
    element("about-tls").textContent = about.tls ?? "";
    element("about-tls-row").hidden = about.tls === undefined;
    element("about-system-id").textContent = about.system_ids.join(", ");
    await behavior.load();
    readCounters();
  } catch {
    // The stream tells what is wrong.
  }
  feed.run();
}

open();
