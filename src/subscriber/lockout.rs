//! Consecutive failures of a subscriber, across challenges, and the locks that follow.
//!
//! A lock's duration doubles with each lock since the last success; enough failures since the last
//! success disable the authenticator permanently (NIST SP 800-63B-4 §3.2.2).

use std::time::Duration;

use crate::clock::Timestamp;

/// The limits on failures, and the durations of locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LockoutPolicy {
    /// Consecutive failures that lock.
    pub(crate) failures_max: u8,
    /// How long the first lock lasts.
    pub(crate) duration: Duration,
    /// How long a lock lasts at most.
    pub(crate) duration_max: Duration,
    /// Failures since the last success that disable the authenticator.
    pub(crate) failures_to_disable: u8,
}

/// How long a subscriber is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// Until this instant.
    Until(Timestamp),
    /// Until the branch binds the authenticator again.
    Disabled,
}

/// The failure counts of one subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Lockout {
    /// Failures since the last success or lock.
    failures: u8,
    /// Failures since the last success.
    failures_since_success: u8,
    /// Locks since the last success.
    locks: u8,
    lock: Option<Lock>,
}

impl Lockout {
    /// The lock in force at `now`.
    pub(crate) fn lock(&self, now: Timestamp) -> Option<Lock> {
        self.lock.filter(|lock| match lock {
            Lock::Until(until) => now < *until,
            Lock::Disabled => true,
        })
    }

    /// The lock that another failure at `now` would cause.
    pub(crate) fn lock_after_failure(&self, policy: &LockoutPolicy, now: Timestamp) -> Option<Lock> {
        if self.failures_since_success.saturating_add(1) >= policy.failures_to_disable {
            return Some(Lock::Disabled);
        }
        if self.failures.saturating_add(1) < policy.failures_max {
            return None;
        }
        let factor = 1_u32.checked_shl(u32::from(self.locks)).unwrap_or(u32::MAX);
        let duration = policy.duration.saturating_mul(factor).min(policy.duration_max);
        Some(Lock::Until(now.plus(duration)))
    }

    /// Records a failure and the lock that it caused.
    pub(crate) fn failed(&mut self, lock: Option<Lock>) {
        self.failures_since_success = self.failures_since_success.saturating_add(1);
        self.failures = self.failures.saturating_add(1);
        if lock.is_some() {
            self.failures = 0;
            self.locks = self.locks.saturating_add(1);
            self.lock = lock;
        }
    }

    #[cfg(test)]
    pub(super) fn failures_since_success(&self) -> u8 {
        self.failures_since_success
    }

    /// Records a success, which resets all counts.
    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: LockoutPolicy = LockoutPolicy {
        failures_max: 5,
        duration: Duration::from_secs(15 * 60),
        duration_max: Duration::from_secs(24 * 3600),
        failures_to_disable: 100,
    };

    fn fail(lockout: &mut Lockout, now: Timestamp) -> Option<Lock> {
        let lock = lockout.lock_after_failure(&POLICY, now);
        lockout.failed(lock);
        lock
    }

    #[test]
    fn the_fifth_failure_in_a_row_locks_and_each_lock_doubles_up_to_a_day() {
        let mut lockout = Lockout::default();
        let mut now = Timestamp::from_unix_millis(0);
        for minutes in [15, 30, 60, 120, 240, 480, 960, 1440, 1440] {
            for _ in 0..4 {
                assert_eq!(fail(&mut lockout, now), None);
            }
            let until = now.plus(Duration::from_secs(minutes * 60));
            assert_eq!(fail(&mut lockout, now), Some(Lock::Until(until)));
            assert_eq!(lockout.lock(now), Some(Lock::Until(until)));
            assert_eq!(lockout.lock(until), None);
            now = until;
        }
    }

    #[test]
    fn a_success_between_failures_starts_the_count_anew() {
        let mut lockout = Lockout::default();
        let now = Timestamp::from_unix_millis(0);
        for _ in 0..10 {
            for _ in 0..4 {
                assert_eq!(fail(&mut lockout, now), None);
            }
            lockout.succeeded();
        }
    }

    #[test]
    fn the_hundredth_failure_since_the_last_success_disables_permanently() {
        let mut lockout = Lockout::default();
        let now = Timestamp::from_unix_millis(0);
        for _ in 1..100 {
            assert_ne!(fail(&mut lockout, now), Some(Lock::Disabled));
        }
        assert_eq!(fail(&mut lockout, now), Some(Lock::Disabled));
        assert_eq!(lockout.lock(Timestamp::from_unix_millis(u64::MAX)), Some(Lock::Disabled));
    }
}
