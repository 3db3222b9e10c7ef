//! Phone numbers, in E.164 or the configured country's local form, parsed into one canonical [`Msisdn`].

use std::fmt;

/// An E.164 number: up to 15 digits, the country code first, no leading zero (ITU-T E.164).
///
/// `Debug` and [`Msisdn::masked`] hide the middle digits; the whole number is shown only by
/// [`Msisdn::digits`], for the SMS itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Msisdn(u64);

/// The fewest digits of a phone number: a country code and a short national number.
const DIGITS_MIN: usize = 8;
/// ITU-T E.164: fifteen digits at most.
pub(crate) const DIGITS_MAX: usize = 15;
/// The last digits, which every spelling of a number has in common: those of the shortest number without its
/// country code and area code.
const SUBSCRIBER_DIGITS: usize = 7;
/// A spelling that is longer than so many digits has one more in common with every other: what is before the
/// subscriber's digits is then not only a trunk prefix.
const SHORT_DIGITS: usize = 8;
/// How many leading and trailing digits a masked number shows.
const SHOWN_FIRST: usize = 5;
const SHOWN_LAST: usize = 2;
const _: () = assert!(SHOWN_FIRST + SHOWN_LAST < DIGITS_MIN, "a masked number must hide a digit");

/// The last digits of a phone number in some spelling: national or international, with a trunk prefix or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    value: u64,
    digits: u32,
}

impl Ending {
    /// The last seven digits of what looks like a phone number, or eight if it is long; `None` for anything else.
    pub(crate) fn of(address: &[u8]) -> Option<Self> {
        let number = address.strip_prefix(b"+").unwrap_or(address);
        let count = if number.len() > SHORT_DIGITS { SUBSCRIBER_DIGITS + 1 } else { SUBSCRIBER_DIGITS };
        let start = number.len().checked_sub(count)?;
        if !number.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let value = std::str::from_utf8(&number[start..]).ok()?.parse().ok()?;
        Some(Self { value, digits: count as u32 })
    }
}

/// How a country writes its own numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberingPlan {
    country_code: String,
    trunk_prefix: String,
}

/// Why a text is not a phone number. It does not quote the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MsisdnError {
    /// Characters other than digits after an optional `+`.
    NotDigits,
    /// Begins with neither `+`, nor the trunk prefix, nor the country code.
    UnknownForm,
    /// Fewer than 8 or more than 15 digits.
    Length,
    /// No country code begins with zero.
    LeadingZero,
}

impl fmt::Display for MsisdnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotDigits => "only digits may follow an optional +, without spaces or separators",
            Self::UnknownForm => "must begin with +, the country code or the trunk prefix",
            Self::Length => "must have 8 to 15 digits, the country code included",
            Self::LeadingZero => "a country code does not begin with 0",
        })
    }
}

impl std::error::Error for MsisdnError {}

impl NumberingPlan {
    /// A plan from the country code (`62`) and the trunk prefix of its local form (`0`).
    /// `None` unless the code has 1 to 3 digits and does not begin with 0, and the prefix has 1
    /// or 2 digits and does not begin like the code.
    pub fn new(country_code: &str, trunk_prefix: &str) -> Option<Self> {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let usable = digits(country_code)
            && country_code.len() <= 3
            && !country_code.starts_with('0')
            && digits(trunk_prefix)
            && trunk_prefix.len() <= 2
            && !country_code.starts_with(trunk_prefix)
            && !trunk_prefix.starts_with(country_code);
        usable.then(|| Self { country_code: country_code.into(), trunk_prefix: trunk_prefix.into() })
    }

    /// The one canonical number that `text` spells: `+62812…`, `62812…` and `0812…` are the same.
    ///
    /// # Errors
    ///
    /// [`MsisdnError`] for any other spelling; nothing is guessed or stripped.
    pub fn parse(&self, text: &str) -> Result<Msisdn, MsisdnError> {
        let digits = text.strip_prefix('+').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(MsisdnError::NotDigits);
        }
        if text.starts_with('+') || digits.starts_with(&self.country_code) {
            return Msisdn::from_digits(digits);
        }
        match digits.strip_prefix(&self.trunk_prefix) {
            // 00 begins an international number, which is accepted only with +.
            Some(national) if national.starts_with('0') => Err(MsisdnError::UnknownForm),
            Some(national) if national.len() <= DIGITS_MAX => {
                Msisdn::from_digits(&format!("{}{national}", self.country_code))
            }
            Some(_) => Err(MsisdnError::Length),
            None => Err(MsisdnError::UnknownForm),
        }
    }
}

impl Msisdn {
    fn from_digits(digits: &str) -> Result<Self, MsisdnError> {
        if !(DIGITS_MIN..=DIGITS_MAX).contains(&digits.len()) {
            return Err(MsisdnError::Length);
        }
        if digits.starts_with('0') {
            return Err(MsisdnError::LeadingZero);
        }
        digits.parse().map(Self).map_err(|_| MsisdnError::NotDigits)
    }

    /// The digits without `+`, as SMPP addresses carry them (TON 1, NPI 1).
    pub(crate) fn digits(self) -> String {
        self.0.to_string()
    }

    /// Its first digits, as a number: all of them, if it has no more than `count`.
    pub(crate) fn first_digits(self, count: u32) -> u64 {
        let digits = self.0.ilog10() + 1;
        self.0 / 10_u64.pow(digits.saturating_sub(count))
    }

    /// Whether this may be the number that ends so.
    pub(crate) fn ends_in(self, ending: Ending) -> bool {
        self.0 % 10_u64.pow(ending.digits) == ending.value
    }

    /// As [`Self::digits`], without an allocation.
    pub(crate) fn digits_in(self, buffer: &mut [u8; DIGITS_MAX]) -> &[u8] {
        let (mut rest, mut start) = (self.0, DIGITS_MAX);
        while rest > 0 && start > 0 {
            start -= 1;
            buffer[start] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        &buffer[start..]
    }

    /// A form that its owner recognises and that does not give the number away: `+62812*****45`.
    pub(crate) fn masked(self) -> Masked {
        Masked(self)
    }
}

impl fmt::Debug for Msisdn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Msisdn({})", self.masked())
    }
}

/// Displays a number with its middle digits hidden.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Masked(Msisdn);

impl fmt::Display for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.digits();
        let hidden = digits.len() - SHOWN_FIRST - SHOWN_LAST;
        write!(f, "+{}{:*<hidden$}{}", &digits[..SHOWN_FIRST], "", &digits[digits.len() - SHOWN_LAST..])
    }
}

impl fmt::Debug for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn indonesia() -> NumberingPlan {
        NumberingPlan::new("62", "0").unwrap()
    }

    #[test]
    fn abuse_13_every_accepted_spelling_of_a_phone_is_one_number() {
        let plan = indonesia();
        let canonical = plan.parse("+628123456745").unwrap();
        assert_eq!(plan.parse("628123456745"), Ok(canonical));
        assert_eq!(plan.parse("08123456745"), Ok(canonical));
        assert_eq!(canonical.digits(), "628123456745");
    }

    #[test]
    fn abuse_13_every_other_spelling_of_a_phone_is_refused() {
        let plan = indonesia();
        let spellings = [
            "",
            "+",
            "++628123456745",
            "+62 812 3456 745",
            " 08123456745",
            "08123456745 ",
            "+62-812-3456-745",
            "\u{200b}+628123456745",
            "+62812345\u{200b}6745",
            "+６２８１２３４５６７４５",
            "+٦٢٨١٢٣٤٥٦٧٤٥",
            "+628123456745;ext=9",
            "+628123456745\0",
            "00628123456745",
            "8123456745",
            "+0628123456745",
            "+6281",
            "+6281234567890123",
            "tel:+628123456745",
            "0",
            "000000000",
        ];
        for spelling in spellings {
            assert!(plan.parse(spelling).is_err(), "{spelling:?} was accepted");
        }
    }

    #[test]
    fn a_number_shows_only_its_ends() {
        let number = indonesia().parse("+628123456745").unwrap();
        assert_eq!(number.masked().to_string(), "+62812*****45");
        assert_eq!(format!("{number:?}"), "Msisdn(+62812*****45)");
    }

    #[test]
    fn a_plan_whose_local_and_international_forms_could_be_confused_is_refused() {
        assert_eq!(NumberingPlan::new("62", "6"), None);
        assert_eq!(NumberingPlan::new("0", "0"), None);
        assert_eq!(NumberingPlan::new("", "0"), None);
        assert_eq!(NumberingPlan::new("62", ""), None);
    }
}
