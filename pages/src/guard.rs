//! Who may call a page's API, which shows readable codes.
//!
//! Without a token the listener is on loopback, and what threatens it is another site's page in the visitor's
//! own browser: by a name that is made to resolve to 127.0.0.1 (so `Host` must be a loopback name or address
//! with our port), or by a request across origins (so a write needs a content type that no plain form sends,
//! and its `Origin` must be ours; and no reply carries a CORS header). With a token, every call but those for
//! the page's own files must present it; a browser adds it to nobody's request but the page's own.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, ORIGIN};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::Response;
use subtle::ConstantTimeEq as _;

use crate::assets::Asset;
use crate::headers::{complete, has_content_type};
use crate::refusal::Refusal;

/// The rules for one listener.
pub struct Guard {
    port: u16,
    /// Whether the listener is reachable from this machine only.
    loopback: bool,
    /// The token, and what is served without it.
    token: Option<(String, &'static [Asset])>,
    /// Where a write may be TOML, too.
    toml_path: Option<&'static str>,
    refuse: fn(Refusal) -> Response,
}

impl Guard {
    /// Rules for a listener at `listening`; `refuse` puts a refusal in the program's form.
    pub fn new(listening: SocketAddr, refuse: fn(Refusal) -> Response) -> Self {
        let (port, loopback) = (listening.port(), listening.ip().is_loopback());
        Self { port, loopback, token: None, toml_path: None, refuse }
    }

    /// Asks for `token`, if there is one, for everything but `open`.
    pub fn with_token(self, token: Option<String>, open: &'static [Asset]) -> Self {
        Self { token: token.map(|token| (token, open)), ..self }
    }

    /// Takes writes to `path` also as application/toml.
    pub fn with_toml_at(self, path: &'static str) -> Self {
        Self { toml_path: Some(path), ..self }
    }

    /// `site` with the guard before all of it, and the headers that protect a page on every reply.
    pub(crate) fn before(self, site: Router) -> Router {
        // As the service of another router: a layer of the same one would not see `Allow`.
        Router::new()
            .fallback_service(site)
            .layer(from_fn_with_state(Arc::new(self), admit))
            .layer(map_response(complete))
    }

    fn check(&self, request: &Request) -> Result<(), Refusal> {
        let headers = request.headers();
        let host = single(headers, &HOST)?.ok_or(HOST_MISSING)?;
        let target = request.uri().authority().map(|authority| authority.as_str().as_bytes());
        if target.is_some_and(|target| target != host.as_bytes()) || self.loopback && !self.is_ours(host) {
            return Err(HOST_NOT_OURS);
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            self.check_write(request, host)?;
        }
        match &self.token {
            Some((token, open)) if open.iter().all(|(path, _)| *path != request.uri().path()) => {
                check_token(token, headers)
            }
            _ => Ok(()),
        }
    }

    fn check_write(&self, request: &Request, host: &HeaderValue) -> Result<(), Refusal> {
        let headers = request.headers();
        single(headers, &CONTENT_TYPE)?;
        let toml =
            self.toml_path == Some(request.uri().path()) && has_content_type(headers, "application/toml");
        if !(toml || has_content_type(headers, "application/json")) {
            return Err(NOT_JSON);
        }
        match single(headers, &ORIGIN)? {
            Some(origin) if origin.as_bytes().strip_prefix(b"http://") != Some(host.as_bytes()) => {
                Err(CROSS_ORIGIN)
            }
            _ => Ok(()),
        }
    }

    /// Whether `Host` is a loopback name or address with our port.
    fn is_ours(&self, host: &HeaderValue) -> bool {
        let Ok(host) = host.to_str() else { return false };
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()),
            _ => (host, Some(80)),
        };
        let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        let loopback = name.eq_ignore_ascii_case("localhost")
            || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        loopback && port == Some(self.port)
    }
}

/// Without the token.
impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard").field("port", &self.port).finish_non_exhaustive()
    }
}

async fn admit(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    match guard.check(&request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => (guard.refuse)(refusal),
    }
}

fn check_token(token: &str, headers: &HeaderMap) -> Result<(), Refusal> {
    let shown = single(headers, &AUTHORIZATION)?.and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    match shown {
        Some(shown) if bool::from(shown.ct_eq(token.as_bytes())) => Ok(()),
        _ => Err(TOKEN_REQUIRED),
    }
}

/// The value of a header that may occur once, so that nobody in between reads another one than we do.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a HeaderValue>, Refusal> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        (_, Some(_)) => Err(HEADER_REPEATED),
    }
}

const HOST_MISSING: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "host-missing", "A request needs one Host header.");
const HEADER_REPEATED: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "header-repeated",
    "Host, Content-Type, Origin and Authorization may occur only once.",
);
const HOST_NOT_OURS: Refusal = Refusal::new(
    StatusCode::MISDIRECTED_REQUEST,
    "host-not-ours",
    "Host must be localhost or a loopback address, with this listener's port.",
);
const NOT_JSON: Refusal = Refusal::new(
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    "not-json",
    "A write needs Content-Type: application/json, or application/toml where that is taken.",
);
const CROSS_ORIGIN: Refusal =
    Refusal::new(StatusCode::FORBIDDEN, "cross-origin", "Origin must be this listener's own.");
const TOKEN_REQUIRED: Refusal =
    Refusal::new(StatusCode::UNAUTHORIZED, "token-required", "Send Authorization: Bearer with the token.");

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::response::IntoResponse as _;

    use super::*;

    fn guard(listening: &str) -> Guard {
        Guard::new(listening.parse().unwrap(), |refusal| refusal.status.into_response())
    }

    fn refused(guard: &Guard, method: &str, uri: &str, headers: &[(&str, &str)]) -> Option<&'static str> {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        guard.check(&request.body(Body::empty()).unwrap()).err().map(|refusal| refusal.kind)
    }

    #[test]
    fn host_must_be_a_loopback_name_or_address_with_our_port() {
        let guard = guard("127.0.0.1:8090");
        let as_host = |host| refused(&guard, "GET", "/", &[("host", host)]);
        for host in ["localhost:8090", "LOCALHOST:8090", "127.0.0.1:8090", "127.1.2.3:8090", "[::1]:8090"] {
            assert_eq!(as_host(host), None, "{host}");
        }
        for host in [
            "evil.example:8090",
            "localhost.evil.example:8090",
            "127.0.0.1.evil.example:8090",
            "localhost:8091",
            "localhost",
            "[::1]",
            "192.168.1.5:8090",
            "0.0.0.0:8090",
            "",
            ":8090",
            "user@localhost:8090",
        ] {
            assert_eq!(as_host(host), Some("host-not-ours"), "{host}");
        }
    }

    #[test]
    fn host_must_be_there_once_and_agree_with_the_target() {
        let guard = guard("127.0.0.1:8090");
        let host = ("host", "localhost:8090");
        assert_eq!(refused(&guard, "GET", "/", &[]), Some("host-missing"));
        assert_eq!(refused(&guard, "GET", "/", &[host, host]), Some("header-repeated"));
        assert_eq!(refused(&guard, "GET", "http://evil.example:8090/", &[host]), Some("host-not-ours"));
        assert_eq!(refused(&guard, "GET", "http://localhost:8090/", &[host]), None);
    }

    #[test]
    fn a_write_needs_json_and_our_own_origin() {
        let guard = guard("127.0.0.1:8090").with_toml_at("/behavior");
        let host = ("host", "localhost:8090");
        let json = ("content-type", "application/json; charset=utf-8");
        let toml = ("content-type", "application/toml");
        for method in ["POST", "PUT", "DELETE", "PATCH"] {
            let to = |path, headers: &[(&str, &str)]| refused(&guard, method, path, headers);
            assert_eq!(to("/messages", &[host, json]), None);
            assert_eq!(to("/messages", &[host, json, ("origin", "http://localhost:8090")]), None);
            assert_eq!(to("/messages", &[host]), Some("not-json"));
            assert_eq!(to("/messages", &[host, json, json]), Some("header-repeated"));
            assert_eq!(to("/messages", &[host, ("content-type", "text/plain")]), Some("not-json"));
            assert_eq!(to("/messages", &[host, toml]), Some("not-json"));
            assert_eq!(to("/behavior", &[host, toml]), None);
            for origin in ["http://evil.example", "null", "https://localhost:8090", "http://127.0.0.1:8090"] {
                let refused = to("/messages", &[host, json, ("origin", origin)]);
                assert_eq!(refused, Some("cross-origin"), "{origin}");
            }
        }
    }

    #[test]
    fn a_token_is_asked_for_when_there_is_one_but_not_for_the_page() {
        const OPEN: &[Asset] = &[("/", "")];
        let with = |token: Option<&str>, path, headers: &[(&str, &str)]| {
            let guard = guard("127.0.0.1:8090").with_token(token.map(str::to_owned), OPEN);
            refused(&guard, "GET", path, &[&[("host", "localhost:8090")], headers].concat())
        };
        assert_eq!(with(None, "/messages", &[]), None);
        assert_eq!(with(Some("s3cret"), "/", &[]), None);
        assert_eq!(with(Some("s3cret"), "/messages", &[("authorization", "Bearer s3cret")]), None);
        for headers in [&[][..], &[("authorization", "Bearer wrong")], &[("authorization", "s3cret")]] {
            assert_eq!(with(Some("s3cret"), "/messages", headers), Some("token-required"));
            assert_eq!(with(Some("s3cret"), "/nowhere", headers), Some("token-required"));
        }
    }

    #[test]
    fn with_a_token_any_name_may_lead_here() {
        let guard = guard("0.0.0.0:8090").with_token(Some("s3cret".to_owned()), &[]);
        let headers = [("host", "lab.example:8090"), ("authorization", "Bearer s3cret")];
        assert_eq!(refused(&guard, "GET", "/", &headers), None);
    }
}
