//! Things to be done, each at its time: the first due comes first, and of those due at once, the first added.

use std::collections::BTreeMap;
use std::time::Instant;

pub(super) struct Agenda<T> {
    /// By when they are due, and the order in which they were added.
    items: BTreeMap<(Instant, u64), T>,
    added: u64,
}

impl<T> Default for Agenda<T> {
    fn default() -> Self {
        Self { items: BTreeMap::new(), added: 0 }
    }
}

impl<T> Agenda<T> {
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn add(&mut self, due: Instant, item: T) {
        self.added += 1;
        self.items.insert((due, self.added), item);
    }

    /// When the first is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.items.first_key_value().map(|((due, _), _)| *due)
    }

    /// The first, if it is due.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<T> {
        self.due().filter(|due| *due <= now)?;
        self.pop()
    }

    /// The first, due or not.
    pub(super) fn pop(&mut self) -> Option<T> {
        self.items.pop_first().map(|(_, item)| item)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock;

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
