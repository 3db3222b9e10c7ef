//! The `message_id` that the SMSC gives out.

use std::fmt;
use std::io::Write as _;

use crate::behavior::IdForm;

/// The `message_id` that the SMSC gave out: unique, also across restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageId(u64);

/// Digits of a [`MessageId`] as a healthy SMSC and the inbox write it.
const DIGITS: usize = 16;

impl MessageId {
    pub(crate) const fn new(value: u64) -> Self {
        Self(value)
    }

    pub(crate) const fn value(self) -> u64 {
        self.0
    }

    /// The id as an SMPP session writes it; empty for a form that has none.
    pub(crate) fn written(self, form: IdForm) -> Vec<u8> {
        let mut written = Vec::new();
        self.write(form, &mut written);
        written
    }

    /// Appends the id as an SMPP session writes it; nothing for a form that has none.
    pub(crate) fn write(self, form: IdForm, out: &mut Vec<u8>) {
        let Self(value) = self;
        let written = match form {
            IdForm::Hex => write!(out, "{self}"),
            IdForm::HexUpper => write!(out, "{value:016X}"),
            IdForm::Decimal => write!(out, "{value}"),
            IdForm::LeadingZeros => write!(out, "{value:020}"),
            IdForm::Uuid => {
                let (high, low) = (value >> 32, value & 0xFFFF_FFFF);
                write!(out, "{high:08x}-0000-4000-8000-0000{low:08x}")
            }
            IdForm::Empty | IdForm::Missing => Ok(()),
            IdForm::TooLong => write!(out, "{value:065x}"),
            IdForm::NonAscii => {
                out.extend_from_slice(b"\xE9\xA0");
                write!(out, "{self}")
            }
        };
        written.expect("writing into memory always succeeds");
    }

    /// The ids that may be meant by what is written: 16 decimal digits may be hexadecimal ones, too.
    pub(crate) fn meant_by(written: &[u8]) -> impl Iterator<Item = Self> {
        let text = str::from_utf8(written).unwrap_or_default();
        let digits = |digits: &str, radix| {
            let plain = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            if plain { u64::from_str_radix(digits, radix).ok() } else { None }
        };
        let hex = || digits(text, 16).filter(|_| text.len() == DIGITS);
        let uuid = || {
            let (head, tail) = (text.get(..8)?, text.get(28..)?);
            (text.len() == 36).then_some(digits(head, 16)? << 32 | digits(tail, 16)?)
        };
        [hex().or_else(uuid), digits(text, 10)].into_iter().flatten().map(Self)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0width$x}", self.0, width = DIGITS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_in_every_form_that_shows_it() {
        for id in [MessageId(42), MessageId(0x9D2F_61C4_0000_000A), MessageId(u64::MAX)] {
            for form in [IdForm::Hex, IdForm::HexUpper, IdForm::Decimal, IdForm::LeadingZeros, IdForm::Uuid] {
                assert!(MessageId::meant_by(&id.written(form)).any(|meant| meant == id), "{form:?}");
            }
        }
        for none in [&b""[..], b"+42", b"x", b"18446744073709551616", b"\xFF"] {
            assert_eq!(MessageId::meant_by(none).count(), 0, "{}", none.escape_ascii());
        }
        assert_eq!(MessageId(1).written(IdForm::TooLong).len(), 65);
        assert!(!MessageId(1).written(IdForm::NonAscii).is_ascii());
    }
}
