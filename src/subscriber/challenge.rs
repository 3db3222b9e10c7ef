//! One issued OTP: what it is bound to, how long it lives, what became of it and of its SMS.
//!
//! ```text
//!            right answer                  ┌──────────► Approved
//!            the caller, or a newer one    ├──────────► Cancelled
//!   Open ────another transaction───────────┼──────────► Voided
//!            the last attempt was wrong    ├──────────► Exhausted
//!            (derived from the time)       └──────────► Expired
//! ```

use std::time::Duration;

use super::challenge_id::{ChallengeId, Salt};
use super::code::{CodeLength, KeyId};
use super::transaction::Digest;
use crate::clock::Timestamp;
use crate::named::named;

/// How long an ended challenge, and what was answered about it, can still be asked for.
pub(crate) const ENDED_KEPT_FOR: Duration = Duration::from_secs(10 * 60);

/// For a receipt to come after its message's validity has passed.
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
    /// What became of the newest SMS of a challenge.
    pub(crate) enum Delivery {
        /// Waits to be sent.
        Queued = "queued",
        /// The SMSC took it.
        Accepted = "accepted",
        /// The SMSC says that it reached the handset.
        Delivered = "delivered",
        /// The SMSC says that it will not reach the handset.
        Undelivered = "undelivered",
        /// Its time ran out before it could be sent, or at the SMSC.
        Expired = "expired",
        /// The SMSC refused it.
        Rejected = "rejected",
        /// Nobody knows: it was written and no answer tells whether the SMSC took it, or the SMSC took it and its
        /// validity passed without a receipt. It is not sent again.
        Unknown = "unknown",
        /// Not sent: the challenge had ended, or the gateway stopped.
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

    /// Whether nothing that the SMSC says later may change it, except that it arrived after all.
    fn is_final(self) -> bool {
        match self {
            Self::Delivered | Self::Undelivered | Self::Expired | Self::Rejected | Self::Dropped => true,
            Self::Queued | Self::Accepted | Self::Unknown => false,
        }
    }

    /// The state after a report: final states stay, early ones never come back, and an arrival
    /// outweighs everything.
    #[must_use]
    pub(crate) fn then(self, report: Self) -> Self {
        match (self, report) {
            (Self::Delivered, _) | (_, Self::Delivered) => Self::Delivered,
            (current, _) if current.is_final() => current,
            (_, Self::Queued) | (Self::Accepted, Self::Unknown) => self,
            (_, report) => report,
        }
    }
}

named! {
    /// Where a challenge stands at an instant.
    pub(crate) enum State {
        /// It can be answered.
        Open = "open",
        /// It was answered rightly, once.
        Approved = "approved",
        /// The caller cancelled it, or a newer challenge took its place.
        Cancelled = "cancelled",
        /// Another transaction was presented with it.
        Voided = "voided",
        /// Its last attempt was wrong.
        Exhausted = "attempts_exhausted",
        /// Its time ran out.
        Expired = "expired",
    }
}

/// How an open challenge ended by an act; running out of time is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The right answer.
    Approved,
    /// By the caller or by a newer challenge.
    Cancelled,
    /// Another transaction was presented.
    Voided,
    /// The last attempt was wrong.
    Exhausted,
}

/// One issued OTP. At most 128 bytes: a gateway holds millions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Challenge {
    pub(crate) id: ChallengeId,
    pub(crate) salt: Salt,
    pub(crate) digest: Digest,
    pub(crate) issued_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) last_sent_at: Timestamp,
    pub(crate) ended: Option<(End, Timestamp)>,
    pub(crate) key: KeyId,
    pub(crate) code_length: CodeLength,
    pub(crate) attempts_max: u8,
    pub(crate) attempts: u8,
    pub(crate) sends: u8,
    pub(crate) locale: Locale,
    pub(crate) delivery: Delivery,
    /// A resend has followed an SMS that failed: the next one waits, whatever becomes of this one.
    pub(crate) resent_after_failure: bool,
}

const _: () = assert!(size_of::<Challenge>() <= 128, "a live challenge has at most 128 bytes");

impl Challenge {
    /// Where it stands at `now`. Expiry is derived, not recorded.
    pub(crate) fn state(&self, now: Timestamp) -> State {
        match self.ended {
            Some((End::Approved, _)) => State::Approved,
            Some((End::Cancelled, _)) => State::Cancelled,
            Some((End::Voided, _)) => State::Voided,
            Some((End::Exhausted, _)) => State::Exhausted,
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

    /// Whether it ended so long ago by `now` that it is as if it had never been.
    pub(crate) fn is_forgotten(&self, now: Timestamp) -> bool {
        self.ended_at(now).is_some_and(|ended| now.since(ended) > ENDED_KEPT_FOR)
    }

    /// The first instant at which it can no longer be answered.
    pub(crate) fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// How many attempts are left while it is open.
    pub(crate) fn attempts_left(&self) -> u8 {
        self.attempts_max.saturating_sub(self.attempts)
    }

    /// What is known of its newest SMS at `now`. The SMSC may not deliver it after the expiry; if it has not
    /// said a while later what became of it, nobody knows. Like the expiry that is derived, not recorded.
    pub(crate) fn delivery(&self, now: Timestamp) -> Delivery {
        match self.delivery {
            Delivery::Accepted if now >= self.expires_at.plus(RECEIPT_GRACE) => Delivery::Unknown,
            delivery => delivery,
        }
    }

    /// How many times its SMS was given out to be sent.
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
