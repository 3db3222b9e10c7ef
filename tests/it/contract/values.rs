//! The document and the server take and refuse the same values.

use std::collections::BTreeMap;

use hyper::StatusCode;
use serde_json::{Value, json};

use super::document::{Document, object, text};
use crate::support::house::House;
use crate::support::payment::{generate_body, verify_body};

/// For every field, the document and the server take and refuse the same values.
#[tokio::test(flavor = "multi_thread")]
async fn abuse_15_the_document_and_the_server_take_the_same_values() {
    let document = Document::read();
    let house = House::new().await;
    let mut client = house.client().await;
    let verify = verify_body(0, &"0".repeat(32), "482913");
    let mut generate = generate_body(0);
    generate["subscriber"]["user_id"] = "nobody".into();
    let schema = |call: &str| {
        let pointer = format!("/paths/~1v1~1otp~1{call}/post/requestBody/content/application~1json/schema");
        document.validator(document.at(&pointer))
    };
    for (call, base) in [("cancel", claim_of(&verify)), ("verify", verify), ("generate", generate)] {
        let validator = schema(call);
        assert!(validator.is_valid(&base));
        for (field, value) in values(&base) {
            let mut body = base.clone();
            *body.pointer_mut(&field).expect("a field") = value;
            let reply = client.post(call, &body).await;
            let refused = reply.status == StatusCode::BAD_REQUEST;
            assert_eq!(refused, !validator.is_valid(&body), "{call} {body}: {}", reply.text());
            if refused {
                document.check(call, &reply);
                let named = text(&reply.json()["field"]);
                assert!(field.starts_with(&named) || named == "/transaction", "{field}: {}", reply.text());
            }
        }
        for body in with_fields_added_and_removed(&base) {
            let reply = client.post(call, &body).await;
            let refused = reply.status == StatusCode::BAD_REQUEST;
            assert_eq!(refused, !validator.is_valid(&body), "{call} {body}: {}", reply.text());
        }
    }
}

/// The document says in words, by currency, how fine an amount may be.
#[tokio::test(flavor = "multi_thread")]
async fn the_document_and_the_server_take_equally_fine_amounts_of_each_currency() {
    let document = Document::read();
    let house = House::new().await;
    let mut client = house.client().await;
    let mut body = verify_body(0, &"0".repeat(32), "482913");
    for currency in listed_currencies(&document) {
        let finest = format!("1.{}", "1".repeat(minor_digits(&document, &currency)));
        body["transaction"]["currency"] = currency.into();
        body["transaction"]["amount"] = format!("{finest}0").into();
        assert_eq!(client.post("verify", &body).await.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        body["transaction"]["amount"] = format!("{finest}1").into();
        assert_eq!(client.post("verify", &body).await.json()["field"], "/transaction/amount", "{body}");
    }
}

/// As the description has them: two, but for the currencies before a number in parentheses.
fn minor_digits(document: &Document, currency: &str) -> usize {
    let description = text(document.at("/components/schemas/Currency/description"));
    let rest = description.split_once(currency).and_then(|(_, rest)| rest.split_once('('));
    match rest.and_then(|(_, rest)| rest.split_once(')')) {
        None => 2,
        Some(("none", _)) => 0,
        Some(("three", _)) => 3,
        Some(("four", _)) => 4,
        Some((word, _)) => panic!("{word} of {currency} is no number of digits"),
    }
}

fn claim_of(verify: &Value) -> Value {
    let mut claim = verify.clone();
    claim.as_object_mut().expect("an object").remove("code");
    claim
}

/// Values for each field of `base`: at the edges of what is documented, of other types, with every
/// character in question.
fn values(base: &Value) -> Vec<(String, Value)> {
    let other_types = [json!(null), json!(1), json!(true), json!(["482913"]), json!({"a": 1}), json!("")];
    let texts: BTreeMap<&str, Vec<String>> = BTreeMap::from([
        ("/subscriber/corporate_id", lengths("A", 32)),
        ("/subscriber/user_id", [lengths("b", 32), characters()].concat()),
        ("/challenge_id", [lengths("0", 32), owned(&["0x000102030405060708090a0b0c0d0e", "F"])].concat()),
        (
            "/code",
            [lengths("4", 10), owned(&["48291", "+482913", " 482913", "４８２９１３", "48291a"])].concat(),
        ),
        ("/purpose", owned(&["payment", "login", "Payment", "refund"])),
        ("/locale", owned(&["id", "en", "ID", "fr"])),
        (
            "/transaction/reference",
            [lengths("T", 35), characters(), owned(&[" a", "a ", " ", "a b"])].concat(),
        ),
        ("/transaction/amount", amounts()),
        ("/transaction/currency", currencies()),
        ("/transaction/beneficiary_account", [lengths("1", 34), characters()].concat()),
        (
            "/transaction/beneficiary_name",
            [lengths("ü", 70), characters(), owned(&[" a", "a ", " "])].concat(),
        ),
    ]);
    let texts = texts.into_iter().flat_map(|(field, texts)| {
        texts.into_iter().map(move |text| (field.to_owned(), Value::String(text)))
    });
    let fields = ["/subscriber", "/subscriber/user_id", "/challenge_id", "/code", "/purpose", "/locale"];
    let more = ["/transaction", "/transaction/amount", "/transaction/currency", "/transaction/reference"];
    let others = fields
        .iter()
        .chain(&more)
        .flat_map(|field| other_types.iter().map(move |value| ((*field).to_owned(), value.clone())));
    texts.chain(others).filter(|(field, _)| base.pointer(field).is_some()).collect()
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// None, one, as many as may be, and one more.
fn lengths(character: &str, most: usize) -> Vec<String> {
    [0, 1, most - 1, most, most + 1, 10_000 / 4].iter().map(|length| character.repeat(*length)).collect()
}

/// Each character of Latin, Greek and Cyrillic and a few others, between two letters.
fn characters() -> Vec<String> {
    let others = "\u{200b}\u{2028}\u{20ac}\u{ff21}\u{1d7d8}".chars();
    ('\0'..'\u{180}').chain('\u{370}'..'\u{460}').chain(others).map(|c| format!("a{c}a")).collect()
}

fn amounts() -> Vec<String> {
    let good = ["0", "0.00", "1", "10.5", "999999999999999", "999999999999999.99", "1.00000000"];
    let bad =
        ["00", "01", "-1", "+1", ".5", "1.", "1,5", "1e3", "1000000000000000", "1.000000000", "1 0", "１"];
    owned(&[good.as_slice(), bad.as_slice()].concat())
}

/// Every code that is documented, and some that no payment is made in.
fn currencies() -> Vec<String> {
    let others = ["XXX", "XAU", "XTS", "XDR", "CHE", "idr", "IDRX", "ID", "AED AFN", "ED ", "000"];
    [listed_currencies(&Document::read()), owned(&others)].concat()
}

fn listed_currencies(document: &Document) -> Vec<String> {
    let listed = document.at("/components/schemas/Currency/enum").as_array().expect("a list");
    listed.iter().map(text).collect()
}

fn with_fields_added_and_removed(base: &Value) -> Vec<Value> {
    let mut bodies = Vec::new();
    for parent in ["", "/subscriber", "/transaction"] {
        for name in object(base.pointer(parent).expect("an object")).keys() {
            let mut body = base.clone();
            body.pointer_mut(parent).and_then(Value::as_object_mut).expect("an object").remove(name);
            bodies.push(body);
        }
        let mut body = base.clone();
        body.pointer_mut(parent).expect("an object")["other"] = json!("482913");
        bodies.push(body);
    }
    let mut login = base.clone();
    login["purpose"] = "login".into();
    bodies.push(login.clone());
    login.as_object_mut().expect("an object").remove("transaction");
    bodies.push(login);
    bodies
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_and_the_server_take_the_same_idempotency_keys() {
    let document = Document::read();
    let validator = document.validator(document.at("/components/parameters/IdempotencyKey/schema"));
    let house = House::new().await;
    let mut client = house.client().await;
    let body = verify_body(0, &"0".repeat(32), "482913");
    let inner = ('\u{20}'..'\u{7f}').map(|c| format!("a{c}a"));
    for key in lengths("k", 64).into_iter().chain(inner) {
        let reply = client.post_with_key("verify", &key, &body).await;
        let refused = reply.status == StatusCode::BAD_REQUEST;
        assert_eq!(refused, !validator.is_valid(&json!(key)), "{key:?}");
        if refused {
            document.check("verify", &reply);
            assert_eq!(reply.json()["field"], "Idempotency-Key");
        }
    }
}
