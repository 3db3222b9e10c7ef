//! How many segments a second one link sends: up to its rate, and less while the SMSC says that it is too
//! fast.
//!
//! An SMSC that throttles takes what it can and refuses the rest, so the share that it refuses in a second
//! says by how much we are too fast: the limit is lowered by that share, and raised by a twentieth in each
//! second without. Links that share an account so come to share its rate, and an SMSC that refuses one in a
//! hundred, whatever the speed, does not bring a link to a standstill. Without a rate of its own, a link has no
//! limit until it is throttled, nor after it has gone twice as fast again without being throttled.

use std::time::Duration;

use crate::clock::Timestamp;

/// How long refusals are counted before the limit is changed: at once would be by the first of a burst.
const SPAN: Duration = Duration::from_secs(1);
/// In how many steps, one a span, the limit is raised by what it was.
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
    /// What the limit was when it was lowered first: the raise that brings it back.
    before: u64,
    /// When the present span began, and what was sent and refused in it.
    span_from: Timestamp,
    sent: u64,
    refused: u64,
    /// What was sent in the span before: an answer may come a span later.
    sent_before: u64,
}

impl Pace {
    /// `rate` in segments a second; 0 for no limit.
    pub(super) fn new(rate: u32, now: Timestamp) -> Self {
        let rate = u64::from(rate);
        let limit = (rate > 0).then_some(rate);
        Self { rate, limit, next_nanos: 0, before: rate, span_from: now, sent: 0, refused: 0, sent_before: 0 }
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
        if let Some(limit) = self.limit {
            let now_nanos = now.unix_millis().saturating_mul(NANOS_OF_MILLI);
            self.next_nanos = self.next_nanos.max(now_nanos).saturating_add(NANOS.div_ceil(limit));
        }
        self.sent += 1;
    }

    /// The SMSC said that we are too fast.
    pub(super) fn throttled(&mut self) {
        self.refused += 1;
    }

    /// To be called before segments are sent. Returns the new limit, if it was lowered.
    pub(super) fn on_time(&mut self, now: Timestamp) -> Option<u64> {
        let since = now.since(self.span_from);
        if since < SPAN {
            return None;
        }
        let (sent, refused) = (self.sent.max(self.sent_before), self.refused);
        (self.span_from, self.sent, self.refused, self.sent_before) = (now, 0, 0, self.sent);
        if refused == 0 {
            let spans = u64::try_from(since.as_millis() / SPAN.as_millis()).unwrap_or(u64::MAX);
            self.raise(spans);
            return None;
        }
        // What was sent in a second of the span, whatever its length.
        let sent = sent.max(refused);
        let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX).max(1);
        let was = self.limit.unwrap_or_else(|| sent.saturating_mul(1_000) / millis).max(LIMIT_MIN);
        let limit = (was - was.saturating_mul(refused) / sent).max(LIMIT_MIN);
        self.before = if self.limit.is_some() { self.before.max(limit) } else { was };
        self.limit = Some(limit);
        Some(limit)
    }

    fn raise(&mut self, spans: u64) {
        let Some(limit) = self.limit else { return };
        let step = (self.before / STEPS).max(1);
        let raised = limit.saturating_add(step.saturating_mul(spans));
        let most = if self.rate > 0 { self.rate } else { 2 * self.before };
        self.limit = match (raised < most, self.rate) {
            (true, _) => Some(raised),
            (false, 0) => None,
            (false, rate) => Some(rate),
        };
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

    /// One second of sending to an SMSC that takes `takes` of it.
    fn second(pace: &mut Pace, second: u64, takes: u64) -> u64 {
        let (from, to) = (second * 1_000, (second + 1) * 1_000);
        let sent = if pace.limit.is_some() {
            send(pace, from, to)
        } else {
            (0..1_000).for_each(|millis| pace.sent(at(from + millis)));
            1_000
        };
        (takes..sent).for_each(|_| pace.throttled());
        pace.on_time(at(to));
        sent
    }

    #[test]
    fn s6_the_limit_is_what_the_smsc_takes_and_is_tried_out_step_by_step() {
        let mut pace = Pace::new(100, START);
        assert_eq!(second(&mut pace, 0, 40), 100);
        for number in 1..40 {
            let sent = second(&mut pace, number, 40);
            assert!((38..=46).contains(&sent), "{sent} in second {number}");
        }
        let mut last = 0;
        for number in 40..60 {
            let sent = second(&mut pace, number, 1_000);
            assert!(sent + 1 >= last && sent <= 101, "{sent} after {last}");
            last = sent;
        }
        assert_eq!(pace.limit, Some(100));
    }

    #[test]
    fn s6_an_smsc_that_refuses_all_is_asked_once_a_second() {
        let mut pace = Pace::new(0, START);
        second(&mut pace, 0, 0);
        assert_eq!(pace.limit, Some(LIMIT_MIN));
        assert!(second(&mut pace, 1, 0) <= 2);
    }

    #[test]
    fn s6_one_refusal_in_a_hundred_whatever_the_speed_costs_little() {
        let mut pace = Pace::new(0, START);
        let mut sent_last = 0;
        for number in 0..60 {
            sent_last = second(&mut pace, number, 990);
            assert!(sent_last >= 980, "{sent_last} in second {number}");
        }
        assert!(sent_last <= 2_000);
    }

    #[test]
    fn s6_without_a_rate_the_limit_comes_with_the_first_throttling_and_goes_again() {
        let mut pace = Pace::new(0, START);
        second(&mut pace, 0, 500);
        assert_eq!(pace.limit, Some(500));
        assert!(second(&mut pace, 1, 1_000) <= 501);
        for number in 2..60 {
            second(&mut pace, number, 10_000);
        }
        assert_eq!(pace.limit, None);
    }

    #[test]
    fn s6_a_refusal_that_comes_after_its_second_is_weighed_against_what_was_sent_in_it() {
        let mut pace = Pace::new(0, START);
        (0..1_000).for_each(|millis| pace.sent(at(millis)));
        assert_eq!(pace.on_time(at(1_000)), None);
        (0..100).for_each(|_| pace.throttled());
        assert_eq!(pace.on_time(at(2_000)), Some(900));
    }

    #[test]
    fn a_link_that_sends_little_when_it_is_throttled_still_sends() {
        let mut pace = Pace::new(0, START);
        pace.sent(START);
        pace.throttled();
        assert_eq!(pace.on_time(at(1_000)), Some(1));
        assert!(pace.allows(at(1_000)));
    }
}
