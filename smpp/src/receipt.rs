//! Delivery receipts: what became of a message, as text and as optional parameters.
//!
//! The text's form is each vendor's own; most keep close to the example in SMPP 3.4's
//! appendix B:
//!
//! ```text
//! id:IIIIIIIIII sub:SSS dlvrd:DDD submit date:YYMMDDhhmm done date:YYMMDDhhmm stat:DDDDDDD err:E text:…
//! ```

use std::fmt;

use crate::pdu::Message;
use crate::text::concatenation;
use crate::time::{CalendarTime, number};
use crate::tlv::Tag;

/// What became of a message (SMPP 3.4 §5.2.28). Values without a name here survive as their
/// number.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageState(pub u8);

impl MessageState {
    /// On its way. Also `BUFFRED`, which some SMSCs write.
    pub const ENROUTE: Self = Self(1);
    /// On the handset.
    pub const DELIVERED: Self = Self(2);
    /// Its validity period passed before it could be delivered.
    pub const EXPIRED: Self = Self(3);
    /// Deleted.
    pub const DELETED: Self = Self(4);
    /// Cannot be delivered. Also `FAILED`, which some SMSCs write.
    pub const UNDELIVERABLE: Self = Self(5);
    /// Accepted; with most SMSCs, on its way.
    pub const ACCEPTED: Self = Self(6);
    /// Not known.
    pub const UNKNOWN: Self = Self(7);
    /// Rejected.
    pub const REJECTED: Self = Self(8);

    /// The name in a receipt's text: `DELIVRD`. `UNKNOWN` for a value without one.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::ENROUTE => "ENROUTE",
            Self::DELIVERED => "DELIVRD",
            Self::EXPIRED => "EXPIRED",
            Self::DELETED => "DELETED",
            Self::UNDELIVERABLE => "UNDELIV",
            Self::ACCEPTED => "ACCEPTD",
            Self::REJECTED => "REJECTD",
            _ => "UNKNOWN",
        }
    }

    /// The state that a receipt's text names, in any case; `None` for other words.
    #[must_use]
    pub fn from_text(text: &[u8]) -> Option<Self> {
        const NAMES: [(&[u8], MessageState); 10] = [
            (b"DELIVRD", MessageState::DELIVERED),
            (b"UNDELIV", MessageState::UNDELIVERABLE),
            (b"EXPIRED", MessageState::EXPIRED),
            (b"REJECTD", MessageState::REJECTED),
            (b"ACCEPTD", MessageState::ACCEPTED),
            (b"ENROUTE", MessageState::ENROUTE),
            (b"DELETED", MessageState::DELETED),
            (b"UNKNOWN", MessageState::UNKNOWN),
            (b"FAILED", MessageState::UNDELIVERABLE),
            (b"BUFFRED", MessageState::ENROUTE),
        ];
        NAMES
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(text))
            .map(|&(_, state)| state)
    }
}

impl fmt::Debug for MessageState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text(), self.0)
    }
}

/// A delivery receipt. `Debug` does not show the text, which is the message's beginning.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Receipt<'a> {
    /// The message's id in the text; empty when it is not there. Its spelling is the
    /// vendor's: hexadecimal in one place and decimal in another, other case, leading zeros.
    pub id: &'a [u8],
    /// The message's id in the TLV `receipted_message_id`; empty when it is not there.
    pub receipted_message_id: &'a [u8],
    /// Messages submitted.
    pub sub: Option<u16>,
    /// Messages delivered.
    pub dlvrd: Option<u16>,
    /// When the SMSC took the message, in a time zone that is the operator's to know.
    pub submit_date: Option<CalendarTime>,
    /// When the message came to its state, in the same time zone.
    pub done_date: Option<CalendarTime>,
    /// What became of the message: as the text says, or else the TLV `message_state`.
    pub state: Option<MessageState>,
    /// The network's or SMSC's error code, mostly 3 characters; empty when it is not there.
    pub err: &'a [u8],
    /// The beginning of the message, at most 20 characters by the book.
    pub text: &'a [u8],
}

impl<'a> Receipt<'a> {
    /// Reads a `deliver_sm`; `None` when its `esm_class` does not say receipt, or when
    /// neither text nor parameters say which message it is about.
    ///
    /// Costs no allocation.
    #[must_use]
    pub fn parse(message: &Message<'a>) -> Option<Self> {
        if !message.esm_class.is_receipt() {
            return None;
        }
        let content = message.content();
        let header = if message.esm_class.has_udh() {
            concatenation::split_header(content)
        } else {
            None
        };
        let mut receipt = Self::from_text(header.map_or(content, |(_, text)| text));
        if let Some(id) = message.tlvs.find(Tag::RECEIPTED_MESSAGE_ID) {
            receipt.receipted_message_id = id.c_octets();
        }
        if receipt.state.is_none() {
            let state = message
                .tlvs
                .find(Tag::MESSAGE_STATE)
                .and_then(|state| state.number());
            receipt.state = state
                .and_then(|state| u8::try_from(state).ok())
                .map(MessageState);
        }
        receipt.ids().next().is_some().then_some(receipt)
    }

    /// Reads a receipt's text. What is missing or of no known form stays empty: fields in
    /// any order, names in any case, and everything after `text:` is text.
    #[must_use]
    pub fn from_text(text: &'a [u8]) -> Self {
        let mut receipt = Self::default();
        let mut rest = text;
        while let Some((field, after)) = next_field(rest) {
            let end = after
                .iter()
                .position(u8::is_ascii_whitespace)
                .unwrap_or(after.len());
            let (value, after_value) = after.split_at(end);
            match field {
                ReceiptField::Id => receipt.id = value,
                ReceiptField::Sub => receipt.sub = number(value),
                ReceiptField::Dlvrd => receipt.dlvrd = number(value),
                ReceiptField::SubmitDate => receipt.submit_date = date(value),
                ReceiptField::DoneDate => receipt.done_date = date(value),
                ReceiptField::Stat => receipt.state = MessageState::from_text(value),
                ReceiptField::Err => receipt.err = value,
                ReceiptField::Text => {
                    receipt.text = after;
                    break;
                }
            }
            rest = after_value;
        }
        receipt
    }

    /// The ids that the receipt gives for its message, the text's first; the TLV's too if it
    /// is another.
    pub fn ids(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let other = if self.receipted_message_id == self.id {
            b""
        } else {
            self.receipted_message_id
        };
        [self.id, other].into_iter().filter(|id| !id.is_empty())
    }

    /// Appends the text of the receipt in the form above, as much as there is: for an SMSC.
    /// Dates have ten digits, counts three, `err` at least three.
    pub fn write_text(&self, out: &mut Vec<u8>) {
        field(out, "id:", self.id);
        if let Some(sub) = self.sub {
            field(out, "sub:", format!("{sub:03}").as_bytes());
        }
        if let Some(dlvrd) = self.dlvrd {
            field(out, "dlvrd:", format!("{dlvrd:03}").as_bytes());
        }
        if let Some(date) = self.submit_date {
            field(out, "submit date:", &date.digits()[..10]);
        }
        if let Some(date) = self.done_date {
            field(out, "done date:", &date.digits()[..10]);
        }
        if let Some(state) = self.state {
            field(out, "stat:", state.text().as_bytes());
        }
        field(
            out,
            "err:",
            if self.err.is_empty() {
                b"000"
            } else {
                self.err
            },
        );
        field(out, "text:", self.text);
    }
}

impl fmt::Debug for Receipt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Receipt {{ id: \"{}\", receipted_message_id: \"{}\", state: {:?}, err: \"{}\" }}",
            self.id.escape_ascii(),
            self.receipted_message_id.escape_ascii(),
            self.state,
            self.err.escape_ascii()
        )
    }
}

fn field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    if !out.is_empty() {
        out.push(b' ');
    }
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(value);
}

#[derive(Clone, Copy)]
enum ReceiptField {
    Id,
    Sub,
    Dlvrd,
    SubmitDate,
    DoneDate,
    Stat,
    Err,
    Text,
}

/// The first field at the start of a word, and what follows its colon.
fn next_field(text: &[u8]) -> Option<(ReceiptField, &[u8])> {
    const NAMES: [(&[u8], ReceiptField); 8] = [
        (b"id:", ReceiptField::Id),
        (b"sub:", ReceiptField::Sub),
        (b"dlvrd:", ReceiptField::Dlvrd),
        (b"submit date:", ReceiptField::SubmitDate),
        (b"done date:", ReceiptField::DoneDate),
        (b"stat:", ReceiptField::Stat),
        (b"err:", ReceiptField::Err),
        (b"text:", ReceiptField::Text),
    ];
    let mut rest = text.trim_ascii_start();
    while !rest.is_empty() {
        for (name, field) in NAMES {
            if let Some((start, after)) = rest.split_at_checked(name.len())
                && start.eq_ignore_ascii_case(name)
            {
                return Some((field, after));
            }
        }
        let end = rest
            .iter()
            .position(u8::is_ascii_whitespace)
            .unwrap_or(rest.len());
        rest = rest[end..].trim_ascii_start();
    }
    None
}

/// `yyMMddHHmm`, `yyMMddHHmmss`, `yyyyMMddHHmm` or `yyyyMMddHHmmss`; `None` for anything
/// else, such as zeros.
fn date(digits: &[u8]) -> Option<CalendarTime> {
    let short = |digits: &[u8]| {
        let field = |index: usize| number(digits.get(index..index + 2)?);
        let second = if digits.len() == 10 { 0 } else { field(10)? };
        let [month, day, hour, minute] = [field(2)?, field(4)?, field(6)?, field(8)?];
        let date = CalendarTime {
            year: 2000 + field(0)?,
            month,
            day,
            hour,
            minute,
            second,
        };
        date.is_valid().then_some(date)
    };
    let long = |digits: &[u8]| digits.strip_prefix(b"20").and_then(short);
    match digits.len() {
        10 => short(digits),
        // In the years until 2031, a long one's "20YY" is a short one's year 20 and month YY.
        12 => short(digits).or_else(|| long(digits)),
        14 => long(digits),
        _ => None,
    }
}
