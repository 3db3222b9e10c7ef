//! Binds, and unbinds of the ESME's own accord.

use std::sync::Arc;

use smpp::frame::HEADER_BYTES;
use smpp::pdu::{Bind, BindResp, Body, Pdu, SequenceNumber};
use smpp::status::CommandStatus;
use smpp::tlv::{Tag, TlvBuffer};

use super::super::account::Account;
use super::super::delivery::Delivery;
use super::super::faults;
use super::super::receipt::Receipt;
use super::state::{Bound, Role, Session, State};
use crate::behavior::{BindOutcome, BindResponse};
use crate::clock::Moment;

impl Session {
    pub(super) fn on_bind(&mut self, role: Role, bind: &Bind<'_>, sequence: SequenceNumber, at: &Moment) {
        if !matches!(self.state, State::Open { .. }) {
            self.smsc.metrics.binds.refused.inc();
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
        smsc.metrics.binds.accepted.inc();
        smsc.metrics.sessions_bound.inc();
        self.state = State::Bound { bound: Bound { role, account: Arc::clone(account) }, submits: 0 };
        self.accept_bind(role, account, sequence, at);
        if role.receives() {
            account.receivers.join(&self.mailbox);
        }
    }

    fn refuse_bind(&mut self, status: CommandStatus, role: Role, sequence: SequenceNumber, at: &Moment) {
        tracing::info!(%status, "bind refused");
        self.smsc.metrics.binds.refused.inc();
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
        let start = self.output.bytes().len();
        let body = BindResp { system_id: account.system_id.as_bytes(), tlvs: tlvs.as_tlvs() };
        self.reply(CommandStatus::ESME_ROK, sequence, role.response(body));
        match settings.bind_response {
            BindResponse::Full => {}
            BindResponse::HeaderOnly => {
                let out = self.output.bytes();
                out.truncate(start + HEADER_BYTES);
                faults::set_length(start, out);
            }
            BindResponse::WithDeliverSm if !role.receives() => {}
            // It is added before the response is written: in the same turn.
            BindResponse::WithDeliverSm => {
                let receipt = Receipt::of_nothing(at.wall, Arc::clone(plan.otherwise()));
                self.deliveries.add(Delivery::of_receipt(at.now, receipt));
            }
        }
    }

    pub(super) fn on_unbind(&mut self, sequence: SequenceNumber, at: &Moment) {
        // What was accepted is answered, the latency notwithstanding.
        while let Some(answer) = self.answers.pop() {
            self.answer(&answer, at);
        }
        self.send(&Pdu::new(sequence, Body::UnbindResp));
        self.close_after_writing(at.now);
    }
}
