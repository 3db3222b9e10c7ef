//! The bounded queue between the decisions and the links, with places that are reserved before anything is
//! decided.
//!
//! An item keeps its place until a link takes it, wherever it waits until then (see [`super::routes`]), so
//! that a route that is down cannot grow behind the queue's back. Each route has its own share of the places
//! and its own state: one that stalls or is down refuses its own numbers and no others.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::{TryRecvError, TrySendError};

use super::message::Text;
use super::routes::prefixes::Prefixes;
use crate::clock::{Clock, Timestamp};
use crate::metrics::Metrics;
use crate::msisdn::Msisdn;
use crate::subscriber::challenge::ChallengeId;
use crate::subscriber::id::SubscriberId;

/// How long no link may be bound before nothing more is taken in: an SMSC's restart or a short break of
/// the line is waited out, and a caller is not told "sent" for long while nothing is sent.
pub const NO_LINK_AFTER: Duration = Duration::from_secs(5);
/// With less than this left, a code would reach its reader too late to be typed in: it is not sent.
pub(super) const LEFT_MIN: Duration = Duration::from_secs(10);

/// An SMS that waits to be sent. It holds no code: that is derived just before the PDU is written.
#[derive(Clone)]
pub struct Item {
    /// Whose challenge.
    pub subscriber: SubscriberId,
    /// Which challenge.
    pub challenge: ChallengeId,
    /// Which send of the challenge, from 0.
    pub ordinal: u8,
    /// Where it goes.
    pub phone: Msisdn,
    /// What it says, but for the code.
    pub text: Text,
    /// The first instant at which the code can no longer be answered.
    pub expires_at: Timestamp,
}

/// Shows the challenge and which send it is; neither the text nor the whole number.
impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Item")
            .field("challenge", &self.challenge)
            .field("ordinal", &self.ordinal)
            .field("phone", &self.phone)
            .finish_non_exhaustive()
    }
}

/// Why nothing can be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CannotSend {
    /// All places are taken.
    Full,
    /// No link has been bound for [`NO_LINK_AFTER`], or the links have stopped for good.
    NoLink,
    /// Links are bound, but their SMSCs answered a burst of submits with errors or not at all, and are given
    /// time to recover.
    Failing,
}

impl CannotSend {
    /// When it is worth trying again.
    pub fn retry_after(self) -> Duration {
        match self {
            // A thousand SMS leave in a second; what fills the outbox drains soon or not at all.
            Self::Full => Duration::from_secs(1),
            // After so long an SMSC that failed is tried again, too.
            Self::NoLink | Self::Failing => NO_LINK_AFTER,
        }
    }
}

/// Whether any SMSC of a route takes SMS now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sending {
    Possible,
    /// No link is bound.
    NoLink,
    /// Links are bound, and every SMSC that has one is given time to recover.
    Failing,
}

/// What both ends share.
#[derive(Debug)]
struct Shared {
    prefixes: Prefixes,
    /// By route.
    ways: Box<[Way]>,
    /// How many places of each route may be taken.
    places_max: usize,
}

impl Shared {
    fn way(&self, phone: Msisdn) -> &Way {
        &self.ways[usize::from(self.prefixes.longest(phone))]
    }
}

/// One route.
#[derive(Debug)]
struct Way {
    /// [`POSSIBLE`], [`FAILING`], or when the last link was lost in milliseconds since the Unix epoch.
    sending: AtomicU64,
    /// Places that are taken: reserved, queued, or on the way to a link.
    taken: AtomicUsize,
}

const POSSIBLE: u64 = u64::MAX;
const FAILING: u64 = u64::MAX - 1;

/// The end of the queue where items go in. Clones share the queue.
#[derive(Clone, Debug)]
pub struct Outbox {
    places: mpsc::Sender<Item>,
    shared: Arc<Shared>,
    clock: Clock,
    metrics: Arc<Metrics>,
}

/// The end of the queue where items are taken out, the oldest first.
#[derive(Debug)]
pub struct Queue {
    items: mpsc::Receiver<Item>,
    /// Nothing can come in any more.
    finished: bool,
    /// By route.
    sending: Box<[Sending]>,
    shared: Arc<Shared>,
    clock: Clock,
    metrics: Arc<Metrics>,
}

/// A queue of at most `places` items, of which each route has an equal share (1 at the least). Until a link is
/// bound for the first time, it counts as lost now.
pub(super) fn outbox(
    places: usize,
    prefixes: Prefixes,
    clock: Clock,
    metrics: Arc<Metrics>,
) -> (Outbox, Queue) {
    let routes = prefixes.routes();
    let places_max = (places / routes).clamp(1, tokio::sync::Semaphore::MAX_PERMITS / routes);
    let (sender, receiver) = mpsc::channel(places_max * routes);
    let now = clock.now().unix_millis();
    let way = || Way { sending: AtomicU64::new(now), taken: AtomicUsize::new(0) };
    let ways = std::iter::repeat_with(way).take(routes).collect();
    let shared = Arc::new(Shared { prefixes, ways, places_max });
    let outbox = Outbox {
        places: sender,
        shared: Arc::clone(&shared),
        clock: clock.clone(),
        metrics: Arc::clone(&metrics),
    };
    let sending = vec![Sending::NoLink; routes].into();
    (outbox, Queue { items: receiver, finished: false, sending, shared, clock, metrics })
}

impl Outbox {
    /// Reserves a place for an SMS to this number, so that what is decided next can surely be queued.
    ///
    /// # Errors
    ///
    /// [`CannotSend`]; then nothing may be decided.
    // Two atomic adds and one compare-and-swap while an SMSC takes SMS; the clock is read only without a link.
    pub fn reserve(&self, phone: Msisdn) -> Result<Place<'_>, CannotSend> {
        let way = self.shared.way(phone);
        // Relaxed: neither number guards other data, and a moment's delay is within the 5 s.
        match way.sending.load(Ordering::Relaxed) {
            POSSIBLE => {}
            FAILING => return Err(CannotSend::Failing),
            lost_at => {
                if self.clock.now().since(Timestamp::from_unix_millis(lost_at)) >= NO_LINK_AFTER {
                    return Err(CannotSend::NoLink);
                }
            }
        }
        let taken = Taken::new(self, way)?;
        match self.places.try_reserve() {
            Ok(permit) => Ok(Place { permit, taken }),
            Err(TrySendError::Full(())) => Err(CannotSend::Full),
            Err(TrySendError::Closed(())) => Err(CannotSend::NoLink),
        }
    }
}

/// A place that is counted. Dropped, it is free again.
#[derive(Debug)]
struct Taken<'a>(&'a Outbox, &'a Way);

impl<'a> Taken<'a> {
    fn new(outbox: &'a Outbox, way: &'a Way) -> Result<Self, CannotSend> {
        outbox.metrics.sms.outbox_items.inc();
        let taken = Self(outbox, way);
        let before = way.taken.fetch_add(1, Ordering::Relaxed);
        if before < outbox.shared.places_max { Ok(taken) } else { Err(CannotSend::Full) }
    }

    /// The place goes with the item now.
    fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.1.taken.fetch_sub(1, Ordering::Relaxed);
        self.0.metrics.sms.outbox_items.dec();
    }
}

/// A reserved place in the outbox. Dropped unused, it is free again.
#[derive(Debug)]
pub struct Place<'a> {
    permit: mpsc::Permit<'a, Item>,
    taken: Taken<'a>,
}

impl Place<'_> {
    /// Queues the item. Wakes the SMS thread only if a link waits for one.
    pub fn put(self, item: Item) {
        self.taken.keep();
        self.permit.send(item);
    }
}

impl Queue {
    /// The next item; `None` once nothing will ever come again.
    pub(super) fn poll_take(&mut self, context: &mut Context<'_>) -> Poll<Option<Item>> {
        let item = self.items.poll_recv(context);
        self.finished |= matches!(item, Poll::Ready(None));
        item
    }

    /// The next item, if there is one.
    pub(super) fn take(&mut self) -> Option<Item> {
        match self.items.try_recv() {
            Ok(item) => Some(item),
            Err(error) => {
                self.finished |= error == TryRecvError::Disconnected;
                None
            }
        }
    }

    /// An item to this number has gone to a link, or for good: its place is free.
    pub(super) fn left(&self, phone: Msisdn) {
        self.shared.way(phone).taken.fetch_sub(1, Ordering::Relaxed);
        self.metrics.sms.outbox_items.dec();
    }

    /// An item to this number has come back from a link. It is never refused, so there can be more than there are places:
    /// by as many as the links' windows hold.
    pub(super) fn came_back(&self, phone: Msisdn) {
        self.shared.way(phone).taken.fetch_add(1, Ordering::Relaxed);
        self.metrics.sms.outbox_items.inc();
    }

    /// Refuses new reservations from now on; places that are reserved can still be used.
    pub(super) fn close(&mut self) {
        self.items.close();
    }

    /// Whether nothing can come in any more, as far as was seen when it was last looked into.
    pub(super) fn is_finished(&self) -> bool {
        self.finished
    }

    /// Says how many links are bound.
    pub(super) fn set_links_bound(&self, count: usize) {
        self.metrics.sms.link_bound.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Says whether an SMSC of the route takes SMS.
    pub(super) fn set_sending(&mut self, route: usize, sending: Sending) {
        if self.sending[route] != sending {
            self.sending[route] = sending;
            let state = match sending {
                Sending::Possible => POSSIBLE,
                Sending::Failing => FAILING,
                Sending::NoLink => self.clock.now().unix_millis(),
            };
            self.shared.ways[route].sending.store(state, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::msisdn::NumberingPlan;
    use crate::sms::message::{Config, Templates};
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
        let templates = Templates::new(&Config::default(), length).unwrap();
        let reference = challenge.sms_reference();
        Item {
            subscriber: SubscriberId {
                corporate: Id::parse("ACME").unwrap(),
                user: Id::parse("budi").unwrap(),
            },
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

    fn small(places: usize) -> (Outbox, Queue, Clock) {
        let clock = Clock::manual(Timestamp::from_unix_millis(1_000_000));
        let (outbox, queue) = outbox(places, Prefixes::of_all(), clock.clone(), Arc::new(Metrics::new()));
        (outbox, queue, clock)
    }

    fn later(clock: &Clock) -> Timestamp {
        clock.now().plus(Duration::from_secs(180))
    }

    #[test]
    fn a_full_outbox_refuses_until_an_item_is_taken_or_a_place_given_back() {
        let (outbox, mut queue, clock) = small(2);
        let gauge = &outbox.metrics.sms.outbox_items;
        outbox.reserve(phone(1)).unwrap().put(item(1, later(&clock)));
        let place = outbox.reserve(phone(1)).unwrap();
        assert_eq!((outbox.reserve(phone(1)).unwrap_err(), gauge.get()), (CannotSend::Full, 2));
        drop(place);
        assert_eq!(gauge.get(), 1);
        outbox.reserve(phone(1)).unwrap().put(item(2, later(&clock)));
        assert_eq!(outbox.reserve(phone(1)).unwrap_err(), CannotSend::Full);
        assert_eq!(queue.take().unwrap().challenge.0[15], 1);
        assert_eq!(outbox.reserve(phone(1)).unwrap_err(), CannotSend::Full, "no link has taken it yet");
        queue.left(phone(1));
        assert!(outbox.reserve(phone(1)).is_ok());
        assert_eq!(queue.take().unwrap().challenge.0[15], 2);
        queue.left(phone(1));
        assert_eq!(gauge.get(), 0);
        assert!(queue.take().is_none());
    }

    #[test]
    fn abuse_47_a_route_that_is_full_or_down_refuses_its_own_numbers_alone() {
        let mut prefixes = Prefixes::of_all();
        prefixes.insert("628120000001", 1).unwrap();
        let clock = Clock::manual(Timestamp::from_unix_millis(1_000_000));
        let (outbox, mut queue) = outbox(4, prefixes, clock.clone(), Arc::new(Metrics::new()));
        let places = [outbox.reserve(phone(1)).unwrap(), outbox.reserve(phone(1)).unwrap()];
        assert_eq!(outbox.reserve(phone(1)).unwrap_err(), CannotSend::Full);
        outbox.reserve(phone(2)).unwrap().put(item(2, later(&clock)));
        drop(places);
        queue.set_sending(0, Sending::Possible);
        clock.advance(NO_LINK_AFTER);
        assert_eq!(outbox.reserve(phone(1)).unwrap_err(), CannotSend::NoLink);
        queue.set_sending(1, Sending::Failing);
        assert_eq!(outbox.reserve(phone(1)).unwrap_err(), CannotSend::Failing);
        assert!(outbox.reserve(phone(2)).is_ok());
    }

    #[test]
    fn what_comes_back_takes_its_place_again_even_where_there_is_none() {
        let (outbox, mut queue, clock) = small(1);
        outbox.reserve(phone(1)).unwrap().put(item(1, later(&clock)));
        queue.take().unwrap();
        queue.left(phone(1));
        outbox.reserve(phone(1)).unwrap().put(item(2, later(&clock)));
        queue.came_back(phone(1));
        queue.left(phone(1));
        assert_eq!(outbox.reserve(phone(1)).unwrap_err(), CannotSend::Full);
        queue.left(phone(1));
        assert_eq!(outbox.metrics.sms.outbox_items.get(), 0);
    }

    #[test]
    fn without_a_link_for_five_seconds_nothing_is_taken_in() {
        let (outbox, mut queue, clock) = small(2);
        clock.advance(NO_LINK_AFTER - Duration::from_millis(1));
        assert!(outbox.reserve(phone(1)).is_ok());
        clock.advance(Duration::from_millis(1));
        assert_eq!(outbox.reserve(phone(1)).unwrap_err(), CannotSend::NoLink);
        queue.set_sending(0, Sending::Possible);
        clock.advance(Duration::from_secs(3_600));
        assert!(outbox.reserve(phone(1)).is_ok());
        queue.set_sending(0, Sending::NoLink);
        assert!(outbox.reserve(phone(1)).is_ok());
        clock.advance(NO_LINK_AFTER);
        assert_eq!(outbox.reserve(phone(1)).unwrap_err(), CannotSend::NoLink);
    }

    #[test]
    fn s7_while_every_smsc_fails_nothing_is_taken_in() {
        let (outbox, mut queue, _clock) = small(2);
        queue.set_sending(0, Sending::Failing);
        assert_eq!(outbox.reserve(phone(1)).unwrap_err(), CannotSend::Failing);
        queue.set_sending(0, Sending::Possible);
        assert!(outbox.reserve(phone(1)).is_ok());
    }

    #[test]
    fn a_closed_queue_refuses_reservations_and_still_takes_what_was_reserved() {
        let (outbox, mut queue, clock) = small(2);
        let place = outbox.reserve(phone(1)).unwrap();
        queue.close();
        assert_eq!(outbox.reserve(phone(1)).unwrap_err(), CannotSend::NoLink);
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
}
