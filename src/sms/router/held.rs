//! How much of a link's window each destination holds, so that one that is slow or silent cannot hold it all.
//!
//! A submit keeps its slot until it is answered, so what a destination holds is what it costs the others:
//!
//! - It holds at most [`FREE_TIMES`] as much as it leaves free, and the last free slot is for one that holds nothing. So
//!   one leaves some quarter of the window, and many together leave some.
//! - One that is answered in order and as soon as others takes nothing from them: with each such answer it may hold one
//!   more, up to the whole window, as long as no other that holds little finds a slot.
//! - Those that are slow, whose answers usually take much longer than the quickest destination's, or are late or missing,
//!   leave a [quarter](PROMPT_PART) of the window to those that are not, all together, and three for some time after the
//!   window was full. While there are such, those that were not heard of since, and may turn out to be slow, leave an
//!   eighth, or a half.
//! - With [overdue](OVERDUE_PART) answers it holds a quarter of the window, and so do all together that are silent, but
//!   for one of each to see whether it answers.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::sms::destination::Prefix;

/// What is overdue of one destination holds this part of the window at the most, and so does all that is overdue where
/// one is silent.
const OVERDUE_PART: usize = 4;
/// Answers are overdue after this part of the response timer.
const TIMER_PART: u32 = 4;
/// A destination holds at most this many times what it leaves free.
const FREE_TIMES: usize = 3;
/// What is slow, or may be, leaves this part of the window to what is prompt; what is slow holds no more than this part for
/// so long after the window was full.
const PROMPT_PART: usize = 4;
const FULL_FOR: Duration = Duration::from_secs(5);
/// An answer came as soon as others do if it took at most this many times as long as it usually does for the quickest
/// destination lately, and a little.
const QUICKEST_TIMES: u32 = 8;
const QUICK: Duration = Duration::from_millis(100);
/// One that takes longer earns nothing, even if no other is known: what comes later would wait for too long.
const PROMPT_MAX: Duration = Duration::from_secs(1);
/// A destination is slow if this part of what it holds is late, or this many of its last sixteen got no answer.
const LATE_PART: usize = 4;
const MISSING_MIN: u32 = 2;
/// What an answer adds to how long they usually take, as for the round-trip time of TCP (RFC 6298, section 2).
const SMOOTHING: u32 = 8;
/// What is the quickest lately is of this time and as much before.
const LATELY: Duration = Duration::from_secs(5);
/// For this long after a destination that holds little found no slot, nothing more is granted to others: it looks again
/// before.
const WANTED_FOR: Duration = Duration::from_millis(50);

/// So many destinations that hold nothing are remembered since they were answered.
const REMEMBERED_MAX: usize = 256;

/// Whether one more may be sent to a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    Yes,
    /// It holds all that it may beside others.
    Busy,
    /// Likewise, but another link has room for it.
    Elsewhere,
    /// Nothing may be sent to it for now.
    Shut,
    /// It leaves too many without an answer, or all that are silent or slow do.
    Overdue,
}

/// What one destination holds.
#[derive(Debug)]
struct Slots {
    /// When what is not answered yet was sent, the oldest first.
    sent: VecDeque<Timestamp>,
    /// Since when it holds some.
    first: Timestamp,
    /// When the last was answered.
    answered_at: Option<Timestamp>,
    /// How long it usually takes until one is taken.
    usual: Option<Duration>,
    /// Which of the last got no answer, the newest in the lowest bit.
    missing: u16,
    /// How many it may hold since it is answered as soon as others are, and when it last earned one more.
    granted: usize,
    granted_at: Timestamp,
}

impl Slots {
    /// When the last was answered, or the first was sent.
    fn quiet_since(&self) -> Timestamp {
        self.answered_at.map_or(self.first, |at| at.max(self.first))
    }

    /// Whether it was answered since then: what falls silent together with others is not.
    fn is_heard(&self, since: Timestamp) -> bool {
        self.usual.is_some() && self.answered_at >= Some(since)
    }

    /// One was taken after this time. Returns how long it usually takes.
    fn taken_after(&mut self, took: Duration) -> Duration {
        let usual = self.usual.map_or(took, |usual| (usual * (SMOOTHING - 1) + took) / SMOOTHING);
        self.usual = Some(usual);
        usual
    }
}

/// How long an answer usually took lately for the destination that is answered the soonest.
#[derive(Debug)]
struct Quickest {
    since: Timestamp,
    /// Of the present span, and of the one before.
    spans: [Duration; 2],
}

impl Quickest {
    fn new() -> Self {
        Self { since: Timestamp::default(), spans: [Duration::MAX; 2] }
    }

    /// A destination was answered, which usually takes this time.
    fn answered(&mut self, usual: Duration, now: Timestamp) {
        let age = now.since(self.since);
        if age >= LATELY {
            let before = if age < 2 * LATELY { self.spans[0] } else { Duration::MAX };
            (self.since, self.spans) = (now, [Duration::MAX, before]);
        }
        self.spans[0] = self.spans[0].min(usual);
    }

    /// How long an answer takes at the most that comes as soon as others.
    fn prompt_within(&self) -> Duration {
        self.spans[0].min(self.spans[1]).saturating_mul(QUICKEST_TIMES).saturating_add(QUICK)
    }
}

/// What each destination holds of one link's window. Those that hold nothing are remembered with their last answer,
/// [`REMEMBERED_MAX`] of them at least, and forgotten all together when there are too many.
#[derive(Debug)]
pub(super) struct Held {
    window: usize,
    overdue_after: Duration,
    /// What all hold together.
    count: usize,
    quickest: Quickest,
    /// When what all hold was last the whole window.
    full_at: Option<Timestamp>,
    /// Which destination last found no slot though it held less than a part of the window, and when.
    wanted: Option<(Prefix, Timestamp)>,
    by_prefix: HashMap<Prefix, Slots>,
}

impl Held {
    /// Of a link with this window, whose submits are given up after `response_timer`.
    pub(super) fn new(window: usize, response_timer: Duration) -> Self {
        let overdue_after = response_timer / TIMER_PART;
        Self {
            window,
            overdue_after,
            count: 0,
            quickest: Quickest::new(),
            full_at: None,
            wanted: None,
            by_prefix: HashMap::new(),
        }
    }

    /// Whether one more may be sent to a destination. `silent`: it has left submits without an answer before.
    // One look into a table, but for destinations that are slow, overdue, or not heard of lately.
    pub(super) fn room(&self, prefix: Prefix, silent: bool, now: Timestamp) -> Room {
        let slots = self.by_prefix.get(&prefix);
        let (count, overdue) = slots.map_or((0, 0), |slots| (slots.sent.len(), self.overdue_of(slots, now)));
        let is_quiet = |slots: &Slots| count > 0 && now.since(slots.quiet_since()) >= self.overdue_after;
        let is_silent = silent || slots.is_some_and(is_quiet);
        let most = (self.window / OVERDUE_PART).max(1);
        let is_overdue = if is_silent {
            // One to see whether it answers.
            count >= most || self.overdue(now) >= if count == 0 { (self.window / 2).max(1) } else { most }
        } else {
            // In a small window, one late answer says nothing of the rest.
            overdue >= most.max(self.window.saturating_sub(1).min(2))
        };
        let is_slow = slots.is_some_and(|slots| self.is_slow(slots, now));
        if is_overdue || is_slow && !self.leaves_enough(true, now) {
            return Room::Overdue;
        }
        // Most often heard of lately, so since whatever is late was sent: then nothing has to be looked through.
        let prompt_within = self.quickest.prompt_within();
        let is_heard_lately = |slots: &Slots| {
            slots.usual.is_some() && slots.answered_at.is_some_and(|at| now.since(at) <= prompt_within)
        };
        let may_be_slow = || {
            !slots.is_some_and(is_heard_lately)
                && self.late_since(now).is_some_and(|late| !slots.is_some_and(|slots| slots.is_heard(late)))
        };
        if !is_slow && may_be_slow() && !self.leaves_enough(false, now) {
            return Room::Busy;
        }
        let is_wanted = self.wanted.is_some_and(|(by, at)| by != prefix && now.since(at) < WANTED_FOR);
        let is_lately = |slots: &Slots| now.since(slots.granted_at) <= self.granted_within();
        let is_granted = |slots: &&Slots| overdue == 0 && !is_wanted && is_lately(slots);
        let granted = slots.filter(is_granted).map_or(0, |slots| slots.granted);
        if count < self.fair_share().max(granted) { Room::Yes } else { Room::Busy }
    }

    /// How soon an answer has to come for more slots than are fair, and how long it is good for.
    fn granted_within(&self) -> Duration {
        self.quickest.prompt_within().min(PROMPT_MAX)
    }

    /// How many a destination may hold beside what all hold now.
    fn fair_share(&self) -> usize {
        (FREE_TIMES * self.window.saturating_sub(self.count + 1)).max(1)
    }

    /// Whether its answers usually take much longer than those of the quickest, or are late or missing.
    fn is_slow(&self, slots: &Slots, now: Timestamp) -> bool {
        let prompt_within = self.quickest.prompt_within();
        let is_late = |sent: &Timestamp| now.since(*sent) > prompt_within;
        let late = || slots.sent.partition_point(is_late);
        slots.usual.is_some_and(|usual| usual > prompt_within)
            || slots.missing.count_ones() >= MISSING_MIN
            || slots.sent.front().is_some_and(is_late) && late() * LATE_PART >= slots.sent.len()
    }

    /// When the oldest was sent of what is late.
    fn late_since(&self, now: Timestamp) -> Option<Timestamp> {
        let prompt_within = self.quickest.prompt_within();
        let oldest = self.by_prefix.values().filter_map(|slots| slots.sent.front().copied()).min();
        oldest.filter(|sent| now.since(*sent) > prompt_within)
    }

    /// Whether one more of what is slow, or of what may turn out to be, leaves enough to what is prompt.
    fn leaves_enough(&self, slow: bool, now: Timestamp) -> bool {
        let late_since = self.late_since(now);
        let (mut held, mut any_prompt) = (0, false);
        for slots in self.by_prefix.values() {
            if !self.is_slow(slots, now) && late_since.is_none_or(|late| slots.is_heard(late)) {
                any_prompt |= slots.usual.is_some();
            } else {
                held += slots.sent.len();
            }
        }
        let part = (self.window / PROMPT_PART).max(self.window.saturating_sub(1).min(1));
        let was_full = self.full_at.is_some_and(|at| now.since(at) < FULL_FOR);
        let most = match (slow, was_full) {
            (true, true) => part,
            (true, false) => self.window - part,
            (false, true) => self.window / 2,
            (false, false) => self.window - (part / 2).max(part.min(1)),
        };
        !any_prompt || held < most.max(1)
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
        let new = || Slots {
            sent: VecDeque::new(),
            first: now,
            answered_at: None,
            usual: None,
            missing: 0,
            granted: 0,
            granted_at: now,
        };
        let slots = self.by_prefix.entry(prefix).or_insert_with(new);
        if slots.sent.is_empty() {
            slots.first = now;
        }
        slots.sent.push_back(now);
        self.count += 1;
        if self.count >= self.window {
            self.full_at = Some(now);
        }
    }

    /// A destination found no slot though it may hold more.
    pub(super) fn wants(&mut self, prefix: Prefix, now: Timestamp) {
        let count = self.by_prefix.get(&prefix).map_or(0, |slots| slots.sent.len());
        if count < self.window / OVERDUE_PART {
            self.wanted = Some((prefix, now));
        }
    }

    /// One that was sent at `sent` was taken.
    pub(super) fn accepted(&mut self, prefix: Prefix, sent: Timestamp, now: Timestamp) {
        if let Some(slots) = self.by_prefix.get_mut(&prefix) {
            self.quickest.answered(slots.taken_after(now.since(sent)), now);
        }
    }

    /// One that was sent at `sent` was given up without an answer.
    pub(super) fn unanswered(&mut self, prefix: Prefix, sent: Timestamp) {
        if let Some(slots) = self.by_prefix.get_mut(&prefix) {
            slots.missing = slots.missing << 1 | 1;
        }
        self.released(prefix, sent);
    }

    /// One that was sent at `sent` was answered.
    pub(super) fn answered(&mut self, prefix: Prefix, sent: Timestamp, now: Timestamp) {
        let took = now.since(sent);
        let (fair_share, within) = (self.fair_share(), self.granted_within());
        if let Some(slots) = self.by_prefix.get_mut(&prefix) {
            slots.answered_at = Some(now);
            slots.missing <<= 1;
            let count = slots.sent.len();
            if took <= within && slots.sent.front() == Some(&sent) && count >= fair_share {
                let before = if now.since(slots.granted_at) <= within { slots.granted } else { 0 };
                (slots.granted, slots.granted_at) = (before.max(count + 1), now);
            }
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
            self.count -= usize::from(slots.sent.remove(index).is_some());
            if slots.sent.is_empty() && slots.answered_at.is_none() {
                self.by_prefix.remove(&prefix);
            }
        }
    }

    /// The link is gone, and what was on its way with it.
    pub(super) fn clear(&mut self) {
        self.by_prefix.clear();
        self.count = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sms::outbox::tests::phone;

    const START: Timestamp = Timestamp::from_unix_millis(1_000_000);
    const TIMER: Duration = Duration::from_secs(10);
    /// Later than this, an answer is late where others take 20 ms.
    const LATE: Duration = Duration::from_millis(261);

    fn prefix(number: u8) -> Prefix {
        Prefix::of(phone(number), 12)
    }

    /// Sends to a destination as long as there is room for it. Returns how many that were.
    fn fill(held: &mut Held, number: u8, silent: bool, now: Timestamp) -> usize {
        let mut count = 0;
        while held.count < held.window && held.room(prefix(number), silent, now) == Room::Yes {
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
        assert_eq!(held.room(prefix(1), false, later), Room::Yes, "one of its own is overdue");
        assert_eq!(held.room(prefix(9), false, later), Room::Overdue);
    }

    #[test]
    fn s6a_one_leaves_a_quarter_of_the_window_and_many_together_leave_some() {
        let mut held = Held::new(20, TIMER);
        assert_eq!(fill(&mut held, 1, false, START), 15);
        assert_eq!(fill(&mut held, 2, false, START), 3);
        for number in 3..10 {
            assert_eq!(held.room(prefix(number), false, START), Room::Yes, "it holds nothing");
            assert_eq!(held.room(prefix(1), false, START), Room::Busy);
        }
        held.released(prefix(1), START);
        assert_eq!(held.room(prefix(1), false, START), Room::Busy, "what it leaves free is for others");

        let mut held = Held::new(20, TIMER);
        let mut went = true;
        while went {
            went = false;
            for number in 0..5 {
                if held.room(prefix(number), false, START) == Room::Yes {
                    held.took(prefix(number), START);
                    went = true;
                }
            }
        }
        assert_eq!(held.count, 18, "five at once leave two");
    }

    #[test]
    fn s6a_what_is_slow_leaves_a_quarter_of_the_window_all_together() {
        let late = START.plus(LATE);
        for (window, left) in [(20, 5), (8, 2), (4, 1), (3, 1), (2, 1), (1, 0)] {
            let mut held = Held::new(window, TIMER);
            held.took(prefix(9), START);
            held.accepted(prefix(9), START, START.plus(Duration::from_millis(20)));
            held.answered(prefix(9), START, START.plus(Duration::from_millis(20)));
            // One is known to be slow, and others are late.
            held.took(prefix(1), START);
            held.accepted(prefix(1), START, late);
            held.answered(prefix(1), START, late);
            let slow = 1 + u8::try_from(window / 4).unwrap();
            (2..=slow).for_each(|number| held.took(prefix(number), START));
            let fill_slow =
                |held: &mut Held| (1..=slow).map(|number| fill(held, number, false, late)).sum::<usize>();
            while fill_slow(&mut held) > 0 {}
            assert_eq!(held.count, window - left, "of {window}");
            if left > 0 {
                assert_eq!(held.room(prefix(1), false, late), Room::Overdue);
                assert_eq!(held.room(prefix(9), false, late), Room::Yes);
                let new = if window == 4 { Room::Busy } else { Room::Yes };
                assert_eq!(held.room(prefix(8), false, late), new, "it is not known yet");
            }
        }
    }

    #[test]
    fn s6a_what_is_slow_leaves_three_quarters_for_some_time_after_the_window_was_full() {
        let mut held = Held::new(20, TIMER);
        for (number, took) in [(9, Duration::from_millis(20)), (1, LATE)] {
            held.took(prefix(number), START);
            held.accepted(prefix(number), START, START.plus(took));
            held.answered(prefix(number), START, START.plus(took));
        }
        let now = START.plus(LATE);
        held.full_at = Some(now);
        assert_eq!(fill(&mut held, 1, false, now), 5);
        assert_eq!(held.room(prefix(9), false, now), Room::Yes);
    }

    #[test]
    fn s6a_what_leaves_half_without_an_answer_stays_slow_when_these_are_given_up() {
        let mut held = Held::new(20, TIMER);
        let answered_after = |held: &mut Held, number: u8, after: Duration| {
            held.took(prefix(number), START);
            held.accepted(prefix(number), START, START.plus(after));
            held.answered(prefix(number), START, START.plus(after));
        };
        let soon = Duration::from_millis(20);
        answered_after(&mut held, 9, soon);
        let now = START.plus(soon);
        for round in 0..10 {
            held.took(prefix(1), START);
            answered_after(&mut held, 1, soon);
            held.unanswered(prefix(1), START);
            assert_eq!(held.is_slow(&held.by_prefix[&prefix(1)], now), round > 0, "one says little");
            assert_eq!(held.count, 0);
        }
        (0..16).for_each(|_| answered_after(&mut held, 1, soon));
        assert!(!held.is_slow(&held.by_prefix[&prefix(1)], now), "it has answered for a while");
    }

    #[test]
    fn s6a_one_answer_that_is_late_makes_nobody_slow_who_answers_others_nor_does_one_that_is_alone() {
        let late = START.plus(LATE);
        let new = || {
            let mut held = Held::new(20, TIMER);
            held.took(prefix(1), START);
            held.accepted(prefix(1), START, START);
            held.answered(prefix(1), START, START);
            held
        };
        let mut held = new();
        held.took(prefix(1), START);
        (0..3).for_each(|_| held.took(prefix(1), late));
        assert!(held.is_slow(&held.by_prefix[&prefix(1)], late), "one in four");
        (0..11).for_each(|_| held.took(prefix(1), late));
        assert!(!held.is_slow(&held.by_prefix[&prefix(1)], late));
        let mut held = new();
        (0..15).for_each(|_| held.took(prefix(1), START));
        assert_eq!(held.room(prefix(1), false, late), Room::Busy, "it is alone");
        held.took(prefix(2), late);
        held.accepted(prefix(2), late, late);
        held.answered(prefix(2), late, late);
        assert_eq!(held.room(prefix(1), false, late), Room::Overdue, "now there is another");
    }

    #[test]
    fn s6a_many_of_which_nothing_is_known_leave_some_to_those_that_are_while_any_is_late() {
        let late = START.plus(LATE);
        for (window, left, left_then) in [(20, 2, 10), (8, 1, 4), (2, 1, 1)] {
            let mut held = Held::new(window, TIMER);
            held.took(prefix(9), START);
            held.accepted(prefix(9), START, START.plus(Duration::from_millis(20)));
            held.answered(prefix(9), START, START.plus(Duration::from_millis(20)));
            held.took(prefix(10), START);
            for number in 11..100 {
                if held.room(prefix(number), false, late) == Room::Yes {
                    held.took(prefix(number), late);
                }
            }
            assert_eq!(held.count, window - left, "of {window}");
            held.full_at = Some(late);
            for number in 11..100 {
                held.released(prefix(number), late);
            }
            for number in 111..200 {
                if held.room(prefix(number), false, late) == Room::Yes {
                    held.took(prefix(number), late);
                }
            }
            assert_eq!(held.count, window - left_then, "of {window}, after it was full");
        }
    }

    #[test]
    fn s6a_what_is_answered_in_order_and_as_soon_as_others_comes_to_hold_the_whole_window() {
        let soon = START.plus(Duration::from_millis(20));
        let answered_after = |took: Duration, in_order: bool| {
            let mut held = Held::new(20, TIMER);
            held.took(prefix(9), START);
            held.accepted(prefix(9), START, soon);
            held.answered(prefix(9), START, soon);
            let mut now = soon;
            let mut sent = VecDeque::new();
            for _ in 0..100 {
                while held.room(prefix(1), false, now) == Room::Yes && sent.len() < 20 {
                    held.took(prefix(1), now);
                    sent.push_back(now);
                    now = now.plus(Duration::from_millis(1));
                }
                let next = if in_order { sent.pop_front() } else { sent.pop_back() };
                now = now.max(next.unwrap().plus(took));
                held.accepted(prefix(1), next.unwrap(), now);
                held.answered(prefix(1), next.unwrap(), now);
                now = now.plus(Duration::from_millis(1));
            }
            sent.len()
        };
        assert_eq!(answered_after(Duration::from_millis(20), true), 19, "all but the one answered last");
        assert_eq!(answered_after(Duration::from_millis(500), true), 14, "others are answered at once");
        assert_eq!(answered_after(Duration::from_millis(20), false), 14, "the first of it is not answered");
    }

    #[test]
    fn s6a_what_is_alone_and_slow_leaves_a_quarter_of_the_window_to_those_to_come() {
        for (took, most) in [(PROMPT_MAX, 20), (PROMPT_MAX + Duration::from_millis(1), 15)] {
            let mut held = Held::new(20, TIMER);
            let mut now = START;
            let mut sent = VecDeque::new();
            for _ in 0..200 {
                while held.count < 20 && held.room(prefix(1), false, now) == Room::Yes {
                    held.took(prefix(1), now);
                    sent.push_back(now);
                }
                let first = sent.pop_front().unwrap();
                now = now.max(first.plus(took));
                held.accepted(prefix(1), first, now);
                held.answered(prefix(1), first, now);
            }
            assert_eq!(sent.len() + 1, most, "after {took:?}");
        }
    }

    #[test]
    fn what_was_granted_is_over_when_it_is_not_needed() {
        let mut held = Held::new(20, TIMER);
        for number in [9, 1] {
            held.took(prefix(number), START);
            held.accepted(prefix(number), START, START);
            held.answered(prefix(number), START, START);
        }
        fill(&mut held, 1, false, START);
        for _ in 0..10 {
            held.answered(prefix(1), START, START);
            fill(&mut held, 1, false, START);
        }
        assert_eq!(held.count, 20);
        // All are answered at once, as by an SMSC that takes as long for each.
        (0..20).for_each(|_| held.answered(prefix(1), START, START));
        assert_eq!(fill(&mut held, 1, false, START), 20);
        (0..20).for_each(|_| held.released(prefix(1), START));
        assert_eq!(fill(&mut held, 1, false, START.plus(2 * QUICK)), 15);
    }

    #[test]
    fn nothing_is_granted_while_another_that_holds_little_finds_no_slot() {
        let mut held = Held::new(20, TIMER);
        held.took(prefix(2), START);
        held.accepted(prefix(2), START, START);
        for _ in 0..20 {
            fill(&mut held, 1, false, START);
            held.answered(prefix(1), START, START);
        }
        assert_eq!((held.count, held.room(prefix(1), false, START)), (19, Room::Yes));
        held.took(prefix(1), START);
        assert_eq!(held.room(prefix(2), false, START), Room::Busy);
        held.wants(prefix(1), START);
        assert_eq!(held.room(prefix(1), false, START), Room::Yes, "it holds more than a little");
        held.wants(prefix(2), START);
        assert_eq!(held.room(prefix(1), false, START), Room::Busy);
        assert_eq!(held.room(prefix(1), false, START.plus(WANTED_FOR)), Room::Yes);
    }

    #[test]
    fn s6a_one_late_answer_does_not_stop_a_network_that_answers_others_in_a_small_window() {
        let mut held = Held::new(4, TIMER);
        held.took(prefix(1), START);
        held.took(prefix(1), START);
        held.answered(prefix(1), START, START.plus(TIMER / 10));
        let later = START.plus(TIMER / TIMER_PART);
        for _ in 0..3 {
            assert_eq!(held.room(prefix(1), false, later), Room::Yes);
            held.took(prefix(1), later);
            held.answered(prefix(1), later, later);
        }
        held.took(prefix(1), START);
        assert_eq!(held.room(prefix(1), false, later), Room::Overdue);
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
        assert_eq!(fill(&mut held, 4, true, later), 1, "to see whether it answers");
        assert_eq!(fill(&mut held, 3, false, later), 4, "the others go on");
    }

    #[test]
    fn s6a_one_silent_handset_holds_up_nobody_and_many_of_a_prefix_no_more_than_a_quarter() {
        let mut held = Held::new(20, TIMER);
        held.took(prefix(0), START);
        let mut now = START;
        let mut silent = 1;
        for second in 1..=TIMER.as_secs() {
            now = START.plus(Duration::from_secs(second));
            if held.room(prefix(0), false, now) == Room::Yes {
                held.took(prefix(0), now);
                silent += 1;
            }
            if held.room(prefix(0), false, now) == Room::Yes {
                held.took(prefix(0), now);
                held.answered(prefix(0), now, now);
            }
        }
        assert_eq!((silent, held.by_prefix[&prefix(0)].sent.len()), (7, 7), "five overdue, two not yet");
        (0..3).for_each(|second| held.released(prefix(0), START.plus(Duration::from_secs(second))));
        assert_eq!(held.room(prefix(0), false, now), Room::Yes);
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
