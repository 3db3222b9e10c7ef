//! The limits and keys under which decisions are taken, and the bounds within which a bank may set
//! them.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Deserialize;

use super::code::{CodeLength, Keyring};
use super::lockout::LockoutPolicy;
use super::transaction::{Amount, Currency, Subject};
use crate::clock::duration_setting;

/// `[codes]`: how long codes are. The master key's file is read by `config`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CodesConfig {
    /// The file with the master keys.
    pub key_file: std::path::PathBuf,
    /// Digits of a code: 6 to 10.
    pub length: u8,
    /// Digits of a code for a large payment: `length` to 10.
    pub long_length: u8,
    /// The amount of each currency from which a payment is large.
    pub long_from: BTreeMap<String, String>,
}

impl Default for CodesConfig {
    fn default() -> Self {
        Self { key_file: "master.keys".into(), length: 6, long_length: 8, long_from: BTreeMap::new() }
    }
}

/// `[challenge]`: life, attempts and sends.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChallengeConfig {
    /// Time to live: 30 s to 600 s (NIST SP 800-63B-4 §3.1.3.2).
    #[serde(deserialize_with = "duration_setting")]
    pub ttl: Duration,
    /// Attempts per challenge: 1 to 5 (PSD2 RTS Art. 4(3)(b)).
    pub attempts: u8,
    /// Resends after the first send: 0 to 4.
    pub resends: u8,
    /// The earliest first resend after the first send: 1 s to 600 s.
    #[serde(deserialize_with = "duration_setting")]
    pub first_resend_after: Duration,
    /// The earliest further resend after the send before it: 1 s to 600 s.
    #[serde(deserialize_with = "duration_setting")]
    pub next_resend_after: Duration,
    /// Open challenges per subscriber: 1 to 5.
    pub open_max: u8,
    /// Sends per subscriber in a rolling day: 1 to 100.
    pub sends_per_day: u8,
}

impl Default for ChallengeConfig {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(180),
            attempts: 3,
            resends: 2,
            first_resend_after: Duration::from_secs(30),
            next_resend_after: Duration::from_secs(60),
            open_max: 3,
            sends_per_day: 10,
        }
    }
}

/// `[lockout]`: what failures lead to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LockoutConfig {
    /// Consecutive failures, across challenges, that lock: 1 to 10.
    pub failures: u8,
    /// How long the first lock lasts: 1 min to `duration_max`. Each further one doubles.
    #[serde(deserialize_with = "duration_setting")]
    pub duration: Duration,
    /// How long a lock lasts at most: up to 24 h.
    #[serde(deserialize_with = "duration_setting")]
    pub duration_max: Duration,
    /// Failures since the last success that disable the authenticator: 1 to 100
    /// (NIST SP 800-63B-4 §3.2.2).
    pub failures_to_disable: u8,
}

impl Default for LockoutConfig {
    fn default() -> Self {
        Self {
            failures: 5,
            duration: Duration::from_secs(15 * 60),
            duration_max: DAY,
            failures_to_disable: 100,
        }
    }
}

/// The rolling window of the sends.
pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);

/// A setting outside its bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutOfBounds {
    /// The setting's name, with its section.
    pub setting: &'static str,
    /// The values that it may have.
    pub expected: String,
}

impl fmt::Display for OutOfBounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: must be {}", self.setting, self.expected)
    }
}

impl std::error::Error for OutOfBounds {}

/// Everything that a decision follows besides the subscriber, the command and the time.
#[derive(Clone, Debug)]
pub struct Policy {
    pub(crate) ttl: Duration,
    pub(crate) attempts_max: u8,
    pub(crate) resends_max: u8,
    first_resend_after: Duration,
    next_resend_after: Duration,
    pub(crate) open_max: usize,
    pub(crate) sends_per_day: usize,
    pub(crate) lockout: LockoutPolicy,
    code_length: CodeLength,
    long_code_length: CodeLength,
    long_from: Vec<Amount>,
    pub(crate) keys: Keyring,
}

impl Policy {
    /// Checks the settings against their bounds (`gateway.example.toml` names them all).
    ///
    /// # Errors
    ///
    /// The first setting that is [`OutOfBounds`].
    pub fn new(
        codes: &CodesConfig,
        challenge: &ChallengeConfig,
        lockout: &LockoutConfig,
        keys: Keyring,
    ) -> Result<Self, OutOfBounds> {
        let seconds = Duration::from_secs;
        within("challenge.ttl", challenge.ttl, seconds(30)..=seconds(600))?;
        within("challenge.attempts", challenge.attempts, 1..=5)?;
        within("challenge.resends", challenge.resends, 0..=4)?;
        within("challenge.first_resend_after", challenge.first_resend_after, seconds(1)..=seconds(600))?;
        within("challenge.next_resend_after", challenge.next_resend_after, seconds(1)..=seconds(600))?;
        within("challenge.open_max", challenge.open_max, 1..=5)?;
        within("challenge.sends_per_day", challenge.sends_per_day, 1..=100)?;
        within("lockout.failures", lockout.failures, 1..=10)?;
        within("lockout.duration_max", lockout.duration_max, seconds(60)..=DAY)?;
        within("lockout.duration", lockout.duration, seconds(60)..=lockout.duration_max)?;
        within("lockout.failures_to_disable", lockout.failures_to_disable, 1..=100)?;
        within("codes.length", codes.length, 6..=10)?;
        within("codes.long_length", codes.long_length, codes.length..=10)?;
        Ok(Self {
            ttl: challenge.ttl,
            attempts_max: challenge.attempts,
            resends_max: challenge.resends,
            first_resend_after: challenge.first_resend_after,
            next_resend_after: challenge.next_resend_after,
            open_max: challenge.open_max.into(),
            sends_per_day: challenge.sends_per_day.into(),
            lockout: LockoutPolicy {
                failures_max: lockout.failures,
                duration: lockout.duration,
                duration_max: lockout.duration_max,
                failures_to_disable: lockout.failures_to_disable,
            },
            code_length: CodeLength::new(codes.length).expect("6 to 10, as checked above"),
            long_code_length: CodeLength::new(codes.long_length).expect("6 to 10, as checked above"),
            long_from: codes.long_from.iter().map(large_amount).collect::<Result<_, _>>()?,
            keys,
        })
    }

    /// The same limits under other keys.
    #[must_use]
    pub fn with_keys(&self, keys: Keyring) -> Self {
        Self { keys, ..self.clone() }
    }

    /// The digits of the code that confirms `subject`.
    pub(crate) fn code_length(&self, subject: &Subject) -> CodeLength {
        let large = |amount: Amount| {
            let same_currency = |from: &&Amount| from.currency() == amount.currency();
            let from = self.long_from.iter().find(same_currency);
            from.is_some_and(|from| amount.minor_units() >= from.minor_units())
        };
        match subject {
            Subject::Payment(transaction) if large(transaction.amount()) => self.long_code_length,
            _ => self.code_length,
        }
    }

    /// The longest code that these settings give.
    pub fn code_length_max(&self) -> CodeLength {
        if self.long_from.is_empty() { self.code_length } else { self.long_code_length }
    }

    /// How long after its newest send the next one may follow, when it was sent `sends` times.
    /// `None` when no resend is left.
    pub(crate) fn resend_after(&self, sends: u8) -> Option<Duration> {
        match sends {
            _ if sends > self.resends_max => None,
            0 | 1 => Some(self.first_resend_after),
            _ => Some(self.next_resend_after),
        }
    }
}

fn within<T: PartialOrd + fmt::Debug + Copy>(
    setting: &'static str,
    value: T,
    bounds: RangeInclusive<T>,
) -> Result<(), OutOfBounds> {
    if bounds.contains(&value) {
        return Ok(());
    }
    Err(OutOfBounds { setting, expected: format!("{:?} to {:?}", bounds.start(), bounds.end()) })
}

fn large_amount((currency, amount): (&String, &String)) -> Result<Amount, OutOfBounds> {
    let parsed = Currency::parse(currency).and_then(|currency| Amount::parse(amount, currency).ok());
    let expected = || "an ISO 4217 code = \"a decimal amount\" in that currency".into();
    parsed.ok_or_else(|| OutOfBounds { setting: "codes.long_from", expected: expected() })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::subscriber::transaction::Transaction;

    pub(crate) fn keyring() -> Keyring {
        Keyring::parse(&format!("1 {}", "5a".repeat(32))).unwrap()
    }

    /// The default settings under a fixed key.
    pub(crate) fn policy() -> Policy {
        policy_of(CodesConfig::default(), ChallengeConfig::default(), LockoutConfig::default()).unwrap()
    }

    pub(crate) fn policy_of(
        codes: CodesConfig,
        challenge: ChallengeConfig,
        lockout: LockoutConfig,
    ) -> Result<Policy, OutOfBounds> {
        Policy::new(&codes, &challenge, &lockout, keyring())
    }

    #[test]
    fn abuse_18_a_setting_outside_its_bounds_is_refused_by_name() {
        type Change = fn(&mut CodesConfig, &mut ChallengeConfig, &mut LockoutConfig);
        let seconds = Duration::from_secs;
        let cases: [(&str, Change); 20] = [
            ("challenge.ttl", |_, c, _| c.ttl = Duration::from_secs(29)),
            ("challenge.ttl", |_, c, _| c.ttl = Duration::from_secs(601)),
            ("challenge.ttl", |_, c, _| c.ttl = Duration::MAX),
            ("challenge.attempts", |_, c, _| c.attempts = 0),
            ("challenge.attempts", |_, c, _| c.attempts = 6),
            ("challenge.resends", |_, c, _| c.resends = 5),
            ("challenge.first_resend_after", |_, c, _| c.first_resend_after = Duration::ZERO),
            ("challenge.next_resend_after", |_, c, _| c.next_resend_after = Duration::from_secs(601)),
            ("challenge.open_max", |_, c, _| c.open_max = 0),
            ("challenge.open_max", |_, c, _| c.open_max = 6),
            ("challenge.sends_per_day", |_, c, _| c.sends_per_day = 0),
            ("challenge.sends_per_day", |_, c, _| c.sends_per_day = 101),
            ("lockout.failures", |_, _, l| l.failures = 0),
            ("lockout.failures", |_, _, l| l.failures = 11),
            ("lockout.duration", |_, _, l| l.duration = Duration::ZERO),
            ("lockout.duration_max", |_, _, l| l.duration_max = Duration::from_secs(24 * 3600 + 1)),
            ("lockout.failures_to_disable", |_, _, l| l.failures_to_disable = 101),
            ("codes.length", |c, _, _| c.length = 5),
            ("codes.long_length", |c, _, _| c.long_length = 11),
            ("codes.long_from", |c, _, _| drop(c.long_from.insert("IDR".into(), "-1".into()))),
        ];
        for (setting, change) in cases {
            let (mut codes, mut challenge, mut lockout) = Default::default();
            change(&mut codes, &mut challenge, &mut lockout);
            let refused = policy_of(codes, challenge, lockout).unwrap_err();
            assert_eq!(refused.setting, setting);
        }
        let least = ChallengeConfig { ttl: seconds(30), attempts: 1, resends: 0, ..Default::default() };
        assert!(policy_of(CodesConfig::default(), least, LockoutConfig::default()).is_ok());
    }

    #[test]
    fn a_large_payment_gets_a_long_code_from_the_configured_amount_upward() {
        let long_from = BTreeMap::from([("IDR".into(), "1000".into())]);
        let codes = CodesConfig { long_from, ..Default::default() };
        let policy = policy_of(codes, ChallengeConfig::default(), LockoutConfig::default()).unwrap();
        let digits = |amount: &str, currency: &str| {
            let transaction = Transaction::new("T", amount, currency, "1", "PT ABC").unwrap();
            policy.code_length(&Subject::Payment(transaction)).digits()
        };
        assert_eq!(digits("999.99", "IDR"), 6);
        assert_eq!(digits("1000", "IDR"), 8);
        assert_eq!(digits("1000000", "USD"), 6);
        assert_eq!(policy.code_length(&Subject::Login).digits(), 6);
    }
}
