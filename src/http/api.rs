//! The calls of the API: head, authentication, bounded body, parsing, use case, reply.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Incoming};
use hyper::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde::Serialize;
use zeroize::Zeroizing;

use super::Config;
use super::auth::{Client, Clients, Role};
use super::problem::{Malformed, Problem, verdict_name, whole_seconds_up};
use super::wire::{
    ApprovedBody, CancelledBody, ChallengeBody, ClaimRequest, GenerateRequest, IssuedBody, ResentBody,
    VerifyRequest,
};
use crate::clock::{Clock, Timestamp};
use crate::gateway::{Caller, ChallengeView, Claim, Gateway, KeyReused};
use crate::metrics::{Call, Metrics};
use crate::subscriber::challenge::{ChallengeId, Delivery, State};
use crate::subscriber::id::{Id, SubscriberId};
use crate::subscriber::idempotency::IDEMPOTENCY_KEY_CHARS_MAX;
use crate::subscriber::verdict::Verdict;
use crate::subscriber::{Issued, Resent};

/// The contract, as it is served.
const OPENAPI: &str = include_str!("../../openapi.yaml");

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A body that is too large is heard out up to here: a connection that is closed on unread bytes may lose
/// the reply on its way.
const DISCARDED_BYTES_MAX: u64 = 1024 * 1024;

type Answer = Response<Full<Bytes>>;

/// Answers requests. Share it in an `Arc`.
#[derive(Debug)]
pub(crate) struct Api {
    gateway: Arc<Gateway>,
    clients: Clients,
    clock: Clock,
    metrics: Arc<Metrics>,
    body_bytes_max: usize,
    body_timeout: Duration,
}

/// What a request's head asks for.
enum Route<'a> {
    Post(Call),
    Challenge { corporate_id: &'a str, user_id: &'a str, challenge_id: &'a str },
    OpenApi,
}

impl Api {
    pub(crate) fn new(
        gateway: Arc<Gateway>,
        clients: Clients,
        clock: Clock,
        metrics: Arc<Metrics>,
        config: &Config,
    ) -> Self {
        let (body_bytes_max, body_timeout) = (config.body_bytes_max, config.body_timeout);
        Self { gateway, clients, clock, metrics, body_bytes_max, body_timeout }
    }

    /// Answers one request, whatever it is.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Result<Answer, Infallible> {
        let start = self.clock.uptime();
        let (call, answered) = self.handle(request).await;
        let answer = answered.unwrap_or_else(|problem| problem.response(self.clock.now()));
        let seconds = (self.clock.uptime() - start).as_secs_f64();
        self.metrics.answered(call, answer.status().as_u16(), seconds);
        tracing::debug!(call = call.name(), status = answer.status().as_u16(), "answered");
        Ok(answer)
    }

    async fn handle(&self, request: Request<Incoming>) -> (Call, Result<Answer, Problem>) {
        let (head, body) = request.into_parts();
        let route = match route(&head.method, head.uri.path(), head.uri.query()) {
            Ok(Route::OpenApi) => return (Call::Other, Ok(openapi())),
            Ok(route) => route,
            // Without a key, nobody learns which calls exist.
            Err(problem) => return (Call::Other, self.authenticate(&head.headers).and(Err(problem))),
        };
        let call = match route {
            Route::Post(call) => call,
            _ => Call::Challenge,
        };
        let client = match self.authenticate(&head.headers) {
            Ok(client) if client.has(Role::Core) => client,
            Ok(_) => return (call, Err(Problem::Forbidden)),
            Err(problem) => return (call, Err(problem)),
        };
        let answered = match route {
            Route::Challenge { corporate_id, user_id, challenge_id } => {
                self.challenge(corporate_id, user_id, challenge_id)
            }
            _ => self.post(call, client, &head.headers, body).await,
        };
        (call, answered)
    }

    fn authenticate(&self, headers: &HeaderMap) -> Result<&Client, Problem> {
        let authorization = headers.get(AUTHORIZATION).ok_or(Problem::Unauthorized)?;
        self.clients.authenticate(authorization.as_bytes()).ok_or(Problem::Unauthorized)
    }

    async fn post(
        &self,
        call: Call,
        client: &Client,
        headers: &HeaderMap,
        body: Incoming,
    ) -> Result<Answer, Problem> {
        if !is_json(headers) {
            return Err(Problem::UnsupportedMediaType);
        }
        let caller = Caller { client: client.name(), idempotency_key: idempotency_key(headers)? };
        let body = self.read(body).await?;
        match call {
            Call::Generate => self.generate(caller, &body).await,
            Call::Verify => self.verify(caller, &body).await,
            Call::Resend => self.resend(caller, &body).await,
            _ => self.cancel(caller, &body).await,
        }
    }

    /// The whole body, in a buffer that is wiped when it is dropped.
    async fn read(&self, body: Incoming) -> Result<Zeroizing<Vec<u8>>, Problem> {
        if body.size_hint().lower() > DISCARDED_BYTES_MAX {
            return Err(Problem::BodyTooLarge);
        }
        // Its whole room at once: a buffer that grows leaves copies behind that nobody wipes.
        let stated = body.size_hint().exact().unwrap_or(u64::MAX);
        let room =
            usize::try_from(stated).map_or(self.body_bytes_max, |bytes| bytes.min(self.body_bytes_max));
        let mut buffer = Zeroizing::new(Vec::with_capacity(room));
        tokio::select! {
            biased;
            read = read_into(body, &mut buffer, self.body_bytes_max) => read?,
            () = self.clock.sleep(self.body_timeout) => return Err(Problem::BodyTimeout),
        }
        Ok(buffer)
    }

    async fn generate(&self, caller: Caller<'_>, body: &[u8]) -> Result<Answer, Problem> {
        let request = GenerateRequest::parse(body).map_err(Problem::Malformed)?;
        let reply =
            self.gateway.generate(caller, &request.subscriber, &request.subject, request.locale).await?;
        let answer = match reply.outcome {
            Ok(issued) => json(StatusCode::CREATED, &issued_body(&issued)),
            Err(not_issued) => Problem::NotIssued(not_issued).response(self.clock.now()),
        };
        Ok(mark_replay(answer, reply.replayed))
    }

    async fn verify(&self, caller: Caller<'_>, body: &[u8]) -> Result<Answer, Problem> {
        let request = VerifyRequest::parse(body).map_err(Problem::Malformed)?;
        let reply = self.gateway.verify(caller, request.claim.claim(), &request.code).await?;
        if !reply.replayed {
            self.metrics.verdict(verdict_name(reply.outcome));
        }
        let answer = match reply.outcome {
            Verdict::Approved { at } => {
                let challenge_id = request.claim.challenge.to_string();
                let approved_at = at.to_string();
                json(StatusCode::OK, &ApprovedBody { verdict: "approved", challenge_id, approved_at })
            }
            verdict => Problem::NotApproved(verdict).response(self.clock.now()),
        };
        Ok(mark_replay(answer, reply.replayed))
    }

    async fn resend(&self, caller: Caller<'_>, body: &[u8]) -> Result<Answer, Problem> {
        let request = ClaimRequest::parse(body).map_err(Problem::Malformed)?;
        let reply = self.gateway.resend(caller, request.claim()).await?;
        let answer = match reply.outcome {
            Ok(resent) => json(StatusCode::ACCEPTED, &resent_body(&resent)),
            Err(not_resent) => Problem::NotResent(not_resent).response(self.clock.now()),
        };
        Ok(mark_replay(answer, reply.replayed))
    }

    async fn cancel(&self, caller: Caller<'_>, body: &[u8]) -> Result<Answer, Problem> {
        let request = ClaimRequest::parse(body).map_err(Problem::Malformed)?;
        let reply = self.gateway.cancel(caller, request.claim()).await?;
        let answer = match reply.outcome {
            Ok(cancelled) => {
                let challenge_id = request.challenge.to_string();
                let cancelled_at = cancelled.at.to_string();
                json(StatusCode::OK, &CancelledBody { challenge_id, state: "cancelled", cancelled_at })
            }
            Err(verdict) => Problem::NotCancelled(verdict).response(self.clock.now()),
        };
        Ok(mark_replay(answer, reply.replayed))
    }

    fn challenge(&self, corporate_id: &str, user_id: &str, challenge_id: &str) -> Result<Answer, Problem> {
        let corporate = Id::parse(corporate_id).map_err(|_| Problem::NotFound)?;
        let user = Id::parse(user_id).map_err(|_| Problem::NotFound)?;
        let challenge = ChallengeId::parse(challenge_id).ok_or(Problem::NotFound)?;
        let view = self.gateway.challenge(&SubscriberId { corporate, user }, challenge);
        view.map(|view| json(StatusCode::OK, &challenge_body(challenge, &view))).ok_or(Problem::NotFound)
    }
}

impl ClaimRequest {
    fn claim(&self) -> Claim<'_> {
        Claim { subscriber: &self.subscriber, challenge: self.challenge, subject: &self.subject }
    }
}

impl From<KeyReused> for Problem {
    fn from(_: KeyReused) -> Self {
        Self::KeyReused
    }
}

fn route<'a>(method: &Method, path: &'a str, query: Option<&str>) -> Result<Route<'a>, Problem> {
    if query.is_some() {
        // No call has parameters; what is secret must not be tried in a URL.
        return Err(Problem::NotFound);
    }
    let (route, allowed) = match path {
        "/v1/otp/generate" => (Route::Post(Call::Generate), Method::POST),
        "/v1/otp/verify" => (Route::Post(Call::Verify), Method::POST),
        "/v1/otp/resend" => (Route::Post(Call::Resend), Method::POST),
        "/v1/otp/cancel" => (Route::Post(Call::Cancel), Method::POST),
        "/openapi.yaml" => (Route::OpenApi, Method::GET),
        _ => (challenge_route(path).ok_or(Problem::NotFound)?, Method::GET),
    };
    match (*method == allowed, allowed == Method::GET) {
        (true, _) => Ok(route),
        (false, true) => Err(Problem::MethodNotAllowed { allowed: "GET" }),
        (false, false) => Err(Problem::MethodNotAllowed { allowed: "POST" }),
    }
}

fn challenge_route(path: &str) -> Option<Route<'_>> {
    let mut segments = path.strip_prefix("/v1/subscribers/")?.split('/');
    let (corporate_id, user_id) = (segments.next()?, segments.next()?);
    let (literal, challenge_id) = (segments.next()?, segments.next()?);
    let whole = literal == "challenges" && segments.next().is_none();
    whole.then_some(Route::Challenge { corporate_id, user_id, challenge_id })
}

/// Whether the body is said to be `application/json`, with or without parameters.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE) else { return false };
    let media_type = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    media_type.trim_ascii().eq_ignore_ascii_case(b"application/json")
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let printable = |key: &&str| key.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    let short = |key: &&str| (1..=IDEMPOTENCY_KEY_CHARS_MAX).contains(&key.len());
    let key = value.to_str().ok().filter(printable).filter(short);
    match (key, values.next()) {
        (Some(key), None) => Ok(Some(key)),
        _ => Err(Problem::Malformed(Malformed {
            field: "Idempotency-Key".into(),
            expected: "one header of 1 to 64 printable ASCII characters",
            position: None,
        })),
    }
}

/// Reads the whole body, or as much as is worth hearing out of one that is too large.
async fn read_into(mut body: Incoming, buffer: &mut Vec<u8>, bytes_max: usize) -> Result<(), Problem> {
    let mut read: u64 = 0;
    while let Some(frame) = body.frame().await {
        let cut_off = |_| Malformed { field: String::new(), expected: "a whole body", position: None };
        let Ok(data) = frame.map_err(cut_off).map_err(Problem::Malformed)?.into_data() else { continue };
        read += data.len() as u64;
        if read <= bytes_max as u64 {
            buffer.extend_from_slice(&data);
        } else if read > DISCARDED_BYTES_MAX {
            break;
        }
    }
    if read <= bytes_max as u64 { Ok(()) } else { Err(Problem::BodyTooLarge) }
}

fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    let body = serde_json::to_vec(body).expect("our own bodies have string keys alone");
    let mut answer = Response::new(Full::from(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

fn openapi() -> Answer {
    let mut answer = Response::new(Full::from(OPENAPI));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/yaml"));
    answer
}

fn mark_replay(mut answer: Answer, replayed: bool) -> Answer {
    if replayed {
        answer.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    }
    answer
}

/// The time to live as it was at `from`: a replay says what the first reply said.
fn ttl_seconds(from: Timestamp, expires_at: Timestamp) -> u64 {
    expires_at.since(from).as_secs()
}

fn issued_body(issued: &Issued) -> IssuedBody<'_> {
    IssuedBody {
        challenge_id: issued.challenge.to_string(),
        sms_reference: issued.sms_reference.as_str(),
        code_length: issued.code_length.digits(),
        expires_at: issued.expires_at.to_string(),
        ttl_seconds: ttl_seconds(issued.issued_at, issued.expires_at),
        resend_after_seconds: issued.resend_after.map(whole_seconds_up),
        attempts_left: issued.attempts_left,
        destination: issued.phone.masked().to_string(),
    }
}

fn resent_body(resent: &Resent) -> ResentBody<'_> {
    ResentBody {
        challenge_id: resent.challenge.to_string(),
        sms_reference: resent.sms_reference.as_str(),
        expires_at: resent.expires_at.to_string(),
        ttl_seconds: ttl_seconds(resent.at, resent.expires_at),
        resend_after_seconds: resent.resend_after.map(whole_seconds_up),
        attempts_left: resent.attempts_left,
        destination: resent.phone.masked().to_string(),
    }
}

fn challenge_body(challenge: ChallengeId, view: &ChallengeView) -> ChallengeBody {
    ChallengeBody {
        challenge_id: challenge.to_string(),
        state: match view.state {
            State::Open => "open",
            State::Approved => "approved",
            State::Cancelled => "cancelled",
            State::Voided => "voided",
            State::Exhausted => "attempts_exhausted",
            State::Expired => "expired",
        },
        delivery: match view.delivery {
            Delivery::Queued => "queued",
            Delivery::Accepted => "accepted",
            Delivery::Delivered => "delivered",
            Delivery::Undelivered => "undelivered",
            Delivery::Expired => "expired",
            Delivery::Rejected => "rejected",
            Delivery::Unknown => "unknown",
            Delivery::Dropped => "dropped",
        },
        sends: view.sends,
        attempts_left: view.attempts_left,
        expires_at: view.expires_at.to_string(),
    }
}
