//! Cuts whole PDUs out of a byte stream by their `command_length`.
//!
//! Framing looks at the first four bytes of a PDU only. Whatever is wrong inside a frame, the next one is
//! found.

use std::fmt;

/// Bytes of a PDU header, and so the smallest `command_length` (SMPP 3.4 §3.2).
pub const HEADER_BYTES: usize = 16;

/// A `command_length_max` for [`cut`] that fits every message: a `message_payload` of 64 KiB, and 4 KiB for
/// the fixed fields and the other TLVs.
pub const COMMAND_LENGTH_MAX: usize = 68 * 1024;

/// Why a stream cannot be cut any further. The peer's fault, and final: where the next PDU starts is not
/// known, so the link has to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// `command_length` is smaller than a header.
    TooShort {
        /// The announced length in bytes.
        command_length: u32,
    },
    /// `command_length` is over the receiver's maximum.
    TooLong {
        /// The announced length in bytes.
        command_length: u32,
        /// The maximum in bytes.
        command_length_max: usize,
    },
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort { command_length } => {
                write!(f, "command_length {command_length} is less than a header's {HEADER_BYTES} bytes")
            }
            Self::TooLong { command_length, command_length_max } => {
                write!(f, "command_length {command_length} is over the maximum of {command_length_max} bytes")
            }
        }
    }
}

impl std::error::Error for FrameError {}

/// The first whole PDU in `buffer`, or `None` until more bytes have come. The length of the returned frame is
/// the number of bytes to consume.
///
/// A bad length is reported as soon as its four bytes are there, so a buffer of `command_length_max` bytes is
/// always enough.
///
/// # Errors
///
/// [`FrameError`] when `command_length` is under 16 or over `command_length_max`: close the link.
pub fn cut(buffer: &[u8], command_length_max: usize) -> Result<Option<&[u8]>, FrameError> {
    let Some(length) = buffer.first_chunk::<4>() else {
        return Ok(None);
    };
    let command_length = u32::from_be_bytes(*length);
    // A length beyond the address space is beyond every maximum too.
    let length = usize::try_from(command_length).unwrap_or(usize::MAX);
    if length < HEADER_BYTES {
        return Err(FrameError::TooShort { command_length });
    }
    if length > command_length_max {
        return Err(FrameError::TooLong { command_length, command_length_max });
    }
    Ok(buffer.get(..length))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENQUIRE_LINK: [u8; 16] = [0, 0, 0, 16, 0, 0, 0, 0x15, 0, 0, 0, 0, 0, 0, 0, 1];

    #[test]
    fn l8_a_frame_appears_with_its_last_byte() {
        for length in 0..ENQUIRE_LINK.len() {
            assert_eq!(cut(&ENQUIRE_LINK[..length], 64), Ok(None), "{length} bytes");
        }
        assert_eq!(cut(&ENQUIRE_LINK, 64), Ok(Some(&ENQUIRE_LINK[..])));
    }

    #[test]
    fn bytes_of_the_next_frame_stay() {
        let mut stream = ENQUIRE_LINK.to_vec();
        stream.extend_from_slice(&ENQUIRE_LINK[..7]);
        assert_eq!(cut(&stream, 64), Ok(Some(&ENQUIRE_LINK[..])));
    }

    #[test]
    fn l9_a_length_under_a_header_is_refused_at_once() {
        assert_eq!(cut(&[0, 0, 0, 15], 64), Err(FrameError::TooShort { command_length: 15 }));
        assert_eq!(cut(&[0; 4], 64), Err(FrameError::TooShort { command_length: 0 }));
    }

    #[test]
    fn l9_the_maximum_itself_is_accepted_and_one_more_is_not() {
        assert_eq!(cut(&[0, 0, 0, 64], 64), Ok(None));
        assert_eq!(
            cut(&[0, 0, 0, 65], 64),
            Err(FrameError::TooLong { command_length: 65, command_length_max: 64 })
        );
        assert_eq!(
            cut(&[0xFF; 4], COMMAND_LENGTH_MAX),
            Err(FrameError::TooLong { command_length: u32::MAX, command_length_max: COMMAND_LENGTH_MAX })
        );
    }
}
