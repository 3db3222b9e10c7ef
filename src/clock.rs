//! The only source of time.
//!
//! Decisions take instants as arguments, and everything else asks a [`Clock`]: no other module may read the
//! machine's clocks (clippy's `disallowed-methods` checks it).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
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

/// The time since the machine was booted, in which it may have been suspended (`CLOCK_BOOTTIME`).
fn since_boot() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    // Neither is ever negative.
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clocks")]
fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
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
    System { wall_at_start: Timestamp, start: Duration },
    Manual { time: Arc<watch::Sender<Timestamp>>, wall_ahead_millis: Arc<AtomicI64> },
}

impl Clock {
    /// The wall clock as read now, plus the time that passes from then on, be the machine suspended or not, so that
    /// neither a step of its clock nor its sleep can extend a challenge.
    pub fn system() -> Self {
        Self::starting_at(Timestamp(millis(since_epoch())), since_boot())
    }

    fn starting_at(wall_at_start: Timestamp, start: Duration) -> Self {
        Self(Source::System { wall_at_start, start })
    }

    /// A clock for tests, which stays at `start` until it is advanced.
    pub fn manual(start: Timestamp) -> Self {
        let (time, wall_ahead_millis) = (Arc::new(watch::Sender::new(start)), Arc::default());
        Self(Source::Manual { time, wall_ahead_millis })
    }

    pub(crate) fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System { wall_at_start, start } => {
                wall_at_start.plus(since_boot().saturating_sub(*start))
            }
            Source::Manual { time, .. } => *time.borrow(),
        }
    }

    /// The time since this clock was made, finer than a [`Timestamp`], to measure durations.
    pub(crate) fn uptime(&self) -> Duration {
        match &self.0 {
            Source::System { start, .. } => since_boot().saturating_sub(*start),
            Source::Manual { time, .. } => Duration::from_millis(time.borrow().0),
        }
    }

    /// By how much the machine's wall clock is ahead of this clock, in seconds; negative if it is behind.
    pub(crate) fn wall_ahead_seconds(&self) -> f64 {
        match &self.0 {
            Source::System { .. } => {
                since_epoch().as_secs_f64() - Duration::from_millis(self.now().0).as_secs_f64()
            }
            Source::Manual { wall_ahead_millis, .. } => {
                wall_ahead_millis.load(Ordering::Relaxed) as f64 / 1000.0
            }
        }
    }

    /// Returns once the clock has reached `deadline`; later if the machine is suspended meanwhile. Cancel safe.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that sleeps")]
    pub(crate) async fn sleep_until(&self, deadline: Timestamp) {
        match &self.0 {
            Source::System { wall_at_start, start } => {
                let passed = since_boot().saturating_sub(*start);
                tokio::time::sleep(deadline.since(*wall_at_start).saturating_sub(passed)).await;
            }
            Source::Manual { time, .. } => {
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
            Source::Manual { time, .. } => time.send_modify(|now| *now = now.plus(duration)),
        }
    }

    /// Has the machine's wall clock be ahead of a manual clock by so much, as [`Clock::wall_ahead_seconds`] says.
    ///
    /// # Panics
    ///
    /// On a system clock, which does not move the machine's.
    pub fn put_wall_ahead(&self, millis: i64) {
        match &self.0 {
            Source::System { .. } => panic!("the wall clock is only moved for a manual clock"),
            Source::Manual { wall_ahead_millis, .. } => wall_ahead_millis.store(millis, Ordering::Relaxed),
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
    fn abuse_70_the_machine_s_sleep_counts_and_the_wall_clock_is_where_ours_began() {
        // The first number is the time since boot, with suspensions (proc(5)).
        let read = || {
            let text = std::fs::read_to_string("/proc/uptime").unwrap();
            text.split(' ').next().unwrap().parse::<f64>().unwrap()
        };
        let (before, between, after) = (read(), since_boot().as_secs_f64(), read());
        assert!(before - 0.01 <= between && between <= after + 0.01, "{before} {between} {after}");
        assert!(Clock::system().wall_ahead_seconds().abs() < 0.1);
        let hour_ago = Duration::from_secs(3600);
        let behind = Clock::starting_at(Timestamp(millis(since_epoch() - hour_ago)), since_boot());
        assert!((behind.wall_ahead_seconds() - 3600.0).abs() < 0.1);
    }

    #[test]
    fn abuse_09_time_goes_on_evenly_from_whatever_the_wall_clock_said_at_the_start() {
        // The wall clock is read once: two clocks whose readings differ by an hour stay an hour apart.
        let (hour, start) = (Duration::from_secs(3600), since_boot());
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
