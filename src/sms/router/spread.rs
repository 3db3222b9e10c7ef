//! Whether an SMSC's refusals spread over destinations. If they do, we are too fast for it, or for the account; if not,
//! it is the destinations that are refused.

use std::collections::HashMap;

use crate::sms::destination::Prefix;

/// So many answers outside the worst destination say whether refusals spread.
const ANSWERS_MIN: u64 = 20;
/// They do if more than this part of these are refusals.
const PART: u64 = 20;
/// A destination of which so many and nothing but refusals were answered is sick on its own, as long as this part of the
/// answers outside the worst is for others.
const ALL_REFUSED_MIN: u64 = 3;
const OTHERS_PART: u64 = 4;
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
}

/// The judge of one SMSC's refusals.
#[derive(Debug, Default)]
pub(super) struct Spread {
    /// The last judgement.
    spreads: bool,
    all: Count,
    /// Of destinations, since their first refusal since the last judgement.
    refused: HashMap<Prefix, Count>,
}

impl Spread {
    /// Whether refusals spread over destinations, as far as is known.
    pub(super) fn spreads(&self) -> bool {
        self.spreads
    }

    /// The SMSC took a message.
    // Two additions and two comparisons while nothing is refused.
    pub(super) fn accepted(&mut self, prefix: Prefix) {
        self.all.answers += 1;
        if !self.refused.is_empty()
            && let Some(count) = self.refused.get_mut(&prefix)
        {
            count.answers += 1;
        }
        if self.all.answers >= ANSWERS_MIN {
            self.judge();
        }
    }

    /// The SMSC refused a message for now. Returns whether it is known since then that refusals spread.
    pub(super) fn refused(&mut self, prefix: Prefix) -> bool {
        self.all.answers += 1;
        self.all.refused += 1;
        if self.refused.len() < DESTINATIONS_MAX || self.refused.contains_key(&prefix) {
            let count = self.refused.entry(prefix).or_default();
            count.answers += 1;
            count.refused += 1;
        }
        let before = self.spreads;
        self.judge();
        self.spreads && !before
    }

    /// Judges by what was answered outside the worst destination since the last time, if that is enough. If a part of it
    /// is outside all that nothing of is taken, by that part.
    fn judge(&mut self) {
        let worst = self.refused.iter().max_by_key(|(_, count)| count.refused);
        let outside = worst.map_or(self.all, |(_, worst)| self.all.without(*worst));
        if outside.answers >= ANSWERS_MIN {
            let is_sick = |count: &Count| count.refused == count.answers && count.answers >= ALL_REFUSED_MIN;
            let sick = self
                .refused
                .iter()
                .filter(|(prefix, count)| is_sick(count) && worst.is_none_or(|(worst, _)| worst != *prefix));
            let others = sick.fold(outside, |others, (_, sick)| others.without(*sick));
            let judged = if others.answers * OTHERS_PART >= outside.answers { others } else { outside };
            self.spreads = judged.refused * PART > judged.answers;
            self.all = Count::default();
            self.refused.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sms::outbox::tests::phone;

    fn prefix(number: u8) -> Prefix {
        Prefix::of(phone(number), 12)
    }

    #[test]
    fn s6a_what_one_destination_is_refused_does_not_spread_and_what_two_are_does() {
        let mut spread = Spread::default();
        for _ in 0..1_000 {
            assert!(!spread.refused(prefix(1)));
            spread.accepted(prefix(2));
            assert!(!spread.spreads());
        }
        let found =
            (0..ANSWERS_MIN).filter(|_| spread.refused(prefix(3)) || spread.refused(prefix(1))).count();
        assert!(found == 1 && spread.spreads());
    }

    #[test]
    fn s6a_what_several_sick_destinations_are_refused_does_not_spread_while_others_are_well() {
        let mut spread = Spread::default();
        for _ in 0..100 {
            (1..=4).for_each(|number| assert!(!spread.refused(prefix(number))));
            spread.accepted(prefix(10));
            spread.accepted(prefix(11));
        }
        // Of the others, some.
        let found = (0..100).any(|_| {
            (1..=4).for_each(|number| _ = spread.refused(prefix(number)));
            spread.accepted(prefix(10));
            spread.accepted(prefix(11));
            spread.refused(prefix(10)) || spread.spreads()
        });
        assert!(found);
        // And everything.
        let mut spread = Spread::default();
        (0..100).for_each(|_| spread.accepted(prefix(10)));
        let until = (1..100).find(|number| spread.refused(prefix(10 + number % 5)));
        assert!(until.is_some_and(|number| number <= 50), "{until:?}");
    }

    #[test]
    fn s6a_one_in_twenty_is_not_enough_and_once_they_are_taken_again_it_is_over() {
        let mut spread = Spread::default();
        for number in 0..200 {
            spread.accepted(prefix(1));
            if number % ANSWERS_MIN == 7 {
                assert!(!spread.refused(prefix(2)));
            }
        }
        for number in 0..100 {
            spread.refused(prefix(number % 7));
        }
        assert!(spread.spreads());
        (0..2 * ANSWERS_MIN).for_each(|_| spread.accepted(prefix(100)));
        assert!(!spread.spreads());
    }

    #[test]
    fn s6a_with_fewer_answers_than_twenty_outside_the_worst_nothing_is_known() {
        let mut spread = Spread::default();
        for number in 1..=u8::try_from(ANSWERS_MIN).unwrap() {
            assert!(!spread.refused(prefix(number)), "{number}");
        }
        assert!(spread.refused(prefix(0)));
    }

    #[test]
    fn what_is_told_apart_is_bounded() {
        let mut spread = Spread::default();
        for number in 0..=u8::MAX {
            spread.refused(prefix(number));
            assert!(spread.refused.len() <= DESTINATIONS_MAX);
        }
    }
}
