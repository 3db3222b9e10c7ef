//! What one ESME has at the SMSC: its limits, its bound sessions, and the
//! deliveries that wait for one of them.

use super::receipts::{Delivery, Mailbox};
use crate::config::Esme;
use crate::metrics::Metrics;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use subtle::{Choice, ConstantTimeEq as _};

/// Deliveries that may wait for a session that receives; beyond, the oldest are
/// given up.
pub(super) const HELD_MAX: usize = 65_536;

/// Deliveries that a session takes over at a time, so that the lock is short.
const TAKEN_AT_ONCE: usize = 256;

/// How much of a second's worth may come at once under a rate limit.
const BURST: Duration = Duration::from_millis(100);

/// One ESME of the configuration.
pub(super) struct Account {
    pub(super) esme: Esme,
    pub(super) system_id: Arc<str>,
    bound: AtomicUsize,
    rate: Option<Rate>,
    post: Mutex<Post>,
    /// The held deliveries, to be counted without the lock.
    held: AtomicUsize,
}

#[derive(Default)]
struct Post {
    /// The mailboxes of the sessions that receive.
    receivers: Vec<Arc<Mailbox>>,
    /// Whose turn it is among them.
    next: usize,
    held: VecDeque<Delivery>,
}

impl Account {
    pub(super) fn new(esme: Esme, start: Instant) -> Self {
        Self {
            system_id: esme.system_id.as_str().into(),
            rate: esme.rate.map(|rate| Rate::new(rate, start)),
            esme,
            bound: AtomicUsize::new(0),
            post: Mutex::default(),
            held: AtomicUsize::new(0),
        }
    }

    /// Whether these are its credentials; both are always compared, and each in
    /// constant time.
    pub(super) fn admits(&self, system_id: &[u8], password: &[u8]) -> (Choice, Choice) {
        (system_id.ct_eq(self.esme.system_id.as_bytes()), password.ct_eq(self.esme.password.as_bytes()))
    }

    pub(super) fn bound(&self) -> usize {
        self.bound.load(Ordering::Relaxed)
    }

    /// Counts a session in, unless there are as many as may be.
    pub(super) fn take_seat(&self) -> bool {
        let max = self.esme.binds_max;
        let take = |bound| (bound < max).then_some(bound + 1);
        self.bound.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    pub(super) fn leave_seat(&self) {
        self.bound.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether the rate allows one more segment now.
    pub(super) fn is_within_rate(&self, now: Instant) -> bool {
        self.rate.as_ref().is_none_or(|rate| rate.take(now))
    }

    /// A session receives from now on.
    pub(super) fn join(&self, mailbox: &Arc<Mailbox>) {
        self.post().receivers.push(Arc::clone(mailbox));
    }

    /// A session receives no more. What it left goes to others.
    pub(super) fn leave(
        &self,
        mailbox: &Arc<Mailbox>,
        left: impl Iterator<Item = Delivery>,
        metrics: &Metrics,
    ) {
        self.post().receivers.retain(|other| !Arc::ptr_eq(other, mailbox));
        // Nothing is put in any more: that happens under the lock, for receivers.
        let unread = mailbox.take(usize::MAX);
        for delivery in left.chain(unread) {
            self.deliver(delivery, None, metrics);
        }
    }

    /// Whether a session receives, beside the one with this mailbox.
    pub(super) fn has_receiver_beside(&self, mailbox: Option<&Arc<Mailbox>>) -> bool {
        let post = self.post();
        post.receivers.iter().any(|other| mailbox.is_none_or(|mailbox| !Arc::ptr_eq(other, mailbox)))
    }

    /// Gives a delivery to a session that receives, in turn, to that of
    /// `avoided` only if there is no other; without one, keeps the newest
    /// [`HELD_MAX`] of all.
    pub(super) fn deliver(&self, delivery: Delivery, avoided: Option<&Arc<Mailbox>>, metrics: &Metrics) {
        let mut post = self.post();
        let count = post.receivers.len();
        let turn = post.next;
        post.next = turn.wrapping_add(1);
        let in_turn = (0..count).map(|at| &post.receivers[(turn.wrapping_add(at)) % count]);
        let is_avoided =
            |mailbox: &Arc<Mailbox>| avoided.is_some_and(|avoided| Arc::ptr_eq(avoided, mailbox));
        let has_room = |mailbox: &&Arc<Mailbox>| !mailbox.is_full();
        let found = in_turn
            .clone()
            .filter(has_room)
            .find(|mailbox| !is_avoided(mailbox))
            .or_else(|| in_turn.clone().find(has_room));
        match found {
            Some(mailbox) => mailbox.put(delivery),
            None => self.hold(&mut post, delivery, metrics),
        }
    }

    /// Gives a delivery to the session of `mailbox` if it receives and has room,
    /// else to another.
    pub(super) fn deliver_to(&self, mailbox: &Arc<Mailbox>, delivery: Delivery, metrics: &Metrics) {
        let post = self.post();
        if !mailbox.is_full() && post.receivers.iter().any(|other| Arc::ptr_eq(other, mailbox)) {
            return mailbox.put(delivery);
        }
        drop(post);
        self.deliver(delivery, None, metrics);
    }

    /// Gives all of them to one session that receives; gives them back when
    /// there is none with room.
    pub(super) fn deliver_together(&self, deliveries: Vec<Delivery>) -> Result<(), Vec<Delivery>> {
        let mut post = self.post();
        let (turn, count) = (post.next, post.receivers.len());
        post.next = turn.wrapping_add(1);
        let mut in_turn = (0..count).map(|at| &post.receivers[(turn.wrapping_add(at)) % count]);
        match in_turn.find(|mailbox| !mailbox.is_full()) {
            Some(mailbox) => {
                deliveries.into_iter().for_each(|delivery| mailbox.put(delivery));
                Ok(())
            }
            None => Err(deliveries),
        }
    }

    fn hold(&self, post: &mut Post, delivery: Delivery, metrics: &Metrics) {
        if post.held.len() >= HELD_MAX
            && let Some(oldest) = post.held.pop_front()
        {
            oldest.fail();
            metrics.receipts_dropped.inc();
        }
        post.held.push_back(delivery);
        self.held.store(post.held.len(), Ordering::Release);
    }

    /// Some of what was held for want of a session, for one with room. Empty
    /// when there is no more.
    pub(super) fn take_held(&self, room: usize) -> Vec<Delivery> {
        // Only a hint: what comes while a session receives goes to its mailbox.
        if room == 0 || self.held.load(Ordering::Acquire) == 0 {
            return Vec::new();
        }
        let mut post = self.post();
        let count = room.min(TAKEN_AT_ONCE).min(post.held.len());
        let taken = post.held.drain(..count).collect();
        self.held.store(post.held.len(), Ordering::Release);
        taken
    }

    fn post(&self) -> MutexGuard<'_, Post> {
        // Nothing in this module panics while it holds the lock.
        self.post.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A limit of segments a second, as a theoretical arrival time (ITU-T I.371):
/// one number, no lock.
struct Rate {
    start: Instant,
    /// Nanoseconds between two segments at the limit.
    interval: u64,
    /// Nanoseconds that an arrival may be early.
    tolerance: u64,
    /// When the next segment would come at the limit, in nanoseconds.
    next: AtomicU64,
}

impl Rate {
    fn new(segments_per_second: u32, start: Instant) -> Self {
        let interval = 1_000_000_000 / u64::from(segments_per_second.max(1));
        Self { start, interval, tolerance: nanos(BURST).saturating_sub(interval), next: AtomicU64::new(0) }
    }

    fn take(&self, now: Instant) -> bool {
        let now = nanos(now.saturating_duration_since(self.start));
        let take = |next: u64| (next <= now + self.tolerance).then(|| next.max(now) + self.interval);
        self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::super::receipts::tests::receipt;
    use super::*;
    use crate::clock;

    fn account() -> Account {
        Account::new(Esme::new("gateway", "secret08"), clock::now())
    }

    #[test]
    fn a_rate_allows_a_tenth_of_a_second_at_once_and_its_number_a_second() {
        let start = clock::now();
        let rate = Rate::new(50, start);
        let taken = |at: Duration| (0..100).filter(|_| rate.take(start + at)).count();
        assert_eq!(taken(Duration::ZERO), 5);
        assert_eq!(taken(Duration::from_millis(19)), 0);
        assert_eq!(taken(Duration::from_millis(20)), 1);
        let within_a_second: usize = (21..=1_020).map(|ms| taken(Duration::from_millis(ms))).sum();
        assert_eq!(within_a_second, 50);
    }

    #[test]
    fn held_deliveries_are_bounded_and_the_oldest_go() {
        let (account, metrics, now) = (account(), Metrics::new(), clock::now());
        for id in 0..HELD_MAX as u64 + 2 {
            account.deliver(receipt(id, now), None, &metrics);
        }
        assert_eq!(metrics.receipts_dropped.get(), 2);
        assert_eq!(account.held.load(Ordering::Relaxed), HELD_MAX);
        assert_eq!(account.take_held(1)[0].receipt_id().unwrap().value(), 2);
    }

    #[test]
    fn deliveries_go_to_receivers_in_turn_and_avoid_one_if_they_can() {
        let (account, metrics, now) = (account(), Metrics::new(), clock::now());
        let mailboxes = [Arc::new(Mailbox::default()), Arc::new(Mailbox::default())];
        account.join(&mailboxes[0]);
        account.deliver(receipt(1, now), Some(&mailboxes[0]), &metrics);
        assert_eq!(mailboxes[0].take(9).count(), 1, "there is no other");
        account.join(&mailboxes[1]);
        for id in 0..10 {
            account.deliver(receipt(id, now), None, &metrics);
        }
        assert_eq!(mailboxes.each_ref().map(|mailbox| mailbox.take(99).count()), [5, 5]);
        for id in 0..10 {
            account.deliver(receipt(id, now), Some(&mailboxes[0]), &metrics);
        }
        assert_eq!(mailboxes.each_ref().map(|mailbox| mailbox.take(99).count()), [0, 10]);
    }

    #[test]
    fn what_a_session_leaves_goes_to_another_or_is_held() {
        let (account, metrics, now) = (account(), Metrics::new(), clock::now());
        let mailboxes = [Arc::new(Mailbox::default()), Arc::new(Mailbox::default())];
        account.join(&mailboxes[0]);
        account.join(&mailboxes[1]);
        mailboxes[0].put(receipt(1, now));
        account.leave(&mailboxes[0], [receipt(2, now)].into_iter(), &metrics);
        account.leave(&mailboxes[1], std::iter::empty(), &metrics);
        assert_eq!(account.take_held(9).len(), 2);
        assert!(!account.has_receiver_beside(None));
    }
}
