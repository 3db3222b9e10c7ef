//! The changes of a subscriber, and the only place where a subscriber changes: [`Subscriber::apply`].

use super::challenge::{Challenge, Delivery, End, OpenChallenge};
use super::challenge_id::ChallengeId;
use super::idempotency::{Remembered, RememberedAct, RememberedKey};
use super::policy::DAY;
use super::verdict::Verdict;
use super::{Authenticator, Subscriber};
use crate::clock::Timestamp;
use crate::msisdn::Msisdn;

/// One change of one subscriber.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The first event of every subscriber, which occurs once.
    Enrolled { phone: Msisdn, authenticator: Authenticator },
    /// A challenge was issued and its first SMS queued.
    Issued { challenge: OpenChallenge, key: Option<RememberedKey> },
    /// A code was compared.
    Attempted {
        at: Timestamp,
        challenge: ChallengeId,
        /// Approved, incorrect, attempts exhausted or locked.
        verdict: Verdict,
        key: Option<RememberedKey>,
    },
    /// A challenge was presented with another transaction, which voids it.
    Voided { at: Timestamp, challenge: ChallengeId, key: Option<RememberedKey> },
    /// The SMS was queued again, with the same code.
    Resent { at: Timestamp, challenge: ChallengeId, key: Option<RememberedKey> },
    /// A challenge was cancelled, by the caller or to make room for a newer one.
    Cancelled { at: Timestamp, challenge: ChallengeId, key: Option<RememberedKey> },
    /// A challenge is taken to have expired, since the clock may have missed how old it is.
    Expired { at: Timestamp, challenge: ChallengeId },
    /// A challenge id was presented that the subscriber does not have.
    UnknownPresented,
    /// The delivery state of a challenge's newest SMS changed.
    Reported { challenge: ChallengeId, delivery: Delivery },
}

impl Subscriber {
    /// The subscriber that begins with this event.
    ///
    /// # Panics
    ///
    /// If it is not `Enrolled`: no decision on an absent subscriber makes another.
    pub(crate) fn from_first(event: &Event) -> Self {
        match event {
            Event::Enrolled { phone, authenticator } => Self::new(*phone, *authenticator),
            Event::Issued { .. }
            | Event::Attempted { .. }
            | Event::Voided { .. }
            | Event::Resent { .. }
            | Event::Cancelled { .. }
            | Event::Expired { .. }
            | Event::UnknownPresented
            | Event::Reported { .. } => panic!("a subscriber begins by being enrolled, not by {event:?}"),
        }
    }

    /// Applies one event, in operation as in tests.
    ///
    /// # Panics
    ///
    /// On a second [`Event::Enrolled`]: no decision makes one.
    pub(crate) fn apply(&mut self, event: &Event) {
        match event {
            // Taken in again it would forget failures and locks.
            Event::Enrolled { .. } => panic!("a subscriber is enrolled once"),
            Event::Issued { challenge, key } => self.apply_issued(challenge, *key),
            Event::Attempted { at, challenge, verdict, key } => {
                self.apply_attempted(*at, *challenge, *verdict, *key);
            }
            Event::Voided { at, challenge, key } => {
                self.end(*challenge, End::Voided, *at);
                self.remember(*challenge, *key, RememberedAct::Voided);
            }
            Event::Resent { at, challenge, key } => self.apply_resent(*at, *challenge, *key),
            Event::Cancelled { at, challenge, key } => {
                self.end(*challenge, End::Cancelled, *at);
                self.remember(*challenge, *key, RememberedAct::Cancelled { at: *at });
            }
            Event::Expired { at, challenge } => self.end(*challenge, End::Expired, *at),
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

    fn apply_issued(&mut self, issued: &OpenChallenge, key: Option<RememberedKey>) {
        self.forget_ended(issued.challenge.issued_at);
        self.note_send(issued.challenge.issued_at);
        // Room for exactly one: most subscribers have one challenge, and a gateway holds millions.
        self.open.reserve_exact(1);
        self.open.push(issued.clone());
        self.remember(issued.challenge.id, key, RememberedAct::Issued);
    }

    fn apply_attempted(
        &mut self,
        at: Timestamp,
        id: ChallengeId,
        verdict: Verdict,
        key: Option<RememberedKey>,
    ) {
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
        self.remember(id, key, RememberedAct::Attempted(verdict));
    }

    fn apply_resent(&mut self, at: Timestamp, id: ChallengeId, key: Option<RememberedKey>) {
        self.note_send(at);
        let Some(open) = self.open.iter_mut().find(|open| open.challenge.id == id) else { return };
        open.last_sent_at = at;
        open.resent_after_failure |= open.challenge.delivery.has_failed();
        let ordinal = open.challenge.sends;
        open.challenge.sends = ordinal.saturating_add(1);
        open.challenge.delivery = Delivery::Queued;
        self.remember(id, key, RememberedAct::Resent { ordinal, at });
    }

    fn challenge_mut(&mut self, id: ChallengeId) -> Option<&mut Challenge> {
        let open = self.open.iter_mut().map(|open| &mut open.challenge);
        open.chain(&mut self.ended).find(|challenge| challenge.id == id)
    }

    /// Keeps of a challenge that ends what may still be asked for.
    fn end(&mut self, id: ChallengeId, end: End, at: Timestamp) {
        let Some(index) = self.open.iter().position(|open| open.challenge.id == id) else { return };
        let mut challenge = self.open.remove(index).challenge;
        challenge.ended = Some((end, at));
        self.open.shrink_to_fit();
        self.ended.reserve_exact(1);
        self.ended.push(challenge);
    }

    /// Drops challenges that ended more than ten minutes ago, with the calls that are remembered about them, and frees
    /// their memory. The sends per day bound what is kept.
    fn forget_ended(&mut self, now: Timestamp) {
        while let Some(expired) = self.open.iter().map(|open| &open.challenge).find(|c| now >= c.expires_at) {
            self.end(expired.id, End::Expired, expired.expires_at);
        }
        self.ended.retain(|challenge| !challenge.is_forgotten(now));
        self.ended.shrink_to_fit();
        let Self { open, ended, remembered, .. } = self;
        let is_held = |id| open.iter().map(|open| &open.challenge).chain(&*ended).any(|held| held.id == id);
        remembered.retain(|remembered| is_held(remembered.challenge));
        remembered.shrink_to_fit();
    }

    fn note_send(&mut self, at: Timestamp) {
        self.sends.retain(|sent| at.since(*sent) < DAY);
        self.sends.shrink_to_fit();
        self.sends.reserve_exact(1);
        self.sends.push(at);
    }

    fn remember(&mut self, challenge: ChallengeId, key: Option<RememberedKey>, act: RememberedAct) {
        if let Some(key) = key {
            self.remembered.reserve_exact(1);
            self.remembered.push(Remembered { key, challenge, act });
        }
    }
}
