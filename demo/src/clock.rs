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
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// This instant.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// How long it is until `instant`, in milliseconds; 0 when it has passed.
pub(crate) fn millis_until(instant: Instant) -> u64 {
    let left = instant.saturating_duration_since(now());
    u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
}

/// How long ago `instant` was, in microseconds.
pub(crate) fn micros_since(instant: Instant) -> u64 {
    u64::try_from(instant.elapsed().as_micros()).unwrap_or(u64::MAX)
}
