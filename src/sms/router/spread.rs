//! Whether an SMSC's refusals spread over destinations. If they do, we are too fast for it, or for the account; if not,
//! it is the destinations that are refused.
//!
//! Refusals spread if more than one in [`PART`] of what is answered outside the worst destination are. But a destination
//! that was refused before is known, and says nothing new: where enough others are answered, it is these that are
//! judged. A network that is sick is refused for the first time once, however many such there are, while an SMSC that
//! is too slow refuses one destination after another, until there is none that it has not.

use std::collections::HashMap;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::sms::destination::Prefix;

/// So many answers outside the worst destination say whether refusals spread.
const ANSWERS_MIN: u64 = 20;
/// They do if more than this part of these are refusals, twice in a row.
const PART: u64 = 20;
/// They do at once if nothing is taken any more, of so many destinations.
const DESTINATIONS_MIN: usize = 3;
/// The destinations that are not known are judged if this part of the answers outside the worst are for them, or there
/// are enough of them before there are so many times as many answers as needed.
const OTHERS_PART: u64 = 4;
const PATIENCE: u64 = 12;
/// One of which so many and nothing but refusals were answered is known at once.
const ALL_REFUSED_MIN: u64 = 3;
/// So long after its last refusal, a destination is not known any more.
const KNOWN_FOR: Duration = Duration::from_secs(10);
/// While refusals spread, so many answers within this time will do to see whether they still do: we may have become
/// slow.
const SLOW_ANSWERS_MIN: u64 = 5;
const SLOW_AFTER: Duration = Duration::from_secs(5);
/// Refused destinations that are told apart: with more, each of them is one of many.
const DESTINATIONS_MAX: usize = 32;

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
    at: Timestamp,
}

impl Refused {
    /// Whether it says nothing new: it was refused before, or nothing of it is taken.
    fn is_known(&self) -> bool {
        let Count { answers, refused } = self.count;
        self.was_known || refused == answers && refused >= ALL_REFUSED_MIN
    }
}

/// The judge of one SMSC's refusals.
#[derive(Debug, Default)]
pub(super) struct Spread {
    spreads: bool,
    /// The last judgement alone.
    suspected: bool,
    judged_at: Timestamp,
    all: Count,
    /// Refusals since the last message was taken.
    in_a_row: u64,
    refused: HashMap<Prefix, Refused>,
}

impl Spread {
    /// Whether refusals spread over destinations, as far as is known.
    pub(super) fn spreads(&self) -> bool {
        self.spreads
    }

    /// The SMSC took a message.
    // A few additions and comparisons while nothing is refused.
    pub(super) fn accepted(&mut self, prefix: Prefix, now: Timestamp) {
        self.all.answers += 1;
        self.in_a_row = 0;
        if !self.refused.is_empty()
            && let Some(refused) = self.refused.get_mut(&prefix)
        {
            refused.count.answers += 1;
        }
        self.judge(now);
    }

    /// The SMSC refused a message for now. Returns whether it is known since then that refusals spread.
    pub(super) fn refused(&mut self, prefix: Prefix, now: Timestamp) -> bool {
        self.all.answers += 1;
        self.all.refused += 1;
        self.in_a_row += 1;
        if self.refused.len() < DESTINATIONS_MAX || self.refused.contains_key(&prefix) {
            let new = Refused { count: Count::default(), was_known: false, at: now };
            let refused = self.refused.entry(prefix).or_insert(new);
            refused.count.answers += 1;
            refused.count.refused += 1;
            refused.at = now;
        }
        let before = self.spreads;
        self.judge(now);
        self.spreads && !before
    }

    /// Judges by what was answered since the last time, if that is enough.
    fn judge(&mut self, now: Timestamp) {
        let is_slow = self.spreads && now.since(self.judged_at) >= SLOW_AFTER;
        let answers_min = if is_slow { SLOW_ANSWERS_MIN } else { ANSWERS_MIN };
        if self.all.answers < answers_min {
            return;
        }
        let worst = self.refused.iter().max_by_key(|(_, refused)| refused.count.refused);
        let outside = worst.map_or(self.all, |(_, worst)| self.all.without(worst.count));
        if outside.answers < answers_min {
            return;
        }
        let is_worst = |prefix| worst.is_some_and(|(worst, _)| worst == prefix);
        let left_out =
            self.refused.iter().filter(|(prefix, refused)| refused.is_known() || is_worst(*prefix));
        let others = left_out.fold(self.all, |others, (_, refused)| others.without(refused.count));
        let enough = others.answers >= answers_min || others.answers * OTHERS_PART >= outside.answers;
        let patient = outside.answers >= PATIENCE * answers_min;
        let judged = if enough {
            others
        } else if others.answers == 0 || patient {
            outside
        } else {
            return;
        };
        let nothing_is_taken = self.in_a_row >= ANSWERS_MIN && self.refused.len() >= DESTINATIONS_MIN;
        self.spreads = judged.is_spread() && (self.suspected || self.spreads || nothing_is_taken);
        self.suspected = judged.is_spread();
        (self.all, self.judged_at) = (Count::default(), now);
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

    #[test]
    fn s6a_what_one_destination_is_refused_does_not_spread_and_what_two_are_does() {
        let mut spread = Spread::default();
        for _ in 0..1_000 {
            assert!(!spread.refused(prefix(1), START));
            spread.accepted(prefix(2), START);
            assert!(!spread.spreads());
        }
        let found = (0..2 * ANSWERS_MIN).filter(|_| {
            let first = spread.refused(prefix(3), START);
            first || spread.refused(prefix(1), START)
        });
        assert_eq!(found.count(), 1);
        assert!(spread.spreads());
    }

    #[test]
    fn s6a_what_several_sick_destinations_are_refused_does_not_spread_while_others_are_well() {
        let mut spread = Spread::default();
        for _ in 0..100 {
            (1..=4).for_each(|number| assert!(!spread.refused(prefix(number), START)));
            spread.accepted(prefix(10), START);
            spread.accepted(prefix(11), START);
        }
        // One more of which half is refused, beside one that is well.
        for _ in 0..100 {
            (1..=4).for_each(|number| _ = spread.refused(prefix(number), START));
            spread.accepted(prefix(10), START);
            spread.accepted(prefix(11), START);
            spread.refused(prefix(10), START);
            assert!(!spread.spreads());
        }
        // Of all others, one after another.
        let found = (0..250_u8).any(|round| {
            (1..=4).for_each(|number| _ = spread.refused(prefix(number), START));
            let other = prefix(20 + round % 23);
            if round % 4 == 0 {
                spread.refused(other, START);
            } else {
                spread.accepted(other, START);
            }
            spread.spreads()
        });
        assert!(found);
        // And everything.
        let mut spread = Spread::default();
        (0..100).for_each(|_| spread.accepted(prefix(10), START));
        let until = (1..100).find(|number| spread.refused(prefix(10 + number % 5), START));
        assert!(until.is_some_and(|number| number <= 50), "{until:?}");
    }

    #[test]
    fn s6a_one_in_twenty_is_not_enough_and_once_they_are_taken_again_it_is_over() {
        let mut spread = Spread::default();
        for number in 0..200 {
            spread.accepted(prefix(1), START);
            if number % ANSWERS_MIN == 7 {
                assert!(!spread.refused(prefix(2), START));
            }
        }
        for number in 0..100 {
            spread.refused(prefix(number % 7), START);
        }
        assert!(spread.spreads());
        (0..2 * ANSWERS_MIN).for_each(|_| spread.accepted(prefix(100), START));
        assert!(!spread.spreads());
    }

    #[test]
    fn s6a_with_fewer_answers_than_twenty_outside_the_worst_nothing_is_known() {
        let mut spread = Spread::default();
        let until = (0..100).find(|number| spread.refused(prefix(number % 25), START));
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
                    spread.refused(prefix(number), now);
                } else {
                    spread.accepted(prefix(10 + number), now);
                }
                spread.spreads()
            };
            assert!(!(0..3_000).any(|round| answer(&mut spread, round, 300 + offset)), "{offset}");
        }
    }

    #[test]
    fn s6a_that_refusals_spread_is_over_within_seconds_though_little_is_sent() {
        let mut spread = Spread::default();
        (0..60).for_each(|number| _ = spread.refused(prefix(number % 7), START));
        assert!(spread.spreads());
        // Until nothing is left of the last judgement.
        (0..100)
            .find(|number| (spread.refused(prefix(number % 7), START), spread.all.answers).1 == 0)
            .unwrap();
        let is_over = |answer: &u32| {
            spread.accepted(prefix(100), START.plus(*answer * Duration::from_secs(1)));
            !spread.spreads()
        };
        assert_eq!((1..100).find(is_over), Some(5));
    }

    #[test]
    fn s6a_what_is_half_refused_does_not_spread_though_hardly_anything_is_for_others() {
        let mut spread = Spread::default();
        let mut spreads = |others_part: u16| {
            (0..10_000).any(|round: u16| {
                let number = prefix(u8::try_from(round % 7).unwrap());
                match round {
                    _ if round.is_multiple_of(others_part) => spread.accepted(prefix(100), START),
                    _ if round.is_multiple_of(3) => spread.accepted(number, START),
                    _ => _ = spread.refused(number, START),
                }
                spread.spreads()
            })
        };
        assert!(!spreads(10));
        assert!(spreads(20), "too little is");
    }

    #[test]
    fn what_was_refused_is_forgotten_after_a_while() {
        let mut spread = Spread::default();
        spread.refused(prefix(1), START);
        let accept = |spread: &mut Spread, after: Duration| {
            (0..ANSWERS_MIN).for_each(|_| spread.accepted(prefix(2), START.plus(after)));
            spread.refused.len()
        };
        assert_eq!(accept(&mut spread, KNOWN_FOR - Duration::from_millis(1)), 1);
        assert_eq!(accept(&mut spread, KNOWN_FOR), 0);
    }

    #[test]
    fn what_is_told_apart_is_bounded() {
        let mut spread = Spread::default();
        for number in 0..=u8::MAX {
            spread.refused(prefix(number), START);
            assert!(spread.refused.len() <= DESTINATIONS_MAX);
        }
    }
}
