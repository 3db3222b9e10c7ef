//! The submits that wait for their response, and what becomes of each: by its response, without one, and when
//! the session ends.

use smpp::pdu::SequenceNumber;
use smpp::status::CommandStatus;

use super::context::Context;
use crate::clock::Timestamp;
use crate::metrics::{SmsMetrics, SmscMetrics, SubmitOutcome};
use crate::sms::link::log_throttle::LogThrottle;
use crate::sms::link::submits::{FullyWritten, NotTaken, Refusal, Submits};
use crate::sms::outbox::Outgoing;
use crate::sms::receipts::Sent;
use crate::sms::router::Trouble;
use crate::subscriber::challenge::Delivery;

/// Which request the SMSC answered, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    pub(super) sequence: SequenceNumber,
    pub(super) status: CommandStatus,
}

/// What the answer to a submit says of the link's pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Yes,
    TooFast,
}

#[derive(Default)]
pub(super) struct InFlight<'a> {
    pub(super) submits: Submits<'a>,
    /// What this session has added to the gauge of all sessions.
    published: usize,
    rejected: LogThrottle,
}

impl<'a> InFlight<'a> {
    /// The session has written `total` bytes by now.
    pub(super) fn wrote(&mut self, total: u64, metrics: &SmscMetrics, now: Timestamp) {
        metrics.written.inc_by(self.submits.wrote(total, now));
    }

    /// Sets this session's share of the gauge.
    pub(super) fn publish(&mut self, metrics: &SmsMetrics) {
        self.publish_count(self.submits.in_flight(), metrics);
    }

    fn publish_count(&mut self, count: usize, metrics: &SmsMetrics) {
        if count != self.published {
            let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
            metrics.in_flight.add(number(count) - number(self.published));
            self.published = count;
        }
    }

    /// A submit_sm_resp came. Returns what it says of the link's pace.
    pub(super) fn on_submit_resp(
        &mut self,
        answer: Answer,
        message_id: &[u8],
        context: &Context<'a>,
        now: Timestamp,
    ) -> Option<Taken> {
        if !answer.status.is_ok() {
            return self.on_refused(answer, context, now);
        }
        let taken = if let Some(submit) = self.submits.answered(answer.sequence) {
            on_accepted(submit, message_id, context, now);
            Some(Taken::Yes)
        } else if let Some(sent) = self.submits.answered_late(answer.sequence) {
            let delivery = context.receipts.borrow_mut().accepted(message_id, sent, now);
            context.smsc.reported(delivery);
            context.report_late(sent, delivery, LATE_NOT_REPORTED);
            None
        } else {
            context.metrics.anomalies.inc();
            return None;
        };
        context.smsc.submits.of(SubmitOutcome::Accepted).inc();
        taken
    }

    /// A submit got an error: in its response, or as a generic_nack. Returns what that says of the link's pace.
    pub(super) fn on_refused(
        &mut self,
        answer: Answer,
        context: &Context<'a>,
        now: Timestamp,
    ) -> Option<Taken> {
        let Answer { sequence, status } = answer;
        if let Some(submit) = self.submits.answered(sequence) {
            observe_duration(&submit, context, now);
            return self.on_submit_refused(submit, status, context, now);
        }
        if let Some(sent) = self.submits.answered_late(sequence) {
            context.smsc.submits.of(SubmitOutcome::Rejected).inc();
            tracing::warn!(challenge = %sent.challenge, %status, "submit rejected late");
            context.report_late(sent, Delivery::Rejected, LATE_NOT_REPORTED);
        } else {
            context.metrics.anomalies.inc();
        }
        None
    }

    fn on_submit_refused(
        &mut self,
        submit: FullyWritten<'a>,
        status: CommandStatus,
        context: &Context<'a>,
        now: Timestamp,
    ) -> Option<Taken> {
        let Context { lane, settings, smsc, .. } = context;
        match Refusal::of(status, &settings.retry_statuses) {
            Refusal::Throttled(not_taken) => {
                self.on_not_now(submit, Trouble::Throttled, not_taken, status, context, now);
                return Some(Taken::TooFast);
            }
            Refusal::Full(not_taken) => {
                self.on_not_now(submit, Trouble::Full, not_taken, status, context, now);
            }
            Refusal::Failed(not_taken) => match lane.failed(submit.outgoing(), now) {
                Some(failover) => {
                    failover.send(submit.take_back(not_taken), now);
                    smsc.submits.of(SubmitOutcome::Rerouted).inc();
                }
                None => self.on_rejected(submit, status, context, now),
            },
            Refusal::Final => {
                lane.dealt_with(submit.outgoing(), now);
                self.on_rejected(submit, status, context, now);
            }
        }
        None
    }

    /// The SMSC refused a submit for now, and has not taken it.
    fn on_not_now(
        &mut self,
        submit: FullyWritten<'a>,
        trouble: Trouble,
        not_taken: NotTaken,
        status: CommandStatus,
        context: &Context<'a>,
        now: Timestamp,
    ) {
        match context.lane.refused(submit.outgoing(), trouble, now) {
            Some(again) => {
                let outcome =
                    if again.is_elsewhere() { SubmitOutcome::Rerouted } else { SubmitOutcome::Throttled };
                context.smsc.submits.of(outcome).inc();
                again.send(submit.take_back(not_taken), now);
            }
            None => self.on_rejected(submit, status, context, now),
        }
    }

    fn on_rejected(
        &mut self,
        submit: FullyWritten<'a>,
        status: CommandStatus,
        context: &Context<'a>,
        now: Timestamp,
    ) {
        context.smsc.submits.of(SubmitOutcome::Rejected).inc();
        let sent = submit.rejected();
        match self.rejected.should_log(now) {
            Some(suppressed) => {
                tracing::warn!(challenge = %sent.challenge, %status, suppressed, "submit rejected");
            }
            None => tracing::debug!(challenge = %sent.challenge, %status, "submit rejected"),
        }
    }

    /// Reports as unknown what got no response in time.
    pub(super) fn give_up_overdue(&mut self, context: &Context<'a>, now: Timestamp) {
        let Context { settings, lane, smsc, .. } = context;
        if self.submits.due(settings.response_timer).is_none_or(|due| now < due) {
            return;
        }
        let mut count = 0;
        self.submits.give_up(now, settings.response_timer, |submit| {
            count += 1;
            lane.unanswered(submit.outgoing(), submit.at(), now);
            in_doubt(submit, context, now)
        });
        if count > 0 {
            smsc.submits.of(SubmitOutcome::Unknown).inc_by(count);
            let name = &settings.name;
            tracing::warn!(
                smsc = name,
                submits = count,
                "no answer in time: not known whether the SMSC has them"
            );
        }
    }

    /// The session is over: adds to `unsent` what was not written in full, in its order, and reports the rest
    /// as unknown.
    pub(super) fn end(mut self, unsent: &mut Vec<Outgoing>, context: &Context<'a>, now: Timestamp) {
        let Context { settings, lane, smsc, .. } = context;
        self.publish_count(0, context.metrics);
        let (mut count, mut last) = (0, None);
        let in_doubt = |submit: FullyWritten<'a>| {
            count += 1;
            let at = submit.at();
            if last.as_ref().is_none_or(|(last, _)| at > *last) {
                last = Some((at, submit.outgoing().recipient().prefix));
            }
            in_doubt(submit, context, now);
        };
        self.submits.end(in_doubt, |outgoing| unsent.push(outgoing));
        if count > 0 {
            smsc.submits.of(SubmitOutcome::Unknown).inc_by(count);
            let name = &settings.name;
            tracing::warn!(smsc = name, submits = count, "link lost: not known whether the SMSC has them");
        }
        if let Some((at, prefix)) = last {
            // A link that dies under its submits is one failure, however many they are.
            lane.lost(prefix, at, now);
        }
    }
}

const LATE_NOT_REPORTED: &str = "late answer not reported: too many reports wait";

fn on_accepted(submit: FullyWritten<'_>, message_id: &[u8], context: &Context<'_>, now: Timestamp) {
    observe_duration(&submit, context, now);
    context.lane.accepted(submit.outgoing(), now);
    let mut receipts = context.receipts.borrow_mut();
    let (sent, reference) = (submit.sent(), submit.reference());
    let delivery = match (message_id, reference) {
        (b"", Some(reference)) => receipts.expect_by_reference(reference, sent, Delivery::Accepted, now),
        _ => receipts.accepted(message_id, sent, now),
    };
    context.smsc.reported(delivery);
    submit.accepted(delivery);
}

/// Reports as unknown what got no answer.
fn in_doubt(submit: FullyWritten<'_>, context: &Context<'_>, now: Timestamp) -> Sent {
    let reference = submit.reference();
    let sent = submit.in_doubt();
    context.expect_receipt(sent, reference, now);
    sent
}

fn observe_duration(submit: &FullyWritten<'_>, context: &Context<'_>, now: Timestamp) {
    context.smsc.submit_duration.observe(now.since(submit.at()).as_secs_f64());
}
