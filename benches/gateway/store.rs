//! Verify through the store, by one thread and by two, beside two threads that share nothing.
//!
//! 200,000 subscribers, each with a challenge issued ten seconds ago and (from the second round on) one
//! approved six minutes ago. A round answers each open challenge correctly, once, in a random order, every
//! thread its half of the subscribers; issuing the challenges and making the calls' arguments is not counted.
//! An answer includes the look-up under the shard's lock, the decision with the code's derivation, and the
//! application of its events.
//!
//! The private maps are std's `HashMap` with the same hasher, one for each thread with its half of the
//! subscribers. They take the same decisions in the same order, in turn with the shared store.

use std::collections::HashMap;
use std::hash::RandomState;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode, Throughput};
use otp_gateway::clock::Timestamp;
use otp_gateway::metrics::Metrics;
use otp_gateway::store::{Config, Store};
use otp_gateway::subscriber::challenge_id::ChallengeId;
use otp_gateway::subscriber::code::Code;
use otp_gateway::subscriber::id::SubscriberId;
use otp_gateway::subscriber::idempotency::Outcome;
use otp_gateway::subscriber::policy::Policy;
use otp_gateway::subscriber::transaction::{Digest, Subject};
use otp_gateway::subscriber::verdict::Verdict;
use otp_gateway::subscriber::{Authenticator, Decision, Draw, Subscriber, Verify};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use crate::fixture;

const SUBSCRIBERS: usize = 200_000;
const THREADS: usize = 2;
/// From one round to the next: an ended challenge is kept for ten minutes, so one is held.
const ROUND: Duration = Duration::from_secs(6 * 60);

type PrivateMap = HashMap<SubscriberId, Subscriber, RandomState>;

/// Where decisions are taken.
trait Decide {
    fn decide<T>(&mut self, id: &SubscriberId, decide: impl Fn(&Subscriber) -> Decision<T>) -> T;
}

impl Decide for &Store {
    fn decide<T>(&mut self, id: &SubscriberId, decide: impl Fn(&Subscriber) -> Decision<T>) -> T {
        let decide = |held: Option<&Subscriber>| decide(held.expect("an enrolled subscriber"));
        Store::decide(self, id, decide).without_waiting()
    }
}

impl Decide for PrivateMap {
    fn decide<T>(&mut self, id: &SubscriberId, decide: impl Fn(&Subscriber) -> Decision<T>) -> T {
        let subscriber = self.get_mut(id).expect("an enrolled subscriber");
        decide(subscriber).apply_to(subscriber)
    }
}

/// What is the same for all subscribers.
struct Rules {
    policy: Policy,
    subject: Subject,
    digest: Digest,
}

/// A call of verify, its arguments at hand.
struct Answer {
    subscriber: SubscriberId,
    challenge: ChallengeId,
    code: Code,
}

impl Rules {
    fn issue(&self, map: &mut impl Decide, id: &SubscriberId, draw: Draw, now: Timestamp) -> ChallengeId {
        let command = fixture::generate(&self.subject, self.digest, draw);
        match map.decide(id, |subscriber| subscriber.generate(&command, &self.policy, now)) {
            Outcome::Fresh(Ok(issued)) => issued.challenge,
            other => panic!("not issued: {other:?}"),
        }
    }

    fn verify_each(&self, map: &mut impl Decide, answers: &[Answer], now: Timestamp) {
        for Answer { subscriber, challenge, code } in answers {
            let command = Verify { subscriber, presented: fixture::presented(*challenge, self.digest), code };
            let outcome = map.decide(subscriber, |subscriber| subscriber.verify(&command, &self.policy, now));
            assert!(matches!(outcome, Outcome::Fresh(Verdict::Approved { .. })), "{outcome:?}");
        }
    }
}

/// The same subscribers twice: in the store that threads share, and in a map for each thread.
struct World {
    rules: Rules,
    shared: Store,
    private: [PrivateMap; THREADS],
    /// Each thread's part of the subscribers.
    parts: [Vec<SubscriberId>; THREADS],
    random: ChaCha20Rng,
    now: Timestamp,
}

/// How long a round took.
struct Times {
    shared: Duration,
    private: Duration,
}

impl World {
    fn new() -> Self {
        let mut random = ChaCha20Rng::seed_from_u64(1);
        let mut ids: Vec<SubscriberId> = (0..SUBSCRIBERS).map(fixture::subscriber_id).collect();
        let shared = Store::new(Config::default(), SUBSCRIBERS, Arc::new(Metrics::new()));
        for id in &ids {
            shared.enrol(id, fixture::phone(), Authenticator::SmsOtp).expect("each id once");
        }
        shuffle(&mut ids, &mut random);
        let second = ids.split_off(SUBSCRIBERS / THREADS);
        let parts = [ids, second];
        let enrolled =
            |part: &Vec<SubscriberId>| part.iter().map(|id| (*id, fixture::subscriber())).collect();
        let private = parts.each_ref().map(enrolled);
        let subject = fixture::payment();
        let rules = Rules { policy: fixture::policy(), digest: subject.digest(), subject };
        Self { rules, shared, private, parts, random, now: fixture::START }
    }

    /// One round in the store and one in the maps, `shared_first` or last.
    fn round(&mut self, threads: Threads, shared_first: bool) -> Times {
        self.now = self.now.plus(ROUND);
        let answers = [0, 1].map(|part| self.issue(part));
        self.now = self.now.plus(Duration::from_secs(10));
        let Self { rules, shared, private, now, .. } = self;
        let (rules, shared, now) = (&*rules, &*shared, *now);
        let on_shared = || {
            threads.time(answers.each_ref().map(|part| move || rules.verify_each(&mut &*shared, part, now)))
        };
        let mut on_private = || {
            let [first, second] = private.each_mut();
            let maps = [(first, &answers[0]), (second, &answers[1])];
            threads.time(maps.map(|(map, part)| move || rules.verify_each(map, part, now)))
        };
        if shared_first {
            Times { shared: on_shared(), private: on_private() }
        } else {
            let private = on_private();
            Times { shared: on_shared(), private }
        }
    }

    /// Issues a challenge to each subscriber of a part, the same in the store and in the maps, and prepares
    /// the answers, in a new order.
    fn issue(&mut self, part: usize) -> Vec<Answer> {
        let Self { rules, shared, private, parts, random, now } = self;
        let answer = |id: &SubscriberId| {
            let draw = fixture::draw(random);
            let challenge = rules.issue(&mut &*shared, id, draw.clone(), *now);
            rules.issue(&mut private[part], id, draw, *now);
            let code =
                |subscriber: &Subscriber| fixture::code(subscriber, id, challenge, &rules.policy, *now);
            let code = shared.read(id, code).expect("an enrolled subscriber");
            Answer { subscriber: *id, challenge, code }
        };
        let mut answers: Vec<Answer> = parts[part].iter().map(answer).collect();
        shuffle(&mut answers, random);
        answers
    }
}

/// By how many threads the answers are taken.
#[derive(Clone, Copy)]
enum Threads {
    One,
    Two,
}

impl Threads {
    /// How long it takes until all of `jobs` are done.
    fn time(self, jobs: [impl FnOnce() + Send; THREADS]) -> Duration {
        match self {
            Self::One => {
                let start = now();
                jobs.into_iter().for_each(|job| job());
                now() - start
            }
            Self::Two => together(jobs),
        }
    }
}

/// Runs each of `jobs` on a thread of its own, all from one moment on.
fn together<J: FnOnce() + Send>(jobs: [J; THREADS]) -> Duration {
    let ready = Barrier::new(THREADS);
    let ready = &ready;
    let [first, second] = thread::scope(|scope| {
        let run = |job: J| {
            scope.spawn(move || {
                ready.wait();
                let start = now();
                job();
                (start, now())
            })
        };
        jobs.map(run).map(|thread| thread.join().expect("every answer is right"))
    });
    first.1.max(second.1) - first.0.min(second.0)
}

#[expect(clippy::disallowed_methods, reason = "this measures")]
fn now() -> Instant {
    Instant::now()
}

fn shuffle<T>(items: &mut [T], random: &mut ChaCha20Rng) {
    for last in (1..items.len()).rev() {
        items.swap(last, (random.next_u64() % (last as u64 + 1)) as usize);
    }
}

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut world = None;
    let mut group = criterion.benchmark_group("store");
    // One iteration is a round, of a tenth of a second and more.
    group.sampling_mode(SamplingMode::Flat).sample_size(12);
    group.throughput(Throughput::Elements(SUBSCRIBERS as u64));
    for (threads, name) in [(Threads::One, "one thread"), (Threads::Two, "two threads")] {
        let mut ratios = Vec::new();
        group.bench_function(format!("{SUBSCRIBERS} verified by {name}"), |bencher| {
            let world = world.get_or_insert_with(World::new);
            bencher.iter_custom(|rounds| {
                let mut round = || {
                    let Times { shared, private } = world.round(threads, ratios.len() % 2 == 0);
                    ratios.push(private.as_secs_f64() / shared.as_secs_f64());
                    shared
                };
                (0..rounds).map(|_| round()).sum()
            });
        });
        report(name, ratios);
    }
    group.finish();
}

/// Throughput is the inverse of time, so the private maps' time over the store's is the store's throughput
/// over the maps'.
#[expect(clippy::print_stdout, reason = "the bench's result, beside criterion's own")]
fn report(name: &str, mut ratios: Vec<f64>) {
    ratios.sort_by(f64::total_cmp);
    if let (Some(least), Some(most)) = (ratios.first(), ratios.last()) {
        let (count, median) = (ratios.len(), ratios[ratios.len() / 2]);
        println!(
            "store: {name}, throughput shared / private = {median:.2} ({least:.2} to {most:.2}, {count} rounds)"
        );
    }
}
