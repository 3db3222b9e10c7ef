//! Delivery receipts: an SMSC's report of a message's state, as text and as optional parameters.
//!
//! The text's form is each vendor's own; most keep close to the example in SMPP 3.4's appendix B:
//!
//! ```text
//! id:IIIIIIIIII sub:SSS dlvrd:DDD submit date:YYMMDDhhmm done date:YYMMDDhhmm stat:DDDDDDD err:E text:…
//! ```

use std::fmt;

use crate::pdu::{DataSm, EsmClass, Message, MessageState, Shown};
use crate::text::concatenation;
use crate::time::{CalendarTime, number};
use crate::tlv::{Tag, Tlvs};

/// A delivery receipt. `Debug` does not show the text, which is the message's beginning.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Receipt<'a> {
    /// The message's id in the text; empty when it is not there. Its spelling is the vendor's: hexadecimal in
    /// one place and decimal in another, other case, leading zeros.
    pub id: &'a [u8],
    /// The message's id in the TLV `receipted_message_id`; empty when it is not there.
    pub receipted_message_id: &'a [u8],
    /// Messages submitted.
    pub sub: Option<u16>,
    /// Messages delivered.
    pub dlvrd: Option<u16>,
    /// When the SMSC took the message, in the time zone of the operator, which it does not name.
    pub submit_date: Option<CalendarTime>,
    /// When the message came to its state, in the same time zone.
    pub done_date: Option<CalendarTime>,
    /// From the text, or else from the TLV `message_state`.
    pub state: Option<MessageState>,
    /// The network's or SMSC's error code, mostly 3 characters; empty when it is not there.
    pub err: &'a [u8],
    /// The beginning of the message, at most 20 characters in SMPP 3.4.
    pub text: &'a [u8],
}

impl<'a> Receipt<'a> {
    /// Reads a `deliver_sm`; `None` when its `esm_class` does not say receipt, or when neither text nor
    /// parameters have the id of a message.
    ///
    /// Costs no allocation.
    #[must_use]
    pub fn parse(message: &Message<'a>) -> Option<Self> {
        Self::read(message.esm_class, message.content(), message.tlvs)
    }

    /// Reads a `data_sm`, as [`parse`](Self::parse) reads a `deliver_sm`.
    #[must_use]
    pub fn parse_data_sm(message: &DataSm<'a>) -> Option<Self> {
        Self::read(message.esm_class, message.content(), message.tlvs)
    }

    fn read(esm_class: EsmClass, content: &'a [u8], tlvs: Tlvs<'a>) -> Option<Self> {
        if !esm_class.is_receipt() {
            return None;
        }
        let mut receipt = Self::from_text(content);
        // Some SMSCs set the header's bit without a header, so the text counts as it is first.
        if receipt.id.is_empty()
            && esm_class.has_udh()
            && let Some((_, text)) = concatenation::split_header(content)
        {
            receipt = Self::from_text(text);
        }
        if let Some(id) = tlvs.find(Tag::RECEIPTED_MESSAGE_ID) {
            receipt.receipted_message_id = id.c_string();
        }
        if receipt.state.is_none() {
            let state = tlvs.find(Tag::MESSAGE_STATE).and_then(|state| state.number());
            receipt.state = state.and_then(|state| u8::try_from(state).ok()).map(MessageState);
        }
        receipt.ids().next().is_some().then_some(receipt)
    }

    /// Reads a receipt's text. What is missing or of an unknown form stays empty: fields in any order, names
    /// in any case, and everything after `text:` is text.
    #[must_use]
    pub fn from_text(text: &'a [u8]) -> Self {
        let mut receipt = Self::default();
        let mut rest = text;
        while let Some((field, after)) = next_field(rest) {
            // Some SMSCs end the text, or its id, with a NUL.
            let ends = |byte: &u8| *byte == 0 || byte.is_ascii_whitespace();
            let end = after.iter().position(ends).unwrap_or(after.len());
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

    /// The ids that the receipt gives for its message, the text's first; the TLV's too if it is another.
    pub fn ids(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let other = if self.receipted_message_id == self.id { b"" } else { self.receipted_message_id };
        [self.id, other].into_iter().filter(|id| !id.is_empty())
    }

    /// Appends the receipt's text in the form above, for an SMSC; absent fields are left out. Dates have ten
    /// digits, counts three, and an empty `err` is written as `000`.
    pub fn write_text(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"id:");
        out.extend_from_slice(self.id);
        if let Some(sub) = self.sub {
            field(out, "sub", format!("{sub:03}").as_bytes());
        }
        if let Some(dlvrd) = self.dlvrd {
            field(out, "dlvrd", format!("{dlvrd:03}").as_bytes());
        }
        if let Some(date) = self.submit_date {
            field(out, "submit date", &date.digits()[..10]);
        }
        if let Some(date) = self.done_date {
            field(out, "done date", &date.digits()[..10]);
        }
        if let Some(state) = self.state {
            field(out, "stat", state.text().as_bytes());
        }
        field(out, "err", if self.err.is_empty() { b"000" } else { self.err });
        field(out, "text", self.text);
    }
}

impl fmt::Debug for Receipt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipt")
            .field("id", &Shown(self.id))
            .field("receipted_message_id", &Shown(self.receipted_message_id))
            .field("state", &self.state)
            .field("err", &Shown(self.err))
            .finish()
    }
}

fn field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.push(b' ');
    out.extend_from_slice(name.as_bytes());
    out.push(b':');
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
    while let Some(first) = rest.first().map(u8::to_ascii_lowercase) {
        for (name, field) in NAMES {
            if name[0] == first
                && let Some((start, after)) = rest.split_at_checked(name.len())
                && start.eq_ignore_ascii_case(name)
            {
                return Some((field, after));
            }
        }
        let end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
        rest = rest[end..].trim_ascii_start();
    }
    None
}

/// `yyMMddHHmm`, `yyMMddHHmmss`, `yyyyMMddHHmm` or `yyyyMMddHHmmss`; `None` for anything else, such as zeros.
fn date(digits: &[u8]) -> Option<CalendarTime> {
    let short = |digits: &[u8]| {
        let field = |index: usize| number(digits.get(index..index + 2)?);
        let second = if digits.len() == 10 { 0 } else { field(10)? };
        let [month, day, hour, minute] = [field(2)?, field(4)?, field(6)?, field(8)?];
        let date = CalendarTime { year: 2000 + field(0)?, month, day, hour, minute, second };
        date.is_valid().then_some(date)
    };
    let long = |digits: &[u8]| digits.strip_prefix(b"20").and_then(short);
    match digits.len() {
        10 => short(digits),
        // Read as the short form, a long one's year is a month, and from 2013 on there is none.
        12 => short(digits).or_else(|| long(digits)),
        14 => long(digits),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlv::TlvBuffer;

    const BOOK: &[u8] = b"id:0123456789 sub:001 dlvrd:001 submit date:2611221509 done date:2611221510 \
        stat:DELIVRD err:000 text:Kode OTP Anda adalah";

    fn at(hour: u16, minute: u16, second: u16) -> Option<CalendarTime> {
        Some(CalendarTime { year: 2026, month: 11, day: 22, hour, minute, second })
    }

    fn book() -> Receipt<'static> {
        Receipt {
            id: b"0123456789",
            receipted_message_id: b"",
            sub: Some(1),
            dlvrd: Some(1),
            submit_date: at(15, 9, 0),
            done_date: at(15, 10, 0),
            state: Some(MessageState::DELIVERED),
            err: b"000",
            text: b"Kode OTP Anda adalah",
        }
    }

    #[test]
    fn the_form_of_the_book_is_read_and_written() {
        assert_eq!(Receipt::from_text(BOOK), book());
        let mut written = b"before".to_vec();
        book().write_text(&mut written);
        assert_eq!(written, [b"before", BOOK].concat());
    }

    #[test]
    fn d3_every_state_of_the_field_is_known() {
        for (text, state) in [
            ("DELIVRD", MessageState::DELIVERED),
            ("UNDELIV", MessageState::UNDELIVERABLE),
            ("EXPIRED", MessageState::EXPIRED),
            ("REJECTD", MessageState::REJECTED),
            ("ACCEPTD", MessageState::ACCEPTED),
            ("ENROUTE", MessageState::ENROUTE),
            ("DELETED", MessageState::DELETED),
            ("UNKNOWN", MessageState::UNKNOWN),
            ("FAILED", MessageState::UNDELIVERABLE),
            ("BUFFRED", MessageState::ENROUTE),
        ] {
            let receipt = format!("id:1 stat:{text} err:1");
            assert_eq!(Receipt::from_text(receipt.as_bytes()).state, Some(state), "{text}");
        }
        assert_eq!(Receipt::from_text(b"id:1 stat:WEIRD").state, None);
    }

    #[test]
    fn d3_text_is_spelled_with_either_t_and_counts_may_be_missing() {
        for name in ["text", "Text", "TEXT"] {
            let text = format!(
                "id:6ba7b810-9dad-11d1-80b4-00c04fd430c8 stat:undeliv err:0069 {name}:id:2 stat:DELIVRD"
            );
            let receipt = Receipt::from_text(text.as_bytes());
            assert_eq!(receipt.id, b"6ba7b810-9dad-11d1-80b4-00c04fd430c8");
            assert_eq!((receipt.sub, receipt.dlvrd), (None, None));
            assert_eq!(receipt.state, Some(MessageState::UNDELIVERABLE), "what is in the text is text");
            assert_eq!(receipt.text, b"id:2 stat:DELIVRD");
        }
        let receipt = Receipt::from_text(b"id:1 sub:001 stat:DELIVRD");
        assert_eq!((receipt.sub, receipt.dlvrd), (Some(1), None));
        let receipt = Receipt::from_text(b"id:1 dlvrd:000 stat:UNDELIV");
        assert_eq!((receipt.sub, receipt.dlvrd), (None, Some(0)));
    }

    #[test]
    fn d3_an_error_code_has_three_or_four_characters() {
        for err in ["000", "069", "0069", "00FA"] {
            let text = format!("id:1 stat:UNDELIV err:{err} text:hello");
            let receipt = Receipt::from_text(text.as_bytes());
            assert_eq!((receipt.err, receipt.text), (err.as_bytes(), &b"hello"[..]));
        }
    }

    #[test]
    fn d4_a_receipt_has_dates_of_any_form_or_none() {
        for (submit, done, expected) in [
            ("2611221509", "2611221510", (at(15, 9, 0), at(15, 10, 0))),
            ("261122150930", "261122151001", (at(15, 9, 30), at(15, 10, 1))),
            ("20261122150930", "20261122151001", (at(15, 9, 30), at(15, 10, 1))),
            ("2611221509", "20261122151001", (at(15, 9, 0), at(15, 10, 1))),
            ("0000000000", "000000000000", (None, None)),
            ("2611221509", "00000000000000", (at(15, 9, 0), None)),
        ] {
            let text =
                format!("id:1 sub:001 dlvrd:001 submit date:{submit} done date:{done} stat:DELIVRD err:000");
            let receipt = Receipt::from_text(text.as_bytes());
            assert_eq!((receipt.submit_date, receipt.done_date), expected, "{submit} {done}");
            assert_eq!((receipt.state, receipt.err), (Some(MessageState::DELIVERED), &b"000"[..]));
        }
    }

    #[test]
    fn fields_come_in_any_order_with_any_blanks() {
        let receipt = Receipt::from_text(b"  stat:EXPIRED\r\nextra:5  id:A1  err: text:");
        assert_eq!((receipt.id, receipt.state), (&b"A1"[..], Some(MessageState::EXPIRED)));
        assert_eq!((receipt.err, receipt.text), (&b""[..], &b""[..]));
    }

    #[test]
    fn a_nul_ends_a_value_as_a_blank_does() {
        let receipt = Receipt::from_text(b"id:A1\0 stat:DELIVRD\0");
        assert_eq!((receipt.id, receipt.state), (&b"A1"[..], Some(MessageState::DELIVERED)));
    }

    #[test]
    fn a_name_inside_a_word_is_no_field() {
        let receipt = Receipt::from_text(b"valid:7 substat:DELIVRD");
        assert_eq!(receipt, Receipt::default());
    }

    #[test]
    fn d4_dates_have_ten_twelve_or_fourteen_digits() {
        for (digits, expected) in [
            (&b"2611221509"[..], at(15, 9, 0)),
            (b"261122150959", at(15, 9, 59)),
            (b"202611221509", at(15, 9, 0)),
            (b"20261122150959", at(15, 9, 59)),
            (b"0000000000", None),
            (b"000000000000", None),
            (b"00000000000000", None),
            (b"2602301509", None),
            (b"19991122150959", None),
            (b"26112215", None),
            (b"26112215zz", None),
            (b"", None),
        ] {
            assert_eq!(date(digits), expected, "{}", digits.escape_ascii());
        }
    }

    fn message<'a>(esm_class: u8, short_message: &'a [u8], tlvs: &'a TlvBuffer) -> Message<'a> {
        let esm_class = EsmClass(esm_class);
        Message { esm_class, short_message, tlvs: tlvs.as_tlvs(), ..Message::default() }
    }

    fn parameters(id: &[u8], state: u8) -> TlvBuffer {
        let mut tlvs = TlvBuffer::new();
        tlvs.push_c_string(Tag::RECEIPTED_MESSAGE_ID, id).unwrap();
        tlvs.push_u8(Tag::MESSAGE_STATE, state);
        tlvs
    }

    #[test]
    fn d9_only_the_class_makes_a_receipt() {
        let none = TlvBuffer::new();
        assert!(Receipt::parse(&message(0x04, BOOK, &none)).is_some());
        assert!(Receipt::parse(&message(0x24, BOOK, &none)).is_some());
        for class in [0x00, 0x08, 0x20, 0x40] {
            assert_eq!(Receipt::parse(&message(class, BOOK, &none)), None, "0x{class:02X}");
        }
        assert_eq!(Receipt::parse(&message(0x00, b"STOP", &none)), None);
        assert_eq!(Receipt::parse(&message(0x04, b"STOP", &none)), None, "says nothing of any message");
    }

    /// The receipts that a `deliver_sm` and a `data_sm` of these parameters make.
    fn in_both(esm_class: u8, tlvs: &TlvBuffer) -> [Option<Receipt<'_>>; 2] {
        let esm_class = EsmClass(esm_class);
        let data = DataSm { esm_class, tlvs: tlvs.as_tlvs(), ..DataSm::default() };
        [Receipt::parse(&message(esm_class.0, b"", tlvs)), Receipt::parse_data_sm(&data)]
    }

    #[test]
    fn d5_each_class_of_a_receipt_is_read_in_deliver_sm_and_data_sm() {
        let mut tlvs = TlvBuffer::new();
        tlvs.push(Tag::MESSAGE_PAYLOAD, BOOK).unwrap();
        let none = TlvBuffer::new();
        for class in [0x04, 0x24, 0x44] {
            assert_eq!(Receipt::parse(&message(class, BOOK, &none)), Some(book()), "0x{class:02X}");
            assert_eq!(in_both(class, &tlvs), [Some(book()); 2], "0x{class:02X}");
        }
        for class in [0x00, 0x08, 0x20, 0x40] {
            assert_eq!(in_both(class, &tlvs), [None; 2], "0x{class:02X}");
        }
    }

    #[test]
    fn d5_a_receipt_has_its_text_in_message_payload_or_behind_a_header() {
        let behind = [b"\x05\0\x03\x01\x01\x01", BOOK].concat();
        let none = TlvBuffer::new();
        assert_eq!(Receipt::parse(&message(0x44, &behind, &none)), Some(book()));
        assert_eq!(Receipt::parse(&message(0x44, BOOK, &none)), Some(book()), "with the bit but no header");
        let mut tlvs = TlvBuffer::new();
        tlvs.push(Tag::MESSAGE_PAYLOAD, &behind).unwrap();
        assert_eq!(in_both(0x44, &tlvs), [Some(book()); 2]);
    }

    #[test]
    fn d5_a_receipt_has_parameters_alone() {
        let tlvs = parameters(b"A1B2", 8);
        for receipt in in_both(0x04, &tlvs) {
            let receipt = receipt.unwrap();
            assert_eq!((receipt.id, receipt.receipted_message_id), (&b""[..], &b"A1B2"[..]));
            assert_eq!(receipt.state, Some(MessageState::REJECTED));
            assert_eq!(receipt.ids().collect::<Vec<_>>(), [b"A1B2"]);
        }
        let mut tlvs = TlvBuffer::new();
        tlvs.push_u8(Tag::MESSAGE_STATE, 2);
        assert_eq!(in_both(0x04, &tlvs), [None; 2], "of no message");
    }

    #[test]
    fn d5_states_0_and_9_which_smpp_3_4_does_not_have_survive() {
        for state in [0, 9] {
            let tlvs = parameters(b"1", state);
            for receipt in in_both(0x04, &tlvs) {
                assert_eq!(receipt.unwrap().state, Some(MessageState(state)));
            }
            let receipt = Receipt::parse(&message(0x04, b"id:1 stat:DELIVRD", &tlvs)).unwrap();
            assert_eq!(receipt.state, Some(MessageState::DELIVERED), "the text says more");
        }
    }

    #[test]
    fn d2_text_and_parameters_may_spell_the_id_in_two_ways() {
        let tlvs = parameters(b"FF", 5);
        let receipt = Receipt::parse(&message(0x04, b"id:0000000255 stat:DELIVRD", &tlvs)).unwrap();
        assert_eq!(receipt.ids().collect::<Vec<_>>(), [&b"0000000255"[..], b"FF"]);
        assert_eq!(receipt.state, Some(MessageState::DELIVERED), "the text's state comes first");
        let tlvs = parameters(b"255", 2);
        let receipt = Receipt::parse(&message(0x04, b"id:255", &tlvs)).unwrap();
        assert_eq!(receipt.ids().collect::<Vec<_>>(), [b"255"]);
        assert_eq!(receipt.state, Some(MessageState::DELIVERED), "the text has none");
    }

    #[test]
    fn debug_shows_no_text() {
        let shown = format!("{:?}", Receipt { text: b"code 482913", ..book() });
        assert!(!shown.contains("482913") && shown.contains("DELIVRD (2)"), "{shown}");
    }
}
