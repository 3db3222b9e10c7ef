//! The payments that the bank keeps while their customers confirm them.
//!
//! The page holds only a payment's id. What is paid, and to whom, is kept here, so that what the gateway is
//! asked to confirm is what the bank would execute.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Payments kept at a time. A demonstration has a few visitors; the oldest payment goes first.
pub(crate) const PAYMENTS_MAX: usize = 1_000;

const REFERENCE_CHARS_MAX: usize = 35;
const AMOUNT_DIGITS_MAX: usize = 15;
const ACCOUNT_CHARS_MAX: usize = 34;
const NAME_CHARS_MAX: usize = 70;
/// Beside letters and digits. The gateway takes more; the names of this bank need no more.
const NAME_SYMBOLS: &str = " .,'()&/+-";

/// The payment's details as the page sends them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DetailsForm {
    pub(crate) reference: String,
    pub(crate) amount: String,
    pub(crate) beneficiary_account: String,
    pub(crate) beneficiary_name: String,
}

/// A field of the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Field {
    Reference,
    Amount,
    BeneficiaryAccount,
    BeneficiaryName,
}

/// What is paid, to whom: as the gateway's `transaction` takes it, so that it is sent as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Details {
    reference: String,
    amount: String,
    currency: &'static str,
    beneficiary_account: String,
    beneficiary_name: String,
}

impl Details {
    /// The details, or the first field that is not as it must be.
    pub(crate) fn parse(form: DetailsForm) -> Result<Self, Field> {
        let length = |text: &str, max: usize| (1..=max).contains(&text.len());
        let good = |good: bool, field: Field| if good { Ok(()) } else { Err(field) };
        let DetailsForm { reference, amount, beneficiary_account: account, beneficiary_name: name } = form;
        let in_name = |character: char| character.is_ascii_alphanumeric() || NAME_SYMBOLS.contains(character);
        good(length(&name, NAME_CHARS_MAX) && name.chars().all(in_name), Field::BeneficiaryName)?;
        let in_account = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        good(
            length(&account, ACCOUNT_CHARS_MAX) && account.bytes().all(in_account),
            Field::BeneficiaryAccount,
        )?;
        let digits = amount.bytes().all(|byte| byte.is_ascii_digit()) && !amount.starts_with('0');
        good(length(&amount, AMOUNT_DIGITS_MAX) && digits, Field::Amount)?;
        let printable = reference.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        good(length(&reference, REFERENCE_CHARS_MAX) && printable, Field::Reference)?;
        Ok(Self { reference, amount, currency: "IDR", beneficiary_account: account, beneficiary_name: name })
    }
}

/// Who pays: the IDs under which the gateway knows them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct SubscriberId {
    pub(crate) corporate_id: String,
    pub(crate) user_id: String,
}

/// Proof that a payment was made: exactly what was approved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Receipt {
    #[serde(flatten)]
    pub(crate) details: Details,
    pub(crate) approved_at: String,
    pub(crate) number: String,
}

/// One payment.
#[derive(Clone, Debug)]
pub(crate) struct Payment {
    /// 32 hexadecimal digits that nobody can guess.
    pub(crate) id: String,
    pub(crate) subscriber: SubscriberId,
    pub(crate) details: Details,
    /// The newest challenge that the gateway issued for it.
    pub(crate) challenge: Option<String>,
    /// Counts the acts that got an answer. It is part of their idempotency keys: an act without an answer is
    /// repeated under the same key, so that nothing is done twice.
    pub(crate) act: u32,
    /// Set once, when the gateway has approved it.
    pub(crate) receipt: Option<Receipt>,
}

/// The newest [`PAYMENTS_MAX`] payments.
#[derive(Debug, Default)]
pub(crate) struct Payments {
    kept: VecDeque<Payment>,
}

impl Payments {
    /// Keeps a new payment; the oldest makes room for it.
    pub(crate) fn insert(&mut self, payment: Payment) {
        if self.kept.len() == PAYMENTS_MAX {
            self.kept.pop_front();
        }
        self.kept.push_back(payment);
    }

    /// The payment with this id, if it is still kept.
    pub(crate) fn find(&mut self, id: &str) -> Option<&mut Payment> {
        self.kept.iter_mut().rev().find(|payment| payment.id == id)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn form() -> DetailsForm {
        DetailsForm {
            reference: "INV-2026-0117".into(),
            amount: "12500000".into(),
            beneficiary_account: "8800123456".into(),
            beneficiary_name: "PT Sumber Makmur Contoh".into(),
        }
    }

    fn payment(id: usize) -> Payment {
        Payment {
            id: id.to_string(),
            subscriber: SubscriberId { corporate_id: "NUSA01".into(), user_id: "budi".into() },
            details: Details::parse(form()).unwrap(),
            challenge: None,
            act: 0,
            receipt: None,
        }
    }

    #[test]
    fn details_are_sent_as_the_gateways_transaction() {
        let details = serde_json::to_value(Details::parse(form()).unwrap()).unwrap();
        let transaction = serde_json::json!({
            "reference": "INV-2026-0117", "amount": "12500000", "currency": "IDR",
            "beneficiary_account": "8800123456", "beneficiary_name": "PT Sumber Makmur Contoh",
        });
        assert_eq!(details, transaction);
    }

    #[test]
    fn the_field_that_is_wrong_is_named() {
        let wrong = |change: fn(&mut DetailsForm)| {
            let mut form = form();
            change(&mut form);
            Details::parse(form).unwrap_err()
        };
        for amount in ["", "0", "012", "-1", "1.5", "1e9", "1234567890123456", "１２"] {
            let form = DetailsForm { amount: amount.into(), ..form() };
            assert_eq!(Details::parse(form).unwrap_err(), Field::Amount, "{amount:?}");
        }
        assert_eq!(wrong(|form| form.reference = "a\nb".into()), Field::Reference);
        assert_eq!(wrong(|form| form.reference = "x".repeat(36)), Field::Reference);
        assert_eq!(wrong(|form| form.beneficiary_account = "88-00".into()), Field::BeneficiaryAccount);
        assert_eq!(wrong(|form| form.beneficiary_account.clear()), Field::BeneficiaryAccount);
        assert_eq!(wrong(|form| form.beneficiary_name = "PT Сумбер".into()), Field::BeneficiaryName);
        assert_eq!(wrong(|form| form.beneficiary_name = "x".repeat(71)), Field::BeneficiaryName);
    }

    #[test]
    fn the_oldest_payment_makes_room_for_a_new_one() {
        let mut payments = Payments::default();
        (0..=PAYMENTS_MAX).for_each(|id| payments.insert(payment(id)));
        assert!(payments.find("0").is_none());
        assert!(payments.find("1").is_some());
        assert!(payments.find(&PAYMENTS_MAX.to_string()).is_some());
        assert_eq!(payments.kept.len(), PAYMENTS_MAX);
    }
}
