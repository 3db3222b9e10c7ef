//! How many segments a second one link sends: up to its rate, and less while the SMSC says that it is too
//! fast.
//!
//! The limit is halved when the SMSC throttles, and raised by a twentieth of what it was each second after
//! (additive increase, multiplicative decrease, as TCP has it), so that links that share an account come to
//! share its rate. Without a rate of its own, a link has no limit until it is throttled, nor after it has gone
//! twice as fast again without being throttled.

use std::time::Duration;

use crate::clock::Timestamp;

/// The limit is lowered once in this time: a whole window of refusals is one piece of news.
const LOWER_AT_MOST_EVERY: Duration = Duration::from_secs(1);
/// How often it is raised.
const RAISE_EVERY: Duration = Duration::from_secs(1);
/// In how many steps it is raised by what it was.
const STEPS: u64 = 20;
/// The lowest limit, in segments a second.
const LIMIT_MIN: u64 = 1;
const NANOS: u64 = 1_000_000_000;
const NANOS_OF_MILLI: u64 = 1_000_000;
/// What the clock cannot tell apart may go at once.
const RESOLUTION_NANOS: u64 = NANOS_OF_MILLI;

/// The pace of one link.
#[derive(Debug)]
pub(super) struct Pace {
    /// Segments a second at the most; 0 for no limit.
    rate: u64,
    /// Segments a second now.
    limit: Option<u64>,
    /// When the next segment is due, in nanoseconds since the Unix epoch.
    next_nanos: u64,
    /// What the limit was when it was lowered: the raise that brings it back.
    before: u64,
    lowered_at: Option<Timestamp>,
    raised_at: Timestamp,
    /// Segments sent in the present second and in the one before.
    second_from: Timestamp,
    sent: u64,
    sent_before: u64,
}

impl Pace {
    /// `rate` in segments a second; 0 for no limit.
    pub(super) fn new(rate: u32, now: Timestamp) -> Self {
        let rate = u64::from(rate);
        Self {
            rate,
            limit: (rate > 0).then_some(rate),
            next_nanos: 0,
            before: rate,
            lowered_at: None,
            raised_at: now,
            second_from: now,
            sent: 0,
            sent_before: 0,
        }
    }

    /// When the next segment may be sent, if there is a limit.
    pub(super) fn ready_at(&self) -> Option<Timestamp> {
        self.limit?;
        let due = self.next_nanos.saturating_sub(RESOLUTION_NANOS - 1);
        Some(Timestamp::from_unix_millis(due.div_ceil(NANOS_OF_MILLI)))
    }

    /// Whether a segment may be sent.
    pub(super) fn allows(&self, now: Timestamp) -> bool {
        self.ready_at().is_none_or(|at| at <= now)
    }

    /// A segment was sent.
    pub(super) fn sent(&mut self, now: Timestamp) {
        let since = now.since(self.second_from);
        if since >= Duration::from_secs(1) {
            self.sent_before = if since < Duration::from_secs(2) { self.sent } else { 0 };
            (self.second_from, self.sent) = (now, 0);
        }
        self.sent += 1;
        self.raise(now);
        if let Some(limit) = self.limit {
            let now_nanos = now.unix_millis().saturating_mul(NANOS_OF_MILLI);
            self.next_nanos = self.next_nanos.max(now_nanos).saturating_add(NANOS.div_ceil(limit));
        }
    }

    /// The SMSC said that we are too fast. Returns the new limit, if it is lower.
    pub(super) fn throttled(&mut self, now: Timestamp) -> Option<u64> {
        if self.lowered_at.is_some_and(|at| now.since(at) < LOWER_AT_MOST_EVERY) {
            return None;
        }
        let was = self.limit.unwrap_or_else(|| self.sent.max(self.sent_before));
        let limit = (was / 2).max(LIMIT_MIN);
        self.before = was.max(LIMIT_MIN);
        (self.limit, self.lowered_at, self.raised_at) = (Some(limit), Some(now), now);
        Some(limit)
    }

    fn raise(&mut self, now: Timestamp) {
        let (Some(limit), true) = (self.limit, self.lowered_at.is_some()) else { return };
        let steps = now.since(self.raised_at).as_millis() / RAISE_EVERY.as_millis();
        let Ok(steps @ 1..) = u64::try_from(steps) else { return };
        self.raised_at = now;
        let step = (self.before / STEPS).max(1);
        let raised = limit.saturating_add(step.saturating_mul(steps));
        let most = if self.rate > 0 { self.rate } else { 2 * self.before };
        if raised < most {
            self.limit = Some(raised);
        } else {
            self.limit = (self.rate > 0).then_some(self.rate);
            self.lowered_at = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_unix_millis(1_000_000);

    fn at(millis: u64) -> Timestamp {
        START.plus(Duration::from_millis(millis))
    }

    /// What is sent from `from` to `to` by one who always has more.
    fn send(pace: &mut Pace, from: u64, to: u64) -> u64 {
        let mut count = 0;
        for now in (from..to).map(at) {
            while pace.limit.is_some() && pace.allows(now) {
                pace.sent(now);
                count += 1;
            }
        }
        count
    }

    #[test]
    fn s6_a_rate_is_kept_in_every_second() {
        for rate in [1, 3, 20, 999, 1_000, 3_000, 100_000] {
            let mut pace = Pace::new(rate, START);
            for second in 0..5 {
                let sent = send(&mut pace, second * 1_000, (second + 1) * 1_000);
                let rate = u64::from(rate);
                assert!(sent <= rate + 1 && sent * 100 >= rate * 98, "{sent} of {rate} in second {second}");
            }
        }
    }

    #[test]
    fn a_pause_is_not_made_up_for() {
        let mut pace = Pace::new(10, START);
        send(&mut pace, 0, 1_000);
        assert_eq!(send(&mut pace, 60_000, 60_099), 1);
    }

    #[test]
    fn s6_the_limit_is_halved_once_a_second_and_comes_back_step_by_step() {
        let mut pace = Pace::new(100, START);
        send(&mut pace, 0, 1_000);
        assert_eq!(pace.throttled(at(1_000)), Some(50));
        assert_eq!(pace.throttled(at(1_999)), None, "the same burst");
        assert_eq!(pace.throttled(at(2_000)), Some(25));
        let mut last = 25;
        for second in 2..40 {
            let sent = send(&mut pace, second * 1_000, (second + 1) * 1_000);
            assert!((last.min(95)..=last + 6).contains(&sent) && sent <= 101, "{sent} after {last}");
            last = sent;
        }
        assert!(last >= 98, "back at {last}");
        (0..20).for_each(|burst| assert!(pace.throttled(at(100_000 + 1_000 * burst)).is_some()));
        assert_eq!(pace.limit, Some(LIMIT_MIN));
    }

    #[test]
    fn s6_without_a_rate_the_limit_comes_with_the_first_throttling_and_goes_again() {
        let mut pace = Pace::new(0, START);
        for millis in 0..1_000 {
            assert!(pace.allows(at(millis)));
            pace.sent(at(millis));
        }
        assert_eq!(pace.throttled(at(1_000)), Some(500));
        assert!(send(&mut pace, 1_000, 2_000) <= 501);
        for second in 2..60 {
            send(&mut pace, second * 1_000, (second + 1) * 1_000);
        }
        assert_eq!(pace.limit, None);
    }

    #[test]
    fn a_link_that_sends_little_when_it_is_throttled_still_sends() {
        let mut pace = Pace::new(0, START);
        pace.sent(START);
        assert_eq!(pace.throttled(START), Some(1));
        assert!(pace.allows(at(1_000)));
    }
}
