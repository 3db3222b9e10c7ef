//! The sessions of one ESME that receive, and what is held while there is none.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::IntCounter;

use super::delivery::Delivery;
use super::mailbox::Mailbox;

/// Deliveries that may wait for a session that receives; beyond, the oldest are given up.
const HELD_MAX: usize = 65_536;

/// Deliveries that a session takes over at a time, so that the lock is short.
const TAKEN_AT_ONCE: usize = 256;

pub(super) struct Receivers {
    state: Mutex<State>,
    /// Deliveries given up.
    dropped: IntCounter,
}

#[derive(Default)]
struct State {
    /// Of the sessions that receive.
    mailboxes: Vec<Arc<Mailbox>>,
    /// Whose turn it is among them.
    turn: usize,
    held: VecDeque<Delivery>,
}

impl State {
    /// A mailbox with room, in turn; that of `avoided` only if there is no other.
    fn next(&mut self, avoided: Option<&Arc<Mailbox>>) -> Option<Arc<Mailbox>> {
        let (turn, count) = (self.turn, self.mailboxes.len());
        self.turn = turn.wrapping_add(1);
        let in_turn = (0..count).map(|at| &self.mailboxes[turn.wrapping_add(at) % count]);
        let with_room = in_turn.filter(|mailbox| !mailbox.is_full());
        let is_other = |mailbox: &&Arc<Mailbox>| avoided.is_none_or(|avoided| !Arc::ptr_eq(avoided, mailbox));
        with_room.clone().find(is_other).or_else(|| with_room.clone().next()).cloned()
    }
}

impl Receivers {
    pub(super) fn new(dropped: IntCounter) -> Self {
        Self { state: Mutex::default(), dropped }
    }

    /// A session receives from now on.
    pub(super) fn join(&self, mailbox: &Arc<Mailbox>) {
        self.lock().mailboxes.push(Arc::clone(mailbox));
    }

    /// A session receives no more. What it left goes to others.
    pub(super) fn leave(&self, mailbox: &Arc<Mailbox>, left: impl Iterator<Item = Delivery>) {
        self.lock().mailboxes.retain(|other| !Arc::ptr_eq(other, mailbox));
        // Nothing is put in any more: that happens under the lock, for receivers.
        for delivery in left.chain(mailbox.take(usize::MAX)) {
            self.deliver(delivery, None);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().mailboxes.is_empty()
    }

    /// Gives a delivery to a session that receives, in turn, to that of `avoided` only if there is no other;
    /// without one, keeps the newest [`HELD_MAX`] of all.
    pub(super) fn deliver(&self, delivery: Delivery, avoided: Option<&Arc<Mailbox>>) {
        let mut state = self.lock();
        if let Some(mailbox) = state.next(avoided) {
            return mailbox.put(delivery);
        }
        if state.held.len() >= HELD_MAX
            && let Some(oldest) = state.held.pop_front()
        {
            oldest.fail();
            self.dropped.inc();
        }
        state.held.push_back(delivery);
    }

    /// Gives a delivery to the session of `mailbox` if it receives and has room, else to another.
    pub(super) fn deliver_to(&self, mailbox: &Arc<Mailbox>, delivery: Delivery) {
        let state = self.lock();
        if !mailbox.is_full() && state.mailboxes.iter().any(|other| Arc::ptr_eq(other, mailbox)) {
            return mailbox.put(delivery);
        }
        drop(state);
        self.deliver(delivery, None);
    }

    /// Gives all of them to one session that receives. `false` when there is none with room.
    pub(super) fn deliver_together(&self, deliveries: impl Iterator<Item = Delivery>) -> bool {
        let mut state = self.lock();
        let Some(mailbox) = state.next(None) else {
            return false;
        };
        deliveries.for_each(|delivery| mailbox.put(delivery));
        true
    }

    /// Some of what was held for want of a session, for one with room. Empty when there is no more.
    pub(super) fn take_held(&self, room: usize) -> VecDeque<Delivery> {
        let mut state = self.lock();
        let count = room.min(TAKEN_AT_ONCE).min(state.held.len());
        state.held.drain(..count).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in this module panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::delivery::tests::receipt;
    use super::*;
    use crate::clock;

    fn receivers() -> Receivers {
        Receivers::new(IntCounter::new("dropped", "Given up.").unwrap())
    }

    #[test]
    fn held_deliveries_are_bounded_and_the_oldest_are_given_up() {
        let (receivers, now) = (receivers(), clock::now());
        for id in 0..HELD_MAX as u64 + 2 {
            receivers.deliver(receipt(id, now), None);
        }
        assert_eq!(receivers.dropped.get(), 2);
        assert_eq!(receivers.lock().held.len(), HELD_MAX);
        assert_eq!(receivers.take_held(1)[0].receipt().submitted.id.value(), 2);
    }

    #[test]
    fn deliveries_go_to_receivers_in_turn_and_avoid_one_if_they_can() {
        let (receivers, now) = (receivers(), clock::now());
        let mailboxes = [Arc::new(Mailbox::default()), Arc::new(Mailbox::default())];
        receivers.join(&mailboxes[0]);
        receivers.deliver(receipt(1, now), Some(&mailboxes[0]));
        assert_eq!(mailboxes[0].take(9).len(), 1, "there is no other");
        receivers.join(&mailboxes[1]);
        for id in 0..10 {
            receivers.deliver(receipt(id, now), None);
        }
        assert_eq!(mailboxes.each_ref().map(|mailbox| mailbox.take(99).len()), [5, 5]);
        for id in 0..10 {
            receivers.deliver(receipt(id, now), Some(&mailboxes[0]));
        }
        assert_eq!(mailboxes.each_ref().map(|mailbox| mailbox.take(99).len()), [0, 10]);
    }

    #[test]
    fn what_a_session_leaves_goes_to_another_or_is_held() {
        let (receivers, now) = (receivers(), clock::now());
        let mailboxes = [Arc::new(Mailbox::default()), Arc::new(Mailbox::default())];
        receivers.join(&mailboxes[0]);
        receivers.join(&mailboxes[1]);
        mailboxes[0].put(receipt(1, now));
        receivers.leave(&mailboxes[0], [receipt(2, now)].into_iter());
        receivers.leave(&mailboxes[1], std::iter::empty());
        assert_eq!(receivers.take_held(9).len(), 2);
        assert!(receivers.is_empty());
    }
}
