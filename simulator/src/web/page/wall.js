// The wall: one handset for each number, newest first. What it holds and what
// it draws is bounded, however many messages go by.

import { fillBubble, handsetOf, messages } from "./format.js";
import { moveFocus, rove, settle } from "./roving.js";

/** Handsets kept and drawn; older ones are found by the search. */
const HANDSETS_MAX = 60;

/** Messages kept and drawn on each handset: about what its screen shows. The
 *  conversation has more. */
const BUBBLES_MAX = 5;

export class Wall {
  #list;
  #handsetTemplate;
  #bubbleTemplate;
  /** number → handset; the one that changed last is the last one. */
  #handsets = new Map();
  #changed = new Set();
  /** Elements of handsets that left: removed with the next draw, so that what
   *  is seen changes only then. */
  #gone = [];
  #current = null;

  /** opened(number): somebody chose a handset. */
  constructor(list, handsetTemplate, bubbleTemplate, opened) {
    this.#list = list;
    this.#handsetTemplate = handsetTemplate;
    this.#bubbleTemplate = bubbleTemplate;
    list.addEventListener("click", (event) => {
      const button = event.target.closest(".handset-open");
      if (button) opened(button.dataset.number);
    });
    list.addEventListener("focusin", (event) => {
      const button = event.target.closest(".handset-open");
      if (button) rove(list, ".handset-open", button);
    });
    list.addEventListener("keydown", (event) => this.#move(event));
  }

  get element() {
    return this.#list;
  }

  get size() {
    return this.#handsets.size;
  }

  get isFull() {
    return this.size === HANDSETS_MAX;
  }

  /** The numbers whose messages are to be counted. */
  get numbers() {
    return [...this.#handsets.keys()];
  }

  /** The number of the first handset that is shown. */
  get first() {
    return this.#buttons()[0]?.dataset.number;
  }

  /** Takes a message in; drawn with the next draw(). */
  add(message) {
    const number = handsetOf(message);
    const handset = this.#handsets.get(number) ?? { number, total: null, fresh: [], element: null };
    this.#handsets.delete(number);
    this.#handsets.set(number, handset);
    handset.fresh.push(message);
    if (handset.fresh.length > BUBBLES_MAX) handset.fresh.shift();
    this.#changed.add(handset);
    if (this.#handsets.size > HANDSETS_MAX) this.#drop(this.#handsets.keys().next().value);
  }

  clear() {
    this.#handsets.clear();
    this.#changed.clear();
    this.#gone = [];
    this.#list.replaceChildren();
  }

  draw() {
    for (const element of this.#gone) element.remove();
    this.#gone = [];
    for (const handset of this.#changed) this.#drawHandset(handset);
    this.#changed.clear();
    settle(this.#list, ".handset-open", this.#buttons());
  }

  /** Writes how many messages each handset has: `counts` by number. */
  count(counts) {
    for (const handset of this.#handsets.values()) {
      handset.total = counts[handset.number] ?? handset.total;
      if (handset.element) this.#drawCount(handset);
    }
  }

  /** Marks the handset whose conversation is open. */
  mark(number) {
    this.#current = number;
    for (const handset of this.#handsets.values()) this.#markOne(handset);
  }

  /** Gives the focus back to a handset, if it is still there. */
  focus(number) {
    const button = this.#handsets.get(number)?.element?.querySelector(".handset-open") ?? this.#buttons()[0];
    if (button) button.focus();
    return Boolean(button);
  }

  #markOne(handset) {
    if (!handset.element) return;
    const current = handset.number === this.#current;
    handset.element.classList.toggle("current", current);
    handset.element.querySelector(".handset-open").setAttribute("aria-expanded", String(current));
  }

  #drop(number) {
    const handset = this.#handsets.get(number);
    if (!handset) return;
    if (handset.element) this.#gone.push(handset.element);
    this.#changed.delete(handset);
    this.#handsets.delete(number);
  }

  #drawHandset(handset) {
    const isNew = handset.element === null;
    if (isNew) handset.element = this.#newElement(handset);
    const { element } = handset;
    const bubbles = element.querySelector(".bubbles");
    for (const message of handset.fresh) bubbles.append(this.#newBubble(message));
    handset.fresh = [];
    while (bubbles.childElementCount > BUBBLES_MAX) bubbles.firstElementChild.remove();
    this.#drawCount(handset);
    restart(element, "fresh");
    this.#markOne(handset);
    // Moving an element takes the focus from it: who is at a handset keeps it
    // where it is.
    if (isNew || !element.contains(document.activeElement)) this.#list.prepend(element);
  }

  #drawCount({ element, number, total }) {
    const count = total === null ? "" : messages(total);
    element.querySelector(".count").textContent = count;
    element.querySelector(".handset-open").setAttribute("aria-label", `Open +${number}${count && `, ${count}`}`);
  }

  #newElement(handset) {
    const element = this.#handsetTemplate.content.firstElementChild.cloneNode(true);
    element.querySelector(".number").textContent = `+${handset.number}`;
    element.querySelector(".handset-open").dataset.number = handset.number;
    return element;
  }

  #newBubble(message) {
    const bubble = this.#bubbleTemplate.content.firstElementChild.cloneNode(true);
    fillBubble(bubble, message);
    bubble.classList.add("fresh");
    return bubble;
  }

  #buttons() {
    return [...this.#list.querySelectorAll(".handset-open")];
  }

  #move(event) {
    const buttons = this.#buttons();
    const columns = columnsOf(buttons);
    moveFocus(event, buttons, (at) => ({
      ArrowLeft: at - 1, ArrowRight: at + 1, ArrowUp: at - columns, ArrowDown: at + columns,
    }));
  }
}

/** How many stand beside each other. */
function columnsOf(buttons) {
  const top = buttons[0]?.offsetParent.offsetTop;
  return buttons.filter((button) => button.offsetParent.offsetTop === top).length;
}

function restart(element, animation) {
  element.classList.remove(animation);
  // Reading the layout lets the animation start again.
  void element.offsetWidth;
  element.classList.add(animation);
}
