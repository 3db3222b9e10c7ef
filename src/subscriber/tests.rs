//! Behaviours of one subscriber, told as stories, and properties over random ones.

use std::time::Duration;

use proptest::prelude::*;

use super::admission::{Admission, Unavailable};
use super::challenge::{Delivery, Locale, OpenChallenge, State};
use super::challenge_id::Salt;
use super::code::{Code, CodeLength, Keyring};
use super::id::{Id, SubscriberId};
use super::idempotency::{Idempotency, Outcome};
use super::lockout::Lock;
use super::policy::tests::policy;
use super::policy::{DAY, Policy};
use super::transaction::{Subject, Transaction};
use super::verdict::Verdict;
use super::*;
use crate::msisdn::NumberingPlan;

const START: Timestamp = Timestamp::from_unix_millis(1_795_338_900_000);

/// One subscriber, the time, and every event so far.
struct Story {
    subscriber: Subscriber,
    events: Vec<Event>,
    policy: Policy,
    now: Timestamp,
    draws: u64,
    store_full: bool,
}

fn subscriber_id() -> SubscriberId {
    SubscriberId { corporate: Id::parse("ACME01").unwrap(), user: Id::parse("BUDI").unwrap() }
}

fn payment(amount: &str) -> Subject {
    Subject::Payment(Transaction::new("TRX-1", amount, "IDR", "1234567890", "PT ABC").unwrap())
}

fn key(name: &str, request: &str) -> Idempotency {
    Idempotency::new("core", "call", name, &[Some(request.as_bytes())])
}

impl Story {
    fn begin() -> Self {
        Self::with(Authenticator::SmsOtp)
    }

    fn with(authenticator: Authenticator) -> Self {
        let phone = NumberingPlan::new("62", "0").unwrap().parse("+628123456745").unwrap();
        let subscriber = Subscriber::new(phone, authenticator);
        Self { subscriber, events: Vec::new(), policy: policy(), now: START, draws: 0, store_full: false }
    }

    fn apply<T>(&mut self, decision: Decision<T>) -> T {
        for event in decision.events {
            self.subscriber.apply(&event);
            self.events.push(event);
        }
        decision.outcome
    }

    fn pass(&mut self, seconds: u64) {
        self.now = self.now.plus(Duration::from_secs(seconds));
    }

    fn draw(&mut self) -> Draw {
        self.draws += 1;
        // The SMS reference is in the first bits, so a counter goes there.
        let id = |n: u64| ChallengeId((u128::from(self.draws * 3 + n) << 108).to_be_bytes());
        Draw { ids: [id(0), id(1), id(2)], salt: Salt(u128::from(self.draws).to_be_bytes()) }
    }

    fn admission(&self) -> Admission {
        let memory = if self.store_full { Err(Unavailable::StoreFull) } else { Ok(()) };
        Admission { phone: Some(self.subscriber.phone), place: Ok(()), memory }
    }

    fn generate_with(
        &mut self,
        subject: &Subject,
        idempotency: Option<Idempotency>,
    ) -> Outcome<Result<Issued, GenerateRefused>> {
        let draw = self.draw();
        self.generate_from(draw, subject, idempotency)
    }

    fn generate_from(
        &mut self,
        draw: Draw,
        subject: &Subject,
        idempotency: Option<Idempotency>,
    ) -> Outcome<Result<Issued, GenerateRefused>> {
        let digest = subject.digest();
        let command =
            Generate { subject, digest, locale: Locale::Id, draw, admission: self.admission(), idempotency };
        let decision = self.subscriber.generate(&command, &self.policy, self.now);
        self.apply(decision)
    }

    fn generate(&mut self) -> Result<Issued, GenerateRefused> {
        match self.generate_with(&payment("1000"), None) {
            Outcome::Fresh(outcome) => outcome,
            other => panic!("not fresh: {other:?}"),
        }
    }

    fn expire_open(&mut self) -> usize {
        let decision = self.subscriber.expire_open(self.now);
        self.apply(decision)
    }

    fn report(&mut self, challenge: ChallengeId, ordinal: u8, delivery: Delivery) {
        let decision = self.subscriber.report(challenge, ordinal, delivery);
        self.apply(decision);
    }

    fn issue(&mut self) -> ChallengeId {
        self.generate().expect("a challenge").challenge
    }

    /// The right code, as the SMS would carry it.
    fn code(&self, challenge: ChallengeId) -> Code {
        let open = self.issued(challenge);
        let keys = self.policy.keys.find(open.key).expect("its key");
        keys.code(&subscriber_id(), &challenge, &open.salt, &open.digest, open.challenge.code_length)
    }

    /// A challenge as it was issued.
    fn issued(&self, id: ChallengeId) -> &OpenChallenge {
        let issued = self.events.iter().find_map(|event| match event {
            Event::Issued { challenge, .. } if challenge.challenge.id == id => Some(challenge),
            _ => None,
        });
        issued.expect("a challenge that was issued")
    }

    fn wrong_code(&self, challenge: ChallengeId) -> Code {
        let right = self.code(challenge).expose().to_vec();
        let wrong: String = right.iter().map(|digit| char::from(b'0' + (digit - b'0' + 1) % 10)).collect();
        Code::parse(&wrong).unwrap()
    }

    fn decide_verify(
        &self,
        challenge: ChallengeId,
        code: &Code,
        subject: &Subject,
        idempotency: Option<Idempotency>,
    ) -> Decision<Outcome<Verdict>> {
        let presented = Presented { challenge, digest: subject.digest(), idempotency };
        let subscriber = &subscriber_id();
        self.subscriber.verify(&Verify { subscriber, presented, code }, &self.policy, self.now)
    }

    fn verify_with(
        &mut self,
        challenge: ChallengeId,
        code: &Code,
        subject: &Subject,
        idempotency: Option<Idempotency>,
    ) -> Outcome<Verdict> {
        let decision = self.decide_verify(challenge, code, subject, idempotency);
        self.apply(decision)
    }

    fn verify(&mut self, challenge: ChallengeId, code: &Code) -> Verdict {
        match self.verify_with(challenge, code, &payment("1000"), None) {
            Outcome::Fresh(verdict) => verdict,
            other => panic!("not fresh: {other:?}"),
        }
    }

    fn right(&mut self, challenge: ChallengeId) -> Verdict {
        let code = self.code(challenge);
        self.verify(challenge, &code)
    }

    fn wrong(&mut self, challenge: ChallengeId) -> Verdict {
        let code = self.wrong_code(challenge);
        self.verify(challenge, &code)
    }

    /// An answer to the challenge that was issued first, whether it is still held or not.
    fn right_or_unknown(&mut self) -> Verdict {
        let first = self.subscriber.challenges().next().unwrap().id;
        self.verify(first, &Code::parse("000000").unwrap())
    }

    fn resend(&mut self, challenge: ChallengeId) -> Result<Resent, ResendRefused> {
        let presented = Presented { challenge, digest: payment("1000").digest(), idempotency: None };
        let command = Resend { presented, admission: self.admission() };
        let decision = self.subscriber.resend(&command, &self.policy, self.now);
        match self.apply(decision) {
            Outcome::Fresh(outcome) => outcome,
            other => panic!("not fresh: {other:?}"),
        }
    }

    fn cancel(&mut self, challenge: ChallengeId) -> Result<Cancelled, Verdict> {
        let presented = Presented { challenge, digest: payment("1000").digest(), idempotency: None };
        let decision = self.subscriber.cancel(&Cancel { presented }, &self.policy, self.now);
        match self.apply(decision) {
            Outcome::Fresh(outcome) => outcome,
            other => panic!("not fresh: {other:?}"),
        }
    }
}

#[test]
fn the_right_code_is_approved_once() {
    let mut story = Story::begin();
    let challenge = story.issue();
    let approved = Verdict::Approved { at: story.now };
    assert_eq!(story.right(challenge), approved);
    assert_eq!(story.right(challenge), Verdict::AlreadyUsed);
    assert_eq!(story.wrong(challenge), Verdict::AlreadyUsed);
}

#[test]
fn the_last_attempt_can_still_succeed() {
    let mut story = Story::begin();
    let challenge = story.issue();
    assert_eq!(story.wrong(challenge), Verdict::Incorrect { attempts_left: 2 });
    assert_eq!(story.wrong(challenge), Verdict::Incorrect { attempts_left: 1 });
    assert!(matches!(story.right(challenge), Verdict::Approved { .. }));
}

#[test]
fn abuse_22_wrong_answers_end_a_challenge_at_the_limit_and_not_before() {
    let mut story = Story::begin();
    let challenge = story.issue();
    assert_eq!(story.wrong(challenge), Verdict::Incorrect { attempts_left: 2 });
    assert_eq!(story.wrong(challenge), Verdict::Incorrect { attempts_left: 1 });
    assert_eq!(story.wrong(challenge), Verdict::AttemptsExhausted);
    assert_eq!(story.right(challenge), Verdict::AttemptsExhausted);
}

#[test]
fn abuse_10_and_11_a_new_challenge_gives_no_new_guesses() {
    let mut story = Story::begin();
    let first = story.issue();
    for _ in 0..3 {
        story.wrong(first);
    }
    let second = story.issue();
    assert_eq!(story.wrong(second), Verdict::Incorrect { attempts_left: 2 });
    let until = story.now.plus(Duration::from_secs(15 * 60));
    assert_eq!(story.wrong(second), Verdict::Locked(Lock::Until(until)));
    assert_eq!(story.generate(), Err(GenerateRefused::Locked(Lock::Until(until))));
    story.pass(15 * 60);
    assert!(story.generate().is_ok());
}

#[test]
fn abuse_23_under_lock_right_and_wrong_answers_are_not_compared() {
    let mut story = Story::begin();
    let (first, second) = (story.issue(), story.issue());
    for _ in 0..3 {
        story.wrong(first);
    }
    story.wrong(second);
    assert!(matches!(story.wrong(second), Verdict::Locked(_)));
    let events = story.events.len();
    let locked = story.right(second);
    assert!(matches!(locked, Verdict::Locked(_)));
    assert_eq!(story.wrong(second), locked);
    assert_eq!(story.right(first), locked, "a lock comes before the state");
    assert_eq!(story.events.len(), events, "nothing was counted");
}

#[test]
fn abuse_20_answers_without_an_open_challenge_count_nothing() {
    let mut story = Story::begin();
    let code = Code::parse("000000").unwrap();
    for _ in 0..20 {
        assert_eq!(story.verify(ChallengeId([7; 16]), &code), Verdict::UnknownChallenge);
    }
    let challenge = story.issue();
    story.pass(180);
    for _ in 0..20 {
        assert_eq!(story.wrong(challenge), Verdict::Expired);
    }
    let challenge = story.issue();
    assert_eq!(story.wrong(challenge), Verdict::Incorrect { attempts_left: 2 });
    assert_eq!(story.subscriber.unknown_presented, 20);
}

#[test]
fn abuse_09_a_challenge_expires_at_its_instant_and_not_before() {
    let mut story = Story::begin();
    let challenge = story.issue();
    story.now = story.now.plus(Duration::from_millis(179_999));
    assert_eq!(story.subscriber.challenge(challenge, story.now).unwrap().state(story.now), State::Open);
    story.now = story.now.plus(Duration::from_millis(1));
    assert_eq!(story.right(challenge), Verdict::Expired);
}

#[test]
fn abuse_25_another_transaction_is_refused_and_voids_the_challenge() {
    let others =
        ["TRX-2 1000 IDR 1234567890 ABC", "TRX-1 1001 IDR 1234567890 ABC", "TRX-1 1000 USD 1234567890 ABC"]
            .into_iter()
            .chain(["TRX-1 1000 IDR 1234567891 ABC", "TRX-1 1000 IDR 1234567890 ABD"]);
    for other in others {
        let mut story = Story::begin();
        let fields: Vec<_> = other.split(' ').collect();
        let issued_for =
            Subject::Payment(Transaction::new("TRX-1", "1000", "IDR", "1234567890", "ABC").unwrap());
        let Outcome::Fresh(Ok(issued)) = story.generate_with(&issued_for, None) else { panic!("not issued") };
        let challenge = issued.challenge;
        let code = story.code(challenge);
        let changed = Subject::Payment(
            Transaction::new(fields[0], fields[1], fields[2], fields[3], fields[4]).unwrap(),
        );
        let verdict = story.verify_with(challenge, &code, &changed, None);
        assert_eq!(verdict, Outcome::Fresh(Verdict::TransactionChanged), "{other}");
        let again = story.verify_with(challenge, &code, &issued_for, None);
        assert_eq!(again, Outcome::Fresh(Verdict::TransactionChanged), "{other} did not void the challenge");
        let next = story.issue();
        assert_eq!(story.wrong(next), Verdict::Incorrect { attempts_left: 2 }, "a change is no failure");
    }
}

#[test]
fn abuse_30_a_code_for_a_login_confirms_no_payment_and_the_other_way_round() {
    for (issued_for, presented) in [(Subject::Login, payment("1000")), (payment("1000"), Subject::Login)] {
        let mut story = Story::begin();
        let Outcome::Fresh(Ok(issued)) = story.generate_with(&issued_for, None) else { panic!("not issued") };
        let code = story.code(issued.challenge);
        let verdict = story.verify_with(issued.challenge, &code, &presented, None);
        assert_eq!(verdict, Outcome::Fresh(Verdict::TransactionChanged));
        let verdict = story.verify_with(issued.challenge, &code, &issued_for, None);
        assert_eq!(verdict, Outcome::Fresh(Verdict::TransactionChanged));
    }
}

#[test]
fn abuse_24_the_code_of_one_payment_does_not_confirm_another() {
    let mut story = Story::begin();
    let (a, b) = (story.issue(), story.issue());
    let code_of_a = story.code(a);
    assert_ne!(code_of_a.expose(), story.code(b).expose());
    assert_eq!(story.verify(b, &code_of_a), Verdict::Incorrect { attempts_left: 2 });
}

#[test]
fn a_resend_keeps_code_expiry_and_attempts_and_comes_neither_early_nor_too_often() {
    let mut story = Story::begin();
    let issued = story.generate().unwrap();
    let (challenge, code) = (issued.challenge, story.code(issued.challenge).expose().to_vec());
    let too_early = |seconds| Err(ResendRefused::TooEarly { retry_after: Duration::from_secs(seconds) });
    story.wrong(challenge);
    assert_eq!(story.resend(challenge), too_early(30));
    story.pass(29);
    assert_eq!(story.resend(challenge), too_early(1));
    story.pass(1);
    let resent = story.resend(challenge).unwrap();
    assert_eq!((resent.ordinal, resent.expires_at, resent.attempts_left), (1, issued.expires_at, 2));
    assert_eq!(resent.resend_after, Some(Duration::from_secs(60)));
    story.pass(59);
    assert_eq!(story.resend(challenge), too_early(1));
    story.pass(1);
    assert_eq!(story.resend(challenge).map(|resent| resent.resend_after), Ok(None));
    story.pass(80);
    assert_eq!(story.resend(challenge), Err(ResendRefused::NoneLeft));
    assert_eq!(story.code(challenge).expose(), code);
    story.pass(10);
    assert_eq!(story.resend(challenge), Err(ResendRefused::Ended(Verdict::Expired)));
}

#[test]
fn after_an_sms_that_failed_a_resend_need_not_wait_once() {
    let mut story = Story::begin();
    let challenge = story.issue();
    let too_early = |seconds| Err(ResendRefused::TooEarly { retry_after: Duration::from_secs(seconds) });
    for uncertain in [Delivery::Accepted, Delivery::Unknown] {
        story.report(challenge, 0, uncertain);
        assert_eq!(story.resend(challenge), too_early(30));
    }
    story.report(challenge, 0, Delivery::Undelivered);
    assert_eq!(story.resend(challenge).map(|resent| resent.ordinal), Ok(1));
    story.report(challenge, 1, Delivery::Undelivered);
    assert_eq!(story.resend(challenge), too_early(60));
    story.pass(60);
    assert!(story.resend(challenge).is_ok());
}

#[test]
fn abuse_45_what_became_of_an_accepted_sms_is_unknown_a_while_after_its_validity_and_never_revives_it() {
    let mut story = Story::begin();
    let challenge = story.issue();
    story.report(challenge, 0, Delivery::Accepted);
    let delivery =
        |story: &Story| story.subscriber.challenge(challenge, story.now).unwrap().delivery(story.now);
    story.pass(180 + 29);
    assert_eq!(delivery(&story), Delivery::Accepted);
    story.pass(1);
    assert_eq!(delivery(&story), Delivery::Unknown);
    story.report(challenge, 0, Delivery::Delivered);
    assert_eq!(delivery(&story), Delivery::Delivered);
    assert_eq!(story.right(challenge), Verdict::Expired);
}

#[test]
fn the_sends_of_a_rolling_day_are_limited_and_the_advice_is_exact() {
    let mut story = Story::begin();
    for _ in 0..10 {
        assert!(story.generate().is_ok());
        story.pass(60);
    }
    let retry_after = Duration::from_secs(24 * 3600 - 600);
    assert_eq!(story.generate(), Err(GenerateRefused::SendsUsedUp { retry_after }));
    story.now = story.now.plus(retry_after - Duration::from_millis(1));
    assert!(story.generate().is_err());
    story.now = story.now.plus(Duration::from_millis(1));
    assert!(story.generate().is_ok());
    assert!(story.generate().is_err(), "one place came free, not all");
    assert_eq!(story.subscriber.sends.len(), 10, "the oldest is forgotten");
}

#[test]
fn a_fourth_challenge_cancels_the_oldest() {
    let mut story = Story::begin();
    let challenges: Vec<_> = (0..4).map(|_| story.issue()).collect();
    assert_eq!(story.right(challenges[0]), Verdict::Cancelled);
    assert!(story.subscriber.release(&subscriber_id(), challenges[0], 0, &story.policy, story.now).is_none());
    for challenge in &challenges[1..] {
        assert!(matches!(story.right(*challenge), Verdict::Approved { .. }));
    }
}

#[test]
fn a_cancelled_challenge_is_neither_answered_nor_sent() {
    let mut story = Story::begin();
    let challenge = story.issue();
    assert_eq!(story.cancel(challenge), Ok(Cancelled { at: story.now }));
    assert_eq!(story.cancel(challenge), Err(Verdict::Cancelled));
    assert_eq!(story.right(challenge), Verdict::Cancelled);
    assert!(story.subscriber.release(&subscriber_id(), challenge, 0, &story.policy, story.now).is_none());
}

#[test]
fn only_the_newest_send_of_a_living_challenge_is_released_with_the_time_that_is_left() {
    let mut story = Story::begin();
    let challenge = story.issue();
    story.pass(30);
    story.resend(challenge).unwrap();
    let release = |story: &Story, ordinal| {
        story.subscriber.release(&subscriber_id(), challenge, ordinal, &story.policy, story.now)
    };
    assert!(release(&story, 0).is_none());
    let (code, left) = release(&story, 1).unwrap();
    assert_eq!(code.expose(), story.code(challenge).expose());
    assert_eq!(left, Duration::from_secs(150));
    story.pass(150);
    assert!(release(&story, 1).is_none());
}

#[test]
fn a_hard_token_subscriber_gets_no_code() {
    assert_eq!(Story::with(Authenticator::HardToken).generate(), Err(GenerateRefused::NotOnSmsOtp));
}

#[test]
fn abuse_34_open_codes_verify_after_the_master_key_is_rotated() {
    let mut story = Story::begin();
    let challenge = story.issue();
    let sent = story.code(challenge);
    let both = format!("2 {}\n1 {}", "77".repeat(32), "5a".repeat(32));
    story.policy.keys = crate::keys::parse(&both).unwrap();
    let newer = story.issue();
    assert_eq!(story.issued(newer).key.0, 2);
    assert!(matches!(story.verify(challenge, &sent), Verdict::Approved { .. }));
    assert!(matches!(story.right(newer), Verdict::Approved { .. }));
    let orphan = story.issue();
    story.policy.keys = crate::keys::parse(&format!("3 {}", "78".repeat(32))).unwrap();
    assert_eq!(story.verify(orphan, &sent), Verdict::Expired, "its key was taken away");
    assert!(story.subscriber.release(&subscriber_id(), orphan, 0, &story.policy, story.now).is_none());
}

#[test]
fn a_repeated_call_gets_its_answer_again_and_a_changed_one_is_refused() {
    let mut story = Story::begin();
    let subject = payment("1000");
    let Outcome::Fresh(Ok(issued)) = story.generate_with(&subject, Some(key("g", "body"))) else { panic!() };
    assert_eq!(story.generate_with(&subject, Some(key("g", "body"))), Outcome::Replayed(Ok(issued)));
    assert_eq!(story.generate_with(&subject, Some(key("g", "other"))), Outcome::KeyReused);
    let challenge = issued.challenge;
    let (right, wrong) = (story.code(challenge), story.wrong_code(challenge));
    let first = story.verify_with(challenge, &wrong, &subject, Some(key("v1", "wrong")));
    assert_eq!(first, Outcome::Fresh(Verdict::Incorrect { attempts_left: 2 }));
    let again = story.verify_with(challenge, &wrong, &subject, Some(key("v1", "wrong")));
    assert_eq!(again, Outcome::Replayed(Verdict::Incorrect { attempts_left: 2 }));
    let guess = story.verify_with(challenge, &right, &subject, Some(key("v1", "right")));
    assert_eq!(guess, Outcome::KeyReused);
    let approved = Verdict::Approved { at: story.now };
    let fresh = story.verify_with(challenge, &right, &subject, Some(key("v2", "right")));
    assert_eq!(fresh, Outcome::Fresh(approved));
    story.pass(300);
    let replay = story.verify_with(challenge, &right, &subject, Some(key("v2", "right")));
    assert_eq!(replay, Outcome::Replayed(approved));
    assert_eq!(story.right(challenge), Verdict::AlreadyUsed, "without the key it is another attempt");
}

#[test]
fn what_is_remembered_goes_with_its_challenge_ten_minutes_after_the_end() {
    let mut story = Story::begin();
    let subject = payment("1000");
    story.generate_with(&subject, Some(key("g", "body")));
    story.pass(180 + 600);
    assert!(matches!(story.generate_with(&subject, Some(key("g", "body"))), Outcome::Replayed(Ok(_))));
    story.now = story.now.plus(Duration::from_millis(1));
    assert_eq!(story.right_or_unknown(), Verdict::UnknownChallenge);
    assert!(matches!(story.generate_with(&subject, Some(key("g", "body"))), Outcome::Fresh(Ok(_))));
    assert_eq!(story.subscriber.remembered.len(), 1, "the first is gone");
}

#[test]
fn abuse_33_a_dump_of_the_store_and_the_queue_gives_no_code_without_the_key() {
    // What is stored about a wrong answer is a mark of its request. Whoever has it, and knows the
    // whole request but the code, tries all codes: with the key one of them fits, without it none.
    let mut story = Story::begin();
    let challenge = story.issue();
    let wrong = story.wrong_code(challenge);
    let request = |code: &[u8]| Idempotency::new("core", "verify", "k", &[Some(code)]);
    story.verify_with(challenge, &wrong, &payment("1000"), Some(request(wrong.expose())));
    let stored = story.subscriber.remembered[0].key;
    let fits = |policy: &Policy| {
        let number = |n: u32| format!("{n:06}").into_bytes();
        (0..1_000_000)
            .map(number)
            .filter(|code| request(code).remembered(policy) == stored)
            .collect::<Vec<_>>()
    };
    assert_eq!(fits(&story.policy), [wrong.expose()]);
    let other = crate::keys::parse(&format!("1 {}", "5b".repeat(32))).unwrap();
    assert_eq!(fits(&story.policy.with_keys(other.clone())), Vec::<Vec<u8>>::new());
    // And what is stored about a challenge gives another code under another key.
    let of = |keys: &Keyring| {
        let open = story.subscriber.open_challenge(challenge).unwrap();
        let length = CodeLength::new(10).unwrap();
        let code = keys.active().code(&subscriber_id(), &challenge, &open.salt, &open.digest, length);
        code.expose().to_vec()
    };
    assert_ne!(of(&story.policy.keys), of(&other));
}

#[test]
fn abuse_65_a_key_that_is_used_again_after_its_challenge_is_forgotten_is_found() {
    let mut story = Story::begin();
    let subject = payment("1000");
    let first = story.issue();
    let wrong = story.wrong_code(first);
    story.verify_with(first, &wrong, &subject, Some(key("v", "first")));
    story.pass(180 + 500);
    let second = story.issue();
    story.pass(101);
    // The first is forgotten, and still there.
    assert_eq!(story.subscriber.challenges().count(), 2);
    let wrong = story.wrong_code(second);
    let verdict = Verdict::Incorrect { attempts_left: 2 };
    for outcome in [Outcome::Fresh(verdict), Outcome::Replayed(verdict), Outcome::Replayed(verdict)] {
        assert_eq!(story.verify_with(second, &wrong, &subject, Some(key("v", "second"))), outcome);
    }
}

#[test]
fn abuse_65_what_is_promised_for_ten_minutes_is_kept_whatever_was_issued_since() {
    let mut story = Story::begin();
    let subject = payment("1000");
    let generated = story.generate_with(&subject, Some(key("g", "body")));
    let Outcome::Fresh(Ok(issued)) = generated else { panic!() };
    let (first, code) = (issued.challenge, story.code(issued.challenge));
    let Outcome::Fresh(approved) = story.verify_with(first, &code, &subject, Some(key("v", "right"))) else {
        panic!()
    };
    while story.generate().is_ok() {
        story.pass(1);
    }
    let sends = story.subscriber.sends.len();
    assert_eq!(sends, story.policy.sends_per_day);
    let again = story.verify_with(first, &code, &subject, Some(key("v", "right")));
    assert_eq!(again, Outcome::Replayed(approved));
    let again = story.generate_with(&subject, Some(key("g", "body")));
    // But for the wait for a resend, of which there can be none any more.
    assert_eq!(again, Outcome::Replayed(Ok(Issued { resend_after: None, ..issued })));
    assert_eq!(story.subscriber.sends.len(), sends, "no second SMS");
}

#[test]
fn in_a_full_store_whoever_has_something_to_drop_is_issued_a_challenge_and_memory_comes_back() {
    let mut story = Story::begin();
    for _ in 0..3 {
        let challenge = story.issue();
        story.right(challenge);
    }
    story.store_full = true;
    assert_eq!(story.generate(), Err(GenerateRefused::Unavailable(Unavailable::StoreFull)));
    let before = story.subscriber.heap_bytes();
    story.pass(601);
    assert!(story.generate().is_ok());
    assert!(story.subscriber.heap_bytes() < before);
}

#[test]
fn a_reply_that_is_replayed_counts_the_wait_for_a_resend_from_now() {
    let mut story = Story::begin();
    let wait = |story: &mut Story| match story.generate_with(&payment("1000"), Some(key("g", "g"))) {
        Outcome::Fresh(Ok(issued)) | Outcome::Replayed(Ok(issued)) => (issued.challenge, issued.resend_after),
        other => panic!("not issued: {other:?}"),
    };
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    let (challenge, at_first) = wait(&mut story);
    assert_eq!(at_first, seconds(30));
    story.pass(10);
    assert_eq!(wait(&mut story).1, seconds(20));
    story.pass(21);
    assert_eq!(wait(&mut story).1, seconds(0));
    assert!(story.resend(challenge).is_ok());
    story.pass(1);
    assert_eq!(wait(&mut story).1, seconds(59));
    story.report(challenge, 1, Delivery::Undelivered);
    assert_eq!(wait(&mut story).1, seconds(0), "it certainly did not arrive");
    assert!(story.resend(challenge).is_ok());
    assert_eq!(wait(&mut story).1, None, "none is left");
    let mut story = Story::begin();
    let (challenge, _) = wait(&mut story);
    story.right(challenge);
    assert_eq!(wait(&mut story).1, None, "it has ended");
}

#[test]
fn whoever_has_anything_old_to_drop_gets_a_challenge_though_the_store_is_full() {
    for idempotency in [None, Some(key("v", "answer"))] {
        let mut story = Story::begin();
        let challenge = story.issue();
        let code = story.code(challenge);
        story.verify_with(challenge, &code, &payment("1000"), idempotency);
        story.store_full = true;
        story.pass(600);
        assert_eq!(story.generate(), Err(GenerateRefused::Unavailable(Unavailable::StoreFull)));
        story.pass(1);
        assert!(story.generate().is_ok());
        assert!(story.subscriber.heap_bytes() <= 128 + size_of::<Timestamp>());
    }
}

#[test]
fn in_a_full_store_a_challenge_that_takes_the_place_of_a_forgotten_one_needs_no_memory() {
    let mut story = Story::begin();
    story.issue();
    story.store_full = true;
    story.pass(180 + 600);
    assert_eq!(story.generate(), Err(GenerateRefused::Unavailable(Unavailable::StoreFull)));
    story.pass(1);
    let before = story.subscriber.heap_bytes();
    assert!(story.generate().is_ok());
    assert!(story.subscriber.heap_bytes() <= before + size_of::<Timestamp>(), "one more send");
}

#[test]
fn what_is_remembered_of_a_call_counts_among_the_bytes_of_its_subscriber() {
    let bytes_after = |idempotency| {
        let mut story = Story::begin();
        story.generate_with(&payment("1000"), idempotency);
        story.subscriber.heap_bytes()
    };
    assert_eq!(bytes_after(Some(key("k", "g"))), bytes_after(None) + size_of::<Remembered>());
}

#[test]
fn a_lock_begins_with_the_failure_that_causes_it_and_with_no_answer_under_it() {
    let mut story = Story::begin();
    let (first, second) = (story.issue(), story.issue());
    let begins = |story: &mut Story, challenge| {
        let decision = story.decide_verify(challenge, &story.wrong_code(challenge), &payment("1000"), None);
        let lock = decision.begins_lock();
        story.apply(decision);
        lock
    };
    for challenge in [first, first, first, second] {
        assert_eq!(begins(&mut story, challenge), None);
    }
    let until = story.now.plus(Duration::from_secs(15 * 60));
    assert_eq!(begins(&mut story, second), Some(Lock::Until(until)));
    assert_eq!(begins(&mut story, second), None, "it is in force");
}

#[test]
fn a_success_between_failures_starts_the_count_anew() {
    let mut story = Story::begin();
    for _ in 0..3 {
        let (first, second) = (story.issue(), story.issue());
        for challenge in [first, first, second, second] {
            assert!(matches!(story.wrong(challenge), Verdict::Incorrect { .. }));
        }
        assert!(matches!(story.right(second), Verdict::Approved { .. }));
    }
}

#[test]
fn resends_count_among_the_sends_of_a_day() {
    let mut story = Story::begin();
    story.policy.sends_per_day = 3;
    let challenge = story.issue();
    story.pass(30);
    assert!(story.resend(challenge).is_ok());
    let other = story.issue();
    story.pass(60);
    let retry_after = DAY - Duration::from_secs(90);
    assert_eq!(story.resend(other), Err(ResendRefused::SendsUsedUp { retry_after }));
    assert_eq!(story.generate(), Err(GenerateRefused::SendsUsedUp { retry_after }));
}

#[test]
fn abuse_25_a_challenge_that_has_ended_is_not_voided() {
    let mut story = Story::begin();
    let (approved, cancelled, voided) = (story.issue(), story.issue(), story.issue());
    let code = story.code(approved);
    story.right(approved);
    story.cancel(cancelled).unwrap();
    story.verify_with(voided, &code, &payment("1001"), None);
    let events = story.events.len();
    for (challenge, verdict) in [
        (approved, Verdict::AlreadyUsed),
        (cancelled, Verdict::Cancelled),
        (voided, Verdict::TransactionChanged),
    ] {
        assert_eq!(story.verify_with(challenge, &code, &payment("1002"), None), Outcome::Fresh(verdict));
    }
    assert_eq!(story.events.len(), events, "nothing changes");
}

#[test]
fn a_resend_is_queued_anew_and_of_older_sends_only_an_arrival_counts() {
    let mut story = Story::begin();
    let challenge = story.issue();
    let delivery =
        |story: &Story| story.subscriber.challenge(challenge, story.now).unwrap().delivery(story.now);
    story.report(challenge, 0, Delivery::Accepted);
    assert_eq!(delivery(&story), Delivery::Accepted);
    story.pass(30);
    story.resend(challenge).unwrap();
    assert_eq!(delivery(&story), Delivery::Queued);
    for late in [Delivery::Undelivered, Delivery::Accepted, Delivery::Rejected, Delivery::Unknown] {
        story.report(challenge, 0, late);
        assert_eq!(delivery(&story), Delivery::Queued, "{late:?} is of the first");
    }
    story.report(challenge, 1, Delivery::Accepted);
    story.report(challenge, 0, Delivery::Delivered);
    assert_eq!(delivery(&story), Delivery::Delivered);
}

#[test]
fn abuse_48_the_challenges_of_a_subscriber_have_different_references() {
    let mut story = Story::begin();
    let id = |reference: u128, rest: u128| ChallengeId(((reference << 108) + rest).to_be_bytes());
    let mut references = Vec::new();
    for number in 0..3 {
        // Each draw begins with what was drawn before.
        let ids = std::array::from_fn(|index| id(u128::try_from(index).unwrap(), number));
        let draw = Draw { ids, salt: Salt([7; 16]) };
        let Outcome::Fresh(Ok(issued)) = story.generate_from(draw, &payment("1000"), None) else {
            panic!("not issued")
        };
        assert!(!references.contains(&issued.sms_reference), "{references:?}");
        references.push(issued.sms_reference);
    }
}

#[test]
fn a_reference_finds_its_newest_challenge_until_that_is_forgotten() {
    let mut story = Story::begin();
    let (first, other) = (story.issue(), story.issue());
    let found = |story: &Story, id: ChallengeId| {
        story.subscriber.challenge_with(id.sms_reference(), story.now).map(|challenge| challenge.id)
    };
    assert_eq!((found(&story, first), found(&story, other)), (Some(first), Some(other)));
    assert_eq!(found(&story, ChallengeId([0xFF; 16])), None);
    // What is drawn is not different three times.
    story.pass(1);
    let mut second = first;
    second.0[15] = 1;
    story.generate_from(Draw { ids: [second; 3], salt: Salt([7; 16]) }, &payment("1000"), None);
    assert_eq!(found(&story, first), Some(second));
    story.pass(179 + 600);
    assert_eq!((found(&story, other), found(&story, second)), (Some(other), Some(second)));
    story.pass(1);
    assert_eq!((found(&story, other), found(&story, second)), (None, Some(second)));
}

#[test]
fn abuse_35_the_debug_of_a_subscriber_shows_neither_code_nor_salt_nor_phone() {
    let mut story = Story::begin();
    let challenge = story.issue();
    let shown = format!("{:?} {:?}", story.subscriber, story.events);
    let code = String::from_utf8(story.code(challenge).expose().to_vec()).unwrap();
    assert!(!shown.contains(&code) && !shown.contains("8123456745"), "{shown}");
    assert!(shown.contains("Salt(…)"));
}

#[test]
fn a_challenge_without_remembered_keys_holds_at_most_128_bytes_and_half_of_that_once_it_ended() {
    let mut story = Story::begin();
    let challenge = story.issue();
    assert!(story.subscriber.heap_bytes() <= 128, "{} bytes", story.subscriber.heap_bytes());
    story.right(challenge);
    assert!(story.subscriber.heap_bytes() <= 64, "{} bytes", story.subscriber.heap_bytes());
}

#[test]
fn of_an_ended_challenge_nothing_is_kept_that_its_code_could_be_derived_from() {
    let mut story = Story::begin();
    let (approved, expired) = (story.issue(), story.issue());
    story.right(approved);
    assert!(story.subscriber.open_challenge(approved).is_none());
    story.pass(180);
    let newest = story.issue();
    assert!(story.subscriber.open_challenge(expired).is_none());
    assert_eq!(story.right(expired), Verdict::Expired);
    assert!(story.subscriber.open_challenge(newest).is_some());
}

#[test]
fn what_ended_is_forgotten_ten_minutes_after_it_did_and_not_after_the_next_was_issued() {
    let mut story = Story::begin();
    let challenge = story.issue();
    story.pass(300);
    story.issue();
    story.pass(480);
    assert_eq!(story.right(challenge), Verdict::Expired);
    story.now = story.now.plus(Duration::from_millis(1));
    assert_eq!(story.right(challenge), Verdict::UnknownChallenge);
}

#[test]
fn abuse_09_codes_that_may_be_older_than_they_look_are_ended_and_a_lock_is_not() {
    let mut story = Story::begin();
    let (first, second) = (story.issue(), story.issue());
    for challenge in [first, first, second] {
        story.wrong(challenge);
    }
    assert_eq!(story.expire_open(), 2);
    assert_eq!((story.right(first), story.right(second)), (Verdict::Expired, Verdict::Expired));
    assert!(story.subscriber.release(&subscriber_id(), second, 0, &story.policy, story.now).is_none());
    assert_eq!(story.resend(second), Err(ResendRefused::Ended(Verdict::Expired)));
    assert_eq!(story.expire_open(), 0);
    let third = story.issue();
    story.wrong(third);
    assert!(matches!(story.wrong(third), Verdict::Locked(_)), "five failures");
    let before = story.subscriber.lockout;
    assert_eq!(story.expire_open(), 1);
    assert_eq!(story.subscriber.lockout, before);
}

/// One step of a random story.
#[derive(Clone, Debug)]
enum Step {
    Pass(u64),
    Generate { key: Option<u8> },
    Verify { newest: usize, right: bool, same_transaction: bool, key: Option<u8> },
    Resend { newest: usize },
    Cancel { newest: usize },
    Report { newest: usize, ordinal: u8, delivered: bool },
    ExpireOpen,
}

fn step() -> impl Strategy<Value = Step> {
    let key = || proptest::option::weighted(0.3, 0..4_u8);
    prop_oneof![
        2 => prop_oneof![0..40_u64, 0..2000_u64, 0..90_000_u64].prop_map(Step::Pass),
        3 => key().prop_map(|key| Step::Generate { key }),
        6 => (0..4_usize, any::<bool>(), proptest::bool::weighted(0.9), key()).prop_map(
            |(newest, right, same_transaction, key)| Step::Verify { newest, right, same_transaction, key }
        ),
        2 => (0..4_usize).prop_map(|newest| Step::Resend { newest }),
        1 => (0..4_usize).prop_map(|newest| Step::Cancel { newest }),
        1 => (0..4_usize, 0..3_u8, any::<bool>())
            .prop_map(|(newest, ordinal, delivered)| Step::Report { newest, ordinal, delivered }),
        1 => Just(Step::ExpireOpen),
    ]
}

impl Story {
    fn newest(&self, newest: usize) -> Option<ChallengeId> {
        let issued = self.events.iter().rev().filter_map(|event| match event {
            Event::Issued { challenge, .. } => Some(challenge.challenge.id),
            _ => None,
        });
        issued.filter(|id| self.subscriber.challenges().any(|held| held.id == *id)).nth(newest)
    }

    /// Takes one step; the challenge if it approved one.
    fn take(&mut self, step: &Step) -> Option<ChallengeId> {
        match *step {
            Step::Pass(seconds) => self.pass(seconds),
            Step::Generate { key: name } => {
                let idempotency = name.map(|name| key(&format!("g{name}"), "g"));
                self.generate_with(&payment("1000"), idempotency);
            }
            Step::Verify { newest, right, same_transaction, key: name } => {
                let challenge = self.newest(newest)?;
                let code = if right { self.code(challenge) } else { self.wrong_code(challenge) };
                let subject = payment(if same_transaction { "1000" } else { "1001" });
                let request = format!("{challenge}{right}{same_transaction}");
                let idempotency = name.map(|name| key(&format!("v{name}"), &request));
                let outcome = self.verify_with(challenge, &code, &subject, idempotency);
                return matches!(outcome, Outcome::Fresh(Verdict::Approved { .. })).then_some(challenge);
            }
            Step::Resend { newest } => drop(self.resend(self.newest(newest)?)),
            Step::Cancel { newest } => drop(self.cancel(self.newest(newest)?)),
            Step::Report { newest, ordinal, delivered } => {
                let delivery = if delivered { Delivery::Delivered } else { Delivery::Accepted };
                let decision = self.subscriber.report(self.newest(newest)?, ordinal, delivery);
                self.apply(decision);
            }
            Step::ExpireOpen => drop(self.expire_open()),
        }
        None
    }

    /// Makes a call with a key, as shown for comparison: whether it was replayed, and its outcome.
    fn call(&mut self, call: &Call, challenge: ChallengeId, code: &Code) -> (bool, String) {
        let subject = payment("1000");
        let name = |kind: &str, name: u8, request: String| Some(key(&format!("{kind}{name}"), &request));
        let presented = |idempotency| Presented { challenge, digest: subject.digest(), idempotency };
        let show = |outcome: Outcome<String>| match outcome {
            Outcome::Fresh(outcome) => (false, outcome),
            Outcome::Replayed(outcome) => (true, outcome),
            Outcome::KeyReused => (true, "key reused".into()),
        };
        show(match *call {
            Call::Generate(number) => shown(self.generate_with(&subject, name("g", number, "g".into()))),
            Call::Verify { key: number, .. } => {
                let request = format!("{challenge}{:?}", code.expose());
                shown(self.verify_with(challenge, code, &subject, name("v", number, request)))
            }
            Call::Resend(number) => {
                let presented = presented(name("r", number, challenge.to_string()));
                let command = Resend { presented, admission: self.admission() };
                let decision = self.subscriber.resend(&command, &self.policy, self.now);
                shown(self.apply(decision))
            }
            Call::Cancel(number) => {
                let presented = presented(name("c", number, challenge.to_string()));
                let decision = self.subscriber.cancel(&Cancel { presented }, &self.policy, self.now);
                shown(self.apply(decision))
            }
        })
    }

    fn compared(&self, challenge: ChallengeId) -> usize {
        let of_this =
            |event: &&Event| matches!(event, Event::Attempted { challenge: c, .. } if *c == challenge);
        self.events.iter().filter(of_this).count()
    }
}

/// What is to be counted, from the events alone.
#[derive(Default)]
struct Model {
    failures_since_success: u8,
    sends: Vec<Timestamp>,
    attempts: std::collections::HashMap<[u8; 16], u8>,
}

impl Model {
    fn count(&mut self, event: &Event, now: Timestamp) {
        match event {
            Event::Issued { challenge, .. } => {
                self.sends.push(now);
                self.attempts.insert(challenge.challenge.id.0, 0);
            }
            Event::Resent { .. } => self.sends.push(now),
            Event::Attempted { challenge, verdict, .. } => {
                *self.attempts.get_mut(&challenge.0).unwrap() += 1;
                self.failures_since_success = match verdict {
                    Verdict::Approved { .. } => 0,
                    _ => self.failures_since_success + 1,
                };
            }
            Event::Enrolled { .. }
            | Event::Voided { .. }
            | Event::Cancelled { .. }
            | Event::Expired { .. }
            | Event::UnknownPresented
            | Event::Reported { .. } => {}
        }
    }
}

fn shown<T: std::fmt::Debug>(outcome: Outcome<T>) -> Outcome<String> {
    match outcome {
        Outcome::Fresh(outcome) => Outcome::Fresh(format!("{outcome:?}")),
        Outcome::Replayed(outcome) => Outcome::Replayed(format!("{outcome:?}")),
        Outcome::KeyReused => Outcome::KeyReused,
    }
}

fn has_key(event: &Event) -> bool {
    match event {
        Event::Issued { key, .. }
        | Event::Attempted { key, .. }
        | Event::Voided { key, .. }
        | Event::Resent { key, .. }
        | Event::Cancelled { key, .. } => key.is_some(),
        Event::Enrolled { .. } | Event::Expired { .. } | Event::UnknownPresented | Event::Reported { .. } => {
            false
        }
    }
}

/// A call with one of few keys.
#[derive(Clone, Debug)]
enum Call {
    Generate(u8),
    Verify { key: u8, right: bool },
    Resend(u8),
    Cancel(u8),
}

fn call() -> impl Strategy<Value = (u64, usize, Call)> {
    let key = || 0..3_u8;
    let call = prop_oneof![
        3 => key().prop_map(Call::Generate),
        4 => (key(), any::<bool>()).prop_map(|(key, right)| Call::Verify { key, right }),
        1 => key().prop_map(Call::Resend),
        1 => key().prop_map(Call::Cancel),
    ];
    // Long enough for one challenge to be forgotten while a newer one is open.
    let pass = prop_oneof![4 => 0..30_u64, 2 => 570..600_u64, 1 => 0..90_000_u64];
    (pass, 0..3_usize, call)
}

proptest! {
    #[test]
    fn abuse_65_a_remembered_call_that_is_repeated_at_once_is_replayed_equal_and_changes_nothing(
        calls in proptest::collection::vec(call(), 0..80),
    ) {
        let mut story = Story::begin();
        story.issue();
        for (pass, newest, call) in &calls {
            story.pass(*pass);
            let Some(challenge) = story.newest(*newest) else { continue };
            let wants_right = matches!(call, Call::Verify { right: true, .. });
            let code = if wants_right { story.code(challenge) } else { story.wrong_code(challenge) };
            let before = story.events.len();
            let (replayed, first) = story.call(call, challenge, &code);
            if !replayed && !story.events[before..].iter().any(has_key) {
                continue;
            }
            let events = story.events.len();
            let (replayed, again) = story.call(call, challenge, &code);
            prop_assert!(replayed);
            prop_assert_eq!(again, first);
            prop_assert_eq!(story.events.len(), events);
        }
    }

    #[test]
    fn failures_sends_and_attempts_are_those_of_an_independent_count(
        steps in proptest::collection::vec(step(), 0..120),
    ) {
        let mut story = Story::begin();
        let mut model = Model::default();
        for step in &steps {
            let before = story.events.len();
            story.take(step);
            story.events[before..].iter().for_each(|event| model.count(event, story.now));
            let subscriber = &story.subscriber;
            prop_assert_eq!(subscriber.lockout.failures_since_success(), model.failures_since_success);
            let of_the_day = |sent: &&Timestamp| story.now.since(**sent) < DAY;
            prop_assert_eq!(
                subscriber.sends.iter().filter(of_the_day).count(),
                model.sends.iter().filter(of_the_day).count()
            );
            for challenge in subscriber.challenges() {
                prop_assert_eq!(Some(&challenge.attempts), model.attempts.get(&challenge.id.0));
            }
        }
    }

    #[test]
    fn nothing_is_approved_twice_and_nothing_compared_too_often(
        steps in proptest::collection::vec(step(), 0..120),
    ) {
        let mut story = Story::begin();
        let mut approved = Vec::new();
        for step in &steps {
            if let Some(challenge) = story.take(step) {
                prop_assert!(!approved.contains(&challenge), "{challenge} was approved twice");
                approved.push(challenge);
            }
            if let Some(challenge) = story.newest(0) {
                prop_assert!(story.compared(challenge) <= 3);
            }
        }
    }

    #[test]
    fn an_entry_stays_within_its_bounds(steps in proptest::collection::vec(step(), 0..120)) {
        let mut story = Story::begin();
        for step in &steps {
            story.take(step);
            let open = story.subscriber.challenges().filter(|c| c.state(story.now) == State::Open);
            prop_assert!(open.count() <= 3);
            // Challenges that ended since the last one was issued are dropped at the next.
            prop_assert!(story.subscriber.challenges().count() <= story.policy.sends_per_day + 1);
            prop_assert!(story.subscriber.sends.len() <= 10);
        }
    }
}
