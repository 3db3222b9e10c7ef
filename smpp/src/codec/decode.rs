//! Tolerant decoding, without allocation.

use std::fmt;

use super::anomaly::{Anomalies, Anomaly};
use super::field::{Field, WIDE_ADDRESS_BYTES_MAX};
use crate::frame::HEADER_BYTES;
use crate::pdu::{
    Address, AlertNotification, Bind, BindResp, Body, CancelSm, CommandId, DataCoding, DataSm, DataSmResp,
    DeliverSmResp, EsmClass, Header, Message, MessageState, Npi, Outbind, Pdu, QuerySm, QuerySmResp,
    ReplaceSm, SequenceNumber, SubmitSmResp, Ton,
};

use crate::status::CommandStatus;
use crate::time::TIME_BYTES;
use crate::tlv::{Tag, Tail, Tlvs};

/// A decoded PDU, and how it deviated from SMPP 3.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded<'a> {
    /// The PDU; borrows from the frame.
    pub pdu: Pdu<'a>,
    /// The deviations from SMPP 3.4 that were accepted.
    pub anomalies: Anomalies,
}

/// A frame that is not a PDU, or not one that this crate knows. The peer's fault; the link can stay up, since
/// the next frame is not affected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// The frame's header; all zero for [`DecodeErrorKind::NotAFrame`].
    pub header: Header,
    /// What is wrong.
    pub kind: DecodeErrorKind,
}

/// What is wrong with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeErrorKind {
    /// The bytes were not cut by their `command_length`. The caller's fault: `decode` takes what
    /// [`crate::frame::cut`] gives.
    NotAFrame,
    /// A `command_id` that this crate does not know.
    UnknownCommand,
    /// The PDU ended inside this field.
    Truncated(Field),
    /// This field was longer than it may be.
    TooLong(Field),
}

impl DecodeError {
    /// The status to answer with.
    #[must_use]
    pub const fn response_status(&self) -> CommandStatus {
        match self.kind {
            DecodeErrorKind::NotAFrame => CommandStatus::ESME_RINVCMDLEN,
            DecodeErrorKind::UnknownCommand => CommandStatus::ESME_RINVCMDID,
            DecodeErrorKind::Truncated(Field::ShortMessage) => CommandStatus::ESME_RINVMSGLEN,
            DecodeErrorKind::Truncated(_) => CommandStatus::ESME_RINVCMDLEN,
            DecodeErrorKind::TooLong(field) => match field {
                Field::SystemId => CommandStatus::ESME_RINVSYSID,
                Field::Password => CommandStatus::ESME_RINVPASWD,
                Field::SystemType => CommandStatus::ESME_RINVSYSTYP,
                Field::ServiceType => CommandStatus::ESME_RINVSERTYP,
                Field::SourceAddress => CommandStatus::ESME_RINVSRCADR,
                Field::DestinationAddress => CommandStatus::ESME_RINVDSTADR,
                Field::ScheduleDeliveryTime => CommandStatus::ESME_RINVSCHED,
                Field::ValidityPeriod => CommandStatus::ESME_RINVEXPIRY,
                Field::ShortMessage => CommandStatus::ESME_RINVMSGLEN,
                Field::MessageId => CommandStatus::ESME_RINVMSGID,
                Field::AddressRange
                | Field::BindParameters
                | Field::EsmeAddress
                | Field::MessageClass
                | Field::FinalDate
                | Field::DeliveryOptions => CommandStatus::ESME_RINVPARLEN,
            },
        }
    }

    /// The PDU to answer with, its sequence number being the frame's: the request's own response, or
    /// `generic_nack` for a request that is unknown or has none. `None` for a response, which is never
    /// answered.
    #[must_use]
    pub const fn reply(&self) -> Option<Pdu<'static>> {
        const BIND_RESP: BindResp<'static> = BindResp { system_id: b"", tlvs: Tlvs::NONE };
        const QUERY_SM_RESP: QuerySmResp<'static> = QuerySmResp {
            message_id: b"",
            final_date: b"",
            message_state: MessageState::UNKNOWN,
            error_code: 0,
        };
        if self.header.command_id.is_response() {
            return None;
        }
        let body = match self.header.command_id {
            CommandId::BIND_TRANSMITTER => Body::BindTransmitterResp(BIND_RESP),
            CommandId::BIND_RECEIVER => Body::BindReceiverResp(BIND_RESP),
            CommandId::BIND_TRANSCEIVER => Body::BindTransceiverResp(BIND_RESP),
            CommandId::SUBMIT_SM => Body::SubmitSmResp(SubmitSmResp { message_id: b"", tlvs: Tlvs::NONE }),
            CommandId::DELIVER_SM => Body::DeliverSmResp(DeliverSmResp { message_id: b"" }),
            CommandId::DATA_SM => Body::DataSmResp(DataSmResp { message_id: b"", tlvs: Tlvs::NONE }),
            CommandId::QUERY_SM => Body::QuerySmResp(QUERY_SM_RESP),
            CommandId::CANCEL_SM => Body::CancelSmResp,
            CommandId::REPLACE_SM => Body::ReplaceSmResp,
            _ => Body::GenericNack,
        };
        Some(Pdu::response(self.response_status(), self.header.sequence, body))
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Header { command_length, command_id, sequence, .. } = self.header;
        match self.kind {
            DecodeErrorKind::NotAFrame => f.write_str("not a frame cut by its command_length"),
            DecodeErrorKind::UnknownCommand => {
                write!(f, "unknown command_id {command_id} (sequence {sequence})")
            }
            DecodeErrorKind::Truncated(field) => {
                write!(f, "{command_id} of {command_length} bytes ends inside {field} (sequence {sequence})")
            }
            DecodeErrorKind::TooLong(field) => {
                write!(f, "{field} of {command_id} is too long (sequence {sequence})")
            }
        }
    }
}

impl std::error::Error for DecodeError {}

/// Decodes a frame that [`crate::frame::cut`] gave. Borrows everything from it.
///
/// # Errors
///
/// [`DecodeError`] for an unknown command, or a body whose fields do not fit. Answer with
/// [`DecodeError::reply`] and go on with the next frame.
// No allocation, one pass over the bytes. Witness: the benches' group `pdu`.
pub fn decode(frame: &[u8]) -> Result<Decoded<'_>, DecodeError> {
    let (header, body) = split_header(frame)?;
    let mut reader = Reader { rest: body, anomalies: Anomalies::NONE, long_strings: false };
    match reader.body(&header) {
        Ok(body) => Ok(Decoded {
            pdu: Pdu { status: header.status, sequence: header.sequence, body },
            anomalies: reader.anomalies,
        }),
        Err(kind) => Err(DecodeError { header, kind }),
    }
}

fn split_header(frame: &[u8]) -> Result<(Header, &[u8]), DecodeError> {
    const NO_HEADER: Header = Header {
        command_length: 0,
        command_id: CommandId(0),
        status: CommandStatus::ESME_ROK,
        sequence: SequenceNumber::NONE,
    };
    let not_a_frame = DecodeError { header: NO_HEADER, kind: DecodeErrorKind::NotAFrame };
    let (bytes, body) = frame.split_first_chunk::<HEADER_BYTES>().ok_or(not_a_frame)?;
    let &[l0, l1, l2, l3, c0, c1, c2, c3, s0, s1, s2, s3, n0, n1, n2, n3] = bytes;
    let command_length = u32::from_be_bytes([l0, l1, l2, l3]);
    if usize::try_from(command_length) != Ok(frame.len()) {
        return Err(not_a_frame);
    }
    let header = Header {
        command_length,
        command_id: CommandId(u32::from_be_bytes([c0, c1, c2, c3])),
        status: CommandStatus(u32::from_be_bytes([s0, s1, s2, s3])),
        sequence: SequenceNumber(u32::from_be_bytes([n0, n1, n2, n3])),
    };
    Ok((header, body))
}

/// The unread rest of a PDU's body, and the deviations so far.
struct Reader<'a> {
    rest: &'a [u8],
    anomalies: Anomalies,
    /// Whether strings may be longer than their fields: of a message from the SMSC, whose receipt is worth more than its
    /// form.
    long_strings: bool,
}

impl<'a> Reader<'a> {
    fn body(&mut self, header: &Header) -> Result<Body<'a>, DecodeErrorKind> {
        self.long_strings = matches!(header.command_id, CommandId::DELIVER_SM | CommandId::DATA_SM);
        Ok(match header.command_id {
            CommandId::BIND_TRANSMITTER => Body::BindTransmitter(self.bind()?),
            CommandId::BIND_RECEIVER => Body::BindReceiver(self.bind()?),
            CommandId::BIND_TRANSCEIVER => Body::BindTransceiver(self.bind()?),
            CommandId::BIND_TRANSMITTER_RESP => Body::BindTransmitterResp(self.bind_resp(header.status)),
            CommandId::BIND_RECEIVER_RESP => Body::BindReceiverResp(self.bind_resp(header.status)),
            CommandId::BIND_TRANSCEIVER_RESP => Body::BindTransceiverResp(self.bind_resp(header.status)),
            CommandId::SUBMIT_SM => Body::SubmitSm(self.message()?),
            CommandId::DELIVER_SM => Body::DeliverSm(self.message()?),
            CommandId::SUBMIT_SM_RESP => {
                let message_id = self.response_string(Field::MessageId, header.status);
                Body::SubmitSmResp(SubmitSmResp { message_id, tlvs: self.tlvs() })
            }
            CommandId::DELIVER_SM_RESP => {
                let message_id = self.response_string(Field::MessageId, header.status);
                self.end();
                Body::DeliverSmResp(DeliverSmResp { message_id })
            }
            CommandId::DATA_SM => Body::DataSm(self.data_sm()?),
            CommandId::DATA_SM_RESP => {
                let message_id = self.response_string(Field::MessageId, header.status);
                Body::DataSmResp(DataSmResp { message_id, tlvs: self.tlvs() })
            }
            CommandId::QUERY_SM => Body::QuerySm(self.query_sm()?),
            CommandId::QUERY_SM_RESP => Body::QuerySmResp(self.query_sm_resp(header.status)),
            CommandId::CANCEL_SM => Body::CancelSm(self.cancel_sm()?),
            CommandId::CANCEL_SM_RESP => self.header_only(Body::CancelSmResp),
            CommandId::REPLACE_SM => Body::ReplaceSm(self.replace_sm()?),
            CommandId::REPLACE_SM_RESP => self.header_only(Body::ReplaceSmResp),
            CommandId::OUTBIND => Body::Outbind(self.outbind()?),
            CommandId::ALERT_NOTIFICATION => Body::AlertNotification(self.alert_notification()?),
            CommandId::UNBIND => self.header_only(Body::Unbind),
            CommandId::UNBIND_RESP => self.header_only(Body::UnbindResp),
            CommandId::ENQUIRE_LINK => self.header_only(Body::EnquireLink),
            CommandId::ENQUIRE_LINK_RESP => self.header_only(Body::EnquireLinkResp),
            CommandId::GENERIC_NACK => self.header_only(Body::GenericNack),
            _ => return Err(DecodeErrorKind::UnknownCommand),
        })
    }

    fn bind(&mut self) -> Result<Bind<'a>, DecodeErrorKind> {
        let system_id = self.string(Field::SystemId)?;
        let password = self.string(Field::Password)?;
        let system_type = self.string(Field::SystemType)?;
        let [interface_version, ton, npi] = self.bytes(Field::BindParameters)?;
        let address_range = self.string(Field::AddressRange)?;
        self.end();
        Ok(Bind {
            system_id,
            password,
            system_type,
            interface_version,
            address_ton: Ton(ton),
            address_npi: Npi(npi),
            address_range,
        })
    }

    fn bind_resp(&mut self, status: CommandStatus) -> BindResp<'a> {
        let system_id = self.response_string(Field::SystemId, status);
        BindResp { system_id, tlvs: self.tlvs() }
    }

    fn message(&mut self) -> Result<Message<'a>, DecodeErrorKind> {
        let service_type = self.string(Field::ServiceType)?;
        let source = self.source(Field::SourceAddress.bytes_max())?;
        let destination = self.address(Field::DestinationAddress)?;
        let [esm_class, protocol_id, priority_flag] = self.bytes(Field::MessageClass)?;
        let schedule_delivery_time = self.time(Field::ScheduleDeliveryTime)?;
        let validity_period = self.time(Field::ValidityPeriod)?;
        let [registered_delivery, replace_if_present_flag, data_coding, sm_default_msg_id] =
            self.bytes(Field::DeliveryOptions)?;
        Ok(Message {
            service_type,
            source,
            destination,
            esm_class: EsmClass(esm_class),
            protocol_id,
            priority_flag,
            schedule_delivery_time,
            validity_period,
            registered_delivery,
            replace_if_present_flag,
            data_coding: DataCoding(data_coding),
            sm_default_msg_id,
            short_message: self.short_message()?,
            tlvs: self.tlvs(),
        })
    }

    fn data_sm(&mut self) -> Result<DataSm<'a>, DecodeErrorKind> {
        let service_type = self.string(Field::ServiceType)?;
        let source = self.source(WIDE_ADDRESS_BYTES_MAX)?;
        let destination = self.address_within(WIDE_ADDRESS_BYTES_MAX, Field::DestinationAddress)?;
        let [esm_class, registered_delivery, data_coding] = self.bytes(Field::MessageClass)?;
        Ok(DataSm {
            service_type,
            source,
            destination,
            esm_class: EsmClass(esm_class),
            registered_delivery,
            data_coding: DataCoding(data_coding),
            tlvs: self.tlvs(),
        })
    }

    fn query_sm(&mut self) -> Result<QuerySm<'a>, DecodeErrorKind> {
        let message_id = self.string(Field::MessageId)?;
        let source = self.source(Field::SourceAddress.bytes_max())?;
        self.end();
        Ok(QuerySm { message_id, source })
    }

    fn query_sm_resp(&mut self, status: CommandStatus) -> QuerySmResp<'a> {
        let message_id = self.response_string(Field::MessageId, status);
        let final_date = self.final_date();
        if self.rest.len() < 2 && status.is_ok() {
            self.anomalies.add(Anomaly::MissingBody);
        }
        let message_state = self.rest.first().map_or(MessageState::UNKNOWN, |&state| MessageState(state));
        let error_code = self.rest.get(1).copied().unwrap_or_default();
        self.rest = self.rest.get(2..).unwrap_or_default();
        self.end();
        QuerySmResp { message_id, final_date, message_state, error_code }
    }

    /// A response's time, with or without its NUL: of a fixed size, so that the fields after it are found.
    fn final_date(&mut self) -> &'a [u8] {
        let window = &self.rest[..self.rest.len().min(TIME_BYTES + 1)];
        let (end, next) = match window.iter().position(|&byte| byte == 0) {
            Some(end) => (end, end + 1),
            None => (window.len().min(TIME_BYTES), window.len().min(TIME_BYTES)),
        };
        if next == end && !window.is_empty() {
            self.anomalies.add(Anomaly::MissingNul);
        }
        let final_date = &self.rest[..end];
        self.rest = &self.rest[next..];
        if !matches!(end, 0 | TIME_BYTES) {
            self.anomalies.add(Anomaly::TimeLength);
        }
        final_date
    }

    fn cancel_sm(&mut self) -> Result<CancelSm<'a>, DecodeErrorKind> {
        let service_type = self.string(Field::ServiceType)?;
        let message_id = self.string(Field::MessageId)?;
        let source = self.source(Field::SourceAddress.bytes_max())?;
        let destination = self.address(Field::DestinationAddress)?;
        self.end();
        Ok(CancelSm { service_type, message_id, source, destination })
    }

    fn replace_sm(&mut self) -> Result<ReplaceSm<'a>, DecodeErrorKind> {
        let message_id = self.string(Field::MessageId)?;
        let source = self.source(Field::SourceAddress.bytes_max())?;
        let schedule_delivery_time = self.time(Field::ScheduleDeliveryTime)?;
        let validity_period = self.time(Field::ValidityPeriod)?;
        let [registered_delivery, sm_default_msg_id] = self.bytes(Field::DeliveryOptions)?;
        let short_message = self.short_message()?;
        self.end();
        Ok(ReplaceSm {
            message_id,
            source,
            schedule_delivery_time,
            validity_period,
            registered_delivery,
            sm_default_msg_id,
            short_message,
        })
    }

    fn outbind(&mut self) -> Result<Outbind<'a>, DecodeErrorKind> {
        let system_id = self.string(Field::SystemId)?;
        let password = self.string(Field::Password)?;
        self.end();
        Ok(Outbind { system_id, password })
    }

    fn alert_notification(&mut self) -> Result<AlertNotification<'a>, DecodeErrorKind> {
        let source = self.source(WIDE_ADDRESS_BYTES_MAX)?;
        let esme = self.address(Field::EsmeAddress)?;
        Ok(AlertNotification { source, esme, tlvs: self.tlvs() })
    }

    fn source(&mut self, bytes_max: usize) -> Result<Address<'a>, DecodeErrorKind> {
        let source = self.address_within(bytes_max, Field::SourceAddress)?;
        if !source.digits.is_ascii() {
            self.anomalies.add(Anomaly::NonAsciiAddress);
        }
        Ok(source)
    }

    fn address(&mut self, field: Field) -> Result<Address<'a>, DecodeErrorKind> {
        self.address_within(field.bytes_max(), field)
    }

    fn address_within(&mut self, bytes_max: usize, field: Field) -> Result<Address<'a>, DecodeErrorKind> {
        let [ton, npi] = self.bytes(field)?;
        Ok(Address { ton: Ton(ton), npi: Npi(npi), digits: self.string_within(bytes_max, field)? })
    }

    fn time(&mut self, field: Field) -> Result<&'a [u8], DecodeErrorKind> {
        let time = self.string(field)?;
        if !matches!(time.len(), 0 | TIME_BYTES) {
            self.anomalies.add(Anomaly::TimeLength);
        }
        Ok(time)
    }

    fn short_message(&mut self) -> Result<&'a [u8], DecodeErrorKind> {
        let [sm_length] = self.bytes(Field::ShortMessage)?;
        let (short_message, rest) = self
            .rest
            .split_at_checked(usize::from(sm_length))
            .ok_or(DecodeErrorKind::Truncated(Field::ShortMessage))?;
        if short_message.len() > Field::ShortMessage.bytes_max() {
            self.anomalies.add(Anomaly::LongShortMessage);
        }
        self.rest = rest;
        Ok(short_message)
    }

    fn bytes<const N: usize>(&mut self, field: Field) -> Result<[u8; N], DecodeErrorKind> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(DecodeErrorKind::Truncated(field))?;
        self.rest = rest;
        Ok(*bytes)
    }

    /// A C-octet string of a request: its NUL has to come within the field's size, but in messages from the SMSC.
    fn string(&mut self, field: Field) -> Result<&'a [u8], DecodeErrorKind> {
        self.string_within(field.bytes_max(), field)
    }

    fn string_within(&mut self, bytes_max: usize, field: Field) -> Result<&'a [u8], DecodeErrorKind> {
        let window = &self.rest[..self.rest.len().min(bytes_max + 1)];
        match window.iter().position(|&byte| byte == 0) {
            Some(end) => {
                let string = &self.rest[..end];
                self.rest = &self.rest[end + 1..];
                Ok(string)
            }
            None if self.long_strings => self.long_string(field),
            None if window.len() == self.rest.len() => Err(DecodeErrorKind::Truncated(field)),
            None => Err(DecodeErrorKind::TooLong(field)),
        }
    }

    /// A C-octet string that is longer than its field.
    fn long_string(&mut self, field: Field) -> Result<&'a [u8], DecodeErrorKind> {
        let end = self.rest.iter().position(|&byte| byte == 0).ok_or(DecodeErrorKind::Truncated(field))?;
        let string = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        self.anomalies.add(Anomaly::LongString);
        Ok(string)
    }

    /// The C-octet string at the start of a response's body: of any length, with or without its NUL, and
    /// absent when the body is.
    fn response_string(&mut self, field: Field, status: CommandStatus) -> &'a [u8] {
        if self.rest.is_empty() {
            if status.is_ok() {
                self.anomalies.add(Anomaly::MissingBody);
            }
            return b"";
        }
        let string = match self.rest.iter().position(|&byte| byte == 0) {
            Some(end) => {
                let string = &self.rest[..end];
                self.rest = &self.rest[end + 1..];
                string
            }
            None => {
                self.anomalies.add(Anomaly::MissingNul);
                std::mem::take(&mut self.rest)
            }
        };
        if string.len() > field.bytes_max() {
            self.anomalies.add(Anomaly::LongString);
        }
        string
    }

    fn tlvs(&mut self) -> Tlvs<'a> {
        let rest = std::mem::take(&mut self.rest);
        if rest.is_empty() {
            return Tlvs::NONE;
        }
        let (tlvs, tail) = Tlvs::cut(rest);
        match tail {
            Tail::None => {}
            Tail::Junk => self.anomalies.add(Anomaly::JunkAfterTlvs),
            Tail::Overrun => self.anomalies.add(Anomaly::TlvOverrun),
        }
        for tlv in tlvs.iter() {
            match tlv.tag {
                Tag::RECEIPTED_MESSAGE_ID if tlv.value.last() != Some(&0) => {
                    self.anomalies.add(Anomaly::ReceiptedMessageIdWithoutNul);
                }
                Tag::MESSAGE_STATE if tlv.value.len() != 1 => {
                    self.anomalies.add(Anomaly::MessageStateLength);
                }
                _ => {}
            }
        }
        tlvs
    }

    fn header_only(&mut self, body: Body<'a>) -> Body<'a> {
        self.end();
        body
    }

    fn end(&mut self) {
        if !self.rest.is_empty() {
            self.anomalies.add(Anomaly::StrayBytes);
        }
    }
}
