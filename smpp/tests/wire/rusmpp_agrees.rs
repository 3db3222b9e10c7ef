//! A second implementation, `rusmpp`, reads what we write and writes what we read.
//!
//! Only where it follows SMPP 3.4 and both can say the same: it gives every response a body, folds
//! `interface_version` into three values, keeps no empty parameter, has addresses of 20 bytes in `data_sm`,
//! and reads past the end of a PDU on some oddities of [`crate::quirks`].

use bytes::BytesMut;
use proptest::prelude::*;
use rusmpp::decode::DecodeWithLength;
use rusmpp::encode::{Encode, Length};
use rusmpp::pdus;
use rusmpp::tlvs::{
    MessageDeliveryRequestTlvValue as Delivery, MessageDeliveryResponseTlvValue as DataResponse,
    MessageSubmissionRequestTlvValue as Submission, MessageSubmissionResponseTlvValue as Response, TlvTag,
};
use rusmpp::types::{AnyOctetString, COctetString, EmptyOrFullCOctetString, OctetString};
use rusmpp::values::{InterfaceVersion, MessagePayload, ServiceType, UserMessageReference};
use rusmpp::{Command, CommandStatus, Pdu};
use smpp::codec::{decode, encode};
use smpp::pdu::CommandId;
use smpp::text::gsm7;

use crate::any::{Parameter, Parts, parts, tlvs};

fn string<const MAX: usize>(value: &[u8]) -> COctetString<1, MAX> {
    COctetString::from_vec([value, b"\0"].concat()).expect("the string fits its field")
}

fn time(value: &[u8]) -> EmptyOrFullCOctetString<17> {
    EmptyOrFullCOctetString::from_vec([value, b"\0"].concat()).expect("the time is empty or full")
}

fn vendor(tag: u16, value: &[u8]) -> (TlvTag, AnyOctetString) {
    (TlvTag::Other(tag), AnyOctetString::from_slice(value))
}

fn submission(parameter: &Parameter) -> Submission {
    match parameter {
        Parameter::Payload(value) => {
            Submission::MessagePayload(MessagePayload::new(AnyOctetString::from_slice(value)))
        }
        Parameter::UserMessageReference(value) => {
            Submission::UserMessageReference(UserMessageReference::new(*value))
        }
        Parameter::Vendor(tag, value) => {
            let (tag, value) = vendor(*tag, value);
            Submission::Other { tag, value }
        }
        other => unreachable!("{other:?} is taken out of submissions"),
    }
}

fn delivery(parameter: &Parameter) -> Delivery {
    match parameter {
        Parameter::Payload(value) => {
            Delivery::MessagePayload(MessagePayload::new(AnyOctetString::from_slice(value)))
        }
        Parameter::ReceiptedMessageId(id) => Delivery::ReceiptedMessageId(string(id)),
        Parameter::MessageState(state) => Delivery::MessageState((*state).into()),
        Parameter::UserMessageReference(value) => {
            Delivery::UserMessageReference(UserMessageReference::new(*value))
        }
        Parameter::Vendor(tag, value) => {
            let (tag, value) = vendor(*tag, value);
            Delivery::Other { tag, value }
        }
    }
}

fn response(parameter: &Parameter) -> Response {
    match parameter {
        Parameter::Vendor(tag, value) => {
            let (tag, value) = vendor(*tag, value);
            Response::Other { tag, value }
        }
        other => unreachable!("{other:?} is taken out of responses"),
    }
}

fn data_response(parameter: &Parameter) -> DataResponse {
    match parameter {
        Parameter::Vendor(tag, value) => {
            let (tag, value) = vendor(*tag, value);
            DataResponse::Other { tag, value }
        }
        other => unreachable!("{other:?} is taken out of responses"),
    }
}

macro_rules! message {
    ($kind:ident, $parts:ident, $tlv:ident) => {{
        let [source_ton, source_npi, destination_ton, destination_npi, rest @ ..] = $parts.numbers;
        let [esm_class, protocol_id, priority, registered, replace, coding, canned] = rest;
        pdus::$kind::new(
            ServiceType::new(string(&$parts.service_type)),
            source_ton.into(),
            source_npi.into(),
            string(&$parts.source),
            destination_ton.into(),
            destination_npi.into(),
            string(&$parts.destination),
            esm_class.into(),
            protocol_id,
            priority.into(),
            time(&$parts.times[0]),
            time(&$parts.times[1]),
            registered.into(),
            replace.into(),
            coding.into(),
            canned,
            OctetString::from_slice(&$parts.short_message).expect("254 bytes are fewer than 255"),
            $parts.parameters.iter().map($tlv).collect(),
        )
        .into()
    }};
}

macro_rules! bind {
    ($kind:ident, $parts:ident) => {
        pdus::$kind::new(
            string(&$parts.system_id),
            string(&$parts.password),
            string(&$parts.system_type),
            InterfaceVersion::from($parts.interface_version),
            $parts.numbers[0].into(),
            $parts.numbers[1].into(),
            string(&$parts.address_range),
        )
        .into()
    };
}

fn data(parts: &Parts) -> Pdu {
    pdus::DataSm::new(
        ServiceType::new(string(&parts.service_type)),
        parts.numbers[0].into(),
        parts.numbers[1].into(),
        string(&parts.wide[0]),
        parts.numbers[2].into(),
        parts.numbers[3].into(),
        string(&parts.wide[1]),
        parts.numbers[4].into(),
        parts.numbers[7].into(),
        parts.numbers[9].into(),
        parts.parameters.iter().map(submission).collect(),
    )
    .into()
}

fn query_response(parts: &Parts) -> Pdu {
    pdus::QuerySmResp::new(
        string(&parts.message_id),
        time(&parts.times[0]),
        parts.numbers[4].into(),
        parts.numbers[5],
    )
    .into()
}

fn cancellation(parts: &Parts) -> Pdu {
    pdus::CancelSm::new(
        ServiceType::new(string(&parts.service_type)),
        string(&parts.message_id),
        parts.numbers[0].into(),
        parts.numbers[1].into(),
        string(&parts.source),
        parts.numbers[2].into(),
        parts.numbers[3].into(),
        string(&parts.destination),
    )
    .into()
}

fn replacement(parts: &Parts) -> Pdu {
    pdus::ReplaceSm::new(
        string(&parts.message_id),
        parts.numbers[0].into(),
        parts.numbers[1].into(),
        string(&parts.source),
        time(&parts.times[0]),
        time(&parts.times[1]),
        parts.numbers[7].into(),
        parts.numbers[10],
        OctetString::from_slice(&parts.short_message).expect("254 bytes are fewer than 255"),
        None,
    )
    .into()
}

fn alert(parts: &Parts) -> Pdu {
    pdus::AlertNotification::new(
        parts.numbers[0].into(),
        parts.numbers[1].into(),
        string(&parts.wide[0]),
        parts.numbers[2].into(),
        parts.numbers[3].into(),
        string(&parts.wide[1]),
        None,
    )
    .into()
}

fn query(parts: &Parts) -> Pdu {
    let [ton, npi, ..] = parts.numbers;
    pdus::QuerySm::new(string(&parts.message_id), ton.into(), npi.into(), string(&parts.source)).into()
}

fn theirs(parts: &Parts) -> Command {
    let pdu: Pdu = match parts.command_id {
        CommandId::GENERIC_NACK => Pdu::GenericNack,
        CommandId::BIND_RECEIVER => bind!(BindReceiver, parts),
        CommandId::BIND_RECEIVER_RESP => pdus::BindReceiverResp::new(string(&parts.system_id), None).into(),
        CommandId::BIND_TRANSMITTER => bind!(BindTransmitter, parts),
        CommandId::BIND_TRANSMITTER_RESP => {
            pdus::BindTransmitterResp::new(string(&parts.system_id), None).into()
        }
        CommandId::SUBMIT_SM => message!(SubmitSm, parts, submission),
        CommandId::SUBMIT_SM_RESP => {
            let parameters = parts.parameters.iter().map(response).collect();
            pdus::SubmitSmResp::new(string(&parts.message_id), parameters).into()
        }
        CommandId::DELIVER_SM => message!(DeliverSm, parts, delivery),
        CommandId::DELIVER_SM_RESP => pdus::DeliverSmResp::new(string(&parts.message_id), vec![]).into(),
        CommandId::UNBIND => Pdu::Unbind,
        CommandId::UNBIND_RESP => Pdu::UnbindResp,
        CommandId::BIND_TRANSCEIVER => bind!(BindTransceiver, parts),
        CommandId::BIND_TRANSCEIVER_RESP => {
            pdus::BindTransceiverResp::new(string(&parts.system_id), None).into()
        }
        CommandId::ENQUIRE_LINK => Pdu::EnquireLink,
        CommandId::ENQUIRE_LINK_RESP => Pdu::EnquireLinkResp,
        CommandId::QUERY_SM => query(parts),
        CommandId::QUERY_SM_RESP => query_response(parts),
        CommandId::REPLACE_SM => replacement(parts),
        CommandId::REPLACE_SM_RESP => Pdu::ReplaceSmResp,
        CommandId::CANCEL_SM => cancellation(parts),
        CommandId::CANCEL_SM_RESP => Pdu::CancelSmResp,
        CommandId::OUTBIND => pdus::Outbind::new(string(&parts.system_id), string(&parts.password)).into(),
        CommandId::ALERT_NOTIFICATION => alert(parts),
        CommandId::DATA_SM => data(parts),
        CommandId::DATA_SM_RESP => {
            let parameters = parts.parameters.iter().map(data_response).collect();
            pdus::DataSmResp::new(string(&parts.message_id), parameters).into()
        }
        other => unreachable!("{other} is not in COMMANDS"),
    };
    Command::new(CommandStatus::from(parts.status.0), parts.sequence.0, pdu)
}

/// Any PDU, less what `rusmpp` has no form for.
fn common() -> impl Strategy<Value = Parts> {
    parts().prop_map(|mut parts| {
        parts.interface_version = [0x33, 0x34, 0x50][usize::from(parts.interface_version) % 3];
        if matches!(
            parts.command_id,
            CommandId::SUBMIT_SM_RESP
                | CommandId::BIND_TRANSMITTER_RESP
                | CommandId::BIND_RECEIVER_RESP
                | CommandId::BIND_TRANSCEIVER_RESP
        ) {
            parts.status.0 = 0;
        }
        if parts.command_id == CommandId::DATA_SM {
            for address in &mut parts.wide {
                address.truncate(20);
            }
        }
        parts.parameters.retain(|parameter| match parts.command_id {
            _ if matches!(parameter, Parameter::Payload(value) | Parameter::Vendor(_, value) if value.is_empty()) => {
                false
            }
            CommandId::DELIVER_SM => true,
            CommandId::SUBMIT_SM | CommandId::DATA_SM => {
                !matches!(parameter, Parameter::ReceiptedMessageId(_) | Parameter::MessageState(_))
            }
            CommandId::SUBMIT_SM_RESP | CommandId::DATA_SM_RESP => matches!(parameter, Parameter::Vendor(..)),
            _ => false,
        });
        parts.tlvs = tlvs(&parts.parameters);
        parts
    })
}

#[test]
fn both_have_the_same_gsm_alphabet() {
    let theirs = rusmpp::extra::encoding::gsm7bit::Gsm7BitUnpacked::new();
    // The page break is in TS 23.038's extension table and not in theirs.
    for character in ('\0'..=char::MAX).filter(|&character| character != '\u{0C}') {
        let text = character.to_string();
        let expected = theirs.encode_to_vec(&text).ok();
        assert_eq!(gsm7::encode(&text).ok(), expected, "{character:?}");
    }
}

#[test]
fn both_name_the_same_statuses() {
    for value in 0..=0xFF {
        let theirs = match CommandStatus::from(value) {
            CommandStatus::Other(_) => None,
            named => Some(format!("{named:?}").to_lowercase()),
        };
        let ours = smpp::status::CommandStatus(value).name();
        let ours = ours.map(|name| name.replace('_', "").to_lowercase());
        // SMPP 5.0 says TLV for what 3.4 calls an optional parameter, and so do they.
        match value {
            0xC0..=0xC4 => assert!(ours.is_some() && theirs.is_some(), "0x{value:X}"),
            _ => assert_eq!(ours, theirs, "0x{value:X}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn they_read_what_we_write(parts in common()) {
        let mut bytes = Vec::new();
        encode(&parts.pdu(), &mut bytes).unwrap();
        let mut after_length = BytesMut::from(&bytes[4..]);
        let (command, read) = Command::decode(&mut after_length, bytes.len() - 4).unwrap();
        prop_assert_eq!(command, theirs(&parts));
        prop_assert_eq!(read, bytes.len() - 4);
    }

    #[test]
    fn we_read_what_they_write(parts in common()) {
        let command = theirs(&parts);
        let length = 4 + command.length();
        let mut bytes = u32::try_from(length).unwrap().to_be_bytes().to_vec();
        bytes.resize(length, 0);
        prop_assert_eq!(command.encode(&mut bytes[4..]), length - 4);
        let decoded = decode(&bytes).unwrap();
        prop_assert_eq!(decoded.pdu, parts.pdu());
        prop_assert!(decoded.anomalies.is_empty(), "{:?}", decoded.anomalies);
    }
}
