//! The limits and keys under which decisions are taken.

use std::time::Duration;

use super::code::{CodeLength, Keyring};
use super::lockout::LockoutPolicy;
use super::transaction::{Amount, Subject};

/// The rolling window of `sends_per_day`.
pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);

/// What a decision depends on besides the subscriber, the command and the time.
#[derive(Clone, Debug)]
pub struct Policy {
    pub(crate) ttl: Duration,
    pub(crate) attempts_max: u8,
    pub(crate) resends_max: u8,
    pub(crate) first_resend_after: Duration,
    pub(crate) next_resend_after: Duration,
    pub(crate) open_max: usize,
    pub(crate) sends_per_day: usize,
    pub(crate) lockout: LockoutPolicy,
    pub(crate) code_length: CodeLength,
    pub(crate) long_code_length: CodeLength,
    pub(crate) long_from: Vec<Amount>,
    pub(crate) keys: Keyring,
}

impl Policy {
    /// The same limits under other keys.
    #[must_use]
    pub(crate) fn with_keys(&self, keys: Keyring) -> Self {
        Self { keys, ..self.clone() }
    }

    /// For the code that confirms `subject`.
    pub(crate) fn code_length(&self, subject: &Subject) -> CodeLength {
        let large = |amount: Amount| {
            let same_currency = |from: &&Amount| from.currency() == amount.currency();
            let from = self.long_from.iter().find(same_currency);
            from.is_some_and(|from| amount.minor_units() >= from.minor_units())
        };
        match subject {
            Subject::Payment(transaction) if large(transaction.amount()) => self.long_code_length,
            Subject::Payment(_) | Subject::Login => self.code_length,
        }
    }

    /// How long after the newest of `sends` sends the next one may follow. `None` if no resend is left.
    pub(crate) fn resend_after(&self, sends: u8) -> Option<Duration> {
        match sends {
            _ if sends > self.resends_max => None,
            0 | 1 => Some(self.first_resend_after),
            _ => Some(self.next_resend_after),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::config::{Challenge, Codes, Lockout, policy_of};
    use crate::subscriber::transaction::{Currency, Transaction};

    pub(crate) fn keyring() -> Keyring {
        crate::keys::parse(&format!("1 {}", "5a".repeat(32))).unwrap()
    }

    /// The default settings under a fixed key.
    pub(crate) fn policy() -> Policy {
        policy_of(Codes::default(), Challenge::default(), &Lockout::default(), keyring())
    }

    #[test]
    fn a_large_payment_gets_a_long_code_from_the_configured_amount_upward() {
        let large = Amount::parse("1000", Currency::parse("IDR").unwrap()).unwrap();
        let policy = Policy { long_from: vec![large], ..policy() };
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
