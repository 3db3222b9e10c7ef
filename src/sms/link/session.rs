//! One ESME session, without its socket: frames and time in, bytes and reports out. It sends and receives, or
//! does one of both.
//!
//! Its connection gives it what has come in ([`Session::hear`], [`Session::shut_down`], [`Session::lost`]) and
//! then [steps](Session::step) it: everything that can be done without waiting is done there. The parts, each
//! with what it owns:
//!
//! ```text
//!              hear ──► hearing ──┬── replies ─────────────────────► output ──► sink
//!                                 ├── binds, unbinds ──► state          ▲
//!                                 ├── receipts ──► deliver              │ submits
//!                                 └── responses ──► in_flight ◄──── sending ◄─► lane
//!                                                       └──── what came of it ───┘
//! ```
//!
//! enquire_link and deliver_sm are answered in every state but the last, deliver_sm with an error before the
//! bind. Items are taken only in Bound and Draining, and by none that only receives.

mod context;
mod deliver;
mod hearing;
mod in_flight;
mod output;
mod sending;
mod state;

use std::io;

use smpp::pdu::{Bind, Body, CommandId, Pdu, SequenceNumber};
use smpp::status::CommandStatus;

pub(super) use context::Context;
pub(in crate::sms) use context::Role;
use deliver::Deliver;
use hearing::{Event, Hearing, Silence};
use in_flight::{Answer, InFlight};
use output::Output;
use sending::{SUBMIT_BYTES_MAX, Sending};
pub(super) use state::End;
use state::{Left, State};

use crate::clock::Timestamp;
use crate::sms::link::settings::Settings;
use crate::sms::outbox::Outgoing;

/// Pending bytes beyond which nothing more is read or taken: the peer does not read.
const PENDING_BYTES_MAX: usize = 64 * 1024;
const _: () = assert!(SUBMIT_BYTES_MAX < PENDING_BYTES_MAX, "our own submits must not stop the reading");

/// What a step came to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Wait(Wait),
    Over(End),
}

/// What may let a session go on: the time, and whichever of the others is true.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wait {
    pub(super) until: Timestamp,
    /// Frames. Not while the peer does not read: there is no room for answers.
    pub(super) input: bool,
    /// The sink, which was full.
    pub(super) output: bool,
    /// An item of the lane, which has been asked to wake the link for it.
    pub(super) items: bool,
    /// A place for a report.
    pub(super) reports: bool,
    /// The end of the queue.
    pub(super) queue_over: bool,
}

/// The session of one connection.
pub(super) struct Session<'a> {
    context: Context<'a>,
    state: State,
    /// When the bind was accepted, if it was.
    bound_at: Option<Timestamp>,
    output: Output,
    hearing: Hearing,
    sending: Sending,
    in_flight: InFlight<'a>,
}

impl<'a> Session<'a> {
    /// Begins with a bind.
    pub(super) fn new(context: Context<'a>, now: Timestamp) -> Self {
        let in_flight = InFlight::default();
        let mut sending = Sending::new(context.settings.rate, now);
        let mut output = Output::new(now);
        let sequence = sending.take_sequence(&in_flight.submits);
        output.write(&Pdu::new(sequence, bind(&context)), now);
        let until = now.plus(context.settings.session_init_timer);
        let state = State::Binding { sequence, until, shutdown: None };
        Self { context, state, bound_at: None, output, hearing: Hearing::new(now), sending, in_flight }
    }

    /// Whether more may be read.
    pub(super) fn wants_input(&self) -> bool {
        self.output.pending().len() < PENDING_BYTES_MAX
    }

    /// Why it is over, once it is.
    pub(super) fn over(&self) -> Option<End> {
        self.state.over()
    }

    /// When it was bound, if it was.
    pub(super) fn bound_at(&self) -> Option<Timestamp> {
        self.bound_at
    }

    /// Whether nothing of ours is on its way that the SMSC has not answered.
    pub(super) fn all_answered(&self) -> bool {
        self.output.pending().is_empty() && self.in_flight.submits.all_answered()
    }

    /// A frame came in.
    pub(super) fn hear(&mut self, frame: &[u8], now: Timestamp) {
        match self.hearing.hear(frame, &self.context, now) {
            Event::Nothing => {}
            Event::Reply(reply) => self.output.write(&reply, now),
            Event::Deliver(deliver) => self.on_deliver(&deliver, now),
            Event::SubmitResp(answer, message_id) => {
                let taken = self.in_flight.on_submit_resp(answer, message_id, &self.context, now);
                self.sending.answered(taken);
            }
            Event::BindResp(answer) => self.on_bind_resp(answer, now),
            Event::GenericNack(answer) => self.on_generic_nack(answer, now),
            Event::Unbind(sequence) => self.on_unbind(sequence, now),
            Event::UnbindResp(sequence) => {
                if !self.state.on_unbind_resp() {
                    self.context.stray(CommandId::UNBIND_RESP, sequence);
                }
            }
        }
    }

    /// Empties the queue until `until` at the latest, then unbinds.
    pub(super) fn shut_down(&mut self, until: Timestamp) {
        self.state.shut_down(until);
    }

    /// The connection is of no more use.
    pub(super) fn lost(&mut self, end: End) {
        self.state.lost(end);
    }

    /// When a step has something to do, whatever comes in. What has come in by then is to be heard before.
    pub(super) fn due(&self) -> Timestamp {
        let settings = self.context.settings;
        let alive = self.state.is_bound().then(|| self.hearing.due(settings));
        let stalled = self.stalled_since().map(|since| since.plus(settings.response_timer));
        let overdue = self.in_flight.submits.due(settings.response_timer);
        let all = [self.state.due(), alive, stalled, overdue];
        // Only a session that is over waits for nothing.
        all.into_iter().flatten().min().unwrap_or_default()
    }

    /// Does all that can be done without waiting, and gives the sink the bytes that it takes. What it does not
    /// take when the session is over was not written, and stays so.
    ///
    /// # Errors
    ///
    /// Those of the sink. The session is to be given what has still come in, and that it is [lost](Self::lost).
    // No allocation but by what lasts: the window's table, a queue of retries.
    pub(super) fn step(&mut self, now: Timestamp, sink: &mut dyn io::Write) -> io::Result<Step> {
        if self.over().is_none() && now >= self.due() {
            self.on_time(now);
        }
        if let Some(end) = self.over() {
            return Ok(Step::Over(end));
        }
        self.context.lane.set_bound(self.sends(), now);
        self.sending.retry_reports();
        while self.round(now, sink)? {}
        Ok(self.over().map_or_else(|| Step::Wait(self.wait(now)), Step::Over))
    }

    /// One batch of items and one write. Returns whether there is more to do at once: only where a batch is
    /// larger than the buffer, or the write led to more.
    fn round(&mut self, now: Timestamp, sink: &mut dyn io::Write) -> io::Result<bool> {
        if self.wants_items(now) {
            self.sending.submit(&self.context, &mut self.in_flight.submits, &mut self.output, now);
        }
        self.advance(now);
        let written = self.output.write_to(sink, now);
        self.in_flight.wrote(self.output.written_total(), self.context.smsc, now);
        written?;
        self.advance(now);
        let backlog = self.sending.has_backlog() && self.wants_items(now);
        let more = backlog || !self.output.pending().is_empty();
        Ok(more && !self.output.is_blocked() && self.over().is_none())
    }

    /// Says what the session waits for, and has the lane wake the link for items if they would be sent at once.
    fn wait(&mut self, now: Timestamp) -> Wait {
        let lane = self.context.lane;
        let is_drained = lane.is_drained();
        let items = self.wants_items(now) && !is_drained;
        lane.set_idle(items);
        self.in_flight.publish(self.context.metrics);
        let ready_at = if self.may_send() {
            self.sending.ready_at(&self.context, self.in_flight.submits.in_flight(), now)
        } else {
            None
        };
        let due = self.due();
        Wait {
            until: ready_at.map_or(due, |at| at.min(due)),
            input: self.wants_input(),
            output: self.output.is_blocked(),
            items,
            reports: self.sending.waits_for_reports(),
            queue_over: self.state.is_draining() && !is_drained,
        }
    }

    /// Whether submits may be sent.
    fn sends(&self) -> bool {
        self.state.is_bound() && self.context.role != Role::Receiver
    }

    /// The same, and the sink takes them.
    // What is not encoded yet has no validity yet that could go stale.
    fn may_send(&self) -> bool {
        self.sends() && !self.output.is_blocked()
    }

    /// Whether items would be written at once.
    fn wants_items(&self, now: Timestamp) -> bool {
        self.may_send() && self.sending.is_ready(&self.context, self.in_flight.submits.in_flight(), now)
    }

    /// Since when the peer has not read what it should have. One that takes a byte now and then must not get a
    /// validity that has gone stale either.
    fn stalled_since(&self) -> Option<Timestamp> {
        let waiting = [self.output.waiting_since(), self.in_flight.submits.waiting_since()];
        waiting.into_iter().flatten().min()
    }

    /// Does what is due.
    fn on_time(&mut self, now: Timestamp) {
        let settings = self.context.settings;
        self.in_flight.give_up_overdue(&self.context, now);
        if self.stalled_since().is_some_and(|since| now >= since.plus(settings.response_timer)) {
            self.lost(End::Stalled);
        }
        if self.state.is_bound() {
            match self.hearing.on_time(settings, now) {
                Some(Silence::Ask) => self.request(Body::EnquireLink, now),
                Some(Silence::GiveUp) => self.lost(End::Silent),
                None => {}
            }
        }
        self.advance(now);
    }

    fn advance(&mut self, now: Timestamp) {
        let left = Left {
            queued: !self.context.lane.is_drained(),
            unanswered_submits: self.in_flight.submits.in_flight() > 0,
            pending_bytes: !self.output.pending().is_empty(),
        };
        if self.state.advance(left, self.context.settings.response_timer, now) {
            self.request(Body::Unbind, now);
        }
    }

    fn request(&mut self, body: Body<'_>, now: Timestamp) {
        let sequence = self.sending.take_sequence(&self.in_flight.submits);
        self.output.write(&Pdu::new(sequence, body), now);
    }

    fn on_bind_resp(&mut self, answer: Answer, now: Timestamp) {
        let Context { settings: Settings { name, address, .. }, role, metrics, .. } = &self.context;
        let result = if answer.status.is_ok() { Ok(()) } else { Err(answer.status) };
        if !self.state.on_bind_answer(answer.sequence, result) {
            metrics.anomalies.inc();
        } else if result.is_ok() {
            self.bound_at = Some(now);
            metrics.binds.inc();
            tracing::info!(smsc = name, address, ?role, "bound to the SMSC");
        }
    }

    /// It may be about an enquire_link, which its arrival has answered.
    fn on_generic_nack(&mut self, answer: Answer, now: Timestamp) {
        if !self.state.on_bind_answer(answer.sequence, Err(answer.status)) {
            let taken = self.in_flight.on_refused(answer, &self.context, now);
            self.sending.answered(taken);
        }
    }

    fn on_deliver(&mut self, deliver: &Deliver<'_>, now: Timestamp) {
        let status = if self.state.is_binding() {
            CommandStatus::ESME_RINVBNDSTS
        } else {
            deliver.report(&self.context, now)
        };
        self.output.write(&deliver.response(status), now);
    }

    fn on_unbind(&mut self, sequence: SequenceNumber, now: Timestamp) {
        self.output.write(&Pdu::response(CommandStatus::ESME_ROK, sequence, Body::UnbindResp), now);
        self.state.on_unbind(now.plus(self.context.settings.response_timer));
    }

    /// Gives back to the lane what was not written in full, in its order, and reports the rest as unknown.
    pub(super) fn end(self, now: Timestamp) {
        let Self { context, in_flight, .. } = self;
        context.lane.set_idle(false);
        let mut unsent: Vec<Outgoing> = Vec::new();
        in_flight.end(&mut unsent, &context, now);
        context.lane.set_bound(false, now);
        context.lane.give_back(unsent, now);
    }
}

fn bind<'a>(context: &Context<'a>) -> Body<'a> {
    let settings = context.settings;
    let bind = Bind {
        system_id: settings.system_id.as_bytes(),
        password: context.password.as_bytes(),
        system_type: settings.system_type.as_bytes(),
        interface_version: settings.interface_version.number(),
        ..Bind::default()
    };
    match context.role {
        Role::Transceiver => Body::BindTransceiver(bind),
        Role::Transmitter => Body::BindTransmitter(bind),
        Role::Receiver => Body::BindReceiver(bind),
    }
}

#[cfg(test)]
pub(super) mod tests;
