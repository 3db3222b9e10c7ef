//! The name of a request, which joins a caller's log with ours: `X-Request-Id`, the caller's own or one that we make.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::header::{HeaderMap, HeaderName, HeaderValue};

use crate::clock::Timestamp;
use crate::entropy;

pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// A UUID has 36 characters, a trace of W3C's 55.
const CHARS_MAX: usize = 64;

/// 1 to 64 of A-Z, a-z, 0-9, '.', '_', ':' and '-', not all of them digits: nothing that has to be quoted in a log, or that
/// would be a phone number or a code there.
#[derive(Clone, Debug)]
pub(super) struct RequestId(HeaderValue);

impl RequestId {
    /// As the log has it.
    pub(super) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    pub(super) fn into_header(self) -> HeaderValue {
        self.0
    }
}

fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._:-".contains(&byte)
}

/// Makes ids that differ from each other, and from those of other processes.
#[derive(Debug)]
pub(super) struct RequestIds {
    process: u64,
    made: AtomicU64,
}

impl RequestIds {
    pub(super) fn new(now: Timestamp) -> Self {
        let mut process = [0; 8];
        entropy::fill(&mut process, now);
        Self { process: u64::from_be_bytes(process), made: AtomicU64::new(0) }
    }

    /// The caller's, if it sent one of ours' form; a request is never refused for its name.
    pub(super) fn of(&self, headers: &HeaderMap) -> RequestId {
        let own = headers.get(X_REQUEST_ID).filter(|id| {
            let bytes = id.as_bytes();
            (1..=CHARS_MAX).contains(&bytes.len())
                && bytes.iter().copied().all(is_allowed)
                && !bytes.iter().all(u8::is_ascii_digit)
        });
        own.map_or_else(|| self.make(), |id| RequestId(id.clone()))
    }

    fn make(&self) -> RequestId {
        let mut id = String::with_capacity(25);
        let _ = write!(id, "{:016x}-{:x}", self.process, self.made.fetch_add(1, Ordering::Relaxed));
        RequestId(HeaderValue::try_from(id).expect("hexadecimal digits are a header's value"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_s_own_name_is_kept_and_what_is_none_gets_another() {
        let ids = RequestIds::new(Timestamp::from_unix_millis(0));
        let of = |value: &[u8]| {
            let value = HeaderValue::from_bytes(value).unwrap();
            ids.of(&HeaderMap::from_iter([(X_REQUEST_ID, value)])).as_str().to_owned()
        };
        let longest = "a".repeat(64);
        for own in ["core-1:2026.11_28", "a", &longest] {
            assert_eq!(of(own.as_bytes()), own);
        }
        let long = "a".repeat(65);
        for other in
            [b"".as_slice(), b"6281234567890", b"a b", b"a\tb", b"\"a\"", b"a=b", b"\xff", long.as_bytes()]
        {
            let made = of(other);
            assert!(made.as_bytes() != other && !made.is_empty() && made.bytes().all(is_allowed), "{made}");
        }
    }

    #[test]
    fn those_that_are_made_differ_here_and_from_another_process() {
        let [here, there] = [0, 5_000].map(|millis| RequestIds::new(Timestamp::from_unix_millis(millis)));
        let made = [&here, &here, &there, &there].map(|ids| ids.of(&HeaderMap::new()).as_str().to_owned());
        let distinct: std::collections::BTreeSet<_> = made.iter().collect();
        assert_eq!(distinct.len(), made.len(), "{made:?}");
    }
}
