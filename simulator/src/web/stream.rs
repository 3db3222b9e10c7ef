//! Server-sent events: every new message, as it comes.
//!
//! One task per reader walks the ring at the reader's pace. What the reader
//! has not taken yet waits in the ring, not here: at most [`CHUNKS_WAITING`]
//! chunks are under way. A reader that falls behind the ring is told with a
//! `lost` event how many messages it missed; nothing waits for it.

use super::query::write_cursor;
use crate::clock;
use crate::inbox::{Filter, Inbox, Page};
use crate::metrics::Metrics;
use bytes::Bytes;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Chunks between the walker and the connection: one being written, one ready.
pub(super) const CHUNKS_WAITING: usize = 1;

/// Messages taken from the ring at a time: enough that a lock is seldom, few
/// enough that they are small.
const MESSAGES_PER_READ: usize = 256;

/// Octets at which a chunk is handed over: a large write, a small buffer.
const CHUNK_BYTES: usize = 64 * 1_024;

/// A comment is sent when nothing else was for so long, so that a dead
/// connection is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Walks the inbox for one reader.
pub(super) struct Walker {
    pub(super) inbox: Arc<Inbox>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) instance: u32,
    /// Where and for which handset to begin.
    pub(super) filter: Filter,
    pub(super) out: mpsc::Sender<Bytes>,
    pub(super) stop: CancellationToken,
}

/// The reader is gone.
struct Gone;

impl Walker {
    /// Runs until the reader goes or the simulator stops.
    pub(super) async fn run(mut self) {
        let _ = self.walk().await;
    }

    async fn walk(&mut self) -> Result<(), Gone> {
        self.filter.limit = MESSAGES_PER_READ;
        self.send(b"retry: 1000\n: connected\n\n".to_vec()).await?;
        let mut newest = self.inbox.watch();
        while !self.stop.is_cancelled() {
            newest.mark_unchanged();
            let mut page = Page { cursor: self.filter.since, ..Page::default() };
            let more = self.inbox.read_on(&self.filter, &mut page);
            self.filter.since = page.cursor;
            let idle = page.messages.is_empty() && !more;
            self.send_page(&page).await?;
            if idle {
                self.wait(&mut newest).await?;
            }
        }
        Ok(())
    }

    async fn wait(&mut self, newest: &mut watch::Receiver<crate::inbox::Cursor>) -> Result<(), Gone> {
        let news = async {
            tokio::select! {
                _ = newest.changed() => Ok(()),
                () = self.stop.cancelled() => Ok(()),
                () = self.out.closed() => Err(Gone),
            }
        };
        match clock::within(KEEP_ALIVE, news).await {
            Some(news) => news,
            None => self.send(b": keep-alive\n\n".to_vec()).await,
        }
    }

    async fn send_page(&self, page: &Page) -> Result<(), Gone> {
        let mut chunk = Vec::new();
        if page.cleared {
            chunk.extend_from_slice(b"event: cleared\ndata: {}\n\n");
        }
        if page.lost > 0 {
            self.metrics.stream_lost.inc_by(page.lost);
            write_event(&mut chunk, format_args!("event: lost\ndata: {{\"lost\":{}}}\n\n", page.lost));
        }
        for message in &page.messages {
            let id = write_cursor(message.cursor(), self.instance);
            write_event(&mut chunk, format_args!("id: {id}\ndata: "));
            serde_json::to_writer(&mut chunk, &message.to_wire())
                .expect("a message is a plain struct, which always serialises into memory");
            chunk.extend_from_slice(b"\n\n");
            if chunk.len() >= CHUNK_BYTES {
                self.send(std::mem::take(&mut chunk)).await?;
            }
        }
        if chunk.is_empty() { Ok(()) } else { self.send(chunk).await }
    }

    async fn send(&self, chunk: Vec<u8>) -> Result<(), Gone> {
        self.out.send(chunk.into()).await.map_err(|_| Gone)
    }
}

fn write_event(chunk: &mut Vec<u8>, event: std::fmt::Arguments<'_>) {
    chunk.write_fmt(event).expect("writing into memory always succeeds");
}
