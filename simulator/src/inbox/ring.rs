//! The messages that are kept, in order and by their ids.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::address::Address;
use super::cursor::Cursor;
use super::details::Direction;
use super::handsets::Handsets;
use super::id::MessageId;
use super::message::Message;
use super::reading::{Filter, Page};

/// How many messages are looked at under one lock. A session waits at most for one such look, a few
/// microseconds, whatever a reader filters for.
pub(super) const SCAN_MAX: usize = 1_024;

/// Messages that no handset shows (on their way, expired, cancelled) which are found by their id: the newest.
pub(super) const UNLISTED_MAX: usize = 10_000;

/// Bytes of the same.
const UNLISTED_BYTES_MAX: usize = 8 * 1_024 * 1_024;

/// What went through the inbox since the start, and what is in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages that came in.
    pub delivered: u64,
    /// Messages that the ring dropped to stay within its bounds.
    pub dropped: u64,
    /// Messages kept now.
    pub messages: usize,
    /// Handsets that have one of them.
    pub handsets: usize,
    /// Bytes kept now: of the messages' records and texts.
    pub bytes: usize,
}

/// Messages, oldest first, and the bytes that they have.
#[derive(Debug, Default)]
struct Kept {
    messages: VecDeque<Arc<Message>>,
    bytes: usize,
}

impl Kept {
    fn push(&mut self, message: &Arc<Message>) {
        self.bytes += message.bytes();
        self.messages.push_back(Arc::clone(message));
    }

    fn pop(&mut self) -> Option<Arc<Message>> {
        let oldest = self.messages.pop_front()?;
        self.bytes -= oldest.bytes();
        Some(oldest)
    }
}

#[derive(Debug)]
pub(super) struct Ring {
    messages_max: usize,
    bytes_max: usize,
    listed: Kept,
    /// Whose messages these are.
    handsets: Handsets,
    /// What no handset shows, and some that were shown since.
    unlisted: Kept,
    /// All of the above, by their ids and those of their parts.
    by_id: HashMap<u64, Arc<Message>>,
    /// The cursor after the newest message. Every message moves it by one, and so does a clearing, so that
    /// whoever had read everything learns of it as well.
    head: u64,
    /// Messages up to here were removed on request, not lost.
    cleared_to: u64,
    delivered: u64,
    dropped: u64,
}

impl Ring {
    pub(super) fn new(messages_max: usize, bytes_max: usize) -> Self {
        Self {
            messages_max: messages_max.max(1),
            bytes_max,
            listed: Kept::default(),
            handsets: Handsets::default(),
            unlisted: Kept::default(),
            by_id: HashMap::new(),
            head: 0,
            cleared_to: 0,
            delivered: 0,
            dropped: 0,
        }
    }

    pub(super) const fn head(&self) -> u64 {
        self.head
    }

    /// The cursor before the oldest message kept.
    pub(super) fn tail(&self) -> u64 {
        self.head - self.listed.messages.len() as u64
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            delivered: self.delivered,
            dropped: self.dropped,
            messages: self.listed.messages.len(),
            handsets: self.handsets.len(),
            bytes: self.listed.bytes,
        }
    }

    pub(super) fn messages_of(&self, number: &Address) -> usize {
        self.handsets.messages_of(number)
    }

    pub(super) fn find(&self, id: MessageId) -> Option<&Arc<Message>> {
        self.by_id.get(&id.value())
    }

    /// Adds a message that a handset shows, or sent. What was kept of it may have been pushed out meanwhile.
    pub(super) fn list(&mut self, message: &Arc<Message>) {
        self.remember(message);
        self.head += 1;
        self.delivered += u64::from(message.details().direction == Direction::ToHandset);
        message.list_at(Cursor(self.head));
        self.listed.push(message);
        self.handsets.add(*message.handset());
        while self.listed.messages.len() > self.messages_max
            || (self.listed.bytes > self.bytes_max && self.listed.messages.len() > 1)
        {
            let Some(oldest) = self.listed.pop() else {
                break;
            };
            self.dropped += 1;
            self.handsets.remove(oldest.handset());
            self.forget(&oldest);
        }
    }

    /// Adds a message that is only found by its id.
    pub(super) fn keep(&mut self, message: &Arc<Message>) {
        self.remember(message);
        self.unlisted.push(message);
        while self.unlisted.messages.len() > UNLISTED_MAX || self.unlisted.bytes > UNLISTED_BYTES_MAX {
            let Some(oldest) = self.unlisted.pop() else {
                break;
            };
            if oldest.cursor() == Cursor::START {
                self.forget(&oldest);
            }
        }
    }

    fn remember(&mut self, message: &Arc<Message>) {
        for id in ids(message) {
            self.by_id.insert(id.value(), Arc::clone(message));
        }
    }

    /// Unless another has taken the message's place.
    fn forget(&mut self, message: &Arc<Message>) {
        for id in ids(message) {
            if self.find(id).is_some_and(|found| Arc::ptr_eq(found, message)) {
                self.by_id.remove(&id.value());
            }
        }
    }

    pub(super) fn clear(&mut self) {
        self.listed = Kept::default();
        self.handsets = Handsets::default();
        self.unlisted = Kept::default();
        self.by_id.clear();
        self.head += 1;
        self.cleared_to = self.head;
    }

    /// Reads on from `page.cursor` for one look. `true` if there may be more. No allocation but the page's.
    pub(super) fn read_on(&self, filter: &Filter, page: &mut Page) -> bool {
        // A cursor of an earlier run of the simulator starts at the oldest.
        let since = if page.cursor.0 > self.head { 0 } else { page.cursor.0 };
        page.cleared |= since < self.cleared_to;
        let since = since.max(self.cleared_to);
        let from = since.max(self.tail());
        page.lost += from - since;
        page.cursor = Cursor(from);
        let skip = usize::try_from(from - self.tail()).unwrap_or(usize::MAX);
        for message in self.listed.messages.iter().skip(skip).take(SCAN_MAX) {
            if page.messages.len() >= filter.limit {
                return false;
            }
            page.cursor = message.cursor();
            if filter.admits(message) {
                page.messages.push(Arc::clone(message));
            }
        }
        page.cursor.0 < self.head && page.messages.len() < filter.limit
    }

    #[cfg(test)]
    pub(super) fn ids_known(&self) -> usize {
        self.by_id.len()
    }
}

/// A message's own id and those of its parts.
fn ids(message: &Message) -> impl Iterator<Item = MessageId> + '_ {
    std::iter::once(message.id()).chain(message.details().parts().iter().copied())
}
