//! The task that hands new items to links that wait for them, and drops what has become too old.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::circuit::Circuit;
use super::lane::Lane;
use super::lanes::{LinkState, Outgoing, Smsc, State};
use super::table::Table;
use crate::clock::Clock;
use crate::metrics::{Metrics, SmscMetrics};
use crate::sms::DeliveryReport;
use crate::sms::outbox::{Item, Queue};
use crate::sms::receipts::Sent;
use crate::subscriber::challenge::Delivery;

/// How often circuits and what waits are looked at: a dead code is told about within a second.
const TICK: Duration = Duration::from_secs(1);
/// How long the router rests after an item that no waiting link was to take: as long as links gather items.
const REST: Duration = Duration::from_millis(1);
/// The most items that the router places in a row, under one borrow: well under a millisecond.
const PLACED_AT_ONCE: usize = 1_000;

/// The routes, and what waits on them. One for all links.
pub(in crate::sms) struct Routes {
    pub(super) state: RefCell<State>,
    /// A link has become hungry.
    pub(super) wanted: Notify,
    /// Nothing waits any more, after nothing new is taken in.
    pub(super) over: Notify,
    clock: Clock,
    metrics: Arc<Metrics>,
}

impl Routes {
    /// Routes to SMSCs with so many links each.
    pub(in crate::sms) fn new(
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
    pub(in crate::sms) fn lane(self: &Rc<Self>, link: usize) -> Lane {
        let wake = Rc::clone(&self.state.borrow().links[link].wake);
        Lane { routes: Rc::clone(self), link, wake }
    }

    /// Hands new items to links that wait for them, and drops what has become too old, for ever. Once
    /// `drain` is cancelled, nothing new is taken in.
    pub(in crate::sms) async fn run(
        &self,
        drain: &CancellationToken,
        reports: &mpsc::Sender<DeliveryReport>,
    ) {
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

    pub(in crate::sms) fn close(&self) {
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
    pub(super) fn on_time(&self, reports: &mpsc::Sender<DeliveryReport>) {
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
    pub(in crate::sms) fn drop_the_rest(&self, reports: &mpsc::Sender<DeliveryReport>) -> u64 {
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
