//! The bank's web listener: the page, its API, and the handset's stream.
//!
//! | call | body | does |
//! |---|---|---|
//! | `GET /api/companies` | | who may pay, and where the simulator's wall is |
//! | `GET /api/handset?corporate_id=…&user_id=…` | | the SMS of that user, as server-sent events |
//! | `POST /api/payments` | who, details | keeps a payment |
//! | `PUT /api/payments/{id}` | details | changes it |
//! | `POST /api/payments/{id}/otp` | locale | has a code generated |
//! | `POST /api/payments/{id}/confirm` | code | has it verified |
//! | `POST /api/payments/{id}/resend` · `/cancel` | `{}` | as the words say |
//!
//! Whatever the gateway decides is a `200` with an `outcome`; a call that the page does not make is
//! refused with an `error`.

mod guard;
mod handset;
mod reply;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use smsc_simulator::Inbox;
use smsc_simulator::inbox::Address;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::bank::Bank;
use crate::clock;
use crate::sample::{Authenticator, Company};
use reply::Reply;

/// Connections at a time: each open page holds up to six.
const CONNECTIONS_MAX: usize = 256;
/// For a request's headers to arrive, and for a connection to be idle.
const HEADER_TIMEOUT: Duration = Duration::from_secs(60);
/// For a request's body to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest body: a payment has a few hundred bytes.
const BODY_BYTES_MAX: usize = 4 * 1024;
/// A browser on localhost sends about twenty.
const HEADERS_MAX: usize = 64;
/// What hyper buffers of a connection at most.
const BUFFER_BYTES_MAX: usize = 16 * 1024;
/// After a failed accept (out of file descriptors), so that it is not tried in a busy loop.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// For open connections to finish when the bank stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// A call that the page does not make: its status, and a word for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Refusal(StatusCode, &'static str);

const NOT_FOUND: Refusal = Refusal(StatusCode::NOT_FOUND, "not_found");
const METHOD: Refusal = Refusal(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed");

/// What the handlers share.
pub(crate) struct Web {
    bank: Bank,
    inbox: Arc<Inbox>,
    /// The simulator's wall of handsets.
    wall: String,
    port: u16,
    stop: CancellationToken,
}

impl Web {
    pub(crate) fn new(
        listening: SocketAddr,
        bank: Bank,
        inbox: Arc<Inbox>,
        wall: String,
        stop: CancellationToken,
    ) -> Self {
        Self { bank, inbox, wall, port: listening.port(), stop }
    }

    /// Accepts connections until the bank stops, then lets the open ones finish for [`STOP_TIMEOUT`].
    pub(crate) async fn serve(self, listener: TcpListener) {
        let web = Arc::new(self);
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = web.stop.cancelled() => break,
                Some(_) = connections.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) if connections.len() < CONNECTIONS_MAX => {
                        connections.spawn(Arc::clone(&web).connection(stream));
                    }
                    // Full: closing at once is clearer than a connection that waits.
                    Ok(_) => tracing::warn!("too many connections to the bank's page"),
                    Err(error) => {
                        tracing::warn!(%error, "accepting a connection failed");
                        clock::pause(ACCEPT_RETRY).await;
                    }
                },
            }
        }
        drop(listener);
        clock::within(STOP_TIMEOUT, async { while connections.join_next().await.is_some() {} }).await;
    }

    async fn connection(self: Arc<Self>, stream: TcpStream) {
        // A failure shows on the next read; delay is all that is at stake.
        let _ = stream.set_nodelay(true);
        let service = service_fn(|request| {
            let web = Arc::clone(&self);
            async move { Ok::<_, Infallible>(web.respond(request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_headers(HEADERS_MAX)
            .max_buf_size(BUFFER_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        tokio::select! {
            _ = &mut connection => return,
            () = self.stop.cancelled() => {}
        }
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }

    async fn respond(&self, request: Request<Incoming>) -> Response<Reply> {
        let (head, body) = request.into_parts();
        let mut response = match self.route(&head, body).await {
            Ok(response) => response,
            Err(Refusal(status, error)) => reply::json(status, &Error { error }),
        };
        for (name, value) in PROTECTION {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }

    async fn route(&self, head: &Parts, body: Incoming) -> Result<Response<Reply>, Refusal> {
        guard::admit(self.port, head)?;
        let path = head.uri.path();
        let is_read = matches!(head.method, Method::GET | Method::HEAD);
        if let Some((content_type, content)) = asset(path) {
            let content = Bytes::from_static(content.as_bytes());
            return is_read.then(|| reply::whole(StatusCode::OK, content_type, content)).ok_or(METHOD);
        }
        let path = path.strip_prefix("/api/").ok_or(NOT_FOUND)?;
        let parts: Vec<&str> = path.splitn(4, '/').collect();
        let outcome = match (&head.method, parts.as_slice()) {
            (&Method::GET, ["companies"]) => return Ok(self.companies()),
            (&Method::GET, ["handset"]) => return self.handset(head.uri.query().unwrap_or_default()),
            (&Method::POST, ["payments"]) => self.bank.create(read(body).await?),
            (&Method::PUT, ["payments", id]) => self.bank.change(id, read(body).await?),
            (&Method::POST, ["payments", id, "otp"]) => self.bank.generate(id, &read(body).await?).await,
            (&Method::POST, ["payments", id, "confirm"]) => self.bank.confirm(id, &read(body).await?).await,
            (&Method::POST, ["payments", id, "resend"]) => {
                let Nothing {} = read(body).await?;
                self.bank.resend(id).await
            }
            (&Method::POST, ["payments", id, "cancel"]) => {
                let Nothing {} = read(body).await?;
                self.bank.cancel(id).await
            }
            (_, ["companies" | "handset" | "payments"] | ["payments", _]) => return Err(METHOD),
            (_, ["payments", _, "otp" | "confirm" | "resend" | "cancel"]) => return Err(METHOD),
            _ => return Err(NOT_FOUND),
        };
        // No payload, no code: only what came of it.
        tracing::debug!(act = parts.last(), outcome = ?std::mem::discriminant(&outcome), "bank");
        Ok(reply::json(StatusCode::OK, &outcome))
    }

    fn companies(&self) -> Response<Reply> {
        let companies = self.bank.companies().iter().map(CompanyShown::new).collect();
        reply::json(StatusCode::OK, &Companies { wall: &self.wall, companies })
    }

    fn handset(&self, query: &str) -> Result<Response<Reply>, Refusal> {
        // Our IDs have no character that a query would encode.
        let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        let (corporate_id, user_id) = value("corporate_id").zip(value("user_id")).ok_or(NOT_FOUND)?;
        let phone = self.bank.phone(corporate_id, user_id).ok_or(NOT_FOUND)?;
        let number = Address::new(phone.as_bytes()).ok_or(NOT_FOUND)?;
        let (out, chunks) = mpsc::channel(handset::CHUNKS_WAITING);
        tokio::spawn(handset::walk(Arc::clone(&self.inbox), number, out, self.stop.clone()));
        Ok(reply::events(chunks))
    }
}

/// A body in time, within its bound, and as documented.
async fn read<T: DeserializeOwned>(body: Incoming) -> Result<T, Refusal> {
    let body = clock::within(BODY_TIMEOUT, Limited::new(body, BODY_BYTES_MAX).collect())
        .await
        .ok_or(Refusal(StatusCode::REQUEST_TIMEOUT, "body_late"))?
        .map_err(|_| Refusal(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"))?;
    serde_json::from_slice(&body.to_bytes()).map_err(|_| Refusal(StatusCode::BAD_REQUEST, "malformed"))
}

/// The body of an act that needs no more than its path.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Serialize)]
struct Error {
    error: &'static str,
}

#[derive(Serialize)]
struct Companies<'a> {
    wall: &'a str,
    companies: Vec<CompanyShown<'a>>,
}

#[derive(Serialize)]
struct CompanyShown<'a> {
    corporate_id: &'a str,
    name: &'a str,
    users: Vec<UserShown<'a>>,
}

#[derive(Serialize)]
struct UserShown<'a> {
    user_id: &'a str,
    phone: String,
    authenticator: Authenticator,
}

impl<'a> CompanyShown<'a> {
    fn new(company: &'a Company) -> Self {
        let users = company
            .users
            .iter()
            .map(|user| UserShown {
                user_id: &user.user_id,
                phone: masked(&user.phone),
                authenticator: user.authenticator,
            })
            .collect();
        Self { corporate_id: company.corporate_id, name: company.name, users }
    }
}

/// As the gateway masks numbers: `+62812*****45`.
fn masked(phone: &str) -> String {
    let hidden = phone.len().saturating_sub(7);
    format!("+{}{}{}", &phone[..5], "*".repeat(hidden), &phone[phone.len() - 2..])
}

/// On every reply. There is no CORS header on any.
const PROTECTION: [(HeaderName, &str); 6] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (CACHE_CONTROL, "no-store"),
];

fn asset(path: &str) -> Option<(&'static str, &'static str)> {
    const SCRIPT: &str = "text/javascript; charset=utf-8";
    Some(match path {
        "/" => ("text/html; charset=utf-8", include_str!("page/index.html")),
        "/style.css" => ("text/css; charset=utf-8", include_str!("page/style.css")),
        "/app.js" => (SCRIPT, include_str!("page/app.js")),
        "/format.js" => (SCRIPT, include_str!("page/format.js")),
        "/handset.js" => (SCRIPT, include_str!("page/handset.js")),
        "/texts.js" => (SCRIPT, include_str!("page/texts.js")),
        "/logo.svg" => ("image/svg+xml", include_str!("page/logo.svg")),
        _ => return None,
    })
}
