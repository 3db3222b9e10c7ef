//! The commands that are decided on a subscriber, their outcomes, and why they are refused.

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
use crate::named::{Named as _, named};

/// The result of a decision.
#[derive(Clone, Debug)]
pub struct Decision<T> {
    /// For the reply.
    pub outcome: T,
    /// The changes, to be applied in this order.
    pub(crate) events: Vec<Event>,
}

impl<T> Decision<T> {
    /// A decision that changes nothing.
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

    /// The lock that it begins, if one.
    pub(crate) fn begins_lock(&self) -> Option<Lock> {
        self.events.iter().find_map(|event| match event {
            Event::Attempted { verdict, .. } => verdict.lock(),
            _ => None,
        })
    }

    pub(super) fn map<U>(self, map: impl FnOnce(T) -> U) -> Decision<U> {
        Decision { outcome: map(self.outcome), events: self.events }
    }
}

/// Random bytes for one challenge, drawn before the lock is taken.
#[derive(Clone, Debug)]
pub struct Draw {
    /// The first whose SMS reference differs from those of the subscriber's challenges is used. With at most
    /// a hundred sends a day and 2^20 references, all three collide once in 10^12 calls; then two SMS carry the
    /// same reference, and nothing else goes wrong.
    pub ids: [ChallengeId; 3],
    /// Of the challenge's code.
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
    /// Names it in all further calls.
    pub challenge: ChallengeId,
    pub(crate) sms_reference: SmsReference,
    pub(crate) code_length: CodeLength,
    pub(crate) issued_at: Timestamp,
    /// The first instant at which it can no longer be answered.
    pub(crate) expires_at: Timestamp,
    /// How long after the issue a resend is possible; `None` if none is allowed.
    pub(crate) resend_after: Option<Duration>,
    pub(crate) attempts_left: u8,
    /// The destination of its SMS.
    pub(crate) phone: Msisdn,
}

/// Why no challenge was issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GenerateRefused {
    /// No subscriber is enrolled under this id.
    UnknownSubscriber,
    /// The call is refused for now.
    Unavailable(Unavailable),
    /// The subscriber confirms with a hard token.
    NotOnSmsOtp,
    /// After too many failures.
    Locked(Lock),
    /// The sends of the last 24 hours are used up.
    SendsUsedUp {
        /// The time until the oldest of these sends is 24 hours old.
        retry_after: Duration,
    },
}

named! {
    /// A [`GenerateRefused`] without its details, by name.
    pub(crate) enum GenerateRefusedKind {
        UnknownSubscriber = "unknown_subscriber",
        NotOnSmsOtp = "not_on_sms_otp",
        Locked = "locked",
        SendsUsedUp = "sends_used_up",
        OutboxFull = "outbox_full",
        NoLink = "no_link",
        SmscFailing = "smsc_failing",
        DestinationFailing = "destination_failing",
        StoreFull = "store_full",
        PhoneChanged = "phone_changed",
    }
}

impl GenerateRefused {
    pub(crate) fn kind(self) -> GenerateRefusedKind {
        match self {
            Self::UnknownSubscriber => GenerateRefusedKind::UnknownSubscriber,
            Self::NotOnSmsOtp => GenerateRefusedKind::NotOnSmsOtp,
            Self::Locked(_) => GenerateRefusedKind::Locked,
            Self::SendsUsedUp { .. } => GenerateRefusedKind::SendsUsedUp,
            Self::Unavailable(Unavailable::OutboxFull) => GenerateRefusedKind::OutboxFull,
            Self::Unavailable(Unavailable::NoLink) => GenerateRefusedKind::NoLink,
            Self::Unavailable(Unavailable::SmscFailing) => GenerateRefusedKind::SmscFailing,
            Self::Unavailable(Unavailable::DestinationFailing) => GenerateRefusedKind::DestinationFailing,
            Self::Unavailable(Unavailable::StoreFull) => GenerateRefusedKind::StoreFull,
            Self::Unavailable(Unavailable::PhoneChanged) => GenerateRefusedKind::PhoneChanged,
        }
    }
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
    /// The code depends on it.
    pub subscriber: &'a SubscriberId,
    /// What the code is said to confirm.
    pub presented: Presented,
    /// As typed in by the subscriber.
    pub code: &'a Code,
}

/// A request to send the code again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resend {
    pub(crate) presented: Presented,
    /// What else the call needs.
    pub(crate) admission: Admission,
}

/// A challenge whose SMS was queued again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resent {
    pub(crate) challenge: ChallengeId,
    pub(crate) sms_reference: SmsReference,
    /// The number of this send; the first SMS is 0.
    pub(crate) ordinal: u8,
    pub(crate) at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) code_length: CodeLength,
    /// How long after this send the next is possible; `None` if none is left.
    pub(crate) resend_after: Option<Duration>,
    pub(crate) attempts_left: u8,
    /// The language of the SMS.
    pub(crate) locale: Locale,
    /// The destination of the SMS.
    pub(crate) phone: Msisdn,
}

/// Why a code was not sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResendRefused {
    /// The call is refused for now.
    Unavailable(Unavailable),
    /// The challenge cannot be verified either.
    Ended(Verdict),
    /// All resends are used up.
    NoneLeft,
    /// Too early after the previous send.
    TooEarly {
        /// The time until the resend is possible.
        retry_after: Duration,
    },
    /// The sends of the last 24 hours are used up.
    SendsUsedUp {
        /// The time until the oldest of these sends is 24 hours old.
        retry_after: Duration,
    },
}

impl ResendRefused {
    /// What the log calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unavailable(unavailable) => unavailable.name(),
            Self::Ended(verdict) => verdict.kind().name(),
            Self::NoneLeft => "no_resend_left",
            Self::TooEarly { .. } => "too_early",
            Self::SendsUsedUp { .. } => "sends_used_up",
        }
    }
}

/// A request to end a challenge.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cancel {
    pub(crate) presented: Presented,
}

/// A challenge was cancelled by the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cancelled {
    pub(crate) at: Timestamp,
}

/// A request to enrol a subscriber.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Enrol {
    /// The registered phone.
    pub(crate) phone: Msisdn,
    /// What the subscriber confirms with.
    pub(crate) authenticator: Authenticator,
    /// Whether the store has room for another subscriber.
    pub(crate) has_room: bool,
}

/// Why a subscriber was not enrolled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnrolRefused {
    /// The subscriber is enrolled already.
    Duplicate,
    /// The store has no room for another subscriber.
    Full,
}
