//! What no honest page does, for the visitor to try: the bank passes it on as it comes, and the gateway stands.

use std::ops::Range;

use futures_util::future::join_all;
use serde::Deserialize;

use super::{Bank, ConfirmForm, is_code, request};
use crate::details::{Details, DetailsForm};
use crate::gateway::{ActRequest, Call};
use crate::outcome::Outcome;
use crate::payment::{Payment, SubscriberId, UNANSWERED_MAX};
use crate::sample::{Authenticator, User};

/// Codes that may be presented at once: enough that some meet, few enough to show each.
pub(crate) const AT_ONCE_MAX: usize = 64;
const _: () = assert!(AT_ONCE_MAX <= UNANSWERED_MAX);

/// Codes that are to be presented for one payment, all at once.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AtOnceForm {
    codes: Vec<String>,
}

/// A code that is to be presented for other details than it was made for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangedForm {
    code: String,
    details: DetailsForm,
}

impl Bank {
    /// Presents all codes at the same time, each as an act of its own: none is the repetition of another.
    pub(crate) async fn confirm_at_once(&self, id: &str, form: &AtOnceForm) -> Outcome {
        let Some(payment) = self.payment(id) else { return Outcome::NotFound };
        let Some(challenge) = &payment.challenge else { return Outcome::UnknownChallenge };
        if !(1..=AT_ONCE_MAX).contains(&form.codes.len()) || !form.codes.iter().all(|code| is_code(code)) {
            return Outcome::InvalidCode;
        }
        let acts = self.reserve(id, form.codes.len());
        let confirmations = form.codes.iter().zip(acts).map(async |(code, act)| {
            let payment = Payment { act, ..payment.clone() };
            self.present(&payment, &challenge.id, code).await
        });
        Outcome::AtOnce { outcomes: join_all(confirmations).await }
    }

    /// Presents the code for a payment that was changed on its way. What the bank keeps stays as it is.
    pub(crate) async fn confirm_changed(&self, id: &str, form: ChangedForm) -> Outcome {
        let Some(payment) = self.payment(id) else { return Outcome::NotFound };
        let Some(challenge) = payment.challenge.clone() else { return Outcome::UnknownChallenge };
        if !is_code(&form.code) {
            return Outcome::InvalidCode;
        }
        match Details::parse(form.details) {
            Ok(details) => self.present(&Payment { details, ..payment }, &challenge.id, &form.code).await,
            Err(field) => Outcome::Invalid { field },
        }
    }

    /// Presents the code of this payment's challenge in the name of a colleague.
    pub(crate) async fn confirm_as_colleague(&self, id: &str, form: &ConfirmForm) -> Outcome {
        let Some(payment) = self.payment(id) else { return Outcome::NotFound };
        let Some(challenge) = &payment.challenge else { return Outcome::UnknownChallenge };
        let Some(colleague) = self.colleague(&payment.subscriber) else { return Outcome::UnknownSubscriber };
        if !is_code(&form.code) {
            return Outcome::InvalidCode;
        }
        let request = ActRequest {
            subscriber: &colleague,
            code: Some(&form.code),
            ..request(&payment, Some(&challenge.id))
        };
        let answer = self.ask(&payment, Call::Verify, &request).await;
        self.verified(&payment, &challenge.id, answer)
    }

    /// This many acts that no other call will be.
    fn reserve(&self, id: &str, acts: usize) -> Range<u32> {
        let mut payments = self.payments();
        let Some(payment) = payments.find(id) else { return 0..0 };
        let first = payment.act;
        payment.act = first.saturating_add(u32::try_from(acts).unwrap_or(u32::MAX));
        first..payment.act
    }

    /// Another user of the same company who confirms by SMS.
    fn colleague(&self, subscriber: &SubscriberId) -> Option<SubscriberId> {
        let SubscriberId { corporate_id, user_id } = subscriber;
        let company = self.companies.iter().find(|company| company.corporate_id == corporate_id)?;
        let other = |user: &&User| user.user_id != *user_id && user.authenticator == Authenticator::SmsOtp;
        let user_id = company.users.iter().find(other)?.user_id.clone();
        Some(SubscriberId { corporate_id: corporate_id.clone(), user_id })
    }
}
