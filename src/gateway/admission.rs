//! What a call reserves before its decision.

use crate::msisdn::Msisdn;
use crate::sms::outbox::{Item, Outbox, Place};
use crate::store::Store;
use crate::subscriber::Subscriber;
use crate::subscriber::admission::{Admission, Unavailable};
use crate::subscriber::id::SubscriberId;

/// What a call that needs an SMS holds while it is decided: committed only on a fresh success, released when
/// dropped.
#[derive(Debug)]
pub(super) struct Reservation<'a> {
    phone: Option<Msisdn>,
    place: Result<Place<'a>, Unavailable>,
    memory: Result<(), Unavailable>,
}

impl<'a> Reservation<'a> {
    /// Reserves what is available, for the phone that the subscriber has now.
    pub(super) fn take(store: &Store, outbox: &'a Outbox, subscriber: &SubscriberId) -> Self {
        let phone = store.read(subscriber, Subscriber::phone);
        // A subscriber enrolled only after this look-up has no place reserved: the caller tries again.
        let place = phone.map_or(Err(Unavailable::PhoneChanged), |phone| outbox.reserve(phone));
        let memory = if store.is_full() { Err(Unavailable::StoreFull) } else { Ok(()) };
        Self { phone, place, memory }
    }

    pub(super) fn admission(&self) -> Admission {
        let place = self.place.as_ref().map(|_| ()).map_err(|unavailable| *unavailable);
        Admission { phone: self.phone, place, memory: self.memory }
    }

    /// Queues the SMS in the reserved place.
    ///
    /// # Panics
    ///
    /// If no place is reserved: no decision sends an SMS then.
    pub(super) fn commit(self, item: Item) {
        self.place.expect("a decision sends an SMS only when a place is reserved").put(item);
    }
}
