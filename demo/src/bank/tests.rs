//! The bank against a gateway that plays a script.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::details::tests::form;
use crate::payment::Receipt;
use crate::sample;

const SENT: &str = r#"{"challenge_id":"9f86d081884c7d659a2feaa0c55ad015","sms_reference":"KY3D","code_length":6,"expires_at":"2026-11-22T09:15:00Z",
    "ttl_seconds":180,"resend_after_seconds":30,"attempts_left":3,"destination":"+62812*****01"}"#;

const APPROVED: &str = r#"{"verdict":"approved","approved_at":"2026-11-22T09:12:41Z"}"#;
const LOOKED_UP_APPROVED: &str = r#"{"state":"approved","delivery":"delivered","sends":1,"attempts_left":2}"#;

/// A gateway that plays a script: each connection is answered with the next entry, or closed without an
/// answer. Keeps the idempotency keys that it saw; a look-up has none.
async fn gateway(script: Vec<Option<(u16, &'static str)>>) -> (Gateway, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let keys = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&keys);
    tokio::spawn(async move {
        for answer in script {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            let end = |request: &[u8]| if request.starts_with(b"GET") { "\r\n\r\n" } else { "}" };
            while !request.ends_with(end(&request).as_bytes()) {
                assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
            }
            let request = String::from_utf8(request).unwrap();
            let key = request.lines().find_map(|line| line.strip_prefix("idempotency-key: "));
            seen.lock().unwrap().extend(key.map(str::to_owned));
            let Some((status, body)) = answer else { continue };
            let length = body.len();
            let reply = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n{body}");
            stream.write_all(reply.as_bytes()).await.unwrap();
        }
    });
    (Gateway::new(addr, "key"), keys)
}

async fn bank(script: Vec<Option<(u16, &'static str)>>) -> (Bank, String, Arc<Mutex<Vec<String>>>) {
    let (gateway, keys) = gateway(script).await;
    let companies = sample::companies();
    let user_id = companies[0].users[0].user_id.clone();
    let corporate_id = companies[0].corporate_id.to_owned();
    let bank = Bank::new(gateway, companies);
    let Outcome::Saved { payment_id } = bank.create(PaymentForm { corporate_id, user_id, details: form() })
    else {
        panic!("the payment was not saved");
    };
    (bank, payment_id, keys)
}

const LOCALE: GenerateForm = GenerateForm { locale: Locale::Id };

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_under_the_same_key() {
    let (bank, id, keys) = bank(vec![None, Some((201, SENT)), Some((201, SENT))]).await;
    assert!(matches!(bank.generate(&id, &LOCALE).await, Outcome::Sent { .. }));
    assert!(matches!(bank.generate(&id, &LOCALE).await, Outcome::Sent { .. }));
    let keys = keys.lock().unwrap();
    assert_eq!(keys[0], keys[1]);
    assert_ne!(keys[1], keys[2], "an answered act is over: the next one is another");
}

#[tokio::test]
async fn without_any_answer_the_outcome_is_unknown_and_pressing_again_is_the_same_act() {
    let (bank, id, keys) = bank(vec![None, None, Some((201, SENT))]).await;
    assert_eq!(bank.generate(&id, &LOCALE).await, Outcome::NoAnswer);
    assert!(matches!(bank.generate(&id, &LOCALE).await, Outcome::Sent { .. }));
    let keys = keys.lock().unwrap();
    assert!(keys.iter().all(|key| *key == keys[0]));
}

#[tokio::test]
async fn a_verification_of_unknown_outcome_is_repeated_under_its_key_and_never_called_undecided() {
    const UNKNOWN: &str =
        r#"{"type":"https://otp-gateway.example/problems/outcome-unknown","retry_after_seconds":0}"#;
    let unknown = || Some((503, UNKNOWN));
    let script = vec![Some((201, SENT)), unknown(), unknown(), unknown(), Some((200, APPROVED))];
    let (bank, id, keys) = bank(script).await;
    bank.generate(&id, &LOCALE).await;
    let form = ConfirmForm { code: "482913".into() };
    assert_eq!(bank.confirm(&id, &form).await, Outcome::NoAnswer);
    assert!(matches!(bank.confirm(&id, &form).await, Outcome::Approved { .. }));
    let keys = keys.lock().unwrap();
    assert!(keys.len() == 5 && keys[1..].iter().all(|key| *key == keys[1]), "{keys:?}");
}

/// A bank whose customer has confirmed, and which has got no answer; then the gateway plays the script.
async fn bank_without_an_answer(
    then: Vec<Option<(u16, &'static str)>>,
) -> (Bank, String, Arc<Mutex<Vec<String>>>) {
    let script = [Some((201, SENT)), None, None].into_iter().chain(then).collect();
    let (bank, id, keys) = bank(script).await;
    bank.generate(&id, &LOCALE).await;
    let form = ConfirmForm { code: "482913".into() };
    assert_eq!(bank.confirm(&id, &form).await, Outcome::NoAnswer);
    (bank, id, keys)
}

async fn receipt_shown(bank: &Bank, id: &str) -> Option<Receipt> {
    let Outcome::Kept(kept) = bank.show(id).await else { panic!("the payment is not kept") };
    kept.receipt
}

#[tokio::test]
async fn an_approval_that_was_lost_is_fetched_under_its_key_when_the_payment_is_looked_at() {
    let look_up = || Some((200, LOOKED_UP_APPROVED));
    let script = vec![look_up(), Some((200, APPROVED)), look_up()];
    let (bank, id, keys) = bank_without_an_answer(script).await;
    let receipt = receipt_shown(&bank, &id).await.expect("the payment is made");
    assert_eq!(receipt.approved_at, "2026-11-22T09:12:41Z");
    assert_eq!(receipt_shown(&bank, &id).await, Some(receipt), "and only once");
    let keys = keys.lock().unwrap();
    assert!(keys.len() == 4 && keys[1..].iter().all(|key| *key == keys[1]), "{keys:?}");
}

#[tokio::test]
async fn what_is_paid_is_what_was_confirmed_whatever_was_saved_meanwhile() {
    let script = vec![Some((200, LOOKED_UP_APPROVED)), Some((200, APPROVED))];
    let (bank, id, _) = bank_without_an_answer(script).await;
    let confirmed = bank.payment(&id).unwrap().details;
    let other = DetailsForm { amount: "999".into(), ..form() };
    assert!(matches!(bank.change(&id, other), Outcome::Saved { .. }));
    let receipt = receipt_shown(&bank, &id).await.expect("the payment is made");
    assert_eq!((receipt.details, bank.payment(&id).unwrap().details), (confirmed.clone(), confirmed));
}

#[tokio::test]
async fn a_code_that_no_code_can_be_is_not_presented() {
    let (bank, id, keys) = bank(vec![Some((201, SENT))]).await;
    bank.generate(&id, &LOCALE).await;
    for code in ["", "12", "12345", "12345678901", "48291a"] {
        assert_eq!(
            bank.confirm(&id, &ConfirmForm { code: code.into() }).await,
            Outcome::InvalidCode,
            "{code}"
        );
    }
    assert_eq!(keys.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn an_approval_that_cannot_be_fetched_is_no_receipt_and_is_asked_for_again() {
    let look_up = || Some((200, LOOKED_UP_APPROVED));
    let script = vec![look_up(), None, None, look_up(), Some((200, APPROVED))];
    let (bank, id, keys) = bank_without_an_answer(script).await;
    assert_eq!(receipt_shown(&bank, &id).await, None);
    assert!(receipt_shown(&bank, &id).await.is_some());
    let keys = keys.lock().unwrap();
    assert!(keys[1..].iter().all(|key| *key == keys[1]), "{keys:?}");
}

#[tokio::test]
async fn a_code_without_an_answer_is_not_presented_again_while_its_challenge_is_open() {
    const OPEN: &str = r#"{"state":"open","delivery":"delivered","sends":1,"attempts_left":3}"#;
    let (bank, id, keys) = bank_without_an_answer(vec![Some((200, OPEN))]).await;
    assert_eq!(receipt_shown(&bank, &id).await, None);
    assert_eq!(keys.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn a_disabled_authenticator_is_shown_to_a_page_that_is_loaded_anew_until_there_is_a_new_code() {
    const DISABLED: &str = r#"{"verdict":"locked"}"#;
    const OPEN: &str = r#"{"state":"open","delivery":"delivered","sends":1,"attempts_left":1}"#;
    let script = vec![
        Some((201, SENT)),
        Some((422, DISABLED)),
        Some((200, OPEN)),
        Some((201, SENT)),
        Some((200, OPEN)),
    ];
    let (bank, id, _) = bank(script).await;
    bank.generate(&id, &LOCALE).await;
    let lock = async || match bank.show(&id).await {
        Outcome::Kept(kept) => kept.lock,
        other => panic!("{other:?}"),
    };
    assert_eq!(bank.confirm(&id, &ConfirmForm { code: "482913".into() }).await, Outcome::Disabled);
    assert_eq!(lock().await, Some(ShownLock::Disabled));
    assert!(matches!(bank.generate(&id, &LOCALE).await, Outcome::Sent { .. }));
    assert_eq!(lock().await, None);
}

#[tokio::test]
async fn a_key_that_belongs_to_a_lost_act_is_left_for_the_next_one() {
    const REUSED: &str = r#"{"type":"https://otp-gateway.example/problems/idempotency-key-reused"}"#;
    let (bank, id, keys) = bank(vec![Some((422, REUSED)), Some((201, SENT)), Some((201, SENT))]).await;
    assert!(matches!(bank.generate(&id, &LOCALE).await, Outcome::Sent { .. }));
    assert!(matches!(bank.generate(&id, &LOCALE).await, Outcome::Sent { .. }));
    let keys = keys.lock().unwrap();
    assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
}

#[tokio::test]
async fn only_an_approval_makes_the_payment() {
    let script = vec![
        Some((201, SENT)),
        Some((200, r#"{"verdict":"incorrect"}"#)),
        Some((422, r#"{"verdict":"approved"}"#)),
        Some((200, "not JSON}")),
        Some((200, "not JSON}")),
        Some((200, APPROVED)),
    ];
    let (bank, id, _) = bank(script).await;
    bank.generate(&id, &LOCALE).await;
    let form = ConfirmForm { code: "482913".into() };
    let confirm = || bank.confirm(&id, &form);
    for _ in 0..3 {
        assert_eq!(confirm().await, Outcome::NoAnswer);
        assert_eq!(bank.payment(&id).unwrap().receipt, None);
    }
    let Outcome::Approved { receipt } = confirm().await else { panic!("not approved") };
    assert_eq!(
        (receipt.number.as_str(), receipt.approved_at.as_str()),
        ("BC-9F86-D081", "2026-11-22T09:12:41Z")
    );
    assert_eq!(bank.payment(&id).unwrap().receipt, Some(receipt));
}
