//! The handset beside the form: the SMS of one number, pushed to the page as they arrive.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use smsc_simulator::Inbox;
use smsc_simulator::inbox::{Address, Filter, Message};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::clock;

/// Chunks between the walker and the connection: a page reads at once, or is gone.
pub(super) const CHUNKS_WAITING: usize = 1;
/// Messages taken from the inbox at a time.
const MESSAGES_PER_READ: usize = 32;
/// A comment is sent when nothing else was for so long, so that a dead connection is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A message as the page shows it.
#[derive(Serialize)]
struct Shown<'a> {
    id: String,
    from: &'a str,
    text: &'a str,
    /// Milliseconds since the Unix epoch.
    time: u64,
}

/// Sends every message to `number`, what is there and what comes, until the page goes or the bank
/// stops.
pub(super) async fn walk(
    inbox: Arc<Inbox>,
    number: Address,
    out: mpsc::Sender<Bytes>,
    stop: CancellationToken,
) {
    tokio::select! {
        () = send_all(&inbox, number, &out) => {}
        () = out.closed() => {}
        () = stop.cancelled() => {}
    }
}

async fn send_all(inbox: &Inbox, number: Address, out: &mpsc::Sender<Bytes>) {
    let mut filter = Filter { to: Some(number), limit: MESSAGES_PER_READ, ..Filter::default() };
    let mut chunk = Bytes::from_static(b"retry: 1000\n: connected\n\n");
    while out.send(chunk).await.is_ok() {
        let page = inbox.wait(&filter, KEEP_ALIVE).await;
        filter.since = page.cursor;
        chunk = match page.messages.as_slice() {
            [] => Bytes::from_static(b": keep-alive\n\n"),
            messages => events(messages),
        };
    }
}

fn events(messages: &[Arc<Message>]) -> Bytes {
    let mut events = Vec::new();
    for message in messages {
        let shown = Shown {
            id: message.id().to_string(),
            from: message.from().as_str(),
            text: message.text(),
            time: clock::unix_millis(message.time()),
        };
        events.extend_from_slice(b"data: ");
        serde_json::to_writer(&mut events, &shown).expect("a plain struct always serialises into memory");
        events.extend_from_slice(b"\n\n");
    }
    events.into()
}
