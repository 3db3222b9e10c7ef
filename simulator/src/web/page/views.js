// What is shown of the messages: a wall of handsets or a list, and in each of
// them all that come, or those that are looked for.

import { List } from "./list.js";
import { Wall } from "./wall.js";

/** Under which the browser remembers the choice. */
const REMEMBERED = "handsets-view";

const element = (id) => document.getElementById(id);

function viewsOf(prefix, opened) {
  const wall = new Wall(element(`${prefix}wall`), element("handset-template"), element("bubble-template"), opened);
  const list = new List(element(`${prefix}list`), element("line-template"), opened);
  return { wall, list };
}

export class Views {
  #all;
  #found;
  #kind = remembered();
  #searching = false;

  /** opened(number, id): somebody chose a handset, or a message of one. */
  constructor(opened) {
    this.#all = viewsOf("", opened);
    this.#found = viewsOf("found-", opened);
    for (const choice of document.querySelectorAll("[name=view]")) {
      choice.checked = choice.value === this.#kind;
      choice.addEventListener("change", () => this.#choose(choice.value));
    }
    this.#arrange();
  }

  /** The one that is seen. */
  get shown() {
    return (this.#searching ? this.#found : this.#all)[this.#kind];
  }

  get kind() {
    return this.#kind;
  }

  /** Takes in a message that came. */
  add(message) {
    for (const view of Object.values(this.#all)) view.add(message);
  }

  /** Takes in messages that are looked for. */
  addFound(messages) {
    for (const message of messages) for (const view of Object.values(this.#found)) view.add(message);
  }

  /** Shows what is looked for, or all again. */
  search(searching) {
    this.#searching = searching;
    for (const view of Object.values(this.#found)) view.clear();
    this.#arrange();
  }

  clear() {
    for (const view of this.#each()) view.clear();
  }

  mark(number) {
    for (const view of this.#each()) view.mark(number);
  }

  #each() {
    return [...Object.values(this.#all), ...Object.values(this.#found)];
  }

  #choose(kind) {
    this.#kind = kind;
    try {
      localStorage.setItem(REMEMBERED, kind);
    } catch {
      // A browser that remembers nothing shows the wall the next time.
    }
    this.#arrange();
  }

  #arrange() {
    for (const view of this.#each()) view.element.hidden = view !== this.shown;
    this.shown.draw();
  }
}

function remembered() {
  try {
    return localStorage.getItem(REMEMBERED) === "list" ? "list" : "wall";
  } catch {
    return "wall";
  }
}
