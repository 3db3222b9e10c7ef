//! What is asked of a subscriber, what it comes to, and why not.

use std::time::Duration;

use super::admission::{Admission, Unavailable};
use super::challenge::Locale;
use super::challenge_id::{ChallengeId, Salt, SmsReference};
use super::code::{Code, CodeLength};
use super::id::SubscriberId;
use super::idempotency::Idempotency;
use super::lockout::Lock;
use super::transaction::{Digest, Subject};
use super::verdict::Verdict;
use super::{Authenticator, Event, Subscriber};
use crate::clock::Timestamp;
use crate::msisdn::Msisdn;

/// What a decision comes to.
#[derive(Clone, Debug)]
pub struct Decision<T> {
    /// What is to be answered.
    pub outcome: T,
    /// What has happened once they are applied, in order.
    pub(crate) events: Vec<Event>,
}

impl<T> Decision<T> {
    /// A decision after which nothing has changed.
    pub(crate) fn unchanged(outcome: T) -> Self {
        Self { outcome, events: Vec::new() }
    }

    pub(super) fn changed(outcome: T, event: Event) -> Self {
        Self { outcome, events: vec![event] }
    }

    /// Applies the events to the subscriber that was decided on, and returns the outcome.
    pub fn apply_to(self, subscriber: &mut Subscriber) -> T {
        self.events.iter().for_each(|event| subscriber.apply(event));
        self.outcome
    }

    pub(super) fn map<U>(self, map: impl FnOnce(T) -> U) -> Decision<U> {
        Decision { outcome: map(self.outcome), events: self.events }
    }
}

/// Random bytes for one challenge, drawn before the lock is taken.
#[derive(Clone, Debug)]
pub struct Draw {
    /// The first whose SMS reference is new among the subscriber's challenges is taken. With at
    /// most eight held and 2^20 references, all of them are taken once in 10^15 calls; then two
    /// SMS carry the same reference, and nothing else goes wrong.
    pub ids: [ChallengeId; 3],
    /// The challenge's salt.
    pub salt: Salt,
}

/// A request for a challenge.
#[derive(Clone, Debug)]
pub struct Generate<'a> {
    /// What is to be confirmed.
    pub subject: &'a Subject,
    /// The digest of `subject`.
    pub digest: Digest,
    /// The language of the SMS.
    pub locale: Locale,
    /// Random bytes for the challenge.
    pub draw: Draw,
    /// What else the call needs.
    pub admission: Admission,
    /// The call's idempotency key.
    pub idempotency: Option<Idempotency>,
}

/// A challenge that was issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Issued {
    /// Its id.
    pub challenge: ChallengeId,
    /// What its SMS is told by.
    pub(crate) sms_reference: SmsReference,
    /// The digits of its code.
    pub(crate) code_length: CodeLength,
    /// When it was issued.
    pub(crate) issued_at: Timestamp,
    /// The first instant at which it can no longer be answered.
    pub(crate) expires_at: Timestamp,
    /// The earliest resend after the issue; `None` when no resend is allowed.
    pub(crate) resend_after: Option<Duration>,
    /// The attempts that it begins with.
    pub(crate) attempts_left: u8,
    /// Where its SMS goes.
    pub(crate) phone: Msisdn,
}

/// Why no challenge was issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GenerateRefused {
    /// Nobody is enrolled under this id.
    UnknownSubscriber,
    /// The call could not be taken in.
    Unavailable(Unavailable),
    /// The subscriber confirms with a hard token.
    NotOnSmsOtp,
    /// Too many failures.
    Locked(Lock),
    /// The day's sends are used up; the next is possible after this long.
    SendsUsedUp {
        /// How long until the oldest send of the day is a day old.
        retry_after: Duration,
    },
}

/// A challenge and the transaction presented with it.
#[derive(Clone, Copy, Debug)]
pub struct Presented {
    /// The challenge's id.
    pub challenge: ChallengeId,
    /// The digest of what it is to confirm.
    pub digest: Digest,
    /// The call's idempotency key.
    pub idempotency: Option<Idempotency>,
}

/// An answer to a challenge.
#[derive(Clone, Debug)]
pub struct Verify<'a> {
    /// Who answers: the code depends on it.
    pub subscriber: &'a SubscriberId,
    /// What is answered.
    pub presented: Presented,
    /// The digits that were typed in.
    pub code: &'a Code,
}

/// A request to send the code again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resend {
    /// Which challenge.
    pub(crate) presented: Presented,
    /// What else the call needs.
    pub(crate) admission: Admission,
}

/// A code was given out to be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resent {
    /// The challenge, unchanged but for this.
    pub(crate) challenge: ChallengeId,
    /// What its SMS is told by.
    pub(crate) sms_reference: SmsReference,
    /// Which send this is; the first SMS is 0.
    pub(crate) ordinal: u8,
    /// When.
    pub(crate) at: Timestamp,
    /// As at the issue.
    pub(crate) expires_at: Timestamp,
    /// The digits of its code.
    pub(crate) code_length: CodeLength,
    /// The earliest next resend after this one; `None` when none is left.
    pub(crate) resend_after: Option<Duration>,
    /// How many attempts are left.
    pub(crate) attempts_left: u8,
    /// The language of the SMS.
    pub(crate) locale: Locale,
    /// Where it goes.
    pub(crate) phone: Msisdn,
}

/// Why a code was not sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResendRefused {
    /// The call could not be taken in.
    Unavailable(Unavailable),
    /// The challenge cannot be answered either.
    Ended(Verdict),
    /// It was sent as often as it may be.
    NoneLeft,
    /// Too early after the send before.
    TooEarly {
        /// How long it is still too early.
        retry_after: Duration,
    },
    /// The day's sends are used up.
    SendsUsedUp {
        /// How long until the oldest send of the day is a day old.
        retry_after: Duration,
    },
}

/// A request to end a challenge.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cancel {
    /// Which challenge.
    pub(crate) presented: Presented,
}

/// A challenge was cancelled by the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cancelled {
    /// When.
    pub(crate) at: Timestamp,
}

/// A request to enrol a subscriber.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Enrol {
    /// The registered phone.
    pub(crate) phone: Msisdn,
    /// What the subscriber confirms with.
    pub(crate) authenticator: Authenticator,
    /// Whether the store holds fewer subscribers than it may.
    pub(crate) has_room: bool,
}

/// Why a subscriber was not enrolled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnrolRefused {
    /// The subscriber is enrolled already.
    Duplicate,
    /// The store holds as many subscribers as it may.
    Full,
}
