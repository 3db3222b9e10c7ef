//! The bytes on their way to and from the SMSC, wiped as soon as they are used: a submit holds a code, a
//! bind the password, and a receipt may quote the text.

use smpp::codec::{self, EncodeError};
use smpp::frame::{self, FrameError};
use smpp::pdu::Pdu;
use zeroize::Zeroize as _;

/// Room for any PDU that a link sends: the largest is a submit_sm of one segment, with all its strings at
/// their longest.
const PDU_BYTES_MAX: usize = 512;
/// Enough for a hundred submits, so that growing is rare.
const WRITE_BYTES_START: usize = 32 * 1024;

/// PDUs that wait to be written.
///
/// It never leaves a copy of its bytes behind: it does not let its `Vec` grow by itself, and what is
/// written, moved or dropped is wiped.
pub(super) struct WriteBuffer {
    bytes: Vec<u8>,
    /// How many of `bytes` are written, and wiped.
    written: usize,
    /// Bytes written since the session began.
    written_total: u64,
}

impl WriteBuffer {
    pub(super) fn new() -> Self {
        Self { bytes: Vec::with_capacity(WRITE_BYTES_START), written: 0, written_total: 0 }
    }

    /// What is to be written next.
    pub(super) fn pending(&self) -> &[u8] {
        &self.bytes[self.written..]
    }

    /// Bytes written since the session began.
    pub(super) fn written_total(&self) -> u64 {
        self.written_total
    }

    /// What [`Self::written_total`] will be once everything pending is written.
    pub(super) fn end(&self) -> u64 {
        self.written_total + self.pending().len() as u64
    }

    /// # Errors
    ///
    /// Those of [`codec::encode`]; the buffer is then as it was.
    pub(super) fn append(&mut self, pdu: &Pdu<'_>) -> Result<(), EncodeError> {
        self.make_room();
        codec::encode(pdu, &mut self.bytes)
    }

    /// The first `count` bytes of [`Self::pending`] are written.
    pub(super) fn wrote(&mut self, count: usize) {
        let end = self.written + count;
        self.bytes[self.written..end].zeroize();
        self.written = end;
        self.written_total += count as u64;
        if end == self.bytes.len() {
            self.bytes.clear();
            self.written = 0;
        }
    }

    fn make_room(&mut self) {
        if self.bytes.capacity() - self.bytes.len() >= PDU_BYTES_MAX {
            return;
        }
        // Only behind a peer that reads slowly.
        let pending = self.bytes.len() - self.written;
        let capacity = WRITE_BYTES_START.max(2 * (pending + PDU_BYTES_MAX));
        let mut roomier = Vec::with_capacity(capacity);
        roomier.extend_from_slice(self.pending());
        self.bytes.zeroize();
        self.bytes = roomier;
        self.written = 0;
    }
}

impl Drop for WriteBuffer {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

/// Bytes read and not yet understood.
pub(super) struct ReadBuffer {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl ReadBuffer {
    pub(super) fn new() -> Self {
        Self { bytes: vec![0; frame::COMMAND_LENGTH_MAX].into_boxed_slice(), start: 0, end: 0 }
    }

    /// Where to read to. It has room, as long as all whole frames were taken out.
    pub(super) fn space(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            let length = self.end - self.start;
            // What was moved down is still where it was, unless it was overwritten.
            self.bytes[length.max(self.start)..self.end].zeroize();
            (self.start, self.end) = (0, length);
        }
        &mut self.bytes[self.end..]
    }

    /// `count` bytes were read to [`Self::space`].
    pub(super) fn read(&mut self, count: usize) {
        self.end += count;
    }

    /// The first whole frame. It is to be taken out with [`Self::consume`].
    ///
    /// # Errors
    ///
    /// [`FrameError`]: close the link.
    pub(super) fn frame(&self) -> Result<Option<&[u8]>, FrameError> {
        frame::cut(&self.bytes[self.start..self.end], frame::COMMAND_LENGTH_MAX)
    }

    /// Takes out and wipes the first `count` bytes.
    pub(super) fn consume(&mut self, count: usize) {
        self.bytes[self.start..self.start + count].zeroize();
        self.start += count;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }
}

impl Drop for ReadBuffer {
    fn drop(&mut self) {
        self.bytes[self.start..self.end].zeroize();
    }
}

#[cfg(test)]
mod tests {
    use smpp::pdu::{Address, Body, SequenceNumber, SubmitSm};

    use super::*;

    fn submit(text: &[u8]) -> Pdu<'_> {
        let message = SubmitSm {
            destination: Address::international(b"628120001234"),
            short_message: text,
            ..SubmitSm::default()
        };
        Pdu::new(SequenceNumber::FIRST, Body::SubmitSm(message))
    }

    #[test]
    fn abuse_35_what_is_written_is_wiped_at_once_and_the_rest_stays() {
        let mut buffer = WriteBuffer::new();
        buffer.append(&submit(b"code 482913 and more")).unwrap();
        let length = buffer.pending().len();
        buffer.wrote(length - 5);
        assert_eq!(buffer.pending(), b" more");
        assert!(buffer.bytes[..length - 5].iter().all(|byte| *byte == 0));
        assert_eq!((buffer.written_total(), buffer.end()), ((length - 5) as u64, length as u64));
        buffer.wrote(5);
        assert!(buffer.pending().is_empty());
        assert_eq!((buffer.written_total(), buffer.end()), (length as u64, length as u64));
    }

    #[test]
    fn the_vec_never_grows_by_itself() {
        let mut buffer = WriteBuffer::new();
        let text = [b'x'; 160];
        let mut expected = Vec::new();
        for round in 0..2_000_usize {
            let capacity = buffer.bytes.capacity();
            buffer.append(&submit(&text)).unwrap();
            codec::encode(&submit(&text), &mut expected).unwrap();
            let grown_by_room = buffer.bytes.capacity() >= 2 * PDU_BYTES_MAX;
            assert!(buffer.bytes.capacity() == capacity || grown_by_room);
            if round % 3 == 0 {
                buffer.wrote(100);
                expected.drain(..100);
            }
            assert_eq!(buffer.pending().len(), expected.len());
        }
        assert_eq!(buffer.pending(), expected);
    }

    #[test]
    fn l8_frames_come_out_whole_at_every_split_and_leave_nothing_behind() {
        let mut stream = Vec::new();
        for text in [&b"first"[..], b"second", b"third"] {
            codec::encode(&submit(text), &mut stream).unwrap();
        }
        for split in 0..=stream.len() {
            let mut buffer = ReadBuffer::new();
            let mut out = Vec::new();
            for part in [&stream[..split], &stream[split..]] {
                buffer.space()[..part.len()].copy_from_slice(part);
                buffer.read(part.len());
                while let Some(length) = buffer.frame().unwrap().map(<[u8]>::len) {
                    out.extend_from_slice(buffer.frame().unwrap().unwrap());
                    buffer.consume(length);
                }
            }
            assert_eq!(out, stream);
            buffer.space();
            assert!(buffer.bytes.iter().all(|byte| *byte == 0), "split at {split}");
        }
    }

    #[test]
    fn a_frame_of_the_largest_size_fits() {
        let mut buffer = ReadBuffer::new();
        buffer.space()[..4].copy_from_slice(&[0, 1, 0x10, 0]);
        buffer.read(4);
        assert_eq!(0x11000, frame::COMMAND_LENGTH_MAX);
        assert_eq!(buffer.frame(), Ok(None));
        assert_eq!(buffer.space().len(), frame::COMMAND_LENGTH_MAX - 4);
    }
}
