//! Which delivery receipt belongs to which send: message ids of accepted submits, bounded by count and age.

use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use smpp::receipt::{MessageState, Receipt};

use super::DeliveryReport;
use super::outbox::Item;
use crate::clock::Timestamp;
use crate::subscriber::challenge::{ChallengeId, Delivery};
use crate::subscriber::id::SubscriberId;

/// The longest message id that is remembered: the specification's 64 bytes, and one that some SMSCs send
/// beyond it.
pub(super) const MESSAGE_ID_BYTES_MAX: usize = 65;

/// One send of one challenge's SMS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    subscriber: SubscriberId,
    pub(super) challenge: ChallengeId,
    ordinal: u8,
}

impl Sent {
    pub(super) fn of(item: &Item) -> Self {
        Self { subscriber: item.subscriber, challenge: item.challenge, ordinal: item.ordinal }
    }

    pub(super) fn report(self, delivery: Delivery) -> DeliveryReport {
        let Self { subscriber, challenge, ordinal } = self;
        DeliveryReport { subscriber, challenge, ordinal, delivery }
    }
}

/// What an SMSC calls a message: 1 to 65 bytes of any value. Inline, so that remembering one allocates
/// nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct MessageId {
    length: u8,
    bytes: [u8; MESSAGE_ID_BYTES_MAX],
}

impl MessageId {
    /// `None` for an empty id and for one that is too long: no receipt will be matched.
    pub(super) fn new(id: &[u8]) -> Option<Self> {
        let length = u8::try_from(id.len()).ok().filter(|length| *length > 0)?;
        let mut bytes = [0; MESSAGE_ID_BYTES_MAX];
        bytes.get_mut(..id.len())?.copy_from_slice(id);
        Some(Self { length, bytes })
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// The bytes in use alone, which are mostly a dozen; the others are zeros in equal ids.
impl Hash for MessageId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_bytes().escape_ascii())
    }
}

#[derive(Debug)]
struct Entry {
    id: MessageId,
    sent: Sent,
    at: Timestamp,
}

/// The last accepted submits, at most `count_max` of them. The oldest makes room for a new one, and one
/// that is too old is not found: nothing is ever swept.
#[derive(Debug)]
pub(super) struct Receipts {
    /// A ring: once full, `next` is the oldest.
    entries: Vec<Entry>,
    next: usize,
    by_id: HashMap<MessageId, usize>,
    count_max: usize,
    age_max: Duration,
}

impl Receipts {
    /// Takes the address space for `count_max` entries at once, so that growing never costs a pause; the
    /// memory itself is used only as entries come.
    pub(super) fn new(count_max: usize, age_max: Duration) -> Self {
        Self {
            entries: Vec::with_capacity(count_max),
            next: 0,
            by_id: HashMap::with_capacity(count_max),
            count_max,
            age_max,
        }
    }

    /// Remembers an accepted submit. An id that the SMSC uses again means the newer one from now on.
    // One hash insert and at most one removal, no allocation.
    pub(super) fn remember(&mut self, id: MessageId, sent: Sent, now: Timestamp) {
        let index = self.next;
        let entry = Entry { id, sent, at: now };
        match self.entries.get_mut(index) {
            Some(oldest) => {
                let oldest = std::mem::replace(oldest, entry);
                if self.by_id.get(&oldest.id) == Some(&index) {
                    self.by_id.remove(&oldest.id);
                }
            }
            None => self.entries.push(entry),
        }
        self.by_id.insert(id, index);
        self.next = (index + 1) % self.count_max;
    }

    /// The send that a receipt is about, by the first of its ids that is known.
    pub(super) fn find(&self, receipt: &Receipt<'_>, now: Timestamp) -> Option<(MessageId, Sent)> {
        receipt.ids().find_map(|id| {
            let id = MessageId::new(id)?;
            let entry = &self.entries[*self.by_id.get(&id)?];
            (now.since(entry.at) <= self.age_max).then_some((id, entry.sent))
        })
    }

    /// Forgets a message about which nothing new can come.
    pub(super) fn forget(&mut self, id: &MessageId) {
        self.by_id.remove(id);
    }
}

/// The news in a receipt; `None` for a state that says nothing certain (SMPP 3.4 §5.2.28).
pub(super) fn delivery(state: Option<MessageState>) -> Option<Delivery> {
    Some(match state? {
        MessageState::DELIVERED => Delivery::Delivered,
        MessageState::EXPIRED => Delivery::Expired,
        MessageState::DELETED | MessageState::UNDELIVERABLE => Delivery::Undelivered,
        MessageState::REJECTED => Delivery::Rejected,
        MessageState::ACCEPTED | MessageState::ENROUTE => Delivery::Accepted,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sms::outbox::tests::item;

    const AGE_MAX: Duration = Duration::from_secs(60);

    fn sent(number: u8) -> Sent {
        Sent::of(&item(number, Timestamp::from_unix_millis(0)))
    }

    fn id(text: &[u8]) -> MessageId {
        MessageId::new(text).unwrap()
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_millis(seconds * 1_000)
    }

    fn found(receipts: &Receipts, id: &[u8], now: Timestamp) -> Option<u8> {
        let receipt = Receipt { id, ..Receipt::default() };
        receipts.find(&receipt, now).map(|(_, sent)| sent.challenge.0[15])
    }

    #[test]
    fn the_oldest_makes_room_for_a_new_one() {
        let mut receipts = Receipts::new(3, AGE_MAX);
        for number in 0..10 {
            receipts.remember(id(&[b'a' + number]), sent(number), at(0));
        }
        assert_eq!(found(&receipts, b"g", at(0)), None);
        assert_eq!([b"h", b"i", b"j"].map(|id| found(&receipts, id, at(0))), [Some(7), Some(8), Some(9)]);
        assert_eq!((receipts.entries.len(), receipts.by_id.len()), (3, 3));
    }

    #[test]
    fn an_old_one_is_not_found() {
        let mut receipts = Receipts::new(3, AGE_MAX);
        receipts.remember(id(b"a"), sent(1), at(10));
        assert_eq!(found(&receipts, b"a", at(70)), Some(1));
        assert_eq!(found(&receipts, b"a", at(71)), None);
    }

    #[test]
    fn an_id_that_is_used_again_means_the_newer_message_even_after_the_older_is_dropped() {
        let mut receipts = Receipts::new(3, AGE_MAX);
        receipts.remember(id(b"a"), sent(1), at(0));
        receipts.remember(id(b"b"), sent(2), at(0));
        receipts.remember(id(b"a"), sent(3), at(0));
        assert_eq!(found(&receipts, b"a", at(0)), Some(3));
        receipts.remember(id(b"c"), sent(4), at(0));
        assert_eq!(found(&receipts, b"a", at(0)), Some(3));
        receipts.forget(&id(b"a"));
        assert_eq!(found(&receipts, b"a", at(0)), None);
    }

    #[test]
    fn ids_are_bounded_and_of_any_bytes() {
        assert_eq!(MessageId::new(b""), None);
        assert_eq!(MessageId::new(&[b'x'; MESSAGE_ID_BYTES_MAX + 1]), None);
        assert_eq!(MessageId::new(&[b'x'; 300]), None);
        let longest = id(&[0xFF; MESSAGE_ID_BYTES_MAX]);
        let mut receipts = Receipts::new(3, AGE_MAX);
        receipts.remember(longest, sent(1), at(0));
        assert_eq!(found(&receipts, &[0xFF; MESSAGE_ID_BYTES_MAX], at(0)), Some(1));
        assert_eq!(found(&receipts, &[0xFF; MESSAGE_ID_BYTES_MAX + 1], at(0)), None);
    }

    #[test]
    fn the_parameter_s_id_counts_where_the_text_s_is_unknown() {
        let mut receipts = Receipts::new(3, AGE_MAX);
        receipts.remember(id(b"7B"), sent(1), at(0));
        let receipt = Receipt { id: b"123", receipted_message_id: b"7B", ..Receipt::default() };
        assert!(receipts.find(&receipt, at(0)).is_some());
    }

    #[test]
    fn only_states_that_say_something_are_news() {
        assert_eq!(delivery(Some(MessageState::DELIVERED)), Some(Delivery::Delivered));
        assert_eq!(delivery(Some(MessageState::ENROUTE)), Some(Delivery::Accepted));
        for silent in [None, Some(MessageState::UNKNOWN), Some(MessageState(0)), Some(MessageState(9))] {
            assert_eq!(delivery(silent), None);
        }
    }
}
