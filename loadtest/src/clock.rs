//! The only source of time in this crate: it measures real time, so there is nothing to turn.

#![expect(clippy::disallowed_methods, reason = "this module is where the crate's time comes from")]

use std::time::{Duration, Instant};

pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Lets `pause` go by, between two looks at something that cannot be waited for.
pub(crate) fn pause(pause: Duration) {
    std::thread::sleep(pause);
}
