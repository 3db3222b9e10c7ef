//! `[sms]`: what messages say.

use settings::{Form, Section, one_of, text};
use smpp::text::gsm7;

use super::text::SEGMENT_SEPTETS;
use crate::named::Named as _;
use crate::subscriber::challenge::Locale;

/// The furthest local times are from UTC, in minutes.
const UTC_OFFSET_MINUTES_MAX: i64 = 14 * 60;

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
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
    /// With the longest fields the text needs this many septets, without the part in brackets: more than one
    /// segment.
    TooLong(usize),
}

impl Problem {
    /// What was found, and what is allowed.
    pub(super) fn words(&self) -> (String, String) {
        match self {
            Self::NotGsm(character) => {
                (format!("{character:?}"), "the characters of the GSM 7-bit alphabet".into())
            }
            Self::UnknownField(name) => {
                let fields = "{bank}, {host}, {code}, {reference} and {validity}, and in payments {amount}, {payee} \
                              and {account}";
                (format!("{{{name}}}"), fields.into())
            }
            Self::Unbalanced(character) => {
                (format!("{character:?} without its other half"), "braces and brackets in pairs".into())
            }
            Self::SecondOptionalPart => ("a second part in brackets".into(), "one".into()),
            Self::Missing(name) => {
                (format!("no {{{name}}} outside brackets"), format!("a text with {{{name}}}"))
            }
            Self::TooOften(name) => {
                (format!("{{{name}}} too often"), "{code} up to four times, and other fields once".into())
            }
            Self::TooLong(septets) => (
                format!("{septets} septets with the longest fields"),
                format!("the {SEGMENT_SEPTETS} of one SMS"),
            ),
        }
    }
}

/// What all templates have in common.
pub(super) struct Common {
    /// The bank's name in messages.
    pub(super) bank: String,
    /// The host of the bank's site, for the last line that binds a code to it (`@host #code`).
    pub(super) host: String,
    /// The language of a message whose request names none.
    pub(super) locale: Locale,
    /// What local time is ahead of UTC.
    pub(super) utc_offset_minutes: i64,
    /// A blank and what local time is called in messages, in GSM 7-bit.
    pub(super) zone: Vec<u8>,
}

impl Common {
    pub(super) fn read(section: &Section<'_>) -> Self {
        let locale = one_of(Locale::ALL, Locale::name);
        let offset = text("an offset from UTC such as \"+07:00\", up to 14 hours", utc_offset_minutes);
        let zone = section.or("time_zone", words(), "WIB".into());
        Self {
            bank: section.or("bank", words(), "Bank Contoh".into()),
            host: section.or("host", host(), "bank.example".into()),
            locale: section.or("locale", locale, Locale::Id),
            utc_offset_minutes: section.or("utc_offset", offset, 7 * 60),
            zone: gsm7::encode(&format!(" {zone}")).unwrap_or_default(),
        }
    }
}

/// A payment's message in Indonesian.
pub(super) const PAYMENT_ID: &str = "{bank}: kode {code} utk bayar {amount} ke {payee} rek {account} ref {reference}\
                                     [ s/d {validity}]. JANGAN beri tahu siapa pun.\n@{host} #{code}";
/// A payment's message in English.
pub(super) const PAYMENT_EN: &str = "{bank}: code {code} to pay {amount} to {payee} acct {account} ref {reference}\
                                     [ until {validity}]. NEVER share it, even with us.\n@{host} #{code}";
/// A login's message in Indonesian.
pub(super) const LOGIN_ID: &str = "{bank}: kode {code} utk masuk, ref {reference}[, berlaku s/d {validity}]. \
                                   JANGAN beri tahu siapa pun, termasuk petugas bank.\n@{host} #{code}";
/// A login's message in English.
pub(super) const LOGIN_EN: &str = "{bank}: code {code} to log in, ref {reference}[, valid until {validity}]. \
                                   NEVER share it with anyone, not even bank staff.\n@{host} #{code}";

fn words() -> impl Form<Value = String> {
    let is_good = |text: &&str| {
        !text.trim().is_empty() && !text.contains(char::is_control) && gsm7::encode(text).is_ok()
    };
    text("at least one character of the GSM 7-bit alphabet, without line breaks", move |text| {
        Some(text).filter(is_good).map(str::to_owned)
    })
}

fn host() -> impl Form<Value = String> {
    let of_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    text("a host name such as \"bank.example\"", move |host| {
        (!host.is_empty() && host.bytes().all(of_host)).then(|| host.to_owned())
    })
}

fn utc_offset_minutes(text: &str) -> Option<i64> {
    let &[sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] = text.as_bytes() else { return None };
    if ![h1, h2, m1, m2].iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |tens: u8, ones: u8| i64::from(tens - b'0') * 10 + i64::from(ones - b'0');
    let (hours, minutes) = (number(h1, h2), number(m1, m2));
    let total = hours * 60 + minutes;
    let total = if sign == b'-' { -total } else { total };
    (minutes < 60 && total.abs() <= UTC_OFFSET_MINUTES_MAX).then_some(total)
}
