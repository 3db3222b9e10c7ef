//! What a challenge confirms: a payment or a login, with a canonical form and its digest.

use std::fmt;
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::tagged::Tagged;

/// SHA-256 of the canonical form, which begins with the purpose. A challenge is bound to it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub(crate) [u8; 32]);

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(…)")
    }
}

/// What the subscriber is asked to confirm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A payment, bound to amount and payee (PSD2 RTS Art. 5(1)).
    Payment(Transaction),
    /// A login, which has no transaction.
    Login,
}

/// A payment in canonical form: the values that are shown are those that are hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    reference: String,
    amount: Amount,
    beneficiary_account: String,
    beneficiary_name: String,
}

/// An amount in its currency's minor units.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Amount {
    minor_units: u64,
    currency: Currency,
}

/// An ISO 4217 currency.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Currency {
    code: [u8; 3],
    minor_digits: u8,
}

/// The field of a transaction that is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionError {
    /// Not 1 to 35 printable ASCII characters, or with a blank at an end.
    Reference,
    /// Not a decimal string of 1 to 15 integer digits.
    Amount,
    /// Non-zero digits beyond the currency's minor units.
    AmountPrecision,
    /// Not a known ISO 4217 code.
    Currency,
    /// Not 1 to 34 of `[A-Z0-9]`.
    BeneficiaryAccount,
    /// Not 1 to 70 printable characters of the GSM 7-bit basic set.
    BeneficiaryName,
}

/// The longest reference, in characters.
pub(crate) const REFERENCE_CHARS_MAX: usize = 35;
/// The most integer digits of an amount.
pub(crate) const AMOUNT_INTEGER_DIGITS_MAX: usize = 15;
/// The most fraction digits; those beyond the minor units must be zeros.
const AMOUNT_FRACTION_DIGITS_MAX: usize = 8;
/// The longest account: an IBAN has 34 characters.
pub(crate) const ACCOUNT_CHARS_MAX: usize = 34;
/// The longest beneficiary name, in characters.
pub(crate) const NAME_CHARS_MAX: usize = 70;

/// The printable characters of the GSM 7-bit default alphabet's basic set (3GPP TS 23.038 §6.2.1)
/// beyond letters and digits of ASCII. No Cyrillic, and of Greek only what does not look Latin.
const NAME_SYMBOLS: &str = " @£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ!\"#¤%&'()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà";

/// The currencies whose minor unit is not a hundredth (ISO 4217, table A.1).
const ZERO_DIGITS: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";
const THREE_DIGITS: &str = "BHD IQD JOD KWD LYD OMR TND";
const FOUR_DIGITS: &str = "CLF UYW";
/// The other currencies of the table, with two digits.
const TWO_DIGITS: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD \
    CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD \
    HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP \
    MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR \
    SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES \
    WST XCD XCG YER ZAR ZMW ZWG";

impl Currency {
    /// The currency with this ISO 4217 alphabetic code, in upper case.
    pub(crate) fn parse(code: &str) -> Option<Self> {
        let bytes: [u8; 3] = code.as_bytes().try_into().ok()?;
        // The tables are lists with blanks between: only whole codes may match.
        if !bytes.iter().all(u8::is_ascii_uppercase) {
            return None;
        }
        let tables = [(TWO_DIGITS, 2), (ZERO_DIGITS, 0), (THREE_DIGITS, 3), (FOUR_DIGITS, 4)];
        let listed = |table: &str| table.as_bytes().chunks(4).any(|entry| entry[..3] == bytes);
        let (_, minor_digits) = tables.into_iter().find(|(table, _)| listed(table))?;
        Some(Self { code: bytes, minor_digits })
    }

    pub(crate) fn code(&self) -> &str {
        std::str::from_utf8(&self.code).expect("a currency code is ASCII")
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Amount {
    /// Reads a decimal string: 1 to 15 integer digits, no sign, no leading zero.
    ///
    /// # Errors
    ///
    /// [`TransactionError::Amount`] for another form, [`TransactionError::AmountPrecision`] for a
    /// value finer than the currency's minor unit.
    pub(crate) fn parse(text: &str, currency: Currency) -> Result<Self, TransactionError> {
        let (integer, fraction) = match text.split_once('.') {
            Some((integer, fraction)) if !fraction.is_empty() => (integer, fraction),
            Some(_) => return Err(TransactionError::Amount),
            None => (text, ""),
        };
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let well_formed = (1..=AMOUNT_INTEGER_DIGITS_MAX).contains(&integer.len())
            && fraction.len() <= AMOUNT_FRACTION_DIGITS_MAX
            && digits(integer)
            && digits(fraction)
            && (integer == "0" || !integer.starts_with('0'));
        if !well_formed {
            return Err(TransactionError::Amount);
        }
        let minor_digits = usize::from(currency.minor_digits);
        let (kept, surplus) = fraction.split_at(minor_digits.min(fraction.len()));
        if surplus.bytes().any(|byte| byte != b'0') {
            return Err(TransactionError::AmountPrecision);
        }
        let padding = std::iter::repeat_n(b'0', minor_digits - kept.len());
        let all_digits = integer.bytes().chain(kept.bytes()).chain(padding);
        // At most 15 + 4 digits, which a u64 holds.
        let minor_units = all_digits.fold(0, |value, digit| value * 10 + u64::from(digit - b'0'));
        Ok(Self { minor_units, currency })
    }

    pub(crate) fn currency(&self) -> Currency {
        self.currency
    }

    /// The value in the currency's minor units.
    pub(crate) fn minor_units(&self) -> u64 {
        self.minor_units
    }

    /// The integer digits and the fraction digits (empty for a currency without minor units).
    pub(crate) fn decimal(&self) -> (String, String) {
        let width = usize::from(self.currency.minor_digits);
        let scale = 10_u64.pow(u32::from(self.currency.minor_digits));
        let fraction = self.minor_units % scale;
        let fraction = if width == 0 { String::new() } else { format!("{fraction:0width$}") };
        ((self.minor_units / scale).to_string(), fraction)
    }

    /// The canonical decimal string: padded to the minor digits.
    fn canonical(&self, into: &mut String) {
        let (scale, width) =
            (10_u64.pow(u32::from(self.currency.minor_digits)), usize::from(self.currency.minor_digits));
        let written = match width {
            0 => write!(into, "{}", self.minor_units),
            _ => write!(into, "{}.{:0width$}", self.minor_units / scale, self.minor_units % scale),
        };
        written.expect("writing to a String cannot fail");
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.canonical(&mut text);
        write!(f, "{} {text}", self.currency.code())
    }
}

impl Transaction {
    /// Brings the five fields into canonical form.
    ///
    /// # Errors
    ///
    /// [`TransactionError`] names the first field that is not valid.
    pub fn new(
        reference: &str,
        amount: &str,
        currency: &str,
        beneficiary_account: &str,
        beneficiary_name: &str,
    ) -> Result<Self, TransactionError> {
        let printable = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
        let has_blank_end = reference.starts_with(' ') || reference.ends_with(' ');
        let is_long_enough = (1..=REFERENCE_CHARS_MAX).contains(&reference.len());
        if !is_long_enough || !reference.bytes().all(printable) || has_blank_end {
            return Err(TransactionError::Reference);
        }
        let currency = Currency::parse(currency).ok_or(TransactionError::Currency)?;
        let amount = Amount::parse(amount, currency)?;
        let account_length = 1..=ACCOUNT_CHARS_MAX;
        if !account_length.contains(&beneficiary_account.len())
            || !beneficiary_account.bytes().all(|byte| byte.is_ascii_alphanumeric())
        {
            return Err(TransactionError::BeneficiaryAccount);
        }
        if !is_name(beneficiary_name) {
            return Err(TransactionError::BeneficiaryName);
        }
        Ok(Self {
            reference: reference.into(),
            amount,
            beneficiary_account: beneficiary_account.to_ascii_uppercase(),
            beneficiary_name: beneficiary_name.into(),
        })
    }

    pub(crate) fn amount(&self) -> Amount {
        self.amount
    }

    pub(crate) fn beneficiary_account(&self) -> &str {
        &self.beneficiary_account
    }

    pub(crate) fn beneficiary_name(&self) -> &str {
        &self.beneficiary_name
    }
}

/// One to 70 printable characters that an SMS shows as they are, with no blank at either end.
fn is_name(text: &str) -> bool {
    let shown = |c: char| c.is_ascii_alphanumeric() || NAME_SYMBOLS.contains(c);
    let blank_end = text.starts_with(' ') || text.ends_with(' ');
    (1..=NAME_CHARS_MAX).contains(&text.chars().count()) && !blank_end && text.chars().all(shown)
}

impl Subject {
    /// Of the canonical form.
    pub fn digest(&self) -> Digest {
        let tagged = Tagged::new(Sha256::new(), "transaction/1");
        let tagged = match self {
            Self::Login => tagged.field(b"login"),
            Self::Payment(transaction) => {
                let mut amount = String::with_capacity(AMOUNT_INTEGER_DIGITS_MAX + 5);
                transaction.amount.canonical(&mut amount);
                tagged
                    .field(b"payment")
                    .field(transaction.reference.as_bytes())
                    .field(amount.as_bytes())
                    .field(&transaction.amount.currency.code)
                    .field(transaction.beneficiary_account.as_bytes())
                    .field(transaction.beneficiary_name.as_bytes())
            }
        };
        Digest(tagged.into_inner().finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payment(amount: &str, currency: &str) -> Result<Digest, TransactionError> {
        Transaction::new("TRX-1", amount, currency, "1234567890", "PT ABC")
            .map(|transaction| Subject::Payment(transaction).digest())
    }

    #[test]
    fn abuse_27_spellings_of_one_amount_are_one_transaction() {
        let dollars = payment("1000", "USD").unwrap();
        for spelling in ["1000.0", "1000.00", "1000.000"] {
            assert_eq!(payment(spelling, "USD"), Ok(dollars), "{spelling}");
        }
        assert_eq!(payment("1000.00", "JPY"), payment("1000", "JPY"));
        assert_ne!(payment("1000.01", "USD"), Ok(dollars));
        assert_ne!(payment("1000", "EUR"), Ok(dollars));
    }

    #[test]
    fn an_amount_has_one_canonical_form_with_the_minor_digits_of_its_currency() {
        let canonical = |amount: &str, currency: &str| {
            let mut text = String::new();
            Amount::parse(amount, Currency::parse(currency).unwrap()).unwrap().canonical(&mut text);
            text
        };
        assert_eq!(canonical("1000", "JPY"), "1000");
        assert_eq!(canonical("1000.5", "USD"), "1000.50");
        assert_eq!(canonical("0.001", "KWD"), "0.001");
    }

    #[test]
    fn abuse_27_other_forms_of_an_amount_are_refused() {
        let forms = [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "01",
            "00",
            "1e3",
            "1,000",
            " 1",
            "1 ",
            "1234567890123456",
            "１０",
            "1.0.0",
            "0x10",
            "1_000",
        ];
        for form in forms {
            assert_eq!(payment(form, "USD"), Err(TransactionError::Amount), "{form:?}");
        }
        assert_eq!(payment("1000.001", "USD"), Err(TransactionError::AmountPrecision));
        assert_eq!(payment("1000.5", "JPY"), Err(TransactionError::AmountPrecision));
        for currency in ["usd", "XXX", "US", "USDX", "", "SD ", " US"] {
            assert_eq!(payment("1", currency), Err(TransactionError::Currency), "{currency:?}");
        }
    }

    #[test]
    fn the_largest_amount_of_the_finest_currency_fits() {
        let amount = Amount::parse("999999999999999.9999", Currency::parse("CLF").unwrap()).unwrap();
        assert_eq!(amount.decimal(), ("999999999999999".into(), "9999".into()));
    }

    #[test]
    fn abuse_27_a_name_that_an_sms_would_not_show_as_it_is_is_refused() {
        let name = |name: &str| Transaction::new("TRX-1", "1", "IDR", "1", name).map(drop);
        for good in ["PT ABC", "Müller & Söhne", "D'Orsay (Paris)", "ΣΩ"] {
            assert_eq!(name(good), Ok(()), "{good}");
        }
        let long = "x".repeat(71);
        for bad in [
            "",
            " ",
            " PT",
            "PT ",
            "PT\nABC",
            "PT\rABC",
            "PT\u{1b}ABC",
            "РТ АВС",
            "PT\u{202e}CBA",
            "€",
            "{",
            long.as_str(),
        ] {
            assert_eq!(name(bad), Err(TransactionError::BeneficiaryName), "{bad:?}");
        }
        assert_eq!(name(&"é".repeat(70)), Ok(()));
        assert_eq!(name(&"é".repeat(71)), Err(TransactionError::BeneficiaryName));
    }

    #[test]
    fn accounts_and_references_are_bounded_and_an_account_has_one_spelling() {
        let digest = |reference: &str, account: &str| {
            Transaction::new(reference, "1", "IDR", account, "PT ABC").map(|t| Subject::Payment(t).digest())
        };
        assert_eq!(digest("r", "id12ab"), digest("r", "ID12AB"));
        for account in ["", "12-34", "12 34", "é", &"1".repeat(35)] {
            assert_eq!(digest("r", account), Err(TransactionError::BeneficiaryAccount));
        }
        for reference in ["", "a\nb", "é", " a", "a ", " ", &"r".repeat(36)] {
            assert_eq!(digest(reference, "1"), Err(TransactionError::Reference));
        }
    }

    #[test]
    fn a_login_and_every_payment_have_different_digests() {
        assert_ne!(Subject::Login.digest(), payment("0", "IDR").unwrap());
    }
}
