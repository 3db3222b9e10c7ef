//! What the bank answers the page: the gateway's replies, reduced to what a customer needs to know.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::challenge::{Delivery, LookedUp, ShownChallenge, State, Terms};
use crate::clock;
use crate::details::{Details, Field};
use crate::payment::{Lock, Receipt, SubscriberId};

/// The answer to everything that the page does. The page has a sentence for each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// The bank keeps the payment's details.
    Saved {
        payment_id: String,
    },
    /// A field of the form is not as it must be.
    Invalid {
        field: Field,
    },
    /// The bank keeps no such payment, or no longer.
    NotFound,
    /// The payment was made; it can be neither changed nor confirmed again.
    AlreadyConfirmed,
    /// The payment as the bank keeps it, for a page that was loaded anew or follows the SMS.
    Kept(Box<Kept>),
    /// A code is on its way.
    Sent(Terms),
    /// What became of each of several codes that were presented at once, in the order of the codes.
    AtOnce {
        outcomes: Vec<Self>,
    },
    /// The same code is on its way again.
    Resent {
        resend_after_seconds: Option<u64>,
    },
    /// The code was right: the payment is made.
    Approved {
        receipt: Receipt,
    },
    /// The code is cancelled: by the customer, or by a newer one.
    Cancelled,
    /// What was typed cannot be a code; the gateway is not asked, and no attempt is used.
    InvalidCode,
    Incorrect {
        attempts_left: u8,
    },
    Expired,
    AttemptsExhausted,
    /// The code was for other details; it is void.
    TransactionChanged,
    AlreadyUsed,
    UnknownChallenge,
    /// Too many failures; for a while.
    Locked {
        retry_after_seconds: u64,
    },
    /// Too many failures; until the branch acts.
    Disabled,
    /// The next SMS of this code may follow later.
    TooSoon {
        retry_after_seconds: u64,
    },
    /// This code was sent as often as it may be.
    ResendLimit,
    /// The day's messages are used up.
    DailyLimit {
        retry_after_seconds: u64,
    },
    /// The subscriber confirms with a hard token.
    NotOnSmsOtp,
    UnknownSubscriber,
    /// No SMS can be sent at present; nothing was decided.
    Unavailable,
    /// What the gateway did is unknown. The act may be repeated: it will not be done twice.
    NoAnswer,
}

/// A payment as the page shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Kept {
    #[serde(flatten)]
    pub(crate) subscriber: SubscriberId,
    pub(crate) details: Details,
    pub(crate) challenge: Option<ShownChallenge>,
    pub(crate) receipt: Option<Receipt>,
    pub(crate) lock: Option<ShownLock>,
}

/// A lock as the page shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum ShownLock {
    Temporary { left_ms: u64 },
    Disabled,
}

impl ShownLock {
    /// What is left of a lock at `now`, if anything.
    pub(crate) fn of(lock: Lock, now: Instant) -> Option<Self> {
        match lock {
            Lock::Until(end) if end <= now => None,
            Lock::Until(end) => Some(Self::Temporary { left_ms: clock::millis(end.duration_since(now)) }),
            Lock::Disabled => Some(Self::Disabled),
        }
    }
}

/// The members of the gateway's replies and problem details that the bank reads.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Document {
    #[serde(default)]
    pub(crate) r#type: String,
    pub(crate) verdict: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) field: Option<String>,
    pub(crate) challenge_id: Option<String>,
    pub(crate) sms_reference: Option<String>,
    pub(crate) destination: Option<String>,
    pub(crate) approved_at: Option<String>,
    pub(crate) expires_at: Option<String>,
    pub(crate) state: Option<State>,
    pub(crate) delivery: Option<Delivery>,
    pub(crate) code_length: Option<u8>,
    pub(crate) attempts_left: Option<u8>,
    pub(crate) ttl_seconds: Option<u64>,
    pub(crate) resend_after_seconds: Option<u64>,
    pub(crate) retry_after_seconds: Option<u64>,
}

/// An answer of the gateway.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) document: Document,
}

impl Answer {
    /// A reply with this status and body, if it is the documented JSON. (The parser's own message would quote it.)
    pub(crate) fn parse(status: u16, reply: &str) -> Option<Self> {
        let document = serde_json::from_str(reply).ok()?;
        Some(Self { status, document })
    }

    /// Whether the idempotency key was used for something else: nothing was decided.
    pub(crate) fn is_key_reused(&self) -> bool {
        self.kind() == "idempotency-key-reused"
    }

    /// Whether the call may or may not have taken effect: it is to be repeated under its key.
    pub(crate) fn is_outcome_unknown(&self) -> bool {
        self.status == 503 && self.kind() == "outcome-unknown"
    }

    /// How long to wait before the call is repeated.
    pub(crate) fn retry_after(&self) -> Duration {
        Duration::from_secs(self.document.retry_after_seconds.unwrap_or_default())
    }

    /// The last part of a problem's `type`.
    fn kind(&self) -> &str {
        self.document.r#type.rsplit('/').next().unwrap_or_default()
    }

    /// The challenge and its terms, if one was issued.
    pub(crate) fn issued(self) -> Option<(String, Terms)> {
        (self.status == 201).then_some(())?;
        let terms = Terms {
            destination: self.document.destination?,
            sms_reference: self.document.sms_reference?,
            code_length: self.document.code_length?,
            expires_at: self.document.expires_at?,
            ttl_seconds: self.document.ttl_seconds?,
            resend_after_seconds: self.document.resend_after_seconds,
            attempts_left: self.document.attempts_left?,
        };
        Some((self.document.challenge_id?, terms))
    }

    /// What a look-up found.
    pub(crate) fn looked_up(&self) -> Option<LookedUp> {
        let Document { state, delivery, attempts_left, .. } = self.document;
        (self.status == 200).then_some(())?;
        Some(LookedUp { state: state?, delivery: delivery?, attempts_left: attempts_left? })
    }

    /// What a refusal means to the customer.
    ///
    /// What the bank does not know it does not guess at: it is an unknown outcome, never a success.
    pub(crate) fn refusal(&self) -> Outcome {
        let Document { verdict, reason, retry_after_seconds, .. } = &self.document;
        let retry_after_seconds = *retry_after_seconds;
        match verdict.as_deref().or(reason.as_deref()) {
            Some("incorrect") => match self.document.attempts_left {
                Some(attempts_left) => Outcome::Incorrect { attempts_left },
                None => Outcome::NoAnswer,
            },
            Some("expired") => Outcome::Expired,
            Some("attempts_exhausted") => Outcome::AttemptsExhausted,
            Some("transaction_changed") => Outcome::TransactionChanged,
            Some("already_used") => Outcome::AlreadyUsed,
            Some("cancelled") => Outcome::Cancelled,
            Some("unknown_challenge") => Outcome::UnknownChallenge,
            Some("locked") => match retry_after_seconds {
                Some(retry_after_seconds) => Outcome::Locked { retry_after_seconds },
                None => Outcome::Disabled,
            },
            Some("not_on_sms_otp") => Outcome::NotOnSmsOtp,
            Some("unknown_subscriber") => Outcome::UnknownSubscriber,
            Some("no_resend_left") => Outcome::ResendLimit,
            _ => self.refusal_by_type(retry_after_seconds.unwrap_or_default()),
        }
    }

    fn refusal_by_type(&self, retry_after_seconds: u64) -> Outcome {
        match (self.status, self.kind()) {
            (429, "too-early") => Outcome::TooSoon { retry_after_seconds },
            (429, "sends-used-up") => Outcome::DailyLimit { retry_after_seconds },
            (503, "unavailable") => Outcome::Unavailable,
            (400, _) => match self.document.field.as_deref() {
                Some("/transaction/reference") => Outcome::Invalid { field: Field::Reference },
                Some("/transaction/amount") => Outcome::Invalid { field: Field::Amount },
                Some("/transaction/beneficiary_account") => {
                    Outcome::Invalid { field: Field::BeneficiaryAccount }
                }
                Some("/transaction/beneficiary_name") => Outcome::Invalid { field: Field::BeneficiaryName },
                _ => Outcome::NoAnswer,
            },
            _ => Outcome::NoAnswer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, problem: &str) -> Outcome {
        Answer { status, document: serde_json::from_str(problem).unwrap() }.refusal()
    }

    #[test]
    fn every_verdict_of_the_gateway_has_an_outcome() {
        for (problem, outcome) in [
            (r#"{"verdict":"incorrect","attempts_left":2}"#, Outcome::Incorrect { attempts_left: 2 }),
            (r#"{"verdict":"expired"}"#, Outcome::Expired),
            (r#"{"verdict":"attempts_exhausted"}"#, Outcome::AttemptsExhausted),
            (r#"{"verdict":"transaction_changed"}"#, Outcome::TransactionChanged),
            (r#"{"verdict":"already_used"}"#, Outcome::AlreadyUsed),
            (r#"{"verdict":"cancelled"}"#, Outcome::Cancelled),
            (r#"{"verdict":"unknown_challenge"}"#, Outcome::UnknownChallenge),
            (
                r#"{"verdict":"locked","retry_after_seconds":900}"#,
                Outcome::Locked { retry_after_seconds: 900 },
            ),
            (r#"{"verdict":"locked","detail":"the branch must act"}"#, Outcome::Disabled),
            (r#"{"reason":"locked","retry_after_seconds":9}"#, Outcome::Locked { retry_after_seconds: 9 }),
            (r#"{"reason":"not_on_sms_otp"}"#, Outcome::NotOnSmsOtp),
            (r#"{"reason":"unknown_subscriber"}"#, Outcome::UnknownSubscriber),
            (r#"{"reason":"no_resend_left"}"#, Outcome::ResendLimit),
        ] {
            assert_eq!(refusal(422, problem), outcome, "{problem}");
        }
    }

    #[test]
    fn waits_and_outages_are_different_outcomes() {
        let too_early =
            r#"{"type":"https://otp-gateway.example/problems/too-early","retry_after_seconds":12}"#;
        assert_eq!(refusal(429, too_early), Outcome::TooSoon { retry_after_seconds: 12 });
        let used_up =
            r#"{"type":"https://otp-gateway.example/problems/sends-used-up","retry_after_seconds":60}"#;
        assert_eq!(refusal(429, used_up), Outcome::DailyLimit { retry_after_seconds: 60 });
        let unavailable = r#"{"type":"https://otp-gateway.example/problems/unavailable","reason":"no_link"}"#;
        assert_eq!(refusal(503, unavailable), Outcome::Unavailable);
    }

    #[test]
    fn a_field_that_the_gateway_refuses_is_named() {
        let problem = r#"{"field":"/transaction/beneficiary_name"}"#;
        assert_eq!(refusal(400, problem), Outcome::Invalid { field: Field::BeneficiaryName });
    }

    #[test]
    fn a_lock_is_shown_until_it_ends_and_a_disabled_authenticator_always() {
        let now = clock::now();
        let second = Duration::from_secs(1);
        let left = ShownLock::of(Lock::Until(now + second), now);
        assert_eq!(left, Some(ShownLock::Temporary { left_ms: 1_000 }));
        assert_eq!(ShownLock::of(Lock::Until(now), now), None);
        assert_eq!(ShownLock::of(Lock::Disabled, now + second), Some(ShownLock::Disabled));
    }

    #[test]
    fn what_is_not_understood_is_never_a_success() {
        for (status, problem) in [
            (200, r#"{"verdict":"maybe"}"#),
            (422, "{}"),
            (401, "{}"),
            (500, "{}"),
            (503, "{}"),
            (503, r#"{"type":"https://otp-gateway.example/problems/outcome-unknown"}"#),
            (400, r#"{"field":"/code"}"#),
        ] {
            assert_eq!(refusal(status, problem), Outcome::NoAnswer, "{status} {problem}");
        }
        let answer = Answer { status: 201, document: Document::default() };
        assert_eq!(answer.looked_up(), None);
        assert_eq!(answer.issued(), None);
    }
}
