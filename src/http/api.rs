//! The calls of the API: head, authentication, bounded body, parsing, use case, reply.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Body;
use hyper::header::{
    AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
};
use hyper::{Method, Request, Response, StatusCode};
use serde::Serialize;
use zeroize::Zeroizing;

use super::Config;
use super::auth::{Client, Clients, Role};
use super::decision_log::{Arrival, Entry};
use super::problem::{Malformed, Problem, whole_seconds_up};
use super::request_id::{RequestIds, X_REQUEST_ID};
use super::wire::{
    ApprovedBody, CancelledBody, ChallengeBody, ClaimRequest, GenerateRequest, IssuedBody, ResentBody,
    VerifyRequest,
};
use crate::call::Call;
use crate::clock::{Clock, Timestamp};
use crate::gateway::{Caller, ChallengeView, Claim, Gateway, Which};
use crate::metrics::Metrics;
use crate::named::Named as _;
use crate::store::Decided;
use crate::subscriber::challenge::State;
use crate::subscriber::challenge_id::{ChallengeId, SmsReference};
use crate::subscriber::id::{Id, SubscriberId};
use crate::subscriber::idempotency::{IDEMPOTENCY_KEY_CHARS_MAX, Outcome};
use crate::subscriber::verdict::{Verdict, VerdictKind};
use crate::subscriber::{Cancelled, GenerateRefused, Issued, ResendRefused, Resent};

/// The contract, as it is served.
const OPENAPI: &str = include_str!("../../openapi.yaml");

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// What the log says of a call that did what it was asked for, or could not be what it says.
const ISSUED: &str = "issued";
const RESENT: &str = "resent";
const KEY_REUSED: &str = "idempotency_key_reused";

/// A body that is too large is read up to here, since a connection that is closed with unread bytes may lose
/// the reply.
const DISCARDED_BYTES_MAX: u64 = 1024 * 1024;

type Answer = Response<Full<Bytes>>;

/// An answer, and what the log says of its decision; nothing of a look-up.
#[derive(Debug)]
struct Reply {
    answer: Answer,
    entry: Option<Entry>,
}

/// Answers requests. Share it in an `Arc`.
#[derive(Debug)]
pub(crate) struct Api {
    gateway: Arc<Gateway>,
    clients: ArcSwap<Clients>,
    clock: Clock,
    metrics: Arc<Metrics>,
    body_bytes_max: usize,
    body_timeout: Duration,
    logs_decisions: bool,
    request_ids: RequestIds,
}

/// The call that a request's head names.
#[derive(Clone, Copy)]
enum Route<'a> {
    /// For everyone.
    OpenApi,
    /// For clients of the role core.
    Call(Core<'a>),
}

/// A call of the banking core.
#[derive(Clone, Copy)]
enum Core<'a> {
    Post(Post),
    Challenge { corporate_id: &'a str, user_id: &'a str, which: Sought<'a> },
}

/// What the path of a look-up names a challenge by.
#[derive(Clone, Copy)]
enum Sought<'a> {
    ChallengeId(&'a str),
    SmsReference(&'a str),
}

/// The calls with a body.
#[derive(Clone, Copy)]
enum Post {
    Generate,
    Verify,
    Resend,
    Cancel,
}

impl Route<'_> {
    fn call(self) -> Call {
        match self {
            Self::OpenApi => Call::Other,
            Self::Call(Core::Post(Post::Generate)) => Call::Generate,
            Self::Call(Core::Post(Post::Verify)) => Call::Verify,
            Self::Call(Core::Post(Post::Resend)) => Call::Resend,
            Self::Call(Core::Post(Post::Cancel)) => Call::Cancel,
            Self::Call(Core::Challenge { .. }) => Call::Challenge,
        }
    }

    fn method(self) -> (Method, &'static str) {
        match self {
            Self::Call(Core::Post(_)) => (Method::POST, "POST"),
            Self::Call(Core::Challenge { .. }) | Self::OpenApi => (Method::GET, "GET"),
        }
    }
}

impl Api {
    pub(crate) fn new(
        gateway: Arc<Gateway>,
        clients: Clients,
        clock: Clock,
        metrics: Arc<Metrics>,
        config: &Config,
        logs_decisions: bool,
    ) -> Self {
        let (body_bytes_max, body_timeout) = (config.body_bytes_max, config.body_timeout);
        let request_ids = RequestIds::new(clock.now());
        let clients = ArcSwap::from_pointee(clients);
        Self { gateway, clients, clock, metrics, body_bytes_max, body_timeout, logs_decisions, request_ids }
    }

    /// Answers these clients from now on, and no others.
    pub(crate) fn replace_clients(&self, clients: Clients) {
        self.clients.store(Arc::new(clients));
    }

    /// Answers one request, whatever it is. `known`: it has shown a client's key.
    pub(crate) async fn answer<B: Body<Data = Bytes> + Unpin>(
        &self,
        request: Request<B>,
        known: impl FnOnce(),
    ) -> Result<Answer, Infallible> {
        let at = self.clock.uptime();
        let (head, body) = request.into_parts();
        let id = self.request_ids.of(&head.headers);
        let route = route(&head.method, head.uri.path(), head.uri.query());
        let call = route.as_ref().map_or(Call::Other, |route| route.call());
        let answered = self.handle(route, &head.headers, body, known, Arrival { at, call, id: &id }).await;
        let mut answer = answered.unwrap_or_else(|problem| problem.response(self.clock.now()));
        let (status, took) = (answer.status().as_u16(), self.clock.uptime() - at);
        self.metrics.answered(call, status, took.as_secs_f64());
        tracing::debug!(call = call.name(), status, request_id = id.as_str(), "answered");
        answer.headers_mut().insert(X_REQUEST_ID, id.into_header());
        Ok(answer)
    }

    async fn handle<B: Body<Data = Bytes> + Unpin>(
        &self,
        route: Result<Route<'_>, Problem>,
        headers: &HeaderMap,
        body: B,
        known: impl FnOnce(),
        arrival: Arrival<'_>,
    ) -> Result<Answer, Problem> {
        let client = self.authenticate(headers);
        if client.is_ok() {
            known();
        }
        let call = match route {
            Ok(Route::OpenApi) => return Ok(openapi(client.is_ok())),
            Ok(Route::Call(call)) => Ok(call),
            Err(problem) => Err(problem),
        };
        // Before the route, so that a caller without a key does not learn which calls exist.
        let client = client?;
        let call = call?;
        if !client.has(Role::Core) {
            return Err(Problem::Forbidden);
        }
        let decided = match call {
            Core::Post(post) => {
                if !is_json(headers) {
                    return Err(Problem::UnsupportedMediaType);
                }
                let caller = Caller { client: client.name(), idempotency_key: idempotency_key(headers)? };
                let body = self.read(body).await?;
                self.post(post, caller, body)?
            }
            Core::Challenge { corporate_id, user_id, which } => {
                self.challenge(corporate_id, user_id, which)?
            }
        };
        let decided = decided.then(|Reply { entry, .. }| {
            if let Some(entry) = entry.filter(|_| self.logs_decisions) {
                entry.log(&arrival, client.name(), self.clock.uptime());
            }
        });
        // The client may disconnect here, and then nothing below runs: everything is in effect by now.
        Ok(decided.durable().await?.answer)
    }

    fn authenticate(&self, headers: &HeaderMap) -> Result<Arc<Client>, Problem> {
        let authorization = headers.get(AUTHORIZATION).ok_or(Problem::Unauthorized)?;
        self.clients.load().authenticate(authorization.as_bytes()).ok_or(Problem::Unauthorized)
    }

    /// Decides, and puts the decision into effect. The body, which holds a verify's code, and everything
    /// parsed from it are dropped here: no code is in memory while a reply waits.
    fn post(
        &self,
        post: Post,
        caller: Caller<'_>,
        body: Zeroizing<Vec<u8>>,
    ) -> Result<Decided<Reply>, Problem> {
        match post {
            Post::Generate => self.generate(caller, &body),
            Post::Verify => self.verify(caller, &body),
            Post::Resend => self.resend(caller, &body),
            Post::Cancel => self.cancel(caller, &body),
        }
    }

    /// The whole body, in a buffer that is wiped when it is dropped.
    async fn read<B: Body<Data = Bytes> + Unpin>(&self, body: B) -> Result<Zeroizing<Vec<u8>>, Problem> {
        if body.size_hint().lower() > DISCARDED_BYTES_MAX {
            return Err(Problem::BodyTooLarge);
        }
        // Allocated at its full size: a buffer that grows leaves copies behind that are not wiped.
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

    fn generate(&self, caller: Caller<'_>, body: &[u8]) -> Result<Decided<Reply>, Problem> {
        let request = GenerateRequest::parse(body).map_err(Problem::Malformed)?;
        let decided = self.gateway.generate(caller, &request.subscriber, &request.subject, request.locale);
        let entry = |issued: &Result<Issued, GenerateRefused>| match issued {
            Ok(issued) => (Some(issued.challenge), ISSUED),
            Err(refused) => (None, refused.kind().name()),
        };
        Ok(self.reply(decided, None, entry, |issued| match issued {
            Ok(issued) => Ok(json(StatusCode::CREATED, &issued_body(&issued))),
            Err(refused) => Err(Problem::NotIssued(refused)),
        }))
    }

    fn verify(&self, caller: Caller<'_>, body: &[u8]) -> Result<Decided<Reply>, Problem> {
        let request = VerifyRequest::parse(body).map_err(Problem::Malformed)?;
        let decided = self.gateway.verify(caller, request.claim.claim(), &request.code);
        let entry = |verdict: &Verdict| (Some(request.claim.challenge), verdict.kind().name());
        Ok(self.reply(decided, Some(request.claim.challenge), entry, |verdict| match verdict {
            Verdict::Approved { at } => {
                let challenge_id = request.claim.challenge.to_string();
                let (verdict, approved_at) = (verdict.kind().name(), at.to_string());
                Ok(json(StatusCode::OK, &ApprovedBody { verdict, challenge_id, approved_at }))
            }
            Verdict::Incorrect { .. }
            | Verdict::UnknownChallenge
            | Verdict::Locked(_)
            | Verdict::AlreadyUsed
            | Verdict::Cancelled
            | Verdict::Expired
            | Verdict::AttemptsExhausted
            | Verdict::TransactionChanged => Err(Problem::NotApproved(verdict)),
        }))
    }

    fn resend(&self, caller: Caller<'_>, body: &[u8]) -> Result<Decided<Reply>, Problem> {
        let request = ClaimRequest::parse(body).map_err(Problem::Malformed)?;
        let decided = self.gateway.resend(caller, request.claim());
        let entry = |resent: &Result<Resent, ResendRefused>| {
            (Some(request.challenge), resent.map_or_else(ResendRefused::name, |_| RESENT))
        };
        Ok(self.reply(decided, Some(request.challenge), entry, |resent| match resent {
            Ok(resent) => Ok(json(StatusCode::ACCEPTED, &resent_body(&resent))),
            Err(refused) => Err(Problem::NotResent(refused)),
        }))
    }

    fn cancel(&self, caller: Caller<'_>, body: &[u8]) -> Result<Decided<Reply>, Problem> {
        let request = ClaimRequest::parse(body).map_err(Problem::Malformed)?;
        let decided = self.gateway.cancel(caller, request.claim());
        let entry = |cancelled: &Result<Cancelled, Verdict>| {
            let verdict = cancelled.map_or_else(Verdict::kind, |_| VerdictKind::Cancelled);
            (Some(request.challenge), verdict.name())
        };
        Ok(self.reply(decided, Some(request.challenge), entry, |cancelled| match cancelled {
            Ok(cancelled) => {
                let challenge_id = request.challenge.to_string();
                let (state, cancelled_at) = (State::Cancelled.name(), cancelled.at.to_string());
                Ok(json(StatusCode::OK, &CancelledBody { challenge_id, state, cancelled_at }))
            }
            Err(verdict) => Err(Problem::NotCancelled(verdict)),
        }))
    }

    fn challenge(
        &self,
        corporate_id: &str,
        user_id: &str,
        which: Sought<'_>,
    ) -> Result<Decided<Reply>, Problem> {
        let corporate = Id::parse(corporate_id).map_err(|_| Problem::NotFound)?;
        let user = Id::parse(user_id).map_err(|_| Problem::NotFound)?;
        let which = match which {
            Sought::ChallengeId(id) => ChallengeId::parse(id).map(Which::Id),
            Sought::SmsReference(reference) => SmsReference::parse(reference).map(Which::Reference),
        };
        let which = which.ok_or(Problem::NotFound)?;
        let decided = self.gateway.challenge(&SubscriberId { corporate, user }, which);
        Ok(decided.map(|view| {
            let answer = match view {
                Some(view) => json(StatusCode::OK, &challenge_body(&view)),
                None => Problem::NotFound.response(self.clock.now()),
            };
            Reply { answer, entry: None }
        }))
    }

    /// The reply to an outcome: `entry` says the challenge and the verdict of its line in the log, and `answer` makes it,
    /// unless an idempotency key was reused, for a call about `challenge` if it names one.
    fn reply<T>(
        &self,
        decided: Decided<Outcome<T>>,
        challenge: Option<ChallengeId>,
        entry: impl FnOnce(&T) -> (Option<ChallengeId>, &'static str),
        answer: impl FnOnce(T) -> Result<Answer, Problem>,
    ) -> Decided<Reply> {
        decided.map(|outcome| {
            let (entry, answered, is_replay) = match outcome {
                Outcome::Fresh(outcome) => (entry(&outcome), answer(outcome), false),
                Outcome::Replayed(outcome) => (entry(&outcome), answer(outcome), true),
                Outcome::KeyReused => ((challenge, KEY_REUSED), Err(Problem::KeyReused), false),
            };
            let mut answer = answered.unwrap_or_else(|problem| problem.response(self.clock.now()));
            if is_replay {
                answer.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
            }
            let ((challenge, verdict), status) = (entry, answer.status().as_u16());
            Reply { entry: Some(Entry { challenge, verdict, is_replay, status }), answer }
        })
    }
}

impl ClaimRequest {
    fn claim(&self) -> Claim<'_> {
        Claim { subscriber: &self.subscriber, challenge: self.challenge, subject: &self.subject }
    }
}

fn route<'a>(method: &Method, path: &'a str, query: Option<&str>) -> Result<Route<'a>, Problem> {
    if query.is_some() {
        // No call has parameters, and a secret must not be sent in a URL.
        return Err(Problem::NotFound);
    }
    let route = match path {
        "/v1/otp/generate" => Route::Call(Core::Post(Post::Generate)),
        "/v1/otp/verify" => Route::Call(Core::Post(Post::Verify)),
        "/v1/otp/resend" => Route::Call(Core::Post(Post::Resend)),
        "/v1/otp/cancel" => Route::Call(Core::Post(Post::Cancel)),
        "/openapi.yaml" => Route::OpenApi,
        _ => challenge_route(path).ok_or(Problem::NotFound)?,
    };
    let (allowed, name) = route.method();
    if *method == allowed { Ok(route) } else { Err(Problem::MethodNotAllowed { allowed: name }) }
}

fn challenge_route(path: &str) -> Option<Route<'_>> {
    let mut segments = path.strip_prefix("/v1/subscribers/")?.split('/');
    let (corporate_id, user_id) = (segments.next()?, segments.next()?);
    let which = match (segments.next()?, segments.next()?) {
        ("challenges", id) => Sought::ChallengeId(id),
        ("sms-references", reference) => Sought::SmsReference(reference),
        _ => return None,
    };
    let whole = segments.next().is_none();
    whole.then_some(Route::Call(Core::Challenge { corporate_id, user_id, which }))
}

/// Whether the `Content-Type` is `application/json`, with or without parameters.
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

/// Reads the whole body; of one that is too large, at most [`DISCARDED_BYTES_MAX`].
async fn read_into<B: Body<Data = Bytes> + Unpin>(
    mut body: B,
    buffer: &mut Vec<u8>,
    bytes_max: usize,
) -> Result<(), Problem> {
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
    let body = serde_json::to_vec(body).expect("the replies have only string keys");
    let mut answer = Response::new(Full::from(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// The contract. Without a key, once per connection: it is the only long reply, and a client that asks for many and reads
/// none would have us hold them.
fn openapi(is_known: bool) -> Answer {
    let mut answer = Response::new(Full::from(OPENAPI));
    if !is_known {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/yaml"));
    answer
}

/// The time to live as it was at `from`, so that a replay repeats the first reply.
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

fn challenge_body(view: &ChallengeView) -> ChallengeBody {
    ChallengeBody {
        challenge_id: view.id.to_string(),
        sms_reference: view.id.sms_reference().as_str().to_owned(),
        state: view.state.name(),
        delivery: view.delivery.name(),
        sends: view.sends,
        attempts_left: view.attempts_left,
        expires_at: view.expires_at.to_string(),
    }
}

#[cfg(test)]
mod tests;
