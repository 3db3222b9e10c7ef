//! What an answer to a challenge comes to.

use super::challenge::{Challenge, State};
use super::lockout::Lock;
use crate::clock::Timestamp;
use crate::named::named;

/// The outcome of an attempt, and of every other act on a challenge that is refused, in the order
/// in which they are decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No challenge of this subscriber has this id.
    UnknownChallenge,
    /// Nothing is compared while the subscriber is locked; also the attempt that locked it.
    Locked(Lock),
    /// The challenge was approved before.
    AlreadyUsed,
    /// The challenge was cancelled.
    Cancelled,
    /// Its time ran out.
    Expired,
    /// It has no attempt left; also the attempt that was the last.
    AttemptsExhausted,
    /// It was issued for another transaction, and is void from now on.
    TransactionChanged,
    /// The right code.
    Approved {
        /// When.
        at: Timestamp,
    },
    /// A wrong code.
    Incorrect {
        /// How many attempts are left.
        attempts_left: u8,
    },
}

named! {
    /// A [`Verdict`] without its details: what it is called.
    pub(crate) enum VerdictKind {
        /// [`Verdict::Approved`].
        Approved = "approved",
        /// [`Verdict::Incorrect`].
        Incorrect = "incorrect",
        /// [`Verdict::UnknownChallenge`].
        UnknownChallenge = "unknown_challenge",
        /// [`Verdict::Locked`].
        Locked = "locked",
        /// [`Verdict::AlreadyUsed`].
        AlreadyUsed = "already_used",
        /// [`Verdict::Cancelled`].
        Cancelled = "cancelled",
        /// [`Verdict::Expired`].
        Expired = "expired",
        /// [`Verdict::AttemptsExhausted`].
        AttemptsExhausted = "attempts_exhausted",
        /// [`Verdict::TransactionChanged`].
        TransactionChanged = "transaction_changed",
    }
}

impl Verdict {
    /// What it is called.
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
            _ => None,
        }
    }

    /// Why `challenge` can no longer be answered at `now`, if so.
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
