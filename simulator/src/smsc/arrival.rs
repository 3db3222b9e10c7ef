//! How messages that were on their way end.
//!
//! ```text
//!            ┌── its time comes ──► delivered, or what its states say
//! accepted ──┼── it expires before ─► EXPIRED, not shown
//!            └── cancel_sm ─────────► DELETED, not shown
//! ```

use std::sync::Arc;

use smpp::pdu::MessageState;
use tokio_util::sync::CancellationToken;

use super::delivery::Delivery;
use super::pending::Pending;
use super::shared::Smsc;
use crate::behavior::{Carrier, Stat};
use crate::clock::Moment;
use crate::inbox::Message;

impl Smsc {
    /// Delivers what was on its way, until the simulator shuts down.
    pub(crate) async fn deliver_pending(self: Arc<Self>, shutdown: CancellationToken) {
        let deliver = async {
            loop {
                let at = Moment::present();
                let due = self.pending.take_due(at.now);
                if due.is_empty() {
                    self.pending.wait().await;
                    continue;
                }
                for pending in due {
                    self.end(&pending, &at);
                }
                self.inbox.wake();
                // Others may run between two batches.
                tokio::task::yield_now().await;
            }
        };
        shutdown.run_until_cancelled(deliver).await;
    }

    /// Its time has come, or its validity has ended.
    fn end(&self, pending: &Pending, at: &Moment) {
        if pending.is_expired(at.wall) {
            self.metrics.messages_expired.inc();
            return self.end_as(pending, &[Stat::EXPIRED], at);
        }
        let states = &pending.report.submitted.treatment.receipts.states;
        if !states.is_delivered() {
            return self.end_as(pending, states.words(), at);
        }
        let message = &pending.message;
        match &pending.segment {
            None => {
                self.inbox.arrive(message, at.wall);
                self.count_if_late(message, at);
            }
            Some((place, data_coding, content)) => {
                message.end(MessageState::DELIVERED, at.wall);
                if let Some(whole) = self.complete(message, *place, *data_coding, content, at) {
                    self.count_if_late(&whole, at);
                }
            }
        }
        self.send_receipts(pending, states.words(), at);
    }

    /// A message ends without having been shown, which its receipts report.
    pub(super) fn end_as(&self, pending: &Pending, states: &[Stat], at: &Moment) {
        let last = states.last().copied().unwrap_or(Stat::EXPIRED);
        pending.message.end(last.state(), at.wall);
        self.send_receipts(pending, states, at);
    }

    /// Counts a message that is on the handset after its expiry: a bug.
    fn count_if_late(&self, message: &Message, at: &Moment) {
        if message.is_expired(at.wall) {
            self.metrics.shown_late.inc();
        }
    }

    fn send_receipts(&self, pending: &Pending, states: &[Stat], at: &Moment) {
        let since = pending.answered.max(at.now);
        let message = Arc::downgrade(&pending.message);
        for receipt in pending.report.receipts(states, at.wall, since, &message) {
            send(receipt, pending);
        }
    }
}

/// To the session that submitted, unless it has ended or is to be avoided.
fn send(receipt: Delivery, pending: &Pending) {
    let receivers = &pending.account.receivers;
    match (pending.mailbox.upgrade(), pending.report.submitted.treatment.receipts.bind) {
        (Some(own), Carrier::Another) => receivers.deliver(receipt, Some(&own)),
        (Some(own), Carrier::Same) => receivers.deliver_to(&own, receipt),
        (None, Carrier::Another | Carrier::Same) => receivers.deliver(receipt, None),
    }
}
