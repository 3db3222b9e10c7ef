//! Every PDU of the crate, byte by byte, as SMPP 3.4 lays it out.

use smpp::codec::{decode, encode};
use smpp::frame::{COMMAND_LENGTH_MAX, cut};
use smpp::pdu::{
    Address, AlertNotification, Bind, BindResp, Body, CancelSm, DataCoding, DataSm, DataSmResp,
    DeliverSmResp, EsmClass, FINAL_RECEIPT, Message, MessageState, Npi, Outbind, Pdu, QuerySm, QuerySmResp,
    ReplaceSm, SequenceNumber, SubmitSmResp, Ton,
};
use smpp::status::CommandStatus;
use smpp::tlv::{Tag, TlvBuffer};

/// These bytes are this PDU: cut, decoded without anomaly, and encoded again.
#[track_caller]
fn bytes_are(bytes: &[u8], pdu: &Pdu<'_>) {
    let frame = cut(bytes, COMMAND_LENGTH_MAX).unwrap().expect("a whole frame");
    assert_eq!(frame.len(), bytes.len());
    let decoded = decode(frame).unwrap();
    assert_eq!(&decoded.pdu, pdu);
    assert!(decoded.anomalies.is_empty(), "{:?}", decoded.anomalies);
    let mut encoded = Vec::new();
    encode(pdu, &mut encoded).unwrap();
    assert_eq!(encoded, bytes);
}

const BIND_BODY: &[u8] = b"SMPP3TEST\0secret08\0SUBMIT1\0\x34\x01\x01\0";

const BIND: Bind<'static> = Bind {
    system_id: b"SMPP3TEST",
    password: b"secret08",
    system_type: b"SUBMIT1",
    interface_version: 0x34,
    address_ton: Ton::INTERNATIONAL,
    address_npi: Npi::ISDN,
    address_range: b"",
};

#[test]
fn binds() {
    let sequence = SequenceNumber::FIRST;
    for (command, body) in
        [(1, Body::BindReceiver(BIND)), (2, Body::BindTransmitter(BIND)), (9, Body::BindTransceiver(BIND))]
    {
        let header = [0, 0, 0, 0x2F, 0, 0, 0, command, 0, 0, 0, 0, 0, 0, 0, 1];
        bytes_are(&[&header[..], BIND_BODY].concat(), &Pdu::new(sequence, body));
    }
}

#[test]
fn bind_responses_with_a_version() {
    let mut tlvs = TlvBuffer::new();
    tlvs.push_u8(Tag::SC_INTERFACE_VERSION, 0x34);
    let resp = BindResp { system_id: b"SMSC", tlvs: tlvs.as_tlvs() };
    assert_eq!(resp.sc_interface_version(), Some(0x34));
    for (command, body) in [
        (1, Body::BindReceiverResp(resp)),
        (2, Body::BindTransmitterResp(resp)),
        (9, Body::BindTransceiverResp(resp)),
    ] {
        let header = [0, 0, 0, 26, 0x80, 0, 0, command, 0, 0, 0, 0, 0, 0, 0, 1];
        let bytes = [&header[..], b"SMSC\0\x02\x10\0\x01\x34"].concat();
        bytes_are(&bytes, &Pdu::new(SequenceNumber::FIRST, body));
    }
}

#[test]
fn a_bind_response_without_a_version() {
    let body = BindResp { system_id: b"SMSC", ..BindResp::default() };
    assert_eq!(body.sc_interface_version(), None);
    bytes_are(
        b"\0\0\0\x15\x80\0\0\x09\0\0\0\0\0\0\0\x01SMSC\0",
        &Pdu::new(SequenceNumber::FIRST, Body::BindTransceiverResp(body)),
    );
}

#[test]
fn a_refused_bind_is_a_header_only() {
    bytes_are(
        b"\0\0\0\x10\x80\0\0\x09\0\0\0\x0E\0\0\0\x01",
        &Pdu::response(
            CommandStatus::ESME_RINVPASWD,
            SequenceNumber::FIRST,
            Body::BindTransceiverResp(BindResp::default()),
        ),
    );
}

#[test]
fn a_submit_as_this_gateway_sends_it() {
    let message = Message {
        source: Address::alphanumeric(b"BANK"),
        destination: Address::international(b"628123456789"),
        validity_period: b"000000000300000R",
        registered_delivery: FINAL_RECEIPT,
        short_message: b"hello",
        ..Message::default()
    };
    let bytes = b"\0\0\0\x46\0\0\0\x04\0\0\0\0\0\0\0\x02\
        \0\
        \x05\0BANK\0\
        \x01\x01628123456789\0\
        \0\0\0\
        \0\
        000000000300000R\0\
        \x01\0\0\0\
        \x05hello";
    bytes_are(bytes, &Pdu::new(SequenceNumber(2), Body::SubmitSm(message)));
}

#[test]
fn a_submit_with_every_field() {
    let mut tlvs = TlvBuffer::new();
    tlvs.push_u16(Tag::USER_MESSAGE_REFERENCE, 0x1234);
    tlvs.push(Tag(0x1400), b"vendor").unwrap();
    let message = Message {
        service_type: b"CMT",
        source: Address { ton: Ton::NATIONAL, npi: Npi(8), digits: b"0812" },
        destination: Address { ton: Ton(7), npi: Npi(9), digits: b"1" },
        esm_class: EsmClass(0x43),
        protocol_id: 0x7F,
        priority_flag: 3,
        schedule_delivery_time: b"261122151509028+",
        validity_period: b"261123151509028-",
        registered_delivery: 0x11,
        replace_if_present_flag: 1,
        data_coding: DataCoding::UCS2,
        sm_default_msg_id: 0xFE,
        short_message: b"\x05\0\x03\x07\x02\x01\0A",
        tlvs: tlvs.as_tlvs(),
    };
    let bytes = b"\0\0\0\x61\0\0\0\x04\0\0\0\0\x7F\xFF\xFF\xFF\
        CMT\0\
        \x02\x080812\0\
        \x07\x091\0\
        \x43\x7F\x03\
        261122151509028+\0\
        261123151509028-\0\
        \x11\x01\x08\xFE\
        \x08\x05\0\x03\x07\x02\x01\0A\
        \x02\x04\0\x02\x12\x34\
        \x14\0\0\x06vendor";
    bytes_are(bytes, &Pdu::new(SequenceNumber::LAST, Body::SubmitSm(message)));
}

#[test]
fn submit_responses() {
    let body = SubmitSmResp { message_id: b"A2F5ED278FC", ..SubmitSmResp::default() };
    bytes_are(
        b"\0\0\0\x1C\x80\0\0\x04\0\0\0\0\0\0\0\x02A2F5ED278FC\0",
        &Pdu::new(SequenceNumber(2), Body::SubmitSmResp(body)),
    );
    bytes_are(
        b"\0\0\0\x11\x80\0\0\x04\0\0\0\0\0\0\0\x02\0",
        &Pdu::new(SequenceNumber(2), Body::SubmitSmResp(SubmitSmResp::default())),
    );
}

#[test]
fn a_refused_submit_is_a_header_only_and_keeps_a_vendors_status() {
    for (status, bytes) in [
        (CommandStatus::ESME_RTHROTTLED, b"\0\0\0\x10\x80\0\0\x04\0\0\0\x58\0\0\0\x02"),
        (CommandStatus(0x0401), b"\0\0\0\x10\x80\0\0\x04\0\0\x04\x01\0\0\0\x02"),
    ] {
        let body = Body::SubmitSmResp(SubmitSmResp::default());
        bytes_are(bytes, &Pdu::response(status, SequenceNumber(2), body));
    }
}

#[test]
fn a_receipt_and_its_response() {
    let mut tlvs = TlvBuffer::new();
    tlvs.push_c_string(Tag::RECEIPTED_MESSAGE_ID, b"42").unwrap();
    tlvs.push_u8(Tag::MESSAGE_STATE, 2);
    let message = Message {
        source: Address::international(b"628123456789"),
        destination: Address::alphanumeric(b"BANK"),
        esm_class: EsmClass::RECEIPT,
        short_message: b"id:42 stat:DELIVRD",
        tlvs: tlvs.as_tlvs(),
        ..Message::default()
    };
    let bytes = b"\0\0\0\x4F\0\0\0\x05\0\0\0\0\0\0\0\x07\
        \0\
        \x01\x01628123456789\0\
        \x05\0BANK\0\
        \x04\0\0\
        \0\
        \0\
        \0\0\0\0\
        \x12id:42 stat:DELIVRD\
        \0\x1E\0\x0342\0\
        \x04\x27\0\x01\x02";
    bytes_are(bytes, &Pdu::new(SequenceNumber(7), Body::DeliverSm(message)));
    let body = Body::DeliverSmResp(DeliverSmResp::default());
    bytes_are(b"\0\0\0\x11\x80\0\0\x05\0\0\0\0\0\0\0\x07\0", &Pdu::new(SequenceNumber(7), body));
    bytes_are(
        b"\0\0\0\x11\x80\0\0\x05\0\0\0\x64\0\0\0\x07\0",
        &Pdu::response(CommandStatus::ESME_RX_T_APPN, SequenceNumber(7), body),
    );
}

#[test]
fn a_text_in_message_payload() {
    let mut tlvs = TlvBuffer::new();
    tlvs.push(Tag::MESSAGE_PAYLOAD, b"text").unwrap();
    let message = Message { tlvs: tlvs.as_tlvs(), ..Message::default() };
    assert_eq!(message.content(), b"text");
    let bytes = b"\0\0\0\x29\0\0\0\x04\0\0\0\0\0\0\0\x01\
        \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
        \x04\x24\0\x04text";
    bytes_are(bytes, &Pdu::new(SequenceNumber::FIRST, Body::SubmitSm(message)));
}

#[test]
fn pdus_that_are_a_header_only() {
    for (command, body) in [
        ([0, 0, 0, 0x06], Body::Unbind),
        ([0x80, 0, 0, 0x06], Body::UnbindResp),
        ([0, 0, 0, 0x15], Body::EnquireLink),
        ([0x80, 0, 0, 0x15], Body::EnquireLinkResp),
    ] {
        let bytes = [[0, 0, 0, 16], command, [0; 4], [0, 0, 1, 0]].concat();
        bytes_are(&bytes, &Pdu::new(SequenceNumber(256), body));
    }
}

#[test]
fn a_generic_nack_with_and_without_a_sequence() {
    bytes_are(
        b"\0\0\0\x10\x80\0\0\0\0\0\0\x03\0\0\0\x09",
        &Pdu::response(CommandStatus::ESME_RINVCMDID, SequenceNumber(9), Body::GenericNack),
    );
    bytes_are(
        b"\0\0\0\x10\x80\0\0\0\0\0\0\x02\0\0\0\0",
        &Pdu::response(CommandStatus::ESME_RINVCMDLEN, SequenceNumber::NONE, Body::GenericNack),
    );
}

#[test]
fn a_data_sm_and_its_responses() {
    let mut tlvs = TlvBuffer::new();
    tlvs.push(Tag::MESSAGE_PAYLOAD, b"hello").unwrap();
    let data = DataSm {
        service_type: b"CMT",
        source: Address::alphanumeric(b"BANK"),
        destination: Address::international(b"628123456789"),
        esm_class: EsmClass(0x03),
        registered_delivery: FINAL_RECEIPT,
        data_coding: DataCoding::ASCII,
        tlvs: tlvs.as_tlvs(),
    };
    assert_eq!(data.content(), b"hello");
    let bytes = b"\0\0\0\x36\0\0\x01\x03\0\0\0\0\0\0\0\x02\
        CMT\0\
        \x05\0BANK\0\
        \x01\x01628123456789\0\
        \x03\x01\x01\
        \x04\x24\0\x05hello";
    bytes_are(bytes, &Pdu::new(SequenceNumber(2), Body::DataSm(data)));

    let resp = DataSmResp { message_id: b"A2F5", ..DataSmResp::default() };
    bytes_are(
        b"\0\0\0\x15\x80\0\x01\x03\0\0\0\0\0\0\0\x02A2F5\0",
        &Pdu::new(SequenceNumber(2), Body::DataSmResp(resp)),
    );
    let mut tlvs = TlvBuffer::new();
    tlvs.push_u8(Tag::DELIVERY_FAILURE_REASON, 2);
    let resp = DataSmResp { message_id: b"", tlvs: tlvs.as_tlvs() };
    bytes_are(
        b"\0\0\0\x16\x80\0\x01\x03\0\0\0\xFE\0\0\0\x02\0\x04\x25\0\x01\x02",
        &Pdu::response(CommandStatus::ESME_RDELIVERYFAILURE, SequenceNumber(2), Body::DataSmResp(resp)),
    );
}

#[test]
fn a_query_and_its_responses() {
    let query = QuerySm { message_id: b"A2F5", source: Address::alphanumeric(b"BANK") };
    bytes_are(
        b"\0\0\0\x1C\0\0\0\x03\0\0\0\0\0\0\0\x03A2F5\0\x05\0BANK\0",
        &Pdu::new(SequenceNumber(3), Body::QuerySm(query)),
    );
    let resp = QuerySmResp {
        message_id: b"A2F5",
        final_date: b"261122151509000+",
        message_state: MessageState::UNDELIVERABLE,
        error_code: 0x45,
    };
    bytes_are(
        b"\0\0\0\x28\x80\0\0\x03\0\0\0\0\0\0\0\x03A2F5\x00261122151509000+\0\x05\x45",
        &Pdu::new(SequenceNumber(3), Body::QuerySmResp(resp)),
    );
    let resp = QuerySmResp { final_date: b"", message_state: MessageState::ENROUTE, error_code: 0, ..resp };
    bytes_are(
        b"\0\0\0\x18\x80\0\0\x03\0\0\0\0\0\0\0\x03A2F5\0\0\x01\0",
        &Pdu::new(SequenceNumber(3), Body::QuerySmResp(resp)),
    );
    bytes_are(
        b"\0\0\0\x14\x80\0\0\x03\0\0\0\x67\0\0\0\x03\0\0\x07\0",
        &Pdu::response(
            CommandStatus::ESME_RQUERYFAIL,
            SequenceNumber(3),
            Body::QuerySmResp(QuerySmResp::default()),
        ),
    );
}

#[test]
fn a_cancellation_and_its_responses() {
    let cancel = CancelSm {
        service_type: b"CMT",
        message_id: b"A2F5",
        source: Address::alphanumeric(b"BANK"),
        destination: Address::international(b"628123456789"),
    };
    bytes_are(
        b"\0\0\0\x2F\0\0\0\x08\0\0\0\0\0\0\0\x04CMT\0A2F5\0\x05\0BANK\0\x01\x01628123456789\0",
        &Pdu::new(SequenceNumber(4), Body::CancelSm(cancel)),
    );
    bytes_are(b"\0\0\0\x10\x80\0\0\x08\0\0\0\0\0\0\0\x04", &Pdu::new(SequenceNumber(4), Body::CancelSmResp));
    bytes_are(
        b"\0\0\0\x10\x80\0\0\x08\0\0\0\x11\0\0\0\x04",
        &Pdu::response(CommandStatus::ESME_RCANCELFAIL, SequenceNumber(4), Body::CancelSmResp),
    );
}

#[test]
fn a_replacement_and_its_responses() {
    let replace = ReplaceSm {
        message_id: b"A2F5",
        source: Address::alphanumeric(b"BANK"),
        schedule_delivery_time: b"",
        validity_period: b"000000000300000R",
        registered_delivery: FINAL_RECEIPT,
        sm_default_msg_id: 7,
        short_message: b"hello",
    };
    bytes_are(
        b"\0\0\0\x36\0\0\0\x07\0\0\0\0\0\0\0\x05A2F5\0\x05\0BANK\0\0\
          000000000300000R\0\x01\x07\x05hello",
        &Pdu::new(SequenceNumber(5), Body::ReplaceSm(replace)),
    );
    bytes_are(b"\0\0\0\x10\x80\0\0\x07\0\0\0\0\0\0\0\x05", &Pdu::new(SequenceNumber(5), Body::ReplaceSmResp));
    bytes_are(
        b"\0\0\0\x10\x80\0\0\x07\0\0\0\x13\0\0\0\x05",
        &Pdu::response(CommandStatus::ESME_RREPLACEFAIL, SequenceNumber(5), Body::ReplaceSmResp),
    );
}

#[test]
fn an_outbind_and_an_alert_which_have_no_responses() {
    bytes_are(
        b"\0\0\0\x1E\0\0\0\x0B\0\0\0\0\0\0\0\x01SMSC\0secret08\0",
        &Pdu::new(
            SequenceNumber::FIRST,
            Body::Outbind(Outbind { system_id: b"SMSC", password: b"secret08" }),
        ),
    );
    let mut tlvs = TlvBuffer::new();
    tlvs.push_u8(Tag::MS_AVAILABILITY_STATUS, 0);
    let alert = AlertNotification {
        source: Address::international(b"628123456789"),
        esme: Address::alphanumeric(b"BANK"),
        tlvs: tlvs.as_tlvs(),
    };
    bytes_are(
        b"\0\0\0\x2B\0\0\x01\x02\0\0\0\0\0\0\0\x06\x01\x01628123456789\0\x05\0BANK\0\x04\x22\0\x01\0",
        &Pdu::new(SequenceNumber(6), Body::AlertNotification(alert)),
    );
}
