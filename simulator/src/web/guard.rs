//! Who may talk to the inbox, which shows readable codes.
//!
//! Without a token the listener is on loopback, and what threatens it is a
//! page of another site in the user's own browser: by a name that is made to
//! resolve to 127.0.0.1 (so `Host` must be a loopback name and our port), or
//! by a request across origins (so a write needs a content type that no plain
//! form sends, and its `Origin` must be ours; and no reply carries a CORS
//! header). With a token, every call to the API must present it; a browser
//! adds it to nobody's request but the page's own.

use super::behavior::TOML;
use super::problem::Problem;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, ORIGIN};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use std::net::{IpAddr, SocketAddr};
use subtle::ConstantTimeEq as _;

/// The rules for one listener.
pub(crate) struct Guard {
    port: u16,
    /// Whether the listener is reachable from this machine alone.
    loopback: bool,
    token: Option<String>,
}

impl Guard {
    pub(crate) fn new(listening: SocketAddr, token: Option<String>) -> Self {
        Self { port: listening.port(), loopback: listening.ip().is_loopback(), token }
    }

    /// For every request, the page's own files included.
    pub(super) fn admit(&self, request: &Parts) -> Result<(), Problem> {
        let host = single(request, &HOST)?.ok_or(NO_HOST)?;
        let named = request.uri.authority().map(|authority| authority.as_str().as_bytes());
        if named.is_some_and(|named| named != host.as_bytes()) {
            return Err(MISDIRECTED);
        }
        if self.loopback && !self.is_ours(host) {
            return Err(MISDIRECTED);
        }
        if is_write(&request.method) { self.admit_write(request, host) } else { Ok(()) }
    }

    /// For every request that reads or changes the inbox.
    pub(super) fn authorize(&self, request: &Parts) -> Result<(), Problem> {
        let Some(token) = &self.token else {
            return Ok(());
        };
        let shown =
            single(request, &AUTHORIZATION)?.and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        match shown {
            Some(shown) if bool::from(shown.ct_eq(token.as_bytes())) => Ok(()),
            _ => Err(UNAUTHORIZED),
        }
    }

    fn admit_write(&self, request: &Parts, host: &HeaderValue) -> Result<(), Problem> {
        let content_type = content_type(request)?;
        let toml = request.uri.path() == "/behavior" && content_type.eq_ignore_ascii_case(TOML.as_bytes());
        if !toml && !content_type.eq_ignore_ascii_case(b"application/json") {
            return Err(NOT_JSON);
        }
        match single(request, &ORIGIN)? {
            Some(origin) if origin.as_bytes().strip_prefix(b"http://") != Some(host.as_bytes()) => {
                Err(CROSS_ORIGIN)
            }
            _ => Ok(()),
        }
    }

    /// Whether `Host` is a loopback name or address with our port.
    fn is_ours(&self, host: &HeaderValue) -> bool {
        let Ok(host) = host.to_str() else {
            return false;
        };
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

const NO_HOST: Problem =
    Problem::new(StatusCode::BAD_REQUEST, "host-missing", "A request needs one Host header.");
const REPEATED: Problem =
    Problem::new(StatusCode::BAD_REQUEST, "header-repeated", "This header may occur only once.");
const MISDIRECTED: Problem = Problem::new(
    StatusCode::MISDIRECTED_REQUEST,
    "host-not-ours",
    "Host must be localhost or a loopback address, with this listener's port.",
);
const NOT_JSON: Problem = Problem::new(
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    "not-json",
    "A write needs Content-Type: application/json; /behavior takes application/toml, too.",
);
const CROSS_ORIGIN: Problem =
    Problem::new(StatusCode::FORBIDDEN, "cross-origin", "Origin must be this listener's own.");
const UNAUTHORIZED: Problem = Problem::new(
    StatusCode::UNAUTHORIZED,
    "token-required",
    "Send Authorization: Bearer with the simulator's token.",
);

/// The content type without its parameters; empty where there is none.
pub(super) fn content_type(request: &Parts) -> Result<&[u8], Problem> {
    let value = single(request, &CONTENT_TYPE)?.map(HeaderValue::as_bytes).unwrap_or_default();
    Ok(value.split(|octet| *octet == b';').next().unwrap_or_default().trim_ascii())
}

fn is_write(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD)
}

/// The value of a header that may occur once, so that nobody in between reads
/// another one than we do.
fn single<'a>(request: &'a Parts, name: &HeaderName) -> Result<Option<&'a HeaderValue>, Problem> {
    let mut values = request.headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        (_, Some(_)) => Err(REPEATED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    fn guard(token: Option<&str>) -> Guard {
        Guard::new("127.0.0.1:8090".parse().unwrap(), token.map(str::to_owned))
    }

    fn request(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut builder = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(()).unwrap().into_parts().0
    }

    fn refusal(result: Result<(), Problem>) -> Option<StatusCode> {
        result.err().map(|problem| problem.status)
    }

    #[test]
    fn host_must_be_a_loopback_name_or_address_with_our_port() {
        for host in ["localhost:8090", "LOCALHOST:8090", "127.0.0.1:8090", "127.1.2.3:8090", "[::1]:8090"] {
            assert_eq!(refusal(guard(None).admit(&request("GET", "/", &[("host", host)]))), None, "{host}");
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
            let refused = refusal(guard(None).admit(&request("GET", "/", &[("host", host)])));
            assert_eq!(refused, Some(StatusCode::MISDIRECTED_REQUEST), "{host}");
        }
    }

    #[test]
    fn host_must_be_there_once_and_agree_with_the_target() {
        assert_eq!(refusal(guard(None).admit(&request("GET", "/", &[]))), Some(StatusCode::BAD_REQUEST));
        let twice = [("host", "localhost:8090"), ("host", "localhost:8090")];
        assert_eq!(refusal(guard(None).admit(&request("GET", "/", &twice))), Some(StatusCode::BAD_REQUEST));
        let other = request("GET", "http://evil.example:8090/", &[("host", "localhost:8090")]);
        assert_eq!(refusal(guard(None).admit(&other)), Some(StatusCode::MISDIRECTED_REQUEST));
    }

    #[test]
    fn a_write_needs_json_and_our_own_origin() {
        let host = ("host", "localhost:8090");
        let json = ("content-type", "application/json; charset=utf-8");
        let admit =
            |headers: &[(&str, &str)]| refusal(guard(None).admit(&request("DELETE", "/messages", headers)));
        assert_eq!(admit(&[host, json]), None);
        assert_eq!(admit(&[host, json, ("origin", "http://localhost:8090")]), None);
        assert_eq!(admit(&[host]), Some(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        assert_eq!(admit(&[host, ("content-type", "text/plain")]), Some(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        for origin in ["http://evil.example", "null", "https://localhost:8090", "http://127.0.0.1:8090"] {
            assert_eq!(admit(&[host, json, ("origin", origin)]), Some(StatusCode::FORBIDDEN), "{origin}");
        }
    }

    #[test]
    fn a_token_is_asked_for_when_there_is_one() {
        let authorize =
            |token, headers: &[(&str, &str)]| refusal(guard(token).authorize(&request("GET", "/", headers)));
        assert_eq!(authorize(None, &[]), None);
        assert_eq!(authorize(Some("s3cret"), &[("authorization", "Bearer s3cret")]), None);
        for headers in [&[][..], &[("authorization", "Bearer wrong")], &[("authorization", "s3cret")]] {
            assert_eq!(authorize(Some("s3cret"), headers), Some(StatusCode::UNAUTHORIZED));
        }
    }

    #[test]
    fn with_a_token_any_name_may_lead_here() {
        let guard = Guard::new("0.0.0.0:8090".parse().unwrap(), Some("s3cret".to_owned()));
        assert_eq!(refusal(guard.admit(&request("GET", "/", &[("host", "lab.example:8090")]))), None);
    }
}
