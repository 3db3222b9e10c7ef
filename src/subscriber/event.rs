//! What happened to a subscriber, and the only place where a subscriber changes: [`Subscriber::apply`].

use super::Subscriber;
use super::challenge::{Challenge, ChallengeId, Delivery, End};
use super::idempotency::{Mark, Remembered, RememberedAct};
use super::policy::DAY;
use super::verdict::Verdict;
use crate::clock::Timestamp;

/// How many ended challenges an entry holds; with the day's quota of sends, more are an attack.
pub(crate) const ENDED_KEPT_MAX: usize = 5;

/// One change of one subscriber.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A challenge was issued and its first SMS given out to be sent.
    Issued {
        /// The challenge as it begins.
        challenge: Challenge,
        /// The idempotency key of the call, if it had one.
        mark: Option<Mark>,
    },
    /// An answer was compared.
    Attempted {
        /// When.
        at: Timestamp,
        /// Which challenge was answered.
        challenge: ChallengeId,
        /// Approved, incorrect, attempts exhausted or locked.
        verdict: Verdict,
        /// The idempotency key of the call, if it had one.
        mark: Option<Mark>,
    },
    /// A challenge was presented with another transaction, which voids it.
    Voided {
        /// When.
        at: Timestamp,
        /// Which challenge.
        challenge: ChallengeId,
        /// The idempotency key of the call, if it had one.
        mark: Option<Mark>,
    },
    /// The same code was given out to be sent once more.
    Resent {
        /// When.
        at: Timestamp,
        /// Which challenge.
        challenge: ChallengeId,
        /// The idempotency key of the call, if it had one.
        mark: Option<Mark>,
    },
    /// A challenge was cancelled, by the caller or to make room for a newer one.
    Cancelled {
        /// When.
        at: Timestamp,
        /// Which challenge.
        challenge: ChallengeId,
        /// The idempotency key of the call, if it had one.
        mark: Option<Mark>,
    },
    /// An id that is none of this subscriber's challenges was presented.
    UnknownPresented,
    /// News of a challenge's SMS.
    Reported {
        /// Which challenge.
        challenge: ChallengeId,
        /// Its delivery state from now on.
        delivery: Delivery,
    },
}

impl Subscriber {
    /// Takes in one event. Live operation, recovery and tests all come through here.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Issued { challenge, mark } => self.apply_issued(challenge, *mark),
            Event::Attempted { at, challenge, verdict, mark } => {
                self.apply_attempted(*at, *challenge, *verdict, *mark);
            }
            Event::Voided { at, challenge, mark } => {
                self.end(*challenge, End::Voided, *at);
                self.remember(*challenge, *mark, RememberedAct::Voided);
            }
            Event::Resent { at, challenge, mark } => self.apply_resent(*at, *challenge, *mark),
            Event::Cancelled { at, challenge, mark } => {
                self.end(*challenge, End::Cancelled, *at);
                self.remember(*challenge, *mark, RememberedAct::Cancelled { at: *at });
            }
            Event::UnknownPresented => {
                self.unknown_presented = self.unknown_presented.saturating_add(1);
            }
            Event::Reported { challenge, delivery } => {
                if let Some(challenge) = self.challenge_mut(*challenge) {
                    challenge.delivery = *delivery;
                }
            }
        }
    }

    fn apply_issued(&mut self, challenge: &Challenge, mark: Option<Mark>) {
        self.forget_ended(challenge.issued_at);
        self.note_send(challenge.issued_at);
        // One exact place: most subscribers have one challenge, and a gateway holds millions.
        self.challenges.reserve_exact(1);
        self.challenges.push(challenge.clone());
        self.remember(challenge.id, mark, RememberedAct::Issued);
    }

    fn apply_attempted(&mut self, at: Timestamp, id: ChallengeId, verdict: Verdict, mark: Option<Mark>) {
        let Some(challenge) = self.challenge_mut(id) else { return };
        challenge.attempts = challenge.attempts.saturating_add(1);
        let out_of_attempts = challenge.attempts >= challenge.attempts_max;
        if let Verdict::Approved { .. } = verdict {
            self.end(id, End::Approved, at);
            self.lockout.succeeded();
        } else {
            if out_of_attempts {
                self.end(id, End::Exhausted, at);
            }
            self.lockout.failed(verdict.lock());
        }
        self.remember(id, mark, RememberedAct::Attempted(verdict));
    }

    fn apply_resent(&mut self, at: Timestamp, id: ChallengeId, mark: Option<Mark>) {
        self.note_send(at);
        let Some(challenge) = self.challenge_mut(id) else { return };
        let ordinal = challenge.sends;
        challenge.sends = challenge.sends.saturating_add(1);
        challenge.last_sent_at = at;
        challenge.resent_after_failure |= challenge.delivery.has_failed();
        challenge.delivery = Delivery::Queued;
        self.remember(id, mark, RememberedAct::Resent { ordinal, at });
    }

    fn challenge_mut(&mut self, id: ChallengeId) -> Option<&mut Challenge> {
        self.challenges.iter_mut().find(|challenge| challenge.id == id)
    }

    fn end(&mut self, id: ChallengeId, end: End, at: Timestamp) {
        if let Some(challenge) = self.challenge_mut(id) {
            challenge.ended = Some((end, at));
        }
    }

    /// Drops challenges that ended a while ago, then those that ended first past the bound, and with them
    /// what was remembered about them. What is dropped gives its memory back.
    fn forget_ended(&mut self, now: Timestamp) {
        self.challenges.retain(|challenge| !challenge.is_forgotten(now));
        let mut ends: Vec<Timestamp> = self.challenges.iter().filter_map(|c| c.ended_at(now)).collect();
        ends.sort_unstable();
        for end in &ends[..ends.len().saturating_sub(ENDED_KEPT_MAX)] {
            let first = self.challenges.iter().position(|challenge| challenge.ended_at(now) == Some(*end));
            first.map(|first| self.challenges.remove(first));
        }
        let challenges = &self.challenges;
        self.remembered.retain(|remembered| challenges.iter().any(|c| c.id == remembered.challenge));
        self.challenges.shrink_to_fit();
        self.remembered.shrink_to_fit();
    }

    fn note_send(&mut self, at: Timestamp) {
        self.sends.retain(|sent| at.since(*sent) < DAY);
        self.sends.shrink_to_fit();
        self.sends.reserve_exact(1);
        self.sends.push(at);
    }

    fn remember(&mut self, challenge: ChallengeId, mark: Option<Mark>, act: RememberedAct) {
        if let Some(mark) = mark {
            self.remembered.reserve_exact(1);
            self.remembered.push(Remembered { mark, challenge, act });
        }
    }
}
