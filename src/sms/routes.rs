//! Which link takes which SMS.
//!
//! ```text
//!                              ┌─► lane of an SMSC ──► its links take what they have room for
//! outbox ──► by destination ───┼─► lane of another     │
//!                 ▲            └─► parked ◄── none can │
//!                 │                   │                │ surely not sent: a link died, or an SMSC
//!                 └───────────────────┴◄───────────────┘ could not deal with it
//! ```
//!
//! The route with the longest prefix names SMSCs in order. The first that can takes the SMS: one with a bound
//! link and a [closed circuit](circuit), or whose next probe it is. An SMSC that has just come back after all
//! its links were lost stands behind the others until it has been up for [`STEADY_AFTER`], so that traffic
//! does not swing to and fro. What no SMSC of its route can take is parked until one can, or until it is too
//! old: then it is dropped and reported.
//!
//! Everything here belongs to one thread: the links' tasks and the router share it through short borrows, none
//! of which is held across an `.await`. A link pulls. It takes items straight from the outbox while it has
//! room and puts those of others into their lanes; only when it finds none does it wait, and the router waits
//! for it.

pub(super) mod circuit;
pub(super) mod prefixes;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::ops::Range;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use circuit::Circuit;
use prefixes::{PrefixError, Prefixes};

use super::outbox::{Item, LEFT_MIN, Queue, Sending};
use super::receipts::Sent;
use super::{DeliveryReport, Misconfigured};
use crate::clock::{Clock, Timestamp};
use crate::metrics::{Metrics, SmscMetrics};
use crate::msisdn::Msisdn;
use crate::subscriber::challenge::Delivery;

/// How long an SMSC that lost all its links must be up again before it is preferred again.
const STEADY_AFTER: Duration = Duration::from_secs(10);
/// How often circuits and what waits are looked at: a dead code is told about within a second.
const TICK: Duration = Duration::from_secs(1);
/// How long the router rests after an item that no waiting link was to take: as long as links gather items.
const REST: Duration = Duration::from_millis(1);
/// The most items that the router places in a row, under one borrow: well under a millisecond.
const PLACED_AT_ONCE: usize = 1_000;
/// The most routes; each may have many prefixes.
const ROUTES_MAX: usize = 1_000;

/// `[[route]]`: which SMSCs carry SMS to which numbers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The first digits of the numbers, country code first, without `+`; `""` is every number that has no
    /// longer prefix.
    pub prefixes: Vec<String>,
    /// Names of SMSCs, the preferred first.
    pub smscs: Vec<String>,
}

/// Checked routes.
#[derive(Clone, Debug)]
pub(super) struct Table {
    prefixes: Prefixes,
    /// Indices of SMSCs, in order.
    routes: Vec<Box<[usize]>>,
}

impl Table {
    /// Which route a number takes.
    pub(super) fn prefixes(&self) -> &Prefixes {
        &self.prefixes
    }

    /// Routes over the SMSCs of these names; without any, all carry everything, in their order.
    pub(super) fn new(routes: &[Config], names: &[&str]) -> Result<Self, Misconfigured> {
        let mut table = Self { prefixes: Prefixes::new(), routes: Vec::new() };
        if routes.is_empty() {
            table.prefixes = Prefixes::of_all();
            table.routes.push((0..names.len()).collect());
            return Ok(table);
        }
        if routes.len() > ROUTES_MAX {
            return Err(Misconfigured::new("route", "at most 1000"));
        }
        for (index, route) in routes.iter().enumerate() {
            table.add(route, names).map_err(|error| error.within(&format!("route[{index}]")))?;
        }
        if table.prefixes.cover_all() {
            Ok(table)
        } else {
            Err(Misconfigured::new("route", "such that one has the prefix \"\", for all other numbers"))
        }
    }

    fn add(&mut self, route: &Config, names: &[&str]) -> Result<(), Misconfigured> {
        let index = u16::try_from(self.routes.len()).expect("routes are at most 1,000");
        if route.prefixes.is_empty() {
            return Err(Misconfigured::new("prefixes", "one or more"));
        }
        for prefix in &route.prefixes {
            self.prefixes.insert(prefix, index).map_err(|error| {
                let expected = match error {
                    PrefixError::NotDigits => "up to 15 digits each",
                    PrefixError::Taken => "prefixes that no other route has, each once",
                    PrefixError::TooMany => "fewer in all routes together",
                };
                Misconfigured::new("prefixes", expected)
            })?;
        }
        let position = |name: &String| names.iter().position(|known| known == name);
        let smscs: Option<Box<[usize]>> = route.smscs.iter().map(position).collect();
        let once = |smscs: &[usize]| (1..smscs.len()).all(|index| !smscs[..index].contains(&smscs[index]));
        let smscs = smscs.filter(|smscs| !smscs.is_empty() && once(smscs));
        let expected = "one or more names of [[smsc]], each once";
        self.routes.push(smscs.ok_or_else(|| Misconfigured::new("smscs", expected))?);
        Ok(())
    }
}

/// An item on its way to a link.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub(super) item: Item,
    /// An SMSC has said that it could not deal with it. The next such answer is final.
    pub(super) refused: bool,
    /// How often its recipient's queue was full.
    pub(super) times_full: u8,
}

impl Outgoing {
    fn new(item: Item) -> Self {
        Self { item, refused: false, times_full: 0 }
    }
}

/// One SMSC.
struct Smsc {
    /// What its links are to take, the first first.
    lane: VecDeque<Outgoing>,
    circuit: Circuit,
    /// Its links.
    links: Range<usize>,
    /// How many of them can take SMS.
    bound: usize,
    /// It has been bound before.
    known: bool,
    /// From when on it may be preferred.
    steady_from: Timestamp,
    /// The link that was woken last: the next in turn is woken first.
    woken: usize,
    metrics: SmscMetrics,
}

/// One link.
struct LinkState {
    smsc: usize,
    bound: bool,
    /// It waits for items.
    hungry: bool,
    wake: Rc<Notify>,
    /// What another link of its SMSC was refused, and only this one is to take.
    own: VecDeque<Outgoing>,
}

struct State {
    queue: Queue,
    table: Table,
    smscs: Vec<Smsc>,
    links: Vec<LinkState>,
    /// What no SMSC of its route can take now.
    parked: VecDeque<Outgoing>,
    /// Nothing new is taken in.
    closed: bool,
}

/// Where an SMS may go when one link's SMSC could not deal with it.
enum Elsewhere {
    Smsc(usize),
    Link(usize),
}

impl State {
    /// The SMSC that is to take an SMS to `phone`. It counts as sent there.
    // For an SMSC that is well and first: one step a digit, and three comparisons.
    fn choose(&mut self, phone: Msisdn, but: Option<usize>, now: Timestamp) -> Option<usize> {
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
    fn place(&mut self, outgoing: Outgoing, now: Timestamp) -> bool {
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
    fn place_first(&mut self, outgoing: Outgoing, now: Timestamp) {
        match self.choose(outgoing.item.phone, None, now) {
            Some(smsc) => {
                self.smscs[smsc].lane.push_front(outgoing);
                self.wake_one(smsc);
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

    fn take(&mut self, link: usize, now: Timestamp) -> Option<Outgoing> {
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
    fn wake_one(&mut self, smsc: usize) -> bool {
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
    fn elsewhere(&mut self, link: usize, phone: Msisdn, now: Timestamp) -> Option<Elsewhere> {
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

    fn set_bound(&mut self, link: usize, bound: bool, now: Timestamp) {
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

    fn failed(&mut self, smsc: usize, since: Timestamp, now: Timestamp) {
        if self.smscs[smsc].circuit.failed(since, now) {
            let metrics = &self.smscs[smsc].metrics;
            metrics.circuit_opened.inc();
            tracing::error!(smsc = metrics.name, "the SMSC fails: nothing is sent to it for a while");
            self.clear_lane(smsc, now);
            self.publish();
        }
    }

    fn succeeded(&mut self, smsc: usize, now: Timestamp) {
        if self.smscs[smsc].circuit.succeeded(now) {
            if self.smscs[smsc].circuit.is_closed() {
                tracing::info!(smsc = self.smscs[smsc].metrics.name, "the SMSC is well again");
            }
            self.unpark(now);
            self.publish();
        }
    }

    /// Tells callers and operators where things stand.
    fn publish(&mut self) {
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
    fn wants_items(&self) -> bool {
        !self.queue.is_finished() && (self.closed || self.links.iter().any(|link| link.hungry))
    }

    /// Whether nothing waits or can still come.
    fn is_over(&self) -> bool {
        self.closed && self.queue.is_finished() && self.is_empty()
    }

    /// Whether nothing waits outside the outbox.
    fn is_empty(&self) -> bool {
        self.parked.is_empty()
            && self.smscs.iter().all(|smsc| smsc.lane.is_empty())
            && self.links.iter().all(|link| link.own.is_empty())
    }

    /// Takes out the first of what waits somewhere and is too old to be sent.
    fn take_dead(&mut self, now: Timestamp) -> Option<Outgoing> {
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
    fn take_any(&mut self) -> Option<Outgoing> {
        let lanes = self.smscs.iter_mut().map(|smsc| &mut smsc.lane);
        let own = self.links.iter_mut().map(|link| &mut link.own);
        let mut waiting = lanes.chain(own).chain([&mut self.parked]);
        let outgoing = waiting.find_map(VecDeque::pop_front);
        let outgoing = outgoing.or_else(|| self.queue.take().map(Outgoing::new))?;
        self.queue.left(outgoing.item.phone);
        Some(outgoing)
    }
}

/// The routes, and what waits on them. One for all links.
pub(super) struct Routes {
    state: RefCell<State>,
    /// A link has become hungry.
    wanted: Notify,
    /// Nothing waits any more, after nothing new is taken in.
    over: Notify,
    clock: Clock,
    metrics: Arc<Metrics>,
}

impl Routes {
    /// Routes to SMSCs with so many links each.
    pub(super) fn new(
        queue: Queue,
        table: Table,
        smscs: impl IntoIterator<Item = (usize, SmscMetrics)>,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Rc<Self> {
        let now = clock.now();
        let (mut all, mut links) = (Vec::new(), Vec::new());
        for (count, metrics) in smscs {
            let start = links.len();
            let link = || LinkState {
                smsc: all.len(),
                bound: false,
                hungry: false,
                wake: Rc::new(Notify::new()),
                own: VecDeque::new(),
            };
            links.extend(std::iter::repeat_with(link).take(count));
            all.push(Smsc {
                lane: VecDeque::new(),
                circuit: Circuit::new(now),
                links: start..links.len(),
                bound: 0,
                known: false,
                steady_from: now,
                woken: count.saturating_sub(1),
                metrics,
            });
        }
        let state = State { queue, table, smscs: all, links, parked: VecDeque::new(), closed: false };
        let (wanted, over) = (Notify::new(), Notify::new());
        Rc::new(Self { state: RefCell::new(state), wanted, over, clock, metrics })
    }

    /// What the link with this index sees of it.
    pub(super) fn lane(self: &Rc<Self>, link: usize) -> Lane {
        let wake = Rc::clone(&self.state.borrow().links[link].wake);
        Lane { routes: Rc::clone(self), link, wake }
    }

    /// Hands new items to links that wait for them, and drops what has become too old, for ever. Once
    /// `drain` is cancelled, nothing new is taken in.
    pub(super) async fn run(&self, drain: &CancellationToken, reports: &mpsc::Sender<DeliveryReport>) {
        let mut tick = pin!(self.clock.sleep(TICK));
        let mut closed = false;
        loop {
            tokio::select! {
                biased;
                () = drain.cancelled(), if !closed => {
                    closed = true;
                    self.close();
                }
                () = &mut tick => {
                    self.on_time(reports);
                    tick.set(self.clock.sleep(TICK));
                }
                () = self.pass_on() => {}
            }
            self.tell_if_over();
        }
    }

    /// Passes one new item on, or learns that there will be none. Cancel safe.
    async fn pass_on(&self) {
        while !self.state.borrow().wants_items() {
            self.wanted.notified().await;
        }
        let item = poll_fn(|context| self.state.borrow_mut().queue.poll_take(context)).await;
        let Some(item) = item else { return };
        // Those who make items go first, if they wait for this core: the more there are in one write, the
        // less each costs. On a core of its own this takes no time.
        std::thread::yield_now();
        if !self.place_some(item) {
            // It is for links that are busy and look for themselves, while others wait in vain: to be woken
            // for each of these would cost more than they do.
            tokio::select! {
                () = self.wanted.notified() => {}
                () = self.clock.sleep(REST) => {}
            }
        }
    }

    /// Places an item, and more that wait behind it until a link is woken: what is for links that are busy
    /// must not hold up what is for those that wait.
    fn place_some(&self, first: Item) -> bool {
        let (mut state, now) = (self.state.borrow_mut(), self.clock.now());
        let mut next = Some(first);
        for _ in 0..PLACED_AT_ONCE {
            let Some(item) = next else { return false };
            if state.place(Outgoing::new(item), now) {
                return true;
            }
            next = state.queue.take();
        }
        next.is_some_and(|last| state.place(Outgoing::new(last), now))
    }

    pub(super) fn close(&self) {
        let mut state = self.state.borrow_mut();
        state.closed = true;
        state.queue.close();
        // So that it is known whether nothing is in it.
        if let Some(item) = state.queue.take() {
            state.place(Outgoing::new(item), self.clock.now());
        }
    }

    fn tell_if_over(&self) {
        if self.state.borrow().is_over() {
            self.over.notify_waiters();
        }
    }

    /// Looks at circuits, and drops what is too old.
    fn on_time(&self, reports: &mpsc::Sender<DeliveryReport>) {
        let now = self.clock.now();
        let mut state = self.state.borrow_mut();
        let mut more = false;
        for smsc in &mut state.smscs {
            more |= smsc.circuit.on_time(now);
        }
        if more {
            state.unpark(now);
            state.publish();
        }
        loop {
            // A report's place first: no outcome may be lost.
            let Ok(report) = reports.try_reserve() else { return };
            if let Some(dead) = state.take_dead(now) {
                tracing::debug!(challenge = %dead.item.challenge, "not sent: too little time left");
                self.metrics.sms.dropped.inc();
                report.send(Sent::of(&dead.item).report(Delivery::Expired));
            } else if !state.is_empty() {
                return;
            } else if let Some(item) = state.queue.take() {
                // The first that nobody has taken yet is the oldest.
                state.place(Outgoing::new(item), now);
            } else {
                return;
            }
        }
    }

    /// All links have stopped: what waits is dropped, since nothing is sent after a restart. Returns how
    /// much that is.
    pub(super) fn drop_the_rest(&self, reports: &mpsc::Sender<DeliveryReport>) -> u64 {
        self.close();
        let mut count = 0;
        let mut state = self.state.borrow_mut();
        while let Some(Outgoing { item, .. }) = state.take_any() {
            tracing::warn!(challenge = %item.challenge, "not sent: the gateway stopped");
            self.metrics.sms.dropped.inc();
            // The gateway stops too: a report that finds no place is of no use to it.
            let _ = reports.try_send(Sent::of(&item).report(Delivery::Dropped));
            count += 1;
        }
        count
    }
}

/// What one link sees of the routes.
pub(super) struct Lane {
    routes: Rc<Routes>,
    link: usize,
    wake: Rc<Notify>,
}

impl Lane {
    /// The next item that this link is to send, if there is one.
    pub(super) fn take(&self, now: Timestamp) -> Option<Outgoing> {
        let mut state = self.routes.state.borrow_mut();
        let outgoing = state.take(self.link, now);
        if outgoing.is_none() && state.is_over() {
            self.routes.over.notify_waiters();
        }
        outgoing
    }

    /// Says whether the link would send an item at once. If there is one, a link of its SMSC that would is
    /// woken: this or another.
    pub(super) fn set_hungry(&self, hungry: bool) {
        let mut state = self.routes.state.borrow_mut();
        let link = &mut state.links[self.link];
        let (smsc, was) = (link.smsc, std::mem::replace(&mut link.hungry, hungry));
        let link = &mut state.links[self.link];
        if hungry && !link.own.is_empty() {
            link.hungry = false;
            link.wake.notify_one();
        } else if !state.smscs[smsc].lane.is_empty() {
            state.wake_one(smsc);
        }
        if hungry && !was {
            self.routes.wanted.notify_one();
        }
    }

    /// Returns once there may be something to take for a link that was hungry. Cancel safe.
    pub(super) async fn ready(&self) {
        self.wake.notified().await;
    }

    /// Says whether the link can take SMS.
    pub(super) fn set_bound(&self, bound: bool, now: Timestamp) {
        self.routes.state.borrow_mut().set_bound(self.link, bound, now);
    }

    /// Gives back what was surely not sent, in its order; it goes before what waits. To be called after the
    /// link is [not bound](Self::set_bound) any more.
    pub(super) fn give_back(&self, unsent: Vec<Outgoing>, now: Timestamp) {
        let mut state = self.routes.state.borrow_mut();
        let smsc = state.links[self.link].smsc;
        let own = std::mem::take(&mut state.links[self.link].own);
        // A probe may be among them; without any, it is another link's.
        if !unsent.is_empty() || !own.is_empty() {
            state.smscs[smsc].circuit.unsent();
        }
        for outgoing in own.into_iter().rev() {
            state.place_first(outgoing, now);
        }
        for outgoing in unsent.into_iter().rev() {
            state.queue.came_back(outgoing.item.phone);
            state.place_first(outgoing, now);
        }
    }

    /// The SMSC dealt with a message: it took it, or refused it for what it was.
    pub(super) fn succeeded(&self, now: Timestamp) {
        let mut state = self.routes.state.borrow_mut();
        let smsc = state.links[self.link].smsc;
        state.succeeded(smsc, now);
    }

    /// The SMSC did not answer a message that it had at `since`, or could not deal with it then.
    pub(super) fn failed(&self, since: Timestamp, now: Timestamp) {
        let mut state = self.routes.state.borrow_mut();
        let smsc = state.links[self.link].smsc;
        state.failed(smsc, since, now);
    }

    /// An item that was taken is not sent: it is dead, or has to wait.
    pub(super) fn unsent(&self, now: Timestamp) {
        let mut state = self.routes.state.borrow_mut();
        let smsc = state.links[self.link].smsc;
        if state.smscs[smsc].circuit.unsent() {
            state.unpark(now);
        }
    }

    /// Has another link send an SMS that this one's SMSC could not deal with.
    ///
    /// # Errors
    ///
    /// The SMS, if no other link can.
    pub(super) fn send_elsewhere<T>(
        &self,
        phone: Msisdn,
        submit: T,
        take_back: impl FnOnce(T) -> Outgoing,
        now: Timestamp,
    ) -> Result<(), T> {
        let mut state = self.routes.state.borrow_mut();
        let Some(elsewhere) = state.elsewhere(self.link, phone, now) else { return Err(submit) };
        let outgoing = Outgoing { refused: true, ..take_back(submit) };
        state.queue.came_back(outgoing.item.phone);
        match elsewhere {
            Elsewhere::Smsc(other) => {
                state.smscs[other].lane.push_front(outgoing);
                state.wake_one(other);
            }
            Elsewhere::Link(other) => {
                let link = &mut state.links[other];
                link.own.push_back(outgoing);
                if std::mem::take(&mut link.hungry) {
                    link.wake.notify_one();
                }
            }
        }
        Ok(())
    }

    /// Whether nothing waits or can still come, as far as is known.
    pub(super) fn is_over(&self) -> bool {
        self.routes.state.borrow().is_over()
    }

    /// Returns once nothing waits or can still come. Cancel safe.
    pub(super) async fn over(&self) {
        let mut over = pin!(self.routes.over.notified());
        while !self.is_over() {
            over.as_mut().await;
            over.set(self.routes.over.notified());
        }
    }
}

#[cfg(test)]
mod tests;
