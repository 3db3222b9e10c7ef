//! How a link learns that the gateway shuts down.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, Timestamp};
use crate::sms::router::Lane;

/// The order to shut down, and until when draining may last once it is given.
pub(super) struct Shutdown {
    ordered: CancellationToken,
    drain_timeout: Duration,
    until: Option<Timestamp>,
}

impl Shutdown {
    pub(super) fn new(ordered: CancellationToken, drain_timeout: Duration) -> Self {
        Self { ordered, drain_timeout, until: None }
    }

    /// Returns the deadline of draining once the order is given. Cancel safe.
    pub(super) async fn ordered(&mut self, clock: &Clock) -> Timestamp {
        self.ordered.cancelled().await;
        *self.until.get_or_insert_with(|| clock.now().plus(self.drain_timeout))
    }

    /// For a link that is not bound: returns once the order is given and either nothing is queued or the
    /// deadline has passed, so that another attempt is of no use. Cancel safe.
    pub(super) async fn nothing_to_drain(&mut self, lane: &Lane, clock: &Clock) {
        let until = self.ordered(clock).await;
        tokio::select! {
            () = lane.drained() => {}
            () = clock.sleep_until(until) => {}
        }
    }
}
