//! A warning that is not repeated for everything that a peer sends.

use std::time::Duration;

use crate::clock::Timestamp;

/// Once in this time is often enough to be noticed.
const PAUSE: Duration = Duration::from_secs(10);

/// Whether to speak of something that may happen often.
#[derive(Debug, Default)]
pub(super) struct Muted {
    quiet_until: Option<Timestamp>,
    /// How often it has happened since.
    unsaid: u64,
}

impl Muted {
    /// It has happened. If it is to be told: how often it happened before without being told.
    pub(super) fn may_speak(&mut self, now: Timestamp) -> Option<u64> {
        if self.quiet_until.is_some_and(|until| now < until) {
            self.unsaid += 1;
            return None;
        }
        self.quiet_until = Some(now.plus(PAUSE));
        Some(std::mem::take(&mut self.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_in_ten_seconds_with_the_count_of_the_others() {
        let mut muted = Muted::default();
        let at = Timestamp::from_unix_millis;
        assert_eq!(muted.may_speak(at(0)), Some(0));
        (0..7).for_each(|millis| assert_eq!(muted.may_speak(at(9_000 + millis)), None));
        assert_eq!(muted.may_speak(at(10_000)), Some(7));
        assert_eq!(muted.may_speak(at(10_001)), None);
    }
}
