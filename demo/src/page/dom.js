// The few things that every module does with the document.

export const el = (id) => document.getElementById(id);

// Touches the page only where a text changes, so that nothing is announced twice.
export function setText(id, text) {
  if (el(id).textContent !== text) el(id).textContent = text;
}

export function make(tag, className, ...content) {
  const node = document.createElement(tag);
  if (className !== "") node.className = className;
  node.append(...content);
  return node;
}

// Fills a select with labels, and keeps what was chosen by its place.
export function setOptions(id, labels) {
  const select = el(id);
  const index = Math.max(0, Math.min(select.selectedIndex, labels.length - 1));
  select.replaceChildren(...labels.map((label) => new Option(label)));
  select.selectedIndex = index;
}
