//! The submits that wait for their response, and what becomes of each: by its response, without one, and when
//! the session ends.

use smpp::pdu::SequenceNumber;
use smpp::status::CommandStatus;

use super::context::Context;
use crate::clock::Timestamp;
use crate::metrics::{SmsMetrics, SubmitOutcome};
use crate::sms::link::log_throttle::LogThrottle;
use crate::sms::link::retry_queue::Retry;
use crate::sms::link::submits::{FullyWritten, Refusal, Submits};
use crate::sms::outbox::Outgoing;
use crate::subscriber::challenge::Delivery;

/// Which request the SMSC answered, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    pub(super) sequence: SequenceNumber,
    pub(super) status: CommandStatus,
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
    pub(super) fn wrote(&mut self, total: u64, metrics: &SmsMetrics, now: Timestamp) {
        metrics.submitted.inc_by(self.submits.wrote(total, now));
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

    /// A submit_sm_resp came. Returns the submit, if it is to be tried again by this link.
    pub(super) fn on_submit_resp(
        &mut self,
        answer: Answer,
        message_id: &[u8],
        context: &Context<'a>,
        now: Timestamp,
    ) -> Option<Retry> {
        if !answer.status.is_ok() {
            return self.on_refused(answer, context, now);
        }
        if let Some(submit) = self.submits.answered(answer.sequence) {
            on_accepted(submit, message_id, context, now);
        } else if let Some(sent) = self.submits.answered_late(answer.sequence) {
            let delivery = context.receipts.borrow_mut().accepted(message_id, sent, now);
            context.report_late(sent, delivery, LATE_NOT_REPORTED);
        } else {
            context.metrics.anomalies.inc();
            return None;
        }
        context.metrics.submits.of(SubmitOutcome::Accepted).inc();
        None
    }

    /// A submit got an error: in its response, or as a generic_nack. Returns it, if it is to be tried again by
    /// this link.
    pub(super) fn on_refused(
        &mut self,
        answer: Answer,
        context: &Context<'a>,
        now: Timestamp,
    ) -> Option<Retry> {
        let Answer { sequence, status } = answer;
        if let Some(submit) = self.submits.answered(sequence) {
            observe_duration(&submit, context, now);
            return self.on_submit_refused(submit, status, context, now);
        }
        if let Some(sent) = self.submits.answered_late(sequence) {
            context.metrics.submits.of(SubmitOutcome::Rejected).inc();
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
    ) -> Option<Retry> {
        let Context { lane, settings, metrics, .. } = context;
        match Refusal::of(status, &settings.retry_statuses) {
            Refusal::Throttled(not_taken) => {
                metrics.submits.of(SubmitOutcome::Throttled).inc();
                lane.unsent(now);
                return Some(Retry::Throttled(submit.take_back(not_taken)));
            }
            Refusal::Full(not_taken) => {
                metrics.submits.of(SubmitOutcome::Throttled).inc();
                lane.unsent(now);
                return Some(Retry::Full(submit.take_back(not_taken)));
            }
            Refusal::Failed(not_taken) => {
                lane.failed(now, now);
                if submit.outgoing().refused {
                    self.on_rejected(submit, status, context, now);
                    return None;
                }
                match lane.failover(submit.outgoing(), now) {
                    Some(failover) => {
                        failover.send(submit.take_back(not_taken));
                        metrics.submits.of(SubmitOutcome::Rerouted).inc();
                    }
                    None => self.on_rejected(submit, status, context, now),
                }
            }
            Refusal::Final => {
                lane.succeeded(now);
                self.on_rejected(submit, status, context, now);
            }
        }
        None
    }

    fn on_rejected(
        &mut self,
        submit: FullyWritten<'a>,
        status: CommandStatus,
        context: &Context<'a>,
        now: Timestamp,
    ) {
        context.metrics.submits.of(SubmitOutcome::Rejected).inc();
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
        let Context { settings, lane, metrics, .. } = context;
        if self.submits.due(settings.response_timer).is_none_or(|due| now < due) {
            return;
        }
        let mut count = 0;
        self.submits.give_up(now, settings.response_timer, |sent, reference, at| {
            count += 1;
            lane.failed(at, now);
            context.expect_receipt(sent, reference, now);
        });
        if count > 0 {
            metrics.submits.of(SubmitOutcome::Unknown).inc_by(count);
            let smsc = &settings.name;
            tracing::warn!(smsc, submits = count, "no answer in time: not known whether the SMSC has them");
        }
    }

    /// The session is over: adds to `unsent` what was not written in full, in its order, and reports the rest
    /// as unknown.
    pub(super) fn end(mut self, unsent: &mut Vec<Outgoing>, context: &Context<'a>, now: Timestamp) {
        let Context { settings, lane, metrics, .. } = context;
        self.publish_count(0, metrics);
        let (mut count, mut last) = (0, None);
        let in_doubt = |sent, reference, at| {
            count += 1;
            last = last.max(Some(at));
            context.expect_receipt(sent, reference, now);
        };
        self.submits.end(in_doubt, |outgoing| unsent.push(outgoing));
        if count > 0 {
            metrics.submits.of(SubmitOutcome::Unknown).inc_by(count);
            let smsc = &settings.name;
            tracing::warn!(smsc, submits = count, "link lost: not known whether the SMSC has them");
        }
        if let Some(at) = last {
            // A link that dies under its submits is one failure, however many they are.
            lane.failed(at, now);
        }
    }
}

const LATE_NOT_REPORTED: &str = "late answer not reported: too many reports wait";

fn on_accepted(submit: FullyWritten<'_>, message_id: &[u8], context: &Context<'_>, now: Timestamp) {
    observe_duration(&submit, context, now);
    context.lane.succeeded(now);
    let mut receipts = context.receipts.borrow_mut();
    let (sent, reference) = (submit.sent(), submit.reference());
    let delivery = match (message_id, reference) {
        (b"", Some(reference)) => receipts.expect_by_reference(reference, sent, Delivery::Accepted, now),
        _ => receipts.accepted(message_id, sent, now),
    };
    submit.accepted(delivery);
}

fn observe_duration(submit: &FullyWritten<'_>, context: &Context<'_>, now: Timestamp) {
    context.metrics.submit_duration.observe(now.since(submit.at()).as_secs_f64());
}
