//! The handset beside the form: the SMS of one number, pushed to the page as they arrive.

use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use axum::response::sse::Event;
use serde_json::json;
use smsc_simulator::Inbox;
use smsc_simulator::inbox::{Address, Filter, Message};
use tokio_util::sync::CancellationToken;

use crate::clock;

/// Messages taken from the inbox at a time.
const MESSAGES_PER_READ: usize = 32;
/// After which a wait for messages is begun anew.
const WAIT: Duration = Duration::from_secs(3_600);

/// Every message to `number`, what is there and what comes, until the page goes or the bank stops. Each has its
/// address at the simulator's `wall`.
pub(super) fn stream(inbox: Arc<Inbox>, number: Address, wall: String, stop: CancellationToken) -> Response {
    let filter = Filter { to: Some(number), limit: MESSAGES_PER_READ, ..Filter::default() };
    let next = move |filter: Filter| {
        let (inbox, wall) = (Arc::clone(&inbox), wall.clone());
        async move {
            let page = inbox.wait(&filter, WAIT).await;
            let events = page.messages.into_iter().map(move |message| event(&message, &wall));
            (events, Filter { since: page.cursor, ..filter })
        }
    };
    pages::events(filter, next, stop)
}

/// A message as the page shows it.
fn event(message: &Message, wall: &str) -> Event {
    let shown = json!({
        "id": message.id().to_string(),
        "from": message.from().as_str(),
        "text": message.text(),
        "wall": format!("{wall}#/{}/{}", message.to().as_str(), message.id()),
        "time": clock::unix_millis(message.time()),
    });
    Event::default().data(shown.to_string())
}
