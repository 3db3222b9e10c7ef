//! What the SMSC delivers: receipts, and messages of others.

use smpp::pdu::DataSm;
use smpp::tlv::{Tag, TlvBuffer};

use super::*;
use crate::metrics::ReceiptOutcome;
use crate::sms::link::settings::ReceiptHandset;

#[test]
fn receipts_say_what_became_of_a_message() {
    let mut esme = Esme::bound(|_| {});
    (1..=5).for_each(|number| esme.send(number));
    for (sequence, number) in esme.submits() {
        esme.accept(sequence, format!("id-{number}").as_bytes());
    }
    esme.reported();
    for (receipt, report) in [
        ("id:id-1 sub:001 dlvrd:001 stat:DELIVRD err:000 text:Bank", Some((1, Delivery::Delivered))),
        ("id:id-1 stat:DELIVRD", None),
        ("id:id-1 stat:ACCEPTD", None),
        ("id:id-2 stat:UNDELIV err:0069", Some((2, Delivery::Undelivered))),
        ("id:id-2 stat:DELIVRD", Some((2, Delivery::Delivered))),
        ("id:id-3 stat:EXPIRED", Some((3, Delivery::Expired))),
        ("id:id-4 stat:REJECTD", Some((4, Delivery::Rejected))),
        ("id:id-5 stat:ENROUTE", None),
        ("id:id-5 stat:UNKNOWN", None),
        ("id:nobody stat:DELIVRD", None),
        ("not a receipt at all", None),
    ] {
        assert_eq!(esme.receipt(receipt), 0, "{receipt}");
        assert_eq!(esme.reported(), report.into_iter().collect::<Vec<_>>(), "{receipt}");
    }
    let metrics = &esme.metrics.sms;
    assert_eq!(
        (
            metrics.receipts.of(ReceiptOutcome::Matched).get(),
            metrics.receipts.of(ReceiptOutcome::Repeated).get()
        ),
        (5, 4)
    );
    assert_eq!(
        (
            metrics.receipts.of(ReceiptOutcome::Held).get(),
            metrics.receipts.of(ReceiptOutcome::Unmatched).get()
        ),
        (1, 1)
    );
}

#[test]
fn d1_abuse_44_a_receipt_before_its_response_counts_when_the_response_comes() {
    let mut esme = Esme::bound(|_| {});
    esme.send(1);
    let sequence = esme.submits()[0].0;
    assert_eq!(esme.receipt("id:id-1 stat:DELIVRD"), 0);
    assert_eq!(esme.reported(), []);
    esme.accept(sequence, b"id-1");
    assert_eq!(esme.reported(), [(1, Delivery::Delivered)]);
}

#[test]
fn d5_a_receipt_without_text_is_told_by_its_parameters() {
    let mut esme = Esme::bound(|_| {});
    esme.send(1);
    let sequence = esme.submits()[0].0;
    esme.accept_raw(sequence, b"\xFF odd id\0");
    esme.reported();
    for (esm_class, state) in [(0x24, 3), (0x44, 2)] {
        let mut tlvs = TlvBuffer::new();
        tlvs.push_c_string(Tag::RECEIPTED_MESSAGE_ID, b"\xFF odd id").unwrap();
        tlvs.push_u8(Tag::MESSAGE_STATE, state);
        let message =
            DeliverSm { esm_class: EsmClass(esm_class), tlvs: tlvs.as_tlvs(), ..DeliverSm::default() };
        esme.hear(0, 5, Body::DeliverSm(message));
        assert_eq!(esme.seen()[0].status, 0);
    }
    assert_eq!(esme.reported(), [(1, Delivery::Expired), (1, Delivery::Delivered)]);
}

#[test]
fn d5_a_receipt_in_data_sm_counts_and_is_answered() {
    let mut esme = Esme::bound(|_| {});
    esme.send(1);
    let sequence = esme.submits()[0].0;
    esme.accept(sequence, b"id-1");
    esme.reported();
    let mut tlvs = TlvBuffer::new();
    tlvs.push(Tag::MESSAGE_PAYLOAD, b"id:id-1 stat:DELIVRD err:000").unwrap();
    let message = DataSm { esm_class: EsmClass::RECEIPT, tlvs: tlvs.as_tlvs(), ..DataSm::default() };
    esme.hear(0, 5, Body::DataSm(message));
    let answer = &esme.seen()[0];
    assert_eq!((answer.command, answer.status), (CommandId::DATA_SM_RESP, 0));
    assert_eq!(esme.reported(), [(1, Delivery::Delivered)]);
}

#[test]
fn d9_a_message_from_a_phone_is_answered_and_changes_nothing() {
    let mut esme = Esme::bound(|_| {});
    let message = DeliverSm { short_message: b"STOP id:1 stat:DELIVRD", ..DeliverSm::default() };
    esme.hear(0, 5, Body::DeliverSm(message));
    assert_eq!((esme.seen()[0].status, esme.reported()), (0, vec![]));
}

#[test]
fn d7_with_the_reports_full_a_receipt_is_put_off_and_nothing_waits() {
    let mut esme = Esme::with(|_| {}, 1, None);
    esme.bind();
    esme.send(1);
    let sequence = esme.submits()[0].0;
    esme.accept(sequence, b"id-1");
    assert_eq!(esme.receipt("id:id-1 stat:DELIVRD"), CommandStatus::ESME_RX_T_APPN.0);
    assert_eq!(esme.receipt("id:nobody stat:DELIVRD"), 0);
    assert_eq!(esme.reported(), [(1, Delivery::Accepted)]);
    assert_eq!(esme.receipt("id:id-1 stat:DELIVRD"), 0, "the SMSC sends it again");
    assert_eq!(esme.reported(), [(1, Delivery::Delivered)]);
    assert_eq!(esme.metrics.sms.receipts.of(ReceiptOutcome::Deferred).get(), 1);
}

#[test]
fn s8_message_ids_that_no_receipt_can_carry_are_tolerated() {
    let mut esme = Esme::bound(|_| {});
    (1..=3).for_each(|number| esme.send(number));
    let submits = esme.submits();
    esme.accept(submits[0].0, b"");
    // A header only; then 300 bytes without a NUL.
    esme.accept_raw(submits[1].0, b"");
    esme.accept_raw(submits[2].0, &[b'x'; 300]);
    assert_eq!(esme.reported(), [1, 2, 3].map(|number| (number, Delivery::Accepted)));
}

#[test]
fn a_receipt_with_our_reference_settles_what_was_in_doubt() {
    let mut esme = Esme::bound(|config| config.user_message_reference = true);
    esme.send(1);
    let bytes = esme.step(usize::MAX);
    let Body::SubmitSm(submit) = codec::decode(&bytes).unwrap().pdu.body else { panic!("a submit_sm") };
    let reference = submit.tlvs.find(Tag::USER_MESSAGE_REFERENCE).unwrap().number().unwrap();
    assert_eq!((reference, esme.parts.next_reference.get()), (u16::MAX, 0), "they come round");
    esme.pass(10 * SECOND);
    esme.seen();
    assert_eq!(esme.reported(), [(1, Delivery::Unknown)]);
    let mut tlvs = TlvBuffer::new();
    tlvs.push_u16(Tag::USER_MESSAGE_REFERENCE, reference);
    let receipt = DeliverSm {
        esm_class: EsmClass::RECEIPT,
        source: Address::international(b"628120000001"),
        short_message: b"id:never-told stat:DELIVRD",
        tlvs: tlvs.as_tlvs(),
        ..DeliverSm::default()
    };
    esme.hear(0, 5, Body::DeliverSm(receipt));
    assert_eq!(esme.reported(), [(1, Delivery::Delivered)]);
}

#[test]
fn d1a_a_receipt_of_another_handset_is_answered_and_ignored_unless_only_the_id_is_to_decide() {
    for (receipt_handset, reported) in
        [(ReceiptHandset::Auto, vec![]), (ReceiptHandset::Off, vec![(1, Delivery::Delivered)])]
    {
        let mut esme = Esme::bound(|config| config.receipt_handset = receipt_handset);
        esme.send(1);
        let sequence = esme.submits()[0].0;
        esme.accept(sequence, b"id-1");
        esme.reported();
        assert_eq!(esme.receipt_from(b"628120000002", "id:id-1 stat:DELIVRD"), 0);
        assert_eq!(esme.reported(), reported);
        let mismatched = esme.metrics.sms.receipts.of(ReceiptOutcome::Mismatched).get();
        assert_eq!(mismatched, u64::from(receipt_handset == ReceiptHandset::Auto));
    }
}
