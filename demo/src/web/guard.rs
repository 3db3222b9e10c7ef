//! Who may talk to the bank's page, whose handset shows readable codes.
//!
//! The listener is on loopback; what threatens it is another site's page in the visitor's own
//! browser: by a name made to resolve to 127.0.0.1 (so `Host` must be a loopback name with our
//! port), or by a request across origins (so a write needs a content type that no plain form sends,
//! and its `Origin` must be ours; and no reply carries a CORS header).

use std::net::IpAddr;

use hyper::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue, ORIGIN};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};

use super::Refusal;

/// Whether the listener on `port` takes this request.
pub(super) fn admit(port: u16, request: &Parts) -> Result<(), Refusal> {
    let host = single(request, &HOST)?.ok_or(Refusal(StatusCode::BAD_REQUEST, "host_missing"))?;
    let named = request.uri.authority().map(|authority| authority.as_str().as_bytes());
    if !is_ours(port, host) || named.is_some_and(|named| named != host.as_bytes()) {
        return Err(Refusal(StatusCode::MISDIRECTED_REQUEST, "host_not_ours"));
    }
    if matches!(request.method, Method::GET | Method::HEAD) {
        return Ok(());
    }
    let content_type = single(request, &CONTENT_TYPE)?.map(HeaderValue::as_bytes).unwrap_or_default();
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
    if !essence.trim_ascii().eq_ignore_ascii_case(b"application/json") {
        return Err(Refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json"));
    }
    match single(request, &ORIGIN)? {
        Some(origin) if origin.as_bytes().strip_prefix(b"http://") != Some(host.as_bytes()) => {
            Err(Refusal(StatusCode::FORBIDDEN, "cross_origin"))
        }
        _ => Ok(()),
    }
}

/// Whether `Host` is a loopback name or address with our port.
fn is_ours(port: u16, host: &HeaderValue) -> bool {
    let Ok(host) = host.to_str() else { return false };
    let (name, named_port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()),
        _ => (host, Some(80)),
    };
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let loopback = name.eq_ignore_ascii_case("localhost")
        || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    loopback && named_port == Some(port)
}

/// The value of a header that may occur once, so that nobody in between reads another one than we do.
fn single<'a>(request: &'a Parts, name: &HeaderName) -> Result<Option<&'a HeaderValue>, Refusal> {
    let mut values = request.headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        (_, Some(_)) => Err(Refusal(StatusCode::BAD_REQUEST, "header_repeated")),
    }
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");

    fn refused(method: &str, headers: &[(&str, &str)]) -> Option<&'static str> {
        let mut request = Request::builder().method(method).uri("/api/payments");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        admit(8091, &request.body(()).unwrap().into_parts().0).err().map(|Refusal(_, reason)| reason)
    }

    #[test]
    fn host_must_be_a_loopback_name_or_address_with_our_port() {
        for host in ["localhost:8091", "LOCALHOST:8091", "127.0.0.1:8091", "127.9.9.9:8091", "[::1]:8091"] {
            assert_eq!(refused("GET", &[("host", host)]), None, "{host}");
        }
        for host in [
            "evil.example:8091",
            "127.0.0.1.evil.example:8091",
            "localhost:8090",
            "localhost",
            "[::1]",
            "192.168.1.5:8091",
            "0.0.0.0:8091",
            "",
            ":8091",
            "user@localhost:8091",
        ] {
            assert_eq!(refused("GET", &[("host", host)]), Some("host_not_ours"), "{host}");
        }
        assert_eq!(refused("GET", &[]), Some("host_missing"));
        let twice = [("host", "localhost:8091"), ("host", "localhost:8091")];
        assert_eq!(refused("GET", &twice), Some("header_repeated"));
    }

    #[test]
    fn a_write_needs_json_and_our_own_origin() {
        let host = ("host", "localhost:8091");
        for method in ["POST", "PUT", "DELETE", "PATCH"] {
            assert_eq!(refused(method, &[host, JSON]), None);
            assert_eq!(refused(method, &[host, JSON, ("origin", "http://localhost:8091")]), None);
            assert_eq!(refused(method, &[host]), Some("not_json"));
            assert_eq!(refused(method, &[host, ("content-type", "text/plain")]), Some("not_json"));
            for origin in ["http://evil.example", "null", "https://localhost:8091", "http://127.0.0.1:8091"] {
                assert_eq!(
                    refused(method, &[host, JSON, ("origin", origin)]),
                    Some("cross_origin"),
                    "{origin}"
                );
            }
        }
    }
}
