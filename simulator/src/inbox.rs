//! The inbox: what the handsets show, in order, bounded, for tests and people.
//!
//! A ring of messages. A reader owns a [`Cursor`] and reads on from it at its
//! own pace; the ring never waits for a reader. When it is full, the oldest
//! message goes, and a reader that had not come so far is told how many it
//! missed. So a slow reader costs nothing but its own messages.

mod address;
mod message;

pub use address::{ADDRESS_OCTETS_MAX, Address};
pub(crate) use message::{Draft, Wire};
pub use message::{Message, MessageId, ReceiptState, VALIDITY_OCTETS_MAX, Validity};

use crate::clock;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How many messages are looked at under one lock. A session waits at most for
/// one such look, a few microseconds, whatever a reader filters for.
const SCAN_MAX: usize = 1_024;

/// A place between two messages. Reading on from a cursor gives what came
/// after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor(pub(crate) u64);

impl Cursor {
    /// Before the first message: gives everything that is still kept.
    pub const START: Self = Self(0);
}

/// Which messages to read, and from where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Only messages to this handset.
    pub to: Option<Address>,
    /// Only messages after this place.
    pub since: Cursor,
    /// At most so many messages.
    pub limit: usize,
}

impl Default for Filter {
    fn default() -> Self {
        Self { to: None, since: Cursor::START, limit: usize::MAX }
    }
}

impl Filter {
    fn admits(&self, message: &Message) -> bool {
        self.to.as_ref().is_none_or(|to| to == message.to())
    }
}

/// Messages read, and where to read on.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The messages, oldest first.
    pub messages: Vec<Arc<Message>>,
    /// Where to read on.
    pub cursor: Cursor,
    /// Messages after the filter's `since` that the ring had already dropped.
    pub lost: u64,
    /// Whether the inbox was cleared after the filter's `since`.
    pub cleared: bool,
}

/// What went through the inbox since the start, and what is in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages that came in.
    pub delivered: u64,
    /// Messages that the ring dropped to stay within its bounds.
    pub dropped: u64,
    /// Messages kept now.
    pub messages: usize,
    /// Bytes kept now: of the messages' records and texts.
    pub bytes: usize,
}

/// The shared inbox. Cheap to share through an `Arc`.
#[derive(Debug)]
pub struct Inbox {
    ring: Mutex<Ring>,
    /// The newest cursor, for those who wait. Written once per batch.
    newest: watch::Sender<Cursor>,
    messages_max: usize,
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct Ring {
    messages: VecDeque<Arc<Message>>,
    bytes: usize,
    /// The cursor after the newest message. Every message moves it by one, and
    /// so does a clearing, so that whoever had read everything is told as well.
    head: u64,
    delivered: u64,
    dropped: u64,
    /// Messages up to here were removed on request, not lost.
    cleared_to: u64,
}

impl Ring {
    /// The cursor before the oldest message kept.
    fn tail(&self) -> u64 {
        self.head - self.messages.len() as u64
    }
}

impl Inbox {
    /// An empty inbox that keeps at most `messages_max` messages and about
    /// `bytes_max` bytes of records and texts, at least the newest message.
    #[must_use]
    pub fn new(messages_max: usize, bytes_max: usize) -> Self {
        Self {
            ring: Mutex::new(Ring::default()),
            newest: watch::Sender::new(Cursor::START),
            messages_max: messages_max.max(1),
            bytes_max,
        }
    }

    /// The place after the newest message.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        Cursor(self.ring().head)
    }

    /// The place from which at most the newest `count` messages are read.
    #[must_use]
    pub fn cursor_before_last(&self, count: u64) -> Cursor {
        let ring = self.ring();
        Cursor(ring.head.saturating_sub(count).max(ring.tail()))
    }

    /// The messages that `filter` admits, without waiting.
    #[must_use]
    pub fn messages(&self, filter: &Filter) -> Page {
        let mut page = Page { cursor: filter.since, ..Page::default() };
        while self.read_on(filter, &mut page) {}
        page
    }

    /// As [`Inbox::messages`], but waits until there is one, at most `timeout`.
    /// Cancel safe: it takes nothing out.
    pub async fn wait(&self, filter: &Filter, timeout: Duration) -> Page {
        let deadline = clock::now() + timeout;
        let mut newest = self.newest.subscribe();
        let mut page = Page { cursor: filter.since, ..Page::default() };
        loop {
            newest.mark_unchanged();
            while self.read_on(filter, &mut page) {}
            let nothing = page.messages.is_empty() && page.lost == 0 && !page.cleared;
            if !nothing || !changed_before(&mut newest, deadline).await {
                return page;
            }
        }
    }

    /// The first message to the handset `to` after `since`, waiting at most
    /// `timeout` for it. `to` is with or without `+`.
    pub async fn wait_for(&self, to: &str, since: Cursor, timeout: Duration) -> Option<Arc<Message>> {
        let deadline = clock::now() + timeout;
        let mut filter = Filter { to: Some(Address::new(to.as_bytes())?), since, limit: 1 };
        loop {
            let left = deadline.saturating_duration_since(clock::now());
            let page = self.wait(&filter, left).await;
            if let Some(message) = page.messages.into_iter().next() {
                return Some(message);
            }
            if left.is_zero() {
                return None;
            }
            // Lost or cleared messages end a wait, but not this one.
            filter.since = page.cursor;
        }
    }

    /// Removes all messages. Readers are told that they were removed, not lost.
    pub fn clear(&self) {
        let head = {
            let mut ring = self.ring();
            ring.messages.clear();
            ring.bytes = 0;
            ring.head += 1;
            ring.cleared_to = ring.head;
            ring.head
        };
        self.newest.send_replace(Cursor(head));
    }

    /// What went through since the start, and what is kept.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let ring = self.ring();
        Counts {
            delivered: ring.delivered,
            dropped: ring.dropped,
            messages: ring.messages.len(),
            bytes: ring.bytes,
        }
    }

    /// Takes a message in. Readers that wait are woken by [`Inbox::wake`],
    /// which a session calls once for all messages of one read.
    pub(crate) fn deliver(&self, draft: Draft) -> Arc<Message> {
        let mut ring = self.ring();
        ring.head += 1;
        ring.delivered += 1;
        let message = Arc::new(Message::new(Cursor(ring.head), draft));
        ring.bytes += message.bytes();
        ring.messages.push_back(Arc::clone(&message));
        while ring.messages.len() > self.messages_max
            || (ring.bytes > self.bytes_max && ring.messages.len() > 1)
        {
            let Some(oldest) = ring.messages.pop_front() else {
                break;
            };
            ring.bytes -= oldest.bytes();
            ring.dropped += 1;
        }
        message
    }

    /// Wakes those who wait for what [`Inbox::deliver`] took in.
    pub(crate) fn wake(&self) {
        // No reader, nothing to wake: spares the lock inside.
        if self.newest.receiver_count() > 0 {
            self.newest.send_replace(self.cursor());
        }
    }

    /// Told of each batch of new messages and of each clearing.
    pub(crate) fn watch(&self) -> watch::Receiver<Cursor> {
        self.newest.subscribe()
    }

    /// Reads on from `page.cursor` for one look. `true` if there may be more.
    ///
    /// One lock, no allocation but the page's, no await.
    pub(crate) fn read_on(&self, filter: &Filter, page: &mut Page) -> bool {
        let ring = self.ring();
        // A cursor of an earlier life of the simulator starts at the oldest.
        let since = if page.cursor.0 > ring.head { 0 } else { page.cursor.0 };
        page.cleared |= since < ring.cleared_to;
        let since = since.max(ring.cleared_to);
        let from = since.max(ring.tail());
        page.lost += from - since;
        page.cursor = Cursor(from);
        let skip = usize::try_from(from - ring.tail()).unwrap_or(usize::MAX);
        for message in ring.messages.iter().skip(skip).take(SCAN_MAX) {
            if page.messages.len() >= filter.limit {
                return false;
            }
            page.cursor = message.cursor();
            if filter.admits(message) {
                page.messages.push(Arc::clone(message));
            }
        }
        page.cursor.0 < ring.head && page.messages.len() < filter.limit
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        // Nothing in this module panics while it holds the lock.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether something came before `deadline`.
async fn changed_before(newest: &mut watch::Receiver<Cursor>, deadline: Instant) -> bool {
    let left = deadline.saturating_duration_since(clock::now());
    matches!(clock::within(left, newest.changed()).await, Some(Ok(())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn draft(to: &str, text: &str) -> Draft {
        Draft {
            id: MessageId::new(1),
            time: SystemTime::UNIX_EPOCH,
            from: Address::new(b"BANK").unwrap(),
            to: Address::new(to.as_bytes()).unwrap(),
            text: text.into(),
            segments: 1,
            data_coding: 0,
            validity: None,
            receipt: ReceiptState::NotRequested,
        }
    }

    fn texts(page: &Page) -> Vec<&str> {
        page.messages.iter().map(|message| message.text()).collect()
    }

    #[test]
    fn a_full_ring_drops_the_oldest_and_counts_it() {
        let inbox = Inbox::new(2, usize::MAX);
        for text in ["1", "2", "3"] {
            inbox.deliver(draft("62811", text));
        }
        let page = inbox.messages(&Filter::default());
        assert_eq!(texts(&page), ["2", "3"]);
        assert_eq!((page.lost, page.cleared), (1, false));
        let counts = inbox.counts();
        assert_eq!((counts.delivered, counts.dropped, counts.messages), (3, 1, 2));
    }

    #[test]
    fn bytes_are_bounded_and_the_newest_message_stays() {
        let inbox = Inbox::new(100, 2_000);
        for _ in 0..50 {
            inbox.deliver(draft("62811", &"x".repeat(160)));
            assert!(inbox.counts().bytes <= 2_000);
        }
        inbox.deliver(draft("62811", &"y".repeat(5_000)));
        assert_eq!(inbox.counts().messages, 1);
        inbox.deliver(draft("62811", "z"));
        assert_eq!(texts(&inbox.messages(&Filter::default())), ["z"]);
    }

    #[test]
    fn a_cursor_reads_on_where_it_stopped() {
        let inbox = Inbox::new(10, usize::MAX);
        inbox.deliver(draft("62811", "1"));
        let first = inbox.messages(&Filter::default());
        inbox.deliver(draft("62811", "2"));
        let second = inbox.messages(&Filter { since: first.cursor, ..Filter::default() });
        assert_eq!(texts(&second), ["2"]);
        assert_eq!(second.cursor, inbox.cursor());
    }

    #[test]
    fn a_limit_stops_right_after_its_last_message() {
        let inbox = Inbox::new(10, usize::MAX);
        for text in ["1", "2", "3"] {
            inbox.deliver(draft("62811", text));
        }
        let page = inbox.messages(&Filter { limit: 2, ..Filter::default() });
        assert_eq!(texts(&page), ["1", "2"]);
        assert_eq!(page.cursor, Cursor(2));
    }

    #[test]
    fn a_filter_finds_one_number_among_many_looks() {
        let inbox = Inbox::new(10_000, usize::MAX);
        for n in 0..(SCAN_MAX * 3) {
            inbox.deliver(draft(&format!("6281{n:08}"), "other"));
        }
        inbox.deliver(draft("62899", "mine"));
        let filter = Filter { to: Address::new(b"+62899"), ..Filter::default() };
        assert_eq!(texts(&inbox.messages(&filter)), ["mine"]);
    }

    #[test]
    fn cleared_messages_are_not_lost_ones() {
        let inbox = Inbox::new(10, usize::MAX);
        inbox.deliver(draft("62811", "1"));
        inbox.clear();
        inbox.deliver(draft("62811", "2"));
        let page = inbox.messages(&Filter::default());
        assert_eq!(texts(&page), ["2"]);
        assert_eq!((page.lost, page.cleared), (0, true));
    }

    #[test]
    fn who_had_read_everything_is_told_of_a_clearing_once() {
        let inbox = Inbox::new(10, usize::MAX);
        inbox.deliver(draft("62811", "1"));
        let since = inbox.cursor();
        inbox.clear();
        let page = inbox.messages(&Filter { since, ..Filter::default() });
        assert!(page.cleared);
        let page = inbox.messages(&Filter { since: page.cursor, ..Filter::default() });
        assert!(!page.cleared);
    }

    #[test]
    fn a_cursor_of_an_earlier_life_starts_at_the_oldest() {
        let inbox = Inbox::new(10, usize::MAX);
        inbox.deliver(draft("62811", "1"));
        let page = inbox.messages(&Filter { since: Cursor(99), ..Filter::default() });
        assert_eq!(texts(&page), ["1"]);
    }

    #[test]
    fn the_last_messages_are_read_from_their_cursor() {
        let inbox = Inbox::new(10, usize::MAX);
        for text in ["1", "2", "3"] {
            inbox.deliver(draft("62811", text));
        }
        let since = inbox.cursor_before_last(2);
        assert_eq!(texts(&inbox.messages(&Filter { since, ..Filter::default() })), ["2", "3"]);
        assert_eq!(inbox.cursor_before_last(99), Cursor::START);
    }

    #[tokio::test]
    async fn a_waiter_wakes_for_its_number_alone() {
        let inbox = Arc::new(Inbox::new(10, usize::MAX));
        let waiter = tokio::spawn({
            let inbox = Arc::clone(&inbox);
            async move { inbox.wait_for("+62899", Cursor::START, HOUR).await }
        });
        tokio::task::yield_now().await;
        inbox.deliver(draft("62811", "other"));
        inbox.wake();
        tokio::task::yield_now().await;
        inbox.clear();
        tokio::task::yield_now().await;
        inbox.deliver(draft("62899", "mine"));
        inbox.wake();
        assert_eq!(waiter.await.unwrap().unwrap().text(), "mine");
    }

    #[tokio::test]
    async fn a_wait_ends_with_nothing_when_its_time_is_up() {
        let inbox = Inbox::new(10, usize::MAX);
        assert!(inbox.wait_for("62899", Cursor::START, Duration::ZERO).await.is_none());
        let page = inbox.wait(&Filter::default(), Duration::ZERO).await;
        assert!(page.messages.is_empty());
    }
}
