// The wall: one handset for each number, newest first. What it holds and what
// it draws is bounded, however many messages go by.

/** Handsets kept and drawn; older ones are found by number. */
export const HANDSETS_MAX = 60;

/** Messages kept and drawn on each handset. */
const BUBBLES_MAX = 15;

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const counted = new Intl.NumberFormat();

export class Wall {
  #list;
  #handsetTemplate;
  #bubbleTemplate;
  /** number → handset; the one that changed last is the last one. */
  #handsets = new Map();
  #changed = new Set();
  /** Elements of handsets that left: removed with the next draw, so that what
   *  is seen changes only then. */
  #gone = [];
  #search = "";

  constructor(list, handsetTemplate, bubbleTemplate) {
    this.#list = list;
    this.#handsetTemplate = handsetTemplate;
    this.#bubbleTemplate = bubbleTemplate;
  }

  get size() {
    return this.#handsets.size;
  }

  /** Handsets that the search lets through. */
  get shown() {
    let shown = 0;
    for (const number of this.#handsets.keys()) if (this.#matches(number)) shown += 1;
    return shown;
  }

  /** Takes a message in; drawn with the next draw(). */
  add(message) {
    const handset = this.#handsets.get(message.to) ?? { number: message.to, total: 0, fresh: [], element: null };
    this.#handsets.delete(message.to);
    this.#handsets.set(message.to, handset);
    handset.total += 1;
    handset.fresh.push(message);
    if (handset.fresh.length > BUBBLES_MAX) handset.fresh.shift();
    this.#changed.add(handset);
    if (this.#handsets.size > HANDSETS_MAX) this.#drop(this.#oldest());
  }

  /** Puts the messages of one number on the wall, in place of what was there. */
  replace(number, messages) {
    this.#drop(number);
    for (const message of messages) this.add(message);
  }

  clear() {
    this.#handsets.clear();
    this.#changed.clear();
    this.#gone = [];
    this.#list.replaceChildren();
  }

  search(text) {
    this.#search = text.replace(/\D/g, "");
    for (const handset of this.#handsets.values()) this.#showOrHide(handset);
  }

  draw() {
    for (const element of this.#gone) element.remove();
    this.#gone = [];
    for (const handset of this.#changed) this.#drawHandset(handset);
    this.#changed.clear();
  }

  #matches(number) {
    return number.includes(this.#search);
  }

  /** The number to give up; not one that is being looked for, if possible. */
  #oldest() {
    if (this.#search) {
      for (const number of this.#handsets.keys()) if (!this.#matches(number)) return number;
    }
    return this.#handsets.keys().next().value;
  }

  #showOrHide(handset) {
    if (handset.element) handset.element.hidden = !this.#matches(handset.number);
  }

  #drop(number) {
    const handset = this.#handsets.get(number);
    if (!handset) return;
    if (handset.element) this.#gone.push(handset.element);
    this.#changed.delete(handset);
    this.#handsets.delete(number);
  }

  #drawHandset(handset) {
    const isNew = handset.element === null;
    if (isNew) handset.element = this.#newElement(handset);
    const { element, bubbles, count } = parts(handset);
    const atEnd = bubbles.scrollHeight - bubbles.scrollTop - bubbles.clientHeight < 40;
    for (const message of handset.fresh) bubbles.append(this.#newBubble(message));
    handset.fresh = [];
    while (bubbles.childElementCount > BUBBLES_MAX) bubbles.firstElementChild.remove();
    count.textContent = handset.total === 1 ? "1 message" : `${counted.format(handset.total)} messages`;
    restart(element, "fresh");
    this.#showOrHide(handset);
    // Moving an element takes the focus from it: who reads a handset keeps it
    // where it is.
    if (isNew || !element.contains(document.activeElement)) this.#list.prepend(element);
    if (isNew || atEnd) bubbles.scrollTop = bubbles.scrollHeight;
  }

  #newElement(handset) {
    const element = this.#handsetTemplate.content.firstElementChild.cloneNode(true);
    const number = element.querySelector(".number");
    number.textContent = `+${handset.number}`;
    element.querySelector(".bubbles").setAttribute("aria-label", `Messages to +${handset.number}`);
    return element;
  }

  #newBubble(message) {
    const bubble = this.#bubbleTemplate.content.firstElementChild.cloneNode(true);
    bubble.querySelector(".bubble-from").textContent = message.from;
    bubble.querySelector(".bubble-text").textContent = message.text;
    const time = bubble.querySelector("time");
    time.dateTime = message.time;
    time.textContent = clock.format(new Date(message.time));
    bubble.querySelector(".bubble-note").textContent = note(message);
    bubble.classList.add("fresh");
    return bubble;
  }
}

function parts(handset) {
  const { element } = handset;
  return { element, bubbles: element.querySelector(".bubbles"), count: element.querySelector(".count") };
}

/** What is worth knowing of a message beside its text. */
function note(message) {
  const notes = [];
  if (message.segments > 1) notes.push(`${message.segments} segments`);
  if (message.expires_at) notes.push(`valid ${duration(new Date(message.expires_at) - new Date(message.time))}`);
  return notes.join(" · ");
}

function duration(milliseconds) {
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

function restart(element, animation) {
  element.classList.remove(animation);
  // Reading the layout lets the animation start again.
  void element.offsetWidth;
  element.classList.add(animation);
}
