//! The sequence numbers of what one session sends on its own account.

use smpp::pdu::SequenceNumber;

pub(super) struct Sequence {
    next: SequenceNumber,
}

impl Default for Sequence {
    fn default() -> Self {
        Self { next: SequenceNumber::FIRST }
    }
}

impl Sequence {
    pub(super) fn take(&mut self) -> SequenceNumber {
        let taken = self.next;
        self.next = taken.next();
        taken
    }
}
