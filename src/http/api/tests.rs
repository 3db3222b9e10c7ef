//! A client hangs up at every point where a call waits: hyper then drops the call's future.

use std::collections::VecDeque;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use hyper::body::Frame;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::*;
use crate::http::auth::key_sha256;
use crate::msisdn::{Msisdn, NumberingPlan};
use crate::sms::message::Templates;
use crate::sms::outbox::{Item, Queue};
use crate::store::{self, Store, StoreError};
use crate::subscriber::policy::tests::policy;
use crate::subscriber::{Authenticator, Subscriber};

const KEY: &str = "a key for tests";
/// More than any call waits.
const WAITS_MAX: usize = 10;

/// A body in two parts, each of which is waited for.
struct Parts {
    parts: VecDeque<Bytes>,
    waited: bool,
}

impl Parts {
    fn of(body: &Value) -> Self {
        let text = body.to_string();
        let (first, second) = text.split_at(text.len() / 2);
        let parts = [first, second].map(|part| Bytes::copy_from_slice(part.as_bytes())).into();
        Self { parts, waited: false }
    }
}

impl Body for Parts {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.waited = !self.waited;
        if self.waited && !self.parts.is_empty() {
            return Poll::Pending;
        }
        Poll::Ready(self.parts.pop_front().map(|part| Ok(Frame::data(part))))
    }
}

/// An API over a store that holds its marks back.
struct House {
    api: Api,
    queue: Queue,
    marks: watch::Sender<Option<Result<(), StoreError>>>,
}

struct Reply {
    status: u16,
    replayed: bool,
    json: Value,
}

fn phone() -> Msisdn {
    NumberingPlan::new("62", "0").unwrap().parse("+628123456745").unwrap()
}

fn subscriber() -> SubscriberId {
    SubscriberId { corporate: Id::parse("ACME01").unwrap(), user: Id::parse("BUDI").unwrap() }
}

impl House {
    fn new() -> Self {
        let clock = Clock::manual(Timestamp::from_unix_millis(1_795_338_900_000));
        let metrics = Arc::new(Metrics::new());
        let store = Store::new(store::Config::default(), 1, Arc::clone(&metrics));
        store.enrol(&subscriber(), phone(), Authenticator::SmsOtp).unwrap();
        let marks = store.hold_marks();
        marks.send_replace(Some(Ok(())));
        let (outbox, queue) = Queue::of_one_route(10, clock.clone(), &metrics);
        let policy = policy();
        let templates =
            settings::from_toml("", |root| Templates::read(root, crate::subscriber::code::CodeLength::MAX))
                .unwrap();
        let gateway = Gateway::new(store, policy, templates, outbox, clock.clone(), Arc::clone(&metrics));
        let hash = key_sha256(KEY);
        let client = format!("[[clients]]\nname = \"core\"\nroles = [\"core\"]\nkey_sha256 = \"{hash}\"\n");
        let clients = settings::from_toml(&client, Clients::read).unwrap();
        let api = Api::new(Arc::new(gateway), clients, clock, metrics, &Config::default(), true);
        Self { api, queue, marks }
    }

    fn request(call: Call, key: &str, body: &Value) -> Request<Parts> {
        let (method, path) = match call {
            Call::Challenge => {
                let id = body["challenge_id"].as_str().unwrap();
                ("GET", format!("/v1/subscribers/ACME01/BUDI/challenges/{id}"))
            }
            call => ("POST", format!("/v1/otp/{}", call.name())),
        };
        let request = Request::builder().method(method).uri(path);
        let request = request.header("authorization", format!("Bearer {KEY}")).header("idempotency-key", key);
        request.header("content-type", "application/json").body(Parts::of(body)).unwrap()
    }

    /// Polls the call until it has waited `waits` times, then hangs up. `None` if it hung up.
    fn call_for(&self, waits: usize, call: Call, key: &str, body: &Value) -> Option<Answer> {
        // Unconstrained: here nobody yields to a runtime that would refill the budget of this task.
        let answer = tokio::task::unconstrained(self.api.answer(Self::request(call, key, body), || ()));
        let mut answer = pin!(answer);
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..=waits {
            if let Poll::Ready(Ok(answer)) = answer.as_mut().poll(&mut context) {
                return Some(answer);
            }
        }
        None
    }

    /// Makes the call to its end.
    async fn call(&self, call: Call, key: &str, body: &Value) -> Reply {
        let answer = self.call_for(WAITS_MAX, call, key, body).unwrap();
        let (status, replayed) =
            (answer.status().as_u16(), answer.headers().contains_key(IDEMPOTENCY_REPLAYED));
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        Reply { status, replayed, json: serde_json::from_slice(&bytes).unwrap() }
    }

    /// A challenge whose SMS has left the queue, as a claim.
    async fn issued(&mut self) -> (Value, Item) {
        let reply = self.call(Call::Generate, "first", &purpose()).await;
        assert_eq!(reply.status, 201, "{}", reply.json);
        let mut claim = purpose();
        claim["challenge_id"] = reply.json["challenge_id"].clone();
        let [item] = <[Item; 1]>::try_from(self.queue.take_all()).unwrap();
        (claim, item)
    }

    /// Whether what is counted is what there is: places of the outbox, and bytes of the store.
    fn counts_are_true(&mut self, queued: usize) {
        let items = self.api.metrics.sms.outbox_items.get();
        assert_eq!(items, i64::try_from(queued).unwrap(), "a place of the outbox leaked, or is missing");
        self.api.gateway.store().observe();
        let held = self.api.gateway.store().read(&subscriber(), Subscriber::heap_bytes).unwrap();
        assert_eq!(self.api.metrics.api.live_bytes.get(), i64::try_from(held).unwrap());
    }
}

fn purpose() -> Value {
    json!({"subscriber": {"corporate_id": "ACME01", "user_id": "BUDI"}, "purpose": "login"})
}

/// A house with a challenge, and the body of a call that succeeds there.
async fn ready_for(call: Call) -> (House, Value) {
    let mut house = House::new();
    let (claim, item) = house.issued().await;
    let mut body = claim;
    match call {
        Call::Generate => body = purpose(),
        Call::Verify => {
            let (code, _) = house.api.gateway.release(&item).unwrap();
            body["code"] = std::str::from_utf8(code.expose()).unwrap().into();
        }
        Call::Resend => house.api.clock.advance(Duration::from_secs(31)),
        Call::Cancel | Call::Challenge => {}
        Call::Other => unreachable!("no call of ours"),
    }
    (house, body)
}

/// Hangs up at each wait of the call in turn, then makes it again. A call waits for each part of its body, if
/// it has one, and for its mark, which comes last.
async fn hang_up_at_each_wait(call: Call, waits: usize) {
    for wait in 0..waits {
        let (mut house, body) = ready_for(call).await;
        house.marks.send_replace(None);
        assert!(house.call_for(wait, call, "key", &body).is_none(), "{call:?} waits only {wait} times");
        let in_effect = wait + 1 == waits && call != Call::Challenge;
        let sends = matches!(call, Call::Generate | Call::Resend);
        house.counts_are_true(usize::from(in_effect && sends));

        house.marks.send_replace(Some(Ok(())));
        let reply = house.call(call, "key", &body).await;
        assert!((200..300).contains(&reply.status), "{call:?} {wait}: {}", reply.json);
        assert_eq!(reply.replayed, in_effect, "{call:?} {wait}");
        house.counts_are_true(usize::from(sends));
        // The reply speaks of one SMS, and that one is queued.
        let items = house.queue.take_all();
        assert_eq!(items.len(), usize::from(sends), "{call:?} {wait}");
        for item in items {
            assert_eq!(reply.json["challenge_id"], item.challenge.to_string());
            assert_eq!(item.ordinal, u8::from(call == Call::Resend));
        }
        house.counts_are_true(0);
    }
    let (house, body) = ready_for(call).await;
    assert!(house.call_for(waits, call, "key", &body).is_some(), "{call:?} waits more often");
}

#[tokio::test]
async fn abuse_61_whoever_hangs_up_at_any_wait_and_repeats_the_call_gets_an_answer_that_holds() {
    for call in [Call::Generate, Call::Verify, Call::Resend, Call::Cancel] {
        hang_up_at_each_wait(call, 3).await;
    }
    hang_up_at_each_wait(Call::Challenge, 1).await;
}

#[tokio::test]
async fn abuse_61_a_mark_that_fails_is_reported_as_unknown_and_the_repeated_call_tells() {
    for call in [Call::Generate, Call::Verify, Call::Resend, Call::Cancel, Call::Challenge] {
        let (house, body) = ready_for(call).await;
        house.marks.send_replace(Some(Err(StoreError::OutcomeUnknown)));
        let unknown = house.call(call, "key", &body).await;
        assert_eq!(unknown.status, 503, "{call:?}");
        // As it is printed in the contract, and its schema is held to.
        let contract: Value = serde_saphyr::from_str(OPENAPI).unwrap();
        assert_eq!(unknown.json, contract["components"]["examples"]["OutcomeUnknown"]["value"]);
        house.marks.send_replace(Some(Ok(())));
        let known = house.call(call, "key", &body).await;
        assert!((200..300).contains(&known.status), "{call:?}: {}", known.json);
        assert_eq!(known.replayed, call != Call::Challenge);
    }
}

/// What is logged while `run` runs, one JSON object a line.
fn logged(run: impl FnOnce()) -> Vec<Value> {
    let log = Arc::new(Mutex::new(Vec::new()));
    let subscriber =
        tracing_subscriber::fmt().json().with_writer(Arc::new(Shared(Arc::clone(&log)))).finish();
    tracing::subscriber::with_default(subscriber, run);
    let text = String::from_utf8(log.lock().unwrap().clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

struct Shared(Arc<Mutex<Vec<u8>>>);

impl io::Write for &Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn each_decision_has_a_line_by_which_a_support_call_is_traced_without_code_or_number() {
    for (call, verdict) in [(Call::Verify, "approved"), (Call::Resend, "resent"), (Call::Cancel, "cancelled")]
    {
        let (house, body) = ready_for(call).await;
        let lines = logged(|| {
            house.call_for(WAITS_MAX, call, "key", &body).unwrap();
            house.call_for(WAITS_MAX, call, "key", &body).unwrap();
        });
        assert_eq!(lines.len(), 2, "{call:?}: {lines:?}");
        for (line, replayed) in lines.iter().zip([false, true]) {
            let fields = &line["fields"];
            assert_eq!((&line["level"], &line["target"]), (&json!("INFO"), &json!("otp_gateway::decisions")));
            let id = ChallengeId::parse(body["challenge_id"].as_str().unwrap()).unwrap();
            let expected = json!({
                "call": call.name(), "verdict": verdict, "client": "core", "replayed": replayed,
                "challenge_id": id.to_string(), "sms_reference": id.sms_reference().as_str(),
                "status": if call == Call::Resend { 202 } else { 200 },
                "request_id": fields["request_id"], "micros": 0,
            });
            assert_eq!(*fields, expected);
            assert!(fields["request_id"].as_str().unwrap().len() > 16, "one that we made");
            let text = line.to_string();
            let code = body["code"].as_str().unwrap_or("no code");
            assert!(!text.contains(&format!("\"{code}\"")) && !text.contains("8123456745"), "{text}");
        }
    }
}

#[tokio::test]
async fn what_is_refused_has_its_line_too_and_a_look_up_or_nonsense_has_none() {
    let (house, mut claim) = ready_for(Call::Challenge).await;
    let verdicts = |lines: &[Value]| -> Vec<String> {
        lines.iter().map(|line| line["fields"]["verdict"].as_str().unwrap().to_owned()).collect()
    };
    let refused = logged(|| {
        house.call_for(WAITS_MAX, Call::Resend, "early", &claim).unwrap();
        // Of a resend that was refused nothing is remembered; this key is of another call.
        house.call_for(WAITS_MAX, Call::Generate, "first", &json!({
            "subscriber": {"corporate_id": "ACME01", "user_id": "BUDI"}, "purpose": "login", "locale": "en"
        })).unwrap();
        house
            .call_for(
                WAITS_MAX,
                Call::Generate,
                "none",
                &json!({
                    "subscriber": {"corporate_id": "ACME01", "user_id": "SITI"}, "purpose": "login"
                }),
            )
            .unwrap();
        claim["challenge_id"] = "00".repeat(16).into();
        house.call_for(WAITS_MAX, Call::Cancel, "unknown", &claim).unwrap();
    });
    let expected = ["too_early", "idempotency_key_reused", "unknown_subscriber", "unknown_challenge"];
    assert_eq!(verdicts(&refused), expected);
    let none = logged(|| {
        house.call_for(WAITS_MAX, Call::Challenge, "look", &claim).unwrap();
        house.call_for(WAITS_MAX, Call::Verify, "nonsense", &json!({"code": "123456"})).unwrap();
    });
    assert_eq!(none, Vec::<Value>::new());
}

#[tokio::test]
async fn decisions_need_not_be_logged() {
    let (mut house, body) = ready_for(Call::Verify).await;
    house.api.logs_decisions = false;
    let lines = logged(|| drop(house.call_for(WAITS_MAX, Call::Verify, "key", &body).unwrap()));
    assert_eq!(lines, Vec::<Value>::new());
}
