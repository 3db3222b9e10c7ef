//! What waits for which SMSC and link, and where an SMS can go.

use std::collections::VecDeque;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;

use super::circuit::Circuit;
use super::table::Table;
use crate::clock::Timestamp;
use crate::metrics::SmscMetrics;
use crate::msisdn::Msisdn;
use crate::sms::outbox::{Item, LEFT_MIN, Queue, Sending};

/// How long an SMSC that lost all its links must be up again before it is preferred again.
pub(super) const STEADY_AFTER: Duration = Duration::from_secs(10);

/// An item on its way to a link.
#[derive(Clone, Debug)]
pub(in crate::sms) struct Outgoing {
    pub(in crate::sms) item: Item,
    /// An SMSC has said that it could not deal with it. The next such answer is final.
    pub(in crate::sms) refused: bool,
    /// How often its recipient's queue was full.
    pub(in crate::sms) times_full: u8,
}

impl Outgoing {
    pub(super) fn new(item: Item) -> Self {
        Self { item, refused: false, times_full: 0 }
    }
}

/// One SMSC.
pub(super) struct Smsc {
    /// What its links are to take, the first first.
    pub(super) lane: VecDeque<Outgoing>,
    pub(super) circuit: Circuit,
    /// Its links.
    pub(super) links: Range<usize>,
    /// How many of them can take SMS.
    pub(super) bound: usize,
    /// It has been bound before.
    pub(super) known: bool,
    /// From when on it may be preferred.
    pub(super) steady_from: Timestamp,
    /// The link that was woken last: the next in turn is woken first.
    pub(super) woken: usize,
    pub(super) metrics: SmscMetrics,
}

/// One link.
pub(super) struct LinkState {
    pub(super) smsc: usize,
    pub(super) bound: bool,
    /// It waits for items.
    pub(super) hungry: bool,
    pub(super) wake: Rc<Notify>,
    /// What another link of its SMSC was refused, and only this one is to take.
    pub(super) own: VecDeque<Outgoing>,
}

pub(super) struct State {
    pub(super) queue: Queue,
    pub(super) table: Table,
    pub(super) smscs: Vec<Smsc>,
    pub(super) links: Vec<LinkState>,
    /// What no SMSC of its route can take now.
    pub(super) parked: VecDeque<Outgoing>,
    /// Nothing new is taken in.
    pub(super) closed: bool,
}

/// Where an SMS may go when one link's SMSC could not deal with it.
pub(super) enum Elsewhere {
    Smsc(usize),
    Link(usize),
}

impl State {
    /// The SMSC that is to take an SMS to `phone`. It counts as sent there.
    // For an SMSC that is well and first: one step a digit, and three comparisons.
    pub(super) fn choose(&mut self, phone: Msisdn, but: Option<usize>, now: Timestamp) -> Option<usize> {
        let route = usize::from(self.table.prefixes.longest(phone));
        let mut second_best = None;
        let mut best = None;
        for &index in &self.table.routes[route] {
            let smsc = &self.smscs[index];
            if smsc.bound == 0 || !smsc.circuit.takes() || but == Some(index) {
                continue;
            }
            if smsc.steady_from <= now {
                best = Some(index);
                break;
            }
            second_best.get_or_insert(index);
        }
        let chosen = best.or(second_best)?;
        self.smscs[chosen].circuit.took(now);
        Some(chosen)
    }

    /// Puts what is on its way where it can go. Returns whether a link was woken for it.
    pub(super) fn place(&mut self, outgoing: Outgoing, now: Timestamp) -> bool {
        match self.choose(outgoing.item.phone, None, now) {
            Some(smsc) => {
                self.smscs[smsc].lane.push_back(outgoing);
                self.wake_one(smsc)
            }
            None => {
                self.parked.push_back(outgoing);
                false
            }
        }
    }

    /// The same, before what waits there.
    pub(super) fn place_first(&mut self, outgoing: Outgoing, now: Timestamp) {
        match self.choose(outgoing.item.phone, None, now) {
            Some(smsc) => {
                self.smscs[smsc].lane.push_front(outgoing);
                self.wake_one(smsc);
            }
            None => self.parked.push_front(outgoing),
        }
    }

    /// Something can be sent that could not be before.
    pub(super) fn unpark(&mut self, now: Timestamp) {
        for _ in 0..self.parked.len() {
            if let Some(outgoing) = self.parked.pop_front() {
                self.place(outgoing, now);
            }
        }
    }

    /// An SMSC cannot take any more what waits for it.
    pub(super) fn clear_lane(&mut self, smsc: usize, now: Timestamp) {
        for outgoing in std::mem::take(&mut self.smscs[smsc].lane).into_iter().rev() {
            self.place_first(outgoing, now);
        }
    }

    pub(super) fn take(&mut self, link: usize, now: Timestamp) -> Option<Outgoing> {
        let smsc = self.links[link].smsc;
        let own = self.links[link].own.pop_front();
        if let Some(outgoing) = own.or_else(|| self.smscs[smsc].lane.pop_front()) {
            self.queue.left(outgoing.item.phone);
            return Some(outgoing);
        }
        while let Some(item) = self.queue.take() {
            match self.choose(item.phone, None, now) {
                Some(chosen) if chosen == smsc => {
                    self.queue.left(item.phone);
                    return Some(Outgoing::new(item));
                }
                Some(other) => {
                    self.smscs[other].lane.push_back(Outgoing::new(item));
                    self.wake_one(other);
                }
                None => self.parked.push_back(Outgoing::new(item)),
            }
        }
        None
    }

    /// Wakes the next link of an SMSC that waits for items, if one does.
    pub(super) fn wake_one(&mut self, smsc: usize) -> bool {
        let Smsc { links, woken, .. } = &mut self.smscs[smsc];
        let count = links.len();
        for step in 1..=count {
            let index = links.start + (*woken + step) % count;
            let link = &mut self.links[index];
            if std::mem::take(&mut link.hungry) {
                *woken = index - links.start;
                link.wake.notify_one();
                return true;
            }
        }
        false
    }

    /// Where an SMS that `link` was refused may go instead.
    pub(super) fn elsewhere(&mut self, link: usize, phone: Msisdn, now: Timestamp) -> Option<Elsewhere> {
        let smsc = self.links[link].smsc;
        if let Some(other) = self.choose(phone, Some(smsc), now) {
            return Some(Elsewhere::Smsc(other));
        }
        if !self.smscs[smsc].circuit.is_closed() {
            return None;
        }
        let mut links = self.smscs[smsc].links.clone();
        links.find(|other| *other != link && self.links[*other].bound).map(Elsewhere::Link)
    }

    pub(super) fn set_bound(&mut self, link: usize, bound: bool, now: Timestamp) {
        if self.links[link].bound == bound {
            return;
        }
        self.links[link].bound = bound;
        let index = self.links[link].smsc;
        let smsc = &mut self.smscs[index];
        if bound {
            smsc.bound += 1;
            if smsc.bound == 1 {
                // The first bind after the start has nothing to prove.
                smsc.steady_from = if smsc.known { now.plus(STEADY_AFTER) } else { now };
                smsc.known = true;
                self.unpark(now);
            }
        } else {
            smsc.bound -= 1;
            if smsc.bound == 0 {
                self.clear_lane(index, now);
            }
        }
        self.publish();
    }

    pub(super) fn failed(&mut self, smsc: usize, since: Timestamp, now: Timestamp) {
        if self.smscs[smsc].circuit.failed(since, now) {
            let metrics = &self.smscs[smsc].metrics;
            metrics.circuit_opened.inc();
            tracing::error!(smsc = metrics.name, "the SMSC fails: nothing is sent to it for a while");
            self.clear_lane(smsc, now);
            self.publish();
        }
    }

    pub(super) fn succeeded(&mut self, smsc: usize, now: Timestamp) {
        if self.smscs[smsc].circuit.succeeded(now) {
            if self.smscs[smsc].circuit.is_closed() {
                tracing::info!(smsc = self.smscs[smsc].metrics.name, "the SMSC is well again");
            }
            self.unpark(now);
            self.publish();
        }
    }

    /// Tells callers and operators where things stand.
    pub(super) fn publish(&mut self) {
        let mut links_bound = 0;
        for smsc in &self.smscs {
            links_bound += smsc.bound;
            smsc.metrics.links_bound.set(i64::try_from(smsc.bound).unwrap_or(i64::MAX));
            smsc.metrics.circuit_open.set((!smsc.circuit.is_closed()).into());
        }
        self.queue.set_links_bound(links_bound);
        for (route, smscs) in self.table.routes.iter().enumerate() {
            let bound = || smscs.iter().map(|index| &self.smscs[*index]).filter(|smsc| smsc.bound > 0);
            let sending = match bound().next() {
                None => Sending::NoLink,
                Some(_) if bound().any(|smsc| !smsc.circuit.is_open()) => Sending::Possible,
                Some(_) => Sending::Failing,
            };
            self.queue.set_sending(route, sending);
        }
    }

    /// Whether the router is to look for new items.
    pub(super) fn wants_items(&self) -> bool {
        !self.queue.is_finished() && (self.closed || self.links.iter().any(|link| link.hungry))
    }

    /// Whether nothing waits or can still come.
    pub(super) fn is_over(&self) -> bool {
        self.closed && self.queue.is_finished() && self.is_empty()
    }

    /// Whether nothing waits outside the outbox.
    pub(super) fn is_empty(&self) -> bool {
        self.parked.is_empty()
            && self.smscs.iter().all(|smsc| smsc.lane.is_empty())
            && self.links.iter().all(|link| link.own.is_empty())
    }

    /// Takes out the first of what waits somewhere and is too old to be sent.
    pub(super) fn take_dead(&mut self, now: Timestamp) -> Option<Outgoing> {
        let is_dead = |outgoing: &mut Outgoing| outgoing.item.expires_at.since(now) < LEFT_MIN;
        let of_lane = |smsc: &mut Smsc| {
            let dead = smsc.lane.pop_front_if(is_dead)?;
            // It may have been the next probe.
            smsc.circuit.unsent();
            Some(dead)
        };
        let dead = self.smscs.iter_mut().find_map(of_lane).or_else(|| {
            let own = self.links.iter_mut().map(|link| &mut link.own);
            own.chain([&mut self.parked]).find_map(|waiting| waiting.pop_front_if(is_dead))
        })?;
        self.queue.left(dead.item.phone);
        Some(dead)
    }

    /// Takes out anything that waits.
    pub(super) fn take_any(&mut self) -> Option<Outgoing> {
        let lanes = self.smscs.iter_mut().map(|smsc| &mut smsc.lane);
        let own = self.links.iter_mut().map(|link| &mut link.own);
        let mut waiting = lanes.chain(own).chain([&mut self.parked]);
        let outgoing = waiting.find_map(VecDeque::pop_front);
        let outgoing = outgoing.or_else(|| self.queue.take().map(Outgoing::new))?;
        self.queue.left(outgoing.item.phone);
        Some(outgoing)
    }
}
