//! Calls the gateway's API, as a bank's core does: with its key, which the page never sees.

mod request;

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::clock;
use crate::exchange::{Exchange, Exchanges, shortened};
use crate::outcome::Answer;
use crate::payment::Payment;
pub(crate) use request::{ActRequest, Locale};

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
    exchanges: Mutex<Exchanges>,
}

impl Gateway {
    pub(crate) fn new(addr: SocketAddr, api_key: &str) -> Self {
        let client = Client::builder(TokioExecutor::new())
            // A connection for each call: a demonstration makes few, and none is ever stale.
            .pool_max_idle_per_host(0)
            .build_http();
        Self { client, addr, authorization: format!("Bearer {api_key}"), exchanges: Mutex::default() }
    }

    /// What was asked about a payment, and answered, after the exchange with this number.
    pub(crate) fn exchanges(&self, payment: &str, after: u64) -> Vec<Exchange> {
        self.kept().of(payment, after)
    }

    /// One act on a payment, repeated with the same key while its outcome is unknown, so that it is done once.
    pub(crate) async fn call(
        &self,
        call: Call,
        payment: &Payment,
        idempotency_key: &str,
        act: &ActRequest<'_>,
    ) -> Result<Answer, Unanswered> {
        let json = serde_json::to_string(act).map_err(|_| Unanswered)?;
        let shown = Exchange {
            payment: payment.id.clone(),
            method: "POST",
            path: call.path().into(),
            idempotency_key: Some(shortened(idempotency_key)),
            request: serde_json::to_string(&act.masked()).ok(),
            ..Exchange::default()
        };
        for _ in 0..TRIES {
            let request = self.act(call, idempotency_key, json.clone())?;
            match self.exchange(request, shown.clone()).await {
                Some(answer) if answer.is_outcome_unknown() => {
                    tracing::warn!(?call, "the gateway does not know the outcome");
                    clock::pause(answer.retry_after().min(ANSWER_TIMEOUT)).await;
                }
                Some(answer) => return Ok(answer),
                None => {}
            }
        }
        Err(Unanswered)
    }

    fn act(&self, call: Call, idempotency_key: &str, json: String) -> Result<Request<Body>, Unanswered> {
        self.request("POST", call.path())
            .header(CONTENT_TYPE, "application/json")
            .header("idempotency-key", idempotency_key)
            .body(json.into())
            .map_err(|_| Unanswered)
    }

    /// What the gateway says of a payment's challenge. It changes nothing.
    pub(crate) async fn look_up(&self, payment: &Payment, challenge: &str) -> Option<Answer> {
        let (corporate_id, user_id) = (&payment.subscriber.corporate_id, &payment.subscriber.user_id);
        let path = format!("/v1/subscribers/{corporate_id}/{user_id}/challenges/{challenge}");
        let request = self.request("GET", &path).body(Body::empty()).ok()?;
        let shown = Exchange { payment: payment.id.clone(), method: "GET", path, ..Exchange::default() };
        self.exchange(request, shown).await
    }

    fn request(&self, method: &str, path: &str) -> axum::http::request::Builder {
        let uri = format!("http://{}{path}", self.addr);
        Request::builder().method(method).uri(uri).header(AUTHORIZATION, &self.authorization)
    }

    /// Sends a request, and keeps what came of it as `shown`.
    async fn exchange(&self, request: Request<Body>, shown: Exchange) -> Option<Answer> {
        let sent_at = clock::now();
        let reply = clock::within(ANSWER_TIMEOUT, self.send(request)).await.unwrap_or(Err("too late".into()));
        let micros = clock::micros_since(sent_at);
        let reply = reply
            .inspect_err(|error| tracing::warn!(%error, path = shown.path, "the gateway did not answer"))
            .ok();
        let answer = reply.as_ref().and_then(|(status, body)| Answer::parse(*status, body));
        let (status, reply) = reply.unzip();
        self.kept().record(Exchange { status, reply, micros, ..shown });
        answer
    }

    async fn send(
        &self,
        request: Request<Body>,
    ) -> Result<(u16, String), Box<dyn std::error::Error + Send + Sync>> {
        let response = self.client.request(request).await?;
        let status = response.status().as_u16();
        let body = to_bytes(Body::new(response.into_body()), ANSWER_BYTES_MAX).await?;
        Ok((status, String::from_utf8(body.into())?))
    }

    fn kept(&self) -> MutexGuard<'_, Exchanges> {
        // Nothing in this module panics while it holds the lock, and none awaits.
        self.exchanges.lock().unwrap_or_else(PoisonError::into_inner)
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
