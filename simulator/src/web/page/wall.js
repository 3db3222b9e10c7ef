// The wall: one handset for each number, newest first. What it holds and what
// it draws is bounded, however many messages go by.

import { counted, fillBubble, handsetOf, messages } from "./format.js";

/** Handsets kept and drawn; older ones are found by number. */
export const HANDSETS_MAX = 60;

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
  #search = "";
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
      if (button) this.#rove(button);
    });
    list.addEventListener("keydown", (event) => this.#move(event));
  }

  get size() {
    return this.#handsets.size;
  }

  /** Handsets that the search lets through. */
  get shown() {
    let shown = 0;
    for (const number of this.#handsets.keys()) if (this.#matches(number)) shown += 1;
    return shown;
  }

  /** The number of the first handset that is shown. */
  get first() {
    return this.#buttons()[0]?.dataset.number;
  }

  /** Takes a message in; drawn with the next draw(). */
  add(message) {
    const number = handsetOf(message);
    const handset = this.#handsets.get(number) ?? { number, total: 0, fresh: [], element: null };
    this.#handsets.delete(number);
    this.#handsets.set(number, handset);
    handset.total += 1;
    handset.fresh.push(message);
    if (handset.fresh.length > BUBBLES_MAX) handset.fresh.shift();
    this.#changed.add(handset);
    if (this.#handsets.size > HANDSETS_MAX) this.#drop(this.#oldest());
  }

  /** Puts the messages of one number on the wall, in place of what was there. */
  replace(number, all) {
    this.#drop(number);
    for (const message of all) this.add(message);
  }

  clear() {
    this.#handsets.clear();
    this.#changed.clear();
    this.#gone = [];
    this.#list.replaceChildren();
  }

  search(text) {
    this.#search = text.replace(/\D/g, "");
    for (const handset of this.#handsets.values()) this.#showOrHide(handset);
    this.#settle();
  }

  draw() {
    for (const element of this.#gone) element.remove();
    this.#gone = [];
    for (const handset of this.#changed) this.#drawHandset(handset);
    this.#changed.clear();
    this.#settle();
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

  #matches(number) {
    return number.includes(this.#search);
  }

  /** The number to give up; not one that is being looked for, if possible. */
  #oldest() {
    if (this.#search) {
      for (const number of this.#handsets.keys()) if (!this.#matches(number)) return number;
    }
    return this.#handsets.keys().next().value;
  }

  #showOrHide(handset) {
    if (handset.element) handset.element.hidden = !this.#matches(handset.number);
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
    const count = messages(handset.total);
    element.querySelector(".count").textContent = count;
    element.querySelector(".handset-open").setAttribute("aria-label", `Open +${handset.number}, ${count}`);
    restart(element, "fresh");
    this.#showOrHide(handset);
    this.#markOne(handset);
    // Moving an element takes the focus from it: who is at a handset keeps it
    // where it is.
    if (isNew || !element.contains(document.activeElement)) this.#list.prepend(element);
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
    return [...this.#list.querySelectorAll(".handset:not([hidden]) .handset-open")];
  }

  /** The wall is one stop for Tab; the arrows go on from there. */
  #rove(button) {
    for (const other of this.#list.querySelectorAll(".handset-open[tabindex='0']")) other.tabIndex = -1;
    button.tabIndex = 0;
  }

  /** There is always one handset that Tab stops at. */
  #settle() {
    const buttons = this.#buttons();
    if (buttons.length > 0 && !buttons.some((button) => button.tabIndex === 0)) this.#rove(buttons[0]);
  }

  #move(event) {
    const buttons = this.#buttons();
    const at = buttons.indexOf(document.activeElement);
    if (at < 0) return;
    const top = buttons[0].offsetParent.offsetTop;
    const columns = buttons.filter((button) => button.offsetParent.offsetTop === top).length;
    const to = {
      ArrowLeft: at - 1, ArrowRight: at + 1, ArrowUp: at - columns, ArrowDown: at + columns,
      Home: 0, End: buttons.length - 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    if (to < 0 || to >= buttons.length) return;
    buttons[to].focus();
    buttons[to].scrollIntoView({ block: "nearest" });
  }
}

/** As many as are on the wall, and whether there are more. */
export function handsetCount(wall) {
  return counted.format(wall.size) + (wall.size >= HANDSETS_MAX ? "+" : "");
}

function restart(element, animation) {
  element.classList.remove(animation);
  // Reading the layout lets the animation start again.
  void element.offsetWidth;
  element.classList.add(animation);
}
