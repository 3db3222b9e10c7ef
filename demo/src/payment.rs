//! The payments that the bank keeps while their customers confirm them.
//!
//! The page holds only a payment's id. What is paid, and to whom, is kept here, so that what the gateway is
//! asked to confirm is what the bank would execute.

use std::collections::VecDeque;
use std::fmt;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::challenge::Challenge;
use crate::details::Details;

/// Payments kept at a time. A demonstration has a few visitors; the oldest payment goes first.
pub(crate) const PAYMENTS_MAX: usize = 1_000;
/// Codes without an answer that are kept of one payment: the largest attack presents as many.
pub(crate) const UNANSWERED_MAX: usize = 64;

/// Who pays: the IDs under which the gateway knows them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct SubscriberId {
    pub(crate) corporate_id: String,
    pub(crate) user_id: String,
}

/// Proof that a payment was made: exactly what was approved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Receipt {
    #[serde(flatten)]
    pub(crate) details: Details,
    pub(crate) approved_at: String,
    pub(crate) number: String,
}

/// Why a subscriber gets no code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lock {
    Until(Instant),
    /// Until the branch acts.
    Disabled,
}

/// A code that was presented to the gateway: for which details, of which challenge, as which act.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Presented {
    pub(crate) act: u32,
    pub(crate) details: Details,
    pub(crate) challenge: String,
    pub(crate) code: String,
}

impl fmt::Debug for Presented {
    /// Without the code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented").field("act", &self.act).finish_non_exhaustive()
    }
}

/// One payment.
#[derive(Clone, Debug)]
pub(crate) struct Payment {
    /// 32 hexadecimal digits that nobody can guess.
    pub(crate) id: String,
    pub(crate) subscriber: SubscriberId,
    pub(crate) details: Details,
    /// The newest challenge that the gateway issued for it.
    pub(crate) challenge: Option<Challenge>,
    /// Counts the acts that got an answer. It is part of their idempotency keys: an act without an answer is
    /// repeated under the same key, so that nothing is done twice.
    pub(crate) act: u32,
    /// The codes that were presented and not answered, the newest last.
    pub(crate) unanswered: Vec<Presented>,
    /// Set once, when the gateway has approved it.
    pub(crate) receipt: Option<Receipt>,
    /// The subscriber's lock, as far as this payment's answers show.
    pub(crate) lock: Option<Lock>,
}

impl Payment {
    /// Keeps a code that was presented until it is answered; the oldest makes room for it.
    pub(crate) fn note(&mut self, presented: Presented, is_answered: bool) {
        self.unanswered.retain(|kept| *kept != presented);
        if is_answered {
            return;
        }
        if self.unanswered.len() == UNANSWERED_MAX {
            self.unanswered.remove(0);
        }
        self.unanswered.push(presented);
    }
}

/// The newest [`PAYMENTS_MAX`] payments.
#[derive(Debug, Default)]
pub(crate) struct Payments {
    kept: VecDeque<Payment>,
}

impl Payments {
    /// Keeps a new payment; the oldest makes room for it.
    pub(crate) fn insert(&mut self, payment: Payment) {
        if self.kept.len() == PAYMENTS_MAX {
            self.kept.pop_front();
        }
        self.kept.push_back(payment);
    }

    /// The payment with this id, if it is still kept.
    pub(crate) fn find(&mut self, id: &str) -> Option<&mut Payment> {
        self.kept.iter_mut().rev().find(|payment| payment.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::details::tests::form;

    fn payment(id: usize) -> Payment {
        Payment {
            id: id.to_string(),
            subscriber: SubscriberId { corporate_id: "NUSA01".into(), user_id: "budi".into() },
            details: Details::parse(form()).unwrap(),
            challenge: None,
            act: 0,
            unanswered: Vec::new(),
            receipt: None,
            lock: None,
        }
    }

    #[test]
    fn the_oldest_payment_makes_room_for_a_new_one() {
        let mut payments = Payments::default();
        (0..=PAYMENTS_MAX).for_each(|id| payments.insert(payment(id)));
        assert!(payments.find("0").is_none());
        assert!(payments.find("1").is_some());
        assert!(payments.find(&PAYMENTS_MAX.to_string()).is_some());
        assert_eq!(payments.kept.len(), PAYMENTS_MAX);
    }

    fn presented(act: u32) -> Presented {
        let details = Details::parse(form()).unwrap();
        Presented { act, details, challenge: "9f86".into(), code: "482913".into() }
    }

    #[test]
    fn a_code_is_kept_once_until_it_is_answered_and_the_oldest_makes_room() {
        let mut payment = payment(0);
        let newest = u32::try_from(UNANSWERED_MAX).unwrap();
        for act in (0..=newest).chain([newest]) {
            payment.note(presented(act), false);
        }
        assert_eq!(payment.unanswered.len(), UNANSWERED_MAX);
        assert!(!payment.unanswered.contains(&presented(0)));
        payment.note(presented(newest), true);
        assert!(!payment.unanswered.contains(&presented(newest)));
        assert!(payment.unanswered.contains(&presented(1)));
    }

    #[test]
    fn debug_does_not_show_the_code() {
        assert!(!format!("{:?}", presented(0)).contains("482913"));
    }
}
