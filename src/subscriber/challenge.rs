//! One issued OTP: what it is bound to, its lifetime, its state and the delivery of its SMS.
//!
//! ```text
//!            right code                    ┌──────────► Approved
//!            the caller, or a newer one    ├──────────► Cancelled
//!   Open ────another transaction───────────┼──────────► Voided
//!            the last attempt was wrong    ├──────────► Exhausted
//!            (derived from the time)       └──────────► Expired   (see also `Event::Expired`)
//! ```

use std::time::Duration;

use super::challenge_id::{ChallengeId, Salt};
use super::code::{CodeLength, KeyId};
use super::policy::Policy;
use super::transaction::Digest;
use crate::clock::Timestamp;
use crate::named::named;

/// How long an ended challenge, and the replies about it, are remembered.
pub(crate) const ENDED_KEPT_FOR: Duration = Duration::from_secs(10 * 60);

/// How long after its message's validity a receipt may still arrive.
const RECEIPT_GRACE: Duration = Duration::from_secs(30);

named! {
    /// The language of the SMS.
    pub enum Locale {
        /// Indonesian.
        Id = "id",
        /// English.
        En = "en",
    }
}

named! {
    /// The delivery state of a challenge's newest SMS.
    pub(crate) enum Delivery {
        /// Waiting to be sent.
        Queued = "queued",
        /// The SMSC accepted it.
        Accepted = "accepted",
        /// Reached the handset, as the SMSC reports.
        Delivered = "delivered",
        /// Will not reach the handset, as the SMSC reports.
        Undelivered = "undelivered",
        /// Its time ran out before it could be sent, or at the SMSC.
        Expired = "expired",
        /// The SMSC refused it.
        Rejected = "rejected",
        /// Not known: it was written and the SMSC did not answer, or the SMSC accepted it and its validity
        /// passed without a receipt. It is not sent again.
        Unknown = "unknown",
        /// Not sent: the challenge had ended, its network took nothing, or the gateway shut down.
        Dropped = "dropped",
    }
}

impl Delivery {
    /// Whether it is certain that the SMS does not reach the handset.
    pub(crate) fn has_failed(self) -> bool {
        match self {
            Self::Undelivered | Self::Expired | Self::Rejected | Self::Dropped => true,
            Self::Queued | Self::Accepted | Self::Delivered | Self::Unknown => false,
        }
    }

    /// Whether a later report changes it only if the SMS arrived after all.
    fn is_final(self) -> bool {
        match self {
            Self::Delivered | Self::Undelivered | Self::Expired | Self::Rejected | Self::Dropped => true,
            Self::Queued | Self::Accepted | Self::Unknown => false,
        }
    }

    /// The state after a report: `Delivered` always wins, final states stay, and reports that arrive out of
    /// order are ignored.
    #[must_use]
    pub(crate) fn then(self, report: Self) -> Self {
        match (self, report) {
            (Self::Delivered, _) | (_, Self::Delivered) => Self::Delivered,
            (current, _) if current.is_final() => current,
            (_, Self::Queued) | (Self::Accepted, Self::Unknown) => self,
            (
                _,
                Self::Accepted
                | Self::Undelivered
                | Self::Expired
                | Self::Rejected
                | Self::Unknown
                | Self::Dropped,
            ) => report,
        }
    }
}

named! {
    /// The state of a challenge at an instant.
    pub(crate) enum State {
        /// It can be answered.
        Open = "open",
        /// The right code was presented.
        Approved = "approved",
        /// The caller cancelled it, or a newer challenge replaced it.
        Cancelled = "cancelled",
        /// Another transaction was presented with it.
        Voided = "voided",
        /// Its last attempt was wrong.
        Exhausted = "attempts_exhausted",
        /// Its time ran out.
        Expired = "expired",
    }
}

/// How a challenge ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The right code.
    Approved,
    /// By the caller or by a newer challenge.
    Cancelled,
    /// Another transaction was presented.
    Voided,
    /// The last attempt was wrong.
    Exhausted,
    /// Its time ran out, or so much of it may have that it is taken to have.
    Expired,
}

/// One issued OTP, with all that is remembered of it once it has ended. At most 56 bytes: a gateway holds millions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Challenge {
    pub(crate) id: ChallengeId,
    pub(crate) issued_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) ended: Option<(End, Timestamp)>,
    pub(crate) code_length: CodeLength,
    pub(crate) attempts_max: u8,
    pub(crate) attempts: u8,
    pub(crate) sends: u8,
    pub(crate) locale: Locale,
    pub(crate) delivery: Delivery,
}

/// A challenge that no event has ended, with what its code is derived from; it may have expired. At most 128 bytes.
///
/// From what is kept once it has ended its code cannot be derived, not even with the master key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OpenChallenge {
    pub(crate) challenge: Challenge,
    pub(crate) salt: Salt,
    pub(crate) digest: Digest,
    pub(crate) key: KeyId,
    pub(crate) last_sent_at: Timestamp,
    /// A failed SMS was resent at once: the next resend waits, even if this one fails, too.
    pub(crate) resent_after_failure: bool,
}

const _: () = assert!(size_of::<Challenge>() <= 56, "an ended challenge has at most 56 bytes");
const _: () = assert!(size_of::<OpenChallenge>() <= 128, "an open challenge has at most 128 bytes");

impl OpenChallenge {
    /// Whether the master key that it was issued under is still in the key file: without, no code can be right.
    pub(crate) fn has_key(&self, policy: &Policy) -> bool {
        policy.keys.find(self.key).is_some()
    }
}

impl Challenge {
    /// Expiry is derived from `now`.
    pub(crate) fn state(&self, now: Timestamp) -> State {
        match self.ended {
            Some((End::Approved, _)) => State::Approved,
            Some((End::Cancelled, _)) => State::Cancelled,
            Some((End::Voided, _)) => State::Voided,
            Some((End::Exhausted, _)) => State::Exhausted,
            Some((End::Expired, _)) => State::Expired,
            None if now >= self.expires_at => State::Expired,
            None => State::Open,
        }
    }

    /// When it ended, if it has by `now`.
    pub(crate) fn ended_at(&self, now: Timestamp) -> Option<Timestamp> {
        match self.ended {
            Some((_, at)) => Some(at),
            None => (now >= self.expires_at).then_some(self.expires_at),
        }
    }

    /// Whether it ended too long before `now` to be remembered.
    pub(crate) fn is_forgotten(&self, now: Timestamp) -> bool {
        self.ended_at(now).is_some_and(|ended| now.since(ended) > ENDED_KEPT_FOR)
    }

    /// The first instant at which it can no longer be answered.
    pub(crate) fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// Meaningful while it is open.
    pub(crate) fn attempts_left(&self) -> u8 {
        self.attempts_max.saturating_sub(self.attempts)
    }

    /// The state of its newest SMS at `now`. The SMSC may not deliver it after the expiry; without a receipt
    /// within [`RECEIPT_GRACE`] its state is unknown. That is derived from `now`, not recorded.
    pub(crate) fn delivery(&self, now: Timestamp) -> Delivery {
        let is_overdue = self.delivery == Delivery::Accepted && now >= self.expires_at.plus(RECEIPT_GRACE);
        if is_overdue { Delivery::Unknown } else { self.delivery }
    }

    /// How many SMS were queued for it.
    pub(crate) fn sends(&self) -> u8 {
        self.sends
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_never_takes_an_arrival_back() {
        use Delivery::{Accepted, Delivered, Dropped, Queued, Undelivered, Unknown};
        assert_eq!(Queued.then(Accepted), Accepted);
        assert_eq!(Accepted.then(Delivered), Delivered);
        assert_eq!(Delivered.then(Undelivered), Delivered);
        assert_eq!(Undelivered.then(Accepted), Undelivered);
        assert_eq!(Undelivered.then(Delivered), Delivered);
        assert_eq!(Unknown.then(Accepted), Accepted);
        assert_eq!(Accepted.then(Unknown), Accepted);
        assert_eq!(Dropped.then(Unknown), Dropped);
    }
}
