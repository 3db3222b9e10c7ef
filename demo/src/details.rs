//! What is paid, to whom, under which reference: read from the page, and sent to the gateway as it is.

use serde::{Deserialize, Serialize};

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
        for amount in ["", "0", "012", "-1", "-500", "1.5", "1e6", "1234567890123456", "１２"] {
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
}
