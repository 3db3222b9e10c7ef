//! Time in these tests: a safety net round every wait, and how long one took.

#![expect(clippy::disallowed_methods, reason = "tests against sockets run in real time")]

use std::time::{Duration, Instant};

/// Long enough for a busy machine; reached only when something is broken.
pub(crate) const NET: Duration = Duration::from_secs(30);

/// The output of `future`, which has to come.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(NET, future).await.expect("what the test waits for has to come")
}

pub(crate) fn now() -> Instant {
    Instant::now()
}
