//! What an ESME says, and what a session makes of it.

use super::super::account::Account;
use super::super::receipts::{Delivery, Wanted};
use super::super::submit::{Moment, Origin, Outcome};
use super::{Answer, Bound, Role, Session, State};
use crate::behavior::{AtLeastOne, BindOutcome, BindResponse, Carrier, EnquireLink, Timing};
use smpp::codec::{self, DecodeError, DecodeErrorKind};
use smpp::pdu::{
    Bind, BindResp, Body, CancelSm, CommandId, DataSm, Pdu, QuerySm, QuerySmResp, ReplaceSm, SequenceNumber,
    SubmitSm,
};
use smpp::status::CommandStatus;
use smpp::tlv::{Tag, TlvBuffer};
use std::sync::Arc;
use std::time::Duration;

/// How much longer an answer takes whose receipts come before it, on this or
/// another session, so that they do.
const LEAD: Duration = Duration::from_millis(20);

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
                _ => self.smsc.metrics.stray_responses.inc(),
            },
            // These go from the SMSC to the ESME.
            Body::DeliverSm(_) | Body::Outbind(_) | Body::AlertNotification(_) => {
                self.smsc.metrics.unknown_commands.inc();
                self.reply(CommandStatus::ESME_RINVCMDID, sequence, Body::GenericNack);
            }
            Body::SubmitSmResp(_)
            | Body::BindTransmitterResp(_)
            | Body::BindReceiverResp(_)
            | Body::BindTransceiverResp(_)
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

    fn on_answer(&mut self, pdu: &Pdu<'_>, at: &Moment) {
        let status = match pdu.body {
            Body::GenericNack if pdu.status.is_ok() => CommandStatus::ESME_RUNKNOWNERR,
            _ => pdu.status,
        };
        if !self.deliveries.answered(pdu.sequence, status, at) {
            self.smsc.metrics.stray_responses.inc();
        }
    }

    fn on_enquire_link(&mut self, sequence: SequenceNumber) {
        if self.plan.behavior.session.enquire_link == EnquireLink::Ignore {
            return self.smsc.metrics.faults.enquire_link_ignored.inc();
        }
        self.send(&Pdu::new(sequence, Body::EnquireLinkResp));
    }
}

/// Binds.
impl Session {
    fn on_bind(&mut self, role: Role, bind: &Bind<'_>, sequence: SequenceNumber, at: &Moment) {
        if !matches!(self.state, State::Open { .. }) {
            self.smsc.metrics.binds_refused.inc();
            return self.reply(CommandStatus::ESME_RALYBND, sequence, role.response(BindResp::default()));
        }
        let smsc = Arc::clone(&self.smsc);
        let account = match smsc.admit(bind.system_id, bind.password) {
            Ok(account) => account,
            Err(status) => return self.refuse_bind(status, role, sequence, at),
        };
        let settings = &self.plan.behavior.session;
        if settings.bind != BindOutcome::Accept && self.plan.bind_is_special(bind.system_id) {
            if settings.bind == BindOutcome::Silence {
                smsc.metrics.faults.bind_unanswered.inc();
                return self.go_quiet(at.now);
            }
            smsc.metrics.faults.bind_refused.inc();
            return self.refuse_bind(settings.bind_status.0, role, sequence, at);
        }
        if !account.take_seat() {
            return self.refuse_bind(CommandStatus::ESME_RALYBND, role, sequence, at);
        }
        tracing::info!(?role, system_id = %account.system_id, "bound");
        smsc.metrics.binds_accepted.inc();
        smsc.metrics.sessions_bound.inc();
        self.state = State::Bound(Bound { role, account: Arc::clone(account) });
        self.accept_bind(role, account, sequence, at);
        if role.receives() {
            account.join(&self.mailbox);
        }
    }

    fn refuse_bind(&mut self, status: CommandStatus, role: Role, sequence: SequenceNumber, at: &Moment) {
        tracing::info!(%status, "bind refused");
        self.smsc.metrics.binds_refused.inc();
        self.reply(status, sequence, role.response(BindResp::default()));
        self.close_after_writing(at.now);
    }

    fn accept_bind(&mut self, role: Role, account: &Account, sequence: SequenceNumber, at: &Moment) {
        let plan = Arc::clone(&self.plan);
        let settings = &plan.behavior.session;
        let mut tlvs = TlvBuffer::new();
        if let Some(version) = settings.interface_version.value() {
            tlvs.push_u8(Tag::SC_INTERFACE_VERSION, version);
        }
        let start = self.out.len();
        let body = BindResp { system_id: account.system_id.as_bytes(), tlvs: tlvs.as_tlvs() };
        self.reply(CommandStatus::ESME_ROK, sequence, role.response(body));
        match settings.bind_response {
            BindResponse::Full => {}
            BindResponse::HeaderOnly => {
                self.out.truncate(start + smpp::frame::HEADER_BYTES);
                super::faults::set_length(start, &mut self.out);
            }
            BindResponse::WithDeliverSm if !role.receives() => {}
            // It is added before the response is written: in the same turn.
            BindResponse::WithDeliverSm => {
                self.deliveries.add(Delivery::of_nothing(at.now, at.wall, Arc::clone(plan.otherwise())));
            }
        }
    }

    fn on_unbind(&mut self, sequence: SequenceNumber, at: &Moment) {
        // What was accepted is answered, the latency notwithstanding.
        while let Some(answer) = self.answers.pop() {
            self.answer(&answer, at);
        }
        self.send(&Pdu::new(sequence, Body::UnbindResp));
        self.close_after_writing(at.now);
    }
}

/// Submits.
impl Session {
    fn on_submit(
        &mut self,
        submit: &SubmitSm<'_>,
        command: CommandId,
        sequence: SequenceNumber,
        at: &Moment,
    ) {
        let plan = Arc::clone(&self.plan);
        let smsc = Arc::clone(&self.smsc);
        let bound = self.state.bound().filter(|bound| bound.role.submits()).cloned();
        let Some(bound) = bound else {
            smsc.metrics.submits_refused.inc();
            return self.refuse_submit(CommandStatus::ESME_RINVBNDSTS, command, sequence);
        };
        let full = self.answers.len() >= bound.account.esme.window;
        if full || !bound.account.is_within_rate(at.now) {
            smsc.metrics.submits_throttled.inc();
            return self.refuse_submit(plan.behavior.session.limit_status.0, command, sequence);
        }
        let (account, mailbox) = (&bound.account, &self.mailbox);
        let origin = Origin { account, mailbox, sequence, plan: &plan };
        let result = if self.deliveries.is_full() && Wanted::by(submit.registered_delivery) != Wanted::None {
            Err(CommandStatus::ESME_RMSGQFUL)
        } else {
            smsc.accept(submit, &origin, at)
        };
        match result {
            Ok(outcome) => self.take(outcome, &bound, command, sequence, at),
            Err(status) => {
                smsc.metrics.submits_refused.inc();
                self.refuse_submit(status, command, sequence);
            }
        }
        self.count_submit(at);
    }

    fn refuse_submit(&mut self, status: CommandStatus, command: CommandId, sequence: SequenceNumber) {
        self.write_header(command, status, sequence);
    }

    /// Answers and sends receipts, now or when it is time.
    fn take(
        &mut self,
        outcome: Outcome,
        bound: &Bound,
        command: CommandId,
        sequence: SequenceNumber,
        at: &Moment,
    ) {
        let Outcome { treatment, mut answered, id, receipts } = outcome;
        let metrics = &self.smsc.metrics;
        match id {
            Some(_) => metrics.submits_accepted.inc(),
            None => {
                metrics.submits_refused.inc();
                metrics.faults.refused.inc();
            }
        }
        self.delivered |= id.is_some();
        let early = treatment.receipts.timing == Timing::BeforeResponse && receipts.is_some();
        if let Some(ready) = receipts {
            let since = if early { at.now } else { answered };
            let own = bound.role.receives() && treatment.receipts.bind == Carrier::Same;
            if early {
                answered += LEAD;
            }
            for receipt in ready.receipts(since) {
                if own {
                    self.deliveries.add(receipt);
                } else {
                    bound.account.deliver(receipt, Some(&self.mailbox), &self.smsc.metrics);
                }
            }
        }
        let answer = Answer { sequence, command, id, treatment };
        if answered <= at.now {
            self.answer(&answer, at);
        } else {
            self.answers.add(answered, answer);
        }
    }

    /// What `[session]` has happen after so many submits: or after the next one,
    /// if there were more before the behaviour was changed.
    fn count_submit(&mut self, at: &Moment) {
        self.submits = self.submits.saturating_add(1);
        if !matches!(self.state, State::Bound(_)) {
            return;
        }
        let settings = &self.plan.behavior.session;
        let reached = |limit: Option<AtLeastOne>| limit.is_some_and(|limit| limit.value() <= self.submits);
        let faults = &self.smsc.metrics.faults;
        if reached(settings.half_open_after) {
            faults.half_open.inc();
            self.go_quiet(at.now);
        } else if reached(settings.disconnect_after) {
            faults.disconnected.inc();
            self.close();
        } else if reached(settings.unbind_after) {
            faults.unbound.inc();
            self.unbind(at.now);
        }
    }
}

/// Requests about messages.
impl Session {
    fn on_query(&mut self, query: &QuerySm<'_>, sequence: SequenceNumber) {
        self.smsc.metrics.requests.query.inc();
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
        self.smsc.metrics.requests.cancel.inc();
        let result = self.submitter().and_then(|bound| self.smsc.cancel(cancel, &bound.account, at));
        self.reply(result.err().unwrap_or_default(), sequence, Body::CancelSmResp);
    }

    fn on_replace(&mut self, replace: &ReplaceSm<'_>, sequence: SequenceNumber, at: &Moment) {
        self.smsc.metrics.requests.replace.inc();
        let result = self.submitter().and_then(|bound| self.smsc.replace(replace, &bound.account, at));
        self.reply(result.err().unwrap_or_default(), sequence, Body::ReplaceSmResp);
    }

    fn submitter(&self) -> Result<&Bound, CommandStatus> {
        let bound = self.state.bound().filter(|bound| bound.role.submits());
        bound.ok_or(CommandStatus::ESME_RINVBNDSTS)
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
