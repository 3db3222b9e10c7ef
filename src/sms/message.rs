//! What an SMS says: templates compiled at the start, texts that fit one segment and lack only the code.
//!
//! A template is text with fields in braces, and at most one part in brackets that is left out when
//! the text would be too long (the validity, as a rule):
//!
//! ```text
//! {bank}: code {code} to pay {amount} to {payee}[ until {validity}]. NEVER share it.
//! ```
//!
//! | field | is | in |
//! |---|---|---|
//! | `{bank}` `{host}` | the settings of these names | both |
//! | `{code}` | the code | both |
//! | `{reference}` | four characters that tell one SMS from another | both |
//! | `{validity}` | local time and time zone until which the code can be answered | both |
//! | `{amount}` | currency and amount, never cut | payment |
//! | `{payee}` | the beneficiary's name, cut to what fits, at least 10 characters | payment |
//! | `{account}` | the last four digits of the beneficiary's account | payment |
//!
//! A text is one segment: 160 septets of GSM 7-bit (3GPP TS 23.038), where a character of the extension
//! table counts twice. Where a text would be longer, first the part in brackets goes, then the payee is
//! cut and ends in two dots. Amount and code are whole in every text; templates with which this could
//! not be kept are refused at the start.

use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use smpp::text::gsm7;

use crate::clock::Timestamp;
use crate::subscriber::challenge::{Locale, SmsReference};
use crate::subscriber::code::{Code, CodeLength};
use crate::subscriber::transaction::{AMOUNT_INTEGER_DIGITS_MAX, Amount, Subject, Transaction};

/// Septets of one segment (3GPP TS 23.038).
pub const SEGMENT_SEPTETS: usize = 160;
/// How often a code may stand in a text: in the sentence, in the last line, and twice to spare.
pub(super) const CODES_MAX: usize = 4;
/// What is left of a payee at the least, the dots not counted.
const PAYEE_CHARS_MIN: usize = 10;
/// What a payee that was cut ends in.
const CUT_MARK: &[u8] = b"..";
/// The last digits of an account that are shown.
const ACCOUNT_CHARS: usize = 4;
/// An SMS reference.
const REFERENCE_CHARS: usize = 4;
/// `HH:MM`.
const TIME_CHARS: usize = 5;
/// The most fraction digits of a currency (ISO 4217: CLF and UYW).
const MINOR_DIGITS_MAX: usize = 4;
/// Currency, blank, integer digits, a separator after every third, decimal separator, fraction.
const AMOUNT_CHARS_MAX: usize =
    3 + 1 + AMOUNT_INTEGER_DIGITS_MAX + (AMOUNT_INTEGER_DIGITS_MAX - 1) / 3 + 1 + MINOR_DIGITS_MAX;
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
    /// Braces around a name that is no field, or none of this kind of message.
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
            Self::UnknownField(name) => write!(f, "{{{name}}} is no field of this message"),
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

/// The text of one SMS in GSM 7-bit, one septet in an octet, with holes where the code goes.
///
/// With a code of the length that it was rendered for, it fits one segment. It never holds a code, and
/// `Debug` does not show it.
#[derive(Clone)]
pub struct Text {
    octets: [u8; SEGMENT_SEPTETS],
    length: u8,
    /// Where in `octets` the code is to be put in, in ascending order.
    holes: [u8; CODES_MAX],
    hole_count: u8,
}

impl Text {
    const EMPTY: Self =
        Self { octets: [0; SEGMENT_SEPTETS], length: 0, holes: [0; CODES_MAX], hole_count: 0 };

    /// Appends the text with `code` in its places to `out`.
    pub fn fill(&self, code: &Code, out: &mut Vec<u8>) {
        let octets = &self.octets[..usize::from(self.length)];
        let mut start = 0;
        for hole in &self.holes[..usize::from(self.hole_count)] {
            let hole = usize::from(*hole);
            out.extend_from_slice(&octets[start..hole]);
            out.extend_from_slice(code.expose());
            start = hole;
        }
        out.extend_from_slice(&octets[start..]);
    }

    fn push(&mut self, octets: &[u8]) {
        let start = usize::from(self.length);
        let room = SEGMENT_SEPTETS - start;
        debug_assert!(octets.len() <= room, "a text was laid out before it is written");
        let octets = &octets[..octets.len().min(room)];
        self.octets[start..start + octets.len()].copy_from_slice(octets);
        self.length += octets.len() as u8;
    }

    fn push_hole(&mut self) {
        if let Some(hole) = self.holes.get_mut(usize::from(self.hole_count)) {
            *hole = self.length;
            self.hole_count += 1;
        }
    }
}

const _: () = assert!(SEGMENT_SEPTETS <= u8::MAX as usize, "a text's length is kept in a byte");

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text(… {} septets)", self.length)
    }
}

/// What stands in a template besides text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Code,
    Amount,
    Payee,
    Account,
    Reference,
    Validity,
}

impl Field {
    const ALL: [(&'static str, Self); 6] = [
        ("code", Self::Code),
        ("amount", Self::Amount),
        ("payee", Self::Payee),
        ("account", Self::Account),
        ("reference", Self::Reference),
        ("validity", Self::Validity),
    ];

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find_map(|(known, field)| (known == name).then_some(field))
    }

    /// Whether only a payment has it.
    fn of_payment(self) -> bool {
        matches!(self, Self::Amount | Self::Payee | Self::Account)
    }

    fn times_max(self) -> usize {
        if self == Self::Code { CODES_MAX } else { 1 }
    }
}

#[derive(Clone, Debug)]
enum Part {
    /// GSM 7-bit octets.
    Literal(Vec<u8>),
    Field(Field),
}

/// How many septets each field has in one text.
#[derive(Clone, Copy, Debug)]
struct Lengths {
    code: usize,
    amount: usize,
    payee: usize,
    account: usize,
    reference: usize,
    validity: usize,
}

impl Lengths {
    fn of(&self, field: Field) -> usize {
        match field {
            Field::Code => self.code,
            Field::Amount => self.amount,
            Field::Payee => self.payee,
            Field::Account => self.account,
            Field::Reference => self.reference,
            Field::Validity => self.validity,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Payment,
    Login,
}

/// One compiled template. With codes of the length it was checked for, every text fits one segment.
#[derive(Clone, Debug)]
struct Template {
    parts: Vec<Part>,
    optional: Range<usize>,
}

impl Template {
    fn septets(&self, lengths: &Lengths, with_optional: bool) -> usize {
        let septets = |(index, part): (usize, &Part)| match part {
            _ if !with_optional && self.optional.contains(&index) => 0,
            Part::Literal(octets) => octets.len(),
            Part::Field(field) => lengths.of(*field),
        };
        self.parts.iter().enumerate().map(septets).sum()
    }

    /// How often `field` stands outside brackets.
    fn count(&self, field: Field) -> usize {
        let counts = |(index, part): &(usize, &Part)| {
            matches!(part, Part::Field(found) if *found == field) && !self.optional.contains(index)
        };
        self.parts.iter().enumerate().filter(counts).count()
    }

    fn check(&self, purpose: Purpose, longest: &Lengths) -> Result<(), Problem> {
        for (name, field) in Field::ALL {
            let needed = match field {
                Field::Code => true,
                Field::Amount | Field::Payee => purpose == Purpose::Payment,
                _ => false,
            };
            if needed && self.count(field) == 0 {
                return Err(Problem::Missing(name));
            }
            let is_it = |part: &&Part| matches!(part, Part::Field(found) if *found == field);
            if self.parts.iter().filter(is_it).count() > field.times_max() {
                return Err(Problem::TooOften(name));
            }
        }
        let septets = self.septets(longest, false);
        if septets > SEGMENT_SEPTETS { Err(Problem::TooLong { septets }) } else { Ok(()) }
    }
}

/// Reads a template from left to right.
struct Parser<'a> {
    purpose: Purpose,
    bank: &'a str,
    host: &'a str,
    parts: Vec<Part>,
    literal: String,
    optional: Option<Range<usize>>,
    in_optional: bool,
}

impl Parser<'_> {
    fn parse(mut self, template: &str) -> Result<Template, Problem> {
        let mut rest = template;
        while let Some(character) = rest.chars().next() {
            rest = &rest[character.len_utf8()..];
            match character {
                '{' => {
                    let (name, after) = rest.split_once('}').ok_or(Problem::Unbalanced('{'))?;
                    self.field(name)?;
                    rest = after;
                }
                '[' => self.open()?,
                ']' => self.close()?,
                '}' => return Err(Problem::Unbalanced('}')),
                _ => self.literal.push(character),
            }
        }
        if self.in_optional {
            return Err(Problem::Unbalanced('['));
        }
        self.flush()?;
        Ok(Template { parts: self.parts, optional: self.optional.unwrap_or(0..0) })
    }

    fn field(&mut self, name: &str) -> Result<(), Problem> {
        match (name, Field::named(name)) {
            ("bank", _) => self.literal.push_str(self.bank),
            ("host", _) => self.literal.push_str(self.host),
            (_, Some(field)) if self.purpose == Purpose::Payment || !field.of_payment() => {
                self.flush()?;
                self.parts.push(Part::Field(field));
            }
            _ => return Err(Problem::UnknownField(name.into())),
        }
        Ok(())
    }

    fn open(&mut self) -> Result<(), Problem> {
        match (&self.optional, self.in_optional) {
            (_, true) => return Err(Problem::Unbalanced('[')),
            (Some(_), false) => return Err(Problem::SecondOptionalPart),
            (None, false) => {}
        }
        self.flush()?;
        self.optional = Some(self.parts.len()..self.parts.len());
        self.in_optional = true;
        Ok(())
    }

    fn close(&mut self) -> Result<(), Problem> {
        self.flush()?;
        match &mut self.optional {
            Some(optional) if self.in_optional => optional.end = self.parts.len(),
            _ => return Err(Problem::Unbalanced(']')),
        }
        self.in_optional = false;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Problem> {
        if !self.literal.is_empty() {
            let octets = gsm7::encode(&self.literal).map_err(|error| Problem::NotGsm(error.character))?;
            self.parts.push(Part::Literal(octets));
            self.literal.clear();
        }
        Ok(())
    }
}

/// The messages of a bank, ready to be rendered.
#[derive(Clone, Debug)]
pub struct Templates {
    payment_id: Template,
    payment_en: Template,
    login_id: Template,
    login_en: Template,
    locale: Locale,
    utc_offset_minutes: i64,
    /// A blank and the name of the time zone.
    zone: Vec<u8>,
}

impl Templates {
    /// Compiles the templates and checks that each text fits one segment with codes of up to
    /// `code_length_max` digits, the longest amount whole, and 10 characters of a cut payee.
    ///
    /// # Errors
    ///
    /// The first setting that cannot be used, and why.
    pub fn new(config: &Config, code_length_max: CodeLength) -> Result<Self, TemplateError> {
        check_word("sms.bank", &config.bank)?;
        check_word("sms.time_zone", &config.time_zone)?;
        check_host(&config.host)?;
        let zone_error = |error: gsm7::NotInAlphabet| TemplateError {
            setting: "sms.time_zone",
            problem: Problem::NotGsm(error.character),
        };
        let zone = gsm7::encode(&format!(" {}", config.time_zone)).map_err(zone_error)?;
        let longest = Lengths {
            code: code_length_max.digits().into(),
            amount: AMOUNT_CHARS_MAX,
            payee: PAYEE_CHARS_MIN + CUT_MARK.len(),
            account: ACCOUNT_CHARS,
            reference: REFERENCE_CHARS,
            validity: TIME_CHARS + zone.len(),
        };
        let compile = |setting, template, purpose| {
            let parser = Parser {
                purpose,
                bank: &config.bank,
                host: &config.host,
                parts: Vec::new(),
                literal: String::new(),
                optional: None,
                in_optional: false,
            };
            let checked = parser.parse(template).and_then(|template| {
                template.check(purpose, &longest)?;
                Ok(template)
            });
            checked.map_err(|problem| TemplateError { setting, problem })
        };
        Ok(Self {
            payment_id: compile("sms.payment_id", &config.payment_id, Purpose::Payment)?,
            payment_en: compile("sms.payment_en", &config.payment_en, Purpose::Payment)?,
            login_id: compile("sms.login_id", &config.login_id, Purpose::Login)?,
            login_en: compile("sms.login_en", &config.login_en, Purpose::Login)?,
            locale: config.locale,
            utc_offset_minutes: utc_offset_minutes(&config.utc_offset)?,
            zone,
        })
    }

    /// The language of a message whose request names none.
    pub fn locale(&self) -> Locale {
        self.locale
    }

    /// The text that asks to confirm `subject`, for a code of `code_length` digits.
    ///
    /// It fits one segment, and shows the amount whole.
    // A handful of short allocations, no lock, no clock.
    pub fn render(
        &self,
        locale: Locale,
        subject: &Subject,
        reference: SmsReference,
        expires_at: Timestamp,
        code_length: CodeLength,
    ) -> Text {
        let (template, transaction) = match (subject, locale) {
            (Subject::Payment(transaction), Locale::Id) => (&self.payment_id, Some(transaction)),
            (Subject::Payment(transaction), Locale::En) => (&self.payment_en, Some(transaction)),
            (Subject::Login, Locale::Id) => (&self.login_id, None),
            (Subject::Login, Locale::En) => (&self.login_en, None),
        };
        let mut values = Values {
            amount: transaction.map(|t| grouped(t.amount(), locale)).unwrap_or_default(),
            payee: transaction.map(payee).unwrap_or_default(),
            account: transaction.map(last_of_account).unwrap_or_default(),
            reference,
            time: self.local_time(expires_at),
            zone: &self.zone,
        };
        let lengths = values.lengths(code_length);
        let with_optional = template.septets(&lengths, true) <= SEGMENT_SEPTETS;
        let surplus = template.septets(&lengths, with_optional).saturating_sub(SEGMENT_SEPTETS);
        if surplus > 0 {
            cut(&mut values.payee, lengths.payee.saturating_sub(surplus));
        }
        values.write(template, with_optional)
    }

    fn local_time(&self, at: Timestamp) -> [u8; TIME_CHARS] {
        // Cut, not rounded: the text never promises more than is left.
        let minutes = (at.unix_millis() / 60_000).cast_signed() + self.utc_offset_minutes;
        let minute_of_day = minutes.rem_euclid(24 * 60) as u16;
        let digit = |number: u16| b'0' + (number % 10) as u8;
        let (hour, minute) = (minute_of_day / 60, minute_of_day % 60);
        [digit(hour / 10), digit(hour), b':', digit(minute / 10), digit(minute)]
    }
}

/// What the fields of one text are.
struct Values<'a> {
    amount: String,
    /// GSM 7-bit octets.
    payee: Vec<u8>,
    account: &'a str,
    reference: SmsReference,
    time: [u8; TIME_CHARS],
    zone: &'a [u8],
}

impl Values<'_> {
    fn lengths(&self, code_length: CodeLength) -> Lengths {
        Lengths {
            code: code_length.digits().into(),
            amount: self.amount.len(),
            payee: self.payee.len(),
            account: self.account.len(),
            reference: REFERENCE_CHARS,
            validity: TIME_CHARS + self.zone.len(),
        }
    }

    fn write(&self, template: &Template, with_optional: bool) -> Text {
        let mut text = Text::EMPTY;
        for (index, part) in template.parts.iter().enumerate() {
            if !with_optional && template.optional.contains(&index) {
                continue;
            }
            match part {
                Part::Literal(octets) => text.push(octets),
                Part::Field(Field::Code) => text.push_hole(),
                // Letters, digits, comma, dot and blank are the same in ASCII and in GSM 7-bit.
                Part::Field(Field::Amount) => text.push(self.amount.as_bytes()),
                Part::Field(Field::Payee) => text.push(&self.payee),
                Part::Field(Field::Account) => text.push(self.account.as_bytes()),
                Part::Field(Field::Reference) => text.push(self.reference.as_str().as_bytes()),
                Part::Field(Field::Validity) => {
                    text.push(&self.time);
                    text.push(self.zone);
                }
            }
        }
        text
    }
}

/// `IDR 1.250.000.000` in Indonesian, `IDR 1,250,000,000` in English; a fraction only if there is one.
fn grouped(amount: Amount, locale: Locale) -> String {
    let (group, decimal) = match locale {
        Locale::Id => ('.', ','),
        Locale::En => (',', '.'),
    };
    let (integer, fraction) = amount.decimal();
    let mut text = String::with_capacity(AMOUNT_CHARS_MAX);
    text.push_str(amount.currency().code());
    text.push(' ');
    for (index, digit) in integer.chars().enumerate() {
        if index > 0 && (integer.len() - index) % 3 == 0 {
            text.push(group);
        }
        text.push(digit);
    }
    if fraction.bytes().any(|digit| digit != b'0') {
        text.push(decimal);
        text.push_str(&fraction);
    }
    text
}

fn payee(transaction: &Transaction) -> Vec<u8> {
    gsm7::encode(transaction.beneficiary_name())
        .expect("a beneficiary's name is GSM 7-bit, as the tests show")
}

fn last_of_account(transaction: &Transaction) -> &str {
    let account = transaction.beneficiary_account();
    &account[account.len().saturating_sub(ACCOUNT_CHARS)..]
}

/// Cuts a name of the basic set to at most `length_max` octets, with a mark that it was cut.
fn cut(name: &mut Vec<u8>, length_max: usize) {
    name.truncate(length_max.saturating_sub(CUT_MARK.len()));
    // A septet's blank is ASCII's; its other white space is letters.
    while name.last() == Some(&b' ') {
        name.pop();
    }
    let room = length_max.saturating_sub(name.len());
    name.extend_from_slice(&CUT_MARK[..CUT_MARK.len().min(room)]);
}

fn check_word(setting: &'static str, word: &str) -> Result<(), TemplateError> {
    let expected = "text of at least one character, without line breaks";
    if word.trim().is_empty() || word.contains(char::is_control) {
        return Err(TemplateError { setting, problem: Problem::Form { expected } });
    }
    Ok(())
}

fn check_host(host: &str) -> Result<(), TemplateError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    if host.is_empty() || !host.bytes().all(allowed) {
        let problem = Problem::Form { expected: "a host name such as \"bank.example\"" };
        return Err(TemplateError { setting: "sms.host", problem });
    }
    Ok(())
}

fn utc_offset_minutes(text: &str) -> Result<i64, TemplateError> {
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

#[cfg(test)]
mod tests;
