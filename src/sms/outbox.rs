//! The bounded queue between the decisions and the links, with places that are reserved before anything is
//! decided.
//!
//! An item keeps its place until it has ended, wherever it is until then: in the queue, in a lane, with a link,
//! or on its way back from one (see [`super::router`]). So a route that is down or slow cannot grow behind the
//! queue's back. Each route has its own share of the places and its own state: one that stalls or is down
//! refuses its own numbers and no others.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::{TryRecvError, TrySendError};

use super::destination::{Prefix, Recipient};
use super::message::Text;
use super::route::crowd::{Crowd, Crowds};
use super::route::prefixes::Prefixes;
use super::route::table::Table;
use super::route::{Route, RouteState, Ticket};
use crate::clock::{Clock, Timestamp};
use crate::metrics::Metrics;
use crate::msisdn::Msisdn;
use crate::subscriber::admission::Unavailable;
use crate::subscriber::challenge_id::ChallengeId;
use crate::subscriber::id::SubscriberId;

/// How long no link may be bound before nothing more is taken in: an SMSC's restart or a short break of
/// the line is waited out, and the API does not answer "sent" for long while nothing is sent.
pub(super) const NO_LINK_AFTER: Duration = Duration::from_secs(5);
/// With less than this left, a code would reach its reader too late to be typed in: it is not sent.
pub(super) const LEFT_MIN: Duration = Duration::from_secs(10);

/// An SMS that waits to be sent. It holds no code: that is derived just before the PDU is written.
#[derive(Clone)]
pub(crate) struct Item {
    pub(crate) subscriber: SubscriberId,
    pub(crate) challenge: ChallengeId,
    /// Which send of the challenge, from 0.
    pub(crate) ordinal: u8,
    pub(crate) phone: Msisdn,
    pub(crate) text: Text,
    /// The first instant at which the code can no longer be answered.
    pub(crate) expires_at: Timestamp,
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

/// An item and its place, on their way from the queue to the item's end.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) item: Item,
    /// Whom it is for.
    prefix: Prefix,
    ticket: Ticket,
    /// An SMSC has said that it could not deal with it. The next such answer is final.
    pub(super) failed: bool,
    /// How often it was refused for now, by all SMSCs and by the one that has it.
    pub(super) tries: Tries,
    /// When the link that has it has taken it.
    pub(super) taken_at: Timestamp,
}

/// What an SMS has behind it that was refused for now, or waits since its destination is sick.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tries {
    /// How often it was refused for now.
    pub(super) count: u8,
    /// Of these, by the SMSC that has it.
    pub(super) here: u8,
    /// How often it went to another SMSC without having been refused.
    pub(super) moves: u8,
    /// Until when it may wait.
    pub(super) until: Option<Timestamp>,
}

impl Outgoing {
    pub(super) fn route(&self) -> &Route {
        self.ticket.route()
    }

    pub(super) fn recipient(&self) -> Recipient {
        Recipient { phone: self.item.phone, prefix: self.prefix }
    }

    /// It waits since its destination is sick, and counts among the places that this one holds.
    pub(super) fn join(&mut self, crowd: &Arc<Crowd>) {
        self.ticket.join(crowd);
    }
}

/// All routes.
#[derive(Debug)]
struct Routing {
    prefixes: Prefixes,
    routes: Box<[Arc<Route>]>,
    /// How many first digits make a destination, where its route has no longer prefix.
    destination_digits: u32,
    crowds: Crowds,
}

impl Routing {
    fn route(&self, phone: Msisdn) -> (&Arc<Route>, Prefix) {
        let (route, digits) = self.prefixes.longest(phone);
        (&self.routes[usize::from(route)], Prefix::of(phone, digits.max(self.destination_digits)))
    }
}

/// The end of the queue where items go in. Clones share the queue.
#[derive(Clone, Debug)]
pub(crate) struct Outbox {
    items: mpsc::Sender<Outgoing>,
    routing: Arc<Routing>,
    clock: Clock,
}

/// What can still come out of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Intake {
    Open,
    /// What was reserved before may still come.
    Closed,
    /// Nothing will ever come again.
    Finished,
}

/// The end of the queue where items are taken out, the oldest first.
#[derive(Debug)]
pub(crate) struct Queue {
    items: mpsc::Receiver<Outgoing>,
    /// As far as was seen when the queue was last looked into.
    intake: Intake,
    routing: Arc<Routing>,
}

/// A queue of at most `places` items, of which each route has an equal share (1 at the least). Until a link is
/// bound for the first time, it counts as lost now.
pub(super) fn outbox(places: usize, table: Table, clock: Clock, metrics: &Arc<Metrics>) -> (Outbox, Queue) {
    let Table { prefixes, smscs, destination_digits } = table;
    let routes = smscs.len();
    let places_max = (places / routes).clamp(1, tokio::sync::Semaphore::MAX_PERMITS / routes);
    let (sender, receiver) = mpsc::channel(places_max * routes);
    let now = clock.now();
    let route = |(index, smscs)| Arc::new(Route::new(index, smscs, places_max, now, Arc::clone(metrics)));
    let routes = smscs.into_iter().enumerate().map(route).collect();
    let routing = Arc::new(Routing { prefixes, routes, destination_digits, crowds: Crowds::default() });
    let outbox = Outbox { items: sender, routing: Arc::clone(&routing), clock };
    (outbox, Queue { items: receiver, intake: Intake::Open, routing })
}

impl Outbox {
    /// Reserves a place for an SMS to this number, so that what is decided next can surely be queued.
    ///
    /// # Errors
    ///
    /// [`Unavailable`]; then nothing may be decided.
    // Two atomic adds and one compare-and-swap while an SMSC takes SMS and no destination is sick; the clock is read
    // only without a link.
    pub(crate) fn reserve(&self, phone: Msisdn) -> Result<Place<'_>, Unavailable> {
        let (route, prefix) = self.routing.route(phone);
        let mut ticket = match route.state() {
            RouteState::Slow => route.slow_ticket().ok_or(Unavailable::SmscFailing)?,
            RouteState::Failing => return Err(Unavailable::SmscFailing),
            RouteState::NoLink { since } if self.clock.now().since(since) >= NO_LINK_AFTER => {
                return Err(Unavailable::NoLink);
            }
            RouteState::Sending | RouteState::NoLink { .. } => {
                route.ticket().ok_or(Unavailable::OutboxFull)?
            }
        };
        if let Some(crowd) = self.routing.crowds.find(prefix) {
            if crowd.state() == RouteState::Failing {
                return Err(Unavailable::SmscFailing);
            }
            if !ticket.join_within_share(&crowd) {
                return Err(Unavailable::DestinationFailing);
            }
        }
        match self.items.try_reserve() {
            Ok(permit) => Ok(Place { permit, prefix, ticket }),
            Err(TrySendError::Full(())) => Err(Unavailable::OutboxFull),
            Err(TrySendError::Closed(())) => Err(Unavailable::NoLink),
        }
    }
}

/// A reserved place in the outbox. Dropped unused, it is free again.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    permit: mpsc::Permit<'a, Outgoing>,
    prefix: Prefix,
    ticket: Ticket,
}

impl Place<'_> {
    /// Queues the item. Wakes the SMS thread only if a link waits for one.
    pub(crate) fn put(self, item: Item) {
        let Self { permit, prefix, ticket } = self;
        permit.send(Outgoing {
            item,
            prefix,
            ticket,
            failed: false,
            tries: Tries::default(),
            taken_at: Timestamp::default(),
        });
    }
}

impl Queue {
    pub(super) fn routes(&self) -> &[Arc<Route>] {
        &self.routing.routes
    }

    /// The route that what goes to a destination takes.
    pub(super) fn route_of(&self, prefix: Prefix) -> &Route {
        let digits = prefix.to_string();
        let (route, _) = self.routing.prefixes.longest_of(digits.as_bytes());
        &self.routing.routes[usize::from(route)]
    }

    /// The sick destinations, as callers see them.
    pub(super) fn crowds(&self) -> &Crowds {
        &self.routing.crowds
    }

    /// The next item; `None` once nothing will ever come again.
    pub(super) fn poll_take(&mut self, context: &mut Context<'_>) -> Poll<Option<Outgoing>> {
        let item = self.items.poll_recv(context);
        if let Poll::Ready(None) = item {
            self.intake = Intake::Finished;
        }
        item
    }

    /// The next item, if there is one.
    pub(super) fn take(&mut self) -> Option<Outgoing> {
        match self.items.try_recv() {
            Ok(outgoing) => Some(outgoing),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                self.intake = Intake::Finished;
                None
            }
        }
    }

    /// Refuses new reservations from now on; places that are reserved can still be used.
    pub(super) fn close(&mut self) {
        self.items.close();
        if self.intake == Intake::Open {
            self.intake = Intake::Closed;
        }
    }

    /// Whether new reservations are refused.
    pub(super) fn is_closed(&self) -> bool {
        self.intake != Intake::Open
    }

    /// Whether nothing can come any more, as far as was seen when the queue was last looked into.
    pub(super) fn is_finished(&self) -> bool {
        self.intake == Intake::Finished
    }
}

/// A queue of one route that takes SMS, for tests of what stands before it, and its items so far.
#[cfg(test)]
impl Queue {
    pub(crate) fn of_one_route(places: usize, clock: Clock, metrics: &Arc<Metrics>) -> (Outbox, Self) {
        let (outbox, queue) = outbox(places, Table::of_all(1), clock, metrics);
        queue.routes()[0].set_state(RouteState::Sending);
        (outbox, queue)
    }

    pub(crate) fn take_all(&mut self) -> Vec<Item> {
        std::iter::from_fn(|| self.take()).map(|outgoing| outgoing.item).collect()
    }
}

#[cfg(test)]
pub(super) mod tests;
