//! Answers to submits, and what becomes of their messages.

use std::time::Duration;

use smpp::pdu::{Address, Body, EsmClass, MessageState, SubmitSm};
use smpp::status::CommandStatus;
use smpp::tlv::{Tag, TlvBuffer};
use smsc_simulator::behavior::Profile;
use smsc_simulator::inbox::{Cursor, Filter, ReceiptOutcome};
use smsc_simulator::{Behavior, Config};

use super::{OK, id, nothing_else, running};
use crate::esme::{Esme, simulator, text, with_esme, with_receipt};
use crate::time::NET;

#[tokio::test]
async fn s1_a_late_response_comes_after_others() {
    let toml = "[[rule]]\ntext = \"late\"\nsubmit.latency = \"50ms\"\n";
    let (_simulator, mut esme) = running(toml).await;
    esme.send(2, Body::SubmitSm(text(b"late"))).await;
    esme.submit(3, text(b"prompt")).await;
    assert_eq!(esme.answer().await, (OK, 2));
}

#[tokio::test]
async fn s1_the_window_and_the_rate_of_an_esme_are_kept_and_its_status_can_be_other() {
    let config = Config {
        behavior: Behavior::from_toml("submit.latency = \"1h\"\nsession.limit_status = \"ESME_RMSGQFUL\"")
            .unwrap(),
        ..with_esme("window = 1")
    };
    let full = simulator(config).await;
    let mut esme = Esme::bound(&full).await;
    esme.send(2, Body::SubmitSm(text(b"x"))).await;
    esme.send(3, Body::SubmitSm(text(b"x"))).await;
    assert_eq!(esme.answer().await, (CommandStatus::ESME_RMSGQFUL, 3));
    let limited = simulator(with_esme("rate = 10")).await;
    let (mut one, mut two) = (Esme::bound(&limited).await, Esme::bound(&limited).await);
    one.submit(2, text(b"x")).await;
    two.send(2, Body::SubmitSm(text(b"x"))).await;
    assert_eq!(two.answer().await, (CommandStatus::ESME_RTHROTTLED, 2), "the rate is of both sessions");
}

#[tokio::test]
async fn s6a_throttling_reacts_to_what_is_offered_to_each_destination() {
    let (simulator, mut esme) = running("submit.rate = 10\nsubmit.rate_digits = 5\n").await;
    let throttled = CommandStatus::ESME_RTHROTTLED;
    for (sequence, (to, status)) in
        (2..).zip([("62811001", OK), ("62811002", throttled), ("62812001", OK), ("62812002", throttled)])
    {
        let destination = Address::international(to.as_bytes());
        esme.send(sequence, Body::SubmitSm(SubmitSm { destination, ..text(b"x") })).await;
        assert_eq!(esme.answer().await, (status, sequence), "{to}");
    }
    assert_eq!(simulator.inbox().counts().delivered, 2);
}

#[tokio::test]
async fn s6a_of_a_sick_prefix_nothing_goes_through_as_it_should_and_all_others_are_well() {
    for (profile, status) in [
        ("sick-prefix-throttled", Some(CommandStatus::ESME_RTHROTTLED)),
        ("sick-prefix-queue-full", Some(CommandStatus::ESME_RMSGQFUL)),
        ("sick-prefix-failing", Some(CommandStatus::ESME_RSUBMITFAIL)),
        ("sick-prefix-silent", None),
    ] {
        let (simulator, mut esme) = running(Profile::named(profile).unwrap().toml).await;
        let sick = Address::international(b"6289912345678");
        esme.send(2, Body::SubmitSm(SubmitSm { destination: sick, ..text(b"x") })).await;
        esme.send(3, Body::SubmitSm(text(b"x"))).await;
        let expected: Vec<_> = status.map(|status| (status, 2)).into_iter().chain([(OK, 3)]).collect();
        for answer in expected {
            assert_eq!(esme.answer().await, answer, "{profile}");
        }
        nothing_else(&mut esme).await;
        let shown = simulator.inbox().counts().delivered;
        assert_eq!(shown, if status.is_none() { 2 } else { 1 }, "{profile}");
    }
}

#[tokio::test]
async fn s2_answers_come_twice_or_for_sequences_that_nobody_used() {
    let (_simulator, mut esme) = running("submit.response = \"twice\"").await;
    esme.send(2, Body::SubmitSm(text(b"x"))).await;
    assert_eq!([esme.answer().await, esme.answer().await], [(OK, 2); 2]);
    let (_simulator, mut esme) = running("submit.response = \"unknown_sequence\"").await;
    esme.submit(2, text(b"x")).await;
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
        esme.submit(sequence, SubmitSm { tlvs: tlvs.as_tlvs(), ..text(b"x") }).await;
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
    esme.submit(4, text(b"x")).await;
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
        assert_eq!(frame.bytes().len() == 16, form == "missing");
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
