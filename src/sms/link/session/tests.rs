//! The session through its one door, without a socket: the test is its SMSC, its kernel and its clock.

mod property;
mod receipts;
mod sending;
mod states;
mod submits;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use smpp::codec;
use smpp::frame;
use smpp::pdu::{Address, BindResp, CommandId, DeliverSm, EsmClass, SubmitSmResp};
use smpp::tlv::Tlvs;
use tokio::sync::mpsc;

use super::*;
use crate::clock::Clock;
use crate::metrics::{Metrics, SmsMetrics, SmscMetrics};
use crate::sms::DeliveryReport;
use crate::sms::outbox::tests::{item, phone};
use crate::sms::outbox::{Item, Outbox, outbox};
use crate::sms::receipts::{MessageIdForm, Receipts};
use crate::sms::route::table::Table;
use crate::sms::router::{Carrier, Lane, Router};
use crate::subscriber::challenge::Delivery;
use crate::subscriber::code::Code;

const START: Timestamp = Timestamp::from_unix_millis(1_795_338_900_000);
const TTL: Duration = Duration::from_secs(180);
const CODE: &str = "4829130567";
const SECOND: Duration = Duration::from_secs(1);
/// Before what was refused for the first time is tried again.
const RETRY_PAUSE: Duration = SECOND;

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

/// A session, the only link of its SMSC, and a queue before it.
struct Esme {
    session: Session<'static>,
    /// What the session has last waited for.
    wait: Option<Wait>,
    outbox: Outbox,
    routes: Rc<Router>,
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
    release: &'static dyn Fn(&Item) -> Option<(Code, Duration)>,
    reports: &'static mpsc::Sender<DeliveryReport>,
    metrics: &'static SmsMetrics,
    smsc: &'static SmscMetrics,
}

impl Parts {
    fn session(self, lane: &'static Lane, now: Timestamp) -> Session<'static> {
        let Self { settings, role, receipts, next_reference, release, reports, metrics, smsc } = self;
        let context = Context {
            settings,
            password: "secret08",
            role,
            lane,
            receipts,
            next_reference,
            release,
            reports,
            metrics,
            smsc,
        };
        Session::new(context, now)
    }
}

/// Leaks what sessions borrow: a test's few kilobytes.
fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

/// Takes `room` bytes and is full then.
struct Kernel {
    room: usize,
    taken: Vec<u8>,
}

impl io::Write for Kernel {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.room);
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.room -= count;
        self.taken.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Esme {
    /// Each number is a destination of its own.
    fn with(change: impl FnOnce(&mut Settings), reports_max: usize, release: Option<Release>) -> Self {
        Self::with_destinations(12, change, reports_max, release)
    }

    /// Numbers whose first digits are the same are one destination.
    fn with_destinations(
        destination_digits: u32,
        change: impl FnOnce(&mut Settings),
        reports_max: usize,
        release: Option<Release>,
    ) -> Self {
        let clock = Clock::manual(START);
        let metrics = Arc::new(Metrics::new());
        let table = Table { destination_digits, ..Table::of_all(1) };
        let (outbox, queue) = outbox(1_000, table, clock.clone(), &metrics);
        let metrics = leak(metrics);
        let (sender, reports) = mpsc::channel(reports_max);
        let mut settings = Settings::default();
        change(&mut settings);
        let from_item = {
            let clock = clock.clone();
            move |item: &Item| {
                let left = item.expires_at.since(clock.now());
                (!left.is_zero()).then(|| (Code::parse(CODE).unwrap(), left))
            }
        };
        let release = release.unwrap_or_else(|| Box::new(from_item));
        let receipts =
            Receipts::new(MessageIdForm::Exact, settings.receipts_max.min(100), settings.receipts_age_max);
        let Settings { window, response_timer, .. } = settings;
        let smsc = Carrier { links: 2, window, response_timer, metrics: metrics.smsc("main") };
        let routes = Router::new(queue, [smsc], clock.clone(), Arc::clone(metrics));
        let lane = leak(routes.lane(0));
        let parts = Parts {
            settings: leak(settings),
            role: Role::Transceiver,
            receipts: leak(RefCell::new(receipts)),
            next_reference: leak(Cell::new(u16::MAX)),
            release: &**leak(release),
            reports: leak(sender),
            metrics: &metrics.sms,
            smsc: leak(metrics.smsc("main")),
        };
        let session = parts.session(lane, START);
        Self { session, wait: None, outbox, routes, lane, parts, reports, metrics, clock }
    }

    /// A new session on one of the SMSC's two links.
    fn session_of(&self, link: usize) -> (Session<'static>, &'static Lane) {
        let lane = leak(self.routes.lane(link));
        (self.parts.session(lane, self.now()), lane)
    }

    /// Bound, the bind's PDUs exchanged.
    fn bound(change: impl FnOnce(&mut Settings)) -> Self {
        let mut esme = Self::with(change, 1_000, None);
        esme.bind();
        esme
    }

    fn bind(&mut self) {
        let bind = self.seen();
        assert_eq!((bind.len(), bind[0].command), (1, CommandId::BIND_TRANSCEIVER));
        self.hear(0, bind[0].sequence, Body::BindTransceiverResp(BindResp::default()));
        assert!(self.is_bound());
        let now = self.now();
        self.lane.set_bound(true, now);
    }

    fn is_bound(&self) -> bool {
        self.session.state.is_bound()
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn send(&mut self, number: u8) {
        let expires_at = self.now().plus(TTL);
        self.outbox.reserve(phone(number)).unwrap().put(item(number, expires_at));
    }

    /// One step, the kernel taking up to `room` bytes. Returns what it took.
    fn step(&mut self, room: usize) -> Vec<u8> {
        let mut kernel = Kernel { room, taken: Vec::new() };
        self.wait = match self.session.step(self.clock.now(), &mut kernel).unwrap() {
            Step::Wait(wait) => Some(wait),
            Step::Over(_) => None,
        };
        kernel.taken
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
        self.session.hear(frame, now);
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

    /// A receipt whose addresses say nothing. Returns the status of its response.
    fn receipt(&mut self, text: &str) -> u32 {
        self.receipt_from(b"", text)
    }

    fn receipt_from(&mut self, source: &[u8], text: &str) -> u32 {
        let message = DeliverSm {
            esm_class: EsmClass::RECEIPT,
            source: Address::international(source),
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
        self.routes.drop_waiting(&sender);
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
