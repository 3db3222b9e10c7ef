//! The abuse cases of `tests/abuse.md` that need the API, by their number.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use smsc_simulator::Behavior;
use tokio::sync::{Barrier, Notify, watch};
use tokio::task::JoinSet;

use crate::support::client::{BATCH_KEY, CORE_KEY, Client, Reply};
use crate::support::house::{House, MASTER_KEY, Plan};
use crate::support::payment::{
    Issued, SUBSCRIBERS, challenge_path, claim_body, code_in, generate_body, phone, subscriber, verify_body,
    wrong,
};
use crate::support::within;

/// Sends the bodies to one call at once, each on a connection of its own, and returns the replies
/// in the order of the bodies.
async fn at_once(clients: Vec<Client>, call: &'static str, bodies: Vec<Value>) -> (Vec<Client>, Vec<Reply>) {
    at_once_with_key(clients, call, None, bodies).await
}

/// As [`at_once`], with one idempotency key for all of them.
async fn at_once_with_key(
    clients: Vec<Client>,
    call: &'static str,
    key: Option<&'static str>,
    bodies: Vec<Value>,
) -> (Vec<Client>, Vec<Reply>) {
    let barrier = Arc::new(Barrier::new(bodies.len()));
    let running: Vec<_> = clients
        .into_iter()
        .zip(bodies)
        .map(|(mut client, body)| {
            let barrier = Arc::clone(&barrier);
            tokio::spawn(async move {
                barrier.wait().await;
                let reply = match key {
                    Some(key) => client.post_with_key(call, key, &body).await,
                    None => client.post(call, &body).await,
                };
                (client, reply)
            })
        })
        .collect();
    let (mut clients, mut replies) = (Vec::new(), Vec::new());
    for task in running {
        let (client, reply) = task.await.expect("no client panics");
        clients.push(client);
        replies.push(reply);
    }
    (clients, replies)
}

async fn clients(house: &House, count: usize) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..count {
        clients.push(house.client().await);
    }
    clients
}

fn count(replies: &[Reply], verdict: &str) -> usize {
    replies.iter().filter(|reply| reply.json()["verdict"] == verdict).count()
}

/// A house whose subscribers may be sent so many codes that a test needs no other subscriber.
async fn generous_house() -> House {
    House::with(Plan::default().with("challenge.sends_per_day", 100)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_01_of_64_parallel_right_answers_one_is_approved_in_1000_rounds() {
    const ROUNDS: usize = 1_000;
    let house = generous_house().await;
    let mut client = house.client().await;
    let mut answering = clients(&house, 64).await;
    for round in 0..ROUNDS {
        let issued = house.issue(&mut client, round % 50).await;
        let (back, replies) = at_once(answering, "verify", vec![issued.body(); 64]).await;
        answering = back;
        assert_eq!((count(&replies, "approved"), count(&replies, "already_used")), (1, 63), "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_02_of_1000_parallel_wrong_answers_three_are_compared() {
    let house = House::new().await;
    let issued = house.issue(&mut house.client().await, 0).await;
    // As many connections as a process can have that may have a thousand files open, beside other tests.
    let mut answering = clients(&house, 250).await;
    let mut replies = Vec::new();
    for _ in 0..4 {
        let (back, of_these) = at_once(answering, "verify", vec![issued.wrong_body(); 250]).await;
        answering = back;
        replies.extend(of_these);
    }
    assert_eq!(count(&replies, "incorrect"), 2);
    // The third comparison answers as the 997 that are not compared any more.
    assert_eq!(count(&replies, "attempts_exhausted"), 998);
    let view = house.client().await.get(&issued.path()).await.json();
    assert_eq!(
        (view["attempts_left"].as_u64(), view["state"].as_str()),
        (Some(0), Some("attempts_exhausted"))
    );
    let next = house.issue(&mut house.client().await, 0).await;
    let mut client = house.client().await;
    assert_eq!(client.verdict(&next.wrong_body()).await, "incorrect", "the fourth failure of five");
    assert_eq!(client.verdict(&next.wrong_body()).await, "locked", "the fifth: three were counted before");
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_03_mixed_parallel_answers_never_exceed_the_limit_nor_approve_twice() {
    let house = generous_house().await;
    let mut client = house.client().await;
    let mut answering = clients(&house, 4).await;
    for round in 0..99 {
        let issued = house.issue(&mut client, round).await;
        let bodies = vec![issued.wrong_body(), issued.wrong_body(), issued.body(), issued.wrong_body()];
        let (back, replies) = at_once(answering, "verify", bodies).await;
        answering = back;
        let (approved, incorrect) = (count(&replies, "approved"), count(&replies, "incorrect"));
        assert!(approved <= 1 && incorrect <= 2, "round {round}: {approved} approved, {incorrect} incorrect");
        let compared = 3 - client.get(&issued.path()).await.json()["attempts_left"].as_u64().unwrap();
        assert!(approved + incorrect <= compared as usize && compared <= 3, "round {round}");
        assert_eq!(approved == 0, compared == 3 && count(&replies, "already_used") == 0, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_04_after_success_the_right_answer_is_refused_on_every_endpoint() {
    let house = House::new().await;
    let mut client = house.client().await;
    let issued = house.issue(&mut client, 0).await;
    assert_eq!(client.verdict(&issued.body()).await, "approved");
    assert_eq!(client.verdict(&issued.body()).await, "already_used");
    let claim = claim_body(0, &issued.challenge_id);
    for call in ["resend", "cancel"] {
        let reply = client.post(call, &claim).await;
        assert_eq!(
            (reply.status.as_u16(), reply.json()["verdict"].as_str()),
            (422, Some("already_used")),
            "{call}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_05_the_right_answer_racing_with_cancel_has_one_order() {
    let house = generous_house().await;
    let mut client = house.client().await;
    let (mut answering, mut cancelling) = (house.client().await, house.client().await);
    for round in 0..200 {
        let issued = house.issue(&mut client, round % 99).await;
        let (claim, body) = (claim_body(issued.user, &issued.challenge_id), issued.body());
        let (verdict, cancelled) = tokio::join!(answering.verdict(&body), cancelling.post("cancel", &claim));
        match (verdict.as_str(), cancelled.status.as_u16()) {
            ("approved", 422) => assert_eq!(cancelled.json()["verdict"], "already_used"),
            ("cancelled", 200) => {}
            other => panic!("round {round}: no order explains {other:?}"),
        }
        assert_eq!(
            client.verdict(&body).await,
            if verdict == "approved" { "already_used" } else { "cancelled" }
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_05_the_right_answer_racing_with_a_resend_has_one_order() {
    let plan = Plan::default().with_manual_clock().with("challenge.sends_per_day", 100);
    let house = House::with(plan.with("challenge.first_resend_after", "1s")).await;
    let mut client = house.client().await;
    let (mut answering, mut resending) = (house.client().await, house.client().await);
    for user in 0..99 {
        let issued = house.issue(&mut client, user).await;
        house.advance(Duration::from_secs(1)).await;
        let (claim, body) = (claim_body(user, &issued.challenge_id), issued.body());
        let (verdict, resent) = tokio::join!(answering.verdict(&body), resending.post("resend", &claim));
        // A resend changes neither code nor state, so either order approves.
        assert_eq!(verdict, "approved", "user {user}");
        match resent.status.as_u16() {
            202 => {}
            422 => assert_eq!(resent.json()["verdict"], "already_used"),
            other => panic!("user {user}: no order explains {other}"),
        }
        assert_eq!(client.verdict(&body).await, "already_used");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_05_the_right_answer_racing_with_a_lock_has_one_order() {
    let plan = Plan::default().with("challenge.sends_per_day", 100).with("lockout.failures", 1);
    let house = House::with(plan).await;
    let mut client = house.client().await;
    let (mut answering, mut guessing) = (house.client().await, house.client().await);
    for user in 0..99 {
        // Two challenges of one subscriber: a wrong answer to one locks the other.
        let (one, other) = (house.issue(&mut client, user).await, house.issue(&mut client, user).await);
        let (right, wrong) = (one.body(), other.wrong_body());
        let (verdict, guess) = tokio::join!(answering.verdict(&right), guessing.verdict(&wrong));
        assert_eq!(guess, "locked", "user {user}: the first failure locks");
        match verdict.as_str() {
            "approved" | "locked" => {}
            other => panic!("user {user}: no order explains {other}"),
        }
        assert_eq!(client.verdict(&right).await, "locked", "user {user}");
    }
}

/// Answers the challenges rightly, one after the other, the last of them once `expired` says that their time has run
/// out. Returns the replies, each with whether that was said before its call began.
async fn answer_around_expiry(
    mut client: Client,
    issued: Vec<Issued>,
    mut expired: watch::Receiver<bool>,
    answered: Arc<Notify>,
) -> Vec<(Issued, bool, Reply)> {
    let last = issued.len() - 1;
    let mut replies = Vec::new();
    for (index, issued) in issued.into_iter().enumerate() {
        if index == last {
            expired.wait_for(|expired| *expired).await.expect("the test goes on");
        }
        let late = *expired.borrow();
        let reply = client.post("verify", &issued.body()).await;
        answered.notify_one();
        replies.push((issued, late, reply));
    }
    replies
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_05_and_09_no_answer_is_approved_at_or_after_expiry() {
    const CLIENTS: usize = 8;
    let house = House::with_manual_clock().await;
    let mut client = house.client().await;
    for round in 0..9 {
        let (expired, answered) = (watch::Sender::new(false), Arc::new(Notify::new()));
        let mut challenges = Vec::new();
        for user in 0..CLIENTS * CLIENTS {
            challenges.push(house.issue(&mut client, user).await);
        }
        let expires_at = client.get(&challenges[0].path()).await.json()["expires_at"].clone();
        let expires_at = expires_at.as_str().expect("an instant");
        house.advance(Duration::from_millis(179_999)).await;
        let mut running = JoinSet::new();
        for (client, issued) in clients(&house, CLIENTS).await.into_iter().zip(challenges.chunks(CLIENTS)) {
            let (expired, answered) = (expired.subscribe(), Arc::clone(&answered));
            running.spawn(answer_around_expiry(client, issued.to_vec(), expired, answered));
        }
        // In the midst of the answers: the first has come, and the last ones are yet to begin.
        answered.notified().await;
        house.clock.advance(Duration::from_millis(1));
        expired.send_replace(true);
        let replies: Vec<_> = running.join_all().await.into_iter().flatten().collect();
        let mut approved = 0;
        for (issued, late, reply) in replies {
            let body = reply.json();
            let again = client.verdict(&issued.body()).await;
            if body["verdict"] == "approved" {
                assert!(!late, "round {round}: the call began at the expiry");
                assert!(
                    body["approved_at"].as_str() < Some(expires_at),
                    "round {round}: {body}, {expires_at}"
                );
                assert_eq!(again, "already_used", "round {round}");
                approved += 1;
            } else {
                assert_eq!(
                    (body["verdict"].as_str(), again.as_str()),
                    (Some("expired"), "expired"),
                    "round {round}"
                );
            }
        }
        assert!((1..=CLIENTS * (CLIENTS - 1)).contains(&approved), "round {round}: {approved} approved");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_10_to_12_nothing_but_success_gives_new_guesses() {
    let house = House::with_manual_clock().await;
    let mut client = house.client().await;
    let first = house.issue(&mut client, 0).await;
    for _ in 0..3 {
        client.verdict(&first.wrong_body()).await;
    }
    house.advance(Duration::from_secs(600)).await;
    let mut other = house.client().await;
    other.key = Some(BATCH_KEY);
    // Another client, connection and challenge, a resend and another locale: the same count.
    let second = house.issue(&mut other, 0).await;
    assert_eq!(other.verdict(&second.wrong_body()).await, "incorrect");
    house.advance(Duration::from_secs(30)).await;
    assert_eq!(client.post("resend", &claim_body(0, &second.challenge_id)).await.status.as_u16(), 202);
    let mut body = generate_body(0);
    body["locale"] = "en".into();
    assert_eq!(client.post("generate", &body).await.status.as_u16(), 201);
    let locked = client.post("verify", &second.wrong_body()).await;
    assert_eq!(locked.json()["verdict"], "locked");
    assert_eq!(locked.headers["retry-after"], "900");
    for client in [&mut client, &mut other] {
        let refused = client.post("generate", &generate_body(0)).await;
        assert_eq!(
            (refused.problem().as_str(), refused.json()["reason"].as_str()),
            ("not-issued", Some("locked"))
        );
    }
    // Abuse 19: somebody else is not locked, and their success unlocks nobody.
    let theirs = house.issue(&mut client, 1).await;
    assert_eq!(client.verdict(&theirs.body()).await, "approved");
    for client in [&mut client, &mut other] {
        assert_eq!(client.verdict(&second.body()).await, "locked");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_14_spellings_of_an_id_are_one_subscriber_or_a_400() {
    let house = House::new().await;
    let mut client = house.client().await;
    let issued = house.issue(&mut client, 7).await;
    let with_id = |user_id: &str| {
        let mut body = issued.body();
        body["subscriber"]["user_id"] = user_id.into();
        body
    };
    for spelling in ["USER007 ", " USER007", "ＵＳＥＲ007", "USER007\u{0}", "ÙSER007", ""] {
        let reply = client.post("verify", &with_id(spelling)).await;
        assert_eq!(
            (reply.status.as_u16(), reply.json()["field"].as_str()),
            (400, Some("/subscriber/user_id"))
        );
    }
    assert_eq!(client.verdict(&with_id("user007")).await, "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_15_a_code_in_another_form_is_a_400_and_no_attempt() {
    let house = House::new().await;
    let mut client = house.client().await;
    let issued = house.issue(&mut client, 0).await;
    let (code, number) = (issued.code.clone(), issued.code.parse::<u64>().unwrap());
    let forms = [
        json!([code]),
        json!([wrong(&code), code]),
        json!(number),
        json!("9".repeat(10_000)),
        json!(code.chars().map(|c| char::from_u32(c as u32 + 0xFEE0).unwrap()).collect::<String>()),
        json!(format!("+{code}")),
        json!(format!(" {code}")),
        Value::Null,
    ];
    for form in forms {
        let mut body = issued.body();
        body["code"] = form;
        let status = client.post("verify", &body).await.status.as_u16();
        assert!(matches!(status, 400 | 413), "{status}");
    }
    let twice = issued.body().to_string().replacen("\"code\"", &format!("\"code\":\"{code}\",\"code\""), 1);
    assert_eq!(client.send("POST", "/v1/otp/verify", &[], twice).await.status.as_u16(), 400);
    assert_eq!(client.get(&issued.path()).await.json()["attempts_left"], 3);
    assert_eq!(client.verdict(&issued.body()).await, "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_20_and_22_junk_neither_counts_nor_removes_a_pending_code() {
    let house = House::new().await;
    let mut client = house.client().await;
    let issued = house.issue(&mut client, 0).await;
    for _ in 0..50 {
        let junk = verify_body(0, &"ab".repeat(16), "000000");
        assert_eq!(client.verdict(&junk).await, "unknown_challenge");
    }
    assert_eq!(client.verdict(&issued.wrong_body()).await, "incorrect");
    assert_eq!(client.verdict(&issued.wrong_body()).await, "incorrect");
    assert_eq!(client.verdict(&issued.body()).await, "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_24_25_and_30_a_code_confirms_what_it_was_issued_for_and_nothing_else() {
    let house = generous_house().await;
    let mut client = house.client().await;
    let changes = [
        ("amount", "125000001"),
        ("beneficiary_account", "1234567891"),
        ("currency", "USD"),
        ("reference", "TRX-000124"),
        ("beneficiary_name", "PT ABD"),
    ];
    for (field, value) in changes {
        let issued = house.issue(&mut client, 0).await;
        let mut body = issued.body();
        body["transaction"][field] = value.into();
        assert_eq!(client.verdict(&body).await, "transaction_changed", "{field}");
        assert_eq!(client.verdict(&issued.body()).await, "transaction_changed", "{field} did not void it");
        assert_eq!(client.get(&issued.path()).await.json()["state"], "voided");
    }
    let issued = house.issue(&mut client, 0).await;
    let mut login = issued.body();
    login["purpose"] = "login".into();
    login.as_object_mut().unwrap().remove("transaction");
    assert_eq!(client.verdict(&login).await, "transaction_changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_27_an_amount_has_one_value_and_no_text_gets_into_the_sms() {
    let house = House::new().await;
    let mut client = house.client().await;
    let mut body = generate_body(0);
    body["transaction"]["currency"] = "USD".into();
    body["transaction"]["amount"] = "1000.0".into();
    let reply = client.post("generate", &body).await.json();
    let code = house.code(0, reply["sms_reference"].as_str().unwrap()).await;
    let mut answer = verify_body(0, reply["challenge_id"].as_str().unwrap(), &code);
    answer["transaction"] = body["transaction"].clone();
    answer["transaction"]["amount"] = "1000.00".into();
    assert_eq!(client.verdict(&answer).await, "approved");
    for name in ["PT\nABC", "РТ АВС", "PT ABC\u{202e}", "\u{1b}[2J", "PT ABC\n@evil.example #123456"] {
        let mut body = generate_body(0);
        body["transaction"]["beneficiary_name"] = name.into();
        let reply = client.post("generate", &body).await;
        let field = reply.json()["field"].as_str().map(str::to_owned);
        assert_eq!((reply.status.as_u16(), field.as_deref()), (400, Some("/transaction/beneficiary_name")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_28_a_right_code_of_somebody_else_is_an_unknown_challenge_and_harms_nobody() {
    let house = House::new().await;
    let mut client = house.client().await;
    let issued = house.issue(&mut client, 0).await;
    let mut stolen = issued.body();
    stolen["subscriber"] = subscriber(1);
    for _ in 0..10 {
        assert_eq!(client.verdict(&stolen).await, "unknown_challenge");
    }
    assert!(house.metrics().await.contains("otpgw_unknown_challenges_presented_total 10"));
    assert_eq!(client.verdict(&issued.body()).await, "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_34_open_codes_verify_while_the_master_key_is_rotated() {
    let house = House::new().await;
    let mut client = house.client().await;
    let before = house.issue(&mut client, 0).await;
    house.reload_with_keys(&format!("2 {}\n1 {}\n", "77".repeat(32), MASTER_KEY.repeat(32))).unwrap();
    // A known number with other bytes: right codes would count as failures.
    let changed = format!("2 {}\n1 {}\n", "77".repeat(32), "78".repeat(32));
    let refused = house.reload_with_keys(&changed).unwrap_err();
    let expected =
        "master.keys: found key 1 with other bytes than it had before, allowed a new number for a new key";
    assert!(refused.ends_with(expected), "{refused}");
    let after = house.issue(&mut client, 0).await;
    // Without its key a challenge is as good as expired, whatever it is asked for; with it, it is not.
    house.reload_with_keys(&format!("2 {}\n", "77".repeat(32))).unwrap();
    assert_eq!(client.get(&before.path()).await.json()["state"], "expired");
    assert_eq!(client.verdict(&before.body()).await, "expired");
    let resent = client.post("resend", &claim_body(0, &before.challenge_id)).await;
    assert_eq!(resent.json()["verdict"], "expired");
    house.reload_with_keys(&format!("2 {}\n1 {}\n", "77".repeat(32), MASTER_KEY.repeat(32))).unwrap();
    assert_eq!(client.get(&before.path()).await.json()["state"], "open");
    assert_eq!(client.verdict(&before.body()).await, "approved");
    assert_eq!(client.verdict(&after.body()).await, "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_38_a_query_is_not_looked_at() {
    let house = House::new().await;
    let mut client = house.client().await;
    let reply = client.send("POST", "/v1/otp/verify?code=123456", &[], "{}").await;
    assert_eq!(reply.status.as_u16(), 404);
    assert!(!reply.text().contains("123456"));
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_40_without_a_key_nothing_tells_subscribers_apart() {
    let house = House::new().await;
    let mut client = house.client().await;
    client.key = None;
    let mut replies = Vec::new();
    for user in [0, SUBSCRIBERS - 1, 5_000] {
        for call in ["generate", "verify", "no-such-call"] {
            let reply = client.post(call, &generate_body(user)).await;
            replies.push((reply.status.as_u16(), reply.text()));
        }
        let reply = client.get(&challenge_path(user, &"0".repeat(32))).await;
        replies.push((reply.status.as_u16(), reply.text()));
    }
    assert_eq!(replies[0].0, 401);
    assert!(replies.iter().all(|reply| *reply == replies[0]), "{replies:?}");
    // With the key, the reason is what differs, and nothing else.
    client.key = Some(CORE_KEY);
    let mut reasons = Vec::new();
    for user in [SUBSCRIBERS - 1, 5_000] {
        let mut refusal = client.post("generate", &generate_body(user)).await.json();
        reasons.push(refusal["reason"].take());
        assert_eq!(
            refusal,
            json!({"type": "https://otp-gateway.example/problems/not-issued", "reason": null,
            "title": "No code was issued", "status": 422})
        );
    }
    assert_eq!(reasons, ["not_on_sms_otp", "unknown_subscriber"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_49_the_validity_of_an_sms_is_at_most_what_is_left() {
    let house = House::new().await;
    let issued = house.issue(&mut house.client().await, 0).await;
    let message = house.messages(issued.user).pop().expect("its SMS");
    let validity = message.validity().expect("a validity").as_str().to_owned();
    let digits: u64 = validity.strip_suffix("000R").expect("a relative period").parse().unwrap();
    let (minutes, seconds) = (digits / 100 % 100, digits % 100);
    assert!(digits < 10_000 && minutes * 60 + seconds <= 180, "{validity}");
    assert!(minutes * 60 + seconds >= 150, "{validity}: it was sent at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_51_the_same_generate_100_times_is_one_challenge_one_sms_one_reply() {
    let house = House::new().await;
    let bodies = vec![generate_body(0); 100];
    let (_, replies) = at_once_with_key(clients(&house, 100).await, "generate", Some("key-1"), bodies).await;
    assert!(replies.iter().all(|reply| reply.status.as_u16() == 201 && reply.body == replies[0].body));
    assert_eq!(replies.iter().filter(|reply| !reply.replayed()).count(), 1);
    let mut client = house.client().await;
    let mut other = generate_body(0);
    other["transaction"]["amount"] = "1".into();
    let reused = client.post_with_key("generate", "key-1", &other).await;
    assert_eq!((reused.status.as_u16(), reused.problem().as_str()), (422, "idempotency-key-reused"));
    // One more, and once its SMS is there the SMS of all before it are, too.
    house.issue(&mut client, 0).await;
    assert_eq!(house.messages(0).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_52_a_verify_retried_with_its_key_gets_its_verdict_and_spends_nothing() {
    let house = House::new().await;
    let mut client = house.client().await;
    let issued = house.issue(&mut client, 0).await;
    for _ in 0..10 {
        let reply = client.post_with_key("verify", "wrong-1", &issued.wrong_body()).await;
        assert_eq!(
            (reply.json()["verdict"].as_str(), reply.json()["attempts_left"].as_u64()),
            (Some("incorrect"), Some(2))
        );
    }
    let other_code = client.post_with_key("verify", "wrong-1", &issued.body()).await;
    assert_eq!(other_code.problem(), "idempotency-key-reused");
    let verdicts = "otpgw_verdicts_total{verdict=\"incorrect\"} 1\n";
    assert!(house.metrics().await.contains(verdicts), "a replay is no verdict");
    let first = client.post_with_key("verify", "right-1", &issued.body()).await;
    let second = client.post_with_key("verify", "right-1", &issued.body()).await;
    assert_eq!((first.status.as_u16(), first.replayed()), (200, false));
    assert_eq!((second.status.as_u16(), second.replayed(), second.text()), (200, true, first.text()));
    assert_eq!(client.verdict(&issued.body()).await, "already_used");
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_52_of_100_parallel_verifies_with_one_key_one_is_compared() {
    let house = House::new().await;
    let mut client = house.client().await;
    let mut answering = clients(&house, 100).await;
    let mut incorrect = 0;
    for user in 0..20 {
        let issued = house.issue(&mut client, user).await;
        // Under one key a right and a wrong code, 50 times each: whichever comes first is compared.
        let bodies = [issued.body(), issued.wrong_body()].into_iter().cycle().take(100).collect();
        let (back, replies) = at_once_with_key(answering, "verify", Some("key-1"), bodies).await;
        answering = back;
        let first = replies.iter().position(|reply| !reply.replayed() && is_verdict(reply));
        let first = first.expect("one is compared");
        for (index, reply) in replies.iter().enumerate() {
            if index % 2 == first % 2 {
                assert_eq!((reply.status, &reply.body), (replies[first].status, &replies[first].body));
                assert_eq!(reply.replayed(), index != first, "user {user}: one was compared");
            } else {
                assert_eq!(reply.problem(), "idempotency-key-reused", "user {user}");
            }
        }
        let view = client.get(&issued.path()).await.json();
        let state = if first % 2 == 0 { "approved" } else { "open" };
        assert_eq!((view["state"].as_str(), view["attempts_left"].as_u64()), (Some(state), Some(2)));
        incorrect += first % 2;
    }
    let compared = format!("otpgw_verdicts_total{{verdict=\"incorrect\"}} {incorrect}\n");
    assert!(house.metrics().await.contains(&compared), "a replay is no verdict");
}

/// Whether it says what became of an answer, rather than that the call was refused as such.
fn is_verdict(reply: &Reply) -> bool {
    reply.json()["verdict"].is_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_53_of_100_parallel_resends_one_sends_and_the_expiry_stays() {
    let house = House::with_manual_clock().await;
    let mut client = house.client().await;
    let issued = house.issue(&mut client, 0).await;
    let expires_at = client.get(&issued.path()).await.json()["expires_at"].clone();
    house.advance(Duration::from_secs(30)).await;
    let claim = claim_body(0, &issued.challenge_id);
    let (_, replies) = at_once(clients(&house, 100).await, "resend", vec![claim; 100]).await;
    let (sent, early): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status.as_u16() == 202);
    assert_eq!((sent.len(), sent[0].json()["expires_at"].clone()), (1, expires_at));
    assert!(early.iter().all(|reply| reply.status.as_u16() == 429 && reply.headers["retry-after"] == "60"));
    let inbox = house.simulator.inbox();
    let first =
        inbox.wait_for(&phone(0), smsc_simulator::inbox::Cursor::START, crate::support::PATIENCE).await;
    let first = first.expect("the first SMS");
    let second =
        inbox.wait_for(&phone(0), first.cursor(), crate::support::PATIENCE).await.expect("the resent SMS");
    assert_eq!(code_in(second.text()), issued.code);
    assert_eq!(client.get(&issued.path()).await.json()["sends"], 2);
    assert_eq!(client.verdict(&issued.body()).await, "approved");
    assert_eq!(house.messages(0).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_confirmed_by_its_own_code() {
    let house = House::new().await;
    let mut client = house.client().await;
    let body = json!({"subscriber": subscriber(3), "purpose": "login", "locale": "en"});
    let reply = client.post("generate", &body).await.json();
    let code = house.code(3, reply["sms_reference"].as_str().unwrap()).await;
    let answer = json!({"subscriber": subscriber(3), "purpose": "login", "code": code,
        "challenge_id": reply["challenge_id"]});
    assert_eq!(client.verdict(&answer).await, "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sms_says_what_is_confirmed_and_its_delivery_is_reported() {
    let house = House::new().await;
    let mut client = house.client().await;
    let issued = house.issue(&mut client, 0).await;
    let message = house.messages(0).pop().expect("its SMS");
    let text = message.text();
    for part in ["Bank Contoh", &issued.code, "125.000.000", "PT ABC", "7890", "JANGAN"] {
        assert!(text.contains(part), "{part} is missing from {text}");
    }
    assert_eq!(message.segments(), 1);
    let delivered = async {
        while client.get(&issued.path()).await.json()["delivery"] != "delivered" {
            tokio::task::yield_now().await;
        }
    };
    within(delivered, "the delivery receipt").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_19_a_success_resets_the_count_of_nobody_else() {
    let house = House::new().await;
    let mut client = house.client().await;
    let (first, other) = (house.issue(&mut client, 0).await, house.issue(&mut client, 1).await);
    for _ in 0..3 {
        client.verdict(&first.wrong_body()).await;
    }
    assert_eq!(client.verdict(&other.body()).await, "approved");
    let second = house.issue(&mut client, 0).await;
    assert_eq!(client.verdict(&second.wrong_body()).await, "incorrect");
    assert_eq!(client.verdict(&second.wrong_body()).await, "locked", "three failures counted on");
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_48_the_reference_tells_messages_apart_that_come_out_of_order() {
    // Every submit waits for its handset between nothing and two seconds, drawn from the seed.
    let behavior = Behavior::from_toml("seed = 3\n[submit]\ndelivery_delay = \"uniform 0s 2s\"\n");
    let house = House::with(Plan::default().with_behavior(behavior.expect("a good behaviour"))).await;
    let mut client = house.client().await;
    let mut overtaken = 0;
    for user in 0..20 {
        let mut issued = Vec::new();
        for _ in 0..3 {
            let reply = client.post("generate", &generate_body(user)).await.json();
            let text = |name: &str| reply[name].as_str().expect("a text").to_owned();
            issued.push((text("challenge_id"), text("sms_reference")));
        }
        for (challenge_id, sms_reference) in &issued {
            let code = house.code(user, sms_reference).await;
            assert_eq!(client.verdict(&verify_body(user, challenge_id, &code)).await, "approved");
        }
        let shown = house.messages(user);
        let place = |reference: &String| shown.iter().position(|sms| sms.text().contains(reference.as_str()));
        let places: Vec<_> = issued.iter().map(|(_, reference)| place(reference)).collect();
        overtaken += usize::from(!places.is_sorted());
    }
    assert!(overtaken > 0, "messages overtook each other");
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_70_a_halt_that_only_the_wall_clock_shows_ends_the_codes_and_no_lock() {
    let house = House::with_manual_clock().await;
    let mut client = house.client().await;
    for _ in 0..2 {
        let issued = house.issue(&mut client, 1).await;
        for _ in 0..3 {
            client.post("verify", &issued.wrong_body()).await;
        }
    }
    let issued = house.issue(&mut client, 0).await;
    house.clock.put_wall_ahead(3_600_000);
    house.advance(Duration::from_secs(1)).await;
    let expired = async {
        while client.get(&issued.path()).await.json()["state"] != "expired" {
            tokio::task::yield_now().await;
        }
    };
    within(expired, "the open challenge to be ended").await;
    assert_eq!(client.post("verify", &issued.body()).await.json()["verdict"], "expired");
    assert_eq!(client.post("generate", &generate_body(1)).await.status, 422, "still locked");
    let next = house.issue(&mut client, 0).await;
    assert_eq!(client.post("verify", &next.body()).await.json()["verdict"], "approved");
}
