//! What a submit says, what it must not show, and when there is none.

use std::sync::{Mutex, Once};

use smpp::pdu::{DataCoding, Npi, Ton};
use smpp::tlv::Tag;

use super::*;
use crate::metrics::Unsent;
use crate::sms::link::session::sending::GATHER;
use crate::sms::link::settings::{Sender, ValidityForm};

#[test]
fn a_submit_is_as_operators_want_it() {
    let mut esme = Esme::bound(|config| config.sender = Sender::parse("+628120000001").unwrap());
    esme.send(7);
    let bytes = esme.step(usize::MAX);
    let Body::SubmitSm(submit) = codec::decode(&bytes).unwrap().pdu.body else { panic!("a submit_sm") };
    let international = |digits: &'static [u8]| Address::international(digits);
    assert_eq!(submit.destination, international(b"628120000007"));
    assert_eq!(submit.source, international(b"628120000001"));
    assert_eq!((submit.registered_delivery, submit.data_coding.0, submit.esm_class.0), (1, 0, 0));
    assert_eq!(submit.validity_period, b"000000000300000R");
    assert_eq!(submit.short_message[..24], *b"Bank Contoh: code 482913");
    assert_eq!(submit.short_message[submit.short_message.len() - 11..], *b"#4829130567");
}

#[test]
fn receipts_are_asked_for_only_if_wanted() {
    let mut esme = Esme::bound(|config| config.registered_delivery = 0);
    esme.send(7);
    let bytes = esme.step(usize::MAX);
    let Body::SubmitSm(submit) = codec::decode(&bytes).unwrap().pdu.body else { panic!("a submit_sm") };
    assert_eq!(submit.registered_delivery, 0);
}

#[test]
fn a_dead_code_is_dropped_and_reported() {
    let asked = leak(Mutex::new(0));
    let release = |_: &Item| {
        *asked.lock().unwrap() += 1;
        None
    };
    let mut esme = Esme::with(|_| {}, 10, Some(Box::new(release)));
    esme.bind();
    esme.send(1);
    assert_eq!(esme.submits(), []);
    assert_eq!(esme.reported(), [(1, Delivery::Dropped)]);
    assert_eq!((*asked.lock().unwrap(), esme.metrics.sms.unsent.of(Unsent::Ended).get()), (1, 1));
}

#[test]
fn s10_abuse_49_the_validity_is_never_more_than_what_is_left_and_ten_seconds_at_the_least() {
    for (left_millis, validity) in [
        (180_000, Some("000000000300000R")),
        (179_999, Some("000000000259000R")),
        (60_999, Some("000000000100000R")),
        (10_000, Some("000000000010000R")),
        (9_999, None),
        (0, None),
    ] {
        let left = Duration::from_millis(left_millis);
        let release = move |_: &Item| Some((Code::parse(CODE).unwrap(), left));
        let mut esme = Esme::with(|_| {}, 10, Some(Box::new(release)));
        esme.bind();
        esme.send(1);
        let seen = esme.seen();
        assert_eq!(seen.first().map(|seen| seen.validity.as_str()), validity, "{left_millis} ms");
    }
}

#[test]
fn a_code_is_released_only_when_it_is_about_to_be_written() {
    let released = leak(Mutex::new(0));
    let release = |_: &Item| {
        *released.lock().unwrap() += 1;
        Some((Code::parse(CODE).unwrap(), TTL))
    };
    let mut esme = Esme::with(|config| config.window = 1, 10, Some(Box::new(release)));
    esme.send(1);
    esme.send(2);
    esme.bind();
    assert_eq!(*released.lock().unwrap(), 0);
    esme.step(10);
    assert_eq!(*released.lock().unwrap(), 1);
    esme.step(10);
    assert_eq!(*released.lock().unwrap(), 1, "the window is full, and bytes are pending");
}

#[test]
fn l11_sequence_numbers_wrap_and_skip_those_in_flight() {
    let mut esme = Esme::bound(|_| {});
    esme.send(1);
    let first = esme.submits()[0].0;
    esme.session.sending.next_sequence = SequenceNumber(SequenceNumber::LAST.0 - 1);
    (2..=4).for_each(|number| esme.send(number));
    esme.pass(GATHER);
    let sequences: Vec<u32> = esme.submits().iter().map(|submit| submit.0).collect();
    assert_eq!(first, 2, "1 was the bind");
    assert_eq!(sequences, [0x7FFF_FFFE, 0x7FFF_FFFF, 1]);
    esme.send(5);
    esme.pass(GATHER);
    assert_eq!(esme.submits()[0].0, 3);
}

#[test]
fn abuse_35_the_text_with_its_code_is_wiped_once_it_is_encoded() {
    let mut esme = Esme::bound(|_| {});
    esme.send(1);
    esme.step(0);
    assert!(esme.session.sending.is_wiped());
    assert!(esme.session.output.pending().windows(CODE.len()).any(|bytes| bytes == CODE.as_bytes()));
    esme.step(usize::MAX);
    assert!(esme.session.output.pending().is_empty());
}

thread_local! {
    /// What this thread logs, while a test collects it.
    static LOG: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

struct ToThread;

impl io::Write for ToThread {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.iter_mut().for_each(|log| log.extend_from_slice(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is logged by `act`, whatever other tests' threads log meanwhile.
// One subscriber for the process: with one for only this thread, a callsite that another thread reaches
// first would be cached as disabled.
fn logged(act: impl FnOnce()) -> String {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let subscriber =
            tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(|| ToThread).finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
        tracing::callsite::rebuild_interest_cache();
    });
    LOG.set(Some(Vec::new()));
    act();
    String::from_utf8(LOG.take().unwrap()).unwrap()
}

#[test]
fn abuse_36_no_log_shows_a_code_a_text_or_a_whole_number() {
    let log = logged(|| {
        let mut esme = Esme::bound(|config| config.window = 4);
        (1..=6).for_each(|number| esme.send(number));
        let submits = esme.submits();
        esme.accept(submits[0].0, b"id-1");
        esme.refuse(submits[1].0, CommandStatus::ESME_RINVDSTADR);
        esme.refuse(submits[2].0, CommandStatus::ESME_RTHROTTLED);
        esme.receipt(&format!("id:id-1 stat:DELIVRD text:Bank code {CODE} 628120000001"));
        esme.receipt(&format!("id:{CODE} stat:628120000001"));
        let mut malformed = vec![0, 0, 0, 40, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 43];
        malformed.extend_from_slice(b"628120000001 4829130567 ");
        esme.hear_frame(&malformed);
        malformed[6] = 1;
        esme.hear_frame(&malformed);
        esme.seen();
        esme.pass(Duration::from_secs(300));
        esme.seen();
        esme.end();
    });
    for logged in ["submit rejected", "malformed PDU", "no answer in time", "not sent"] {
        assert!(log.contains(logged), "{logged:?} is missing from\n{log}");
    }
    for secret in [CODE, "62812000", "Bank Contoh", "secret08"] {
        assert!(!log.contains(secret), "{secret:?} is in\n{log}");
    }
}

#[test]
fn s10_validity_is_a_period_a_point_in_time_or_none() {
    for (form, expected) in [
        (ValidityForm::Relative, &b"000000000300000R"[..]),
        // 2026-11-22 09:15:00 UTC and three minutes.
        (ValidityForm::Absolute, b"261122091800000+"),
        (ValidityForm::None, b""),
    ] {
        let mut esme = Esme::bound(|config| config.validity = form);
        esme.send(1);
        let bytes = esme.step(usize::MAX);
        let Body::SubmitSm(submit) = codec::decode(&bytes).unwrap().pdu.body else { panic!("a submit_sm") };
        assert_eq!(submit.validity_period, expected, "{form:?}");
    }
}

#[test]
fn s12_what_the_smsc_wants_in_a_submit_is_in_it() {
    let mut esme = Esme::bound(|config| {
        config.sender = Sender::parse("3355").unwrap();
        (config.source_ton, config.source_npi) = (Some(Ton(6)), Some(Npi(8)));
        (config.destination_ton, config.destination_npi) = (Ton(0), Npi(1));
        config.service_type = "OTP".into();
        (config.esm_class, config.protocol_id, config.priority_flag) = (EsmClass(3), 64, 2);
        (config.registered_delivery, config.data_coding) = (17, DataCoding(0xF1));
    });
    esme.send(7);
    let bytes = esme.step(usize::MAX);
    let Body::SubmitSm(submit) = codec::decode(&bytes).unwrap().pdu.body else { panic!("a submit_sm") };
    assert_eq!((submit.source.ton.0, submit.source.npi.0, submit.source.digits), (6, 8, &b"3355"[..]));
    let destination = submit.destination;
    assert_eq!((destination.ton.0, destination.npi.0, destination.digits), (0, 1, &b"628120000007"[..]));
    assert_eq!((submit.service_type, submit.esm_class.0), (&b"OTP"[..], 3));
    assert_eq!((submit.protocol_id, submit.priority_flag, submit.registered_delivery), (64, 2, 17));
    assert_eq!((submit.data_coding.0, submit.tlvs.is_empty()), (0xF1, true));
}

#[test]
fn s4_each_send_carries_its_challenge_and_ordinal_where_it_is_asked_for() {
    let mut esme = Esme::bound(|config| config.mark_tlv = Some(Tag(0x1400)));
    let mut resent = item(7, START.plus(TTL));
    resent.ordinal = 2;
    esme.outbox.reserve(resent.phone).unwrap().put(resent);
    let bytes = esme.step(usize::MAX);
    let Body::SubmitSm(submit) = codec::decode(&bytes).unwrap().pdu.body else { panic!("a submit_sm") };
    let mut mark = [0; 17];
    (mark[15], mark[16]) = (7, 2);
    assert_eq!(submit.tlvs.find(Tag(0x1400)).unwrap().value, mark);
}

#[test]
fn what_a_peer_can_bring_about_as_fast_as_it_sends_is_not_logged_each_time() {
    let log = logged(|| {
        let mut esme = Esme::bound(|config| config.window = 1_000);
        (0..200).for_each(|number| esme.send(number));
        for (sequence, _) in esme.submits() {
            esme.refuse(sequence, CommandStatus::ESME_RINVDSTADR);
            esme.hear_frame(&[0, 0, 0, 18, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 43, 0, 1]);
        }
    });
    let warnings = |of: &str| log.lines().filter(|line| line.contains("WARN") && line.contains(of)).count();
    assert_eq!((warnings("malformed PDU"), warnings("submit rejected")), (1, 1));
}
