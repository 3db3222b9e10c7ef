// Wires the stream to the views and the conversation, and all of them to the
// controls and to the page's address.

import { Address, BEHAVIOR, conversationAt, NOTHING } from "./address.js";
import { Behavior } from "./behavior.js";
import { Clear } from "./clear.js";
import { Conversation } from "./conversation.js";
import { Counters } from "./counters.js";
import { Feed } from "./feed.js";
import { counted } from "./format.js";
import { Health } from "./health.js";
import { noteBound, noteEmpty, noteLost } from "./notes.js";
import { Panel } from "./panel.js";
import { Profiles } from "./profiles.js";
import { Search } from "./search.js";
import { Views } from "./views.js";

/** Between draws: quick to the eye, and slow enough to read at full load. */
const DRAW_MS = 200;
/** Between announcements to screen readers. */
const ANNOUNCE_MS = 5_000;

const element = (id) => document.getElementById(id);

const STATES = {
  connecting: "Connecting",
  live: "Live",
  waiting: "Reconnecting",
  locked: "Token needed",
};

/** Messages that went by unread, and those that came since they were announced last. */
const passed = { lost: 0, unannounced: 0 };
/** What is in the inbox, as the simulator said last. */
let kept = { messages: 0, handsets: 0 };
let drawing = false;
let ready = false;

const address = new Address(show);
const panel = new Panel(() => address.go(NOTHING));
const views = new Views((number, id) => address.go(conversationAt(number, id)));

const feed = new Feed({
  state(name) {
    const state = element("state");
    state.dataset.state = name;
    state.textContent = STATES[name];
    if (name === "live") begin();
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

const conversation = new Conversation(feed, (id) => address.go(conversationAt(conversation.number, id)));
const behavior = new Behavior(feed, () => counters.read());
const profiles = new Profiles(element("profiles"), use);
const health = new Health(heal);
const clear = new Clear(feed);

const counters = new Counters(feed, countedNumbers, ({ inbox, handsets, behavior: inForce }) => {
  kept = inbox;
  views.shown.count(handsets);
  conversation.count(handsets);
  clear.count(inbox);
  profiles.mark(inForce.profile);
  health.show(inForce, descriptionOf(inForce));
  noteBound(views, search, kept);
});

const search = new Search(feed, {
  began(text) {
    views.search(text !== "");
    requestDraw();
  },
  found(messages) {
    views.addFound(messages);
    draw();
    counters.read();
  },
});

function take(type, data) {
  if (type === "message") {
    passed.unannounced += 1;
    views.add(data);
    conversation.take(data);
  } else if (type === "lost") {
    passed.lost += data.lost;
  } else if (type === "cleared") {
    Object.assign(passed, { lost: 0, unannounced: 0 });
    views.clear();
    conversation.clear();
    if (conversation.number !== null) address.go(conversationAt(conversation.number));
  }
}

function requestDraw() {
  if (drawing) return;
  drawing = true;
  setTimeout(() => {
    drawing = false;
    draw();
    counters.read();
    search.goOn();
  }, DRAW_MS);
}

function draw() {
  views.shown.draw();
  noteLost(passed.lost);
  noteEmpty(ready && views.shown.size === 0, search);
  noteBound(views, search, kept);
}

function countedNumbers() {
  const open = conversation.number === null ? [] : [conversation.number];
  return [...new Set([...open, ...views.shown.numbers])];
}

function descriptionOf({ profile }) {
  const known = behavior.profiles.find(({ name }) => name === profile);
  return known?.description ?? "Settings of somebody's own are in force.";
}

async function use(name) {
  try {
    await behavior.use(name);
  } catch {
    element("announcer").textContent = "The behaviour could not be changed";
  }
}

/** The button goes with the sign; the focus does not. */
async function heal() {
  await use("healthy");
  element(panel.sheet === null ? "behavior-open" : `${panel.sheet}-title`).focus();
}

setInterval(() => {
  const count = passed.unannounced;
  if (count === 0) return;
  element("announcer").textContent = count === 1 ? "1 new message" : `${counted.format(count)} new messages`;
  passed.unannounced = 0;
}, ANNOUNCE_MS);

// What is beside the handsets: a conversation, or the behaviour.

function show({ sheet, number, id }) {
  const before = { sheet: panel.sheet, number: conversation.number };
  views.mark(number);
  element("behavior-open").setAttribute("aria-expanded", String(sheet === "behavior"));
  if (sheet === "conversation") conversation.open(number, id);
  else conversation.close();
  if (sheet === null) {
    panel.close();
    leave(before);
    return;
  }
  panel.open(sheet);
  const anew = sheet !== before.sheet || number !== before.number;
  if (anew && id === null) element(`${sheet}-title`).focus({ preventScroll: true });
  if (sheet === "behavior") refreshBehavior();
}

/** The focus goes back to where the panel was opened from. */
function leave({ sheet, number }) {
  if (sheet === "behavior") element("behavior-open").focus();
  else if (sheet === "conversation" && !views.shown.focus(number)) element("search").focus();
}

function refreshBehavior() {
  behavior.refresh().catch(() => {
    // The state shows whether the simulator is there.
  });
}

element("behavior-open").addEventListener("click", () => {
  address.go(panel.sheet === "behavior" ? NOTHING : BEHAVIOR);
});

element("empty-write").addEventListener("click", (event) => {
  address.go(conversationAt(event.currentTarget.dataset.number));
});

// The search, the views, the token, and the keys that work everywhere.

element("search").addEventListener("input", (event) => search.type(event.target.value));

element("search-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  await search.begin(element("search").value);
  if (search.text !== "" && views.shown.first) address.go(conversationAt(views.shown.first));
});

for (const choice of document.querySelectorAll("[name=view]")) choice.addEventListener("change", requestDraw);

element("skip").addEventListener("click", (event) => {
  // The address says what is shown, not where the focus is.
  event.preventDefault();
  element("main").focus();
});

element("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  feed.token = element("token").value;
  element("token").value = "";
  element("token-form").hidden = true;
  element("token-told").hidden = false;
  open();
});

document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input:not([type=radio]), textarea, select");
  if (document.querySelector("dialog[open]")) return;
  if (event.key === "/" && !typing) {
    event.preventDefault();
    element("search").focus();
  } else if (event.key === "Escape" && panel.sheet !== null) {
    address.go(NOTHING);
  }
});

/** The stream is there: for the first time, or again. */
function begin() {
  if (!ready) {
    ready = true;
    counters.run();
    address.apply();
  }
  if (search.text !== "") search.begin(search.text);
  requestDraw();
}

async function open() {
  try {
    const about = await (await feed.call("/about")).json();
    element("about-smpp").textContent = about.smpp;
    element("about-tls").textContent = about.tls ?? "";
    element("about-tls-row").hidden = about.tls === undefined;
    element("about-system-id").textContent = about.system_ids.join(", ");
    await behavior.load();
    profiles.offer(behavior.profiles);
    await counters.read();
  } catch {
    // The stream tells what is wrong.
  }
  feed.run();
}

open();
