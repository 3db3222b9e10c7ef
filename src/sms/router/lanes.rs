//! What waits for which SMSC and link, and where an SMS can go.

mod answers;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use super::destinations::DESTINATIONS_MAX;
use super::held::Room;
use super::retries::{MOVES_MAX, Verdict};
use super::smsc::{Carrier, Link, LinkState, Smsc, Turn};
use crate::clock::Timestamp;
use crate::metrics::Metrics;
use crate::sms::destination::{Prefix, Recipient};
use crate::sms::outbox::{LEFT_MIN, Outgoing, Queue};
use crate::sms::route::crowd::Crowd;
use crate::sms::route::{Route, RouteState};

/// This many parked messages are looked at for one whose destination is not known to be unwell.
const PROBES_SEEN: usize = 32;
/// The most of the queue that a link passes on to others, or has wait, before it looks at what else there is to do: well
/// under a millisecond.
const SEEN_AT_ONCE: usize = 1_000;

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

/// Where an SMS goes that one SMSC refused for now.
#[derive(Clone, Copy, Debug)]
pub(super) enum Again {
    /// To the same, at its time.
    Here(Verdict),
    /// To another.
    Elsewhere { smsc: usize, verdict: Verdict },
}

/// The queue, and all that has left it and waits for a link.
pub(super) struct Lanes {
    pub(super) queue: Queue,
    pub(super) smscs: Vec<Smsc>,
    /// By route, what no SMSC of it can take now.
    parked: Vec<VecDeque<Outgoing>>,
    /// The destinations that the circuit of an SMSC is not closed for and that are known to fail, as callers see them.
    shut: Vec<(Prefix, Arc<Crowd>)>,
    pub(super) metrics: Arc<Metrics>,
}

impl Lanes {
    /// Lanes to these SMSCs.
    pub(super) fn new(
        queue: Queue,
        carriers: impl IntoIterator<Item = Carrier>,
        now: Timestamp,
        metrics: Arc<Metrics>,
    ) -> Self {
        let carriers: Vec<_> = carriers.into_iter().collect();
        let unwell_max = DESTINATIONS_MAX / carriers.len().max(1);
        let smscs = carriers.into_iter().map(|carrier| Smsc::new(carrier, unwell_max, now)).collect();
        let parked = queue.routes().iter().map(|_| VecDeque::new()).collect();
        Self { queue, smscs, parked, shut: Vec::new(), metrics }
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

    /// The SMSC that is to take an SMS of a route, of those that it names in order: the first that is to be preferred,
    /// or the first that can, or that it may try.
    // For an SMSC that is well and first: a few comparisons.
    fn choose(&self, order: &[usize], recipient: Recipient, now: Timestamp) -> Option<usize> {
        let mut able = order.iter().copied().filter(|index| self.smscs[*index].takes_of(recipient));
        let Some(first) = able.next() else {
            return order.iter().copied().find(|index| self.smscs[*index].may_try(recipient));
        };
        let preferred = |index: &usize| self.smscs[*index].is_preferred(recipient, now);
        if preferred(&first) {
            return Some(first);
        }
        // Rather one that is not steady yet than one that does not take it.
        let takes = |index: &usize| !self.smscs[*index].destinations.avoids(recipient, now);
        let others = || order.iter().copied().filter(|index| self.smscs[*index].takes_of(recipient));
        able.find(preferred).or_else(|| others().find(takes)).or(Some(first))
    }

    /// The SMSC that an SMS is to try out, whatever it is for: one that no other has been found for.
    fn choose_for_probe(&self, order: &[usize], now: Timestamp) -> Option<usize> {
        let mut able = order.iter().copied().filter(|index| self.smscs[*index].takes());
        able.next().or_else(|| order.iter().copied().find(|index| self.smscs[*index].takes_slowly(now)))
    }

    /// The SMSC that is to take an SMS that another has not taken, if one is well: what is tried out gets one at a time.
    fn choose_other(
        &self,
        order: &[usize],
        except: usize,
        recipient: Recipient,
        now: Timestamp,
    ) -> Option<usize> {
        let able = |index: &usize| {
            let smsc = &self.smscs[*index];
            *index != except
                && smsc.is_bound()
                && smsc.circuit.is_closed_for(recipient.prefix)
                && smsc.refusals.is_closed_for(recipient.prefix)
                && !smsc.destinations.avoids(recipient, now)
        };
        order.iter().copied().find(able)
    }

    /// Puts an SMS where it can go. Returns whether a link was woken for it.
    pub(super) fn place(&mut self, outgoing: Outgoing, now: Timestamp) -> bool {
        let chosen = self.choose(outgoing.route().smscs(), outgoing.recipient(), now);
        self.put(outgoing, chosen, now)
    }

    fn put(&mut self, outgoing: Outgoing, chosen: Option<usize>, now: Timestamp) -> bool {
        let Some(index) = chosen else {
            self.parked[outgoing.route().index()].push_back(outgoing);
            return false;
        };
        let smsc = &mut self.smscs[index];
        if smsc.destinations.holds_back(outgoing.recipient(), false, now) {
            self.wait(index, outgoing, false, now);
            let smsc = &mut self.smscs[index];
            return smsc.is_due(now) && smsc.wake_next();
        }
        smsc.took(outgoing.recipient().prefix, now);
        smsc.lane.push_back(outgoing);
        smsc.wake_next()
    }

    /// Puts an SMS where it can go, before what waits there.
    fn place_first(&mut self, outgoing: Outgoing, now: Timestamp) {
        match self.choose(outgoing.route().smscs(), outgoing.recipient(), now) {
            Some(index) if self.smscs[index].destinations.holds_back(outgoing.recipient(), true, now) => {
                self.wait(index, outgoing, true, now);
            }
            Some(index) => self.put_first(index, outgoing, now),
            None => self.parked[outgoing.route().index()].push_front(outgoing),
        }
    }

    fn put_first(&mut self, smsc: usize, outgoing: Outgoing, now: Timestamp) {
        let smsc = &mut self.smscs[smsc];
        smsc.took(outgoing.recipient().prefix, now);
        smsc.lane.push_front(outgoing);
        smsc.wake_next();
    }

    /// Has an SMS wait for its destination.
    fn wait(&mut self, smsc: usize, outgoing: Outgoing, first: bool, now: Timestamp) {
        self.smscs[smsc].destinations.wait(outgoing, first, now);
    }

    /// Something can be sent that could not be before.
    fn unpark(&mut self, now: Timestamp) {
        for route in 0..self.parked.len() {
            let smscs = || self.queue.routes()[route].smscs().iter().map(|index| &self.smscs[*index]);
            if smscs().any(|smsc| smsc.is_bound() && smsc.circuit.is_closed_for_others()) {
                // All may go but what is for a few destinations.
                for outgoing in std::mem::take(&mut self.parked[route]) {
                    self.place(outgoing, now);
                }
            }
            while let Some(index) = self.probe(route, now) {
                let Some(outgoing) = self.parked[route].remove(index) else { break };
                let order = outgoing.route().smscs();
                let chosen = self.choose(order, outgoing.recipient(), now);
                let chosen = chosen.or_else(|| self.choose_for_probe(order, now));
                self.put(outgoing, chosen, now);
            }
        }
    }

    /// Which of the parked messages of a route is to try an SMSC out, if one may: as the next probe, one of the first whose
    /// destination lately worked, if there is one, or is not known to be unwell; otherwise the first that may try.
    fn probe(&self, route: usize, now: Timestamp) -> Option<usize> {
        let parked = &self.parked[route];
        let smscs = || self.queue.routes()[route].smscs().iter().map(|index| &self.smscs[*index]);
        if parked.is_empty() || !smscs().any(|smsc| smsc.takes() || smsc.takes_slowly(now)) {
            let may_try = |recipient| smscs().any(|smsc| smsc.may_try(recipient));
            return parked.iter().position(|outgoing| may_try(outgoing.recipient()));
        }
        let is_well = |recipient| smscs().all(|smsc| !smsc.destinations.is_known(recipient));
        let has_worked = |recipient: Recipient| smscs().any(|smsc| smsc.circuit.has_worked(recipient.prefix));
        let seen = || parked.iter().take(PROBES_SEEN).map(Outgoing::recipient);
        let best = seen().position(|recipient| is_well(recipient) && has_worked(recipient));
        best.or_else(|| seen().position(is_well)).or(Some(0))
    }

    /// An SMSC cannot take any more what waits for it, or is not preferred any more. What waits to be tried again, or
    /// for its destination, goes to another SMSC if one is well, and waits on otherwise.
    fn clear_lane(&mut self, index: usize, now: Timestamp) {
        let lane = std::mem::take(&mut self.smscs[index].lane);
        if !lane.is_empty() {
            // The next probe may be among them.
            self.smscs[index].circuit.unsent();
            self.smscs[index].refusals.unsent();
        }
        for outgoing in lane.into_iter().rev() {
            self.place_first(outgoing, now);
        }
        if self.smscs[index].is_bound() {
            self.move_waiting(index, now);
        } else {
            // Nothing is to be said of it for now: it waits as all others do.
            for (_, outgoing) in self.smscs[index].take_waiting() {
                self.place(outgoing, now);
            }
        }
    }

    fn move_waiting(&mut self, from: usize, now: Timestamp) {
        let others = |lanes: &Self, outgoing: &Outgoing| {
            lanes.choose_other(outgoing.route().smscs(), from, outgoing.recipient(), now)
        };
        // Looked for first, so that nothing moves where nothing can.
        let routes = self.queue.routes().iter();
        let can_move = routes
            .filter(|route| route.smscs().contains(&from))
            .any(|route| route.smscs().iter().any(|other| *other != from && self.smscs[*other].takes()));
        if !can_move {
            return;
        }
        for (due, outgoing) in self.smscs[from].take_waiting() {
            match (others(self, &outgoing), due) {
                (Some(other), _) => self.move_to(other, outgoing, now),
                (None, Some(due)) => self.smscs[from].retries.push(outgoing, due),
                (None, None) => self.wait(from, outgoing, false, now),
            }
        }
    }

    /// What waits for destinations that hold it back goes to another SMSC that takes theirs now: a few times, so that
    /// nothing goes to and fro.
    fn move_held_back(&mut self, now: Timestamp) {
        for from in 0..self.smscs.len() {
            let other_for =
                |first: &Outgoing| self.choose_other(first.route().smscs(), from, first.recipient(), now);
            let held_back = self.smscs[from].destinations.held_back(now);
            let moves = held_back.filter_map(|(of, first)| Some((of, other_for(first)?)));
            for (of, other) in moves.collect::<Vec<_>>() {
                for mut outgoing in self.smscs[from].destinations.take_of(of).into_iter().rev() {
                    if outgoing.tries.moves < MOVES_MAX {
                        outgoing.tries.moves += 1;
                        self.move_to(other, outgoing, now);
                    } else {
                        self.wait(from, outgoing, true, now);
                    }
                }
            }
        }
    }

    /// Has another SMSC take an SMS.
    fn move_to(&mut self, smsc: usize, mut outgoing: Outgoing, now: Timestamp) {
        outgoing.tries.here = 0;
        self.put_first(smsc, outgoing, now);
    }

    /// The next SMS for a link: what waits for only this link, then what has waited to be tried again in its turn,
    /// what waits for its SMSC, or in the queue.
    pub(super) fn take(&mut self, index: LinkIndex, now: Timestamp) -> Option<Outgoing> {
        let smsc = &mut self.smscs[index.smsc];
        let own = smsc.links[index.link].own.pop_front();
        let mut taken = own;
        if taken.is_none() {
            let waits = smsc.is_due(now);
            let turn = smsc.links[index.link].next_turn();
            // What is refused is no probe while something else is there.
            let first = waits && turn != Turn::New && smsc.circuit.is_closed_for_others();
            let well_only = turn == Turn::WaitingWell;
            taken = if first { self.take_waiting(index, well_only, now) } else { None };
            taken = taken.or_else(|| self.take_new(index, now));
            // What has just been found may have to wait its turn, which may be now.
            if taken.is_none() && (!first || well_only) && self.smscs[index.smsc].is_due(now) {
                taken = self.take_waiting(index, false, now);
            }
        }
        let mut taken = taken?;
        taken.taken_at = now;
        let recipient = taken.recipient();
        let smsc = &mut self.smscs[index.smsc];
        smsc.destinations.took(recipient, now);
        smsc.links[index.link].held.took(recipient.prefix, now);
        Some(taken)
    }

    /// What waits for its SMSC, or in the queue, as far as it is found among the next [`SEEN_AT_ONCE`].
    fn take_new(&mut self, index: LinkIndex, now: Timestamp) -> Option<Outgoing> {
        while let Some(outgoing) = self.smscs[index.smsc].lane.pop_front() {
            if self.may_go(index, &outgoing, false, now) {
                return Some(outgoing);
            }
            // It may have been the next probe.
            self.smscs[index.smsc].circuit.unsent();
            self.smscs[index.smsc].refusals.unsent();
            self.send_back(index.smsc, outgoing, now);
        }
        for _ in 0..SEEN_AT_ONCE {
            let Some(outgoing) = self.queue.take() else { break };
            let chosen = self.choose(outgoing.route().smscs(), outgoing.recipient(), now);
            if chosen != Some(index.smsc) {
                self.put(outgoing, chosen, now);
            } else if self.may_go(index, &outgoing, false, now) {
                self.smscs[index.smsc].took(outgoing.recipient().prefix, now);
                return Some(outgoing);
            } else {
                self.send_back(index.smsc, outgoing, now);
            }
        }
        None
    }

    /// Whether a message may go to its destination over this link. `first`: it goes before what waits already.
    fn may_go(&mut self, index: LinkIndex, outgoing: &Outgoing, first: bool, now: Timestamp) -> bool {
        let Smsc { destinations, links, .. } = &mut self.smscs[index.smsc];
        let recipient = outgoing.recipient();
        if destinations.holds_back(recipient, first, now) {
            return false;
        }
        let held = &mut links[index.link].held;
        match held.room(recipient.prefix, destinations.is_silent(recipient), now) {
            Room::Yes => return true,
            Room::Busy | Room::Elsewhere | Room::Shut => held.wants(recipient.prefix, now),
            Room::Overdue => destinations.overdue(recipient, now),
        }
        false
    }

    /// A message may not go now: another SMSC takes it, or it waits for its destination.
    fn send_back(&mut self, smsc: usize, outgoing: Outgoing, now: Timestamp) {
        let recipient = outgoing.recipient();
        match self.choose_other(outgoing.route().smscs(), smsc, recipient, now) {
            Some(other) if self.smscs[smsc].destinations.avoids(recipient, now) => {
                self.put(outgoing, Some(other), now);
            }
            Some(_) | None => {
                self.wait(smsc, outgoing, false, now);
                // There may be room on another link.
                self.smscs[smsc].wake_next();
            }
        }
    }

    /// What waits to be tried again, or has waited for its destination, and may go. `well_only`: of these, what is for one
    /// in no trouble.
    fn take_waiting(&mut self, index: LinkIndex, well_only: bool, now: Timestamp) -> Option<Outgoing> {
        while !well_only && let Some(outgoing) = self.smscs[index.smsc].take_retry(now) {
            if self.may_go(index, &outgoing, true, now) {
                self.smscs[index.smsc].took(outgoing.recipient().prefix, now);
                return Some(outgoing);
            }
            self.wait(index.smsc, outgoing, true, now);
        }
        let Smsc { destinations, links, circuit, .. } = &mut self.smscs[index.smsc];
        let mut room_elsewhere = false;
        let room = |prefix, silent| {
            if !circuit.may_send(prefix, now) {
                return Room::Shut;
            }
            let room = links[index.link].held.room(prefix, silent, now);
            let mut others = (0..links.len()).filter(|link| *link != index.link && links[*link].is_bound());
            let has_room = |link: usize| links[link].held.room(prefix, silent, now) == Room::Yes;
            let elsewhere = room == Room::Busy && others.any(has_room);
            room_elsewhere |= elsewhere;
            if room == Room::Busy {
                links[index.link].held.wants(prefix, now);
            }
            if elsewhere { Room::Elsewhere } else { room }
        };
        let taken = destinations.take(well_only, room, now);
        if room_elsewhere {
            self.smscs[index.smsc].wake_next();
        }
        let taken = taken?;
        self.smscs[index.smsc].took(taken.recipient().prefix, now);
        Some(taken)
    }

    /// When a link may find something that it would not find now.
    // While little or nothing may be sent, it is woken once a second.
    pub(super) fn due(&self, index: LinkIndex) -> Option<Timestamp> {
        let smsc = &self.smscs[index.smsc];
        smsc.due().filter(|_| smsc.circuit.is_closed_for_others())
    }

    /// Takes back what a link has not sent, in its order, and what waits for only that link; all of it goes
    /// before what waits.
    pub(super) fn take_back(&mut self, index: LinkIndex, unsent: Vec<Outgoing>, now: Timestamp) {
        let own = std::mem::take(&mut self.link(index).own);
        // A probe may be among them; without any, it is another link's.
        if !unsent.is_empty() || !own.is_empty() {
            self.smscs[index.smsc].circuit.unsent();
            self.smscs[index.smsc].refusals.unsent();
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
        let other = self.choose_other(outgoing.route().smscs(), from.smsc, outgoing.recipient(), now);
        if let Some(other) = other {
            return Some(Failover::Smsc(other));
        }
        let smsc = &self.smscs[from.smsc];
        if !smsc.circuit.is_closed_for(outgoing.recipient().prefix) {
            return None;
        }
        let mut links = 0..smsc.links.len();
        let link = links.find(|link| *link != from.link && smsc.links[*link].is_bound())?;
        Some(Failover::Link(LinkIndex { link, ..from }))
    }

    /// Sends an SMS where it [may go](Self::failover), before what waits for that SMSC.
    pub(super) fn fail_over(&mut self, to: Failover, outgoing: Outgoing, now: Timestamp) {
        match to {
            Failover::Smsc(smsc) => self.move_to(smsc, outgoing, now),
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
        let link = self.link(index);
        link.state = if bound { LinkState::Busy } else { LinkState::Unbound };
        link.held.clear();
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

    /// Ends the pauses of circuits that are over, and forgets destinations that are well.
    pub(super) fn on_time(&mut self, now: Timestamp) {
        for smsc in &mut self.smscs {
            smsc.circuit.on_time(now);
            smsc.refusals.on_time(now);
            smsc.destinations.on_time(self.queue.crowds(), now);
            for outgoing in smsc.retries.iter_mut() {
                if let Some(crowd) = self.queue.crowds().find(outgoing.recipient().prefix) {
                    outgoing.join(&crowd);
                }
            }
            smsc.metrics.unwell_destinations.set(gauge(smsc.destinations.count(now)));
            smsc.metrics.waiting.set(gauge(smsc.waiting()));
            if smsc.is_due(now) {
                smsc.wake_next();
            }
        }
        for (prefix, crowd) in &self.shut {
            let parked = self.parked.iter_mut().flatten();
            parked.filter(|outgoing| outgoing.recipient().prefix == *prefix).for_each(|one| one.join(crowd));
        }
        self.queue.crowds().forget_unheld();
        self.move_held_back(now);
        // The next probe may be due, and callers are told which destinations have failed since the last time.
        if self.smscs.iter().any(|smsc| !smsc.circuit.is_closed()) {
            self.unpark(now);
            self.publish(now);
        }
    }

    /// Shows callers and operators where things stand.
    fn publish(&mut self, now: Timestamp) {
        for smsc in &self.smscs {
            smsc.metrics.links_bound.set(gauge(smsc.links_bound()));
            smsc.metrics.circuit_open.set((!smsc.circuit.is_closed()).into());
        }
        for route in self.queue.routes() {
            let state = self.best(route, None);
            route.set_state(state.unwrap_or(RouteState::NoLink { since: now }));
        }
        let shut: BTreeSet<_> = self.smscs.iter().flat_map(|smsc| smsc.circuit.failing()).copied().collect();
        for (_, crowd) in self.shut.iter().filter(|(prefix, _)| !shut.contains(prefix)) {
            crowd.set_state(RouteState::Sending, 0);
        }
        let crowds = shut.into_iter().map(|prefix| (prefix, self.queue.crowds().of(prefix)));
        self.shut = crowds.collect();
        // Without a link, that is what there is to say.
        let state = |prefix| {
            let route = self.queue.route_of(prefix);
            (route.index(), self.best(route, Some(prefix)).unwrap_or(RouteState::Sending))
        };
        let states: Vec<_> = self.shut.iter().map(|(prefix, _)| state(*prefix)).collect();
        for ((_, crowd), state) in self.shut.iter().zip(&states) {
            let failing = states.iter().filter(|other| *other == state).count();
            crowd.set_state(state.1, failing);
        }
    }

    /// The state of the best SMSC of a route that is bound, for a destination that has failed, or for others.
    fn best(&self, route: &Route, failing: Option<Prefix>) -> Option<RouteState> {
        let smscs = route.smscs().iter().map(|index| &self.smscs[*index]);
        let states = smscs.filter(|smsc| smsc.is_bound()).map(|smsc| {
            let circuit = &smsc.circuit;
            let (is_closed, may_try) = match failing {
                Some(prefix) => (circuit.is_closed_for(prefix), false),
                None => (circuit.is_closed_for_others(), circuit.others_may_try()),
            };
            if is_closed {
                RouteState::Sending
            } else if circuit.answers() || !circuit.is_open() || may_try {
                RouteState::Slow
            } else {
                RouteState::Failing
            }
        });
        states.reduce(RouteState::better)
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
        let is_empty = |smsc: &Smsc| {
            smsc.lane.is_empty() && smsc.waiting() == 0 && smsc.links.iter().all(|link| link.own.is_empty())
        };
        self.parked.iter().all(VecDeque::is_empty) && self.smscs.iter().all(is_empty)
    }

    /// Takes out the first of what waits somewhere and is too old to be sent.
    pub(super) fn take_expired(&mut self, now: Timestamp) -> Option<Outgoing> {
        let is_expired = |outgoing: &Outgoing| outgoing.item.expires_at.since(now) < LEFT_MIN;
        for smsc in &mut self.smscs {
            if let Some(expired) = smsc.lane.pop_front_if(|outgoing| is_expired(outgoing)) {
                // It may have been the next probe.
                smsc.circuit.unsent();
                smsc.refusals.unsent();
                return Some(expired);
            }
            let expired =
                smsc.retries.take_due_if(is_expired, now).or_else(|| smsc.destinations.take_if(is_expired));
            if expired.is_some() {
                return expired;
            }
        }
        let own = self.smscs.iter_mut().flat_map(|smsc| &mut smsc.links).map(|link| &mut link.own);
        let mut waiting = own.chain(&mut self.parked);
        waiting.find_map(|waiting| waiting.pop_front_if(|outgoing| is_expired(outgoing)))
    }

    /// Takes out what has waited for too long to be tried again, or for its destination. What another SMSC can take
    /// goes there.
    pub(super) fn take_overdue(&mut self, now: Timestamp) -> Option<Outgoing> {
        for index in 0..self.smscs.len() {
            while let Some(mut outgoing) = self.smscs[index].take_overdue(now) {
                let other = self.choose_other(outgoing.route().smscs(), index, outgoing.recipient(), now);
                match other {
                    // One that has waited twice is told.
                    Some(other)
                        if outgoing.tries.moves == 0 && outgoing.tries.here == outgoing.tries.count =>
                    {
                        outgoing.tries.moves = 1;
                        self.move_to(other, outgoing, now);
                    }
                    Some(_) | None => return Some(outgoing),
                }
            }
        }
        None
    }

    /// Takes out anything that waits.
    pub(super) fn take_any(&mut self) -> Option<Outgoing> {
        let of_smsc = |smsc: &mut Smsc| {
            let own = smsc.links.iter_mut().find_map(|link| link.own.pop_front());
            let lane = own.or_else(|| smsc.lane.pop_front());
            lane.or_else(|| smsc.retries.take_any()).or_else(|| smsc.destinations.take_if(|_| true))
        };
        let waiting = self.smscs.iter_mut().find_map(of_smsc);
        let parked = || self.parked.iter_mut().find_map(VecDeque::pop_front);
        waiting.or_else(parked).or_else(|| self.queue.take())
    }
}

fn gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
