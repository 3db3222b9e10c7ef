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
use crate::msisdn::Msisdn;
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

/// What a receipt says that came before its message is known, and the handset's digits.
#[derive(Clone, Copy, Debug)]
struct Early {
    delivery: Delivery,
    handset: Option<MessageId>,
}

impl Early {
    fn is_of(&self, phone: Msisdn) -> bool {
        self.handset.is_some_and(|handset| phone.ends_like(handset.as_bytes()))
    }
}

/// A receipt as it came: which message it is about, and from which handset.
#[derive(Clone, Copy, Debug)]
pub(super) struct Incoming<'a> {
    /// What it says.
    pub(super) receipt: &'a Receipt<'a>,
    /// The digits of its source address, which is the handset's.
    pub(super) handset: &'a [u8],
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
        let by_normalised = || self.early.find_normalised(normalised?, now);
        // Where a number may be in decimal here and in hexadecimal there, equal bytes may mean another.
        let meant = |index: &usize| normalised.is_none() || self.early.value(*index).is_of(phone);
        let index = self.early.find(id, now).filter(meant).or_else(by_normalised)?;
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
        let early = early.filter(|index| self.early_by_reference.value(*index).is_of(sent.phone));
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
        let known = if let Some(index) = self.find(incoming, now) {
            self.accepted.value_mut(index)
        } else if let Some(index) = self.find_by_reference(incoming, now) {
            self.by_reference.value_mut(index)
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

    /// The first of the receipt's ids that is known, exactly or else normalised. Where a number in decimal
    /// looks like another message's in hexadecimal, the handset decides which is meant.
    fn find(&self, incoming: &Incoming<'_>, now: Timestamp) -> Option<usize> {
        let find = |id: &[u8]| {
            let exact = self.accepted.find(&MessageId::new(id)?, now);
            let normalised = self.form.of_receipt(id).and_then(|id| self.accepted.find_normalised(&id, now));
            match (exact, normalised) {
                (Some(exact), Some(normalised)) if exact != normalised => {
                    let meant = |index| self.is_of(index, incoming.handset);
                    Some(if !meant(exact) && meant(normalised) { normalised } else { exact })
                }
                _ => exact.or(normalised),
            }
        };
        incoming.receipt.ids().find_map(find)
    }

    fn is_of(&self, index: usize, handset: &[u8]) -> bool {
        self.accepted.value(index).sent.phone.ends_like(handset)
    }

    /// By reference, only where the handset is the right one: references are few and come round.
    fn find_by_reference(&self, incoming: &Incoming<'_>, now: Timestamp) -> Option<usize> {
        let key = MessageId::of_reference(incoming.reference?);
        let index = self.by_reference.find(&key, now)?;
        self.by_reference.value(index).sent.phone.ends_like(incoming.handset).then_some(index)
    }

    /// Keeps what a receipt says under each of its ids, and under its reference, until it is known whose it
    /// is.
    fn hold(&mut self, incoming: &Incoming<'_>, delivery: Delivery, now: Timestamp) -> ReceiptOutcome {
        let mut held = ReceiptOutcome::Unmatched;
        let early = Early { delivery, handset: MessageId::new(incoming.handset) };
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
