// Reads an amount in whole rupiah as people write it, and refuses what could mean two things. Pure.

const DIGITS_MAX = 15;

// With a dot or a comma at every three digits, the same one throughout.
const GROUPED = /^\d{1,3}(?:(\.)\d{3}(?:\.\d{3})*|(,)\d{3}(?:,\d{3})*)$/;

// `{ digits }`, or `{ problem }`: what is wrong with it, by name.
export function parseAmount(text) {
  // "Rp. 1.000,-" is usual, too.
  const written = text.trim().replace(/^(?:rp\.?|idr)\s*/i, "").replace(/(\d),-$/, "$1");
  if (written === "") return { problem: "empty" };
  if (!/^[0-9.,]+$/.test(written)) return { problem: "characters" };
  const cents = /^(.*)([.,])(\d{1,2})$/.exec(written);
  if (cents === null) return whole(written, "");
  const [, rupiah, separator, digits] = cents;
  const read = whole(rupiah, separator);
  return "digits" in read && digits !== "00" ? { problem: "cents" } : read;
}

// The part before the cents, which are not set off by the sign that sets off thousands.
function whole(written, centsSeparator) {
  const grouped = GROUPED.exec(written);
  if (grouped === null && !/^\d+$/.test(written)) return { problem: "grouping" };
  if (grouped !== null && (grouped[1] ?? grouped[2]) === centsSeparator) return { problem: "grouping" };
  return bounded(written.replace(/[.,]/g, ""));
}

function bounded(digits) {
  if (/^0+$/.test(digits)) return { problem: "zero" };
  if (digits.startsWith("0")) return { problem: "leading_zero" };
  return digits.length > DIGITS_MAX ? { problem: "too_long" } : { digits };
}
