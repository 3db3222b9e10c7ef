//! What the integration tests share: a gateway with a simulator, a client of its API, and what the client sends.

// `tests/leaks.rs` includes this file from another folder, hence the paths.
#[path = "support/client.rs"]
pub(crate) mod client;
#[path = "support/house.rs"]
pub(crate) mod house;
#[path = "support/payment.rs"]
pub(crate) mod payment;

use std::time::Duration;

/// A safety net under every wait for an event: far longer than any of them takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for an event, with a safety net.
#[expect(clippy::disallowed_methods, reason = "the safety net is in real time, whatever clock the house has")]
pub(crate) async fn within<F: Future>(event: F, what: &str) -> F::Output {
    tokio::time::timeout(PATIENCE, event).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// Runs what blocks away from the runtime's threads.
pub(crate) async fn blocking<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(run).await.expect("it does not panic")
}
