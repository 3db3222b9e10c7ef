//! The user data header that makes one text of several messages (3GPP TS 23.040 §9.2.3.24).

use std::fmt;

/// Information element: concatenated short messages, 8-bit reference number.
const CONCATENATED_8: u8 = 0x00;
/// Information element: concatenated short messages, 16-bit reference number.
const CONCATENATED_16: u8 = 0x08;

/// The number that parts of one text share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reference {
    /// 8 bits, which every handset knows.
    Bits8(u8),
    /// 16 bits: fewer collisions, one byte longer.
    Bits16(u16),
}

impl Reference {
    /// Bytes of the whole user data header, its length byte included.
    #[must_use]
    pub(super) const fn header_bytes(self) -> usize {
        match self {
            Self::Bits8(_) => 6,
            Self::Bits16(_) => 7,
        }
    }
}

/// A part's place among the parts of its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Concatenation {
    /// Equal in all parts of a text.
    pub reference: Reference,
    /// How many parts the text has, at least 1.
    pub total: u8,
    /// Which of them this is: 1 to `total`.
    pub part: u8,
}

impl Concatenation {
    /// The user data header, its length byte included.
    #[must_use]
    pub fn header(&self) -> Vec<u8> {
        let Self { reference, total, part } = *self;
        match reference {
            Reference::Bits8(reference) => vec![5, CONCATENATED_8, 3, reference, total, part],
            Reference::Bits16(reference) => {
                let [high, low] = reference.to_be_bytes();
                vec![6, CONCATENATED_16, 4, high, low, total, part]
            }
        }
    }
}

/// A user data header, without its length byte. `Debug` does not show its bytes: a message may claim a header
/// and have text in its place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct UserDataHeader<'a> {
    bytes: &'a [u8],
}

impl<'a> UserDataHeader<'a> {
    /// The information elements: identifier and data. Ends at the first that goes beyond the header.
    pub fn elements(&self) -> impl Iterator<Item = (u8, &'a [u8])> + use<'a> {
        let mut rest = self.bytes;
        std::iter::from_fn(move || {
            let (&[identifier, length], after) = rest.split_first_chunk()?;
            let (data, after) = after.split_at_checked(usize::from(length))?;
            rest = after;
            Some((identifier, data))
        })
    }

    /// The message's place among parts; `None` also for a place that cannot be (no parts, part 0, or a part
    /// beyond the last), which TS 23.040 says to ignore. The last element counts where there are several.
    #[must_use]
    pub fn concatenation(&self) -> Option<Concatenation> {
        let place = |(identifier, data): (u8, &[u8])| {
            let (reference, total, part) = match (identifier, data) {
                (CONCATENATED_8, &[reference, total, part]) => (Reference::Bits8(reference), total, part),
                (CONCATENATED_16, &[high, low, total, part]) => {
                    (Reference::Bits16(u16::from_be_bytes([high, low])), total, part)
                }
                _ => return None,
            };
            (1..=total).contains(&part).then_some(Concatenation { reference, total, part })
        };
        self.elements().filter_map(place).last()
    }
}

impl fmt::Debug for UserDataHeader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserDataHeader({} bytes)", self.bytes.len())
    }
}

/// The user data header at the start of a message, and the text after it; `None` when the length byte goes
/// beyond the message.
#[must_use]
pub fn split_header(message: &[u8]) -> Option<(UserDataHeader<'_>, &[u8])> {
    let (&length, rest) = message.split_first()?;
    let (bytes, text) = rest.split_at_checked(usize::from(length))?;
    Some((UserDataHeader { bytes }, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_reference_come_back() {
        for (reference, expected) in [
            (Reference::Bits8(0xA7), &[5, 0, 3, 0xA7, 3, 2][..]),
            (Reference::Bits16(0xA7B8), &[6, 8, 4, 0xA7, 0xB8, 3, 2][..]),
        ] {
            let concatenation = Concatenation { reference, total: 3, part: 2 };
            let mut message = concatenation.header();
            assert_eq!(message, expected);
            assert_eq!(message.len(), reference.header_bytes());
            message.extend_from_slice(b"text");
            let (header, text) = split_header(&message).unwrap();
            assert_eq!((header.concatenation(), text), (Some(concatenation), &b"text"[..]));
        }
    }

    #[test]
    fn other_elements_are_passed_over() {
        let message = [&[11, 0x05, 4, 0x0B, 0x84, 0, 0, 0x00, 3, 9, 2, 1][..], b"x"].concat();
        let (header, text) = split_header(&message).unwrap();
        assert_eq!(header.elements().count(), 2);
        assert_eq!(
            header.concatenation(),
            Some(Concatenation { reference: Reference::Bits8(9), total: 2, part: 1 })
        );
        assert_eq!(text, b"x");
    }

    #[test]
    fn of_several_places_the_last_that_makes_sense_counts() {
        let message = [15, 0, 3, 9, 2, 1, 0, 3, 7, 3, 2, 0, 3, 5, 3, 4];
        let place = split_header(&message).unwrap().0.concatenation();
        assert_eq!(place, Some(Concatenation { reference: Reference::Bits8(7), total: 3, part: 2 }));
    }

    #[test]
    fn places_that_make_no_sense_are_ignored() {
        for (total, part) in [(0, 0), (0, 1), (3, 0), (3, 4)] {
            let message = [5, 0, 3, 9, total, part];
            assert_eq!(split_header(&message).unwrap().0.concatenation(), None, "part {part} of {total}");
        }
    }

    #[test]
    fn debug_shows_no_bytes_of_a_header_that_may_be_text() {
        let (header, _) = split_header(b"\x0Bcode 482913 is yours").unwrap();
        assert_eq!(format!("{header:?}"), "UserDataHeader(11 bytes)");
    }

    #[test]
    fn lengths_beyond_the_bytes_are_survived() {
        assert_eq!(split_header(&[]), None);
        assert_eq!(split_header(&[1]), None);
        assert_eq!(split_header(&[255, 0, 3, 1, 2, 1]), None);
        // The element goes beyond its header, into what is text.
        let (header, text) = split_header(&[3, 0, 3, 9, 2, 1]).unwrap();
        assert_eq!((header.concatenation(), text), (None, &[2, 1][..]));
        let (header, _) = split_header(&[1, 0]).unwrap();
        assert_eq!(header.elements().count(), 0);
        let (header, text) = split_header(&[0, b'a']).unwrap();
        assert_eq!((header.elements().count(), text), (0, &b"a"[..]));
    }
}
