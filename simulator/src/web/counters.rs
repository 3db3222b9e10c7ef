//! The counters that the page shows, as `GET /counters` writes them.

use serde::Serialize;

use crate::inbox::Counts;
use crate::metrics::Metrics;

/// What has been counted since the start, and what there is now. The names are those of the metrics.
#[derive(Serialize)]
pub(super) struct Counters {
    sessions_bound: i64,
    submits: Submits,
    messages: Messages,
    receipts: Receipts,
    inbox: Inbox,
    faults: Faults,
}

#[derive(Serialize)]
struct Submits {
    accepted: u64,
    throttled: u64,
    refused: u64,
}

#[derive(Serialize)]
struct Messages {
    delivered: u64,
    expired: u64,
    repeated: u64,
    shown_late: u64,
}

#[derive(Serialize)]
struct Receipts {
    sent: u64,
    acknowledged: u64,
    refused: u64,
    unanswered: u64,
    dropped: u64,
}

#[derive(Serialize)]
struct Inbox {
    messages: usize,
    bytes: usize,
    dropped: u64,
}

/// What went wrong because the behaviour says so.
#[derive(Serialize)]
struct Faults {
    refused: u64,
}

impl Counters {
    pub(super) fn new(metrics: &Metrics, inbox: &Counts) -> Self {
        Self {
            sessions_bound: metrics.sessions_bound.get(),
            submits: Submits {
                accepted: metrics.submits_accepted.get(),
                throttled: metrics.submits_throttled.get(),
                refused: metrics.submits_refused.get(),
            },
            messages: Messages {
                delivered: inbox.delivered,
                expired: metrics.messages_expired.get(),
                repeated: metrics.repeated.get(),
                shown_late: metrics.shown_late.get(),
            },
            receipts: Receipts {
                sent: metrics.receipts_sent.get(),
                acknowledged: metrics.receipts_acknowledged.get(),
                refused: metrics.receipts_refused.get(),
                unanswered: metrics.receipts_unanswered.get(),
                dropped: metrics.receipts_dropped.get(),
            },
            inbox: Inbox { messages: inbox.messages, bytes: inbox.bytes, dropped: inbox.dropped },
            faults: Faults { refused: metrics.faults.refused.get() },
        }
    }
}
