//! Messages that were accepted and are not on the handset yet.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Instant, SystemTime};

use smpp::pdu::DataCoding;
use smpp::text::concatenation::Concatenation;
use tokio::sync::Notify;

use super::account::Account;
use super::mailbox::Mailbox;
use super::report::Report;
use crate::clock;
use crate::inbox::{Message, MessageId};

/// Messages that may be on their way: half a minute at 3,000 a second. Beyond, submits are refused with
/// ESME_RMSGQFUL.
const PENDING_MAX: usize = 100_000;

/// Messages that are delivered under one lock.
const AT_ONCE: usize = 256;

/// A message on its way.
pub(super) struct Pending {
    pub(super) message: Arc<Message>,
    /// When it would be on the handset.
    pub(super) due: Instant,
    /// When it expires, if it does.
    pub(super) expires: Option<Instant>,
    /// When its submit is answered: its receipts come after that.
    pub(super) answered: Instant,
    pub(super) report: Report,
    pub(super) account: Arc<Account>,
    /// Of the session that submitted it, while that receives.
    pub(super) mailbox: Weak<Mailbox>,
    /// Of a segment, its place and content.
    pub(super) segment: Option<(Concatenation, DataCoding, Box<[u8]>)>,
}

impl Pending {
    /// When it is delivered or expires, whichever comes first; no two pending messages have the same id.
    fn key(&self) -> (Instant, u64) {
        let ends = self.expires.map_or(self.due, |expires| self.due.min(expires));
        (ends, self.report.submitted.id.value())
    }

    pub(super) fn is_expired(&self, wall: SystemTime) -> bool {
        self.expires.is_some_and(|expires| expires < self.due) || self.message.is_expired(wall)
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
    ends: HashMap<u64, Instant>,
}

impl Queue {
    /// When the first ends.
    fn due(&self) -> Option<Instant> {
        self.by_end.first_key_value().map(|((ends, _), _)| *ends)
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
        let (ends, id) = pending.key();
        let mut queue = self.queue();
        let sooner = queue.due().is_none_or(|first| ends < first);
        queue.ends.insert(id, ends);
        queue.by_end.insert((ends, id), pending);
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
        let ids: Vec<_> = queue.by_end.values().filter(met).map(|found| found.report.submitted.id).collect();
        ids.into_iter().filter_map(|id| queue.remove(id)).collect()
    }

    /// Some of those that end by `now`; none when there is no more.
    pub(super) fn take_due(&self, now: Instant) -> Vec<Pending> {
        let mut queue = self.queue();
        let mut taken = Vec::new();
        while taken.len() < AT_ONCE
            && let Some(first) = queue.by_end.first_entry()
            && first.key().0 <= now
        {
            let ((_, id), pending) = first.remove_entry();
            queue.ends.remove(&id);
            taken.push(pending);
        }
        taken
    }

    /// Waits until one may have ended. Cancel safe: it takes nothing out.
    pub(super) async fn wait(&self) {
        let due = self.queue().due();
        let timer = async {
            match due {
                Some(due) => clock::timer(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.sooner.notified() => {}
            () = timer => {}
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nothing in this module panics while it holds the lock.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
