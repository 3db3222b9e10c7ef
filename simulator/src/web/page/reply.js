// The line to write from a handset, and what is wrong with it.

const element = (id) => document.getElementById(id);

export class Reply {
  #feed;
  #from = null;

  constructor(feed) {
    this.#feed = feed;
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

  /** Begins anew, from this handset. */
  begin(number) {
    this.#from = number;
    element("reply-to").value = "";
    element("reply-text").value = "";
    this.tell("");
  }

  /** Who wrote is who is written to, unless somebody else has been typed. */
  suggest(sender) {
    const to = element("reply-to");
    if (to.value === "") to.value = sender;
  }

  tell(what) {
    const told = element("reply-told");
    told.textContent = what;
    told.hidden = what === "";
  }

  async #send() {
    const text = element("reply-text");
    const body = { from: this.#from, to: element("reply-to").value.trim(), text: text.value };
    this.tell("");
    try {
      await this.#feed.call("/messages", {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
      });
      text.value = "";
    } catch (error) {
      this.tell(error.detail ?? "It was not sent. The simulator may have stopped.");
    }
    text.focus();
  }
}
