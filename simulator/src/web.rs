//! The web listener: the inbox API, the metrics and the page of handsets.

mod guard;
mod problem;
mod query;
mod reply;
mod stall;
mod stream;

use crate::clock;
use crate::inbox::{Cursor, Filter, Inbox, Page, Wire};
use crate::metrics::Metrics;
use bytes::Bytes;
pub(crate) use guard::Guard;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY,
    WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use problem::Problem;
use query::{LIMIT_MAX, Query, parse_cursor, write_cursor};
use reply::Reply;
use serde::Serialize;
use stall::Impatient;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use stream::{CHUNKS_WAITING, Walker};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// Connections at a time: a page, some tests and a load tester need few; each
/// costs a read buffer.
const CONNECTIONS_MAX: usize = 512;

/// For a request's headers to arrive, and for a connection to be idle.
const HEADER_TIMEOUT: Duration = Duration::from_secs(60);

/// For a request's body to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// No call needs a body; a client may still send `{}`.
const BODY_BYTES_MAX: usize = 1_024;

/// A request's headers: a browser on localhost sends up to a few kilobytes.
const HEADERS_MAX: usize = 64;

/// What hyper buffers of a connection at most.
const BUFFER_BYTES_MAX: usize = 16 * 1_024;

/// For a reader to take the next piece of a reply or a stream.
const STALL_MAX: Duration = Duration::from_secs(30);

/// After a failed accept (out of file descriptors), so that it is not tried
/// in a busy loop.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// For open connections to finish when the simulator stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// What the handlers share.
pub(crate) struct Web {
    inbox: Arc<Inbox>,
    metrics: Arc<Metrics>,
    instance: u32,
    guard: Guard,
    about: About,
    stop: watch::Receiver<bool>,
}

/// What an ESME needs to know to bind, but the password.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct About {
    /// Where ESMEs connect.
    pub(crate) smpp: SocketAddr,
    /// Where those connect that speak TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls: Option<SocketAddr>,
    pub(crate) system_id: String,
}

impl Web {
    pub(crate) fn new(
        guard: Guard,
        about: About,
        instance: u32,
        inbox: Arc<Inbox>,
        metrics: Arc<Metrics>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        Self { inbox, metrics, instance, guard, about, stop }
    }

    /// Accepts connections until the simulator stops, then lets the open ones
    /// finish for [`STOP_TIMEOUT`].
    pub(crate) async fn serve(self, listener: TcpListener) {
        let web = Arc::new(self);
        let mut stop = web.stop.clone();
        let mut connections = JoinSet::new();
        while !*stop.borrow() {
            tokio::select! {
                _ = stop.changed() => {}
                Some(_) = connections.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) if connections.len() < CONNECTIONS_MAX => {
                        connections.spawn(Arc::clone(&web).connection(stream));
                    }
                    // Full: closing at once is clearer than a connection that waits.
                    Ok(_) => web.metrics.web_refused.inc(),
                    Err(error) => {
                        tracing::warn!(%error, "accepting a web connection failed");
                        clock::timer(clock::now() + ACCEPT_RETRY).await;
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
            .serve_connection(TokioIo::new(Impatient::new(stream, STALL_MAX)), service);
        tokio::pin!(connection);
        let mut stop = self.stop.clone();
        tokio::select! {
            _ = &mut connection => return,
            _ = stop.changed() => {}
        }
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }

    async fn respond(&self, request: Request<Incoming>) -> Response<Reply> {
        let (head, body) = request.into_parts();
        let mut response = match self.route(&head, body).await {
            Ok(response) => response,
            Err(problem) => {
                tracing::debug!(status = problem.status.as_u16(), kind = problem.kind, "request refused");
                problem.into_response()
            }
        };
        let headers = response.headers_mut();
        for (name, value) in PROTECTION {
            headers.insert(name, HeaderValue::from_static(value));
        }
        match response.status() {
            StatusCode::UNAUTHORIZED => {
                response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                let allowed = if head.uri.path() == "/messages" { "GET, DELETE" } else { "GET" };
                response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
            }
            _ => {}
        }
        response
    }

    async fn route(&self, head: &Parts, body: Incoming) -> Result<Response<Reply>, Problem> {
        self.guard.admit(head)?;
        let path = head.uri.path();
        if let Some((content_type, content)) = asset(path) {
            if !matches!(head.method, Method::GET | Method::HEAD) {
                return Err(METHOD);
            }
            return Ok(reply::whole(StatusCode::OK, content_type, Bytes::from_static(content.as_bytes())));
        }
        self.guard.authorize(head)?;
        match (path, &head.method) {
            ("/messages", &Method::GET) => self.list(head).await,
            ("/messages", &Method::DELETE) => self.clear(body).await,
            ("/messages/stream", &Method::GET) => self.stream(head),
            ("/about", &Method::GET) => Ok(reply::json(StatusCode::OK, &self.about)),
            ("/metrics", &Method::GET) => Ok(self.metrics()),
            ("/messages" | "/messages/stream" | "/about" | "/metrics", _) => Err(METHOD),
            _ => Err(NOT_FOUND),
        }
    }
}

/// The handlers.
impl Web {
    /// `GET /messages`: what there is, or, with `wait`, what comes.
    async fn list(&self, head: &Parts) -> Result<Response<Reply>, Problem> {
        let query = Query::parse(head.uri.query().unwrap_or_default(), self.instance)?;
        let filter = self.filter(&query, query.limit.unwrap_or(LIMIT_MAX));
        let page = match query.wait {
            None => self.inbox.messages(&filter),
            Some(wait) => {
                let mut stop = self.stop.clone();
                tokio::select! {
                    page = self.inbox.wait(&filter, wait) => page,
                    _ = stop.changed() => self.inbox.messages(&filter),
                }
            }
        };
        Ok(reply::json(StatusCode::OK, &List::new(&page, self.instance)))
    }

    /// `DELETE /messages`.
    async fn clear(&self, body: Incoming) -> Result<Response<Reply>, Problem> {
        if body.size_hint().lower() > BODY_BYTES_MAX as u64 {
            return Err(BODY_LARGE);
        }
        let body = Limited::new(body, BODY_BYTES_MAX).collect();
        let body = clock::within(BODY_TIMEOUT, body).await;
        body.ok_or(BODY_LATE)?.map_err(|_| BODY_LARGE)?;
        self.inbox.clear();
        tracing::info!("inbox cleared");
        Ok(reply::json(
            StatusCode::OK,
            &List::new(&Page { cursor: self.inbox.cursor(), ..Page::default() }, self.instance),
        ))
    }

    /// `GET /messages/stream`: every message from the asked place on.
    fn stream(&self, head: &Parts) -> Result<Response<Reply>, Problem> {
        let query = Query::parse(head.uri.query().unwrap_or_default(), self.instance)?;
        if query.wait.is_some() || query.limit.is_some() {
            return Err(Problem::bad_query("A stream takes to, since and last."));
        }
        let mut filter = self.filter(&query, LIMIT_MAX);
        // What a reconnecting reader saw last says more than its first request.
        if let Some(seen) = head.headers.get(LAST_EVENT_ID) {
            filter.since = parse_cursor(seen.to_str().unwrap_or_default(), self.instance)?;
        }
        let (out, chunks) = mpsc::channel(CHUNKS_WAITING);
        let walker = Walker {
            inbox: Arc::clone(&self.inbox),
            metrics: Arc::clone(&self.metrics),
            instance: self.instance,
            filter,
            out,
            stop: self.stop.clone(),
        };
        tokio::spawn(walker.run());
        let mut response = Response::new(Reply::Stream(chunks));
        response
            .headers_mut()
            .insert(hyper::header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        Ok(response)
    }

    fn metrics(&self) -> Response<Reply> {
        let text = self.metrics.render(&self.inbox.counts());
        reply::whole(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text.into())
    }

    fn filter(&self, query: &Query, limit: usize) -> Filter {
        let since = match (query.since, query.last) {
            (Some(since), _) => since,
            (None, Some(last)) => self.inbox.cursor_before_last(last),
            (None, None) => Cursor::START,
        };
        Filter { to: query.to, since, limit, ..Filter::default() }
    }
}

/// The reply of `GET /messages`.
#[derive(Serialize)]
struct List<'a> {
    messages: Vec<Wire<'a>>,
    /// Where to read on.
    cursor: String,
    /// Messages that the inbox had dropped before they could be read.
    #[serde(skip_serializing_if = "is_zero")]
    lost: u64,
}

impl<'a> List<'a> {
    fn new(page: &'a Page, instance: u32) -> Self {
        Self {
            messages: page.messages.iter().map(|message| message.to_wire()).collect(),
            cursor: write_cursor(page.cursor, instance),
            lost: page.lost,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(lost: &u64) -> bool {
    *lost == 0
}

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

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

const NOT_FOUND: Problem = Problem::new(
    StatusCode::NOT_FOUND,
    "not-found",
    "There are /, /messages, /messages/stream, /about and /metrics.",
);
const METHOD: Problem = Problem::new(
    StatusCode::METHOD_NOT_ALLOWED,
    "method-not-allowed",
    "Read with GET; /messages is also emptied with DELETE.",
);
const BODY_LATE: Problem =
    Problem::new(StatusCode::REQUEST_TIMEOUT, "body-late", "The body did not arrive in time.");
const BODY_LARGE: Problem =
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "The body may have 1024 bytes.");

/// The page's own files. They show nothing by themselves.
fn asset(path: &str) -> Option<(&'static str, &'static str)> {
    Some(match path {
        "/" => ("text/html; charset=utf-8", include_str!("web/page/index.html")),
        "/page.css" => ("text/css; charset=utf-8", include_str!("web/page/page.css")),
        "/page.js" => ("text/javascript; charset=utf-8", include_str!("web/page/page.js")),
        "/feed.js" => ("text/javascript; charset=utf-8", include_str!("web/page/feed.js")),
        "/wall.js" => ("text/javascript; charset=utf-8", include_str!("web/page/wall.js")),
        "/icon.svg" => ("image/svg+xml", include_str!("web/page/icon.svg")),
        _ => return None,
    })
}
