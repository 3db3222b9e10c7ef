//! The only source of time in this crate: real time, which the visitors of a page live in.

#![expect(clippy::disallowed_methods, reason = "this module is where the crate's time comes from")]

use std::time::Duration;

/// Waits for `future`, at most `limit`. `None` when the time is up, and the future is dropped.
pub(crate) async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(limit, future).await.ok()
}

/// Lets `duration` pass.
pub(crate) async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}
