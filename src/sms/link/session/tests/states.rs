//! From bind to unbind, and every other end.

use smpp::pdu::SubmitSm;
use smpp::tlv::{Tag, TlvBuffer};

use super::*;
use crate::sms::link::settings::{InterfaceVersion, Mode};

#[test]
fn l10_a_generic_nack_without_a_sequence_fails_nothing() {
    let mut esme = Esme::bound(|_| {});
    esme.send(1);
    let sequence = esme.submits()[0].0;
    esme.hear(3, 0, Body::GenericNack);
    esme.hear(3, 999_999, Body::GenericNack);
    assert_eq!(esme.reported(), []);
    esme.accept(sequence, b"x");
    assert_eq!(esme.reported(), [(1, Delivery::Accepted)]);
}

#[test]
fn l5_enquire_link_is_answered_before_the_bind_and_with_a_full_window() {
    let mut esme = Esme::with(|config| config.window = 1, 10, None);
    esme.hear(0, 900, Body::EnquireLink);
    let seen = esme.seen();
    assert_eq!(
        seen.last().map(|seen| (seen.command, seen.sequence)),
        Some((CommandId::ENQUIRE_LINK_RESP, 900))
    );
    esme.hear(0, seen[0].sequence, Body::BindTransceiverResp(BindResp::default()));
    esme.send(1);
    esme.send(2);
    esme.seen();
    esme.hear(0, 901, Body::EnquireLink);
    assert_eq!(esme.seen()[0].command, CommandId::ENQUIRE_LINK_RESP);
}

#[test]
fn a_deliver_sm_before_the_bind_is_refused() {
    let mut esme = Esme::with(|_| {}, 10, None);
    esme.seen();
    esme.hear(0, 5, Body::DeliverSm(DeliverSm::default()));
    assert_eq!(esme.seen()[0].status, CommandStatus::ESME_RINVBNDSTS.0);
}

#[test]
fn l4_a_silent_smsc_is_asked_whatever_the_window_and_then_given_up() {
    let mut esme = Esme::bound(|config| config.window = 1);
    esme.send(1);
    esme.send(2);
    assert_eq!(esme.submits().len(), 1);
    esme.pass(Duration::from_secs(29));
    esme.submits();
    // Any PDU is a sign of life.
    esme.hear(0, 0, Body::GenericNack);
    esme.pass(Duration::from_secs(29));
    assert_eq!(esme.seen(), []);
    esme.pass(SECOND);
    let asked = esme.seen();
    assert_eq!((asked.len(), asked[0].command), (1, CommandId::ENQUIRE_LINK));
    esme.pass(Duration::from_millis(9_999));
    esme.seen();
    assert_eq!(esme.session.over(), None);
    esme.pass(Duration::from_millis(1));
    esme.seen();
    assert_eq!(esme.session.over(), Some(End::Silent));
}

#[test]
fn l5_an_answer_to_enquire_link_keeps_the_link() {
    let mut esme = Esme::bound(|_| {});
    for _ in 0..5 {
        esme.pass(Duration::from_secs(30));
        let asked = esme.seen();
        assert_eq!((asked.len(), asked[0].command), (1, CommandId::ENQUIRE_LINK));
        esme.hear(0, asked[0].sequence, Body::EnquireLinkResp);
        esme.pass(Duration::from_secs(10));
        assert_eq!((esme.seen(), esme.session.over()), (vec![], None));
        esme.hear(0, 0, Body::GenericNack);
    }
}

#[test]
fn l4_a_peer_that_does_not_read_is_given_up_and_stops_our_reading() {
    let mut esme = Esme::bound(|_| {});
    assert!(esme.session.wants_input());
    while esme.session.wants_input() {
        esme.hear(0, 5, Body::EnquireLink);
    }
    assert!(esme.session.output.pending().len() <= PENDING_BYTES_MAX + 16);
    esme.pass(Duration::from_secs(10));
    esme.step(0);
    assert_eq!(esme.session.over(), Some(End::Stalled));
}

#[test]
fn l1_and_l3_a_bind_that_is_refused_or_unanswered_ends_the_session() {
    for (status, credentials) in [(0x0E, true), (0x0F, true), (0x0D, false), (0x05, false), (0x08, false)] {
        let mut esme = Esme::with(|_| {}, 10, None);
        let sequence = esme.seen()[0].sequence;
        esme.hear(status, sequence, Body::BindTransceiverResp(BindResp::default()));
        let end = esme.session.over().unwrap();
        assert_eq!((end, end.is_permanent()), (End::Refused(CommandStatus(status)), credentials));
    }
    let mut esme = Esme::with(|_| {}, 10, None);
    let sequence = esme.seen()[0].sequence;
    esme.hear(3, sequence, Body::GenericNack);
    assert_eq!(esme.session.over(), Some(End::Refused(CommandStatus(3))));

    let mut esme = Esme::with(|_| {}, 10, None);
    esme.seen();
    esme.pass(Duration::from_secs(5));
    esme.seen();
    assert_eq!(esme.session.over(), Some(End::BindTimeout));
}

#[test]
fn l2_a_bind_response_may_be_a_header_only() {
    let mut esme = Esme::with(|_| {}, 10, None);
    let sequence = esme.seen()[0].sequence;
    let mut header = vec![0, 0, 0, 16, 0x80, 0, 0, 9, 0, 0, 0, 0];
    header.extend_from_slice(&sequence.to_be_bytes());
    esme.hear_frame(&header);
    assert!(esme.is_bound());
}

#[test]
fn l2_a_bind_response_with_another_number_does_not_bind() {
    let mut esme = Esme::with(|_| {}, 10, None);
    let sequence = esme.seen()[0].sequence;
    esme.hear(0, sequence + 1, Body::BindTransceiverResp(BindResp::default()));
    esme.hear(0, sequence, Body::BindReceiverResp(BindResp::default()));
    assert!(!esme.is_bound() && esme.session.over().is_none());
}

#[test]
fn l6_an_unbind_is_answered_and_stops_submits_until_answers_have_come() {
    let mut esme = Esme::bound(|config| config.window = 1);
    esme.send(1);
    esme.send(2);
    let sequence = esme.submits()[0].0;
    esme.hear(0, 800, Body::Unbind);
    let seen = esme.seen();
    assert_eq!((seen.len(), seen[0].command, seen[0].sequence), (1, CommandId::UNBIND_RESP, 800));
    assert!(!esme.is_bound() && esme.session.over().is_none());
    esme.accept(sequence, b"x");
    assert_eq!(esme.submits(), []);
    assert_eq!(esme.session.over(), Some(End::Unbound));
    assert_eq!(esme.end(), (vec![2], vec![(1, Delivery::Accepted)]));
}

#[test]
fn l6_after_an_unbind_answers_are_waited_for_no_longer_than_for_any_answer() {
    let mut esme = Esme::bound(|_| {});
    esme.send(1);
    esme.submits();
    esme.pass(SECOND);
    esme.hear(0, 800, Body::Unbind);
    esme.pass(Duration::from_secs(10));
    esme.seen();
    assert_eq!(esme.session.over(), Some(End::Unbound));
    assert_eq!(esme.end(), (vec![], vec![(1, Delivery::Unknown)]));
}

#[test]
fn l6_told_to_stop_it_sends_what_is_queued_unbinds_and_answers_until_the_end() {
    let mut esme = Esme::bound(|config| config.window = 1);
    esme.send(1);
    esme.send(2);
    let first = esme.submits()[0].0;
    esme.routes.close();
    let until = esme.now().plus(Duration::from_secs(10));
    esme.session.shut_down(until);
    esme.accept(first, b"id-1");
    let second = esme.submits()[0].0;
    assert!(esme.outbox.reserve(phone(1)).is_err());
    esme.accept(second, b"id-2");
    let seen = esme.seen();
    assert_eq!((seen.len(), seen[0].command), (1, CommandId::UNBIND));
    assert_eq!(esme.receipt("id:id-2 stat:DELIVRD"), 0);
    assert_eq!(esme.session.over(), None);
    esme.hear(0, seen[0].sequence, Body::UnbindResp);
    assert_eq!(esme.session.over(), Some(End::ShutDown));
    assert_eq!(esme.reported(), [(1, Delivery::Accepted), (2, Delivery::Accepted), (2, Delivery::Delivered)]);
}

#[test]
fn draining_ends_at_its_time_with_the_rest_unsent() {
    let mut esme = Esme::bound(|config| config.window = 1);
    (1..=3).for_each(|number| esme.send(number));
    esme.submits();
    esme.routes.close();
    esme.session.shut_down(esme.now().plus(Duration::from_secs(3)));
    esme.pass(Duration::from_secs(3));
    let seen = esme.seen();
    assert_eq!((seen.len(), seen[0].command), (1, CommandId::UNBIND));
    esme.pass(Duration::from_secs(10));
    esme.seen();
    assert_eq!(esme.session.over(), Some(End::ShutDown), "without an unbind_resp too");
    assert_eq!(esme.end(), (vec![2, 3], vec![(1, Delivery::Unknown)]));
}

#[test]
fn draining_waits_for_the_answers_to_what_was_sent() {
    let mut esme = Esme::bound(|_| {});
    esme.send(1);
    esme.routes.close();
    esme.session.shut_down(esme.now().plus(Duration::from_secs(3)));
    let sequence = esme.submits()[0].0;
    esme.pass(Duration::from_millis(2_999));
    assert_eq!(esme.seen(), []);
    esme.accept(sequence, b"x");
    let seen = esme.seen();
    assert_eq!((seen.len(), seen[0].command), (1, CommandId::UNBIND));
}

#[test]
fn shutting_down_before_the_bind_it_binds_only_if_something_is_queued() {
    let mut esme = Esme::with(|_| {}, 10, None);
    esme.seen();
    esme.routes.close();
    esme.session.shut_down(esme.now().plus(Duration::from_secs(10)));
    esme.seen();
    assert_eq!(esme.session.over(), Some(End::ShutDown));

    let mut esme = Esme::with(|_| {}, 10, None);
    esme.send(1);
    let sequence = esme.seen()[0].sequence;
    esme.routes.close();
    esme.session.shut_down(esme.now().plus(Duration::from_secs(3)));
    esme.seen();
    esme.hear(0, sequence, Body::BindTransceiverResp(BindResp::default()));
    assert_eq!(esme.submits().len(), 1);

    let mut esme = Esme::with(|_| {}, 10, None);
    esme.send(1);
    esme.seen();
    esme.routes.close();
    esme.session.shut_down(esme.now().plus(Duration::from_secs(3)));
    esme.pass(Duration::from_secs(3));
    esme.seen();
    assert_eq!(esme.session.over(), Some(End::ShutDown));
}

#[test]
fn l9_an_unknown_command_gets_generic_nack_and_a_malformed_body_its_error() {
    let mut esme = Esme::bound(|_| {});
    esme.hear_frame(&[0, 0, 0, 16, 0, 0, 1, 4, 0, 0, 0, 0, 0, 0, 0, 42]);
    let seen = esme.seen();
    assert_eq!((seen[0].command, seen[0].status, seen[0].sequence), (CommandId::GENERIC_NACK, 3, 42));
    esme.hear_frame(&[0, 0, 0, 18, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 43, 0, 1]);
    let seen = esme.seen();
    assert_eq!((seen[0].command, seen[0].sequence), (CommandId::DELIVER_SM_RESP, 43));
    assert_ne!(seen[0].status, 0);
    esme.hear_frame(&[0, 0, 0, 16, 0x80, 0, 1, 4, 0, 0, 0, 0, 0, 0, 0, 44]);
    assert_eq!(esme.seen(), [], "a response is never answered");
    esme.hear(0, 45, Body::SubmitSm(SubmitSm::default()));
    assert_eq!(esme.seen()[0].command, CommandId::GENERIC_NACK);
    assert!(esme.is_bound());
}

#[test]
fn l2_whatever_version_the_smsc_states_and_whatever_follows_at_once_the_session_is_bound() {
    for version in [None, Some(0x33), Some(0x34), Some(0x50)] {
        let mut esme = Esme::with(|_| {}, 10, None);
        let sequence = esme.seen()[0].sequence;
        let mut tlvs = TlvBuffer::new();
        if let Some(version) = version {
            tlvs.push_u8(Tag::SC_INTERFACE_VERSION, version);
        }
        let resp = BindResp { system_id: b"smsc", tlvs: tlvs.as_tlvs() };
        esme.hear(0, sequence, Body::BindTransceiverResp(resp));
        // Before anything is written.
        esme.hear(0, 5, Body::DeliverSm(DeliverSm::default()));
        let seen = esme.seen();
        assert_eq!((seen[0].command, seen[0].status), (CommandId::DELIVER_SM_RESP, 0), "{version:?}");
    }
}

#[test]
fn a_bind_states_role_version_and_type() {
    for (role, version, command, number) in [
        (Role::Transceiver, InterfaceVersion::V50, CommandId::BIND_TRANSCEIVER, 0x50),
        (Role::Transmitter, InterfaceVersion::V33, CommandId::BIND_TRANSMITTER, 0x33),
        (Role::Receiver, InterfaceVersion::V34, CommandId::BIND_RECEIVER, 0x34),
    ] {
        let change = |config: &mut Settings| {
            (config.interface_version, config.system_type) = (version, "OTP".into());
            config.mode = Mode::TransmitterReceiver;
        };
        let mut esme = Esme::with(change, 10, None);
        esme.parts.role = role;
        esme.session = esme.session_of(0).0;
        let bytes = esme.step(usize::MAX);
        let pdu = codec::decode(&bytes).unwrap().pdu;
        assert_eq!(pdu.body.command_id(), command);
        let (Body::BindTransceiver(bind) | Body::BindTransmitter(bind) | Body::BindReceiver(bind)) = pdu.body
        else {
            panic!("a bind")
        };
        assert_eq!((bind.interface_version, bind.system_type), (number, &b"OTP"[..]));
        let response = match role {
            Role::Transceiver => Body::BindTransceiverResp(BindResp::default()),
            Role::Transmitter => Body::BindTransmitterResp(BindResp::default()),
            Role::Receiver => Body::BindReceiverResp(BindResp::default()),
        };
        esme.hear(0, pdu.sequence.0, response);
        assert_eq!((esme.is_bound(), esme.session.sends()), (true, role != Role::Receiver));
    }
}

#[test]
fn a_receiver_takes_no_items_and_answers_what_comes() {
    let mut esme = Esme::with(|_| {}, 10, None);
    esme.parts.role = Role::Receiver;
    esme.session = esme.session_of(0).0;
    let sequence = esme.seen()[0].sequence;
    esme.hear(0, sequence, Body::BindReceiverResp(BindResp::default()));
    esme.send(1);
    assert_eq!(esme.seen(), []);
    assert_eq!(esme.receipt("id:nobody stat:DELIVRD"), 0);
    esme.pass(30 * SECOND);
    assert_eq!(esme.seen()[0].command, CommandId::ENQUIRE_LINK);
}

#[test]
fn l10_a_generic_nack_with_a_sequence_fails_that_request_alone() {
    let mut esme = Esme::bound(|_| {});
    (1..=2).for_each(|number| esme.send(number));
    let submits = esme.submits();
    esme.hear(3, submits[0].0, Body::GenericNack);
    assert_eq!(esme.reported(), [(1, Delivery::Rejected)]);
    esme.accept(submits[1].0, b"x");
    assert_eq!(esme.reported(), [(2, Delivery::Accepted)]);
}
