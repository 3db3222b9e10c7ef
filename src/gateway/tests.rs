//! What a call holds while it is decided.

use super::*;
use crate::msisdn::{Msisdn, NumberingPlan};
use crate::sms::outbox::Queue;
use crate::store;
use crate::subscriber::Authenticator;
use crate::subscriber::admission::Unavailable;
use crate::subscriber::id::Id;
use crate::subscriber::policy::tests::policy;

fn phone(number: &str) -> Msisdn {
    NumberingPlan::new("62", "0").unwrap().parse(number).unwrap()
}

#[test]
fn a_phone_that_changes_between_route_and_decision_is_tried_again_with_its_own_route() {
    let (clock, metrics) = (Clock::manual(Timestamp::from_unix_millis(0)), Arc::new(Metrics::new()));
    let store = Store::new(store::Config::default(), 1, Arc::clone(&metrics));
    let (outbox, mut queue) = Queue::of_one_route(10, clock.clone(), &metrics);
    let id = SubscriberId { corporate: Id::parse("ACME").unwrap(), user: Id::parse("BUDI").unwrap() };
    let (before, after) = (phone("+628120000001"), phone("+628120000002"));
    store.enrol(&id, before, Authenticator::SmsOtp).unwrap();
    let policy = policy();
    let subject = Subject::Login;
    let generate = |reservation: &Reservation<'_>| {
        let command = Generate {
            subject: &subject,
            digest: subject.digest(),
            locale: Locale::En,
            draw: draw(clock.now()),
            admission: reservation.admission(),
            idempotency: None,
        };
        let decided = store.decide(&id, |held| command.decide(held, &policy, clock.now()));
        decided.without_waiting()
    };

    let reservation = Reservation::take(&store, &outbox, &id);
    store.replace(&id, Subscriber::new(after, Authenticator::SmsOtp));
    let again = Outcome::Fresh(Err(GenerateRefused::Unavailable(Unavailable::PhoneChanged)));
    assert_eq!(generate(&reservation), again);
    drop(reservation);
    assert_eq!((metrics.sms.outbox_items.get(), queue.take_all().len()), (0, 0), "the place is given back");

    let reservation = Reservation::take(&store, &outbox, &id);
    assert!(matches!(generate(&reservation), Outcome::Fresh(Ok(issued)) if issued.phone == after));
}

#[test]
fn who_is_enrolled_between_route_and_decision_is_tried_again() {
    let (clock, metrics) = (Clock::manual(Timestamp::from_unix_millis(0)), Arc::new(Metrics::new()));
    let store = Store::new(store::Config::default(), 1, Arc::clone(&metrics));
    let (outbox, _queue) = Queue::of_one_route(10, clock, &metrics);
    let id = SubscriberId { corporate: Id::parse("ACME").unwrap(), user: Id::parse("BUDI").unwrap() };
    let reservation = Reservation::take(&store, &outbox, &id);
    let phone = phone("+628120000001");
    assert_eq!(reservation.admission().sms(phone), Err(Unavailable::PhoneChanged));
}
