// The conversation of one handset: its messages both ways, each with its
// details on demand, and a line to write from it.

import { Details } from "./details.js";
import { fillBubble, handsetOf, isReply, messages } from "./format.js";

/** Messages kept and drawn; the inbox API has the older ones. */
const MESSAGES_MAX = 200;

const element = (id) => document.getElementById(id);

export class Conversation {
  #feed;
  #number = null;
  #thread = element("thread");
  #template = element("message-template");
  #total = 0;
  #cut = false;
  #details = null;
  /** What came while the beginning was being read. */
  #meanwhile = null;

  constructor(feed) {
    this.#feed = feed;
    this.#thread.addEventListener("click", (event) => {
      const bubble = event.target.closest("button.bubble");
      if (bubble) this.#toggle(bubble);
    });
    this.#thread.addEventListener("keydown", (event) => this.#move(event));
    element("reply").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    element("reply-text").addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        element("reply").requestSubmit();
      }
    });
  }

  get number() {
    return this.#number;
  }

  async open(number) {
    if (number === this.#number) return;
    this.close();
    this.#number = number;
    this.#meanwhile = [];
    element("conversation-title").textContent = `+${number}`;
    element("reply-to").value = "";
    this.#tell("");
    this.#count();
    let page = { messages: [] };
    try {
      page = await (await this.#feed.call(`/messages?with=${number}&last=${MESSAGES_MAX}`)).json();
    } catch {
      if (number === this.#number) this.#tell("The messages could not be read. The simulator may have stopped.");
    }
    if (number !== this.#number) return;
    this.#cut = page.messages.length === MESSAGES_MAX;
    const seen = new Set(page.messages.map((message) => message.id));
    const rest = this.#meanwhile.filter((message) => !seen.has(message.id));
    this.#meanwhile = null;
    for (const message of [...page.messages, ...rest]) this.#append(message);
    this.#suggest([...page.messages, ...rest].findLast((message) => !isReply(message)));
    this.#count();
    this.#thread.scrollTop = this.#thread.scrollHeight;
  }

  close() {
    this.#collapse();
    this.#number = null;
    this.#total = 0;
    this.#cut = false;
    this.#thread.replaceChildren();
    element("reply-text").value = "";
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
    const atEnd = scrollHeight - scrollTop - clientHeight < 60;
    this.#append(message);
    if (!isReply(message)) this.#suggest(message);
    this.#count();
    if (atEnd) this.#thread.scrollTop = this.#thread.scrollHeight;
  }

  /** The inbox was emptied. */
  clear() {
    if (this.#number === null) return;
    this.#collapse();
    this.#thread.replaceChildren();
    this.#total = 0;
    this.#cut = false;
    this.#count();
  }

  #append(message) {
    const line = this.#template.content.firstElementChild.cloneNode(true);
    const bubble = line.querySelector(".bubble");
    line.classList.toggle("sent", isReply(message));
    fillBubble(bubble, message);
    bubble.dataset.id = message.id;
    this.#thread.append(line);
    this.#total += 1;
    while (this.#thread.childElementCount > MESSAGES_MAX) {
      const oldest = this.#thread.firstElementChild;
      if (this.#details && oldest.contains(this.#details.element)) this.#collapse();
      oldest.remove();
      this.#cut = true;
    }
    this.#rove(this.#thread.querySelector("button.bubble[tabindex='0']") ?? bubble);
  }

  /** Who wrote is who is written to, unless somebody else has been typed. */
  #suggest(message) {
    const to = element("reply-to");
    if (to.value === "" && message) to.value = message.from;
  }

  #count() {
    const shown = Math.min(this.#total, MESSAGES_MAX);
    element("conversation-sub").textContent = this.#cut ? `the newest ${messages(shown)}` : messages(shown);
  }

  #toggle(bubble) {
    const open = bubble.getAttribute("aria-expanded") === "true";
    this.#collapse();
    this.#rove(bubble);
    if (open) return;
    bubble.setAttribute("aria-expanded", "true");
    this.#details = new Details(this.#feed, element("details-template"), bubble.dataset.id);
    bubble.after(this.#details.element);
    this.#details.element.scrollIntoView({ block: "nearest" });
    bubble.scrollIntoView({ block: "nearest" });
  }

  #collapse() {
    if (!this.#details) return;
    this.#details.element.previousElementSibling?.setAttribute("aria-expanded", "false");
    this.#details.close();
    this.#details = null;
  }

  /** One stop for Tab in the whole list; the arrows go on from there. */
  #rove(bubble) {
    for (const other of this.#thread.querySelectorAll("button.bubble[tabindex='0']")) other.tabIndex = -1;
    bubble.tabIndex = 0;
  }

  #move(event) {
    const bubbles = [...this.#thread.querySelectorAll("button.bubble")];
    const at = bubbles.indexOf(document.activeElement);
    const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: bubbles.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    const bubble = bubbles[Math.min(Math.max(to, 0), bubbles.length - 1)];
    this.#rove(bubble);
    bubble.focus();
  }

  async #send() {
    const text = element("reply-text");
    const body = { from: this.#number, to: element("reply-to").value.trim(), text: text.value };
    this.#tell("");
    try {
      await this.#feed.call("/messages", {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
      });
      text.value = "";
    } catch (error) {
      this.#tell(error.detail ?? "It was not sent. The simulator may have stopped.");
    }
    text.focus();
  }

  #tell(what) {
    const told = element("reply-told");
    told.textContent = what;
    told.hidden = what === "";
  }
}
