//! `[codes]`, `[challenge]` and `[lockout]`: the limits under which decisions are taken.

use std::time::Duration;

use settings::{Bounded, Entry, Form, OutOfType, Section, minutes, seconds, settings};

use crate::subscriber::code::{CodeLength, Keyring};
use crate::subscriber::lockout::LockoutPolicy;
use crate::subscriber::policy::{DAY, Policy};
use crate::subscriber::transaction::{Amount, Currency};

settings! {
    /// `[codes]`: the lengths of codes. The master keys of this section are read separately.
    pub struct Codes {
        /// Digits of a code.
        pub(crate) length: CodeLength [CodeLength::MIN..=CodeLength::MAX] = CodeLength::MIN,
        /// Digits of a code for a large payment.
        pub(crate) long_length: CodeLength [length..=CodeLength::MAX] = CodeLength::EIGHT,
        /// The amount of each currency from which a payment is large.
        pub(crate) long_from: Vec<Amount> [LargeAmounts] = large_by_default(),
    }
}

settings! {
    /// `[challenge]`: time to live, attempts and sends.
    pub struct Challenge {
        /// Time to live (NIST SP 800-63B-4 §3.1.3.2).
        pub ttl: Duration [seconds(30)..=seconds(600)] = seconds(180),
        /// Attempts per challenge (PSD2 RTS Art. 4(3)(b)).
        pub attempts: u8 [1..=5] = 3,
        /// Resends after the first send.
        pub resends: u8 [0..=4] = 2,
        /// How long after the first send the first resend is possible.
        pub first_resend_after: Duration [seconds(1)..=seconds(600)] = seconds(30),
        /// How long after the previous send a further resend is possible.
        pub next_resend_after: Duration [seconds(1)..=seconds(600)] = seconds(60),
        /// Open challenges per subscriber.
        pub open_max: usize [1..=5] = 3,
        /// Sends per subscriber in a rolling day.
        pub sends_per_day: usize [1..=100] = 10,
    }
}

settings! {
    /// `[lockout]`: locks after failures.
    pub struct Lockout {
        /// Consecutive failures, across challenges, that lock.
        pub(crate) failures: u8 [1..=10] = 5,
        /// How long a lock lasts at most.
        pub(crate) duration_max: Duration [minutes(1)..=DAY] = DAY,
        /// How long the first lock lasts. Each further one doubles.
        pub(crate) duration: Duration [minutes(1)..=duration_max] = minutes(15),
        /// Failures since the last success that disable the authenticator (NIST SP 800-63B-4 §3.2.2).
        pub(crate) failures_to_disable: u8 [1..=100] = 100,
    }
}

impl Codes {
    /// The longest code under these settings.
    pub(crate) fn length_max(&self) -> CodeLength {
        if self.long_from.is_empty() { self.length } else { self.long_length }
    }
}

/// The policy of decisions under these settings.
pub fn policy_of(codes: Codes, challenge: Challenge, lockout: &Lockout, keys: Keyring) -> Policy {
    Policy {
        ttl: challenge.ttl,
        attempts_max: challenge.attempts,
        resends_max: challenge.resends,
        first_resend_after: challenge.first_resend_after,
        next_resend_after: challenge.next_resend_after,
        open_max: challenge.open_max,
        sends_per_day: challenge.sends_per_day,
        lockout: LockoutPolicy {
            failures_max: lockout.failures,
            duration: lockout.duration,
            duration_max: lockout.duration_max,
            failures_to_disable: lockout.failures_to_disable,
        },
        code_length: codes.length,
        long_code_length: codes.long_length,
        long_from: codes.long_from,
        keys,
    }
}

impl Bounded for CodeLength {
    const KIND: &'static str = "a whole number";

    fn of(entry: &Entry<'_>) -> Option<Result<Self, OutOfType>> {
        let length = u8::try_from(entry.whole()?).ok().and_then(Self::new);
        Some(length.ok_or(OutOfType))
    }

    fn written(&self) -> String {
        self.digits().to_string()
    }
}

/// A billion rupiah.
fn large_by_default() -> Vec<Amount> {
    let rupiah = Currency::parse("IDR");
    rupiah.and_then(|rupiah| Amount::parse("1000000000", rupiah).ok()).into_iter().collect()
}

/// `[codes.long_from]`: amounts by currency.
struct LargeAmounts;

impl Form for LargeAmounts {
    type Value = Vec<Amount>;

    fn allowed(&self) -> String {
        "a table of amounts by currency such as IDR = \"1000000000\"".into()
    }

    fn read(&self, entry: &Entry<'_>) -> Option<Vec<Amount>> {
        let Some(section) = Section::of(entry) else { return entry.refuse(self.allowed()) };
        let amount = |(currency, amount): (&str, Entry<'_>)| match Currency::parse(currency) {
            Some(currency) => {
                let parsed = amount.text().and_then(|text| Amount::parse(text, currency).ok());
                parsed.or_else(|| amount.refuse("a decimal amount in that currency such as \"1000000000\""))
            }
            None => amount.refuse_found("an unknown currency", "codes of ISO 4217 such as IDR"),
        };
        Some(section.entries().filter_map(amount).collect())
    }
}
