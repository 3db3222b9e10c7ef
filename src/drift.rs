//! Watches how far the machine's wall clock moves away from ours, which goes on evenly from what that said at the start.
//!
//! A step of the wall clock changes no decision, but times in replies and in SMS are then off by it; and a virtual
//! machine that was halted without our clock noticing has codes that are older than they look.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::metrics::Metrics;

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// From so far apart on, there is a warning; nearer than half of that again, it is over.
const FAR_SECONDS: f64 = 5.0;

/// What is new about the distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    Apart,
    Together,
}

#[derive(Debug, Default)]
struct Drift {
    is_far: bool,
}

impl Drift {
    fn look(&mut self, seconds: f64) -> Option<News> {
        let far = if self.is_far { FAR_SECONDS / 2.0 } else { FAR_SECONDS };
        let is_far = seconds.abs() >= far;
        if std::mem::replace(&mut self.is_far, is_far) == is_far {
            return None;
        }
        Some(if is_far { News::Apart } else { News::Together })
    }
}

/// Shows the distance and warns of it, until stopped.
pub(crate) async fn watch(clock: Clock, metrics: Arc<Metrics>, stop: CancellationToken) {
    let mut drift = Drift::default();
    loop {
        let seconds = clock.wall_ahead_seconds();
        metrics.api.clock_drift.set(seconds);
        match drift.look(seconds) {
            Some(News::Apart) => tracing::warn!(
                seconds,
                "the machine's clock has moved away from the gateway's: times in replies and SMS are off by that \
                 until a restart"
            ),
            Some(News::Together) => {
                tracing::info!(seconds, "the machine's clock is near the gateway's again");
            }
            None => {}
        }
        if stop.run_until_cancelled(clock.sleep(LOOK_EVERY)).await.is_none() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_once_that_clocks_are_far_apart_and_once_that_they_are_not() {
        let mut drift = Drift::default();
        let told = [0.0, 4.9, -5.0, -9.0, -4.0, 2.6, 2.4, -4.9, 3600.0].map(|seconds| drift.look(seconds));
        let expected = [None, None, Some(News::Apart), None, None, None, Some(News::Together), None];
        assert_eq!(told[..8], expected);
        assert_eq!(told[8], Some(News::Apart));
    }
}
