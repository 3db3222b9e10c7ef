//! One SMSC and its links: what they are to take, and whether they can.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;

use super::circuit::Circuit;
use crate::clock::Timestamp;
use crate::metrics::SmscMetrics;
use crate::sms::outbox::Outgoing;

/// How long an SMSC that lost all its links must be up again before it is preferred again.
pub(super) const STEADY_AFTER: Duration = Duration::from_secs(10);

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
}

impl Link {
    fn new() -> Self {
        Self { state: LinkState::Unbound, wake: Rc::new(Notify::new()), own: VecDeque::new() }
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
}

pub(super) struct Smsc {
    /// What its links are to take, the first first.
    pub(super) lane: VecDeque<Outgoing>,
    pub(super) circuit: Circuit,
    pub(super) links: Vec<Link>,
    /// The link that was woken last: the next in turn is woken first.
    woken: usize,
    /// From when on it may be preferred; `None` until it is bound for the first time.
    steady_from: Option<Timestamp>,
    pub(super) metrics: SmscMetrics,
}

impl Smsc {
    /// An SMSC with no link bound yet.
    pub(super) fn new(links: usize, metrics: SmscMetrics, now: Timestamp) -> Self {
        Self {
            lane: VecDeque::new(),
            circuit: Circuit::new(now),
            links: std::iter::repeat_with(Link::new).take(links).collect(),
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

    /// Whether it may be preferred to SMSCs behind it.
    pub(super) fn is_steady(&self, now: Timestamp) -> bool {
        self.steady_from.is_some_and(|from| from <= now)
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
