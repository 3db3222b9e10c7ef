//! The PDUs of SMPP 3.4 as borrowed values.
//!
//! C-octet strings are slices without their NUL. Nothing here is checked: the codec accepts
//! on decode what the field sends and refuses on encode what SMPP 3.4 does not allow.

use std::fmt;

use crate::receipt::MessageState;
use crate::status::CommandStatus;
use crate::tlv::{Tag, Tlvs};

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

/// The first 16 bytes of every PDU (SMPP 3.4 §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Length of the whole PDU in bytes, these 16 included.
    pub command_length: u32,
    /// What the PDU is.
    pub command_id: CommandId,
    /// The outcome, in a response; 0 in a request.
    pub status: CommandStatus,
    /// Joins response and request.
    pub sequence: SequenceNumber,
}

/// A PDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pdu<'a> {
    /// The outcome, in a response; `ESME_ROK` in a request.
    pub status: CommandStatus,
    /// Joins response and request.
    pub sequence: SequenceNumber,
    /// What the PDU is and says.
    pub body: Body<'a>,
}

impl<'a> Pdu<'a> {
    /// A request, or a response that says `ESME_ROK`.
    #[must_use]
    pub const fn new(sequence: SequenceNumber, body: Body<'a>) -> Self {
        Self { status: CommandStatus::ESME_ROK, sequence, body }
    }

    /// A response with an outcome.
    #[must_use]
    pub const fn response(status: CommandStatus, sequence: SequenceNumber, body: Body<'a>) -> Self {
        Self { status, sequence, body }
    }
}

/// The most bytes of a string that `Debug` shows: an id by the book, and one more to tell a
/// longer one.
const SHOWN_BYTES_MAX: usize = 65;

/// A string for `Debug`: printable, and cut, since a response may hold one of 64 KiB.
pub(crate) struct Shown<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.split_at_checked(SHOWN_BYTES_MAX) {
            Some((start, rest)) if !rest.is_empty() => {
                write!(f, "{}… ({} bytes)", start.escape_ascii(), self.0.len())
            }
            _ => self.0.escape_ascii().fmt(f),
        }
    }
}

/// What a PDU is and says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// `bind_transmitter` (SMPP 3.4 §4.1.1).
    BindTransmitter(Bind<'a>),
    /// `bind_transmitter_resp` (SMPP 3.4 §4.1.2).
    BindTransmitterResp(BindResp<'a>),
    /// `bind_receiver` (SMPP 3.4 §4.1.3).
    BindReceiver(Bind<'a>),
    /// `bind_receiver_resp` (SMPP 3.4 §4.1.4).
    BindReceiverResp(BindResp<'a>),
    /// `bind_transceiver` (SMPP 3.4 §4.1.5).
    BindTransceiver(Bind<'a>),
    /// `bind_transceiver_resp` (SMPP 3.4 §4.1.6).
    BindTransceiverResp(BindResp<'a>),
    /// `outbind` (SMPP 3.4 §4.1.7).
    Outbind(Outbind<'a>),
    /// `unbind` (SMPP 3.4 §4.2.1).
    Unbind,
    /// `unbind_resp` (SMPP 3.4 §4.2.2).
    UnbindResp,
    /// `generic_nack` (SMPP 3.4 §4.3.1).
    GenericNack,
    /// `submit_sm` (SMPP 3.4 §4.4.1).
    SubmitSm(SubmitSm<'a>),
    /// `submit_sm_resp` (SMPP 3.4 §4.4.2).
    SubmitSmResp(SubmitSmResp<'a>),
    /// `deliver_sm` (SMPP 3.4 §4.6.1).
    DeliverSm(DeliverSm<'a>),
    /// `deliver_sm_resp` (SMPP 3.4 §4.6.2).
    DeliverSmResp(DeliverSmResp<'a>),
    /// `data_sm` (SMPP 3.4 §4.7.1).
    DataSm(DataSm<'a>),
    /// `data_sm_resp` (SMPP 3.4 §4.7.2).
    DataSmResp(DataSmResp<'a>),
    /// `query_sm` (SMPP 3.4 §4.8.1).
    QuerySm(QuerySm<'a>),
    /// `query_sm_resp` (SMPP 3.4 §4.8.2).
    QuerySmResp(QuerySmResp<'a>),
    /// `cancel_sm` (SMPP 3.4 §4.9.1).
    CancelSm(CancelSm<'a>),
    /// `cancel_sm_resp` (SMPP 3.4 §4.9.2).
    CancelSmResp,
    /// `replace_sm` (SMPP 3.4 §4.10.1).
    ReplaceSm(ReplaceSm<'a>),
    /// `replace_sm_resp` (SMPP 3.4 §4.10.2).
    ReplaceSmResp,
    /// `enquire_link` (SMPP 3.4 §4.11.1).
    EnquireLink,
    /// `enquire_link_resp` (SMPP 3.4 §4.11.2).
    EnquireLinkResp,
    /// `alert_notification` (SMPP 3.4 §4.12.1).
    AlertNotification(AlertNotification<'a>),
}

impl Body<'_> {
    /// The `command_id` that goes with this body.
    #[must_use]
    pub const fn command_id(&self) -> CommandId {
        match self {
            Self::BindTransmitter(_) => CommandId::BIND_TRANSMITTER,
            Self::BindTransmitterResp(_) => CommandId::BIND_TRANSMITTER_RESP,
            Self::BindReceiver(_) => CommandId::BIND_RECEIVER,
            Self::BindReceiverResp(_) => CommandId::BIND_RECEIVER_RESP,
            Self::BindTransceiver(_) => CommandId::BIND_TRANSCEIVER,
            Self::BindTransceiverResp(_) => CommandId::BIND_TRANSCEIVER_RESP,
            Self::Outbind(_) => CommandId::OUTBIND,
            Self::Unbind => CommandId::UNBIND,
            Self::UnbindResp => CommandId::UNBIND_RESP,
            Self::GenericNack => CommandId::GENERIC_NACK,
            Self::SubmitSm(_) => CommandId::SUBMIT_SM,
            Self::SubmitSmResp(_) => CommandId::SUBMIT_SM_RESP,
            Self::DeliverSm(_) => CommandId::DELIVER_SM,
            Self::DeliverSmResp(_) => CommandId::DELIVER_SM_RESP,
            Self::DataSm(_) => CommandId::DATA_SM,
            Self::DataSmResp(_) => CommandId::DATA_SM_RESP,
            Self::QuerySm(_) => CommandId::QUERY_SM,
            Self::QuerySmResp(_) => CommandId::QUERY_SM_RESP,
            Self::CancelSm(_) => CommandId::CANCEL_SM,
            Self::CancelSmResp => CommandId::CANCEL_SM_RESP,
            Self::ReplaceSm(_) => CommandId::REPLACE_SM,
            Self::ReplaceSmResp => CommandId::REPLACE_SM_RESP,
            Self::EnquireLink => CommandId::ENQUIRE_LINK,
            Self::EnquireLinkResp => CommandId::ENQUIRE_LINK_RESP,
            Self::AlertNotification(_) => CommandId::ALERT_NOTIFICATION,
        }
    }
}

/// Type of number (SMPP 3.4 §5.2.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ton(pub u8);

impl Ton {
    /// Unknown.
    pub const UNKNOWN: Self = Self(0);
    /// International: country code and number, without `+`.
    pub const INTERNATIONAL: Self = Self(1);
    /// National.
    pub const NATIONAL: Self = Self(2);
    /// Network specific; some SMSCs want it for short codes.
    pub const NETWORK_SPECIFIC: Self = Self(3);
    /// Subscriber number.
    pub const SUBSCRIBER_NUMBER: Self = Self(4);
    /// Alphanumeric: a sender's name of at most 11 characters.
    pub const ALPHANUMERIC: Self = Self(5);
    /// Abbreviated.
    pub const ABBREVIATED: Self = Self(6);
}

/// Numbering plan indicator (SMPP 3.4 §5.2.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Npi(pub u8);

impl Npi {
    /// Unknown; goes with alphanumeric senders.
    pub const UNKNOWN: Self = Self(0);
    /// ISDN (E.163/E.164): telephone numbers.
    pub const ISDN: Self = Self(1);
}

/// Where a message comes from or goes to. `Debug` shows the last two characters only.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Address<'a> {
    /// Type of number.
    pub ton: Ton,
    /// Numbering plan indicator.
    pub npi: Npi,
    /// The number or name, at most 20 bytes, or 64 in `data_sm` and `alert_notification`; an
    /// SMSC may send any bytes.
    pub digits: &'a [u8],
}

impl<'a> Address<'a> {
    /// An international telephone number: country code and number, digits only.
    #[must_use]
    pub const fn international(digits: &'a [u8]) -> Self {
        Self { ton: Ton::INTERNATIONAL, npi: Npi::ISDN, digits }
    }

    /// A sender's name, at most 11 characters.
    #[must_use]
    pub const fn alphanumeric(name: &'a [u8]) -> Self {
        Self { ton: Ton::ALPHANUMERIC, npi: Npi::UNKNOWN, digits: name }
    }
}

impl fmt::Debug for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.digits[self.digits.len().saturating_sub(2)..];
        write!(f, "{}/{}:*{}", self.ton.0, self.npi.0, shown.escape_ascii())
    }
}

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

/// The version of SMPP that this crate speaks, as `interface_version` and
/// `sc_interface_version` say it (SMPP 3.4 §5.2.4).
pub const INTERFACE_VERSION: u8 = 0x34;

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
        write!(
            f,
            "Bind {{ system_id: \"{}\", password: <hidden>, system_type: \"{}\", interface_version: 0x{:02X} }}",
            Shown(self.system_id),
            Shown(self.system_type),
            self.interface_version
        )
    }
}

/// Answers a bind. All empty when the response was a header only.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct BindResp<'a> {
    /// The SMSC's name, at most 15 bytes by the book.
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

impl fmt::Debug for BindResp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BindResp {{ system_id: \"{}\", tlvs: {:?} }}", Shown(self.system_id), self.tlvs)
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

impl fmt::Debug for Outbind<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outbind {{ system_id: \"{}\", password: <hidden> }}", Shown(self.system_id))
    }
}

/// How a message is to be treated, and what it is (SMPP 3.4 §5.2.12).
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct EsmClass(pub u8);

impl EsmClass {
    /// A plain message, sent in the SMSC's default mode.
    pub const DEFAULT: Self = Self(0);
    /// The message starts with a user data header.
    pub const UDHI: Self = Self(0x40);
    /// The message asks for its reply to take the same path.
    pub const REPLY_PATH: Self = Self(0x80);
    /// An SMSC's delivery receipt.
    pub const RECEIPT: Self = Self(0x04);

    /// Bits 5–2: the message type.
    const TYPE_MASK: u8 = 0x3C;
    /// Bit 5: an intermediate delivery notification. Some SMSCs set it on receipts too.
    const INTERMEDIATE: u8 = 0x20;

    /// Whether the message starts with a user data header.
    #[must_use]
    pub const fn has_udh(self) -> bool {
        self.0 & Self::UDHI.0 != 0
    }

    /// This class with the user data header bit.
    #[must_use]
    pub const fn with_udh(self) -> Self {
        Self(self.0 | Self::UDHI.0)
    }

    /// Whether this is an SMSC's delivery receipt: the message type's bits 4–2 are 001,
    /// whatever the mode, the GSM features and the intermediate bit say (0x04, 0x24, 0x44).
    #[must_use]
    pub const fn is_receipt(self) -> bool {
        self.0 & Self::TYPE_MASK & !Self::INTERMEDIATE == Self::RECEIPT.0
    }

    /// Whether this is an intermediate delivery notification and no more (0x20, 0x60).
    #[must_use]
    pub const fn is_intermediate_notification(self) -> bool {
        self.0 & Self::TYPE_MASK == Self::INTERMEDIATE
    }
}

impl fmt::Debug for EsmClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EsmClass(0x{:02X})", self.0)
    }
}

/// How a message's text is coded (SMPP 3.4 §5.2.19).
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct DataCoding(pub u8);

impl DataCoding {
    /// The SMSC's default alphabet: GSM 7-bit with nearly all operators.
    pub const DEFAULT: Self = Self(0);
    /// IA5 (CCITT T.50) / ASCII.
    pub const ASCII: Self = Self(1);
    /// Octets, unspecified.
    pub const OCTETS: Self = Self(2);
    /// ISO 8859-1.
    pub const LATIN_1: Self = Self(3);
    /// Octets, unspecified.
    pub const BINARY: Self = Self(4);
    /// UCS-2, big endian.
    pub const UCS2: Self = Self(8);
}

impl fmt::Debug for DataCoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataCoding(0x{:02X})", self.0)
    }
}

/// `registered_delivery` that asks for no receipt (SMPP 3.4 §5.2.17).
pub const NO_RECEIPT: u8 = 0;
/// `registered_delivery` that asks for a receipt of the final outcome, good or bad
/// (SMPP 3.4 §5.2.17).
pub const FINAL_RECEIPT: u8 = 1;

/// A message on its way: what `submit_sm` and `deliver_sm` have in common, which is all.
///
/// `Debug` shows neither the text nor whole addresses.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Message<'a> {
    /// The SMS application, at most 5 bytes; mostly empty.
    pub service_type: &'a [u8],
    /// The sender.
    pub source: Address<'a>,
    /// The recipient.
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
    /// Whether a receipt is wanted: [`NO_RECEIPT`], [`FINAL_RECEIPT`].
    pub registered_delivery: u8,
    /// 1 replaces a message that has not been delivered yet.
    pub replace_if_present_flag: u8,
    /// How the text is coded.
    pub data_coding: DataCoding,
    /// A message kept at the SMSC; mostly 0.
    pub sm_default_msg_id: u8,
    /// Header, if [`EsmClass::has_udh`], and text: at most 254 bytes.
    pub short_message: &'a [u8],
    /// Optional parameters.
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

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("source", &self.source)
            .field("destination", &self.destination)
            .field("esm_class", &self.esm_class)
            .field("validity_period", &format_args!("{}", Shown(self.validity_period)))
            .field("registered_delivery", &self.registered_delivery)
            .field("data_coding", &self.data_coding)
            .field("short_message", &format_args!("[{} bytes]", self.short_message.len()))
            .field("tlvs", &self.tlvs)
            .finish_non_exhaustive()
    }
}

/// Answers `submit_sm`. All empty when the response was a header only.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct SubmitSmResp<'a> {
    /// The SMSC's id of the message, at most 64 bytes by the book; an SMSC may send more,
    /// none, or bytes that are not ASCII.
    pub message_id: &'a [u8],
    /// Not in SMPP 3.4, but sent by some SMSCs.
    pub tlvs: Tlvs<'a>,
}

impl fmt::Debug for SubmitSmResp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SubmitSmResp {{ message_id: \"{}\", tlvs: {:?} }}", Shown(self.message_id), self.tlvs)
    }
}

/// Answers `deliver_sm`.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct DeliverSmResp<'a> {
    /// Unused in SMPP 3.4, and empty.
    pub message_id: &'a [u8],
}

impl fmt::Debug for DeliverSmResp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeliverSmResp {{ message_id: \"{}\" }}", Shown(self.message_id))
    }
}

/// A message whose text is in the TLV `message_payload`, in either direction: a receipt too.
///
/// `Debug` shows neither the text nor whole addresses.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct DataSm<'a> {
    /// The SMS application, at most 5 bytes; mostly empty.
    pub service_type: &'a [u8],
    /// The sender.
    pub source: Address<'a>,
    /// The recipient.
    pub destination: Address<'a>,
    /// Mode, type and GSM features.
    pub esm_class: EsmClass,
    /// Whether a receipt is wanted: [`NO_RECEIPT`], [`FINAL_RECEIPT`].
    pub registered_delivery: u8,
    /// How the text is coded.
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

impl fmt::Debug for DataSm<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataSm")
            .field("source", &self.source)
            .field("destination", &self.destination)
            .field("esm_class", &self.esm_class)
            .field("registered_delivery", &self.registered_delivery)
            .field("data_coding", &self.data_coding)
            .field("tlvs", &self.tlvs)
            .finish_non_exhaustive()
    }
}

/// Answers `data_sm`. All empty when the response was a header only.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct DataSmResp<'a> {
    /// The SMSC's id of the message, at most 64 bytes by the book.
    pub message_id: &'a [u8],
    /// Why it could not be delivered, beside an error status.
    pub tlvs: Tlvs<'a>,
}

impl fmt::Debug for DataSmResp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataSmResp {{ message_id: \"{}\", tlvs: {:?} }}", Shown(self.message_id), self.tlvs)
    }
}

/// Asks what became of a message.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct QuerySm<'a> {
    /// The SMSC's id of the message, at most 64 bytes.
    pub message_id: &'a [u8],
    /// The message's sender as it was submitted.
    pub source: Address<'a>,
}

impl fmt::Debug for QuerySm<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { message_id, source } = self;
        write!(f, "QuerySm {{ message_id: \"{}\", source: {source:?} }}", Shown(message_id))
    }
}

/// Answers `query_sm`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct QuerySmResp<'a> {
    /// The SMSC's id of the message, at most 64 bytes by the book.
    pub message_id: &'a [u8],
    /// When the message came to its final state: 16 characters ([`crate::time`]), or empty
    /// while it has not.
    pub final_date: &'a [u8],
    /// What became of the message; unknown when the response was a header only.
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

impl fmt::Debug for QuerySmResp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "QuerySmResp {{ message_id: \"{}\", final_date: {}, message_state: {:?}, error_code: {} }}",
            Shown(self.message_id),
            Shown(self.final_date),
            self.message_state,
            self.error_code
        )
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

impl fmt::Debug for CancelSm<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { message_id, source, destination, .. } = self;
        let message_id = Shown(message_id);
        write!(
            f,
            "CancelSm {{ message_id: \"{message_id}\", source: {source:?}, destination: {destination:?} }}"
        )
    }
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
    /// Whether a receipt is wanted: [`NO_RECEIPT`], [`FINAL_RECEIPT`].
    pub registered_delivery: u8,
    /// A message kept at the SMSC; mostly 0.
    pub sm_default_msg_id: u8,
    /// The new text, at most 254 bytes; coded as the message was.
    pub short_message: &'a [u8],
}

impl fmt::Debug for ReplaceSm<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplaceSm")
            .field("message_id", &format_args!("{}", Shown(self.message_id)))
            .field("source", &self.source)
            .field("validity_period", &format_args!("{}", Shown(self.validity_period)))
            .field("registered_delivery", &self.registered_delivery)
            .field("short_message", &format_args!("[{} bytes]", self.short_message.len()))
            .finish_non_exhaustive()
    }
}

/// A handset that a message waits for can be reached again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlertNotification<'a> {
    /// The handset's number.
    pub source: Address<'a>,
    /// The ESME that asked to be told.
    pub esme: Address<'a>,
    /// `ms_availability_status`, or nothing.
    pub tlvs: Tlvs<'a>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlv::TlvBuffer;

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

    #[test]
    fn d9_receipts_are_told_from_messages_by_type_alone() {
        for class in [0x04, 0x24, 0x44, 0x84, 0x64, 0x07] {
            assert!(EsmClass(class).is_receipt(), "0x{class:02X}");
        }
        for class in [0x00, 0x03, 0x08, 0x0C, 0x10, 0x14, 0x18, 0x1C, 0x20, 0x40, 0x60, 0x80, 0xC0] {
            assert!(!EsmClass(class).is_receipt(), "0x{class:02X}");
        }
        assert!(EsmClass(0x20).is_intermediate_notification());
        assert!(EsmClass(0x60).is_intermediate_notification());
        assert!(!EsmClass(0x24).is_intermediate_notification());
    }

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
