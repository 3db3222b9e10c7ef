//! A message as the inbox API writes it.

use std::time::SystemTime;

use serde::Serialize;
use smpp::pdu::MessageState;

use super::details::Direction;
use super::message::{Message, ReceiptState};
use super::validity::Validity;

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

impl Message {
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

#[cfg(test)]
mod tests {
    use super::super::message::tests::draft;
    use super::*;

    #[test]
    fn json_has_every_documented_member() {
        let message = Message::new(draft());
        message.end(MessageState::DELIVERED, message.time());
        assert_eq!(
            serde_json::to_string(&message.to_wire()).unwrap(),
            concat!(
                r#"{"id":"00000000000000ab","time":"1970-01-01T00:00:01.500Z","from":"BANK","to":"628120001234","#,
                r#""text":"kode 482913","segments":1,"data_coding":0,"validity":"000000000300000R","#,
                r#""expires_at":"1970-01-01T00:03:01.000Z","direction":"to_handset","state":"delivered","receipt":"pending"}"#
            )
        );
    }
}
