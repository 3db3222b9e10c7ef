//! The places in the outbox that a sick destination holds: a share of its route's, so that the rest is left for others.
//!
//! A destination that is well is not counted, and costs its callers one look at a number that is 0.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::{RouteState, SENDING, SLOW_PLACES_MAX, SLOW_PLACES_OF_ALL};
use crate::sms::destination::Prefix;

/// One sick destination, as long as anyone holds it.
#[derive(Debug)]
pub(in crate::sms) struct Crowd {
    places: AtomicUsize,
    /// A [`RouteState`], which only the SMS thread changes.
    state: AtomicU64,
    /// How many destinations of its route are in that state, likewise.
    failing: AtomicUsize,
}

impl Default for Crowd {
    fn default() -> Self {
        Self { places: AtomicUsize::new(0), state: AtomicU64::new(SENDING), failing: AtomicUsize::new(1) }
    }
}

impl Crowd {
    /// Whether any SMSC of its route takes what is for it, if its route is [sending](RouteState::Sending).
    // Relaxed: it guards no other data, and a caller may see it a moment late.
    pub(in crate::sms) fn state(&self) -> RouteState {
        RouteState::from_number(self.state.load(Ordering::Relaxed))
    }

    /// Changes the state, in which so many destinations of its route are.
    pub(in crate::sms) fn set_state(&self, state: RouteState, failing: usize) {
        self.state.store(state.to_number(), Ordering::Relaxed);
        self.failing.store(failing, Ordering::Relaxed);
    }

    /// How many places it may hold while it is [slow](RouteState::Slow).
    pub(super) fn slow_places_max(&self) -> usize {
        let failing = self.failing.load(Ordering::Relaxed).max(1);
        (SLOW_PLACES_OF_ALL / failing).clamp(1, SLOW_PLACES_MAX)
    }

    /// One more place.
    pub(in crate::sms) fn join(self: &Arc<Self>) -> Member {
        self.places.fetch_add(1, Ordering::Relaxed);
        Member(Arc::clone(self))
    }

    /// How many there are.
    pub(super) fn places(&self) -> usize {
        self.places.load(Ordering::Relaxed)
    }

    /// One more place, unless that would be more than `places_max`.
    // Ours is counted before we look, so that two callers at once never get the same last place.
    pub(super) fn join_within(self: &Arc<Self>, places_max: usize) -> Option<Member> {
        let member = self.join();
        (self.places() <= places_max).then_some(member)
    }
}

/// A place that counts among those of a sick destination until it is dropped.
#[derive(Debug)]
pub(in crate::sms) struct Member(Arc<Crowd>);

impl Drop for Member {
    fn drop(&mut self) {
        self.0.places.fetch_sub(1, Ordering::Relaxed);
    }
}

/// All sick destinations. Everyone who takes places shares it.
#[derive(Debug, Default)]
pub(in crate::sms) struct Crowds {
    /// How many there are, so that callers need no lock while there are none.
    count: AtomicUsize,
    by_prefix: RwLock<HashMap<Prefix, Arc<Crowd>>>,
}

impl Crowds {
    /// That of a destination that is sick from now on.
    pub(in crate::sms) fn of(&self, prefix: Prefix) -> Arc<Crowd> {
        let mut by_prefix = self.by_prefix.write().unwrap_or_else(PoisonError::into_inner);
        let crowd = Arc::clone(by_prefix.entry(prefix).or_default());
        self.count.store(by_prefix.len(), Ordering::Relaxed);
        crowd
    }

    /// That of a destination, if it is sick.
    pub(in crate::sms) fn find(&self, prefix: Prefix) -> Option<Arc<Crowd>> {
        if self.count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        self.by_prefix.read().unwrap_or_else(PoisonError::into_inner).get(&prefix).cloned()
    }

    /// Forgets those that nobody holds any more.
    pub(in crate::sms) fn forget_unheld(&self) {
        if self.count.load(Ordering::Relaxed) > 0 {
            let mut by_prefix = self.by_prefix.write().unwrap_or_else(PoisonError::into_inner);
            by_prefix.retain(|_, crowd| Arc::strong_count(crowd) > 1);
            self.count.store(by_prefix.len(), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_all_destinations_that_fail_together_a_few_sms_wait_or_one_of_each() {
        let crowd = Crowd::default();
        for (failing, places) in [(1, 10), (2, 10), (3, 6), (4, 5), (20, 1), (1_000, 1)] {
            crowd.set_state(RouteState::Slow, failing);
            assert_eq!(crowd.slow_places_max(), places, "{failing} fail");
        }
    }
}
