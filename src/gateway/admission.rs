//! What a call takes before its decision, to use it or to give it back.

use crate::msisdn::Msisdn;
use crate::sms::outbox::{Item, Outbox, Place};
use crate::store::Store;
use crate::subscriber::Subscriber;
use crate::subscriber::admission::{Admission, Unavailable};
use crate::subscriber::id::SubscriberId;

/// What a call for an SMS holds while it is decided: committed on a fresh success alone, given back when
/// dropped.
#[derive(Debug)]
pub(super) struct Reservation<'a> {
    phone: Option<Msisdn>,
    place: Result<Place<'a>, Unavailable>,
    memory: Result<(), Unavailable>,
}

impl<'a> Reservation<'a> {
    /// Takes what there is, for the phone that the subscriber has now.
    pub(super) fn take(store: &Store, outbox: &'a Outbox, subscriber: &SubscriberId) -> Self {
        let phone = store.read(subscriber, Subscriber::phone);
        // Whoever is enrolled by the time of the decision has a phone that this is not.
        let place = phone.map_or(Err(Unavailable::PhoneChanged), |phone| outbox.reserve(phone));
        let memory = if store.is_full() { Err(Unavailable::StoreFull) } else { Ok(()) };
        Self { phone, place, memory }
    }

    /// What the decision consults.
    pub(super) fn admission(&self) -> Admission {
        let place = self.place.as_ref().map(|_| ()).map_err(|unavailable| *unavailable);
        Admission { phone: self.phone, place, memory: self.memory }
    }

    /// Queues the SMS that was decided on.
    ///
    /// # Panics
    ///
    /// If no place is reserved: then nothing that needs one is decided.
    pub(super) fn commit(self, item: Item) {
        self.place.expect("an SMS is decided on only with a place for it").put(item);
    }
}
