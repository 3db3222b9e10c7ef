//! Whether an SMSC's refusals spread over destinations. If they do, we are too fast for it, or for the account; if not,
//! it is the destinations that are refused.
//!
//! Refusals spread if more than one in [`PART`] of what is answered outside the worst destination are. But a
//! destination that was refused before is known, and says nothing new: where enough others are answered, it is these
//! that are judged. A network that is sick is refused for the first time once, however many such there are, while an
//! SMSC that is too slow refuses one destination after another, until there is none that it has not. One that has
//! never worked is known from its first refusal on. So a few messages that are taken, where as many would have been
//! refused if all alike were, clear the link however many others are refused, and so does one destination that takes
//! all; while one that worked until now is still to be heard of, the judgement waits for it a little.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::sms::destination::Prefix;
use crate::sms::pace::Blame;

/// So many answers outside the worst destination say whether refusals spread.
const ANSWERS_MIN: u64 = 20;
/// They do if more than this part of these are refusals, twice in a row.
const PART: u64 = 20;
/// They do at once if nothing is taken any more, of so many destinations.
const DESTINATIONS_MIN: usize = 3;
/// The destinations that are not known are judged if this part of the answers outside the worst are for them, or if so
/// many of them would have been refused, were they refused as all outside the worst are. They are refused alike if at
/// least this part of these is.
const OTHERS_PART: u64 = 4;
const EXPECTED_MIN: u64 = 4;
const ALIKE_PART: u64 = 4;
/// So long the judgement waits for more of these, or for a destination that worked until now, before it blames the link;
/// and once it has, when what is sent is little.
const PATIENCE: Duration = Duration::from_secs(5);
const PATIENCE_BLAMED: Duration = Duration::from_secs(20);
/// It does not wait for what worked until now once so many more destinations are refused.
const MANY: usize = 32;
/// One of which so many and nothing but refusals were answered is known at once.
const ALL_REFUSED_MIN: u64 = 3;
/// A destination is not known any more when it has taken so many in a row, or fewer but so long after its last refusal,
/// or nothing was refused for so long: where many are, its turn may come seldom.
const WELL_IN_A_ROW: u64 = 8;
const WELL_LATER: u64 = 3;
const LATER: Duration = Duration::from_secs(10);
const KNOWN_FOR: Duration = Duration::from_secs(60);
/// One that takes all since the link is blamed clears it, once so many of it would have been refused if all alike were; so
/// do all such, since one of them was refused. From this many on that one takes, there is doubt. Of so many it is known.
const CLEARS: u64 = 6;
const IN_DOUBT: u64 = 2;
const RUNS_MAX: usize = 64;
/// While refusals spread, so many answers within this time will do to see whether they still do: we may have become
/// slow.
const SLOW_ANSWERS_MIN: u64 = 5;
const SLOW_AFTER: Duration = Duration::from_secs(5);
/// Refused destinations that are told apart: with more, each of them is one of many.
const DESTINATIONS_MAX: usize = 256;

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    answers: u64,
    refused: u64,
}

impl Count {
    fn without(self, other: Self) -> Self {
        Self { answers: self.answers - other.answers, refused: self.refused - other.refused }
    }

    fn is_spread(self) -> bool {
        self.refused * PART > self.answers
    }
}

/// A destination that was refused.
#[derive(Clone, Copy, Debug)]
struct Refused {
    /// Since the last judgement, and its first refusal.
    count: Count,
    /// It was refused before the last judgement.
    was_known: bool,
    /// Its last refusal, and what it took since.
    at: Timestamp,
    taken: u64,
}

impl Refused {
    /// Whether it says nothing new: it was refused before, or nothing of it is taken.
    fn is_known(&self) -> bool {
        let Count { answers, refused } = self.count;
        self.was_known || refused == answers && refused >= ALL_REFUSED_MIN
    }

    /// Whether its next refusal says something new.
    fn is_well_again(&self, now: Timestamp) -> bool {
        self.taken >= WELL_IN_A_ROW || self.taken >= WELL_LATER && now.since(self.at) >= LATER
    }
}

/// What was answered since the last judgement, outside the worst destination.
#[derive(Clone, Copy, Debug)]
struct Answered {
    outside: Count,
    /// Of these, what is for destinations that are not known.
    others: Count,
    answers_min: u64,
}

impl Answered {
    /// Whether others are answered enough to be judged, whatever the answers are.
    fn is_enough(&self) -> bool {
        let Self { outside, others, answers_min } = self;
        others.answers >= *answers_min || others.answers * OTHERS_PART >= outside.answers
    }

    /// Whether it is others that are judged.
    fn is_of_others(&self) -> bool {
        let Self { outside, others, .. } = self;
        self.is_enough() || others.answers * outside.refused >= EXPECTED_MIN * outside.answers
    }

    fn is_spread(&self) -> bool {
        let Self { outside, others, .. } = self;
        if !self.is_of_others() {
            return outside.is_spread();
        }
        let is_alike = || others.refused * ALIKE_PART * outside.answers >= others.answers * outside.refused;
        others.is_spread() && (self.is_enough() || is_alike())
    }
}

/// The judge of one SMSC's refusals.
#[derive(Debug, Default)]
pub(super) struct Spread {
    blame: Blame,
    /// The last judgement alone.
    suspected: bool,
    judged_at: Timestamp,
    /// The first refusal since the last judgement that did not only suspect.
    refused_from: Option<Timestamp>,
    all: Count,
    /// Refusals since the last message was taken.
    in_a_row: u64,
    refused: BTreeMap<Prefix, Refused>,
    /// What was answered since the link is blamed, and how many were taken of those that have not been refused since.
    since_blamed: Count,
    runs: BTreeMap<Prefix, u64>,
    /// Of all these together, since one was refused for the first time.
    run: u64,
}

impl Spread {
    /// Who is to blame, as far as is known.
    pub(super) fn blame(&self) -> Blame {
        match self.blame {
            Blame::Link { .. } => Blame::Link { in_doubt: self.runs.values().any(|run| *run >= IN_DOUBT) },
            blame => blame,
        }
    }

    /// Whether refusals spread over destinations, as far as is known.
    pub(super) fn spreads(&self) -> bool {
        matches!(self.blame, Blame::Link { .. })
    }

    /// The SMSC took a message. `works_elsewhere`: whether a destination works that was not refused.
    // A few additions and comparisons while nothing is refused.
    pub(super) fn accepted(
        &mut self,
        prefix: Prefix,
        works_elsewhere: impl FnOnce() -> bool,
        now: Timestamp,
    ) {
        self.all.answers += 1;
        self.in_a_row = 0;
        if !self.refused.is_empty()
            && let Some(refused) = self.refused.get_mut(&prefix)
        {
            refused.count.answers += 1;
            refused.taken += 1;
            if refused.is_well_again(now) {
                self.all = self.all.without(refused.count);
                self.refused.remove(&prefix);
            }
        }
        if self.spreads() && self.is_cleared_by(prefix) {
            self.judged(Blame::Destinations, false, now);
        }
        self.judge(works_elsewhere, now);
    }

    /// Whether one that was not refused since the link is blamed, and took one more, clears it.
    fn is_cleared_by(&mut self, prefix: Prefix) -> bool {
        self.since_blamed.answers += 1;
        if self.refused.contains_key(&prefix)
            || self.runs.len() >= RUNS_MAX && !self.runs.contains_key(&prefix)
        {
            return false;
        }
        let own = self.runs.entry(prefix).or_default();
        (*own, self.run) = (*own + 1, self.run + 1);
        self.run.max(*own) * self.since_blamed.refused >= CLEARS * self.since_blamed.answers
    }

    /// The SMSC refused a message for now. `has_worked`: whether its destination did before; otherwise it says nothing
    /// new. Returns whether it is known since then that refusals spread.
    pub(super) fn refused(
        &mut self,
        prefix: Prefix,
        has_worked: bool,
        works_elsewhere: impl FnOnce() -> bool,
        now: Timestamp,
    ) -> bool {
        self.all.answers += 1;
        self.all.refused += 1;
        self.in_a_row += 1;
        self.refused_from.get_or_insert(now);
        if !self.refused.contains_key(&prefix) && has_worked {
            self.run = 0;
        }
        if self.refused.len() < DESTINATIONS_MAX || self.refused.contains_key(&prefix) {
            let new = Refused { count: Count::default(), was_known: !has_worked, at: now, taken: 0 };
            let refused = self.refused.entry(prefix).or_insert(new);
            refused.count.answers += 1;
            refused.count.refused += 1;
            (refused.at, refused.taken) = (now, 0);
        }
        self.since_blamed.answers += 1;
        self.since_blamed.refused += 1;
        self.runs.remove(&prefix);
        let before = self.spreads();
        self.judge(works_elsewhere, now);
        self.spreads() && !before
    }

    /// What was answered since the last judgement, if that is enough for another.
    fn answered(&self, now: Timestamp) -> Option<Answered> {
        let is_slow = self.spreads() && now.since(self.judged_at) >= SLOW_AFTER;
        let answers_min = if is_slow { SLOW_ANSWERS_MIN } else { ANSWERS_MIN };
        if self.all.answers < answers_min {
            return None;
        }
        let worst = self.refused.iter().max_by_key(|(_, refused)| refused.count.refused);
        let outside = worst.map_or(self.all, |(_, worst)| self.all.without(worst.count));
        let is_worst = |prefix| worst.is_some_and(|(worst, _)| worst == prefix);
        let left_out =
            self.refused.iter().filter(|(prefix, refused)| refused.is_known() || is_worst(*prefix));
        let others = left_out.fold(self.all, |others, (_, refused)| others.without(refused.count));
        (outside.answers >= answers_min).then_some(Answered { outside, others, answers_min })
    }

    /// Judges by what was answered since the last time, if that is enough.
    fn judge(&mut self, works_elsewhere: impl FnOnce() -> bool, now: Timestamp) {
        let Some(answered) = self.answered(now) else { return };
        let (is_spread, of_others) = (answered.is_spread(), answered.is_of_others());
        let patience = if self.spreads() { PATIENCE_BLAMED } else { PATIENCE };
        let is_patient = self.refused_from.is_some_and(|from| now.since(from) < patience);
        let others = answered.others;
        let accuses = is_spread && !self.spreads();
        let new = self.refused.values().filter(|refused| !refused.was_known).count();
        let awaits_other = is_patient && accuses && new < MANY && works_elsewhere();
        let awaits_more = is_patient && !of_others && others.answers > 0;
        if awaits_more || awaits_other && others.answers == others.refused {
            return;
        }
        let nothing_is_taken = self.in_a_row >= ANSWERS_MIN && self.refused.len() >= DESTINATIONS_MIN;
        let accuse = self.suspected || self.spreads() || nothing_is_taken && !awaits_other;
        let blame = match is_spread {
            true if accuse => Blame::Link { in_doubt: false },
            // Not yet.
            true => self.blame,
            false if of_others && answered.outside.is_spread() => Blame::Destinations,
            false => Blame::Nobody,
        };
        self.judged(blame, is_spread, now);
    }

    /// This came of a judgement.
    fn judged(&mut self, blame: Blame, is_spread: bool, now: Timestamp) {
        let spread = self.spreads();
        (self.blame, self.suspected) = (blame, is_spread);
        (self.all, self.judged_at) = (Count::default(), now);
        if self.spreads() != spread {
            (self.since_blamed, self.run) = (Count::default(), 0);
            self.runs.clear();
        }
        if !is_spread || self.spreads() {
            self.refused_from = None;
        }
        self.refused.retain(|_, refused| {
            (refused.count, refused.was_known) = (Count::default(), true);
            now.since(refused.at) < KNOWN_FOR
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sms::outbox::tests::phone;

    const START: Timestamp = Timestamp::from_unix_millis(1_000_000);

    fn prefix(number: u8) -> Prefix {
        Prefix::of(phone(number), 12)
    }

    fn accept(spread: &mut Spread, prefix: Prefix, now: Timestamp) {
        spread.accepted(prefix, || false, now);
    }

    fn refuse(spread: &mut Spread, prefix: Prefix, now: Timestamp) -> bool {
        spread.refused(prefix, true, || false, now)
    }

    #[test]
    fn s6a_what_one_destination_is_refused_does_not_spread_and_what_two_are_does() {
        let mut spread = Spread::default();
        for _ in 0..1_000 {
            assert!(!refuse(&mut spread, prefix(1), START));
            accept(&mut spread, prefix(2), START);
            assert!(!spread.spreads());
        }
        let found = (0..2 * ANSWERS_MIN).filter(|_| {
            let first = refuse(&mut spread, prefix(3), START);
            first || refuse(&mut spread, prefix(1), START)
        });
        assert_eq!(found.count(), 1);
        assert!(spread.spreads());
    }

    #[test]
    fn s6a_what_several_sick_destinations_are_refused_does_not_spread_while_others_are_well() {
        let mut spread = Spread::default();
        for _ in 0..100 {
            (1..=4).for_each(|number| assert!(!refuse(&mut spread, prefix(number), START)));
            accept(&mut spread, prefix(10), START);
            accept(&mut spread, prefix(11), START);
        }
        // One more of which half is refused, beside one that is well.
        for _ in 0..100 {
            (1..=4).for_each(|number| _ = refuse(&mut spread, prefix(number), START));
            accept(&mut spread, prefix(10), START);
            accept(&mut spread, prefix(11), START);
            refuse(&mut spread, prefix(10), START);
            assert!(!spread.spreads());
        }
        // Of all others, one after another.
        let found = (0..250_u8).any(|round| {
            (1..=4).for_each(|number| _ = refuse(&mut spread, prefix(number), START));
            let other = prefix(20 + round % 23);
            if round % 4 == 0 {
                refuse(&mut spread, other, START);
            } else {
                accept(&mut spread, other, START);
            }
            spread.spreads()
        });
        assert!(found);
        // And everything.
        let mut spread = Spread::default();
        (0..100).for_each(|_| accept(&mut spread, prefix(10), START));
        let until = (1..100).find(|number| refuse(&mut spread, prefix(10 + number % 5), START));
        assert!(until.is_some_and(|number| number <= 50), "{until:?}");
    }

    #[test]
    fn s6a_one_in_twenty_is_not_enough_and_once_they_are_taken_again_it_is_over() {
        let mut spread = Spread::default();
        for number in 0..200 {
            accept(&mut spread, prefix(1), START);
            if number % ANSWERS_MIN == 7 {
                assert!(!refuse(&mut spread, prefix(2), START));
            }
        }
        for number in 0..100 {
            refuse(&mut spread, prefix(number % 7), START);
        }
        assert!(spread.spreads());
        (0..2 * ANSWERS_MIN).for_each(|_| accept(&mut spread, prefix(100), START));
        assert!(!spread.spreads());
    }

    #[test]
    fn s6a_with_fewer_answers_than_twenty_outside_the_worst_nothing_is_known() {
        let mut spread = Spread::default();
        let until = (0..100).find(|number| refuse(&mut spread, prefix(number % 25), START));
        assert_eq!(until, Some(u8::try_from(ANSWERS_MIN).unwrap()));
    }

    #[test]
    fn s6a_four_that_fall_sick_at_once_beside_others_that_are_well_are_no_spread() {
        for offset in 0..30 {
            let mut spread = Spread::default();
            let answer = |spread: &mut Spread, round: u32, from: u32| {
                let now = START.plus(round * Duration::from_millis(16));
                let number = u8::try_from(round % 6).unwrap();
                if number < 4 && round >= from {
                    refuse(spread, prefix(number), now);
                } else {
                    accept(spread, prefix(10 + number), now);
                }
                spread.spreads()
            };
            assert!(!(0..3_000).any(|round| answer(&mut spread, round, 300 + offset)), "{offset}");
        }
    }

    #[test]
    fn s6a_that_refusals_spread_is_over_within_seconds_though_little_is_sent() {
        let mut spread = Spread::default();
        (0..60).for_each(|number| _ = refuse(&mut spread, prefix(number % 7), START));
        assert!(spread.spreads());
        // Until nothing is left of the last judgement.
        (0..100)
            .find(|number| (refuse(&mut spread, prefix(number % 7), START), spread.all.answers).1 == 0)
            .unwrap();
        let is_over = |answer: &u32| {
            accept(&mut spread, prefix(100), START.plus(*answer * Duration::from_secs(1)));
            !spread.spreads()
        };
        assert_eq!((1..100).find(is_over), Some(5));
    }

    #[test]
    fn s6a_what_is_refused_does_not_spread_though_hardly_anything_is_for_others() {
        let blame = |taken_part: u32, others_part: u32, works_elsewhere: bool| {
            let mut spread = Spread::default();
            let mut blamed = Vec::new();
            for round in 1..5_000_u32 {
                let now = START.plus(round * Duration::from_millis(10));
                let number = prefix(u8::try_from(round % 7).unwrap());
                if round.is_multiple_of(others_part) {
                    spread.accepted(prefix(100), || works_elsewhere, now);
                } else if round.is_multiple_of(taken_part) {
                    spread.accepted(number, || works_elsewhere, now);
                } else {
                    spread.refused(number, true, || works_elsewhere, now);
                }
                if blamed.last() != Some(&spread.blame()) {
                    blamed.push(spread.blame());
                }
            }
            blamed
        };
        let theirs = [Blame::Nobody, Blame::Destinations];
        for taken_part in [3, u32::MAX] {
            assert_eq!(blame(taken_part, 10, false), theirs);
            assert_eq!(blame(taken_part, 40, true), theirs, "one that worked until now is waited for");
        }
        let nobody_else = blame(u32::MAX, u32::MAX, true);
        assert_eq!(nobody_else, [Blame::Nobody, Blame::Link { in_doubt: false }], "in vain");
    }

    #[test]
    fn s6a_what_worked_until_now_is_waited_for_once_and_not_once_many_are_refused() {
        let blamed_after = |destinations: u8, every: u32| {
            let mut spread = Spread::default();
            let found = (0..10_000_u32).find(|round| {
                let now = START.plus(*round * Duration::from_millis(every.into()));
                let number = prefix(u8::try_from(round % u32::from(destinations)).unwrap());
                spread.refused(number, true, || true, now)
            });
            found.map(|round| Duration::from_millis((round * every).into())).unwrap()
        };
        for every in [10, 100, 300] {
            let after = blamed_after(7, every);
            assert!(after >= PATIENCE && after < 2 * PATIENCE, "{after:?}, one in {every} ms");
        }
        assert!(blamed_after(u8::try_from(MANY).unwrap() + 1, 10) < Duration::from_secs(1));
    }

    #[test]
    fn s6a_what_takes_again_counts_again_after_some_or_after_a_while() {
        let known_after = |taken: u64, later: Duration| {
            let mut spread = Spread::default();
            refuse(&mut spread, prefix(1), START);
            (0..taken).for_each(|_| accept(&mut spread, prefix(1), START.plus(later)));
            !spread.refused.is_empty()
        };
        assert!(
            known_after(WELL_IN_A_ROW - 1, Duration::ZERO) && !known_after(WELL_IN_A_ROW, Duration::ZERO)
        );
        assert!(known_after(WELL_LATER - 1, LATER) && !known_after(WELL_LATER, LATER));
    }

    #[test]
    fn s6a_a_few_that_are_taken_clear_the_link_however_many_are_refused() {
        let mut spread = Spread::default();
        (0..100).for_each(|number| _ = refuse(&mut spread, prefix(number % 7), START));
        assert_eq!(spread.blame(), Blame::Link { in_doubt: false });
        // However seldom they are.
        let taken = (1..20).find(|taken| {
            let now = START.plus(*taken * Duration::from_secs(2));
            (0..40).for_each(|number| _ = spread.refused(prefix(number % 7), true, || false, now));
            spread.accepted(prefix(100), || false, now);
            spread.blame() == Blame::Destinations
        });
        assert!(taken.is_some_and(|taken| taken <= 6), "{taken:?}");
    }

    #[test]
    fn s6a_one_that_takes_all_clears_the_link_however_many_are_refused_for_the_first_time() {
        let mut spread = Spread::default();
        (0..60).for_each(|number| _ = refuse(&mut spread, prefix(number % 7), START));
        let taken = (1..60_u8).find(|round| {
            accept(&mut spread, prefix(100), START);
            let in_doubt = spread.blame() == Blame::Link { in_doubt: true };
            assert!(in_doubt == (u64::from(*round) >= IN_DOUBT) || !spread.spreads(), "{round}");
            if spread.spreads() {
                refuse(&mut spread, prefix(100 + round), START);
            }
            !spread.spreads()
        });
        assert!(taken.is_some_and(|taken| (6..=12).contains(&taken)), "{taken:?}: half are refused, or more");
        // But not if it was refused once.
        (0..60).for_each(|number| _ = refuse(&mut spread, prefix(number % 7), START));
        refuse(&mut spread, prefix(100), START);
        assert_eq!(spread.blame(), Blame::Link { in_doubt: false });
        accept(&mut spread, prefix(100), START);
        assert_eq!(spread.blame(), Blame::Link { in_doubt: false });
    }

    #[test]
    fn s6a_several_that_take_all_clear_the_link_together_since_the_last_that_was_refused() {
        let cleared_after = |refused_at: u8| {
            let mut spread = Spread::default();
            (0..60).for_each(|number| _ = refuse(&mut spread, prefix(number % 7), START));
            (1..60_u8).find(|round| {
                accept(&mut spread, prefix(100 + round % 10), START);
                let number = if *round == refused_at { 50 } else { 0 };
                refuse(&mut spread, prefix(number), START);
                !spread.spreads()
            })
        };
        let (soon, later) = (cleared_after(0).unwrap(), cleared_after(5).unwrap());
        assert!(soon <= 12 && later >= soon + 5, "{soon}, {later}");
    }

    #[test]
    fn s6a_what_has_never_worked_says_nothing_of_the_link_beside_what_works() {
        let mut spread = Spread::default();
        for round in 0..250_u8 {
            spread.refused(prefix(round), false, || true, START);
            accept(&mut spread, prefix(251 + round % 3), START);
            assert!(!spread.spreads(), "{round}");
        }
        let mut spread = Spread::default();
        assert!((0..250).any(|round| spread.refused(prefix(round), false, || false, START)), "alone it does");
    }

    #[test]
    fn what_was_refused_is_forgotten_after_a_while() {
        let mut spread = Spread::default();
        refuse(&mut spread, prefix(1), START);
        let mut left = |after: Duration| {
            (0..ANSWERS_MIN).for_each(|_| accept(&mut spread, prefix(2), START.plus(after)));
            spread.refused.len()
        };
        assert_eq!(left(KNOWN_FOR - Duration::from_millis(1)), 1);
        assert_eq!(left(KNOWN_FOR), 0);
    }

    #[test]
    fn what_is_told_apart_is_bounded() {
        let mut spread = Spread::default();
        for number in 0..=u8::MAX {
            refuse(&mut spread, prefix(number), START);
            assert!(spread.refused.len() <= DESTINATIONS_MAX);
        }
    }
}
