//! Submits: whether one is let in, and when it is answered.

use std::sync::Arc;

use smpp::pdu::{CommandId, SequenceNumber, SubmitSm};
use smpp::status::CommandStatus;

use super::super::report::Wanted;
use super::super::submit::{Origin, Outcome};
use super::state::{Answer, Bound, Session, State};
use crate::behavior::Carrier;
use crate::clock::Moment;

impl Session {
    pub(super) fn on_submit(
        &mut self,
        submit: &SubmitSm<'_>,
        command: CommandId,
        sequence: SequenceNumber,
        at: &Moment,
    ) {
        let smsc = Arc::clone(&self.smsc);
        let Ok(bound) = self.submitter().cloned() else {
            smsc.metrics.submits.refused.inc();
            return self.refuse_submit(CommandStatus::ESME_RINVBNDSTS, command, sequence);
        };
        let account = &bound.account;
        if self.answers.len() >= account.esme.window || !account.is_within_rate() {
            smsc.metrics.submits.throttled.inc();
            let status = self.plan.behavior.session.limit_status.0;
            return self.refuse_submit(status, command, sequence);
        }
        let result = if self.deliveries.is_full() && Wanted::by(submit.registered_delivery) != Wanted::None {
            Err(CommandStatus::ESME_RMSGQFUL)
        } else {
            let mailbox = &self.mailbox;
            smsc.accept(&Origin { at, account, mailbox, sequence, submit }, &self.plan)
        };
        match result {
            Ok(outcome) => self.take(outcome, &bound, command, sequence, at),
            Err(status) => {
                smsc.metrics.submits.refused.inc();
                self.refuse_submit(status, command, sequence);
            }
        }
        self.count_submit(at);
    }

    /// The one who is bound and may submit.
    pub(super) fn submitter(&self) -> Result<&Bound, CommandStatus> {
        let bound = self.state.bound().filter(|bound| bound.role.submits());
        bound.ok_or(CommandStatus::ESME_RINVBNDSTS)
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
        let Outcome { treatment, answered, id, receipts } = outcome;
        let metrics = &self.smsc.metrics;
        match id {
            Some(_) => metrics.submits.accepted.inc(),
            None => {
                metrics.submits.refused.inc();
                metrics.faults.refused.inc();
            }
        }
        let own = bound.role.receives() && treatment.receipts.bind == Carrier::Same;
        for receipt in receipts {
            if own {
                self.deliveries.add(receipt);
            } else {
                bound.account.receivers.deliver(receipt, Some(&self.mailbox));
            }
        }
        let answer = Answer { sequence, command, id, treatment };
        if answered <= at.now {
            self.answer(&answer, at);
        } else {
            self.answers.add(answered, answer);
        }
    }

    /// What `[session]` has happen after this many submits: or after the next one, if there were more before
    /// the behaviour was changed.
    fn count_submit(&mut self, at: &Moment) {
        let State::Bound { submits, .. } = &mut self.state else { return };
        *submits = submits.saturating_add(1);
        let submits = *submits;
        let settings = &self.plan.behavior.session;
        let reached = |limit: Option<u32>| limit.is_some_and(|limit| limit <= submits);
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
