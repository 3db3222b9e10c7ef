//! The bank against the real gateway and simulator, over HTTP, as the page calls it.

mod attacks;

use std::collections::HashSet;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, Response};
use futures_util::StreamExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use smsc_simulator::Behavior;
use smsc_simulator::inbox::Cursor;
use tokio::net::TcpStream;

use super::*;
use crate::sample::{Authenticator, User};

/// A safety net: an SMS arrives within milliseconds.
const WAIT_MAX: Duration = Duration::from_secs(20);
const ANY: Options = Options {
    gateway_port: 0,
    admin_port: 0,
    smpp_port: 0,
    simulator_port: 0,
    bank_port: 0,
    ttl_seconds: 180,
    resend_after_seconds: 30,
};

async fn start() -> Demo {
    Demo::start(&ANY).await.unwrap()
}

async fn send(request: Request<Body>) -> Response<Body> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    client.request(request).await.unwrap().map(Body::new)
}

fn request(demo: &Demo, method: &str, path: &str, body: &str) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(format!("http://{}{path}", demo.bank_addr))
        .header("content-type", "application/json")
        .body(body.to_owned().into())
        .unwrap()
}

async fn body(response: Response<Body>) -> Vec<u8> {
    to_bytes(response.into_body(), usize::MAX).await.unwrap().into()
}

async fn status(demo: &Demo, method: &str, path: &str, body: &str) -> u16 {
    send(request(demo, method, path, body)).await.status().as_u16()
}

async fn text(demo: &Demo, path: &str) -> String {
    let response = send(request(demo, "GET", path, "")).await;
    String::from_utf8(body(response).await).unwrap()
}

async fn call(demo: &Demo, method: &str, path: &str, form: Value) -> Value {
    let response = send(request(demo, method, path, &form.to_string())).await;
    assert_eq!(response.status(), 200, "{method} {path}");
    serde_json::from_slice(&body(response).await).unwrap()
}

fn details(amount: &str) -> Value {
    json!({
        "reference": "INV-2026-0117", "amount": amount,
        "beneficiary_account": "8800123456", "beneficiary_name": "PT Sumber Makmur Contoh",
    })
}

/// A user who pays, one payment at a time.
struct Payer<'a> {
    demo: &'a Demo,
    corporate_id: &'static str,
    user: User,
    payment: String,
    /// After the messages that were read.
    read: Cursor,
}

impl<'a> Payer<'a> {
    /// The user in this place among all, with a payment of Rp 12,500,000.
    async fn new(demo: &'a Demo, company: usize, user: usize) -> Self {
        let company = &demo.companies[company];
        let user = company.users[user].clone();
        let body = json!({"corporate_id": company.corporate_id, "user_id": user.user_id, "details": details("12500000")});
        let saved = call(demo, "POST", "/api/payments", body).await;
        assert_eq!(saved["outcome"], "saved");
        let payment = saved["payment_id"].as_str().unwrap().to_owned();
        Self { demo, corporate_id: company.corporate_id, user, payment, read: Cursor::START }
    }

    async fn act(&self, act: &str, body: Value) -> Value {
        call(self.demo, "POST", &format!("/api/payments/{}/{act}", self.payment), body).await
    }

    async fn change(&self, amount: &str) -> Value {
        call(self.demo, "PUT", &format!("/api/payments/{}", self.payment), details(amount)).await
    }

    /// The payment as the bank keeps it.
    async fn kept(&self) -> Value {
        let path = format!("/api/payments/{}", self.payment);
        serde_json::from_str(&text(self.demo, &path).await).unwrap()
    }

    /// The same, as soon as its challenge is so.
    async fn kept_once(&self, so: impl Fn(&Value) -> bool) -> Value {
        let look = async {
            loop {
                let kept = self.kept().await;
                if so(&kept["challenge"]) {
                    return kept;
                }
                clock::pause(BIND_LOOK).await;
            }
        };
        clock::within(WAIT_MAX, look).await.expect("the challenge gets there")
    }

    async fn generate(&self) -> Value {
        self.act("otp", json!({"locale": "id"})).await
    }

    async fn confirm(&self, code: &str) -> Value {
        self.act("confirm", json!({ "code": code })).await
    }

    /// The code of the next SMS on this user's handset.
    async fn code(&mut self) -> String {
        let inbox = self.demo.simulator.inbox();
        let message = inbox.wait_for(&self.user.phone, self.read, WAIT_MAX).await.expect("an SMS arrives");
        self.read = message.cursor();
        let code = message.text().rsplit('#').next().unwrap().to_owned();
        assert_eq!(code.len(), 6, "{}", message.text().replace(&code, "…"));
        code
    }
}

fn another(code: &str) -> &'static str {
    if code == "000000" { "000001" } else { "000000" }
}

#[tokio::test]
async fn a_payment_is_confirmed_with_the_code_of_its_sms_and_only_once() {
    let demo = start().await;
    let mut payer = Payer::new(&demo, 0, 0).await;
    let sent = payer.generate().await;
    assert_eq!(
        (&sent["outcome"], &sent["code_length"], &sent["attempts_left"]),
        (&json!("sent"), &json!(6), &json!(3))
    );
    let code = payer.code().await;
    let wrong = payer.confirm(another(&code)).await;
    assert_eq!(wrong, json!({"outcome": "incorrect", "attempts_left": 2}));
    let approved = payer.confirm(&code).await;
    assert_eq!(
        (&approved["outcome"], &approved["receipt"]["amount"]),
        (&json!("approved"), &json!("12500000"))
    );
    assert_eq!(payer.confirm(&code).await["outcome"], "already_used");
    assert_eq!(payer.change("13500000").await["outcome"], "already_confirmed");
    assert_eq!(payer.generate().await["outcome"], "already_confirmed");
    demo.stop().await.unwrap();
}

#[tokio::test]
async fn many_presses_at_a_time_make_one_payment() {
    let demo = start().await;
    let mut payer = Payer::new(&demo, 0, 1).await;
    payer.generate().await;
    let code = payer.code().await;
    let mut receipts = HashSet::new();
    let press = || payer.confirm(&code);
    let (a, b, c, d) = tokio::join!(press(), press(), press(), press());
    for outcome in [a, b, c, d] {
        match outcome["outcome"].as_str().unwrap() {
            "approved" => drop(receipts.insert(outcome["receipt"].to_string())),
            refused => assert_eq!(refused, "already_used"),
        }
    }
    assert_eq!(receipts.len(), 1);
    demo.stop().await.unwrap();
}

#[tokio::test]
async fn a_changed_amount_is_refused_and_voids_the_code() {
    let demo = start().await;
    let mut payer = Payer::new(&demo, 1, 0).await;
    payer.generate().await;
    let code = payer.code().await;
    assert_eq!(payer.change("13500000").await["outcome"], "saved");
    assert_eq!(payer.confirm(&code).await["outcome"], "transaction_changed");
    payer.change("12500000").await;
    assert_eq!(payer.confirm(&code).await["outcome"], "transaction_changed");
    assert_eq!(payer.generate().await["outcome"], "sent");
    let code = payer.code().await;
    assert_eq!(payer.confirm(&code).await["outcome"], "approved");
    demo.stop().await.unwrap();
}

#[tokio::test]
async fn wrong_codes_use_up_the_code_and_then_lock_the_user() {
    let demo = start().await;
    let mut payer = Payer::new(&demo, 2, 0).await;
    let mut outcomes = Vec::new();
    for _ in 0..2 {
        payer.generate().await;
        let code = payer.code().await;
        for _ in 0..3 {
            outcomes.push(payer.confirm(another(&code)).await);
        }
    }
    let names: Vec<&str> = outcomes.iter().map(|outcome| outcome["outcome"].as_str().unwrap()).collect();
    assert_eq!(names, ["incorrect", "incorrect", "attempts_exhausted", "incorrect", "locked", "locked"]);
    let locked = payer.generate().await;
    assert_eq!(locked["outcome"], "locked");
    assert!((1..=900).contains(&locked["retry_after_seconds"].as_u64().unwrap()), "{locked}");
    let lock = &payer.kept().await["lock"];
    assert_eq!(lock["kind"], "temporary");
    assert!((880_000..=900_000).contains(&lock["left_ms"].as_u64().unwrap()), "{lock}");
    demo.stop().await.unwrap();
}

#[tokio::test]
async fn a_code_is_not_sent_again_too_soon_and_can_be_cancelled() {
    let demo = start().await;
    let mut payer = Payer::new(&demo, 3, 0).await;
    assert_eq!(payer.act("resend", json!({})).await["outcome"], "unknown_challenge");
    payer.generate().await;
    let code = payer.code().await;
    let too_soon = payer.act("resend", json!({})).await;
    assert_eq!(too_soon["outcome"], "too_soon");
    assert!((1..=30).contains(&too_soon["retry_after_seconds"].as_u64().unwrap()), "{too_soon}");
    assert_eq!(payer.act("cancel", json!({})).await["outcome"], "cancelled");
    assert_eq!(payer.confirm(&code).await["outcome"], "cancelled");
    demo.stop().await.unwrap();
}

#[tokio::test]
async fn the_days_messages_are_limited() {
    let demo = start().await;
    let payer = Payer::new(&demo, 4, 0).await;
    for _ in 0..10 {
        assert_eq!(payer.generate().await["outcome"], "sent");
    }
    let limited = payer.generate().await;
    assert_eq!(limited["outcome"], "daily_limit");
    assert!(limited["retry_after_seconds"].as_u64().unwrap() > 86_000, "{limited}");
    demo.stop().await.unwrap();
}

#[tokio::test]
async fn a_user_with_a_hard_token_gets_no_code() {
    let demo = start().await;
    let users = &demo.companies[0].users;
    let token = users.iter().position(|user| user.authenticator == Authenticator::HardToken).unwrap();
    let payer = Payer::new(&demo, 0, token).await;
    assert_eq!(payer.generate().await, json!({"outcome": "not_on_sms_otp"}));
    demo.stop().await.unwrap();
}

#[tokio::test]
async fn the_handset_streams_only_the_messages_of_its_own_number() {
    let demo = start().await;
    let (other, payer) = (Payer::new(&demo, 5, 0).await, Payer::new(&demo, 5, 1).await);
    let path = format!("/api/handset?corporate_id={}&user_id={}", payer.corporate_id, payer.user.user_id);
    let response = send(request(&demo, "GET", &path, "")).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut stream = response.into_body().into_data_stream();
    other.generate().await;
    let reference = payer.generate().await["sms_reference"].as_str().unwrap().to_owned();
    let mut seen = String::new();
    while !seen.contains(&reference) {
        let piece = clock::within(WAIT_MAX, stream.next()).await.expect("the SMS arrives");
        seen.push_str(str::from_utf8(&piece.unwrap().unwrap()).unwrap());
    }
    assert_eq!(seen.matches("data: ").count(), 1, "another number's message arrived");
    assert_eq!(status(&demo, "GET", "/api/handset?corporate_id=NUSA01&user_id=nobody", "").await, 404);
    // A page that is open does not keep the bank from stopping.
    demo.stop().await.unwrap();
}

#[tokio::test]
async fn what_the_page_does_not_send_is_refused_and_changes_nothing() {
    let demo = start().await;
    let payer = Payer::new(&demo, 6, 0).await;
    let confirm = format!("/api/payments/{}/confirm", payer.payment);
    for (method, path, body, expected) in [
        ("POST", "/api/payments", "{", 400),
        ("POST", "/api/payments", r#"{"corporate_id":"NUSA01"}"#, 400),
        ("POST", confirm.as_str(), r#"{"code":"123456","extra":1}"#, 400),
        ("POST", confirm.as_str(), r#"{"code":123456}"#, 400),
        ("POST", confirm.as_str(), &format!(r#"{{"code":"{}"}}"#, "1".repeat(5_000)), 413),
        ("GET", "/api/payments", "", 405),
        ("DELETE", confirm.as_str(), "{}", 405),
        ("POST", "/", "{}", 405),
        ("GET", "/api/nothing", "", 404),
        ("GET", "/../Cargo.toml", "", 404),
        ("GET", "/api/payments/x/otp/y", "", 404),
    ] {
        assert_eq!(status(&demo, method, path, body).await, expected, "{method} {path} {body:.40}");
    }
    assert_eq!(payer.confirm("123456").await["outcome"], "unknown_challenge");
    payer.generate().await;
    for code in ["", "12345a", "１２３４５６", "12345678901", "12 456"] {
        assert_eq!(payer.confirm(code).await["outcome"], "invalid_code", "{code:?}");
    }
    let nobody = json!({"corporate_id": "NUSA01", "user_id": "nobody", "details": details("1")});
    assert_eq!(call(&demo, "POST", "/api/payments", nobody).await["outcome"], "unknown_subscriber");
    let gone = call(&demo, "POST", "/api/payments/0000/otp", json!({"locale": "en"})).await;
    assert_eq!(gone["outcome"], "not_found");
    let zero = call(&demo, "PUT", &format!("/api/payments/{}", payer.payment), details("0")).await;
    assert_eq!(zero, json!({"outcome": "invalid", "field": "amount"}));
    demo.stop().await.unwrap();
}

#[tokio::test]
async fn every_reply_is_protected_and_none_shows_the_key_or_a_whole_number() {
    let demo = start().await;
    let phone = demo.companies[0].users[0].phone.clone();
    let assets = crate::web::ASSETS.iter().map(|(path, _)| *path);
    for path in assets.chain(["/api/companies"]) {
        let response = send(request(&demo, "GET", path, "")).await;
        assert_eq!(response.status(), 200, "{path}");
        let policy = response.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'self';") && !policy.contains("unsafe"), "{path}: {policy}");
        assert!(!response.headers().keys().any(|name| name.as_str().starts_with("access-control")), "{path}");
        let body = text(&demo, path).await;
        assert!(!body.contains(&demo.secrets.api_key) && !body.contains(&phone), "{path}");
    }
    let mut foreign = request(&demo, "GET", "/api/companies", "");
    foreign.headers_mut().insert("host", "evil.example".parse().unwrap());
    assert_eq!(send(foreign).await.status(), 421);
    let mut cross = request(&demo, "POST", "/api/payments", "{}");
    cross.headers_mut().insert("origin", "http://evil.example".parse().unwrap());
    assert_eq!(send(cross).await.status(), 403);
    demo.stop().await.unwrap();
}

#[tokio::test]
async fn a_port_in_use_is_named_with_its_option() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    for (option, options) in [
        ("--gateway-port", Options { gateway_port: port, ..ANY }),
        ("--admin-port", Options { admin_port: port, ..ANY }),
        ("--smpp-port", Options { smpp_port: port, ..ANY }),
        ("--simulator-port", Options { simulator_port: port, ..ANY }),
        ("--bank-port", Options { bank_port: port, ..ANY }),
    ] {
        let Err(error) = Demo::start(&options).await else { panic!("{option}: started on a port in use") };
        let message = error.to_string();
        assert!(message.contains(&port.to_string()) && message.contains(option), "{message}");
    }
}

#[tokio::test]
async fn stopping_closes_every_port_and_removes_the_files() {
    let demo = start().await;
    let folder = demo.sandbox.configuration();
    let ports = [
        demo.bank_addr,
        demo.app.api_addr(),
        demo.app.admin_addr(),
        demo.simulator.smpp_addr(),
        demo.simulator.web_addr(),
    ];
    demo.stop().await.unwrap();
    assert!(!folder.exists());
    for port in ports {
        assert!(TcpStream::connect(port).await.is_err(), "{port}");
    }
}

#[tokio::test]
async fn a_page_that_is_loaded_anew_finds_its_payment_its_code_and_what_became_of_the_sms() {
    let demo = start().await;
    let mut payer = Payer::new(&demo, 7, 0).await;
    assert_eq!(payer.kept().await["challenge"], Value::Null);
    payer.generate().await;
    let code = payer.code().await;
    let kept = payer.kept_once(|challenge| challenge["delivery"] == "delivered").await;
    assert_eq!((&kept["outcome"], &kept["user_id"]), (&json!("kept"), &json!(payer.user.user_id)));
    assert_eq!(kept["details"]["amount"], "12500000");
    let challenge = &kept["challenge"];
    assert_eq!((&challenge["state"], &challenge["attempts_left_now"]), (&json!("open"), &json!(3)));
    assert!((170_000..=180_000).contains(&challenge["left_ms"].as_u64().unwrap()), "{challenge}");
    payer.change("13500000").await;
    let kept = payer.kept().await;
    assert_eq!(kept["details"]["amount"], "13500000");
    assert_eq!(kept["challenge"]["details"]["amount"], "12500000", "what the code is for is forgotten");
    payer.change("12500000").await;
    let approved = payer.confirm(&code).await;
    let kept = payer.kept().await;
    assert_eq!((&kept["receipt"], &kept["challenge"]["state"]), (&approved["receipt"], &json!("approved")));
    demo.stop().await.unwrap();
}

#[tokio::test]
async fn an_sms_that_the_operator_could_not_deliver_may_be_sent_again_at_once() {
    let demo = start().await;
    let undeliverable = Behavior::from_toml("receipts.states = [\"UNDELIV\"]").unwrap();
    demo.simulator.set_behavior(undeliverable);
    let payer = Payer::new(&demo, 8, 0).await;
    payer.generate().await;
    let kept = payer.kept_once(|challenge| challenge["delivery"] == "undelivered").await;
    assert_eq!(kept["challenge"]["resend_in_ms"], 0);
    demo.simulator.set_behavior(Behavior::default());
    assert_eq!(payer.act("resend", json!({})).await["outcome"], "resent");
    let kept = payer.kept_once(|challenge| challenge["delivery"] == "delivered").await;
    assert!(kept["challenge"]["resend_in_ms"].as_u64().unwrap() > 50_000, "{kept}");
    demo.stop().await.unwrap();
}

#[tokio::test]
async fn each_message_has_its_address_at_the_simulators_wall() {
    let demo = start().await;
    let mut payer = Payer::new(&demo, 9, 0).await;
    payer.generate().await;
    payer.code().await;
    let path = format!("/api/handset?corporate_id={}&user_id={}", payer.corporate_id, payer.user.user_id);
    let mut stream = send(request(&demo, "GET", &path, "")).await.into_body().into_data_stream();
    let mut seen = String::new();
    while !seen.contains("data: ") {
        let piece = clock::within(WAIT_MAX, stream.next()).await.expect("the SMS is there");
        seen.push_str(str::from_utf8(&piece.unwrap().unwrap()).unwrap());
    }
    let data = seen.split_once("data: ").unwrap().1.lines().next().unwrap();
    let message: Value = serde_json::from_str(data).unwrap();
    let wall = format!("http://{}/#/{}/", demo.simulator.web_addr(), payer.user.phone);
    assert_eq!(message["wall"].as_str().unwrap(), wall + message["id"].as_str().unwrap());
    demo.stop().await.unwrap();
}
