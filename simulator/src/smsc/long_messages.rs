//! Puts long messages together from their segments.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use smpp::text::concatenation::Reference;

use crate::inbox::{Address, MessageId};

/// Messages that may wait for segments at a time. One more, and the oldest is given up: a sender that does
/// not complete its messages is not worth memory.
const WAITING_MAX: usize = 1_024;

/// Bytes of segments that may wait in all: a thousand messages of 4 segments.
const WAITING_BYTES_MAX: usize = 1_024 * 4 * 160;

/// What one message may take: 255 segments of 160 bytes. A payload parameter could bring four hundred times
/// as much, which no phone and no page shows; such a message is given up.
const MESSAGE_BYTES_MAX: usize = 255 * (size_of::<Option<Part>>() + 160);

/// A message that has waited this long is given up when its reference comes again, so that two texts do not
/// mix.
const WAITING_TIME_MAX: Duration = Duration::from_secs(300);

/// Which segments belong together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Key {
    pub(super) from: Address,
    pub(super) to: Address,
    pub(super) reference: Reference,
    pub(super) total: u8,
}

/// A message that came whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Whole {
    /// The segments' contents in order, without their headers.
    pub(super) content: Vec<u8>,
    /// The segments' ids in order.
    pub(super) ids: Box<[MessageId]>,
}

struct Part {
    id: MessageId,
    content: Box<[u8]>,
}

struct Waiting {
    key: Key,
    since: Instant,
    /// By place; empty contents are possible, so absence is `None`.
    parts: Vec<Option<Part>>,
    missing: usize,
    bytes: usize,
}

impl Waiting {
    fn new(key: Key, since: Instant) -> Self {
        let total = usize::from(key.total);
        Self {
            key,
            since,
            parts: std::iter::repeat_with(|| None).take(total).collect(),
            missing: total,
            bytes: total * size_of::<Option<Part>>(),
        }
    }

    fn put(&mut self, part: u8, id: MessageId, content: &[u8]) -> bool {
        match self.parts.get_mut(usize::from(part).wrapping_sub(1)) {
            Some(place @ None) => {
                *place = Some(Part { id, content: content.into() });
                self.missing -= 1;
                self.bytes += content.len();
                true
            }
            // A repeated segment changes nothing.
            _ => false,
        }
    }

    fn received(&self) -> u64 {
        (self.parts.len() - self.missing) as u64
    }
}

/// The long messages that wait for segments.
#[derive(Default)]
pub(super) struct LongMessages {
    /// Oldest first. Seldom more than a few, so that a walk beats a map.
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// Segments given up since this was last asked.
    dropped: u64,
}

impl LongMessages {
    /// Takes a segment in: place `part` (from 1) of `key.total`. The whole message if it was the last one
    /// missing.
    pub(super) fn add(
        &mut self,
        key: Key,
        part: u8,
        id: MessageId,
        content: &[u8],
        now: Instant,
    ) -> Option<Whole> {
        let found = self.waiting.iter().position(|waiting| waiting.key == key);
        let found = found.filter(|at| !self.give_up_if_old(*at, now));
        let at = found.unwrap_or_else(|| {
            let waiting = Waiting::new(key, now);
            self.bytes += waiting.bytes;
            self.waiting.push_back(waiting);
            self.waiting.len() - 1
        });
        let waiting = &mut self.waiting[at];
        if waiting.put(part, id, content) {
            self.bytes += content.len();
        }
        if waiting.bytes > MESSAGE_BYTES_MAX {
            self.give_up(at);
            return None;
        }
        if waiting.missing > 0 {
            self.stay_within_bounds();
            return None;
        }
        let waiting = self.waiting.remove(at)?;
        self.bytes -= waiting.bytes;
        let parts: Vec<_> = waiting.parts.into_iter().flatten().collect();
        let ids = parts.iter().map(|part| part.id).collect();
        Some(Whole { content: parts.into_iter().flat_map(|part| part.content).collect(), ids })
    }

    /// Segments given up since this was last asked.
    pub(super) fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    fn give_up_if_old(&mut self, at: usize, now: Instant) -> bool {
        let old = now.saturating_duration_since(self.waiting[at].since) > WAITING_TIME_MAX;
        if old {
            self.give_up(at);
        }
        old
    }

    fn stay_within_bounds(&mut self) {
        while self.waiting.len() > WAITING_MAX || self.bytes > WAITING_BYTES_MAX {
            self.give_up(0);
        }
    }

    fn give_up(&mut self, at: usize) {
        if let Some(waiting) = self.waiting.remove(at) {
            self.bytes -= waiting.bytes;
            self.dropped += waiting.received();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    const ID: MessageId = MessageId::new(1);

    fn key(reference: u8, total: u8) -> Key {
        Key {
            from: Address::new(b"BANK").unwrap(),
            to: Address::new(b"62811").unwrap(),
            reference: Reference::Bits8(reference),
            total,
        }
    }

    #[test]
    fn segments_in_any_order_and_twice_make_one_message() {
        let (mut long, now) = (LongMessages::default(), clock::now());
        assert_eq!(long.add(key(1, 3), 3, ID, b"ghi", now), None);
        assert_eq!(long.add(key(1, 3), 1, ID, b"abc", now), None);
        assert_eq!(long.add(key(1, 3), 1, ID, b"xyz", now), None);
        let whole = long.add(key(1, 3), 2, ID, b"def", now).unwrap();
        assert_eq!((whole.content.as_slice(), whole.ids.len()), (&b"abcdefghi"[..], 3));
        assert_eq!(long.bytes, 0);
        assert!(long.waiting.is_empty());
    }

    #[test]
    fn other_references_do_not_mix() {
        let (mut long, now) = (LongMessages::default(), clock::now());
        assert_eq!(long.add(key(1, 2), 1, ID, b"a", now), None);
        assert_eq!(long.add(key(2, 2), 2, ID, b"d", now), None);
        assert_eq!(long.add(key(1, 2), 2, ID, b"b", now).unwrap().content, b"ab");
    }

    #[test]
    fn too_many_unfinished_messages_push_the_oldest_out() {
        let (mut long, now) = (LongMessages::default(), clock::now());
        for n in 0..=WAITING_MAX {
            let reference = Reference::Bits16(u16::try_from(n).unwrap());
            assert_eq!(long.add(Key { reference, ..key(0, 2) }, 1, ID, b"a", now), None);
        }
        assert_eq!(long.waiting.len(), WAITING_MAX);
        assert_eq!((long.take_dropped(), long.take_dropped()), (1, 0));
    }

    #[test]
    fn bytes_are_bounded() {
        let (mut long, now) = (LongMessages::default(), clock::now());
        let segment = [b'x'; 160];
        for reference in 0..20 {
            for part in 1..=254 {
                assert_eq!(long.add(key(reference, 255), part, ID, &segment, now), None);
                assert!(long.bytes <= WAITING_BYTES_MAX);
            }
        }
        assert!(long.take_dropped() > 0);
    }

    #[test]
    fn a_message_that_no_phone_would_show_is_given_up() {
        let (mut long, now) = (LongMessages::default(), clock::now());
        assert_eq!(long.add(key(1, 2), 1, ID, b"a", now), None);
        assert_eq!(long.add(key(1, 2), 2, ID, &[b'x'; MESSAGE_BYTES_MAX], now), None);
        assert_eq!((long.take_dropped(), long.bytes, long.waiting.len()), (2, 0, 0));
    }

    #[test]
    fn an_old_reference_starts_anew() {
        let (mut long, now) = (LongMessages::default(), clock::now());
        assert_eq!(long.add(key(1, 2), 1, ID, b"old", now), None);
        let later = now + WAITING_TIME_MAX + Duration::from_secs(1);
        assert_eq!(long.add(key(1, 2), 2, ID, b"new", later), None);
        assert_eq!(long.add(key(1, 2), 1, ID, b"a ", later).unwrap().content, b"a new");
        assert_eq!(long.take_dropped(), 1);
    }
}
