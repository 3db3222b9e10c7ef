//! Message text: alphabets, concatenation, and from `short_message` back to characters.
//!
//! In SMPP one septet of the GSM alphabet fills one octet, so `short_message` is never
//! packed; the limits are the radio's nevertheless: 140 octets, which are 160 septets or
//! 70 UTF-16 units, less the header of a part.

pub mod concatenation;
pub mod gsm7;
mod segmentation;
pub mod ucs2;

use std::fmt;

use crate::pdu::DataCoding;
use concatenation::Concatenation;
pub use segmentation::{Segment, Segmentation, Segments, TooManyParts, segment};

/// Octets of one message on the radio.
const MESSAGE_OCTETS: usize = 140;
/// Septets of the GSM alphabet in one message that needs no header.
pub const GSM7_SEPTETS_MAX: usize = MESSAGE_OCTETS * 8 / 7;
/// UTF-16 units in one message that needs no header.
pub const UCS2_UNITS_MAX: usize = MESSAGE_OCTETS / 2;
/// The most parts a text can have: a header counts them in one byte.
pub const PARTS_MAX: usize = 255;

/// How a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Alphabet {
    /// The GSM 7-bit default alphabet with its extension table.
    Gsm7,
    /// UTF-16, for everything else.
    Ucs2,
}

impl Alphabet {
    /// The shorter alphabet that has every character of the text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        if text.chars().all(gsm7::is_encodable) { Self::Gsm7 } else { Self::Ucs2 }
    }

    /// The `data_coding` that says so.
    #[must_use]
    pub const fn data_coding(self) -> DataCoding {
        match self {
            Self::Gsm7 => DataCoding::DEFAULT,
            Self::Ucs2 => DataCoding::UCS2,
        }
    }

    /// Octets of `short_message` that a part's text may fill beside a header of this length.
    const fn part_octets(self, header_bytes: usize) -> usize {
        match self {
            // The text starts at the first septet after the header.
            Self::Gsm7 => (MESSAGE_OCTETS - header_bytes) * 8 / 7,
            Self::Ucs2 => (MESSAGE_OCTETS - header_bytes) / 2 * 2,
        }
    }
}

/// Appends the text in the shorter alphabet that has all of its characters, and says which.
///
/// With room for two octets a byte of text, nothing is copied on the way: for a text that
/// must not be left in memory.
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
    /// The characters; U+FFFD for what is none.
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
/// Never fails: a header that does not fit its message is taken for text, and what the
/// coding does not have becomes U+FFFD. A coding that is not known is read as UTF-8.
#[must_use]
pub fn decode_short_message(data_coding: DataCoding, udhi: bool, short_message: &[u8]) -> Text {
    let header = if udhi { concatenation::split_header(short_message) } else { None };
    let (concatenation, bytes) = match header {
        Some((header, text)) => (header.concatenation(), text),
        None => (None, short_message),
    };
    Text { text: decode(data_coding, bytes), concatenation }
}

/// The characters of a text without header; U+FFFD for what is none.
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
