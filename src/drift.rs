//! Watches how far the machine's wall clock moves away from ours, which goes on evenly from what that said at the start.
//!
//! A step of the wall clock changes no decision, but times in replies and in SMS are then off by it. One forward may also
//! mean that a virtual machine was halted without our clock noticing, so that codes are older than they look: these are
//! ended. Locks stay, as they would if the wall clock had been moved to end them.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::gateway::Gateway;
use crate::metrics::Metrics;

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// From so far apart on, there is a warning; nearer than half of that again, it is over.
const FAR_SECONDS: f64 = 5.0;
/// Forward by more than this, codes are ended.
const LOST_SECONDS: f64 = 5.0;
/// What a look forgives: clocks drift apart by less (adjtimex(2) slews by at most 500 ppm), a halted machine's by more.
const SLEWED_SECONDS: f64 = 0.001;

/// What is new about the distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    Apart,
    Together,
}

#[derive(Debug, Default)]
struct Drift {
    is_far: bool,
    /// How far the wall clock was ahead, but for what our clock may have missed since.
    accounted_seconds: f64,
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

    /// Whether our clock may have missed so much time that codes are older than they look.
    fn has_lost_time(&mut self, seconds: f64) -> bool {
        self.accounted_seconds = (self.accounted_seconds + SLEWED_SECONDS).min(seconds);
        let has_lost = seconds - self.accounted_seconds > LOST_SECONDS;
        if has_lost {
            self.accounted_seconds = seconds;
        }
        has_lost
    }
}

/// Shows the distance, warns of it, and ends codes that may be older than they look, until stopped.
pub(crate) async fn watch(
    clock: Clock,
    metrics: Arc<Metrics>,
    gateway: Arc<Gateway>,
    stop: CancellationToken,
) {
    let mut drift = Drift::default();
    loop {
        let seconds = clock.wall_ahead_seconds();
        metrics.api.clock_drift.set(seconds);
        if drift.has_lost_time(seconds) {
            let challenges = gateway.expire_open().await;
            tracing::warn!(
                seconds,
                challenges,
                "the machine may have been halted: open challenges are ended"
            );
        }
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

    #[test]
    fn time_is_lost_when_the_wall_clock_goes_ahead_by_more_than_five_seconds_at_once_or_in_pieces() {
        let lost = |looks: &[f64]| {
            let mut drift = Drift::default();
            looks.iter().filter(|seconds| drift.has_lost_time(**seconds)).count()
        };
        assert_eq!(lost(&[0.0, 5.0, 5.0]), 0);
        assert_eq!(lost(&[0.0, 5.1, 5.1, 5.1]), 1);
        assert_eq!(lost(&[0.0, 3.0, 3.0, 5.5]), 1);
        // A step back is none, and the way forth from there is one.
        assert_eq!(lost(&[0.0, -3600.0, -3600.0, -3594.0]), 1);
    }

    #[test]
    fn a_clock_that_is_slewed_for_days_has_lost_no_time() {
        let mut drift = Drift::default();
        let day = 24 * 3600;
        assert!((0..3 * day).all(|second| !drift.has_lost_time(f64::from(second) * 500e-6)));
        assert!((0..day).any(|second| drift.has_lost_time(130.0 + f64::from(second) * 0.01)));
    }
}
