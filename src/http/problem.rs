//! Errors as RFC 9457 problem details. Only this module knows the status of an error.
//!
//! The policy: a problem names what was wrong and where. A parser's message is never shown or logged, since
//! it quotes the input. `type` is stable and documented in `openapi.yaml`; `verdict` and `reason` are for
//! programs, `title` and `detail` for people. A 4xx is the caller's mistake, except 422 and 429, which are
//! decisions; a 503 is temporary and the gateway's.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use hyper::{Response, StatusCode};
use serde::Serialize;

use crate::clock::Timestamp;
use crate::named::{Named as _, named};
use crate::store::StoreError;
use crate::subscriber::admission::Unavailable;
use crate::subscriber::lockout::Lock;
use crate::subscriber::verdict::Verdict;
use crate::subscriber::{GenerateRefused, ResendRefused};

const TYPE_BASE: &str = "https://otp-gateway.example/problems/";
/// When to repeat a call whose outcome is unknown: by then the gateway is up again, or another one is.
const OUTCOME_UNKNOWN_RETRY_AFTER: Duration = Duration::from_secs(1);

/// What is wrong with a request that could not be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// JSON pointer (RFC 6901) to the known field, or the name of a header.
    pub(crate) field: String,
    /// What should be there.
    pub(crate) expected: &'static str,
    /// Line and column, from 1, where reading the JSON stopped.
    pub(crate) position: Option<(usize, usize)>,
}

/// Everything that is not a success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    Malformed(Malformed),
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed { allowed: &'static str },
    BodyTimeout,
    BodyTooLarge,
    UnsupportedMediaType,
    KeyReused,
    NotApproved(Verdict),
    NotIssued(GenerateRefused),
    NotResent(ResendRefused),
    NotCancelled(Verdict),
    OutcomeUnknown,
}

/// The document. Absent members are not written.
#[derive(Debug, Default, Serialize)]
struct Document<'a> {
    r#type: &'a str,
    title: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts_left: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_seconds: Option<u64>,
}

/// A kind of problem: its status, the last part of its `type`, its title.
type Kind = (StatusCode, &'static str, &'static str);

/// Declares the kinds, and lists them.
macro_rules! kinds {
    ( $( $kind:ident = $status:ident, $name:literal, $title:literal; )+ ) => {
        $( const $kind: Kind = (StatusCode::$status, $name, $title); )+
        #[cfg(test)]
        const KINDS: &[Kind] = &[$( $kind, )+];
    };
}

kinds! {
    MALFORMED = BAD_REQUEST, "malformed-request", "The request is not as documented";
    UNAUTHORIZED = UNAUTHORIZED, "unauthorized", "A valid API key is needed";
    FORBIDDEN = FORBIDDEN, "forbidden", "The client has no role for this call";
    NOT_FOUND = NOT_FOUND, "not-found", "There is nothing here";
    METHOD = METHOD_NOT_ALLOWED, "method-not-allowed", "This call takes another method";
    BODY_TIMEOUT = REQUEST_TIMEOUT, "body-timeout", "The body did not arrive in time";
    BODY_TOO_LARGE = PAYLOAD_TOO_LARGE, "body-too-large", "The body is too large";
    MEDIA_TYPE = UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "The body must be application/json";
    KEY_REUSED =
        UNPROCESSABLE_ENTITY, "idempotency-key-reused", "The Idempotency-Key was used for another request";
    NOT_APPROVED = UNPROCESSABLE_ENTITY, "not-approved", "The transaction is not confirmed";
    NOT_ISSUED = UNPROCESSABLE_ENTITY, "not-issued", "No code was issued";
    NOT_RESENT = UNPROCESSABLE_ENTITY, "not-resent", "The code was not sent again";
    NOT_CANCELLED = UNPROCESSABLE_ENTITY, "not-cancelled", "The challenge was not cancelled";
    TOO_EARLY = TOO_MANY_REQUESTS, "too-early", "It is too early to send the code again";
    SENDS_USED_UP = TOO_MANY_REQUESTS, "sends-used-up", "The subscriber's messages of the day are used up";
    UNAVAILABLE = SERVICE_UNAVAILABLE, "unavailable", "No code can be sent at the moment";
    OUTCOME_UNKNOWN = SERVICE_UNAVAILABLE, "outcome-unknown", "It is not known whether the call took effect";
}

named! {
    /// Why a call was refused by a decision, where no verdict says it.
    enum Reason {
        UnknownSubscriber = "unknown_subscriber",
        NotOnSmsOtp = "not_on_sms_otp",
        Locked = "locked",
        NoResendLeft = "no_resend_left",
    }
}

/// A problem document with the status and headers of its reply.
struct Draft<'a> {
    document: Document<'a>,
    status: StatusCode,
    type_name: &'static str,
    retry_after: Option<Duration>,
    /// The header that this kind of problem must have.
    header: Option<(HeaderName, &'static str)>,
}

impl<'a> Draft<'a> {
    fn new((status, type_name, title): Kind) -> Self {
        let document = Document { title, status: status.as_u16(), ..Default::default() };
        Self { document, status, type_name, retry_after: None, header: None }
    }

    fn header(mut self, name: HeaderName, value: &'static str) -> Self {
        self.header = Some((name, value));
        self
    }

    fn detail(mut self, detail: &'a str) -> Self {
        self.document.detail = Some(detail);
        self
    }

    fn reason(mut self, reason: &'static str) -> Self {
        self.document.reason = Some(reason);
        self
    }

    fn retry_after(mut self, retry_after: Duration) -> Self {
        self.retry_after = Some(retry_after);
        // Rounded up, so that a caller who waits this long is not too early.
        self.document.retry_after_seconds = Some(whole_seconds_up(retry_after));
        self
    }

    fn verdict(mut self, verdict: Verdict, now: Timestamp) -> Self {
        self.document.verdict = Some(verdict.kind().name());
        match verdict {
            Verdict::Incorrect { attempts_left } => self.document.attempts_left = Some(attempts_left),
            Verdict::Locked(lock) => return self.lock(lock, now),
            Verdict::Approved { .. }
            | Verdict::UnknownChallenge
            | Verdict::AlreadyUsed
            | Verdict::Cancelled
            | Verdict::Expired
            | Verdict::AttemptsExhausted
            | Verdict::TransactionChanged => {}
        }
        self
    }

    fn lock(self, lock: Lock, now: Timestamp) -> Self {
        match lock {
            Lock::Until(until) => self.retry_after(until.since(now)),
            Lock::Disabled => self.detail("the branch must bind the authenticator anew"),
        }
    }
}

pub(crate) fn whole_seconds_up(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

impl Problem {
    /// The reply, with times counted from `now`.
    pub(crate) fn response(&self, now: Timestamp) -> Response<Full<Bytes>> {
        let mut draft = self.draft(now);
        let type_uri = format!("{TYPE_BASE}{}", draft.type_name);
        draft.document.r#type = &type_uri;
        let body = serde_json::to_vec(&draft.document).expect("a problem document has only string keys");
        let mut response = Response::new(Full::from(body));
        *response.status_mut() = draft.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(retry_after) = draft.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds_up(retry_after)));
        }
        if let Some((name, value)) = draft.header {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }

    fn draft(&self, now: Timestamp) -> Draft<'_> {
        match self {
            Self::Malformed(malformed) => malformed.draft(),
            Self::Unauthorized => Draft::new(UNAUTHORIZED).header(WWW_AUTHENTICATE, "Bearer"),
            Self::Forbidden => Draft::new(FORBIDDEN),
            Self::NotFound => Draft::new(NOT_FOUND),
            Self::MethodNotAllowed { allowed } => Draft::new(METHOD).header(ALLOW, allowed),
            Self::BodyTimeout => Draft::new(BODY_TIMEOUT),
            Self::BodyTooLarge => Draft::new(BODY_TOO_LARGE),
            Self::UnsupportedMediaType => Draft::new(MEDIA_TYPE),
            Self::KeyReused => Draft::new(KEY_REUSED),
            Self::NotApproved(verdict) => Draft::new(NOT_APPROVED).verdict(*verdict, now),
            Self::NotCancelled(verdict) => Draft::new(NOT_CANCELLED).verdict(*verdict, now),
            Self::NotIssued(refused) => draft_not_issued(*refused, now),
            Self::NotResent(refused) => draft_not_resent(*refused, now),
            Self::OutcomeUnknown => Draft::new(OUTCOME_UNKNOWN)
                .detail("make the same call again, with the same Idempotency-Key if it had one")
                .retry_after(OUTCOME_UNKNOWN_RETRY_AFTER),
        }
    }
}

impl Malformed {
    fn draft(&self) -> Draft<'_> {
        let mut draft = Draft::new(MALFORMED).detail(self.expected);
        draft.document.field = Some(&self.field);
        draft.document.line = self.position.map(|(line, _)| line);
        draft.document.column = self.position.map(|(_, column)| column);
        draft
    }
}

fn draft_not_issued(refused: GenerateRefused, now: Timestamp) -> Draft<'static> {
    match refused {
        GenerateRefused::UnknownSubscriber => Draft::new(NOT_ISSUED).reason(Reason::UnknownSubscriber.name()),
        GenerateRefused::NotOnSmsOtp => Draft::new(NOT_ISSUED).reason(Reason::NotOnSmsOtp.name()),
        GenerateRefused::Locked(lock) => Draft::new(NOT_ISSUED).reason(Reason::Locked.name()).lock(lock, now),
        GenerateRefused::SendsUsedUp { retry_after } => Draft::new(SENDS_USED_UP).retry_after(retry_after),
        GenerateRefused::Unavailable(unavailable) => draft_unavailable(unavailable),
    }
}

fn draft_not_resent(refused: ResendRefused, now: Timestamp) -> Draft<'static> {
    match refused {
        ResendRefused::Ended(verdict) => Draft::new(NOT_RESENT).verdict(verdict, now),
        ResendRefused::NoneLeft => Draft::new(NOT_RESENT).reason(Reason::NoResendLeft.name()),
        ResendRefused::TooEarly { retry_after } => Draft::new(TOO_EARLY).retry_after(retry_after),
        ResendRefused::SendsUsedUp { retry_after } => Draft::new(SENDS_USED_UP).retry_after(retry_after),
        ResendRefused::Unavailable(unavailable) => draft_unavailable(unavailable),
    }
}

fn draft_unavailable(unavailable: Unavailable) -> Draft<'static> {
    Draft::new(UNAVAILABLE).reason(unavailable.name()).retry_after(unavailable.retry_after())
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::OutcomeUnknown => Self::OutcomeUnknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::call::Call;
    use crate::metrics::statuses;
    use crate::named::Named;
    use crate::subscriber::challenge::{Delivery, State};
    use crate::subscriber::verdict::VerdictKind;

    /// What `openapi.yaml` allows at this JSON pointer.
    fn documented(pointer: &str) -> Vec<String> {
        let document: serde_json::Value =
            serde_saphyr::from_str(include_str!("../../openapi.yaml")).expect("a YAML document");
        let found = document.pointer(pointer).unwrap_or_else(|| panic!("nothing at {pointer}"));
        let words = found.as_array().expect("a list").iter();
        let mut words: Vec<_> = words.map(|word| word.as_str().expect("a word").to_owned()).collect();
        words.sort_unstable();
        words
    }

    fn names<E: Named>() -> Vec<String> {
        let mut names: Vec<_> = E::ALL.iter().map(|value| value.name().to_owned()).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn every_name_of_ours_is_documented_and_every_documented_one_is_ours() {
        let schemas = "/components/schemas";
        let reasons = documented(&format!("{schemas}/Unavailable/properties/reason/enum"));
        assert_eq!(reasons, names::<Unavailable>());
        let mut reasons = documented(&format!("{schemas}/NotIssued/properties/reason/enum"));
        reasons.extend(documented(&format!("{schemas}/NotResentAgain/properties/reason/enum")));
        reasons.sort_unstable();
        assert_eq!(reasons, names::<Reason>());
        let mut verdicts = documented(&format!("{schemas}/NotApproved/properties/verdict/enum"));
        verdicts.push(VerdictKind::Approved.name().to_owned());
        verdicts.sort_unstable();
        assert_eq!(verdicts, names::<VerdictKind>());
        assert_eq!(documented(&format!("{schemas}/Challenge/properties/state/enum")), names::<State>());
        assert_eq!(documented(&format!("{schemas}/Challenge/properties/delivery/enum")), names::<Delivery>());
    }

    #[test]
    fn every_call_is_documented() {
        let document = include_str!("../../openapi.yaml");
        for call in Call::ALL {
            let operation = match call {
                Call::Generate | Call::Verify | Call::Resend | Call::Cancel => call.name(),
                Call::Challenge => "getChallenge",
                Call::Other => "getContract",
            };
            assert!(document.contains(&format!("operationId: {operation}\n")), "{operation} is missing");
        }
    }

    #[test]
    fn every_status_that_is_documented_for_a_call_is_counted_by_itself_and_no_other() {
        let document: serde_json::Value =
            serde_saphyr::from_str(include_str!("../../openapi.yaml")).expect("a YAML document");
        let operations = document["paths"]
            .as_object()
            .unwrap()
            .values()
            .flat_map(|path| path.as_object().unwrap().values());
        let mut counted = 0;
        for operation in operations.filter(|operation| operation["operationId"].is_string()) {
            let id = operation["operationId"].as_str().unwrap();
            let Some(call) =
                Call::from_name(id).or_else(|| (id == "getChallenge").then_some(Call::Challenge))
            else {
                continue;
            };
            let documented =
                operation["responses"].as_object().unwrap().keys().map(|status| status.parse().unwrap());
            assert_eq!(documented.collect::<Vec<u16>>(), statuses(call)[..statuses(call).len() - 1], "{id}");
            counted += 1;
        }
        assert_eq!(counted, Call::ALL.len() - 1, "all but what is not a call");
        for (status, name, _) in KINDS {
            let status = status.as_u16();
            assert!(
                Call::ALL.iter().any(|call| statuses(*call).contains(&status)),
                "{name} would be counted as 500"
            );
        }
    }

    #[tokio::test]
    async fn a_locked_verdict_says_when_to_come_back_rounded_up() {
        let now = Timestamp::from_unix_millis(1_000);
        let problem = Problem::NotApproved(Verdict::Locked(Lock::Until(Timestamp::from_unix_millis(2_001))));
        let response = problem.response(now);
        assert_eq!(response.status(), 422);
        assert_eq!(response.headers()[RETRY_AFTER], "2");
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(
            std::str::from_utf8(&body).unwrap(),
            "{\"type\":\"https://otp-gateway.example/problems/not-approved\",\
             \"title\":\"The transaction is not confirmed\",\"status\":422,\"verdict\":\"locked\",\
             \"retry_after_seconds\":2}"
        );
    }
}
