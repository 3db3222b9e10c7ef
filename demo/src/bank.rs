//! The bank's server: keeps payments and has the gateway confirm them.
//!
//! Each act is one call under one idempotency key. The key changes when an answer has come; so an act whose
//! answer was lost, and which the customer repeats, is the same act to the gateway.

mod attacks;
mod confirm;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;

pub(crate) use attacks::{AtOnceForm, ChangedForm};

use crate::challenge::{Challenge, LookedUp, State};
use crate::clock;
use crate::details::{Details, DetailsForm};
use crate::exchange::Exchange;
use crate::gateway::{ActRequest, Call, Gateway, Locale, Unanswered};
use crate::outcome::{Answer, Kept, Outcome, ShownLock};
use crate::payment::{Lock, Payment, Payments, SubscriberId};
use crate::sample::Company;

/// The longest code that the gateway issues.
const CODE_DIGITS_MIN: usize = 6;
const CODE_DIGITS_MAX: usize = 10;

/// A new payment as the page sends it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PaymentForm {
    corporate_id: String,
    user_id: String,
    details: DetailsForm,
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
        let payment = Payment {
            id: id.clone(),
            subscriber,
            details,
            challenge: None,
            act: 0,
            unanswered: Vec::new(),
            receipt: None,
            lock: None,
        };
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
        let request = ActRequest { locale: Some(form.locale), ..request(&payment, None) };
        let Ok(answer) = self.ask(&payment, Call::Generate, &request).await else { return Outcome::NoAnswer };
        let refusal = answer.refusal();
        let Some((challenge, terms)) = answer.issued() else { return refusal };
        if let Some(kept) = self.payments().find(id) {
            let details = payment.details;
            kept.lock = None;
            kept.challenge = Some(Challenge::new(challenge, terms.clone(), details, clock::now()));
        }
        Outcome::Sent(terms)
    }

    /// The payment as it stands, with what the gateway says of its challenge.
    pub(crate) async fn show(&self, id: &str) -> Outcome {
        let Some(payment) = self.payment(id) else { return Outcome::NotFound };
        let looked_up = self.look_up(&payment).await;
        let is_approved = looked_up.is_some_and(|found| found.state == State::Approved);
        let receipt = match &payment.receipt {
            None if is_approved => self.settle(&payment).await,
            receipt => receipt.clone(),
        };
        let Payment { subscriber, details, challenge, lock, .. } = payment;
        let challenge = challenge.map(|challenge| challenge.shown(looked_up, clock::now()));
        let lock = lock.and_then(|lock| ShownLock::of(lock, clock::now()));
        Outcome::Kept(Box::new(Kept { subscriber, details, challenge, receipt, lock }))
    }

    /// What the gateway says of the payment's newest challenge.
    async fn look_up(&self, payment: &Payment) -> Option<LookedUp> {
        let challenge = payment.challenge.as_ref()?;
        let looked_up = self.gateway.look_up(payment, &challenge.id).await?.looked_up()?;
        let mut payments = self.payments();
        let newest = payments.find(&payment.id).and_then(|kept| kept.challenge.as_mut());
        if let Some(newest) = newest.filter(|newest| newest.id == challenge.id) {
            newest.learn(looked_up.delivery);
        }
        Some(looked_up)
    }

    /// What the bank and the gateway said to each other about a payment, after the exchange with this number.
    pub(crate) fn exchanges(&self, id: &str, after: u64) -> Vec<Exchange> {
        self.gateway.exchanges(id, after)
    }

    /// Asks whether the code is right for the payment as it stands, and makes the payment if so.
    pub(crate) async fn confirm(&self, id: &str, form: &ConfirmForm) -> Outcome {
        let Some(payment) = self.payment(id) else { return Outcome::NotFound };
        let Some(challenge) = &payment.challenge else { return Outcome::UnknownChallenge };
        if !is_code(&form.code) {
            return Outcome::InvalidCode;
        }
        self.present(&payment, &challenge.id, &form.code).await
    }

    /// Has the same code sent again.
    pub(crate) async fn resend(&self, id: &str) -> Outcome {
        match self.claim(id, Call::Resend).await {
            Ok(answer) if answer.status == 202 => {
                let resend_after_seconds = answer.document.resend_after_seconds;
                if let Some(challenge) =
                    self.payments().find(id).and_then(|payment| payment.challenge.as_mut())
                {
                    challenge.resent(resend_after_seconds, clock::now());
                }
                Outcome::Resent { resend_after_seconds }
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
        let challenge = payment.challenge.as_ref().ok_or(Outcome::UnknownChallenge)?;
        let request = request(&payment, Some(&challenge.id));
        self.ask(&payment, call, &request).await.map_err(|Unanswered| Outcome::NoAnswer)
    }

    /// One act on a payment. A key that turns out to belong to another act, whose answer was lost, is left
    /// for the next one.
    async fn ask(
        &self,
        payment: &Payment,
        call: Call,
        request: &ActRequest<'_>,
    ) -> Result<Answer, Unanswered> {
        let mut act = payment.act;
        let mut answer = self.gateway.call(call, payment, &key(payment, act), request).await?;
        if answer.is_key_reused() {
            act += 1;
            answer = self.gateway.call(call, payment, &key(payment, act), request).await?;
        }
        if let Some(kept) = self.payments().find(&payment.id) {
            kept.act = kept.act.max(act + 1);
        }
        self.remember_lock(payment, &answer);
        Ok(answer)
    }

    /// For a page that is loaded anew: a look-up says nothing of a lock.
    fn remember_lock(&self, payment: &Payment, answer: &Answer) {
        let lock = match answer.refusal() {
            Outcome::Locked { retry_after_seconds } => {
                Lock::Until(clock::now() + Duration::from_secs(retry_after_seconds))
            }
            Outcome::Disabled => Lock::Disabled,
            _ => return,
        };
        if let Some(kept) = self.payments().find(&payment.id) {
            kept.lock = Some(lock);
        }
    }

    fn payment(&self, id: &str) -> Option<Payment> {
        self.payments().find(id).cloned()
    }

    fn payments(&self) -> MutexGuard<'_, Payments> {
        // Nothing in this module panics while it holds the lock, and none awaits.
        self.payments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn request<'a>(payment: &'a Payment, challenge_id: Option<&'a str>) -> ActRequest<'a> {
    ActRequest {
        subscriber: &payment.subscriber,
        purpose: "payment",
        transaction: &payment.details,
        locale: None,
        challenge_id,
        code: None,
    }
}

/// The idempotency key of an act on a payment.
fn key(payment: &Payment, act: u32) -> String {
    format!("{}-{act}", payment.id)
}

fn is_code(code: &str) -> bool {
    (CODE_DIGITS_MIN..=CODE_DIGITS_MAX).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_digit())
}

fn new_id() -> Option<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).inspect_err(|error| tracing::error!(%error, "no randomness")).ok()?;
    Some(base16ct::lower::encode_string(&bytes))
}

#[cfg(test)]
mod tests;
