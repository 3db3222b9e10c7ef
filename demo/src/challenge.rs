//! The challenge that the gateway issued for a payment, as the bank remembers it and the page shows it.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::clock;
use crate::details::Details;

/// What the gateway said when it issued the challenge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Terms {
    pub(crate) destination: String,
    pub(crate) sms_reference: String,
    pub(crate) code_length: u8,
    /// RFC 3339.
    pub(crate) expires_at: String,
    pub(crate) ttl_seconds: u64,
    /// Absent when no resend is allowed.
    pub(crate) resend_after_seconds: Option<u64>,
    pub(crate) attempts_left: u8,
}

/// Whether a challenge can still be verified, or how it ended: the gateway's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    Open,
    Approved,
    Cancelled,
    Voided,
    AttemptsExhausted,
    Expired,
}

/// What became of the newest SMS: the gateway's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Delivery {
    Queued,
    Accepted,
    Delivered,
    Undelivered,
    Expired,
    Rejected,
    Unknown,
    Dropped,
}

impl Delivery {
    /// Whether it is certain that the SMS did not arrive.
    fn has_failed(self) -> bool {
        matches!(self, Self::Undelivered | Self::Expired | Self::Rejected | Self::Dropped)
    }
}

/// What the gateway says of a challenge when it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LookedUp {
    pub(crate) state: State,
    pub(crate) delivery: Delivery,
    pub(crate) attempts_left: u8,
}

/// A challenge, and the times that count for its customer.
#[derive(Clone, Debug)]
pub(crate) struct Challenge {
    pub(crate) id: String,
    terms: Terms,
    /// What it was issued for; the payment may have been changed since.
    details: Details,
    ends_at: Instant,
    /// When the SMS may be sent again, if at all.
    resend_at: Option<Instant>,
    /// What became of its newest SMS, as far as the gateway was asked.
    delivery: Delivery,
    /// Whether one that failed was sent again: only once need nobody wait, as the gateway has it.
    resent_after_failure: bool,
}

/// A challenge as the page shows it. Times are what is left of them, so that the visitor's clock does not matter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ShownChallenge {
    #[serde(flatten)]
    terms: Terms,
    details: Details,
    left_ms: u64,
    resend_in_ms: Option<u64>,
    /// The three below are absent when the gateway did not say.
    state: Option<State>,
    delivery: Option<Delivery>,
    attempts_left_now: Option<u8>,
}

impl Challenge {
    pub(crate) fn new(id: String, terms: Terms, details: Details, now: Instant) -> Self {
        let ends_at = now + Duration::from_secs(terms.ttl_seconds);
        let resend_at = after(now, terms.resend_after_seconds);
        Self {
            id,
            terms,
            details,
            ends_at,
            resend_at,
            delivery: Delivery::Queued,
            resent_after_failure: false,
        }
    }

    /// The gateway said what became of its newest SMS.
    pub(crate) fn learn(&mut self, delivery: Delivery) {
        self.delivery = delivery;
    }

    /// Its SMS was sent again; the next time may be after this many seconds.
    pub(crate) fn resent(&mut self, resend_after_seconds: Option<u64>, now: Instant) {
        self.resend_at = after(now, resend_after_seconds);
        self.resent_after_failure |= self.delivery.has_failed();
        self.delivery = Delivery::Queued;
    }

    /// For the page, at `now`.
    pub(crate) fn shown(&self, looked_up: Option<LookedUp>, now: Instant) -> ShownChallenge {
        let left_ms = |until: Instant| clock::millis(until.saturating_duration_since(now));
        let has_failed = looked_up.is_some_and(|found| found.delivery.has_failed());
        let at_once = has_failed && !self.resent_after_failure;
        let resend_at = if at_once { self.resend_at.map(|_| now) } else { self.resend_at };
        ShownChallenge {
            terms: self.terms.clone(),
            details: self.details.clone(),
            left_ms: left_ms(self.ends_at),
            resend_in_ms: resend_at.map(left_ms),
            state: looked_up.map(|found| found.state),
            delivery: looked_up.map(|found| found.delivery),
            attempts_left_now: looked_up.map(|found| found.attempts_left),
        }
    }
}

fn after(now: Instant, seconds: Option<u64>) -> Option<Instant> {
    seconds.map(|seconds| now + Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::details::tests::form;

    const ACCEPTED: LookedUp =
        LookedUp { state: State::Open, delivery: Delivery::Accepted, attempts_left: 3 };

    fn challenge(now: Instant) -> Challenge {
        let terms = Terms {
            destination: "+62812*****01".into(),
            sms_reference: "KY3D".into(),
            code_length: 6,
            expires_at: "2026-11-22T09:15:00Z".into(),
            ttl_seconds: 180,
            resend_after_seconds: Some(30),
            attempts_left: 3,
        };
        Challenge::new("9f86".into(), terms, Details::parse(form()).unwrap(), now)
    }

    #[test]
    fn the_time_left_goes_on_while_nobody_looks() {
        let now = clock::now();
        let (challenge, later) = (challenge(now), now + Duration::from_secs(20));
        let shown = challenge.shown(Some(ACCEPTED), later);
        assert_eq!((shown.left_ms, shown.resend_in_ms), (160_000, Some(10_000)));
        let ended = challenge.shown(None, now + Duration::from_secs(1_000));
        assert_eq!((ended.left_ms, ended.resend_in_ms, ended.state), (0, Some(0), None));
    }

    fn wait(challenge: &Challenge, delivery: Delivery, now: Instant) -> Option<u64> {
        challenge.shown(Some(LookedUp { delivery, ..ACCEPTED }), now).resend_in_ms
    }

    const FAILED: [Delivery; 4] =
        [Delivery::Undelivered, Delivery::Expired, Delivery::Rejected, Delivery::Dropped];

    #[test]
    fn an_sms_that_certainly_failed_may_be_sent_again_at_once_and_no_other() {
        let now = clock::now();
        let mut challenge = challenge(now);
        for failed in FAILED {
            assert_eq!(wait(&challenge, failed, now), Some(0), "{failed:?}");
        }
        for other in [Delivery::Queued, Delivery::Accepted, Delivery::Delivered, Delivery::Unknown] {
            assert_eq!(wait(&challenge, other, now), Some(30_000), "{other:?}");
        }
        challenge.resent(None, now);
        assert_eq!(wait(&challenge, Delivery::Undelivered, now), None, "no resend is left");
    }

    #[test]
    fn whichever_sms_fails_it_is_sent_again_at_once_and_only_once() {
        let now = clock::now();
        let mut challenge = challenge(now);
        challenge.learn(Delivery::Unknown);
        challenge.resent(Some(60), now);
        assert_eq!(wait(&challenge, Delivery::Undelivered, now), Some(0), "the second is the first to fail");
        challenge.learn(Delivery::Undelivered);
        challenge.resent(Some(60), now);
        for failed in FAILED {
            assert_eq!(wait(&challenge, failed, now), Some(60_000), "{failed:?}");
        }
    }
}
