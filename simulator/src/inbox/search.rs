//! What a person looks for, without saying where it stands.

use arrayvec::ArrayString;

use super::address::Address;
use super::message::Message;
use super::needle::Needle;

/// The most digits of a number that is looked for: those of an [`Address`].
const DIGITS_MAX: usize = 20;

/// What people write between the digits of a number.
const BETWEEN_DIGITS: &str = " -./()";

/// Words of a text, a sender, a phone number however it is spelt, or `#` and a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Search {
    words: Needle,
    /// What stands behind a `#`: most texts have their reference without one.
    reference: Option<Needle>,
    number: Option<Spelling>,
}

impl Search {
    /// `None` for what is empty or longer than [`Needle::BYTES_MAX`].
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        Some(Self {
            words: Needle::new(text)?,
            reference: text.strip_prefix('#').and_then(Needle::new),
            number: Spelling::new(text),
        })
    }

    /// Whether `message` is one of those that are looked for.
    pub(super) fn finds(&self, message: &Message) -> bool {
        self.is_in_text(message.text())
            || self.is_in_address(message.to())
            || self.is_in_address(message.from())
    }

    fn is_in_text(&self, text: &str) -> bool {
        self.words.is_in(text) || self.reference.is_some_and(|reference| reference.is_a_word_of(text))
    }

    fn is_in_address(&self, address: &Address) -> bool {
        self.words.is_in(address.as_str()) || self.number.is_some_and(|number| number.is_in(address))
    }
}

/// Digits of a number, as it is written in its own country or abroad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Spelling {
    digits: ArrayString<DIGITS_MAX>,
    /// Whether a 0 stands in place of the country code.
    national: bool,
}

impl Spelling {
    /// `None` for what is no part of a number.
    fn new(text: &str) -> Option<Self> {
        let international = text.strip_prefix('+');
        let mut digits = ArrayString::new();
        for character in international.unwrap_or(text).chars() {
            match character {
                '0'..='9' => digits.try_push(character).ok()?,
                other if BETWEEN_DIGITS.contains(other) => {}
                _ => return None,
            }
        }
        let national = international.is_none() && digits.starts_with('0') && digits.len() > 1;
        (!digits.is_empty()).then_some(Self { digits, national })
    }

    fn is_in(&self, address: &Address) -> bool {
        let number = address.as_str();
        let subscriber = number.get(country_code_digits(number)..).unwrap_or_default();
        number.contains(self.digits.as_str()) || self.national && subscriber.starts_with(&self.digits[1..])
    }
}

/// How many digits the country code has that `number` begins with (ITU-T E.164, the assigned codes).
fn country_code_digits(number: &str) -> usize {
    match number.as_bytes() {
        [b'1' | b'7', ..] => 1,
        [b'2', b'0' | b'7', ..]
        | [b'3', b'0'..=b'4' | b'6' | b'9', ..]
        | [b'4', b'0' | b'1' | b'3'..=b'9', ..]
        | [b'5', b'1'..=b'8', ..]
        | [b'6', b'0'..=b'6', ..]
        | [b'8', b'1' | b'2' | b'4' | b'6', ..]
        | [b'9', b'0'..=b'5' | b'8', ..] => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inbox::message::tests::draft;

    fn finds(search: &str, (from, to, text): (&str, &str, &str)) -> bool {
        let address = |written: &str| Address::new(written.as_bytes()).unwrap();
        let draft =
            crate::inbox::Draft { from: address(from), to: address(to), text: text.into(), ..draft() };
        Search::new(search).unwrap().finds(&Message::new(draft))
    }

    #[test]
    fn a_number_is_found_however_it_is_spelt() {
        let message = ("BANK", "6281298765432", "x");
        for search in [
            "6281298765432",
            "+62 812-9876-5432",
            "081298765432",
            "0812 9876 5432",
            "(0812) 9876.5432",
            "0812",
            "98765",
            "62 812",
        ] {
            assert!(finds(search, message), "{search}");
        }
        for search in ["+081298765432", "0298765432", "62 813", "08129876543299", "0987", "7-0", "--"] {
            assert!(!finds(search, message), "{search}");
        }
        assert!(finds("07700", ("BANK", "447700900123", "x")) && finds("0201", ("BANK", "12015550123", "x")));
        assert!(finds("0912", ("BANK", "351912345678", "x")));
    }

    #[test]
    fn words_are_found_in_the_text_the_sender_and_the_recipient() {
        let message = ("BankContoh", "628120001234", "kode 482913 utk masuk, ref BW1D");
        for search in ["bankcontoh", "UTK MASUK", "482913", "  ref ", "bw1d"] {
            assert!(finds(search, message), "{search}");
        }
        assert!(finds("bank", ("628120001234", "BANK", "STOP")));
        assert!(!finds("other", message));
    }

    #[test]
    fn a_reference_is_a_whole_word_with_or_without_its_sign() {
        let message = ("BANK", "628120001234", "kode 482913, ref BW1D.\n@bank.example #482913");
        assert!(finds("#BW1D", message) && finds("#bw1d", message) && finds("#482913", message));
        assert!(!finds("#BW1", message) && !finds("#W1D", message) && !finds("#", ("B", "1", "x")));
    }

    #[test]
    fn it_has_bounds() {
        assert!(Search::new(" ").is_none() && Search::new(&"x".repeat(65)).is_none());
        assert!(!finds(&"1".repeat(21), ("BANK", &"1".repeat(20), "x")));
    }
}
