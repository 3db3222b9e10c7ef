//! Message text: alphabets, concatenation, and from `short_message` back to characters.
//!
//! In SMPP one septet of the GSM alphabet fills one octet, so `short_message` is never
//! packed; the limits are the radio's nevertheless: 140 octets, which are 160 septets or
//! 70 UTF-16 units, less the header of a part.

pub mod concatenation;
pub mod gsm7;
pub mod ucs2;

use std::fmt;

use crate::pdu::{DataCoding, EsmClass};
use concatenation::{Concatenation, Reference};

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
    const fn part_octets(self, header_octets: usize) -> usize {
        match self {
            // The text starts at the first septet after the header.
            Self::Gsm7 => (MESSAGE_OCTETS - header_octets) * 8 / 7,
            Self::Ucs2 => (MESSAGE_OCTETS - header_octets) / 2 * 2,
        }
    }
}

/// One `short_message` and the fields that go with it. `Debug` does not show the text.
#[derive(Clone, PartialEq, Eq)]
pub struct Segment {
    /// The coding of the text.
    pub data_coding: DataCoding,
    /// [`EsmClass::UDHI`] for a part, [`EsmClass::DEFAULT`] for a whole message.
    pub esm_class: EsmClass,
    /// The part's header, if there is one, and the text.
    pub short_message: Vec<u8>,
}

impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { data_coding, esm_class, short_message } = self;
        write!(f, "Segment({data_coding:?}, {esm_class:?}, {} bytes)", short_message.len())
    }
}

/// A text needs more than [`PARTS_MAX`] parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyParts {
    /// The parts it would need.
    pub parts: usize,
}

impl fmt::Display for TooManyParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the text needs {} parts, over {PARTS_MAX}", self.parts)
    }
}

impl std::error::Error for TooManyParts {}

/// Splits a text into the messages that carry it: one without a header where it fits, else
/// parts with a header each. Neither an escape pair nor a surrogate pair is split.
///
/// `reference` is the caller's to choose: parts of two texts on their way to one number
/// must not share it.
///
/// # Errors
///
/// [`TooManyParts`] over 255 parts.
pub fn split(text: &str, reference: Reference) -> Result<Vec<Segment>, TooManyParts> {
    let (alphabet, bytes) = match gsm7::encode(text) {
        Ok(septets) => (Alphabet::Gsm7, septets),
        Err(_) => (Alphabet::Ucs2, ucs2::encode(text)),
    };
    let data_coding = alphabet.data_coding();
    if bytes.len() <= alphabet.part_octets(0) {
        return Ok(vec![Segment { data_coding, esm_class: EsmClass::DEFAULT, short_message: bytes }]);
    }
    let parts = cut_parts(alphabet, &bytes, alphabet.part_octets(reference.header_octets()));
    let total = u8::try_from(parts.len()).map_err(|_| TooManyParts { parts: parts.len() })?;
    let segments = (1..=total).zip(parts).map(|(part, text)| {
        let mut short_message = Concatenation { reference, total, part }.header();
        short_message.extend_from_slice(text);
        Segment { data_coding, esm_class: EsmClass::UDHI, short_message }
    });
    Ok(segments.collect())
}

fn cut_parts(alphabet: Alphabet, bytes: &[u8], part_octets: usize) -> Vec<&[u8]> {
    let mut parts = Vec::with_capacity(bytes.len() / part_octets + 1);
    let mut rest = bytes;
    while rest.len() > part_octets {
        let splits_pair = match alphabet {
            Alphabet::Gsm7 => gsm7::ends_in_escape(&rest[..part_octets]),
            Alphabet::Ucs2 => ucs2::ends_in_high_surrogate(&rest[..part_octets]),
        };
        let pair_octets = match (splits_pair, alphabet) {
            (false, _) => 0,
            (true, Alphabet::Gsm7) => 1,
            (true, Alphabet::Ucs2) => 2,
        };
        let (part, after) = rest.split_at(part_octets - pair_octets);
        parts.push(part);
        rest = after;
    }
    parts.push(rest);
    parts
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
