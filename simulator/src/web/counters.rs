//! The counters that the page shows, as `GET /counters` writes them.

use serde_json::{Value, json};

use crate::clock;
use crate::inbox::Counts;
use crate::metrics::Metrics;
use crate::smsc::Running;

/// What has been counted since the start, and what there is now. The names are those of the metrics.
pub(super) fn counters(metrics: &Metrics, inbox: &Counts, running: Option<&Running>) -> Value {
    let (submits, receipts) = (&metrics.submits, &metrics.receipts);
    let step = |Running { name, number, ends }: &Running| {
        let left = ends.map(|ends| ends.saturating_duration_since(clock::now()).as_secs());
        json!({ "name": name, "number": number, "seconds_left": left })
    };
    json!({
        "scenario_step": running.map(step),
        "sessions_bound": metrics.sessions_bound.get(),
        "submits": {
            "accepted": submits.accepted.get(),
            "throttled": submits.throttled.get(),
            "refused": submits.refused.get(),
        },
        "messages": {
            "delivered": inbox.delivered,
            "expired": metrics.messages_expired.get(),
            "repeated": metrics.repeated.get(),
            "shown_late": metrics.shown_late.get(),
        },
        "receipts": {
            "sent": receipts.sent.get(),
            "acknowledged": receipts.acknowledged.get(),
            "refused": receipts.refused.get(),
            "unanswered": receipts.unanswered.get(),
            "dropped": receipts.dropped.get(),
        },
        "inbox": { "messages": inbox.messages, "bytes": inbox.bytes, "dropped": inbox.dropped },
        "faults": { "refused": metrics.faults.refused.get() },
    })
}
