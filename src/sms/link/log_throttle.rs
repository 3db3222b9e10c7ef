//! A log line that is not repeated for everything that a peer sends.

use std::time::Duration;

use crate::clock::Timestamp;

/// One line in this time is enough to be noticed.
const PAUSE: Duration = Duration::from_secs(10);

/// Decides whether something that a peer can cause as fast as it sends is logged.
#[derive(Debug, Default)]
pub(super) struct LogThrottle {
    quiet_until: Option<Timestamp>,
    /// How often it has happened since the last line.
    suppressed: u64,
}

impl LogThrottle {
    /// To be called each time that it happens. `Some` if this one is to be logged: how many before it were not.
    pub(super) fn should_log(&mut self, now: Timestamp) -> Option<u64> {
        if self.quiet_until.is_some_and(|until| now < until) {
            self.suppressed += 1;
            return None;
        }
        self.quiet_until = Some(now.plus(PAUSE));
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_in_ten_seconds_with_the_count_of_the_others() {
        let mut throttle = LogThrottle::default();
        let at = Timestamp::from_unix_millis;
        assert_eq!(throttle.should_log(at(0)), Some(0));
        (0..7).for_each(|millis| assert_eq!(throttle.should_log(at(9_000 + millis)), None));
        assert_eq!(throttle.should_log(at(10_000)), Some(7));
        assert_eq!(throttle.should_log(at(10_001)), None);
    }
}
