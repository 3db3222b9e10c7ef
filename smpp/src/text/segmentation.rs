//! A text longer than one message, cut into the parts that carry it.

use std::fmt;
use std::iter::FusedIterator;

use super::alphabet::Alphabet;
use super::concatenation::{Concatenation, Reference};
use super::{gsm7, ucs2};
use crate::pdu::EsmClass;
use crate::tlv::{Tag, TlvBuffer};

/// The most parts a text can have: a header counts them in one byte.
pub const PARTS_MAX: usize = 255;

/// How the parts of one text say that they belong together. A text that fits one message goes in its
/// `short_message` and without any of this.
///
/// The reference is the caller's to choose: parts of two texts on their way to one number must not share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Segmentation {
    /// A user data header at the start of each part's `short_message`, with this reference.
    Udh(Reference),
    /// The TLVs `sar_msg_ref_num`, `sar_total_segments` and `sar_segment_seqnum` beside each part, of which
    /// the SMSC makes the header. The reference has 8 of its 16 bits, so that it fits the short header that
    /// the parts leave room for.
    Sar(u8),
    /// No parts: the whole text in the TLV `message_payload`, which the SMSC cuts.
    Payload,
}

impl Segmentation {
    /// Bytes of the header that each part goes over the radio with.
    const fn header_bytes(self) -> usize {
        match self {
            Self::Udh(reference) => reference.header_bytes(),
            Self::Sar(_) | Self::Payload => Reference::Bits8(0).header_bytes(),
        }
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

/// The messages that carry a text, as [`super::encode_into`] gave it: one where it fits or where the SMSC
/// cuts it, else several parts. Neither an escape pair nor a surrogate pair is cut apart.
///
/// ```
/// use smpp::text::concatenation::Reference;
/// use smpp::text::{Segmentation, encode_into, segment};
/// use smpp::tlv::TlvBuffer;
///
/// let mut bytes = Vec::new();
/// let alphabet = encode_into(&"[]{}".repeat(30), &mut bytes);
/// let (mut short_message, mut tlvs) = (Vec::new(), TlvBuffer::new());
/// for segment in segment(alphabet, &bytes, Segmentation::Udh(Reference::Bits8(7)))? {
///     short_message.clear();
///     tlvs.clear();
///     segment.write(&mut short_message, &mut tlvs);
///     assert!(segment.esm_class().has_udh() && short_message.len() <= 159);
/// }
/// # Ok::<(), smpp::text::TooManyParts>(())
/// ```
///
/// # Errors
///
/// [`TooManyParts`] over 255 parts; of a `message_payload` too, since the SMSC could not send it.
// No allocation: counts the parts first, and cuts them again as they are asked for.
pub fn segment(
    alphabet: Alphabet,
    bytes: &[u8],
    segmentation: Segmentation,
) -> Result<Segments<'_>, TooManyParts> {
    let whole = Segments { alphabet, carrier: None, part_bytes: bytes.len(), total: 1, part: 0, rest: bytes };
    if bytes.len() <= alphabet.part_bytes(0) {
        return Ok(whole);
    }
    let part_bytes = alphabet.part_bytes(segmentation.header_bytes());
    let (mut parts, mut rest) = (0, bytes);
    while !rest.is_empty() {
        rest = cut_part(alphabet, rest, part_bytes).1;
        parts += 1;
    }
    let total = u8::try_from(parts).map_err(|_| TooManyParts { parts })?;
    let carrier = Some(segmentation);
    Ok(match segmentation {
        Segmentation::Payload => Segments { carrier, ..whole },
        Segmentation::Udh(_) | Segmentation::Sar(_) => Segments { carrier, part_bytes, total, ..whole },
    })
}

/// The first part, of at most `part_bytes`, and the rest. A part is never empty: a part is far longer than a
/// pair.
fn cut_part(alphabet: Alphabet, rest: &[u8], part_bytes: usize) -> (&[u8], &[u8]) {
    let Some((part, after)) = rest.split_at_checked(part_bytes).filter(|(_, after)| !after.is_empty()) else {
        return (rest, &[]);
    };
    let half_pair_bytes = match alphabet {
        Alphabet::Gsm7 if gsm7::ends_in_escape(part) => 1,
        Alphabet::Ucs2 if ucs2::ends_in_high_surrogate(part) => 2,
        Alphabet::Gsm7 | Alphabet::Ucs2 => return (part, after),
    };
    rest.split_at(part_bytes - half_pair_bytes)
}

/// The messages that carry a text, in order. `Debug` does not show the text.
#[derive(Clone)]
pub struct Segments<'a> {
    alphabet: Alphabet,
    /// `None` when the text fits one `short_message`.
    carrier: Option<Segmentation>,
    part_bytes: usize,
    total: u8,
    /// The last part given.
    part: u8,
    rest: &'a [u8],
}

impl<'a> Iterator for Segments<'a> {
    type Item = Segment<'a>;

    fn next(&mut self) -> Option<Segment<'a>> {
        if self.part == self.total {
            return None;
        }
        self.part += 1;
        let Self { alphabet, carrier, part_bytes, total, part, rest } = *self;
        let (text, rest) = cut_part(alphabet, rest, part_bytes);
        self.rest = rest;
        Some(Segment { carrier, total, part, text })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::from(self.total - self.part);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Segments<'_> {}
impl FusedIterator for Segments<'_> {}

impl fmt::Debug for Segments<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { alphabet, carrier, total, part, .. } = self;
        write!(f, "Segments({alphabet:?}, {carrier:?}, {part} of {total} given)")
    }
}

/// One message of a text. `Debug` does not show the text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Segment<'a> {
    carrier: Option<Segmentation>,
    total: u8,
    part: u8,
    text: &'a [u8],
}

impl Segment<'_> {
    /// [`EsmClass::UDHI`] where a header starts `short_message`, else [`EsmClass::DEFAULT`].
    #[must_use]
    pub const fn esm_class(&self) -> EsmClass {
        match self.carrier {
            Some(Segmentation::Udh(_)) => EsmClass::UDHI,
            Some(Segmentation::Sar(_) | Segmentation::Payload) | None => EsmClass::DEFAULT,
        }
    }

    /// The part's place; `None` for a whole text.
    #[must_use]
    pub const fn concatenation(&self) -> Option<Concatenation> {
        let reference = match self.carrier {
            Some(Segmentation::Udh(reference)) => reference,
            Some(Segmentation::Sar(reference)) => Reference::Bits8(reference),
            Some(Segmentation::Payload) | None => return None,
        };
        Some(Concatenation { reference, total: self.total, part: self.part })
    }

    /// Appends the text and its place among the parts to `short_message`, at most 160 bytes, and to the TLVs.
    pub fn write(&self, short_message: &mut Vec<u8>, tlvs: &mut TlvBuffer) {
        match self.carrier {
            Some(Segmentation::Payload) => {
                tlvs.push(Tag::MESSAGE_PAYLOAD, self.text)
                    .expect("255 parts of at most 153 bytes are no more than 65,535");
                return;
            }
            Some(Segmentation::Sar(reference)) => {
                tlvs.push_u16(Tag::SAR_MSG_REF_NUM, u16::from(reference))
                    .push_u8(Tag::SAR_TOTAL_SEGMENTS, self.total)
                    .push_u8(Tag::SAR_SEGMENT_SEQNUM, self.part);
            }
            Some(Segmentation::Udh(reference)) => {
                let place = Concatenation { reference, total: self.total, part: self.part };
                short_message.extend_from_slice(&place.header());
            }
            None => {}
        }
        short_message.extend_from_slice(self.text);
    }
}

impl fmt::Debug for Segment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { carrier, total, part, text } = self;
        write!(f, "Segment({carrier:?}, {part} of {total}, {} bytes)", text.len())
    }
}
