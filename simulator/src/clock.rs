//! The only source of time in this crate.
//!
//! The simulator lives in real time: it stands in for a network whose delays its users want to feel. What
//! decides by time takes the instant as an argument, so that its tests need no clock.

#![expect(clippy::disallowed_methods, reason = "this module is where the crate's time comes from")]

use std::time::{Duration, Instant, SystemTime};

/// Monotonic time, for delays and timers.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Wall-clock time, for what people and SMPP's absolute dates read.
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}

/// One instant on both clocks.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: Instant,
    pub(crate) wall: SystemTime,
}

impl Moment {
    /// The present one.
    pub(crate) fn present() -> Self {
        Self { now: now(), wall: wall() }
    }

    /// The monotonic instant of a time to come; `None` beyond the clock's end.
    pub(crate) fn instant_of(&self, wall: SystemTime) -> Option<Instant> {
        self.now.checked_add(wall.duration_since(self.wall).unwrap_or_default())
    }
}

/// A timer that can be set anew without being allocated anew.
pub(crate) fn timer(at: Instant) -> tokio::time::Sleep {
    tokio::time::sleep_until(at.into())
}

/// Waits for `future`, at most `limit`. `None` when the time is up, and the future is dropped.
pub(crate) async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(limit, future).await.ok()
}
