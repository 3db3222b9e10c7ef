// The conversation of one handset: its messages both ways, each with its
// details on demand, and a line to write from it.

import { Details } from "./details.js";
import { counted, fillBubble, handsetOf, isReply, messages } from "./format.js";
import { Reply } from "./reply.js";
import { moveFocus, rove } from "./roving.js";

/** Messages kept and drawn; the inbox API has the older ones. */
const MESSAGES_MAX = 200;

const element = (id) => document.getElementById(id);

export class Conversation {
  #feed;
  #reply;
  #number = null;
  #thread = element("thread");
  #template = element("message-template");
  /** How many messages the handset has; null until the simulator said so. */
  #total = null;
  /** The message whose details are open, and they. */
  #id = null;
  #details = null;
  /** Done when the beginning has been read. */
  #read;
  /** What came while the beginning was being read. */
  #meanwhile = null;

  /** chosen(id): somebody wants to see this message's details, or with null no more. */
  constructor(feed, chosen) {
    this.#feed = feed;
    this.#reply = new Reply(feed);
    this.#thread.addEventListener("click", (event) => {
      const bubble = event.target.closest("button.bubble");
      if (bubble) chosen(bubble.getAttribute("aria-expanded") === "true" ? null : bubble.dataset.id);
    });
    this.#thread.addEventListener("focusin", (event) => {
      const bubble = event.target.closest("button.bubble");
      if (bubble) rove(this.#thread, "button.bubble", bubble);
    });
    this.#thread.addEventListener("keydown", (event) => {
      moveFocus(event, this.#bubbles(), (at) => ({ ArrowUp: at - 1, ArrowDown: at + 1 }));
    });
  }

  get number() {
    return this.#number;
  }

  /** Opens the handset's messages, and of them the one called `id`, if there is one. */
  async open(number, id) {
    if (number !== this.#number) this.#read = this.#load(number);
    await this.#read;
    if (number === this.#number) await this.#select(id);
  }

  async #load(number) {
    this.close();
    this.#number = number;
    this.#meanwhile = [];
    element("conversation-title").textContent = `+${number}`;
    this.#reply.begin(number);
    this.#drawCount();
    let page = { messages: [] };
    try {
      page = await (await this.#feed.call(`/messages?with=${number}&last=${MESSAGES_MAX}`)).json();
    } catch {
      if (number === this.#number) this.#reply.tell("The messages could not be read. The simulator may have stopped.");
    }
    if (number !== this.#number) return;
    const seen = new Set(page.messages.map((message) => message.id));
    const all = [...page.messages, ...this.#meanwhile.filter((message) => !seen.has(message.id))];
    this.#meanwhile = null;
    for (const message of all) this.#append(message);
    this.#suggest(all.findLast((message) => !isReply(message)));
    this.#drawCount();
    this.#thread.scrollTop = this.#thread.scrollHeight;
  }

  close() {
    this.#collapse();
    this.#number = null;
    this.#total = null;
    this.#thread.replaceChildren();
  }

  /** A message came, to this handset or another one. */
  take(message) {
    if (this.#number === null || handsetOf(message) !== this.#number) return;
    if (this.#meanwhile) {
      this.#meanwhile.push(message);
      if (this.#meanwhile.length > MESSAGES_MAX) this.#meanwhile.shift();
      return;
    }
    const { scrollHeight, scrollTop, clientHeight } = this.#thread;
    // Who reads a message's details is not led away from them.
    const follows = this.#details === null && scrollHeight - scrollTop - clientHeight < 60;
    this.#append(message);
    this.#suggest(message);
    this.#drawCount();
    if (follows) this.#thread.scrollTop = this.#thread.scrollHeight;
  }

  /** The inbox was emptied. */
  clear() {
    if (this.#number === null) return;
    this.#collapse();
    this.#thread.replaceChildren();
    this.#total = 0;
    this.#drawCount();
  }

  /** Writes how many messages the handset has: `counts` by number. */
  count(counts) {
    if (this.#number === null) return;
    this.#total = counts[this.#number] ?? this.#total;
    this.#drawCount();
  }

  #append(message) {
    const line = this.#newLine(message);
    this.#thread.append(line);
    while (this.#thread.childElementCount > MESSAGES_MAX) this.#oldest().remove();
    const bubble = this.#thread.querySelector("button.bubble[tabindex='0']") ?? line.querySelector(".bubble");
    rove(this.#thread, "button.bubble", bubble);
  }

  #newLine(message) {
    const line = this.#template.content.firstElementChild.cloneNode(true);
    const bubble = line.querySelector(".bubble");
    line.classList.toggle("sent", isReply(message));
    fillBubble(bubble, message);
    bubble.dataset.id = message.id;
    return line;
  }

  /** The line to give up: not the one whose details are being read. */
  #oldest() {
    const [first, second] = this.#thread.children;
    return this.#details && first.contains(this.#details.element) ? second : first;
  }

  #suggest(message) {
    if (message && !isReply(message)) this.#reply.suggest(message.from);
  }

  #drawCount() {
    const shown = this.#thread.querySelectorAll(".message:not(.older)").length;
    const total = Math.max(this.#total ?? 0, shown);
    element("conversation-sub").textContent =
      total > shown && shown > 0 ? `the newest ${counted.format(shown)} of ${messages(total)}` : messages(total);
  }

  /** Opens the details of a message, and closes the others. */
  async #select(id) {
    if (id === this.#id) return;
    this.#collapse();
    this.#id = id;
    if (id === null) return;
    const number = this.#number;
    const bubble = this.#bubbleOf(id) ?? (await this.#fetchBubble(id));
    if (number === this.#number && id === this.#id) this.#expand(bubble);
  }

  #bubbleOf(id) {
    return this.#bubbles().find((bubble) => bubble.dataset.id === id);
  }

  /** A message that is older than the newest, or that is called by another of its ids. */
  async #fetchBubble(id) {
    let message;
    try {
      message = await (await this.#feed.call(`/messages/${id}`)).json();
    } catch {
      return undefined;
    }
    if (handsetOf(message) !== this.#number) return undefined;
    const known = this.#bubbleOf(message.id);
    if (known) return known;
    const line = this.#newLine(message);
    line.classList.add("older");
    this.#thread.prepend(line);
    return line.querySelector(".bubble");
  }

  #expand(bubble) {
    this.#reply.tell(bubble ? "" : "This message is not in the inbox any more, or it is another handset's.");
    if (!bubble) {
      focusInside(element("conversation-title"));
      return;
    }
    rove(this.#thread, "button.bubble", bubble);
    bubble.setAttribute("aria-expanded", "true");
    bubble.setAttribute("aria-current", "true");
    this.#details = new Details(this.#feed, element("details-template"), bubble.dataset.id, () => {
      this.#details?.element.scrollIntoView({ block: "nearest" });
      // Of details that are higher than the window, the beginning is seen.
      bubble.scrollIntoView({ block: "nearest" });
    });
    bubble.after(this.#details.element);
    focusInside(bubble);
  }

  #collapse() {
    this.#id = null;
    if (!this.#details) return;
    const bubble = this.#details.element.previousElementSibling;
    bubble?.setAttribute("aria-expanded", "false");
    bubble?.removeAttribute("aria-current");
    this.#details.close();
    this.#details = null;
  }

  #bubbles() {
    return [...this.#thread.querySelectorAll("button.bubble")];
  }
}

/** Leads who came by a link to what it is about; who pressed something in the panel is there already. */
function focusInside(wanted) {
  if (!element("panel").contains(document.activeElement)) wanted.focus({ preventScroll: true });
}
