//! A message on a handset, and its JSON form.

use super::details::{Details, Direction, History, HistoryPlace, ReceiptOutcome, ReceiptSent};
use super::{Address, Cursor};
use crate::behavior::IdForm;
use serde::Serialize;
use smpp::pdu::MessageState;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// The longest `validity_period` in octets, without the final NUL (SMPP 3.4,
/// 7.1.1).
pub const VALIDITY_OCTETS_MAX: usize = 16;

/// What is known of a message's delivery receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum ReceiptState {
    /// The sender asked for none, or receipts are off.
    NotRequested,
    /// Not answered yet: waiting for its time, for a session that can carry
    /// it, or for the sender's deliver_sm_resp.
    Pending,
    /// The sender answered it with status 0.
    Acknowledged,
    /// The sender refused it, or never answered.
    Failed,
}

impl ReceiptState {
    const fn from_u8(value: u8) -> Self {
        match value {
            1 => Self::Pending,
            2 => Self::Acknowledged,
            3 => Self::Failed,
            _ => Self::NotRequested,
        }
    }
}

/// A `validity_period` as the sender wrote it, and the instant it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    octets: [u8; VALIDITY_OCTETS_MAX],
    length: u8,
    /// When the message expires.
    pub expires_at: SystemTime,
}

impl Validity {
    /// Keeps the first 16 octets of `written`.
    #[must_use]
    pub fn new(written: &[u8], expires_at: SystemTime) -> Self {
        let mut octets = [0; VALIDITY_OCTETS_MAX];
        let length = written.len().min(VALIDITY_OCTETS_MAX);
        octets[..length].copy_from_slice(&written[..length]);
        Self { octets, length: u8::try_from(length).unwrap_or_default(), expires_at }
    }

    /// The field as the sender wrote it, such as `000000000300000R`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.octets[..usize::from(self.length)]).unwrap_or_default()
    }
}

/// What a submit brings, before the inbox numbers it.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) id: MessageId,
    pub(crate) time: SystemTime,
    pub(crate) from: Address,
    pub(crate) to: Address,
    pub(crate) text: Box<str>,
    pub(crate) segments: u8,
    pub(crate) data_coding: u8,
    pub(crate) validity: Option<Validity>,
    pub(crate) receipt: ReceiptState,
    pub(crate) details: Details,
    /// Of a long message, its parts: each has receipts of its own.
    pub(crate) parts: Box<[Arc<Message>]>,
}

impl Draft {
    /// It came in parts with these ids, and expires with the first of them.
    pub(crate) fn take_parts(
        &mut self,
        ids: Box<[MessageId]>,
        kept: impl Fn(MessageId) -> Option<Arc<Message>>,
    ) {
        self.segments = u8::try_from(ids.len()).unwrap_or(u8::MAX);
        self.parts = ids.iter().filter_map(|id| kept(*id)).collect();
        let validities = self.parts.iter().filter_map(|part| part.draft.validity);
        self.validity = validities.min_by_key(|validity| validity.expires_at);
        self.details.parts = ids;
    }
}

/// The `message_id` that the SMSC gave out: unique, also across restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageId(u64);

/// Octets of a [`MessageId`] as it is written.
const MESSAGE_ID_OCTETS: usize = 16;

impl MessageId {
    pub(crate) const fn new(value: u64) -> Self {
        Self(value)
    }

    pub(crate) const fn value(self) -> u64 {
        self.0
    }

    /// 16 lowercase hexadecimal digits, as a healthy SMSC and the inbox write
    /// it.
    #[must_use]
    pub fn to_hex(self) -> [u8; MESSAGE_ID_OCTETS] {
        let mut digits = [b'0'; MESSAGE_ID_OCTETS];
        let mut rest = self.0;
        for digit in digits.iter_mut().rev() {
            *digit = b"0123456789abcdef"[(rest & 0xF) as usize];
            rest >>= 4;
        }
        digits
    }

    /// The id as an SMPP session writes it; empty for a form that has none.
    #[must_use]
    pub fn written(self, form: IdForm) -> Vec<u8> {
        let mut written = Vec::new();
        self.write(form, &mut written);
        written
    }

    pub(crate) fn write(self, form: IdForm, out: &mut Vec<u8>) {
        let Self(value) = self;
        match form {
            IdForm::Hex => out.extend_from_slice(&self.to_hex()),
            IdForm::HexUpper => out.extend_from_slice(&self.to_hex().to_ascii_uppercase()),
            IdForm::Decimal => out.extend_from_slice(value.to_string().as_bytes()),
            IdForm::LeadingZeros => out.extend_from_slice(format!("{value:020}").as_bytes()),
            IdForm::Uuid => {
                let (high, low) = (value >> 32, value & 0xFFFF_FFFF);
                out.extend_from_slice(format!("{high:08x}-0000-4000-8000-0000{low:08x}").as_bytes());
            }
            IdForm::Empty | IdForm::Missing => {}
            IdForm::TooLong => out.extend_from_slice(format!("{value:065x}").as_bytes()),
            IdForm::NonAscii => {
                out.extend_from_slice(b"\xE9\xA0");
                out.extend_from_slice(&self.to_hex());
            }
        }
    }

    /// The ids that may be meant by what is written: 16 decimal digits may be
    /// hexadecimal ones, too.
    pub(crate) fn meant_by(written: &[u8]) -> impl Iterator<Item = Self> {
        let text = str::from_utf8(written).unwrap_or_default();
        let digits = |digits: &str, radix| {
            let plain = digits.bytes().all(|octet| octet.is_ascii_hexdigit());
            if plain { u64::from_str_radix(digits, radix).ok() } else { None }
        };
        let hex = || digits(text, 16).filter(|_| text.len() == MESSAGE_ID_OCTETS);
        let uuid = || {
            let (head, tail) = (text.get(..8)?, text.get(28..)?);
            (text.len() == 36).then_some(digits(head, 16)? << 32 | digits(tail, 16)?)
        };
        [hex().or_else(uuid), digits(text, 10)].into_iter().flatten().map(Self)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(&self.to_hex()).unwrap_or_default())
    }
}

/// A message: whole and decoded. The inbox lists those that a handset shows, or
/// sent; others are found by their id.
///
/// `Debug` shows neither the text nor the whole numbers.
pub struct Message {
    /// 0 until it is listed.
    cursor: AtomicU64,
    draft: Draft,
    state: AtomicU8,
    /// Milliseconds from [`Message::time`] to its final state, plus one; 0 before.
    done: AtomicU64,
    receipt: AtomicU8,
    history: History,
}

/// The atomics of a message publish nothing but themselves, so that relaxed
/// order is enough.
impl Message {
    pub(super) fn new(draft: Draft) -> Self {
        Self {
            cursor: AtomicU64::new(0),
            receipt: AtomicU8::new(draft.receipt as u8),
            state: AtomicU8::new(MessageState::ENROUTE.0),
            done: AtomicU64::new(0),
            history: History::default(),
            draft,
        }
    }

    /// The place right after this message: reading on from here gives the next.
    /// [`Cursor::START`] for one that is not listed.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        Cursor(self.cursor.load(Ordering::Relaxed))
    }

    pub(super) fn list_at(&self, Cursor(cursor): Cursor) {
        self.cursor.store(cursor, Ordering::Relaxed);
    }

    /// What it came with.
    #[must_use]
    pub fn details(&self) -> &Details {
        &self.draft.details
    }

    /// What has become of it, as of now: ENROUTE, or a final state.
    #[must_use]
    pub fn state(&self) -> MessageState {
        MessageState(self.state.load(Ordering::Relaxed))
    }

    /// When it came to its final state: for a delivered one, when the handset
    /// showed it.
    #[must_use]
    pub fn done(&self) -> Option<SystemTime> {
        let millis = self.done.load(Ordering::Relaxed).checked_sub(1)?;
        Some(self.draft.time + Duration::from_millis(millis))
    }

    pub(crate) fn end(&self, state: MessageState, at: SystemTime) {
        let after = at.duration_since(self.draft.time).unwrap_or_default();
        let millis = u64::try_from(after.as_millis()).unwrap_or(u64::MAX - 1);
        self.done.store(millis + 1, Ordering::Relaxed);
        self.state.store(state.0, Ordering::Relaxed);
    }

    /// The receipts that were sent for it, the first
    /// [`RECEIPTS_MAX`](super::RECEIPTS_MAX); of a long message, those of each
    /// part, by time.
    #[must_use]
    pub fn receipts(&self) -> Vec<ReceiptSent> {
        let mut receipts = self.history.list(self.draft.time);
        receipts.extend(self.draft.parts.iter().flat_map(|part| part.receipts()));
        receipts.sort_by_key(|receipt| receipt.time);
        receipts
    }

    pub(crate) fn receipt_sent(
        &self,
        place: Option<HistoryPlace>,
        state: MessageState,
        at: SystemTime,
    ) -> Option<HistoryPlace> {
        self.history.sent(place, state, at.duration_since(self.draft.time).unwrap_or_default())
    }

    pub(crate) fn receipt_settled(&self, place: Option<HistoryPlace>, outcome: ReceiptOutcome) {
        if let Some(place) = place {
            self.history.settled(place, outcome);
        }
    }

    /// What would make this message anew, with another text.
    pub(crate) fn draft_with(&self, text: String) -> Draft {
        Draft { text: text.into_boxed_str(), ..self.draft.clone() }
    }

    /// The `message_id` given to the sender; of a long message, the one of the
    /// part that completed it.
    #[must_use]
    pub fn id(&self) -> MessageId {
        self.draft.id
    }

    /// When the SMSC accepted it, or the handset sent it.
    #[must_use]
    pub fn time(&self) -> SystemTime {
        self.draft.time
    }

    /// The sender.
    #[must_use]
    pub fn from(&self) -> &Address {
        &self.draft.from
    }

    /// The handset's number, without `+`.
    #[must_use]
    pub fn to(&self) -> &Address {
        &self.draft.to
    }

    /// The text, decoded and put together from its segments.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.draft.text
    }

    /// How many submits carried it.
    #[must_use]
    pub fn segments(&self) -> u8 {
        self.draft.segments
    }

    /// The `data_coding` that it came with.
    #[must_use]
    pub fn data_coding(&self) -> u8 {
        self.draft.data_coding
    }

    /// Its `validity_period`, if the sender set one.
    #[must_use]
    pub fn validity(&self) -> Option<&Validity> {
        self.draft.validity.as_ref()
    }

    /// What became of its delivery receipt, as of now; of a long message, of the
    /// parts' receipts together: one that failed counts before one that is
    /// pending, and that before those that were acknowledged.
    #[must_use]
    pub fn receipt(&self) -> ReceiptState {
        let parts = self.draft.parts.iter().map(|part| part.receipt());
        let worst = parts.max_by_key(|receipt| match receipt {
            ReceiptState::NotRequested => 0,
            ReceiptState::Acknowledged => 1,
            ReceiptState::Pending => 2,
            ReceiptState::Failed => 3,
        });
        worst.unwrap_or_else(|| ReceiptState::from_u8(self.receipt.load(Ordering::Relaxed)))
    }

    pub(crate) fn set_receipt(&self, state: ReceiptState) {
        self.receipt.store(state as u8, Ordering::Relaxed);
    }

    /// What it costs the inbox.
    pub(super) fn bytes(&self) -> usize {
        let parts: usize = self.draft.parts.iter().map(|part| part.bytes()).sum();
        size_of::<Self>() + self.draft.text.len() + self.draft.details.bytes() + parts
    }

    /// The message as the inbox API writes it.
    pub(crate) fn to_wire(&self) -> Wire<'_> {
        Wire {
            id: self.id().to_string(),
            time: timestamp(self.time()),
            from: self.from().as_str(),
            to: self.to().as_str(),
            text: self.text(),
            segments: self.segments(),
            data_coding: self.data_coding(),
            validity: self.validity().map(Validity::as_str),
            expires_at: self.validity().map(|validity| timestamp(validity.expires_at)),
            direction: self.details().direction,
            state: state_name(self.state()),
            receipt: self.receipt(),
        }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("id", &self.draft.id)
            .field("from", &self.draft.from)
            .field("to", &self.draft.to)
            .field("segments", &self.draft.segments)
            .field("receipt", &self.receipt())
            .finish_non_exhaustive()
    }
}

/// A message as JSON. Its members are documented in the README.
#[derive(Serialize)]
pub(crate) struct Wire<'a> {
    id: String,
    time: String,
    from: &'a str,
    to: &'a str,
    text: &'a str,
    segments: u8,
    data_coding: u8,
    validity: Option<&'a str>,
    expires_at: Option<String>,
    direction: Direction,
    state: &'static str,
    receipt: ReceiptState,
}

/// The state's name in the inbox API.
pub(crate) const fn state_name(state: MessageState) -> &'static str {
    match state {
        MessageState::ENROUTE => "enroute",
        MessageState::DELIVERED => "delivered",
        MessageState::EXPIRED => "expired",
        MessageState::DELETED => "deleted",
        MessageState::UNDELIVERABLE => "undeliverable",
        MessageState::ACCEPTED => "accepted",
        MessageState::REJECTED => "rejected",
        _ => "unknown",
    }
}

pub(crate) fn timestamp(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use smpp::pdu::SubmitSm;

    fn draft() -> Draft {
        Draft {
            id: MessageId::new(0xAB),
            time: SystemTime::UNIX_EPOCH + Duration::from_millis(1_500),
            from: Address::new(b"BANK").unwrap(),
            to: Address::new(b"628120001234").unwrap(),
            text: "kode 482913".into(),
            segments: 1,
            data_coding: 0,
            validity: Some(Validity::new(
                b"000000000300000R",
                SystemTime::UNIX_EPOCH + Duration::from_secs(181),
            )),
            receipt: ReceiptState::Pending,
            details: Details::of_submit(&SubmitSm::default(), "gateway".into(), 1, IdForm::Hex),
            parts: Box::default(),
        }
    }

    fn delivered() -> Message {
        let message = Message::new(draft());
        message.end(MessageState::DELIVERED, message.time());
        message
    }

    #[test]
    fn json_has_every_documented_member() {
        let message = delivered();
        assert_eq!(
            serde_json::to_string(&message.to_wire()).unwrap(),
            concat!(
                r#"{"id":"00000000000000ab","time":"1970-01-01T00:00:01.500Z","from":"BANK","to":"628120001234","#,
                r#""text":"kode 482913","segments":1,"data_coding":0,"validity":"000000000300000R","#,
                r#""expires_at":"1970-01-01T00:03:01.000Z","direction":"to_handset","state":"delivered","receipt":"pending"}"#
            )
        );
    }

    #[test]
    fn debug_shows_neither_the_text_nor_the_number() {
        let shown = format!("{:?}", Message::new(draft()));
        assert!(!shown.contains("482913") && !shown.contains("628120001234"), "{shown}");
    }

    #[test]
    fn the_receipt_state_changes_in_place() {
        let message = Message::new(draft());
        for state in [ReceiptState::Acknowledged, ReceiptState::Failed, ReceiptState::NotRequested] {
            message.set_receipt(state);
            assert_eq!(message.receipt(), state);
        }
    }

    #[test]
    fn an_id_is_read_in_every_form_that_tells_it() {
        for id in [MessageId(42), MessageId(0x9D2F_61C4_0000_000A), MessageId(u64::MAX)] {
            for form in [IdForm::Hex, IdForm::HexUpper, IdForm::Decimal, IdForm::LeadingZeros, IdForm::Uuid] {
                let written = id.written(form);
                assert!(MessageId::meant_by(&written).any(|meant| meant == id), "{form:?}");
            }
        }
        for none in [&b""[..], b"+42", b"x", b"18446744073709551616", b"\xFF"] {
            assert_eq!(MessageId::meant_by(none).count(), 0, "{}", none.escape_ascii());
        }
        assert_eq!(MessageId(1).written(IdForm::TooLong).len(), 65);
        assert!(!MessageId(1).written(IdForm::NonAscii).is_ascii());
    }
}
