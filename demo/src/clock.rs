//! The only source of time in this crate. The demo lives in real time: its visitors watch it.

#![expect(clippy::disallowed_methods, reason = "this module is where the crate's time comes from")]

use std::time::{Duration, Instant, SystemTime};

/// Waits for `future`, at most `limit`. `None` when the time is up, and the future is dropped.
pub(crate) async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(limit, future).await.ok()
}

/// Lets `duration` pass.
pub(crate) async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// The time of a message, in milliseconds since the Unix epoch, as JavaScript counts it.
pub(crate) fn unix_millis(time: SystemTime) -> u64 {
    millis(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

/// This instant.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// A duration in whole milliseconds, as JavaScript counts them.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// How long ago `instant` was, in microseconds.
pub(crate) fn micros_since(instant: Instant) -> u64 {
    u64::try_from(instant.elapsed().as_micros()).unwrap_or(u64::MAX)
}
