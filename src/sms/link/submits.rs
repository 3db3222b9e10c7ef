//! Submits on their way, and what can still be done with each: the types make a second SMS impossible
//! when it is unknown whether the first was accepted.
//!
//! ```text
//!             released, encoded        all bytes taken by the kernel
//!   (queued) ──────────────────► InWriteBuffer ──────────────────► FullyWritten
//!      ▲                              │                             │  │  │  │
//!      │   the link died before       │                             │  │  │  └ status 0 ─────────► accepted
//!      ├──────────────────────────────┘                             │  │  └ another status ──────► rejected
//!      │   a status that says: not now, or not here                 │  └ no answer, link lost ──► in doubt
//!      └────────────────────────────────────────────────────────────┘
//! ```
//!
//! An item comes back by two ways only: [`InWriteBuffer::take_back`], where the SMSC cannot have the whole
//! PDU, and [`FullyWritten::take_back`], which takes the SMSC's own word as its proof ([`NotTaken`]).
//! `accepted`, `rejected` and `in_doubt` consume the item and give no way back to it.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use smpp::pdu::SequenceNumber;
use smpp::status::CommandStatus;
use tokio::sync::mpsc::Permit;

use super::settings::WINDOW_MAX;
use crate::clock::Timestamp;
use crate::sms::DeliveryReport;
use crate::sms::outbox::Outgoing;
use crate::sms::receipts::Sent;
use crate::subscriber::challenge::Delivery;

/// How many submits that got no answer in time a session remembers, for a late answer: the whole window of
/// an SMSC that paused. A submit that is forgotten stays unknown, since its receipts cannot be matched.
const UNANSWERED_MAX: usize = WINDOW_MAX;

/// The proof that the SMSC has not taken a submit. Only [`Refusal::of`] has it to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotTaken(());

/// What a status other than 0 says of a submit (SMPP 3.4 §5.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// We are too fast: the same a little later.
    Throttled(NotTaken),
    /// The recipient's queue is full: the same a little later, the others now.
    Full(NotTaken),
    /// The SMSC could not deal with it: another may.
    Failed(NotTaken),
    /// The message itself is refused.
    Final,
}

impl Refusal {
    /// `not_now`: the vendor's own statuses that mean as much as "throttled".
    pub(super) fn of(status: CommandStatus, not_now: &[CommandStatus]) -> Self {
        match status {
            CommandStatus::ESME_RTHROTTLED => Self::Throttled(NotTaken(())),
            CommandStatus::ESME_RMSGQFUL => Self::Full(NotTaken(())),
            CommandStatus::ESME_RSYSERR | CommandStatus::ESME_RSUBMITFAIL | CommandStatus::ESME_RX_T_APPN => {
                Self::Failed(NotTaken(()))
            }
            status if not_now.contains(&status) => Self::Throttled(NotTaken(())),
            _ => Self::Final,
        }
    }
}

/// Where a submit stands in the session's output.
pub(super) struct Encoded {
    pub(super) sequence: SequenceNumber,
    /// Its `user_message_reference`, if it has one.
    pub(super) reference: Option<u16>,
    /// When its validity was worked out.
    pub(super) at: Timestamp,
    /// The session's bytes written once this one is.
    pub(super) end: u64,
}

/// A submit of which the kernel has not taken every byte: if the link dies now, the SMSC cannot have it.
pub(super) struct InWriteBuffer<'a> {
    outgoing: Outgoing,
    encoded: Encoded,
    report: Permit<'a, DeliveryReport>,
}

impl<'a> InWriteBuffer<'a> {
    pub(super) fn new(outgoing: Outgoing, encoded: Encoded, report: Permit<'a, DeliveryReport>) -> Self {
        Self { outgoing, encoded, report }
    }

    fn written(self, at: Timestamp) -> FullyWritten<'a> {
        FullyWritten { outgoing: self.outgoing, reference: self.encoded.reference, at, report: self.report }
    }

    fn take_back(self) -> Outgoing {
        self.outgoing
    }
}

/// A submit that the SMSC may have.
pub(super) struct FullyWritten<'a> {
    outgoing: Outgoing,
    reference: Option<u16>,
    /// When its last byte was written.
    at: Timestamp,
    report: Permit<'a, DeliveryReport>,
}

impl FullyWritten<'_> {
    /// When its last byte was written.
    pub(super) fn at(&self) -> Timestamp {
        self.at
    }

    /// Which send it is.
    pub(super) fn sent(&self) -> Sent {
        Sent::of(&self.outgoing.item)
    }

    /// Its `user_message_reference`, if it has one.
    pub(super) fn reference(&self) -> Option<u16> {
        self.reference
    }

    /// The submit as it was taken from the queue.
    pub(super) fn outgoing(&self) -> &Outgoing {
        &self.outgoing
    }

    /// The SMSC took it; `delivery` is what is known of it by now.
    pub(super) fn accepted(self, delivery: Delivery) {
        self.settle(delivery);
    }

    /// The SMSC refused it for good.
    pub(super) fn rejected(self) -> Sent {
        self.settle(Delivery::Rejected)
    }

    /// Nobody knows whether the SMSC took it.
    pub(super) fn in_doubt(self) -> Sent {
        self.settle(Delivery::Unknown)
    }

    /// The SMSC has not taken it.
    pub(super) fn take_back(self, _: NotTaken) -> Outgoing {
        self.outgoing
    }

    fn settle(self, delivery: Delivery) -> Sent {
        let sent = self.sent();
        self.report.send(sent.report(delivery));
        sent
    }
}

/// The submits of one session.
#[derive(Default)]
pub(super) struct Submits<'a> {
    /// In the order of their bytes.
    in_write_buffer: VecDeque<InWriteBuffer<'a>>,
    written: HashMap<SequenceNumber, FullyWritten<'a>>,
    /// Not later than the oldest of `written`.
    oldest: Option<Timestamp>,
    /// Those that were given up, for a late answer.
    unanswered: HashMap<SequenceNumber, Sent>,
    /// In the order in which they were given up.
    unanswered_order: VecDeque<SequenceNumber>,
}

impl<'a> Submits<'a> {
    /// How many wait for their answer; what the window bounds.
    pub(super) fn in_flight(&self) -> usize {
        self.in_write_buffer.len() + self.written.len()
    }

    /// Whether an answer with this number could be taken for another's.
    pub(super) fn uses(&self, sequence: SequenceNumber) -> bool {
        self.written.contains_key(&sequence)
            || self.unanswered.contains_key(&sequence)
            // At most a buffer's worth, and numbers come round after 2^31: the last one is enough.
            || self.in_write_buffer.back().is_some_and(|submit| submit.encoded.sequence == sequence)
    }

    pub(super) fn push(&mut self, submit: InWriteBuffer<'a>) {
        self.in_write_buffer.push_back(submit);
    }

    /// The session has written `total` bytes by now. Returns how many submits are newly written in full.
    pub(super) fn wrote(&mut self, total: u64, now: Timestamp) -> u64 {
        let mut count = 0;
        while let Some(submit) = self.in_write_buffer.pop_front_if(|submit| submit.encoded.end <= total) {
            self.written.insert(submit.encoded.sequence, submit.written(now));
            self.oldest.get_or_insert(now);
            count += 1;
        }
        count
    }

    /// Since when the first that is not written in full has waited for the socket.
    pub(super) fn waiting_since(&self) -> Option<Timestamp> {
        self.in_write_buffer.front().map(|submit| submit.encoded.at)
    }

    /// Whether the SMSC has answered everything that it may have got.
    pub(super) fn all_answered(&self) -> bool {
        self.in_write_buffer.is_empty() && self.written.is_empty() && self.unanswered.is_empty()
    }

    /// The submit that the SMSC has answered.
    pub(super) fn answered(&mut self, sequence: SequenceNumber) -> Option<FullyWritten<'a>> {
        self.written.remove(&sequence)
    }

    /// The submit that was given up and is answered after all.
    pub(super) fn answered_late(&mut self, sequence: SequenceNumber) -> Option<Sent> {
        self.unanswered.remove(&sequence)
    }

    /// When to call [`Self::give_up`]. It may be too early, never too late.
    pub(super) fn due(&self, timeout: Duration) -> Option<Timestamp> {
        self.oldest.map(|oldest| oldest.plus(timeout))
    }

    /// Gives up the submits written `timeout` ago or earlier; `in_doubt` reports each as in doubt.
    // Looks at the whole window, but once in a timeout: the next one is not due before the oldest left.
    pub(super) fn give_up(
        &mut self,
        now: Timestamp,
        timeout: Duration,
        mut in_doubt: impl FnMut(FullyWritten<'a>) -> Sent,
    ) {
        let overdue = self.written.extract_if(|_, submit| now.since(submit.at) >= timeout);
        for (sequence, submit) in overdue {
            let sent = in_doubt(submit);
            self.unanswered.insert(sequence, sent);
            self.unanswered_order.push_back(sequence);
        }
        self.oldest = self.written.values().map(FullyWritten::at).min();
        while self.unanswered_order.len() > UNANSWERED_MAX {
            if let Some(forgotten) = self.unanswered_order.pop_front() {
                self.unanswered.remove(&forgotten);
            }
        }
    }

    /// Ends the session: `in_doubt` reports what was written in full as in doubt; the rest comes back in its order.
    pub(super) fn end(self, in_doubt: impl FnMut(FullyWritten<'a>), mut not_written: impl FnMut(Outgoing)) {
        self.written.into_values().for_each(in_doubt);
        self.in_write_buffer.into_iter().map(InWriteBuffer::take_back).for_each(&mut not_written);
    }
}
