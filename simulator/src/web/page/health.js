// The sign that stands over every view while the simulator is not healthy: what
// it does instead, since when, and a way back.

import { timeSince } from "./format.js";

const TITLE = document.title;

const element = (id) => document.getElementById(id);

export class Health {
  #said = "";

  /** healed(): somebody wants the healthy profile. */
  constructor(healed) {
    element("heal").addEventListener("click", () => healed());
    // What is fixed below the sign has to know how high it is.
    new ResizeObserver(() => this.#measure()).observe(element("sick"));
  }

  /** What is in force, and what its profile says of itself. */
  show({ title, healthy, since }, description) {
    const said = healthy ? "" : `Not healthy: ${title}, since ${timeSince(since)}.`;
    const chip = element("behavior-name");
    chip.textContent = title;
    chip.hidden = false;
    chip.dataset.healthy = healthy;
    // Said once, and not again with every look.
    if (said === this.#said) return;
    this.#said = said;
    element("sick-name").textContent = said;
    element("sick-text").textContent = description;
    element("sick").hidden = healthy;
    document.title = healthy ? TITLE : `⚠ ${title} · ${TITLE}`;
    this.#measure();
  }

  #measure() {
    const { height } = element("sick").getBoundingClientRect();
    document.documentElement.style.setProperty("--sick-height", `${height}px`);
  }
}
