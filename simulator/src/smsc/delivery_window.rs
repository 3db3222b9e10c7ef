//! The deliveries of one session, followed until the ESME has answered.
//!
//! ```text
//! submit ─► waiting ─(due)─► in flight ─► acknowledged
//!              ▲                │  └────► refused permanently, or not answered in time: failed
//!              └── a while ─────┘ refused for now
//!
//! the session ends, or does not receive ─► mailbox of another ─► waiting
//!                                      └─► held, when there is none, for the next one
//! ```

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use smpp::pdu::SequenceNumber;
use smpp::status::CommandStatus;

use super::agenda::Agenda;
use super::delivery::Delivery;
use super::faults;
use super::mailbox::WAITING_MAX;
use super::receipt::Scratch;
use super::sequence::Sequence;
use crate::behavior::Malformed;
use crate::clock::Moment;
use crate::inbox::ReceiptOutcome;
use crate::metrics::Metrics;

/// How often a delivery is sent that the ESME refuses for now.
const ATTEMPTS_MAX: u8 = 3;

/// Before a delivery that was refused for now is sent again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

struct InFlight {
    sequence: SequenceNumber,
    sent: Instant,
    delivery: Delivery,
}

pub(super) struct DeliveryWindow {
    metrics: Arc<Metrics>,
    /// Deliveries that may be unanswered at a time.
    size: usize,
    response_timeout: Duration,
    waiting: Agenda<Delivery>,
    /// In the order they were sent.
    in_flight: VecDeque<InFlight>,
    scratch: Scratch,
}

impl DeliveryWindow {
    pub(super) fn new(metrics: Arc<Metrics>, size: usize, response_timeout: Duration) -> Self {
        Self {
            metrics,
            size,
            response_timeout,
            waiting: Agenda::default(),
            in_flight: VecDeque::new(),
            scratch: Scratch::default(),
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.room() == 0
    }

    /// How many more may wait.
    pub(super) fn room(&self) -> usize {
        WAITING_MAX.saturating_sub(self.waiting.len())
    }

    pub(super) fn add(&mut self, delivery: Delivery) {
        self.waiting.add(delivery.due, delivery);
    }

    /// When there is something to do: a delivery to send, if the window has room for it, or an answer that
    /// did not come.
    pub(super) fn due(&self) -> Option<Instant> {
        let unanswered = self.in_flight.front().map(|first| first.sent + self.response_timeout);
        if self.in_flight.len() >= self.size {
            return unanswered;
        }
        self.waiting.due().into_iter().chain(unanswered).min()
    }

    /// Gives up what was not answered in time.
    pub(super) fn give_up_unanswered(&mut self, at: &Moment) {
        let timeout = self.response_timeout;
        while let Some(first) = self.in_flight.pop_front_if(|first| first.sent + timeout <= at.now) {
            first.delivery.settle(ReceiptOutcome::Unanswered, at.wall);
            self.metrics.receipts.unanswered.inc();
        }
    }

    /// Appends what is due and the window has room for, until `out` has `out_bytes_max`.
    pub(super) fn send(
        &mut self,
        at: &Moment,
        out_bytes_max: usize,
        sequence: &mut Sequence,
        out: &mut Vec<u8>,
    ) {
        while self.in_flight.len() < self.size && out.len() < out_bytes_max {
            let Some(mut delivery) = self.waiting.pop_due(at.now) else {
                break;
            };
            let number = sequence.take();
            let start = out.len();
            delivery.write(number, &mut self.scratch, out);
            let malformed = delivery.malformed();
            if malformed != Malformed::No {
                self.metrics.faults.malformed.inc();
                faults::spoil(malformed, start, sequence.take(), out);
            }
            delivery.sent(at.wall);
            self.in_flight.push_back(InFlight { sequence: number, sent: at.now, delivery });
            self.metrics.receipts.sent.inc();
        }
    }

    /// Takes an answer in. `false` if nothing with this number is in flight.
    ///
    /// ESMEs mostly answer in order, which makes this a look at the front.
    pub(super) fn answered(&mut self, sequence: SequenceNumber, status: CommandStatus, at: &Moment) -> bool {
        let place = self.in_flight.iter().position(|sent| sent.sequence == sequence);
        let Some(InFlight { mut delivery, .. }) = place.and_then(|place| self.in_flight.remove(place)) else {
            return false;
        };
        if status.is_ok() {
            delivery.settle(ReceiptOutcome::Acknowledged, at.wall);
            self.metrics.receipts.acknowledged.inc();
            return true;
        }
        self.metrics.receipts.refused.inc();
        delivery.settle(ReceiptOutcome::Refused, at.wall);
        delivery.refused += 1;
        if is_temporary(status) && delivery.refused < ATTEMPTS_MAX {
            delivery.due = at.now + RETRY_AFTER;
            self.add(delivery);
        }
        true
    }

    /// What was not answered, in flight first.
    pub(super) fn leave(&mut self) -> impl Iterator<Item = Delivery> + use<> {
        let in_flight = std::mem::take(&mut self.in_flight).into_iter().map(|sent| sent.delivery);
        let mut waiting = std::mem::take(&mut self.waiting);
        in_flight.chain(std::iter::from_fn(move || waiting.pop()))
    }
}

/// Whether the ESME may take the delivery later.
fn is_temporary(status: CommandStatus) -> bool {
    matches!(
        status,
        CommandStatus::ESME_RX_T_APPN | CommandStatus::ESME_RTHROTTLED | CommandStatus::ESME_RMSGQFUL
    )
}

#[cfg(test)]
mod tests {
    use smpp::codec;
    use smpp::pdu::Body;

    use super::super::delivery::tests::receipt;
    use super::*;
    use crate::clock;

    const TIMEOUT: Duration = Duration::from_secs(10);

    /// A window, and the sequence numbers of its session.
    struct Session {
        window: DeliveryWindow,
        sequence: Sequence,
    }

    fn session(size: usize) -> Session {
        let window = DeliveryWindow::new(Arc::new(Metrics::new()), size, TIMEOUT);
        Session { window, sequence: Sequence::default() }
    }

    impl Session {
        fn add(&mut self, id: u64, due: Instant) {
            self.window.add(receipt(id, due));
        }

        fn answered(&mut self, sequence: u32, status: CommandStatus, now: Instant) -> bool {
            self.window.answered(SequenceNumber(sequence), status, &at(now))
        }

        /// What is sent at `now`, as sequence numbers and message ids.
        fn sent(&mut self, now: Instant) -> Vec<(u32, String)> {
            let (mut out, mut sent) = (Vec::new(), Vec::new());
            self.window.send(&at(now), usize::MAX, &mut self.sequence, &mut out);
            let mut rest = out.as_slice();
            while let Some(frame) = smpp::frame::cut(rest, 4_096).unwrap() {
                rest = &rest[frame.len()..];
                let pdu = codec::decode(frame).unwrap().pdu;
                let Body::DeliverSm(deliver) = pdu.body else { panic!("{pdu:?}") };
                let receipt = smpp::receipt::Receipt::parse(&deliver).unwrap();
                sent.push((pdu.sequence.0, String::from_utf8(receipt.id.to_vec()).unwrap()));
            }
            sent
        }
    }

    fn at(now: Instant) -> Moment {
        Moment { now, wall: clock::wall() }
    }

    #[test]
    fn a_receipt_is_sent_when_it_is_due_and_the_window_has_room() {
        let (mut session, now) = (session(1), clock::now());
        let later = now + Duration::from_secs(1);
        session.add(1, now);
        session.add(2, later);
        assert_eq!(session.sent(now), [(1, format!("{:016x}", 1))]);
        assert_eq!(session.window.due(), Some(now + TIMEOUT), "the window is full");
        assert!(session.answered(1, CommandStatus::ESME_ROK, now));
        assert_eq!(session.window.due(), Some(later));
        assert!(session.sent(now).is_empty());
        assert_eq!(session.sent(later).len(), 1);
    }

    #[test]
    fn an_answer_to_nothing_is_reported() {
        assert!(!session(1).answered(7, CommandStatus::ESME_ROK, clock::now()));
    }

    #[test]
    fn d7_a_receipt_refused_for_now_is_sent_three_times_and_no_more() {
        let (mut session, mut now) = (session(5), clock::now());
        session.add(1, now);
        for attempt in 1..=3 {
            assert_eq!(session.sent(now).len(), 1, "attempt {attempt}");
            assert!(session.answered(attempt, CommandStatus::ESME_RX_T_APPN, now));
            assert!(session.sent(now).is_empty());
            now += RETRY_AFTER;
        }
        assert!(session.sent(now).is_empty());
        assert_eq!(session.window.due(), None);
    }

    #[test]
    fn a_receipt_that_is_not_answered_frees_its_place() {
        let (mut session, now) = (session(1), clock::now());
        session.add(1, now);
        session.add(2, now);
        assert_eq!(session.sent(now).len(), 1);
        session.window.give_up_unanswered(&at(now + TIMEOUT));
        assert_eq!(session.sent(now + TIMEOUT).len(), 1);
        assert_eq!(session.window.metrics.receipts.unanswered.get(), 1);
    }

    #[test]
    fn what_a_session_leaves_behind_is_first_what_was_in_flight() {
        let (mut session, now) = (session(1), clock::now());
        session.add(1, now);
        session.add(2, now);
        assert_eq!(session.sent(now).len(), 1);
        let ids: Vec<_> = session.window.leave().map(|left| left.receipt().submitted.id.value()).collect();
        assert_eq!(ids, [1, 2]);
        assert_eq!(session.window.due(), None);
    }

    #[test]
    fn receipts_go_when_they_are_due_whatever_came_before_them() {
        let (mut session, now) = (session(9), clock::now());
        let later = now + Duration::from_secs(60);
        for (id, due) in [(1, later), (2, later), (3, now), (4, now)] {
            session.add(id, due);
        }
        let mut ids = |at| session.sent(at).into_iter().map(|(_, id)| id).collect::<Vec<_>>();
        assert_eq!(ids(now), [3, 4].map(|id| format!("{id:016x}")));
        assert_eq!(ids(later), [1, 2].map(|id| format!("{id:016x}")));
    }
}
