//! The latest things known by an id: bounded by count and age, and never swept.

use std::collections::HashMap;
use std::time::Duration;

use super::id::MessageId;
use crate::clock::Timestamp;

#[derive(Debug)]
struct Entry<V> {
    id: MessageId,
    /// The normalised id, where it has one.
    normalised: Option<MessageId>,
    value: V,
    at: Timestamp,
}

/// At most `count_max` values, each under its id as it was spelt and its normalised id. The oldest
/// makes room for a new one, and one that is older than `age_max` is not found.
#[derive(Debug)]
pub(super) struct Recent<V> {
    /// A ring: once full, `next` is the oldest.
    entries: Vec<Entry<V>>,
    next: usize,
    by_id: HashMap<MessageId, usize>,
    by_normalised: HashMap<MessageId, usize>,
    count_max: usize,
    age_max: Duration,
}

impl<V> Recent<V> {
    /// Takes the address space for `count_max` values (1 at the least) at once, so that growing never costs
    /// a pause; the memory itself is used only as values come.
    pub(super) fn new(count_max: usize, age_max: Duration) -> Self {
        Self {
            entries: Vec::with_capacity(count_max),
            next: 0,
            by_id: HashMap::with_capacity(count_max),
            by_normalised: HashMap::new(),
            count_max: count_max.max(1),
            age_max,
        }
    }

    /// Whether nothing is in it, found or not.
    pub(super) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// Adds a value. An id that is used again means the newer value from now on.
    // One hash insert and at most one removal, no allocation; twice that with a normalised id.
    pub(super) fn insert(&mut self, id: MessageId, normalised: Option<MessageId>, value: V, now: Timestamp) {
        let index = self.next;
        let entry = Entry { id, normalised, value, at: now };
        match self.entries.get_mut(index) {
            Some(oldest) => {
                let oldest = std::mem::replace(oldest, entry);
                remove(&mut self.by_id, &oldest.id, index);
                oldest
                    .normalised
                    .iter()
                    .for_each(|normalised| remove(&mut self.by_normalised, normalised, index));
            }
            None => self.entries.push(entry),
        }
        self.by_id.insert(id, index);
        normalised.map(|normalised| self.by_normalised.insert(normalised, index));
        self.next = (index + 1) % self.count_max;
    }

    /// Where the value under this very id is.
    pub(super) fn find(&self, id: &MessageId, now: Timestamp) -> Option<usize> {
        self.of_age(*self.by_id.get(id)?, now)
    }

    /// Where the value with this normalised id is.
    pub(super) fn find_normalised(&self, normalised: &MessageId, now: Timestamp) -> Option<usize> {
        self.of_age(*self.by_normalised.get(normalised)?, now)
    }

    fn of_age(&self, index: usize, now: Timestamp) -> Option<usize> {
        (now.since(self.entries[index].at) <= self.age_max).then_some(index)
    }

    /// The value that was just found there.
    pub(super) fn value(&self, index: usize) -> &V {
        &self.entries[index].value
    }

    /// The value that was just found there.
    pub(super) fn value_mut(&mut self, index: usize) -> &mut V {
        &mut self.entries[index].value
    }

    /// Has the value that was just found there found no more.
    pub(super) fn forget(&mut self, index: usize) {
        let entry = &self.entries[index];
        remove(&mut self.by_id, &entry.id, index);
        entry.normalised.iter().for_each(|normalised| remove(&mut self.by_normalised, normalised, index));
    }
}

/// Unless the id has come to mean a newer value.
fn remove(indices: &mut HashMap<MessageId, usize>, id: &MessageId, index: usize) {
    if indices.get(id) == Some(&index) {
        indices.remove(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGE_MAX: Duration = Duration::from_secs(60);

    fn id(text: &[u8]) -> MessageId {
        MessageId::new(text).unwrap()
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_millis(seconds * 1_000)
    }

    fn found(recent: &Recent<u8>, name: &[u8], now: Timestamp) -> Option<u8> {
        recent.find(&id(name), now).map(|index| *recent.value(index))
    }

    #[test]
    fn the_oldest_makes_room_for_a_new_one() {
        let mut recent = Recent::new(3, AGE_MAX);
        for number in 0..10 {
            recent.insert(id(&[b'a' + number]), Some(id(&[b'A' + number])), number, at(0));
        }
        assert_eq!(found(&recent, b"g", at(0)), None);
        assert_eq!([b"h", b"i", b"j"].map(|id| found(&recent, id, at(0))), [Some(7), Some(8), Some(9)]);
        assert_eq!(recent.find_normalised(&id(b"J"), at(0)).map(|index| *recent.value(index)), Some(9));
        assert_eq!((recent.entries.len(), recent.by_id.len(), recent.by_normalised.len()), (3, 3, 3));
    }

    #[test]
    fn an_old_one_is_not_found() {
        let mut recent = Recent::new(3, AGE_MAX);
        recent.insert(id(b"a"), Some(id(b"A")), 1, at(10));
        assert_eq!(found(&recent, b"a", at(70)), Some(1));
        assert_eq!(found(&recent, b"a", at(71)), None);
        assert_eq!(recent.find_normalised(&id(b"A"), at(71)), None);
    }

    #[test]
    fn an_id_that_is_used_again_means_the_newer_value_even_after_the_older_is_dropped() {
        let mut recent = Recent::new(3, AGE_MAX);
        recent.insert(id(b"a"), None, 1, at(0));
        recent.insert(id(b"b"), None, 2, at(0));
        recent.insert(id(b"a"), None, 3, at(0));
        assert_eq!(found(&recent, b"a", at(0)), Some(3));
        recent.insert(id(b"c"), None, 4, at(0));
        assert_eq!(found(&recent, b"a", at(0)), Some(3));
        recent.forget(recent.find(&id(b"a"), at(0)).unwrap());
        assert_eq!(found(&recent, b"a", at(0)), None);
        assert!(!recent.is_empty());
    }
}
