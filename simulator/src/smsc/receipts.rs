//! Delivery receipts: made when a submit is accepted, carried to a session
//! that receives, followed until the ESME has answered.
//!
//! ```text
//! submit ─► waiting ─(due)─► in flight ─► acknowledged
//!              ▲                │  └────► refused for good, or never answered: failed
//!              └── a while ─────┘ refused for now
//!
//! the session ends, or cannot receive ─► held ─► the next session that receives
//! ```

use crate::inbox::{Address, Message, MessageId, ReceiptState};
use crate::metrics::Metrics;
use smpp::codec;
use smpp::pdu::{self, Body, EsmClass, Npi, Pdu, SequenceNumber, Ton};
use smpp::receipt::MessageState;
use smpp::status::CommandStatus;
use smpp::time::CalendarTime;
use smpp::tlv::{Tag, TlvBuffer};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::Notify;

/// Receipts that one session may have waiting: three seconds at 20,000 submits
/// a second. Beyond, submits that ask for one are refused.
///
/// Some 7 MB, and at most 11 MB more for the records of messages that the inbox
/// has dropped meanwhile; their texts are gone.
pub(super) const WAITING_MAX: usize = 65_536;

/// Receipts that may wait for a session that receives; beyond, the oldest are
/// given up.
const HELD_MAX: usize = 65_536;

/// Receipts that a session takes over at a time, so that the lock is short.
const TAKEN_AT_ONCE: usize = 256;

/// How often a receipt is sent that the ESME refuses for now.
const ATTEMPTS_MAX: u8 = 3;

/// Before a receipt that was refused for now is sent again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Sender or handset, as the submit wrote it.
#[derive(Clone, Copy)]
pub(super) struct Party {
    pub(super) ton: Ton,
    pub(super) npi: Npi,
    pub(super) address: Address,
}

impl Party {
    fn as_smpp(&self) -> pdu::Address<'_> {
        pdu::Address { ton: self.ton, npi: self.npi, digits: self.address.as_bytes() }
    }
}

/// What became of one submit, to be told to its sender.
pub(super) struct Receipt {
    pub(super) id: MessageId,
    pub(super) from: Party,
    pub(super) to: Party,
    pub(super) submitted: SystemTime,
    pub(super) done: SystemTime,
    pub(super) state: MessageState,
    /// Not sent before.
    pub(super) due: Instant,
    pub(super) attempts: u8,
    /// The message whose receipt this is, for as long as the inbox, or one of
    /// its readers, keeps it; of none that was never shown.
    pub(super) message: Weak<Message>,
}

impl Receipt {
    fn settle(&self, state: ReceiptState) {
        if let Some(message) = self.message.upgrade() {
            message.set_receipt(state);
        }
    }

    /// Appends the receipt as deliver_sm, from the handset to the sender.
    fn write(&self, sequence: SequenceNumber, scratch: &mut Scratch, out: &mut Vec<u8>) {
        let id = self.id.to_hex();
        let delivered = self.state == MessageState::DELIVERED;
        scratch.text.clear();
        smpp::receipt::Receipt {
            id: &id,
            sub: Some(1),
            dlvrd: Some(u16::from(delivered)),
            submit_date: Some(calendar(self.submitted)),
            done_date: Some(calendar(self.done)),
            state: Some(self.state),
            err: b"000",
            // The message's beginning would come here: a code has no business
            // in a receipt.
            text: b"",
            ..smpp::receipt::Receipt::default()
        }
        .write_text(&mut scratch.text);
        scratch.tlvs.clear();
        scratch
            .tlvs
            .push_c_octets(Tag::RECEIPTED_MESSAGE_ID, &id)
            .expect("sixteen digits fit a TLV")
            .push_u8(Tag::MESSAGE_STATE, self.state.0);
        let deliver = pdu::DeliverSm {
            source: self.to.as_smpp(),
            destination: self.from.as_smpp(),
            esm_class: EsmClass::RECEIPT,
            short_message: &scratch.text,
            tlvs: scratch.tlvs.as_tlvs(),
            ..pdu::DeliverSm::default()
        };
        codec::encode(&Pdu::new(sequence, Body::DeliverSm(deliver)), out)
            .expect("addresses are short printable ASCII, and the text is short");
    }
}

fn calendar(time: SystemTime) -> CalendarTime {
    let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    CalendarTime::from_unix_seconds(i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX))
}

/// Room for one receipt's text and parameters, used again for each.
#[derive(Default)]
struct Scratch {
    text: Vec<u8>,
    tlvs: TlvBuffer,
}

struct InFlight {
    sequence: SequenceNumber,
    sent: Instant,
    receipt: Receipt,
}

/// The receipts of one session. Every queue is in the order of its instants.
pub(super) struct Deliveries {
    metrics: Arc<Metrics>,
    /// Receipts that may be unanswered at a time.
    window: usize,
    response_timeout: Duration,
    waiting: VecDeque<Receipt>,
    retries: VecDeque<Receipt>,
    in_flight: VecDeque<InFlight>,
    scratch: Scratch,
}

impl Deliveries {
    pub(super) fn new(metrics: Arc<Metrics>, window: usize, response_timeout: Duration) -> Self {
        Self {
            metrics,
            window,
            response_timeout,
            waiting: VecDeque::new(),
            retries: VecDeque::new(),
            in_flight: VecDeque::new(),
            scratch: Scratch::default(),
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() + self.retries.len() >= WAITING_MAX
    }

    pub(super) fn add(&mut self, receipt: Receipt) {
        // At the back, unless the latency has become shorter.
        let at = self.waiting.partition_point(|waiting| waiting.due <= receipt.due);
        self.waiting.insert(at, receipt);
    }

    /// Takes over the receipts that no session could carry, as many as there is
    /// room for.
    pub(super) fn take_over(&mut self, held: &Held) {
        let last = self.waiting.len().saturating_sub(1);
        while !self.is_full() && !held.is_empty() {
            let room = WAITING_MAX.saturating_sub(self.waiting.len() + self.retries.len());
            held.take(TAKEN_AT_ONCE.min(room), &mut self.waiting);
        }
        // Some may have been due long ago.
        if !self.waiting.range(last..).is_sorted_by_key(|receipt| receipt.due) {
            self.waiting.make_contiguous().sort_by_key(|receipt| receipt.due);
        }
    }

    /// When there is something to do: a receipt to send, if the window has room
    /// for it, or an answer that did not come.
    pub(super) fn due(&self) -> Option<Instant> {
        let unanswered = self.in_flight.front().map(|first| first.sent + self.response_timeout);
        if self.in_flight.len() >= self.window {
            return unanswered;
        }
        let next =
            [self.waiting.front(), self.retries.front()].into_iter().flatten().map(|receipt| receipt.due);
        next.chain(unanswered).min()
    }

    /// Gives up what was not answered in time.
    pub(super) fn give_up_unanswered(&mut self, now: Instant) {
        while self.in_flight.front().is_some_and(|first| first.sent + self.response_timeout <= now) {
            let Some(first) = self.in_flight.pop_front() else {
                return;
            };
            first.receipt.settle(ReceiptState::Failed);
            self.metrics.receipts_unanswered.inc();
        }
    }

    /// Appends what is due and the window has room for, until `out` has
    /// `out_bytes_max`.
    pub(super) fn send(
        &mut self,
        now: Instant,
        out_bytes_max: usize,
        next: &mut SequenceNumber,
        out: &mut Vec<u8>,
    ) {
        let mut sent = 0;
        while self.in_flight.len() < self.window && out.len() < out_bytes_max {
            let Some(receipt) = pop_due(&mut self.retries, now).or_else(|| pop_due(&mut self.waiting, now))
            else {
                break;
            };
            let sequence = *next;
            *next = sequence.next();
            receipt.write(sequence, &mut self.scratch, out);
            self.in_flight.push_back(InFlight { sequence, sent: now, receipt });
            sent += 1;
        }
        if sent > 0 {
            self.metrics.receipts_sent.inc_by(sent);
        }
    }

    /// Takes an answer in. `false` if nothing with this number is in flight.
    ///
    /// ESMEs mostly answer in order, which makes this a look at the front.
    pub(super) fn answered(&mut self, sequence: SequenceNumber, status: CommandStatus, now: Instant) -> bool {
        let Some(at) = self.in_flight.iter().position(|sent| sent.sequence == sequence) else {
            return false;
        };
        let Some(InFlight { mut receipt, .. }) = self.in_flight.remove(at) else {
            return false;
        };
        if status.is_ok() {
            receipt.settle(ReceiptState::Acknowledged);
            self.metrics.receipts_acknowledged.inc();
            return true;
        }
        self.metrics.receipts_refused.inc();
        receipt.attempts += 1;
        if is_temporary(status) && receipt.attempts < ATTEMPTS_MAX {
            receipt.due = now + RETRY_AFTER;
            self.retries.push_back(receipt);
        } else {
            receipt.settle(ReceiptState::Failed);
        }
        true
    }

    /// Leaves what was not answered to the next session that receives.
    pub(super) fn hand_over(&mut self, held: &Held) {
        let in_flight = std::mem::take(&mut self.in_flight).into_iter().map(|sent| sent.receipt);
        let left = in_flight.chain(self.retries.drain(..)).chain(self.waiting.drain(..));
        held.put(left, &self.metrics);
    }
}

/// Whether the ESME may take the receipt later.
fn is_temporary(status: CommandStatus) -> bool {
    matches!(
        status,
        CommandStatus::ESME_RX_T_APPN | CommandStatus::ESME_RTHROTTLED | CommandStatus::ESME_RMSGQFUL
    )
}

fn pop_due(queue: &mut VecDeque<Receipt>, now: Instant) -> Option<Receipt> {
    queue.pop_front_if(|receipt| receipt.due <= now)
}

/// Receipts that wait for a session that receives, in the order they came.
#[derive(Default)]
pub(super) struct Held {
    queue: Mutex<VecDeque<Receipt>>,
    /// The queue's length, to be looked at without the lock.
    length: AtomicUsize,
    arrived: Notify,
}

impl Held {
    /// Something may have come, for one of the sessions that wait.
    pub(super) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    pub(super) fn is_empty(&self) -> bool {
        // Only a hint: whoever puts something in notifies afterwards.
        self.length.load(Ordering::Acquire) == 0
    }

    /// Keeps receipts, the newest [`HELD_MAX`] of all.
    pub(super) fn put(&self, receipts: impl Iterator<Item = Receipt>, metrics: &Metrics) {
        let mut queue = self.queue();
        for receipt in receipts {
            if queue.len() >= HELD_MAX
                && let Some(oldest) = queue.pop_front()
            {
                oldest.settle(ReceiptState::Failed);
                metrics.receipts_dropped.inc();
            }
            queue.push_back(receipt);
        }
        self.length.store(queue.len(), Ordering::Release);
        let any = !queue.is_empty();
        drop(queue);
        if any {
            self.arrived.notify_one();
        }
    }

    fn take(&self, count: usize, into: &mut VecDeque<Receipt>) {
        let mut queue = self.queue();
        let count = count.min(queue.len());
        into.extend(queue.drain(..count));
        self.length.store(queue.len(), Ordering::Release);
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<Receipt>> {
        // Nothing in this module panics while it holds the lock.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    const TIMEOUT: Duration = Duration::from_secs(10);

    fn receipt(id: u64, due: Instant) -> Receipt {
        let party = |octets: &[u8]| Party {
            ton: Ton::INTERNATIONAL,
            npi: Npi::ISDN,
            address: Address::new(octets).unwrap(),
        };
        Receipt {
            id: MessageId::new(id),
            from: party(b"BANK"),
            to: party(b"628120001234"),
            submitted: SystemTime::UNIX_EPOCH,
            done: SystemTime::UNIX_EPOCH,
            state: MessageState::DELIVERED,
            due,
            attempts: 0,
            message: Weak::new(),
        }
    }

    fn deliveries(window: usize) -> Deliveries {
        Deliveries::new(Arc::new(Metrics::new()), window, TIMEOUT)
    }

    /// What is sent at `now`, as sequence numbers and message ids.
    fn sent(deliveries: &mut Deliveries, now: Instant, next: &mut SequenceNumber) -> Vec<(u32, String)> {
        let mut out = Vec::new();
        deliveries.send(now, usize::MAX, next, &mut out);
        let mut rest = out.as_slice();
        let mut seen = Vec::new();
        while let Some(frame) = smpp::frame::cut(rest, 4_096).unwrap() {
            rest = &rest[frame.len()..];
            let pdu = codec::decode(frame).unwrap().pdu;
            let Body::DeliverSm(deliver) = pdu.body else { panic!("{pdu:?}") };
            let receipt = smpp::receipt::Receipt::parse(&deliver).unwrap();
            seen.push((pdu.sequence.0, String::from_utf8(receipt.id.to_vec()).unwrap()));
        }
        seen
    }

    #[test]
    fn a_receipt_is_sent_when_it_is_due_and_the_window_has_room() {
        let (mut deliveries, now) = (deliveries(1), clock::now());
        let mut next = SequenceNumber::FIRST;
        let later = now + Duration::from_secs(1);
        deliveries.add(receipt(1, now));
        deliveries.add(receipt(2, later));
        assert_eq!(sent(&mut deliveries, now, &mut next), [(1, format!("{:016x}", 1))]);
        assert_eq!(deliveries.due(), Some(now + TIMEOUT), "the window is full");
        assert!(deliveries.answered(SequenceNumber(1), CommandStatus::ESME_ROK, now));
        assert_eq!(deliveries.due(), Some(later));
        assert!(sent(&mut deliveries, now, &mut next).is_empty());
        assert_eq!(sent(&mut deliveries, later, &mut next).len(), 1);
    }

    #[test]
    fn an_answer_to_nothing_is_told() {
        let (mut deliveries, now) = (deliveries(1), clock::now());
        assert!(!deliveries.answered(SequenceNumber(7), CommandStatus::ESME_ROK, now));
    }

    #[test]
    fn a_receipt_refused_for_now_is_sent_three_times_and_no_more() {
        let (mut deliveries, mut now) = (deliveries(5), clock::now());
        let mut next = SequenceNumber::FIRST;
        deliveries.add(receipt(1, now));
        for attempt in 1..=3 {
            assert_eq!(sent(&mut deliveries, now, &mut next).len(), 1, "attempt {attempt}");
            assert!(deliveries.answered(SequenceNumber(attempt), CommandStatus::ESME_RX_T_APPN, now));
            assert!(sent(&mut deliveries, now, &mut next).is_empty());
            now += RETRY_AFTER;
        }
        assert!(sent(&mut deliveries, now, &mut next).is_empty());
        assert_eq!(deliveries.due(), None);
    }

    #[test]
    fn a_receipt_that_is_not_answered_frees_its_place() {
        let (mut deliveries, now) = (deliveries(1), clock::now());
        let mut next = SequenceNumber::FIRST;
        deliveries.add(receipt(1, now));
        deliveries.add(receipt(2, now));
        assert_eq!(sent(&mut deliveries, now, &mut next).len(), 1);
        deliveries.give_up_unanswered(now + TIMEOUT);
        assert_eq!(sent(&mut deliveries, now + TIMEOUT, &mut next).len(), 1);
        assert_eq!(deliveries.metrics.receipts_unanswered.get(), 1);
    }

    #[test]
    fn what_a_session_leaves_behind_the_next_one_sends() {
        let (mut first, now) = (deliveries(1), clock::now());
        let mut next = SequenceNumber::FIRST;
        let held = Held::default();
        first.add(receipt(1, now));
        first.add(receipt(2, now));
        assert_eq!(sent(&mut first, now, &mut next).len(), 1);
        first.hand_over(&held);
        let mut second = deliveries(9);
        second.take_over(&held);
        let ids: Vec<_> = sent(&mut second, now, &mut next).into_iter().map(|(_, id)| id).collect();
        assert_eq!(ids, [format!("{:016x}", 1), format!("{:016x}", 2)]);
        assert!(held.is_empty());
    }

    #[test]
    fn held_receipts_are_bounded_and_the_oldest_go() {
        let (held, metrics, now) = (Held::default(), Metrics::new(), clock::now());
        held.put((0..HELD_MAX as u64 + 2).map(|id| receipt(id, now)), &metrics);
        assert_eq!(metrics.receipts_dropped.get(), 2);
        let mut deliveries = deliveries(1);
        deliveries.take_over(&held);
        assert_eq!(deliveries.waiting.front().unwrap().id, MessageId::new(2));
        assert_eq!(deliveries.waiting.len(), HELD_MAX);
    }

    #[test]
    fn receipts_go_when_they_are_due_whatever_came_before_them() {
        let (mut deliveries, now) = (deliveries(9), clock::now());
        let (mut next, held, metrics) = (SequenceNumber::FIRST, Held::default(), Metrics::new());
        let later = now + Duration::from_secs(60);
        deliveries.add(receipt(1, later));
        held.put([receipt(2, later), receipt(3, now)].into_iter(), &metrics);
        deliveries.take_over(&held);
        deliveries.add(receipt(4, now));
        let mut ids =
            |at| sent(&mut deliveries, at, &mut next).into_iter().map(|(_, id)| id).collect::<Vec<_>>();
        assert_eq!(ids(now), [3, 4].map(|id| format!("{id:016x}")));
        assert_eq!(ids(later), [1, 2].map(|id| format!("{id:016x}")));
    }
}
