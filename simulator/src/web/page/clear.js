// The question before the inbox is emptied.

import { counted, handsets, messages } from "./format.js";

const element = (id) => document.getElementById(id);

export class Clear {
  #feed;
  #kept = 0;

  constructor(feed) {
    this.#feed = feed;
    element("clear").addEventListener("click", () => this.#ask());
    element("clear-keep").addEventListener("click", () => element("clear-dialog").close());
    element("clear-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#clear();
    });
    // The browser gives the focus back where it was; where that cannot be, it is lost.
    element("clear-dialog").addEventListener("close", () => element("clear").focus());
  }

  /** There are this many messages in the inbox now. */
  count({ messages: kept, handsets: numbers }) {
    this.#kept = kept;
    element("clear").setAttribute("aria-disabled", String(kept === 0));
    element("clear-question").textContent =
      `${messages(kept)} on ${handsets(numbers)} will be lost, for everybody who uses this simulator. ` +
      "They cannot be brought back.";
    element("clear-now").textContent = `Delete ${messages(kept)}`;
  }

  #ask() {
    if (this.#kept === 0) return;
    element("clear-told").hidden = true;
    element("clear-dialog").showModal();
    element("clear-keep").focus();
  }

  async #clear() {
    const lost = this.#kept;
    try {
      await this.#feed.call("/messages", { method: "DELETE", headers: { "Content-Type": "application/json" } });
      element("announcer").textContent = `Inbox cleared: ${counted.format(lost)} deleted`;
      element("clear-dialog").close();
    } catch {
      element("clear-told").textContent = "The inbox could not be cleared. The simulator may have stopped.";
      element("clear-told").hidden = false;
    }
  }
}
