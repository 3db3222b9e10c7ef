//! Abuse cases 36 to 38: what leaves the process. A binary of its own, since the log of every level
//! is caught for the whole process.

#[path = "it/support.rs"]
#[expect(dead_code, reason = "shared with the other integration binary, which uses more of it")]
mod support;

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use support::client::Client;
use support::house::{House, Plan};
use support::payment::{Issued, claim_body, generate_body, phone, verify_body};

/// Everything that was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no writer panics").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Log {
    fn start() -> Self {
        let log = Self::default();
        tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new("trace"))
            .with_ansi(false)
            .with_writer(log.clone())
            .init();
        log
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("no writer panics")).into_owned()
    }
}

/// Path, headers and body of a request.
type Request = (String, Vec<(&'static str, String)>, String);

/// Requests that are wrong in every place, each with the code somewhere in it.
fn malformed(issued: &Issued) -> Vec<Request> {
    let code = &issued.code;
    let verify = "/v1/otp/verify".to_owned();
    let right = issued.body().to_string();
    let mut unknown_field = issued.body();
    unknown_field[code.as_str()] = json!(1);
    let mut wrong_type = issued.body();
    wrong_type["code"] = json!([code]);
    let mut number = issued.body();
    number["code"] = json!(code.parse::<u64>().expect("ten digits"));
    let in_field = |field: &str| {
        let mut body = issued.body();
        body[field] = json!(code);
        body.to_string()
    };
    let mut bodies = vec![
        unknown_field.to_string(),
        wrong_type.to_string(),
        number.to_string(),
        format!("{right} {code}"),
        right[..right.len() - 2].to_owned(),
        format!("{{\"code\":\"{code}\",,}}"),
        format!("\u{feff}{right}"),
        right.replace("\"code\"", &format!("\"code\":\"{code}\",\"code\"")),
        format!("{code}\0{code}"),
        code.repeat(2_000),
    ];
    bodies.extend(["subscriber", "challenge_id", "purpose", "transaction"].map(in_field));
    let mut requests: Vec<_> = bodies.into_iter().map(|body| (verify.clone(), vec![], body)).collect();
    requests.push((format!("/v1/otp/{code}"), vec![], right.clone()));
    requests.push((format!("/v1/otp/verify?code={code}"), vec![], right.clone()));
    requests.push((verify.clone(), vec![("idempotency-key", code.repeat(7))], right.clone()));
    requests.push((verify.clone(), vec![("content-type", format!("text/{code}"))], right.clone()));
    requests.push((verify, vec![("x-code", code.clone())], format!("{right}x")));
    requests
}

/// One subscriber's calls, good and bad; every reply is kept.
async fn use_everything(client: &mut Client, issued: &Issued, replies: &mut Vec<String>) {
    for (path, headers, body) in malformed(issued) {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let reply = client.send("POST", &path, &headers, body).await;
        assert!(reply.status.is_client_error(), "{path}: {}", reply.text());
        replies.push(format!("{:?} {}", reply.headers, reply.text()));
    }
    let mut changed: Value = issued.body();
    changed["subscriber"]["user_id"] = json!("USER098");
    for (call, body) in [
        ("verify", issued.wrong_body()),
        ("verify", changed),
        ("verify", verify_body(issued.user, &"0".repeat(32), &issued.code)),
        ("resend", claim_body(issued.user, &issued.challenge_id)),
        ("verify", issued.body()),
        ("verify", issued.body()),
        ("cancel", claim_body(issued.user, &issued.challenge_id)),
        ("generate", generate_body(99)),
    ] {
        // What is no name for a request is neither logged nor sent back.
        let key = format!("key-{call}-{}", replies.len());
        let headers = [("idempotency-key", key.as_str()), ("x-request-id", issued.code.as_str())];
        let reply = client.send("POST", &format!("/v1/otp/{call}"), &headers, body.to_string()).await;
        replies.push(format!("{:?} {}", reply.headers, reply.text()));
    }
    replies.push(client.get(&issued.path()).await.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_36_to_38_no_code_and_no_phone_leaves_but_in_the_sms() {
    let log = Log::start();
    let house = House::with(Plan::default().with("codes.length", 10).with("codes.long_length", 10)).await;
    let mut client = house.client().await;
    let (mut codes, mut replies) = (Vec::new(), Vec::new());
    for user in 0..30 {
        let issued = house.issue(&mut client, user).await;
        assert_eq!(issued.code.len(), 10);
        use_everything(&mut client, &issued, &mut replies).await;
        codes.push(issued.code);
        // A body that is too large ends its connection.
        client = house.client().await;
    }
    replies.push(house.metrics().await);
    let mut house = house;
    house.drain().await;
    house.simulator.stop().await;
    let log = log.text();
    assert!(log.contains("TRACE") && log.contains("DEBUG"), "the log was not caught");
    for (user, code) in codes.iter().enumerate() {
        for (place, text) in [("the log", &log), ("a reply or the metrics", &replies.join("\n"))] {
            for secret in [code, &phone(user)] {
                let found = text.lines().find(|line| line.contains(secret.as_str()));
                assert_eq!(found, None, "in {place}");
            }
        }
    }
}
