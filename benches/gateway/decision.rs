//! Decisions on a subscriber with one open and one ended challenge, and what they are made of.
//!
//! A decision includes the derivation of the code (verify), the comparison, and the making and dropping of
//! its events; "and apply" includes applying the events. Neither includes the store's look-up, the
//! transaction's digest, random bytes, idempotency keys, or the parsing of a request.

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, Criterion, Throughput};
use otp_gateway::clock::Timestamp;
use otp_gateway::subscriber::challenge_id::ChallengeId;
use otp_gateway::subscriber::code::Code;
use otp_gateway::subscriber::id::SubscriberId;
use otp_gateway::subscriber::idempotency::Outcome;
use otp_gateway::subscriber::policy::Policy;
use otp_gateway::subscriber::transaction::{Digest, Subject};
use otp_gateway::subscriber::verdict::Verdict;
use otp_gateway::subscriber::{Decision, Subscriber, Verify};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;

use crate::fixture;

/// Few enough subscribers to stay in the first cache, enough that reading the clock does not count.
const BATCH: BatchSize = BatchSize::NumIterations(32);

struct Case {
    policy: Policy,
    random: ChaCha20Rng,
    id: SubscriberId,
    subject: Subject,
    digest: Digest,
    subscriber: Subscriber,
    now: Timestamp,
}

impl Case {
    /// A subscriber without a challenge.
    fn new() -> Self {
        let subject = fixture::payment();
        Self {
            policy: fixture::policy(),
            random: ChaCha20Rng::seed_from_u64(1),
            id: fixture::subscriber_id(1),
            digest: subject.digest(),
            subject,
            subscriber: fixture::subscriber(),
            now: fixture::START,
        }
    }

    fn pass(&mut self, seconds: u64) {
        self.now = self.now.plus(Duration::from_secs(seconds));
    }

    fn issue(&mut self) -> ChallengeId {
        let command = fixture::generate(&self.subject, self.digest, fixture::draw(&mut self.random));
        let outcome = perform(&mut self.subscriber, |s| s.generate(&command, &self.policy, self.now));
        let Outcome::Fresh(Ok(issued)) = outcome else { panic!("not issued: {outcome:?}") };
        issued.challenge
    }

    fn code(&self, challenge: ChallengeId) -> Code {
        fixture::code(&self.subscriber, &self.id, challenge, &self.policy, self.now)
    }

    fn approve(&mut self, challenge: ChallengeId) {
        let code = self.code(challenge);
        let presented = fixture::presented(challenge, self.digest);
        let command = Verify { subscriber: &self.id, presented, code: &code };
        let outcome = perform(&mut self.subscriber, |s| s.verify(&command, &self.policy, self.now));
        assert!(matches!(outcome, Outcome::Fresh(Verdict::Approved { .. })), "{outcome:?}");
    }
}

/// Takes a decision, applies its events, and returns its outcome.
fn perform<T>(subscriber: &mut Subscriber, decide: impl Fn(&Subscriber) -> Decision<T>) -> T {
    decide(subscriber).apply_to(subscriber)
}

fn wrong(code: &Code) -> Code {
    let other = code.expose().iter().map(|digit| char::from(b'0' + (digit - b'0' + 1) % 10));
    Code::parse(&other.collect::<String>()).expect("as many digits")
}

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut case = Case::new();
    let ended = case.issue();
    case.pass(20);
    case.approve(ended);
    case.pass(100);
    let open = case.issue();
    case.pass(20);
    decisions(criterion, &mut case, open);
    parts(criterion, &case, open);
}

fn decisions(criterion: &mut Criterion, case: &mut Case, open: ChallengeId) {
    let draw = fixture::draw(&mut case.random);
    let Case { policy, id, subject, digest, subscriber, now, .. } = &*case;
    let (right, presented) = (case.code(open), fixture::presented(open, *digest));
    let approved = Verify { subscriber: id, presented, code: &right };
    let wrong = wrong(&right);
    let incorrect = Verify { subscriber: id, presented, code: &wrong };
    let generate = fixture::generate(subject, *digest, draw);

    let mut group = criterion.benchmark_group("decision");
    group.throughput(Throughput::Elements(1));
    decision(&mut group, "verify approved", subscriber, |s| s.verify(black_box(&approved), policy, *now));
    decision(&mut group, "verify incorrect", subscriber, |s| s.verify(black_box(&incorrect), policy, *now));
    decision(&mut group, "generate", subscriber, |s| s.generate(black_box(&generate), policy, *now));
    group.finish();
}

/// Only the decision, and the decision with its events applied to a fresh copy of the subscriber.
fn decision<T>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    subscriber: &Subscriber,
    decide: impl Fn(&Subscriber) -> Decision<T>,
) {
    group.bench_function(name, |bencher| bencher.iter(|| decide(black_box(subscriber)).outcome));
    group.bench_function(format!("{name}, and apply"), |bencher| {
        bencher.iter_batched_ref(|| subscriber.clone(), |subscriber| perform(subscriber, &decide), BATCH);
    });
}

/// What requests and decisions consist of.
fn parts(criterion: &mut Criterion, case: &Case, open: ChallengeId) {
    let Case { policy, id, subject, subscriber, now, .. } = case;
    let mut group = criterion.benchmark_group("part");
    group.throughput(Throughput::Elements(1));
    // The look at the challenge that goes before it takes a few nanoseconds.
    group.bench_function("code derived for the SMS", |bencher| {
        bencher.iter(|| subscriber.release(id, black_box(open), 0, policy, *now));
    });
    group.bench_function("transaction's digest", |bencher| bencher.iter(|| black_box(subject).digest()));
    group.bench_function("transaction parsed", |bencher| bencher.iter(fixture::payment));
    group.finish();
}
