//! What operators' SMSCs send against the book: accepted, and each oddity named.

use smpp::codec::{Anomaly, Decoded, decode};
use smpp::pdu::{Body, EsmClass, Message, MessageState};
use smpp::receipt::Receipt;
use smpp::tlv::Tag;

/// A PDU of this command and status with this body, its length computed.
fn pdu(command: u32, status: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + body.len()).unwrap();
    let header = [length, command, status, 1].map(u32::to_be_bytes).concat();
    [&header, body].concat()
}

#[track_caller]
fn decoded<'a>(bytes: &'a [u8], anomalies: &[Anomaly]) -> Body<'a> {
    let Decoded { pdu, anomalies: found } = decode(bytes).unwrap();
    assert_eq!(found.iter().collect::<Vec<_>>(), anomalies);
    pdu.body
}

const SUBMIT_SM_RESP: u32 = 0x8000_0004;
const DELIVER_SM_RESP: u32 = 0x8000_0005;
const BIND_TRANSCEIVER_RESP: u32 = 0x8000_0009;
const DELIVER_SM: u32 = 5;

/// The fields of a `deliver_sm` before its TLVs, with this source, validity and text.
fn deliver(source: &[u8], validity: &[u8], text: &[u8], tlvs: &[u8]) -> Vec<u8> {
    let body = [
        &b"\0\x01\x01"[..],
        source,
        b"\0\x05\0BANK\0\x04\0\0\0",
        validity,
        b"\0\0\0\0\0",
        &[u8::try_from(text.len()).unwrap()],
        text,
        tlvs,
    ]
    .concat();
    pdu(DELIVER_SM, 0, &body)
}

#[track_caller]
fn delivered<'a>(bytes: &'a [u8], anomalies: &[Anomaly]) -> Message<'a> {
    match decoded(bytes, anomalies) {
        Body::DeliverSm(message) => message,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn message_id<'a>(bytes: &'a [u8], anomalies: &[Anomaly]) -> &'a [u8] {
    match decoded(bytes, anomalies) {
        Body::SubmitSmResp(resp) => resp.message_id,
        other => panic!("{other:?}"),
    }
}

#[test]
fn s8_a_message_id_without_nul() {
    assert_eq!(message_id(&pdu(SUBMIT_SM_RESP, 0, b"A1B2"), &[Anomaly::MissingNul]), b"A1B2");
}

#[test]
fn s8_a_message_id_of_65_characters() {
    let id = [b'7'; 65];
    let bytes = pdu(SUBMIT_SM_RESP, 0, &[&id[..], b"\0"].concat());
    assert_eq!(message_id(&bytes, &[Anomaly::LongString]), id);
    let bytes = pdu(SUBMIT_SM_RESP, 0, &id);
    assert_eq!(message_id(&bytes, &[Anomaly::MissingNul, Anomaly::LongString]), id);
    let bytes = pdu(SUBMIT_SM_RESP, 0, &[&id[1..], b"\0"].concat());
    assert_eq!(message_id(&bytes, &[]), &id[1..], "64 are by the book");
}

#[test]
fn s8_a_message_id_that_is_not_ascii_or_empty() {
    assert_eq!(message_id(&pdu(SUBMIT_SM_RESP, 0, b"\xC3\xA9\0"), &[]), b"\xC3\xA9");
    assert_eq!(message_id(&pdu(SUBMIT_SM_RESP, 0, b"\0"), &[]), b"");
}

#[test]
fn a_system_id_of_20_in_a_bind_response() {
    let bytes = pdu(BIND_TRANSCEIVER_RESP, 0, b"SMSC-WITH-A-LONG-NAM\0\x02\x10\0\x01\x50");
    let Body::BindTransceiverResp(resp) = decoded(&bytes, &[Anomaly::LongString]) else { panic!() };
    assert_eq!(resp.system_id, b"SMSC-WITH-A-LONG-NAM");
    assert_eq!(resp.sc_interface_version(), Some(0x50));
}

#[test]
fn l2_a_bind_response_of_a_header_or_with_any_version() {
    let resp = |body: &[u8], anomalies: &[Anomaly]| {
        let bytes = pdu(BIND_TRANSCEIVER_RESP, 0, body);
        let Body::BindTransceiverResp(resp) = decoded(&bytes, anomalies) else { panic!() };
        (resp.system_id.to_vec(), resp.sc_interface_version())
    };
    assert_eq!(resp(b"", &[Anomaly::MissingBody]), (b"".to_vec(), None));
    assert_eq!(resp(b"SMSC\0", &[]), (b"SMSC".to_vec(), None));
    assert_eq!(resp(b"SMSC\0\x02\x10\0\x01\x33", &[]), (b"SMSC".to_vec(), Some(0x33)));
    assert_eq!(resp(b"SMSC\0\x02\x10\0\x01\x50", &[]), (b"SMSC".to_vec(), Some(0x50)));
    assert_eq!(resp(b"SMSC\0\x02\x10\0\x00", &[]), (b"SMSC".to_vec(), None), "a version of no bytes");
}

#[test]
fn header_only_responses_with_status_0() {
    assert_eq!(message_id(&pdu(SUBMIT_SM_RESP, 0, b""), &[Anomaly::MissingBody]), b"");
    for command in [BIND_TRANSCEIVER_RESP, 0x8000_0001, 0x8000_0002, DELIVER_SM_RESP] {
        decoded(&pdu(command, 0, b""), &[Anomaly::MissingBody]);
    }
}

#[test]
fn responses_with_an_error_are_by_the_book_with_or_without_a_body() {
    for command in [SUBMIT_SM_RESP, BIND_TRANSCEIVER_RESP, DELIVER_SM_RESP] {
        decoded(&pdu(command, 0x58, b""), &[]);
        decoded(&pdu(command, 0x58, b"\0"), &[]);
    }
}

#[test]
fn stray_bytes_after_pdus_without_parameters() {
    for command in [0x8000_0015, 0x15, 6, 0x8000_0006, 0x8000_0000, 0x8000_0007, 0x8000_0008] {
        decoded(&pdu(command, 0, b""), &[]);
        decoded(&pdu(command, 0, b"\0"), &[Anomaly::StrayBytes]);
    }
    decoded(&pdu(DELIVER_SM_RESP, 0, b"\0\0"), &[Anomaly::StrayBytes]);
    decoded(&pdu(9, 0, b"id\0pw\0\0\x34\0\0\0\0"), &[Anomaly::StrayBytes]);
}

#[test]
fn a_source_address_that_is_not_ascii() {
    let bytes = deliver(b"Caf\xE9", b"", b"", b"");
    assert_eq!(delivered(&bytes, &[Anomaly::NonAsciiAddress]).source.digits, b"Caf\xE9");
}

#[test]
fn a_validity_of_15_characters() {
    let bytes = deliver(b"1", b"000000000300000", b"", b"");
    assert_eq!(delivered(&bytes, &[Anomaly::TimeLength]).validity_period, b"000000000300000");
}

#[test]
fn a_short_message_of_255() {
    let bytes = deliver(b"1", b"", &[b'x'; 255], b"");
    assert_eq!(delivered(&bytes, &[Anomaly::LongShortMessage]).short_message.len(), 255);
    let bytes = deliver(b"1", b"", &[b'x'; 254], b"");
    delivered(&bytes, &[]);
}

#[test]
fn a_receipted_message_id_without_nul() {
    let bytes = deliver(b"1", b"", b"", b"\0\x1E\0\x02ab\x04\x27\0\x01\x02");
    let message = delivered(&bytes, &[Anomaly::ReceiptedMessageIdWithoutNul]);
    let receipt = Receipt::parse(&message).unwrap();
    assert_eq!((receipt.receipted_message_id, receipt.state), (&b"ab"[..], Some(MessageState::DELIVERED)));
}

#[test]
fn a_message_state_of_2_bytes() {
    let bytes = deliver(b"1", b"", b"", b"\0\x1E\0\x03ab\0\x04\x27\0\x02\0\x05");
    let message = delivered(&bytes, &[Anomaly::MessageStateLength]);
    assert_eq!(Receipt::parse(&message).unwrap().state, Some(MessageState::UNDELIVERABLE));
}

#[test]
fn junk_after_the_last_tlv() {
    for junk in [&b"\0"[..], b"\0\0", b"\x04\x27\0"] {
        let bytes = deliver(b"1", b"", b"hi", &[b"\x04\x27\0\x01\x02", junk].concat());
        let message = delivered(&bytes, &[Anomaly::JunkAfterTlvs]);
        assert_eq!(message.tlvs.iter().count(), 1);
    }
}

#[test]
fn a_tlv_longer_than_the_pdu_is_dropped() {
    let bytes = deliver(b"1", b"", b"hi", b"\x04\x27\0\x01\x02\x04\x24\0\x09short");
    let message = delivered(&bytes, &[Anomaly::TlvOverrun]);
    assert_eq!(message.tlvs.iter().count(), 1);
    assert_eq!(message.tlvs.find(Tag::MESSAGE_PAYLOAD), None);
    assert_eq!(message.short_message, b"hi");
}

#[test]
fn several_oddities_at_once_are_all_named() {
    let bytes = deliver(b"\xE9", b"1", b"", b"\0\x1E\0\x01a\x04\x27\0\0\xFF");
    let expected = [
        Anomaly::NonAsciiAddress,
        Anomaly::TimeLength,
        Anomaly::JunkAfterTlvs,
        Anomaly::ReceiptedMessageIdWithoutNul,
        Anomaly::MessageStateLength,
    ];
    delivered(&bytes, &expected);
}

#[track_caller]
fn query_resp<'a>(bytes: &'a [u8], anomalies: &[Anomaly]) -> (&'a [u8], &'a [u8], u8, u8) {
    match decoded(bytes, anomalies) {
        Body::QuerySmResp(resp) => (resp.message_id, resp.final_date, resp.message_state.0, resp.error_code),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_query_response_that_lacks_nuls_or_its_end() {
    const QUERY_SM_RESP: u32 = 0x8000_0003;
    let date = b"261122151509000+";
    for (body, anomalies, expected) in [
        (&b""[..], &[Anomaly::MissingBody][..], (&b""[..], &b""[..], 7, 0)),
        (b"A1", &[Anomaly::MissingBody, Anomaly::MissingNul], (b"A1", b"", 7, 0)),
        (b"A1\0", &[Anomaly::MissingBody], (b"A1", b"", 7, 0)),
        (b"A1\0\0", &[Anomaly::MissingBody], (b"A1", b"", 7, 0)),
        (b"A1\0\0\x02", &[Anomaly::MissingBody], (b"A1", b"", 2, 0)),
        (b"A1\0\0\x02\x09\0", &[Anomaly::StrayBytes], (b"A1", b"", 2, 9)),
        (b"A1\x00261122151509000+\x05\0", &[Anomaly::MissingNul], (b"A1", date, 5, 0)),
        (b"A1\x00261122151509000+\x05\x09", &[Anomaly::MissingNul], (b"A1", date, 5, 9)),
        (b"A1\x002611221515\0\x02\0", &[Anomaly::TimeLength], (b"A1", b"2611221515", 2, 0)),
    ] {
        let bytes = pdu(QUERY_SM_RESP, 0, body);
        assert_eq!(query_resp(&bytes, anomalies), expected, "{}", body.escape_ascii());
    }
    assert_eq!(query_resp(&pdu(QUERY_SM_RESP, 0x67, b""), &[]), (&b""[..], &b""[..], 7, 0));
}

#[test]
fn a_data_response_without_a_body_or_nul() {
    decoded(&pdu(0x8000_0103, 0, b""), &[Anomaly::MissingBody]);
    decoded(&pdu(0x8000_0103, 0xFE, b""), &[]);
    decoded(&pdu(0x8000_0103, 0, b"A1"), &[Anomaly::MissingNul]);
}

#[test]
fn a_status_in_a_request_is_passed_on() {
    let bytes = pdu(0x15, 7, b"");
    assert_eq!(decode(&bytes).unwrap().pdu.status.0, 7);
}

#[test]
fn anomalies_have_distinct_names() {
    let names: std::collections::HashSet<_> = Anomaly::ALL.iter().map(|anomaly| anomaly.name()).collect();
    assert_eq!(names.len(), Anomaly::ALL.len());
}

#[test]
fn kannels_submit_with_esm_class_3_and_absolute_validity() {
    let body = b"\0\0\0TEST\0\x01\x01628123456789\0\x03\0\0\x00261122151500000+\0\x1F\0\0\0\x02hi";
    let bytes = pdu(4, 0, body);
    let Body::SubmitSm(message) = decoded(&bytes, &[]) else { panic!() };
    assert_eq!((message.esm_class, message.short_message), (EsmClass(3), &b"hi"[..]));
    assert!(!message.esm_class.is_receipt());
}

#[test]
fn d1a_a_message_with_strings_longer_than_their_fields_is_read_and_each_stays_within_the_pdu() {
    let long = deliver(b"6281200000010000000000000000001", b"", b"id:1", b"");
    let Body::DeliverSm(message) = decoded(&long, &[Anomaly::LongString]) else { panic!() };
    assert_eq!((message.source.digits.len(), message.short_message), (31, &b"id:1"[..]));
    let service_type = pdu(DELIVER_SM, 0, &[&b"TOOLONG"[..], &long[16..]].concat());
    let Body::DeliverSm(message) = decoded(&service_type, &[Anomaly::LongString]) else { panic!() };
    assert_eq!((message.service_type, message.short_message), (&b"TOOLONG"[..], &b"id:1"[..]));
    assert!(decode(&pdu(DELIVER_SM, 0, &[b'7'; 64])).is_err(), "one that never ends");
    let data_sm = pdu(0x103, 0, b"TOOLONG\0\x01\x01628120000001\0\x05\0BANK\0\x04\0\0");
    let Body::DataSm(message) = decoded(&data_sm, &[Anomaly::LongString]) else { panic!() };
    assert_eq!((message.service_type, message.source.digits), (&b"TOOLONG"[..], &b"628120000001"[..]));
}
