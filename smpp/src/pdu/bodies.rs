//! The bodies of the PDUs, each with its mandatory fields and optional parameters.

use std::fmt;

use super::fields::{Address, DataCoding, EsmClass, INTERFACE_VERSION, MessageState, Npi, Ton};
use super::shown::{Hidden, Shown};
use crate::tlv::{Tag, Tlvs};

/// Asks for a session. `Debug` does not show the password.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Bind<'a> {
    /// Who binds, at most 15 bytes.
    pub system_id: &'a [u8],
    /// At most 8 bytes.
    pub password: &'a [u8],
    /// Kind of ESME, at most 12 bytes; mostly empty.
    pub system_type: &'a [u8],
    /// The ESME's protocol version, [`INTERFACE_VERSION`].
    pub interface_version: u8,
    /// Type of number of the addresses served; mostly unknown.
    pub address_ton: Ton,
    /// Numbering plan of the addresses served; mostly unknown.
    pub address_npi: Npi,
    /// The addresses served, at most 40 bytes; mostly empty.
    pub address_range: &'a [u8],
}

impl Default for Bind<'_> {
    /// All empty, with [`INTERFACE_VERSION`].
    fn default() -> Self {
        Self {
            system_id: b"",
            password: b"",
            system_type: b"",
            interface_version: INTERFACE_VERSION,
            address_ton: Ton::UNKNOWN,
            address_npi: Npi::UNKNOWN,
            address_range: b"",
        }
    }
}

impl fmt::Debug for Bind<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bind")
            .field("system_id", &Shown(self.system_id))
            .field("password", &format_args!("<hidden>"))
            .field("system_type", &Shown(self.system_type))
            .field("interface_version", &format_args!("0x{:02X}", self.interface_version))
            .finish()
    }
}

/// Answers a bind. All empty when the response was a header only.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct BindResp<'a> {
    /// The SMSC's name, at most 15 bytes in SMPP 3.4.
    pub system_id: &'a [u8],
    /// Mostly `sc_interface_version` or nothing.
    pub tlvs: Tlvs<'a>,
}

impl BindResp<'_> {
    /// The SMSC's protocol version; absent from SMSCs before 3.4 and from some after.
    #[must_use]
    pub fn sc_interface_version(&self) -> Option<u8> {
        match self.tlvs.find(Tag::SC_INTERFACE_VERSION)?.value {
            &[version] => Some(version),
            _ => None,
        }
    }
}

/// The SMSC asks the ESME to bind as a receiver. `Debug` does not show the password.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Outbind<'a> {
    /// The SMSC's name, at most 15 bytes.
    pub system_id: &'a [u8],
    /// At most 8 bytes.
    pub password: &'a [u8],
}

/// A message on its way: what `submit_sm` and `deliver_sm` have in common, which is all.
///
/// `Debug` shows neither the text nor whole addresses.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Message<'a> {
    /// The SMS application, at most 5 bytes; mostly empty.
    pub service_type: &'a [u8],
    /// Who sends the message.
    pub source: Address<'a>,
    /// Who receives the message.
    pub destination: Address<'a>,
    /// Mode, type and GSM features.
    pub esm_class: EsmClass,
    /// Network specific; mostly 0.
    pub protocol_id: u8,
    /// 0 to 3.
    pub priority_flag: u8,
    /// Empty for at once, or 16 characters ([`crate::time`]).
    pub schedule_delivery_time: &'a [u8],
    /// Empty for the SMSC's default, or 16 characters ([`crate::time`]).
    pub validity_period: &'a [u8],
    /// Whether a receipt is wanted: [`NO_RECEIPT`](super::NO_RECEIPT),
    /// [`FINAL_RECEIPT`](super::FINAL_RECEIPT).
    pub registered_delivery: u8,
    /// 1 replaces a message that has not been delivered yet.
    pub replace_if_present_flag: u8,
    /// The alphabet of the text.
    pub data_coding: DataCoding,
    /// A message kept at the SMSC; mostly 0.
    pub sm_default_msg_id: u8,
    /// Header, if [`EsmClass::has_udh`], and text: at most 254 bytes.
    pub short_message: &'a [u8],
    /// The optional parameters, among them `message_payload`.
    pub tlvs: Tlvs<'a>,
}

/// `submit_sm`: a message from the ESME.
pub type SubmitSm<'a> = Message<'a>;
/// `deliver_sm`: a message or a receipt from the SMSC.
pub type DeliverSm<'a> = Message<'a>;

impl<'a> Message<'a> {
    /// The bytes of the message: `short_message`, or `message_payload` when that is empty.
    #[must_use]
    pub fn content(&self) -> &'a [u8] {
        if !self.short_message.is_empty() {
            return self.short_message;
        }
        self.tlvs.find(Tag::MESSAGE_PAYLOAD).map_or(b"", |payload| payload.value)
    }
}

/// Answers `submit_sm`. All empty when the response was a header only.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct SubmitSmResp<'a> {
    /// The SMSC's id of the message, at most 64 bytes in SMPP 3.4; SMSCs send more, none, or bytes that are
    /// not ASCII.
    pub message_id: &'a [u8],
    /// Not in SMPP 3.4, but sent by some SMSCs.
    pub tlvs: Tlvs<'a>,
}

/// Answers `deliver_sm`.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct DeliverSmResp<'a> {
    /// Unused in SMPP 3.4, and empty.
    pub message_id: &'a [u8],
}

/// A message whose text is in the TLV `message_payload`, in either direction: a receipt too.
///
/// `Debug` shows neither the text nor whole addresses.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct DataSm<'a> {
    /// The SMS application, at most 5 bytes; mostly empty.
    pub service_type: &'a [u8],
    /// Who sends the message.
    pub source: Address<'a>,
    /// Who receives the message.
    pub destination: Address<'a>,
    /// Mode, type and GSM features.
    pub esm_class: EsmClass,
    /// Whether a receipt is wanted: [`NO_RECEIPT`](super::NO_RECEIPT),
    /// [`FINAL_RECEIPT`](super::FINAL_RECEIPT).
    pub registered_delivery: u8,
    /// The alphabet of the text.
    pub data_coding: DataCoding,
    /// Optional parameters, of which `message_payload` is the message.
    pub tlvs: Tlvs<'a>,
}

impl<'a> DataSm<'a> {
    /// The bytes of the message: its `message_payload`.
    #[must_use]
    pub fn content(&self) -> &'a [u8] {
        self.tlvs.find(Tag::MESSAGE_PAYLOAD).map_or(b"", |payload| payload.value)
    }
}

/// Answers `data_sm`. All empty when the response was a header only.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct DataSmResp<'a> {
    /// The SMSC's id of the message, at most 64 bytes in SMPP 3.4.
    pub message_id: &'a [u8],
    /// Why it could not be delivered, beside an error status.
    pub tlvs: Tlvs<'a>,
}

/// Asks for the state of a message.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct QuerySm<'a> {
    /// The SMSC's id of the message, at most 64 bytes.
    pub message_id: &'a [u8],
    /// The message's sender as it was submitted.
    pub source: Address<'a>,
}

/// Answers `query_sm`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct QuerySmResp<'a> {
    /// The SMSC's id of the message, at most 64 bytes in SMPP 3.4.
    pub message_id: &'a [u8],
    /// When the message came to its final state: 16 characters ([`crate::time`]), or empty while it has not.
    pub final_date: &'a [u8],
    /// Unknown when the response was a header only.
    pub message_state: MessageState,
    /// The network's or SMSC's error code; 0 without one.
    pub error_code: u8,
}

impl Default for QuerySmResp<'_> {
    /// All empty, of an unknown state: goes with an error status.
    fn default() -> Self {
        Self { message_id: b"", final_date: b"", message_state: MessageState::UNKNOWN, error_code: 0 }
    }
}

/// Takes back a message, or all of one sender to one recipient, if not delivered yet.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct CancelSm<'a> {
    /// With an empty `message_id`, of which SMS application; at most 5 bytes.
    pub service_type: &'a [u8],
    /// The SMSC's id of the message, at most 64 bytes; empty for all between the addresses.
    pub message_id: &'a [u8],
    /// The message's sender as it was submitted.
    pub source: Address<'a>,
    /// The message's recipient; may be empty beside a `message_id`.
    pub destination: Address<'a>,
}

/// Replaces the text and the times of a message that is not delivered yet.
///
/// `Debug` shows neither the text nor a whole address.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct ReplaceSm<'a> {
    /// The SMSC's id of the message, at most 64 bytes.
    pub message_id: &'a [u8],
    /// The message's sender as it was submitted.
    pub source: Address<'a>,
    /// Empty to keep what it was, or 16 characters ([`crate::time`]).
    pub schedule_delivery_time: &'a [u8],
    /// Empty to keep what it was, or 16 characters ([`crate::time`]).
    pub validity_period: &'a [u8],
    /// Whether a receipt is wanted: [`NO_RECEIPT`](super::NO_RECEIPT),
    /// [`FINAL_RECEIPT`](super::FINAL_RECEIPT).
    pub registered_delivery: u8,
    /// A message kept at the SMSC; mostly 0.
    pub sm_default_msg_id: u8,
    /// The new text, at most 254 bytes; coded as the message was.
    pub short_message: &'a [u8],
}

/// A handset that a message waits for can be reached again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlertNotification<'a> {
    /// The handset's number.
    pub source: Address<'a>,
    /// The ESME that asked for the alert.
    pub esme: Address<'a>,
    /// `ms_availability_status`, or nothing.
    pub tlvs: Tlvs<'a>,
}

/// `Debug` that shows the fields listed: as strings, then as they are, then only by their length. Other
/// fields stay out of it.
macro_rules! debug {
    ($body:ident, $($string:ident),*; $($field:ident),*; $($hidden:ident),*) => {
        impl fmt::Debug for $body<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($body))
                    $(.field(stringify!($string), &Shown(self.$string)))*
                    $(.field(stringify!($field), &self.$field))*
                    $(.field(stringify!($hidden), &Hidden(self.$hidden)))*
                    .finish()
            }
        }
    };
}

debug!(BindResp, system_id; tlvs;);
debug!(Outbind, system_id;;);
debug!(
    Message, validity_period; source, destination, esm_class, registered_delivery, data_coding, tlvs; short_message
);
debug!(SubmitSmResp, message_id; tlvs;);
debug!(DeliverSmResp, message_id;;);
debug!(DataSm,; source, destination, esm_class, registered_delivery, data_coding, tlvs;);
debug!(DataSmResp, message_id; tlvs;);
debug!(QuerySm, message_id; source;);
debug!(QuerySmResp, message_id, final_date; message_state, error_code;);
debug!(CancelSm, message_id; source, destination;);
debug!(ReplaceSm, message_id, validity_period; source, registered_delivery; short_message);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdu::{Body, Pdu, SequenceNumber};
    use crate::tlv::TlvBuffer;

    #[test]
    fn content_is_the_short_message_before_the_payload() {
        let mut tlvs = TlvBuffer::new();
        tlvs.push(Tag::MESSAGE_PAYLOAD, b"payload").unwrap();
        let message = Message { tlvs: tlvs.as_tlvs(), ..Message::default() };
        assert_eq!(message.content(), b"payload");
        assert_eq!(Message { short_message: b"short", ..message }.content(), b"short");
        assert_eq!(Message::default().content(), b"");
    }

    #[test]
    fn debug_shows_no_text_no_password_and_no_whole_number() {
        let mut tlvs = TlvBuffer::new();
        tlvs.push(Tag::MESSAGE_PAYLOAD, b"code 482913").unwrap();
        let tlvs = tlvs.as_tlvs();
        let (bank, phone) = (Address::alphanumeric(b"BANK"), Address::international(b"6281234567890"));
        let short_message = b"code 482913";
        let message = Message { source: bank, destination: phone, short_message, tlvs, ..Message::default() };
        let bodies = [
            Body::BindTransceiver(Bind { password: b"secret08", ..Bind::default() }),
            Body::Outbind(Outbind { system_id: b"SMSC", password: b"secret08" }),
            Body::SubmitSm(message),
            Body::DeliverSm(Message { source: phone, destination: bank, ..message }),
            Body::DataSm(DataSm { source: phone, destination: phone, tlvs, ..DataSm::default() }),
            Body::QuerySm(QuerySm { message_id: b"1", source: phone }),
            Body::CancelSm(CancelSm { source: phone, destination: phone, ..CancelSm::default() }),
            Body::ReplaceSm(ReplaceSm { source: phone, short_message, ..ReplaceSm::default() }),
            Body::AlertNotification(AlertNotification { source: phone, esme: phone, tlvs }),
            Body::SubmitSmResp(SubmitSmResp { message_id: b"1", tlvs }),
            Body::DataSmResp(DataSmResp { message_id: b"1", tlvs }),
        ];
        for body in bodies {
            let shown = format!("{:?}", Pdu::new(SequenceNumber::FIRST, body));
            for hidden in ["482913", "628123456789", "secret08", "[54, 50", "[52, 56"] {
                assert!(!shown.contains(hidden), "{hidden} in {shown}");
            }
            let addressed = !matches!(
                body,
                Body::BindTransceiver(_) | Body::Outbind(_) | Body::SubmitSmResp(_) | Body::DataSmResp(_)
            );
            assert_eq!(shown.contains("1/1:*90"), addressed, "{shown}");
        }
    }

    #[test]
    fn debug_cuts_what_is_longer_than_any_id() {
        let shown = |message_id: &[u8]| format!("{:?}", DeliverSmResp { message_id });
        assert_eq!(shown(&[b'7'; 65]), format!("DeliverSmResp {{ message_id: \"{}\" }}", "7".repeat(65)));
        let cut = format!("DeliverSmResp {{ message_id: \"{}… (66 bytes)\" }}", "7".repeat(65));
        assert_eq!(shown(&[b'7'; 66]), cut);
        assert_eq!(shown(b"a\n\xE9\""), "DeliverSmResp { message_id: \"a\\n\\xe9\\\"\" }");
    }
}
