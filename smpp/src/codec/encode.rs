//! Strict encoding.

use std::fmt;

use super::field::{Field, WIDE_ADDRESS_BYTES_MAX};
use crate::frame::HEADER_BYTES;
use crate::pdu::{
    Address, AlertNotification, Bind, Body, CancelSm, CommandId, DataSm, Message, Pdu, QuerySm, QuerySmResp,
    ReplaceSm,
};
use crate::status::CommandStatus;
use crate::tlv::Tlvs;

/// A PDU that SMPP 3.4 does not allow. Our own side's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// A string is longer than its field.
    TooLong {
        /// The field.
        field: Field,
        /// The string's length in bytes.
        bytes: usize,
        /// The most that fits.
        bytes_max: usize,
    },
    /// A C-octet string holds a NUL or a byte that is not ASCII.
    NotAscii(Field),
    /// A time is neither empty nor 16 characters of the form that [`crate::time`] describes.
    NotATime(Field),
    /// A request with a status other than `ESME_ROK`.
    StatusOfRequest(CommandStatus),
    /// A bind or submit response with an error status and a body, which it must not have.
    BodyOfErrorResponse(CommandStatus),
    /// The optional parameters make the PDU longer than `command_length` can say.
    PduTooLong,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { field, bytes, bytes_max } => {
                write!(f, "{field} has {bytes} bytes, over {bytes_max}")
            }
            Self::NotAscii(field) => write!(f, "{field} holds a NUL or a byte that is not ASCII"),
            Self::NotATime(field) => write!(f, "{field} is neither empty nor an SMPP time"),
            Self::StatusOfRequest(status) => write!(f, "a request has the status {status}"),
            Self::BodyOfErrorResponse(status) => {
                write!(f, "a response has the status {status} and a body")
            }
            Self::PduTooLong => f.write_str("the PDU is longer than command_length can say"),
        }
    }
}

impl std::error::Error for EncodeError {}

/// The most bytes of a `submit_sm` or `deliver_sm` without optional parameters.
pub const MESSAGE_BYTES_MAX: usize = HEADER_BYTES + 6 + 2 * (2 + 21) + 3 + 2 * 17 + 4 + 1 + 254;

/// Appends a PDU to `out`, with its lengths computed.
///
/// Where what a message says must not be left in memory, give `out` the room beforehand
/// ([`MESSAGE_BYTES_MAX`] for a message): a buffer that grows leaves its old place behind.
///
/// # Errors
///
/// [`EncodeError`] when the PDU is not as SMPP 3.4 wants it; `out` is then as it was.
// Allocates only to grow `out`. Witness: the benches' group `pdu`.
pub fn encode(pdu: &Pdu<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let start = out.len();
    let result = append(pdu, out, start);
    if result.is_err() {
        out.truncate(start);
    }
    result
}

fn append(pdu: &Pdu<'_>, out: &mut Vec<u8>, start: usize) -> Result<(), EncodeError> {
    let command_id = pdu.body.command_id();
    if !command_id.is_response() && !pdu.status.is_ok() {
        return Err(EncodeError::StatusOfRequest(pdu.status));
    }
    header(command_id, pdu, out);
    match &pdu.body {
        Body::BindTransmitter(body) | Body::BindReceiver(body) | Body::BindTransceiver(body) => {
            bind(body, out)?;
        }
        Body::BindTransmitterResp(body) | Body::BindReceiverResp(body) | Body::BindTransceiverResp(body) => {
            response(pdu.status, Field::SystemId, body.system_id, body.tlvs, out)?;
        }
        Body::SubmitSm(body) | Body::DeliverSm(body) => message(body, out)?,
        Body::SubmitSmResp(body) => response(pdu.status, Field::MessageId, body.message_id, body.tlvs, out)?,
        Body::DeliverSmResp(body) => string(Field::MessageId, body.message_id, out)?,
        Body::DataSm(body) => data_sm(body, out)?,
        Body::DataSmResp(body) => {
            string(Field::MessageId, body.message_id, out)?;
            out.extend_from_slice(body.tlvs.as_bytes());
        }
        Body::QuerySm(body) => query_sm(body, out)?,
        Body::QuerySmResp(body) => query_sm_resp(body, out)?,
        Body::CancelSm(body) => cancel_sm(body, out)?,
        Body::ReplaceSm(body) => replace_sm(body, out)?,
        Body::Outbind(body) => {
            string(Field::SystemId, body.system_id, out)?;
            string(Field::Password, body.password, out)?;
        }
        Body::AlertNotification(body) => alert_notification(body, out)?,
        Body::Unbind
        | Body::UnbindResp
        | Body::GenericNack
        | Body::EnquireLink
        | Body::EnquireLinkResp
        | Body::CancelSmResp
        | Body::ReplaceSmResp => {}
    }
    let command_length = u32::try_from(out.len() - start).map_err(|_| EncodeError::PduTooLong)?;
    out[start..start + 4].copy_from_slice(&command_length.to_be_bytes());
    Ok(())
}

/// Sixteen bytes, the first four to be filled in at the end.
fn header(command_id: CommandId, pdu: &Pdu<'_>, out: &mut Vec<u8>) {
    let [c0, c1, c2, c3] = command_id.0.to_be_bytes();
    let [s0, s1, s2, s3] = pdu.status.0.to_be_bytes();
    let [n0, n1, n2, n3] = pdu.sequence.0.to_be_bytes();
    out.extend_from_slice(&[0, 0, 0, 0, c0, c1, c2, c3, s0, s1, s2, s3, n0, n1, n2, n3]);
}

fn bind(bind: &Bind<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    string(Field::SystemId, bind.system_id, out)?;
    string(Field::Password, bind.password, out)?;
    string(Field::SystemType, bind.system_type, out)?;
    out.extend_from_slice(&[bind.interface_version, bind.address_ton.0, bind.address_npi.0]);
    string(Field::AddressRange, bind.address_range, out)
}

/// A response's string and parameters; nothing at all beside an error status.
fn response(
    status: CommandStatus,
    field: Field,
    value: &[u8],
    tlvs: Tlvs<'_>,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    if status.is_ok() {
        string(field, value, out)?;
        out.extend_from_slice(tlvs.as_bytes());
        return Ok(());
    }
    if value.is_empty() && tlvs.is_empty() { Ok(()) } else { Err(EncodeError::BodyOfErrorResponse(status)) }
}

fn message(message: &Message<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    string(Field::ServiceType, message.service_type, out)?;
    address(Field::SourceAddress, &message.source, out)?;
    address(Field::DestinationAddress, &message.destination, out)?;
    out.extend_from_slice(&[message.esm_class.0, message.protocol_id, message.priority_flag]);
    time(Field::ScheduleDeliveryTime, message.schedule_delivery_time, out)?;
    time(Field::ValidityPeriod, message.validity_period, out)?;
    out.extend_from_slice(&[
        message.registered_delivery,
        message.replace_if_present_flag,
        message.data_coding.0,
        message.sm_default_msg_id,
    ]);
    short_message(message.short_message, out)?;
    out.extend_from_slice(message.tlvs.as_bytes());
    Ok(())
}

fn data_sm(data: &DataSm<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    string(Field::ServiceType, data.service_type, out)?;
    wide_address(Field::SourceAddress, &data.source, out)?;
    wide_address(Field::DestinationAddress, &data.destination, out)?;
    out.extend_from_slice(&[data.esm_class.0, data.registered_delivery, data.data_coding.0]);
    out.extend_from_slice(data.tlvs.as_bytes());
    Ok(())
}

fn query_sm(query: &QuerySm<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    string(Field::MessageId, query.message_id, out)?;
    address(Field::SourceAddress, &query.source, out)
}

fn query_sm_resp(resp: &QuerySmResp<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    string(Field::MessageId, resp.message_id, out)?;
    time(Field::FinalDate, resp.final_date, out)?;
    out.extend_from_slice(&[resp.message_state.0, resp.error_code]);
    Ok(())
}

fn cancel_sm(cancel: &CancelSm<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    string(Field::ServiceType, cancel.service_type, out)?;
    string(Field::MessageId, cancel.message_id, out)?;
    address(Field::SourceAddress, &cancel.source, out)?;
    address(Field::DestinationAddress, &cancel.destination, out)
}

fn replace_sm(replace: &ReplaceSm<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    string(Field::MessageId, replace.message_id, out)?;
    address(Field::SourceAddress, &replace.source, out)?;
    time(Field::ScheduleDeliveryTime, replace.schedule_delivery_time, out)?;
    time(Field::ValidityPeriod, replace.validity_period, out)?;
    out.extend_from_slice(&[replace.registered_delivery, replace.sm_default_msg_id]);
    short_message(replace.short_message, out)
}

fn alert_notification(alert: &AlertNotification<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    wide_address(Field::SourceAddress, &alert.source, out)?;
    wide_address(Field::EsmeAddress, &alert.esme, out)?;
    out.extend_from_slice(alert.tlvs.as_bytes());
    Ok(())
}

fn address(field: Field, address: &Address<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    out.extend_from_slice(&[address.ton.0, address.npi.0]);
    string(field, address.digits, out)
}

fn wide_address(field: Field, address: &Address<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    out.extend_from_slice(&[address.ton.0, address.npi.0]);
    string_within(WIDE_ADDRESS_BYTES_MAX, field, address.digits, out)
}

fn short_message(text: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    check_length(Field::ShortMessage.bytes_max(), Field::ShortMessage, text)?;
    out.push(u8::try_from(text.len()).expect("254, the most that was let through, fits a byte"));
    out.extend_from_slice(text);
    Ok(())
}

fn time(field: Field, time: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    if !time.is_empty() && !crate::time::is_well_formed(time) {
        return Err(EncodeError::NotATime(field));
    }
    string(field, time, out)
}

fn string(field: Field, value: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    string_within(field.bytes_max(), field, value, out)
}

fn string_within(bytes_max: usize, field: Field, value: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    check_length(bytes_max, field, value)?;
    if value.iter().any(|&byte| byte == 0 || !byte.is_ascii()) {
        return Err(EncodeError::NotAscii(field));
    }
    out.extend_from_slice(value);
    out.push(0);
    Ok(())
}

fn check_length(bytes_max: usize, field: Field, value: &[u8]) -> Result<(), EncodeError> {
    let bytes = value.len();
    if bytes > bytes_max { Err(EncodeError::TooLong { field, bytes, bytes_max }) } else { Ok(()) }
}
