//! Templates compiled at the start, and the texts made from them.

use ::settings::{Entry, Form, Section};
use smpp::text::gsm7;

use super::money::{AMOUNT_CHARS_MAX, grouped};
use super::settings::{self, Common};
use super::template::{Field, Lengths, Parser, Part, Purpose, Template};
use super::text::{SEGMENT_SEPTETS, Text};
use crate::clock::Timestamp;
use crate::subscriber::challenge::Locale;
use crate::subscriber::challenge_id::SmsReference;
use crate::subscriber::code::CodeLength;
use crate::subscriber::transaction::{Subject, Transaction};

/// What is left of a payee at the least, the dots not counted.
pub(super) const PAYEE_CHARS_MIN: usize = 10;
/// What a payee that was cut ends in.
const CUT_MARK: &[u8] = b"..";
/// The last digits of an account that are shown.
const ACCOUNT_CHARS: usize = 4;
/// An SMS reference.
const REFERENCE_CHARS: usize = 4;
/// `HH:MM`.
const TIME_CHARS: usize = 5;

/// A template that always fits one segment.
struct Compiled<'a> {
    purpose: Purpose,
    common: &'a Common,
    longest: &'a Lengths,
}

impl Form for Compiled<'_> {
    type Value = Template;

    fn allowed(&self) -> String {
        "a template such as \"Your code is {code}\"".into()
    }

    fn read(&self, entry: &Entry<'_>) -> Option<Template> {
        let Some(text) = entry.text() else { return entry.refuse(self.allowed()) };
        let parser = Parser::new(self.purpose, &self.common.bank, &self.common.host);
        let compiled = parser.parse(text).and_then(|template| template.fitting(self.purpose, self.longest));
        compiled
            .or_else(|problem| {
                let (found, allowed) = problem.words();
                entry.refuse_found(found, allowed).ok_or(())
            })
            .ok()
    }
}

/// The messages of a bank, ready to be rendered.
#[derive(Clone, Debug)]
pub(crate) struct Templates {
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
    /// Reads `[sms]`: each template fits one segment with codes of up to `code_length_max` digits, the longest amount
    /// whole, and 10 characters of a cut payee.
    pub(crate) fn read(section: &Section<'_>, code_length_max: CodeLength) -> Option<Self> {
        let common = Common::read(section);
        let longest = Lengths {
            code: code_length_max.digits().into(),
            amount: AMOUNT_CHARS_MAX,
            payee: PAYEE_CHARS_MIN + CUT_MARK.len(),
            account: ACCOUNT_CHARS,
            reference: REFERENCE_CHARS,
            validity: TIME_CHARS + common.zone.len(),
        };
        let template = |name, purpose, default| {
            section.or_written(name, Compiled { purpose, common: &common, longest: &longest }, default)
        };
        let payment_id = template("payment_id", Purpose::Payment, settings::PAYMENT_ID);
        let payment_en = template("payment_en", Purpose::Payment, settings::PAYMENT_EN);
        let login_id = template("login_id", Purpose::Login, settings::LOGIN_ID);
        let login_en = template("login_en", Purpose::Login, settings::LOGIN_EN);
        Some(Self {
            payment_id: payment_id?,
            payment_en: payment_en?,
            login_id: login_id?,
            login_en: login_en?,
            locale: common.locale,
            utc_offset_minutes: common.utc_offset_minutes,
            zone: common.zone,
        })
    }

    /// The language of a message whose request names none.
    pub(crate) fn locale(&self) -> Locale {
        self.locale
    }

    /// The text that asks to confirm `subject`, for a code of `code_length` digits.
    ///
    /// It fits one segment, and shows the amount whole.
    // A handful of short allocations, no lock, no clock.
    pub(crate) fn render(
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

    pub(super) fn local_time(&self, at: Timestamp) -> [u8; TIME_CHARS] {
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
    /// In GSM 7-bit, one septet in a byte.
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
                Part::Literal(septets) => text.push(septets),
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

fn payee(transaction: &Transaction) -> Vec<u8> {
    gsm7::encode(transaction.beneficiary_name())
        .expect("a beneficiary's name is GSM 7-bit, as the tests show")
}

fn last_of_account(transaction: &Transaction) -> &str {
    let account = transaction.beneficiary_account();
    &account[account.len().saturating_sub(ACCOUNT_CHARS)..]
}

/// Cuts a name of the basic set to at most `length_max` septets, with a mark that it was cut.
pub(super) fn cut(name: &mut Vec<u8>, length_max: usize) {
    name.truncate(length_max.saturating_sub(CUT_MARK.len()));
    // A blank is the same in ASCII and in GSM 7-bit; what else is white space in ASCII is a letter there.
    while name.last() == Some(&b' ') {
        name.pop();
    }
    let room = length_max.saturating_sub(name.len());
    name.extend_from_slice(&CUT_MARK[..CUT_MARK.len().min(room)]);
}
