//! Requests whose variable parts are written over markers of the same width.

use std::ops::Range;

use super::Target;
use crate::setup::{CODE_DIGITS, CORPORATE_ID, NUMBER_DIGITS, USER_PREFIX};

const USER: &str = "{user__}";
const TRANSACTION: &str = "{transaction}";
pub(super) const ID: &str = "{challenge_id__________________}";
pub(super) const CODE: &str = "{code}";
const _: () =
    assert!(USER.len() == NUMBER_DIGITS && ID.len() == size_of::<super::Id>() && CODE.len() == CODE_DIGITS);

/// A whole request with a marker in each variable part.
#[derive(Clone, Debug)]
pub(super) struct Template {
    request: String,
    subscribers: u64,
    user: Range<usize>,
    /// Absent from a request that presents no transaction.
    transaction: Option<Range<usize>>,
}

impl Template {
    /// A call that presents a payment; `members` are those of its own, as JSON has them.
    pub(super) fn post(target: &Target, call: &str, members: &str) -> Self {
        let Target { server, api_key, .. } = target;
        let body = format!(
            "{{\"subscriber\":{{\"corporate_id\":\"{CORPORATE_ID}\",\"user_id\":\"{USER_PREFIX}{USER}\"}},\
             {members},\"purpose\":\"payment\",\"transaction\":{{\"reference\":\"{TRANSACTION}\",\
             \"amount\":\"1250000000\",\"currency\":\"IDR\",\"beneficiary_account\":\"1234567890\",\
             \"beneficiary_name\":\"PT ABC\"}}}}"
        );
        let length = body.len();
        let request = format!(
            "POST /v1/otp/{call} HTTP/1.1\r\nHost: {server}\r\nAuthorization: Bearer {api_key}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        Self::new(request, target.subscribers)
    }

    /// The look-up of a subscriber's challenge.
    pub(super) fn get(target: &Target) -> Self {
        let Target { server, api_key, subscribers } = target;
        let request = format!(
            "GET /v1/subscribers/{CORPORATE_ID}/{USER_PREFIX}{USER}/challenges/{ID} HTTP/1.1\r\nHost: {server}\r\n\
             Authorization: Bearer {api_key}\r\n\r\n"
        );
        Self::new(request, *subscribers)
    }

    fn new(request: String, subscribers: u64) -> Self {
        let user = find(&request, USER).expect("every request names a subscriber");
        let transaction = find(&request, TRANSACTION);
        Self { request, subscribers, user, transaction }
    }

    /// Where this marker stands.
    pub(super) fn place(&self, marker: &str) -> Range<usize> {
        find(&self.request, marker).expect("the request has this marker")
    }

    /// The request's length, head and body.
    pub(super) const fn bytes(&self) -> usize {
        self.request.len()
    }

    /// Appends the request for this challenge to the empty `out`: with its subscriber and, if there is one,
    /// its transaction; other markers are the caller's to overwrite.
    pub(super) fn write(&self, number: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(self.request.as_bytes());
        put_number(&mut out[self.user.clone()], number % self.subscribers);
        if let Some(transaction) = &self.transaction {
            put_number(&mut out[transaction.clone()], number);
        }
    }
}

fn find(request: &str, marker: &str) -> Option<Range<usize>> {
    request.find(marker).map(|start| start..start + marker.len())
}

/// Writes `number` in decimal, with leading zeros, as wide as `place`.
fn put_number(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}
