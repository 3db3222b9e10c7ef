//! The calls that the load test makes to the gateway's API, and the replies that it must get.
//!
//! Requests are made from templates whose variable parts have a fixed width: a copy and a few writes each.
//! Challenges are numbered in the order of their requests; number `n` is for subscriber `n` modulo their
//! count, so that they are spread evenly.

mod generate;
mod look_up;
mod template;
mod verify;

use std::net::SocketAddr;
use std::time::Instant;

use serde::Deserialize;

use crate::client::Reply;
use crate::setup::CODE_DIGITS;

pub(crate) use generate::Generate;
pub(crate) use look_up::{Delivery, LookUp};
pub(crate) use verify::Verify;

/// A challenge's id, in hexadecimal digits.
pub(crate) type Id = [u8; 32];
/// The digits of a code.
pub(crate) type Code = [u8; CODE_DIGITS];
/// The reference in the text of an SMS.
pub(crate) type Reference = [u8; 4];

/// Where requests go, and as whom.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) server: SocketAddr,
    pub(crate) api_key: String,
    pub(crate) subscribers: u64,
}

/// A challenge from the reply of generate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Issued {
    pub(crate) number: u64,
    pub(crate) id: Id,
    pub(crate) reference: Reference,
}

/// A challenge whose code has been read from its SMS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Challenge {
    pub(crate) number: u64,
    pub(crate) id: Id,
    pub(crate) code: Code,
    /// An instant before its issue.
    pub(crate) asked_at: Instant,
}

/// The reply's body, if it has the status `expected` and the members of `T`.
fn body<'a, T: Deserialize<'a>>(call: &str, expected: u16, reply: &Reply<'a>) -> Result<T, String> {
    if reply.status != expected {
        return Err(format!("{call} must be answered with {expected}, not {}", reply.status));
    }
    serde_json::from_slice(reply.body).map_err(|_| undocumented(call))
}

fn undocumented(call: &str) -> String {
    format!("the reply of {call} is not as documented")
}

#[cfg(test)]
mod testing {
    use super::*;

    pub(super) const ID: Id = *b"000102030405060708090a0b0c0d0e0f";

    pub(super) fn target() -> Target {
        Target { server: "127.0.0.1:8080".parse().unwrap(), api_key: "otpgw_x".into(), subscribers: 10 }
    }

    pub(super) fn body_of(request: &[u8]) -> serde_json::Value {
        let text = str::from_utf8(request).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
        serde_json::from_str(body).unwrap()
    }

    pub(super) fn reply(status: u16, body: &str) -> Reply<'_> {
        Reply { status, body: body.as_bytes(), bytes: body.len() }
    }
}
