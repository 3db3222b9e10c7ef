// Wires the stream to the wall, and the wall to the controls.

import { Feed } from "./feed.js";
import { HANDSETS_MAX, Wall } from "./wall.js";

/** Between draws: quick to the eye, and slow enough to read at full load. */
const DRAW_MS = 200;
const RATE_MS = 1_000;
/** Between announcements to screen readers. */
const ANNOUNCE_MS = 5_000;
const SEARCH_MS = 250;
/** From so many digits on, a number that is not on the wall is asked for. */
const SEARCH_DIGITS = 6;

const element = (id) => document.getElementById(id);
const counted = new Intl.NumberFormat();

const STATES = {
  connecting: "Connecting",
  live: "Live",
  waiting: "Reconnecting",
  locked: "Token needed",
};

const wall = new Wall(element("wall"), element("handset-template"), element("bubble-template"));
const totals = { messages: 0, lost: 0, sinceRate: 0, sinceAnnounced: 0 };
let drawing = false;
let ready = false;

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

function take(type, data) {
  if (type === "message") {
    totals.messages += 1;
    totals.sinceRate += 1;
    totals.sinceAnnounced += 1;
    wall.add(data);
  } else if (type === "lost") {
    totals.lost += data.lost;
    totals.messages += data.lost;
    totals.sinceRate += data.lost;
  } else if (type === "cleared") {
    Object.assign(totals, { messages: 0, lost: 0, sinceAnnounced: 0 });
    wall.clear();
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
  element("handsets").textContent = counted.format(wall.size) + (wall.size >= HANDSETS_MAX ? "+" : "");
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
  const searching = element("search").value.trim() !== "";
  element("empty").hidden = !ready || wall.shown > 0;
  element("about").hidden = searching || element("about-smpp").textContent === "";
  element("empty-title").textContent = searching ? "No such handset" : "No messages yet";
  element("empty-text").textContent = searching
    ? "No message to this number is in the inbox. Type the whole number to look among older ones, too."
    : "Bind to the SMSC and submit a message: its handset appears here at once.";
}

setInterval(() => {
  element("rate").textContent = counted.format(totals.sinceRate);
  totals.sinceRate = 0;
}, RATE_MS);

setInterval(() => {
  if (totals.sinceAnnounced === 0) return;
  const count = totals.sinceAnnounced;
  element("announcer").textContent = count === 1 ? "1 new message" : `${counted.format(count)} new messages`;
  totals.sinceAnnounced = 0;
}, ANNOUNCE_MS);

// Search: at once among the handsets on the wall, then in the inbox.

let searchTimer;

element("search").addEventListener("input", (event) => {
  wall.search(event.target.value);
  drawEmpty();
  clearTimeout(searchTimer);
  searchTimer = setTimeout(find, SEARCH_MS);
});

element("search-form").addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(searchTimer);
  find();
});

async function find() {
  const digits = element("search").value.replace(/\D/g, "");
  if (digits.length < SEARCH_DIGITS || wall.shown > 0) return;
  try {
    const reply = await feed.call(`/messages?to=${digits}`);
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
  if (event.key === "/" && !(event.target instanceof HTMLInputElement)) {
    event.preventDefault();
    element("search").focus();
  }
});

async function open() {
  try {
    const about = await (await feed.call("/about")).json();
    element("about-smpp").textContent = about.smpp;
    element("about-system-id").textContent = about.system_id;
  } catch {
    // The stream tells what is wrong.
  }
  feed.run();
}

open();
