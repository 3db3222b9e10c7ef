//! Messages that an SMSC refused for now, and when each is tried again.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::sms::outbox::{Outgoing, Tries};

/// The first pause before what was refused is tried again, and the longest: a code's life has several of these.
pub(super) const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(16);
/// The most tries that are refused for now.
const TRIES_MAX: u8 = 5;
/// The most times that it goes to another SMSC since its destination takes nothing.
pub(super) const MOVES_MAX: u8 = 5;
/// By the second refusal, another SMSC is to take it.
const TRIES_HERE: u8 = 2;
/// It waits for this part of the time that it has left at first.
const TIME_PART: u32 = 3;

/// What becomes of a message that was refused for now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verdict {
    pub(super) tries: Tries,
    /// When it may be tried again here.
    pub(super) due: Timestamp,
    /// Another SMSC is to take it, if one can.
    pub(super) elsewhere: bool,
    /// Here it is not tried again.
    pub(super) over: bool,
}

impl Verdict {
    /// Of a message that was refused once more. `known`: that was to be expected.
    pub(super) fn of(outgoing: &Outgoing, known: bool, now: Timestamp) -> Self {
        let Tries { count, here, moves, .. } = outgoing.tries;
        let until = wait_until(outgoing, now);
        let pause = PAUSE_MIN * 2_u32.pow(count.min(10).into());
        let due = now.plus(pause.min(PAUSE_MAX));
        let tries = Tries { count: count + 1, here: here + 1, moves, until: Some(until) };
        let over = tries.count >= TRIES_MAX || due >= until;
        Self { tries, due, elsewhere: over || known || tries.here >= TRIES_HERE, over }
    }
}

/// Until when a message may wait that is refused for now, or whose destination is.
pub(super) fn wait_until(outgoing: &Outgoing, now: Timestamp) -> Timestamp {
    let left = || now.plus(outgoing.item.expires_at.since(now) / TIME_PART);
    outgoing.tries.until.unwrap_or_else(left)
}

/// The messages that one SMSC refused for now.
#[derive(Debug, Default)]
pub(super) struct Retries {
    /// By when they are due; the number tells those apart that are due at the same time, in their order.
    waiting: BTreeMap<(Timestamp, u64), Outgoing>,
    next: u64,
}

impl Retries {
    pub(super) fn push(&mut self, outgoing: Outgoing, due: Timestamp) {
        self.waiting.insert((due, self.next), outgoing);
        self.next += 1;
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// All of them.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Outgoing> {
        self.waiting.values_mut()
    }

    /// When the next is due.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.waiting.first_key_value().map(|((due, _), _)| *due)
    }

    /// Takes out one that has waited for too long.
    pub(super) fn take_overdue(&mut self, now: Timestamp) -> Option<Outgoing> {
        self.take_due_if(|outgoing| outgoing.tries.until.is_some_and(|until| until <= now), now)
    }

    /// Takes out the first of these that is due: what is overdue or too old was due before, or is within a second.
    pub(super) fn take_due_if(
        &mut self,
        is_one: impl Fn(&Outgoing) -> bool,
        now: Timestamp,
    ) -> Option<Outgoing> {
        let mut due = self.waiting.range(..=(now, u64::MAX));
        let key = due.find(|(_, outgoing)| is_one(outgoing)).map(|(key, _)| *key)?;
        self.waiting.remove(&key)
    }

    /// Takes out the first.
    pub(super) fn take_any(&mut self) -> Option<Outgoing> {
        self.waiting.pop_first().map(|(_, outgoing)| outgoing)
    }

    /// Takes out all, in their order, with when each is due.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = (Timestamp, Outgoing)> + use<> {
        std::mem::take(&mut self.waiting).into_iter().map(|((due, _), outgoing)| (due, outgoing))
    }
}
