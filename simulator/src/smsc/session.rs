//! One ESME's session: PDUs in, PDUs out, no socket.
//!
//! ```text
//!          bind accepted           stop, or the operator's order
//!  Open ──────────────────► Bound ──────────────────────────────► Unbinding
//!   │ bind refused, unbind,   │ unbind, or a broken frame             │ unbind_resp,
//!   │ a broken frame, or      │                                       │ or too late
//!   │ too late                ▼                                       │
//!   └───────────────────► Closing ◄───────────────────────────────────┘
//!                             │ written, or too late
//!                             ▼
//!                          Closed ◄── disconnected, or silent in spite of enquire_link
//! ```
//!
//! An enquire_link is answered in every state but the last two. A behaviour can
//! make a session go quiet in any of the others: it then neither reads nor
//! writes, until its time is up.

mod input;

use super::account::Account;
use super::agenda::Agenda;
use super::faults;
use super::receipts::{Deliveries, Mailbox};
use super::submit::Moment;
use super::{Orders, Smsc};
use crate::behavior::{Disconnect, Dribble, IdForm, Malformed, Plan, Response, Treatment};
use crate::inbox::MessageId;
use smpp::codec;
use smpp::frame::{self, HEADER_BYTES};
use smpp::pdu::{BindResp, Body, CommandId, Pdu, SequenceNumber};
use smpp::status::CommandStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// For a new connection to bind.
const BIND_TIMEOUT: Duration = Duration::from_secs(10);

/// For the ESME to answer our unbind.
pub(super) const UNBIND_TIMEOUT: Duration = Duration::from_secs(1);

/// For the last answers to be written before the connection is closed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a session that went quiet holds its connection: longer than ESMEs
/// wait for an answer. What the ESME does meanwhile, its closing included, is
/// not noticed.
const QUIET_TIME: Duration = Duration::from_secs(120);

/// Octets that may wait to be written. Beyond, nothing is read and no receipt
/// is added, so that an ESME that does not read stops itself. What one read
/// can still add is about twice its size.
const OUT_BYTES_MAX: usize = 256 * 1_024;

/// Sequence numbers that no ESME reaches are from here.
const UNUSED_SEQUENCE: u32 = 0x7F00_0000;

/// How far a session may carry messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Transmitter,
    Receiver,
    Transceiver,
}

impl Role {
    const fn submits(self) -> bool {
        matches!(self, Self::Transmitter | Self::Transceiver)
    }

    const fn receives(self) -> bool {
        matches!(self, Self::Receiver | Self::Transceiver)
    }

    /// The body of its bind's response.
    const fn response(self, body: BindResp<'_>) -> Body<'_> {
        match self {
            Self::Transmitter => Body::BindTransmitterResp(body),
            Self::Receiver => Body::BindReceiverResp(body),
            Self::Transceiver => Body::BindTransceiverResp(body),
        }
    }
}

#[derive(Clone)]
enum State {
    Open { until: Instant },
    Bound(Bound),
    Unbinding { bound: Bound, until: Instant },
    Closing { until: Instant },
    Closed,
}

/// Who is bound, and as what.
#[derive(Clone)]
struct Bound {
    role: Role,
    account: Arc<Account>,
}

impl State {
    /// Who is bound, while the session is.
    const fn bound(&self) -> Option<&Bound> {
        match self {
            Self::Bound(bound) | Self::Unbinding { bound, .. } => Some(bound),
            Self::Open { .. } | Self::Closing { .. } | Self::Closed => None,
        }
    }
}

/// An answer to a submit_sm or data_sm.
struct Answer {
    sequence: SequenceNumber,
    /// The response's.
    command: CommandId,
    /// Of the message, if it was accepted.
    id: Option<MessageId>,
    treatment: Arc<Treatment>,
}

/// What trickles, and when it goes on.
#[derive(Clone, Copy)]
struct Trickle {
    dribble: Dribble,
    /// Octets that may be written now.
    allowed: usize,
    next: Option<Instant>,
}

/// The session of one connection. Its task feeds it octets and time, and
/// writes what it has to say.
pub(super) struct Session {
    smsc: Arc<Smsc>,
    /// As it was when the session last had a turn.
    plan: Arc<Plan>,
    state: State,
    /// What was ordered before this session began is not for it.
    orders: Orders,
    /// Octets to write, of which the first `written` are out already.
    out: Vec<u8>,
    written: usize,
    /// Answers that wait for their time, at most a window of them.
    answers: Agenda<Answer>,
    deliveries: Deliveries,
    mailbox: Arc<Mailbox>,
    next_sequence: SequenceNumber,
    heard: Instant,
    /// When we asked whether the ESME is still there, if it owes the answer.
    asked: Option<Instant>,
    /// Whether messages came in that nobody was woken for yet.
    delivered: bool,
    /// Submits since the bind.
    submits: u32,
    /// Until when the session neither reads nor says anything, if it went quiet.
    quiet: Option<Instant>,
    trickle: Option<Trickle>,
}

impl Session {
    pub(super) fn new(smsc: Arc<Smsc>, orders: Orders, now: Instant) -> Self {
        let config = &smsc.config;
        let deliveries =
            Deliveries::new(Arc::clone(&smsc.metrics), config.receipt_window, config.response_timeout);
        Self {
            plan: smsc.plan.load_full(),
            state: State::Open { until: now + BIND_TIMEOUT },
            orders,
            out: Vec::new(),
            written: 0,
            answers: Agenda::default(),
            deliveries,
            mailbox: Arc::default(),
            next_sequence: SequenceNumber::FIRST,
            heard: now,
            asked: None,
            delivered: false,
            submits: 0,
            quiet: None,
            trickle: None,
            smsc,
        }
    }

    /// Where others leave deliveries for this session.
    pub(super) const fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    /// What is to be written now.
    pub(super) fn pending(&self) -> &[u8] {
        let unwritten = self.unwritten();
        let allowed = self.trickle.map_or(usize::MAX, |trickle| trickle.allowed);
        &unwritten[..allowed.min(unwritten.len())]
    }

    fn unwritten(&self) -> &[u8] {
        &self.out[self.written..]
    }

    /// `count` octets of [`Session::pending`] are written.
    pub(super) fn wrote(&mut self, count: usize) {
        self.written += count;
        if self.written >= self.out.len() {
            self.out.clear();
            self.written = 0;
        } else if self.written >= OUT_BYTES_MAX {
            // Only behind a slow reader, and then once per quarter megabyte.
            self.out.drain(..self.written);
            self.written = 0;
        }
        if let Some(trickle) = &mut self.trickle {
            trickle.allowed = trickle.allowed.saturating_sub(count);
        }
    }

    /// Whether more may be read now.
    pub(super) fn wants_input(&self) -> bool {
        self.quiet.is_none() && self.unwritten().len() < OUT_BYTES_MAX && self.wants_pdus()
    }

    /// Whether deliveries that others left are welcome.
    pub(super) fn receives(&self) -> bool {
        let receives = matches!(&self.state, State::Bound(bound) if bound.role.receives());
        receives && self.quiet.is_none() && !self.deliveries.is_full()
    }

    /// Whether the connection is to be closed now.
    pub(super) fn is_over(&self) -> bool {
        match self.state {
            State::Closing { .. } => self.unwritten().is_empty(),
            State::Closed => true,
            State::Open { .. } | State::Bound(_) | State::Unbinding { .. } => false,
        }
    }

    /// Whether the last words are written, and were meant as such.
    pub(super) fn ends_in_order(&self) -> bool {
        matches!(self.state, State::Closing { .. }) && self.unwritten().is_empty()
    }

    /// When [`Session::on_time`] has something to do, if nothing comes before.
    pub(super) fn due(&self) -> Instant {
        if let Some(until) = self.quiet {
            return until;
        }
        let alive = match self.state {
            State::Open { until } | State::Unbinding { until, .. } | State::Closing { until } => until,
            State::Bound(_) | State::Closed => match self.asked {
                Some(asked) => asked + self.smsc.config.response_timeout,
                None => self.heard + self.smsc.config.enquire_link_interval,
            },
        };
        // With no room in `out`, it is the next write that lets receipts go on.
        let deliveries = if self.may_deliver() { self.deliveries.due() } else { None };
        let trickle = self.trickle.and_then(|trickle| trickle.next);
        [self.answers.due(), deliveries, trickle].into_iter().flatten().fold(alive, Instant::min)
    }

    /// Takes all whole PDUs out of `input`; returns how many octets they had.
    pub(super) fn on_bytes(&mut self, input: &[u8], at: &Moment) -> usize {
        self.plan = self.smsc.plan.load_full();
        self.heard = at.now;
        self.asked = None;
        let mut consumed = 0;
        while self.wants_pdus() && self.quiet.is_none() {
            match frame::cut(&input[consumed..], frame::COMMAND_LENGTH_MAX) {
                Ok(Some(frame)) => {
                    self.on_frame(frame, at);
                    consumed += frame.len();
                }
                Ok(None) => break,
                Err(error) => {
                    tracing::debug!(%error, "closing: the stream is not SMPP any more");
                    self.smsc.metrics.framing_errors.inc();
                    self.close_after_writing(at.now);
                }
            }
        }
        if std::mem::take(&mut self.delivered) {
            self.smsc.inbox.wake();
        }
        consumed
    }

    /// Does what is due: receipts, answers, timers.
    pub(super) fn on_time(&mut self, at: &Moment) {
        if let Some(until) = self.quiet {
            if until <= at.now {
                self.close();
            }
            return;
        }
        self.deliveries.give_up_unanswered(at);
        // Before the receipts, which are due at the same time when there is no delay: an ESME that
        // gets a receipt of a message whose id it does not know yet may drop it, as Kannel does.
        while let Some(answer) = self.answers.pop_due(at.now) {
            self.answer(&answer, at);
        }
        self.collect();
        if self.may_deliver() {
            let room = self.written + OUT_BYTES_MAX;
            self.deliveries.send(at, room, &mut self.next_sequence, &mut self.out);
        }
        self.keep_alive(at.now);
        self.let_trickle(at.now);
    }

    /// The operator ordered something.
    pub(super) fn on_orders(&mut self, orders: Orders, at: &Moment) {
        if orders.disconnect != self.orders.disconnect {
            self.close();
        }
        if orders.unbind != self.orders.unbind {
            self.quiet = None;
            self.unbind(at.now);
        }
        self.orders = orders;
    }

    fn unbind(&mut self, now: Instant) {
        match &self.state {
            State::Open { .. } => self.close_after_writing(now),
            State::Bound(bound) => {
                self.state = State::Unbinding { bound: bound.clone(), until: now + UNBIND_TIMEOUT };
                let sequence = self.take_sequence();
                self.send(&Pdu::new(sequence, Body::Unbind));
            }
            State::Unbinding { .. } | State::Closing { .. } | State::Closed => {}
        }
    }

    /// Ends the session, whatever is unanswered. Receipts go to the next one.
    pub(super) fn close(&mut self) {
        self.leave(State::Closed);
    }

    fn close_after_writing(&mut self, now: Instant) {
        self.leave(State::Closing { until: now + CLOSE_TIMEOUT });
    }

    fn leave(&mut self, state: State) {
        if matches!(self.state, State::Closed) {
            return;
        }
        let before = std::mem::replace(&mut self.state, state);
        if let Some(bound) = before.bound() {
            self.smsc.metrics.sessions_bound.dec();
            bound.account.leave_seat();
            bound.account.leave(&self.mailbox, self.deliveries.leave(), &self.smsc.metrics);
            tracing::debug!("session ended");
        }
    }

    /// Neither reads nor says anything any more, and leaves the connection open.
    fn go_quiet(&mut self, now: Instant) {
        self.quiet = Some(now + QUIET_TIME);
    }

    fn wants_pdus(&self) -> bool {
        !matches!(self.state, State::Closing { .. } | State::Closed)
    }

    fn may_deliver(&self) -> bool {
        matches!(&self.state, State::Bound(bound) if bound.role.receives())
            && self.unwritten().len() < OUT_BYTES_MAX
    }

    /// Takes over what others left, as much as there is room for.
    fn collect(&mut self) {
        if !self.receives() {
            return;
        }
        for delivery in self.mailbox.take(self.deliveries.room()) {
            self.deliveries.add(delivery);
        }
        let State::Bound(bound) = &self.state else {
            return;
        };
        loop {
            let held = bound.account.take_held(self.deliveries.room());
            if held.is_empty() {
                return;
            }
            held.into_iter().for_each(|delivery| self.deliveries.add(delivery));
        }
    }

    fn take_sequence(&mut self) -> SequenceNumber {
        let sequence = self.next_sequence;
        self.next_sequence = sequence.next();
        sequence
    }

    fn send(&mut self, pdu: &Pdu<'_>) {
        codec::encode(pdu, &mut self.out)
            .expect("what we say fits its fields: Config::check, and our own ids");
    }

    fn reply(&mut self, status: CommandStatus, sequence: SequenceNumber, body: Body<'_>) {
        self.send(&Pdu::response(status, sequence, body));
    }
}

/// What time brings.
impl Session {
    /// Answers a submit, as its treatment says.
    fn answer(&mut self, answer: &Answer, at: &Moment) {
        let settings = &answer.treatment.submit;
        let faults = &self.smsc.metrics.faults;
        if settings.disconnect == Disconnect::BeforeResponse {
            faults.disconnected.inc();
            return self.close();
        }
        match settings.response {
            Response::None => faults.unanswered.inc(),
            Response::Once => self.write_answer(answer, answer.sequence),
            Response::Twice => {
                faults.answered_twice.inc();
                self.write_answer(answer, answer.sequence);
                self.write_answer(answer, answer.sequence);
            }
            Response::UnknownSequence => {
                faults.unknown_sequence.inc();
                self.write_answer(answer, answer.sequence);
                self.write_answer(answer, SequenceNumber(UNUSED_SEQUENCE | answer.sequence.0 & 0xFFFF));
            }
            Response::GenericNack | Response::GenericNackZero => {
                faults.generic_nack.inc();
                let to_it = settings.response == Response::GenericNack;
                let sequence = if to_it { answer.sequence } else { SequenceNumber::NONE };
                self.reply(CommandStatus::ESME_RSYSERR, sequence, Body::GenericNack);
            }
        }
        if settings.disconnect == Disconnect::AfterResponse {
            self.smsc.metrics.faults.disconnected.inc();
            self.close_after_writing(at.now);
        }
    }

    /// Octet by octet, since behaviours ask for what no encoder writes.
    fn write_answer(&mut self, answer: &Answer, sequence: SequenceNumber) {
        let settings = &answer.treatment.submit;
        let status = if answer.id.is_some() { CommandStatus::ESME_ROK } else { settings.status.0 };
        let start = self.write_header(answer.command, status, sequence);
        if let Some(id) = answer.id
            && settings.message_id != IdForm::Missing
        {
            id.write(settings.message_id, &mut self.out);
            self.out.push(0);
        }
        faults::set_length(start, &mut self.out);
        if settings.malformed != Malformed::No {
            self.smsc.metrics.faults.malformed.inc();
            let own = self.take_sequence();
            faults::spoil(settings.malformed, start, own, &mut self.out);
        }
    }

    /// Appends a PDU that is a header alone; returns where it starts.
    fn write_header(&mut self, command: CommandId, status: CommandStatus, sequence: SequenceNumber) -> usize {
        const LENGTH: u32 = HEADER_BYTES as u32;
        let start = self.out.len();
        for field in [LENGTH, command.0, status.0, sequence.0] {
            self.out.extend_from_slice(&field.to_be_bytes());
        }
        start
    }

    fn keep_alive(&mut self, now: Instant) {
        let config = &self.smsc.config;
        match self.state {
            State::Open { until } if until <= now => self.close(),
            State::Unbinding { until, .. } | State::Closing { until } if until <= now => {
                self.close();
            }
            State::Bound(_) => match self.asked {
                Some(asked) if asked + config.response_timeout <= now => {
                    tracing::info!("closing: the ESME does not answer enquire_link");
                    self.close();
                }
                None if self.heard + config.enquire_link_interval <= now => {
                    let sequence = self.take_sequence();
                    self.send(&Pdu::new(sequence, Body::EnquireLink));
                    self.asked = Some(now);
                }
                Some(_) | None => {}
            },
            State::Open { .. } | State::Unbinding { .. } | State::Closing { .. } | State::Closed => {}
        }
    }

    /// Lets some more octets through, if the behaviour has them trickle.
    fn let_trickle(&mut self, now: Instant) {
        let Some(dribble) = self.plan.behavior.session.dribble else {
            self.trickle = None;
            return;
        };
        let octets = usize::try_from(dribble.octets.value()).unwrap_or(usize::MAX);
        let waiting = !self.unwritten().is_empty();
        let next = match self.trickle {
            Some(trickle) if trickle.dribble == dribble => trickle,
            _ => Trickle { dribble, allowed: octets, next: None },
        };
        let due = next.next.is_some_and(|due| due <= now);
        self.trickle = Some(match next.next {
            Some(_) if due => Trickle { allowed: octets, next: None, ..next },
            None if next.allowed == 0 && waiting => {
                Trickle { next: Some(now + dribble.interval.value()), ..next }
            }
            _ => next,
        });
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::behavior::Behavior;
    use crate::clock;
    use crate::config::Config;
    use crate::inbox::Inbox;
    use crate::metrics::Metrics;
    use smpp::pdu::{Address, Bind, FINAL_RECEIPT, SubmitSm};

    fn at() -> Moment {
        Moment { now: clock::now(), wall: clock::wall() }
    }

    fn behaving(toml: &str) -> Config {
        Config { behavior: Behavior::from_toml(toml).unwrap(), ..Config::default() }
    }

    fn session(config: Config, now: Instant) -> Session {
        let inbox = Arc::new(Inbox::new(10, usize::MAX));
        let smsc = Smsc::new(config, 1, inbox, Arc::new(Metrics::new()), None);
        Session::new(Arc::new(smsc), Orders::default(), now)
    }

    fn octets(sequence: u32, body: Body<'_>) -> Vec<u8> {
        let mut octets = Vec::new();
        codec::encode(&Pdu::new(SequenceNumber(sequence), body), &mut octets).unwrap();
        octets
    }

    fn bind() -> Vec<u8> {
        let bind = Bind { system_id: b"gateway", password: b"secret08", ..Bind::default() };
        octets(1, Body::BindTransceiver(bind))
    }

    fn submit() -> Vec<u8> {
        submit_asking(FINAL_RECEIPT)
    }

    fn submit_asking(registered_delivery: u8) -> Vec<u8> {
        let submit = SubmitSm {
            destination: Address::international(b"628120001234"),
            registered_delivery,
            short_message: b"x",
            ..SubmitSm::default()
        };
        octets(2, Body::SubmitSm(submit))
    }

    #[test]
    fn an_esme_that_does_not_read_stops_itself_within_the_bound() {
        let at = at();
        let mut session = session(Config { receipt_window: 10_000, ..Config::default() }, at.now);
        session.on_bytes(&bind(), &at);
        let batch = submit().repeat(frame::COMMAND_LENGTH_MAX / submit().len());
        while session.wants_input() {
            session.on_bytes(&batch, &at);
            session.on_time(&at);
        }
        assert!(session.pending().len() < OUT_BYTES_MAX + 2 * frame::COMMAND_LENGTH_MAX);
        session.wrote(OUT_BYTES_MAX / 2);
        let half = session.pending().len();
        session.wrote(half);
        assert!(session.wants_input() && session.pending().is_empty());
    }

    #[test]
    fn who_does_not_bind_in_time_is_left() {
        let at = at();
        let mut session = session(Config::default(), at.now);
        assert_eq!(session.due(), at.now + BIND_TIMEOUT);
        session.on_time(&Moment { now: session.due(), ..at });
        assert!(session.is_over() && !session.ends_in_order());
    }

    #[test]
    fn an_unbind_that_is_not_answered_ends_all_the_same() {
        let at = at();
        let mut session = session(Config::default(), at.now);
        session.on_bytes(&bind(), &at);
        session.on_orders(Orders { unbind: 1, ..Orders::default() }, &at);
        assert_eq!(session.due(), at.now + UNBIND_TIMEOUT);
        session.on_time(&Moment { now: session.due(), ..at });
        assert!(session.is_over());
        assert_eq!(session.smsc.sessions_bound(), 0);
    }

    #[test]
    fn more_receipts_than_may_wait_refuse_submits_that_ask_for_them() {
        let at = at();
        let mut session = session(behaving("receipts.delay = \"60s\""), at.now);
        session.on_bytes(&bind(), &at);
        for _ in 0..super::super::receipts::WAITING_MAX {
            session.on_bytes(&submit(), &at);
        }
        session.wrote(session.pending().len());
        session.on_bytes(&submit(), &at);
        let decoded = codec::decode(session.pending()).unwrap();
        assert_eq!(decoded.pdu.status, CommandStatus::ESME_RMSGQFUL);
        session.wrote(session.pending().len());
        session.on_bytes(&submit_asking(0), &at);
        assert_eq!(codec::decode(session.pending()).unwrap().pdu.status, CommandStatus::ESME_ROK);
    }

    #[test]
    fn an_answer_overtakes_a_slower_one_and_its_receipt_follows_it() {
        let at = at();
        let mut session = session(behaving("submit.latency = \"60s\""), at.now);
        session.on_bytes(&bind(), &at);
        session.on_bytes(&submit_asking(0), &at);
        session.wrote(session.pending().len());
        session.smsc.set_behavior(Behavior::default().with_latency(Duration::from_millis(1)));
        session.on_bytes(&submit(), &at);
        assert!(session.pending().is_empty());
        assert_eq!(session.due(), at.now + Duration::from_millis(1));
        // Both are due.
        session.on_time(&Moment { now: session.due(), ..at });
        let first = frame::cut(session.pending(), frame::COMMAND_LENGTH_MAX).unwrap().unwrap();
        let answer = codec::decode(first).unwrap();
        assert!(matches!(answer.pdu.body, Body::SubmitSmResp(_)), "{answer:?}");
        session.on_time(&Moment { now: session.due(), ..at });
        assert!(session.pending().windows(4).any(|octets| octets == b"stat"), "a receipt");
        assert_eq!(session.answers.due(), Some(at.now + Duration::from_secs(60)));
    }

    #[test]
    fn what_happens_after_so_many_submits_happens_after_the_next_when_there_were_more() {
        let at = at();
        let mut session = session(Config::default(), at.now);
        session.on_bytes(&bind(), &at);
        session.on_bytes(&submit().repeat(3), &at);
        session.smsc.set_behavior(Behavior::from_toml("session.disconnect_after = 2").unwrap());
        assert!(!session.is_over());
        session.on_bytes(&submit(), &at);
        assert!(session.is_over() && !session.ends_in_order());
    }

    #[test]
    fn a_disconnect_without_a_word_stays_one_whatever_else_is_due() {
        let at = at();
        let toml = "submit = { disconnect = \"before_response\", latency = \"1s\" }";
        let mut session = session(behaving(toml), at.now);
        session.on_bytes(&bind(), &at);
        session.on_bytes(&submit().repeat(2), &at);
        session.on_bytes(&octets(3, Body::Unbind), &at);
        assert!(session.is_over() && !session.ends_in_order());
    }

    #[test]
    fn half_a_pdu_is_left_for_later() {
        let at = at();
        let mut session = session(Config::default(), at.now);
        let bind = bind();
        assert_eq!(session.on_bytes(&bind[..20], &at), 0);
        assert_eq!(session.on_bytes(&[&bind[..], &bind[..9]].concat(), &at), bind.len());
    }
}
