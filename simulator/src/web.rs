//! The web listener: the inbox API, the behaviour, the metrics and the page of handsets.

mod behavior;
mod counters;
mod details;
mod list;
mod originate;
mod problem;
mod query;
mod stream;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use pages::{Asset, Guard, has_content_type, read_body};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::behavior::{Behavior, TEXT_BYTES_MAX};
use crate::clock::{self, Moment};
use crate::inbox::{Inbox, Page};
use crate::metrics::Metrics;
use crate::smsc::Smsc;
use behavior::{TOML, Written, profile_list};
use counters::Asked;
use details::Full;
use list::List;
use originate::Originated;
use problem::Problem;
use query::{Query, parse_cursor};

/// Where no body is needed; a client may still send `{}`.
const NO_BODY_BYTES_MAX: usize = 1_024;

/// What the handlers share.
pub(crate) struct Web {
    smsc: Arc<Smsc>,
    inbox: Arc<Inbox>,
    metrics: Arc<Metrics>,
    instance: u32,
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

/// The rules of the listener at `listening`: every call but those for the page's own files needs the token.
pub(crate) fn guard(listening: SocketAddr, token: Option<String>) -> Guard {
    let refuse = |refusal| Problem::from(refusal).into_response();
    Guard::new(listening, refuse).with_token(token, ASSETS).with_toml_at("/behavior")
}

impl Web {
    pub(crate) fn new(
        about: About,
        instance: u32,
        (smsc, inbox, metrics): (Arc<Smsc>, Arc<Inbox>, Arc<Metrics>),
        stop: CancellationToken,
    ) -> Self {
        Self { smsc, inbox, metrics, instance, about, written: Written::default(), stop }
    }

    /// Serves the page and the API until the simulator stops.
    pub(crate) async fn serve(self, listener: TcpListener, guard: Guard) {
        let web = Arc::new(self);
        let refused = || web.metrics.web_refused.inc();
        pages::serve(listener, site(Arc::clone(&web)), guard, refused, web.stop.clone()).await;
    }
}

fn site(web: Arc<Web>) -> Router {
    pages::assets(ASSETS)
        .route("/messages", get(list).post(originate).delete(clear))
        .route("/messages/stream", get(stream))
        .route("/messages/{id}", get(details))
        .route("/behavior", get(behavior).put(set_behavior))
        .route("/behavior/profiles", get(async || Json(profile_list())))
        .route("/counters", get(counters))
        .route("/about", get(about))
        .route("/metrics", get(metrics))
        .fallback(async || NOT_FOUND)
        .method_not_allowed_fallback(async || METHOD)
        .with_state(web)
}

/// `GET /messages`: what there is, or, with `wait`, what comes.
async fn list(State(web): State<Arc<Web>>, uri: Uri) -> Result<Response, Problem> {
    let query = Query::parse(&uri)?;
    let filter = query.filter(&web.inbox, web.instance);
    let page = match query.wait {
        None => web.inbox.messages(&filter),
        Some(wait) => {
            let page = web.stop.run_until_cancelled(web.inbox.wait(&filter, wait)).await;
            page.unwrap_or_else(|| web.inbox.messages(&filter))
        }
    };
    Ok(Json(List::new(&page, web.instance)).into_response())
}

/// `GET /messages/stream`: what there is, and what comes.
async fn stream(State(web): State<Arc<Web>>, uri: Uri, headers: HeaderMap) -> Result<Response, Problem> {
    let query = Query::parse(&uri)?;
    if query.wait.is_some() || query.limit.is_some() {
        return Err(ENDLESS);
    }
    let mut filter = query.filter(&web.inbox, web.instance);
    // What a reconnecting reader saw last says more than its first request.
    if let Some(seen) = headers.get(LAST_EVENT_ID) {
        let seen = seen.to_str().ok().and_then(parse_cursor).ok_or(NO_EVENT)?;
        filter.since = seen.in_run(web.instance);
    }
    let from = (Arc::clone(&web.inbox), Arc::clone(&web.metrics), web.instance);
    Ok(stream::stream(from, filter, web.stop.clone()))
}

/// `GET /messages/{id}`: all that is known of one message.
async fn details(
    State(web): State<Arc<Web>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let message = id.ok().and_then(|Path(id)| web.inbox.find(&id)).ok_or(NO_MESSAGE)?;
    Ok(Json(Full::new(&message, clock::wall())).into_response())
}

/// `POST /messages`: a handset writes to an ESME.
async fn originate(State(web): State<Arc<Web>>, body: Body) -> Result<Response, Problem> {
    let body = read_body(body, originate::BODY_BYTES_MAX).await?;
    let Originated { from, to, text, system_id } = Originated::parse(&body)?;
    let at = Moment::present();
    let message = web.smsc.send_from_handset(&from, &to, &text, system_id.as_deref(), &at)?;
    Ok((StatusCode::CREATED, Json(message.to_wire())).into_response())
}

/// `DELETE /messages`.
async fn clear(State(web): State<Arc<Web>>, body: Body) -> Result<Response, Problem> {
    read_body(body, NO_BODY_BYTES_MAX).await?;
    web.inbox.clear();
    tracing::info!("inbox cleared");
    let nothing = Page { cursor: web.inbox.cursor(), ..Page::default() };
    Ok(Json(List::new(&nothing, web.instance)).into_response())
}

/// `GET /behavior`.
async fn behavior(State(web): State<Arc<Web>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, TOML)], web.written.of(&web.smsc.behavior()))
}

/// `PUT /behavior`, in TOML or, with the same fields, in JSON.
async fn set_behavior(
    State(web): State<Arc<Web>>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    let body = read_body(body, TEXT_BYTES_MAX).await?;
    let text = str::from_utf8(&body).map_err(|_| NOT_UTF8)?;
    let toml = has_content_type(&headers, TOML);
    let behavior = if toml { Behavior::from_toml(text)? } else { Behavior::from_json(text)? };
    if toml {
        web.written.keep(behavior.clone(), text);
    }
    web.smsc.set_behavior(behavior);
    tracing::info!("behavior changed");
    Ok(StatusCode::NO_CONTENT)
}

async fn counters(State(web): State<Arc<Web>>, uri: Uri) -> Result<Response, Problem> {
    let asked = Asked::parse(&uri)?;
    let counters = counters::counters(&web.metrics, &web.inbox, &web.smsc.in_force(), &asked);
    Ok(Json(counters).into_response())
}

async fn about(State(web): State<Arc<Web>>) -> impl IntoResponse {
    Json(web.about.clone())
}

async fn metrics(State(web): State<Arc<Web>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], web.metrics.render(&web.inbox.counts()))
}

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

const NOT_FOUND: Problem = Problem::new(
    StatusCode::NOT_FOUND,
    "not-found",
    "There are /, /messages, /messages/stream, /messages/{id}, /behavior, /behavior/profiles, /counters, \
     /about and /metrics.",
);
const ENDLESS: Problem = Problem::new(
    StatusCode::BAD_REQUEST,
    "bad-query",
    "A stream takes to, with, text, find, since and last.",
);
const NO_EVENT: Problem =
    Problem::new(StatusCode::BAD_REQUEST, "bad-query", "Last-Event-ID must be the id of an earlier event.");
const NO_MESSAGE: Problem =
    Problem::new(StatusCode::NOT_FOUND, "no-message", "The inbox has no message with this id any more.");
const METHOD: Problem = Problem::new(
    StatusCode::METHOD_NOT_ALLOWED,
    "method-not-allowed",
    "Read with GET; a handset writes with POST /messages, DELETE /messages empties the inbox, and \
     PUT /behavior changes the behaviour.",
);
const NOT_UTF8: Problem = Problem::new(StatusCode::BAD_REQUEST, "not-utf-8", "The body must be UTF-8.");

/// The page's own files. They show nothing by themselves.
const ASSETS: &[Asset] = &[
    ("/", include_str!("web/page/index.html")),
    ("/page.css", include_str!("web/page/page.css")),
    ("/page.js", include_str!("web/page/page.js")),
    ("/address.js", include_str!("web/page/address.js")),
    ("/behavior.js", include_str!("web/page/behavior.js")),
    ("/clear.js", include_str!("web/page/clear.js")),
    ("/code.js", include_str!("web/page/code.js")),
    ("/conversation.js", include_str!("web/page/conversation.js")),
    ("/counters.js", include_str!("web/page/counters.js")),
    ("/details.js", include_str!("web/page/details.js")),
    ("/feed.js", include_str!("web/page/feed.js")),
    ("/format.js", include_str!("web/page/format.js")),
    ("/health.js", include_str!("web/page/health.js")),
    ("/list.js", include_str!("web/page/list.js")),
    ("/notes.js", include_str!("web/page/notes.js")),
    ("/panel.js", include_str!("web/page/panel.js")),
    ("/profiles.js", include_str!("web/page/profiles.js")),
    ("/reply.js", include_str!("web/page/reply.js")),
    ("/roving.js", include_str!("web/page/roving.js")),
    ("/search.js", include_str!("web/page/search.js")),
    ("/views.js", include_str!("web/page/views.js")),
    ("/wall.js", include_str!("web/page/wall.js")),
    ("/words.js", include_str!("web/page/words.js")),
    ("/icon.svg", include_str!("web/page/icon.svg")),
];
