use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::msisdn::NumberingPlan;
use crate::sms::message::Templates;
use crate::subscriber::challenge::Locale;
use crate::subscriber::code::CodeLength;
use crate::subscriber::id::Id;
use crate::subscriber::transaction::Subject;

/// An item to +628120000NNN, the last byte of its challenge's id being NNN.
pub(in crate::sms) fn item(number: u8, expires_at: Timestamp) -> Item {
    let mut id = [0; 16];
    id[15] = number;
    let challenge = ChallengeId(id);
    let length = CodeLength::new(10).unwrap();
    let templates = settings::from_toml("", |root| Templates::read(root, length)).unwrap();
    let reference = challenge.sms_reference();
    Item {
        subscriber: SubscriberId { corporate: Id::parse("ACME").unwrap(), user: Id::parse("budi").unwrap() },
        challenge,
        ordinal: 0,
        phone: phone(number),
        text: templates.render(Locale::En, &Subject::Login, reference, expires_at, length),
        expires_at,
    }
}

/// +628120000NNN.
pub(in crate::sms) fn phone(number: u8) -> Msisdn {
    NumberingPlan::new("62", "0").unwrap().parse(&format!("+628120000{number:03}")).unwrap()
}

fn small(places: usize) -> (Outbox, Queue, Clock, Arc<Metrics>) {
    let clock = Clock::manual(Timestamp::from_unix_millis(1_000_000));
    let metrics = Arc::new(Metrics::new());
    let table = Table::of_all(1);
    let (outbox, queue) = outbox(places, table, clock.clone(), &metrics);
    (outbox, queue, clock, metrics)
}

fn later(clock: &Clock) -> Timestamp {
    clock.now().plus(Duration::from_secs(180))
}

#[test]
fn a_full_outbox_refuses_until_an_item_has_ended_or_a_place_is_given_back() {
    let (outbox, mut queue, clock, metrics) = small(2);
    let gauge = &metrics.sms.outbox_items;
    outbox.reserve(phone(1)).unwrap().put(item(1, later(&clock)));
    let place = outbox.reserve(phone(1)).unwrap();
    assert_eq!((outbox.reserve(phone(1)).unwrap_err(), gauge.get()), (Unavailable::OutboxFull, 2));
    drop(place);
    assert_eq!(gauge.get(), 1);
    outbox.reserve(phone(1)).unwrap().put(item(2, later(&clock)));
    assert_eq!(outbox.reserve(phone(1)).unwrap_err(), Unavailable::OutboxFull);
    let first = queue.take().unwrap();
    assert_eq!(first.item.challenge.0[15], 1);
    assert_eq!(
        outbox.reserve(phone(1)).unwrap_err(),
        Unavailable::OutboxFull,
        "a link has it, and may give it back"
    );
    drop(first);
    assert!(outbox.reserve(phone(1)).is_ok());
    assert_eq!(queue.take().unwrap().item.challenge.0[15], 2);
    assert_eq!(gauge.get(), 0);
    assert!(queue.take().is_none());
}

#[test]
fn however_many_reserve_at_once_there_are_never_more_than_the_places_and_none_is_lost() {
    const PLACES: usize = 3;
    let (outbox, _queue, _clock, metrics) = small(PLACES);
    let held = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..10_000 {
                    if let Ok(place) = outbox.reserve(phone(1)) {
                        assert!(held.fetch_add(1, Ordering::SeqCst) < PLACES);
                        held.fetch_sub(1, Ordering::SeqCst);
                        drop(place);
                    }
                }
            });
        }
    });
    assert_eq!(metrics.sms.outbox_items.get(), 0);
    let places: Vec<_> = std::iter::from_fn(|| outbox.reserve(phone(1)).ok()).collect();
    assert_eq!(places.len(), PLACES);
}

#[test]
fn abuse_47_a_route_that_is_full_or_down_refuses_its_own_numbers_alone() {
    let route = |prefix: &str| format!("[[route]]\nprefixes = [\"{prefix}\"]\nsmscs = [\"a\"]\n");
    let routes = route("") + &route("628120000001");
    let table = settings::from_toml(&routes, |root| Some(Table::read(root, &root.section("outbox"), &["a"])))
        .unwrap();
    let clock = Clock::manual(Timestamp::from_unix_millis(1_000_000));
    let (outbox, queue) = outbox(4, table, clock.clone(), &Arc::new(Metrics::new()));
    let places = [outbox.reserve(phone(1)).unwrap(), outbox.reserve(phone(1)).unwrap()];
    assert_eq!(outbox.reserve(phone(1)).unwrap_err(), Unavailable::OutboxFull);
    outbox.reserve(phone(2)).unwrap().put(item(2, later(&clock)));
    drop(places);
    queue.routes()[0].set_state(RouteState::Sending);
    clock.advance(NO_LINK_AFTER);
    assert_eq!(outbox.reserve(phone(1)).unwrap_err(), Unavailable::NoLink);
    queue.routes()[1].set_state(RouteState::Failing);
    assert_eq!(outbox.reserve(phone(1)).unwrap_err(), Unavailable::SmscFailing);
    assert!(outbox.reserve(phone(2)).is_ok());
}

#[test]
fn without_a_link_for_five_seconds_nothing_is_taken_in() {
    let (outbox, queue, clock, _metrics) = small(2);
    let route = &queue.routes()[0];
    clock.advance(NO_LINK_AFTER - Duration::from_millis(1));
    assert!(outbox.reserve(phone(1)).is_ok());
    clock.advance(Duration::from_millis(1));
    assert_eq!(outbox.reserve(phone(1)).unwrap_err(), Unavailable::NoLink);
    route.set_state(RouteState::Sending);
    clock.advance(Duration::from_secs(3_600));
    assert!(outbox.reserve(phone(1)).is_ok());
    route.set_state(RouteState::NoLink { since: clock.now() });
    assert!(outbox.reserve(phone(1)).is_ok());
    clock.advance(NO_LINK_AFTER);
    route.set_state(RouteState::NoLink { since: clock.now() });
    assert_eq!(outbox.reserve(phone(1)).unwrap_err(), Unavailable::NoLink);
}

#[test]
fn s7_while_every_smsc_fails_nothing_is_taken_in() {
    let (outbox, queue, _clock, _metrics) = small(2);
    let route = &queue.routes()[0];
    route.set_state(RouteState::Failing);
    assert_eq!(outbox.reserve(phone(1)).unwrap_err(), Unavailable::SmscFailing);
    route.set_state(RouteState::Sending);
    assert!(outbox.reserve(phone(1)).is_ok());
}

#[test]
fn a_closed_queue_refuses_reservations_and_still_takes_what_was_reserved() {
    let (outbox, mut queue, clock, _metrics) = small(2);
    let place = outbox.reserve(phone(1)).unwrap();
    queue.close();
    assert_eq!(outbox.reserve(phone(1)).unwrap_err(), Unavailable::NoLink);
    assert!(queue.take().is_none() && !queue.is_finished());
    place.put(item(1, later(&clock)));
    assert!(queue.take().is_some() && !queue.is_finished());
    assert!(queue.take().is_none() && queue.is_finished());
}

#[test]
fn abuse_36_an_item_shows_neither_text_nor_whole_number() {
    let item = item(45, Timestamp::from_unix_millis(0));
    let shown = format!("{item:?}");
    assert!(shown.contains("+62812*****45"), "{shown}");
    assert!(!shown.contains("628120000") && !shown.contains("Bank"), "{shown}");
}
