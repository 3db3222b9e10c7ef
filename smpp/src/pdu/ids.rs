//! `command_id` and `sequence_number`: what a PDU is, and which request a response answers.

use std::fmt;

/// What a PDU is: the `command_id` (SMPP 3.4 §5.1.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommandId(pub u32);

impl CommandId {
    /// Answers a PDU that could not be told; both sides.
    pub const GENERIC_NACK: Self = Self(0x8000_0000);
    /// Opens a session that receives.
    pub const BIND_RECEIVER: Self = Self(0x0000_0001);
    /// Answers [`BIND_RECEIVER`](Self::BIND_RECEIVER).
    pub const BIND_RECEIVER_RESP: Self = Self(0x8000_0001);
    /// Opens a session that submits.
    pub const BIND_TRANSMITTER: Self = Self(0x0000_0002);
    /// Answers [`BIND_TRANSMITTER`](Self::BIND_TRANSMITTER).
    pub const BIND_TRANSMITTER_RESP: Self = Self(0x8000_0002);
    /// Asks what became of a message.
    pub const QUERY_SM: Self = Self(0x0000_0003);
    /// Answers [`QUERY_SM`](Self::QUERY_SM).
    pub const QUERY_SM_RESP: Self = Self(0x8000_0003);
    /// A message from the ESME.
    pub const SUBMIT_SM: Self = Self(0x0000_0004);
    /// Answers [`SUBMIT_SM`](Self::SUBMIT_SM).
    pub const SUBMIT_SM_RESP: Self = Self(0x8000_0004);
    /// A message or a receipt from the SMSC.
    pub const DELIVER_SM: Self = Self(0x0000_0005);
    /// Answers [`DELIVER_SM`](Self::DELIVER_SM).
    pub const DELIVER_SM_RESP: Self = Self(0x8000_0005);
    /// Ends the session.
    pub const UNBIND: Self = Self(0x0000_0006);
    /// Answers [`UNBIND`](Self::UNBIND).
    pub const UNBIND_RESP: Self = Self(0x8000_0006);
    /// Replaces the text of a message that is not delivered yet.
    pub const REPLACE_SM: Self = Self(0x0000_0007);
    /// Answers [`REPLACE_SM`](Self::REPLACE_SM).
    pub const REPLACE_SM_RESP: Self = Self(0x8000_0007);
    /// Takes back messages that are not delivered yet.
    pub const CANCEL_SM: Self = Self(0x0000_0008);
    /// Answers [`CANCEL_SM`](Self::CANCEL_SM).
    pub const CANCEL_SM_RESP: Self = Self(0x8000_0008);
    /// Opens a session that submits and receives.
    pub const BIND_TRANSCEIVER: Self = Self(0x0000_0009);
    /// Answers [`BIND_TRANSCEIVER`](Self::BIND_TRANSCEIVER).
    pub const BIND_TRANSCEIVER_RESP: Self = Self(0x8000_0009);
    /// The SMSC asks for a session that receives. Has no response of its own.
    pub const OUTBIND: Self = Self(0x0000_000B);
    /// Asks whether the other side lives.
    pub const ENQUIRE_LINK: Self = Self(0x0000_0015);
    /// Answers [`ENQUIRE_LINK`](Self::ENQUIRE_LINK).
    pub const ENQUIRE_LINK_RESP: Self = Self(0x8000_0015);
    /// A handset can be reached again. Has no response.
    pub const ALERT_NOTIFICATION: Self = Self(0x0000_0102);
    /// A message in either direction, its text in a TLV.
    pub const DATA_SM: Self = Self(0x0000_0103);
    /// Answers [`DATA_SM`](Self::DATA_SM).
    pub const DATA_SM_RESP: Self = Self(0x8000_0103);

    const RESPONSE_BIT: u32 = 0x8000_0000;

    /// Whether this is a response (or a `generic_nack`), which is never answered.
    #[must_use]
    pub const fn is_response(self) -> bool {
        self.0 & Self::RESPONSE_BIT != 0
    }

    /// The response to this request; a response is its own. `outbind` and
    /// `alert_notification` have none.
    #[must_use]
    pub const fn response(self) -> Self {
        Self(self.0 | Self::RESPONSE_BIT)
    }

    /// The PDU's name as SMPP 3.4 writes it, for the PDUs of this crate.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::GENERIC_NACK => "generic_nack",
            Self::BIND_RECEIVER => "bind_receiver",
            Self::BIND_RECEIVER_RESP => "bind_receiver_resp",
            Self::BIND_TRANSMITTER => "bind_transmitter",
            Self::BIND_TRANSMITTER_RESP => "bind_transmitter_resp",
            Self::QUERY_SM => "query_sm",
            Self::QUERY_SM_RESP => "query_sm_resp",
            Self::SUBMIT_SM => "submit_sm",
            Self::SUBMIT_SM_RESP => "submit_sm_resp",
            Self::DELIVER_SM => "deliver_sm",
            Self::DELIVER_SM_RESP => "deliver_sm_resp",
            Self::UNBIND => "unbind",
            Self::UNBIND_RESP => "unbind_resp",
            Self::REPLACE_SM => "replace_sm",
            Self::REPLACE_SM_RESP => "replace_sm_resp",
            Self::CANCEL_SM => "cancel_sm",
            Self::CANCEL_SM_RESP => "cancel_sm_resp",
            Self::BIND_TRANSCEIVER => "bind_transceiver",
            Self::BIND_TRANSCEIVER_RESP => "bind_transceiver_resp",
            Self::OUTBIND => "outbind",
            Self::ENQUIRE_LINK => "enquire_link",
            Self::ENQUIRE_LINK_RESP => "enquire_link_resp",
            Self::ALERT_NOTIFICATION => "alert_notification",
            Self::DATA_SM => "data_sm",
            Self::DATA_SM_RESP => "data_sm_resp",
            _ => return None,
        })
    }
}

impl fmt::Display for CommandId {
    /// The name, or the number of an unknown command: `submit_sm`, `0x103`.
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

/// Joins a response to its request within one session (SMPP 3.4 §5.1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SequenceNumber(pub u32);

impl SequenceNumber {
    /// In a `generic_nack`: the sequence number of the request could not be read.
    pub const NONE: Self = Self(0);
    /// The first number of a session.
    pub const FIRST: Self = Self(1);
    /// The last number before it starts again with [`FIRST`](Self::FIRST).
    pub const LAST: Self = Self(0x7FFF_FFFF);

    /// The number after this one; 1 after 0x7FFFFFFF. Numbers still in flight are the
    /// caller's to skip.
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
    fn a_response_is_told_by_its_bit() {
        assert!(!CommandId::SUBMIT_SM.is_response());
        assert!(CommandId::GENERIC_NACK.is_response());
        assert_eq!(CommandId::SUBMIT_SM.response(), CommandId::SUBMIT_SM_RESP);
        assert_eq!(CommandId(0x104).to_string(), "0x104");
        assert_eq!(CommandId::SUBMIT_SM.to_string(), "submit_sm");
    }
}
