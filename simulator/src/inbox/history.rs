//! The receipts that were sent for a message.

use std::time::SystemTime;

use arrayvec::ArrayVec;
use serde::Serialize;
use smpp::pdu::MessageState;

/// Receipts that a message remembers; later ones are only counted in the metrics.
const RECEIPTS_MAX: usize = 8;

/// What became of one receipt that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptOutcome {
    /// Not answered yet.
    Sent,
    /// Answered with status 0.
    Acknowledged,
    /// Answered with another status.
    Refused,
    /// Not answered in time.
    Unanswered,
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

/// The receipts that were sent for a message, each at a place of its own.
#[derive(Debug, Default)]
pub(super) struct History(ArrayVec<ReceiptSent, RECEIPTS_MAX>);

impl History {
    /// Takes a place for a receipt, or writes it into its old one. `None` when all are taken.
    pub(super) fn sent(
        &mut self,
        place: Option<usize>,
        state: MessageState,
        time: SystemTime,
    ) -> Option<usize> {
        let sent = ReceiptSent { state, time, outcome: ReceiptOutcome::Sent };
        if let Some(place) = place {
            self.0[place] = sent;
            return Some(place);
        }
        self.0.try_push(sent).ok().map(|()| self.0.len() - 1)
    }

    pub(super) fn settled(&mut self, place: usize, outcome: ReceiptOutcome) {
        self.0[place].outcome = outcome;
    }

    pub(super) fn list(&self) -> Vec<ReceiptSent> {
        self.0.to_vec()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn receipts_are_remembered_up_to_a_bound() {
        let mut history = History::default();
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_500);
        let first = history.sent(None, MessageState::ACCEPTED, time).unwrap();
        for _ in 1..RECEIPTS_MAX {
            assert!(history.sent(None, MessageState::DELIVERED, time).is_some());
        }
        assert_eq!(history.sent(None, MessageState::DELIVERED, time), None);
        history.settled(first, ReceiptOutcome::Acknowledged);
        let list = history.list();
        assert_eq!(list.len(), RECEIPTS_MAX);
        let expected =
            ReceiptSent { state: MessageState::ACCEPTED, time, outcome: ReceiptOutcome::Acknowledged };
        assert_eq!(list[0], expected);
        assert_eq!(history.sent(Some(first), MessageState::ACCEPTED, time), Some(first), "sent again");
        assert_eq!(history.list()[0].outcome, ReceiptOutcome::Sent);
    }
}
