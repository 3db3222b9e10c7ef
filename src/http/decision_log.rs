//! One line of the log for each decision, by which a support call is traced: from the caller's `X-Request-Id` or the
//! reference in the SMS to what was decided. It holds no code, no key and no phone number.

use std::time::Duration;

use super::request_id::RequestId;
use crate::call::Call;
use crate::named::Named as _;
use crate::subscriber::challenge_id::{ChallengeId, SmsReference};

/// A request as it arrived, but for its head and body.
pub(super) struct Arrival<'a> {
    /// Of the clock's uptime.
    pub(super) at: Duration,
    pub(super) call: Call,
    pub(super) id: &'a RequestId,
}

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
    /// `uptime`: of the clock, now.
    pub(super) fn log(&self, arrival: &Arrival<'_>, client: &str, uptime: Duration) {
        let Self { challenge, verdict, is_replay, status } = *self;
        let challenge_id = challenge.map(tracing::field::display);
        let reference = challenge.map(|challenge| challenge.sms_reference());
        let sms_reference = reference.as_ref().map(SmsReference::as_str);
        let micros = u64::try_from((uptime - arrival.at).as_micros()).unwrap_or(u64::MAX);
        tracing::info!(
            target: "otp_gateway::decisions",
            call = arrival.call.name(),
            verdict,
            request_id = arrival.id.as_str(),
            client,
            challenge_id,
            sms_reference,
            status,
            replayed = is_replay,
            micros,
        );
    }
}
