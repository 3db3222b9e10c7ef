use std::rc::Rc;
use std::sync::{Arc, Mutex, Once};

use smpp::frame;
use smpp::pdu::{Address, BindResp, CommandId, DataSm, DeliverSm, EsmClass, SubmitSm};
use smpp::tlv::{Tag, TlvBuffer, Tlvs};

use super::super::later::RETRY_PAUSE;
use super::*;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::sms::link::settings::{Config, InterfaceVersion, Mode, ValidityForm};
use crate::sms::outbox::tests::{item, phone};
use crate::sms::outbox::{Outbox, outbox};
use crate::sms::receipts::MessageIdForm;
use crate::sms::routes::prefixes::Prefixes;
use crate::sms::routes::{Routes, Table};

const START: Timestamp = Timestamp::from_unix_millis(1_795_338_900_000);
const TTL: Duration = Duration::from_secs(180);
const CODE: &str = "4829130567";
const SECOND: Duration = Duration::from_secs(1);

type Release = Box<dyn Fn(&Item) -> Option<(Code, Duration)>>;

/// What the peer sees of a PDU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sms::link) struct Seen {
    pub(in crate::sms::link) command: CommandId,
    pub(in crate::sms::link) sequence: u32,
    status: u32,
    /// The last digits of a submit's destination.
    pub(in crate::sms::link) number: u8,
    validity: String,
}

/// A session, the only link of its SMSC, a queue before it, and a peer that reads everything at once unless
/// told otherwise.
struct Esme {
    session: Session<'static, Release>,
    outbox: Outbox,
    routes: Rc<Routes>,
    lane: &'static Lane,
    parts: Parts,
    reports: mpsc::Receiver<DeliveryReport>,
    metrics: &'static Arc<Metrics>,
    clock: Clock,
}

/// What the sessions with one SMSC share.
#[derive(Clone, Copy)]
struct Parts {
    settings: &'static Settings,
    role: Role,
    receipts: &'static RefCell<Receipts>,
    next_reference: &'static Cell<u16>,
    release: &'static Release,
    reports: &'static mpsc::Sender<DeliveryReport>,
    metrics: &'static SmsMetrics,
}

impl Parts {
    fn session(self, lane: &'static Lane, now: Timestamp) -> Session<'static, Release> {
        let Self { settings, role, receipts, next_reference, release, reports, metrics } = self;
        let password = "secret08";
        let context =
            Context { settings, password, role, lane, receipts, next_reference, release, reports, metrics };
        Session::new(context, now)
    }
}

/// Leaks what sessions borrow: a test's few kilobytes.
fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

impl Esme {
    fn with(change: impl FnOnce(&mut Config), reports_max: usize, release: Option<Release>) -> Self {
        let clock = Clock::manual(START);
        let metrics = Arc::new(Metrics::new());
        let (outbox, queue) = outbox(1_000, Prefixes::of_all(), clock.clone(), Arc::clone(&metrics));
        let metrics = leak(metrics);
        let (sender, reports) = mpsc::channel(reports_max);
        let mut config = Config::default();
        change(&mut config);
        let settings = Settings::new(&config, "secret08").unwrap();
        let from_item = {
            let clock = clock.clone();
            move |item: &Item| {
                let left = item.expires_at.since(clock.now());
                (!left.is_zero()).then(|| (Code::parse(CODE).unwrap(), left))
            }
        };
        let release = release.unwrap_or_else(|| Box::new(from_item));
        let receipts =
            Receipts::new(MessageIdForm::default(), config.receipts_max.min(100), config.receipts_age_max);
        let table = Table::new(&[], &["main"]).unwrap();
        let smsc = [(2, metrics.smsc("main"))];
        let routes = Routes::new(queue, table, smsc, clock.clone(), Arc::clone(metrics));
        let lane = leak(routes.lane(0));
        let parts = Parts {
            settings: leak(settings),
            role: Role::Transceiver,
            receipts: leak(RefCell::new(receipts)),
            next_reference: leak(Cell::new(u16::MAX)),
            release: leak(release),
            reports: leak(sender),
            metrics: &metrics.sms,
        };
        Self { session: parts.session(lane, START), outbox, routes, lane, parts, reports, metrics, clock }
    }

    /// A new session on one of the SMSC's two links.
    fn session_of(&self, link: usize) -> (Session<'static, Release>, &'static Lane) {
        let lane = leak(self.routes.lane(link));
        (self.parts.session(lane, self.now()), lane)
    }

    /// Bound, the bind's PDUs exchanged.
    fn bound(change: impl FnOnce(&mut Config)) -> Self {
        let mut esme = Self::with(change, 1_000, None);
        esme.bind();
        esme
    }

    fn bind(&mut self) {
        let bind = self.seen();
        assert_eq!((bind.len(), bind[0].command), (1, CommandId::BIND_TRANSCEIVER));
        self.hear(0, bind[0].sequence, Body::BindTransceiverResp(BindResp::default()));
        assert!(self.session.is_bound());
        let now = self.now();
        self.lane.set_bound(true, now);
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn send(&mut self, number: u8) {
        let expires_at = self.now().plus(TTL);
        self.outbox.reserve(phone(number)).unwrap().put(item(number, expires_at));
    }

    /// What the connection does between two waits, the kernel taking up to `bytes`.
    fn step(&mut self, bytes: usize) -> Vec<u8> {
        let now = self.now();
        if now >= self.session.due() {
            self.session.on_time(now);
        }
        self.lane.set_bound(self.session.sends(), now);
        let mut written = Vec::new();
        loop {
            if self.session.wants_items(now) {
                self.session.submit(now);
            }
            self.session.advance(self.lane.is_over(), now);
            let count = self.session.pending().len().min(bytes);
            written.extend_from_slice(&self.session.pending()[..count]);
            if count > 0 {
                self.session.wrote(count, now);
            }
            self.session.set_blocked(!self.session.pending().is_empty());
            if !self.session.wants_backlog(now) {
                self.session.advance(self.lane.is_over(), now);
                return written;
            }
        }
    }

    /// All that the session writes now.
    fn seen(&mut self) -> Vec<Seen> {
        let bytes = self.step(usize::MAX);
        let mut rest = &bytes[..];
        let mut seen = Vec::new();
        while let Some(frame) = frame::cut(rest, frame::COMMAND_LENGTH_MAX).unwrap() {
            rest = &rest[frame.len()..];
            seen.push(as_seen(frame));
        }
        assert!(rest.is_empty(), "whole PDUs");
        seen
    }

    /// The submits that the session writes now: sequence and number.
    fn submits(&mut self) -> Vec<(u32, u8)> {
        let is_submit = |seen: &Seen| seen.command == CommandId::SUBMIT_SM;
        self.seen().into_iter().filter(is_submit).map(|seen| (seen.sequence, seen.number)).collect()
    }

    fn hear(&mut self, status: u32, sequence: u32, body: Body<'_>) {
        let mut frame = Vec::new();
        let pdu = Pdu::response(CommandStatus(status), SequenceNumber(sequence), body);
        codec::encode(&pdu, &mut frame).unwrap();
        self.hear_frame(&frame);
    }

    fn hear_frame(&mut self, frame: &[u8]) {
        let now = self.now();
        self.session.on_frame(frame, now);
    }

    fn accept(&mut self, sequence: u32, message_id: &[u8]) {
        self.hear(0, sequence, Body::SubmitSmResp(SubmitSmResp { message_id, tlvs: Tlvs::NONE }));
    }

    /// As strict encoding does not let it be written.
    fn accept_raw(&mut self, sequence: u32, body: &[u8]) {
        let length = u32::try_from(16 + body.len()).unwrap();
        let header = [length, CommandId::SUBMIT_SM_RESP.0, 0, sequence].map(u32::to_be_bytes);
        self.hear_frame(&[header.as_flattened(), body].concat());
    }

    fn refuse(&mut self, sequence: u32, status: CommandStatus) {
        self.hear(status.0, sequence, Body::SubmitSmResp(SubmitSmResp::default()));
    }

    fn receipt(&mut self, text: &str) -> u32 {
        let message = DeliverSm {
            esm_class: EsmClass::RECEIPT,
            source: Address::international(b"628120000001"),
            short_message: text.as_bytes(),
            ..DeliverSm::default()
        };
        self.hear(0, 77, Body::DeliverSm(message));
        let answers = self.seen();
        assert_eq!((answers[0].command, answers[0].sequence), (CommandId::DELIVER_SM_RESP, 77));
        answers[0].status
    }

    fn reported(&mut self) -> Vec<(u8, Delivery)> {
        std::iter::from_fn(|| self.reports.try_recv().ok())
            .map(|report| (report.challenge.0[15], report.delivery))
            .collect()
    }

    fn pass(&self, duration: Duration) {
        self.clock.advance(duration);
    }

    /// Ends the session; what is queued then, in order.
    fn end(mut self) -> (Vec<u8>, Vec<(u8, Delivery)>) {
        self.session.end(self.clock.now());
        let (sender, mut dropped) = mpsc::channel(1_000);
        self.routes.drop_the_rest(&sender);
        let queued =
            std::iter::from_fn(|| dropped.try_recv().ok()).map(|report| report.challenge.0[15]).collect();
        let reported = std::iter::from_fn(|| self.reports.try_recv().ok())
            .map(|report| (report.challenge.0[15], report.delivery))
            .collect();
        (queued, reported)
    }
}

pub(in crate::sms::link) fn as_seen(frame: &[u8]) -> Seen {
    let pdu = codec::decode(frame).unwrap().pdu;
    let mut seen = Seen {
        command: pdu.body.command_id(),
        sequence: pdu.sequence.0,
        status: pdu.status.0,
        number: 0,
        validity: String::new(),
    };
    if let Body::SubmitSm(submit) = pdu.body {
        let digits = std::str::from_utf8(submit.destination.digits).unwrap();
        seen.number = digits.strip_prefix("628120000").unwrap().parse().unwrap();
        seen.validity = String::from_utf8(submit.validity_period.to_vec()).unwrap();
    }
    seen
}

#[test]
fn a_submit_is_as_operators_want_it() {
    let mut esme = Esme::bound(|config| config.sender = "+628120000001".into());
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
fn s1_the_window_is_never_exceeded_and_refills_as_answers_come() {
    let mut esme = Esme::bound(|config| config.window = 3);
    (1..=10).for_each(|number| esme.send(number));
    let first = esme.submits();
    assert_eq!(first.iter().map(|submit| submit.1).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(esme.submits(), []);
    // Out of order, and twice.
    esme.accept(first[1].0, b"a");
    esme.accept(first[1].0, b"a");
    assert_eq!(esme.submits().len(), 1, "at once: the window holds items back");
    esme.accept(first[0].0, b"b");
    esme.accept(first[2].0, b"c");
    assert_eq!(esme.submits().len(), 2);
    assert_eq!(esme.reported(), [2, 1, 3].map(|number| (number, Delivery::Accepted)));
    assert_eq!(esme.metrics.sms.anomalies.get(), 1);
}

#[test]
fn while_answers_are_outstanding_items_gather_for_a_moment() {
    let mut esme = Esme::bound(|_| {});
    esme.send(1);
    let first = esme.submits();
    assert_eq!(first.len(), 1, "nothing is outstanding: at once");
    (2..=4).for_each(|number| esme.send(number));
    assert_eq!(esme.submits(), []);
    esme.pass(GATHER);
    assert_eq!(esme.submits().len(), 3, "in one write");
    esme.send(5);
    assert_eq!(esme.submits(), []);
    for sequence in first[0].0..first[0].0 + 4 {
        esme.accept(sequence, b"x");
    }
    assert_eq!(esme.submits().len(), 1, "all is answered: at once");
}

#[test]
fn abuse_46_a_submit_without_an_answer_is_unknown_and_never_sent_again() {
    let mut esme = Esme::bound(|config| config.window = 1);
    esme.send(1);
    esme.send(2);
    assert_eq!(esme.submits().len(), 1);
    esme.pass(Duration::from_millis(9_999));
    assert_eq!(esme.submits(), []);
    esme.pass(Duration::from_millis(1));
    let submits = esme.submits();
    assert_eq!(submits.iter().map(|submit| submit.1).collect::<Vec<_>>(), [2], "its slot is free");
    assert_eq!(esme.reported(), [(1, Delivery::Unknown)]);
    assert_eq!(esme.metrics.sms.unknown.get(), 1);
    assert_eq!(esme.end(), (vec![], vec![(2, Delivery::Unknown)]));
}

#[test]
fn s1_a_late_answer_settles_what_was_in_doubt_and_frees_no_slot_twice() {
    let mut esme = Esme::bound(|config| config.window = 1);
    (1..=4).for_each(|number| esme.send(number));
    let first = esme.submits()[0].0;
    esme.pass(Duration::from_secs(10));
    let second = esme.submits()[0].0;
    esme.accept(first, b"id-1");
    assert_eq!(esme.submits(), [], "the window is still full");
    assert_eq!(esme.reported(), [(1, Delivery::Unknown), (1, Delivery::Accepted)]);
    assert_eq!(esme.receipt("id:id-1 stat:DELIVRD"), 0);
    assert_eq!(esme.reported(), [(1, Delivery::Delivered)]);
    esme.pass(Duration::from_secs(10));
    assert_eq!(esme.submits().len(), 1);
    esme.refuse(second, CommandStatus::ESME_RTHROTTLED);
    assert_eq!(esme.reported(), [(2, Delivery::Unknown), (2, Delivery::Rejected)]);
    esme.pass(RETRY_PAUSE);
    assert_eq!(esme.submits(), [], "what was reported as unknown is not sent again even so");
}

#[test]
fn what_was_written_in_full_when_the_link_died_is_unknown_and_the_rest_goes_back_in_order() {
    let mut esme = Esme::bound(|config| config.window = 5);
    (1..=7).for_each(|number| esme.send(number));
    let one = {
        esme.step(0);
        frame::cut(esme.session.pending(), frame::COMMAND_LENGTH_MAX).unwrap().unwrap().len()
    };
    // Two whole submits and a part of the third.
    assert_eq!(esme.step(2 * one + 5).len(), 2 * one + 5);
    assert_eq!(esme.metrics.sms.submitted.get(), 2);
    esme.session.lost(End::Closed);
    let (queued, mut reported) = esme.end();
    assert_eq!(queued, [3, 4, 5, 6, 7]);
    reported.sort_by_key(|report| report.0);
    assert_eq!(reported, [(1, Delivery::Unknown), (2, Delivery::Unknown)]);
}

#[test]
fn the_last_byte_decides() {
    for missing in [0, 1] {
        let mut esme = Esme::bound(|_| {});
        esme.send(1);
        esme.step(0);
        let length = esme.session.pending().len();
        esme.step(length - missing);
        let (queued, reported) = esme.end();
        assert_eq!((queued.len(), reported.len()), if missing == 0 { (0, 1) } else { (1, 0) });
    }
}

#[test]
fn s6_what_is_throttled_is_tried_again_after_a_pause_and_first() {
    for status in [CommandStatus::ESME_RTHROTTLED, CommandStatus(0x410)] {
        let mut esme = Esme::bound(|config| {
            config.window = 2;
            config.retry_statuses = vec![0x410];
        });
        (1..=3).for_each(|number| esme.send(number));
        let first = esme.submits();
        esme.refuse(first[0].0, status);
        assert_eq!(esme.submits(), [], "it keeps its place in the window");
        esme.accept(first[1].0, b"x");
        assert_eq!(esme.submits()[0].1, 3);
        esme.pass(RETRY_PAUSE);
        let again = esme.submits();
        assert_eq!((again.len(), again[0].1), (1, 1));
        assert_ne!(again[0].0, first[0].0);
        assert_eq!(esme.reported(), [(2, Delivery::Accepted)], "a refusal for now is no news");
        assert_eq!(esme.metrics.sms.throttled.get(), 1);
    }
}

#[test]
fn s6_a_throttled_link_slows_down_and_what_it_sends_too_late_is_dropped() {
    let mut esme = Esme::bound(|config| config.window = 2);
    (1..=3).for_each(|number| esme.send(number));
    let mut seen = Vec::new();
    while seen.len() < 3 {
        let submits = esme.submits();
        assert!(submits.len() <= 2);
        submits.iter().for_each(|submit| esme.refuse(submit.0, CommandStatus::ESME_RTHROTTLED));
        esme.pass(RETRY_PAUSE);
        seen.extend(esme.reported());
        assert!(esme.now().since(START) < TTL, "all are dropped before their time is over");
    }
    let submitted = esme.metrics.sms.submitted.get();
    assert!((150..=175).contains(&submitted), "about one a second: {submitted}");
    seen.sort_unstable_by_key(|report| report.0);
    assert_eq!(seen, [1, 2, 3].map(|number| (number, Delivery::Expired)));
}

#[test]
fn s6_while_a_recipient_s_queue_is_full_others_go_on_and_its_own_wait() {
    let mut esme = Esme::bound(|config| config.window = 1);
    esme.send(1);
    let first = esme.submits()[0];
    [2, 1].into_iter().for_each(|number| esme.send(number));
    esme.refuse(first.0, CommandStatus::ESME_RMSGQFUL);
    let second = esme.submits();
    assert_eq!(second[0].1, 2, "the window of one is not taken");
    esme.accept(second[0].0, b"x");
    // Twice as long each time, and the second to the same recipient waits behind the first.
    for pause in [1, 2, 4, 8, 16, 16] {
        assert_eq!(esme.submits(), []);
        esme.pass(Duration::from_millis(pause * 1_000 - 1));
        assert_eq!(esme.submits(), [], "after {pause} s");
        esme.pass(Duration::from_millis(1));
        let again = esme.submits();
        assert_eq!((again.len(), again[0].1), (1, 1), "after {pause} s");
        esme.refuse(again[0].0, CommandStatus::ESME_RMSGQFUL);
    }
    esme.pass(16 * SECOND);
    for id in [b"y", b"z"] {
        let sequence = esme.submits()[0].0;
        esme.accept(sequence, id);
    }
    assert_eq!(esme.reported(), [2, 1, 1].map(|number| (number, Delivery::Accepted)));
}

#[test]
fn s6_so_many_wait_for_their_recipients_and_then_the_window_shrinks() {
    let mut esme = Esme::bound(|config| config.window = 100);
    (0..200).for_each(|number| esme.send(number));
    let mut refused = 0;
    loop {
        let submits = esme.submits();
        if submits.is_empty() {
            break;
        }
        refused += submits.len();
        submits.iter().for_each(|submit| esme.refuse(submit.0, CommandStatus::ESME_RMSGQFUL));
    }
    assert_eq!(refused, 100 + 64, "as many as the window and the places aside hold");
}

#[test]
fn what_is_throttled_goes_back_to_the_queue_when_the_link_dies() {
    let mut esme = Esme::bound(|config| config.window = 2);
    (1..=3).for_each(|number| esme.send(number));
    for (sequence, _) in esme.submits() {
        esme.refuse(sequence, CommandStatus::ESME_RTHROTTLED);
    }
    assert_eq!(esme.end(), (vec![1, 2, 3], vec![]));
}

#[test]
fn what_is_due_again_leaves_together_with_an_enquire_link() {
    let mut esme = Esme::bound(|config| config.enquire_link_timer = RETRY_PAUSE);
    esme.send(1);
    let sequence = esme.submits()[0].0;
    esme.refuse(sequence, CommandStatus::ESME_RTHROTTLED);
    esme.pass(RETRY_PAUSE);
    let commands: Vec<_> = esme.seen().iter().map(|seen| seen.command).collect();
    assert_eq!(commands, [CommandId::ENQUIRE_LINK, CommandId::SUBMIT_SM]);
}

#[test]
fn a_batch_larger_than_the_buffer_leaves_as_a_whole() {
    let mut esme = Esme::bound(|config| config.window = 1_000);
    (0..1_000_u16).for_each(|number| esme.send(u8::try_from(number % 250).unwrap()));
    assert_eq!(esme.submits().len(), 1_000);
}

#[test]
fn other_refusals_are_final() {
    let mut esme = Esme::bound(|_| {});
    let finals = [0x0A, 0x0B, 0x33, 0x61, 0x62, 0xC4, 0x410, 0x4FF, 0xFFFF_FFFF];
    (0..=9).for_each(|number| esme.send(number));
    let submits = esme.submits();
    for (submit, status) in submits.iter().zip(finals) {
        esme.refuse(submit.0, CommandStatus(status));
    }
    esme.hear(3, submits[9].0, Body::GenericNack);
    assert_eq!(esme.reported(), (0..=9).map(|number| (number, Delivery::Rejected)).collect::<Vec<_>>());
    esme.pass(RETRY_PAUSE);
    assert_eq!(esme.submits(), []);
    assert_eq!(esme.metrics.sms.rejected.get(), 10);
}

#[test]
fn what_the_smsc_could_not_deal_with_goes_to_another_link_once_and_is_final_without_one() {
    for status in [0x08, 0x45, 0x64].map(CommandStatus) {
        let mut esme = Esme::bound(|_| {});
        esme.send(1);
        let alone = esme.submits()[0].0;
        esme.refuse(alone, status);
        assert_eq!(esme.reported(), [(1, Delivery::Rejected)]);

        let other = esme.routes.lane(1);
        other.set_bound(true, esme.now());
        esme.send(2);
        let sequence = esme.submits()[0].0;
        esme.refuse(sequence, status);
        assert_eq!((esme.submits(), esme.reported()), (vec![], vec![]), "not by this link");
        let outgoing = other.take(esme.now()).unwrap();
        assert_eq!((outgoing.item.challenge.0[15], outgoing.refused), (2, true));
        // As if it had been refused by the other.
        other.give_back(vec![outgoing], esme.now());
        other.set_bound(false, esme.now());
        let sequence = esme.submits()[0].0;
        esme.refuse(sequence, status);
        assert_eq!(esme.reported(), [(2, Delivery::Rejected)]);
        assert_eq!(esme.metrics.sms.rerouted.get(), 1);
    }
}

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
    assert_eq!((*asked.lock().unwrap(), esme.metrics.sms.dropped.get()), (1, 1));
}

#[test]
fn abuse_49_the_validity_is_never_more_than_what_is_left_and_ten_seconds_at_the_least() {
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
fn without_a_place_for_its_report_nothing_is_sent() {
    let mut esme = Esme::with(|_| {}, 2, None);
    esme.bind();
    (1..=3).for_each(|number| esme.send(number));
    let submits = esme.submits();
    assert_eq!(submits.len(), 2);
    assert!(esme.session.waits_for_reports());
    esme.accept(submits[0].0, b"a");
    assert_eq!(esme.reported(), [(1, Delivery::Accepted)]);
    esme.session.reports_have_room();
    esme.pass(GATHER);
    assert_eq!(esme.submits().len(), 1);
}

#[test]
fn receipts_tell_what_became_of_a_message() {
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
    assert_eq!((metrics.receipts_matched.get(), metrics.receipts_repeated.get()), (5, 4));
    assert_eq!((metrics.receipts_held.get(), metrics.receipts_unmatched.get()), (1, 1));
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
fn a_receipt_without_text_is_told_by_its_parameters() {
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
fn a_message_from_a_phone_is_answered_and_changes_nothing() {
    let mut esme = Esme::bound(|_| {});
    let message = DeliverSm { short_message: b"STOP id:1 stat:DELIVRD", ..DeliverSm::default() };
    esme.hear(0, 5, Body::DeliverSm(message));
    assert_eq!((esme.seen()[0].status, esme.reported()), (0, vec![]));
}

#[test]
fn with_the_reports_full_a_receipt_is_put_off_and_nothing_waits() {
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
    assert_eq!(esme.metrics.sms.receipts_deferred.get(), 1);
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
fn an_answer_to_enquire_link_keeps_the_link() {
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
    assert!(esme.session.pending().len() <= PENDING_BYTES_MAX + 16);
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
        assert_eq!((end, end.needs_people()), (End::Refused(CommandStatus(status)), credentials));
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
    assert!(esme.session.is_bound());
}

#[test]
fn a_bind_response_with_another_number_does_not_bind() {
    let mut esme = Esme::with(|_| {}, 10, None);
    let sequence = esme.seen()[0].sequence;
    esme.hear(0, sequence + 1, Body::BindTransceiverResp(BindResp::default()));
    esme.hear(0, sequence, Body::BindReceiverResp(BindResp::default()));
    assert!(!esme.session.is_bound() && esme.session.over().is_none());
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
    assert!(!esme.session.is_bound() && esme.session.over().is_none());
    esme.accept(sequence, b"x");
    assert_eq!(esme.submits(), []);
    assert_eq!(esme.session.over(), Some(End::Unbound));
    assert_eq!(esme.end(), (vec![2], vec![(1, Delivery::Accepted)]));
}

#[test]
fn after_an_unbind_answers_are_waited_for_no_longer_than_for_any_answer() {
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
    esme.session.stop(until);
    esme.accept(first, b"id-1");
    let second = esme.submits()[0].0;
    assert!(esme.outbox.reserve(phone(1)).is_err());
    esme.accept(second, b"id-2");
    let seen = esme.seen();
    assert_eq!((seen.len(), seen[0].command), (1, CommandId::UNBIND));
    assert_eq!(esme.receipt("id:id-2 stat:DELIVRD"), 0);
    assert_eq!(esme.session.over(), None);
    esme.hear(0, seen[0].sequence, Body::UnbindResp);
    assert_eq!(esme.session.over(), Some(End::Stopped));
    assert_eq!(esme.reported(), [(1, Delivery::Accepted), (2, Delivery::Accepted), (2, Delivery::Delivered)]);
}

#[test]
fn draining_ends_at_its_time_with_the_rest_unsent() {
    let mut esme = Esme::bound(|config| config.window = 1);
    (1..=3).for_each(|number| esme.send(number));
    esme.submits();
    esme.routes.close();
    esme.session.stop(esme.now().plus(Duration::from_secs(3)));
    esme.pass(Duration::from_secs(3));
    let seen = esme.seen();
    assert_eq!((seen.len(), seen[0].command), (1, CommandId::UNBIND));
    esme.pass(Duration::from_secs(10));
    esme.seen();
    assert_eq!(esme.session.over(), Some(End::Stopped), "without an unbind_resp too");
    assert_eq!(esme.end(), (vec![2, 3], vec![(1, Delivery::Unknown)]));
}

#[test]
fn told_to_stop_before_the_bind_it_binds_only_if_something_is_queued() {
    let mut esme = Esme::with(|_| {}, 10, None);
    esme.seen();
    esme.routes.close();
    esme.session.stop(esme.now().plus(Duration::from_secs(10)));
    esme.seen();
    assert_eq!(esme.session.over(), Some(End::Stopped));

    let mut esme = Esme::with(|_| {}, 10, None);
    esme.send(1);
    let sequence = esme.seen()[0].sequence;
    esme.routes.close();
    esme.session.stop(esme.now().plus(Duration::from_secs(3)));
    esme.seen();
    esme.hear(0, sequence, Body::BindTransceiverResp(BindResp::default()));
    assert_eq!(esme.submits().len(), 1);

    let mut esme = Esme::with(|_| {}, 10, None);
    esme.send(1);
    esme.seen();
    esme.routes.close();
    esme.session.stop(esme.now().plus(Duration::from_secs(3)));
    esme.pass(Duration::from_secs(3));
    esme.seen();
    assert_eq!(esme.session.over(), Some(End::Stopped));
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
    assert!(esme.session.is_bound());
}

#[test]
fn l11_sequence_numbers_wrap_and_skip_those_in_flight() {
    let mut esme = Esme::bound(|_| {});
    esme.send(1);
    let first = esme.submits()[0].0;
    esme.session.next_sequence = SequenceNumber(SequenceNumber::LAST.0 - 1);
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
    assert!(esme.session.composer.is_wiped());
    assert!(esme.session.pending().windows(CODE.len()).any(|octets| octets == CODE.as_bytes()));
    esme.step(usize::MAX);
    assert!(esme.session.pending().is_empty());
}

thread_local! {
    /// What this thread logs, while somebody wants to know.
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
// One subscriber for the process: with one for this thread alone, a callsite that another thread reaches
// first would be cached as heard by nobody.
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
        let change = |config: &mut Config| {
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
        assert_eq!((esme.session.is_bound(), esme.session.sends()), (true, role != Role::Receiver));
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

#[test]
fn s2_answers_out_of_order_twice_and_to_nothing_are_counted_and_harmless() {
    let mut esme = Esme::bound(|_| {});
    (1..=3).for_each(|number| esme.send(number));
    let submits = esme.submits();
    for (which, id) in [(2, b"c"), (0, b"a"), (2, b"c"), (1, b"b"), (0, b"a")] {
        esme.accept(submits[which].0, id);
    }
    esme.refuse(submits[1].0, CommandStatus::ESME_RTHROTTLED);
    esme.accept(0x7FFF_0000, b"z");
    assert_eq!(esme.reported(), [3, 1, 2].map(|number| (number, Delivery::Accepted)));
    assert_eq!(esme.metrics.sms.anomalies.get(), 4);
    esme.pass(RETRY_PAUSE);
    assert_eq!((esme.submits(), esme.session.is_bound()), (vec![], true));
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
        config.sender = "3355".into();
        (config.source_ton, config.source_npi) = (Some(6), Some(8));
        (config.destination_ton, config.destination_npi) = (0, 1);
        config.service_type = "OTP".into();
        (config.esm_class, config.protocol_id, config.priority_flag) = (3, 64, 2);
        (config.registered_delivery, config.data_coding) = (17, 0xF1);
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
    let mut esme = Esme::bound(|config| config.mark_tlv = 0x1400);
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
fn s6_a_link_keeps_its_rate_and_looks_again_when_the_next_may_go() {
    let mut esme = Esme::bound(|config| config.rate = 10);
    (1..=20).for_each(|number| esme.send(number));
    let mut count = 0;
    while count < 20 {
        let submits = esme.submits();
        count += submits.len();
        assert!(submits.len() <= 1);
        submits.iter().for_each(|submit| esme.accept(submit.0, b"x"));
        let (now, wake_at) = (esme.now(), esme.session.wake_at(esme.now()));
        assert!(wake_at > now && wake_at.since(now) <= Duration::from_millis(100));
        esme.pass(wake_at.since(now));
    }
    let seconds = esme.now().since(START).as_secs_f64();
    assert!((1.9..=2.1).contains(&seconds), "20 at 10 a second took {seconds} s");
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

/// Two links of one SMSC, which does as `draw` has it.
struct Pair {
    esme: Esme,
    /// The session that `esme` does not hold, and the lane of its link.
    other: (Session<'static, Release>, &'static Lane),
    /// Which link `esme` holds.
    link: usize,
    /// What the SMSC has read, of each link, beyond the last whole PDU.
    streams: [Vec<u8>; 2],
    /// What waits for its answer: link, sequence and number.
    open: Vec<(usize, u32, u8)>,
    /// What may not be seen any more.
    settled: [bool; 256],
    outcomes: Vec<(u8, Delivery)>,
    sent: Vec<u8>,
}

impl Pair {
    fn new(window: usize) -> Self {
        let mut esme = Esme::bound(|config| config.window = window);
        let other = esme.session_of(1);
        let mut pair = Self {
            link: 1,
            other: (
                std::mem::replace(&mut esme.session, other.0),
                std::mem::replace(&mut esme.lane, other.1),
            ),
            esme,
            streams: Default::default(),
            open: Vec::new(),
            settled: [false; 256],
            outcomes: Vec::new(),
            sent: Vec::new(),
        };
        pair.esme.bind();
        pair
    }

    fn turn_to(&mut self, link: usize) {
        if link != self.link {
            self.link = link;
            std::mem::swap(&mut self.esme.session, &mut self.other.0);
            std::mem::swap(&mut self.esme.lane, &mut self.other.1);
        }
    }

    fn send(&mut self, number: u8) {
        let expires_at = self.esme.now().plus(TTL);
        if let Ok(place) = self.esme.outbox.reserve(phone(1)) {
            place.put(item(number, expires_at));
            self.sent.push(number);
        }
    }

    /// The kernel takes up to so many bytes, and the SMSC reads what is whole.
    fn step(&mut self, bytes: usize) {
        let written = self.esme.step(bytes);
        let stream = &mut self.streams[self.link];
        stream.extend(written);
        while let Some(frame) = frame::cut(stream, frame::COMMAND_LENGTH_MAX).unwrap() {
            let (seen, length) = (as_seen(frame), frame.len());
            stream.drain(..length);
            if seen.command == CommandId::SUBMIT_SM {
                assert!(!std::mem::replace(&mut self.settled[usize::from(seen.number)], true), "sent again");
                self.open.push((self.link, seen.sequence, seen.number));
            }
        }
        self.outcomes.extend(self.esme.reported());
    }

    /// Answers one of those that wait, and turns to its link.
    fn answer(&mut self, which: usize, status: u32) {
        if self.open.is_empty() {
            return;
        }
        let (link, sequence, number) = self.open.swap_remove(which % self.open.len());
        self.turn_to(link);
        self.outcomes.extend(self.esme.reported());
        let in_doubt = self.outcomes.iter().any(|outcome| outcome.0 == number);
        if status == 0 {
            return self.esme.accept(sequence, format!("id-{number}").as_bytes());
        }
        let not_taken = [0x58, 0x14, 0x08].contains(&status);
        self.settled[usize::from(number)] = in_doubt || !not_taken;
        self.esme.refuse(sequence, CommandStatus(status));
    }

    /// The link dies, and another session takes its place.
    fn reconnect(&mut self) {
        let link = self.link;
        let (session, lane) = self.esme.session_of(link);
        let now = self.esme.now();
        std::mem::replace(&mut self.esme.session, session).end(now);
        self.esme.lane = lane;
        self.streams[link].clear();
        self.open.retain(|open| open.0 != link);
        self.outcomes.extend(self.esme.reported());
        self.esme.bind();
    }

    fn act(&mut self, action: u8) {
        self.turn_to(usize::from(action & 1));
        let bytes = [usize::MAX, 150, 300, 1][usize::from(action >> 1 & 3)];
        self.step(bytes);
        let which = usize::from(action);
        match action >> 3 {
            0..=9 => self.answer(which, 0),
            10..=12 => self.answer(which, 0x58),
            13..=15 => self.answer(which, 0x14),
            16..=18 => self.answer(which, 0x08),
            19..=20 => self.answer(which, 0x0B),
            21..=23 => self.esme.pass(Duration::from_secs(5)),
            24..=26 => self.esme.pass(RETRY_PAUSE),
            27..=29 => self.esme.pass(GATHER),
            30 => self.esme.hear(0, 9, Body::EnquireLink),
            _ => self.reconnect(),
        }
    }

    /// Both links die. What is left in the queue, and all outcomes.
    fn end(mut self) -> (Vec<u8>, Vec<(u8, Delivery)>, Vec<u8>) {
        self.other.0.end(self.esme.now());
        let (queued, reported) = self.esme.end();
        self.outcomes.extend(reported);
        (queued, self.outcomes, self.sent)
    }
}

proptest::proptest! {
    #[test]
    fn whatever_the_smsc_does_nothing_is_sent_twice_and_everything_has_one_outcome(
        draw in proptest::collection::vec(0_u8.., 0..400),
        window in 1_usize..8,
    ) {
        let mut pair = Pair::new(window);
        for (index, action) in draw.iter().enumerate() {
            if index % 2 == 0 {
                pair.send(u8::try_from(index / 2).unwrap());
            }
            pair.act(*action);
            proptest::prop_assert!(pair.esme.session.submits.in_flight() <= window);
            proptest::prop_assert!(pair.other.0.submits.in_flight() <= window);
            if pair.esme.session.over().is_some() {
                pair.reconnect();
            }
        }
        let (queued, outcomes, sent) = pair.end();
        // Late answers add news to an unknown outcome; each message has one first outcome.
        let mut settled: Vec<u8> = outcomes.iter().map(|outcome| outcome.0).collect();
        settled.sort_unstable();
        settled.dedup();
        proptest::prop_assert_eq!(settled.len() + queued.len(), sent.len());
        proptest::prop_assert!(queued.iter().all(|number| !settled.contains(number)));
    }
}
