use super::*;
use crate::sms::outbox::tests::item;

const AGE_MAX: Duration = Duration::from_secs(600);
const HANDSET: &[u8] = b"628120000001";

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_millis(seconds * 1_000)
}

fn sent(number: u8) -> Sent {
    Sent::of(&item(number, at(0)))
}

/// That of a receipt from this address to ours.
fn from(source: &[u8]) -> Handset {
    Handset::of([source, b"1234567890"], b"1234567890")
}

/// One SMSC, and what is reported of its messages: by the last byte of their challenges' ids.
struct Smsc {
    receipts: Receipts,
    reported: Vec<(u8, Delivery)>,
}

impl Smsc {
    fn new(form: MessageIdForm) -> Self {
        Self { receipts: Receipts::new(form, 100, AGE_MAX), reported: Vec::new() }
    }

    fn accepts(&mut self, id: &str, number: u8) -> Delivery {
        self.receipts.accepted(id.as_bytes(), sent(number), at(0))
    }

    fn says_at(&mut self, second: u64, incoming: &Incoming<'_>) -> ReceiptOutcome {
        let reported = &mut self.reported;
        self.receipts.received(incoming, at(second), |report| {
            reported.push((report.challenge.0[15], report.delivery));
            true
        })
    }

    fn says(&mut self, id: &str, state: MessageState) -> ReceiptOutcome {
        self.says_from(HANDSET, id, state)
    }

    fn says_from(&mut self, handset: &[u8], id: &str, state: MessageState) -> ReceiptOutcome {
        let receipt = Receipt { id: id.as_bytes(), state: Some(state), ..Receipt::default() };
        self.says_at(0, &Incoming { receipt: &receipt, handset: from(handset), reference: None })
    }

    fn says_of(&mut self, reference: u16, handset: &[u8], state: MessageState) -> ReceiptOutcome {
        let receipt = Receipt { id: b"unknown", state: Some(state), ..Receipt::default() };
        self.says_at(0, &Incoming { receipt: &receipt, handset: from(handset), reference: Some(reference) })
    }
}

#[test]
fn d2_an_exact_id_counts_first_then_the_smsc_s_rule() {
    let mut smsc = Smsc::new(MessageIdForm::HexThenDecimal);
    smsc.accepts("ff", 1);
    assert_eq!(smsc.says("255", MessageState::DELIVERED), ReceiptOutcome::Matched);
    smsc.accepts("1e", 2);
    assert_eq!(smsc.says_from(b"628120000002", "1e", MessageState::DELIVERED), ReceiptOutcome::Matched);
    assert_eq!(smsc.reported, [(1, Delivery::Delivered), (2, Delivery::Delivered)]);
}

#[test]
fn d2_a_number_that_is_one_message_s_in_decimal_and_another_s_in_hexadecimal_is_of_its_handset() {
    let mut smsc = Smsc::new(MessageIdForm::HexThenDecimal);
    // 0x10 is 16, and 0x16 is 22.
    smsc.accepts("10", 1);
    smsc.accepts("16", 2);
    assert_eq!(smsc.says_from(b"628120000001", "16", MessageState::DELIVERED), ReceiptOutcome::Matched);
    assert_eq!(smsc.says_from(b"08120000002", "22", MessageState::UNDELIVERABLE), ReceiptOutcome::Matched);
    assert_eq!(smsc.reported, [(1, Delivery::Delivered), (2, Delivery::Undelivered)]);
    // A handset that says nothing leaves the exact one.
    assert_eq!(smsc.says_from(b"", "16", MessageState::DELIVERED), ReceiptOutcome::Matched);
    assert_eq!(smsc.reported[2], (2, Delivery::Delivered));
}

#[test]
fn d2_an_id_in_the_parameter_alone_or_where_the_text_s_is_unknown_is_found() {
    let mut smsc = Smsc::new(MessageIdForm::Exact);
    smsc.accepts("7B", 1);
    smsc.accepts("7C", 2);
    for (id, receipted_message_id, handset) in
        [(&b"123"[..], &b"7B"[..], HANDSET), (b"", b"7C", b"628120000002")]
    {
        let state = Some(MessageState::DELIVERED);
        let receipt = Receipt { id, receipted_message_id, state, ..Receipt::default() };
        let incoming = Incoming { receipt: &receipt, handset: from(handset), reference: None };
        assert_eq!(smsc.says_at(0, &incoming), ReceiptOutcome::Matched);
    }
    assert_eq!(smsc.reported, [(1, Delivery::Delivered), (2, Delivery::Delivered)]);
}

#[test]
fn d1_abuse_44_a_receipt_before_its_response_is_held_and_counts_when_the_response_comes() {
    for form in [MessageIdForm::Exact, MessageIdForm::DecimalThenHex] {
        let mut smsc = Smsc::new(form);
        let spelt = if form == MessageIdForm::Exact { "255" } else { "FF" };
        assert_eq!(smsc.says(spelt, MessageState::ENROUTE), ReceiptOutcome::Held);
        assert_eq!(smsc.says(spelt, MessageState::DELIVERED), ReceiptOutcome::Held);
        assert_eq!(smsc.says(spelt, MessageState::ENROUTE), ReceiptOutcome::Held);
        assert_eq!(smsc.accepts("255", 1), Delivery::Delivered);
        assert_eq!(smsc.says(spelt, MessageState::DELIVERED), ReceiptOutcome::Repeated);
        // It counted once: the id's next message is another.
        assert_eq!(smsc.accepts("255", 2), Delivery::Accepted);
    }
}

#[test]
fn d1_what_is_held_is_bounded_by_count_and_age() {
    let mut smsc = Smsc::new(MessageIdForm::Exact);
    for number in 0..=EARLY_MAX {
        assert_eq!(smsc.says(&number.to_string(), MessageState::DELIVERED), ReceiptOutcome::Held);
    }
    assert_eq!(smsc.accepts("0", 1), Delivery::Accepted);
    assert_eq!(smsc.accepts("1", 1), Delivery::Delivered);
    let too_late = at(EARLY_AGE_MAX.as_secs() + 1);
    assert_eq!(smsc.receipts.accepted(b"2", sent(3), too_late), Delivery::Accepted);
}

#[test]
fn d6_abuse_45_repeated_and_overtaken_receipts_are_no_news_and_an_arrival_outweighs_all() {
    let mut smsc = Smsc::new(MessageIdForm::Exact);
    smsc.accepts("a", 1);
    let said = [
        (MessageState::ACCEPTED, ReceiptOutcome::Repeated),
        (MessageState::UNDELIVERABLE, ReceiptOutcome::Matched),
        (MessageState::UNDELIVERABLE, ReceiptOutcome::Repeated),
        (MessageState::EXPIRED, ReceiptOutcome::Repeated),
        (MessageState::DELIVERED, ReceiptOutcome::Matched),
        (MessageState::DELIVERED, ReceiptOutcome::Repeated),
        (MessageState::ACCEPTED, ReceiptOutcome::Repeated),
        (MessageState::REJECTED, ReceiptOutcome::Repeated),
    ];
    for (state, heard) in said {
        assert_eq!(smsc.says("a", state), heard, "{state:?}");
    }
    assert_eq!(smsc.reported, [(1, Delivery::Undelivered), (1, Delivery::Delivered)]);
}

#[test]
fn d7_news_that_nobody_can_take_stays_news() {
    let mut smsc = Smsc::new(MessageIdForm::Exact);
    smsc.accepts("a", 1);
    let receipt = Receipt { id: b"a", state: Some(MessageState::DELIVERED), ..Receipt::default() };
    let incoming = Incoming { receipt: &receipt, handset: from(HANDSET), reference: None };
    assert_eq!(smsc.receipts.received(&incoming, at(0), |_| false), ReceiptOutcome::Deferred);
    assert_eq!(smsc.says_at(0, &incoming), ReceiptOutcome::Matched);
}

#[test]
fn s4_a_receipt_with_the_reference_settles_a_send_that_got_no_answer() {
    let mut smsc = Smsc::new(MessageIdForm::Exact);
    smsc.receipts.expect_by_reference(7, sent(1), Delivery::Unknown, at(0));
    assert_eq!(smsc.says_of(8, HANDSET, MessageState::DELIVERED), ReceiptOutcome::Held);
    assert_eq!(smsc.says_of(7, b"628129999999", MessageState::DELIVERED), ReceiptOutcome::Held);
    assert_eq!(smsc.says_of(7, b"0", MessageState::DELIVERED), ReceiptOutcome::Held);
    assert_eq!(smsc.says_of(7, HANDSET, MessageState::DELIVERED), ReceiptOutcome::Matched);
    assert_eq!(smsc.says_of(7, HANDSET, MessageState::DELIVERED), ReceiptOutcome::Repeated);
    assert_eq!(smsc.reported, [(1, Delivery::Delivered)]);
}

#[test]
fn s4_a_receipt_that_came_before_its_send_was_given_up_settles_it_by_reference_and_handset() {
    let mut smsc = Smsc::new(MessageIdForm::Exact);
    assert_eq!(smsc.says_of(7, HANDSET, MessageState::ENROUTE), ReceiptOutcome::Held);
    assert_eq!(smsc.says_of(7, HANDSET, MessageState::DELIVERED), ReceiptOutcome::Held);
    let mut expect = |reference, number| {
        smsc.receipts.expect_by_reference(reference, sent(number), Delivery::Unknown, at(0))
    };
    assert_eq!(expect(8, 1), Delivery::Unknown);
    assert_eq!(expect(7, 2), Delivery::Unknown, "another handset's");
    assert_eq!(expect(7, 1), Delivery::Delivered);
    assert_eq!(expect(7, 1), Delivery::Unknown, "it counted once");
}

#[test]
fn d1_an_early_receipt_in_decimal_is_not_taken_for_a_response_in_hexadecimal() {
    let mut smsc = Smsc::new(MessageIdForm::HexThenDecimal);
    assert_eq!(smsc.says("10", MessageState::DELIVERED), ReceiptOutcome::Held);
    // 0x10 is 16, and 0xA is 10.
    assert_eq!(smsc.accepts("10", 2), Delivery::Accepted);
    assert_eq!(smsc.accepts("A", 1), Delivery::Delivered);
}

#[test]
fn d6_a_receipt_of_an_unknown_message_that_says_nothing_is_not_held() {
    let mut smsc = Smsc::new(MessageIdForm::Exact);
    assert_eq!(smsc.says("a", MessageState::UNKNOWN), ReceiptOutcome::Unmatched);
    assert_eq!(smsc.accepts("a", 1), Delivery::Accepted);
    assert_eq!(smsc.says("a", MessageState::UNKNOWN), ReceiptOutcome::Repeated);
}

#[test]
fn d3_only_states_that_say_something_are_news() {
    let states = [
        (MessageState::DELIVERED, Delivery::Delivered),
        (MessageState::ENROUTE, Delivery::Accepted),
        (MessageState::ACCEPTED, Delivery::Accepted),
        (MessageState::EXPIRED, Delivery::Expired),
        (MessageState::UNDELIVERABLE, Delivery::Undelivered),
        (MessageState::DELETED, Delivery::Undelivered),
        (MessageState::REJECTED, Delivery::Rejected),
    ];
    for (state, expected) in states {
        assert_eq!(delivery(Some(state)), Some(expected));
    }
    for silent in [None, Some(MessageState::UNKNOWN), Some(MessageState(0)), Some(MessageState(9))] {
        assert_eq!(delivery(silent), None);
    }
}

#[test]
fn d1a_abuse_64_a_receipt_of_another_handset_changes_nothing_under_any_rule_and_is_counted() {
    for form in MessageIdForm::ALL {
        let mut smsc = Smsc::new(*form);
        smsc.accepts("16", 1);
        assert_eq!(
            smsc.says_from(b"628120000002", "16", MessageState::DELIVERED),
            ReceiptOutcome::Mismatched
        );
        assert_eq!(smsc.reported, []);
        assert_eq!(smsc.says_from(HANDSET, "16", MessageState::DELIVERED), ReceiptOutcome::Matched);
        assert_eq!(smsc.reported, [(1, Delivery::Delivered)]);
    }
}

#[test]
fn d1a_abuse_64_a_stranger_s_receipt_that_is_held_early_is_not_the_message_s_that_gets_its_id() {
    for form in MessageIdForm::ALL {
        let mut smsc = Smsc::new(*form);
        assert_eq!(smsc.says_from(b"628120000002", "16", MessageState::DELIVERED), ReceiptOutcome::Held);
        assert_eq!(smsc.accepts("16", 1), Delivery::Accepted);
    }
}

#[test]
fn d1a_abuse_64_an_id_that_is_used_again_is_its_last_message_s_and_the_first_one_s_receipt_is_ignored() {
    let mut smsc = Smsc::new(MessageIdForm::Exact);
    smsc.accepts("a", 1);
    smsc.accepts("a", 2);
    assert_eq!(smsc.says_from(HANDSET, "a", MessageState::DELIVERED), ReceiptOutcome::Mismatched);
    assert_eq!(smsc.says_from(b"628120000002", "a", MessageState::UNDELIVERABLE), ReceiptOutcome::Matched);
    assert_eq!(smsc.reported, [(2, Delivery::Undelivered)]);
}

#[test]
fn d1a_national_forms_and_swapped_addresses_fit_and_what_is_no_phone_leaves_it_to_the_id() {
    let ours = b"1234567890";
    let stranger: &[u8] = b"628120000002";
    for (source, destination, outcome) in [
        (HANDSET, &ours[..], ReceiptOutcome::Matched),
        (b"+628120000001", b"+1234567890", ReceiptOutcome::Matched),
        (b"08120000001", ours, ReceiptOutcome::Matched),
        (b"0000001", ours, ReceiptOutcome::Matched),
        (ours, HANDSET, ReceiptOutcome::Matched),
        (stranger, HANDSET, ReceiptOutcome::Matched),
        (b"BANKCONTOH", b"", ReceiptOutcome::Matched),
        (b"99888", ours, ReceiptOutcome::Matched),
        (ours, ours, ReceiptOutcome::Matched),
        (stranger, ours, ReceiptOutcome::Mismatched),
        (ours, stranger, ReceiptOutcome::Mismatched),
        (b"628130000001", ours, ReceiptOutcome::Mismatched),
        (b"628125000001", ours, ReceiptOutcome::Mismatched),
        (b"BANKCONTOH", stranger, ReceiptOutcome::Mismatched),
    ] {
        let mut smsc = Smsc::new(MessageIdForm::Exact);
        smsc.accepts("a", 1);
        let receipt = Receipt { id: b"a", state: Some(MessageState::DELIVERED), ..Receipt::default() };
        let handset = Handset::of([source, destination], ours);
        let found = smsc.says_at(0, &Incoming { receipt: &receipt, handset, reference: None });
        assert_eq!(found, outcome, "{source:?} to {destination:?}");
    }
}

#[test]
fn d1a_more_than_half_of_a_hundred_of_other_handsets_are_told_once() {
    let mut receipts = Receipts::new(MessageIdForm::Exact, 100, AGE_MAX);
    let mut told = |mismatched: u32| {
        let outcome =
            |number| if number < mismatched { ReceiptOutcome::Mismatched } else { ReceiptOutcome::Matched };
        (0..SAMPLE).filter(|number| receipts.mismatches_prevail(outcome(*number))).count()
    };
    assert_eq!([told(50), told(51), told(100), told(50), told(51)], [0, 1, 0, 0, 1]);
}
