//! The calls of the API by name. The name is part of what is hashed for an idempotency key, so that it must stay
//! as it is; metrics and logs show it, too.

use crate::named::named;

named! {
    /// A call of the API.
    pub(crate) enum Call {
        /// `POST /v1/otp/generate`.
        Generate = "generate",
        /// `POST /v1/otp/verify`.
        Verify = "verify",
        /// `POST /v1/otp/resend`.
        Resend = "resend",
        /// `POST /v1/otp/cancel`.
        Cancel = "cancel",
        /// `GET …/challenges/{challenge_id}`.
        Challenge = "challenge",
        /// Anything else.
        Other = "other",
    }
}
