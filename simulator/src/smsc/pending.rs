//! Messages that were accepted and are not on the handset yet.
//!
//! ```text
//!            ┌── its time comes ──► delivered, or what its states say
//! accepted ──┼── it expires before ─► EXPIRED, never shown
//!            └── cancel_sm ─────────► DELETED, never shown
//! ```

use super::Smsc;
use super::account::Account;
use super::receipts::{Delivery, Mailbox, Report};
use super::submit::Moment;
use crate::behavior::{Carrier, Same, Stat};
use crate::clock;
use crate::inbox::{Message, MessageId};
use smpp::pdu::{DataCoding, MessageState};
use smpp::text::concatenation::Concatenation;
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasherDefault;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Instant, SystemTime};
use tokio::sync::{Notify, watch};

/// Messages that may be on their way: half a minute at 3,000 a second. Beyond,
/// submits are refused with ESME_RMSGQFUL.
const PENDING_MAX: usize = 100_000;

/// Messages that are delivered under one lock.
const AT_ONCE: usize = 256;

/// A message on its way.
pub(super) struct Pending {
    pub(super) message: Arc<Message>,
    /// When it would be on the handset.
    pub(super) due: Instant,
    /// When it expires, if it does.
    pub(super) expires: Option<(Instant, SystemTime)>,
    /// When its submit is answered: its receipts come after that.
    pub(super) answered: Instant,
    pub(super) report: Report,
    pub(super) account: Arc<Account>,
    /// Of the session that submitted it, while that receives.
    pub(super) mailbox: Weak<Mailbox>,
    /// Of a segment, its place and octets.
    pub(super) segment: Option<(Concatenation, DataCoding, Box<[u8]>)>,
}

impl Pending {
    /// When something comes of it.
    fn ends(&self) -> Instant {
        self.expires.map_or(self.due, |(expires, _)| self.due.min(expires))
    }

    fn is_expired(&self, wall: SystemTime) -> bool {
        self.expires.is_some_and(|(expires, at)| expires < self.due || at <= wall)
    }
}

/// The messages on their way, by when they end.
#[derive(Default)]
pub(super) struct PendingMessages {
    queue: Mutex<Queue>,
    /// A message came that ends before all others.
    sooner: Notify,
}

#[derive(Default)]
struct Queue {
    by_end: BTreeMap<(Instant, u64), Pending>,
    ends: HashMap<u64, Instant, BuildHasherDefault<Same>>,
}

impl Queue {
    fn add(&mut self, pending: Pending) {
        let (ends, id) = (pending.ends(), pending.report.id.value());
        self.ends.insert(id, ends);
        self.by_end.insert((ends, id), pending);
    }

    fn remove(&mut self, id: MessageId) -> Option<Pending> {
        let ends = self.ends.remove(&id.value())?;
        self.by_end.remove(&(ends, id.value()))
    }
}

impl PendingMessages {
    pub(super) fn is_full(&self) -> bool {
        self.queue().by_end.len() >= PENDING_MAX
    }

    pub(super) fn add(&self, pending: Pending) {
        let mut queue = self.queue();
        let first = queue.by_end.first_key_value().map(|((ends, _), _)| *ends);
        let sooner = first.is_none_or(|first| pending.ends() < first);
        queue.add(pending);
        drop(queue);
        if sooner {
            self.sooner.notify_one();
        }
    }

    /// Takes one of `account`'s out, before it ends.
    pub(super) fn remove(&self, id: MessageId, account: &Arc<Account>) -> Option<Pending> {
        let mut queue = self.queue();
        let ends = *queue.ends.get(&id.value())?;
        let own = Arc::ptr_eq(&queue.by_end.get(&(ends, id.value()))?.account, account);
        if own { queue.remove(id) } else { None }
    }

    /// Takes out all of `account`'s that `meets` is true of.
    pub(super) fn remove_all(
        &self,
        account: &Arc<Account>,
        meets: impl Fn(&Message) -> bool,
    ) -> Vec<Pending> {
        let mut queue = self.queue();
        let met = |pending: &&Pending| Arc::ptr_eq(&pending.account, account) && meets(&pending.message);
        let ids: Vec<_> = queue.by_end.values().filter(met).map(|pending| pending.report.id).collect();
        ids.into_iter().filter_map(|id| queue.remove(id)).collect()
    }

    fn due(&self) -> Option<Instant> {
        self.queue().by_end.first_key_value().map(|((ends, _), _)| *ends)
    }

    fn take_due(&self, now: Instant) -> Vec<Pending> {
        let mut queue = self.queue();
        let mut taken = Vec::new();
        while taken.len() < AT_ONCE
            && let Some(first) = queue.by_end.first_entry()
            && first.key().0 <= now
        {
            let pending = first.remove();
            queue.ends.remove(&pending.report.id.value());
            taken.push(pending);
        }
        taken
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nothing in this module panics while it holds the lock.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Smsc {
    /// Delivers what was on its way, until the simulator stops.
    pub(crate) async fn deliver_pending(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            let at = Moment { now: clock::now(), wall: clock::wall() };
            let due = self.pending.take_due(at.now);
            let any = !due.is_empty();
            for pending in due {
                self.end(pending, &at);
            }
            if any {
                self.inbox.wake();
                // Others may run between two batches.
                tokio::task::yield_now().await;
                continue;
            }
            let timer = async {
                match self.pending.due() {
                    Some(due) => clock::timer(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = stop.changed() => {}
                () = self.pending.sooner.notified() => {}
                () = timer => {}
            }
        }
    }

    /// A message has come to its end, one way or the other.
    fn end(&self, pending: Pending, at: &Moment) {
        if pending.is_expired(at.wall) {
            self.metrics.messages_expired.inc();
            return self.end_as(&pending, &[Stat::EXPIRED], at);
        }
        let settings = Arc::clone(&pending.report.treatment);
        let states = settings.receipts.states.words();
        if !settings.receipts.states.is_delivered() {
            return self.end_as(&pending, states, at);
        }
        let shown = match &pending.segment {
            None => {
                self.inbox.arrive(&pending.message, at.wall);
                Some(Arc::clone(&pending.message))
            }
            Some((place, data_coding, octets)) => {
                pending.message.end(MessageState::DELIVERED, at.wall);
                self.complete(&pending.message, *place, *data_coding, octets, at)
            }
        };
        if let Some(shown) = &shown {
            self.prove_in_time(shown, at.wall);
        }
        self.send_receipts(&pending, states, &pending.message, at);
    }

    /// A message ends without having been shown, and its sender is told.
    pub(super) fn end_as(&self, pending: &Pending, states: &[Stat], at: &Moment) {
        let last = states.last().copied().unwrap_or(Stat::EXPIRED);
        pending.message.end(last.state(), at.wall);
        self.send_receipts(pending, states, &pending.message, at);
    }

    fn send_receipts(&self, pending: &Pending, states: &[Stat], message: &Arc<Message>, at: &Moment) {
        let since = pending.answered.max(at.now);
        let message = Arc::downgrade(message);
        for receipt in pending.report.receipts(states, at.wall, since, &message) {
            self.send(receipt, pending);
        }
    }

    /// To the session that submitted, unless it is gone or to be avoided.
    fn send(&self, receipt: Delivery, pending: &Pending) {
        let own = pending.mailbox.upgrade();
        match (&own, pending.report.treatment.receipts.bind) {
            (Some(own), Carrier::Another) => pending.account.deliver(receipt, Some(own), &self.metrics),
            (Some(own), Carrier::Same) => pending.account.deliver_to(own, receipt, &self.metrics),
            (None, _) => pending.account.deliver(receipt, None, &self.metrics),
        }
    }
}
