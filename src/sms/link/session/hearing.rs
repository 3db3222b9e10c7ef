//! What the SMSC says to a session, and what its silence means.

use smpp::codec::{self, DecodeError};
use smpp::pdu::{Body, Pdu, SequenceNumber, SubmitSmResp};
use smpp::status::CommandStatus;

use super::context::{Context, Role};
use super::deliver::Deliver;
use super::in_flight::Answer;
use crate::clock::Timestamp;
use crate::sms::link::log_throttle::LogThrottle;
use crate::sms::link::settings::Settings;

/// What follows from a frame.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event<'a> {
    Nothing,
    /// All it needs is this answer.
    Reply(Pdu<'a>),
    Deliver(Deliver<'a>),
    /// A submit_sm_resp, with the SMSC's id of the message.
    SubmitResp(Answer, &'a [u8]),
    /// The response to a bind of our role.
    BindResp(Answer),
    /// It says which request failed.
    GenericNack(Answer),
    Unbind(SequenceNumber),
    UnbindResp(SequenceNumber),
}

/// The last sign of life.
#[derive(Clone, Copy, Debug)]
enum Life {
    Heard {
        at: Timestamp,
    },
    /// Nothing has come since we asked with an enquire_link.
    Asked {
        at: Timestamp,
    },
}

/// What is to be done about an SMSC that says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// It is asked with an enquire_link.
    Ask,
    /// It has not answered in time: it is given up.
    GiveUp,
}

pub(super) struct Hearing {
    life: Life,
    malformed: LogThrottle,
}

impl Hearing {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { life: Life::Heard { at: now }, malformed: LogThrottle::default() }
    }

    /// When [`Self::on_time`] has something to do.
    pub(super) fn due(&self, settings: &Settings) -> Timestamp {
        match self.life {
            Life::Heard { at } => at.plus(settings.enquire_link_timer),
            Life::Asked { at } => at.plus(settings.response_timer),
        }
    }

    /// From [`Silence::Ask`] on, it waits for a sign of life.
    pub(super) fn on_time(&mut self, settings: &Settings, now: Timestamp) -> Option<Silence> {
        if now < self.due(settings) {
            return None;
        }
        match self.life {
            Life::Asked { .. } => Some(Silence::GiveUp),
            Life::Heard { .. } => {
                self.life = Life::Asked { at: now };
                Some(Silence::Ask)
            }
        }
    }

    /// A frame came in.
    pub(super) fn hear<'a>(&mut self, frame: &'a [u8], context: &Context<'_>, now: Timestamp) -> Event<'a> {
        self.life = Life::Heard { at: now };
        match codec::decode(frame) {
            Ok(decoded) => {
                if !decoded.anomalies.is_empty() {
                    context.metrics.anomalies.inc();
                    tracing::debug!(anomalies = ?decoded.anomalies, "odd PDU");
                }
                self.on_pdu(&decoded.pdu, context, now)
            }
            Err(error) => self.on_malformed(&error, context, now),
        }
    }

    fn on_malformed<'a>(&mut self, error: &DecodeError, context: &Context<'_>, now: Timestamp) -> Event<'a> {
        context.metrics.anomalies.inc();
        if let Some(suppressed) = self.malformed.should_log(now) {
            tracing::warn!(smsc = context.settings.name, %error, suppressed, "malformed PDU");
        }
        error.reply().map_or(Event::Nothing, Event::Reply)
    }

    fn on_pdu<'a>(&mut self, pdu: &Pdu<'a>, context: &Context<'_>, now: Timestamp) -> Event<'a> {
        let Pdu { sequence, status, .. } = *pdu;
        let answer = Answer { sequence, status };
        match &pdu.body {
            Body::SubmitSmResp(SubmitSmResp { message_id, .. }) => Event::SubmitResp(answer, message_id),
            Body::DeliverSm(message) => Event::Deliver(Deliver::of_deliver_sm(sequence, message)),
            Body::DataSm(message) => Event::Deliver(Deliver::of_data_sm(sequence, message)),
            Body::EnquireLink => reply(CommandStatus::ESME_ROK, sequence, Body::EnquireLinkResp),
            Body::BindTransceiverResp(_) if context.role == Role::Transceiver => Event::BindResp(answer),
            Body::BindTransmitterResp(_) if context.role == Role::Transmitter => Event::BindResp(answer),
            Body::BindReceiverResp(_) if context.role == Role::Receiver => Event::BindResp(answer),
            Body::GenericNack if sequence == SequenceNumber::NONE => {
                self.on_nack_of_none(status, context, now)
            }
            Body::GenericNack => Event::GenericNack(answer),
            Body::Unbind => Event::Unbind(sequence),
            Body::UnbindResp => Event::UnbindResp(sequence),
            // Requests that no SMSC sends to us on a bound link.
            Body::BindTransmitter(_)
            | Body::BindReceiver(_)
            | Body::BindTransceiver(_)
            | Body::Outbind(_)
            | Body::SubmitSm(_)
            | Body::QuerySm(_)
            | Body::CancelSm(_)
            | Body::ReplaceSm(_) => reply(CommandStatus::ESME_RINVCMDID, sequence, Body::GenericNack),
            // The second has no response.
            Body::EnquireLinkResp | Body::AlertNotification(_) => Event::Nothing,
            Body::BindTransceiverResp(_)
            | Body::BindTransmitterResp(_)
            | Body::BindReceiverResp(_)
            | Body::DeliverSmResp(_)
            | Body::DataSmResp(_)
            | Body::QuerySmResp(_)
            | Body::CancelSmResp
            | Body::ReplaceSmResp => {
                context.stray(pdu.body.command_id(), sequence);
                Event::Nothing
            }
        }
    }

    /// Which request it is about, if any, is not known: it fails none.
    fn on_nack_of_none<'a>(
        &mut self,
        status: CommandStatus,
        context: &Context<'_>,
        now: Timestamp,
    ) -> Event<'a> {
        context.metrics.anomalies.inc();
        if let Some(suppressed) = self.malformed.should_log(now) {
            tracing::warn!(%status, suppressed, "generic_nack without a sequence number");
        }
        Event::Nothing
    }
}

fn reply(status: CommandStatus, to: SequenceNumber, body: Body<'_>) -> Event<'_> {
    Event::Reply(Pdu::response(status, to, body))
}
