//! A session's states, and how one follows another.

use std::sync::Arc;
use std::time::{Duration, Instant};

use smpp::codec;
use smpp::pdu::{BindResp, Body, CommandId, Pdu, SequenceNumber};
use smpp::status::CommandStatus;

use super::super::account::Account;
use super::super::agenda::Agenda;
use super::super::delivery_window::DeliveryWindow;
use super::super::mailbox::Mailbox;
use super::super::sequence::Sequence;
use super::super::shared::{Orders, Smsc};
use super::output::Output;
use crate::behavior::{Plan, Treatment};
use crate::inbox::MessageId;

/// For a new connection to bind.
pub(super) const BIND_TIMEOUT: Duration = Duration::from_secs(10);

/// For the ESME to answer our unbind.
pub(in crate::smsc) const UNBIND_TIMEOUT: Duration = Duration::from_secs(1);

/// For the last answers to be written before the connection is closed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a session that went quiet holds its connection: longer than ESMEs wait for an answer. What the
/// ESME does meanwhile, its closing included, is not noticed.
const QUIET_TIME: Duration = Duration::from_secs(120);

/// How far a session may carry messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Transmitter,
    Receiver,
    Transceiver,
}

impl Role {
    pub(super) const fn submits(self) -> bool {
        matches!(self, Self::Transmitter | Self::Transceiver)
    }

    pub(super) const fn receives(self) -> bool {
        matches!(self, Self::Receiver | Self::Transceiver)
    }

    /// The body of its bind's response.
    pub(super) const fn response(self, body: BindResp<'_>) -> Body<'_> {
        match self {
            Self::Transmitter => Body::BindTransmitterResp(body),
            Self::Receiver => Body::BindReceiverResp(body),
            Self::Transceiver => Body::BindTransceiverResp(body),
        }
    }
}

/// Who is bound, and as what.
#[derive(Clone)]
pub(super) struct Bound {
    pub(super) role: Role,
    pub(super) account: Arc<Account>,
}

pub(super) enum State {
    Open {
        until: Instant,
    },
    Bound {
        bound: Bound,
        /// Since the bind.
        submits: u32,
    },
    /// Neither reads nor says anything any more, and leaves the connection open.
    Quiet {
        /// Who was bound, if it was not the bind that made the session go quiet.
        bound: Option<Bound>,
        until: Instant,
    },
    Unbinding {
        bound: Bound,
        until: Instant,
    },
    Closing {
        until: Instant,
    },
    Closed,
}

/// The last sign of the ESME's life.
#[derive(Clone, Copy)]
pub(super) enum Liveness {
    /// When something came from it.
    Heard(Instant),
    /// When it was asked whether it is still there, which it has not answered.
    Asked(Instant),
}

impl State {
    /// Who is bound, while the session is.
    pub(super) const fn bound(&self) -> Option<&Bound> {
        match self {
            Self::Bound { bound, .. } | Self::Unbinding { bound, .. } => Some(bound),
            Self::Quiet { bound, .. } => bound.as_ref(),
            Self::Open { .. } | Self::Closing { .. } | Self::Closed => None,
        }
    }
}

/// An answer to a submit_sm or data_sm.
pub(super) struct Answer {
    pub(super) sequence: SequenceNumber,
    /// The response's.
    pub(super) command: CommandId,
    /// Of the message, if it was accepted.
    pub(super) id: Option<MessageId>,
    pub(super) treatment: Arc<Treatment>,
}

/// The session of one connection. Its task feeds it bytes and time, and writes what it has to say.
pub(in crate::smsc) struct Session {
    pub(super) smsc: Arc<Smsc>,
    /// As it was when the session last had a turn.
    pub(super) plan: Arc<Plan>,
    pub(super) state: State,
    /// What was ordered before this session began is not for it.
    pub(super) orders: Orders,
    pub(super) output: Output,
    /// Answers that wait for their time, at most a window of them.
    pub(super) answers: Agenda<Answer>,
    pub(super) deliveries: DeliveryWindow,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) sequence: Sequence,
    pub(super) liveness: Liveness,
}

impl Session {
    pub(in crate::smsc) fn new(smsc: Arc<Smsc>, orders: Orders, now: Instant) -> Self {
        let (metrics, config) = (Arc::clone(&smsc.metrics), &smsc.config);
        Self {
            plan: smsc.stages.plan.load_full(),
            state: State::Open { until: now + BIND_TIMEOUT },
            orders,
            output: Output::default(),
            answers: Agenda::default(),
            deliveries: DeliveryWindow::new(metrics, config.receipt_window, config.response_timeout),
            mailbox: Arc::default(),
            sequence: Sequence::default(),
            liveness: Liveness::Heard(now),
            smsc,
        }
    }

    pub(super) fn unbind(&mut self, now: Instant) {
        match &self.state {
            State::Open { .. } | State::Quiet { bound: None, .. } => self.close_after_writing(now),
            State::Bound { bound, .. } | State::Quiet { bound: Some(bound), .. } => {
                self.state = State::Unbinding { bound: bound.clone(), until: now + UNBIND_TIMEOUT };
                self.request(Body::Unbind);
            }
            State::Unbinding { .. } | State::Closing { .. } | State::Closed => {}
        }
    }

    /// Ends the session, whatever is unanswered. Receipts go to the next one.
    pub(super) fn close(&mut self) {
        self.leave(State::Closed);
    }

    pub(super) fn close_after_writing(&mut self, now: Instant) {
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
            bound.account.receivers.leave(&self.mailbox, self.deliveries.leave());
            tracing::debug!("session ended");
        }
    }

    pub(super) fn go_quiet(&mut self, now: Instant) {
        self.state = State::Quiet { bound: self.state.bound().cloned(), until: now + QUIET_TIME };
    }

    /// Sends a request of our own.
    pub(super) fn request(&mut self, body: Body<'_>) {
        let sequence = self.sequence.take();
        self.send(&Pdu::new(sequence, body));
    }

    pub(super) fn reply(&mut self, status: CommandStatus, sequence: SequenceNumber, body: Body<'_>) {
        self.send(&Pdu::response(status, sequence, body));
    }

    pub(super) fn send(&mut self, pdu: &Pdu<'_>) {
        codec::encode(pdu, self.output.bytes())
            .expect("what we say fits its fields: Config::check, and our own ids");
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.close();
    }
}
