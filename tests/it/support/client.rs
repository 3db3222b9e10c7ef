//! An HTTP client that keeps its connection.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::HeaderMap;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use super::within;

/// The key of the client `core-1`.
pub(crate) const CORE_KEY: &str = "otpgw_test_core";
/// The key of the client `batch-1`, which may do what `core-1` may.
pub(crate) const BATCH_KEY: &str = "otpgw_test_batch";
/// The key of the client `auditor-1`, which may not call what the core calls.
pub(crate) const AUDITOR_KEY: &str = "otpgw_test_auditor";

/// One connection to a listener, with the key of the core.
pub(crate) struct Client {
    sender: SendRequest<Full<Bytes>>,
    pub(crate) key: Option<&'static str>,
}

impl Client {
    pub(crate) async fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).await.expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("a handshake");
        tokio::spawn(connection);
        Self { sender, key: Some(CORE_KEY) }
    }

    pub(crate) async fn post(&mut self, call: &str, body: &Value) -> Reply {
        self.send("POST", &format!("/v1/otp/{call}"), &[], body.to_string()).await
    }

    pub(crate) async fn post_with_key(&mut self, call: &str, idempotency_key: &str, body: &Value) -> Reply {
        let headers = [("idempotency-key", idempotency_key)];
        self.send("POST", &format!("/v1/otp/{call}"), &headers, body.to_string()).await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Reply {
        self.send("GET", path, &[], String::new()).await
    }

    pub(crate) async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(path).header("host", "gateway");
        if let Some(key) = self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        if method == "POST" && !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).expect("a request");
        self.sender.ready().await.expect("an open connection");
        let response = within(self.sender.send_request(request), "a reply").await.expect("a reply");
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        Reply { status: head.status, headers: head.headers, body }
    }

    /// The verdict of a verify: of an approval or of a refusal.
    pub(crate) async fn verdict(&mut self, body: &Value) -> String {
        let reply = self.post("verify", body).await;
        let verdict = reply.json()["verdict"].as_str().map(str::to_owned);
        verdict.unwrap_or_else(|| panic!("no verdict in {}", reply.text()))
    }
}

pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub(crate) fn problem(&self) -> String {
        let json = self.json();
        let uri = json["type"].as_str().expect("a problem type");
        uri.rsplit('/').next().expect("a last part").to_owned()
    }

    pub(crate) fn replayed(&self) -> bool {
        self.headers.get("idempotency-replayed").is_some_and(|value| value == "true")
    }
}
