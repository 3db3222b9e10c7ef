// The counters. They come from the simulator, so that every page shows the
// same, however late it was opened.

import { counted } from "./format.js";

/** Between looks. */
const LOOK_MS = 1_000;

const element = (id) => document.getElementById(id);

export class Counters {
  #feed;
  #numbers;
  #told;
  /** The look that is under way, and the one after it, if somebody waits for it. */
  #current = Promise.resolve();
  #next = null;
  /** What the simulator had delivered when the rate was written last. */
  #delivered = null;

  /** numbers(): the handsets whose messages are to be counted. told(counters): they were read. */
  constructor(feed, numbers, told) {
    this.#feed = feed;
    this.#numbers = numbers;
    this.#told = told;
  }

  /** Looks again and again, but where nobody sees it. */
  run() {
    this.read();
    setInterval(() => {
      if (!document.hidden) this.read();
    }, LOOK_MS);
  }

  /** Looks now; who asks during a look gets what the next one says. */
  read() {
    this.#next ??= this.#current.then(() => {
      this.#next = null;
      this.#current = this.#look();
      return this.#current;
    });
    return this.#next;
  }

  async #look() {
    const numbers = this.#numbers();
    const query = numbers.length === 0 ? "" : `?handsets=${numbers.join()}`;
    try {
      const counters = await (await this.#feed.call(`/counters${query}`)).json();
      this.#draw(counters);
      this.#told(counters);
    } catch {
      // The state shows whether the simulator is there.
    }
  }

  #draw({ inbox, messages, submits, faults, receipts, sessions_bound: sessions, scenario_step: step }) {
    const write = (id, count) => {
      element(id).textContent = counted.format(count);
    };
    write("messages", inbox.messages);
    write("handsets", inbox.handsets);
    write("sessions", sessions);
    write("accepted", submits.accepted);
    write("refused", submits.throttled + submits.refused + faults.refused);
    write("expired", messages.expired);
    write("receipts", receipts.acknowledged);
    this.#drawRate(messages.delivered);
    element("step-row").hidden = step === null;
    element("step").textContent = step === null ? "" : stepInWords(step);
  }

  /** Over the time of a look at least: in a shorter one there is nothing to see. */
  #drawRate(count) {
    const before = this.#delivered;
    const at = performance.now();
    if (before !== null && at - before.at < LOOK_MS * 0.9) return;
    this.#delivered = { count, at };
    if (before === null) return;
    const rate = ((count - before.count) * 1_000) / (at - before.at);
    element("rate").textContent = counted.format(Math.max(0, Math.round(rate)));
  }
}

function stepInWords({ name, seconds_left: left }) {
  return left === null ? name : `${name}, ${counted.format(left)} s left`;
}
