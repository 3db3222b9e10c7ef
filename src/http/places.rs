//! The places for open connections. One that has not shown a client's key yet gives its place up to a newcomer when there
//! are no others, so that sockets which do nothing keep nobody out. Some places are kept for those that have.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

/// The places of one listener.
#[derive(Debug)]
pub(super) struct Places {
    max: usize,
    strangers_max: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    /// The number of the next connection that comes, or is active.
    next: u64,
    /// Those that have shown no key, the one that has been idle for the longest first.
    strangers: BTreeMap<u64, Connection>,
    /// Those that have.
    known: BTreeMap<u64, Connection>,
}

/// What a connection and its place share.
#[derive(Clone, Debug, Default)]
struct Connection {
    evicted: CancellationToken,
    is_known: Arc<AtomicBool>,
}

impl Taken {
    fn count(&self) -> usize {
        self.strangers.len() + self.known.len()
    }

    fn stranger(&mut self, connection: Connection) -> u64 {
        let number = self.next;
        self.next += 1;
        self.strangers.insert(number, connection);
        number
    }
}

/// The place of one connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    /// Among the strangers.
    number: Mutex<u64>,
    connection: Connection,
}

impl Places {
    /// So many places, of which some are kept for connections that have shown a key.
    pub(super) fn new(max: usize, kept: usize) -> Arc<Self> {
        let strangers_max = max.saturating_sub(kept).max(1);
        Arc::new(Self { max, strangers_max, taken: Mutex::default() })
    }

    // A panic leaves nothing half done here.
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection that has shown no key yet, and whether another had to give up its own.
    pub(super) fn take(self: &Arc<Self>) -> Option<(Place, bool)> {
        let mut taken = self.taken();
        let is_full = taken.count() >= self.max || taken.strangers.len() >= self.strangers_max;
        if is_full {
            let (_, oldest) = taken.strangers.pop_first()?;
            oldest.evicted.cancel();
        }
        let connection = Connection::default();
        let number = Mutex::new(taken.stranger(connection.clone()));
        let place = Place { places: Arc::clone(self), number, connection };
        Some((place, is_full))
    }

    /// Takes all for strangers until they show a key again.
    pub(super) fn forget_known(&self) {
        let mut taken = self.taken();
        let mut known = std::mem::take(&mut taken.known);
        known.values().for_each(|connection| connection.is_known.store(false, Ordering::Relaxed));
        taken.strangers.append(&mut known);
    }
}

impl Place {
    fn number(&self) -> MutexGuard<'_, u64> {
        self.number.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns once the connection has to give its place up, and the runtime has looked at its socket since: whoever polls
    /// the connection first finds what has arrived by then. Cancel safe.
    pub(super) async fn evicted(&self) {
        self.connection.evicted.cancelled().await;
        tokio::task::yield_now().await;
    }

    /// Whether it has shown a key.
    pub(super) fn is_known(&self) -> bool {
        self.connection.is_known.load(Ordering::Relaxed)
    }

    /// The connection has shown a client's key: from now on, the place is its own.
    // After the first time, one look at a flag.
    pub(super) fn known(&self) {
        if self.is_known() {
            return;
        }
        let mut taken = self.places.taken();
        let number = *self.number();
        if let Some(connection) = taken.strangers.remove(&number) {
            connection.is_known.store(true, Ordering::Relaxed);
            taken.known.insert(number, connection);
        }
    }

    /// The connection has asked for something: others have been idle for longer.
    pub(super) fn active(&self) {
        let mut taken = self.places.taken();
        let mut number = self.number();
        if let Some(connection) = taken.strangers.remove(&number) {
            *number = taken.stranger(connection);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        let number = *self.number();
        taken.strangers.remove(&number);
        taken.known.remove(&number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stranger_that_has_been_idle_for_the_longest_gives_way_and_those_that_are_known_do_not() {
        let places = Places::new(3, 1);
        let (first, evicts) = places.take().unwrap();
        assert!(!evicts);
        let (second, _) = places.take().unwrap();
        first.active();
        let (third, evicts) = places.take().unwrap();
        assert!(
            evicts && second.connection.evicted.is_cancelled() && !first.connection.evicted.is_cancelled()
        );
        drop(second);
        third.known();
        let (fourth, evicts) = places.take().unwrap();
        assert!(!evicts, "one is kept for those that are known");
        let (fifth, evicts) = places.take().unwrap();
        assert!(
            evicts && first.connection.evicted.is_cancelled() && !third.connection.evicted.is_cancelled()
        );
        fourth.known();
        fifth.known();
        assert!(places.take().is_none(), "all have shown a key");
        drop(third);
        assert!(places.take().is_some());
    }

    #[test]
    fn those_that_are_forgotten_are_strangers_until_they_show_a_key_again() {
        let places = Places::new(2, 0);
        let (first, _) = places.take().unwrap();
        let (second, _) = places.take().unwrap();
        first.known();
        second.known();
        assert!(places.take().is_none());
        places.forget_known();
        assert!(!first.is_known() && !second.is_known());
        second.known();
        let (third, evicts) = places.take().unwrap();
        assert!(evicts && first.connection.evicted.is_cancelled() && second.is_known());
        third.known();
        assert!(places.take().is_none());
        drop((first, second, third));
        assert_eq!(places.taken().count(), 0);
    }

    #[test]
    fn places_are_free_again_whoever_had_them() {
        let places = Places::new(2, 0);
        for _ in 0..10 {
            let (stranger, _) = places.take().unwrap();
            let (known, _) = places.take().unwrap();
            known.known();
            let (newcomer, evicts) = places.take().unwrap();
            assert!(evicts && stranger.connection.evicted.is_cancelled());
            // It is too late for that.
            stranger.known();
            assert!(!stranger.is_known());
            drop((stranger, known, newcomer));
            assert_eq!(places.taken().count(), 0);
        }
    }
}
