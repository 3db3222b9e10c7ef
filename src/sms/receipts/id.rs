//! What an SMSC calls a message, and how its spelling may differ between response and receipt.

use std::fmt;
use std::hash::{Hash, Hasher};

use settings::words;

/// The longest message id that is remembered: the specification's 64 bytes, and one that some SMSCs send
/// beyond it.
const MESSAGE_ID_BYTES_MAX: usize = 65;

/// A message id: 1 to 65 bytes of any value. Inline, so that remembering one allocates nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct MessageId {
    length: u8,
    bytes: [u8; MESSAGE_ID_BYTES_MAX],
}

impl MessageId {
    /// `None` for an empty id and for one that is too long: no receipt will be matched.
    pub(super) fn new(id: &[u8]) -> Option<Self> {
        let length = u8::try_from(id.len()).ok().filter(|length| *length > 0)?;
        let mut bytes = [0; MESSAGE_ID_BYTES_MAX];
        bytes.get_mut(..id.len())?.copy_from_slice(id);
        Some(Self { length, bytes })
    }

    /// A key for a `user_message_reference`.
    pub(super) fn of_reference(reference: u16) -> Self {
        let mut bytes = [0; MESSAGE_ID_BYTES_MAX];
        let of_reference = reference.to_be_bytes();
        bytes[..of_reference.len()].copy_from_slice(&of_reference);
        Self { length: of_reference.len() as u8, bytes }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// Only the bytes in use, which are mostly a dozen; the others are zeros.
impl Hash for MessageId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_bytes().escape_ascii())
    }
}

words! {
    /// How an SMSC spells a message's id in its receipts, beside the spelling of its submit response.
    pub(in crate::sms) enum MessageIdForm {
        /// The same bytes.
        Exact = "exact",
        /// The same but for the case of letters, leading zeros and hyphens.
        Folded = "folded",
        /// Hexadecimal in the response, decimal in receipts.
        HexThenDecimal = "hex_then_decimal",
        /// Decimal in the response, hexadecimal in receipts.
        DecimalThenHex = "decimal_then_hex",
    }
}

const DECIMAL: u32 = 10;
const HEX: u32 = 16;

impl MessageIdForm {
    /// The normalised id of a response: equal to that of its receipts. `None` where only the bytes themselves
    /// count, and for an id that is not of this form.
    pub(super) fn of_response(self, id: &[u8]) -> Option<MessageId> {
        match self {
            Self::Exact => None,
            Self::Folded => folded(id),
            Self::HexThenDecimal => number(id, HEX),
            Self::DecimalThenHex => number(id, DECIMAL),
        }
    }

    /// The normalised id of a receipt.
    pub(super) fn of_receipt(self, id: &[u8]) -> Option<MessageId> {
        match self {
            Self::Exact => None,
            Self::Folded => folded(id),
            Self::HexThenDecimal => number(id, DECIMAL),
            Self::DecimalThenHex => number(id, HEX),
        }
    }
}

fn folded(id: &[u8]) -> Option<MessageId> {
    let mut bytes = [0; MESSAGE_ID_BYTES_MAX];
    let mut length = 0;
    let significant = id.iter().filter(|byte| **byte != b'-').skip_while(|byte| **byte == b'0');
    for byte in significant {
        *bytes.get_mut(length)? = byte.to_ascii_lowercase();
        length += 1;
    }
    match length {
        // Nothing but zeros is the id 0.
        0 => id.contains(&b'0').then(|| MessageId::new(b"0"))?,
        _ => MessageId::new(&bytes[..length]),
    }
}

fn number(id: &[u8], radix: u32) -> Option<MessageId> {
    // A sign is not part of an id, though the parser takes one.
    let digits = std::str::from_utf8(id).ok().filter(|digits| !digits.starts_with('+'))?;
    let number = u128::from_str_radix(digits, radix).ok()?;
    MessageId::new(&number.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(form: MessageIdForm, response: &str, receipt: &str) -> bool {
        let response = form.of_response(response.as_bytes());
        response.is_some() && response == form.of_receipt(receipt.as_bytes())
    }

    #[test]
    fn ids_are_bounded_and_of_any_bytes() {
        assert_eq!(MessageId::new(b""), None);
        assert_eq!(MessageId::new(&[b'x'; MESSAGE_ID_BYTES_MAX + 1]), None);
        assert_eq!(MessageId::new(&[b'x'; 300]), None);
        assert!(MessageId::new(&[0xFF; MESSAGE_ID_BYTES_MAX]).is_some());
    }

    #[test]
    fn d2_spellings_of_one_id_are_one_by_the_rule_of_the_smsc() {
        use MessageIdForm::{DecimalThenHex, Exact, Folded, HexThenDecimal};
        assert!(same(HexThenDecimal, "1A2b", "6699") && same(HexThenDecimal, "1A2B", "0000006699"));
        assert!(same(DecimalThenHex, "0006699", "1a2B"));
        let (long, decimal) = ("f".repeat(32), u128::MAX.to_string());
        assert!(same(HexThenDecimal, &long, &decimal) && same(DecimalThenHex, &decimal, &long));
        assert!(same(Folded, "00AB-cd", "abCD") && same(Folded, "000", "0") && same(Folded, "-0", "00-"));
        assert!(same(Folded, "123E4567-E89B-12D3-A456-426614174000", "123e4567e89b12d3a456426614174000"));
        assert!(!same(Exact, "7", "7"));
        assert!(!same(HexThenDecimal, "10", "10") && !same(Folded, "10", "1"));
    }

    #[test]
    fn d2_an_id_of_another_form_is_none_and_never_matches_by_accident() {
        use MessageIdForm::{DecimalThenHex, Folded, HexThenDecimal};
        for form in [Folded, HexThenDecimal, DecimalThenHex] {
            assert_eq!((form.of_response(b""), form.of_receipt(b"")), (None, None));
        }
        for id in [&b"+1"[..], b"-1", b"1g", b" 1", b"\xFF", &[b'f'; 33]] {
            assert_eq!(HexThenDecimal.of_response(id), None, "{}", id.escape_ascii());
        }
        assert_eq!(Folded.of_response(b"--"), None);
        assert_eq!(Folded.of_response(&[b'x'; MESSAGE_ID_BYTES_MAX + 1]), None);
    }
}
