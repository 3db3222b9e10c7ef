//! A message on a handset, and its JSON form.

use super::{Address, Cursor};
use serde::Serialize;
use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::SystemTime;

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

    /// 16 lowercase hexadecimal digits, as the SMPP session and the inbox
    /// write it.
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
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(&self.to_hex()).unwrap_or_default())
    }
}

/// A message that a handset shows: whole, decoded, in time.
///
/// `Debug` shows neither the text nor the whole numbers.
pub struct Message {
    cursor: Cursor,
    draft: Draft,
    receipt: AtomicU8,
}

impl Message {
    pub(super) fn new(cursor: Cursor, draft: Draft) -> Self {
        let receipt = AtomicU8::new(draft.receipt as u8);
        Self { cursor, draft, receipt }
    }

    /// The place right after this message: reading on from here gives the next.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// The `message_id` given to the sender; of a long message, the one of the
    /// part that completed it.
    #[must_use]
    pub fn id(&self) -> MessageId {
        self.draft.id
    }

    /// When the SMSC accepted it, which is when the handset showed it.
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

    /// What became of its delivery receipt, as of now.
    #[must_use]
    pub fn receipt(&self) -> ReceiptState {
        // A single value that publishes nothing else.
        ReceiptState::from_u8(self.receipt.load(Ordering::Relaxed))
    }

    pub(crate) fn set_receipt(&self, state: ReceiptState) {
        self.receipt.store(state as u8, Ordering::Relaxed);
    }

    /// What it costs the inbox.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.draft.text.len()
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
            state: "delivered",
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
    state: &'static str,
    receipt: ReceiptState,
}

fn timestamp(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

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
        }
    }

    #[test]
    fn json_has_every_documented_member() {
        let message = Message::new(Cursor(1), draft());
        assert_eq!(
            serde_json::to_string(&message.to_wire()).unwrap(),
            concat!(
                r#"{"id":"00000000000000ab","time":"1970-01-01T00:00:01.500Z","from":"BANK","to":"628120001234","#,
                r#""text":"kode 482913","segments":1,"data_coding":0,"validity":"000000000300000R","#,
                r#""expires_at":"1970-01-01T00:03:01.000Z","state":"delivered","receipt":"pending"}"#
            )
        );
    }

    #[test]
    fn debug_shows_neither_the_text_nor_the_number() {
        let shown = format!("{:?}", Message::new(Cursor(1), draft()));
        assert!(!shown.contains("482913") && !shown.contains("628120001234"), "{shown}");
    }

    #[test]
    fn the_receipt_state_changes_in_place() {
        let message = Message::new(Cursor(1), draft());
        for state in [ReceiptState::Acknowledged, ReceiptState::Failed, ReceiptState::NotRequested] {
            message.set_receipt(state);
            assert_eq!(message.receipt(), state);
        }
    }
}
