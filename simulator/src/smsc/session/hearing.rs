//! What an ESME says, and what a session makes of it.

use std::sync::Arc;

use smpp::codec::{self, DecodeError, DecodeErrorKind};
use smpp::pdu::{
    Body, CancelSm, CommandId, DataSm, Pdu, QuerySm, QuerySmResp, ReplaceSm, SequenceNumber, SubmitSm,
};
use smpp::status::CommandStatus;

use super::state::{Role, Session, State};
use crate::behavior::EnquireLink;
use crate::clock::Moment;

impl Session {
    pub(super) fn on_frame(&mut self, frame: &[u8], at: &Moment) {
        match codec::decode(frame) {
            Ok(decoded) => self.on_pdu(&decoded.pdu, at),
            Err(error) => self.on_malformed(&error),
        }
    }

    fn on_pdu(&mut self, pdu: &Pdu<'_>, at: &Moment) {
        tracing::trace!(command = %pdu.body.command_id(), sequence = pdu.sequence.0, "received");
        let sequence = pdu.sequence;
        match &pdu.body {
            Body::SubmitSm(submit) => self.on_submit(submit, CommandId::SUBMIT_SM_RESP, sequence, at),
            Body::DataSm(data) => self.on_submit(&as_submit(data), CommandId::DATA_SM_RESP, sequence, at),
            Body::QuerySm(query) => self.on_query(query, sequence),
            Body::CancelSm(cancel) => self.on_cancel(cancel, sequence, at),
            Body::ReplaceSm(replace) => self.on_replace(replace, sequence, at),
            Body::DeliverSmResp(_) | Body::DataSmResp(_) | Body::GenericNack => self.on_answer(pdu, at),
            Body::EnquireLink => self.on_enquire_link(sequence),
            // Whatever came, it was a sign of life.
            Body::EnquireLinkResp => {}
            Body::BindTransmitter(bind) => self.on_bind(Role::Transmitter, bind, sequence, at),
            Body::BindReceiver(bind) => self.on_bind(Role::Receiver, bind, sequence, at),
            Body::BindTransceiver(bind) => self.on_bind(Role::Transceiver, bind, sequence, at),
            Body::Unbind => self.on_unbind(sequence, at),
            Body::UnbindResp => match self.state {
                State::Unbinding { .. } => self.close_after_writing(at.now),
                State::Open { .. }
                | State::Bound { .. }
                | State::Quiet { .. }
                | State::Closing { .. }
                | State::Closed => {
                    self.smsc.metrics.errors.stray_response.inc();
                }
            },
            // These go from the SMSC to the ESME.
            Body::DeliverSm(_) | Body::Outbind(_) | Body::AlertNotification(_) => {
                self.smsc.metrics.errors.unknown_command.inc();
                self.reply(CommandStatus::ESME_RINVCMDID, sequence, Body::GenericNack);
            }
            Body::SubmitSmResp(_)
            | Body::BindTransmitterResp(_)
            | Body::BindReceiverResp(_)
            | Body::BindTransceiverResp(_)
            | Body::QuerySmResp(_)
            | Body::CancelSmResp
            | Body::ReplaceSmResp => self.smsc.metrics.errors.stray_response.inc(),
        }
    }

    fn on_malformed(&mut self, error: &DecodeError) {
        tracing::debug!(%error, "malformed PDU");
        if error.kind == DecodeErrorKind::UnknownCommand {
            self.smsc.metrics.errors.unknown_command.inc();
        } else {
            self.smsc.metrics.errors.malformed.inc();
        }
        if let Some(reply) = error.reply() {
            self.send(&reply);
        }
    }

    fn on_answer(&mut self, pdu: &Pdu<'_>, at: &Moment) {
        let status = match pdu.body {
            Body::GenericNack if pdu.status.is_ok() => CommandStatus::ESME_RUNKNOWNERR,
            _ => pdu.status,
        };
        if !self.deliveries.answered(pdu.sequence, status, at) {
            self.smsc.metrics.errors.stray_response.inc();
        }
    }

    fn on_enquire_link(&mut self, sequence: SequenceNumber) {
        if self.plan.behavior.session.enquire_link == EnquireLink::Ignore {
            return self.smsc.metrics.faults.enquire_link_ignored.inc();
        }
        self.send(&Pdu::new(sequence, Body::EnquireLinkResp));
    }
}

/// Requests about messages.
impl Session {
    fn on_query(&mut self, query: &QuerySm<'_>, sequence: SequenceNumber) {
        self.smsc.metrics.requests.query_sm.inc();
        let smsc = Arc::clone(&self.smsc);
        let found = self.submitter().and_then(|bound| smsc.query(query, &bound.account));
        match found {
            Ok(found) => {
                let final_date = found.final_date.as_ref().map_or(&b""[..], |date| date);
                let body = QuerySmResp {
                    message_id: query.message_id,
                    final_date,
                    message_state: found.state,
                    error_code: 0,
                };
                self.reply(CommandStatus::ESME_ROK, sequence, Body::QuerySmResp(body));
            }
            Err(status) => self.reply(status, sequence, Body::QuerySmResp(QuerySmResp::default())),
        }
    }

    fn on_cancel(&mut self, cancel: &CancelSm<'_>, sequence: SequenceNumber, at: &Moment) {
        self.smsc.metrics.requests.cancel_sm.inc();
        let result = self.submitter().and_then(|bound| self.smsc.cancel(cancel, &bound.account, at));
        self.reply(result.err().unwrap_or_default(), sequence, Body::CancelSmResp);
    }

    fn on_replace(&mut self, replace: &ReplaceSm<'_>, sequence: SequenceNumber, at: &Moment) {
        self.smsc.metrics.requests.replace_sm.inc();
        let result = self.submitter().and_then(|bound| self.smsc.replace(replace, &bound.account, at));
        self.reply(result.err().unwrap_or_default(), sequence, Body::ReplaceSmResp);
    }
}

/// A data_sm with the fields of a submit_sm that it has.
fn as_submit<'a>(data: &DataSm<'a>) -> SubmitSm<'a> {
    SubmitSm {
        service_type: data.service_type,
        source: data.source,
        destination: data.destination,
        esm_class: data.esm_class,
        registered_delivery: data.registered_delivery,
        data_coding: data.data_coding,
        tlvs: data.tlvs,
        ..SubmitSm::default()
    }
}
