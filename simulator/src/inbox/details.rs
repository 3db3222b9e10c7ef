//! What a message came with, for those who want to know more than its text.

use std::fmt;
use std::sync::Arc;

use arrayvec::ArrayString;
use serde::Serialize;
use smpp::pdu::SubmitSm;
use smpp::tlv::{Tag, Tlvs};

use super::id::MessageId;
use crate::behavior::IdForm;

/// Bytes of optional parameters that a message keeps: more than vendors send.
const TLVS_BYTES_MAX: usize = 256;

/// Bytes of a `service_type` (SMPP 3.4, 5.2.11: 6 with the NUL).
const SERVICE_TYPE_MAX: usize = 5;

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

/// The fields of the PDU that brought a message; of a long message, of the part that completed it.
#[derive(Clone)]
pub struct Details {
    /// Which way the message goes.
    pub direction: Direction,
    /// Who sent it, or gets it: the ESME's system_id.
    pub(crate) system_id: Arc<str>,
    /// The submit's sequence_number.
    pub(crate) sequence: u32,
    pub(crate) source_ton: u8,
    pub(crate) source_npi: u8,
    pub(crate) destination_ton: u8,
    pub(crate) destination_npi: u8,
    pub(crate) esm_class: u8,
    pub(crate) protocol_id: u8,
    pub(crate) priority_flag: u8,
    pub(crate) registered_delivery: u8,
    pub(crate) replace_if_present_flag: u8,
    pub(crate) sm_default_msg_id: u8,
    /// How the answer wrote the message's id.
    pub(crate) id_form: IdForm,
    /// Whether a replace_sm changed the message.
    pub replaced: bool,
    /// Whether parameters were left out, beyond [`TLVS_BYTES_MAX`].
    pub(crate) tlvs_cut: bool,
    service_type: ArrayString<SERVICE_TYPE_MAX>,
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
        let service_type = str::from_utf8(submit.service_type).unwrap_or_default();
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
            service_type: ArrayString::from(service_type).unwrap_or_default(),
            tlvs,
            parts: Box::default(),
        }
    }

    /// The SMS application; mostly empty.
    pub(crate) fn service_type(&self) -> &str {
        &self.service_type
    }

    /// Tags and values of the optional parameters, in the order they came, without message_payload, which is
    /// the text.
    pub(crate) fn tlvs(&self) -> impl Iterator<Item = (u16, &[u8])> {
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

#[cfg(test)]
mod tests {
    use smpp::tlv::TlvBuffer;

    use super::*;

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
}
