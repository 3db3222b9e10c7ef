//! The encoding in which fields enter a hash or a MAC: a version tag, then each field as a
//! big-endian u16 length and its bytes; an absent field is 0xFFFF.
//!
//! Different lists of fields never give the same bytes, so the hash of one cannot be that of another.

use sha2::digest::Update;

/// The length that marks an absent field; a present one is shorter.
const ABSENT: u16 = u16::MAX;

/// Feeds tagged fields into a hash or MAC.
pub(crate) struct Tagged<D>(D);

impl<D: Update> Tagged<D> {
    pub(crate) fn new(into: D, version: &str) -> Self {
        Self(into).field(version.as_bytes())
    }

    /// # Panics
    ///
    /// On a field of 65,535 bytes or more; every input is parsed into far shorter fields.
    pub(crate) fn field(mut self, bytes: &[u8]) -> Self {
        let length = u16::try_from(bytes.len()).ok().filter(|length| *length != ABSENT);
        self.0.update(&length.expect("a field is shorter than 65,535 bytes").to_be_bytes());
        self.0.update(bytes);
        self
    }

    pub(crate) fn absent(mut self) -> Self {
        self.0.update(&ABSENT.to_be_bytes());
        self
    }

    pub(crate) fn optional(self, bytes: Option<&[u8]>) -> Self {
        match bytes {
            Some(bytes) => self.field(bytes),
            None => self.absent(),
        }
    }

    pub(crate) fn into_inner(self) -> D {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Bytes(Vec<u8>);

    impl Update for Bytes {
        fn update(&mut self, data: &[u8]) {
            self.0.extend_from_slice(data);
        }
    }

    #[test]
    fn fields_are_length_prefixed_and_an_absent_one_differs_from_an_empty_one() {
        let tagged = |fields: &[Option<&[u8]>]| {
            let start = Tagged::new(Bytes::default(), "t/1");
            fields.iter().fold(start, |tagged, field| tagged.optional(*field)).into_inner().0
        };
        assert_eq!(tagged(&[Some(b"ab"), None]), b"\x00\x03t/1\x00\x02ab\xff\xff");
        assert_ne!(tagged(&[Some(b"ab"), Some(b"")]), tagged(&[Some(b"ab"), None]));
        assert_ne!(tagged(&[Some(b"a"), Some(b"bc")]), tagged(&[Some(b"ab"), Some(b"c")]));
    }
}
