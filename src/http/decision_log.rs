//! One line of the log for each decision, by which a support call is traced: from the caller's `X-Request-Id` or the
//! reference in the SMS to what was decided. It holds no code, no key and no phone number.

use std::time::Duration;

use crate::call::Call;
use crate::named::Named as _;
use crate::subscriber::challenge_id::{ChallengeId, SmsReference};

/// What a decision's line says beside its request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// `None` if no challenge was issued.
    pub(super) challenge: Option<ChallengeId>,
    /// The verdict, or its like: `issued`, `resent`, or why not.
    pub(super) verdict: &'static str,
    /// The call was made before, and got the same reply.
    pub(super) is_replay: bool,
    pub(super) status: u16,
}

impl Entry {
    pub(super) fn log(&self, call: Call, request_id: &str, client: &str, took: Duration) {
        let Self { challenge, verdict, is_replay, status } = *self;
        let challenge_id = challenge.map(tracing::field::display);
        let reference = challenge.map(|challenge| challenge.sms_reference());
        let sms_reference = reference.as_ref().map(SmsReference::as_str);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        tracing::info!(
            target: "otp_gateway::decisions",
            call = call.name(),
            verdict,
            request_id,
            client,
            challenge_id,
            sms_reference,
            status,
            replayed = is_replay,
            micros,
        );
    }
}
