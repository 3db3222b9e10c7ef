//! The receipts that were sent for a message.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use serde::Serialize;
use smpp::pdu::MessageState;

/// Receipts that a message remembers; later ones are only counted in the metrics.
const RECEIPTS_MAX: usize = 8;

/// What became of one receipt that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum ReceiptOutcome {
    /// Not answered yet.
    Sent = 1,
    /// Answered with status 0.
    Acknowledged = 2,
    /// Answered with another status.
    Refused = 3,
    /// Not answered in time.
    Unanswered = 4,
}

/// One receipt that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiptSent {
    /// The state that it reported.
    pub state: MessageState,
    /// When it was sent last.
    pub time: SystemTime,
    /// What became of it.
    pub outcome: ReceiptOutcome,
}

/// The receipts that were sent for a message: a place each, written without a lock. A place is empty (0), or
/// milliseconds since the message came, the state and the outcome.
#[derive(Debug, Default)]
pub(super) struct History([AtomicU64; RECEIPTS_MAX]);

/// Which place of its message's history a receipt has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HistoryPlace(u8);

impl History {
    /// Takes a place for a receipt sent `after` the message came, or writes it into its old one. `None` when
    /// all are taken.
    ///
    /// Places publish nothing but themselves: relaxed.
    pub(super) fn sent(
        &self,
        place: Option<HistoryPlace>,
        state: MessageState,
        after: Duration,
    ) -> Option<HistoryPlace> {
        let value = pack(after, state, ReceiptOutcome::Sent);
        if let Some(HistoryPlace(at)) = place {
            self.0[usize::from(at)].store(value, Ordering::Relaxed);
            return place;
        }
        let taken = |place: &AtomicU64| {
            place.compare_exchange(0, value, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        };
        self.0.iter().position(taken).and_then(|at| u8::try_from(at).ok()).map(HistoryPlace)
    }

    pub(super) fn settled(&self, HistoryPlace(at): HistoryPlace, outcome: ReceiptOutcome) {
        let place = &self.0[usize::from(at)];
        let value = place.load(Ordering::Relaxed) & !0xFF | outcome as u64;
        place.store(value, Ordering::Relaxed);
    }

    pub(super) fn list(&self, came: SystemTime) -> Vec<ReceiptSent> {
        let values = self.0.iter().map(|place| place.load(Ordering::Relaxed));
        values.take_while(|value| *value != 0).map(|value| unpack(value, came)).collect()
    }
}

fn pack(after: Duration, state: MessageState, outcome: ReceiptOutcome) -> u64 {
    let millis = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
    millis << 16 | u64::from(state.0) << 8 | outcome as u64
}

fn unpack(value: u64, came: SystemTime) -> ReceiptSent {
    let outcome = match value & 0xFF {
        2 => ReceiptOutcome::Acknowledged,
        3 => ReceiptOutcome::Refused,
        4 => ReceiptOutcome::Unanswered,
        _ => ReceiptOutcome::Sent,
    };
    let state = MessageState(u8::try_from(value >> 8 & 0xFF).unwrap_or_default());
    ReceiptSent { state, time: came + Duration::from_millis(value >> 16), outcome }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipts_are_remembered_up_to_a_bound() {
        let (history, came) = (History::default(), SystemTime::UNIX_EPOCH);
        let after = Duration::from_millis(1_500);
        let first = history.sent(None, MessageState::ACCEPTED, after).unwrap();
        for _ in 1..RECEIPTS_MAX {
            assert!(history.sent(None, MessageState::DELIVERED, after).is_some());
        }
        assert_eq!(history.sent(None, MessageState::DELIVERED, after), None);
        history.settled(first, ReceiptOutcome::Acknowledged);
        let list = history.list(came);
        assert_eq!(list.len(), RECEIPTS_MAX);
        let expected = ReceiptSent {
            state: MessageState::ACCEPTED,
            time: came + after,
            outcome: ReceiptOutcome::Acknowledged,
        };
        assert_eq!(list[0], expected);
        assert_eq!(history.sent(Some(first), MessageState::ACCEPTED, 2 * after), Some(first), "sent again");
        assert_eq!(history.list(came)[0].outcome, ReceiptOutcome::Sent);
    }
}
