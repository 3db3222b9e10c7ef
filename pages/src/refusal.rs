//! Why a request is refused before its handler acts.

use std::borrow::Cow;

use axum::http::StatusCode;

/// A refusal, for each program to put in its own form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// 4xx.
    pub status: StatusCode,
    /// Stable, for programs: words in lower case with hyphens.
    pub kind: &'static str,
    /// What would be accepted, for people. Quotes nothing of the request.
    pub detail: Cow<'static, str>,
}

impl Refusal {
    /// A refusal that is always said in the same words.
    pub const fn new(status: StatusCode, kind: &'static str, detail: &'static str) -> Self {
        Self { status, kind, detail: Cow::Borrowed(detail) }
    }
}
