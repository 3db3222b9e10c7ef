//! Refusals of the inbox API, as RFC 9457 problem details in our own words.

use super::reply::{self, Reply};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;

/// Why a request was refused, and what would be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    /// Stable, for programs: the last part of `type`.
    pub(super) kind: &'static str,
    /// For people. Never quotes the request.
    pub(super) detail: &'static str,
}

#[derive(Serialize)]
struct Details {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'static str,
}

impl Problem {
    pub(super) const fn new(status: StatusCode, kind: &'static str, detail: &'static str) -> Self {
        Self { status, kind, detail }
    }

    pub(super) const fn bad_query(detail: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-query", detail)
    }

    pub(super) fn into_response(self) -> Response<Reply> {
        let details = Details {
            r#type: format!("urn:smsc-simulator:problem:{}", self.kind),
            title: self.status.canonical_reason().unwrap_or("Refused"),
            status: self.status.as_u16(),
            detail: self.detail,
        };
        let mut response = reply::json(self.status, &details);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}
