//! The sharded map of subscribers. Its only door is [`Store::decide`]: look, decide, apply, under
//! one shard lock, without an await inside.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use serde::Deserialize;

use crate::metrics::Metrics;
use crate::subscriber::id::SubscriberId;
use crate::subscriber::{Decision, Subscriber};

/// Two threads rarely meet in one of this many shards, also when each holds its lock for the
/// microsecond of a decision.
const SHARDS: usize = 1024;

/// `[store]`: how much it may hold.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The most subscribers: 1 to 100 million.
    pub subscribers_max: usize,
    /// The most bytes of challenges, sends and remembered keys: at least 1 MiB. New challenges are
    /// refused beyond it; answers to open ones are not.
    pub live_bytes_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { subscribers_max: 2_000_000, live_bytes_max: 4 << 30 }
    }
}

impl Config {
    /// # Errors
    ///
    /// The setting outside its bounds and what it must be.
    pub fn validate(&self) -> Result<(), &'static str> {
        if !(1..=100_000_000).contains(&self.subscribers_max) {
            return Err("store.subscribers_max: must be 1 to 100000000");
        }
        if self.live_bytes_max < 1 << 20 || self.live_bytes_max > 1 << 40 {
            return Err("store.live_bytes_max: must be 1048576 (1 MiB) to 1099511627776 (1 TiB)");
        }
        Ok(())
    }
}

/// Why a subscriber was not enrolled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnrolError {
    /// The subscriber is enrolled already.
    Duplicate,
    /// The store holds as many subscribers as it may.
    Full,
}

impl fmt::Display for EnrolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Duplicate => "this corporate_id and user_id stand on an earlier row too",
            Self::Full => "more subscribers than store.subscribers_max",
        })
    }
}

/// The subscribers. Share it in an `Arc`.
pub struct Store {
    // The hasher is keyed from the system's randomness, so that nobody can choose ids that collide.
    subscribers: DashMap<SubscriberId, Subscriber, RandomState>,
    enrolled: AtomicUsize,
    live_bytes: AtomicUsize,
    config: Config,
    metrics: Arc<Metrics>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({} subscribers)", self.enrolled.load(Ordering::Relaxed))
    }
}

impl Store {
    /// An empty store with room for `expected` subscribers before it has to grow.
    pub fn new(config: Config, expected: usize, metrics: Arc<Metrics>) -> Self {
        let capacity = expected.min(config.subscribers_max);
        let subscribers =
            DashMap::with_capacity_and_hasher_and_shard_amount(capacity, RandomState::new(), SHARDS);
        Self { subscribers, enrolled: AtomicUsize::new(0), live_bytes: AtomicUsize::new(0), config, metrics }
    }

    /// Adds a subscriber.
    ///
    /// # Errors
    ///
    /// [`EnrolError`]; the store is as it was.
    pub fn enrol(&self, id: SubscriberId, subscriber: Subscriber) -> Result<(), EnrolError> {
        match self.subscribers.entry(id) {
            Entry::Occupied(_) => Err(EnrolError::Duplicate),
            Entry::Vacant(place) => {
                // The shard's lock does not cover the count, so the place is taken before it is used.
                if self.enrolled.fetch_add(1, Ordering::Relaxed) >= self.config.subscribers_max {
                    self.enrolled.fetch_sub(1, Ordering::Relaxed);
                    return Err(EnrolError::Full);
                }
                place.insert(subscriber);
                self.metrics.subscribers.inc();
                Ok(())
            }
        }
    }

    /// Whether a new challenge would be one too many for the memory that it may hold.
    pub fn is_full(&self) -> bool {
        self.live_bytes.load(Ordering::Relaxed) >= self.config.live_bytes_max
    }

    /// Takes one decision on one subscriber and applies its events, in one step that no other
    /// decision on the same subscriber can come between. `None` if nobody has this id.
    ///
    /// `decide` is `Fn`: an engine that finds its subscriber changed meanwhile may run it again.
    /// It must not use the store.
    // One shard lock; async since the reply will wait here for the journal.
    // benches/gateway/store.rs: verify.
    pub async fn decide<T>(
        &self,
        id: &SubscriberId,
        decide: impl Fn(&Subscriber) -> Decision<T>,
    ) -> Option<T> {
        let mut subscriber = self.subscribers.get_mut(id)?;
        let Decision { outcome, events } = decide(&subscriber);
        if !events.is_empty() {
            let before = subscriber.heap_bytes();
            for event in &events {
                subscriber.apply(event);
            }
            // Counted under the lock, so that no decrease comes before its increase.
            self.count_live_bytes(before, subscriber.heap_bytes());
        }
        Some(outcome)
    }

    fn count_live_bytes(&self, before: usize, after: usize) {
        // Most answers change no size, and the counter is shared by all threads.
        if after == before {
            return;
        }
        if after > before {
            self.live_bytes.fetch_add(after - before, Ordering::Relaxed);
        } else {
            self.live_bytes.fetch_sub(before - after, Ordering::Relaxed);
        }
    }

    /// Lends one subscriber to `look`, which can change nothing. `None` if nobody has this id.
    ///
    /// `look` must not use the store.
    pub fn read<T>(&self, id: &SubscriberId, look: impl FnOnce(&Subscriber) -> T) -> Option<T> {
        self.subscribers.get(id).map(|subscriber| look(&subscriber))
    }

    /// Brings the gauges of the store up to date: for each scrape, not for each decision.
    pub fn observe(&self) {
        let live_bytes = self.live_bytes.load(Ordering::Relaxed);
        self.metrics.live_bytes.set(i64::try_from(live_bytes).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::msisdn::NumberingPlan;
    use crate::subscriber::Authenticator;
    use crate::subscriber::id::Id;

    fn id(user: &str) -> SubscriberId {
        SubscriberId { corporate: Id::parse("ACME").unwrap(), user: Id::parse(user).unwrap() }
    }

    fn subscriber() -> Subscriber {
        let phone = NumberingPlan::new("62", "0").unwrap().parse("081234567890").unwrap();
        Subscriber::new(phone, Authenticator::SmsOtp)
    }

    fn store(subscribers_max: usize) -> Store {
        Store::new(Config { subscribers_max, ..Default::default() }, 10, Arc::new(Metrics::new()))
    }

    #[test]
    fn a_subscriber_is_enrolled_once_and_only_while_there_is_room() {
        let store = store(2);
        assert_eq!(store.enrol(id("A"), subscriber()), Ok(()));
        assert_eq!(store.enrol(id("A"), subscriber()), Err(EnrolError::Duplicate));
        assert_eq!(store.enrol(id("B"), subscriber()), Ok(()));
        assert_eq!(store.enrol(id("C"), subscriber()), Err(EnrolError::Full));
        assert_eq!(store.read(&id("C"), |_| ()), None);
    }

    #[tokio::test]
    async fn nobody_is_decided_about_who_is_not_enrolled() {
        let decided = store(1).decide(&id("A"), |_| Decision::unchanged(())).await;
        assert_eq!(decided, None);
    }
}
