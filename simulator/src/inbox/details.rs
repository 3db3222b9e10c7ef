//! What a message came with, for those who want to know more than its text.

use super::MessageId;
use crate::behavior::IdForm;
use serde::Serialize;
use smpp::pdu::{MessageState, SubmitSm};
use smpp::tlv::{Tag, Tlvs};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// Octets of optional parameters that a message keeps: more than vendors send.
pub const TLVS_BYTES_MAX: usize = 256;

/// Octets of a `service_type` (SMPP 3.4, 5.2.11: 6 with the NUL).
const SERVICE_TYPE_MAX: usize = 5;

/// Receipts that a message remembers; later ones are counted in the metrics
/// alone.
pub const RECEIPTS_MAX: usize = 8;

/// Which way a message goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From an ESME to a handset.
    #[default]
    ToHandset,
    /// From a handset to an ESME.
    FromHandset,
}

/// The fields of the PDU that brought a message; of a long message, of the part
/// that completed it.
#[derive(Clone)]
pub struct Details {
    /// Which way the message goes.
    pub direction: Direction,
    /// Who sent it, or gets it: the ESME's system_id.
    pub system_id: Arc<str>,
    /// The submit's sequence_number.
    pub sequence: u32,
    /// Type of number of the sender.
    pub source_ton: u8,
    /// Numbering plan of the sender.
    pub source_npi: u8,
    /// Type of number of the recipient.
    pub destination_ton: u8,
    /// Numbering plan of the recipient.
    pub destination_npi: u8,
    /// As submitted.
    pub esm_class: u8,
    /// As submitted.
    pub protocol_id: u8,
    /// As submitted.
    pub priority_flag: u8,
    /// As submitted.
    pub registered_delivery: u8,
    /// As submitted.
    pub replace_if_present_flag: u8,
    /// As submitted.
    pub sm_default_msg_id: u8,
    /// How the answer wrote the message's id.
    pub id_form: IdForm,
    /// Whether a replace_sm changed the message.
    pub replaced: bool,
    /// Whether parameters were left out, beyond [`TLVS_BYTES_MAX`].
    pub tlvs_cut: bool,
    service_type: [u8; SERVICE_TYPE_MAX],
    service_type_length: u8,
    tlvs: Box<[u8]>,
    /// Of a long message, the ids of its parts in order.
    pub(crate) parts: Box<[MessageId]>,
}

impl Details {
    pub(crate) fn of_submit(
        submit: &SubmitSm<'_>,
        system_id: Arc<str>,
        sequence: u32,
        id_form: IdForm,
    ) -> Self {
        let (tlvs, tlvs_cut) = keep(submit.tlvs);
        let mut service_type = [0; SERVICE_TYPE_MAX];
        let length = submit.service_type.len().min(SERVICE_TYPE_MAX);
        service_type[..length].copy_from_slice(&submit.service_type[..length]);
        Self {
            direction: Direction::ToHandset,
            system_id,
            sequence,
            source_ton: submit.source.ton.0,
            source_npi: submit.source.npi.0,
            destination_ton: submit.destination.ton.0,
            destination_npi: submit.destination.npi.0,
            esm_class: submit.esm_class.0,
            protocol_id: submit.protocol_id,
            priority_flag: submit.priority_flag,
            registered_delivery: submit.registered_delivery,
            replace_if_present_flag: submit.replace_if_present_flag,
            sm_default_msg_id: submit.sm_default_msg_id,
            id_form,
            replaced: false,
            tlvs_cut,
            service_type,
            service_type_length: u8::try_from(length).unwrap_or_default(),
            tlvs,
            parts: Box::default(),
        }
    }

    /// The SMS application; mostly empty.
    #[must_use]
    pub fn service_type(&self) -> &str {
        str::from_utf8(&self.service_type[..usize::from(self.service_type_length)]).unwrap_or_default()
    }

    /// Tags and values of the optional parameters, in the order they came,
    /// without message_payload, which is the text.
    pub fn tlvs(&self) -> impl Iterator<Item = (u16, &[u8])> {
        let mut rest = &*self.tlvs;
        std::iter::from_fn(move || {
            let (&[tag_high, tag_low, length_high, length_low], after) = rest.split_first_chunk()?;
            let length = usize::from(u16::from_be_bytes([length_high, length_low]));
            let (value, after) = after.split_at_checked(length)?;
            rest = after;
            Some((u16::from_be_bytes([tag_high, tag_low]), value))
        })
    }

    /// The ids of the parts in order, of a message that came in more than one.
    #[must_use]
    pub fn parts(&self) -> &[MessageId] {
        &self.parts
    }

    pub(super) fn bytes(&self) -> usize {
        self.tlvs.len() + size_of_val(&*self.parts)
    }
}

/// Without the parameters' values, which may hold anything.
impl fmt::Debug for Details {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Details")
            .field("direction", &self.direction)
            .field("system_id", &self.system_id)
            .field("sequence", &self.sequence)
            .field("parts", &self.parts)
            .finish_non_exhaustive()
    }
}

/// The parameters worth keeping, and whether there were more.
fn keep(tlvs: Tlvs<'_>) -> (Box<[u8]>, bool) {
    if tlvs.is_empty() {
        return (Box::default(), false);
    }
    let (mut kept, mut cut) = (Vec::new(), false);
    for tlv in tlvs.iter().filter(|tlv| tlv.tag != Tag::MESSAGE_PAYLOAD) {
        let length =
            u16::try_from(tlv.value.len()).ok().filter(|_| kept.len() + tlv.value.len() <= TLVS_BYTES_MAX);
        let Some(length) = length else {
            cut = true;
            continue;
        };
        kept.extend_from_slice(&tlv.tag.0.to_be_bytes());
        kept.extend_from_slice(&length.to_be_bytes());
        kept.extend_from_slice(tlv.value);
    }
    (kept.into_boxed_slice(), cut)
}

/// What became of one receipt that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum ReceiptOutcome {
    /// Not answered yet.
    Sent = 1,
    /// Answered with status 0.
    Acknowledged = 2,
    /// Answered with another status.
    Refused = 3,
    /// Never answered.
    Unanswered = 4,
}

/// One receipt that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiptSent {
    /// The state that it told.
    pub state: MessageState,
    /// When it was sent last.
    pub time: SystemTime,
    /// What became of it.
    pub outcome: ReceiptOutcome,
}

/// The receipts that were sent for a message: a place each, written without a
/// lock. A place is empty (0), or milliseconds since the message came, the
/// state and the outcome.
#[derive(Debug, Default)]
pub(super) struct History([AtomicU64; RECEIPTS_MAX]);

/// Which place of its message's history a receipt has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HistoryPlace(u8);

impl History {
    /// Takes a place for a receipt sent so long after the message came, or
    /// writes it into its old one. `None` when all are taken.
    ///
    /// Places publish nothing but themselves: relaxed.
    pub(super) fn sent(
        &self,
        place: Option<HistoryPlace>,
        state: MessageState,
        after: Duration,
    ) -> Option<HistoryPlace> {
        let value = pack(after, state, ReceiptOutcome::Sent);
        if let Some(HistoryPlace(at)) = place {
            self.0[usize::from(at)].store(value, Ordering::Relaxed);
            return place;
        }
        let taken = |place: &AtomicU64| {
            place.compare_exchange(0, value, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        };
        self.0.iter().position(taken).and_then(|at| u8::try_from(at).ok()).map(HistoryPlace)
    }

    pub(super) fn settled(&self, HistoryPlace(at): HistoryPlace, outcome: ReceiptOutcome) {
        let place = &self.0[usize::from(at)];
        let value = place.load(Ordering::Relaxed) & !0xFF | outcome as u64;
        place.store(value, Ordering::Relaxed);
    }

    pub(super) fn list(&self, came: SystemTime) -> Vec<ReceiptSent> {
        let values = self.0.iter().map(|place| place.load(Ordering::Relaxed));
        values.take_while(|value| *value != 0).map(|value| unpack(value, came)).collect()
    }
}

fn pack(after: Duration, state: MessageState, outcome: ReceiptOutcome) -> u64 {
    let millis = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
    millis << 16 | u64::from(state.0) << 8 | outcome as u64
}

fn unpack(value: u64, came: SystemTime) -> ReceiptSent {
    let outcome = match value & 0xFF {
        2 => ReceiptOutcome::Acknowledged,
        3 => ReceiptOutcome::Refused,
        4 => ReceiptOutcome::Unanswered,
        _ => ReceiptOutcome::Sent,
    };
    let state = MessageState(u8::try_from(value >> 8 & 0xFF).unwrap_or_default());
    ReceiptSent { state, time: came + Duration::from_millis(value >> 16), outcome }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smpp::tlv::TlvBuffer;

    #[test]
    fn parameters_are_kept_in_order_without_the_text() {
        let mut tlvs = TlvBuffer::new();
        tlvs.push_u16(Tag::USER_MESSAGE_REFERENCE, 7);
        tlvs.push(Tag::MESSAGE_PAYLOAD, b"kode 482913").unwrap();
        tlvs.push(Tag(0x1400), b"mark").unwrap();
        let submit = SubmitSm { service_type: b"CMT", tlvs: tlvs.as_tlvs(), ..SubmitSm::default() };
        let details = Details::of_submit(&submit, "gateway".into(), 9, IdForm::Hex);
        let kept: Vec<_> = details.tlvs().collect();
        assert_eq!(kept, [(0x0204, &[0, 7][..]), (0x1400, b"mark")]);
        assert_eq!((details.service_type(), details.sequence, details.tlvs_cut), ("CMT", 9, false));
    }

    #[test]
    fn parameters_beyond_the_bound_are_left_out() {
        let mut tlvs = TlvBuffer::new();
        for _ in 0..10 {
            tlvs.push(Tag(0x1401), &[b'x'; 100]).unwrap();
        }
        let (kept, cut) = keep(tlvs.as_tlvs());
        assert!(cut && kept.len() <= TLVS_BYTES_MAX, "{}", kept.len());
    }

    #[test]
    fn receipts_are_remembered_up_to_a_bound() {
        let (history, came) = (History::default(), SystemTime::UNIX_EPOCH);
        let after = Duration::from_millis(1_500);
        let first = history.sent(None, MessageState::ACCEPTED, after).unwrap();
        for _ in 1..RECEIPTS_MAX {
            assert!(history.sent(None, MessageState::DELIVERED, after).is_some());
        }
        assert_eq!(history.sent(None, MessageState::DELIVERED, after), None);
        history.settled(first, ReceiptOutcome::Acknowledged);
        let list = history.list(came);
        assert_eq!(list.len(), RECEIPTS_MAX);
        let expected = ReceiptSent {
            state: MessageState::ACCEPTED,
            time: came + after,
            outcome: ReceiptOutcome::Acknowledged,
        };
        assert_eq!(list[0], expected);
        assert_eq!(history.sent(Some(first), MessageState::ACCEPTED, 2 * after), Some(first), "sent again");
        assert_eq!(history.list(came)[0].outcome, ReceiptOutcome::Sent);
    }
}
