//! Receipts in every form, order and number.

use smpp::pdu::{Body, MessageState};
use smpp::receipt::Receipt;
use smsc_simulator::inbox::{Filter, ReceiptOutcome};

use super::{OK, id, nothing_else, running};
use crate::esme::{Esme, text, with_receipt};

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
    esme.submit(2, with_receipt(text(b"x"))).await;
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
    esme.submit(2, with_receipt(text(b"x"))).await;
    for stat in ["DELIVRD", "DELIVRD", "ACCEPTD", "ACCEPTD"] {
        assert!(esme.receipt().await.contains(&format!("stat:{stat}")));
    }
    let (_simulator, mut esme) = running("receipts.copies = 0").await;
    esme.submit(2, with_receipt(text(b"x"))).await;
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
