//! Which item is submitted next, and when: within the window, at the link's pace, and in batches.

use std::time::Duration;

use smpp::pdu::{Body, Pdu, SequenceNumber};
use tokio::sync::mpsc::Permit;

use super::context::Context;
use super::in_flight::Taken;
use super::output::Output;
use crate::clock::Timestamp;
use crate::metrics::Unsent;
use crate::sms::DeliveryReport;
use crate::sms::link::compose::Composer;
use crate::sms::link::submits::{Encoded, InWriteBuffer, Submits};
use crate::sms::outbox::Outgoing;
use crate::sms::outbox::{Item, LEFT_MIN};
use crate::sms::pace::Pace;
use crate::sms::receipts::Sent;
use crate::subscriber::challenge::Delivery;

/// While answers are outstanding, items are gathered for this long before the next are written (as Nagle's
/// algorithm has it, RFC 896): one wake-up and one system call for many. With nothing outstanding, and
/// while the window is what holds items back, they are written at once.
pub(super) const GATHER: Duration = Duration::from_millis(1);
/// The bytes that wait to be written beyond which no submit is added: enough for one large write.
pub(super) const SUBMIT_BYTES_MAX: usize = 32 * 1024;

/// What the last batch left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Supply {
    /// It took all there was: the next items may gather.
    Exhausted,
    /// There may be more than there was room for.
    Backlog,
    /// There may be more, but no place for a report.
    ReportsFull,
}

pub(super) struct Sending {
    pace: Pace,
    composer: Composer,
    supply: Supply,
    /// Until when items gather.
    gather_until: Timestamp,
    /// The number of our next request, unless it is still in use.
    pub(super) next_sequence: SequenceNumber,
}

impl Sending {
    /// `rate` in segments a second; 0 for no limit.
    pub(super) fn new(rate: u32, now: Timestamp) -> Self {
        Self {
            pace: Pace::new(rate, now),
            composer: Composer::new(),
            supply: Supply::Exhausted,
            gather_until: now,
            next_sequence: SequenceNumber::FIRST,
        }
    }

    /// Whether a batch would be of use now.
    pub(super) fn is_ready(&self, context: &Context<'_>, in_flight: usize, now: Timestamp) -> bool {
        self.has_room(context, in_flight)
            && self.pace.allows(now)
            && (in_flight == 0 || self.has_backlog() || now >= self.gather_until)
    }

    /// Whether items could be sent but for the time that has to pass between them.
    fn has_room(&self, context: &Context<'_>, in_flight: usize) -> bool {
        !self.waits_for_reports() && in_flight < context.settings.window
    }

    /// Whether there may be more items than the last batch had room for.
    pub(super) fn has_backlog(&self) -> bool {
        self.supply == Supply::Backlog
    }

    pub(super) fn waits_for_reports(&self) -> bool {
        self.supply == Supply::ReportsFull
    }

    /// Reports may have been taken: tries again to get a place for one.
    pub(super) fn retry_reports(&mut self) {
        if self.waits_for_reports() {
            self.supply = Supply::Backlog;
        }
    }

    /// When the next batch may go, if nothing but time holds it back.
    pub(super) fn ready_at(
        &self,
        context: &Context<'_>,
        in_flight: usize,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let gathers = in_flight > 0 && self.supply == Supply::Exhausted;
        let gathered = gathers.then_some(self.gather_until);
        let has_room = self.has_room(context, in_flight);
        let [paced, waited] = if has_room { [self.pace.ready_at(), context.lane.due()] } else { [None; 2] };
        [gathered, paced, waited].into_iter().flatten().filter(|at| *at > now).min()
    }

    /// The SMSC has answered a submit.
    pub(super) fn answered(&mut self, taken: Option<Taken>) {
        match taken {
            Some(Taken::Yes) => self.pace.accepted(),
            Some(Taken::TooFast) => self.pace.refused(),
            None => {}
        }
    }

    /// Writes a batch.
    pub(super) fn submit<'a>(
        &mut self,
        context: &Context<'a>,
        submits: &mut Submits<'a>,
        output: &mut Output,
        now: Timestamp,
    ) {
        self.supply = Supply::Backlog;
        self.keep_pace(context, now);
        while output.pending().len() < SUBMIT_BYTES_MAX && self.pace.allows(now) {
            // A report's place first: no outcome may be lost.
            let Ok(report) = context.reports.try_reserve() else {
                self.supply = Supply::ReportsFull;
                return;
            };
            if submits.in_flight() >= context.settings.window {
                return;
            }
            let Some(outgoing) = context.lane.take(now) else {
                self.supply = Supply::Exhausted;
                return;
            };
            self.gather_until = now.plus(GATHER);
            match self.encode(&outgoing.item, context, submits, output, now) {
                Some(encoded) => submits.push(InWriteBuffer::new(outgoing, encoded, report)),
                None => drop_item(&outgoing, report, context, now),
            }
        }
    }

    /// Goes slower or faster, by what was refused and taken.
    fn keep_pace(&mut self, context: &Context<'_>, now: Timestamp) {
        if let Some(limit) = self.pace.on_time_of_link(context.lane.blame(), now) {
            let smsc = &context.settings.name;
            tracing::info!(smsc, limit, "the SMSC throttles: fewer segments a second");
        }
    }

    /// Adds the submit of an item to the output; `None` if it is not to be sent.
    // The code exists only in the composer and in the output, and both are wiped.
    fn encode(
        &mut self,
        item: &Item,
        context: &Context<'_>,
        submits: &Submits<'_>,
        output: &mut Output,
        now: Timestamp,
    ) -> Option<Encoded> {
        let released = (context.release)(item);
        let Some((code, left)) = released.filter(|(_, left)| *left >= LEFT_MIN) else {
            tracing::debug!(challenge = %item.challenge, "not sent: ended, replaced or too little time left");
            return None;
        };
        let (sequence, reference) = (self.take_sequence(submits), context.take_reference());
        let submit = self.composer.submit(context.settings, item, &code, left, reference, now);
        drop(code);
        let appended = output.append(&Pdu::new(sequence, Body::SubmitSm(submit)), now);
        self.composer.wipe();
        if let Err(error) = appended {
            tracing::error!(challenge = %item.challenge, %error, "not sent: cannot be encoded");
            return None;
        }
        self.pace.sent(now);
        Some(Encoded { sequence, reference, at: now, end: output.end() })
    }

    /// The number of our next request.
    pub(super) fn take_sequence(&mut self, submits: &Submits<'_>) -> SequenceNumber {
        // Ends, since the numbers in use are fewer than there are.
        while submits.uses(self.next_sequence) {
            self.next_sequence = self.next_sequence.next();
        }
        let sequence = self.next_sequence;
        self.next_sequence = sequence.next();
        sequence
    }

    #[cfg(test)]
    pub(super) fn is_wiped(&self) -> bool {
        self.composer.is_wiped()
    }
}

fn drop_item(outgoing: &Outgoing, report: Permit<'_, DeliveryReport>, context: &Context<'_>, now: Timestamp) {
    context.lane.unsent(outgoing, now);
    let item = &outgoing.item;
    let in_time = item.expires_at.since(now) >= LEFT_MIN;
    let (why, delivery) =
        if in_time { (Unsent::Ended, Delivery::Dropped) } else { (Unsent::Expired, Delivery::Expired) };
    context.metrics.unsent.of(why).inc();
    report.send(Sent::of(item).report(delivery));
}
