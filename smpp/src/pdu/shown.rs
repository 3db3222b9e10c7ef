//! A peer's strings in `Debug` output.

use std::fmt;

/// The most bytes of a string that `Debug` shows: the longest id of SMPP 3.4, and one byte more.
const SHOWN_BYTES_MAX: usize = 65;

/// A string for `Debug`: printable, and cut, since a response may hold one of 64 KiB.
pub(crate) struct Shown<'a>(pub(crate) &'a [u8]);

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.split_at_checked(SHOWN_BYTES_MAX) {
            Some((start, rest)) if !rest.is_empty() => {
                write!(f, "\"{}… ({} bytes)\"", start.escape_ascii(), self.0.len())
            }
            _ => write!(f, "\"{}\"", self.0.escape_ascii()),
        }
    }
}

/// A message for `Debug`: its length only.
pub(super) struct Hidden<'a>(pub(super) &'a [u8]);

impl fmt::Debug for Hidden<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} bytes]", self.0.len())
    }
}
