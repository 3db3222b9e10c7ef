//! The bank's server: keeps payments and has the gateway confirm them.
//!
//! Each act is one call under one idempotency key. The key changes when an answer has come; so an act whose
//! answer was lost, and which the customer repeats, is the same act to the gateway.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::gateway::{Call, Gateway, Unanswered};
use crate::outcome::{Answer, Outcome};
use crate::payment::{Details, DetailsForm, Payment, Payments, Receipt, SubscriberId};
use crate::sample::Company;

/// The longest code that the gateway issues.
const CODE_DIGITS_MAX: usize = 10;

/// A new payment as the page sends it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PaymentForm {
    corporate_id: String,
    user_id: String,
    details: DetailsForm,
}

/// The language of the SMS.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Locale {
    Id,
    En,
}

/// What the page sends to have a code generated.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GenerateForm {
    locale: Locale,
}

/// What the page sends to confirm.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfirmForm {
    code: String,
}

/// A body of the gateway's API.
#[derive(Serialize)]
struct Body<'a> {
    subscriber: &'a SubscriberId,
    purpose: &'static str,
    transaction: &'a Details,
    #[serde(skip_serializing_if = "Option::is_none")]
    locale: Option<Locale>,
    #[serde(skip_serializing_if = "Option::is_none")]
    challenge_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
}

/// The bank.
#[derive(Debug)]
pub(crate) struct Bank {
    gateway: Gateway,
    companies: Vec<Company>,
    payments: Mutex<Payments>,
}

impl Bank {
    pub(crate) fn new(gateway: Gateway, companies: Vec<Company>) -> Self {
        Self { gateway, companies, payments: Mutex::default() }
    }

    /// The companies whose users may pay.
    pub(crate) fn companies(&self) -> &[Company] {
        &self.companies
    }

    /// The handset of a user, in digits.
    pub(crate) fn phone(&self, corporate_id: &str, user_id: &str) -> Option<&str> {
        let company = self.companies.iter().find(|company| company.corporate_id == corporate_id)?;
        company.users.iter().find(|user| user.user_id == user_id).map(|user| user.phone.as_str())
    }

    /// Keeps a new payment.
    pub(crate) fn create(&self, form: PaymentForm) -> Outcome {
        if self.phone(&form.corporate_id, &form.user_id).is_none() {
            return Outcome::UnknownSubscriber;
        }
        let details = match Details::parse(form.details) {
            Ok(details) => details,
            Err(field) => return Outcome::Invalid { field },
        };
        let Some(id) = new_id() else { return Outcome::NoAnswer };
        let subscriber = SubscriberId { corporate_id: form.corporate_id, user_id: form.user_id };
        let payment = Payment { id: id.clone(), subscriber, details, challenge: None, act: 0, receipt: None };
        self.payments().insert(payment);
        Outcome::Saved { payment_id: id }
    }

    /// Changes a payment that is not made yet. A code that was issued for it stays bound to what it was; the
    /// gateway refuses it.
    pub(crate) fn change(&self, id: &str, form: DetailsForm) -> Outcome {
        let details = match Details::parse(form) {
            Ok(details) => details,
            Err(field) => return Outcome::Invalid { field },
        };
        match self.payments().find(id) {
            None => Outcome::NotFound,
            Some(payment) if payment.receipt.is_some() => Outcome::AlreadyConfirmed,
            Some(payment) => {
                payment.details = details;
                Outcome::Saved { payment_id: payment.id.clone() }
            }
        }
    }

    /// Has a code generated for the payment as it stands.
    pub(crate) async fn generate(&self, id: &str, form: &GenerateForm) -> Outcome {
        let Some(payment) = self.payment(id) else { return Outcome::NotFound };
        if payment.receipt.is_some() {
            return Outcome::AlreadyConfirmed;
        }
        let body = Body { locale: Some(form.locale), ..body(&payment, None) };
        let answer = match self.ask(&payment, Call::Generate, &body).await {
            Ok(answer) => answer,
            Err(Unanswered) => return Outcome::NoAnswer,
        };
        match (answer.sent(), &answer.document.challenge_id) {
            (Some(sent), Some(challenge)) => {
                if let Some(kept) = self.payments().find(id) {
                    kept.challenge = Some(challenge.clone());
                }
                sent
            }
            _ => answer.refusal(),
        }
    }

    /// Asks whether the code is right for the payment as it stands, and makes the payment if so.
    pub(crate) async fn confirm(&self, id: &str, form: &ConfirmForm) -> Outcome {
        let Some(payment) = self.payment(id) else { return Outcome::NotFound };
        let Some(challenge) = &payment.challenge else { return Outcome::UnknownChallenge };
        let code = form.code.as_str();
        if !(1..=CODE_DIGITS_MAX).contains(&code.len()) || !code.bytes().all(|byte| byte.is_ascii_digit()) {
            return Outcome::InvalidCode;
        }
        let body = Body { code: Some(code), ..body(&payment, Some(challenge)) };
        match self.ask(&payment, Call::Verify, &body).await {
            Ok(answer) if answer.status == 200 && answer.document.verdict.as_deref() == Some("approved") => {
                self.make(&payment, challenge, answer)
            }
            Ok(answer) => answer.refusal(),
            Err(Unanswered) => Outcome::NoAnswer,
        }
    }

    /// Has the same code sent again.
    pub(crate) async fn resend(&self, id: &str) -> Outcome {
        match self.claim(id, Call::Resend).await {
            Ok(answer) if answer.status == 202 => {
                Outcome::Resent { resend_after_seconds: answer.document.resend_after_seconds }
            }
            Ok(answer) => answer.refusal(),
            Err(outcome) => outcome,
        }
    }

    /// Has the code cancelled.
    pub(crate) async fn cancel(&self, id: &str) -> Outcome {
        match self.claim(id, Call::Cancel).await {
            Ok(answer) if answer.status == 200 => Outcome::Cancelled,
            Ok(answer) => answer.refusal(),
            Err(outcome) => outcome,
        }
    }

    async fn claim(&self, id: &str, call: Call) -> Result<Answer, Outcome> {
        let payment = self.payment(id).ok_or(Outcome::NotFound)?;
        let challenge = payment.challenge.as_deref().ok_or(Outcome::UnknownChallenge)?;
        let body = body(&payment, Some(challenge));
        self.ask(&payment, call, &body).await.map_err(|Unanswered| Outcome::NoAnswer)
    }

    /// The payment was approved: exactly the details that the gateway was asked about are made, and once,
    /// however often the approval arrives.
    fn make(&self, approved: &Payment, challenge: &str, answer: Answer) -> Outcome {
        let mut payments = self.payments();
        let Some(payment) = payments.find(&approved.id) else { return Outcome::NotFound };
        let receipt = payment.receipt.get_or_insert_with(|| Receipt {
            details: approved.details.clone(),
            approved_at: answer.document.approved_at.unwrap_or_default(),
            number: receipt_number(challenge),
        });
        Outcome::Approved { receipt: receipt.clone() }
    }

    /// One act on a payment. A key that turns out to belong to another act, whose answer was lost, is left
    /// for the next one.
    async fn ask(&self, payment: &Payment, call: Call, body: &Body<'_>) -> Result<Answer, Unanswered> {
        let key = |act: u32| format!("{}-{act}", payment.id);
        let mut act = payment.act;
        let mut answer = self.gateway.call(call, &key(act), body).await?;
        if answer.is_key_reused() {
            act += 1;
            answer = self.gateway.call(call, &key(act), body).await?;
        }
        if let Some(kept) = self.payments().find(&payment.id) {
            kept.act = kept.act.max(act + 1);
        }
        Ok(answer)
    }

    fn payment(&self, id: &str) -> Option<Payment> {
        self.payments().find(id).cloned()
    }

    fn payments(&self) -> MutexGuard<'_, Payments> {
        // Nothing in this module panics while it holds the lock, and none awaits.
        self.payments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn body<'a>(payment: &'a Payment, challenge_id: Option<&'a str>) -> Body<'a> {
    Body {
        subscriber: &payment.subscriber,
        purpose: "payment",
        transaction: &payment.details,
        locale: None,
        challenge_id,
        code: None,
    }
}

fn new_id() -> Option<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).inspect_err(|error| tracing::error!(%error, "no randomness")).ok()?;
    Some(base16ct::lower::encode_string(&bytes))
}

/// Short enough to read out: `BC-9F86-D081`, from the challenge that confirmed the payment.
fn receipt_number(challenge: &str) -> String {
    let digits: String = challenge.chars().take(8).flat_map(char::to_uppercase).collect();
    let (first, last) = digits.split_at_checked(4).unwrap_or((&digits, ""));
    format!("BC-{first}-{last}")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::payment::tests::form;
    use crate::sample;

    const SENT: &str = r#"{"challenge_id":"9f86d081884c7d659a2feaa0c55ad015","sms_reference":"KY3D","code_length":6,
        "ttl_seconds":180,"resend_after_seconds":30,"attempts_left":3,"destination":"+62812*****01"}"#;

    /// A gateway that plays a script: each connection is answered with the next entry, or closed without an
    /// answer. Keeps the idempotency keys that it saw.
    async fn gateway(script: Vec<Option<(u16, &'static str)>>) -> (Gateway, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let keys = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&keys);
        tokio::spawn(async move {
            for answer in script {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"}") {
                    assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
                }
                let request = String::from_utf8(request).unwrap();
                let key = request.lines().find_map(|line| line.strip_prefix("idempotency-key: ")).unwrap();
                seen.lock().unwrap().push(key.to_owned());
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
        let Outcome::Saved { payment_id } =
            bank.create(PaymentForm { corporate_id, user_id, details: form() })
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
        const APPROVED: &str = r#"{"verdict":"approved","approved_at":"2026-11-22T09:12:41Z"}"#;
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
            Some((200, r#"{"verdict":"approved","approved_at":"2026-11-22T09:12:41Z"}"#)),
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
}
