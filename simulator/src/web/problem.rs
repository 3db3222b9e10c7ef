//! Refusals of the inbox API, as RFC 9457 problem details in our own words.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use pages::Refusal;
use serde::Serialize;

/// Why a request was refused, and what would be accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) refusal: Refusal,
    place: Option<Place>,
}

/// Where in a text the fault is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Place {
    /// From 1.
    pub(super) line: usize,
    /// In characters, from 1.
    pub(super) column: usize,
    /// The path of the setting; empty where none is meant.
    pub(super) field: String,
}

#[derive(Serialize)]
struct Details<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    #[serde(flatten)]
    place: Option<&'a Place>,
}

impl Problem {
    pub(super) const fn new(status: StatusCode, kind: &'static str, detail: &'static str) -> Self {
        Self { refusal: Refusal::new(status, kind, detail), place: None }
    }

    pub(super) fn bad_query(detail: String) -> Self {
        Refusal { status: StatusCode::BAD_REQUEST, kind: "bad-query", detail: detail.into() }.into()
    }

    /// A text that is not as it must be, and where.
    pub(super) fn bad_behavior(detail: String, place: Place) -> Self {
        let (status, detail) = (StatusCode::UNPROCESSABLE_ENTITY, detail.into());
        Self { refusal: Refusal { status, kind: "bad-behavior", detail }, place: Some(place) }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, place: None }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Refusal { status, kind, detail } = &self.refusal;
        tracing::debug!(status = status.as_u16(), kind, "request refused");
        let details = Details {
            r#type: format!("urn:smsc-simulator:problem:{kind}"),
            title: status.canonical_reason().unwrap_or("Refused"),
            status: status.as_u16(),
            detail,
            place: self.place.as_ref(),
        };
        (*status, [(CONTENT_TYPE, "application/problem+json")], Json(details)).into_response()
    }
}
