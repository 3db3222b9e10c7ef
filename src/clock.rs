//! The only source of time.
//!
//! Decisions take instants as arguments, and everything else asks a [`Clock`]: no other module may read the
//! machine's clocks (clippy's `disallowed-methods` checks it).

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

/// An instant in milliseconds since the Unix epoch.
///
/// Within one process it never goes backwards: see [`Clock::system`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The instant `millis` milliseconds after the Unix epoch.
    pub const fn from_unix_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub(crate) const fn unix_millis(self) -> u64 {
        self.0
    }

    /// This instant moved forward by `duration`, to the millisecond, saturating.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// How much later this instant is than `earlier`; zero when it is not later.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// RFC 3339 in UTC, to the second (fractions cut off).
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole_seconds = Duration::from_secs(self.0 / 1000);
        humantime::format_rfc3339_seconds(UNIX_EPOCH + whole_seconds).fmt(f)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Gives the time and wakes sleepers; cheap to clone.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System { wall_at_start: Timestamp, start: Instant },
    Manual(Arc<watch::Sender<Timestamp>>),
}

impl Clock {
    /// The wall clock as read now, plus the monotonic time that passes from then on, so that a step of the
    /// machine's clock can neither extend nor expire a challenge.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clocks")]
    pub fn system() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::starting_at(Timestamp(millis(since_epoch)), Instant::now())
    }

    fn starting_at(wall_at_start: Timestamp, start: Instant) -> Self {
        Self(Source::System { wall_at_start, start })
    }

    /// A clock for tests, which stays at `start` until it is advanced.
    pub fn manual(start: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(watch::Sender::new(start))))
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clocks")]
    pub(crate) fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System { wall_at_start, start } => {
                wall_at_start.plus(Instant::now().duration_since(*start))
            }
            Source::Manual(time) => *time.borrow(),
        }
    }

    /// The time since this clock was made, finer than a [`Timestamp`], to measure durations.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clocks")]
    pub(crate) fn uptime(&self) -> Duration {
        match &self.0 {
            Source::System { start, .. } => Instant::now().duration_since(*start),
            Source::Manual(time) => Duration::from_millis(time.borrow().0),
        }
    }

    /// Returns once the clock has reached `deadline`. Cancel safe.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that sleeps")]
    pub(crate) async fn sleep_until(&self, deadline: Timestamp) {
        match &self.0 {
            Source::System { wall_at_start, start } => {
                let wake_at = *start + deadline.since(*wall_at_start);
                tokio::time::sleep_until(wake_at.into()).await;
            }
            Source::Manual(time) => {
                let mut time = time.subscribe();
                // The sender lives in `self`, so waiting can only end by reaching the deadline.
                let _ = time.wait_for(|now| *now >= deadline).await;
            }
        }
    }

    /// Returns once `duration` has passed since this call (not since the first poll). Cancel safe.
    pub(crate) fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + '_ {
        self.sleep_until(self.now().plus(duration))
    }

    /// Moves a manual clock forward and wakes the sleepers whose time has come.
    ///
    /// # Panics
    ///
    /// On a system clock, which cannot be moved.
    pub fn advance(&self, duration: Duration) {
        match &self.0 {
            Source::System { .. } => panic!("only a manual clock can be advanced"),
            Source::Manual(time) => time.send_modify(|now| *now = now.plus(duration)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_prints_as_rfc_3339_to_the_second() {
        let timestamp = Timestamp::from_unix_millis(1_795_338_900_999);
        assert_eq!(timestamp.to_string(), "2026-11-22T09:15:00Z");
    }

    #[tokio::test]
    async fn advancing_a_manual_clock_wakes_a_sleeper_at_its_deadline_and_not_before() {
        let clock = Clock::manual(Timestamp::from_unix_millis(0));
        let sleeper = clock.sleep(Duration::from_secs(5));
        tokio::pin!(sleeper);
        clock.advance(Duration::from_millis(4_999));
        tokio::select! {
            biased;
            () = &mut sleeper => panic!("woke one millisecond early"),
            () = std::future::ready(()) => {}
        }
        clock.advance(Duration::from_millis(1));
        sleeper.await;
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "two clocks from one reading")]
    fn abuse_09_time_goes_on_evenly_from_whatever_the_wall_clock_said_at_the_start() {
        // The wall clock is read once: two clocks whose readings differ by an hour stay an hour apart.
        let (hour, start) = (Duration::from_secs(3600), Instant::now());
        let early = Clock::starting_at(Timestamp::from_unix_millis(0), start);
        let late = Clock::starting_at(Timestamp::from_unix_millis(0).plus(hour), start);
        for _ in 0..1000 {
            let (before, between, after) = (early.now(), late.now(), early.now());
            assert!(before.plus(hour) <= between && between <= after.plus(hour));
        }
    }

    #[test]
    fn the_system_clock_never_goes_backwards() {
        let clock = Clock::system();
        let mut last = clock.now();
        for _ in 0..10_000 {
            let now = clock.now();
            assert!(now >= last);
            last = now;
        }
    }
}
