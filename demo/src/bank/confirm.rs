//! Presents codes, makes what is approved, and finds out what became of a code whose answer was lost.

use super::{Bank, request};
use crate::gateway::{ActRequest, Call, Unanswered};
use crate::outcome::{Answer, Outcome};
use crate::payment::{Payment, Presented, Receipt};

impl Bank {
    /// Asks whether a code is right for the payment as it is given, and makes the payment if so.
    pub(super) async fn present(&self, payment: &Payment, challenge: &str, code: &str) -> Outcome {
        let request = ActRequest { code: Some(code), ..request(payment, Some(challenge)) };
        let answer = self.ask(payment, Call::Verify, &request).await;
        self.note(payment, challenge, code, answer.is_ok());
        self.verified(payment, challenge, answer)
    }

    /// What the answer to a verify means; an approval makes the payment.
    pub(super) fn verified(
        &self,
        payment: &Payment,
        challenge: &str,
        answer: Result<Answer, Unanswered>,
    ) -> Outcome {
        match answer {
            Ok(answer) if answer.status == 200 && answer.document.verdict.as_deref() == Some("approved") => {
                self.make(payment, challenge, answer)
            }
            Ok(answer) => answer.refusal(),
            Err(Unanswered) => Outcome::NoAnswer,
        }
    }

    /// The receipt of a payment that the gateway says is approved. If the approval was lost on its way here, it is
    /// fetched: each code that was not answered is presented once more, as the act that it was.
    pub(super) async fn settle(&self, payment: &Payment) -> Option<Receipt> {
        for presented in &payment.unanswered {
            let Presented { act, details, challenge, code } = presented.clone();
            let as_it_was = Payment { act, details, ..payment.clone() };
            match self.present(&as_it_was, &challenge, &code).await {
                Outcome::Approved { receipt } => return Some(receipt),
                Outcome::NoAnswer => return None, // Another look will try again.
                _ => {}
            }
        }
        None
    }

    /// Remembers a code that was presented until its answer comes.
    fn note(&self, payment: &Payment, challenge: &str, code: &str, is_answered: bool) {
        let presented = Presented {
            act: payment.act,
            details: payment.details.clone(),
            challenge: challenge.to_owned(),
            code: code.to_owned(),
        };
        if let Some(kept) = self.payments().find(&payment.id) {
            kept.note(presented, is_answered);
        }
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
        // Whatever was saved while the gateway was asked: this is what is paid.
        payment.details = receipt.details.clone();
        Outcome::Approved { receipt: receipt.clone() }
    }
}

/// Short enough to read out: `BC-9F86-D081`, from the challenge that confirmed the payment.
fn receipt_number(challenge: &str) -> String {
    let digits: String = challenge.chars().take(8).flat_map(char::to_uppercase).collect();
    let (first, last) = digits.split_at_checked(4).unwrap_or((&digits, ""));
    format!("BC-{first}-{last}")
}
