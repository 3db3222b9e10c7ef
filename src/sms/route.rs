//! One route: the SMSCs that carry its numbers, whether they take SMS, and its places in the outbox.
//!
//! The [table](table) of `[[route]]` says which there are; the longest [prefix](prefixes) of a number, which it
//! takes.

pub(super) mod crowd;
pub(super) mod prefixes;
pub(super) mod table;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Timestamp;
use crate::metrics::Metrics;
use crowd::{Crowd, Member};

/// While no SMSC of a route does more than to be tried out, so many SMS of it may wait: what leaves in a few seconds if
/// an SMSC is well again. Of each destination that fails, so many may wait beside, so that others can try.
pub(super) const SLOW_PLACES_MAX: usize = 10;
/// Of all that fail together so many may wait, or one of each.
const SLOW_PLACES_OF_ALL: usize = 2 * SLOW_PLACES_MAX;
/// A sick destination holds this part of its route's places at the most, and all together this part.
const CROWD_PART: usize = 4;
const CROWDS_PART: usize = 2;

/// Whether any SMSC of a route takes SMS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RouteState {
    /// At least one does.
    Sending,
    /// No link to any of them is bound.
    NoLink { since: Timestamp },
    /// Links are bound, but every SMSC that has one fails: a few SMS are tried, of destinations that have not failed if
    /// nothing is answered.
    Slow,
    /// Links are bound, and every SMSC that has one is given time to recover.
    Failing,
}

const SENDING: u64 = u64::MAX;
const FAILING: u64 = u64::MAX - 1;
const SLOW: u64 = u64::MAX - 2;

impl RouteState {
    /// The state of a route of which some SMSCs are in this state, and some in the other.
    pub(super) fn better(self, other: Self) -> Self {
        let order = [Self::Sending, Self::Slow, Self::Failing];
        order.into_iter().find(|state| [self, other].contains(state)).unwrap_or(self)
    }

    /// Anything but [`SENDING`], [`SLOW`] and [`FAILING`] is since when there is no link, in Unix milliseconds.
    fn to_number(self) -> u64 {
        match self {
            Self::Sending => SENDING,
            Self::Slow => SLOW,
            Self::Failing => FAILING,
            Self::NoLink { since } => since.unix_millis(),
        }
    }

    fn from_number(number: u64) -> Self {
        match number {
            SENDING => Self::Sending,
            SLOW => Self::Slow,
            FAILING => Self::Failing,
            since => Self::NoLink { since: Timestamp::from_unix_millis(since) },
        }
    }
}

/// One route. Everyone who is to see its state shares it.
#[derive(Debug)]
pub(super) struct Route {
    /// Which of all routes it is.
    index: usize,
    /// Indices of SMSCs, the preferred first.
    smscs: Box<[usize]>,
    /// A [`RouteState`], which only the SMS thread changes.
    state: AtomicU64,
    places_max: usize,
    /// What all its sick destinations hold of them.
    crowds: Arc<Crowd>,
    metrics: Arc<Metrics>,
}

impl Route {
    /// A route that has had no link since `now`.
    pub(super) fn new(
        index: usize,
        smscs: Box<[usize]>,
        places_max: usize,
        now: Timestamp,
        metrics: Arc<Metrics>,
    ) -> Self {
        let state = AtomicU64::new(RouteState::NoLink { since: now }.to_number());
        Self { index, smscs, state, places_max, crowds: Arc::default(), metrics }
    }

    /// Which of all routes it is.
    pub(super) fn index(&self) -> usize {
        self.index
    }

    /// Indices of the SMSCs that carry it, the preferred first.
    pub(super) fn smscs(&self) -> &[usize] {
        &self.smscs
    }

    // Relaxed: it guards no other data, and a caller may see it a moment late.
    pub(super) fn state(&self) -> RouteState {
        RouteState::from_number(self.state.load(Ordering::Relaxed))
    }

    /// Changes the state. Without a link it stays without one since the last was lost.
    pub(super) fn set_state(&self, state: RouteState) {
        if let (RouteState::NoLink { .. }, RouteState::NoLink { .. }) = (self.state(), state) {
            return;
        }
        self.state.store(state.to_number(), Ordering::Relaxed);
    }

    /// A place for one SMS, unless all are taken.
    // Two atomic adds. What is counted are the owners of the route: the table of all routes, and each ticket.
    // Ours is counted before we look, so that two callers at once never get the same last place.
    pub(super) fn ticket(self: &Arc<Self>) -> Option<Ticket> {
        self.ticket_within(self.places_max)
    }

    /// A place for one SMS while the route is [slow](RouteState::Slow), unless enough are taken besides those of sick
    /// destinations.
    pub(super) fn slow_ticket(self: &Arc<Self>) -> Option<Ticket> {
        self.ticket_within(self.places_max.min(SLOW_PLACES_MAX + self.crowds.places()))
    }

    fn ticket_within(self: &Arc<Self>, places_max: usize) -> Option<Ticket> {
        let ticket = Ticket { route: Arc::clone(self), members: None };
        self.metrics.sms.outbox_items.inc();
        let taken = Arc::strong_count(self) - 1;
        (taken <= places_max).then_some(ticket)
    }
}

/// A place of a route, from the reservation until the SMS has ended, wherever it is until then. Dropped, it
/// is free again. There is no other way to take or to free one, so that places cannot be lost.
#[derive(Debug)]
pub(super) struct Ticket {
    route: Arc<Route>,
    /// It counts among those of a sick destination, and of all together, too.
    members: Option<[Member; 2]>,
}

impl Ticket {
    pub(super) fn route(&self) -> &Route {
        &self.route
    }

    /// Counts it among the places of its sick destination, unless that holds its share, or all such do. Returns whether
    /// they do not.
    pub(super) fn join_within_share(&mut self, crowd: &Arc<Crowd>) -> bool {
        let share = |part: usize| (self.route.places_max / part).max(1);
        let own_max = match crowd.state() {
            RouteState::Slow => crowd.slow_places_max().min(share(CROWD_PART)),
            RouteState::Sending | RouteState::Failing | RouteState::NoLink { .. } => share(CROWD_PART),
        };
        let own = crowd.join_within(own_max);
        self.members = own.and_then(|own| Some([own, self.route.crowds.join_within(share(CROWDS_PART))?]));
        self.members.is_some()
    }

    /// Counts it among the places of its sick destination, however many that holds.
    pub(super) fn join(&mut self, crowd: &Arc<Crowd>) {
        if self.members.is_none() {
            self.members = Some([crowd.join(), self.route.crowds.join()]);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.route.metrics.sms.outbox_items.dec();
    }
}
