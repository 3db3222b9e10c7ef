//! The bytes that a session has to write, and whether the peer reads them.

use std::io;

use smpp::codec::EncodeError;
use smpp::pdu::Pdu;

use crate::clock::Timestamp;
use crate::sms::link::buffer::WriteBuffer;

pub(super) struct Output {
    buffer: WriteBuffer,
    /// The sink takes no more for now.
    blocked: bool,
    /// When bytes were last written, or the first of the pending ones were added.
    progress_at: Timestamp,
}

impl Output {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { buffer: WriteBuffer::new(), blocked: false, progress_at: now }
    }

    pub(super) fn pending(&self) -> &[u8] {
        self.buffer.pending()
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// Since when nothing of what is pending was taken.
    pub(super) fn waiting_since(&self) -> Option<Timestamp> {
        (!self.pending().is_empty()).then_some(self.progress_at)
    }

    /// The bytes written since the session began.
    pub(super) fn written_total(&self) -> u64 {
        self.buffer.written_total()
    }

    /// What [`Self::written_total`] will be once everything pending is written.
    pub(super) fn end(&self) -> u64 {
        self.buffer.end()
    }

    /// # Errors
    ///
    /// The PDU breaks a limit of the protocol; nothing is added.
    pub(super) fn append(&mut self, pdu: &Pdu<'_>, now: Timestamp) -> Result<(), EncodeError> {
        if self.pending().is_empty() {
            self.progress_at = now;
        }
        self.buffer.append(pdu)
    }

    /// Adds a PDU that is known to keep the limits.
    pub(super) fn write(&mut self, pdu: &Pdu<'_>, now: Timestamp) {
        if let Err(error) = self.append(pdu, now) {
            // Settings are checked at the start, and answers are fixed.
            tracing::error!(command = %pdu.body.command_id(), %error, "a PDU cannot be encoded");
        }
    }

    /// Gives the sink as much as it takes.
    ///
    /// # Errors
    ///
    /// Those of the sink, but `WouldBlock`. What it took before is counted as written.
    pub(super) fn write_to(&mut self, sink: &mut dyn io::Write, now: Timestamp) -> io::Result<()> {
        self.blocked = false;
        let written = self.write_all_to(sink, now).and_then(|()| sink.flush());
        match written {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.blocked = true;
                Ok(())
            }
            written => written,
        }
    }

    fn write_all_to(&mut self, sink: &mut dyn io::Write, now: Timestamp) -> io::Result<()> {
        while !self.pending().is_empty() {
            let count = sink.write(self.buffer.pending())?;
            if count == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.buffer.wrote(count);
            self.progress_at = now;
        }
        Ok(())
    }
}
