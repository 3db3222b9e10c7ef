//! Things to be done, each at its time: the first due comes first, and of those
//! due at once, the first added.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::time::Instant;

pub(super) struct Agenda<T> {
    heap: BinaryHeap<Reverse<Entry<T>>>,
    added: u64,
}

struct Entry<T> {
    due: Instant,
    order: u64,
    item: T,
}

impl<T> Default for Agenda<T> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), added: 0 }
    }
}

impl<T> Agenda<T> {
    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }

    pub(super) fn add(&mut self, due: Instant, item: T) {
        self.added += 1;
        self.heap.push(Reverse(Entry { due, order: self.added, item }));
    }

    /// When the first is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse(first)| first.due)
    }

    /// The first, if it is due.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<T> {
        self.due().filter(|due| *due <= now)?;
        self.pop()
    }

    /// The first, due or not.
    pub(super) fn pop(&mut self) -> Option<T> {
        self.heap.pop().map(|Reverse(first)| first.item)
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.due, self.order).cmp(&(other.due, other.order))
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T> Eq for Entry<T> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use std::time::Duration;

    #[test]
    fn what_is_due_first_comes_first_and_then_what_was_added_first() {
        let (mut agenda, now) = (Agenda::default(), clock::now());
        let later = now + Duration::from_secs(1);
        for (due, item) in [(later, 'c'), (now, 'a'), (later, 'd'), (now, 'b')] {
            agenda.add(due, item);
        }
        assert_eq!(
            [agenda.pop_due(now), agenda.pop_due(now), agenda.pop_due(now)],
            [Some('a'), Some('b'), None]
        );
        assert_eq!((agenda.due(), agenda.len()), (Some(later), 2));
        assert_eq!([agenda.pop(), agenda.pop(), agenda.pop()], [Some('c'), Some('d'), None]);
    }
}
