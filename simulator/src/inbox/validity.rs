//! How long a message is valid.

use std::time::SystemTime;

use arrayvec::ArrayString;

/// The longest `validity_period` in bytes, without the final NUL (SMPP 3.4, 7.1.1).
const FIELD_BYTES_MAX: usize = 16;

/// A `validity_period` as the sender wrote it, and the instant it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    written: ArrayString<FIELD_BYTES_MAX>,
    /// When the message expires.
    pub expires_at: SystemTime,
}

impl Validity {
    /// Nothing is kept of a `field` that is longer than SMPP's.
    pub(crate) fn new(field: &[u8], expires_at: SystemTime) -> Self {
        let written = str::from_utf8(field).unwrap_or_default();
        Self { written: ArrayString::from(written).unwrap_or_default(), expires_at }
    }

    pub(crate) fn has_ended(&self, wall: SystemTime) -> bool {
        self.expires_at <= wall
    }

    /// The field as the sender wrote it, such as `000000000300000R`.
    pub fn as_str(&self) -> &str {
        &self.written
    }
}
