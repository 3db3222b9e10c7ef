//! What readers ask for, and what they get.

use std::sync::Arc;

use super::address::Address;
use super::cursor::Cursor;
use super::message::Message;
use super::needle::Needle;
use super::search::Search;

/// Which messages to read, and from where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Only messages to this address: a handset, or what a handset wrote to.
    pub to: Option<Address>,
    /// Only messages to or from this address: a conversation.
    pub with: Option<Address>,
    /// Only messages whose text has this in it.
    pub text: Option<Needle>,
    /// Only messages in which a person finds this.
    pub find: Option<Search>,
    /// Only messages after this place.
    pub since: Cursor,
    /// At most this many messages.
    pub limit: usize,
}

impl Default for Filter {
    fn default() -> Self {
        Self { to: None, with: None, text: None, find: None, since: Cursor::START, limit: usize::MAX }
    }
}

impl Filter {
    /// Whether it admits every message.
    pub(super) const fn is_open(&self) -> bool {
        self.to.is_none() && self.with.is_none() && self.text.is_none() && self.find.is_none()
    }

    pub(super) fn admits(&self, message: &Message) -> bool {
        self.to.as_ref().is_none_or(|to| to == message.to())
            && self.with.as_ref().is_none_or(|with| with == message.to() || with == message.from())
            && self.text.is_none_or(|text| text.is_in(message.text()))
            && self.find.is_none_or(|search| search.finds(message))
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
