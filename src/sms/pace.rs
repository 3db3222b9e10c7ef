//! How many segments a second may go: up to a rate, and fewer while the SMSC says that it is too fast.
//!
//! Each link has a pace, and so has each destination that is refused on its own (see [`super::router`]). An SMSC that
//! throttles takes what it can and refuses the rest, so the share of its answers that are refusals says by how much we
//! are too fast: the limit is lowered by that share. In each span without a refusal it is doubled back to the last
//! rate that went well, then raised by a twentieth of that, by two in the next, and by four at the most. So links that
//! share an account come to share its rate, an SMSC that refuses one in a hundred, whatever the speed, does not bring a
//! link to a standstill, and after a short time in which everything is refused the rate is back within seconds.
//! Without a rate of its own there is no limit until the first refusals, nor once twice the last good rate is
//! allowed and less than half of that is used.

use std::time::Duration;

use crate::clock::Timestamp;

/// How long answers are counted before the limit is changed: at once would be by the first of a burst.
const SPAN: Duration = Duration::from_millis(500);
/// Refusals of less than this part of the answers leave the limit as it is.
const SHARE_MIN: u64 = 20;
/// Above the last good rate, the limit is raised by this part of it, and by as much more in each span.
const STEPS: u64 = 20;
/// The longest stride, in steps.
const STRIDE_MAX: u64 = 4;
/// Far below the last good rate, the limit is raised to this part of it at once.
const RESTART: u64 = 4;
/// What is supposed to go well without a rate of its own, before it is known.
const SUPPOSED_RATE: u64 = 40;
/// The lowest limit, in segments a second.
const LIMIT_MIN: u64 = 1;
/// The lowest of a link that is in doubt to be the one to blame: enough to find out soon.
const DOUBTFUL_MIN: u64 = 10;
const NANOS: u64 = 1_000_000_000;
const NANOS_OF_MILLI: u64 = 1_000_000;
/// What the clock cannot tell apart may go at once.
const RESOLUTION_NANOS: u64 = NANOS_OF_MILLI;

/// Who is to blame for what an SMSC refuses for now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Blame {
    /// Little is refused, or it is not known yet.
    #[default]
    Nobody,
    /// The destinations that are refused, since others are not.
    Destinations,
    /// The link: it is too fast. `in_doubt`: a destination takes all that it gets.
    Link { in_doubt: bool },
}

/// The pace of one link, or of one destination.
#[derive(Debug)]
pub(super) struct Pace {
    /// Segments a second at the most; 0 for no limit.
    rate: u64,
    /// Segments a second now.
    limit: Option<u64>,
    /// When the next segment is due, in nanoseconds since the Unix epoch.
    next_nanos: u64,
    /// The last rate that went well: up to it, the limit is doubled.
    good: u64,
    /// The same, of before refusals lowered the limit.
    good_before: u64,
    /// What was accepted in a second, in the last span without a refusal.
    went: u64,
    /// Spans without a refusal since the limit was lowered.
    clean: u64,
    /// The last raise was on the way back to the last good rate.
    doubles: bool,
    /// The way back has already ended with refusals once.
    stumbled: bool,
    /// Of a link: who was to blame.
    blame: Blame,
    /// When the present span began, and what was sent and answered in it.
    span_from: Timestamp,
    sent: u64,
    accepted: u64,
    refused: u64,
}

impl Pace {
    /// `rate` in segments a second; 0 for no limit.
    pub(super) fn new(rate: u32, now: Timestamp) -> Self {
        let rate = u64::from(rate);
        let good = if rate > 0 { rate } else { SUPPOSED_RATE };
        Self {
            rate,
            limit: (rate > 0).then_some(rate),
            next_nanos: 0,
            good,
            good_before: good,
            went: 0,
            clean: 0,
            doubles: false,
            stumbled: false,
            blame: Blame::Nobody,
            span_from: now,
            sent: 0,
            accepted: 0,
            refused: 0,
        }
    }

    /// Whether there is a limit, or a lower one than its rate, because of refusals.
    pub(super) fn is_lowered(&self) -> bool {
        self.limit.is_some_and(|limit| self.rate == 0 || limit < self.rate)
    }

    /// Whether nothing of what was sent lately was taken: the next is but to see whether it is.
    pub(super) fn is_lowest(&self) -> bool {
        self.is_lowered() && self.limit == Some(LIMIT_MIN)
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
            self.next_nanos = self.next_nanos.max(nanos(now)).saturating_add(NANOS.div_ceil(limit));
        }
        self.sent += 1;
    }

    /// The SMSC took one.
    pub(super) fn accepted(&mut self) {
        self.accepted += 1;
    }

    /// The SMSC said that we are too fast.
    pub(super) fn refused(&mut self) {
        self.refused += 1;
    }

    /// To be called before a link sends segments. Only refusals that the link is to blame for count; if it was blamed for
    /// those of others, it is on its way back to what went well before. Returns the new limit, if it was lowered.
    pub(super) fn on_time_of_link(&mut self, blame: Blame, now: Timestamp) -> Option<u64> {
        let before = std::mem::replace(&mut self.blame, blame);
        let was_blamed = matches!(before, Blame::Link { .. });
        if was_blamed && blame == Blame::Destinations && self.is_lowered() {
            (self.good, self.stumbled) = (self.good.max(self.good_before), false);
        }
        let lowered = self.on_time(matches!(blame, Blame::Link { .. }), now);
        if let (Blame::Link { in_doubt: true }, Some(limit)) = (blame, &mut self.limit) {
            *limit = (*limit).max(self.good_before.min(DOUBTFUL_MIN));
        }
        lowered
    }

    /// To be called before segments are sent. Where refusals do not count, they say nothing of this pace. Returns
    /// the new limit, if it was lowered.
    pub(super) fn on_time(&mut self, refusals_count: bool, now: Timestamp) -> Option<u64> {
        let millis = u64::try_from(now.since(self.span_from).as_millis()).unwrap_or(u64::MAX);
        if u128::from(millis) < SPAN.as_millis() {
            return None;
        }
        let a_second = |count: u64| count.saturating_mul(1_000) / millis;
        let (sent, accepted) = (self.sent, self.accepted);
        let refused = if refusals_count { self.refused } else { 0 };
        let went_before = if self.refused > 0 { self.went } else { 0 };
        (self.span_from, self.sent, self.accepted, self.refused) = (now, 0, 0, 0);
        if refused == 0 {
            if accepted > 0 {
                // What was refused of others' own is not there, and it may soon turn out that we are too fast.
                self.went = a_second(accepted).max(went_before);
                self.raise(a_second(sent), now);
            }
            return None;
        }
        let answers = accepted + refused;
        if answers >= refused * SHARE_MIN {
            return None;
        }
        let was = self.limit.unwrap_or_else(|| a_second(sent.max(answers))).max(LIMIT_MIN);
        let limit = (was.saturating_mul(accepted) / answers).max(LIMIT_MIN);
        if self.doubles {
            // What went well before does not any more, unless everything is refused for a while just now.
            if std::mem::replace(&mut self.stumbled, true) {
                self.good = (self.good / 2).max(limit);
            }
        } else if self.limit.is_none() {
            self.good = if self.went > 0 { self.went } else { self.good }.max(limit);
            self.good_before = self.good;
        } else if self.clean == 0 && refused < accepted {
            // Not in the first span: what is refused from its middle on may soon be all, for a while.
            self.good = limit;
        }
        (self.limit, self.clean, self.doubles) = (Some(limit), 0, false);
        Some(limit)
    }

    fn raise(&mut self, sent: u64, now: Timestamp) {
        let Some(limit) = self.limit else { return };
        self.clean += 1;
        self.doubles = limit < self.good;
        self.stumbled &= self.doubles;
        let raised = if limit < self.good {
            (2 * limit).max(self.good / RESTART).min(self.good)
        } else {
            limit.saturating_add((self.good / STEPS).max(1).saturating_mul(self.clean.min(STRIDE_MAX)))
        };
        let is_used = sent.saturating_mul(2) >= limit;
        self.limit = match self.rate {
            0 if raised >= 2 * self.good && !is_used => None,
            0 => Some(raised),
            rate => Some(raised.min(rate)),
        };
        // The next does not wait as long as the lower limit had it.
        if let Some(limit) = self.limit {
            self.next_nanos = self.next_nanos.min(nanos(now).saturating_add(NANOS.div_ceil(limit)));
        }
    }
}

fn nanos(at: Timestamp) -> u64 {
    at.unix_millis().saturating_mul(NANOS_OF_MILLI)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_unix_millis(1_000_000);

    fn at(millis: u64) -> Timestamp {
        START.plus(Duration::from_millis(millis))
    }

    /// An SMSC that takes so many a second and refuses the rest, and one who has so many a second to send.
    struct Line {
        pace: Pace,
        millis: u64,
        backlog: u64,
    }

    /// What became of a second's segments.
    #[derive(Debug)]
    struct Second {
        sent: u64,
        taken: u64,
    }

    impl Line {
        fn new(rate: u32) -> Self {
            Self { pace: Pace::new(rate, START), millis: 0, backlog: 0 }
        }

        /// `takes` in each tenth of a second a tenth; what is refused is to be sent again.
        fn second(&mut self, offered: u64, takes: u64) -> Second {
            let (mut sent, mut taken, mut left) = (0, 0, 0);
            for milli in 0..1_000 {
                let now = at(self.millis);
                if milli % 100 == 0 {
                    left = takes / 10;
                }
                self.pace.on_time(true, now);
                let so_far = |milli: u64| offered * milli / 1_000;
                self.backlog += so_far(milli + 1) - so_far(milli);
                while self.backlog > 0 && self.pace.allows(now) {
                    self.pace.sent(now);
                    sent += 1;
                    if left > 0 {
                        (left, taken, self.backlog) = (left - 1, taken + 1, self.backlog - 1);
                        self.pace.accepted();
                    } else {
                        self.pace.refused();
                        // It is tried again later.
                        break;
                    }
                }
                self.millis += 1;
            }
            Second { sent, taken }
        }
    }

    #[test]
    fn s6_a_rate_is_kept_in_every_second() {
        for rate in [1, 3, 20, 999, 1_000, 3_000, 100_000] {
            let mut line = Line::new(rate);
            for second in 0..5 {
                let Second { sent, .. } = line.second(1_000_000, 10_000_000);
                let rate = u64::from(rate);
                assert!(sent <= rate + 1 && sent * 100 >= rate * 98, "{sent} of {rate} in second {second}");
            }
        }
    }

    #[test]
    fn a_pause_is_not_made_up_for() {
        let mut line = Line::new(10);
        line.second(1_000, 1_000);
        line.millis += 60_000;
        assert!(line.second(1_000, 1_000).sent <= 11);
    }

    #[test]
    fn s6_the_limit_is_what_the_smsc_takes_and_is_tried_out_step_by_step() {
        let mut line = Line::new(100);
        // It is not known at once whether the rate of before is still good.
        (0..4).for_each(|_| assert!(line.second(100, 40).taken >= 34));
        for second in 4..40 {
            let Second { sent, taken } = line.second(100, 40);
            assert!((36..=48).contains(&sent) && taken >= 34, "{sent}, {taken} in second {second}");
        }
        let mut last = 0;
        for _ in 40..50 {
            let Second { sent, .. } = line.second(100, 1_000);
            assert!(sent + 1 >= last && sent <= 101, "{sent} after {last}");
            last = sent;
        }
        assert_eq!(line.pace.limit, Some(100));
        assert!(!line.pace.is_lowered());
    }

    #[test]
    fn s6_an_smsc_that_refuses_all_is_asked_once_a_second() {
        let mut line = Line::new(0);
        line.second(1_000, 0);
        assert!(line.pace.is_lowest());
        (0..60).for_each(|_| assert!(line.second(1_000, 0).sent <= 2));
    }

    #[test]
    fn s6a_after_a_spike_the_rate_doubles_back_to_the_last_good_one_and_the_rest_is_made_up_for() {
        for (rate, offset) in [(0, 0), (200, 0), (0, 130), (0, 370), (200, 250)] {
            let mut line = Line::new(rate);
            line.pace.span_from = at(offset);
            for _ in 0..10 {
                assert_eq!(line.second(100, 200).taken, 100);
            }
            for _ in 0..3 {
                assert_eq!(line.second(100, 0).taken, 0);
            }
            let seconds: Vec<_> = (0..12).map(|_| line.second(100, 200).taken).collect();
            assert!(seconds[3..6].iter().all(|taken| *taken >= 99), "{seconds:?}");
            assert!(line.backlog <= 2, "{seconds:?}, and {} are left", line.backlog);
        }
    }

    #[test]
    fn s6a_a_spike_that_comes_on_the_way_back_from_another_does_not_halve_what_is_known_to_go_well() {
        for (spike_from, offset) in [(0, 0), (1, 0), (0, 130), (1, 370), (2, 250)] {
            let mut line = Line::new(0);
            line.pace.span_from = at(offset);
            (0..10).for_each(|_| _ = line.second(100, 200));
            // A hitch, and a little of the way back.
            line.second(100, 0);
            (0..spike_from).for_each(|_| _ = line.second(100, 200));
            (0..3).for_each(|_| _ = line.second(100, 0));
            let seconds: Vec<_> = (0..12).map(|_| line.second(100, 200).taken).collect();
            assert!(seconds[3..6].iter().any(|taken| *taken >= 99), "{spike_from}, {offset}: {seconds:?}");
        }
    }

    #[test]
    fn s6a_what_is_far_less_than_before_is_found_out_within_seconds() {
        let mut line = Line::new(0);
        for _ in 0..5 {
            line.second(1_000, 10_000);
        }
        (0..10).for_each(|_| _ = line.second(1_000, 10));
        let refused: u64 =
            (0..30).map(|_| line.second(1_000, 10)).map(|second| second.sent - second.taken).sum();
        assert!(refused <= 30 * 10, "{refused} of 30 seconds");
    }

    #[test]
    fn s6_one_refusal_in_a_hundred_whatever_the_speed_costs_little() {
        let mut pace = Pace::new(0, START);
        for span in 1..120 {
            let sent = pace.limit.unwrap_or(1_000) / 2;
            (0..sent).for_each(|_| pace.sent(at(500 * span)));
            (0..sent - sent / 100).for_each(|_| pace.accepted());
            (0..sent / 100).for_each(|_| pace.refused());
            pace.on_time(true, at(500 * span));
            let limit = pace.limit.unwrap_or(1_000);
            assert!((500..=2_000).contains(&limit), "{limit} in span {span}");
        }
    }

    #[test]
    fn s6_without_a_rate_the_limit_comes_with_the_first_throttling_and_goes_again() {
        let mut line = Line::new(0);
        line.second(1_000, 500);
        assert!(line.pace.is_lowered());
        (0..20).for_each(|_| _ = line.second(100, 10_000));
        assert_eq!(line.pace.limit, None);
    }

    #[test]
    fn s6a_refusals_that_say_nothing_of_it_leave_it_as_it_is() {
        let mut pace = Pace::new(0, START);
        (0..100).for_each(|_| pace.refused());
        assert_eq!(pace.on_time(false, at(500)), None);
        assert!(!pace.is_lowered());
        (0..100).for_each(|_| pace.refused());
        assert_eq!(pace.on_time(true, at(1_000)), Some(LIMIT_MIN));
    }

    #[test]
    fn s6a_refusals_that_count_only_from_the_next_span_on_do_not_lower_what_is_known_to_go_well() {
        let mut pace = Pace::new(0, START);
        let mut span = |number: u64, accepted: u64, refused: u64, count: bool| {
            (0..accepted).for_each(|_| pace.accepted());
            (0..refused).for_each(|_| pace.refused());
            pace.on_time(count, at(500 * number));
            pace.good
        };
        span(1, 50, 0, true);
        span(2, 10, 40, false);
        assert_eq!(span(3, 0, 50, true), 100);
    }

    #[test]
    fn s6a_what_it_was_lowered_for_and_was_others_own_is_made_up_for_within_two_seconds() {
        for (blame, acquitted) in [(Blame::Nobody, false), (Blame::Destinations, true)] {
            let mut line = Line::new(0);
            (0..5).for_each(|_| _ = line.second(100, 1_000));
            // A third is refused, whatever the speed, for so long that it is taken for what goes well.
            for span in 1..40 {
                let limit = line.pace.limit.unwrap_or(100).max(2);
                (0..limit).for_each(|_| line.pace.accepted());
                (0..limit / 2).for_each(|_| line.pace.refused());
                line.pace.on_time_of_link(Blame::Link { in_doubt: false }, at(5_000 + 500 * span));
            }
            line.millis = 30_000;
            line.pace.on_time_of_link(blame, at(30_000));
            let taken: Vec<_> = (0..3).map(|_| line.second(100, 1_000).taken).collect();
            assert_eq!(taken[2] >= 99, acquitted, "{taken:?}");
        }
    }

    #[test]
    fn a_link_that_is_in_doubt_to_be_too_fast_is_not_brought_to_a_standstill() {
        for (rate, in_doubt, limit) in [(0, true, 10), (5, true, 5), (0, false, 1)] {
            let mut pace = Pace::new(rate, START);
            for span in 1..5 {
                pace.refused();
                pace.on_time_of_link(Blame::Link { in_doubt }, at(500 * span));
            }
            assert_eq!(pace.limit, Some(limit), "{rate}");
        }
    }

    #[test]
    fn what_was_not_lowered_has_nothing_to_be_acquitted_of() {
        let mut pace = Pace::new(100, START);
        pace.on_time_of_link(Blame::Link { in_doubt: false }, START);
        pace.on_time_of_link(Blame::Destinations, START);
        assert_eq!((pace.limit, pace.good), (Some(100), 100));
    }

    #[test]
    fn a_link_that_sends_little_when_it_is_throttled_still_sends() {
        let mut pace = Pace::new(0, START);
        pace.sent(START);
        pace.refused();
        assert_eq!(pace.on_time(true, at(1_000)), Some(1));
        assert!(pace.allows(at(1_000)));
    }
}
