// The profiles, one click away.

import { moveFocus, rove, settle } from "./roving.js";

export class Profiles {
  #bar;

  /** chosen(name): somebody wants this profile. */
  constructor(bar, chosen) {
    this.#bar = bar;
    bar.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) chosen(button.dataset.name);
    });
    bar.addEventListener("focusin", (event) => rove(bar, "button", event.target));
    bar.addEventListener("keydown", (event) => {
      moveFocus(event, this.#buttons(), (at) => ({ ArrowLeft: at - 1, ArrowRight: at + 1 }));
    });
  }

  /** What there is to choose from. */
  offer(profiles) {
    this.#bar.replaceChildren(...profiles.map(({ name, title, description }) => {
      const button = document.createElement("button");
      Object.assign(button, { type: "button", className: "profile", tabIndex: -1, textContent: title, title: description });
      button.dataset.name = name;
      button.setAttribute("aria-pressed", "false");
      return button;
    }));
    settle(this.#bar, "button", this.#buttons());
  }

  /** Which of them is in force; null for none. */
  mark(name) {
    for (const button of this.#buttons()) {
      const inForce = button.dataset.name === name;
      if (inForce && button.getAttribute("aria-pressed") === "false") this.#bringIntoView(button);
      button.setAttribute("aria-pressed", String(inForce));
    }
  }

  /** Along the bar alone: the page stays where it is. */
  #bringIntoView(button) {
    this.#bar.scrollLeft = button.offsetLeft - this.#bar.offsetLeft - (this.#bar.clientWidth - button.offsetWidth) / 2;
  }

  #buttons() {
    return [...this.#bar.querySelectorAll("button")];
  }
}
