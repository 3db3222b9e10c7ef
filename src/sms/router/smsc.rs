//! One SMSC and its links: what they are to take, and whether they can.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;

use super::circuit::Circuit;
use super::destinations::Destinations;
use super::held::Held;
use super::retries::Retries;
use super::spread::Spread;
use crate::clock::Timestamp;
use crate::metrics::SmscMetrics;
use crate::sms::destination::{Prefix, Recipient};
use crate::sms::outbox::Outgoing;

/// How long an SMSC that lost all its links must be up again before it is preferred again.
pub(super) const STEADY_AFTER: Duration = Duration::from_secs(10);

/// Whose turn it is, as far as others wait, too. Of every four messages that a link takes, two have just come, one waited
/// and may be of a destination in trouble, and one waited that is of none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    New,
    Waiting,
    WaitingWell,
}

const TURNS: [Turn; 4] = [Turn::New, Turn::WaitingWell, Turn::New, Turn::Waiting];

/// Whether a link can take an SMS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LinkState {
    Unbound,
    /// Bound, and at work: it looks for items itself.
    Busy,
    /// Bound, and waiting for items.
    Idle,
}

/// One link, as the routes see it.
pub(super) struct Link {
    pub(super) state: LinkState,
    pub(super) wake: Rc<Notify>,
    /// What another link of its SMSC was refused, and only this one is to take.
    pub(super) own: VecDeque<Outgoing>,
    /// What is on its way.
    pub(super) held: Held,
    /// The next in [`TURNS`].
    turn: usize,
}

impl Link {
    fn new(held: Held) -> Self {
        let wake = Rc::new(Notify::new());
        Self { state: LinkState::Unbound, wake, own: VecDeque::new(), held, turn: 0 }
    }

    pub(super) fn is_bound(&self) -> bool {
        self.state != LinkState::Unbound
    }

    /// Wakes it if it is idle. Returns whether it was.
    pub(super) fn wake(&mut self) -> bool {
        let idle = self.state == LinkState::Idle;
        if idle {
            self.state = LinkState::Busy;
            self.wake.notify_one();
        }
        idle
    }

    /// Whose turn it is.
    pub(super) fn next_turn(&mut self) -> Turn {
        let turn = TURNS[self.turn];
        self.turn = (self.turn + 1) % TURNS.len();
        turn
    }
}

/// What the routes are told of an SMSC.
pub(in crate::sms) struct Carrier {
    pub(in crate::sms) links: usize,
    /// Submits without an answer, on each link.
    pub(in crate::sms) window: usize,
    /// After so long without an answer a submit is given up.
    pub(in crate::sms) response_timer: Duration,
    pub(in crate::sms) metrics: SmscMetrics,
}

pub(super) struct Smsc {
    /// What its links are to take, the first first.
    pub(super) lane: VecDeque<Outgoing>,
    pub(super) circuit: Circuit,
    /// Another one, which counts what it refuses for now: while that is not closed, others are preferred.
    pub(super) refusals: Circuit,
    pub(super) spread: Spread,
    /// What it refuses or does not answer, and what waits for that.
    pub(super) destinations: Destinations,
    pub(super) retries: Retries,
    pub(super) links: Vec<Link>,
    /// The link that was woken last: the next in turn is woken first.
    woken: usize,
    /// From when on it may be preferred; `None` until it is bound for the first time.
    steady_from: Option<Timestamp>,
    pub(super) metrics: SmscMetrics,
}

impl Smsc {
    /// An SMSC with no link bound yet.
    pub(super) fn new(carrier: Carrier, unwell_max: usize, now: Timestamp) -> Self {
        let Carrier { links, window, response_timer, metrics } = carrier;
        Self {
            lane: VecDeque::new(),
            circuit: Circuit::new(now),
            refusals: Circuit::of_refusals(now),
            spread: Spread::default(),
            destinations: Destinations::new(unwell_max),
            retries: Retries::default(),
            links: (0..links).map(|_| Link::new(Held::new(window, response_timer))).collect(),
            woken: links.saturating_sub(1),
            steady_from: None,
            metrics,
        }
    }

    /// Whether any of its links is bound.
    pub(super) fn is_bound(&self) -> bool {
        self.links.iter().any(Link::is_bound)
    }

    /// How many of its links are bound.
    pub(super) fn links_bound(&self) -> usize {
        self.links.iter().filter(|link| link.is_bound()).count()
    }

    /// Whether it takes an SMS now.
    pub(super) fn takes(&self) -> bool {
        self.is_bound() && self.circuit.takes()
    }

    /// Whether it takes an SMS to this recipient now: one that is known not to go through is not to try it out, so
    /// that it waits until nothing better is there for that.
    pub(super) fn takes_of(&self, recipient: Recipient) -> bool {
        self.is_bound()
            && (self.circuit.is_closed_for(recipient.prefix)
                || self.circuit.takes() && !self.destinations.is_known(recipient))
    }

    /// Whether an SMS to this recipient may go as a probe though the circuit is open: its destination has not failed.
    pub(super) fn may_try(&self, recipient: Recipient) -> bool {
        self.is_bound() && self.circuit.may_try(recipient.prefix) && !self.destinations.is_known(recipient)
    }

    /// Whether it takes an SMS now though little goes well with it.
    pub(super) fn takes_slowly(&self, now: Timestamp) -> bool {
        self.is_bound() && self.circuit.takes_slowly(now)
    }

    /// Whether it is to be preferred to SMSCs behind it for this recipient.
    // For one that is well: a few comparisons.
    pub(super) fn is_preferred(&self, recipient: Recipient, now: Timestamp) -> bool {
        self.steady_from.is_some_and(|from| from <= now)
            && (self.refusals.is_closed_for(recipient.prefix) || self.refusals.takes())
            && !self.destinations.avoids(recipient, now)
    }

    /// An SMS to this destination is on its way to it.
    pub(super) fn took(&mut self, prefix: Prefix, now: Timestamp) {
        self.circuit.took(prefix, now);
        self.refusals.took(prefix, now);
    }

    /// What waited to be tried again and is due, if it may be sent.
    pub(super) fn take_retry(&mut self, now: Timestamp) -> Option<Outgoing> {
        let Self { circuit, retries, .. } = self;
        // One that was refused is no probe for others.
        let may_probe = circuit.is_closed_for_others() || circuit.takes() || circuit.takes_slowly(now);
        let may_send = |outgoing: &Outgoing| circuit.may_send(outgoing.recipient().prefix, now);
        if may_probe { retries.take_due_if(may_send, now) } else { None }
    }

    /// Takes out all that waits to be tried again, with when it is due, or for its destination.
    pub(super) fn take_waiting(&mut self) -> Vec<(Option<Timestamp>, Outgoing)> {
        let retries = self.retries.take_all().map(|(due, outgoing)| (Some(due), outgoing));
        retries.chain(self.destinations.take_all().into_iter().map(|outgoing| (None, outgoing))).collect()
    }

    /// When something may be taken that waits to be tried again.
    pub(super) fn due(&self) -> Option<Timestamp> {
        [self.destinations.due(), self.retries.due()].into_iter().flatten().min()
    }

    /// Whether something that waits to be tried again may be taken now.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.due().is_some_and(|due| due <= now)
    }

    /// How many messages wait to be tried again, or for their destination.
    pub(super) fn waiting(&self) -> usize {
        self.destinations.waiting() + self.retries.len()
    }

    /// Takes out what has waited for too long to be tried again, or for its destination.
    pub(super) fn take_overdue(&mut self, now: Timestamp) -> Option<Outgoing> {
        self.retries.take_overdue(now).or_else(|| self.destinations.take_overdue(now))
    }

    /// The first of its links is bound, for the first time, when there is nothing to prove, or again.
    pub(super) fn first_link_bound(&mut self, now: Timestamp) {
        self.steady_from = Some(self.steady_from.map_or(now, |_| now.plus(STEADY_AFTER)));
    }

    /// Wakes the next idle link, if there is one. Returns whether there was.
    pub(super) fn wake_next(&mut self) -> bool {
        let count = self.links.len();
        for step in 1..=count {
            let index = (self.woken + step) % count;
            if self.links[index].wake() {
                self.woken = index;
                return true;
            }
        }
        false
    }
}
