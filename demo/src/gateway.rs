//! Calls the gateway's API, as a bank's core does: with its key, which the page never sees.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::Request;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Serialize;

use crate::clock;
use crate::outcome::{Answer, Document};

/// For one answer. The gateway decides in microseconds; this is for a machine that is very busy.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// A call that gets no answer, or whose outcome the gateway does not know, is repeated once, under the same
/// idempotency key.
const TRIES: usize = 2;
/// The longest answer that is read, in bytes; ours have a few hundred.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// What the gateway is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Generate,
    Verify,
    Resend,
    Cancel,
}

impl Call {
    fn path(self) -> &'static str {
        match self {
            Self::Generate => "/v1/otp/generate",
            Self::Verify => "/v1/otp/verify",
            Self::Resend => "/v1/otp/resend",
            Self::Cancel => "/v1/otp/cancel",
        }
    }
}

/// No answer came that says what the gateway did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unanswered;

/// The gateway's API, and the key to it.
pub(crate) struct Gateway {
    client: Client<HttpConnector, Body>,
    addr: SocketAddr,
    authorization: String,
}

impl Gateway {
    pub(crate) fn new(addr: SocketAddr, api_key: &str) -> Self {
        let client = Client::builder(TokioExecutor::new())
            // A connection for each call: a demonstration makes few, and none is ever stale.
            .pool_max_idle_per_host(0)
            .build_http();
        Self { client, addr, authorization: format!("Bearer {api_key}") }
    }

    /// One act, repeated with the same key while its outcome is unknown, so that it is done once.
    pub(crate) async fn call(
        &self,
        call: Call,
        idempotency_key: &str,
        body: &impl Serialize,
    ) -> Result<Answer, Unanswered> {
        let body = Bytes::from(serde_json::to_vec(body).map_err(|_| Unanswered)?);
        for _ in 0..TRIES {
            let request = self.request(call, idempotency_key, body.clone())?;
            match clock::within(ANSWER_TIMEOUT, self.send(request)).await {
                Some(Ok(answer)) if answer.is_outcome_unknown() => {
                    tracing::warn!(?call, "the gateway does not know the outcome");
                    clock::pause(answer.retry_after().min(ANSWER_TIMEOUT)).await;
                }
                Some(Ok(answer)) => return Ok(answer),
                Some(Err(error)) => tracing::warn!(%error, ?call, "the gateway did not answer"),
                None => tracing::warn!(?call, "the gateway did not answer in time"),
            }
        }
        Err(Unanswered)
    }

    fn request(&self, call: Call, idempotency_key: &str, body: Bytes) -> Result<Request<Body>, Unanswered> {
        Request::post(format!("http://{}{}", self.addr, call.path()))
            .header(AUTHORIZATION, &self.authorization)
            .header(CONTENT_TYPE, "application/json")
            .header("idempotency-key", idempotency_key)
            .body(body.into())
            .map_err(|_| Unanswered)
    }

    async fn send(&self, request: Request<Body>) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
        let response = self.client.request(request).await?;
        let status = response.status().as_u16();
        let body = to_bytes(Body::new(response.into_body()), ANSWER_BYTES_MAX).await?;
        // The parser's own message would quote the answer.
        let document: Document = serde_json::from_slice(&body).map_err(|_| "not the documented JSON")?;
        Ok(Answer { status, document })
    }
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("addr", &self.addr).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_does_not_show_the_key() {
        let gateway = Gateway::new("127.0.0.1:8080".parse().unwrap(), "otpgw_secret");
        assert!(!format!("{gateway:?}").contains("secret"));
    }
}
