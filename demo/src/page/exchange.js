// The calls between bank and gateway about the payment, the newest on top.

import { call } from "/bank.js";
import { el, make } from "/dom.js";
import { t } from "/language.js";

const SHOWN_MAX = 100; // What somebody may read; an attack makes up to 64.

let payment = null;
let last = 0;
let turn = Promise.resolve();

// Shows what was said about this payment since the last time; nothing of another one.
export function showExchanges(id) {
  turn = turn.then(() => showNew(id));
  return turn;
}

async function showNew(id) {
  if (id !== payment) forget(id);
  if (id === null) return;
  for (const exchange of await exchangesAfter(id, last)) {
    last = exchange.number;
    el("exchanges").prepend(item(exchange));
  }
  while (el("exchanges").children.length > SHOWN_MAX) el("exchanges").lastChild.remove();
  el("exchange-empty").hidden = el("exchanges").children.length > 0;
}

function forget(id) {
  payment = id;
  last = 0;
  el("exchanges").replaceChildren();
  el("exchange-empty").hidden = false;
}

// Without an answer there are none: they are asked for again with the next call.
async function exchangesAfter(id, after) {
  const reply = await call("GET", `payments/${id}/exchanges?after=${after}`);
  return Array.isArray(reply) ? reply : [];
}

function item(exchange) {
  const reply = exchange.reply === null ? null : parsed(exchange.reply);
  const status = make("span", "status", statusLine(exchange, reply));
  status.dataset.kind = exchange.status === null ? "none" : exchange.status < 300 ? "ok" : "refused";
  const request = make("code", "", `${exchange.method} ${exchange.path}`);
  const took = make("span", "took", `${(exchange.micros / 1000).toFixed(1)} ms`);
  const summary = make("summary", "", request, status, took);
  const parts = [...part("exchange_request", requestOf(exchange)), ...part("exchange_reply", reply)];
  return make("li", "", make("details", "", summary, ...parts));
}

// What decides: the gateway's own word, beside the status.
function statusLine({ status }, reply) {
  if (status === null) return t("exchange_no_reply");
  const lookedUp = reply?.state === undefined ? undefined : `${reply.state}, ${reply.delivery}`;
  const word = reply?.verdict ?? reply?.reason ?? lookedUp ?? reply?.type?.split("/").at(-1) ?? "";
  return word === "" ? String(status) : `${status} ${word}`;
}

function requestOf(exchange) {
  const headers = { authorization: "Bearer ••••••" };
  if (exchange.idempotency_key !== null) headers["idempotency-key"] = exchange.idempotency_key;
  return exchange.request === null ? headers : { ...headers, body: parsed(exchange.request) };
}

function part(heading, content) {
  if (content === null) return [];
  const title = make("p", "part", t(heading));
  title.dataset.text = heading; // So that it follows a change of language.
  return [title, make("pre", "", JSON.stringify(content, null, 2))];
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
