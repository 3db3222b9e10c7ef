//! A sender or a handset: at most 20 printable characters, kept in place.

use std::fmt;

use arrayvec::ArrayString;

/// The longest address in bytes (SMPP 3.4, 5.2.8: 21 with the final NUL).
const ADDRESS_BYTES_MAX: usize = 20;

/// Characters that stay readable at the start of a masked address: a country code and the operator's prefix.
const MASK_HEAD: usize = 5;

/// Characters that stay readable at the end of a masked address.
const MASK_TAIL: usize = 2;

/// The address of a sender or of a handset.
///
/// Guarantees 1 to 20 printable ASCII characters and no leading `+`, so that `+62812…` and `62812…` are one
/// handset. `Debug` masks the middle, so that no log shows a whole number; [`Address::as_str`] shows it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Address {
    text: ArrayString<ADDRESS_BYTES_MAX>,
}

impl Address {
    /// The address written in `text`; `None` when it is empty or too long. Bytes that are not printable
    /// ASCII, which some senders use, become `?`.
    pub fn new(text: &[u8]) -> Option<Self> {
        let text = text.strip_prefix(b"+").unwrap_or(text);
        let mut kept = ArrayString::new();
        for byte in text {
            let readable = matches!(byte, b' '..=b'~');
            kept.try_push(if readable { char::from(*byte) } else { '?' }).ok()?;
        }
        (!kept.is_empty()).then_some(Self { text: kept })
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The address as SMPP carries it.
    pub fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// Whether this is a telephone number: digits only.
    pub(crate) fn is_number(&self) -> bool {
        self.as_bytes().iter().all(u8::is_ascii_digit)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.as_str();
        let shown = text.len() > MASK_HEAD + MASK_TAIL;
        for (at, character) in text.chars().enumerate() {
            let readable = shown && (at < MASK_HEAD || at >= text.len() - MASK_TAIL);
            write!(f, "{}", if readable { character } else { '*' })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leading_plus_is_the_same_handset() {
        assert_eq!(Address::new(b"+628120001234"), Address::new(b"628120001234"));
    }

    #[test]
    fn debug_masks_the_middle_of_a_number_and_the_whole_of_a_short_one() {
        let number = Address::new(b"628120001234").unwrap();
        assert_eq!(format!("{number:?}"), "62812*****34");
        assert_eq!(format!("{:?}", Address::new(b"1234567").unwrap()), "*******");
    }

    #[test]
    fn an_address_has_one_to_twenty_bytes() {
        assert!(Address::new(b"").is_none());
        assert!(Address::new(b"+").is_none());
        assert!(Address::new(&[b'1'; 20]).is_some());
        assert!(Address::new(&[b'1'; 21]).is_none());
    }

    #[test]
    fn bytes_outside_printable_ascii_are_replaced() {
        assert_eq!(Address::new(b"B\xC4NK\n").unwrap().as_str(), "B?NK?");
    }
}
