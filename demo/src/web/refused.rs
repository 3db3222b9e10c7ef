//! How the bank says that it does not take a call.

use axum::Json;
use axum::response::{IntoResponse, Response};
use pages::Refusal;
use serde_json::json;

/// A call that the page does not make. The reply has its status, and a word for programs.
pub(super) struct Refused(pub(super) Refusal);

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        respond(self.0)
    }
}

pub(super) fn respond(Refusal { status, kind, .. }: Refusal) -> Response {
    (status, Json(json!({ "error": kind.replace('-', "_") }))).into_response()
}
