//! The destinations that one SMSC refuses or leaves without an answer, and what waits for each.
//!
//! A destination is a handset or a [prefix](Prefix). It is unwell from its first refusal on. Once nothing of it waits, a
//! handset is forgotten with the first message that the SMSC takes, and a prefix when it has had its rest. What waits for
//! no more than a slot of the window waits here, too. What that means for its messages:
//!
//! ```text
//!                  refused, or silent       too many refusals, or silent
//!   (nothing held) ──────────────────► watched ──────────────────────────► held back: one at a time, at its own pace
//!          ▲                              │  ▲                                │     and with longer and longer pauses
//!          └──── taken, or at rest ───────┘  └─────────── taken ──────────────┘     while none is taken
//! ```
//!
//! A handset whose queue is full is held back at once; its prefix counts it from [`HANDSETS_MIN`] such handsets on, if
//! it takes hardly anything.
//! Refusals that [spread](super::spread) over destinations are nobody's own. A prefix that answers with errors is
//! avoided rather than held back: another SMSC takes its messages if there is one, but for a probe now and then.
//!
//! At most [`DESTINATIONS_MAX`] are held.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::held::Room;
use super::retries::{PAUSE_MIN, wait_until};
use crate::clock::Timestamp;
use crate::sms::destination::{Destination, Prefix, Recipient};
use crate::sms::outbox::Outgoing;
use crate::sms::pace::Pace;
use crate::sms::route::crowd::{Crowd, Crowds};

/// The most unwell destinations of all SMSCs together.
pub(super) const DESTINATIONS_MAX: usize = 4_096;
/// From so many handsets with full queues on, it is their prefix, unless it takes a quarter of what goes to it.
const HANDSETS_MIN: usize = 3;
const TAKEN_PART: u32 = 4;
/// So many errors without a success between them have a prefix avoided.
const ERRORS_MIN: u32 = 3;
/// After so long without trouble, a destination of which nothing waits is forgotten: the first if nothing holds it
/// back.
const REST_MIN: Duration = Duration::from_secs(10);
const REST_MAX: Duration = Duration::from_secs(60);
/// The longest pause before another is sent to see whether any are taken: what came after all is well again does not
/// wait for long.
const PAUSE_MAX: Duration = Duration::from_secs(4);
/// So long after one was left to wait since answers are overdue, other SMSCs are preferred.
const OVERDUE_FOR: Duration = Duration::from_secs(2);
/// So many destinations that are due are looked at for one that is in no trouble.
const LOOKED_AT_MAX: usize = 64;
/// When to look again for a slot of the window.
const SLOT_PAUSE: Duration = Duration::from_millis(20);
/// When to look again whether the SMSC is to get anything.
const SHUT_PAUSE: Duration = Duration::from_secs(1);
/// When another link, which has one, is to look.
const LINK_PAUSE: Duration = Duration::from_millis(1);

/// Why a submit did not go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sms) enum Trouble {
    /// The SMSC said that we are too fast.
    Throttled,
    /// It said that the recipient's queue is full.
    Full,
    /// It could not deal with it.
    Error,
    /// It did not answer: about the prefix, if it answered nothing else of it meanwhile.
    Silence { of_prefix: bool },
}

/// One unwell destination.
#[derive(Debug)]
struct Unwell {
    pace: Pace,
    /// The next pause, and until when the present one lasts.
    pause: Duration,
    paused_until: Timestamp,
    /// One is on its way, to see whether it is taken.
    probes: bool,
    /// Until when other SMSCs are preferred because of errors.
    avoided_until: Timestamp,
    /// Its last answer was that we are too fast.
    throttled: bool,
    /// It has left a submit without an answer, and has not been heard of since.
    silent: bool,
    /// Until when what waits for a slot counts as held back, since others are overdue.
    overdue_until: Timestamp,
    /// Errors since its last success.
    errors: u32,
    /// Of a handset whose queue is full: the prefix that counts it.
    full_at: Option<Prefix>,
    /// Of a prefix: its handsets whose queues are full.
    full_handsets: usize,
    /// What its last answers were, the newest in the lowest bit: set if a queue was full.
    full: u16,
    /// How many of these there were.
    answers: u32,
    troubled_at: Timestamp,
    waiting: VecDeque<Outgoing>,
    /// When it is looked at next, and whose turn it is of those at the same time; in the schedule, if anything waits.
    due: (Timestamp, u64),
    crowd: Option<Arc<Crowd>>,
}

impl Unwell {
    fn new(now: Timestamp) -> Self {
        Self {
            pace: Pace::new(0, now),
            pause: PAUSE_MIN,
            paused_until: now,
            probes: false,
            avoided_until: now,
            throttled: false,
            silent: false,
            overdue_until: now,
            errors: 0,
            full_at: None,
            full_handsets: 0,
            full: 0,
            answers: 0,
            troubled_at: now,
            waiting: VecDeque::new(),
            due: (now, 0),
            crowd: None,
        }
    }

    /// When the next message may go.
    fn ready_at(&self) -> Timestamp {
        self.pace.ready_at().map_or(self.paused_until, |at| at.max(self.paused_until))
    }

    /// Whether it is nothing new that its messages do not go through.
    fn is_troubled(&self) -> bool {
        self.silent || self.errors > 0 || self.pause > PAUSE_MIN || self.pace.is_lowered()
    }

    /// Whether its messages wait for more than a slot of the window.
    fn is_held_back(&self, of: Destination, now: Timestamp) -> bool {
        self.takes_nothing(of) || self.pace.is_lowered() || self.overdue_until > now
    }

    /// Whether nothing of it is taken: then one message at a time goes, to see whether it is.
    fn takes_nothing(&self, of: Destination) -> bool {
        self.silent || self.pace.is_lowest() || matches!(of, Destination::Handset(_))
    }

    /// Pauses for longer than the last time.
    fn pause(&mut self, now: Timestamp) {
        self.paused_until = self.end_of_pause(now);
    }

    /// Has other SMSCs preferred for longer than the last time.
    fn avoid(&mut self, now: Timestamp) {
        self.avoided_until = self.end_of_pause(now);
    }

    fn end_of_pause(&mut self, now: Timestamp) -> Timestamp {
        let end = now.plus(self.pause);
        self.pause = (2 * self.pause).min(PAUSE_MAX);
        end
    }

    /// A message of it was refused for now.
    fn refused(&mut self, now: Timestamp) {
        self.pace.refused();
        self.pace.on_time(true, now);
        if self.pace.is_lowest() {
            self.pause_anew(now);
        }
    }

    /// Pauses, unless it does already: what was on its way before says nothing new.
    fn pause_anew(&mut self, now: Timestamp) {
        if std::mem::take(&mut self.probes) || self.paused_until <= now {
            self.pause(now);
        }
    }

    /// A message of it got no answer. After the first, the next may go at once, to see whether that does.
    fn unanswered(&mut self, now: Timestamp) {
        if std::mem::replace(&mut self.silent, true) {
            self.pause_anew(now);
        }
    }

    /// A message of it was taken, or found a full queue.
    fn answered(&mut self, full: bool) {
        self.full = self.full << 1 | u16::from(full);
        self.answers = (self.answers + 1).min(u16::BITS);
    }

    /// Whether so many queues are full that it is the prefix.
    fn is_full(&self) -> bool {
        let taken = self.answers - self.full.count_ones();
        self.full_handsets >= HANDSETS_MIN && taken * TAKEN_PART <= self.answers
    }

    fn is_over(&self, now: Timestamp) -> bool {
        let is_calm = !self.silent && self.errors == 0 && !self.pace.is_lowered() && self.paused_until <= now;
        let rest = if is_calm { REST_MIN } else { REST_MAX };
        self.waiting.is_empty() && self.full_handsets == 0 && now.since(self.troubled_at) >= rest
    }
}

/// The unwell destinations of one SMSC.
#[derive(Debug)]
pub(super) struct Destinations {
    // In order, so that what is done to all is always done in the same.
    unwell: BTreeMap<Destination, Unwell>,
    unwell_max: usize,
    /// Of those that something waits for, when to look at each.
    schedule: BTreeSet<((Timestamp, u64), Destination)>,
    /// The next turn.
    turn: u64,
    waiting: usize,
    /// Refusals spread: those that are throttled wait in turn.
    spread: bool,
}

impl Destinations {
    pub(super) fn new(unwell_max: usize) -> Self {
        Self {
            unwell: BTreeMap::new(),
            unwell_max,
            schedule: BTreeSet::new(),
            turn: 0,
            waiting: 0,
            spread: false,
        }
    }

    /// How many prefixes are held back or avoided. Handsets are not counted: somewhere one is always switched off.
    pub(super) fn count(&self, now: Timestamp) -> usize {
        let is_unwell = |(of, unwell): &(&Destination, &Unwell)| {
            matches!(of, Destination::Prefix(_))
                && (self.is_sick(**of, unwell, now) || unwell.errors >= ERRORS_MIN)
        };
        self.unwell.iter().filter(is_unwell).count()
    }

    /// How many messages wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// When something may be there to [take](Self::take).
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.schedule.first().map(|((due, _), _)| *due)
    }

    fn of(&self, recipient: Recipient) -> impl Iterator<Item = (Destination, &Unwell)> {
        // Most often there are none: then neither is looked for.
        let both = if self.unwell.is_empty() { [None; 2] } else { both(recipient).map(Some) };
        both.into_iter().flatten().filter_map(|of| Some((of, self.unwell.get(&of)?)))
    }

    /// Whether messages of a destination wait for more than a slot of the window.
    fn is_sick(&self, of: Destination, unwell: &Unwell, now: Timestamp) -> bool {
        unwell.is_held_back(of, now) || self.spread && unwell.throttled
    }

    /// Refusals spread over destinations, or not.
    pub(super) fn set_spread(&mut self, spread: bool) {
        self.spread = spread;
    }

    /// Whether a message is to wait before it may be sent. `first`: it goes before what waits already.
    pub(super) fn holds_back(&self, recipient: Recipient, first: bool, now: Timestamp) -> bool {
        self.of(recipient).any(|(_, unwell)| {
            unwell.ready_at() > now || self.spread && unwell.throttled || !first && !unwell.waiting.is_empty()
        })
    }

    /// Whether another SMSC is to be preferred for a message.
    pub(super) fn avoids(&self, recipient: Recipient, now: Timestamp) -> bool {
        self.of(recipient).any(|(of, unwell)| {
            let waits = !unwell.waiting.is_empty() && self.is_sick(of, unwell, now);
            let until = unwell.avoided_until.max(unwell.overdue_until).max(unwell.ready_at());
            waits || until > now
        })
    }

    /// Whether it is nothing new that messages to this recipient do not go through.
    pub(super) fn is_known(&self, recipient: Recipient) -> bool {
        self.of(recipient).any(|(_, unwell)| unwell.is_troubled())
    }

    /// Whether its last submits were left without an answer.
    pub(super) fn is_silent(&self, recipient: Recipient) -> bool {
        self.of(recipient).any(|(_, unwell)| unwell.silent)
    }

    /// A message is on its way.
    pub(super) fn took(&mut self, recipient: Recipient, now: Timestamp) {
        for of in both(recipient) {
            let Some(unwell) = self.unwell.get_mut(&of) else { continue };
            unwell.pace.on_time(true, now);
            unwell.pace.sent(now);
            // Its answer ends the pause, or begins a longer one.
            let end = now.plus(unwell.pause);
            if unwell.takes_nothing(of) {
                unwell.paused_until = unwell.paused_until.max(end);
                unwell.probes = true;
            }
            if unwell.errors >= ERRORS_MIN {
                unwell.avoided_until = unwell.avoided_until.max(end);
            }
        }
    }

    /// The SMSC took a message.
    pub(super) fn accepted(&mut self, recipient: Recipient, now: Timestamp) {
        if self.unwell.is_empty() {
            return;
        }
        for of in both(recipient) {
            let Some(unwell) = self.unwell.get_mut(&of) else { continue };
            unwell.pace.accepted();
            unwell.pace.on_time(true, now);
            unwell.answered(false);
            (unwell.throttled, unwell.silent, unwell.errors) = (false, false, 0);
            (unwell.pause, unwell.paused_until, unwell.avoided_until) = (PAUSE_MIN, now, now);
            if !unwell.waiting.is_empty() {
                self.bring_forward(of, now);
            } else if let Destination::Handset(_) = of {
                self.forget(of);
            }
        }
    }

    /// The SMSC answered a message: a destination that does not take it is not silent. To be called before it is known
    /// to be [troubled](Self::troubled).
    pub(super) fn heard(&mut self, recipient: Recipient) {
        for of in both(recipient) {
            if let Some(unwell) = self.unwell.get_mut(&of) {
                (unwell.silent, unwell.throttled) = (false, false);
            }
        }
    }

    /// A message did not go through, for a reason of its destination's own.
    pub(super) fn troubled(&mut self, recipient: Recipient, trouble: Trouble, now: Timestamp) {
        let (handset, spread) = (Destination::Handset(recipient.phone), self.spread);
        match trouble {
            Trouble::Full => {
                let Some(unwell) = self.entry(handset, now) else { return };
                unwell.pause(now);
                let is_new = unwell.full_at.is_none();
                let Some(prefix) = self.entry(Destination::Prefix(recipient.prefix), now) else { return };
                prefix.full_handsets += usize::from(is_new);
                prefix.answered(true);
                if prefix.is_full() {
                    prefix.refused(now);
                }
                self.unwell.entry(handset).and_modify(|unwell| unwell.full_at = Some(recipient.prefix));
            }
            Trouble::Silence { of_prefix: false } => {
                if let Some(unwell) = self.entry(handset, now) {
                    unwell.unanswered(now);
                }
            }
            Trouble::Throttled | Trouble::Error | Trouble::Silence { of_prefix: true } => {
                let Some(unwell) = self.entry(Destination::Prefix(recipient.prefix), now) else { return };
                match trouble {
                    Trouble::Error => {
                        unwell.errors = unwell.errors.saturating_add(1);
                        if unwell.errors >= ERRORS_MIN {
                            unwell.avoid(now);
                        }
                    }
                    Trouble::Silence { .. } => unwell.unanswered(now),
                    Trouble::Throttled | Trouble::Full => {
                        unwell.throttled = true;
                        if !spread {
                            unwell.refused(now);
                        }
                    }
                }
            }
        }
    }

    fn entry(&mut self, of: Destination, now: Timestamp) -> Option<&mut Unwell> {
        if self.unwell.len() >= self.unwell_max && !self.unwell.contains_key(&of) {
            return None;
        }
        let unwell = self.unwell.entry(of).or_insert_with(|| Unwell::new(now));
        unwell.troubled_at = now;
        Some(unwell)
    }

    /// Refusals turned out to spread over destinations: none of these is to blame.
    pub(super) fn forgive(&mut self, now: Timestamp) {
        let mut forgiven = Vec::new();
        for (of, unwell) in &mut self.unwell {
            if let Destination::Prefix(_) = of {
                unwell.pace = Pace::new(0, now);
                (unwell.pause, unwell.paused_until) = (PAUSE_MIN, now);
                forgiven.push(*of);
            }
        }
        forgiven.into_iter().for_each(|of| self.reschedule(of, now));
    }

    /// Has a message wait for its destination, if only for a slot. `first`: before what waits already.
    // There are never more such destinations than places in the outbox.
    pub(super) fn wait(&mut self, mut outgoing: Outgoing, first: bool, now: Timestamp) {
        let [handset, prefix] = both(outgoing.recipient());
        let of = if self.unwell.contains_key(&handset) { handset } else { prefix };
        let unwell = self.unwell.entry(of).or_insert_with(|| Unwell::new(now));
        if unwell.is_held_back(of, now) {
            outgoing.tries.until = Some(wait_until(&outgoing, now));
        }
        if first {
            unwell.waiting.push_front(outgoing);
        } else {
            unwell.waiting.push_back(outgoing);
        }
        self.waiting += 1;
        let due = unwell.ready_at().max(now);
        if unwell.waiting.len() == 1 {
            self.reschedule(of, due);
        } else {
            self.bring_forward(of, due);
        }
    }

    /// A message of it finds no slot since too many of its answers are overdue: its handset's, if that is silent.
    pub(super) fn overdue(&mut self, recipient: Recipient, now: Timestamp) {
        let [handset, prefix] = both(recipient);
        let of = if self.unwell.get(&handset).is_some_and(|unwell| unwell.silent) { handset } else { prefix };
        if let Some(unwell) = self.entry(of, now) {
            unwell.overdue_until = now.plus(OVERDUE_FOR);
        }
    }

    /// The SMSC takes more than before: what waits for that may go.
    pub(super) fn look_again(&mut self, now: Timestamp) {
        let ready = self.unwell.iter().filter(|(_, unwell)| unwell.ready_at() <= now).map(|(of, _)| *of);
        for of in ready.collect::<Vec<_>>() {
            self.bring_forward(of, now);
        }
    }

    /// Looks at a destination, for which something waits, at `due` at the latest. It keeps its turn.
    fn bring_forward(&mut self, of: Destination, due: Timestamp) {
        if self.unwell.get(&of).is_some_and(|unwell| unwell.due.0 > due) {
            self.reschedule(of, due);
        }
    }

    /// Looks at a destination at `due`, if anything waits for it.
    fn reschedule(&mut self, of: Destination, due: Timestamp) {
        let Some(unwell) = self.unwell.get_mut(&of) else { return };
        self.schedule.remove(&(unwell.due, of));
        unwell.due = (due, self.turn);
        self.turn += 1;
        if !unwell.waiting.is_empty() {
            self.schedule.insert((unwell.due, of));
        }
    }

    /// A slot of the window is free again that a destination held: what waits for that may go.
    pub(super) fn released(&mut self, recipient: Recipient, now: Timestamp) {
        if self.waiting > 0 {
            for of in both(recipient) {
                if self.unwell.get(&of).is_some_and(|unwell| unwell.ready_at() <= now) {
                    self.bring_forward(of, now);
                }
            }
        }
    }

    /// The next message that waited and may go, for a link that has `room` for it. `well_only`: of a destination that is
    /// in no trouble, if one is found soon.
    // Each destination that is looked at in vain is due later afterwards.
    pub(super) fn take(
        &mut self,
        well_only: bool,
        mut room: impl FnMut(Prefix, bool) -> Room,
        now: Timestamp,
    ) -> Option<Outgoing> {
        while let Some((due, of)) = self.next_due(well_only, now) {
            let waiting = self.unwell.get_mut(&of).and_then(|unwell| unwell.waiting.pop_front());
            let Some(outgoing) = waiting else {
                self.schedule.remove(&(due, of));
                continue;
            };
            let recipient = outgoing.recipient();
            let mut ready_at = self.of(recipient).map(|(_, unwell)| unwell.ready_at()).max().unwrap_or(now);
            if ready_at <= now {
                let room = room(recipient.prefix, self.is_silent(recipient));
                match room {
                    Room::Yes => {
                        self.waiting -= 1;
                        self.reschedule(of, now);
                        return Some(outgoing);
                    }
                    Room::Elsewhere | Room::Busy | Room::Shut => {}
                    Room::Overdue => self.overdue(recipient, now),
                }
                ready_at = now.plus(match room {
                    Room::Elsewhere => LINK_PAUSE,
                    Room::Shut => SHUT_PAUSE,
                    Room::Yes | Room::Busy | Room::Overdue => SLOT_PAUSE,
                });
            }
            self.unwell.entry(of).and_modify(|unwell| unwell.waiting.push_front(outgoing));
            self.reschedule(of, ready_at);
        }
        None
    }

    /// The first destination that is due, or the first of these that is in no trouble.
    fn next_due(&self, well_only: bool, now: Timestamp) -> Option<((Timestamp, u64), Destination)> {
        let mut due = self.schedule.iter().copied().take_while(|(due, _)| due.0 <= now);
        if !well_only {
            return due.next();
        }
        let is_well = |of: &Destination| {
            let in_trouble = |unwell: &Unwell| unwell.is_troubled() || unwell.throttled;
            matches!(of, Destination::Prefix(_)) && !self.unwell.get(of).is_none_or(in_trouble)
        };
        due.take(LOOKED_AT_MAX).find(|(_, of)| is_well(of))
    }

    /// Forgets what is well again, and counts what waits for the others among the places that they hold.
    pub(super) fn on_time(&mut self, crowds: &Crowds, now: Timestamp) {
        for unwell in self.unwell.values_mut() {
            unwell.pace.on_time(true, now);
        }
        let over = self.unwell.iter().filter(|(_, unwell)| unwell.is_over(now)).map(|(of, _)| *of);
        for of in over.collect::<Vec<_>>() {
            self.forget(of);
        }
        let is_sick = |(of, unwell): (&Destination, &Unwell)| match of {
            Destination::Prefix(prefix) if self.is_sick(*of, unwell, now) => Some(*prefix),
            Destination::Prefix(_) | Destination::Handset(_) => None,
        };
        let sick: BTreeSet<_> = self.unwell.iter().filter_map(is_sick).collect();
        for (of, unwell) in &mut self.unwell {
            // A handset alone is no sick destination.
            let prefix = match of {
                Destination::Prefix(prefix) => Some(*prefix),
                Destination::Handset(_) => unwell.waiting.front().map(|first| first.recipient().prefix),
            };
            let Some(prefix) = prefix.filter(|prefix| sick.contains(prefix)) else {
                unwell.crowd = None;
                continue;
            };
            let is_held_back = unwell.is_held_back(*of, now);
            let crowd = unwell.crowd.get_or_insert_with(|| crowds.of(prefix));
            for outgoing in &mut unwell.waiting {
                if is_held_back {
                    outgoing.tries.until = Some(wait_until(outgoing, now));
                }
                outgoing.join(crowd);
            }
        }
    }

    fn forget(&mut self, of: Destination) {
        let Some(unwell) = self.unwell.remove(&of) else { return };
        self.schedule.remove(&(unwell.due, of));
        if let Some(prefix) = unwell.full_at
            && let Some(of_prefix) = self.unwell.get_mut(&Destination::Prefix(prefix))
        {
            of_prefix.full_handsets = of_prefix.full_handsets.saturating_sub(1);
        }
    }

    /// Takes out a message that has waited for too long.
    pub(super) fn take_overdue(&mut self, now: Timestamp) -> Option<Outgoing> {
        self.take_if(|outgoing| outgoing.tries.until.is_some_and(|until| until <= now))
    }

    /// Takes out the first message that waits for any destination, if it is one of these.
    pub(super) fn take_if(&mut self, is_one: impl Fn(&Outgoing) -> bool) -> Option<Outgoing> {
        if self.waiting == 0 {
            return None;
        }
        let taken =
            self.unwell.values_mut().find_map(|unwell| unwell.waiting.pop_front_if(|first| is_one(first)))?;
        self.waiting -= 1;
        Some(taken)
    }

    /// The destinations that are held back and that something waits for, with the first of it.
    pub(super) fn held_back(&self, now: Timestamp) -> impl Iterator<Item = (Destination, &Outgoing)> {
        let waiting = self.schedule.iter().filter_map(|(_, of)| Some((*of, self.unwell.get(of)?)));
        let held_back = waiting.filter(move |(of, unwell)| self.is_sick(*of, unwell, now));
        held_back.filter_map(|(of, unwell)| Some((of, unwell.waiting.front()?)))
    }

    /// Takes out all messages that wait for a destination, in their order.
    pub(super) fn take_of(&mut self, of: Destination) -> VecDeque<Outgoing> {
        let Some(unwell) = self.unwell.get_mut(&of) else { return VecDeque::new() };
        self.schedule.remove(&(unwell.due, of));
        let taken = std::mem::take(&mut unwell.waiting);
        self.waiting -= taken.len();
        taken
    }

    /// Takes out all messages that wait.
    pub(super) fn take_all(&mut self) -> Vec<Outgoing> {
        (self.schedule, self.waiting) = (BTreeSet::new(), 0);
        self.unwell.values_mut().flat_map(|unwell| std::mem::take(&mut unwell.waiting)).collect()
    }
}

fn both(recipient: Recipient) -> [Destination; 2] {
    [Destination::Handset(recipient.phone), Destination::Prefix(recipient.prefix)]
}
