//! Which delivery receipt belongs to which send, for one SMSC and all its links.
//!
//! ```text
//! response ──► accepted ◄── by exact id, else by normalised id ─────── receipt
//!                 ▲                                                    │  │
//!                 └── early ◄── of no known id: held for its response ─┘  │
//!                                                                        │
//! no answer ─► by reference ◄── user_message_reference and handset ──────┘
//! ```
//!
//! All three are bounded by count and age, and what a message's receipts have said is kept with it: a
//! repeated one, and one that comes late, changes nothing.

mod id;
mod recent;

use std::time::Duration;

use smpp::pdu::MessageState;
use smpp::receipt::Receipt;

use id::MessageId;
pub(super) use id::MessageIdForm;
use recent::Recent;

use super::DeliveryReport;
use super::outbox::Item;
use crate::clock::Timestamp;
use crate::metrics::ReceiptOutcome;
use crate::msisdn::{Ending, Msisdn};
use crate::subscriber::challenge::Delivery;
use crate::subscriber::challenge_id::ChallengeId;
use crate::subscriber::id::SubscriberId;

/// Receipts that are held until their responses come: those of the largest window.
const EARLY_MAX: usize = 10_000;
/// How long they are held: a submit is in doubt long before.
const EARLY_AGE_MAX: Duration = Duration::from_secs(120);
/// Sends that are known by their reference only. There are 2^16 references: with more sends, one would soon be
/// taken for another.
const REFERENCES_MAX: usize = 10_000;

/// One send of one challenge's SMS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    subscriber: SubscriberId,
    pub(super) challenge: ChallengeId,
    ordinal: u8,
    phone: Msisdn,
}

impl Sent {
    pub(super) fn of(item: &Item) -> Self {
        Self {
            subscriber: item.subscriber,
            challenge: item.challenge,
            ordinal: item.ordinal,
            phone: item.phone,
        }
    }

    pub(super) fn report(self, delivery: Delivery) -> DeliveryReport {
        let Self { subscriber, challenge, ordinal, phone: _ } = self;
        DeliveryReport { subscriber, challenge, ordinal, delivery }
    }
}

/// A send, and what is known of it so far.
#[derive(Clone, Copy, Debug)]
struct Known {
    sent: Sent,
    delivery: Delivery,
}

/// What a receipt says that came before its message is known, and of whom.
#[derive(Clone, Copy, Debug)]
struct Early {
    delivery: Delivery,
    handset: Handset,
}

/// The handset that a receipt is about, as far as its addresses say. It is the source, but some operators swap the
/// addresses, and some write neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Handset([Option<Ending>; 2]);

/// How well a receipt's addresses fit a handset, the best last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// They are another's.
    Other,
    /// They say nothing: the id decides.
    Unsaid,
    Same,
}

impl Handset {
    /// Neither address says anything.
    pub(super) const UNSAID: Self = Self([None; 2]);

    /// By source and destination, one of which may be our own `sender`, which says nothing.
    pub(super) fn of(addresses: [&[u8]; 2], sender: &[u8]) -> Self {
        let own = |address: &[u8]| address.strip_prefix(b"+").unwrap_or(address) == sender;
        Self(addresses.map(|address| if own(address) { None } else { Ending::of(address) }))
    }

    fn fit(&self, phone: Msisdn) -> Fit {
        match self.0 {
            [None, None] => Fit::Unsaid,
            said if said.into_iter().flatten().any(|ending| phone.ends_in(ending)) => Fit::Same,
            _ => Fit::Other,
        }
    }
}

/// Of a hundred receipts, so many that fit no handset are more than chance.
const MISMATCHES_MAX: u32 = 50;
const SAMPLE: u32 = 100;

/// How many of the last receipts of known ids fit no handset.
#[derive(Clone, Copy, Debug, Default)]
struct Mismatches {
    receipts: u32,
    mismatched: u32,
    prevail: bool,
}

impl Mismatches {
    /// Returns whether more than half of a hundred fit no handset, and did not before.
    fn count(&mut self, outcome: ReceiptOutcome) -> bool {
        self.receipts += 1;
        self.mismatched += u32::from(outcome == ReceiptOutcome::Mismatched);
        if self.receipts < SAMPLE {
            return false;
        }
        let prevail = self.mismatched > MISMATCHES_MAX;
        let before = self.prevail;
        *self = Self { prevail, ..Self::default() };
        prevail && !before
    }
}

/// A receipt as it came: which message it is about, and which handset.
#[derive(Clone, Copy, Debug)]
pub(super) struct Incoming<'a> {
    /// What it says.
    pub(super) receipt: &'a Receipt<'a>,
    pub(super) handset: Handset,
    /// Its `user_message_reference`, if it has one (SMPP 3.4 §5.3.2.17).
    pub(super) reference: Option<u16>,
}

/// What is waited for from one SMSC.
#[derive(Debug)]
pub(super) struct Receipts {
    form: MessageIdForm,
    accepted: Recent<Known>,
    /// By id.
    early: Recent<Early>,
    early_by_reference: Recent<Early>,
    by_reference: Recent<Known>,
    mismatches: Mismatches,
}

impl Receipts {
    /// Waits for the receipts of the last `count_max` accepted messages, each for `age_max`.
    pub(super) fn new(form: MessageIdForm, count_max: usize, age_max: Duration) -> Self {
        Self {
            form,
            accepted: Recent::new(count_max, age_max),
            early: Recent::new(EARLY_MAX, EARLY_AGE_MAX),
            early_by_reference: Recent::new(EARLY_MAX, EARLY_AGE_MAX),
            by_reference: Recent::new(REFERENCES_MAX, age_max),
            mismatches: Mismatches::default(),
        }
    }

    /// The SMSC took a message and calls it `id`. Returns what is known of it by now: that it is accepted,
    /// or what a receipt has said that came before. An id that is empty or too long matches no receipt.
    pub(super) fn accepted(&mut self, id: &[u8], sent: Sent, now: Timestamp) -> Delivery {
        let Some(exact) = MessageId::new(id) else { return Delivery::Accepted };
        let normalised = self.form.of_response(id);
        let delivery = match self.take_early(&exact, normalised.as_ref(), sent.phone, now) {
            Some(early) => Delivery::Accepted.then(early.delivery),
            None => Delivery::Accepted,
        };
        self.accepted.insert(exact, normalised, Known { sent, delivery }, now);
        delivery
    }

    fn take_early(
        &mut self,
        id: &MessageId,
        normalised: Option<&MessageId>,
        phone: Msisdn,
        now: Timestamp,
    ) -> Option<Early> {
        if self.early.is_empty() {
            return None;
        }
        let fit = |index: &usize| self.early.value(*index).handset.fit(phone);
        // Where a number may be in decimal here and in hexadecimal there, equal bytes may mean another.
        let least = if normalised.is_some() { Fit::Same } else { Fit::Unsaid };
        let exact = self.early.find(id, now).filter(|index| fit(index) >= least);
        let by_normalised =
            || self.early.find_normalised(normalised?, now).filter(|index| fit(index) > Fit::Other);
        let index = exact.or_else(by_normalised)?;
        let early = *self.early.value(index);
        self.early.forget(index);
        Some(early)
    }

    /// A message was sent with this `user_message_reference`, and there is no id to know its receipts by:
    /// no answer came, or one without an id. `delivery` is what is known of it; returns what is known by now,
    /// since a receipt may have come before.
    pub(super) fn expect_by_reference(
        &mut self,
        reference: u16,
        sent: Sent,
        delivery: Delivery,
        now: Timestamp,
    ) -> Delivery {
        let key = MessageId::of_reference(reference);
        let early = self.early_by_reference.find(&key, now);
        let early =
            early.filter(|index| self.early_by_reference.value(*index).handset.fit(sent.phone) == Fit::Same);
        let delivery = early.map_or(delivery, |index| {
            let early = self.early_by_reference.value(index).delivery;
            self.early_by_reference.forget(index);
            delivery.then(early)
        });
        self.by_reference.insert(key, None, Known { sent, delivery }, now);
        delivery
    }

    /// A receipt came. What it says that is new is given to `report`, which returns whether it took it.
    pub(super) fn received(
        &mut self,
        incoming: &Incoming<'_>,
        now: Timestamp,
        report: impl FnOnce(DeliveryReport) -> bool,
    ) -> ReceiptOutcome {
        let delivery = delivery(incoming.receipt.state);
        let by_id = self.find(incoming, now);
        let known = if let Some((index, Fit::Same | Fit::Unsaid)) = by_id {
            self.accepted.value_mut(index)
        } else if let Some(index) = self.find_by_reference(incoming, now) {
            self.by_reference.value_mut(index)
        } else if by_id.is_some() {
            return ReceiptOutcome::Mismatched;
        } else {
            return delivery.map_or(ReceiptOutcome::Unmatched, |delivery| self.hold(incoming, delivery, now));
        };
        let after = delivery.map_or(known.delivery, |delivery| known.delivery.then(delivery));
        if after == known.delivery {
            return ReceiptOutcome::Repeated;
        }
        if !report(known.sent.report(after)) {
            return ReceiptOutcome::Deferred;
        }
        known.delivery = after;
        ReceiptOutcome::Matched
    }

    /// The message that has one of the receipt's ids, exactly or else normalised, and whether it is of its handset: the
    /// first that is, or else the first that may be. So the handset decides where the SMSC uses an id again, or where
    /// a number in decimal looks like another message's in hexadecimal.
    fn find(&self, incoming: &Incoming<'_>, now: Timestamp) -> Option<(usize, Fit)> {
        let mut best = None;
        for id in incoming.receipt.ids() {
            let exact = MessageId::new(id).and_then(|id| self.accepted.find(&id, now));
            let normalised = || self.accepted.find_normalised(&self.form.of_receipt(id)?, now);
            for index in exact.into_iter().chain(normalised()) {
                let fit = incoming.handset.fit(self.accepted.value(index).sent.phone);
                if best.is_none_or(|(_, known)| fit > known) {
                    best = Some((index, fit));
                }
            }
        }
        best
    }

    /// Counts a receipt that was [received](Self::received). Returns whether it has turned out now that most are of
    /// other handsets than their messages.
    pub(super) fn mismatches_prevail(&mut self, outcome: ReceiptOutcome) -> bool {
        self.mismatches.count(outcome)
    }

    /// By reference, only where the handset is the right one: references are few and come round.
    fn find_by_reference(&self, incoming: &Incoming<'_>, now: Timestamp) -> Option<usize> {
        let key = MessageId::of_reference(incoming.reference?);
        let index = self.by_reference.find(&key, now)?;
        (incoming.handset.fit(self.by_reference.value(index).sent.phone) == Fit::Same).then_some(index)
    }

    /// Keeps what a receipt says under each of its ids, and under its reference, until it is known whose it
    /// is.
    fn hold(&mut self, incoming: &Incoming<'_>, delivery: Delivery, now: Timestamp) -> ReceiptOutcome {
        let mut held = ReceiptOutcome::Unmatched;
        let early = Early { delivery, handset: incoming.handset };
        if let Some(key) = incoming.reference.map(MessageId::of_reference) {
            hold(&mut self.early_by_reference, key, None, early, now);
            held = ReceiptOutcome::Held;
        }
        for id in incoming.receipt.ids() {
            let Some(exact) = MessageId::new(id) else { continue };
            hold(&mut self.early, exact, self.form.of_receipt(id), early, now);
            held = ReceiptOutcome::Held;
        }
        held
    }
}

fn hold(held: &mut Recent<Early>, id: MessageId, normalised: Option<MessageId>, new: Early, now: Timestamp) {
    match held.find(&id, now) {
        Some(index) if held.value(index).handset == new.handset => {
            let delivery = &mut held.value_mut(index).delivery;
            *delivery = delivery.then(new.delivery);
        }
        _ => held.insert(id, normalised, new, now),
    }
}

/// What a receipt says; `None` for a state that says nothing certain (SMPP 3.4 §5.2.28).
fn delivery(state: Option<MessageState>) -> Option<Delivery> {
    Some(match state? {
        MessageState::DELIVERED => Delivery::Delivered,
        MessageState::EXPIRED => Delivery::Expired,
        MessageState::DELETED | MessageState::UNDELIVERABLE => Delivery::Undelivered,
        MessageState::REJECTED => Delivery::Rejected,
        MessageState::ACCEPTED | MessageState::ENROUTE => Delivery::Accepted,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
