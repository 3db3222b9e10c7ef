//! How long to wait before connecting again.

use std::time::Duration;

/// Doublings after which every maximum is reached: 2^20 times the least is days.
const DOUBLINGS_MAX: u32 = 20;

/// The pause before an attempt after `failures` ones in a row (1 or more): anything up to a limit that
/// doubles with each failure, from `min` to `max`. Full jitter, so that a fleet that lost an SMSC does
/// not come back at once. `draw` is random.
pub(super) fn after_failure(failures: u32, min: Duration, max: Duration, draw: u64) -> Duration {
    let doublings = failures.saturating_sub(1).min(DOUBLINGS_MAX);
    fraction(min.saturating_mul(1 << doublings).min(max), draw)
}

/// The pause after the SMSC refused our credentials: from half of `max` to `max`, since the next attempt will
/// most likely fail, too.
pub(super) fn after_refusal(max: Duration, draw: u64) -> Duration {
    max / 2 + fraction(max / 2, draw)
}

/// A random number. Without randomness the pause is the longest, which is safe.
pub(super) fn draw() -> u64 {
    getrandom::u64().unwrap_or(u64::MAX)
}

/// `draw` as a fraction of 2^64, of `limit`, to the millisecond.
fn fraction(limit: Duration, draw: u64) -> Duration {
    let limit = limit.as_millis().min(u128::from(u64::MAX));
    let millis = (limit * u128::from(draw)) >> 64;
    Duration::from_millis(u64::try_from(millis).expect("a fraction of what fits 64 bits fits 64 bits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN: Duration = Duration::from_millis(500);
    const MAX: Duration = Duration::from_secs(30);

    #[test]
    fn l7_the_limit_doubles_up_to_the_maximum_and_the_pause_is_any_part_of_it() {
        let at_most = |failures| after_failure(failures, MIN, MAX, u64::MAX).as_millis() + 1;
        assert_eq!(
            [1, 2, 3, 6, 7, 8, u32::MAX].map(at_most),
            [500, 1000, 2000, 16_000, 30_000, 30_000, 30_000]
        );
        assert_eq!(after_failure(7, MIN, MAX, 0), Duration::ZERO);
        assert_eq!(after_failure(7, MIN, MAX, u64::MAX / 2), Duration::from_millis(14_999));
    }

    #[test]
    fn l1_a_refusal_is_followed_by_a_long_pause() {
        assert_eq!(after_refusal(MAX, 0), Duration::from_secs(15));
        assert_eq!(after_refusal(MAX, u64::MAX), Duration::from_millis(29_999));
    }
}
