//! Rates: so many a second, of which a tenth of a second's worth may come at once.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::clock;

/// The highest rate, a second.
pub(crate) const RATE_MAX: u32 = 1_000_000;
/// Keys that are told apart. Beyond, all begin anew.
const KEYS_MAX: usize = 10_000;

/// A limit of so many a second.
pub(crate) struct Rate<C: Clock = Uptime>(
    RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<<C as Clock>::Instant>>,
);

impl Rate {
    pub(crate) fn new(per_second: NonZeroU32) -> Self {
        Self::by(per_second, Uptime(clock::now()))
    }
}

impl<C: Clock> Rate<C> {
    fn by(per_second: NonZeroU32, clock: C) -> Self {
        let burst = NonZeroU32::new(per_second.get() / 10).unwrap_or(NonZeroU32::MIN);
        Self(RateLimiter::direct_with_clock(Quota::per_second(per_second).allow_burst(burst), clock))
    }

    /// Whether one more may come now; counts it if so.
    pub(crate) fn takes(&self) -> bool {
        self.0.check().is_ok()
    }
}

/// The same limit for each of many keys.
pub(crate) struct Rates {
    per_second: NonZeroU32,
    by_key: Mutex<HashMap<u64, Rate>>,
}

impl Rates {
    pub(crate) fn new(per_second: NonZeroU32) -> Self {
        Self { per_second, by_key: Mutex::default() }
    }

    /// Whether one more of this key may come now; counts it if so.
    pub(crate) fn takes(&self, key: u64) -> bool {
        // Nothing panics under this lock; it is short.
        let mut by_key = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
        if by_key.len() >= KEYS_MAX && !by_key.contains_key(&key) {
            by_key.clear();
        }
        by_key.entry(key).or_insert_with(|| Rate::new(self.per_second)).takes()
    }
}

/// The time since an instant, by this crate's clock.
pub(crate) struct Uptime(Instant);

impl Clock for Uptime {
    type Instant = Duration;

    fn now(&self) -> Duration {
        clock::now().saturating_duration_since(self.0)
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    #[test]
    fn a_rate_allows_a_tenth_of_a_second_at_once_and_its_number_a_second() {
        let clock = FakeRelativeClock::default();
        let rate = Rate::by(NonZeroU32::new(50).unwrap(), clock.clone());
        let taken_after = |wait: u64| {
            clock.advance(Duration::from_millis(wait));
            (0..100).filter(|_| rate.takes()).count()
        };
        assert_eq!(taken_after(0), 5);
        assert_eq!(taken_after(19), 0);
        assert_eq!(taken_after(1), 1);
        let within_a_second: usize = (0..1_000).map(|_| taken_after(1)).sum();
        assert_eq!(within_a_second, 50);
    }

    #[test]
    fn a_rate_below_ten_a_second_allows_one_at_once() {
        let rate = Rate::by(NonZeroU32::MIN, FakeRelativeClock::default());
        assert_eq!((0..100).filter(|_| rate.takes()).count(), 1);
    }

    #[test]
    fn keys_have_their_rate_each_and_are_bounded() {
        let rates = Rates::new(NonZeroU32::MIN);
        assert!(rates.takes(0) && !rates.takes(0) && rates.takes(1));
        for key in 2..3 * KEYS_MAX as u64 {
            assert!(rates.takes(key));
            assert!(rates.by_key.lock().unwrap().len() <= KEYS_MAX);
        }
    }
}
