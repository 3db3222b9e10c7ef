//! The subscribers, the payment that they confirm, and the bodies of the calls about it.

use gateway_sandbox::{Authenticator, Subscriber};
use serde_json::{Value, json};

/// How many subscribers there are: `ACME01/USER000` and on, all on SMS OTP but the last. One more is the one of the
/// examples in `openapi.yaml`, whom the demo has, too.
pub(crate) const SUBSCRIBERS: usize = 100;
/// The last one, who confirms with a hard token.
pub(crate) const HARD_TOKEN_USER: &str = "USER099";

const CORPORATE_ID: &str = "ACME01";

/// The subscribers of a house.
pub(super) fn subscribers() -> impl Iterator<Item = Subscriber> {
    let last = row(SUBSCRIBERS - 1, HARD_TOKEN_USER.into(), Authenticator::HardToken);
    let of_examples = row(SUBSCRIBERS, "BUDI.SANTOSO".into(), Authenticator::SmsOtp);
    let of_examples = Subscriber { corporate_id: "NUSA01", ..of_examples };
    on_sms_otp(SUBSCRIBERS - 1).chain([last, of_examples])
}

/// The first `count` users, all of them on SMS OTP.
pub(crate) fn on_sms_otp(count: usize) -> impl Iterator<Item = Subscriber> {
    (0..count).map(|user| row(user, user_id(user), Authenticator::SmsOtp))
}

fn row(user: usize, user_id: String, authenticator: Authenticator) -> Subscriber {
    Subscriber {
        company_name: "PT Acme",
        corporate_id: CORPORATE_ID,
        user_id,
        phone: phone(user),
        authenticator,
    }
}

fn user_id(user: usize) -> String {
    format!("USER{user:03}")
}

/// A challenge and its code.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    pub(crate) user: usize,
    pub(crate) challenge_id: String,
    pub(crate) code: String,
}

impl Issued {
    pub(crate) fn body(&self) -> Value {
        verify_body(self.user, &self.challenge_id, &self.code)
    }

    /// The same with a wrong code.
    pub(crate) fn wrong_body(&self) -> Value {
        verify_body(self.user, &self.challenge_id, &wrong(&self.code))
    }

    /// Where the challenge is looked up.
    pub(crate) fn path(&self) -> String {
        challenge_path(self.user, &self.challenge_id)
    }
}

pub(crate) fn wrong(code: &str) -> String {
    code.bytes().map(|digit| char::from(b'0' + (digit - b'0' + 1) % 10)).collect()
}

/// The digits of the origin-bound last line.
pub(crate) fn code_in(text: &str) -> &str {
    text.rsplit_once('#').expect("a last line with the code").1.trim()
}

pub(crate) fn phone(user: usize) -> String {
    format!("62812000{user:05}")
}

pub(crate) fn subscriber(user: usize) -> Value {
    json!({"corporate_id": CORPORATE_ID, "user_id": user_id(user)})
}

pub(crate) fn challenge_path(user: usize, challenge_id: &str) -> String {
    format!("/v1/subscribers/{CORPORATE_ID}/{}/challenges/{challenge_id}", user_id(user))
}

pub(crate) fn sms_reference_path(user: usize, reference: &str) -> String {
    format!("/v1/subscribers/{CORPORATE_ID}/{}/sms-references/{reference}", user_id(user))
}

pub(crate) fn transaction() -> Value {
    json!({"reference": "TRX-000123", "amount": "125000000", "currency": "IDR",
           "beneficiary_account": "1234567890", "beneficiary_name": "PT ABC"})
}

pub(crate) fn generate_body(user: usize) -> Value {
    json!({"subscriber": subscriber(user), "purpose": "payment", "locale": "id", "transaction": transaction()})
}

pub(crate) fn claim_body(user: usize, challenge_id: &str) -> Value {
    json!({"subscriber": subscriber(user), "challenge_id": challenge_id, "purpose": "payment",
           "transaction": transaction()})
}

pub(crate) fn verify_body(user: usize, challenge_id: &str, code: &str) -> Value {
    let mut body = claim_body(user, challenge_id);
    body["code"] = code.into();
    body
}
