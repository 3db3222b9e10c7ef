//! One message in full, as `GET /messages/{id}` writes it.

use std::time::SystemTime;

use serde::Serialize;

use crate::inbox::{Details, Message, MessageId, ReceiptOutcome, ReceiptSent, Wire, state_name, timestamp};

/// What the list says of a message, and everything else that is known of it.
#[derive(Serialize)]
pub(super) struct Full<'a> {
    #[serde(flatten)]
    listed: Wire<'a>,
    /// The id as the answer to the submit wrote it.
    message_id: String,
    /// When it came to its final state.
    done: Option<String>,
    /// Of its validity; negative once it has ended.
    seconds_left: Option<f64>,
    /// The ids of its parts in order, if it came in more than one.
    parts: Vec<String>,
    replaced: bool,
    receipts: Vec<SentReceipt>,
    pdu: Fields<'a>,
    tlvs: Vec<Parameter>,
    tlvs_cut: bool,
}

/// One receipt that was sent.
#[derive(Serialize)]
struct SentReceipt {
    state: &'static str,
    time: String,
    outcome: ReceiptOutcome,
}

/// The fields of the PDU, under SMPP's names.
#[derive(Serialize)]
struct Fields<'a> {
    system_id: &'a str,
    sequence_number: u32,
    service_type: &'a str,
    source: Party<'a>,
    destination: Party<'a>,
    esm_class: u8,
    protocol_id: u8,
    priority_flag: u8,
    registered_delivery: u8,
    replace_if_present_flag: u8,
    sm_default_msg_id: u8,
}

#[derive(Serialize)]
struct Party<'a> {
    ton: u8,
    npi: u8,
    address: &'a str,
}

/// An optional parameter; its value in hexadecimal.
#[derive(Serialize)]
struct Parameter {
    tag: u16,
    value: String,
}

impl<'a> Full<'a> {
    pub(super) fn new(message: &'a Message, now: SystemTime) -> Self {
        let details = message.details();
        Self {
            listed: message.to_wire(),
            message_id: String::from_utf8_lossy(&message.id().written(details.id_form)).into_owned(),
            done: message.done().map(timestamp),
            seconds_left: message.validity().map(|validity| seconds_until(validity.expires_at, now)),
            parts: details.parts().iter().map(MessageId::to_string).collect(),
            replaced: details.replaced,
            receipts: message.receipts().iter().map(SentReceipt::new).collect(),
            pdu: Fields::new(message, details),
            tlvs: details
                .tlvs()
                .map(|(tag, value)| Parameter { tag, value: base16ct::lower::encode_string(value) })
                .collect(),
            tlvs_cut: details.tlvs_cut,
        }
    }
}

impl SentReceipt {
    fn new(sent: &ReceiptSent) -> Self {
        Self { state: state_name(sent.state), time: timestamp(sent.time), outcome: sent.outcome }
    }
}

impl<'a> Fields<'a> {
    fn new(message: &'a Message, details: &'a Details) -> Self {
        Self {
            system_id: &details.system_id,
            sequence_number: details.sequence,
            service_type: details.service_type(),
            source: Party {
                ton: details.source_ton,
                npi: details.source_npi,
                address: message.from().as_str(),
            },
            destination: Party {
                ton: details.destination_ton,
                npi: details.destination_npi,
                address: message.to().as_str(),
            },
            esm_class: details.esm_class,
            protocol_id: details.protocol_id,
            priority_flag: details.priority_flag,
            registered_delivery: details.registered_delivery,
            replace_if_present_flag: details.replace_if_present_flag,
            sm_default_msg_id: details.sm_default_msg_id,
        }
    }
}

fn seconds_until(instant: SystemTime, now: SystemTime) -> f64 {
    match instant.duration_since(now) {
        Ok(left) => left.as_secs_f64(),
        Err(ended) => -ended.duration().as_secs_f64(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_validity_that_has_ended_has_less_than_nothing_left() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
        assert_eq!(seconds_until(now + Duration::from_millis(1_500), now), 1.5);
        assert_eq!(seconds_until(now - Duration::from_secs(2), now), -2.0);
    }
}
