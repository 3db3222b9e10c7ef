//! A message on a handset, or on its way to one.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde::Serialize;
use smpp::pdu::MessageState;

use super::address::Address;
use super::cursor::Cursor;
use super::details::{Details, Direction};
use super::history::{History, ReceiptOutcome, ReceiptSent};
use super::id::MessageId;
use super::validity::Validity;

/// What is known of a message's delivery receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptState {
    /// The sender asked for none, or receipts are off.
    NotRequested,
    /// Not answered yet: waiting for its time, for a session that can carry it, or for the sender's
    /// deliver_sm_resp.
    Pending,
    /// The sender answered it with status 0.
    Acknowledged,
    /// The sender refused it, or never answered.
    Failed,
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

/// A message: whole and decoded. The inbox lists those that a handset shows, or sent; others are found by
/// their id.
///
/// `Debug` shows neither the text nor the whole numbers.
pub struct Message {
    /// 0 until it is listed. Not under the lock, so that a walk over the messages takes none; it publishes
    /// nothing but itself, so that relaxed order is enough.
    cursor: AtomicU64,
    draft: Draft,
    fate: Mutex<Fate>,
}

/// What has become of a message.
struct Fate {
    state: MessageState,
    done: Option<SystemTime>,
    receipt: ReceiptState,
    history: History,
}

impl Message {
    pub(super) fn new(draft: Draft) -> Self {
        let fate = Fate {
            state: MessageState::ENROUTE,
            done: None,
            receipt: draft.receipt,
            history: History::default(),
        };
        Self { cursor: AtomicU64::new(0), fate: Mutex::new(fate), draft }
    }

    fn fate(&self) -> MutexGuard<'_, Fate> {
        // Nothing in this module panics while it holds the lock.
        self.fate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The place right after this message: reading on from here gives the next. [`Cursor::START`] for one
    /// that is not listed.
    pub fn cursor(&self) -> Cursor {
        Cursor(self.cursor.load(Ordering::Relaxed))
    }

    pub(super) fn list_at(&self, Cursor(cursor): Cursor) {
        self.cursor.store(cursor, Ordering::Relaxed);
    }

    /// What it came with.
    pub fn details(&self) -> &Details {
        &self.draft.details
    }

    /// What has become of it, as of now: ENROUTE, or a final state.
    pub fn state(&self) -> MessageState {
        self.fate().state
    }

    /// When it came to its final state: for a delivered one, when the handset showed it.
    pub fn done(&self) -> Option<SystemTime> {
        self.fate().done
    }

    pub(crate) fn end(&self, state: MessageState, at: SystemTime) {
        let mut fate = self.fate();
        fate.state = state;
        fate.done = Some(at.max(self.draft.time));
    }

    /// The receipts that were sent for it, the first eight; of a long message, those of each part, by time.
    pub fn receipts(&self) -> Vec<ReceiptSent> {
        let mut receipts = self.fate().history.list();
        receipts.extend(self.draft.parts.iter().flat_map(|part| part.receipts()));
        receipts.sort_by_key(|receipt| receipt.time);
        receipts
    }

    pub(crate) fn receipt_sent(
        &self,
        place: Option<usize>,
        state: MessageState,
        at: SystemTime,
    ) -> Option<usize> {
        self.fate().history.sent(place, state, at.max(self.draft.time))
    }

    pub(crate) fn receipt_settled(&self, place: Option<usize>, outcome: ReceiptOutcome) {
        if let Some(place) = place {
            self.fate().history.settled(place, outcome);
        }
    }

    /// What would make this message anew, with another text.
    pub(crate) fn draft_with(&self, text: String) -> Draft {
        Draft { text: text.into_boxed_str(), ..self.draft.clone() }
    }

    /// The `message_id` given to the sender; of a long message, the one of the part that completed it.
    pub fn id(&self) -> MessageId {
        self.draft.id
    }

    /// When the SMSC accepted it, or the handset sent it.
    pub fn time(&self) -> SystemTime {
        self.draft.time
    }

    /// The sender.
    pub fn from(&self) -> &Address {
        &self.draft.from
    }

    /// The handset's number, without `+`.
    pub fn to(&self) -> &Address {
        &self.draft.to
    }

    /// Whose conversation it belongs to.
    pub fn handset(&self) -> &Address {
        match self.details().direction {
            Direction::ToHandset => self.to(),
            Direction::FromHandset => self.from(),
        }
    }

    /// The text, decoded and put together from its segments.
    pub fn text(&self) -> &str {
        &self.draft.text
    }

    /// How many submits carried it.
    pub fn segments(&self) -> u8 {
        self.draft.segments
    }

    /// The `data_coding` that it came with.
    pub fn data_coding(&self) -> u8 {
        self.draft.data_coding
    }

    /// Its `validity_period`, if the sender set one.
    pub fn validity(&self) -> Option<&Validity> {
        self.draft.validity.as_ref()
    }

    /// Whether its validity has ended.
    pub(crate) fn is_expired(&self, wall: SystemTime) -> bool {
        self.draft.validity.is_some_and(|validity| validity.has_ended(wall))
    }

    /// What became of its delivery receipt, as of now; of a long message, of the parts' receipts together:
    /// one that failed counts before one that is pending, and that before those that were acknowledged.
    pub fn receipt(&self) -> ReceiptState {
        let parts = self.draft.parts.iter().map(|part| part.receipt());
        let worst = parts.max_by_key(|receipt| match receipt {
            ReceiptState::NotRequested => 0,
            ReceiptState::Acknowledged => 1,
            ReceiptState::Pending => 2,
            ReceiptState::Failed => 3,
        });
        worst.unwrap_or_else(|| self.fate().receipt)
    }

    pub(crate) fn set_receipt(&self, state: ReceiptState) {
        self.fate().receipt = state;
    }

    /// What it costs the inbox.
    pub(super) fn bytes(&self) -> usize {
        let parts: usize = self.draft.parts.iter().map(|part| part.bytes()).sum();
        size_of::<Self>() + self.draft.text.len() + self.draft.details.bytes() + parts
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

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use smpp::pdu::SubmitSm;

    use super::*;
    use crate::behavior::IdForm;

    pub(in crate::inbox) fn draft() -> Draft {
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
}
