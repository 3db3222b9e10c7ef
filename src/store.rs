//! The sharded map of subscribers. All changes go through [`Store::decide`]: look up, decide, apply, under
//! one shard lock, synchronously.

mod decided;

use std::collections::hash_map::RandomState;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use settings::settings;

pub use decided::Decided;
pub(crate) use decided::StoreError;

use decided::{AbortOnPanic, Mark};

use crate::metrics::Metrics;
use crate::msisdn::Msisdn;
use crate::subscriber::id::SubscriberId;
use crate::subscriber::{Authenticator, Decision, Enrol, EnrolRefused, Subscriber};

/// With this many shards two threads rarely want the same one, although each holds its lock for the
/// microsecond of a decision.
const SHARDS: usize = 1024;

settings! {
    /// `[store]`: how much it may hold.
    pub struct Config {
        /// The most subscribers.
        pub(crate) subscribers_max: usize [1..=100_000_000] = 2_000_000,
        /// The most bytes of challenges, sends and remembered keys: 1 MiB to 1 TiB. New challenges are
        /// refused beyond it; answers to open ones are not.
        pub(crate) live_bytes_max: usize [1 << 20..=1 << 40] = 4 << 30,
    }
}

/// The subscribers. Share it in an `Arc`.
pub struct Store {
    // The hasher is keyed from the system's randomness, so that a caller cannot choose ids that collide.
    subscribers: DashMap<SubscriberId, Subscriber, RandomState>,
    enrolled: AtomicUsize,
    live_bytes: AtomicUsize,
    config: Config,
    metrics: Arc<Metrics>,
    #[cfg(test)]
    held: std::sync::OnceLock<tokio::sync::watch::Receiver<Option<Result<(), StoreError>>>>,
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
        Self {
            subscribers,
            enrolled: AtomicUsize::new(0),
            live_bytes: AtomicUsize::new(0),
            config,
            metrics,
            #[cfg(test)]
            held: std::sync::OnceLock::new(),
        }
    }

    /// Enrols a subscriber when the gateway starts, before there are replies that must wait. Several threads
    /// at once may exceed `subscribers_max` by one each.
    ///
    /// # Errors
    ///
    /// [`EnrolRefused`]; the store is unchanged.
    pub fn enrol(
        &self,
        id: &SubscriberId,
        phone: Msisdn,
        authenticator: Authenticator,
    ) -> Result<(), EnrolRefused> {
        let has_room = self.enrolled.load(Ordering::Relaxed) < self.config.subscribers_max;
        let command = Enrol { phone, authenticator, has_room };
        self.decide(id, |subscriber| command.decide(subscriber)).without_waiting()
    }

    /// Whether the memory for challenges is used up.
    pub(crate) fn is_full(&self) -> bool {
        self.live_bytes.load(Ordering::Relaxed) >= self.config.live_bytes_max
    }

    /// Takes one decision on one subscriber and applies its events, atomically with respect to other
    /// decisions on the same subscriber. If the subscriber is not enrolled, events create the entry.
    ///
    /// `decide` is `Fn` since it runs again if the subscriber was enrolled meanwhile. It must not use the
    /// store.
    ///
    /// # Panics
    ///
    /// Never: a panic in `decide` or while events are applied aborts the process, since only half of the
    /// events could be in memory.
    // One shard lock, no await. benches/gateway/store.rs: verify.
    pub fn decide<T>(
        &self,
        id: &SubscriberId,
        decide: impl Fn(Option<&Subscriber>) -> Decision<T>,
    ) -> Decided<T> {
        let outcome = match self.subscribers.get_mut(id) {
            Some(mut subscriber) => self.decide_enrolled(&mut subscriber, &decide),
            None => self.decide_absent(id, &decide),
        };
        Decided::new(outcome, self.mark())
    }

    fn decide_enrolled<T>(
        &self,
        subscriber: &mut Subscriber,
        decide: &impl Fn(Option<&Subscriber>) -> Decision<T>,
    ) -> T {
        let _abort = AbortOnPanic;
        let decision = decide(Some(subscriber));
        if decision.events.is_empty() {
            return decision.outcome;
        }
        let before = subscriber.heap_bytes();
        let outcome = decision.apply_to(subscriber);
        // Counted under the lock, so that no decrease comes before its increase.
        self.count_live_bytes(before, subscriber.heap_bytes());
        outcome
    }

    /// Takes a decision on every subscriber, one after another, and calls `then` with each outcome. Others wait for one
    /// shard at a time, a thousandth of all.
    ///
    /// `decide` must not use the store.
    ///
    /// # Panics
    ///
    /// As [`Store::decide`].
    pub(crate) fn decide_on_all<T>(
        &self,
        decide: impl Fn(&Subscriber) -> Decision<T>,
        mut then: impl FnMut(T),
    ) -> Decided<()> {
        let decide = |subscriber: Option<&Subscriber>| subscriber.map(&decide).expect("it is enrolled");
        for mut subscriber in self.subscribers.iter_mut() {
            then(self.decide_enrolled(&mut subscriber, &decide));
        }
        Decided::new((), self.mark())
    }

    // The write lock is taken, and the map may grow, only when the decision is to enrol, not for every
    // unknown id that a caller presents.
    fn decide_absent<T>(&self, id: &SubscriberId, decide: &impl Fn(Option<&Subscriber>) -> Decision<T>) -> T {
        let _abort = AbortOnPanic;
        let Decision { outcome, events } = decide(None);
        let Some((first, rest)) = events.split_first() else { return outcome };
        match self.subscribers.entry(*id) {
            Entry::Occupied(mut enrolled) => self.decide_enrolled(enrolled.get_mut(), decide),
            // Still not enrolled: the decision taken before the lock is valid.
            Entry::Vacant(place) => {
                let mut subscriber = Subscriber::from_first(first);
                rest.iter().for_each(|event| subscriber.apply(event));
                self.enrolled.fetch_add(1, Ordering::Relaxed);
                self.metrics.api.subscribers.inc();
                self.count_live_bytes(0, subscriber.heap_bytes());
                place.insert(subscriber);
                outcome
            }
        }
    }

    fn mark(&self) -> Mark {
        #[cfg(test)]
        if let Some(held) = self.held.get() {
            return Mark::Held(held.clone());
        }
        Mark::Memory
    }

    /// Replaces a subscriber, as no event does yet.
    #[cfg(test)]
    pub(crate) fn replace(&self, id: &SubscriberId, subscriber: Subscriber) {
        self.subscribers.insert(*id, subscriber);
    }

    /// Makes all marks wait for the result that is sent through the returned channel.
    #[cfg(test)]
    pub(crate) fn hold_marks(&self) -> tokio::sync::watch::Sender<Option<Result<(), StoreError>>> {
        let (ends, held) = tokio::sync::watch::channel(None);
        self.held.set(held).expect("marks are held once");
        ends
    }

    fn count_live_bytes(&self, before: usize, after: usize) {
        // Most decisions change no size, and the counter is shared by all threads.
        if after == before {
            return;
        }
        if after > before {
            self.live_bytes.fetch_add(after - before, Ordering::Relaxed);
        } else {
            self.live_bytes.fetch_sub(before - after, Ordering::Relaxed);
        }
    }

    /// Calls `look` with one subscriber, under a read lock. `None` if no subscriber has this id.
    ///
    /// `look` must not use the store.
    pub fn read<T>(&self, id: &SubscriberId, look: impl FnOnce(&Subscriber) -> T) -> Option<T> {
        self.subscribers.get(id).map(|subscriber| look(&subscriber))
    }

    /// Updates the gauges of the store: at each scrape, not at each decision.
    pub(crate) fn observe(&self) {
        let live_bytes = self.live_bytes.load(Ordering::Relaxed);
        self.metrics.api.live_bytes.set(i64::try_from(live_bytes).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::Command;

    use std::time::Duration;

    use super::*;
    use crate::clock::Timestamp;
    use crate::msisdn::NumberingPlan;
    use crate::subscriber::admission::Admission;
    use crate::subscriber::challenge::{Locale, OpenChallenge};
    use crate::subscriber::challenge_id::{ChallengeId, Salt};
    use crate::subscriber::id::Id;
    use crate::subscriber::idempotency::Outcome;
    use crate::subscriber::policy::tests::policy;
    use crate::subscriber::transaction::Subject;
    use crate::subscriber::{Draw, Event, Generate};

    fn id(user: &str) -> SubscriberId {
        SubscriberId { corporate: Id::parse("ACME").unwrap(), user: Id::parse(user).unwrap() }
    }

    fn phone() -> Msisdn {
        NumberingPlan::new("62", "0").unwrap().parse("081234567890").unwrap()
    }

    fn store(subscribers_max: usize) -> Store {
        Store::new(Config { subscribers_max, ..Default::default() }, 10, Arc::new(Metrics::new()))
    }

    fn unknown_presented(store: &Store) -> Option<u32> {
        store.read(&id("A"), |subscriber| subscriber.unknown_presented)
    }

    #[test]
    fn a_subscriber_is_enrolled_once_and_only_while_there_is_room() {
        let store = store(2);
        let enrol = |user| store.enrol(&id(user), phone(), Authenticator::SmsOtp);
        assert_eq!(enrol("A"), Ok(()));
        assert_eq!(enrol("A"), Err(EnrolRefused::Duplicate));
        assert_eq!(enrol("B"), Ok(()));
        assert_eq!(enrol("C"), Err(EnrolRefused::Full));
        assert_eq!(
            enrol("B"),
            Err(EnrolRefused::Duplicate),
            "more is known of it than that there is no room"
        );
        assert_eq!(store.read(&id("C"), |_| ()), None);
        assert_eq!((store.metrics.api.subscribers.get(), store.enrolled.load(Ordering::Relaxed)), (2, 2));
    }

    #[test]
    fn memory_is_counted_as_it_is_taken_and_given_back_and_used_up_at_its_bound() {
        let live_bytes_max = 3 * (size_of::<OpenChallenge>() + size_of::<Timestamp>());
        let config = Config { live_bytes_max, ..Default::default() };
        let store = Store::new(config, 10, Arc::new(Metrics::new()));
        store.enrol(&id("A"), phone(), Authenticator::SmsOtp).unwrap();
        let (subject, policy) = (Subject::Login, policy());
        let issue = |number: u8, now: Timestamp| {
            let generate = |subscriber: Option<&Subscriber>| {
                let command = Generate {
                    subject: &subject,
                    digest: subject.digest(),
                    locale: Locale::Id,
                    draw: Draw { ids: [ChallengeId([number; 16]); 3], salt: Salt([number; 16]) },
                    admission: Admission { phone: Some(phone()), place: Ok(()), memory: Ok(()) },
                    idempotency: None,
                };
                subscriber.unwrap().generate(&command, &policy, now)
            };
            assert!(matches!(store.decide(&id("A"), generate).without_waiting(), Outcome::Fresh(Ok(_))));
            let (counted, held) =
                (store.live_bytes.load(Ordering::Relaxed), store.read(&id("A"), Subscriber::heap_bytes));
            assert_eq!(Some(counted), held);
            store.observe();
            assert_eq!(store.metrics.api.live_bytes.get(), i64::try_from(counted).unwrap());
            counted
        };
        let start = Timestamp::from_unix_millis(1_795_338_900_000);
        let counts = [1, 2].map(|number| issue(number, start));
        assert!(counts.is_sorted() && !store.is_full());
        assert_eq!(issue(3, start), live_bytes_max);
        assert!(store.is_full(), "at its bound, not beyond it");
        let later = start.plus(Duration::from_secs(180 + 601));
        assert!(issue(4, later) < counts[1] && !store.is_full());
    }

    #[test]
    fn what_a_store_may_hold_is_bounded() {
        let read = |text: &str| settings::from_toml(text, |root| Some(Config::read(&root.section("store"))));
        for good in ["subscribers_max = 1", "subscribers_max = 100_000_000", "live_bytes_max = 1_048_576"] {
            assert!(read(&format!("[store]\n{good}")).is_ok(), "{good}");
        }
        for bad in ["subscribers_max = 0", "subscribers_max = 100_000_001", "live_bytes_max = 1_048_575"] {
            assert!(read(&format!("[store]\n{bad}")).is_err(), "{bad}");
        }
        assert!(read("[store]\nlive_bytes_max = 1_099_511_627_776").is_ok());
        assert!(read("[store]\nlive_bytes_max = 1_099_511_627_777").is_err());
    }

    #[test]
    fn who_is_not_enrolled_is_decided_about_as_absent_and_stays_so_without_events() {
        let store = store(1);
        let absent = |subscriber: Option<&Subscriber>| Decision::unchanged(subscriber.is_none());
        assert!(store.decide(&id("A"), absent).without_waiting());
        assert_eq!((store.read(&id("A"), |_| ()), store.metrics.api.subscribers.get()), (None, 0));
    }

    #[test]
    fn all_events_of_the_decision_that_enrols_are_applied() {
        let store = store(1);
        let enrolled = Event::Enrolled { phone: phone(), authenticator: Authenticator::SmsOtp };
        let events = vec![enrolled, Event::UnknownPresented];
        store.decide(&id("A"), |_| Decision { outcome: (), events: events.clone() }).without_waiting();
        assert_eq!(unknown_presented(&store), Some(1));
    }

    #[tokio::test]
    async fn what_is_decided_changes_at_once_and_is_told_when_its_mark_says_so() {
        let store = store(1);
        store.enrol(&id("A"), phone(), Authenticator::SmsOtp).unwrap();
        let ends = store.hold_marks();
        let noted = |_: Option<&Subscriber>| Decision { outcome: 7, events: vec![Event::UnknownPresented] };
        let mut seen = 0;
        let decided = store.decide(&id("A"), noted).then(|outcome| seen = *outcome);
        assert_eq!((seen, unknown_presented(&store)), (7, Some(1)));
        let mut durable = std::pin::pin!(decided.durable());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(durable.as_mut().poll(&mut context).is_pending());
        ends.send_replace(Some(Ok(())));
        assert_eq!(durable.await, Ok(7));
        ends.send_replace(Some(Err(StoreError::OutcomeUnknown)));
        assert_eq!(store.decide(&id("A"), noted).durable().await, Err(StoreError::OutcomeUnknown));
    }

    /// The variable that has this test's own process be the one that ends.
    const CHILD: &str = "OTP_GATEWAY_TEST_PANICS";

    /// Panics at one place of a decision, under a catch as a runtime has it for its tasks.
    fn panic_in(place: &str) {
        let store = store(1);
        let events = |events: &[Event]| {
            store.decide(&id("A"), |_| Decision { outcome: (), events: events.to_vec() }).without_waiting();
        };
        let enrolled = Event::Enrolled { phone: phone(), authenticator: Authenticator::SmsOtp };
        if place != "deciding on nobody" && place != "the first event" {
            events(std::slice::from_ref(&enrolled));
        }
        let panics = || match place {
            "deciding" | "deciding on nobody" => {
                store.decide::<()>(&id("A"), |_| panic!("a defect")).without_waiting();
            }
            "the first event" => events(&[Event::UnknownPresented]),
            "a later event" => events(&[Event::UnknownPresented, enrolled.clone()]),
            "the effect" => {
                let decided = store.decide(&id("A"), |_| Decision::unchanged(()));
                decided.then(|()| panic!("a defect")).without_waiting();
            }
            other => unreachable!("no place {other}"),
        };
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics));
    }

    #[test]
    fn abuse_69_a_panic_while_deciding_or_applying_ends_the_process() {
        if let Some(place) = std::env::var_os(CHILD) {
            panic_in(place.to_str().unwrap());
            std::process::exit(0);
        }
        for place in ["deciding", "deciding on nobody", "the first event", "a later event", "the effect"] {
            let test = "store::tests::abuse_69_a_panic_while_deciding_or_applying_ends_the_process";
            let mut child = Command::new(std::env::current_exe().unwrap());
            child.args(["--exact", test, "--nocapture"]).env(CHILD, place);
            let output = child.output().unwrap();
            let aborted = Some(rustix::process::Signal::ABORT.as_raw());
            assert_eq!(output.status.signal(), aborted, "{place}: {output:?}");
        }
    }
}
