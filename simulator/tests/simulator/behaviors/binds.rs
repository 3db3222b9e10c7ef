//! Binds, sessions and the bytes on them.

use std::time::Duration;

use smpp::pdu::{Body, CommandId};
use smpp::status::CommandStatus;
use smsc_simulator::inbox::Cursor;

use super::{OK, nothing_else, running};
use crate::esme::{Esme, behaving, credentials, simulator, text, with_receipt};
use crate::time::{NET, now};

#[tokio::test]
async fn l1_binds_are_refused_as_told_and_then_accepted() {
    let simulator = simulator(behaving(
        "session = { bind = \"refuse\", bind_status = \"ESME_RBINDFAIL\", bind_first = 2 }",
    ))
    .await;
    for _ in 0..2 {
        let mut esme = Esme::connect(&simulator).await;
        esme.send(1, Body::BindTransceiver(credentials())).await;
        assert_eq!(esme.answer().await, (CommandStatus::ESME_RBINDFAIL, 1));
        esme.is_closed().await;
    }
    Esme::bound(&simulator).await;
}

#[tokio::test]
async fn l2_a_bind_response_can_be_a_header_or_carry_another_version() {
    for (settings, length, version) in [
        ("bind_response = \"header_only\"", 16, None),
        ("interface_version = \"absent\"", 24, None),
        ("interface_version = \"0x33\"", 29, Some(0x33)),
        ("interface_version = \"0x50\"", 29, Some(0x50)),
    ] {
        let simulator = simulator(behaving(&format!("session = {{ {settings} }}"))).await;
        let mut esme = Esme::connect(&simulator).await;
        esme.send(1, Body::BindTransceiver(credentials())).await;
        let frame = esme.next().await;
        let Body::BindTransceiverResp(answer) = frame.pdu().body else { panic!("{settings}") };
        assert_eq!((frame.bytes().len(), answer.sc_interface_version()), (length, version), "{settings}");
    }
}

#[tokio::test]
async fn l2_a_bind_response_and_a_deliver_sm_come_in_one_write() {
    let simulator = simulator(behaving("session.bind_response = \"with_deliver_sm\"")).await;
    let mut esme = Esme::connect(&simulator).await;
    esme.send(1, Body::BindTransceiver(credentials())).await;
    let read = esme.read_once().await;
    let first = smpp::frame::cut(&read, 4_096).unwrap().unwrap();
    let second = smpp::frame::cut(&read[first.len()..], 4_096).unwrap().unwrap();
    let commands = [first, second].map(|frame| smpp::codec::decode(frame).unwrap().pdu.body.command_id());
    assert_eq!(commands, [CommandId::BIND_TRANSCEIVER_RESP, CommandId::DELIVER_SM]);
}

#[tokio::test]
async fn l3_a_bind_is_never_answered() {
    let simulator = simulator(behaving("session = { bind = \"silence\", bind_first = 1 }")).await;
    let mut silent = Esme::connect(&simulator).await;
    silent.send(1, Body::BindTransceiver(credentials())).await;
    // The next one is accepted: so the first was read, and nothing said.
    let _second = Esme::bound(&simulator).await;
    assert!(silent.has_nothing());
    assert_eq!(simulator.sessions_bound(), 1);
}

#[tokio::test]
async fn l4_a_session_goes_quiet_and_stays_open() {
    let (simulator, mut esme) = running("session.half_open_after = 2").await;
    for sequence in 2..=4 {
        esme.send(sequence, Body::SubmitSm(text(b"x"))).await;
    }
    esme.send(5, Body::EnquireLink).await;
    assert_eq!([esme.answer().await, esme.answer().await], [(OK, 2), (OK, 3)]);
    // A second session is served, and what came after the second submit was not.
    let mut other = Esme::bound(&simulator).await;
    other.submit(2, text(b"other")).await;
    simulator.inbox().wait_for("628120001234", Cursor::START, NET).await.unwrap();
    assert!(esme.has_nothing());
    assert_eq!((simulator.sessions_bound(), simulator.submits_accepted()), (2, 3));
}

#[tokio::test]
async fn l4_an_enquire_link_can_go_unanswered() {
    let (_simulator, mut esme) = running("session.enquire_link = \"ignore\"").await;
    esme.send(2, Body::EnquireLink).await;
    esme.submit(3, text(b"x")).await;
}

#[tokio::test]
async fn l6_the_smsc_unbinds_or_hangs_up_after_some_submits() {
    let (_simulator, mut esme) = running("session.unbind_after = 2").await;
    for sequence in [2, 3] {
        esme.submit(sequence, text(b"x")).await;
    }
    assert_eq!(esme.next().await.pdu().body, Body::Unbind);
    let (_simulator, mut esme) = running("session.disconnect_after = 1").await;
    esme.send(2, Body::SubmitSm(text(b"x"))).await;
    esme.is_closed().await;
}

#[tokio::test]
async fn l8_what_the_smsc_says_trickles_and_is_exact() {
    let (_simulator, mut esme) = running("session.dribble = { bytes = 3, interval = \"1ms\" }").await;
    for sequence in 2..12 {
        esme.send(sequence, Body::SubmitSm(text(b"x"))).await;
    }
    let sent = now();
    for sequence in 2..12 {
        assert_eq!(esme.answer().await, (OK, sequence));
    }
    assert!(sent.elapsed() >= Duration::from_millis(50), "330 bytes, 3 at a time");
}

#[tokio::test]
async fn l9_answers_are_spoilt_in_every_way() {
    for (malformed, closes) in [("length_too_short", true), ("length_too_long", true)] {
        let (_simulator, mut esme) = running(&format!("submit.malformed = \"{malformed}\"")).await;
        esme.send(2, Body::SubmitSm(text(b"x"))).await;
        let read = esme.read_once().await;
        assert_eq!(smpp::frame::cut(&read, 70_000).is_err(), closes, "{malformed}");
    }
    let (_simulator, mut esme) = running("submit.malformed = \"unknown_command\"").await;
    esme.send(2, Body::SubmitSm(text(b"x"))).await;
    let unknown = esme.next().await;
    assert!(smpp::codec::decode(unknown.bytes()).is_err());
    assert_eq!(esme.answer().await, (OK, 2));
    for malformed in ["truncated_body", "junk_after_tlvs", "tlv_overrun"] {
        let (_simulator, mut esme) = running(&format!("submit.malformed = \"{malformed}\"")).await;
        esme.send(2, Body::SubmitSm(text(b"x"))).await;
        let frame = esme.next().await;
        assert!(!smpp::codec::decode(frame.bytes()).unwrap().anomalies.is_empty(), "{malformed}");
        nothing_else(&mut esme).await;
    }
}

#[tokio::test]
async fn l9_a_receipt_with_a_broken_body_can_be_refused_and_the_link_stays() {
    let (_simulator, mut esme) = running("receipts.malformed = \"truncated_body\"").await;
    esme.submit(2, with_receipt(text(b"x"))).await;
    let frame = esme.next().await;
    let error = smpp::codec::decode(frame.bytes()).unwrap_err();
    esme.send_bytes(&{
        let mut reply = Vec::new();
        smpp::codec::encode(&error.reply().unwrap(), &mut reply).unwrap();
        reply
    })
    .await;
    nothing_else(&mut esme).await;
}

#[tokio::test]
async fn l10_a_generic_nack_comes_instead_of_an_answer() {
    for (response, sequence) in [("generic_nack", 2), ("generic_nack_zero", 0)] {
        let (_simulator, mut esme) = running(&format!("submit.response = \"{response}\"")).await;
        esme.send(2, Body::SubmitSm(text(b"x"))).await;
        let frame = esme.next().await;
        assert_eq!((frame.pdu().body, frame.pdu().sequence.0), (Body::GenericNack, sequence));
    }
}
