//! What a behaviour makes the SMSC do, seen by an ESME over a socket. Tests are
//! named after the line of the field notes that they serve, where there is one.

use crate::esme::{Esme, PHONE, behaving, credentials, octets, simulator, text, with_esme, with_receipt};
use crate::time::{NET, now, soon};
use smpp::pdu::{
    Address, Bind, Body, CancelSm, CommandId, DataCoding, DataSm, DeliverSmResp, EsmClass, MessageState, Pdu,
    QuerySm, ReplaceSm, SubmitSm,
};
use smpp::receipt::Receipt;
use smpp::status::CommandStatus;
use smpp::tlv::{Tag, TlvBuffer};
use smsc_simulator::behavior::profiles;
use smsc_simulator::inbox::{Cursor, Direction, Filter, ReceiptOutcome};
use smsc_simulator::{Behavior, Config, Esme as Account, HandsetError, Simulator};
use std::time::Duration;

const OK: CommandStatus = CommandStatus::ESME_ROK;

async fn running(toml: &str) -> (Simulator, Esme) {
    let simulator = simulator(behaving(toml)).await;
    let esme = Esme::bound(&simulator).await;
    (simulator, esme)
}

async fn bound_as(simulator: &Simulator, bind: Body<'_>) -> Esme {
    let mut esme = Esme::connect(simulator).await;
    esme.send(1, bind).await;
    assert_eq!(esme.answer().await, (OK, 1));
    esme
}

/// An enquire_link's answer comes after everything that was due before.
async fn nothing_else(esme: &mut Esme) {
    esme.send(9_999, Body::EnquireLink).await;
    assert_eq!(esme.answer().await, (OK, 9_999));
}

/// The id in an answer to a submit.
async fn id(esme: &mut Esme) -> String {
    let frame = esme.next().await;
    let Body::SubmitSmResp(answer) = frame.pdu().body else { panic!("{:?}", frame.pdu()) };
    assert_eq!(frame.pdu().status, OK);
    String::from_utf8(answer.message_id.to_vec()).unwrap()
}

async fn acknowledge(esme: &mut Esme, pdu: Pdu<'_>) {
    esme.send(pdu.sequence.0, Body::DeliverSmResp(DeliverSmResp::default())).await;
}

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
        assert_eq!((frame.octets().len(), answer.sc_interface_version()), (length, version), "{settings}");
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
    other.send(2, Body::SubmitSm(text(b"other"))).await;
    assert_eq!(other.answer().await, (OK, 2));
    simulator.inbox().wait_for("628120001234", Cursor::START, NET).await.unwrap();
    assert!(esme.has_nothing());
    assert_eq!((simulator.sessions_bound(), simulator.submits_accepted()), (2, 3));
}

#[tokio::test]
async fn l4_an_enquire_link_can_go_unanswered() {
    let (_simulator, mut esme) = running("session.enquire_link = \"ignore\"").await;
    esme.send(2, Body::EnquireLink).await;
    esme.send(3, Body::SubmitSm(text(b"x"))).await;
    assert_eq!(esme.answer().await, (OK, 3));
}

#[tokio::test]
async fn l6_the_smsc_unbinds_or_hangs_up_after_some_submits() {
    let (_simulator, mut esme) = running("session.unbind_after = 2").await;
    for sequence in [2, 3] {
        esme.send(sequence, Body::SubmitSm(text(b"x"))).await;
        assert_eq!(esme.answer().await, (OK, sequence));
    }
    assert_eq!(esme.next().await.pdu().body, Body::Unbind);
    let (_simulator, mut esme) = running("session.disconnect_after = 1").await;
    esme.send(2, Body::SubmitSm(text(b"x"))).await;
    esme.is_closed().await;
}

#[tokio::test]
async fn l8_what_the_smsc_says_trickles_and_is_exact() {
    let (_simulator, mut esme) = running("session.dribble = { octets = 3, interval = \"1ms\" }").await;
    for sequence in 2..12 {
        esme.send(sequence, Body::SubmitSm(text(b"x"))).await;
    }
    let sent = now();
    for sequence in 2..12 {
        assert_eq!(esme.answer().await, (OK, sequence));
    }
    assert!(sent.elapsed() >= Duration::from_millis(50), "330 octets, 3 at a time");
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
    assert!(smpp::codec::decode(unknown.octets()).is_err());
    assert_eq!(esme.answer().await, (OK, 2));
    for malformed in ["truncated_body", "junk_after_tlvs", "tlv_overrun"] {
        let (_simulator, mut esme) = running(&format!("submit.malformed = \"{malformed}\"")).await;
        esme.send(2, Body::SubmitSm(text(b"x"))).await;
        let frame = esme.next().await;
        assert!(!smpp::codec::decode(frame.octets()).unwrap().anomalies.is_empty(), "{malformed}");
        nothing_else(&mut esme).await;
    }
}

#[tokio::test]
async fn l9_a_receipt_with_a_broken_body_can_be_refused_and_the_link_stays() {
    let (_simulator, mut esme) = running("receipts.malformed = \"truncated_body\"").await;
    esme.send(2, Body::SubmitSm(with_receipt(text(b"x")))).await;
    assert_eq!(esme.answer().await, (OK, 2));
    let frame = esme.next().await;
    let error = smpp::codec::decode(frame.octets()).unwrap_err();
    esme.send_octets(&{
        let mut octets = Vec::new();
        smpp::codec::encode(&error.reply().unwrap(), &mut octets).unwrap();
        octets
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

#[tokio::test]
async fn s1_a_late_response_comes_after_others() {
    let toml = "[[rule]]\ntext = \"late\"\nsubmit.latency = \"50ms\"\n";
    let (_simulator, mut esme) = running(toml).await;
    esme.send(2, Body::SubmitSm(text(b"late"))).await;
    esme.send(3, Body::SubmitSm(text(b"prompt"))).await;
    assert_eq!(esme.answer().await, (OK, 3));
    assert_eq!(esme.answer().await, (OK, 2));
}

#[tokio::test]
async fn s1_the_window_and_the_rate_of_an_esme_are_kept_and_its_status_can_be_other() {
    let config = Config {
        behavior: Behavior::from_toml("submit.latency = \"1h\"\nsession.limit_status = \"ESME_RMSGQFUL\"")
            .unwrap(),
        ..with_esme(|esme| esme.window = 1)
    };
    let full = simulator(config).await;
    let mut esme = Esme::bound(&full).await;
    esme.send(2, Body::SubmitSm(text(b"x"))).await;
    esme.send(3, Body::SubmitSm(text(b"x"))).await;
    assert_eq!(esme.answer().await, (CommandStatus::ESME_RMSGQFUL, 3));
    let limited = simulator(with_esme(|esme| esme.rate = Some(10))).await;
    let (mut one, mut two) = (Esme::bound(&limited).await, Esme::bound(&limited).await);
    one.send(2, Body::SubmitSm(text(b"x"))).await;
    assert_eq!(one.answer().await, (OK, 2));
    two.send(2, Body::SubmitSm(text(b"x"))).await;
    assert_eq!(two.answer().await, (CommandStatus::ESME_RTHROTTLED, 2), "the rate is of both sessions");
}

#[tokio::test]
async fn s2_answers_come_twice_or_for_sequences_that_nobody_used() {
    let (_simulator, mut esme) = running("submit.response = \"twice\"").await;
    esme.send(2, Body::SubmitSm(text(b"x"))).await;
    assert_eq!([esme.answer().await, esme.answer().await], [(OK, 2); 2]);
    let (_simulator, mut esme) = running("submit.response = \"unknown_sequence\"").await;
    esme.send(2, Body::SubmitSm(text(b"x"))).await;
    assert_eq!(esme.answer().await, (OK, 2));
    let (status, sequence) = esme.answer().await;
    assert!(status == OK && sequence > 0x7F00_0000);
}

#[tokio::test]
async fn s4_a_submit_is_taken_and_never_answered_and_its_receipt_comes() {
    let (simulator, mut esme) = running("submit.response = \"none\"").await;
    esme.send(2, Body::SubmitSm(with_receipt(text(b"in doubt")))).await;
    assert!(esme.receipt().await.contains("stat:DELIVRD"));
    nothing_else(&mut esme).await;
    assert_eq!(simulator.inbox().counts().delivered, 1);
}

#[tokio::test]
async fn s4_a_mark_that_comes_twice_is_counted() {
    let simulator = simulator(Config { unique_tlv: Some(0x1400), ..Config::default() }).await;
    let mut esme = Esme::bound(&simulator).await;
    for (sequence, mark) in [(2, &b"one"[..]), (3, b"two"), (4, b"one")] {
        let mut tlvs = TlvBuffer::new();
        tlvs.push(Tag(0x1400), mark).unwrap();
        esme.send(sequence, Body::SubmitSm(SubmitSm { tlvs: tlvs.as_tlvs(), ..text(b"x") })).await;
        assert_eq!(esme.answer().await, (OK, sequence));
    }
    assert_eq!((simulator.repeated(), simulator.submits_accepted()), (1, 3));
}

#[tokio::test]
async fn s5_the_link_dies_before_or_after_the_answer_and_the_message_is_taken() {
    for (disconnect, answered) in [("before_response", false), ("after_response", true)] {
        let (simulator, mut esme) = running(&format!("submit.disconnect = \"{disconnect}\"")).await;
        esme.send(2, Body::SubmitSm(text(b"x"))).await;
        if answered {
            assert_eq!(esme.answer().await, (OK, 2));
        }
        esme.is_closed().await;
        assert_eq!(simulator.inbox().counts().delivered, 1);
    }
}

#[tokio::test]
async fn s6_s7_statuses_depend_on_destination_text_and_share() {
    let toml = concat!(
        "[[rule]]\nto = \"62811\"\nsubmit.status = \"ESME_RTHROTTLED\"\n",
        "[[rule]]\ntext = \"full\"\nsubmit.status = \"ESME_RMSGQFUL\"\n",
        "[[rule]]\nto = \"62813\"\npercent = 50\nsubmit.status = \"0x401\"\n",
    );
    let (simulator, mut esme) = running(toml).await;
    let to = |digits| SubmitSm { destination: Address::international(digits), ..text(b"x") };
    esme.send(2, Body::SubmitSm(to(b"628110001"))).await;
    assert_eq!(esme.answer().await, (CommandStatus::ESME_RTHROTTLED, 2));
    esme.send(3, Body::SubmitSm(text(b"it is full"))).await;
    assert_eq!(esme.answer().await, (CommandStatus::ESME_RMSGQFUL, 3));
    esme.send(4, Body::SubmitSm(text(b"x"))).await;
    assert_eq!(esme.answer().await, (OK, 4));
    let mut refused = 0;
    for sequence in 5..105 {
        esme.send(sequence, Body::SubmitSm(to(b"628130001"))).await;
        refused += usize::from(esme.answer().await.0 == CommandStatus(0x401));
    }
    assert!((30..70).contains(&refused), "{refused} of 100");
    assert_eq!(simulator.inbox().counts().delivered, 101 - refused as u64, "a refused message is not shown");
}

#[tokio::test]
async fn s8_an_accepted_answer_has_an_odd_id() {
    for (form, length) in [("empty", 0), ("missing", 0), ("too_long", 65), ("non_ascii", 18), ("uuid", 36)] {
        let (_simulator, mut esme) = running(&format!("submit.message_id = \"{form}\"")).await;
        esme.send(2, Body::SubmitSm(text(b"x"))).await;
        let frame = esme.next().await;
        let Body::SubmitSmResp(answer) = frame.pdu().body else { panic!("{form}") };
        assert_eq!((frame.pdu().status, answer.message_id.len()), (OK, length), "{form}");
        assert_eq!(frame.octets().len() == 16, form == "missing");
    }
}

#[tokio::test]
async fn s10_a_message_that_expires_on_its_way_is_never_shown() {
    let (simulator, mut esme) = running("submit.delivery_delay = \"1h\"").await;
    let short = SubmitSm { validity_period: b"000000000001000R", ..with_receipt(text(b"too late")) };
    esme.send(2, Body::SubmitSm(short)).await;
    let id = id(&mut esme).await;
    assert_eq!(simulator.inbox().find(&id).unwrap().state(), MessageState::ENROUTE);
    let receipt = esme.receipt().await;
    assert!(receipt.contains("dlvrd:000") && receipt.contains("stat:EXPIRED"), "{receipt}");
    let message = simulator.inbox().find(&id).unwrap();
    assert_eq!(message.state(), MessageState::EXPIRED);
    assert!(message.done().unwrap() >= message.validity().unwrap().expires_at);
    assert!(simulator.inbox().messages(&Filter::default()).messages.is_empty());
    assert_eq!(simulator.shown_late(), 0);
}

#[tokio::test]
async fn s10_a_message_within_its_validity_is_shown_after_its_delay() {
    let (simulator, mut esme) = running("submit.delivery_delay = \"30ms\"").await;
    let valid = SubmitSm { validity_period: b"000000000300000R", ..with_receipt(text(b"in time")) };
    esme.send(2, Body::SubmitSm(valid)).await;
    let id = id(&mut esme).await;
    let message = simulator.inbox().wait_for("628120001234", Cursor::START, NET).await.unwrap();
    assert!(message.done().unwrap() >= message.time() + Duration::from_millis(30));
    assert!(esme.receipt().await.starts_with(&format!("id:{id} sub:001 dlvrd:001 ")));
    nothing_else(&mut esme).await;
    let sent = message.receipts();
    assert_eq!(
        (sent.len(), sent[0].state, sent[0].outcome),
        (1, MessageState::DELIVERED, ReceiptOutcome::Acknowledged)
    );
}

#[tokio::test]
async fn s13_long_messages_are_put_together_also_when_they_are_delayed() {
    let (simulator, mut esme) = running("submit.delivery_delay = \"uniform 1ms 20ms\"").await;
    let parts = [&[5, 0, 3, 7, 2, 1, b'o', b'n', b'e', b' '][..], &[5, 0, 3, 7, 2, 2, b't', b'w', b'o']];
    for (sequence, part) in (2..).zip(parts) {
        let submit = SubmitSm { esm_class: EsmClass::UDHI, short_message: part, ..with_receipt(text(b"")) };
        esme.send(sequence, Body::SubmitSm(submit)).await;
    }
    let message = simulator.inbox().wait_for("628120001234", Cursor::START, NET).await.unwrap();
    assert_eq!((message.text(), message.segments(), message.details().parts().len()), ("one two", 2, 2));
}

#[tokio::test]
async fn d1_receipts_come_before_the_answer_on_the_same_bind_and_on_another() {
    let (_simulator, mut esme) = running("receipts.timing = \"before_response\"").await;
    esme.send(2, Body::SubmitSm(with_receipt(text(b"x")))).await;
    assert!(esme.receipt().await.contains("stat:DELIVRD"));
    assert_eq!(esme.answer().await, (OK, 2));
    let toml = "submit.latency = \"1h\"\nreceipts = { timing = \"before_response\", bind = \"another\" }";
    let (simulator, mut esme) = running(toml).await;
    let mut other = Esme::bound(&simulator).await;
    for sequence in 2..6 {
        esme.send(sequence, Body::SubmitSm(with_receipt(text(b"x")))).await;
        assert!(other.receipt().await.contains("stat:DELIVRD"));
    }
    nothing_else(&mut esme).await;
}

#[tokio::test]
async fn d1_another_bind_is_the_same_one_when_there_is_no_other() {
    let (_simulator, mut esme) = running("receipts.bind = \"another\"").await;
    esme.send(2, Body::SubmitSm(with_receipt(text(b"x")))).await;
    assert_eq!(esme.answer().await, (OK, 2));
    assert!(esme.receipt().await.contains("stat:DELIVRD"));
}

#[tokio::test]
async fn d5_a_receipt_comes_as_data_sm_and_its_answer_counts() {
    let (simulator, mut esme) = running("receipts.form = \"data_sm\"").await;
    esme.send(2, Body::SubmitSm(with_receipt(text(b"x")))).await;
    let id = id(&mut esme).await;
    let frame = esme.next().await;
    let Body::DataSm(data) = frame.pdu().body else { panic!("{:?}", frame.pdu()) };
    assert_eq!(Receipt::parse_data_sm(&data).unwrap().id, id.as_bytes());
    esme.send(frame.pdu().sequence.0, Body::DataSmResp(Default::default())).await;
    nothing_else(&mut esme).await;
    assert_eq!(simulator.inbox().find(&id).unwrap().receipts()[0].outcome, ReceiptOutcome::Acknowledged);
}

#[tokio::test]
async fn d6_receipts_are_doubled_lost_out_of_order_or_of_unknown_ids() {
    let (_simulator, mut esme) =
        running("receipts = { states = [\"DELIVRD\", \"ACCEPTD\"], copies = 2 }").await;
    esme.send(2, Body::SubmitSm(with_receipt(text(b"x")))).await;
    assert_eq!(esme.answer().await, (OK, 2));
    for stat in ["DELIVRD", "DELIVRD", "ACCEPTD", "ACCEPTD"] {
        assert!(esme.receipt().await.contains(&format!("stat:{stat}")));
    }
    let (_simulator, mut esme) = running("receipts.copies = 0").await;
    esme.send(2, Body::SubmitSm(with_receipt(text(b"x")))).await;
    assert_eq!(esme.answer().await, (OK, 2));
    nothing_else(&mut esme).await;
    let (simulator, mut esme) = running("receipts.id = \"unknown\"").await;
    esme.send(2, Body::SubmitSm(with_receipt(text(b"x")))).await;
    let known = id(&mut esme).await;
    let receipt = esme.receipt().await;
    let unknown = receipt.strip_prefix("id:").unwrap().split(' ').next().unwrap();
    assert!(unknown != known && simulator.inbox().find(unknown).is_none());
}

#[tokio::test]
async fn d6_a_message_that_fails_is_not_shown_and_is_told_with_its_state() {
    let (simulator, mut esme) =
        running("receipts = { states = [\"ACCEPTD\", \"UNDELIV\"], err = \"027\" }").await;
    esme.send(2, Body::SubmitSm(with_receipt(text(b"x")))).await;
    let id = id(&mut esme).await;
    assert!(esme.receipt().await.contains("stat:ACCEPTD err:027"));
    assert!(esme.receipt().await.contains("stat:UNDELIV err:027"));
    assert!(simulator.inbox().messages(&Filter::default()).messages.is_empty());
    assert_eq!(simulator.inbox().find(&id).unwrap().state(), MessageState::UNDELIVERABLE);
}

#[tokio::test]
async fn d9_a_handset_writes_to_a_receiver_that_answers() {
    let simulator = simulator(Config::default()).await;
    let refused = simulator.send_from_handset("628120001234", "2020", "STOP", None);
    assert_eq!(refused.unwrap_err(), HandsetError::NoReceiver);
    let _transmitter = bound_as(&simulator, Body::BindTransmitter(credentials())).await;
    assert!(simulator.send_from_handset("628120001234", "2020", "STOP", None).is_err());
    let mut receiver = bound_as(&simulator, Body::BindReceiver(credentials())).await;
    let message = simulator.send_from_handset("+628120001234", "2020", "STOP", Some("gateway")).unwrap();
    let frame = receiver.next().await;
    let Body::DeliverSm(deliver) = frame.pdu().body else { panic!("{:?}", frame.pdu()) };
    assert!(!deliver.esm_class.is_receipt());
    assert_eq!((deliver.source.digits, deliver.destination.digits), (PHONE, &b"2020"[..]));
    assert_eq!(deliver.short_message, b"STOP");
    assert_eq!(
        (message.state(), message.details().direction),
        (MessageState::ENROUTE, Direction::FromHandset)
    );
    acknowledge(&mut receiver, frame.pdu()).await;
    nothing_else(&mut receiver).await;
    assert_eq!(message.state(), MessageState::DELIVERED);
    let conversation = Filter { with: Some(*message.from()), ..Filter::default() };
    assert_eq!(simulator.inbox().messages(&conversation).messages.len(), 1);
    for (from, to, system_id, error) in [
        ("BANK", "2020", None, HandsetError::From),
        ("62812", "", None, HandsetError::To),
        ("62812", "2020", Some("nobody"), HandsetError::UnknownSystemId),
    ] {
        assert_eq!(simulator.send_from_handset(from, to, "x", system_id).unwrap_err(), error);
    }
}

#[tokio::test]
async fn d9_a_long_message_of_a_handset_comes_in_parts_on_one_session() {
    let simulator = simulator(Config::default()).await;
    let mut esmes = [Esme::bound(&simulator).await, Esme::bound(&simulator).await];
    let message = simulator.send_from_handset("628120001234", "2020", &"ü€".repeat(100), None).unwrap();
    assert_eq!(message.segments(), 2);
    let mut parts = 0;
    for esme in &mut esmes {
        esme.send(9, Body::EnquireLink).await;
        loop {
            let frame = esme.next().await;
            let Body::DeliverSm(deliver) = frame.pdu().body else { break };
            assert!(deliver.esm_class.has_udh());
            parts += 1;
        }
        assert!(parts == 0 || parts == 2, "{parts} on one session");
    }
    assert_eq!(parts, 2);
}

#[tokio::test]
async fn a_message_on_its_way_can_be_queried_replaced_and_cancelled() {
    let (simulator, mut esme) = running("submit.delivery_delay = \"1h\"").await;
    esme.send(2, Body::SubmitSm(with_receipt(text(b"old")))).await;
    let id = id(&mut esme).await;
    let (message_id, source) = (id.as_bytes(), Address::alphanumeric(b"BANK"));
    let query = Body::QuerySm(QuerySm { message_id, source });
    esme.send(3, query).await;
    let frame = esme.next().await;
    let Body::QuerySmResp(found) = frame.pdu().body else { panic!("{:?}", frame.pdu()) };
    assert_eq!(
        (found.message_id, found.message_state, found.final_date),
        (message_id, MessageState::ENROUTE, &b""[..])
    );
    let replace = ReplaceSm { message_id, source, short_message: b"new", ..ReplaceSm::default() };
    esme.send(4, Body::ReplaceSm(ReplaceSm { registered_delivery: 1, ..replace })).await;
    assert_eq!(esme.answer().await, (OK, 4));
    let message = simulator.inbox().find(&id).unwrap();
    assert!(message.text() == "new" && message.details().replaced);
    let other = Address::alphanumeric(b"OTHER");
    esme.send(5, Body::CancelSm(CancelSm { message_id, source: other, ..CancelSm::default() })).await;
    assert_eq!(esme.answer().await, (CommandStatus::ESME_RCANCELFAIL, 5), "not its message");
    let cancel = Body::CancelSm(CancelSm { message_id, source, ..CancelSm::default() });
    esme.send(6, cancel).await;
    assert_eq!(esme.answer().await, (OK, 6));
    assert!(esme.receipt().await.contains("stat:DELETED"));
    esme.send(7, query).await;
    let frame = esme.next().await;
    let Body::QuerySmResp(found) = frame.pdu().body else { panic!("{:?}", frame.pdu()) };
    assert_eq!((found.message_state, found.final_date.len()), (MessageState::DELETED, 16));
    esme.send(8, cancel).await;
    assert_eq!(esme.answer().await, (CommandStatus::ESME_RCANCELFAIL, 8));
    esme.send(9, Body::ReplaceSm(replace)).await;
    assert_eq!(esme.answer().await, (CommandStatus::ESME_RREPLACEFAIL, 9));
    esme.send(10, Body::QuerySm(QuerySm { message_id: b"nothing", source })).await;
    assert_eq!(esme.answer().await, (CommandStatus::ESME_RQUERYFAIL, 10));
}

#[tokio::test]
async fn all_messages_of_a_sender_to_a_handset_are_cancelled_without_an_id() {
    let (_simulator, mut esme) = running("submit.delivery_delay = \"1h\"").await;
    let (source, destination) = (Address::alphanumeric(b"BANK"), Address::international(PHONE));
    let all = Body::CancelSm(CancelSm { source, destination, ..CancelSm::default() });
    for sequence in [2, 3] {
        esme.send(sequence, Body::SubmitSm(with_receipt(text(b"x")))).await;
        assert_eq!(esme.answer().await, (OK, sequence));
    }
    esme.send(4, all).await;
    // The answer may come before or after the receipts.
    let mut deleted = 0;
    for _ in 0..3 {
        let frame = esme.next().await;
        match frame.pdu().body {
            Body::DeliverSm(deliver) => {
                assert!(Receipt::parse(&deliver).unwrap().state == Some(MessageState::DELETED));
                deleted += 1;
            }
            Body::CancelSmResp => assert_eq!(frame.pdu().status, OK),
            body => panic!("{body:?}"),
        }
    }
    assert_eq!(deleted, 2);
}

#[tokio::test]
async fn a_data_sm_is_a_submit() {
    let simulator = simulator(Config::default()).await;
    let mut esme = Esme::bound(&simulator).await;
    let mut tlvs = TlvBuffer::new();
    tlvs.push(Tag::MESSAGE_PAYLOAD, b"payload").unwrap();
    let data = DataSm {
        source: Address::alphanumeric(b"BANK"),
        destination: Address::international(PHONE),
        registered_delivery: 1,
        data_coding: DataCoding::DEFAULT,
        tlvs: tlvs.as_tlvs(),
        ..DataSm::default()
    };
    esme.send(2, Body::DataSm(data)).await;
    let frame = esme.next().await;
    let Body::DataSmResp(answer) = frame.pdu().body else { panic!("{:?}", frame.pdu()) };
    let message = simulator.inbox().find(str::from_utf8(answer.message_id).unwrap()).unwrap();
    assert_eq!(message.text(), "payload");
    assert!(esme.receipt().await.contains("stat:DELIVRD"));
}

#[tokio::test]
async fn every_esme_has_its_own_password_seats_and_receipts() {
    let esmes = vec![Account { binds_max: 1, ..Account::new("one", "first") }, Account::new("two", "second")];
    let simulator = simulator(Config { esmes, ..Config::default() }).await;
    let bind = |system_id, password| Body::BindTransceiver(Bind { system_id, password, ..Bind::default() });
    for (system_id, password, status) in [
        (&b"one"[..], &b"second"[..], CommandStatus::ESME_RINVPASWD),
        (b"three", b"first", CommandStatus::ESME_RINVSYSID),
    ] {
        let mut esme = Esme::connect(&simulator).await;
        esme.send(1, bind(system_id, password)).await;
        assert_eq!(esme.answer().await.0, status);
    }
    let mut one = bound_as(&simulator, bind(b"one", b"first")).await;
    let mut two = bound_as(&simulator, bind(b"two", b"second")).await;
    let mut more = Esme::connect(&simulator).await;
    more.send(1, bind(b"one", b"first")).await;
    assert_eq!(more.answer().await.0, CommandStatus::ESME_RALYBND);
    one.send(2, Body::SubmitSm(with_receipt(text(b"x")))).await;
    let id = id(&mut one).await;
    assert!(one.receipt().await.contains(&id));
    two.send(2, Body::QuerySm(QuerySm { message_id: id.as_bytes(), source: Address::default() })).await;
    assert_eq!(two.answer().await.0, CommandStatus::ESME_RQUERYFAIL, "not its message");
}

#[tokio::test]
async fn a_behaviour_changes_while_sessions_are_bound() {
    let (simulator, mut esme) = running("").await;
    for (sequence, toml, status) in
        [(2, "", OK), (3, "submit.status = \"ESME_RSYSERR\"", CommandStatus::ESME_RSYSERR), (4, "", OK)]
    {
        simulator.set_behavior(Behavior::from_toml(toml).unwrap());
        assert_eq!(simulator.behavior(), Behavior::from_toml(toml).unwrap());
        esme.send(sequence, Body::SubmitSm(text(b"x"))).await;
        assert_eq!(esme.answer().await, (status, sequence));
    }
}

/// The fate of every (destination, ordinal), when the submits of 100
/// destinations go over so many binds.
async fn fates(toml: &str, binds: usize) -> Vec<(usize, u32)> {
    let simulator = simulator(behaving(toml)).await;
    let mut esmes = Vec::new();
    for _ in 0..binds {
        esmes.push(Esme::bound(&simulator).await);
    }
    let numbers: Vec<_> = (0..100).map(|n| format!("62812{n:07}")).collect();
    let mut fates = Vec::new();
    for (round, esme) in (0..3).zip((0..binds).cycle()) {
        // Other binds in another order each time.
        let order: Vec<_> = (0..100).map(|n| (n * 37 + round * 11) % 100).collect();
        for (sequence, n) in (2..).zip(order) {
            let esme = &mut esmes[(esme + n) % binds];
            let submit =
                SubmitSm { destination: Address::international(numbers[n].as_bytes()), ..text(b"x") };
            esme.send(sequence, Body::SubmitSm(submit)).await;
            let (status, _) = esme.answer().await;
            fates.push((round * 100 + n, status.0));
        }
    }
    fates.sort_unstable();
    fates
}

#[tokio::test]
async fn the_same_seed_gives_the_same_fates_over_one_bind_and_over_four() {
    let toml = concat!(
        "[[rule]]\npercent = 20\nsubmit.status = \"ESME_RTHROTTLED\"\n",
        "[[rule]]\npercent = 20\nsubmit.status = \"ESME_RSYSERR\"\n",
    );
    let one = fates(toml, 1).await;
    assert_eq!(one, fates(toml, 4).await);
    assert_ne!(one, fates(&format!("seed = 2\n{toml}"), 1).await);
    let spoilt = one.iter().filter(|(_, status)| *status != 0).count();
    assert!((70..150).contains(&spoilt), "{spoilt} of 300");
}

#[tokio::test]
async fn every_profile_takes_submits() {
    for profile in profiles() {
        let simulator = simulator(Config { behavior: profile.behavior(), ..Config::default() }).await;
        let mut esme = Esme::bound(&simulator).await;
        let mut stream = Vec::new();
        for sequence in 2..22 {
            let to = format!("62812{sequence:07}");
            let destination = Address::international(to.as_bytes());
            stream.extend(octets(sequence, Body::SubmitSm(SubmitSm { destination, ..text(b"x") })));
        }
        esme.send_octets(&stream).await;
        soon(async {
            while simulator.submits_accepted() < 10 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}
