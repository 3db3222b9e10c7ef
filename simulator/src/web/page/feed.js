// The stream of messages: server-sent events read with fetch, since
// EventSource cannot send a token. Reconnects where it stopped.

const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 10_000;

/** Longest piece of a stream without an event's end; beyond, it is not ours. */
const EVENT_CHARACTERS_MAX = 1_000_000;

/** Messages shown on opening the page; older ones are found by the search. */
const OPENING_MESSAGES = 500;

export class TokenNeeded extends Error {}

/** The simulator said no: `problem` is its RFC 9457 reply, if it sent one. */
export class Refused extends Error {
  constructor(status, problem) {
    super(`status ${status}`);
    this.status = status;
    this.problem = problem;
    this.detail = problem?.detail;
  }
}

export class Feed {
  #handlers;
  #token = "";
  #seen = "";
  #stop = null;

  /** handlers: state(name), events(list of {type, data}), tokenNeeded() */
  constructor(handlers) {
    this.#handlers = handlers;
  }

  set token(token) {
    this.#token = token;
  }

  /** Calls the API; throws Refused, or what fetch throws, on anything but success. */
  async call(path, options = {}) {
    const headers = new Headers(options.headers);
    if (this.#token) headers.set("Authorization", `Bearer ${this.#token}`);
    const reply = await fetch(path, { ...options, headers, cache: "no-store" });
    if (reply.status === 401) throw new TokenNeeded();
    if (!reply.ok) throw new Refused(reply.status, await reply.json().catch(() => undefined));
    return reply;
  }

  /** Runs until stopped by a refusal for want of a token. */
  async run() {
    let wait = RETRY_FIRST_MS;
    for (;;) {
      this.#handlers.state("connecting");
      try {
        await this.#read(() => {
          wait = RETRY_FIRST_MS;
          this.#handlers.state("live");
        });
      } catch (error) {
        if (error instanceof TokenNeeded) {
          this.#handlers.state("locked");
          this.#handlers.tokenNeeded();
          return;
        }
      }
      this.#handlers.state("waiting");
      await new Promise((done) => setTimeout(done, wait));
      wait = Math.min(wait * 2, RETRY_MAX_MS);
    }
  }

  async #read(connected) {
    this.#stop = new AbortController();
    const reply = await this.call(`/messages/stream?last=${OPENING_MESSAGES}`, {
      headers: this.#seen ? { "Last-Event-ID": this.#seen } : {},
      signal: this.#stop.signal,
    });
    connected();
    const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      if (rest.length > EVENT_CHARACTERS_MAX) {
        this.#stop.abort();
        return;
      }
      const events = blocks.map((block) => this.#parse(block)).filter((event) => event !== null);
      if (events.length > 0) this.#handlers.events(events);
    }
  }

  #parse(block) {
    let type = "message";
    let data = "";
    for (const line of block.split("\n")) {
      if (line.startsWith("id: ")) this.#seen = line.slice(4);
      else if (line.startsWith("event: ")) type = line.slice(7);
      else if (line.startsWith("data: ")) data += line.slice(6);
    }
    return data === "" ? null : { type, data: JSON.parse(data) };
  }
}
