//! The outcomes of an attempt.

use super::challenge::{Challenge, State};
use super::lockout::Lock;
use crate::clock::Timestamp;
use crate::named::named;

/// The outcome of an attempt, and why a resend or a cancellation is refused, in the order in which they are
/// decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The subscriber has no challenge with this id.
    UnknownChallenge,
    /// The subscriber is locked, so that nothing was compared; or this attempt locked it.
    Locked(Lock),
    /// The challenge was approved before.
    AlreadyUsed,
    /// The challenge was cancelled.
    Cancelled,
    /// The challenge expired.
    Expired,
    /// It had no attempt left; or this attempt was its last, and wrong.
    AttemptsExhausted,
    /// The challenge was issued for another transaction, and is voided.
    TransactionChanged,
    /// The right code.
    Approved {
        /// When the code was compared.
        at: Timestamp,
    },
    /// A wrong code.
    Incorrect {
        /// At least 1: the last attempt ends the challenge.
        attempts_left: u8,
    },
}

named! {
    /// A [`Verdict`] without its details, by name.
    pub(crate) enum VerdictKind {
        Approved = "approved",
        Incorrect = "incorrect",
        UnknownChallenge = "unknown_challenge",
        Locked = "locked",
        AlreadyUsed = "already_used",
        Cancelled = "cancelled",
        Expired = "expired",
        AttemptsExhausted = "attempts_exhausted",
        TransactionChanged = "transaction_changed",
    }
}

impl Verdict {
    pub(crate) fn kind(self) -> VerdictKind {
        match self {
            Self::Approved { .. } => VerdictKind::Approved,
            Self::Incorrect { .. } => VerdictKind::Incorrect,
            Self::UnknownChallenge => VerdictKind::UnknownChallenge,
            Self::Locked(_) => VerdictKind::Locked,
            Self::AlreadyUsed => VerdictKind::AlreadyUsed,
            Self::Cancelled => VerdictKind::Cancelled,
            Self::Expired => VerdictKind::Expired,
            Self::AttemptsExhausted => VerdictKind::AttemptsExhausted,
            Self::TransactionChanged => VerdictKind::TransactionChanged,
        }
    }

    /// The lock of a `Locked`.
    pub(crate) fn lock(self) -> Option<Lock> {
        match self {
            Self::Locked(lock) => Some(lock),
            Self::UnknownChallenge
            | Self::AlreadyUsed
            | Self::Cancelled
            | Self::Expired
            | Self::AttemptsExhausted
            | Self::TransactionChanged
            | Self::Approved { .. }
            | Self::Incorrect { .. } => None,
        }
    }

    /// Why `challenge` can no longer be verified at `now`; `None` while it is open.
    pub(crate) fn of_ended(challenge: &Challenge, now: Timestamp) -> Option<Self> {
        match challenge.state(now) {
            State::Open => None,
            State::Approved => Some(Self::AlreadyUsed),
            State::Cancelled => Some(Self::Cancelled),
            State::Expired => Some(Self::Expired),
            State::Exhausted => Some(Self::AttemptsExhausted),
            State::Voided => Some(Self::TransactionChanged),
        }
    }
}
