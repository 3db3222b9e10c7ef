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
//! An enquire_link is answered in every state but the last two.

use super::receipts::Deliveries;
use super::submit::{Accepted, Moment};
use super::{Orders, Smsc};
use crate::inbox::MessageId;
use smpp::codec::{self, DecodeError, DecodeErrorKind};
use smpp::frame;
use smpp::pdu::{Bind, BindResp, Body, INTERFACE_VERSION, Pdu, SequenceNumber, SubmitSm, SubmitSmResp};
use smpp::status::CommandStatus;
use smpp::tlv::{Tag, TlvBuffer};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// For a new connection to bind.
const BIND_TIMEOUT: Duration = Duration::from_secs(10);

/// For the ESME to answer our unbind.
pub(super) const UNBIND_TIMEOUT: Duration = Duration::from_secs(1);

/// For the last answers to be written before the connection is closed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Octets that may wait to be written. Beyond, nothing is read and no receipt
/// is added, so that an ESME that does not read stops itself. What one read
/// can still add is about twice its size.
const OUT_BYTES_MAX: usize = 256 * 1_024;

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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open { until: Instant },
    Bound(Role),
    Unbinding { role: Role, until: Instant },
    Closing { until: Instant },
    Closed,
}

impl State {
    /// What the session may carry, while it is bound.
    const fn role(self) -> Option<Role> {
        match self {
            Self::Bound(role) | Self::Unbinding { role, .. } => Some(role),
            Self::Open { .. } | Self::Closing { .. } | Self::Closed => None,
        }
    }
}

/// A submit that waits for its answer, for as long as the latency.
struct Answer {
    due: Instant,
    sequence: SequenceNumber,
    id: MessageId,
}

/// The session of one connection. Its task feeds it octets and time, and
/// writes what it has to say.
pub(super) struct Session {
    smsc: Arc<Smsc>,
    state: State,
    /// What was ordered before this session began is not for it.
    orders: Orders,
    /// Octets to write, of which the first `written` are out already.
    out: Vec<u8>,
    written: usize,
    /// In the order of their instants, at most a window of them.
    answers: VecDeque<Answer>,
    deliveries: Deliveries,
    next_sequence: SequenceNumber,
    heard: Instant,
    /// When we asked whether the ESME is still there, if it owes the answer.
    asked: Option<Instant>,
    /// Whether messages came in that nobody was woken for yet.
    delivered: bool,
}

impl Session {
    pub(super) fn new(smsc: Arc<Smsc>, orders: Orders, now: Instant) -> Self {
        let config = &smsc.config;
        let deliveries =
            Deliveries::new(Arc::clone(&smsc.metrics), config.receipt_window, config.response_timeout);
        Self {
            state: State::Open { until: now + BIND_TIMEOUT },
            orders,
            out: Vec::new(),
            written: 0,
            answers: VecDeque::new(),
            deliveries,
            next_sequence: SequenceNumber::FIRST,
            heard: now,
            asked: None,
            delivered: false,
            smsc,
        }
    }

    /// What is to be written.
    pub(super) fn pending(&self) -> &[u8] {
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
    }

    /// Whether more may be read now.
    pub(super) fn wants_input(&self) -> bool {
        self.pending().len() < OUT_BYTES_MAX && !matches!(self.state, State::Closing { .. } | State::Closed)
    }

    /// Whether receipts that other sessions left are welcome.
    pub(super) fn wants_receipts(&self) -> bool {
        matches!(self.state, State::Bound(role) if role.receives()) && !self.deliveries.is_full()
    }

    /// Whether the connection is to be closed now.
    pub(super) fn is_over(&self) -> bool {
        match self.state {
            State::Closing { .. } => self.pending().is_empty(),
            State::Closed => true,
            State::Open { .. } | State::Bound(_) | State::Unbinding { .. } => false,
        }
    }

    /// Whether the last words are written, and were meant as such.
    pub(super) fn ends_in_order(&self) -> bool {
        matches!(self.state, State::Closing { .. }) && self.pending().is_empty()
    }

    /// When [`Session::on_time`] has something to do, if nothing comes before.
    pub(super) fn due(&self) -> Instant {
        let alive = match self.state {
            State::Open { until } | State::Unbinding { until, .. } | State::Closing { until } => until,
            State::Bound(_) | State::Closed => match self.asked {
                Some(asked) => asked + self.smsc.config.response_timeout,
                None => self.heard + self.smsc.config.enquire_link_interval,
            },
        };
        let mut due = alive;
        if let Some(answer) = self.answers.front() {
            due = due.min(answer.due);
        }
        // With no room in `out`, it is the next write that lets receipts go on.
        if self.may_deliver()
            && let Some(deliveries) = self.deliveries.due()
        {
            due = due.min(deliveries);
        }
        due
    }

    /// Takes all whole PDUs out of `input`; returns how many octets they had.
    pub(super) fn on_bytes(&mut self, input: &[u8], at: &Moment) -> usize {
        self.heard = at.now;
        self.asked = None;
        let mut consumed = 0;
        while self.wants_pdus() {
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

    /// Does what is due: answers, receipts, timers.
    pub(super) fn on_time(&mut self, now: Instant) {
        self.answer(now);
        self.deliveries.give_up_unanswered(now);
        if self.wants_receipts() {
            self.deliveries.take_over(&self.smsc.held);
        }
        if self.may_deliver() {
            let room = self.written + OUT_BYTES_MAX;
            self.deliveries.send(now, room, &mut self.next_sequence, &mut self.out);
        }
        self.keep_alive(now);
    }

    /// The operator ordered something.
    pub(super) fn on_orders(&mut self, orders: Orders, now: Instant) {
        if orders.disconnect != self.orders.disconnect {
            self.close();
        }
        if orders.unbind != self.orders.unbind {
            match self.state {
                State::Open { .. } => self.close_after_writing(now),
                State::Bound(role) => {
                    let sequence = self.take_sequence();
                    self.send(&Pdu::new(sequence, Body::Unbind));
                    self.state = State::Unbinding { role, until: now + UNBIND_TIMEOUT };
                }
                State::Unbinding { .. } | State::Closing { .. } | State::Closed => {}
            }
        }
        self.orders = orders;
    }

    /// Ends the session, whatever is unanswered. Receipts go to the next one.
    pub(super) fn close(&mut self) {
        self.leave(State::Closed);
    }

    fn close_after_writing(&mut self, now: Instant) {
        self.leave(State::Closing { until: now + CLOSE_TIMEOUT });
    }

    fn leave(&mut self, state: State) {
        if self.state.role().is_some() {
            self.smsc.leave_seat();
            self.deliveries.hand_over(&self.smsc.held);
            tracing::debug!("session ended");
        }
        self.state = state;
    }

    fn wants_pdus(&self) -> bool {
        !matches!(self.state, State::Closing { .. } | State::Closed)
    }

    fn may_deliver(&self) -> bool {
        matches!(self.state, State::Bound(role) if role.receives()) && self.pending().len() < OUT_BYTES_MAX
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

/// What the ESME says.
impl Session {
    fn on_frame(&mut self, frame: &[u8], at: &Moment) {
        match codec::decode(frame) {
            Ok(decoded) => self.on_pdu(&decoded.pdu, at),
            Err(error) => self.on_malformed(&error),
        }
    }

    fn on_pdu(&mut self, pdu: &Pdu<'_>, at: &Moment) {
        tracing::trace!(command = %pdu.body.command_id(), sequence = pdu.sequence.0, "received");
        let sequence = pdu.sequence;
        match &pdu.body {
            Body::SubmitSm(submit) => self.on_submit(submit, sequence, at),
            Body::DeliverSmResp(_) | Body::GenericNack => {
                let status = match pdu.body {
                    Body::GenericNack if pdu.status.is_ok() => CommandStatus::ESME_RUNKNOWNERR,
                    _ => pdu.status,
                };
                if !self.deliveries.answered(sequence, status, at.now) {
                    self.smsc.metrics.stray_responses.inc();
                }
            }
            Body::EnquireLink => self.send(&Pdu::new(sequence, Body::EnquireLinkResp)),
            // Whatever came, it was a sign of life.
            Body::EnquireLinkResp => {}
            Body::BindTransmitter(bind) => self.on_bind(Role::Transmitter, bind, sequence, at),
            Body::BindReceiver(bind) => self.on_bind(Role::Receiver, bind, sequence, at),
            Body::BindTransceiver(bind) => self.on_bind(Role::Transceiver, bind, sequence, at),
            Body::Unbind => self.on_unbind(sequence, at),
            Body::UnbindResp => match self.state {
                State::Unbinding { .. } => self.close_after_writing(at.now),
                _ => self.smsc.metrics.stray_responses.inc(),
            },
            // Messages go from the ESME to us as submit_sm.
            Body::DeliverSm(_)
            | Body::DataSm(_)
            | Body::QuerySm(_)
            | Body::CancelSm(_)
            | Body::ReplaceSm(_)
            | Body::Outbind(_)
            | Body::AlertNotification(_) => {
                self.smsc.metrics.unknown_commands.inc();
                self.reply(CommandStatus::ESME_RINVCMDID, sequence, Body::GenericNack);
            }
            Body::SubmitSmResp(_)
            | Body::BindTransmitterResp(_)
            | Body::BindReceiverResp(_)
            | Body::BindTransceiverResp(_)
            | Body::DataSmResp(_)
            | Body::QuerySmResp(_)
            | Body::CancelSmResp
            | Body::ReplaceSmResp => self.smsc.metrics.stray_responses.inc(),
        }
    }

    fn on_malformed(&mut self, error: &DecodeError) {
        tracing::debug!(%error, "malformed PDU");
        if error.kind == DecodeErrorKind::UnknownCommand {
            self.smsc.metrics.unknown_commands.inc();
        } else {
            self.smsc.metrics.malformed_pdus.inc();
        }
        if let Some(reply) = error.reply() {
            self.send(&reply);
        }
    }

    fn on_bind(&mut self, role: Role, bind: &Bind<'_>, sequence: SequenceNumber, at: &Moment) {
        if !matches!(self.state, State::Open { .. }) {
            self.smsc.metrics.binds_refused.inc();
            return self.reply(CommandStatus::ESME_RALYBND, sequence, role.response(BindResp::default()));
        }
        if let Err(status) = self.admit(bind) {
            tracing::info!(%status, "bind refused");
            self.smsc.metrics.binds_refused.inc();
            self.reply(status, sequence, role.response(BindResp::default()));
            return self.close_after_writing(at.now);
        }
        tracing::info!(?role, "bound");
        self.smsc.metrics.binds_accepted.inc();
        self.state = State::Bound(role);
        let mut tlvs = TlvBuffer::new();
        tlvs.push_u8(Tag::SC_INTERFACE_VERSION, INTERFACE_VERSION);
        let smsc = Arc::clone(&self.smsc);
        let body = BindResp { system_id: smsc.esme().system_id.as_bytes(), tlvs: tlvs.as_tlvs() };
        self.reply(CommandStatus::ESME_ROK, sequence, role.response(body));
    }

    /// Both are always compared, and each in constant time.
    fn admit(&self, bind: &Bind<'_>) -> Result<(), CommandStatus> {
        let known = self.smsc.is_system_id(bind.system_id);
        let proven = self.smsc.is_password(bind.password);
        match (known, proven) {
            (false, _) => Err(CommandStatus::ESME_RINVSYSID),
            (true, false) => Err(CommandStatus::ESME_RINVPASWD),
            (true, true) if self.smsc.take_seat() => Ok(()),
            (true, true) => Err(CommandStatus::ESME_RALYBND),
        }
    }

    fn on_submit(&mut self, submit: &SubmitSm<'_>, sequence: SequenceNumber, at: &Moment) {
        let latency = self.smsc.latency();
        // After those before it, even if the latency has become shorter; but
        // without one, at once.
        let due = match self.answers.back() {
            Some(last) if !latency.is_zero() => last.due.max(at.now + latency),
            _ => at.now + latency,
        };
        let role = self.state.role();
        let result = match role {
            Some(role) if role.submits() => self.accept(submit, sequence, role, at, due),
            _ => Err(CommandStatus::ESME_RINVBNDSTS),
        };
        let metrics = &self.smsc.metrics;
        match result {
            Ok(id) => {
                metrics.submits_accepted.inc();
                self.delivered = true;
                if latency.is_zero() {
                    self.reply_submit(sequence, id);
                } else {
                    self.answers.push_back(Answer { due, sequence, id });
                }
            }
            Err(status) => {
                match status {
                    CommandStatus::ESME_RTHROTTLED => metrics.submits_throttled.inc(),
                    _ => metrics.submits_refused.inc(),
                }
                self.reply(status, sequence, Body::SubmitSmResp(SubmitSmResp::default()));
            }
        }
    }

    fn accept(
        &mut self,
        submit: &SubmitSm<'_>,
        sequence: SequenceNumber,
        role: Role,
        at: &Moment,
        answered: Instant,
    ) -> Result<MessageId, CommandStatus> {
        if self.answers.len() >= self.smsc.esme().window {
            return Err(CommandStatus::ESME_RTHROTTLED);
        }
        if self.deliveries.is_full() && self.smsc.is_receipt_wanted(submit) {
            return Err(CommandStatus::ESME_RMSGQFUL);
        }
        let Accepted { id, receipt } = self.smsc.accept(submit, sequence, at, answered)?;
        match receipt {
            Some(receipt) if role.receives() => self.deliveries.add(receipt),
            Some(receipt) => self.smsc.held.put(std::iter::once(receipt), &self.smsc.metrics),
            None => {}
        }
        Ok(id)
    }

    fn on_unbind(&mut self, sequence: SequenceNumber, at: &Moment) {
        // What was accepted is answered, the latency notwithstanding.
        while let Some(answer) = self.answers.pop_front() {
            self.reply_submit(answer.sequence, answer.id);
        }
        self.send(&Pdu::new(sequence, Body::UnbindResp));
        self.close_after_writing(at.now);
    }
}

/// What time brings.
impl Session {
    fn answer(&mut self, now: Instant) {
        while let Some(answer) = self.answers.pop_front_if(|answer| answer.due <= now) {
            self.reply_submit(answer.sequence, answer.id);
        }
    }

    fn reply_submit(&mut self, sequence: SequenceNumber, id: MessageId) {
        let message_id = &id.to_hex();
        let body = SubmitSmResp { message_id, ..SubmitSmResp::default() };
        self.reply(CommandStatus::ESME_ROK, sequence, Body::SubmitSmResp(body));
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
    use smpp::pdu::{Address, FINAL_RECEIPT};

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
            session.on_time(at.now);
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
        session.on_time(session.due());
        assert!(session.is_over() && !session.ends_in_order());
    }

    #[test]
    fn an_unbind_that_is_not_answered_ends_all_the_same() {
        let at = at();
        let mut session = session(Config::default(), at.now);
        session.on_bytes(&bind(), &at);
        session.on_orders(Orders { unbind: 1, ..Orders::default() }, at.now);
        assert_eq!(session.due(), at.now + UNBIND_TIMEOUT);
        session.on_time(session.due());
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
    fn a_receipt_waits_for_its_answer_when_the_latency_becomes_shorter() {
        let at = at();
        let minute = Duration::from_secs(60);
        let mut session = session(behaving("submit.latency = \"60s\""), at.now);
        session.on_bytes(&bind(), &at);
        session.on_bytes(&submit_asking(0), &at);
        session.wrote(session.pending().len());
        session.smsc.set_behavior(Behavior::default().with_latency(Duration::from_millis(1)));
        session.on_bytes(&submit(), &at);
        session.answer(at.now + minute / 2);
        assert_eq!(session.deliveries.due(), Some(at.now + minute));
        assert!(session.pending().is_empty());
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
