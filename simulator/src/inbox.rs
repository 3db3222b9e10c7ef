//! The inbox: what the handsets show, in order, bounded, for tests and people.
//!
//! A ring of messages. A reader owns a [`Cursor`] and reads on from it at its own pace; the ring does not
//! wait for a reader. When it is full, the oldest message is dropped, and a reader that had not come so far
//! learns how many it missed. So a slow reader costs nothing but its own messages.

mod address;
mod cursor;
mod details;
mod handsets;
mod history;
mod id;
mod message;
mod needle;
mod reading;
mod ring;
mod search;
mod validity;
mod wire;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use smpp::pdu::MessageState;
use tokio::sync::watch;

use crate::clock;
pub use address::Address;
pub use cursor::Cursor;
pub use details::{Details, Direction};
pub use history::{ReceiptOutcome, ReceiptSent};
pub use id::MessageId;
pub(crate) use message::Draft;
pub use message::{Message, ReceiptState};
pub use needle::Needle;
pub use reading::{Filter, Page};
pub use ring::Counts;
use ring::Ring;
pub use search::Search;
pub use validity::Validity;
pub(crate) use wire::{Wire, state_name, timestamp};

/// The shared inbox. Cheap to share through an `Arc`.
#[derive(Debug)]
pub struct Inbox {
    ring: Mutex<Ring>,
    /// The newest cursor, for those who wait. Written once per batch.
    newest: watch::Sender<Cursor>,
}

impl Inbox {
    /// An empty inbox that keeps at most `messages_max` messages and about `bytes_max` bytes of records and
    /// texts, at least the newest message.
    pub(crate) fn new(messages_max: usize, bytes_max: usize) -> Self {
        Self {
            ring: Mutex::new(Ring::new(messages_max, bytes_max)),
            newest: watch::Sender::new(Cursor::START),
        }
    }

    /// The place after the newest message.
    pub fn cursor(&self) -> Cursor {
        Cursor(self.ring().head())
    }

    /// The place from which at most the newest `count` messages that `filter` admits are read.
    pub(crate) fn cursor_before_last(&self, count: u64, filter: &Filter) -> Cursor {
        if filter.is_open() {
            let ring = self.ring();
            return Cursor(ring.head().saturating_sub(count).max(ring.tail()));
        }
        let kept = usize::try_from(count).unwrap_or(usize::MAX);
        let filter = Filter { limit: usize::MAX, ..*filter };
        let mut page = Page::default();
        loop {
            let more = self.read_on(&filter, &mut page);
            let surplus = page.messages.len().saturating_sub(kept);
            page.messages.drain(..surplus);
            if !more {
                let first = page.messages.first();
                return first.map_or(page.cursor, |message| Cursor(message.cursor().0 - 1));
            }
        }
    }

    /// The messages that `filter` admits, without waiting.
    pub fn messages(&self, filter: &Filter) -> Page {
        let mut page = Page { cursor: filter.since, ..Page::default() };
        while self.read_on(filter, &mut page) {}
        page
    }

    /// As [`Inbox::messages`], but waits until there is one, at most `timeout`. Cancel safe: it takes nothing
    /// out.
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

    /// The first message to the handset `to` after `since`, waiting at most `timeout` for it. `to` is with or
    /// without `+`.
    pub async fn wait_for(&self, to: &str, since: Cursor, timeout: Duration) -> Option<Arc<Message>> {
        let deadline = clock::now() + timeout;
        let mut filter =
            Filter { to: Some(Address::new(to.as_bytes())?), since, limit: 1, ..Filter::default() };
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

    /// Removes all messages. Readers learn that they were removed, not lost.
    pub fn clear(&self) {
        let mut ring = self.ring();
        ring.clear();
        let head = ring.head();
        drop(ring);
        self.newest.send_replace(Cursor(head));
    }

    /// What went through since the start, and what is kept.
    pub fn counts(&self) -> Counts {
        self.ring().counts()
    }

    /// How many messages the handset `number` has in the inbox.
    pub fn messages_of(&self, number: &Address) -> usize {
        self.ring().messages_of(number)
    }

    /// The message with this id, as [`MessageId`] is written or in any form that the SMSC may have given it
    /// out: listed or on its way, expired, cancelled.
    pub fn find(&self, id: &str) -> Option<Arc<Message>> {
        let ring = self.ring();
        MessageId::meant_by(id.as_bytes()).find_map(|id| ring.find(id).cloned())
    }

    /// The message that is kept under this id.
    pub(crate) fn kept(&self, id: MessageId) -> Option<Arc<Message>> {
        self.ring().find(id).cloned()
    }

    /// Takes a message in that the handset shows at once. Readers that wait are woken by [`Inbox::wake`],
    /// which a session calls once for all messages of one read.
    pub(crate) fn deliver(&self, draft: Draft) -> Arc<Message> {
        let message = Arc::new(Message::new(draft));
        self.arrive(&message, message.time());
        message
    }

    /// Takes a message in that is on its way, or does not get to the handset.
    pub(crate) fn keep(&self, draft: Draft) -> Arc<Message> {
        let message = Arc::new(Message::new(draft));
        self.ring().keep(&message);
        message
    }

    /// Takes a message in that a handset sent, and lists it.
    pub(crate) fn originate(&self, draft: Draft) -> Arc<Message> {
        let message = Arc::new(Message::new(draft));
        self.ring().list(&message);
        message
    }

    /// A message is on the handset now.
    pub(crate) fn arrive(&self, message: &Arc<Message>, at: SystemTime) {
        message.end(MessageState::DELIVERED, at);
        self.ring().list(message);
    }

    /// Wakes those who wait for what [`Inbox::deliver`] took in, if it took anything in.
    pub(crate) fn wake(&self) {
        // No reader, nothing to wake: spares the lock inside.
        if self.newest.receiver_count() > 0 {
            let newest = self.cursor();
            self.newest.send_if_modified(|before| std::mem::replace(before, newest) != newest);
        }
    }

    /// Reads on from `page.cursor` for one look. `true` if there may be more.
    ///
    /// One lock, no allocation but the page's, no await.
    fn read_on(&self, filter: &Filter, page: &mut Page) -> bool {
        self.ring().read_on(filter, page)
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
    use smpp::pdu::SubmitSm;

    use super::ring::{SCAN_MAX, UNLISTED_MAX};
    use super::*;
    use crate::behavior::IdForm;

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
            details: Details::of_submit(&SubmitSm::default(), "gateway".into(), 1, IdForm::Hex),
            parts: Box::default(),
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
    fn who_had_read_everything_learns_of_a_clearing_once() {
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
    fn a_cursor_of_an_earlier_run_starts_at_the_oldest() {
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
        let all = Filter::default();
        let since = inbox.cursor_before_last(2, &all);
        assert_eq!(texts(&inbox.messages(&Filter { since, ..all })), ["2", "3"]);
        assert_eq!(inbox.cursor_before_last(99, &all), Cursor::START);
    }

    #[test]
    fn the_last_messages_of_a_conversation_are_counted_without_the_others() {
        let inbox = Inbox::new(10_000, usize::MAX);
        for n in 0..3 * SCAN_MAX {
            inbox.deliver(draft("62811", &format!("mine {n}")));
            inbox.deliver(draft("62822", "other"));
        }
        let text = Filter { text: Needle::new("MINE 307"), ..Filter::default() };
        let since = inbox.cursor_before_last(2, &text);
        assert_eq!(texts(&inbox.messages(&Filter { since, ..text })), ["mine 3070", "mine 3071"]);
        let mine = Filter { with: Address::new(b"62811"), ..Filter::default() };
        let since = inbox.cursor_before_last(2, &mine);
        assert_eq!(texts(&inbox.messages(&Filter { since, ..mine })), ["mine 3070", "mine 3071"]);
        assert_eq!(inbox.cursor_before_last(0, &mine), inbox.cursor());
        let nobody = Filter { with: Address::new(b"62833"), ..Filter::default() };
        assert!(
            inbox
                .messages(&Filter { since: inbox.cursor_before_last(5, &nobody), ..nobody })
                .messages
                .is_empty()
        );
    }

    #[test]
    fn what_is_on_its_way_is_found_and_not_listed_until_it_arrives() {
        let inbox = Inbox::new(10, usize::MAX);
        let message = inbox.keep(draft("62811", "on its way"));
        let id = message.id().to_string();
        assert!(inbox.messages(&Filter::default()).messages.is_empty());
        assert_eq!(inbox.find(&id).unwrap().state(), MessageState::ENROUTE);
        inbox.arrive(&message, message.time() + HOUR);
        assert_eq!(texts(&inbox.messages(&Filter::default())), ["on its way"]);
        let found = inbox.find(&id.to_uppercase()).unwrap();
        assert_eq!((found.state(), found.done()), (MessageState::DELIVERED, Some(found.time() + HOUR)));
        inbox.clear();
        assert!(inbox.find(&id).is_none());
    }

    #[test]
    fn what_is_not_listed_is_bounded_and_what_is_dropped_is_not_found() {
        let inbox = Inbox::new(2, usize::MAX);
        let with_id = |id| Draft { id: MessageId::new(id), ..draft("62811", "x") };
        for id in 0..UNLISTED_MAX as u64 + 3 {
            inbox.keep(with_id(id));
        }
        let found = |id: u64| inbox.find(&MessageId::new(id).to_string()).is_some();
        assert!(!found(2) && found(3));
        for id in 100_000..100_003 {
            inbox.deliver(with_id(id));
        }
        assert!(!found(100_000) && found(100_001));
        assert_eq!(inbox.ring().ids_known(), UNLISTED_MAX + 2);
    }

    #[test]
    fn a_conversation_has_both_directions() {
        let inbox = Inbox::new(10, usize::MAX);
        inbox.deliver(draft("62811", "there"));
        inbox.originate(Draft { from: Address::new(b"62811").unwrap(), ..draft("2020", "and back") });
        inbox.deliver(draft("62812", "other"));
        let with = Filter { with: Address::new(b"62811"), ..Filter::default() };
        assert_eq!(texts(&inbox.messages(&with)), ["there", "and back"]);
        let to = Filter { to: Address::new(b"62811"), ..Filter::default() };
        assert_eq!(texts(&inbox.messages(&to)), ["there"]);
    }

    #[tokio::test]
    async fn a_waiter_wakes_for_its_number_only() {
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
