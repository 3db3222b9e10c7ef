//! What the SMSC delivers to ESMEs: receipts, and what handsets write. Carried
//! by a session that receives, followed until the ESME has answered.
//!
//! ```text
//! submit ─► waiting ─(due)─► in flight ─► acknowledged
//!              ▲                │  └────► refused for good, or never answered: failed
//!              └── a while ─────┘ refused for now
//!
//! the session ends, or does not receive ─► mailbox of another ─► waiting
//!                                      └─► held, when there is none, for the next one
//! ```

use super::agenda::Agenda;
use super::faults;
use super::submit::Moment;
use crate::behavior::{
    Dates, Draw, Form, IdForm, IdPlace, Malformed, ReceiptId, Receipts, Stat, StateTlv, Stream, TextLabel,
    Treatment,
};
use crate::inbox::{Address, HistoryPlace, Message, MessageId, ReceiptOutcome, ReceiptState};
use crate::metrics::Metrics;
use smpp::codec;
use smpp::pdu::{self, Body, DataCoding, DataSm, EsmClass, MessageState, Npi, Pdu, SequenceNumber, Ton};
use smpp::status::CommandStatus;
use smpp::time::CalendarTime;
use smpp::tlv::{Tag, TlvBuffer};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::Notify;

/// Deliveries that one session may have waiting: three seconds at 20,000
/// submits a second. Beyond, submits that ask for a receipt are refused.
///
/// Some 12 MB, and what the messages take that the inbox has dropped meanwhile;
/// their texts are gone.
pub(super) const WAITING_MAX: usize = 65_536;

/// How often a delivery is sent that the ESME refuses for now.
const ATTEMPTS_MAX: u8 = 3;

/// Before a delivery that was refused for now is sent again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Sender or handset, as the submit wrote it.
#[derive(Clone, Copy)]
pub(super) struct Party {
    pub(super) ton: Ton,
    pub(super) npi: Npi,
    pub(super) address: Address,
}

impl Party {
    pub(super) fn as_smpp(&self) -> pdu::Address<'_> {
        pdu::Address { ton: self.ton, npi: self.npi, digits: self.address.as_bytes() }
    }
}

/// Which outcomes a sender wants to hear of (SMPP 3.4, 5.2.17).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    None,
    Any,
    Failure,
}

impl Wanted {
    pub(super) const fn by(registered_delivery: u8) -> Self {
        match registered_delivery & 0b11 {
            1 => Self::Any,
            2 => Self::Failure,
            _ => Self::None,
        }
    }
}

/// All that the receipts of one submit have in common.
#[derive(Clone)]
pub(super) struct Report {
    pub(super) id: MessageId,
    pub(super) from: Party,
    pub(super) to: Party,
    pub(super) submitted: SystemTime,
    pub(super) wanted: Wanted,
    pub(super) treatment: Arc<Treatment>,
    pub(super) draw: Draw,
}

impl Report {
    /// The receipts for these states, in order, the first a delay after `since`.
    /// `message` is what the inbox shows, if it does.
    pub(super) fn receipts<'a>(
        &'a self,
        states: &'a [Stat],
        done: SystemTime,
        since: Instant,
        message: &'a Weak<Message>,
    ) -> impl Iterator<Item = Delivery> + 'a {
        let settings = &self.treatment.receipts;
        let mut due = since;
        let wanted = |stat: &Stat| match self.wanted {
            Wanted::None => false,
            Wanted::Any => true,
            Wanted::Failure => stat.is_failure(),
        };
        (0_u16..).zip(states).filter(move |(_, stat)| wanted(stat)).flat_map(move |(number, stat)| {
            due += settings.delay.draw(self.draw, Stream::ReceiptDelay(number));
            let due = due;
            (0..settings.copies.value()).map(move |_| Delivery {
                due,
                attempts: 0,
                content: Content::Receipt(Receipt {
                    id: self.id,
                    from: self.from,
                    to: self.to,
                    submitted: self.submitted,
                    done,
                    stat: *stat,
                    treatment: Arc::clone(&self.treatment),
                    place: None,
                    message: message.clone(),
                }),
            })
        })
    }
}

/// What became of one submit, to be told to its sender.
pub(super) struct Receipt {
    id: MessageId,
    from: Party,
    to: Party,
    submitted: SystemTime,
    done: SystemTime,
    stat: Stat,
    treatment: Arc<Treatment>,
    place: Option<HistoryPlace>,
    /// The message whose receipt this is, for as long as the inbox, or one of
    /// its readers, keeps it.
    message: Weak<Message>,
}

impl Receipt {
    /// How the id is written, and by how much it is another.
    fn written_id(&self, settings: &Receipts, into: &mut Vec<u8>) {
        let same = self.treatment.submit.message_id;
        let (id, form) = match settings.id {
            ReceiptId::Same => (self.id, same),
            ReceiptId::Hex => (self.id, IdForm::Hex),
            ReceiptId::HexUpper => (self.id, IdForm::HexUpper),
            ReceiptId::Decimal => (self.id, IdForm::Decimal),
            ReceiptId::LeadingZeros => (self.id, IdForm::LeadingZeros),
            // No counter gets there.
            ReceiptId::Unknown => (MessageId::new(!self.id.value()), same),
        };
        id.write(form, into);
    }

    /// Writes text, id and parameters into `scratch`.
    fn prepare(&self, settings: &Receipts, scratch: &mut Scratch) {
        let Scratch { id, text, tlvs } = scratch;
        id.clear();
        self.written_id(settings, id);
        text.clear();
        tlvs.clear();
        self.write_text(settings, id, text);
        match settings.form {
            Form::ShortMessage => {}
            Form::TlvsOnly => text.clear(),
            Form::MessagePayload | Form::DataSm => {
                tlvs.push(Tag::MESSAGE_PAYLOAD, text).expect("a receipt is short");
                text.clear();
            }
        }
        if settings.id_in != IdPlace::Text && !id.is_empty() {
            tlvs.push_c_string(Tag::RECEIPTED_MESSAGE_ID, id).expect("an id has no NUL and is short");
        }
        match (settings.message_state, settings.message_state.value(self.stat.state())) {
            (_, None) => {}
            (StateTlv::TwoOctets, Some(MessageState(state))) => {
                tlvs.push_u16(Tag::MESSAGE_STATE, u16::from(state));
            }
            (_, Some(MessageState(state))) => {
                tlvs.push_u8(Tag::MESSAGE_STATE, state);
            }
        }
    }

    /// As in SMPP 3.4's appendix B, but for what the settings change. The
    /// message's beginning would come last: a code has no business in a receipt.
    fn write_text(&self, settings: &Receipts, id: &[u8], text: &mut Vec<u8>) {
        if settings.id_in != IdPlace::Tlv {
            text.extend_from_slice(b"id:");
            text.extend_from_slice(id);
            text.push(b' ');
        }
        if settings.counts {
            let delivered = self.stat.state() == MessageState::DELIVERED;
            text.extend_from_slice(if delivered { b"sub:001 dlvrd:001 " } else { b"sub:001 dlvrd:000 " });
        }
        text.extend_from_slice(b"submit date:");
        write_date(settings, self.submitted, text);
        text.extend_from_slice(b" done date:");
        write_date(settings, self.done, text);
        for part in [" stat:", self.stat.as_str(), " err:", settings.err.as_str()] {
            text.extend_from_slice(part.as_bytes());
        }
        text.extend_from_slice(match settings.text_label {
            TextLabel::Lower => b" text:",
            TextLabel::Upper => b" Text:",
        });
    }

    /// Appends the receipt, from the handset to the sender.
    fn write(&self, sequence: SequenceNumber, scratch: &mut Scratch, out: &mut Vec<u8>) {
        let settings = &self.treatment.receipts;
        self.prepare(settings, scratch);
        let (source, destination) = (self.to.as_smpp(), self.from.as_smpp());
        let esm_class = EsmClass(u8::try_from(settings.esm_class.value()).unwrap_or(u8::MAX));
        let tlvs = scratch.tlvs.as_tlvs();
        let body = if settings.form == Form::DataSm {
            Body::DataSm(DataSm { source, destination, esm_class, tlvs, ..DataSm::default() })
        } else {
            let short_message = &scratch.text;
            let deliver = pdu::DeliverSm {
                source,
                destination,
                esm_class,
                short_message,
                tlvs,
                ..pdu::DeliverSm::default()
            };
            Body::DeliverSm(deliver)
        };
        codec::encode(&Pdu::new(sequence, body), out)
            .expect("addresses are short printable ASCII, and the text is short");
    }
}

fn write_date(settings: &Receipts, time: SystemTime, text: &mut Vec<u8>) {
    let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let unix_seconds = i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX);
    let date = CalendarTime::from_unix_seconds(unix_seconds.saturating_add(settings.time_zone.seconds()));
    match settings.dates {
        Dates::Minutes => text.extend_from_slice(&date.digits()[..10]),
        Dates::Seconds => text.extend_from_slice(&date.digits()),
        Dates::Century => {
            text.extend_from_slice(format!("{:02}", date.year / 100).as_bytes());
            text.extend_from_slice(&date.digits());
        }
        Dates::Zeros => text.extend_from_slice(b"0000000000"),
    }
}

/// What a handset writes, or a part of it.
pub(super) struct FromHandset {
    pub(super) from: Party,
    pub(super) to: Party,
    pub(super) esm_class: EsmClass,
    pub(super) data_coding: DataCoding,
    pub(super) short_message: Box<[u8]>,
    /// The message, with its last part.
    pub(super) message: Option<Arc<Message>>,
}

impl FromHandset {
    fn write(&self, sequence: SequenceNumber, out: &mut Vec<u8>) {
        let deliver = pdu::DeliverSm {
            source: self.from.as_smpp(),
            destination: self.to.as_smpp(),
            esm_class: self.esm_class,
            data_coding: self.data_coding,
            short_message: &self.short_message,
            ..pdu::DeliverSm::default()
        };
        codec::encode(&Pdu::new(sequence, Body::DeliverSm(deliver)), out)
            .expect("addresses are short printable ASCII, and a part has at most 160 octets");
    }
}

enum Content {
    Receipt(Receipt),
    FromHandset(FromHandset),
}

/// Something for an ESME that receives.
pub(super) struct Delivery {
    /// Not sent before.
    due: Instant,
    attempts: u8,
    content: Content,
}

impl Delivery {
    pub(super) const fn from_handset(due: Instant, content: FromHandset) -> Self {
        Self { due, attempts: 0, content: Content::FromHandset(content) }
    }

    /// A receipt for a message that never was.
    pub(super) fn of_nothing(due: Instant, wall: SystemTime, treatment: Arc<Treatment>) -> Self {
        let party = |octets: &[u8]| Party {
            ton: Ton::INTERNATIONAL,
            npi: Npi::ISDN,
            address: Address::new(octets).expect("a constant number"),
        };
        let content = Content::Receipt(Receipt {
            id: MessageId::new(u64::MAX),
            from: party(b"10000000000"),
            to: party(b"10000000001"),
            submitted: wall,
            done: wall,
            stat: Stat::DELIVRD,
            treatment,
            place: None,
            message: Weak::new(),
        });
        Self { due, attempts: 0, content }
    }

    fn write(&self, sequence: SequenceNumber, scratch: &mut Scratch, out: &mut Vec<u8>) {
        match &self.content {
            Content::Receipt(receipt) => receipt.write(sequence, scratch, out),
            Content::FromHandset(message) => message.write(sequence, out),
        }
    }

    fn malformed(&self) -> Malformed {
        match &self.content {
            Content::Receipt(receipt) => receipt.treatment.receipts.malformed,
            Content::FromHandset(_) => Malformed::No,
        }
    }

    /// It goes out now.
    fn sent(&mut self, at: SystemTime) {
        if let Content::Receipt(receipt) = &mut self.content
            && let Some(message) = receipt.message.upgrade()
        {
            receipt.place = message.receipt_sent(receipt.place, receipt.stat.state(), at);
        }
    }

    /// The ESME has answered, or never will.
    fn settle(&self, outcome: ReceiptOutcome, at: SystemTime) {
        let taken = outcome == ReceiptOutcome::Acknowledged;
        match &self.content {
            Content::Receipt(receipt) => {
                if let Some(message) = receipt.message.upgrade() {
                    message.receipt_settled(receipt.place, outcome);
                    message.set_receipt(if taken {
                        ReceiptState::Acknowledged
                    } else {
                        ReceiptState::Failed
                    });
                }
            }
            Content::FromHandset(FromHandset { message: Some(message), .. }) => {
                let state = if taken { MessageState::DELIVERED } else { MessageState::UNDELIVERABLE };
                message.end(state, at);
            }
            Content::FromHandset(_) => {}
        }
    }

    /// Nobody will ever get it.
    pub(super) fn fail(&self) {
        if let Content::Receipt(receipt) = &self.content
            && let Some(message) = receipt.message.upgrade()
        {
            message.set_receipt(ReceiptState::Failed);
        }
    }

    #[cfg(test)]
    pub(super) const fn receipt_id(&self) -> Option<MessageId> {
        match &self.content {
            Content::Receipt(receipt) => Some(receipt.id),
            Content::FromHandset(_) => None,
        }
    }
}

/// Room for one receipt's id, text and parameters, used again for each.
#[derive(Default)]
struct Scratch {
    id: Vec<u8>,
    text: Vec<u8>,
    tlvs: TlvBuffer,
}

struct InFlight {
    sequence: SequenceNumber,
    sent: Instant,
    delivery: Delivery,
}

/// The deliveries of one session.
pub(super) struct Deliveries {
    metrics: Arc<Metrics>,
    /// Deliveries that may be unanswered at a time.
    window: usize,
    response_timeout: Duration,
    waiting: Agenda<Delivery>,
    /// In the order they were sent.
    in_flight: VecDeque<InFlight>,
    scratch: Scratch,
}

impl Deliveries {
    pub(super) fn new(metrics: Arc<Metrics>, window: usize, response_timeout: Duration) -> Self {
        Self {
            metrics,
            window,
            response_timeout,
            waiting: Agenda::default(),
            in_flight: VecDeque::new(),
            scratch: Scratch::default(),
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.room() == 0
    }

    /// How many more may wait.
    pub(super) fn room(&self) -> usize {
        WAITING_MAX.saturating_sub(self.waiting.len())
    }

    pub(super) fn add(&mut self, delivery: Delivery) {
        self.waiting.add(delivery.due, delivery);
    }

    /// When there is something to do: a delivery to send, if the window has
    /// room for it, or an answer that did not come.
    pub(super) fn due(&self) -> Option<Instant> {
        let unanswered = self.in_flight.front().map(|first| first.sent + self.response_timeout);
        if self.in_flight.len() >= self.window {
            return unanswered;
        }
        self.waiting.due().into_iter().chain(unanswered).min()
    }

    /// Gives up what was not answered in time.
    pub(super) fn give_up_unanswered(&mut self, at: &Moment) {
        while self.in_flight.front().is_some_and(|first| first.sent + self.response_timeout <= at.now) {
            let Some(first) = self.in_flight.pop_front() else {
                return;
            };
            first.delivery.settle(ReceiptOutcome::Unanswered, at.wall);
            self.metrics.receipts_unanswered.inc();
        }
    }

    /// Appends what is due and the window has room for, until `out` has
    /// `out_bytes_max`.
    pub(super) fn send(
        &mut self,
        at: &Moment,
        out_bytes_max: usize,
        next: &mut SequenceNumber,
        out: &mut Vec<u8>,
    ) {
        let mut sent = 0;
        while self.in_flight.len() < self.window && out.len() < out_bytes_max {
            let Some(mut delivery) = self.waiting.pop_due(at.now) else {
                break;
            };
            let sequence = take(next);
            let start = out.len();
            delivery.write(sequence, &mut self.scratch, out);
            let malformed = delivery.malformed();
            if malformed != Malformed::No {
                self.metrics.faults.malformed.inc();
                faults::spoil(malformed, start, take(next), out);
            }
            delivery.sent(at.wall);
            self.in_flight.push_back(InFlight { sequence, sent: at.now, delivery });
            sent += 1;
        }
        if sent > 0 {
            self.metrics.receipts_sent.inc_by(sent);
        }
    }

    /// Takes an answer in. `false` if nothing with this number is in flight.
    ///
    /// ESMEs mostly answer in order, which makes this a look at the front.
    pub(super) fn answered(&mut self, sequence: SequenceNumber, status: CommandStatus, at: &Moment) -> bool {
        let Some(place) = self.in_flight.iter().position(|sent| sent.sequence == sequence) else {
            return false;
        };
        let Some(InFlight { mut delivery, .. }) = self.in_flight.remove(place) else {
            return false;
        };
        if status.is_ok() {
            delivery.settle(ReceiptOutcome::Acknowledged, at.wall);
            self.metrics.receipts_acknowledged.inc();
            return true;
        }
        self.metrics.receipts_refused.inc();
        delivery.settle(ReceiptOutcome::Refused, at.wall);
        delivery.attempts += 1;
        if is_temporary(status) && delivery.attempts < ATTEMPTS_MAX {
            delivery.due = at.now + RETRY_AFTER;
            self.add(delivery);
        }
        true
    }

    /// What was not answered, in flight first.
    pub(super) fn leave(&mut self) -> impl Iterator<Item = Delivery> + use<> {
        let in_flight = std::mem::take(&mut self.in_flight).into_iter().map(|sent| sent.delivery);
        let mut waiting = std::mem::take(&mut self.waiting);
        in_flight.chain(std::iter::from_fn(move || waiting.pop()))
    }
}

/// The next sequence number, and the one after it.
fn take(next: &mut SequenceNumber) -> SequenceNumber {
    let sequence = *next;
    *next = sequence.next();
    sequence
}

/// Whether the ESME may take the delivery later.
fn is_temporary(status: CommandStatus) -> bool {
    matches!(
        status,
        CommandStatus::ESME_RX_T_APPN | CommandStatus::ESME_RTHROTTLED | CommandStatus::ESME_RMSGQFUL
    )
}

/// Where others leave deliveries for a session that receives.
#[derive(Default)]
pub(super) struct Mailbox {
    queue: Mutex<VecDeque<Delivery>>,
    /// The queue's length, to be looked at without the lock.
    length: AtomicUsize,
    arrived: Notify,
}

impl Mailbox {
    /// Something may have come, for the one session that waits.
    pub(super) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    pub(super) fn is_full(&self) -> bool {
        self.length.load(Ordering::Acquire) >= WAITING_MAX
    }

    /// At most one delivery's parts over [`WAITING_MAX`], which
    /// [`Mailbox::is_full`] is asked for before.
    pub(super) fn put(&self, delivery: Delivery) {
        let mut queue = self.queue();
        queue.push_back(delivery);
        self.length.store(queue.len(), Ordering::Release);
        drop(queue);
        self.arrived.notify_one();
    }

    /// At most `count` of what has come.
    pub(super) fn take(&self, count: usize) -> impl Iterator<Item = Delivery> + use<> {
        // Only a hint: whoever puts something in notifies afterwards.
        let taken: VecDeque<_> = if self.length.load(Ordering::Acquire) == 0 {
            VecDeque::new()
        } else {
            let mut queue = self.queue();
            let count = count.min(queue.len());
            let taken = queue.drain(..count).collect();
            self.length.store(queue.len(), Ordering::Release);
            taken
        };
        taken.into_iter()
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<Delivery>> {
        // Nothing in this module panics while it holds the lock.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::behavior::{Behavior, Plan, Subject};
    use crate::clock;

    const TIMEOUT: Duration = Duration::from_secs(10);

    fn treatment(toml: &str) -> Arc<Treatment> {
        let plan = Plan::new(Behavior::from_toml(toml).unwrap());
        let subject = Subject { to: b"62811", data_coding: DataCoding::DEFAULT, octets: b"" };
        Arc::clone(plan.treat(&subject).0)
    }

    fn report(id: u64, toml: &str) -> Report {
        let party = |octets: &[u8]| Party {
            ton: Ton::INTERNATIONAL,
            npi: Npi::ISDN,
            address: Address::new(octets).unwrap(),
        };
        Report {
            id: MessageId::new(id),
            from: party(b"BANK"),
            to: party(b"628120001234"),
            submitted: SystemTime::UNIX_EPOCH,
            wanted: Wanted::Any,
            treatment: treatment(toml),
            draw: Draw::NONE,
        }
    }

    pub(in crate::smsc) fn receipt(id: u64, due: Instant) -> Delivery {
        let report = report(id, "");
        let receipts = report.receipts(&[Stat::DELIVRD], SystemTime::UNIX_EPOCH, due, &Weak::new()).next();
        receipts.unwrap()
    }

    fn deliveries(window: usize) -> Deliveries {
        Deliveries::new(Arc::new(Metrics::new()), window, TIMEOUT)
    }

    fn at(now: Instant) -> Moment {
        Moment { now, wall: clock::wall() }
    }

    fn frames(deliveries: &mut Deliveries, now: Instant, next: &mut SequenceNumber) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        deliveries.send(&at(now), usize::MAX, next, &mut out);
        let (mut rest, mut frames) = (out.as_slice(), Vec::new());
        while let Some(frame) = smpp::frame::cut(rest, 4_096).unwrap() {
            rest = &rest[frame.len()..];
            frames.push(frame.to_vec());
        }
        frames
    }

    /// What is sent at `now`, as sequence numbers and message ids.
    fn sent(deliveries: &mut Deliveries, now: Instant, next: &mut SequenceNumber) -> Vec<(u32, String)> {
        let read = |frame: &Vec<u8>| {
            let pdu = codec::decode(frame).unwrap().pdu;
            let Body::DeliverSm(deliver) = pdu.body else { panic!("{pdu:?}") };
            let receipt = smpp::receipt::Receipt::parse(&deliver).unwrap();
            (pdu.sequence.0, String::from_utf8(receipt.id.to_vec()).unwrap())
        };
        frames(deliveries, now, next).iter().map(read).collect()
    }

    /// The one receipt of message 0xAB under a behaviour.
    fn written(toml: &str) -> Vec<u8> {
        let (mut deliveries, now, report) = (deliveries(9), clock::now(), report(0xAB, toml));
        let states = report.treatment.receipts.states.words().to_vec();
        let nowhere = Weak::new();
        for delivery in report.receipts(&states, SystemTime::UNIX_EPOCH, now, &nowhere) {
            deliveries.add(delivery);
        }
        let mut frames = frames(&mut deliveries, now, &mut SequenceNumber(7));
        assert_eq!(frames.len(), 1, "{toml}");
        frames.remove(0)
    }

    fn text(toml: &str) -> String {
        let frame = written(toml);
        let Body::DeliverSm(deliver) = codec::decode(&frame).unwrap().pdu.body else { panic!("{toml}") };
        String::from_utf8(deliver.content().to_vec()).unwrap()
    }

    #[test]
    fn a_receipt_is_sent_when_it_is_due_and_the_window_has_room() {
        let (mut deliveries, now) = (deliveries(1), clock::now());
        let mut next = SequenceNumber::FIRST;
        let later = now + Duration::from_secs(1);
        deliveries.add(receipt(1, now));
        deliveries.add(receipt(2, later));
        assert_eq!(sent(&mut deliveries, now, &mut next), [(1, format!("{:016x}", 1))]);
        assert_eq!(deliveries.due(), Some(now + TIMEOUT), "the window is full");
        assert!(deliveries.answered(SequenceNumber(1), CommandStatus::ESME_ROK, &at(now)));
        assert_eq!(deliveries.due(), Some(later));
        assert!(sent(&mut deliveries, now, &mut next).is_empty());
        assert_eq!(sent(&mut deliveries, later, &mut next).len(), 1);
    }

    #[test]
    fn an_answer_to_nothing_is_told() {
        let (mut deliveries, now) = (deliveries(1), clock::now());
        assert!(!deliveries.answered(SequenceNumber(7), CommandStatus::ESME_ROK, &at(now)));
    }

    #[test]
    fn a_receipt_refused_for_now_is_sent_three_times_and_no_more() {
        let (mut deliveries, mut now) = (deliveries(5), clock::now());
        let mut next = SequenceNumber::FIRST;
        deliveries.add(receipt(1, now));
        for attempt in 1..=3 {
            assert_eq!(sent(&mut deliveries, now, &mut next).len(), 1, "attempt {attempt}");
            assert!(deliveries.answered(SequenceNumber(attempt), CommandStatus::ESME_RX_T_APPN, &at(now)));
            assert!(sent(&mut deliveries, now, &mut next).is_empty());
            now += RETRY_AFTER;
        }
        assert!(sent(&mut deliveries, now, &mut next).is_empty());
        assert_eq!(deliveries.due(), None);
    }

    #[test]
    fn a_receipt_that_is_not_answered_frees_its_place() {
        let (mut deliveries, now) = (deliveries(1), clock::now());
        let mut next = SequenceNumber::FIRST;
        deliveries.add(receipt(1, now));
        deliveries.add(receipt(2, now));
        assert_eq!(sent(&mut deliveries, now, &mut next).len(), 1);
        deliveries.give_up_unanswered(&at(now + TIMEOUT));
        assert_eq!(sent(&mut deliveries, now + TIMEOUT, &mut next).len(), 1);
        assert_eq!(deliveries.metrics.receipts_unanswered.get(), 1);
    }

    #[test]
    fn what_a_session_leaves_behind_is_first_what_was_in_flight() {
        let (mut deliveries, now) = (deliveries(1), clock::now());
        let mut next = SequenceNumber::FIRST;
        deliveries.add(receipt(1, now));
        deliveries.add(receipt(2, now));
        assert_eq!(sent(&mut deliveries, now, &mut next).len(), 1);
        let ids: Vec<_> = deliveries.leave().map(|left| left.receipt_id().unwrap().value()).collect();
        assert_eq!(ids, [1, 2]);
        assert_eq!(deliveries.due(), None);
    }

    #[test]
    fn receipts_go_when_they_are_due_whatever_came_before_them() {
        let (mut deliveries, now) = (deliveries(9), clock::now());
        let mut next = SequenceNumber::FIRST;
        let later = now + Duration::from_secs(60);
        for (id, due) in [(1, later), (2, later), (3, now), (4, now)] {
            deliveries.add(receipt(id, due));
        }
        let mut ids =
            |at| sent(&mut deliveries, at, &mut next).into_iter().map(|(_, id)| id).collect::<Vec<_>>();
        assert_eq!(ids(now), [3, 4].map(|id| format!("{id:016x}")));
        assert_eq!(ids(later), [1, 2].map(|id| format!("{id:016x}")));
    }

    #[test]
    fn every_state_has_its_receipt_a_delay_after_the_one_before_and_copies() {
        let report =
            report(1, "receipts = { states = [\"ACCEPTD\", \"UNDELIV\"], copies = 2, delay = \"5s\" }");
        let (now, nowhere) = (clock::now(), Weak::new());
        let states = report.treatment.receipts.states.words().to_vec();
        let dues: Vec<_> = report
            .receipts(&states, SystemTime::UNIX_EPOCH, now, &nowhere)
            .map(|delivery| delivery.due - now)
            .collect();
        assert_eq!(dues, [5, 5, 10, 10].map(Duration::from_secs));
        let failures = Report { wanted: Wanted::Failure, ..report.clone() };
        assert_eq!(failures.receipts(&states, SystemTime::UNIX_EPOCH, now, &nowhere).count(), 2);
        let nobody = Report { wanted: Wanted::None, ..report };
        assert_eq!(nobody.receipts(&states, SystemTime::UNIX_EPOCH, now, &nowhere).count(), 0);
    }

    #[test]
    fn d2_ids_are_written_in_every_form_and_place() {
        for (toml, id, tlv) in [
            ("", "00000000000000ab", true),
            ("receipts.id = \"hex_upper\"", "00000000000000AB", true),
            ("receipts.id = \"decimal\"", "171", true),
            ("receipts.id = \"leading_zeros\"", "00000000000000000171", true),
            ("submit.message_id = \"decimal\"", "171", true),
            ("submit.message_id = \"decimal\"\nreceipts.id = \"hex\"", "00000000000000ab", true),
            ("submit.message_id = \"uuid\"", "00000000-0000-4000-8000-0000000000ab", true),
            ("receipts.id = \"unknown\"", "ffffffffffffff54", true),
            ("receipts.id_in = \"text\"", "00000000000000ab", false),
            ("receipts.id_in = \"tlv\"", "", true),
        ] {
            let frame = written(toml);
            let Body::DeliverSm(deliver) = codec::decode(&frame).unwrap().pdu.body else { panic!("{toml}") };
            let receipt = smpp::receipt::Receipt::parse(&deliver).unwrap();
            assert_eq!(str::from_utf8(receipt.id).unwrap(), id, "{toml}");
            assert_eq!(!receipt.receipted_message_id.is_empty(), tlv, "{toml}");
        }
    }

    #[test]
    fn d3_states_labels_counts_and_errors_are_written_as_asked() {
        for stat in [
            "DELIVRD", "UNDELIV", "EXPIRED", "REJECTD", "ACCEPTD", "ENROUTE", "DELETED", "UNKNOWN", "FAILED",
            "BUFFRED",
        ] {
            let text = text(&format!("receipts.states = [\"{stat}\"]"));
            assert!(text.contains(&format!(" stat:{stat} err:000 text:")), "{text}");
        }
        let odd = text("receipts = { text_label = \"Text:\", counts = false, err = \"0x1A\" }");
        assert!(
            odd.ends_with(" err:0x1A Text:") && !odd.contains("sub:") && !odd.contains("dlvrd:"),
            "{odd}"
        );
    }

    #[test]
    fn d4_dates_are_written_in_every_form_and_zone() {
        for (dates, zone, expected) in [
            ("yyMMddHHmm", "+00:00", "7001010000"),
            ("yyMMddHHmmss", "+07:00", "700101070000"),
            ("yyyyMMddHHmmss", "-03:30", "19691231203000"),
            ("zeros", "+00:00", "0000000000"),
        ] {
            let text = text(&format!("receipts = {{ dates = \"{dates}\", time_zone = \"{zone}\" }}"));
            assert!(text.contains(&format!("submit date:{expected} done date:{expected} ")), "{text}");
        }
    }

    #[test]
    fn d5_receipts_come_in_every_carrier_class_and_state() {
        for (class, esm_class) in [("0x04", 0x04), ("0x24", 0x24), ("0x44", 0x44)] {
            let frame = written(&format!("receipts.esm_class = {class}"));
            let Body::DeliverSm(deliver) = codec::decode(&frame).unwrap().pdu.body else { panic!("{class}") };
            assert_eq!(deliver.esm_class.0, esm_class);
        }
        let payload = written("receipts.form = \"message_payload\"");
        let Body::DeliverSm(deliver) = codec::decode(&payload).unwrap().pdu.body else { panic!("payload") };
        assert!(deliver.short_message.is_empty() && deliver.content().starts_with(b"id:"));
        let bare = written("receipts.form = \"tlvs_only\"");
        let Body::DeliverSm(deliver) = codec::decode(&bare).unwrap().pdu.body else { panic!("bare") };
        assert!(deliver.content().is_empty() && smpp::receipt::Receipt::parse(&deliver).is_some());
        let data = written("receipts.form = \"data_sm\"");
        let Body::DataSm(data) = codec::decode(&data).unwrap().pdu.body else { panic!("data_sm") };
        assert!(smpp::receipt::Receipt::parse_data_sm(&data).is_some());
        for (state, value) in [
            ("same", Some(&[2][..])),
            ("absent", None),
            ("scheduled", Some(&[0])),
            ("skipped", Some(&[9])),
            ("two_octets", Some(&[0, 2])),
        ] {
            let frame = written(&format!("receipts.message_state = \"{state}\""));
            let Body::DeliverSm(deliver) = codec::decode(&frame).unwrap().pdu.body else { panic!("{state}") };
            assert_eq!(deliver.tlvs.find(Tag::MESSAGE_STATE).map(|tlv| tlv.value), value, "{state}");
        }
    }
}
