//! Which link takes which SMS.
//!
//! ```text
//!                              ┌─► lane of an SMSC ──► its links take what they have room for
//! outbox ──► by destination ───┼─► lane of another     │
//!                 ▲            └─► parked ◄── none can │
//!                 │                   │                │ not written, or an SMSC could not deal with it
//!                 └───────────────────┴◄───────────────┘
//! ```
//!
//! The [route](super::route) with the longest prefix of the number names SMSCs in order. The first that can takes
//! the SMS: one with a bound link and a [closed circuit](circuit), or whose next probe it is. An SMSC that has just
//! come back after all its links were lost stands behind the others until it has been up for
//! [`STEADY_AFTER`](smsc::STEADY_AFTER), so that traffic does not swing to and fro. What no SMSC of its route can
//! take is parked until one can, or until it is too old: then it is dropped and reported.
//!
//! Each SMS carries its route and its place in the outbox with it, as one [ticket](super::route::Ticket), wherever
//! it goes.
//!
//! Everything here belongs to one thread: the links' tasks and the router share it through short borrows, none
//! of which is held across an `.await`. A link pulls. It takes items straight from the outbox while it has
//! room and puts those of others into their lanes; only when it finds none does it wait, and the router waits
//! for it.

mod circuit;
mod destinations;
mod held;
mod lane;
mod lanes;
mod retries;
mod smsc;
mod spread;

use std::cell::{RefCell, RefMut};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::futures::Notified;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

pub(super) use destinations::Trouble;
pub(super) use lane::Lane;
pub(super) use smsc::Carrier;

use lanes::Lanes;

use super::DeliveryReport;
use super::outbox::{Outgoing, Queue};
use super::receipts::Sent;
use crate::clock::Clock;
use crate::metrics::{Metrics, Unsent};
use crate::subscriber::challenge::Delivery;

/// How often circuits and what waits are looked at: a dead code is reported within a second.
const TICK: Duration = Duration::from_secs(1);
/// How long the router rests after an item that no waiting link was to take: as long as links gather items.
const REST: Duration = Duration::from_millis(1);
/// The most items that the router places in a row, under one borrow: well under a millisecond.
const PLACED_AT_ONCE: usize = 1_000;

/// The router between the queue and the links. One for all links.
pub(super) struct Router {
    lanes: RefCell<Lanes>,
    /// A link has become idle.
    idle: Notify,
    /// Nothing waits any more, after nothing new is taken in.
    drained: Notify,
    clock: Clock,
}

impl Router {
    /// A router to these SMSCs, in the order in which the routes number them.
    pub(super) fn new(
        queue: Queue,
        smscs: impl IntoIterator<Item = Carrier>,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Rc<Self> {
        let lanes = RefCell::new(Lanes::new(queue, smscs, clock.now(), metrics));
        Rc::new(Self { lanes, idle: Notify::new(), drained: Notify::new(), clock })
    }

    /// What waits, for a moment: never across an await.
    fn lanes(&self) -> RefMut<'_, Lanes> {
        self.lanes.borrow_mut()
    }

    /// What the link with this index sees of it; those of the first SMSC have the first indices.
    pub(super) fn lane(self: &Rc<Self>, link: usize) -> Lane {
        let mut lanes = self.lanes();
        let index = lanes.links().nth(link).expect("each index is one of a link");
        Lane::new(Rc::clone(self), index, Rc::clone(&lanes.link(index).wake))
    }

    /// Hands new items to links that wait for them, and drops what has become too old, until it is dropped.
    /// Once `drain` is cancelled, nothing new is taken in.
    pub(super) async fn run(&self, drain: &CancellationToken, reports: &mpsc::Sender<DeliveryReport>) {
        let mut tick = pin!(self.clock.sleep(TICK));
        loop {
            tokio::select! {
                biased;
                () = drain.cancelled(), if !self.lanes().queue.is_closed() => self.close(),
                () = &mut tick => {
                    self.on_time(reports);
                    tick.set(self.clock.sleep(TICK));
                }
                () = self.pass_on() => {}
            }
            self.notify_if_drained();
        }
    }

    /// Passes one new item on, or learns that there will be none. Cancel safe.
    async fn pass_on(&self) {
        while !self.lanes().wants_items() {
            self.idle.notified().await;
        }
        let item = poll_fn(|context| self.lanes().queue.poll_take(context)).await;
        let Some(item) = item else { return };
        // Those who make items go first, if they wait for this core: the more there are in one write, the
        // less each costs. On a core of its own this takes no time.
        std::thread::yield_now();
        if !self.place_some(item) {
            // It is for links that are busy and look for themselves, while others wait in vain: to be woken
            // for each of these would cost more than they do.
            tokio::select! {
                () = self.idle.notified() => {}
                () = self.clock.sleep(REST) => {}
            }
        }
    }

    /// Places an item, and more that wait behind it until a link is woken: what is for links that are busy
    /// must not hold up what is for those that wait.
    fn place_some(&self, first: Outgoing) -> bool {
        let (mut lanes, now) = (self.lanes(), self.clock.now());
        let mut next = Some(first);
        for _ in 0..PLACED_AT_ONCE {
            let Some(outgoing) = next else { return false };
            if lanes.place(outgoing, now) {
                return true;
            }
            next = lanes.queue.take();
        }
        next.is_some_and(|last| lanes.place(last, now))
    }

    /// Refuses new reservations from now on.
    pub(super) fn close(&self) {
        let mut lanes = self.lanes();
        lanes.queue.close();
        // So that it is known whether nothing is in it.
        if let Some(outgoing) = lanes.queue.take() {
            lanes.place(outgoing, self.clock.now());
        }
    }

    /// A link has become idle.
    fn notify_idle(&self) {
        self.idle.notify_one();
    }

    /// Wakes those that wait for the end, once nothing waits or can still come.
    fn notify_if_drained(&self) {
        if self.lanes().is_drained() {
            self.drained.notify_waiters();
        }
    }

    /// Ends when it may be that nothing waits or can still come.
    fn drained(&self) -> Notified<'_> {
        self.drained.notified()
    }

    /// Looks at circuits, and drops what is too old.
    fn on_time(&self, reports: &mpsc::Sender<DeliveryReport>) {
        let (mut lanes, now) = (self.lanes(), self.clock.now());
        lanes.on_time(now);
        loop {
            // A report's place first: no outcome may be lost.
            let Ok(report) = reports.try_reserve() else { return };
            if let Some(Outgoing { item, .. }) = lanes.take_expired(now) {
                tracing::debug!(challenge = %item.challenge, "not sent: too little time left");
                lanes.metrics.sms.unsent.of(Unsent::Expired).inc();
                report.send(Sent::of(&item).report(Delivery::Expired));
            } else if let Some(Outgoing { item, tries, .. }) = lanes.take_overdue(now) {
                tracing::debug!(challenge = %item.challenge, "not sent: its destination refuses SMS or is silent");
                let delivery = if tries.count == 0 { Delivery::Dropped } else { Delivery::Rejected };
                lanes.metrics.sms.unsent.of(Unsent::DestinationFailing).inc();
                report.send(Sent::of(&item).report(delivery));
            } else if !lanes.is_empty() {
                return;
            } else if let Some(outgoing) = lanes.queue.take() {
                // The first that nobody has taken yet is the oldest.
                lanes.place(outgoing, now);
            } else {
                return;
            }
        }
    }

    /// All links have stopped: what waits is dropped, since nothing is sent after a restart. Returns how
    /// much that is.
    pub(super) fn drop_waiting(&self, reports: &mpsc::Sender<DeliveryReport>) -> u64 {
        self.close();
        let mut count = 0;
        let mut lanes = self.lanes();
        while let Some(Outgoing { item, .. }) = lanes.take_any() {
            tracing::warn!(challenge = %item.challenge, "not sent: the gateway stopped");
            lanes.metrics.sms.unsent.of(Unsent::Stopped).inc();
            // The gateway stops too: a report that finds no place is of no use to it.
            let _ = reports.try_send(Sent::of(&item).report(Delivery::Dropped));
            count += 1;
        }
        count
    }
}

#[cfg(test)]
mod tests;
