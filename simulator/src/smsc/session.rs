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
//! An enquire_link is answered in every state but the last two. A behaviour can make a session that is open
//! or bound go Quiet: it then neither reads nor writes, until its time is up or the operator has it unbind.

mod binding;
mod hearing;
mod output;
mod sending;
mod state;
mod submits;

use std::sync::Arc;
use std::time::Instant;

use smpp::frame;

use super::mailbox::Mailbox;
use super::shared::Orders;
use crate::clock::Moment;
use state::{Liveness, State};
pub(super) use state::{Session, UNBIND_TIMEOUT};

impl Session {
    /// Where others leave deliveries for this session.
    pub(super) const fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    /// What is to be written now.
    pub(super) fn pending(&self) -> &[u8] {
        self.output.pending()
    }

    /// `count` bytes of [`Session::pending`] are written.
    pub(super) fn wrote(&mut self, count: usize) {
        self.output.wrote(count);
    }

    /// Whether more may be read now.
    pub(super) fn wants_input(&self) -> bool {
        !self.output.is_full() && self.wants_pdus()
    }

    fn wants_pdus(&self) -> bool {
        !matches!(self.state, State::Quiet { .. } | State::Closing { .. } | State::Closed)
    }

    /// Whether deliveries that others left are welcome.
    pub(super) fn receives(&self) -> bool {
        self.is_receiver() && !self.deliveries.is_full()
    }

    fn is_receiver(&self) -> bool {
        matches!(&self.state, State::Bound { bound, .. } if bound.role.receives())
    }

    /// Whether the connection is to be closed now.
    pub(super) fn is_over(&self) -> bool {
        match self.state {
            State::Closing { .. } => self.output.is_empty(),
            State::Closed => true,
            State::Open { .. } | State::Bound { .. } | State::Quiet { .. } | State::Unbinding { .. } => false,
        }
    }

    /// Whether the session was closed in order, and everything is written.
    pub(super) fn ends_in_order(&self) -> bool {
        matches!(self.state, State::Closing { .. }) && self.output.is_empty()
    }

    /// When [`Session::on_time`] has something to do, if nothing comes before.
    pub(super) fn due(&self) -> Instant {
        let alive = match self.state {
            State::Quiet { until, .. } => return until,
            State::Open { until } | State::Unbinding { until, .. } | State::Closing { until } => until,
            State::Bound { .. } | State::Closed => match self.liveness {
                Liveness::Asked(at) => at + self.smsc.config.response_timeout,
                Liveness::Heard(at) => at + self.smsc.config.enquire_link_interval,
            },
        };
        // When the output is full, it is the next write that lets receipts go on.
        let may_deliver = self.is_receiver() && !self.output.is_full();
        let deliveries = if may_deliver { self.deliveries.due() } else { None };
        [self.answers.due(), deliveries, self.output.due()].into_iter().flatten().fold(alive, Instant::min)
    }

    /// Takes all whole PDUs out of `input`; returns how many bytes they had.
    pub(super) fn on_bytes(&mut self, input: &[u8], at: &Moment) -> usize {
        self.plan = self.smsc.stages.plan.load_full();
        self.liveness = Liveness::Heard(at.now);
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
                    self.smsc.metrics.errors.framing.inc();
                    self.close_after_writing(at.now);
                }
            }
        }
        self.smsc.inbox.wake();
        consumed
    }

    /// Does what is due: receipts, answers, timers.
    pub(super) fn on_time(&mut self, at: &Moment) {
        if matches!(self.state, State::Quiet { .. }) {
            return self.keep_alive(at.now);
        }
        self.deliveries.give_up_unanswered(at);
        // Before the receipts, which are due at the same time when there is no delay: an ESME that gets a
        // receipt of a message whose id it does not know yet may drop it, as Kannel does.
        while let Some(answer) = self.answers.pop_due(at.now) {
            self.answer(&answer, at);
        }
        self.deliver(at);
        self.keep_alive(at.now);
        self.output.let_trickle(self.plan.behavior.session.dribble, at.now);
    }

    /// The operator ordered something.
    pub(super) fn on_orders(&mut self, orders: Orders, at: &Moment) {
        if orders.disconnect != self.orders.disconnect {
            self.close();
        }
        if orders.unbind != self.orders.unbind {
            self.unbind(at.now);
        }
        self.orders = orders;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use smpp::codec;
    use smpp::pdu::{Address, Bind, Body, FINAL_RECEIPT, Pdu, SequenceNumber, SubmitSm};
    use smpp::status::CommandStatus;

    use super::super::mailbox::WAITING_MAX;
    use super::super::shared::Smsc;
    use super::output::OUT_BYTES_MAX;
    use super::state::BIND_TIMEOUT;
    use super::*;
    use crate::behavior::Behavior;
    use crate::config::Config;
    use crate::inbox::Inbox;
    use crate::metrics::Metrics;

    fn behaving(toml: &str) -> Config {
        Config { behavior: Behavior::from_toml(toml).unwrap(), ..Config::default() }
    }

    fn session(config: Config, now: Instant) -> Session {
        let inbox = Arc::new(Inbox::new(10, usize::MAX));
        let smsc = Smsc::new(config, 1, inbox, Arc::new(Metrics::new()), None);
        Session::new(Arc::new(smsc), Orders::default(), now)
    }

    fn bytes(sequence: u32, body: Body<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        codec::encode(&Pdu::new(SequenceNumber(sequence), body), &mut bytes).unwrap();
        bytes
    }

    fn bind() -> Vec<u8> {
        let bind = Bind { system_id: b"gateway", password: b"secret08", ..Bind::default() };
        bytes(1, Body::BindTransceiver(bind))
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
        bytes(2, Body::SubmitSm(submit))
    }

    #[test]
    fn an_esme_that_does_not_read_stops_itself_within_the_bound() {
        let at = Moment::present();
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
        let at = Moment::present();
        let mut session = session(Config::default(), at.now);
        assert_eq!(session.due(), at.now + BIND_TIMEOUT);
        session.on_time(&Moment { now: session.due(), ..at });
        assert!(session.is_over() && !session.ends_in_order());
    }

    #[test]
    fn an_unbind_that_is_not_answered_ends_all_the_same() {
        let at = Moment::present();
        let mut session = session(Config::default(), at.now);
        session.on_bytes(&bind(), &at);
        session.on_orders(Orders { unbind: 1, ..Orders::default() }, &at);
        assert_eq!(session.due(), at.now + UNBIND_TIMEOUT);
        session.on_time(&Moment { now: session.due(), ..at });
        assert!(session.is_over());
        assert_eq!(session.smsc.metrics.sessions_bound.get(), 0);
    }

    #[test]
    fn more_receipts_than_may_wait_refuse_submits_that_ask_for_them() {
        let at = Moment::present();
        let mut session = session(behaving("receipts.delay = \"60s\""), at.now);
        session.on_bytes(&bind(), &at);
        for _ in 0..WAITING_MAX {
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
    fn s2_an_answer_overtakes_a_slower_one_and_its_receipt_follows_it() {
        let at = Moment::present();
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
        assert!(session.pending().windows(4).any(|bytes| bytes == b"stat"), "a receipt");
        assert_eq!(session.answers.due(), Some(at.now + Duration::from_secs(60)));
    }

    #[test]
    fn what_happens_after_this_many_submits_happens_after_the_next_when_there_were_more() {
        let at = Moment::present();
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
        let at = Moment::present();
        let toml = "submit = { disconnect = \"before_response\", latency = \"1s\" }";
        let mut session = session(behaving(toml), at.now);
        session.on_bytes(&bind(), &at);
        session.on_bytes(&submit().repeat(2), &at);
        session.on_bytes(&bytes(3, Body::Unbind), &at);
        assert!(session.is_over() && !session.ends_in_order());
    }

    #[test]
    fn half_a_pdu_is_left_for_later() {
        let at = Moment::present();
        let mut session = session(Config::default(), at.now);
        let bind = bind();
        assert_eq!(session.on_bytes(&bind[..20], &at), 0);
        assert_eq!(session.on_bytes(&[&bind[..], &bind[..9]].concat(), &at), bind.len());
    }
}
