// Money and time as a customer of the chosen language reads them. Pure.

// The bank's own time, as its SMS tell it, wherever the visitor's clock stands.
const timeZone = "Asia/Jakarta";

const locale = (language) => (language === "en" ? "en-GB" : "id-ID");

export const digitsOf = (text) => text.replace(/\D/g, "");

// A string of digits, grouped: 15 digits fit a double exactly.
export const grouped = (digits, language) =>
  digits === "" ? "" : new Intl.NumberFormat(locale(language)).format(Number(digits));

export const rupiah = (digits, language) =>
  digits === "" ? "–" : `${language === "en" ? "IDR" : "Rp"}\u00a0${grouped(digits, language)}`;

export const clock = (date, language) =>
  new Intl.DateTimeFormat(locale(language), { timeZone, hour: "2-digit", minute: "2-digit" }).format(date);

export const dateAndTime = (date, language) =>
  new Intl.DateTimeFormat(locale(language), { timeZone, dateStyle: "long", timeStyle: "medium" }).format(date);

const day = (date, language) =>
  new Intl.DateTimeFormat(locale(language), { timeZone, weekday: "long", day: "numeric", month: "long" }).format(date);

// The time alone today, with the day otherwise.
export const until = (date, now, language) =>
  day(date, language) === day(now, language)
    ? `${clock(date, language)} WIB`
    : `${day(date, language)}, ${clock(date, language)} WIB`;

export const minutesAndSeconds = (seconds) =>
  `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;

// Groups what is typed into `input` and keeps the caret behind the digit it stood behind.
export function groupWhileTyping(input, language) {
  const digitsBefore = digitsOf(input.value.slice(0, input.selectionStart)).length;
  const digits = digitsOf(input.value).replace(/^0+/, "").slice(0, 15);
  const dropped = digitsOf(input.value).length - digits.length;
  input.value = grouped(digits, language);
  let wanted = Math.max(0, digitsBefore - Math.max(0, dropped));
  let caret = 0;
  while (wanted > 0 && caret < input.value.length) {
    if (/\d/.test(input.value[caret])) wanted -= 1;
    caret += 1;
  }
  if (document.activeElement === input) input.setSelectionRange(caret, caret);
}
