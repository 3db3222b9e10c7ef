//! The counters that the page shows, as `GET /counters` writes them.

use axum::http::Uri;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use super::behavior;
use super::problem::Problem;
use super::query::{self, parse_number, parsed};
use crate::clock;
use crate::inbox::{Address, Inbox};
use crate::metrics::Metrics;
use crate::smsc::{InForce, Running};

/// Handsets whose messages are counted in one call: more than the page draws.
const HANDSETS_MAX: usize = 100;

/// Whose messages are to be counted, too.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Asked {
    #[serde(deserialize_with = "numbers")]
    handsets: Option<Vec<Address>>,
}

impl Asked {
    /// Reads `handsets`.
    pub(super) fn parse(uri: &Uri) -> Result<Self, Problem> {
        query::read(uri)
    }
}

fn numbers<'de, D: Deserializer<'de>>(text: D) -> Result<Option<Vec<Address>>, D::Error> {
    let numbers = |text: &str| {
        let numbers: Option<Vec<_>> = text.split(',').take(HANDSETS_MAX + 1).map(parse_number).collect();
        numbers.filter(|numbers| numbers.len() <= HANDSETS_MAX)
    };
    parsed(text, numbers, "must be 1 to 100 phone numbers with commas between")
}

/// What has been counted since the start, and what there is now. The names are those of the metrics.
pub(super) fn counters(metrics: &Metrics, inbox: &Inbox, in_force: &InForce, asked: &Asked) -> Value {
    let (submits, receipts, counts) = (&metrics.submits, &metrics.receipts, inbox.counts());
    let numbers = asked.handsets.iter().flatten();
    let handsets: Map<_, _> =
        numbers.map(|number| (number.as_str().to_owned(), inbox.messages_of(number).into())).collect();
    let step = |Running { name, number, ends }: &Running| {
        let left = ends.map(|ends| ends.saturating_duration_since(clock::now()).as_secs());
        json!({ "name": name, "number": number, "seconds_left": left })
    };
    json!({
        "scenario_step": in_force.step.as_ref().map(step),
        "behavior": behavior::shown(in_force),
        "sessions_bound": metrics.sessions_bound.get(),
        "submits": {
            "accepted": submits.accepted.get(),
            "throttled": submits.throttled.get(),
            "refused": submits.refused.get(),
        },
        "messages": {
            "delivered": counts.delivered,
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
        "inbox": {
            "messages": counts.messages,
            "handsets": counts.handsets,
            "bytes": counts.bytes,
            "dropped": counts.dropped,
        },
        "handsets": handsets,
        "faults": { "refused": metrics.faults.refused.get() },
    })
}
