//! What waits for which SMSC and link, and where an SMS can go.

use std::collections::VecDeque;
use std::sync::Arc;

use super::smsc::{Link, LinkState, Smsc};
use crate::clock::Timestamp;
use crate::metrics::{Metrics, SmscMetrics};
use crate::sms::outbox::{LEFT_MIN, Outgoing, Queue};
use crate::sms::route::RouteState;

/// Which SMSC, and which of its links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LinkIndex {
    pub(super) smsc: usize,
    pub(super) link: usize,
}

/// Where an SMS may go that one link's SMSC could not deal with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failover {
    Smsc(usize),
    /// Another link of the same SMSC.
    Link(LinkIndex),
}

/// The queue, and all that has left it and waits for a link.
pub(super) struct Lanes {
    pub(super) queue: Queue,
    pub(super) smscs: Vec<Smsc>,
    /// What no SMSC of its route can take now.
    parked: VecDeque<Outgoing>,
    pub(super) metrics: Arc<Metrics>,
}

impl Lanes {
    /// Lanes to SMSCs with this many links each.
    pub(super) fn new(
        queue: Queue,
        smscs: impl IntoIterator<Item = (usize, SmscMetrics)>,
        now: Timestamp,
        metrics: Arc<Metrics>,
    ) -> Self {
        let smscs = smscs.into_iter().map(|(links, metrics)| Smsc::new(links, metrics, now)).collect();
        Self { queue, smscs, parked: VecDeque::new(), metrics }
    }

    /// All links, those of the first SMSC first.
    pub(super) fn links(&self) -> impl Iterator<Item = LinkIndex> {
        let links =
            |(smsc, of): (usize, &Smsc)| (0..of.links.len()).map(move |link| LinkIndex { smsc, link });
        self.smscs.iter().enumerate().flat_map(links)
    }

    pub(super) fn link(&mut self, index: LinkIndex) -> &mut Link {
        &mut self.smscs[index.smsc].links[index.link]
    }

    /// The SMSC that is to take an SMS of a route, of those that it names in order. It counts as sent there.
    // For an SMSC that is well and first: three comparisons.
    fn choose(&mut self, order: &[usize], except: Option<usize>, now: Timestamp) -> Option<usize> {
        let takes = |index: &usize| Some(*index) != except && self.smscs[*index].takes();
        let mut able = order.iter().copied().filter(takes);
        let first = able.next()?;
        let steady = |index: &usize| self.smscs[*index].is_steady(now);
        let chosen = if steady(&first) { first } else { able.find(steady).unwrap_or(first) };
        self.smscs[chosen].circuit.took(now);
        Some(chosen)
    }

    /// Puts an SMS where it can go. Returns whether a link was woken for it.
    pub(super) fn place(&mut self, outgoing: Outgoing, now: Timestamp) -> bool {
        let chosen = self.choose(outgoing.route().smscs(), None, now);
        self.put(outgoing, chosen)
    }

    fn put(&mut self, outgoing: Outgoing, chosen: Option<usize>) -> bool {
        let Some(smsc) = chosen else {
            self.parked.push_back(outgoing);
            return false;
        };
        self.smscs[smsc].lane.push_back(outgoing);
        self.smscs[smsc].wake_next()
    }

    /// Puts an SMS where it can go, before what waits there.
    fn place_first(&mut self, outgoing: Outgoing, now: Timestamp) {
        match self.choose(outgoing.route().smscs(), None, now) {
            Some(smsc) => {
                self.smscs[smsc].lane.push_front(outgoing);
                self.smscs[smsc].wake_next();
            }
            None => self.parked.push_front(outgoing),
        }
    }

    /// Something can be sent that could not be before.
    fn unpark(&mut self, now: Timestamp) {
        for _ in 0..self.parked.len() {
            if let Some(outgoing) = self.parked.pop_front() {
                self.place(outgoing, now);
            }
        }
    }

    /// An SMSC cannot take any more what waits for it.
    fn clear_lane(&mut self, smsc: usize, now: Timestamp) {
        for outgoing in std::mem::take(&mut self.smscs[smsc].lane).into_iter().rev() {
            self.place_first(outgoing, now);
        }
    }

    /// The next SMS for a link: what waits for only this link, for its SMSC, or in the queue.
    pub(super) fn take(&mut self, index: LinkIndex, now: Timestamp) -> Option<Outgoing> {
        let Smsc { lane, links, .. } = &mut self.smscs[index.smsc];
        let waiting = links[index.link].own.pop_front().or_else(|| lane.pop_front());
        if waiting.is_some() {
            return waiting;
        }
        while let Some(outgoing) = self.queue.take() {
            let chosen = self.choose(outgoing.route().smscs(), None, now);
            if chosen == Some(index.smsc) {
                return Some(outgoing);
            }
            self.put(outgoing, chosen);
        }
        None
    }

    /// Takes back what a link has not sent, in its order, and what waits for only that link; all of it goes
    /// before what waits.
    pub(super) fn take_back(&mut self, index: LinkIndex, unsent: Vec<Outgoing>, now: Timestamp) {
        let own = std::mem::take(&mut self.link(index).own);
        // A probe may be among them; without any, it is another link's.
        if !unsent.is_empty() || !own.is_empty() {
            self.smscs[index.smsc].circuit.unsent();
        }
        for outgoing in own.into_iter().rev().chain(unsent.into_iter().rev()) {
            self.place_first(outgoing, now);
        }
    }

    /// Where an SMS that a link was refused may go instead. It counts as sent there.
    pub(super) fn failover(
        &mut self,
        from: LinkIndex,
        outgoing: &Outgoing,
        now: Timestamp,
    ) -> Option<Failover> {
        if let Some(other) = self.choose(outgoing.route().smscs(), Some(from.smsc), now) {
            return Some(Failover::Smsc(other));
        }
        let smsc = &self.smscs[from.smsc];
        if !smsc.circuit.is_closed() {
            return None;
        }
        let mut links = 0..smsc.links.len();
        let link = links.find(|link| *link != from.link && smsc.links[*link].is_bound())?;
        Some(Failover::Link(LinkIndex { link, ..from }))
    }

    /// Sends an SMS where it [may go](Self::failover), before what waits for that SMSC.
    pub(super) fn fail_over(&mut self, to: Failover, outgoing: Outgoing) {
        match to {
            Failover::Smsc(smsc) => {
                self.smscs[smsc].lane.push_front(outgoing);
                self.smscs[smsc].wake_next();
            }
            Failover::Link(index) => {
                let link = self.link(index);
                link.own.push_back(outgoing);
                link.wake();
            }
        }
    }

    pub(super) fn set_bound(&mut self, index: LinkIndex, bound: bool, now: Timestamp) {
        if self.link(index).is_bound() == bound {
            return;
        }
        let was_bound = self.smscs[index.smsc].is_bound();
        self.link(index).state = if bound { LinkState::Busy } else { LinkState::Unbound };
        match (was_bound, self.smscs[index.smsc].is_bound()) {
            (false, true) => {
                self.smscs[index.smsc].first_link_bound(now);
                self.unpark(now);
            }
            (true, false) => self.clear_lane(index.smsc, now),
            (false, false) | (true, true) => {}
        }
        self.publish(now);
    }

    /// The link is idle, or busy. If there is something to send, an idle link of its SMSC is woken: this or
    /// another. Returns whether it has become idle.
    pub(super) fn set_idle(&mut self, index: LinkIndex, idle: bool) -> bool {
        let link = self.link(index);
        let before = link.state;
        link.state = match (before, idle) {
            (LinkState::Unbound, _) => LinkState::Unbound,
            (LinkState::Busy | LinkState::Idle, true) => LinkState::Idle,
            (LinkState::Busy | LinkState::Idle, false) => LinkState::Busy,
        };
        let is_new = before == LinkState::Busy && link.state == LinkState::Idle;
        if link.own.is_empty() || !link.wake() {
            let smsc = &mut self.smscs[index.smsc];
            if !smsc.lane.is_empty() {
                smsc.wake_next();
            }
        }
        is_new
    }

    /// The SMSC did not answer a message that it had at `since`, or could not deal with it then.
    pub(super) fn failed(&mut self, smsc: usize, since: Timestamp, now: Timestamp) {
        if self.smscs[smsc].circuit.failed(since, now) {
            let metrics = &self.smscs[smsc].metrics;
            metrics.circuit_opened.inc();
            tracing::error!(smsc = metrics.name, "the SMSC fails: nothing is sent to it for a while");
            self.clear_lane(smsc, now);
            self.publish(now);
        }
    }

    /// The SMSC dealt with a message.
    pub(super) fn succeeded(&mut self, smsc: usize, now: Timestamp) {
        if self.smscs[smsc].circuit.succeeded(now) {
            if self.smscs[smsc].circuit.is_closed() {
                tracing::info!(smsc = self.smscs[smsc].metrics.name, "the SMSC is well again");
            }
            self.unpark(now);
            self.publish(now);
        }
    }

    /// A message that an SMSC was to get was not sent after all.
    pub(super) fn unsent(&mut self, smsc: usize, now: Timestamp) {
        if self.smscs[smsc].circuit.unsent() {
            self.unpark(now);
        }
    }

    /// Ends the pauses of circuits that are over.
    pub(super) fn on_time(&mut self, now: Timestamp) {
        let mut more = false;
        for smsc in &mut self.smscs {
            more |= smsc.circuit.on_time(now);
        }
        if more {
            self.unpark(now);
            self.publish(now);
        }
    }

    /// Shows callers and operators where things stand.
    fn publish(&self, now: Timestamp) {
        let gauge = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let mut links_bound = 0;
        for smsc in &self.smscs {
            links_bound += smsc.links_bound();
            smsc.metrics.links_bound.set(gauge(smsc.links_bound()));
            smsc.metrics.circuit_open.set((!smsc.circuit.is_closed()).into());
        }
        self.metrics.sms.link_bound.set(gauge(links_bound));
        for route in self.queue.routes() {
            let smscs = route.smscs().iter().map(|index| &self.smscs[*index]);
            let mut bound = smscs.filter(|smsc| smsc.is_bound()).peekable();
            route.set_state(if bound.peek().is_none() {
                RouteState::NoLink { since: now }
            } else if bound.any(|smsc| !smsc.circuit.is_open()) {
                RouteState::Sending
            } else {
                RouteState::Failing
            });
        }
    }

    /// Whether the router is to look for new items.
    pub(super) fn wants_items(&self) -> bool {
        let is_idle = |link: &Link| link.state == LinkState::Idle;
        let any_idle = || self.smscs.iter().flat_map(|smsc| &smsc.links).any(is_idle);
        !self.queue.is_finished() && (self.queue.is_closed() || any_idle())
    }

    /// Whether nothing waits or can still come, as far as is known.
    pub(super) fn is_drained(&self) -> bool {
        self.queue.is_finished() && self.is_empty()
    }

    /// Whether nothing waits outside the queue.
    pub(super) fn is_empty(&self) -> bool {
        let is_empty =
            |smsc: &Smsc| smsc.lane.is_empty() && smsc.links.iter().all(|link| link.own.is_empty());
        self.parked.is_empty() && self.smscs.iter().all(is_empty)
    }

    /// Takes out the first of what waits somewhere and is too old to be sent.
    pub(super) fn take_expired(&mut self, now: Timestamp) -> Option<Outgoing> {
        let is_expired = |outgoing: &mut Outgoing| outgoing.item.expires_at.since(now) < LEFT_MIN;
        for smsc in &mut self.smscs {
            if let Some(expired) = smsc.lane.pop_front_if(is_expired) {
                // It may have been the next probe.
                smsc.circuit.unsent();
                return Some(expired);
            }
        }
        let own = self.smscs.iter_mut().flat_map(|smsc| &mut smsc.links).map(|link| &mut link.own);
        own.chain([&mut self.parked]).find_map(|waiting| waiting.pop_front_if(is_expired))
    }

    /// Takes out anything that waits.
    pub(super) fn take_any(&mut self) -> Option<Outgoing> {
        let of_smsc = |smsc: &mut Smsc| {
            let own = || smsc.links.iter_mut().find_map(|link| link.own.pop_front());
            smsc.lane.pop_front().or_else(own)
        };
        let waiting = self.smscs.iter_mut().find_map(of_smsc).or_else(|| self.parked.pop_front());
        waiting.or_else(|| self.queue.take())
    }
}
