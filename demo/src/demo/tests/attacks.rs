//! The attacks that the page offers, against the real gateway; and what the visitor is shown of them.

use super::*;

/// The names of what became of each code, counted.
fn count(reply: &Value, name: &str) -> usize {
    let outcomes = reply["outcomes"].as_array().unwrap();
    outcomes.iter().filter(|outcome| outcome["outcome"] == name).count()
}

async fn at_once(payer: &Payer<'_>, codes: Vec<String>) -> Value {
    payer.act("confirm-at-once", json!({ "codes": codes })).await
}

#[tokio::test]
async fn of_64_right_codes_at_once_exactly_one_is_approved() {
    let demo = start().await;
    let mut payer = Payer::new(&demo, 10, 0).await;
    payer.generate().await;
    let code = payer.code().await;
    let reply = at_once(&payer, vec![code; 64]).await;
    assert_eq!((count(&reply, "approved"), count(&reply, "already_used")), (1, 63), "{reply}");
    let exchanges = exchanges(&payer, 0).await;
    let approvals = exchanges.iter().filter(|one| one["status"] == 200 && one["path"] == "/v1/otp/verify");
    assert_eq!(approvals.count(), 1);
    demo.stop().await.unwrap();
}

#[tokio::test]
async fn of_64_wrong_codes_at_once_three_are_compared() {
    let demo = start().await;
    let mut payer = Payer::new(&demo, 11, 0).await;
    payer.generate().await;
    let code: u32 = payer.code().await.parse().unwrap();
    let guesses = (1..=64).map(|step| format!("{:06}", (code + step) % 1_000_000)).collect();
    let reply = at_once(&payer, guesses).await;
    assert_eq!((count(&reply, "incorrect"), count(&reply, "attempts_exhausted")), (2, 62), "{reply}");
    assert_eq!(payer.confirm(&format!("{code:06}")).await["outcome"], "attempts_exhausted");
    demo.stop().await.unwrap();
}

#[tokio::test]
async fn a_changed_payee_is_refused_and_the_payment_stays_as_its_customer_left_it() {
    let demo = start().await;
    let mut payer = Payer::new(&demo, 15, 0).await;
    payer.generate().await;
    let code = payer.code().await;
    let mut changed = details("12500000");
    changed["beneficiary_name"] = json!("CV Rekening Penipu");
    let reply = payer.act("confirm-changed", json!({ "code": code, "details": changed })).await;
    assert_eq!(reply, json!({"outcome": "transaction_changed"}));
    let kept = payer.kept().await;
    assert_eq!(kept["details"]["beneficiary_name"], "PT Sumber Makmur Contoh");
    assert_eq!(kept["challenge"]["state"], "voided");
    changed["amount"] = json!("0");
    let reply = payer.act("confirm-changed", json!({ "code": code, "details": changed })).await;
    assert_eq!(reply, json!({"outcome": "invalid", "field": "amount"}));
    demo.stop().await.unwrap();
}

#[tokio::test]
async fn a_colleague_cannot_use_the_code_and_the_customer_still_can() {
    let demo = start().await;
    let mut payer = Payer::new(&demo, 12, 0).await;
    payer.generate().await;
    let code = payer.code().await;
    let stolen = payer.act("confirm-as-colleague", json!({ "code": code })).await;
    assert_eq!(stolen, json!({"outcome": "unknown_challenge"}));
    assert_eq!(payer.confirm(&code).await["outcome"], "approved");
    demo.stop().await.unwrap();
}

#[tokio::test]
async fn more_codes_than_64_or_none_are_refused_and_nobody_is_asked() {
    let demo = start().await;
    let mut payer = Payer::new(&demo, 13, 0).await;
    payer.generate().await;
    let code = payer.code().await;
    let before = exchanges(&payer, 0).await.len();
    for codes in [vec![], vec![code.clone(); 65], vec![code.clone(), "x".into()]] {
        assert_eq!(at_once(&payer, codes).await["outcome"], "invalid_code");
    }
    assert_eq!(exchanges(&payer, 0).await.len(), before);
    demo.stop().await.unwrap();
}

#[tokio::test]
async fn the_exchanges_show_each_call_without_code_or_key() {
    let demo = start().await;
    let mut payer = Payer::new(&demo, 14, 0).await;
    payer.generate().await;
    let code = payer.code().await;
    payer.confirm(another(&code)).await;
    payer.confirm(&code).await;
    let shown = exchanges(&payer, 0).await;
    let calls: Vec<_> =
        shown.iter().map(|one| (one["path"].as_str().unwrap(), one["status"].as_u64())).collect();
    assert_eq!(
        calls,
        [("/v1/otp/generate", Some(201)), ("/v1/otp/verify", Some(422)), ("/v1/otp/verify", Some(200))]
    );
    assert!(shown[1]["request"].as_str().unwrap().contains(r#""code":"••••••""#), "{}", shown[1]);
    assert!(shown[1]["reply"].as_str().unwrap().contains(r#""verdict":"incorrect""#), "{}", shown[1]);
    let text = Value::from(shown.clone()).to_string();
    for secret in [code.as_str(), another(&code), &demo.secrets.api_key, &payer.payment, &payer.user.phone] {
        assert!(!text.contains(secret), "a secret is shown");
    }
    assert_eq!(exchanges(&payer, shown[1]["number"].as_u64().unwrap()).await.len(), 1);
    assert_eq!(text_of_another_payment(&demo).await, "[]");
    demo.stop().await.unwrap();
}

async fn exchanges(payer: &Payer<'_>, after: u64) -> Vec<Value> {
    let path = format!("/api/payments/{}/exchanges?after={after}", payer.payment);
    serde_json::from_str(&text(payer.demo, &path).await).unwrap()
}

async fn text_of_another_payment(demo: &Demo) -> String {
    text(demo, "/api/payments/0000/exchanges?after=0").await
}
