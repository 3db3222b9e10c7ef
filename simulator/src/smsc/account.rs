//! One ESME at the SMSC: its credentials, its limits, and its sessions.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use prometheus::IntCounter;
use subtle::{Choice, ConstantTimeEq as _};

use super::receivers::Receivers;
use crate::clock;
use crate::config::Esme;

/// One ESME of the configuration.
pub(super) struct Account {
    pub(super) esme: Esme,
    pub(super) system_id: Arc<str>,
    pub(super) receivers: Receivers,
    bound: AtomicUsize,
    rate: Option<Limiter<Uptime>>,
}

impl Account {
    /// `dropped` counts deliveries that are given up for want of a session.
    pub(super) fn new(esme: Esme, dropped: IntCounter) -> Self {
        Self {
            system_id: esme.system_id.as_str().into(),
            receivers: Receivers::new(dropped),
            bound: AtomicUsize::new(0),
            rate: esme.rate.and_then(NonZeroU32::new).map(|rate| limiter(rate, Uptime(clock::now()))),
            esme,
        }
    }

    /// Whether these are its credentials; both are always compared, and each in constant time.
    pub(super) fn admits(&self, system_id: &[u8], password: &[u8]) -> (Choice, Choice) {
        (system_id.ct_eq(self.esme.system_id.as_bytes()), password.ct_eq(self.esme.password.as_bytes()))
    }

    /// Sessions bound now.
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

    /// Whether the rate allows one more segment now; counts it if so.
    pub(super) fn is_within_rate(&self) -> bool {
        self.rate.as_ref().is_none_or(|rate| rate.check().is_ok())
    }
}

type Limiter<C> = RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// A limit of segments a second, of which a tenth of a second's worth may come at once.
fn limiter<C: Clock>(segments_per_second: NonZeroU32, clock: C) -> Limiter<C> {
    let burst = NonZeroU32::new(segments_per_second.get() / 10).unwrap_or(NonZeroU32::MIN);
    RateLimiter::direct_with_clock(Quota::per_second(segments_per_second).allow_burst(burst), clock)
}

/// The time since an instant, by this crate's clock.
struct Uptime(Instant);

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
        let rate = limiter(NonZeroU32::new(50).unwrap(), clock.clone());
        let taken_after = |wait: u64| {
            clock.advance(Duration::from_millis(wait));
            (0..100).filter(|_| rate.check().is_ok()).count()
        };
        assert_eq!(taken_after(0), 5);
        assert_eq!(taken_after(19), 0);
        assert_eq!(taken_after(1), 1);
        let within_a_second: usize = (0..1_000).map(|_| taken_after(1)).sum();
        assert_eq!(within_a_second, 50);
    }

    #[test]
    fn a_rate_below_ten_a_second_allows_one_at_once() {
        let rate = limiter(NonZeroU32::MIN, FakeRelativeClock::default());
        assert_eq!((0..100).filter(|_| rate.check().is_ok()).count(), 1);
    }
}
