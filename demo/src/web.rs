//! The bank's web listener: the page, its API, and the handset's stream.
//!
//! | call | body | does |
//! |---|---|---|
//! | `GET /api/companies` | | who may pay, and where the simulator's wall is |
//! | `GET /api/handset?corporate_id=…&user_id=…` | | the SMS of that user, as server-sent events |
//! | `POST /api/payments` | who, details | keeps a payment |
//! | `PUT /api/payments/{id}` | details | changes it |
//! | `GET /api/payments/{id}` | | the payment, with what the gateway says of its code |
//! | `GET /api/payments/{id}/exchanges?after=…` | | what bank and gateway said to each other about it |
//! | `POST /api/payments/{id}/otp` | locale | has a code generated |
//! | `POST /api/payments/{id}/confirm` | code | has it verified |
//! | `POST /api/payments/{id}/resend` · `/cancel` | `{}` | as the words say |
//! | `POST /api/payments/{id}/confirm-at-once` | codes | an attack: has them verified at the same time |
//! | `POST /api/payments/{id}/confirm-changed` | code, details | an attack: has it verified for other details |
//! | `POST /api/payments/{id}/confirm-as-colleague` | code | an attack: has it verified for somebody else |
//!
//! Whatever the gateway decides is a `200` with an `outcome`; a call that the page does not make is refused
//! with an `error`.

mod handset;
mod refused;
mod shown;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequest, Path, Query, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use pages::{Asset, Guard, Refusal, read_body};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use smsc_simulator::Inbox;
use smsc_simulator::inbox::Address;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::bank::{AtOnceForm, Bank, ChangedForm, ConfirmForm, GenerateForm, PaymentForm};
use crate::details::DetailsForm;
use crate::exchange::Exchange;
use crate::outcome::Outcome;
use crate::payment::SubscriberId;
use refused::Refused;

/// The longest body: a payment has a few hundred bytes.
const BODY_BYTES_MAX: usize = 4 * 1024;

const NOT_FOUND: Refused = Refused(Refusal::new(StatusCode::NOT_FOUND, "not-found", ""));
const METHOD: Refused = Refused(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", ""));
const MALFORMED: Refused = Refused(Refusal::new(StatusCode::BAD_REQUEST, "malformed", ""));

/// What the handlers share.
pub(crate) struct Web {
    pub(crate) bank: Bank,
    pub(crate) inbox: Arc<Inbox>,
    /// The simulator's wall of handsets.
    pub(crate) wall: String,
    pub(crate) listening: SocketAddr,
    pub(crate) stop: CancellationToken,
}

impl Web {
    /// Serves the page and its API until the bank stops.
    pub(crate) async fn serve(self, listener: TcpListener) {
        let (stop, guard) = (self.stop.clone(), Guard::new(self.listening, refused::respond));
        let refused = || tracing::warn!("too many connections to the bank's page");
        pages::serve(listener, site(Arc::new(self)), guard, refused, stop).await;
    }
}

fn site(web: Arc<Web>) -> Router {
    pages::assets(ASSETS)
        .route("/api/companies", get(companies))
        .route("/api/handset", get(handset))
        .route("/api/payments", post(create))
        .route("/api/payments/{id}", get(show).put(change))
        .route("/api/payments/{id}/exchanges", get(exchanges))
        .route("/api/payments/{id}/otp", post(generate))
        .route("/api/payments/{id}/confirm", post(confirm))
        .route("/api/payments/{id}/resend", post(resend))
        .route("/api/payments/{id}/cancel", post(cancel))
        .route("/api/payments/{id}/confirm-at-once", post(confirm_at_once))
        .route("/api/payments/{id}/confirm-changed", post(confirm_changed))
        .route("/api/payments/{id}/confirm-as-colleague", post(confirm_as_colleague))
        .fallback(async || NOT_FOUND)
        .method_not_allowed_fallback(async || METHOD)
        .with_state(web)
}

async fn companies(State(web): State<Arc<Web>>) -> Json<Value> {
    Json(shown::companies(&web.wall, web.bank.companies()))
}

async fn handset(
    State(web): State<Arc<Web>>,
    user: Result<Query<SubscriberId>, QueryRejection>,
) -> Result<Response, Refused> {
    let Query(SubscriberId { corporate_id, user_id }) = user.map_err(|_| NOT_FOUND)?;
    let phone = web.bank.phone(&corporate_id, &user_id).ok_or(NOT_FOUND)?;
    let number = Address::new(phone.as_bytes()).ok_or(NOT_FOUND)?;
    Ok(handset::stream(Arc::clone(&web.inbox), number, web.wall.clone(), web.stop.clone()))
}

async fn create(State(web): State<Arc<Web>>, Form(form): Form<PaymentForm>) -> Json<Outcome> {
    Json(web.bank.create(form))
}

async fn show(State(web): State<Arc<Web>>, Path(id): Path<String>) -> Json<Outcome> {
    Json(web.bank.show(&id).await)
}

/// Which exchanges a page has already.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct After {
    after: u64,
}

async fn exchanges(
    State(web): State<Arc<Web>>,
    Path(id): Path<String>,
    after: Result<Query<After>, QueryRejection>,
) -> Result<Json<Vec<Exchange>>, Refused> {
    let Query(After { after }) = after.map_err(|_| NOT_FOUND)?;
    Ok(Json(web.bank.exchanges(&id, after)))
}

async fn change(
    State(web): State<Arc<Web>>,
    Path(id): Path<String>,
    Form(form): Form<DetailsForm>,
) -> Json<Outcome> {
    Json(web.bank.change(&id, form))
}

async fn generate(
    State(web): State<Arc<Web>>,
    Path(id): Path<String>,
    Form(form): Form<GenerateForm>,
) -> Json<Outcome> {
    Json(web.bank.generate(&id, &form).await)
}

async fn confirm(
    State(web): State<Arc<Web>>,
    Path(id): Path<String>,
    Form(form): Form<ConfirmForm>,
) -> Json<Outcome> {
    Json(web.bank.confirm(&id, &form).await)
}

async fn resend(
    State(web): State<Arc<Web>>,
    Path(id): Path<String>,
    Form(Nothing {}): Form<Nothing>,
) -> Json<Outcome> {
    Json(web.bank.resend(&id).await)
}

async fn cancel(
    State(web): State<Arc<Web>>,
    Path(id): Path<String>,
    Form(Nothing {}): Form<Nothing>,
) -> Json<Outcome> {
    Json(web.bank.cancel(&id).await)
}

async fn confirm_at_once(
    State(web): State<Arc<Web>>,
    Path(id): Path<String>,
    Form(form): Form<AtOnceForm>,
) -> Json<Outcome> {
    Json(web.bank.confirm_at_once(&id, &form).await)
}

async fn confirm_changed(
    State(web): State<Arc<Web>>,
    Path(id): Path<String>,
    Form(form): Form<ChangedForm>,
) -> Json<Outcome> {
    Json(web.bank.confirm_changed(&id, form).await)
}

async fn confirm_as_colleague(
    State(web): State<Arc<Web>>,
    Path(id): Path<String>,
    Form(form): Form<ConfirmForm>,
) -> Json<Outcome> {
    Json(web.bank.confirm_as_colleague(&id, &form).await)
}

/// A body in time, within its bound, and as documented.
struct Form<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Form<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Refused> {
        let body = read_body(request.into_body(), BODY_BYTES_MAX).await?;
        serde_json::from_slice(&body).map(Self).map_err(|_| MALFORMED)
    }
}

/// The body of a call that needs no more than its path.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

pub(crate) const ASSETS: &[Asset] = &[
    ("/", include_str!("page/index.html")),
    ("/style.css", include_str!("page/style.css")),
    ("/acts.js", include_str!("page/acts.js")),
    ("/amount.js", include_str!("page/amount.js")),
    ("/app.js", include_str!("page/app.js")),
    ("/attacks.js", include_str!("page/attacks.js")),
    ("/bank.js", include_str!("page/bank.js")),
    ("/countdown.js", include_str!("page/countdown.js")),
    ("/delivery.js", include_str!("page/delivery.js")),
    ("/dom.js", include_str!("page/dom.js")),
    ("/ending.js", include_str!("page/ending.js")),
    ("/exchange.js", include_str!("page/exchange.js")),
    ("/form.js", include_str!("page/form.js")),
    ("/format.js", include_str!("page/format.js")),
    ("/handset.js", include_str!("page/handset.js")),
    ("/language.js", include_str!("page/language.js")),
    ("/notice.js", include_str!("page/notice.js")),
    ("/render.js", include_str!("page/render.js")),
    ("/restore.js", include_str!("page/restore.js")),
    ("/state.js", include_str!("page/state.js")),
    ("/texts-en.js", include_str!("page/texts-en.js")),
    ("/texts-id.js", include_str!("page/texts-id.js")),
    ("/texts.js", include_str!("page/texts.js")),
    ("/logo.svg", include_str!("page/logo.svg")),
];
