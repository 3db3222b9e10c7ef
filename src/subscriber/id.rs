//! The identity of a subscriber: corporate ID and user ID.

use std::fmt;

/// The longest corporate or user ID, in bytes.
pub(crate) const ID_BYTES_MAX: usize = 32;

/// A corporate or user ID: 1 to 32 of `[A-Z0-9._-]`, upper-cased when parsed, so that two spellings
/// of one ID are one subscriber. Stored inline, so that a look-up does not allocate.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id {
    length: u8,
    bytes: [u8; ID_BYTES_MAX],
}

/// The text is not an ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdError;

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be 1 to 32 of A-Z, a-z, 0-9, '.', '_' and '-'")
    }
}

impl std::error::Error for IdError {}

impl Id {
    /// # Errors
    ///
    /// [`IdError`] for anything but 1 to 32 of `[A-Za-z0-9._-]`.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if text.is_empty() || text.len() > ID_BYTES_MAX || !text.bytes().all(allowed) {
            return Err(IdError);
        }
        let mut bytes = [0; ID_BYTES_MAX];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        bytes.make_ascii_uppercase();
        Ok(Self { length: text.len() as u8, bytes })
    }

    /// The canonical spelling.
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).expect("an ID is ASCII")
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A person enrolled for OTP.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubscriberId {
    /// The company, as the bank's internet banking knows it.
    pub corporate: Id,
    /// The person within the company.
    pub user: Id,
}

impl fmt::Display for SubscriberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.corporate.as_str(), self.user.as_str())
    }
}

impl fmt::Debug for SubscriberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abuse_14_spellings_of_an_id_are_one_id_or_refused() {
        assert_eq!(Id::parse("acme01"), Id::parse("ACME01"));
        assert_eq!(Id::parse("Acme01").unwrap().as_str(), "ACME01");
        let refused =
            ["", " ", "acme ", " acme", "ácme", "ac me", "acme\0", "аcme", "acme/01", "ＡＣＭＥ", "\u{131}"];
        for text in refused {
            assert_eq!(Id::parse(text), Err(IdError), "{text:?}");
        }
        assert!(Id::parse(&"a".repeat(32)).is_ok());
        assert!(Id::parse(&"a".repeat(33)).is_err());
    }
}
