//! Bodies of requests.

use std::time::Duration;

use axum::body::{Body, HttpBody as _, to_bytes};
use axum::http::StatusCode;
use bytes::Bytes;

use crate::{Refusal, clock};

/// For a body to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

const LATE: Refusal =
    Refusal::new(StatusCode::REQUEST_TIMEOUT, "body-late", "The body did not arrive in time.");

/// The whole body.
///
/// # Errors
///
/// 413 when it has, or is announced to have, more than `bytes_max`; 408 when it does not arrive within ten
/// seconds.
pub async fn read_body(body: Body, bytes_max: usize) -> Result<Bytes, Refusal> {
    let too_large = || Refusal {
        status: StatusCode::PAYLOAD_TOO_LARGE,
        kind: "body-too-large",
        detail: format!("The body may have {bytes_max} bytes.").into(),
    };
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_large());
    }
    let read = clock::within(BODY_TIMEOUT, to_bytes(body, bytes_max)).await;
    read.ok_or(LATE)?.map_err(|_| too_large())
}
