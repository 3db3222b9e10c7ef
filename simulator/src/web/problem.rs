//! Refusals of the inbox API, as RFC 9457 problem details in our own words.

use super::reply::{self, Reply};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;
use std::borrow::Cow;

/// Why a request was refused, and what would be accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    /// Stable, for programs: the last part of `type`.
    pub(super) kind: &'static str,
    /// For people. Quotes nothing of a request but settings.
    detail: Cow<'static, str>,
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
        Self { status, kind, detail: Cow::Borrowed(detail), place: None }
    }

    pub(super) const fn bad_query(detail: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-query", detail)
    }

    /// With words that are made for the occasion.
    pub(super) const fn worded(status: StatusCode, kind: &'static str, detail: String) -> Self {
        Self { status, kind, detail: Cow::Owned(detail), place: None }
    }

    /// With the place of the fault.
    pub(super) fn at(self, place: Place) -> Self {
        Self { place: Some(place), ..self }
    }

    pub(super) fn into_response(self) -> Response<Reply> {
        let details = Details {
            r#type: format!("urn:smsc-simulator:problem:{}", self.kind),
            title: self.status.canonical_reason().unwrap_or("Refused"),
            status: self.status.as_u16(),
            detail: &self.detail,
            place: self.place.as_ref(),
        };
        let mut response = reply::json(self.status, &details);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}
