// The one-time code in a text, and a button that copies it.

/** As browsers read it from an SMS (WICG, origin-bound one-time codes): the last line is @host #code. */
const BOUND = /^@\S+ #(\d{4,10})$/m;

/** Behind the word that announces it, and no part of an amount. */
const ANNOUNCED = /\b(?:code|kode|otp|pin)\b\D{0,12}?\b(\d{4,10})\b(?![.,]\d)/i;

/** In whatever language: the only digits that there are. */
const ALONE = /^\D*\b(\d{4,10})\b\D*$/;

/** The code's digits, or null. */
export function codeIn(text) {
  return (BOUND.exec(text) ?? ANNOUNCED.exec(text) ?? ALONE.exec(text))?.[1] ?? null;
}

/** Copies `text`; says whether it did. A page that has no leave to use the clipboard copies a selection. */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copySelected(text);
  }
}

function copySelected(text) {
  const focused = document.activeElement;
  const field = document.createElement("textarea");
  field.className = "hidden";
  field.value = text;
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  focused?.focus({ preventScroll: true });
  return done;
}

/** Lets `button` copy the code in `text`, and `told` say what came of it; hides both where there is none. */
export function offerCode(row, text) {
  const code = codeIn(text);
  const [button, told] = [row.querySelector("button"), row.querySelector("[role=status]")];
  row.hidden = code === null;
  if (code === null || button.dataset.code === code) return;
  button.dataset.code = code;
  button.textContent = `Copy code ${code}`;
  button.addEventListener("click", async () => {
    told.textContent = "";
    const done = await copy(code);
    told.textContent = done ? `${code} is copied.` : "The browser does not let it be copied: select it in the text.";
  });
}
