// Money, accounts and time as the bank's SMS write them, so that they can be compared at a glance. Pure.

// The bank's own time, as its SMS write it, wherever the visitor's clock stands.
const timeZone = "Asia/Jakarta";

// What an SMS shows of an account.
const ACCOUNT_CHARS = 4;

const locale = (language) => (language === "en" ? "en-GB" : "id-ID");

export const digitsOf = (text) => text.replace(/\D/g, "");

// A string of digits, grouped: 15 digits fit a double exactly.
export const grouped = (digits, language) => new Intl.NumberFormat(locale(language)).format(Number(digits));

// `IDR 1.250.000` in Indonesian, `IDR 1,250,000` in English.
export const money = (digits, language) => (digits === "" ? "–" : `IDR ${grouped(digits, language)}`);

// What comes before the digits that an SMS shows, and these.
export const accountParts = (account) => [account.slice(0, -ACCOUNT_CHARS), account.slice(-ACCOUNT_CHARS)];

// Hours and minutes with a colon in every language; cut, not rounded.
export const clock = (date) =>
  new Intl.DateTimeFormat("en-GB", { timeZone, hour: "2-digit", minute: "2-digit" }).format(date);

export const clockInZone = (date) => `${clock(date)} WIB`;

export function dateAndTime(date, language) {
  const day = new Intl.DateTimeFormat(locale(language), { timeZone, dateStyle: "long" }).format(date);
  const time = new Intl.DateTimeFormat("en-GB", { timeZone, timeStyle: "medium" }).format(date);
  return `${day}, ${time} WIB`;
}

const weekday = (date, language) =>
  new Intl.DateTimeFormat(locale(language), { timeZone, weekday: "long", day: "numeric", month: "long" }).format(date);

// The time alone today, with the day otherwise.
export const until = (date, now, language) =>
  weekday(date, language) === weekday(now, language)
    ? clockInZone(date)
    : `${weekday(date, language)}, ${clockInZone(date)}`;

export const minutesAndSeconds = (seconds) =>
  `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;

// `text` cut into pieces, each with whether it is one of `words`, whole.
export function marked(text, words) {
  const escaped = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  if (escaped.length === 0) return [{ text, mark: false }];
  const whole = new RegExp(`(?<![\\w.,])(${escaped.join("|")})(?!\\w|[.,]\\d)`);
  return text.split(whole).map((piece, index) => ({ text: piece, mark: index % 2 === 1 }));
}
