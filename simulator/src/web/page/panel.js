// What opens beside the wall, or over it in a narrow window: one sheet at a
// time, closed by Escape.

const element = (id) => document.getElementById(id);

/** Where the panel covers the wall (as in page.css). */
const NARROW = matchMedia("(max-width: 979px)");

export class Panel {
  #sheet = null;
  /** left(): somebody wants to close it. */
  constructor(left) {
    for (const button of document.querySelectorAll(".close")) button.addEventListener("click", left);
    element("panel").addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      left();
    });
    NARROW.addEventListener("change", () => this.#cover());
  }

  /** The id of the sheet that is open, or null. */
  get sheet() {
    return this.#sheet;
  }

  open(id) {
    for (const sheet of document.querySelectorAll(".sheet")) sheet.hidden = sheet.id !== id;
    this.#sheet = id;
    element("panel").hidden = false;
    this.#cover();
  }

  close() {
    this.#sheet = null;
    element("panel").hidden = true;
    this.#cover();
  }

  /** What is covered can be neither read nor reached. */
  #cover() {
    const covered = this.#sheet !== null && NARROW.matches;
    element("main").inert = covered;
    document.querySelector(".bar").inert = covered;
    document.documentElement.classList.toggle("open", this.#sheet !== null);
  }
}
