// One message in full: what became of it, its receipts, how long it is valid,
// and the fields that brought it.

import { offerCode } from "./code.js";
import { countdown, isReply, timeOfDay } from "./format.js";
import * as words from "./words.js";

/** Between looks at the simulator while something may still change. */
const LOOK_MS = 1_000;
/** Between steps of the countdown. */
const TICK_MS = 250;

export class Details {
  #feed;
  #template;
  #id;
  #timers = [];
  #expires = null;
  #closed = false;
  #drawn;
  element;

  /** drawn(): it has its size now. */
  constructor(feed, template, id, drawn) {
    this.#feed = feed;
    this.#template = template;
    this.#id = id;
    this.#drawn = drawn;
    this.element = this.#template.content.firstElementChild.cloneNode(true);
    this.#look();
    this.#timers.push(setInterval(() => this.#look(), LOOK_MS), setInterval(() => this.#tick(), TICK_MS));
  }

  close() {
    this.#closed = true;
    for (const timer of this.#timers) clearInterval(timer);
    this.element.remove();
  }

  async #look() {
    if (document.hidden) return;
    let message;
    try {
      message = await (await this.#feed.call(`/messages/${this.#id}`)).json();
    } catch (error) {
      if (error.status === 404 && !this.#closed) this.#gone();
      return;
    }
    if (!this.#closed) this.#draw(message);
  }

  #gone() {
    this.#part(".details-name").textContent = "No longer in the inbox";
    for (const timer of this.#timers) clearInterval(timer);
    this.#settle();
  }

  /** The first time that something is there to be seen. */
  #settle() {
    this.#drawn?.();
    this.#drawn = null;
  }

  #draw(message) {
    const name = this.#part(".details-name");
    name.textContent = isReply(message) ? "Sent to the ESME" : words.state(message.state);
    name.dataset.state = message.state;
    this.#part(".details-since").textContent = message.done ? `at ${timeOfDay(message.done)}` : "";
    this.#drawLife(message);
    this.#drawReceipts(message);
    offerCode(this.#part(".code-row"), message.text);
    fill(this.#part(".facts"), facts(message));
    this.#settle();
  }

  #drawLife(message) {
    const { expires_at: expiresAt, seconds_left: secondsLeft } = message;
    this.#part(".life").hidden = expiresAt === null;
    if (expiresAt === null) return;
    this.#expires = {
      at: performance.now() + secondsLeft * 1000,
      seconds: (new Date(expiresAt) - new Date(message.time)) / 1000,
      clock: timeOfDay(expiresAt),
    };
    this.#tick();
  }

  #tick() {
    if (this.#expires === null) return;
    const left = (this.#expires.at - performance.now()) / 1000;
    this.#part(".life-label").textContent = left > 0 ? "Valid for another" : `Its validity ended at ${this.#expires.clock}`;
    this.#part(".life-left").textContent = left > 0 ? countdown(left) : "";
    this.#part(".life-bar").value = Math.min(1, Math.max(0, left / this.#expires.seconds));
  }

  #drawReceipts(message) {
    const list = this.#part(".receipts");
    const lines = message.receipts.map((receipt) => [
      words.state(receipt.state), words.outcome(receipt.outcome), timeOfDay(receipt.time), receipt.outcome,
    ]);
    if (lines.length === 0) {
      lines.push([message.receipt === "pending" ? "Not sent yet" : "None asked for, or none sent", "", "", "none"]);
    }
    list.replaceChildren(...lines.map(([state, outcome, time, kind]) => {
      const line = document.createElement("li");
      line.dataset.outcome = kind;
      line.append(piece("strong", state), piece("span", outcome), piece("time", time));
      return line;
    }));
  }

  #part(selector) {
    return this.element.querySelector(selector);
  }
}

/** Names and values of what is known, in the order of the PDU. */
function facts(message) {
  const { pdu } = message;
  const all = [
    ["message_id", message.message_id],
    ["system_id", pdu.system_id],
    ["sequence_number", String(pdu.sequence_number)],
    ["service_type", pdu.service_type || "–"],
    ["source", words.address(pdu.source)],
    ["destination", words.address(pdu.destination)],
    ["esm_class", words.esmClass(pdu.esm_class)],
    ["protocol_id", words.hex(pdu.protocol_id)],
    ["priority_flag", words.priority(pdu.priority_flag)],
    ["validity_period", message.validity ?? "–"],
    ["registered_delivery", words.registeredDelivery(pdu.registered_delivery)],
    ["replace_if_present", String(pdu.replace_if_present_flag)],
    ["data_coding", words.dataCoding(message.data_coding)],
    ["characters", `${[...message.text].length} in ${message.segments === 1 ? "1 segment" : `${message.segments} segments`}`],
  ];
  message.parts.forEach((part, at) => all.push([`segment ${at + 1}`, part]));
  for (const tlv of message.tlvs) {
    all.push([`TLV ${words.hex(tlv.tag, 4)}`, `${words.tag(tlv.tag)} · ${tlv.value === "" ? "empty" : tlv.value}`]);
  }
  if (message.tlvs_cut) all.push(["more TLVs", "left out for their size"]);
  if (message.replaced) all.push(["replaced", "by a replace_sm"]);
  return all;
}

/** Writes what differs, so that a selection survives a look. */
function fill(list, pairs) {
  while (list.childElementCount > pairs.length) list.lastElementChild.remove();
  pairs.forEach(([name, value], at) => {
    const row = list.children[at] ?? list.appendChild(document.createElement("div"));
    if (row.childElementCount === 0) row.append(piece("dt", ""), piece("dd", ""));
    const [term, text] = row.children;
    if (term.textContent !== name) term.textContent = name;
    if (text.textContent !== value) text.textContent = value;
  });
}

function piece(tag, text) {
  const element = document.createElement(tag);
  element.textContent = text;
  return element;
}
