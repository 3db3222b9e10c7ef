// Looks for messages in the whole inbox, and on as more come. The simulator
// decides what is found, so that there is one meaning of a search.

/** After the last key. */
const TYPED_MS = 250;

/** The newest of what is found. */
const FOUND_MAX = 500;

/** The most that the simulator takes, in bytes. */
const BYTES_MAX = 64;

export class Search {
  #feed;
  #handlers;
  #text = "";
  #timer;
  /** Where to read on; null until the first answer. */
  #cursor = null;
  #reading = false;
  #cut = false;
  /** Whether messages came since the last look. */
  #stale = false;
  /** Counts what was looked for, so that a late answer is known to be old. */
  #run = 0;

  /** handlers: began(text) with "" when nothing is looked for any more, found(messages) */
  constructor(feed, handlers) {
    this.#feed = feed;
    this.#handlers = handlers;
  }

  /** What is looked for. */
  get text() {
    return this.#text;
  }

  /** Whether the answer is there. */
  get answered() {
    return this.#cursor !== null;
  }

  /** Whether there is more than the newest of what is found. */
  get isCut() {
    return this.#cut;
  }

  /** Somebody typed: looks once they pause. */
  type(text) {
    clearTimeout(this.#timer);
    if (text.trim() === "") this.begin("");
    else this.#timer = setTimeout(() => this.begin(text), TYPED_MS);
  }

  /** Looks now. */
  async begin(text) {
    clearTimeout(this.#timer);
    this.#text = text.trim();
    this.#run += 1;
    this.#cursor = null;
    this.#cut = false;
    this.#handlers.began(this.#text);
    if (this.#text === "") return;
    await this.#read(`last=${FOUND_MAX}`);
    await this.#catchUp();
  }

  /** More messages came: are there any of those that are looked for? */
  async goOn() {
    this.#stale = true;
    await this.#catchUp();
  }

  async #catchUp() {
    while (this.#stale && this.#cursor !== null && !this.#reading) {
      this.#stale = false;
      await this.#read(`since=${this.#cursor}`);
    }
  }

  async #read(from) {
    const run = this.#run;
    this.#reading = true;
    const { messages, cursor } = await this.#ask(this.#text, from);
    if (run !== this.#run) return;
    this.#reading = false;
    if (cursor === null) return;
    this.#cursor = cursor;
    this.#cut ||= messages.length >= FOUND_MAX;
    this.#handlers.found(messages);
  }

  async #ask(text, from) {
    // What is too long is in no message that anybody looks for.
    if (new TextEncoder().encode(text).length > BYTES_MAX) return { messages: [], cursor: "0" };
    try {
      return await (await this.#feed.call(`/messages?find=${encodeURIComponent(text)}&${from}`)).json();
    } catch {
      // The state shows whether the simulator is there.
      return { messages: [], cursor: null };
    }
  }
}
