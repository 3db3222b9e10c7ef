// One stop for Tab in a whole list: the arrows go on from there.

/** Makes `chosen` the stop among the elements of `list` that match `selector`. */
export function rove(list, selector, chosen) {
  for (const other of list.querySelectorAll(`${selector}[tabindex="0"]`)) other.tabIndex = -1;
  chosen.tabIndex = 0;
}

/** Makes sure that there is a stop, if there is anything to stop at. */
export function settle(list, selector, among) {
  if (among.length > 0 && !among.some((one) => one.tabIndex === 0)) rove(list, selector, among[0]);
}

/** Moves the focus by a key; `targets` says where each leads from the place `at`. Beyond the ends it stays. */
export function moveFocus(event, elements, targets) {
  const at = elements.indexOf(document.activeElement);
  if (at < 0) return;
  const to = { Home: 0, End: elements.length - 1, ...targets(at) }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  if (to < 0 || to >= elements.length) return;
  elements[to].focus();
  elements[to].scrollIntoView({ block: "nearest", inline: "nearest" });
}
