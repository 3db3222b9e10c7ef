//! Amounts as a language writes them.

use crate::subscriber::challenge::Locale;
use crate::subscriber::transaction::{AMOUNT_INTEGER_DIGITS_MAX, Amount};

/// The most fraction digits of a currency (ISO 4217: CLF and UYW).
pub(super) const MINOR_DIGITS_MAX: usize = 4;
/// Currency, blank, integer digits, a separator after every third, decimal separator, fraction.
pub(super) const AMOUNT_CHARS_MAX: usize =
    3 + 1 + AMOUNT_INTEGER_DIGITS_MAX + (AMOUNT_INTEGER_DIGITS_MAX - 1) / 3 + 1 + MINOR_DIGITS_MAX;

/// `IDR 1.250.000.000` in Indonesian, `IDR 1,250,000,000` in English; a fraction only if there is one.
pub(super) fn grouped(amount: Amount, locale: Locale) -> String {
    let (group, decimal) = match locale {
        Locale::Id => ('.', ','),
        Locale::En => (',', '.'),
    };
    let (integer, fraction) = amount.decimal();
    let mut text = String::with_capacity(AMOUNT_CHARS_MAX);
    text.push_str(amount.currency().code());
    text.push(' ');
    for (index, digit) in integer.chars().enumerate() {
        if index > 0 && (integer.len() - index) % 3 == 0 {
            text.push(group);
        }
        text.push(digit);
    }
    if fraction.bytes().any(|digit| digit != b'0') {
        text.push(decimal);
        text.push_str(&fraction);
    }
    text
}
