//! What is refused: PDUs that cannot be read, and PDUs that must not be sent.

use smpp::codec::{DecodeErrorKind, EncodeError, Field, MESSAGE_BYTES_MAX, decode, encode};
use smpp::pdu::{
    Address, AlertNotification, Bind, BindResp, Body, CancelSm, CommandId, DataSm, DataSmResp, DeliverSmResp,
    Message, Outbind, Pdu, QuerySm, QuerySmResp, ReplaceSm, SequenceNumber, SubmitSmResp,
};
use smpp::status::CommandStatus;
use smpp::tlv::{Tag, TlvBuffer};

fn pdu(command: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + body.len()).unwrap();
    let header = [length, command, 0, 77].map(u32::to_be_bytes).concat();
    [&header, body].concat()
}

/// The error of this body, and what is answered: status and command.
#[track_caller]
fn refused(command: u32, body: &[u8]) -> (DecodeErrorKind, CommandStatus, CommandId) {
    let error = decode(&pdu(command, body)).unwrap_err();
    assert_eq!((error.header.command_id, error.header.sequence), (CommandId(command), SequenceNumber(77)));
    let reply = error.reply().expect("requests are answered");
    assert_eq!(reply.status, error.response_status());
    assert_eq!(reply.sequence, SequenceNumber(77));
    (error.kind, reply.status, reply.body.command_id())
}

#[test]
fn l9_an_unknown_request_gets_a_generic_nack() {
    assert_eq!(
        refused(0x104, b"anything"),
        (DecodeErrorKind::UnknownCommand, CommandStatus::ESME_RINVCMDID, CommandId::GENERIC_NACK)
    );
}

#[test]
fn an_unknown_response_gets_no_answer() {
    let error = decode(&pdu(0x8000_0104, b"")).unwrap_err();
    assert_eq!((error.kind, error.reply()), (DecodeErrorKind::UnknownCommand, None));
}

#[test]
fn l9_a_submit_that_ends_early_gets_its_own_response() {
    let (kind, status, command) = refused(4, b"\0\x05\0BANK\0\x01\x01628");
    assert_eq!(kind, DecodeErrorKind::Truncated(Field::DestinationAddress));
    assert_eq!((status, command), (CommandStatus::ESME_RINVCMDLEN, CommandId::SUBMIT_SM_RESP));
}

#[test]
fn a_message_longer_than_the_pdu_is_an_invalid_message_length() {
    for text in [&b"\x05four"[..], b"\xFF", b""] {
        let body = [&b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"[..], text].concat();
        let (kind, status, command) = refused(5, &body);
        assert_eq!(kind, DecodeErrorKind::Truncated(Field::ShortMessage));
        assert_eq!((status, command), (CommandStatus::ESME_RINVMSGLEN, CommandId::DELIVER_SM_RESP));
    }
}

#[test]
fn a_field_over_its_size_is_refused_with_its_own_status() {
    let long = |bytes: usize| [&vec![b'1'; bytes][..], &[0; 64]].concat();
    let at = |before: &[u8], bytes: usize| [before, &long(bytes)].concat();
    for (body, field, status) in [
        (at(b"", 6), Field::ServiceType, CommandStatus::ESME_RINVSERTYP),
        (at(b"\0\0\0", 21), Field::SourceAddress, CommandStatus::ESME_RINVSRCADR),
        (at(b"\0\0\0\0\0\0", 21), Field::DestinationAddress, CommandStatus::ESME_RINVDSTADR),
        (at(b"\0\0\0\0\0\0\0\0\0\0", 17), Field::ScheduleDeliveryTime, CommandStatus::ESME_RINVSCHED),
        (at(b"\0\0\0\0\0\0\0\0\0\0\0", 17), Field::ValidityPeriod, CommandStatus::ESME_RINVEXPIRY),
    ] {
        let (kind, answered, _) = refused(4, &body);
        assert_eq!((kind, answered), (DecodeErrorKind::TooLong(field), status));
    }
    for (body, field, status) in [
        (at(b"", 16), Field::SystemId, CommandStatus::ESME_RINVSYSID),
        (at(b"\0", 9), Field::Password, CommandStatus::ESME_RINVPASWD),
        (at(b"\0\0", 13), Field::SystemType, CommandStatus::ESME_RINVSYSTYP),
        (at(b"\0\0\0\x34\0\0", 41), Field::AddressRange, CommandStatus::ESME_RINVPARLEN),
    ] {
        let (kind, answered, command) = refused(9, &body);
        assert_eq!((kind, answered), (DecodeErrorKind::TooLong(field), status));
        assert_eq!(command, CommandId::BIND_TRANSCEIVER_RESP);
    }
}

#[test]
fn a_request_about_a_message_that_ends_early_gets_its_own_response() {
    for (command, response) in [
        (CommandId::DATA_SM, CommandId::DATA_SM_RESP),
        (CommandId::QUERY_SM, CommandId::QUERY_SM_RESP),
        (CommandId::CANCEL_SM, CommandId::CANCEL_SM_RESP),
        (CommandId::REPLACE_SM, CommandId::REPLACE_SM_RESP),
        (CommandId::OUTBIND, CommandId::GENERIC_NACK),
        (CommandId::ALERT_NOTIFICATION, CommandId::GENERIC_NACK),
    ] {
        let (kind, status, answer) = refused(command.0, b"\0");
        assert!(matches!(kind, DecodeErrorKind::Truncated(_)), "{kind:?}");
        assert_eq!((status, answer), (CommandStatus::ESME_RINVCMDLEN, response));
    }
}

#[test]
fn an_address_of_65_is_refused_where_64_are_by_the_book() {
    let body = |bytes: usize| [&vec![b'1'; bytes][..], &[0; 8]].concat();
    let alert = |bytes: usize| [b"\x01\x01", &body(bytes)[..]].concat();
    assert!(decode(&pdu(0x102, &alert(64))).is_ok());
    let error = decode(&pdu(0x102, &alert(65))).unwrap_err();
    assert_eq!(error.kind, DecodeErrorKind::TooLong(Field::SourceAddress));
}

#[test]
fn what_no_frame_was_cut_from_is_not_decoded() {
    let mut long = pdu(0x15, b"");
    long.push(0);
    for bytes in [&b""[..], &pdu(0x15, b"")[..15], &long] {
        assert_eq!(decode(bytes).unwrap_err().kind, DecodeErrorKind::NotAFrame);
    }
}

/// Refused, and what was in the buffer before is all that is in it after.
#[track_caller]
fn not_encoded(pdu: &Pdu<'_>, expected: EncodeError) {
    let mut out = b"before".to_vec();
    assert_eq!(encode(pdu, &mut out), Err(expected));
    assert_eq!(out, b"before");
}

fn submit(message: Message<'_>) -> Pdu<'_> {
    Pdu::new(SequenceNumber::FIRST, Body::SubmitSm(message))
}

#[test]
fn a_field_over_its_size_is_not_sent() {
    let text = [b'1'; 300];
    let too_long = |field, bytes_max| EncodeError::TooLong { field, bytes: bytes_max + 1, bytes_max };
    let address = |digits| Address { digits, ..Address::default() };
    for (message, field, bytes_max) in [
        (Message { service_type: &text[..6], ..Message::default() }, Field::ServiceType, 5),
        (Message { source: address(&text[..21]), ..Message::default() }, Field::SourceAddress, 20),
        (Message { destination: address(&text[..21]), ..Message::default() }, Field::DestinationAddress, 20),
        (Message { short_message: &text[..255], ..Message::default() }, Field::ShortMessage, 254),
    ] {
        not_encoded(&submit(message), too_long(field, bytes_max));
    }
    for (bind, field, bytes_max) in [
        (Bind { system_id: &text[..16], ..Bind::default() }, Field::SystemId, 15),
        (Bind { password: &text[..9], ..Bind::default() }, Field::Password, 8),
        (Bind { system_type: &text[..13], ..Bind::default() }, Field::SystemType, 12),
        (Bind { address_range: &text[..41], ..Bind::default() }, Field::AddressRange, 40),
    ] {
        let pdu = Pdu::new(SequenceNumber::FIRST, Body::BindTransceiver(bind));
        not_encoded(&pdu, too_long(field, bytes_max));
    }
    let resp = Body::SubmitSmResp(SubmitSmResp { message_id: &text[..65], ..SubmitSmResp::default() });
    not_encoded(&Pdu::new(SequenceNumber::FIRST, resp), too_long(Field::MessageId, 64));
    let resp = Body::BindReceiverResp(BindResp { system_id: &text[..16], ..BindResp::default() });
    not_encoded(&Pdu::new(SequenceNumber::FIRST, resp), too_long(Field::SystemId, 15));
    let resp = Body::DeliverSmResp(DeliverSmResp { message_id: &text[..65] });
    not_encoded(&Pdu::new(SequenceNumber::FIRST, resp), too_long(Field::MessageId, 64));
}

#[test]
fn the_other_requests_keep_to_their_sizes_too() {
    let text = [b'1'; 300];
    let too_long = |field, bytes_max| EncodeError::TooLong { field, bytes: bytes_max + 1, bytes_max };
    let [short, wide] = [21, 65].map(|bytes| Address { digits: &text[..bytes], ..Address::default() });
    let message_id = &text[..65];
    for (body, error) in [
        (Body::DataSm(DataSm { source: wide, ..Default::default() }), too_long(Field::SourceAddress, 64)),
        (
            Body::DataSm(DataSm { destination: wide, ..Default::default() }),
            too_long(Field::DestinationAddress, 64),
        ),
        (
            Body::AlertNotification(AlertNotification { source: wide, ..Default::default() }),
            too_long(Field::SourceAddress, 64),
        ),
        (
            Body::AlertNotification(AlertNotification { esme: wide, ..Default::default() }),
            too_long(Field::EsmeAddress, 64),
        ),
        (Body::DataSmResp(DataSmResp { message_id, ..Default::default() }), too_long(Field::MessageId, 64)),
        (Body::QuerySm(QuerySm { message_id, ..Default::default() }), too_long(Field::MessageId, 64)),
        (Body::QuerySm(QuerySm { source: short, ..Default::default() }), too_long(Field::SourceAddress, 20)),
        (Body::QuerySmResp(QuerySmResp { message_id, ..Default::default() }), too_long(Field::MessageId, 64)),
        (
            Body::QuerySmResp(QuerySmResp { final_date: b"261122", ..Default::default() }),
            EncodeError::NotATime(Field::FinalDate),
        ),
        (Body::CancelSm(CancelSm { message_id, ..Default::default() }), too_long(Field::MessageId, 64)),
        (
            Body::CancelSm(CancelSm { destination: short, ..Default::default() }),
            too_long(Field::DestinationAddress, 20),
        ),
        (Body::ReplaceSm(ReplaceSm { message_id, ..Default::default() }), too_long(Field::MessageId, 64)),
        (
            Body::ReplaceSm(ReplaceSm { validity_period: b"1", ..Default::default() }),
            EncodeError::NotATime(Field::ValidityPeriod),
        ),
        (
            Body::ReplaceSm(ReplaceSm { short_message: &text[..255], ..Default::default() }),
            too_long(Field::ShortMessage, 254),
        ),
        (Body::Outbind(Outbind { system_id: &text[..16], password: b"" }), too_long(Field::SystemId, 15)),
        (Body::Outbind(Outbind { system_id: b"", password: &text[..9] }), too_long(Field::Password, 8)),
    ] {
        not_encoded(&Pdu::new(SequenceNumber::FIRST, body), error);
    }
}

#[test]
fn the_longest_message_is_as_long_as_said() {
    let address = Address { digits: &[b'1'; 20], ..Address::default() };
    let message = Message {
        service_type: b"12345",
        source: address,
        destination: address,
        schedule_delivery_time: b"000000000300000R",
        validity_period: b"000000000300000R",
        short_message: &[b'x'; 254],
        ..Message::default()
    };
    let mut out = Vec::with_capacity(MESSAGE_BYTES_MAX);
    encode(&submit(message), &mut out).unwrap();
    assert_eq!(out.len(), MESSAGE_BYTES_MAX);
}

#[test]
fn a_nul_or_a_byte_beyond_ascii_is_not_sent() {
    for value in [&b"a\0b"[..], b"\0", b"caf\xE9"] {
        let source = Address { digits: value, ..Address::default() };
        not_encoded(
            &submit(Message { source, ..Message::default() }),
            EncodeError::NotAscii(Field::SourceAddress),
        );
    }
}

#[test]
fn a_time_of_another_form_is_not_sent() {
    for time in [&b"000000000300000"[..], b"000000000300000Z", b"0000000003000000R", b"00000000030000xR"] {
        let message = Message { validity_period: time, ..Message::default() };
        not_encoded(&submit(message), EncodeError::NotATime(Field::ValidityPeriod));
        let message = Message { schedule_delivery_time: time, ..Message::default() };
        not_encoded(&submit(message), EncodeError::NotATime(Field::ScheduleDeliveryTime));
    }
}

#[test]
fn a_request_has_no_status_and_an_error_no_body() {
    let status = CommandStatus::ESME_RSYSERR;
    not_encoded(
        &Pdu::response(status, SequenceNumber::FIRST, Body::EnquireLink),
        EncodeError::StatusOfRequest(status),
    );
    let resp = Body::SubmitSmResp(SubmitSmResp { message_id: b"1", ..SubmitSmResp::default() });
    not_encoded(
        &Pdu::response(status, SequenceNumber::FIRST, resp),
        EncodeError::BodyOfErrorResponse(status),
    );
    let mut tlvs = TlvBuffer::new();
    tlvs.push_u8(Tag::SC_INTERFACE_VERSION, 0x34);
    let resp = Body::BindReceiverResp(BindResp { tlvs: tlvs.as_tlvs(), ..BindResp::default() });
    not_encoded(
        &Pdu::response(status, SequenceNumber::FIRST, resp),
        EncodeError::BodyOfErrorResponse(status),
    );
}

#[test]
fn errors_say_what_is_wrong() {
    let error = decode(&pdu(4, b"\0\x05\0BANK\0\x01\x01628")).unwrap_err();
    assert_eq!(error.to_string(), "submit_sm of 29 bytes ends inside destination_addr (sequence 77)");
    let error = decode(&pdu(0x104, b"")).unwrap_err();
    assert_eq!(error.to_string(), "unknown command_id 0x104 (sequence 77)");
    let error = EncodeError::TooLong { field: Field::Password, bytes: 9, bytes_max: 8 };
    assert_eq!(error.to_string(), "password has 9 bytes, over 8");
}
