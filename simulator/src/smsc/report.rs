//! Which receipts one submit has, and when each is due.

use std::sync::Weak;
use std::time::{Instant, SystemTime};

use super::delivery::Delivery;
use super::receipt::{Receipt, Submitted};
use crate::behavior::{Draw, Stat, Stream};
use crate::inbox::Message;

/// Which outcomes a sender wants to be informed of (SMPP 3.4, 5.2.17).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    None,
    Any,
    Failure,
}

impl Wanted {
    pub(super) const fn by(registered_delivery: u8) -> Self {
        match registered_delivery & 0b11 {
            1 => Self::Any,
            2 => Self::Failure,
            _ => Self::None,
        }
    }

    fn includes(self, stat: Stat) -> bool {
        match self {
            Self::None => false,
            Self::Any => true,
            Self::Failure => stat.is_failure(),
        }
    }
}

/// What the receipts of one submit have in common.
#[derive(Clone)]
pub(super) struct Report {
    pub(super) submitted: Submitted,
    pub(super) wanted: Wanted,
    pub(super) draw: Draw,
}

impl Report {
    /// The receipts for these states, in order, the first a delay after `since`. `message` is what the inbox
    /// shows, if it does.
    pub(super) fn receipts<'a>(
        &'a self,
        states: &'a [Stat],
        done: SystemTime,
        since: Instant,
        message: &'a Weak<Message>,
    ) -> impl Iterator<Item = Delivery> + 'a {
        let settings = &self.submitted.treatment.receipts;
        let mut due = since;
        let wanted = (0_u16..).zip(states).filter(|(_, stat)| self.wanted.includes(**stat));
        wanted.flat_map(move |(number, stat)| {
            due += settings.delay.draw(self.draw, Stream::ReceiptDelay(number));
            let due = due;
            (0..settings.copies).map(move |_| {
                let (submitted, message) = (self.submitted.clone(), message.clone());
                Delivery::of_receipt(due, Receipt { submitted, done, stat: *stat, message, place: None })
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::receipt::tests::submitted;
    use super::*;
    use crate::clock;

    #[test]
    fn every_state_has_its_receipt_a_delay_after_the_one_before_and_copies() {
        let toml = "receipts = { states = [\"ACCEPTD\", \"UNDELIV\"], copies = 2, delay = \"5s\" }";
        let report = Report { submitted: submitted(1, toml), wanted: Wanted::Any, draw: Draw::NONE };
        let (now, nowhere) = (clock::now(), Weak::new());
        let states = report.submitted.treatment.receipts.states.words().to_vec();
        let dues = |wanted| {
            let report = Report { wanted, ..report.clone() };
            let receipts = report.receipts(&states, SystemTime::UNIX_EPOCH, now, &nowhere);
            receipts.map(|delivery| delivery.due - now).collect::<Vec<_>>()
        };
        assert_eq!(dues(Wanted::Any), [5, 5, 10, 10].map(Duration::from_secs));
        assert_eq!(dues(Wanted::Failure).len(), 2);
        assert!(dues(Wanted::None).is_empty());
    }
}
