//! Submits that the SMSC refused for now, and when each is tried again.
//!
//! One that came too fast keeps its place in the window, so that an SMSC that refuses much gets a window's
//! worth in a second and no more. One whose recipient's queue is full waits aside, longer each time, and
//! others to the same recipient wait behind it: the link goes on with the rest.

use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::sms::routes::Outgoing;

/// The pause before a submit that was refused for now is tried again, and the first one for a recipient.
pub(super) const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// Doublings of a recipient's pause: 16 s, of which a code's life has several.
const DOUBLINGS_MAX: u32 = 4;
/// The most that wait aside. Beyond, it is the SMSC that is full, and the window shrinks.
const ASIDE_MAX: usize = 64;

struct Waiting {
    due: Timestamp,
    outgoing: Outgoing,
    /// It keeps its place in the window.
    keeps_place: bool,
}

/// What is to be tried again.
#[derive(Default)]
pub(super) struct Later {
    /// The earliest first.
    waiting: VecDeque<Waiting>,
    /// How many of them wait aside.
    aside: usize,
    /// Due again, with their places in the window.
    due: VecDeque<Outgoing>,
    /// Due again, without.
    due_aside: VecDeque<Outgoing>,
}

impl Later {
    /// The SMSC was too fast for.
    pub(super) fn throttled(&mut self, outgoing: Outgoing, now: Timestamp) {
        self.insert(Waiting { due: now.plus(RETRY_PAUSE), outgoing, keeps_place: true });
    }

    /// The recipient's queue at the SMSC is full.
    pub(super) fn full(&mut self, mut outgoing: Outgoing, now: Timestamp) {
        let pause = RETRY_PAUSE * 2_u32.pow(u32::from(outgoing.times_full).min(DOUBLINGS_MAX));
        outgoing.times_full = outgoing.times_full.saturating_add(1);
        let keeps_place = self.aside >= ASIDE_MAX;
        self.aside += usize::from(!keeps_place);
        self.insert(Waiting { due: now.plus(pause), outgoing, keeps_place });
    }

    /// Gives the submit back, unless it has to wait behind another to the same recipient.
    pub(super) fn behind(&mut self, outgoing: Outgoing) -> Option<Outgoing> {
        let ahead =
            |waiting: &&Waiting| !waiting.keeps_place && waiting.outgoing.item.phone == outgoing.item.phone;
        if self.aside == 0 || self.aside >= ASIDE_MAX {
            return Some(outgoing);
        }
        let Some(due) = self.waiting.iter().rev().find(ahead).map(|waiting| waiting.due) else {
            return Some(outgoing);
        };
        self.aside += 1;
        self.insert(Waiting { due, outgoing, keeps_place: false });
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

    /// Lets those whose pause is over be tried again.
    pub(super) fn on_time(&mut self, now: Timestamp) {
        while let Some(Waiting { outgoing, keeps_place, .. }) =
            self.waiting.pop_front_if(|waiting| waiting.due <= now)
        {
            if keeps_place {
                self.due.push_back(outgoing);
            } else {
                self.aside -= 1;
                self.due_aside.push_back(outgoing);
            }
        }
    }

    /// Whether any is due that has a place in the window.
    pub(super) fn has_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// The next that is due and has a place in the window.
    pub(super) fn take(&mut self) -> Option<Outgoing> {
        self.due.pop_front()
    }

    /// The next that is due and needs a place in the window.
    pub(super) fn take_aside(&mut self) -> Option<Outgoing> {
        self.due_aside.pop_front()
    }

    /// Places in the window that are kept.
    pub(super) fn places(&self) -> usize {
        self.waiting.len() - self.aside + self.due.len()
    }

    /// Whether nothing is to be tried again.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.due.is_empty() && self.due_aside.is_empty()
    }

    /// All of it, those that are due first.
    pub(super) fn into_all(self) -> impl Iterator<Item = Outgoing> {
        let waiting = self.waiting.into_iter().map(|waiting| waiting.outgoing);
        self.due.into_iter().chain(self.due_aside).chain(waiting)
    }
}
