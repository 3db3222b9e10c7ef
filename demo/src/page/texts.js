// Every sentence of the page, in the languages that it speaks. The labels "Generate OTP", "One Time Password" and
// "Konfirmasi Pembayaran" are the bank's own and stay as they are; the page carries them in its HTML.

import { en } from "/texts-en.js";
import { id } from "/texts-id.js";

export const texts = { id, en };

// Puts values into a sentence; a name without a value stays visible, so that a test finds it.
export const fill = (sentence, values) =>
  sentence.replace(/\{(\w+)\}/g, (hole, name) => (name in values ? String(values[name]) : hole));
