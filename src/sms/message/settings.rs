//! `[sms]`: what messages say, and what is wrong with a setting that cannot be used.

use std::fmt;

use serde::Deserialize;

use super::text::SEGMENT_SEPTETS;
use crate::subscriber::challenge::Locale;

/// The furthest local times are from UTC, in minutes.
const UTC_OFFSET_MINUTES_MAX: i64 = 14 * 60;

/// `[sms]`: what messages say.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The bank's name in messages.
    pub bank: String,
    /// The host of the bank's site, for the last line that binds a code to it (`@host #code`).
    pub host: String,
    /// The language of a message whose request names none: `"id"` or `"en"`.
    #[serde(deserialize_with = "locale_setting")]
    pub locale: Locale,
    /// What local time is ahead of UTC: `"-12:00"` to `"+14:00"`.
    pub utc_offset: String,
    /// What local time is called in messages.
    pub time_zone: String,
    /// A payment's message in Indonesian.
    pub payment_id: String,
    /// A payment's message in English.
    pub payment_en: String,
    /// A login's message in Indonesian.
    pub login_id: String,
    /// A login's message in English.
    pub login_en: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bank: "Bank Contoh".into(),
            host: "bank.example".into(),
            locale: Locale::Id,
            utc_offset: "+07:00".into(),
            time_zone: "WIB".into(),
            payment_id: "{bank}: kode {code} utk bayar {amount} ke {payee} rek {account} ref {reference}\
                         [ s/d {validity}]. JANGAN beri tahu siapa pun.\n@{host} #{code}"
                .into(),
            payment_en: "{bank}: code {code} to pay {amount} to {payee} acct {account} ref {reference}\
                         [ until {validity}]. NEVER share it, even with us.\n@{host} #{code}"
                .into(),
            login_id: "{bank}: kode {code} utk masuk, ref {reference}[, berlaku s/d {validity}]. \
                       JANGAN beri tahu siapa pun, termasuk petugas bank.\n@{host} #{code}"
                .into(),
            login_en: "{bank}: code {code} to log in, ref {reference}[, valid until {validity}]. \
                       NEVER share it with anyone, not even bank staff.\n@{host} #{code}"
                .into(),
        }
    }
}

fn locale_setting<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Locale, D::Error> {
    match String::deserialize(from)?.as_str() {
        "id" => Ok(Locale::Id),
        "en" => Ok(Locale::En),
        _ => Err(serde::de::Error::custom("expected \"id\" or \"en\"")),
    }
}

/// A setting of `[sms]` that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    /// The setting's name, with its section.
    pub setting: &'static str,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a setting of `[sms]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Not the form that the setting has.
    Form {
        /// The form.
        expected: &'static str,
    },
    /// A character that one segment of GSM 7-bit does not have.
    NotGsm(char),
    /// Braces around a name that is not a field, or not one of this kind of message.
    UnknownField(String),
    /// A brace or a bracket without its other half, or one inside another.
    Unbalanced(char),
    /// More than one part in brackets.
    SecondOptionalPart,
    /// A field that the message must have stands nowhere outside brackets.
    Missing(&'static str),
    /// A field stands more often than it may: the code four times, others once.
    TooOften(&'static str),
    /// With the longest fields the text needs more than one segment.
    TooLong {
        /// Septets that it needs, without the part in brackets.
        septets: usize,
    },
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.setting, self.problem)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form { expected } => write!(f, "must be {expected}"),
            Self::NotGsm(character) => write!(f, "{character:?} is not in the GSM 7-bit alphabet"),
            Self::UnknownField(name) => write!(f, "{{{name}}} is not a field of this message"),
            Self::Unbalanced(character) => write!(f, "{character:?} stands without its other half"),
            Self::SecondOptionalPart => f.write_str("only one part may stand in brackets"),
            Self::Missing(name) => write!(f, "{{{name}}} must stand in it, outside brackets"),
            Self::TooOften(name) => write!(f, "{{{name}}} stands too often in it"),
            Self::TooLong { septets } => write!(
                f,
                "with the longest fields it needs {septets} septets, and one SMS has {SEGMENT_SEPTETS}"
            ),
        }
    }
}

impl std::error::Error for TemplateError {}

pub(super) fn check_word(setting: &'static str, word: &str) -> Result<(), TemplateError> {
    let expected = "text of at least one character, without line breaks";
    if word.trim().is_empty() || word.contains(char::is_control) {
        return Err(TemplateError { setting, problem: Problem::Form { expected } });
    }
    Ok(())
}

pub(super) fn check_host(host: &str) -> Result<(), TemplateError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    if host.is_empty() || !host.bytes().all(allowed) {
        let problem = Problem::Form { expected: "a host name such as \"bank.example\"" };
        return Err(TemplateError { setting: "sms.host", problem });
    }
    Ok(())
}

pub(super) fn utc_offset_minutes(text: &str) -> Result<i64, TemplateError> {
    let minutes = || {
        let &[sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] = text.as_bytes() else { return None };
        if ![h1, h2, m1, m2].iter().all(u8::is_ascii_digit) {
            return None;
        }
        let number = |tens: u8, ones: u8| i64::from(tens - b'0') * 10 + i64::from(ones - b'0');
        let (hours, minutes) = (number(h1, h2), number(m1, m2));
        let total = hours * 60 + minutes;
        let total = if sign == b'-' { -total } else { total };
        (minutes < 60 && total.abs() <= UTC_OFFSET_MINUTES_MAX).then_some(total)
    };
    let problem = Problem::Form { expected: "an offset from UTC such as \"+07:00\"" };
    minutes().ok_or(TemplateError { setting: "sms.utc_offset", problem })
}
