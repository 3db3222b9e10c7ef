//! The decisions. Each looks at one subscriber, changes nothing, and returns the outcome with the events that
//! bring it about.

use std::time::Duration;

use super::challenge::{Challenge, Delivery, OpenChallenge, State};
use super::challenge_id::ChallengeId;
use super::code::Code;
use super::commands::{
    Cancel, Cancelled, Decision, Enrol, EnrolRefused, Generate, GenerateRefused, Issued, Presented, Resend,
    ResendRefused, Resent, Verify,
};
use super::id::SubscriberId;
use super::idempotency::{KeyReused, Outcome, Remembered, RememberedAct};
use super::lockout::Lock;
use super::policy::{DAY, Policy};
use super::verdict::Verdict;
use super::{Authenticator, Event, Subscriber};
use crate::clock::Timestamp;

impl Enrol {
    pub(crate) fn decide(&self, subscriber: Option<&Subscriber>) -> Decision<Result<(), EnrolRefused>> {
        match subscriber {
            Some(_) => Decision::unchanged(Err(EnrolRefused::Duplicate)),
            None if !self.has_room => Decision::unchanged(Err(EnrolRefused::Full)),
            None => {
                let (phone, authenticator) = (self.phone, self.authenticator);
                Decision::changed(Ok(()), Event::Enrolled { phone, authenticator })
            }
        }
    }
}

impl Generate<'_> {
    /// As [`Subscriber::generate`]; refused if the subscriber is not enrolled.
    pub(crate) fn decide(
        &self,
        subscriber: Option<&Subscriber>,
        policy: &Policy,
        now: Timestamp,
    ) -> Decision<Outcome<Result<Issued, GenerateRefused>>> {
        let unknown = || Outcome::Fresh(Err(GenerateRefused::UnknownSubscriber));
        subscriber.map_or_else(|| Decision::unchanged(unknown()), |held| held.generate(self, policy, now))
    }
}

impl Verify<'_> {
    /// As [`Subscriber::verify`]; without a subscriber, the challenge is unknown.
    pub(crate) fn decide(
        &self,
        subscriber: Option<&Subscriber>,
        policy: &Policy,
        now: Timestamp,
    ) -> Decision<Outcome<Verdict>> {
        let unknown = || Outcome::Fresh(Verdict::UnknownChallenge);
        subscriber.map_or_else(|| Decision::unchanged(unknown()), |held| held.verify(self, policy, now))
    }
}

impl Resend {
    /// As [`Subscriber::resend`]; without a subscriber, the challenge is unknown.
    pub(crate) fn decide(
        &self,
        subscriber: Option<&Subscriber>,
        policy: &Policy,
        now: Timestamp,
    ) -> Decision<Outcome<Result<Resent, ResendRefused>>> {
        let unknown = || Outcome::Fresh(Err(ResendRefused::Ended(Verdict::UnknownChallenge)));
        subscriber.map_or_else(|| Decision::unchanged(unknown()), |held| held.resend(self, policy, now))
    }
}

impl Cancel {
    /// As [`Subscriber::cancel`]; without a subscriber, the challenge is unknown.
    pub(crate) fn decide(
        &self,
        subscriber: Option<&Subscriber>,
        policy: &Policy,
        now: Timestamp,
    ) -> Decision<Outcome<Result<Cancelled, Verdict>>> {
        let unknown = || Outcome::Fresh(Err(Verdict::UnknownChallenge));
        subscriber.map_or_else(|| Decision::unchanged(unknown()), |held| held.cancel(self, policy, now))
    }
}

impl Subscriber {
    /// Issues a challenge, unless this repeats a call that issued one.
    pub fn generate(
        &self,
        command: &Generate<'_>,
        policy: &Policy,
        now: Timestamp,
    ) -> Decision<Outcome<Result<Issued, GenerateRefused>>> {
        match self.recall(command.idempotency.as_ref(), policy, now) {
            Err(KeyReused) => return Decision::unchanged(Outcome::KeyReused),
            Ok(Some(remembered)) => {
                let challenge = self.challenge(remembered.challenge, now);
                let resend_after = self.resend_after(remembered.challenge, policy, now);
                let issued = challenge.map(|challenge| Ok(self.issued(challenge, resend_after)));
                return Decision::unchanged(issued.map_or(Outcome::KeyReused, Outcome::Replayed));
            }
            Ok(None) => {}
        }
        if let Err(refused) = self.may_issue(command, policy, now) {
            return Decision::unchanged(Outcome::Fresh(Err(refused)));
        }
        let challenge = self.new_challenge(command, policy, now);
        let issued = self.issued(&challenge.challenge, policy.resend_after(1));
        let mut events = self.make_room(policy, now);
        let key = command.idempotency.map(|idempotency| idempotency.remembered(policy));
        events.push(Event::Issued { challenge, key });
        Decision { outcome: Outcome::Fresh(Ok(issued)), events }
    }

    fn may_issue(
        &self,
        command: &Generate<'_>,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<(), GenerateRefused> {
        command.admission.sms(self.phone).map_err(GenerateRefused::Unavailable)?;
        // Whoever has something old to drop gets a new challenge, which takes 64 bytes more at the most, until it has ended.
        if !self.challenges().any(|challenge| challenge.is_forgotten(now)) {
            command.admission.memory.map_err(GenerateRefused::Unavailable)?;
        }
        if self.authenticator != Authenticator::SmsOtp {
            return Err(GenerateRefused::NotOnSmsOtp);
        }
        if let Some(lock) = self.lockout.lock(now) {
            return Err(GenerateRefused::Locked(lock));
        }
        match self.sends_used_up(policy, now) {
            Some(retry_after) => Err(GenerateRefused::SendsUsedUp { retry_after }),
            None => Ok(()),
        }
    }

    /// The time until another SMS may be sent, if the sends of the last 24 hours are used up.
    fn sends_used_up(&self, policy: &Policy, now: Timestamp) -> Option<Duration> {
        let within_a_day = self.sends.iter().filter(|sent| now.since(**sent) < DAY);
        let surplus = within_a_day.clone().count().checked_sub(policy.sends_per_day)?;
        within_a_day.clone().nth(surplus).map(|oldest| oldest.plus(DAY).since(now))
    }

    fn new_challenge(&self, command: &Generate<'_>, policy: &Policy, now: Timestamp) -> OpenChallenge {
        let taken = |id: &&ChallengeId| {
            let reference = id.sms_reference();
            self.challenges().any(|challenge| challenge.id.sms_reference() == reference)
        };
        let [.., last] = &command.draw.ids;
        let challenge = Challenge {
            id: *command.draw.ids.iter().find(|id| !taken(id)).unwrap_or(last),
            issued_at: now,
            expires_at: now.plus(policy.ttl),
            ended: None,
            code_length: policy.code_length(command.subject),
            attempts_max: policy.attempts_max,
            attempts: 0,
            sends: 1,
            locale: command.locale,
            delivery: Delivery::Queued,
        };
        OpenChallenge {
            challenge,
            salt: command.draw.salt,
            digest: command.digest,
            key: policy.keys.active().id(),
            last_sent_at: now,
            resent_after_failure: false,
        }
    }

    /// Cancellations of the oldest open challenges, so that a new one stays within the limit.
    fn make_room(&self, policy: &Policy, now: Timestamp) -> Vec<Event> {
        let open = self.open.iter().map(|open| &open.challenge);
        let open = open.filter(|challenge| challenge.state(now) == State::Open);
        let surplus = (open.clone().count() + 1).saturating_sub(policy.open_max);
        let mut events = Vec::with_capacity(surplus + 1);
        let cancel = |challenge: &Challenge| Event::Cancelled { at: now, challenge: challenge.id, key: None };
        events.extend(open.take(surplus).map(cancel));
        events
    }

    fn issued(&self, challenge: &Challenge, resend_after: Option<Duration>) -> Issued {
        Issued {
            challenge: challenge.id,
            sms_reference: challenge.id.sms_reference(),
            code_length: challenge.code_length,
            issued_at: challenge.issued_at,
            expires_at: challenge.expires_at,
            resend_after,
            attempts_left: challenge.attempts_max,
            phone: self.phone,
        }
    }

    /// Compares the code, unless the challenge cannot be verified, and returns the verdict.
    pub fn verify(
        &self,
        command: &Verify<'_>,
        policy: &Policy,
        now: Timestamp,
    ) -> Decision<Outcome<Verdict>> {
        let presented = &command.presented;
        match self.recall(presented.idempotency.as_ref(), policy, now) {
            Err(KeyReused) => return Decision::unchanged(Outcome::KeyReused),
            Ok(Some(remembered)) => return Decision::unchanged(remembered.verdict()),
            Ok(None) => {}
        }
        let open = match self.answerable(presented, now, self.lockout.lock(now)) {
            Ok(open) => open,
            Err(verdict) => return self.refused(verdict, presented, policy, now).map(Outcome::Fresh),
        };
        let Some(expected) = open.code(command.subscriber, policy) else {
            return Decision::unchanged(Outcome::Fresh(Verdict::Expired));
        };
        let challenge = &open.challenge;
        let verdict = if command.code.matches(&expected) {
            Verdict::Approved { at: now }
        } else {
            self.verdict_of_failure(challenge, policy, now)
        };
        let key = presented.idempotency.map(|idempotency| idempotency.remembered(policy));
        let attempted = Event::Attempted { at: now, challenge: challenge.id, verdict, key };
        Decision::changed(Outcome::Fresh(verdict), attempted)
    }

    fn verdict_of_failure(&self, challenge: &Challenge, policy: &Policy, now: Timestamp) -> Verdict {
        if let Some(lock) = self.lockout.lock_after_failure(&policy.lockout, now) {
            return Verdict::Locked(lock);
        }
        match challenge.attempts_left().saturating_sub(1) {
            0 => Verdict::AttemptsExhausted,
            attempts_left => Verdict::Incorrect { attempts_left },
        }
    }

    /// The challenge that `presented` names, if it can be answered at `now` under `lock`, or else
    /// the verdict, in the order in which verdicts are decided.
    fn answerable(
        &self,
        presented: &Presented,
        now: Timestamp,
        lock: Option<Lock>,
    ) -> Result<&OpenChallenge, Verdict> {
        let challenge = self.challenge(presented.challenge, now).ok_or(Verdict::UnknownChallenge)?;
        if let Some(lock) = lock {
            return Err(Verdict::Locked(lock));
        }
        if let Some(verdict) = Verdict::of_ended(challenge, now) {
            return Err(verdict);
        }
        let open = self.open_challenge(challenge.id).ok_or(Verdict::UnknownChallenge)?;
        if open.digest == presented.digest { Ok(open) } else { Err(Verdict::TransactionChanged) }
    }

    /// A refusal by [`Subscriber::answerable`] with its events: an unknown challenge is counted, and one that
    /// was open for another transaction is voided.
    fn refused(
        &self,
        verdict: Verdict,
        presented: &Presented,
        policy: &Policy,
        now: Timestamp,
    ) -> Decision<Verdict> {
        let open = |challenge: &Challenge| challenge.state(now) == State::Open;
        match verdict {
            Verdict::UnknownChallenge => Decision::changed(verdict, Event::UnknownPresented),
            Verdict::TransactionChanged if self.challenge(presented.challenge, now).is_some_and(open) => {
                let key = presented.idempotency.map(|idempotency| idempotency.remembered(policy));
                let voided = Event::Voided { at: now, challenge: presented.challenge, key };
                Decision::changed(verdict, voided)
            }
            Verdict::TransactionChanged
            | Verdict::Locked(_)
            | Verdict::AlreadyUsed
            | Verdict::Cancelled
            | Verdict::Expired
            | Verdict::AttemptsExhausted
            | Verdict::Approved { .. }
            | Verdict::Incorrect { .. } => Decision::unchanged(verdict),
        }
    }

    /// Has the same code sent again, with the same expiry and the same attempts left.
    pub(crate) fn resend(
        &self,
        command: &Resend,
        policy: &Policy,
        now: Timestamp,
    ) -> Decision<Outcome<Result<Resent, ResendRefused>>> {
        let presented = &command.presented;
        match self.recall(presented.idempotency.as_ref(), policy, now) {
            Err(KeyReused) => return Decision::unchanged(Outcome::KeyReused),
            Ok(Some(remembered)) => {
                return Decision::unchanged(self.replayed_resend(remembered, policy, now));
            }
            Ok(None) => {}
        }
        if let Err(unavailable) = command.admission.sms(self.phone) {
            return Decision::unchanged(Outcome::Fresh(Err(ResendRefused::Unavailable(unavailable))));
        }
        let open = match self.answerable(presented, now, self.lockout.lock(now)) {
            Ok(open) => open,
            Err(verdict) => {
                let refused = self.refused(verdict, presented, policy, now);
                return refused.map(|verdict| Outcome::Fresh(Err(ResendRefused::Ended(verdict))));
            }
        };
        if !open.has_key(policy) {
            return Decision::unchanged(Outcome::Fresh(Err(ResendRefused::Ended(Verdict::Expired))));
        }
        if let Err(refused) = self.may_resend(open, policy, now) {
            return Decision::unchanged(Outcome::Fresh(Err(refused)));
        }
        let challenge = &open.challenge;
        let resend_after = policy.resend_after(challenge.sends.saturating_add(1));
        let resent = self.resent(challenge, challenge.sends, now, resend_after);
        let key = presented.idempotency.map(|idempotency| idempotency.remembered(policy));
        let event = Event::Resent { at: now, challenge: challenge.id, key };
        Decision::changed(Outcome::Fresh(Ok(resent)), event)
    }

    fn may_resend(&self, open: &OpenChallenge, policy: &Policy, now: Timestamp) -> Result<(), ResendRefused> {
        let retry_after = open.resend_after(policy, now).ok_or(ResendRefused::NoneLeft)?;
        if !retry_after.is_zero() {
            return Err(ResendRefused::TooEarly { retry_after });
        }
        match self.sends_used_up(policy, now) {
            Some(retry_after) => Err(ResendRefused::SendsUsedUp { retry_after }),
            None => Ok(()),
        }
    }

    /// The time from `now` until the SMS may be sent again; `None` if it may not.
    fn resend_after(&self, challenge: ChallengeId, policy: &Policy, now: Timestamp) -> Option<Duration> {
        let open = self.open_challenge(challenge)?;
        (open.challenge.state(now) == State::Open).then(|| open.resend_after(policy, now))?
    }

    fn resent(
        &self,
        challenge: &Challenge,
        ordinal: u8,
        at: Timestamp,
        resend_after: Option<Duration>,
    ) -> Resent {
        Resent {
            challenge: challenge.id,
            sms_reference: challenge.id.sms_reference(),
            ordinal,
            at,
            expires_at: challenge.expires_at,
            code_length: challenge.code_length,
            resend_after,
            attempts_left: challenge.attempts_left(),
            locale: challenge.locale,
            phone: self.phone,
        }
    }

    fn replayed_resend(
        &self,
        remembered: &Remembered,
        policy: &Policy,
        now: Timestamp,
    ) -> Outcome<Result<Resent, ResendRefused>> {
        match (remembered.act, self.challenge(remembered.challenge, now)) {
            (RememberedAct::Resent { ordinal, at }, Some(challenge)) => {
                let resend_after = self.resend_after(challenge.id, policy, now);
                Outcome::Replayed(Ok(self.resent(challenge, ordinal, at, resend_after)))
            }
            (RememberedAct::Voided, _) => {
                Outcome::Replayed(Err(ResendRefused::Ended(Verdict::TransactionChanged)))
            }
            (RememberedAct::Resent { .. }, None)
            | (RememberedAct::Issued | RememberedAct::Attempted(_) | RememberedAct::Cancelled { .. }, _) => {
                Outcome::KeyReused
            }
        }
    }

    /// Ends an open challenge. A locked subscriber's challenge can be cancelled too.
    pub(crate) fn cancel(
        &self,
        command: &Cancel,
        policy: &Policy,
        now: Timestamp,
    ) -> Decision<Outcome<Result<Cancelled, Verdict>>> {
        let presented = &command.presented;
        match self.recall(presented.idempotency.as_ref(), policy, now) {
            Err(KeyReused) => return Decision::unchanged(Outcome::KeyReused),
            Ok(Some(remembered)) => return Decision::unchanged(remembered.cancelled()),
            Ok(None) => {}
        }
        let challenge = match self.answerable(presented, now, None) {
            Ok(open) => &open.challenge,
            Err(verdict) => {
                let refused = self.refused(verdict, presented, policy, now);
                return refused.map(|verdict| Outcome::Fresh(Err(verdict)));
            }
        };
        let key = presented.idempotency.map(|idempotency| idempotency.remembered(policy));
        let event = Event::Cancelled { at: now, challenge: challenge.id, key };
        Decision::changed(Outcome::Fresh(Ok(Cancelled { at: now })), event)
    }

    /// The code and the time left until its expiry, for the link that is about to write the SMS: only while
    /// the challenge is open, and only for its newest send. Changes nothing.
    pub fn release(
        &self,
        subscriber: &SubscriberId,
        challenge: ChallengeId,
        ordinal: u8,
        policy: &Policy,
        now: Timestamp,
    ) -> Option<(Code, Duration)> {
        let open = self.open_challenge(challenge)?;
        let challenge = &open.challenge;
        let newest = challenge.sends == ordinal.saturating_add(1);
        if challenge.state(now) != State::Open || !newest || self.lockout.lock(now).is_some() {
            return None;
        }
        Some((open.code(subscriber, policy)?, challenge.expires_at.since(now)))
    }

    /// Ends all open challenges, since the clock may have missed how old they are; returns how many.
    pub(crate) fn expire_open(&self, now: Timestamp) -> Decision<usize> {
        let open = self.open.iter().map(|open| &open.challenge);
        let open = open.filter(|challenge| challenge.state(now) == State::Open);
        let expired = |challenge: &Challenge| Event::Expired { at: now, challenge: challenge.id };
        let events: Vec<_> = open.map(expired).collect();
        Decision { outcome: events.len(), events }
    }

    /// Records the delivery state of one send of a challenge's SMS; true if that changes it. An earlier send
    /// than the newest counts only if it arrived.
    pub(crate) fn report(&self, challenge: ChallengeId, ordinal: u8, delivery: Delivery) -> Decision<bool> {
        let held = self.challenges().find(|held| held.id == challenge);
        let Some(held) = held else { return Decision::unchanged(false) };
        let newest = held.sends == ordinal.saturating_add(1);
        let then = held.delivery.then(delivery);
        if then == held.delivery || !(newest || delivery == Delivery::Delivered) {
            return Decision::unchanged(false);
        }
        Decision::changed(true, Event::Reported { challenge, delivery: then })
    }
}

impl OpenChallenge {
    /// The time from `now` until its SMS may be sent again, 0 if it may at once; `None` if no resend is left.
    fn resend_after(&self, policy: &Policy, now: Timestamp) -> Option<Duration> {
        let wait = policy.resend_after(self.challenge.sends)?;
        // A subscriber whose SMS certainly did not arrive need not wait; only once, so that a bad connection
        // to the SMSC cannot flood a handset.
        let at_once = self.challenge.delivery.has_failed() && !self.resent_after_failure;
        Some(if at_once { Duration::ZERO } else { self.last_sent_at.plus(wait).since(now) })
    }

    /// `None` if its master key is no longer in the key file, so that no code can be right.
    fn code(&self, subscriber: &SubscriberId, policy: &Policy) -> Option<Code> {
        let Challenge { id, code_length, .. } = &self.challenge;
        let keys = policy.keys.find(self.key)?;
        Some(keys.code(subscriber, id, &self.salt, &self.digest, *code_length))
    }
}

impl Remembered {
    fn verdict(&self) -> Outcome<Verdict> {
        match self.act {
            RememberedAct::Attempted(verdict) => Outcome::Replayed(verdict),
            RememberedAct::Voided => Outcome::Replayed(Verdict::TransactionChanged),
            RememberedAct::Issued | RememberedAct::Resent { .. } | RememberedAct::Cancelled { .. } => {
                Outcome::KeyReused
            }
        }
    }

    fn cancelled(&self) -> Outcome<Result<Cancelled, Verdict>> {
        match self.act {
            RememberedAct::Cancelled { at } => Outcome::Replayed(Ok(Cancelled { at })),
            RememberedAct::Voided => Outcome::Replayed(Err(Verdict::TransactionChanged)),
            RememberedAct::Issued | RememberedAct::Attempted(_) | RememberedAct::Resent { .. } => {
                Outcome::KeyReused
            }
        }
    }
}
