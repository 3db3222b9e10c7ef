//! What is looked for in texts.

/// A part of a text, of 1 to [`Needle::BYTES_MAX`] bytes, found in capitals and in small letters of ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needle {
    bytes: [u8; Self::BYTES_MAX],
    length: usize,
}

impl Needle {
    /// The longest, in bytes of UTF-8.
    pub const BYTES_MAX: usize = 64;

    /// `None` for one that is empty or too long.
    pub fn new(text: &str) -> Option<Self> {
        let length = text.len();
        let mut bytes = [0; Self::BYTES_MAX];
        bytes.get_mut(..length).filter(|_| length > 0)?.copy_from_slice(text.as_bytes());
        Some(Self { bytes, length })
    }

    /// Whether `text` has it.
    pub(super) fn is_in(&self, text: &str) -> bool {
        let needle = &self.bytes[..self.length];
        text.as_bytes().windows(self.length).any(|part| part.eq_ignore_ascii_case(needle))
    }

    /// Whether it stands in `text` with neither a letter nor a digit beside it.
    pub(super) fn is_a_word_of(&self, text: &str) -> bool {
        let word = |character: char| character.is_alphanumeric();
        text.split(|character| !word(character)).any(|part| part.len() == self.length && self.is_in(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_found_anywhere_and_in_either_case() {
        for (needle, found) in
            [("Kode", true), ("kode 12", true), ("é", true), ("kode  ", false), ("x", false)]
        {
            assert_eq!(Needle::new(needle).unwrap().is_in("Rahasia: KODE 123é"), found, "{needle}");
        }
        assert!(!Needle::new("long").unwrap().is_in("lon"));
    }

    #[test]
    fn it_has_bounds() {
        assert!(Needle::new("").is_none() && Needle::new(&"x".repeat(65)).is_none());
        assert!(Needle::new(&"x".repeat(64)).is_some());
    }
}
