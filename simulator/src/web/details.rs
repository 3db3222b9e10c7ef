//! One message in full, as `GET /messages/{id}` writes it.

use std::time::SystemTime;

use serde::Serialize;
use serde_json::{Value, json};

use crate::inbox::{Details, Message, MessageId, ReceiptSent, Wire, state_name, timestamp};

/// What the list says of a message, and everything else that is known of it.
#[derive(Serialize)]
pub(super) struct Full<'a> {
    #[serde(flatten)]
    listed: Wire<'a>,
    #[serde(flatten)]
    more: Value,
}

impl<'a> Full<'a> {
    pub(super) fn new(message: &'a Message, now: SystemTime) -> Self {
        let details = message.details();
        let more = json!({
            // As the answer to the submit wrote it.
            "message_id": String::from_utf8_lossy(&message.id().written(details.id_form)),
            "done": message.done().map(timestamp),
            "seconds_left": message.validity().map(|validity| seconds_until(validity.expires_at, now)),
            "parts": details.parts().iter().map(MessageId::to_string).collect::<Vec<_>>(),
            "replaced": details.replaced,
            "receipts": message.receipts().iter().map(receipt).collect::<Vec<_>>(),
            "pdu": pdu(message, details),
            "tlvs": details.tlvs().map(tlv).collect::<Vec<_>>(),
            "tlvs_cut": details.tlvs_cut,
        });
        Self { listed: message.to_wire(), more }
    }
}

fn receipt(sent: &ReceiptSent) -> Value {
    json!({ "state": state_name(sent.state), "time": timestamp(sent.time), "outcome": sent.outcome })
}

/// An optional parameter; its value in hexadecimal.
fn tlv((tag, value): (u16, &[u8])) -> Value {
    json!({ "tag": tag, "value": base16ct::lower::encode_string(value) })
}

/// The fields of the PDU, under SMPP's names.
fn pdu(message: &Message, details: &Details) -> Value {
    json!({
        "system_id": &*details.system_id,
        "sequence_number": details.sequence,
        "service_type": details.service_type(),
        "source": {
            "ton": details.source_ton,
            "npi": details.source_npi,
            "address": message.from().as_str(),
        },
        "destination": {
            "ton": details.destination_ton,
            "npi": details.destination_npi,
            "address": message.to().as_str(),
        },
        "esm_class": details.esm_class,
        "protocol_id": details.protocol_id,
        "priority_flag": details.priority_flag,
        "registered_delivery": details.registered_delivery,
        "replace_if_present_flag": details.replace_if_present_flag,
        "sm_default_msg_id": details.sm_default_msg_id,
    })
}

/// Negative once the instant has passed.
fn seconds_until(instant: SystemTime, now: SystemTime) -> f64 {
    match instant.duration_since(now) {
        Ok(left) => left.as_secs_f64(),
        Err(ended) => -ended.duration().as_secs_f64(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_validity_that_has_ended_has_less_than_nothing_left() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
        assert_eq!(seconds_until(now + Duration::from_millis(1_500), now), 1.5);
        assert_eq!(seconds_until(now - Duration::from_secs(2), now), -2.0);
    }
}
