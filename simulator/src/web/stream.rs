//! `GET /messages/stream`: every message from the asked place on, as server-sent events.
//!
//! What the reader has not taken yet waits in the inbox. A reader that falls behind what the inbox keeps
//! learns from a `lost` event how many messages it missed; nothing waits for it.

use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use axum::response::sse::Event;
use tokio_util::sync::CancellationToken;

use super::query::write_cursor;
use crate::inbox::{Filter, Inbox, Message, Page};
use crate::metrics::Metrics;

/// Messages taken from the inbox at a time: enough that a lock is seldom, few enough that what a slow reader
/// keeps alive is little.
const MESSAGES_PER_READ: usize = 256;

/// After which a wait for messages is begun anew.
const WAIT: Duration = Duration::from_secs(3_600);

/// The messages that `filter` admits, until the reader goes or `stop`.
pub(super) fn stream(
    (inbox, metrics, instance): (Arc<Inbox>, Arc<Metrics>, u32),
    filter: Filter,
    stop: CancellationToken,
) -> Response {
    let next = move |filter: Filter| {
        let (inbox, metrics) = (Arc::clone(&inbox), Arc::clone(&metrics));
        async move {
            let page = inbox.wait(&filter, WAIT).await;
            metrics.stream_lost.inc_by(page.lost);
            let since = page.cursor;
            (events(page, instance), Filter { since, ..filter })
        }
    };
    pages::events(Filter { limit: MESSAGES_PER_READ, ..filter }, next, stop)
}

/// First what became of the messages that the reader will not see.
fn events(page: Page, instance: u32) -> impl Iterator<Item = Event> + use<> {
    let cleared = page.cleared.then(|| Event::default().event("cleared").data("{}"));
    let lost = page.lost;
    let lost = (lost > 0).then(|| Event::default().event("lost").data(format!("{{\"lost\":{lost}}}")));
    let messages = page.messages.into_iter().map(move |message| event(&message, instance));
    cleared.into_iter().chain(lost).chain(messages)
}

fn event(message: &Message, instance: u32) -> Event {
    Event::default()
        .id(write_cursor(message.cursor(), instance))
        .json_data(message.to_wire())
        .expect("a message is a plain struct, which always serialises into memory")
}
