//! How much of a link's window each destination holds, so that one that is silent cannot hold it all.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::sms::destination::Prefix;

/// All that is overdue holds this part of the window at the most.
const OVERDUE_PART: usize = 4;
/// What was not answered yet at all holds this part of the window at the most.
const UNPROVEN_PART: usize = 2;
/// Answers are overdue after this part of the response timer.
const TIMER_PART: u32 = 4;

/// So many destinations that hold nothing are remembered since they were answered.
const REMEMBERED_MAX: usize = 64;

/// What one destination holds.
#[derive(Debug)]
struct Slots {
    /// When what is not answered yet was sent, the oldest first.
    sent: VecDeque<Timestamp>,
    /// Since when it holds some.
    first: Timestamp,
    /// When the last was answered.
    answered_at: Option<Timestamp>,
}

impl Slots {
    /// When the last was answered, or the first was sent.
    fn quiet_since(&self) -> Timestamp {
        self.answered_at.map_or(self.first, |at| at.max(self.first))
    }
}

/// What each destination holds of one link's window. Those that hold nothing are remembered with their last answer,
/// [`REMEMBERED_MAX`] of them at least, and forgotten all together when there are too many.
#[derive(Debug)]
pub(super) struct Held {
    window: usize,
    overdue_after: Duration,
    by_prefix: HashMap<Prefix, Slots>,
}

impl Held {
    /// Of a link with this window, whose submits are given up after `response_timer`.
    pub(super) fn new(window: usize, response_timer: Duration) -> Self {
        Self { window, overdue_after: response_timer / TIMER_PART, by_prefix: HashMap::new() }
    }

    /// Whether one more may be sent to a destination. `silent`: it has left submits without an answer before.
    // One look into a table, but for destinations that are overdue.
    pub(super) fn has_room(&self, prefix: Prefix, silent: bool, now: Timestamp) -> bool {
        let slots = self.by_prefix.get(&prefix);
        let (count, overdue) = slots.map_or((0, 0), |slots| (slots.sent.len(), self.overdue_of(slots, now)));
        let is_quiet = |slots: &Slots| count > 0 && now.since(slots.quiet_since()) >= self.overdue_after;
        let is_silent = silent || slots.is_some_and(is_quiet);
        let most = self.part(OVERDUE_PART);
        if is_silent {
            self.overdue(now) < most && count < most
        } else if overdue > 0 {
            // It answers others: it is held to its own.
            overdue < most
        } else {
            count < self.part(UNPROVEN_PART) || slots.is_some_and(|slots| self.is_proven(slots, now))
        }
    }

    /// Whether any was answered since it holds some, or shortly before.
    fn is_proven(&self, slots: &Slots, now: Timestamp) -> bool {
        slots.answered_at.is_some_and(|at| at >= slots.first || now.since(at) < self.overdue_after)
    }

    fn part(&self, part: usize) -> usize {
        (self.window / part).max(1)
    }

    fn overdue_of(&self, slots: &Slots, now: Timestamp) -> usize {
        slots.sent.partition_point(|sent| now.since(*sent) >= self.overdue_after)
    }

    /// The slots whose answers are overdue.
    fn overdue(&self, now: Timestamp) -> usize {
        self.by_prefix.values().map(|slots| self.overdue_of(slots, now)).sum()
    }

    /// A message is on its way to a destination.
    pub(super) fn took(&mut self, prefix: Prefix, now: Timestamp) {
        if self.by_prefix.len() >= self.window + REMEMBERED_MAX {
            self.by_prefix.retain(|_, slots| !slots.sent.is_empty());
        }
        let new = || Slots { sent: VecDeque::new(), first: now, answered_at: None };
        let slots = self.by_prefix.entry(prefix).or_insert_with(new);
        if slots.sent.is_empty() {
            slots.first = now;
        }
        slots.sent.push_back(now);
    }

    /// One that was sent at `sent` was answered.
    pub(super) fn answered(&mut self, prefix: Prefix, sent: Timestamp, now: Timestamp) {
        if let Some(slots) = self.by_prefix.get_mut(&prefix) {
            slots.answered_at = Some(now);
        }
        self.released(prefix, sent);
    }

    /// Whether a destination has answered anything since `sent`, when one was sent that it has not answered.
    pub(super) fn heard_since(&self, prefix: Prefix, sent: Timestamp) -> bool {
        self.by_prefix.get(&prefix).is_some_and(|slots| slots.answered_at >= Some(sent))
    }

    /// One that was taken at `sent` does not hold its slot any more.
    pub(super) fn released(&mut self, prefix: Prefix, sent: Timestamp) {
        if let Some(slots) = self.by_prefix.get_mut(&prefix) {
            let index = slots.sent.partition_point(|other| *other < sent);
            slots.sent.remove(index);
            if slots.sent.is_empty() && slots.answered_at.is_none() {
                self.by_prefix.remove(&prefix);
            }
        }
    }

    /// The link is gone, and what was on its way with it.
    pub(super) fn clear(&mut self) {
        self.by_prefix.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sms::outbox::tests::phone;

    const START: Timestamp = Timestamp::from_unix_millis(1_000_000);
    const TIMER: Duration = Duration::from_secs(10);

    fn prefix(number: u8) -> Prefix {
        Prefix::of(phone(number), 12)
    }

    /// Sends to a destination as long as there is room for it. Returns how many that were.
    fn fill(held: &mut Held, number: u8, silent: bool, now: Timestamp) -> usize {
        let mut count = 0;
        while count < held.window && held.has_room(prefix(number), silent, now) {
            held.took(prefix(number), now);
            count += 1;
        }
        count
    }

    #[test]
    fn s6a_one_answer_that_is_late_holds_up_nobody_who_answers_others() {
        let mut held = Held::new(20, TIMER);
        let later = START.plus(TIMER / TIMER_PART);
        for _ in 0..6 {
            held.took(prefix(9), START);
        }
        held.took(prefix(1), START);
        for _ in 0..3 {
            held.took(prefix(1), later);
            held.answered(prefix(1), later, later);
        }
        assert!(held.has_room(prefix(1), false, later), "one of its own is overdue");
        assert!(!held.has_room(prefix(9), false, later));
    }

    #[test]
    fn s6a_half_the_window_until_the_first_answer_and_then_all_of_it() {
        let mut held = Held::new(20, TIMER);
        assert_eq!(fill(&mut held, 1, false, START), 10);
        held.answered(prefix(1), START, START);
        assert_eq!(fill(&mut held, 1, false, START), 20);
        // All are answered at once, as by an SMSC that takes as long for each.
        (0..29).for_each(|_| held.answered(prefix(1), START, START));
        assert_eq!(fill(&mut held, 1, false, START), 20, "it was answered just now");
        (0..20).for_each(|_| held.answered(prefix(1), START, START));
        assert_eq!(fill(&mut held, 1, false, START.plus(TIMER)), 10, "and not for a while");
    }

    #[test]
    fn s6a_overdue_answers_hold_a_quarter_of_the_window_all_together() {
        let mut held = Held::new(20, TIMER);
        let later = START.plus(TIMER / TIMER_PART);
        (0..2).for_each(|number| (0..2).for_each(|_| held.took(prefix(number), START)));
        assert_eq!(fill(&mut held, 0, false, later), 3);
        assert_eq!(fill(&mut held, 2, true, later), 5, "it was silent before");
        held.took(prefix(1), START);
        assert_eq!(fill(&mut held, 1, false, later), 0);
        assert_eq!(fill(&mut held, 4, true, later), 0);
        assert_eq!(fill(&mut held, 3, false, later), 10, "the others go on");
    }

    #[test]
    fn s6a_one_silent_handset_holds_up_nobody_and_many_of_a_prefix_no_more_than_a_quarter() {
        let mut held = Held::new(20, TIMER);
        held.took(prefix(0), START);
        let mut now = START;
        let mut silent = 1;
        for second in 1..=TIMER.as_secs() {
            now = START.plus(Duration::from_secs(second));
            if held.has_room(prefix(0), false, now) {
                held.took(prefix(0), now);
                silent += 1;
            }
            if held.has_room(prefix(0), false, now) {
                held.took(prefix(0), now);
                held.answered(prefix(0), now, now);
            }
        }
        assert_eq!((silent, held.by_prefix[&prefix(0)].sent.len()), (7, 7), "five overdue, two not yet");
        (0..3).for_each(|second| held.released(prefix(0), START.plus(Duration::from_secs(second))));
        assert!(held.has_room(prefix(0), false, now));
    }

    #[test]
    fn what_holds_nothing_is_forgotten_and_the_smallest_window_has_room_for_one() {
        let mut held = Held::new(1, TIMER);
        for silent in [false, true] {
            assert_eq!(fill(&mut held, 1, silent, START), 1);
            held.released(prefix(1), START);
            assert!(held.by_prefix.is_empty());
            held.released(prefix(1), START);
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut held = Held::new(20, TIMER);
        for number in 0..=u8::MAX {
            held.took(prefix(number), START);
            held.answered(prefix(number), START, START);
            assert!(held.by_prefix.len() <= 20 + REMEMBERED_MAX);
        }
    }
}
