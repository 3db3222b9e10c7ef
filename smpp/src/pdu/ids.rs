//! `command_id` and `sequence_number`: what a PDU is, and which request a response answers.

use std::fmt;

/// The kind of a PDU: `command_id` (SMPP 3.4 §5.1.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommandId(pub u32);

macro_rules! command_ids {
    ($($(#[$doc:meta])* $name:ident = $value:literal, $text:literal;)*) => {
        impl CommandId {
            $($(#[$doc])* pub const $name: Self = Self($value);)*

            /// The PDU's name as SMPP 3.4 writes it; `None` for a command that this crate does not know.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some($text),)*
                    _ => None,
                }
            }
        }
    };
}

command_ids! {
    /// Answers a PDU that could not be read; sent by either side.
    GENERIC_NACK = 0x8000_0000, "generic_nack";
    /// Opens a session that receives.
    BIND_RECEIVER = 0x0000_0001, "bind_receiver";
    /// Answers [`BIND_RECEIVER`](Self::BIND_RECEIVER).
    BIND_RECEIVER_RESP = 0x8000_0001, "bind_receiver_resp";
    /// Opens a session that submits.
    BIND_TRANSMITTER = 0x0000_0002, "bind_transmitter";
    /// Answers [`BIND_TRANSMITTER`](Self::BIND_TRANSMITTER).
    BIND_TRANSMITTER_RESP = 0x8000_0002, "bind_transmitter_resp";
    /// Asks for the state of a message.
    QUERY_SM = 0x0000_0003, "query_sm";
    /// Answers [`QUERY_SM`](Self::QUERY_SM).
    QUERY_SM_RESP = 0x8000_0003, "query_sm_resp";
    /// A message from the ESME.
    SUBMIT_SM = 0x0000_0004, "submit_sm";
    /// Answers [`SUBMIT_SM`](Self::SUBMIT_SM).
    SUBMIT_SM_RESP = 0x8000_0004, "submit_sm_resp";
    /// A message or a receipt from the SMSC.
    DELIVER_SM = 0x0000_0005, "deliver_sm";
    /// Answers [`DELIVER_SM`](Self::DELIVER_SM).
    DELIVER_SM_RESP = 0x8000_0005, "deliver_sm_resp";
    /// Ends the session.
    UNBIND = 0x0000_0006, "unbind";
    /// Answers [`UNBIND`](Self::UNBIND).
    UNBIND_RESP = 0x8000_0006, "unbind_resp";
    /// Replaces the text of a message that is not delivered yet.
    REPLACE_SM = 0x0000_0007, "replace_sm";
    /// Answers [`REPLACE_SM`](Self::REPLACE_SM).
    REPLACE_SM_RESP = 0x8000_0007, "replace_sm_resp";
    /// Cancels messages that are not delivered yet.
    CANCEL_SM = 0x0000_0008, "cancel_sm";
    /// Answers [`CANCEL_SM`](Self::CANCEL_SM).
    CANCEL_SM_RESP = 0x8000_0008, "cancel_sm_resp";
    /// Opens a session that submits and receives.
    BIND_TRANSCEIVER = 0x0000_0009, "bind_transceiver";
    /// Answers [`BIND_TRANSCEIVER`](Self::BIND_TRANSCEIVER).
    BIND_TRANSCEIVER_RESP = 0x8000_0009, "bind_transceiver_resp";
    /// The SMSC asks for a session that receives. Has no response of its own.
    OUTBIND = 0x0000_000B, "outbind";
    /// Asks whether the peer still answers.
    ENQUIRE_LINK = 0x0000_0015, "enquire_link";
    /// Answers [`ENQUIRE_LINK`](Self::ENQUIRE_LINK).
    ENQUIRE_LINK_RESP = 0x8000_0015, "enquire_link_resp";
    /// A handset can be reached again. Has no response.
    ALERT_NOTIFICATION = 0x0000_0102, "alert_notification";
    /// A message in either direction, its text in a TLV.
    DATA_SM = 0x0000_0103, "data_sm";
    /// Answers [`DATA_SM`](Self::DATA_SM).
    DATA_SM_RESP = 0x8000_0103, "data_sm_resp";
}

impl CommandId {
    const RESPONSE_BIT: u32 = 0x8000_0000;

    /// Whether this is a response (or a `generic_nack`), which is never answered.
    #[must_use]
    pub const fn is_response(self) -> bool {
        self.0 & Self::RESPONSE_BIT != 0
    }

    /// The response to this request; a response is its own. `outbind` and `alert_notification` have none.
    #[must_use]
    pub const fn response(self) -> Self {
        Self(self.0 | Self::RESPONSE_BIT)
    }
}

impl fmt::Display for CommandId {
    /// The name, or the number of an unknown command: `submit_sm`, `0x104`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "0x{:X}", self.0),
        }
    }
}

impl fmt::Debug for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Matches a response to its request within one session (SMPP 3.4 §5.1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SequenceNumber(pub u32);

impl SequenceNumber {
    /// In a `generic_nack`: the sequence number of the request could not be read.
    pub const NONE: Self = Self(0);
    /// The first number of a session.
    pub const FIRST: Self = Self(1);
    /// The last number before it starts again with [`FIRST`](Self::FIRST).
    pub const LAST: Self = Self(0x7FFF_FFFF);

    /// The number after this one; 1 after 0x7FFFFFFF. Numbers still in flight are the caller's to skip.
    #[must_use]
    pub const fn next(self) -> Self {
        if self.0 >= Self::LAST.0 { Self::FIRST } else { Self(self.0 + 1) }
    }
}

impl fmt::Display for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l11_sequence_numbers_wrap_to_one() {
        assert_eq!(SequenceNumber::FIRST.next(), SequenceNumber(2));
        assert_eq!(SequenceNumber(0x7FFF_FFFE).next(), SequenceNumber::LAST);
        assert_eq!(SequenceNumber::LAST.next(), SequenceNumber::FIRST);
        assert_eq!(SequenceNumber(u32::MAX).next(), SequenceNumber::FIRST);
    }

    #[test]
    fn a_response_is_known_by_its_bit() {
        assert!(!CommandId::SUBMIT_SM.is_response());
        assert!(CommandId::GENERIC_NACK.is_response());
        assert_eq!(CommandId::SUBMIT_SM.response(), CommandId::SUBMIT_SM_RESP);
        assert_eq!(CommandId(0x104).to_string(), "0x104");
        assert_eq!(CommandId::SUBMIT_SM.to_string(), "submit_sm");
    }
}
