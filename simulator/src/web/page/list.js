// The compact view: one line for each message, newest first. What it holds and
// what it draws is bounded, however many messages go by.

import { fillLine, handsetOf } from "./format.js";
import { moveFocus, rove, settle } from "./roving.js";

/** Messages kept and drawn; older ones are found by the search. */
const LINES_MAX = 500;

export class List {
  #list;
  #template;
  #fresh = [];
  #current = null;

  /** opened(number, id): somebody chose a message. */
  constructor(list, template, opened) {
    this.#list = list;
    this.#template = template;
    list.addEventListener("click", (event) => {
      const line = event.target.closest(".line");
      if (line) opened(line.dataset.number, line.dataset.id);
    });
    list.addEventListener("focusin", (event) => {
      const line = event.target.closest(".line");
      if (line) rove(list, ".line", line);
    });
    list.addEventListener("keydown", (event) => {
      moveFocus(event, this.#lines(), (at) => ({ ArrowUp: at - 1, ArrowDown: at + 1 }));
    });
  }

  get element() {
    return this.#list;
  }

  /** Lines that are drawn. */
  get size() {
    return this.#list.childElementCount;
  }

  get isFull() {
    return this.size === LINES_MAX;
  }

  /** The numbers whose messages are to be counted: none, since no line says how many there are. */
  get numbers() {
    return [];
  }

  /** The handset of the newest message. */
  get first() {
    return this.#lines()[0]?.dataset.number;
  }

  /** Takes a message in; drawn with the next draw(). */
  add(message) {
    this.#fresh.push(message);
    if (this.#fresh.length > LINES_MAX) this.#fresh.shift();
  }

  clear() {
    this.#fresh = [];
    this.#list.replaceChildren();
  }

  draw() {
    this.#list.prepend(...this.#fresh.map((message) => this.#newLine(message)).reverse());
    this.#fresh = [];
    while (this.size > LINES_MAX) this.#list.lastElementChild.remove();
    settle(this.#list, ".line", this.#lines());
  }

  /** Lines say nothing of how many messages a handset has. */
  count() {}

  /** Marks the messages of the handset whose conversation is open. */
  mark(number) {
    this.#current = number;
    for (const line of this.#lines()) this.#markOne(line);
  }

  /** Gives the focus back to a message of this handset, or to the newest one. */
  focus(number) {
    const line = this.#lines().find((one) => one.dataset.number === number) ?? this.#lines()[0];
    const at = this.#list.querySelector('.line[tabindex="0"]');
    const wanted = at?.dataset.number === number ? at : line;
    wanted?.focus();
    return Boolean(wanted);
  }

  #newLine(message) {
    const row = this.#template.content.firstElementChild.cloneNode(true);
    const line = row.querySelector(".line");
    fillLine(line, message);
    line.dataset.number = handsetOf(message);
    line.dataset.id = message.id;
    this.#markOne(line);
    return row;
  }

  #markOne(line) {
    line.classList.toggle("current", line.dataset.number === this.#current);
  }

  #lines() {
    return [...this.#list.querySelectorAll(".line")];
  }
}
