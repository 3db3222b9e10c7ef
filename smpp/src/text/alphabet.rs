//! The two alphabets of a message, and how much of each fits one.

use crate::pdu::DataCoding;

/// Bytes of one message on the radio.
const MESSAGE_BYTES: usize = 140;

/// How the characters of a text are written as bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Alphabet {
    /// The GSM 7-bit default alphabet with its extension table.
    Gsm7,
    /// UTF-16, for everything else.
    Ucs2,
}

impl Alphabet {
    /// The `data_coding` of a message in this alphabet.
    #[must_use]
    pub const fn data_coding(self) -> DataCoding {
        match self {
            Self::Gsm7 => DataCoding::DEFAULT,
            Self::Ucs2 => DataCoding::UCS2,
        }
    }

    /// Bytes of `short_message` that a part's text may fill beside a header of this length.
    pub(super) const fn part_bytes(self, header_bytes: usize) -> usize {
        match self {
            // The text starts at the first septet after the header.
            Self::Gsm7 => (MESSAGE_BYTES - header_bytes) * 8 / 7,
            Self::Ucs2 => (MESSAGE_BYTES - header_bytes) / 2 * 2,
        }
    }
}
