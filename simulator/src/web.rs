//! The web listener: the inbox API, the behaviour, the metrics and the page of
//! handsets.

mod behavior;
mod counters;
mod details;
mod guard;
mod originate;
mod problem;
mod query;
mod reply;
mod stall;
mod stream;

use crate::behavior::{Behavior, TEXT_BYTES_MAX};
use crate::clock::{self, Moment};
use crate::inbox::{Cursor, Filter, Inbox, Page, Wire};
use crate::metrics::Metrics;
use crate::smsc::Smsc;
use behavior::{TOML, Written, profile_list};
use bytes::Bytes;
use counters::Counters;
use details::Full;
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
use originate::Originated;
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
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Connections at a time: a page, some tests and a load tester need few; each
/// costs a read buffer.
const CONNECTIONS_MAX: usize = 512;

/// For a request's headers to arrive, and for a connection to be idle.
const HEADER_TIMEOUT: Duration = Duration::from_secs(60);

/// For a request's body to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Where no body is needed; a client may still send `{}`.
const NO_BODY_BYTES_MAX: usize = 1_024;

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
    smsc: Arc<Smsc>,
    inbox: Arc<Inbox>,
    metrics: Arc<Metrics>,
    instance: u32,
    guard: Guard,
    about: About,
    written: Written,
    stop: CancellationToken,
}

/// What an ESME needs to know to bind, but its password.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct About {
    /// Where ESMEs connect.
    pub(crate) smpp: SocketAddr,
    /// Where those connect that speak TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls: Option<SocketAddr>,
    pub(crate) system_ids: Vec<String>,
}

impl Web {
    pub(crate) fn new(
        guard: Guard,
        about: About,
        instance: u32,
        (smsc, inbox, metrics): (Arc<Smsc>, Arc<Inbox>, Arc<Metrics>),
        stop: CancellationToken,
    ) -> Self {
        Self { smsc, inbox, metrics, instance, guard, about, written: Written::default(), stop }
    }

    /// Accepts connections until the simulator stops, then lets the open ones
    /// finish for [`STOP_TIMEOUT`].
    pub(crate) async fn serve(self, listener: TcpListener) {
        let web = Arc::new(self);
        let mut connections = JoinSet::new();
        while !web.stop.is_cancelled() {
            tokio::select! {
                () = web.stop.cancelled() => {}
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
                let allowed = match head.uri.path() {
                    "/messages" => "GET, POST, DELETE",
                    "/behavior" => "GET, PUT",
                    _ => "GET",
                };
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
            ("/messages", &Method::POST) => self.originate(body).await,
            ("/messages", &Method::DELETE) => self.clear(body).await,
            ("/messages/stream", &Method::GET) => self.stream(head),
            ("/behavior", &Method::GET) => Ok(self.behavior()),
            ("/behavior", &Method::PUT) => self.set_behavior(head, body).await,
            ("/behavior/profiles", &Method::GET) => Ok(reply::json(StatusCode::OK, &profile_list())),
            ("/counters", &Method::GET) => Ok(self.counters()),
            ("/about", &Method::GET) => Ok(reply::json(StatusCode::OK, &self.about)),
            ("/metrics", &Method::GET) => Ok(self.metrics()),
            (
                "/messages" | "/messages/stream" | "/behavior" | "/behavior/profiles" | "/counters"
                | "/about" | "/metrics",
                _,
            ) => Err(METHOD),
            (path, method) => match path.strip_prefix("/messages/") {
                Some(id) if *method == Method::GET => self.details(id),
                Some(_) => Err(METHOD),
                None => Err(NOT_FOUND),
            },
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
                tokio::select! {
                    page = self.inbox.wait(&filter, wait) => page,
                    () = self.stop.cancelled() => self.inbox.messages(&filter),
                }
            }
        };
        Ok(reply::json(StatusCode::OK, &List::new(&page, self.instance)))
    }

    /// `GET /messages/{id}`: all that is known of one message.
    fn details(&self, id: &str) -> Result<Response<Reply>, Problem> {
        let message = self.inbox.find(id).ok_or(NO_MESSAGE)?;
        Ok(reply::json(StatusCode::OK, &Full::new(&message, clock::wall())))
    }

    /// `POST /messages`: a handset writes to an ESME.
    async fn originate(&self, body: Incoming) -> Result<Response<Reply>, Problem> {
        let body = read(body, originate::BODY_BYTES_MAX).await?;
        let Originated { from, to, text, system_id } = Originated::parse(&body)?;
        let at = Moment::present();
        let message = self.smsc.send_from_handset(&from, &to, &text, system_id.as_deref(), &at)?;
        Ok(reply::json(StatusCode::CREATED, &message.to_wire()))
    }

    /// `DELETE /messages`.
    async fn clear(&self, body: Incoming) -> Result<Response<Reply>, Problem> {
        read(body, NO_BODY_BYTES_MAX).await?;
        self.inbox.clear();
        tracing::info!("inbox cleared");
        Ok(reply::json(
            StatusCode::OK,
            &List::new(&Page { cursor: self.inbox.cursor(), ..Page::default() }, self.instance),
        ))
    }

    /// `GET /behavior`.
    fn behavior(&self) -> Response<Reply> {
        reply::whole(StatusCode::OK, TOML, self.written.of(&self.smsc.behavior()).into())
    }

    /// `PUT /behavior`, in TOML or, with the same fields, in JSON.
    async fn set_behavior(&self, head: &Parts, body: Incoming) -> Result<Response<Reply>, Problem> {
        let body = read(body, TEXT_BYTES_MAX).await?;
        let text = str::from_utf8(&body).map_err(|_| NOT_UTF8)?;
        let toml = guard::content_type(head)?.eq_ignore_ascii_case(TOML.as_bytes());
        let behavior = if toml { Behavior::from_toml(text)? } else { Behavior::from_json(text)? };
        if toml {
            self.written.keep(behavior.clone(), text);
        }
        self.smsc.set_behavior(behavior);
        tracing::info!("behavior changed");
        let mut response = Response::new(Reply::Whole(Bytes::new()));
        *response.status_mut() = StatusCode::NO_CONTENT;
        Ok(response)
    }

    /// `GET /messages/stream`: every message from the asked place on.
    fn stream(&self, head: &Parts) -> Result<Response<Reply>, Problem> {
        let query = Query::parse(head.uri.query().unwrap_or_default(), self.instance)?;
        if query.wait.is_some() || query.limit.is_some() {
            return Err(Problem::bad_query("A stream takes to, with, since and last."));
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

    fn counters(&self) -> Response<Reply> {
        reply::json(StatusCode::OK, &Counters::new(&self.metrics, &self.inbox.counts()))
    }

    fn metrics(&self) -> Response<Reply> {
        let text = self.metrics.render(&self.inbox.counts());
        reply::whole(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text.into())
    }

    fn filter(&self, query: &Query, limit: usize) -> Filter {
        let filter = Filter { to: query.to, with: query.with, limit, ..Filter::default() };
        let since = match (query.since, query.last) {
            (Some(since), _) => since,
            (None, Some(last)) => self.inbox.cursor_before_last(last, &filter),
            (None, None) => Cursor::START,
        };
        Filter { since, ..filter }
    }
}

/// The whole body, if it comes in time and has at most `bytes_max`.
async fn read(body: Incoming, bytes_max: usize) -> Result<Bytes, Problem> {
    let large = || {
        Problem::worded(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body-too-large",
            format!("The body may have {bytes_max} bytes."),
        )
    };
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(large());
    }
    let body = clock::within(BODY_TIMEOUT, Limited::new(body, bytes_max).collect()).await;
    Ok(body.ok_or(BODY_LATE)?.map_err(|_| large())?.to_bytes())
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
    "There are /, /messages, /messages/stream, /messages/{id}, /behavior, /behavior/profiles, /counters, \
     /about and /metrics.",
);
const NO_MESSAGE: Problem =
    Problem::new(StatusCode::NOT_FOUND, "no-message", "The inbox has no message with this id any more.");
const METHOD: Problem = Problem::new(
    StatusCode::METHOD_NOT_ALLOWED,
    "method-not-allowed",
    "Read with GET; a handset writes with POST /messages, DELETE /messages empties the inbox, and \
     PUT /behavior changes the behaviour.",
);
const NOT_UTF8: Problem = Problem::new(StatusCode::BAD_REQUEST, "not-utf-8", "The body must be UTF-8.");
const BODY_LATE: Problem =
    Problem::new(StatusCode::REQUEST_TIMEOUT, "body-late", "The body did not arrive in time.");

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// The page's own files. They show nothing by themselves.
fn asset(path: &str) -> Option<(&'static str, &'static str)> {
    Some(match path {
        "/" => ("text/html; charset=utf-8", include_str!("web/page/index.html")),
        "/page.css" => ("text/css; charset=utf-8", include_str!("web/page/page.css")),
        "/page.js" => (JAVASCRIPT, include_str!("web/page/page.js")),
        "/feed.js" => (JAVASCRIPT, include_str!("web/page/feed.js")),
        "/wall.js" => (JAVASCRIPT, include_str!("web/page/wall.js")),
        "/panel.js" => (JAVASCRIPT, include_str!("web/page/panel.js")),
        "/conversation.js" => (JAVASCRIPT, include_str!("web/page/conversation.js")),
        "/details.js" => (JAVASCRIPT, include_str!("web/page/details.js")),
        "/behavior.js" => (JAVASCRIPT, include_str!("web/page/behavior.js")),
        "/format.js" => (JAVASCRIPT, include_str!("web/page/format.js")),
        "/words.js" => (JAVASCRIPT, include_str!("web/page/words.js")),
        "/icon.svg" => ("image/svg+xml", include_str!("web/page/icon.svg")),
        _ => return None,
    })
}
