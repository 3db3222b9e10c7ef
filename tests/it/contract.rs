//! Holds the server to `openapi.yaml`: whatever it answers is documented, and whatever is documented
//! is answered.

mod document;
mod examples;
mod failed_sms;
mod lost_reply;
mod values;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use smsc_simulator::Behavior;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::client::{AUDITOR_KEY, CORE_KEY, Client, Reply};
use crate::support::house::{House, Plan, wait_until_ready};
use crate::support::payment::{
    HARD_TOKEN_USER, Issued, SUBSCRIBERS, challenge_path, claim_body, generate_body, on_sms_otp,
    sms_reference_path, verify_body,
};
use crate::support::{blocking, within};
use document::{Document, Kind, open_objects, text};

/// The subscriber of the document's examples, as `support` enrols them.
const EXAMPLE_USER: usize = SUBSCRIBERS;
const POSTS: [&str; 4] = ["generate", "verify", "resend", "cancel"];
/// What is documented and cannot be provoked from outside: the first comes with a journal whose disk fails,
/// the second with changes of the registry. `gateway::tests` and `http::api::tests` provoke them from inside.
const NOT_PROVOKED: [(&str, &str, &str); 8] = [
    ("generate", "503", "outcome-unknown"),
    ("verify", "503", "outcome-unknown"),
    ("resend", "503", "outcome-unknown"),
    ("cancel", "503", "outcome-unknown"),
    ("getChallenge", "503", "outcome-unknown"),
    ("getChallengeByReference", "503", "outcome-unknown"),
    ("generate", "503", "unavailable:phone_changed"),
    ("resend", "503", "unavailable:phone_changed"),
];

/// Sends requests, checks each reply against the document and remembers its kind.
struct Witness<'a> {
    document: &'a Document,
    seen: BTreeSet<Kind>,
}

impl Witness<'_> {
    fn saw(&mut self, call: &str, reply: &Reply) -> String {
        let kind = self.document.check(call, reply);
        let what = format!("{} {}", kind.1, kind.2);
        self.seen.insert(kind);
        what.trim_end().to_owned()
    }

    /// Posts `body`, and returns status and kind of the reply.
    async fn post(&mut self, client: &mut Client, call: &str, body: &Value) -> String {
        let reply = client.post(call, body).await;
        self.saw(call, &reply)
    }

    /// The same, twice under one idempotency key: the second time it is a replay of the first.
    async fn post_twice(&mut self, client: &mut Client, call: &str, key: &str, body: &Value) -> String {
        let first = client.post_with_key(call, key, body).await;
        let second = client.post_with_key(call, key, body).await;
        assert_eq!((first.replayed(), second.replayed()), (false, true), "{call} {}", first.text());
        assert_eq!((first.status, &first.body), (second.status, &second.body), "{call}");
        self.saw(call, &second);
        self.saw(call, &first)
    }

    /// Waits until the SMS of a challenge was delivered, so that the link has nothing on its mind when
    /// the clock moves.
    async fn settled(&mut self, client: &mut Client, issued: &Issued) {
        let delivered = async {
            loop {
                let reply = client.get(&issued.path()).await;
                self.saw("getChallenge", &reply);
                let reference = text(&reply.json()["sms_reference"]);
                let by_reference = client.get(&sms_reference_path(issued.user, &reference)).await;
                self.saw("getChallengeByReference", &by_reference);
                if reply.json()["delivery"] == "delivered" {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        within(delivered, "the SMS to be delivered").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_answered_is_documented_and_whatever_is_documented_is_answered() {
    let document = Document::read();
    let mut witness = Witness { document: &document, seen: BTreeSet::new() };
    let plan = Plan::default().with_manual_clock().with("challenge.sends_per_day", 100);
    // No traffic of the link's own while the clock moves.
    let house = House::with(plan.with("smsc.enquire_link_timer", "10m")).await;
    let mut client = house.client().await;
    examples_work_as_printed(&mut witness, &house, &mut client).await;
    heads_and_bodies(&mut witness, &house).await;
    approved_and_cancelled(&mut witness, &house, &mut client).await;
    voided(&mut witness, &house, &mut client).await;
    exhausted_and_locked(&mut witness, &house, &mut client).await;
    unknown(&mut witness, &mut client).await;
    keys_used_again(&mut witness, &house, &mut client).await;
    resends_and_expiry(&mut witness, &house, &mut client).await;
    disabled_and_used_up(&mut witness).await;
    slow_bodies(&mut witness).await;
    full_outbox(&mut witness).await;
    full_store(&mut witness).await;
    destination_failing(&mut witness).await;
    smsc_failing(&mut witness, &house, &mut client).await;
    no_link(&mut witness, house, client).await;
    let excepted = |(call, status, kind): &&Kind| NOT_PROVOKED.contains(&(call, status, kind));
    let documented = document.documented();
    assert!(documented.len() > 70, "only {} kinds of replies are documented", documented.len());
    let missing: Vec<&Kind> = documented.difference(&witness.seen).filter(|kind| !excepted(kind)).collect();
    assert!(missing.is_empty(), "documented and not seen: {missing:#?}");
    let beyond: Vec<&Kind> = witness.seen.difference(&documented).collect();
    assert!(beyond.is_empty(), "seen and not documented: {beyond:#?}");
}

/// The examples of generate are sent as printed; those of the other calls with the id and the code of a
/// challenge that was issued for the same.
async fn examples_work_as_printed(witness: &mut Witness<'_>, house: &House, client: &mut Client) {
    let document = witness.document;
    let generate: BTreeMap<String, Value> = document.request_examples("generate").into_iter().collect();
    for body in generate.values() {
        assert_eq!(witness.post(client, "generate", body).await, "201");
    }
    for call in ["verify", "resend", "cancel"] {
        for (name, mut body) in document.request_examples(call) {
            let reply = client.post("generate", &generate[&name]).await;
            witness.saw("generate", &reply);
            let issued = reply.json();
            body["challenge_id"] = issued["challenge_id"].clone();
            let code = house.code(EXAMPLE_USER, &text(&issued["sms_reference"])).await;
            let expected = match call {
                "verify" => {
                    body["code"] = code.into();
                    "200"
                }
                "cancel" => "200",
                // The example is good, and just too early.
                _ => "429 too-early",
            };
            assert_eq!(witness.post(client, call, &body).await, expected, "{call} {name}");
        }
    }
}

/// What is refused before a body is looked at, and what is beside the calls.
async fn heads_and_bodies(witness: &mut Witness<'_>, house: &House) {
    let unknown_challenge = challenge_path(0, &"0".repeat(32));
    let keys = [(None, "401 unauthorized"), (Some("otpgw_other"), "401 unauthorized")];
    for (key, expected) in keys.into_iter().chain([(Some(AUDITOR_KEY), "403 forbidden")]) {
        let mut client = house.client().await;
        client.key = key;
        for call in POSTS {
            assert_eq!(witness.post(&mut client, call, &generate_body(0)).await, expected);
        }
        let reply = client.get(&unknown_challenge).await;
        assert_eq!(witness.saw("getChallenge", &reply), expected);
        let reply = client.get(&sms_reference_path(0, "0000")).await;
        assert_eq!(witness.saw("getChallengeByReference", &reply), expected);
    }
    for call in POSTS {
        let path = format!("/v1/otp/{call}");
        let large = house.client().await.send("POST", &path, &[], vec![b' '; 8 * 1024 + 1]).await;
        assert_eq!(witness.saw(call, &large), "413 body-too-large");
        let text = house.client().await.send("POST", &path, &[("content-type", "text/plain")], "{}").await;
        assert_eq!(witness.saw(call, &text), "415 unsupported-media-type");
        let empty = house.client().await.send("POST", &path, &[], "").await;
        assert_eq!(witness.saw(call, &empty), "400 malformed-request");
        let other = house.client().await.get(&path).await;
        assert_eq!(witness.saw("beside", &other), "405 method-not-allowed");
    }
    let mut client = house.client().await;
    let reply = client.get(&unknown_challenge).await;
    assert_eq!(witness.saw("getChallenge", &reply), "404 not-found");
    let reply = client.get(&sms_reference_path(0, "0000")).await;
    assert_eq!(witness.saw("getChallengeByReference", &reply), "404 not-found");
    for path in ["/", "/v1/otp", "/v1/otp/verify/", "/v1/otp/verify?code=482913", "/metrics"] {
        let reply = client.send("POST", path, &[], "{}").await;
        assert_eq!(witness.saw("beside", &reply), "404 not-found");
    }
    let long = "h".repeat(20_000);
    for (call, path) in [("getContract", "/openapi.yaml"), ("beside", "/")] {
        let reply = house.client().await.send("GET", path, &[("x-long", &long)], "").await;
        assert_eq!(witness.saw(call, &reply), "431");
    }
    not_http(witness, house).await;
    the_document_itself(witness, house, &mut client).await;
}

async fn not_http(witness: &mut Witness<'_>, house: &House) {
    for words in ["EHLO gateway\r\n\r\n", "GET / HTTP/2.0\r\n\r\n"] {
        let mut stream = TcpStream::connect(house.app().api_addr()).await.expect("a connection");
        stream.write_all(words.as_bytes()).await.expect("written");
        let mut bytes = Vec::new();
        within(stream.read_to_end(&mut bytes), "the end of the connection").await.expect("a reply");
        assert_eq!(witness.saw("beside", &parse(&bytes)), "400", "{words}");
    }
}

/// It needs no key, and is then the last reply on its connection.
async fn the_document_itself(witness: &mut Witness<'_>, house: &House, client: &mut Client) {
    let mut anybody = house.client().await;
    anybody.key = None;
    let reply = anybody.get("/").await;
    assert_eq!(witness.saw("beside", &reply), "401 unauthorized");
    for (client, connection) in [(client, None), (&mut anybody, Some("close"))] {
        let served = client.get("/openapi.yaml").await;
        assert_eq!(witness.saw("getContract", &served), "200");
        assert_eq!(
            served.headers.get("connection").map(HeaderValue::as_bytes),
            connection.map(str::as_bytes)
        );
        assert!(served.text() == include_str!("../../openapi.yaml"), "another document is served");
    }
}

async fn approved_and_cancelled(witness: &mut Witness<'_>, house: &House, client: &mut Client) {
    let issued = house.issue(client, 0).await;
    let claim = claim_body(0, &issued.challenge_id);
    let verdict = witness.post_twice(client, "verify", "guess", &issued.wrong_body()).await;
    assert_eq!(verdict, "422 not-approved:incorrect");
    assert_eq!(witness.post_twice(client, "verify", "right", &issued.body()).await, "200");
    assert_eq!(witness.post(client, "verify", &issued.body()).await, "422 not-approved:already_used");
    assert_eq!(witness.post(client, "resend", &claim).await, "422 not-resent:already_used");
    assert_eq!(witness.post(client, "cancel", &claim).await, "422 not-cancelled:already_used");
    let issued = house.issue(client, 1).await;
    let claim = claim_body(1, &issued.challenge_id);
    assert_eq!(witness.post_twice(client, "cancel", "off", &claim).await, "200");
    assert_eq!(witness.post(client, "verify", &issued.body()).await, "422 not-approved:cancelled");
    assert_eq!(witness.post(client, "resend", &claim).await, "422 not-resent:cancelled");
    assert_eq!(witness.post(client, "cancel", &claim).await, "422 not-cancelled:cancelled");
}

async fn voided(witness: &mut Witness<'_>, house: &House, client: &mut Client) {
    for (call, problem) in [("verify", "not-approved"), ("resend", "not-resent"), ("cancel", "not-cancelled")]
    {
        let issued = house.issue(client, 2).await;
        let good = if call == "verify" { issued.body() } else { claim_body(2, &issued.challenge_id) };
        let mut changed = good.clone();
        changed["transaction"]["amount"] = "125000001".into();
        let expected = format!("422 {problem}:transaction_changed");
        assert_eq!(witness.post_twice(client, call, &issued.challenge_id, &changed).await, expected);
        assert_eq!(witness.post(client, call, &good).await, expected, "it is void from now on");
    }
}

async fn exhausted_and_locked(witness: &mut Witness<'_>, house: &House, client: &mut Client) {
    let exhausted = house.issue(client, 3).await;
    for expected in ["incorrect", "incorrect", "attempts_exhausted", "attempts_exhausted"] {
        let verdict = witness.post(client, "verify", &exhausted.wrong_body()).await;
        assert_eq!(verdict, format!("422 not-approved:{expected}"));
    }
    let claim = claim_body(3, &exhausted.challenge_id);
    assert_eq!(witness.post(client, "resend", &claim).await, "422 not-resent:attempts_exhausted");
    assert_eq!(witness.post(client, "cancel", &claim).await, "422 not-cancelled:attempts_exhausted");
    let locked = house.issue(client, 3).await;
    let claim = claim_body(3, &locked.challenge_id);
    for expected in ["incorrect", "locked", "locked"] {
        let verdict = witness.post(client, "verify", &locked.wrong_body()).await;
        assert_eq!(verdict, format!("422 not-approved:{expected}"));
    }
    assert_eq!(witness.post(client, "verify", &locked.body()).await, "422 not-approved:locked");
    assert_eq!(witness.post(client, "resend", &claim).await, "422 not-resent:locked");
    assert_eq!(witness.post(client, "generate", &generate_body(3)).await, "422 not-issued:locked");
    assert_eq!(witness.post(client, "cancel", &claim).await, "200", "possible under a lock");
}

async fn unknown(witness: &mut Witness<'_>, client: &mut Client) {
    let id = "0".repeat(32);
    let body = verify_body(4, &id, "482913");
    assert_eq!(witness.post(client, "verify", &body).await, "422 not-approved:unknown_challenge");
    let claim = claim_body(4, &id);
    assert_eq!(witness.post(client, "resend", &claim).await, "422 not-resent:unknown_challenge");
    assert_eq!(witness.post(client, "cancel", &claim).await, "422 not-cancelled:unknown_challenge");
    let mut generate = generate_body(4);
    generate["subscriber"]["user_id"] = "nobody".into();
    assert_eq!(witness.post(client, "generate", &generate).await, "422 not-issued:unknown_subscriber");
    generate["subscriber"]["user_id"] = HARD_TOKEN_USER.into();
    assert_eq!(witness.post(client, "generate", &generate).await, "422 not-issued:not_on_sms_otp");
}

async fn keys_used_again(witness: &mut Witness<'_>, house: &House, client: &mut Client) {
    assert_eq!(witness.post_twice(client, "generate", "k", &generate_body(6)).await, "201");
    let mut other = generate_body(6);
    other["transaction"]["reference"] = "TRX-000124".into();
    let reused = "422 idempotency-key-reused";
    let reply = client.post_with_key("generate", "k", &other).await;
    assert_eq!(witness.saw("generate", &reply), reused);
    for call in ["verify", "cancel"] {
        let (first, second) = (house.issue(client, 6).await, house.issue(client, 6).await);
        let body = |issued: &Issued| match call {
            "verify" => issued.body(),
            _ => claim_body(6, &issued.challenge_id),
        };
        assert_eq!(witness.post_twice(client, call, "k", &body(&first)).await, "200");
        let reply = client.post_with_key(call, "k", &body(&second)).await;
        assert_eq!(witness.saw(call, &reply), reused);
    }
}

async fn resends_and_expiry(witness: &mut Witness<'_>, house: &House, client: &mut Client) {
    let issued = house.issue(client, 7).await;
    let claim = claim_body(7, &issued.challenge_id);
    assert_eq!(witness.post(client, "resend", &claim).await, "429 too-early");
    for (wait, key) in [(30, "first"), (60, "second")] {
        witness.settled(client, &issued).await;
        house.clock.advance(Duration::from_secs(wait));
        assert_eq!(witness.post_twice(client, "resend", key, &claim).await, "202");
    }
    assert_eq!(witness.post(client, "resend", &claim).await, "422 not-resent:no_resend_left");
    let mut other = claim.clone();
    other["transaction"]["reference"] = "TRX-000124".into();
    let reply = client.post_with_key("resend", "first", &other).await;
    assert_eq!(witness.saw("resend", &reply), "422 idempotency-key-reused");
    witness.settled(client, &issued).await;
    house.clock.advance(Duration::from_secs(90));
    assert_eq!(witness.post(client, "verify", &issued.body()).await, "422 not-approved:expired");
    assert_eq!(witness.post(client, "resend", &claim).await, "422 not-resent:expired");
    assert_eq!(witness.post(client, "cancel", &claim).await, "422 not-cancelled:expired");
}

/// A lock that only the branch ends, and a day's messages used up.
async fn disabled_and_used_up(witness: &mut Witness<'_>) {
    let plan = Plan::default()
        .with_manual_clock()
        .with("challenge.sends_per_day", 1)
        .with("lockout.failures_to_disable", 1)
        .with("smsc.enquire_link_timer", "10m");
    let house = House::with(plan).await;
    let mut client = house.client().await;
    let issued = house.issue(&mut client, 0).await;
    let claim = claim_body(0, &issued.challenge_id);
    assert_eq!(witness.post(&mut client, "generate", &generate_body(0)).await, "429 sends-used-up");
    witness.settled(&mut client, &issued).await;
    house.clock.advance(Duration::from_secs(30));
    assert_eq!(witness.post(&mut client, "resend", &claim).await, "429 sends-used-up");
    let locked = client.post("verify", &issued.wrong_body()).await;
    assert_eq!(witness.saw("verify", &locked), "422 not-approved:locked");
    assert!(locked.json().get("detail").is_some() && !locked.headers.contains_key("retry-after"));
    assert_eq!(witness.post(&mut client, "resend", &claim).await, "422 not-resent:locked");
    assert_eq!(witness.post(&mut client, "generate", &generate_body(0)).await, "422 not-issued:locked");
}

/// Bodies that do not come to their end; the shortest timeout is waited for, for all of them at once.
async fn slow_bodies(witness: &mut Witness<'_>) {
    let house = House::with(Plan::default().with("api.body_timeout", "1s")).await;
    let mut streams = Vec::new();
    for call in POSTS {
        let mut stream = TcpStream::connect(house.app().api_addr()).await.expect("a connection");
        let head = format!(
            "POST /v1/otp/{call} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {CORE_KEY}\r\n\
             content-type: application/json\r\ncontent-length: 100\r\nconnection: close\r\n\r\n{{"
        );
        stream.write_all(head.as_bytes()).await.expect("written");
        streams.push((call, stream));
    }
    for (call, mut stream) in streams {
        let mut bytes = Vec::new();
        within(stream.read_to_end(&mut bytes), "the body's timeout").await.expect("a reply");
        assert_eq!(witness.saw(call, &parse(&bytes)), "408 body-timeout");
    }
}

/// A reply as it came from the socket.
fn parse(bytes: &[u8]) -> Reply {
    let text = std::str::from_utf8(bytes).expect("UTF-8");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status");
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        headers.insert(name, HeaderValue::from_str(value).expect("a value"));
    }
    let status = StatusCode::from_bytes(status.as_bytes()).expect("a status");
    Reply { status, headers, body: body.to_owned().into() }
}

async fn full_outbox(witness: &mut Witness<'_>) {
    // The first SMS is never answered, so that the outbox stays full, once the link has taken what it can.
    let plan = Plan::default().with_behavior(Behavior::default().with_latency(Duration::from_secs(3600)));
    let house = House::with(plan.with("outbox.items_max", 1).with("smsc.window", 1)).await;
    let mut client = house.client().await;
    let claim = claim_body(0, &"0".repeat(32));
    let full = "503 unavailable:outbox_full";
    for user in 0..SUBSCRIBERS - 1 {
        let generated = witness.post(&mut client, "generate", &generate_body(user)).await;
        let resent = witness.post(&mut client, "resend", &claim).await;
        if generated == full && resent == full {
            return;
        }
    }
    panic!("the outbox never filled");
}

async fn full_store(witness: &mut Witness<'_>) {
    let mut house = House::with(Plan::default().with("store.live_bytes_max", 1_048_576)).await;
    house.drain().await;
    house.sandbox.write_subscribers(on_sms_otp(1_000)).expect("a file");
    house.start().await;
    let mut client = house.client().await;
    let mut reply = client.post("generate", &generate_body(0)).await;
    for send in 0..10_000 {
        if reply.status != StatusCode::CREATED {
            break;
        }
        reply = client.post_with_key("generate", &format!("key-{send}"), &generate_body(send % 1_000)).await;
    }
    assert_eq!(witness.saw("generate", &reply), "503 unavailable:store_full");
}

/// An SMSC that refuses everything to the network of all numbers for now.
async fn destination_failing(witness: &mut Witness<'_>) {
    let behavior = Behavior::from_toml("[submit]\nstatus = \"ESME_RTHROTTLED\"").expect("a behaviour");
    let plan = Plan::default().with_behavior(behavior).with("challenge.sends_per_day", 100);
    let house = House::with(plan.with("outbox.items_max", 4).with("smsc.window", 4)).await;
    let mut client = house.client().await;
    let claim = claim_body(0, &"0".repeat(32));
    let failing = "503 unavailable:destination_failing";
    let refused = async {
        for user in (0..SUBSCRIBERS - 1).cycle() {
            let generated = witness.post(&mut client, "generate", &generate_body(user)).await;
            let resent = witness.post(&mut client, "resend", &claim).await;
            if generated == failing && resent == failing {
                return;
            }
        }
    };
    within(refused, "the destination's share of the outbox to be used up").await;
}

/// An SMSC that answers nothing in time.
async fn smsc_failing(witness: &mut Witness<'_>, house: &House, client: &mut Client) {
    house.simulator.set_latency(Duration::from_secs(60));
    for user in 40..45 {
        assert_eq!(client.post("generate", &generate_body(user)).await.status, StatusCode::CREATED);
    }
    wait_for_metric(house, "otpgw_sms_in_flight 5").await;
    house.clock.advance(Duration::from_secs(10));
    wait_for_metric(house, "otpgw_sms_smsc_circuit_open{smsc=\"main\"} 1").await;
    let claim = claim_body(8, &"0".repeat(32));
    assert_eq!(witness.post(client, "generate", &generate_body(8)).await, "503 unavailable:smsc_failing");
    assert_eq!(witness.post(client, "resend", &claim).await, "503 unavailable:smsc_failing");
}

/// Waits until the metrics have this line, advancing the clock by a millisecond at a time.
async fn wait_for_metric(house: &House, line: &str) {
    let seen = async {
        while !house.metrics().await.lines().any(|found| found == line) {
            house.clock.advance(Duration::from_millis(1));
        }
    };
    within(seen, line).await;
}

async fn no_link(witness: &mut Witness<'_>, house: House, mut client: Client) {
    let House { simulator, app, clock, .. } = house;
    simulator.stop().await;
    let app = app.expect("the gateway runs");
    let admin = app.admin_addr();
    wait_until_ready(admin, false).await;
    clock.advance(Duration::from_secs(5));
    let claim = claim_body(8, &"0".repeat(32));
    assert_eq!(witness.post(&mut client, "generate", &generate_body(8)).await, "503 unavailable:no_link");
    assert_eq!(witness.post(&mut client, "resend", &claim).await, "503 unavailable:no_link");
    blocking(move || app.drain()).await;
}

#[test]
fn every_object_is_closed_and_the_version_is_ours() {
    let document = Document::read();
    let mut open = Vec::new();
    open_objects(document.at("/components/schemas"), "", &mut open);
    assert_eq!(open, Vec::<String>::new());
    assert_eq!(document.at("/info/version"), env!("CARGO_PKG_VERSION"));
}

#[test]
fn a_reply_that_is_not_as_documented_is_found() {
    let document = Document::read();
    let reply = |status: u16, header: (&'static str, &'static str), body: Value| {
        let mut headers = HeaderMap::new();
        let problem = if status < 400 { "application/json" } else { "application/problem+json" };
        headers.insert("content-type", HeaderValue::from_static(problem));
        headers.insert("cache-control", HeaderValue::from_static("no-store"));
        headers.insert("x-request-id", HeaderValue::from_static("core-1"));
        headers.insert(header.0, HeaderValue::from_static(header.1));
        let status = StatusCode::from_u16(status).expect("a status");
        Reply { status, headers, body: body.to_string().into() }
    };
    let base = "https://otp-gateway.example/problems";
    let approved = json!({"verdict": "approved", "challenge_id": "0".repeat(32),
                          "approved_at": "2026-11-22T09:12:41Z"});
    let with = |field: &str, value: Value| {
        let mut body = approved.clone();
        body[field] = value;
        body
    };
    let refused = json!({"type": format!("{base}/not-approved"), "title": "The transaction is not confirmed",
                         "status": 422, "verdict": "incorrect", "attempts_left": 2});
    let mut locked = refused.clone();
    locked["verdict"] = "locked".into();
    let malformed = json!({"type": format!("{base}/malformed-request"), "status": 400, "field": "/code",
                           "title": "The request is not as documented", "detail": "a string", "line": 1});
    let mut retitled = refused.clone();
    retitled["title"] = "It is not".into();
    let replies = [
        reply(200, ("x-other", "1"), approved.clone()),
        reply(200, ("date", "now"), with("code", json!("482913"))),
        reply(200, ("date", "now"), with("verdict", json!("fine"))),
        reply(200, ("content-type", "text/plain"), approved.clone()),
        reply(200, ("cache-control", "private"), approved.clone()),
        reply(200, ("x-request-id", "core 1"), approved.clone()),
        reply(202, ("date", "now"), approved.clone()),
        reply(200, ("connection", "close"), approved.clone()),
        reply(400, ("date", "now"), malformed),
        reply(422, ("date", "now"), locked),
        reply(422, ("date", "now"), retitled),
        reply(422, ("retry-after", "7"), refused.clone()),
    ];
    assert_eq!(document.check("verify", &reply(200, ("date", "now"), approved)).2, "");
    assert_eq!(document.check("verify", &reply(422, ("date", "now"), refused)).2, "not-approved:incorrect");
    for (index, reply) in replies.iter().enumerate() {
        let checked =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| document.check("verify", reply)));
        assert!(checked.is_err(), "reply {index} was let through");
    }
}
