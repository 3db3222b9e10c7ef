//! How long a message is valid.

use std::time::SystemTime;

/// The longest `validity_period` in bytes, without the final NUL (SMPP 3.4, 7.1.1).
const FIELD_BYTES_MAX: usize = 16;

/// A `validity_period` as the sender wrote it, and the instant it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    written: [u8; FIELD_BYTES_MAX],
    length: u8,
    /// When the message expires.
    pub expires_at: SystemTime,
}

impl Validity {
    /// Keeps the first 16 bytes of `field`.
    pub(crate) fn new(field: &[u8], expires_at: SystemTime) -> Self {
        let mut written = [0; FIELD_BYTES_MAX];
        let length = field.len().min(FIELD_BYTES_MAX);
        written[..length].copy_from_slice(&field[..length]);
        Self { written, length: u8::try_from(length).unwrap_or_default(), expires_at }
    }

    /// The field as the sender wrote it, such as `000000000300000R`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.written[..usize::from(self.length)]).unwrap_or_default()
    }
}
