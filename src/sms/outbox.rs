//! The bounded queue between the decisions and the link, with places that are reserved before anything is
//! decided.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::{TryRecvError, TrySendError};

use super::message::Text;
use crate::clock::{Clock, Timestamp};
use crate::metrics::Metrics;
use crate::msisdn::Msisdn;
use crate::subscriber::challenge::ChallengeId;
use crate::subscriber::id::SubscriberId;

/// How long no link may be bound before nothing more is taken in: an SMSC's restart or a short break of
/// the line is waited out, and a caller is not told "sent" for long while nothing is sent.
pub const NO_LINK_AFTER: Duration = Duration::from_secs(5);

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
    /// No link has been bound for [`NO_LINK_AFTER`], or the link has stopped for good.
    NoLink,
}

impl CannotSend {
    /// When it is worth trying again.
    pub fn retry_after(self) -> Duration {
        match self {
            // A thousand SMS leave in a second; what fills the outbox drains soon or not at all.
            Self::Full => Duration::from_secs(1),
            Self::NoLink => NO_LINK_AFTER,
        }
    }
}

/// When the last link was lost, in milliseconds since the Unix epoch; [`BOUND`] while one is bound.
#[derive(Debug)]
struct LinkState(AtomicU64);

const BOUND: u64 = u64::MAX;

/// The end of the queue where items go in. Clones share the queue.
#[derive(Clone, Debug)]
pub struct Outbox {
    places: mpsc::Sender<Item>,
    link: Arc<LinkState>,
    clock: Clock,
    metrics: Arc<Metrics>,
}

/// The end of the queue where the link takes items out, the oldest first.
#[derive(Debug)]
pub struct Queue {
    items: mpsc::Receiver<Item>,
    /// Items that go out before the others: surely unsent ones of a link that died, in their order.
    front: VecDeque<Item>,
    /// Nothing can come in any more.
    finished: bool,
    bound: bool,
    link: Arc<LinkState>,
    clock: Clock,
    metrics: Arc<Metrics>,
}

/// A queue of at most `places` items (1 at the least). Until a link is bound for the first time, it
/// counts as lost now.
pub fn outbox(places: usize, clock: Clock, metrics: Arc<Metrics>) -> (Outbox, Queue) {
    let (sender, receiver) = mpsc::channel(places.clamp(1, tokio::sync::Semaphore::MAX_PERMITS));
    let link = Arc::new(LinkState(AtomicU64::new(clock.now().unix_millis())));
    let outbox = Outbox {
        places: sender,
        link: Arc::clone(&link),
        clock: clock.clone(),
        metrics: Arc::clone(&metrics),
    };
    (
        outbox,
        Queue {
            items: receiver,
            front: VecDeque::new(),
            finished: false,
            bound: false,
            link,
            clock,
            metrics,
        },
    )
}

impl Outbox {
    /// Reserves a place, so that what is decided next can surely be queued.
    ///
    /// # Errors
    ///
    /// [`CannotSend`]; then nothing may be decided.
    // One atomic load and one compare-and-swap while a link is bound; the clock is read only without one.
    pub fn reserve(&self) -> Result<Place<'_>, CannotSend> {
        // Relaxed: the state guards no other data, and a moment's delay is within the 5 s.
        let lost_at = self.link.0.load(Ordering::Relaxed);
        if lost_at != BOUND && self.clock.now().since(Timestamp::from_unix_millis(lost_at)) >= NO_LINK_AFTER {
            return Err(CannotSend::NoLink);
        }
        match self.places.try_reserve() {
            Ok(permit) => {
                self.metrics.sms.outbox_items.inc();
                Ok(Place { permit: Some(permit), metrics: &self.metrics })
            }
            Err(TrySendError::Full(())) => Err(CannotSend::Full),
            Err(TrySendError::Closed(())) => Err(CannotSend::NoLink),
        }
    }
}

/// A reserved place in the outbox. Dropped unused, it is free again.
#[derive(Debug)]
pub struct Place<'a> {
    permit: Option<mpsc::Permit<'a, Item>>,
    metrics: &'a Metrics,
}

impl Place<'_> {
    /// Queues the item. Wakes the link only if it waits for one.
    pub fn put(mut self, item: Item) {
        if let Some(permit) = self.permit.take() {
            permit.send(item);
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.permit.is_some() {
            self.metrics.sms.outbox_items.dec();
        }
    }
}

impl Queue {
    /// Returns once there is something to take, or nothing will ever be again. Cancel safe.
    pub(super) async fn ready(&mut self) {
        if !self.front.is_empty() {
            return;
        }
        match self.items.recv().await {
            Some(item) => {
                self.metrics.sms.outbox_items.dec();
                self.front.push_back(item);
            }
            None => self.finished = true,
        }
    }

    /// The next item, if there is one.
    pub(super) fn take(&mut self) -> Option<Item> {
        if let Some(item) = self.front.pop_front() {
            return Some(item);
        }
        match self.items.try_recv() {
            Ok(item) => {
                self.metrics.sms.outbox_items.dec();
                Some(item)
            }
            Err(error) => {
                self.finished |= error == TryRecvError::Disconnected;
                None
            }
        }
    }

    /// Puts an item that was surely not sent before all others.
    pub(super) fn put_back(&mut self, item: Item) {
        self.front.push_front(item);
    }

    /// Refuses new reservations from now on; places that are reserved can still be used.
    pub(super) fn close(&mut self) {
        self.items.close();
        // So that `is_over` knows.
        if let Some(item) = self.take() {
            self.front.push_front(item);
        }
    }

    /// Whether nothing is in it or can still come, as far as was seen when it was last looked into.
    pub(super) fn is_over(&self) -> bool {
        self.finished && self.front.is_empty()
    }

    /// Says whether a link is bound. Only a change costs anything.
    pub(super) fn set_bound(&mut self, bound: bool) {
        if self.bound != bound {
            self.bound = bound;
            let state = if bound { BOUND } else { self.clock.now().unix_millis() };
            self.link.0.store(state, Ordering::Relaxed);
            self.metrics.sms.link_bound.set(bound.into());
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
        let plan = NumberingPlan::new("62", "0").unwrap();
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
            phone: plan.parse(&format!("+628120000{number:03}")).unwrap(),
            text: templates.render(Locale::En, &Subject::Login, reference, expires_at, length),
            expires_at,
        }
    }

    fn small(places: usize) -> (Outbox, Queue, Clock) {
        let clock = Clock::manual(Timestamp::from_unix_millis(1_000_000));
        let (outbox, queue) = outbox(places, clock.clone(), Arc::new(Metrics::new()));
        (outbox, queue, clock)
    }

    fn later(clock: &Clock) -> Timestamp {
        clock.now().plus(Duration::from_secs(180))
    }

    #[test]
    fn a_full_outbox_refuses_until_an_item_is_taken_or_a_place_given_back() {
        let (outbox, mut queue, clock) = small(2);
        let gauge = &outbox.metrics.sms.outbox_items;
        outbox.reserve().unwrap().put(item(1, later(&clock)));
        let place = outbox.reserve().unwrap();
        assert_eq!((outbox.reserve().unwrap_err(), gauge.get()), (CannotSend::Full, 2));
        drop(place);
        assert_eq!(gauge.get(), 1);
        outbox.reserve().unwrap().put(item(2, later(&clock)));
        assert_eq!(outbox.reserve().unwrap_err(), CannotSend::Full);
        assert_eq!(queue.take().unwrap().challenge.0[15], 1);
        assert!(outbox.reserve().is_ok());
        assert_eq!((queue.take().unwrap().challenge.0[15], gauge.get()), (2, 0));
        assert!(queue.take().is_none());
    }

    #[test]
    fn without_a_link_for_five_seconds_nothing_is_taken_in() {
        let (outbox, mut queue, clock) = small(2);
        clock.advance(NO_LINK_AFTER - Duration::from_millis(1));
        assert!(outbox.reserve().is_ok());
        clock.advance(Duration::from_millis(1));
        assert_eq!(outbox.reserve().unwrap_err(), CannotSend::NoLink);
        queue.set_bound(true);
        clock.advance(Duration::from_secs(3_600));
        assert!(outbox.reserve().is_ok());
        queue.set_bound(false);
        assert!(outbox.reserve().is_ok());
        clock.advance(NO_LINK_AFTER);
        assert_eq!(outbox.reserve().unwrap_err(), CannotSend::NoLink);
    }

    #[test]
    fn a_closed_queue_refuses_reservations_and_still_takes_what_was_reserved() {
        let (outbox, mut queue, clock) = small(2);
        let place = outbox.reserve().unwrap();
        queue.close();
        assert_eq!(outbox.reserve().unwrap_err(), CannotSend::NoLink);
        assert!(queue.take().is_none() && !queue.is_over());
        place.put(item(1, later(&clock)));
        assert!(queue.take().is_some() && !queue.is_over());
        assert!(queue.take().is_none() && queue.is_over());
    }

    #[tokio::test]
    async fn what_was_put_back_comes_first() {
        let (outbox, mut queue, clock) = small(4);
        outbox.reserve().unwrap().put(item(3, later(&clock)));
        queue.ready().await;
        queue.put_back(item(2, later(&clock)));
        queue.put_back(item(1, later(&clock)));
        queue.ready().await;
        let order: Vec<u8> = std::iter::from_fn(|| queue.take()).map(|item| item.challenge.0[15]).collect();
        assert_eq!(order, [1, 2, 3]);
    }

    #[test]
    fn abuse_36_an_item_shows_neither_text_nor_whole_number() {
        let item = item(45, Timestamp::from_unix_millis(0));
        let shown = format!("{item:?}");
        assert!(shown.contains("+62812*****45"), "{shown}");
        assert!(!shown.contains("628120000") && !shown.contains("Bank"), "{shown}");
    }
}
