// What the page says of the messages that it does not show.

import { counted, handsets, messages } from "./format.js";

/** What may be a whole number with its country code. */
const WHOLE_NUMBER = /^[1-9]\d{5,19}$/;

const element = (id) => document.getElementById(id);

/** Some were never seen. */
export function noteLost(count) {
  element("notice").hidden = count === 0;
  element("notice").textContent =
    `${counted.format(count)} messages went by faster than this page reads, or before it was opened. ` +
    "Shown are the newest.";
}

/** There are none, or none that are looked for: then the number that was typed may write the first one. */
export function noteEmpty(nothing, search) {
  const searching = search.text !== "";
  const number = search.text.replace(/[\s+()./-]/g, "");
  element("empty").hidden = !nothing || (searching && !search.answered);
  element("about").hidden = searching || element("about-smpp").textContent === "";
  element("empty-title").textContent = searching ? "Nothing found" : "No messages yet";
  element("empty-text").textContent = searching
    ? "No message in the inbox has this in its number, its sender or its text."
    : "Bind to the SMSC and submit a message: its handset appears here at once.";
  element("empty-write").hidden = !WHOLE_NUMBER.test(number);
  element("empty-write").textContent = `Write from +${number}`;
  element("empty-write").dataset.number = number;
}

/** A view that is full leaves some out. */
export function noteBound({ kind, shown }, search, kept) {
  const { size, isFull } = shown;
  const total = kept[kind === "list" ? "messages" : "handsets"];
  const searching = search.text !== "";
  element("bound").hidden = searching ? !(isFull || search.isCut) : size === 0 || size >= total;
  element("bound").textContent = searching
    ? "Shown are the newest that were found. More words find older ones."
    : `The newest ${counted.format(size)} of ${kind === "list" ? messages(total) : handsets(total)}. ` +
      "The search looks at all of them.";
}
