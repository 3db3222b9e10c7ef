//! Submits that the SMSC refused for now, and when each is tried again.
//!
//! One that was throttled keeps its slot in the window, so that an SMSC that refuses much gets a window's
//! worth in a second and no more. One whose recipient's queue is full is parked without a slot, longer each
//! time, and others to the same recipient wait behind it: the link goes on with the rest.

use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::sms::outbox::Outgoing;

/// The pause before a throttled submit is tried again, and the first pause of a full recipient.
pub(super) const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// Doublings of a recipient's pause: 16 s, of which a code's life has several.
const DOUBLINGS_MAX: u32 = 4;
/// The most that are parked. Beyond, it is the SMSC that is full: the next keep their slots, and the window
/// shrinks.
const PARKED_MAX: usize = 64;

/// A submit that the SMSC refused for now.
pub(super) enum Retry {
    /// The SMSC throttles this link.
    Throttled(Outgoing),
    /// The recipient's queue at the SMSC is full.
    Full(Outgoing),
}

struct Waiting {
    due: Timestamp,
    outgoing: Outgoing,
    /// Whether it holds a slot of the window; otherwise it is parked.
    has_slot: bool,
}

/// Submits that are to be tried again.
#[derive(Default)]
pub(super) struct RetryQueue {
    /// The earliest first.
    waiting: VecDeque<Waiting>,
    /// How many of `waiting` are parked.
    parked: usize,
    /// Their pause has passed, and they hold a slot of the window.
    due: VecDeque<Outgoing>,
    /// Their pause has passed, and they need a slot of the window.
    due_parked: VecDeque<Outgoing>,
}

impl RetryQueue {
    /// Tries it again after a pause.
    pub(super) fn push(&mut self, retry: Retry, now: Timestamp) {
        match retry {
            Retry::Throttled(outgoing) => {
                self.insert(Waiting { due: now.plus(RETRY_PAUSE), outgoing, has_slot: true });
            }
            Retry::Full(outgoing) => self.park(outgoing, now),
        }
    }

    fn park(&mut self, mut outgoing: Outgoing, now: Timestamp) {
        let pause = RETRY_PAUSE * 2_u32.pow(u32::from(outgoing.times_full).min(DOUBLINGS_MAX));
        outgoing.times_full = outgoing.times_full.saturating_add(1);
        let has_slot = self.parked >= PARKED_MAX;
        self.parked += usize::from(!has_slot);
        self.insert(Waiting { due: now.plus(pause), outgoing, has_slot });
    }

    /// Parks the submit behind another to the same recipient, if one is parked; gives it back otherwise.
    pub(super) fn park_behind_same_recipient(&mut self, outgoing: Outgoing) -> Option<Outgoing> {
        let is_ahead =
            |waiting: &&Waiting| !waiting.has_slot && waiting.outgoing.item.phone == outgoing.item.phone;
        if self.parked == 0 || self.parked >= PARKED_MAX {
            return Some(outgoing);
        }
        let Some(due) = self.waiting.iter().rev().find(is_ahead).map(|waiting| waiting.due) else {
            return Some(outgoing);
        };
        self.parked += 1;
        self.insert(Waiting { due, outgoing, has_slot: false });
        None
    }

    /// Behind those that are due at the same time.
    fn insert(&mut self, new: Waiting) {
        let index = self.waiting.partition_point(|waiting| waiting.due <= new.due);
        self.waiting.insert(index, new);
    }

    /// When [`Self::on_time`] has something to do.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.waiting.front().map(|waiting| waiting.due)
    }

    /// Makes due those whose pause has passed.
    pub(super) fn on_time(&mut self, now: Timestamp) {
        while let Some(Waiting { outgoing, has_slot, .. }) =
            self.waiting.pop_front_if(|waiting| waiting.due <= now)
        {
            if has_slot {
                self.due.push_back(outgoing);
            } else {
                self.parked -= 1;
                self.due_parked.push_back(outgoing);
            }
        }
    }

    /// Whether any is due that holds a slot of the window.
    pub(super) fn has_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// The next that is due and holds a slot of the window.
    pub(super) fn take(&mut self) -> Option<Outgoing> {
        self.due.pop_front()
    }

    /// The next that is due and needs a slot of the window.
    pub(super) fn take_parked(&mut self) -> Option<Outgoing> {
        self.due_parked.pop_front()
    }

    /// How many slots of the window are held.
    pub(super) fn slots(&self) -> usize {
        self.waiting.len() - self.parked + self.due.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.due.is_empty() && self.due_parked.is_empty()
    }

    /// All submits, those that are due first.
    pub(super) fn into_all(self) -> impl Iterator<Item = Outgoing> {
        let waiting = self.waiting.into_iter().map(|waiting| waiting.outgoing);
        self.due.into_iter().chain(self.due_parked).chain(waiting)
    }
}
