//! Message text: alphabets, concatenation, and from `short_message` back to characters.
//!
//! In SMPP one septet of the GSM alphabet fills one byte, so `short_message` is never packed; the limits are
//! the radio's all the same: 140 bytes, which are 160 septets or 70 UTF-16 units, less the header of a part.

mod alphabet;
pub mod concatenation;
pub mod gsm7;
mod segmentation;
pub mod ucs2;

use std::fmt;

use crate::pdu::DataCoding;
use concatenation::Concatenation;

pub use alphabet::Alphabet;
pub use segmentation::{PARTS_MAX, Segment, Segmentation, Segments, TooManyParts, segment};

/// Appends the text in the shorter alphabet that has all of its characters, and says which.
///
/// For a text that must not be left in memory, give `out` room for twice the text's bytes beforehand: a
/// buffer that grows leaves its old place behind.
pub fn encode_into(text: &str, out: &mut Vec<u8>) -> Alphabet {
    if gsm7::encode_into(text, out).is_ok() {
        return Alphabet::Gsm7;
    }
    ucs2::encode_into(text, out);
    Alphabet::Ucs2
}

/// A decoded message. `Debug` does not show the text.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Text {
    /// U+FFFD stands for bytes that are not a character of the coding.
    pub text: String,
    /// Which part of which message this is.
    pub concatenation: Option<Concatenation>,
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} characters, {:?})", self.text.chars().count(), self.concatenation)
    }
}

/// The text of a message, and its place in a longer one.
///
/// Never fails: a header that does not fit its message is taken for text, and a byte that is not a character
/// of the coding becomes U+FFFD. A coding that is not known is read as UTF-8.
#[must_use]
pub fn decode_short_message(data_coding: DataCoding, udhi: bool, short_message: &[u8]) -> Text {
    let header = if udhi { concatenation::split_header(short_message) } else { None };
    let (concatenation, bytes) = match header {
        Some((header, text)) => (header.concatenation(), text),
        None => (None, short_message),
    };
    Text { text: decode(data_coding, bytes), concatenation }
}

/// The characters of a text without a header; U+FFFD for bytes that are not a character of the coding.
#[must_use]
pub fn decode(data_coding: DataCoding, bytes: &[u8]) -> String {
    match data_coding {
        DataCoding::ASCII => ascii(bytes),
        DataCoding::LATIN_1 => bytes.iter().map(|&byte| char::from(byte)).collect(),
        DataCoding(0) | DataCoding(0x10..=0x13) | DataCoding(0xF0..=0xF3) => gsm7::decode(bytes),
        // A message class beside UCS-2, as in GSM's own coding scheme.
        DataCoding::UCS2 | DataCoding(0x18..=0x1B) => ucs2::decode(bytes),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

fn ascii(bytes: &[u8]) -> String {
    let character = |&byte: &u8| {
        if byte.is_ascii() { char::from(byte) } else { char::REPLACEMENT_CHARACTER }
    };
    bytes.iter().map(character).collect()
}
