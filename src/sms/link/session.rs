//! One ESME session, without its socket: frames and time in, bytes and reports out. It sends and receives, or
//! does one of both.
//!
//! ```text
//!            bind response 0             told to stop
//!  Binding ──────────────────► Bound ───────────────────► Draining
//!     │                          │                            │ all sent and answered,
//!     │                          │ unbind                     │ or its time is over
//!     │                          ▼              unbind        ▼
//!     │                       Leaving ◄──────────────────  Unbinding
//!     │ refused, or              │ all answered,              │ unbind_resp,
//!     │ no answer                │ or too late                │ or too late
//!     └────────────────────────► Over ◄───────────────────────┘
//!                                  ▲
//!        broken frame, silence in spite of enquire_link, a peer that does not read: from every state
//! ```
//!
//! Told to stop while binding, it binds first if anything is queued. enquire_link and deliver_sm are
//! answered in every state but the last, deliver_sm with an error before the bind. Items are taken only in
//! Bound and Draining, and by none that only receives.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::time::Duration;

use smpp::codec::{self, DecodeError};
use smpp::frame::FrameError;
use smpp::pdu::{Bind, Body, DataSmResp, DeliverSmResp, EsmClass, Pdu, SequenceNumber, SubmitSmResp};
use smpp::receipt::Receipt;
use smpp::status::CommandStatus;
use smpp::tlv::{Tag, Tlvs};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::buffer::WriteBuffer;
use super::compose::Composer;
use super::later::Later;
use super::muted::Muted;
use super::pace::Pace;
use super::settings::Settings;
use super::submits::{FullyWritten, InWriteBuffer, Refusal, Submits};
use super::tls::TlsError;
use crate::clock::Timestamp;
use crate::metrics::SmsMetrics;
use crate::sms::DeliveryReport;
use crate::sms::outbox::{Item, LEFT_MIN};
use crate::sms::receipts::{Heard, Incoming, Receipts, Sent};
use crate::sms::routes::{Lane, Outgoing};
use crate::subscriber::challenge::Delivery;
use crate::subscriber::code::Code;

/// While answers are outstanding, items are gathered for so long before the next are written (as Nagle's
/// algorithm has it, RFC 896): one wake-up and one system call for many. With nothing outstanding, and
/// while the window is what holds items back, they are written at once.
pub(super) const GATHER: Duration = Duration::from_millis(1);
/// Pending bytes beyond which nothing more is read or taken: the peer does not read.
const PENDING_BYTES_MAX: usize = 64 * 1024;
/// The bytes that wait to be written beyond which no submit is added: enough for one large write. Less than
/// what stops the reading, so that our own submits never keep us from hearing answers.
const SUBMIT_BYTES_MAX: usize = 32 * 1024;
const _: () = assert!(SUBMIT_BYTES_MAX < PENDING_BYTES_MAX, "submits alone must not stop the reading");

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sms) enum Role {
    Transceiver,
    Transmitter,
    Receiver,
}

/// What a session works with.
pub(super) struct Context<'a, R> {
    pub(super) settings: &'a Settings,
    pub(super) password: &'a str,
    pub(super) role: Role,
    /// What waits to be sent.
    pub(super) lane: &'a Lane,
    /// What all sessions with this SMSC wait for.
    pub(super) receipts: &'a RefCell<Receipts>,
    /// The next `user_message_reference` of this SMSC.
    pub(super) next_reference: &'a Cell<u16>,
    /// The code and what is left of its time; `None` once it must not be sent.
    pub(super) release: &'a R,
    pub(super) reports: &'a mpsc::Sender<DeliveryReport>,
    pub(super) metrics: &'a SmsMetrics,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Binding { sequence: SequenceNumber, until: Timestamp },
    Bound,
    Draining { until: Timestamp },
    Unbinding { until: Timestamp },
    Leaving { until: Timestamp },
    Over(End),
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// We were told to stop, and unbound.
    Stopped,
    /// The SMSC unbound.
    Unbound,
    /// The SMSC refused the bind.
    Refused(CommandStatus),
    /// The SMSC did not answer the bind.
    BindTimeout,
    /// Nothing came back, not even to an enquire_link.
    Silent,
    /// The SMSC did not read.
    Stalled,
    /// The stream cannot be cut into PDUs any more.
    Frame(FrameError),
    /// The SMSC closed the connection.
    Closed,
    /// Reading or writing failed.
    Io(io::ErrorKind),
    /// The TLS layer gave up.
    Tls(TlsError),
}

impl End {
    /// Whether only people can mend it.
    pub(super) fn needs_people(self) -> bool {
        let credentials = [CommandStatus::ESME_RINVPASWD, CommandStatus::ESME_RINVSYSID];
        match self {
            Self::Refused(status) => credentials.contains(&status),
            Self::Tls(_) => true,
            _ => false,
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => f.write_str("told to stop"),
            Self::Unbound => f.write_str("the SMSC unbound"),
            Self::Refused(status) => write!(f, "the SMSC refused the bind with {status}"),
            Self::BindTimeout => f.write_str("the SMSC did not answer the bind"),
            Self::Silent => f.write_str("the SMSC did not answer enquire_link"),
            Self::Stalled => f.write_str("the SMSC does not read"),
            Self::Frame(error) => write!(f, "broken frame: {error}"),
            Self::Closed => f.write_str("the SMSC closed the connection"),
            Self::Io(kind) => write!(f, "{kind}"),
            Self::Tls(error) => write!(f, "TLS: {error}"),
        }
    }
}

/// The session of one connection.
pub(super) struct Session<'a, R> {
    context: Context<'a, R>,
    state: State,
    out: WriteBuffer,
    /// The socket takes no more bytes for now.
    blocked: bool,
    /// When bytes were last written, or the first of the pending ones were added.
    out_progress_at: Timestamp,
    submits: Submits<'a>,
    later: Later,
    pace: Pace,
    next_sequence: SequenceNumber,
    /// When the last PDU came in.
    heard_at: Timestamp,
    /// When we asked whether the SMSC is still there, if nothing has come since.
    asked_at: Option<Timestamp>,
    /// When it was bound, if it was.
    bound_at: Option<Timestamp>,
    /// We were told to stop, and until when draining may last.
    stop_until: Option<Timestamp>,
    /// No item is taken before, while answers are outstanding.
    gather_until: Timestamp,
    /// The last time, there may have been more items than room.
    backlog: bool,
    /// The last time, there was no place for a report.
    reports_full: bool,
    /// What is counted in the gauge of submits in flight.
    in_flight_told: usize,
    composer: Composer,
    /// Warnings that a peer can bring about as fast as it sends.
    malformed: Muted,
    rejected: Muted,
}

impl<'a, R: Fn(&Item) -> Option<(Code, Duration)>> Session<'a, R> {
    /// Begins with a bind.
    pub(super) fn new(context: Context<'a, R>, now: Timestamp) -> Self {
        let sequence = SequenceNumber::FIRST;
        let until = now.plus(context.settings.session_init_timer);
        let pace = Pace::new(context.settings.rate, now);
        let mut session = Self {
            context,
            state: State::Binding { sequence, until },
            out: WriteBuffer::new(),
            blocked: false,
            out_progress_at: now,
            submits: Submits::default(),
            later: Later::default(),
            pace,
            next_sequence: sequence.next(),
            heard_at: now,
            asked_at: None,
            bound_at: None,
            stop_until: None,
            gather_until: now,
            backlog: false,
            reports_full: false,
            in_flight_told: 0,
            composer: Composer::new(),
            malformed: Muted::default(),
            rejected: Muted::default(),
        };
        let settings = session.context.settings;
        let bind = Bind {
            system_id: settings.system_id.as_bytes(),
            password: session.context.password.as_bytes(),
            system_type: settings.system_type.as_bytes(),
            interface_version: settings.interface_version.number(),
            ..Bind::default()
        };
        let bind = match session.context.role {
            Role::Transceiver => Body::BindTransceiver(bind),
            Role::Transmitter => Body::BindTransmitter(bind),
            Role::Receiver => Body::BindReceiver(bind),
        };
        session.write(&Pdu::new(sequence, bind), now);
        session
    }

    /// What is to be written.
    pub(super) fn pending(&self) -> &[u8] {
        self.out.pending()
    }

    /// The first `count` of the pending bytes are written.
    pub(super) fn wrote(&mut self, count: usize, now: Timestamp) {
        self.out.wrote(count);
        self.out_progress_at = now;
        let submitted = self.submits.wrote(self.out.written_total(), now);
        self.context.metrics.submitted.inc_by(submitted);
    }

    /// Whether more may be read.
    pub(super) fn wants_input(&self) -> bool {
        self.out.pending().len() < PENDING_BYTES_MAX
    }

    /// The socket took all that is pending, or takes no more for now.
    pub(super) fn set_blocked(&mut self, blocked: bool) {
        self.blocked = blocked;
    }

    /// Whether items would be written at once.
    // Not while the socket takes no more: what is not encoded yet has no validity yet that could go stale.
    pub(super) fn wants_items(&self, now: Timestamp) -> bool {
        self.has_room()
            && self.pace.allows(now)
            && (self.submits.in_flight() == 0 || self.backlog || now >= self.gather_until)
    }

    /// Whether items could be written but for the time that has to pass between them.
    fn has_room(&self) -> bool {
        self.sends() && !self.blocked && !self.reports_full && (self.room() > 0 || self.later.has_due())
    }

    /// Whether there may be more items than the last write had room for, and there is room again.
    pub(super) fn wants_backlog(&self, now: Timestamp) -> bool {
        self.backlog && self.wants_items(now)
    }

    /// Whether nothing of ours is on its way that the SMSC has not answered.
    pub(super) fn all_answered(&self) -> bool {
        self.out.pending().is_empty() && self.submits.all_answered()
    }

    /// Whether the SMSC has accepted the bind, and neither side has ended the session.
    pub(super) fn is_bound(&self) -> bool {
        matches!(self.state, State::Bound | State::Draining { .. })
    }

    /// Whether submits may be sent.
    pub(super) fn sends(&self) -> bool {
        self.is_bound() && self.context.role != Role::Receiver
    }

    /// Whether the session waits until reports are taken.
    pub(super) fn waits_for_reports(&self) -> bool {
        self.reports_full
    }

    /// There is a place for a report again.
    pub(super) fn reports_have_room(&mut self) {
        self.reports_full = false;
    }

    /// Whether it was told to stop.
    pub(super) fn is_stopping(&self) -> bool {
        self.stop_until.is_some()
    }

    /// When it was bound, if it was.
    pub(super) fn bound_at(&self) -> Option<Timestamp> {
        self.bound_at
    }

    /// Why it is over, once it is.
    pub(super) fn over(&self) -> Option<End> {
        match self.state {
            State::Over(end) => Some(end),
            _ => None,
        }
    }

    /// The connection is of no more use.
    pub(super) fn lost(&mut self, end: End) {
        self.state = match self.state {
            // What we waited for was the end.
            State::Unbinding { .. } => State::Over(End::Stopped),
            State::Leaving { .. } => State::Over(End::Unbound),
            State::Over(end) => State::Over(end),
            _ => State::Over(end),
        };
    }

    /// Empties the queue until `until` at the latest, then unbinds.
    pub(super) fn stop(&mut self, until: Timestamp) {
        self.stop_until = Some(until);
        if let State::Bound = self.state {
            self.state = State::Draining { until };
        }
    }

    /// Writes what may be sent: what was refused for now and is due again, then what is queued.
    pub(super) fn submit(&mut self, now: Timestamp) {
        self.backlog = true;
        if let Some(limit) = self.pace.on_time(now) {
            let smsc = &self.context.settings.name;
            tracing::info!(smsc, limit, "the SMSC throttles: fewer segments a second");
        }
        while self.out.pending().len() < SUBMIT_BYTES_MAX && self.pace.allows(now) {
            // A report's place first: no outcome may be lost.
            let report = match self.context.reports.try_reserve() {
                Ok(report) => report,
                Err(TrySendError::Full(()) | TrySendError::Closed(())) => {
                    self.reports_full = true;
                    return;
                }
            };
            let room = self.room() > 0;
            let Some(outgoing) = self.next_item(room, now) else {
                self.backlog = !room;
                return;
            };
            self.gather_until = now.plus(GATHER);
            self.submit_item(outgoing, report, now);
        }
    }

    /// What is to be sent next: what has a place in the window, then what needs one.
    fn next_item(&mut self, room: bool, now: Timestamp) -> Option<Outgoing> {
        if let Some(outgoing) = self.later.take() {
            return Some(outgoing);
        }
        if !room {
            return None;
        }
        while let Some(outgoing) = self.later.take_aside() {
            if let Some(outgoing) = self.later.behind(outgoing) {
                return Some(outgoing);
            }
        }
        while let Some(outgoing) = self.context.lane.take(now) {
            if let Some(outgoing) = self.later.behind(outgoing) {
                return Some(outgoing);
            }
            self.context.lane.unsent(now);
        }
        None
    }

    // The code exists in the composer and in the write buffer alone, and both are wiped.
    fn submit_item(&mut self, outgoing: Outgoing, report: mpsc::Permit<'a, DeliveryReport>, now: Timestamp) {
        let item = &outgoing.item;
        let released = (self.context.release)(item);
        let Some((code, left)) = released.filter(|(_, left)| *left >= LEFT_MIN) else {
            tracing::debug!(challenge = %item.challenge, "not sent: ended, replaced or too little time left");
            return self.drop_item(&outgoing, report, now);
        };
        let sequence = self.take_sequence();
        let reference = self.take_reference();
        if self.out.pending().is_empty() {
            self.out_progress_at = now;
        }
        let submit = self.composer.submit(self.context.settings, item, &code, left, reference, now);
        drop(code);
        let encoded = self.out.append(&Pdu::new(sequence, Body::SubmitSm(submit)));
        self.composer.wipe();
        match encoded {
            Ok(()) => {
                self.pace.sent(now);
                let end = self.out.end();
                self.submits.push(InWriteBuffer::new(outgoing, reference, sequence, now, end, report));
            }
            Err(error) => {
                tracing::error!(challenge = %item.challenge, %error, "not sent: cannot be encoded");
                self.drop_item(&outgoing, report, now);
            }
        }
    }

    fn drop_item(&self, outgoing: &Outgoing, report: mpsc::Permit<'a, DeliveryReport>, now: Timestamp) {
        self.context.metrics.dropped.inc();
        self.context.lane.unsent(now);
        let in_time = outgoing.item.expires_at.since(now) >= LEFT_MIN;
        let delivery = if in_time { Delivery::Dropped } else { Delivery::Expired };
        report.send(Sent::of(&outgoing.item).report(delivery));
    }

    /// How many more submits the window allows.
    fn room(&self) -> usize {
        let taken = self.submits.in_flight() + self.later.places();
        self.context.settings.window.saturating_sub(taken)
    }

    fn take_reference(&self) -> Option<u16> {
        let reference = self.context.next_reference;
        self.context
            .settings
            .user_message_reference
            .then(|| reference.replace(reference.get().wrapping_add(1)))
    }

    fn take_sequence(&mut self) -> SequenceNumber {
        // Ends, since the numbers in use are fewer than there are.
        while self.submits.uses(self.next_sequence) {
            self.next_sequence = self.next_sequence.next();
        }
        let sequence = self.next_sequence;
        self.next_sequence = sequence.next();
        sequence
    }

    fn write(&mut self, pdu: &Pdu<'_>, now: Timestamp) {
        if self.out.pending().is_empty() {
            self.out_progress_at = now;
        }
        if let Err(error) = self.out.append(pdu) {
            // Settings are checked at the start, and answers are fixed.
            tracing::error!(command = %pdu.body.command_id(), %error, "a PDU cannot be encoded");
        }
    }

    fn answer(&mut self, status: CommandStatus, to: SequenceNumber, body: Body<'_>, now: Timestamp) {
        self.write(&Pdu::response(status, to, body), now);
    }

    /// A frame came in.
    pub(super) fn on_frame(&mut self, frame: &[u8], now: Timestamp) {
        self.heard_at = now;
        self.asked_at = None;
        match codec::decode(frame) {
            Ok(decoded) => {
                if !decoded.anomalies.is_empty() {
                    self.context.metrics.anomalies.inc();
                    tracing::debug!(anomalies = ?decoded.anomalies, "odd PDU");
                }
                self.on_pdu(&decoded.pdu, now);
            }
            Err(error) => self.on_malformed(&error, now),
        }
    }

    fn on_malformed(&mut self, error: &DecodeError, now: Timestamp) {
        self.context.metrics.anomalies.inc();
        if let Some(before) = self.malformed.may_speak(now) {
            tracing::warn!(smsc = self.context.settings.name, %error, before, "malformed PDU");
        }
        if let Some(reply) = error.reply() {
            self.write(&reply, now);
        }
    }

    fn on_pdu(&mut self, pdu: &Pdu<'_>, now: Timestamp) {
        let sequence = pdu.sequence;
        match &pdu.body {
            Body::SubmitSmResp(SubmitSmResp { message_id, .. }) => {
                self.on_submit_resp(sequence, pdu.status, message_id, now);
            }
            Body::DeliverSm(message) => {
                let (receipt, handset) = (Receipt::parse(message), message.source.digits);
                let status = self.on_deliver(receipt, message.esm_class, handset, message.tlvs, now);
                self.answer(status, sequence, Body::DeliverSmResp(DeliverSmResp { message_id: b"" }), now);
            }
            Body::DataSm(message) => {
                let (receipt, handset) = (Receipt::parse_data_sm(message), message.source.digits);
                let status = self.on_deliver(receipt, message.esm_class, handset, message.tlvs, now);
                self.answer(status, sequence, Body::DataSmResp(DataSmResp::default()), now);
            }
            Body::EnquireLink => self.answer(CommandStatus::ESME_ROK, sequence, Body::EnquireLinkResp, now),
            Body::EnquireLinkResp => {}
            Body::BindTransceiverResp(_) if self.context.role == Role::Transceiver => {
                self.on_bind_resp(sequence, pdu.status, now);
            }
            Body::BindTransmitterResp(_) if self.context.role == Role::Transmitter => {
                self.on_bind_resp(sequence, pdu.status, now);
            }
            Body::BindReceiverResp(_) if self.context.role == Role::Receiver => {
                self.on_bind_resp(sequence, pdu.status, now);
            }
            Body::GenericNack => self.on_generic_nack(sequence, pdu.status, now),
            Body::Unbind => self.on_unbind(sequence, now),
            Body::UnbindResp if matches!(self.state, State::Unbinding { .. }) => {
                self.state = State::Over(End::Stopped);
            }
            Body::BindTransmitter(_)
            | Body::BindReceiver(_)
            | Body::BindTransceiver(_)
            | Body::Outbind(_)
            | Body::SubmitSm(_)
            | Body::QuerySm(_)
            | Body::CancelSm(_)
            | Body::ReplaceSm(_) => {
                // Requests that no SMSC sends to us on a bound link.
                self.answer(CommandStatus::ESME_RINVCMDID, sequence, Body::GenericNack, now);
            }
            // Has no response.
            Body::AlertNotification(_) => {}
            Body::UnbindResp
            | Body::BindTransceiverResp(_)
            | Body::BindTransmitterResp(_)
            | Body::BindReceiverResp(_)
            | Body::DeliverSmResp(_)
            | Body::DataSmResp(_)
            | Body::QuerySmResp(_)
            | Body::CancelSmResp
            | Body::ReplaceSmResp => self.on_stray(pdu),
        }
    }

    /// A response to nothing that we asked.
    fn on_stray(&self, pdu: &Pdu<'_>) {
        self.context.metrics.anomalies.inc();
        tracing::debug!(command = %pdu.body.command_id(), sequence = %pdu.sequence, "stray response");
    }

    fn on_bind_resp(&mut self, answered: SequenceNumber, status: CommandStatus, now: Timestamp) {
        match self.state {
            State::Binding { sequence, .. } if sequence == answered && status.is_ok() => {
                self.bound_at = Some(now);
                self.context.metrics.binds.inc();
                let Settings { name, address, .. } = self.context.settings;
                tracing::info!(smsc = name, address, role = ?self.context.role, "bound to the SMSC");
                self.state = match self.stop_until {
                    Some(until) => State::Draining { until },
                    None => State::Bound,
                };
            }
            State::Binding { sequence, .. } if sequence == answered => {
                self.state = State::Over(End::Refused(status));
            }
            _ => self.context.metrics.anomalies.inc(),
        }
    }

    fn on_generic_nack(&mut self, answered: SequenceNumber, status: CommandStatus, now: Timestamp) {
        match self.state {
            State::Binding { sequence, .. } if sequence == answered => {
                self.state = State::Over(End::Refused(status));
            }
            // Which request it is about, if any, is not known: it fails none.
            _ if answered == SequenceNumber::NONE => {
                self.context.metrics.anomalies.inc();
                if let Some(before) = self.malformed.may_speak(now) {
                    tracing::warn!(%status, before, "generic_nack without a sequence number");
                }
            }
            // It may be about an enquire_link, which its arrival has answered.
            _ => self.on_refused(answered, status, now),
        }
    }

    fn on_submit_resp(
        &mut self,
        sequence: SequenceNumber,
        status: CommandStatus,
        message_id: &[u8],
        now: Timestamp,
    ) {
        if !status.is_ok() {
            return self.on_refused(sequence, status, now);
        }
        if let Some(submit) = self.submits.answered(sequence) {
            self.context.metrics.submit_duration.observe(now.since(submit.at()).as_secs_f64());
            self.context.lane.succeeded(now);
            let mut receipts = self.context.receipts.borrow_mut();
            let (sent, reference) = (submit.sent(), submit.reference());
            let delivery = match (message_id, reference) {
                (b"", Some(reference)) => {
                    receipts.expect_by_reference(reference, sent, Delivery::Accepted, now)
                }
                _ => receipts.accepted(message_id, sent, now),
            };
            submit.accepted(delivery);
        } else if let Some(sent) = self.submits.answered_late(sequence) {
            let delivery = self.context.receipts.borrow_mut().accepted(message_id, sent, now);
            self.report_late(sent, delivery);
        } else {
            self.context.metrics.anomalies.inc();
            return;
        }
        self.context.metrics.accepted.inc();
    }

    fn on_refused(&mut self, sequence: SequenceNumber, status: CommandStatus, now: Timestamp) {
        if let Some(submit) = self.submits.answered(sequence) {
            self.context.metrics.submit_duration.observe(now.since(submit.at()).as_secs_f64());
            self.on_submit_refused(submit, status, now);
        } else if let Some(sent) = self.submits.answered_late(sequence) {
            self.context.metrics.rejected.inc();
            tracing::warn!(challenge = %sent.challenge, %status, "submit rejected late");
            self.report_late(sent, Delivery::Rejected);
        } else {
            self.context.metrics.anomalies.inc();
        }
    }

    fn on_submit_refused(&mut self, submit: FullyWritten<'a>, status: CommandStatus, now: Timestamp) {
        let Context { lane, settings, metrics, .. } = &self.context;
        match Refusal::of(status, &settings.retry_statuses) {
            Refusal::Throttled(not_taken) => {
                metrics.throttled.inc();
                lane.unsent(now);
                self.pace.throttled();
                self.later.throttled(submit.take_back(not_taken), now);
            }
            Refusal::Full(not_taken) => {
                metrics.throttled.inc();
                lane.unsent(now);
                self.later.full(submit.take_back(not_taken), now);
            }
            Refusal::Failed(not_taken) => {
                lane.failed(now, now);
                let (phone, refused) = (submit.outgoing().item.phone, submit.outgoing().refused);
                if refused {
                    return self.on_rejected(submit, status, now);
                }
                match lane.send_elsewhere(phone, submit, |submit| submit.take_back(not_taken), now) {
                    Ok(()) => metrics.rerouted.inc(),
                    Err(submit) => self.on_rejected(submit, status, now),
                }
            }
            Refusal::Final => {
                lane.succeeded(now);
                self.on_rejected(submit, status, now);
            }
        }
    }

    fn on_rejected(&mut self, submit: FullyWritten<'a>, status: CommandStatus, now: Timestamp) {
        self.context.metrics.rejected.inc();
        let sent = submit.rejected();
        match self.rejected.may_speak(now) {
            Some(before) => {
                tracing::warn!(challenge = %sent.challenge, %status, before, "submit rejected");
            }
            None => tracing::debug!(challenge = %sent.challenge, %status, "submit rejected"),
        }
    }

    /// What was in doubt is certain after all. Its own report's place is used; without another one, it
    /// stays in doubt, and a receipt may settle it.
    fn report_late(&self, sent: Sent, delivery: Delivery) {
        if self.context.reports.try_send(sent.report(delivery)).is_err() {
            tracing::warn!(challenge = %sent.challenge, "late answer not reported: too many reports wait");
        }
    }

    /// A message or a receipt came, in whichever PDU.
    fn on_deliver(
        &mut self,
        receipt: Option<Receipt<'_>>,
        esm_class: EsmClass,
        handset: &[u8],
        tlvs: Tlvs<'_>,
        now: Timestamp,
    ) -> CommandStatus {
        if let State::Binding { .. } = self.state {
            return CommandStatus::ESME_RINVBNDSTS;
        }
        let metrics = self.context.metrics;
        let Some(receipt) = receipt else {
            if esm_class.is_receipt() {
                metrics.receipts_unmatched.inc();
            }
            // Or a message from a phone, which nobody here reads.
            return CommandStatus::ESME_ROK;
        };
        let reference = tlvs.find(Tag::USER_MESSAGE_REFERENCE).and_then(|tlv| tlv.number());
        let incoming = Incoming { receipt: &receipt, handset, reference };
        let tell = |report| self.context.reports.try_send(report).is_ok();
        let (counter, status) = match self.context.receipts.borrow_mut().heard(&incoming, now, tell) {
            Heard::Told => (&metrics.receipts_matched, CommandStatus::ESME_ROK),
            Heard::NothingNew => (&metrics.receipts_repeated, CommandStatus::ESME_ROK),
            Heard::Held => (&metrics.receipts_held, CommandStatus::ESME_ROK),
            Heard::Unmatched => (&metrics.receipts_unmatched, CommandStatus::ESME_ROK),
            // The SMSC will send it again.
            Heard::Deferred => (&metrics.receipts_deferred, CommandStatus::ESME_RX_T_APPN),
        };
        counter.inc();
        status
    }

    fn on_unbind(&mut self, sequence: SequenceNumber, now: Timestamp) {
        self.answer(CommandStatus::ESME_ROK, sequence, Body::UnbindResp, now);
        if !matches!(self.state, State::Unbinding { .. } | State::Over(_)) {
            self.state = State::Leaving { until: now.plus(self.context.settings.response_timer) };
        }
    }

    fn unbind(&mut self, now: Timestamp) {
        let sequence = self.take_sequence();
        self.write(&Pdu::new(sequence, Body::Unbind), now);
        self.state = State::Unbinding { until: now.plus(self.context.settings.response_timer) };
    }

    /// Ends states whose work is done. `queue_over`: nothing is queued or can still come.
    pub(super) fn advance(&mut self, queue_over: bool, now: Timestamp) {
        let in_flight = self.submits.in_flight();
        self.tell_in_flight(in_flight);
        let unanswered = in_flight > 0;
        let unsent = !queue_over || !self.later.is_empty();
        match self.state {
            State::Binding { .. } if self.is_stopping() && !unsent => {
                self.state = State::Over(End::Stopped);
            }
            State::Draining { .. } if !unanswered && !unsent => self.unbind(now),
            State::Leaving { .. } if !unanswered && self.out.pending().is_empty() => {
                self.state = State::Over(End::Unbound);
            }
            _ => {}
        }
    }

    /// The gauge is of all sessions.
    fn tell_in_flight(&mut self, in_flight: usize) {
        if in_flight != self.in_flight_told {
            let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
            self.context.metrics.in_flight.add(number(in_flight) - number(self.in_flight_told));
            self.in_flight_told = in_flight;
        }
    }

    /// When [`Self::on_time`] has something to do.
    pub(super) fn due(&self) -> Timestamp {
        let settings = self.context.settings;
        let state = match self.state {
            State::Binding { until, .. } => Some(self.stop_until.map_or(until, |stop| stop.min(until))),
            State::Draining { until } | State::Unbinding { until } | State::Leaving { until } => Some(until),
            State::Bound | State::Over(_) => None,
        };
        let alive = self.is_bound().then(|| match self.asked_at {
            Some(asked) => asked.plus(settings.response_timer),
            None => self.heard_at.plus(settings.enquire_link_timer),
        });
        let stalled =
            (!self.out.pending().is_empty()).then(|| self.out_progress_at.plus(settings.response_timer));
        // A peer that takes a byte now and then must not get a validity that has gone stale.
        let stale = self.submits.waiting_since().map(|since| since.plus(settings.response_timer));
        let answers = self.submits.due(settings.response_timer);
        let all = [state, alive, stalled, stale, answers, self.later.due()];
        // Only a session that is over waits for nothing.
        all.into_iter().flatten().min().unwrap_or(self.heard_at)
    }

    /// When to look again at the latest: when something is due, items have gathered, or the next may go.
    pub(super) fn wake_at(&self, now: Timestamp) -> Timestamp {
        let gathering = self.submits.in_flight() > 0 && self.gather_until > now;
        let gathered = gathering.then_some(self.gather_until);
        let paced = if self.has_room() { self.pace.ready_at().filter(|at| *at > now) } else { None };
        [gathered, paced].into_iter().flatten().fold(self.due(), Timestamp::min)
    }

    /// Does what is due. What has come in has to be heard before.
    pub(super) fn on_time(&mut self, now: Timestamp) {
        let timeout = self.context.settings.response_timer;
        self.give_up(now);
        self.later.on_time(now);
        let stalled = !self.out.pending().is_empty() && now >= self.out_progress_at.plus(timeout);
        let stale = self.submits.waiting_since().is_some_and(|since| now >= since.plus(timeout));
        if stalled || stale {
            self.lost(End::Stalled);
        }
        if self.is_bound() {
            self.on_silence(now);
        }
        match self.state {
            State::Binding { until, .. } if now >= until => self.state = State::Over(End::BindTimeout),
            State::Binding { .. } if self.stop_until.is_some_and(|until| now >= until) => {
                self.state = State::Over(End::Stopped);
            }
            State::Draining { until } if now >= until => self.unbind(now),
            State::Unbinding { until } if now >= until => self.state = State::Over(End::Stopped),
            State::Leaving { until } if now >= until => self.state = State::Over(End::Unbound),
            _ => {}
        }
    }

    /// Reports as unknown what got no answer in time.
    fn give_up(&mut self, now: Timestamp) {
        let Context { settings, lane, metrics, .. } = &self.context;
        let mut count = 0;
        let ambiguous = |sent, reference, at| {
            count += 1;
            lane.failed(at, now);
            self.context.expect_receipt(reference, sent, now);
        };
        self.submits.give_up(now, settings.response_timer, ambiguous);
        if count > 0 {
            metrics.unknown.inc_by(count);
            let smsc = &settings.name;
            tracing::warn!(smsc, submits = count, "no answer in time: not known whether the SMSC has them");
        }
    }

    fn on_silence(&mut self, now: Timestamp) {
        let settings = self.context.settings;
        match self.asked_at {
            Some(asked) if now >= asked.plus(settings.response_timer) => self.lost(End::Silent),
            None if now >= self.heard_at.plus(settings.enquire_link_timer) => self.enquire_link(now),
            _ => {}
        }
    }

    fn enquire_link(&mut self, now: Timestamp) {
        let sequence = self.take_sequence();
        self.write(&Pdu::new(sequence, Body::EnquireLink), now);
        self.asked_at = Some(now);
    }

    /// Gives back what was surely not sent, in its order, and reports the rest as unknown.
    pub(super) fn end(mut self, now: Timestamp) {
        self.tell_in_flight(0);
        let Context { settings, lane, metrics, .. } = &self.context;
        let (mut count, mut last) = (0, None);
        let ambiguous = |sent, reference, at| {
            count += 1;
            last = last.max(Some(at));
            self.context.expect_receipt(reference, sent, now);
        };
        let mut unsent: Vec<Outgoing> = self.later.into_all().collect();
        self.submits.end(ambiguous, |outgoing| unsent.push(outgoing));
        if count > 0 {
            metrics.unknown.inc_by(count);
            let smsc = &settings.name;
            tracing::warn!(smsc, submits = count, "link lost: not known whether the SMSC has them");
        }
        if let Some(at) = last {
            // A link that dies under its submits is one failure, however many they are.
            lane.failed(at, now);
        }
        lane.set_bound(false, now);
        lane.give_back(unsent, now);
    }
}

impl<R> Context<'_, R> {
    /// A receipt may tell what becomes of a send that is in doubt, or has told it already.
    fn expect_receipt(&self, reference: Option<u16>, sent: Sent, now: Timestamp) {
        let Some(reference) = reference else { return };
        let mut receipts = self.receipts.borrow_mut();
        let delivery = receipts.expect_by_reference(reference, sent, Delivery::Unknown, now);
        if delivery != Delivery::Unknown && self.reports.try_send(sent.report(delivery)).is_err() {
            tracing::warn!(challenge = %sent.challenge, "early receipt not reported: too many reports wait");
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
