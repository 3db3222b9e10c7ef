//! The JSON of the API: parsed bodies, replies, and what is wrong with a body that is not as documented.
//!
//! Unknown fields, duplicate keys, wrong types and nulls are refused. A refusal names a known field
//! as a JSON pointer and what belongs there; it never quotes the input.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, IntoDeserializer as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::problem::Malformed;
use crate::subscriber::challenge::Locale;
use crate::subscriber::challenge_id::ChallengeId;
use crate::subscriber::code::Code;
use crate::subscriber::id::{Id, SubscriberId};
use crate::subscriber::transaction::{Subject, Transaction, TransactionError};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SubscriberBody<'a> {
    #[serde(borrow)]
    corporate_id: Cow<'a, str>,
    #[serde(borrow)]
    user_id: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TransactionBody<'a> {
    #[serde(borrow)]
    reference: Cow<'a, str>,
    #[serde(borrow)]
    amount: Cow<'a, str>,
    #[serde(borrow)]
    currency: Cow<'a, str>,
    #[serde(borrow)]
    beneficiary_account: Cow<'a, str>,
    #[serde(borrow)]
    beneficiary_name: Cow<'a, str>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PurposeBody {
    Payment,
    Login,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum LocaleBody {
    Id,
    En,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GenerateBody<'a> {
    #[serde(borrow)]
    subscriber: Object<SubscriberBody<'a>>,
    #[serde(deserialize_with = "word")]
    purpose: PurposeBody,
    #[serde(default, deserialize_with = "present_word")]
    locale: Option<LocaleBody>,
    #[serde(borrow, default, deserialize_with = "present")]
    transaction: Option<Object<TransactionBody<'a>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VerifyBody<'a> {
    #[serde(borrow)]
    subscriber: Object<SubscriberBody<'a>>,
    #[serde(borrow)]
    challenge_id: Cow<'a, str>,
    /// Never a copy: a string with escapes is refused, so that the digits are only in the body's buffer,
    /// which is wiped.
    code: &'a str,
    #[serde(deserialize_with = "word")]
    purpose: PurposeBody,
    #[serde(borrow, default, deserialize_with = "present")]
    transaction: Option<Object<TransactionBody<'a>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClaimBody<'a> {
    #[serde(borrow)]
    subscriber: Object<SubscriberBody<'a>>,
    #[serde(borrow)]
    challenge_id: Cow<'a, str>,
    #[serde(deserialize_with = "word")]
    purpose: PurposeBody,
    #[serde(borrow, default, deserialize_with = "present")]
    transaction: Option<Object<TransactionBody<'a>>>,
}

/// A JSON object: serde would also accept an array of the fields' values.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(fields)).map(Object)
            }
        }

        from.deserialize_map(Fields(PhantomData))
    }
}

/// A variant of an enum, as a JSON string: serde would also accept an object.
fn word<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<T, D::Error> {
    struct Word<T>(PhantomData<T>);

    impl<T: DeserializeOwned> Visitor<'_> for Word<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
            T::deserialize(text.into_deserializer())
        }
    }

    from.deserialize_str(Word(PhantomData))
}

fn present_word<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Option<T>, D::Error> {
    word(from).map(Some)
}

/// An optional field that is absent or has a value: null is neither.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// A parsed body of generate.
#[derive(Debug)]
pub(crate) struct GenerateRequest {
    pub(crate) subscriber: SubscriberId,
    pub(crate) subject: Subject,
    pub(crate) locale: Option<Locale>,
}

/// A parsed body of resend and cancel, and of verify but for the code.
#[derive(Debug)]
pub(crate) struct ClaimRequest {
    pub(crate) subscriber: SubscriberId,
    pub(crate) challenge: ChallengeId,
    pub(crate) subject: Subject,
}

/// A parsed body of verify.
#[derive(Debug)]
pub(crate) struct VerifyRequest {
    pub(crate) claim: ClaimRequest,
    pub(crate) code: Code,
}

impl GenerateRequest {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Malformed> {
        let Object::<GenerateBody<'_>>(body) = read(body)?;
        let locale = body.locale.map(|locale| match locale {
            LocaleBody::Id => Locale::Id,
            LocaleBody::En => Locale::En,
        });
        Ok(Self {
            subscriber: body.subscriber.0.parse()?,
            subject: parse_subject(body.purpose, body.transaction)?,
            locale,
        })
    }
}

impl VerifyRequest {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Malformed> {
        let Object::<VerifyBody<'_>>(body) = read(body)?;
        let claim = ClaimRequest {
            subscriber: body.subscriber.0.parse()?,
            challenge: parse_challenge_id(&body.challenge_id)?,
            subject: parse_subject(body.purpose, body.transaction)?,
        };
        let code = Code::parse(body.code).ok_or_else(|| at("/code"))?;
        Ok(Self { claim, code })
    }
}

impl ClaimRequest {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Malformed> {
        let Object::<ClaimBody<'_>>(body) = read(body)?;
        Ok(Self {
            subscriber: body.subscriber.0.parse()?,
            challenge: parse_challenge_id(&body.challenge_id)?,
            subject: parse_subject(body.purpose, body.transaction)?,
        })
    }
}

impl SubscriberBody<'_> {
    fn parse(&self) -> Result<SubscriberId, Malformed> {
        Ok(SubscriberId {
            corporate: Id::parse(&self.corporate_id).map_err(|_| at("/subscriber/corporate_id"))?,
            user: Id::parse(&self.user_id).map_err(|_| at("/subscriber/user_id"))?,
        })
    }
}

fn parse_challenge_id(text: &str) -> Result<ChallengeId, Malformed> {
    ChallengeId::parse(text).ok_or_else(|| at("/challenge_id"))
}

fn parse_subject(
    purpose: PurposeBody,
    transaction: Option<Object<TransactionBody<'_>>>,
) -> Result<Subject, Malformed> {
    let expected = |expected| Malformed { field: "/transaction".into(), expected, position: None };
    match (purpose, transaction) {
        (PurposeBody::Login, None) => Ok(Subject::Login),
        (PurposeBody::Login, Some(_)) => Err(expected("a login has no transaction")),
        (PurposeBody::Payment, None) => Err(expected("a payment needs its transaction")),
        (PurposeBody::Payment, Some(Object(body))) => {
            let (account, name) = (&body.beneficiary_account, &body.beneficiary_name);
            let transaction = Transaction::new(&body.reference, &body.amount, &body.currency, account, name);
            transaction.map(Subject::Payment).map_err(at_transaction)
        }
    }
}

fn at_transaction(error: TransactionError) -> Malformed {
    match error {
        TransactionError::Reference => at("/transaction/reference"),
        TransactionError::Amount => at("/transaction/amount"),
        TransactionError::AmountPrecision => Malformed {
            field: "/transaction/amount".into(),
            expected: "no finer than the currency's minor unit",
            position: None,
        },
        TransactionError::Currency => at("/transaction/currency"),
        TransactionError::BeneficiaryAccount => at("/transaction/beneficiary_account"),
        TransactionError::BeneficiaryName => at("/transaction/beneficiary_name"),
    }
}

/// Every field that a body may have, and what belongs there.
const FIELDS: [(&str, &str); 14] = [
    ("", "one JSON object with the documented fields, each once"),
    ("/subscriber", "an object with corporate_id and user_id, each once"),
    ("/subscriber/corporate_id", "a string of 1 to 32 of A-Z, a-z, 0-9, '.', '_' and '-'"),
    ("/subscriber/user_id", "a string of 1 to 32 of A-Z, a-z, 0-9, '.', '_' and '-'"),
    ("/challenge_id", "a string of 32 hexadecimal digits"),
    ("/code", "a string of 6 to 10 digits 0-9, without escapes"),
    ("/purpose", "\"payment\" or \"login\""),
    ("/locale", "\"id\" or \"en\", or no such field"),
    (
        "/transaction",
        "an object with reference, amount, currency, beneficiary_account and beneficiary_name, each once",
    ),
    ("/transaction/reference", "a string of 1 to 35 printable ASCII characters, no blank at either end"),
    (
        "/transaction/amount",
        "a decimal string: 1 to 15 integer digits, no sign, no leading zero, at most 8 decimals",
    ),
    ("/transaction/currency", "an ISO 4217 code in upper case"),
    ("/transaction/beneficiary_account", "a string of 1 to 34 of A-Z, a-z and 0-9"),
    (
        "/transaction/beneficiary_name",
        "a string of 1 to 70 printable characters of the GSM 7-bit basic set, no blank at either end",
    ),
];

fn at(field: &str) -> Malformed {
    let known = FIELDS.iter().find(|(known, _)| *known == field);
    let (field, expected) = known.unwrap_or(&FIELDS[0]);
    Malformed { field: (*field).into(), expected, position: None }
}

/// A body that is not as documented is parsed a second time, to find the path of the mistake.
fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Malformed> {
    serde_json::from_slice(body).map_err(|error| locate::<T>(body, &error))
}

fn locate<'a, T: Deserialize<'a>>(body: &'a [u8], error: &serde_json::Error) -> Malformed {
    let mut json = serde_json::Deserializer::from_slice(body);
    let path = match serde_path_to_error::deserialize::<_, T>(&mut json) {
        Err(error) => pointer(error.path()),
        // The mistake is after the object, not in it.
        Ok(_) => String::new(),
    };
    Malformed { position: Some((error.line(), error.column())), ..at(&longest_known(&path)) }
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter().fold(String::new(), |mut pointer, segment| {
        if let Segment::Map { key } = segment {
            pointer.push('/');
            pointer.push_str(key);
        }
        pointer
    })
}

/// The nearest known field at or above `path`: unknown names are input, and not quoted.
fn longest_known(path: &str) -> String {
    let known = |path: &str| FIELDS.iter().any(|(field, _)| *field == path);
    let mut path = path;
    while !known(path) {
        path = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    }
    path.into()
}

/// 201 of generate.
#[derive(Serialize)]
pub(crate) struct IssuedBody<'a> {
    pub(crate) challenge_id: String,
    pub(crate) sms_reference: &'a str,
    pub(crate) code_length: u8,
    pub(crate) expires_at: String,
    pub(crate) ttl_seconds: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) resend_after_seconds: Option<u64>,
    pub(crate) attempts_left: u8,
    pub(crate) destination: String,
}

/// 202 of resend.
#[derive(Serialize)]
pub(crate) struct ResentBody<'a> {
    pub(crate) challenge_id: String,
    pub(crate) sms_reference: &'a str,
    pub(crate) expires_at: String,
    pub(crate) ttl_seconds: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) resend_after_seconds: Option<u64>,
    pub(crate) attempts_left: u8,
    pub(crate) destination: String,
}

/// 200 of verify.
#[derive(Serialize)]
pub(crate) struct ApprovedBody {
    pub(crate) verdict: &'static str,
    pub(crate) challenge_id: String,
    pub(crate) approved_at: String,
}

/// 200 of cancel.
#[derive(Serialize)]
pub(crate) struct CancelledBody {
    pub(crate) challenge_id: String,
    pub(crate) state: &'static str,
    pub(crate) cancelled_at: String,
}

/// 200 of the challenge look-up.
#[derive(Serialize)]
pub(crate) struct ChallengeBody {
    pub(crate) challenge_id: String,
    pub(crate) sms_reference: String,
    pub(crate) state: &'static str,
    pub(crate) delivery: &'static str,
    pub(crate) sends: u8,
    pub(crate) attempts_left: u8,
    pub(crate) expires_at: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERIFY: &str = r#"{"subscriber":{"corporate_id":"ACME01","user_id":"budi"},"challenge_id":"000102030405060708090a0b0c0d0e0f","code":"482913","purpose":"payment","transaction":{"reference":"TRX-000123","amount":"1250000000","currency":"IDR","beneficiary_account":"1234567890","beneficiary_name":"PT ABC"}}"#;

    fn refused(body: &str) -> Malformed {
        VerifyRequest::parse(body.as_bytes()).expect_err(body)
    }

    #[test]
    fn the_documented_body_is_taken() {
        assert!(VerifyRequest::parse(VERIFY.as_bytes()).is_ok());
    }

    #[test]
    fn abuse_15_a_code_in_any_other_form_is_refused_and_named_but_not_quoted() {
        let long = format!("\"{}\"", "4".repeat(10_000));
        let forms = [
            "482913",
            "[\"482913\"]",
            "[\"482913\",\"482914\"]",
            "{\"a\":\"482913\"}",
            "null",
            "true",
            "\"+482913\"",
            "\"482 913\"",
            "\" 482913\"",
            "\"４８２９１３\"",
            "\"48291\"",
            "\"\\u0034\\u0038\\u0032913\"",
            "4.82913e5",
            long.as_str(),
        ];
        for form in forms {
            let malformed = refused(&VERIFY.replace("\"482913\"", form));
            assert_eq!(malformed.field, "/code", "{form}");
            assert!(!malformed.expected.contains("4829"));
        }
        let twice = VERIFY.replace("\"code\":", "\"code\":\"482914\",\"code\":");
        assert_eq!(refused(&twice).expected, "one JSON object with the documented fields, each once");
    }

    #[test]
    fn the_place_of_a_mistake_is_named_by_known_fields_alone() {
        let cases = [
            ("\"purpose\":\"payment\"", "\"purpose\":\"refund\"", "/purpose"),
            ("\"purpose\":\"payment\"", "\"purpose\":\"payment\",\"secret482913\":1", ""),
            ("\"payment\"", "{\"payment\":null}", "/purpose"),
            ("{\"corporate_id\":\"ACME01\",\"user_id\":\"budi\"}", "[\"ACME01\",\"budi\"]", "/subscriber"),
            ("\"user_id\":\"budi\"", "\"user_id\":7", "/subscriber/user_id"),
            ("\"user_id\":\"budi\"", "\"user_id\":\"a b\"", "/subscriber/user_id"),
            ("\"user_id\":\"budi\"", "\"user_id\":\"budi\",\"x\":1", "/subscriber"),
            ("\"amount\":\"1250000000\"", "\"amount\":1250000000", "/transaction/amount"),
            ("\"amount\":\"1250000000\"", "\"amount\":\"1,250\"", "/transaction/amount"),
            ("\"currency\":\"IDR\",", "", "/transaction"),
            ("PT ABC", "PT\\nABC", "/transaction/beneficiary_name"),
            ("\"challenge_id\":\"00", "\"challenge_id\":\"0", "/challenge_id"),
        ];
        for (from, to, field) in cases {
            let body = VERIFY.replace(from, to);
            assert_ne!(body, VERIFY, "the case {from} changes nothing");
            assert_eq!(refused(&body).field, field, "{body}");
        }
    }

    #[test]
    fn a_broken_body_says_line_and_column() {
        let malformed = refused("{\n  \"subscriber\": oops");
        assert_eq!(malformed.position, Some((2, 17)));
        assert_eq!(refused(&format!("{VERIFY} x")).field, "");
        assert_eq!(refused("").field, "");
        assert_eq!(refused("[[\"ACME01\",\"budi\"],\"00\",\"482913\",\"login\"]").field, "");
        assert_eq!(refused(&"[".repeat(100_000)).field, "");
    }

    #[test]
    fn a_purpose_and_its_transaction_go_together() {
        let body = VERIFY.replace("\"purpose\":\"payment\"", "\"purpose\":\"login\"");
        assert_eq!(refused(&body).expected, "a login has no transaction");
        let body = format!("{}}}", &VERIFY[..VERIFY.find(",\"transaction\"").unwrap()]);
        assert_eq!(refused(&body).expected, "a payment needs its transaction");
        let null = format!("{},\"transaction\":null}}", &VERIFY[..VERIFY.find(",\"transaction\"").unwrap()]);
        assert_eq!(refused(&null).field, "/transaction");
        let login = body.replace("payment", "login");
        assert_eq!(VerifyRequest::parse(login.as_bytes()).unwrap().claim.subject, Subject::Login);
    }
}
