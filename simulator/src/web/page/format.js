// How instants, durations and messages are written for people.

export const counted = new Intl.NumberFormat();

const clock = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});

export function timeOfDay(instant) {
  return clock.format(new Date(instant));
}

const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

/** The time of day, and of another day than today which one. */
export function timeSince(instant) {
  const date = day.format(new Date(instant));
  return date === day.format(new Date()) ? timeOfDay(instant) : `${date}, ${timeOfDay(instant)}`;
}

export function duration(milliseconds) {
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

/** What is left of a time, to the second: 2:05, or 1:00:00. */
export function countdown(seconds) {
  const left = Math.max(0, Math.ceil(seconds));
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(left / 3_600);
  const minutes = Math.floor(left / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(left % 60)}` : `${minutes}:${two(left % 60)}`;
}

/** Whether a message went from the handset to an ESME. */
export function isReply(message) {
  return message.direction === "from_handset";
}

/** The number of the handset that a message belongs to. */
export function handsetOf(message) {
  return isReply(message) ? message.from : message.to;
}

export function messages(count) {
  return count === 1 ? "1 message" : `${counted.format(count)} messages`;
}

export function handsets(count) {
  return count === 1 ? "1 handset" : `${counted.format(count)} handsets`;
}

/** Fills a line of the list. */
export function fillLine(line, message) {
  const reply = isReply(message);
  line.querySelector(".line-number").textContent = `+${handsetOf(message)}`;
  line.querySelector(".line-from").textContent = reply ? `to ${message.to}` : message.from;
  line.querySelector(".line-text").textContent = message.text;
  fillTime(line, message);
}

function fillTime(element, message) {
  const time = element.querySelector("time");
  time.dateTime = message.time;
  time.textContent = timeOfDay(message.time);
}

/** Fills what a message shows of itself, on the wall and in a conversation. */
export function fillBubble(bubble, message) {
  const reply = isReply(message);
  bubble.classList.toggle("sent", reply);
  bubble.querySelector(".bubble-from").textContent = reply ? `to ${message.to}` : message.from;
  bubble.querySelector(".bubble-text").textContent = message.text;
  fillTime(bubble, message);
  bubble.querySelector(".bubble-note").textContent = note(message);
}

/** What is worth knowing of a message beside its text. */
function note(message) {
  const notes = [];
  if (message.segments > 1) notes.push(`${message.segments} segments`);
  if (message.expires_at) notes.push(`valid ${duration(new Date(message.expires_at) - new Date(message.time))}`);
  return notes.join(" · ");
}
