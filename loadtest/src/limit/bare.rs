//! Bare hyper as a program of its own, and the load on it.

use std::net::SocketAddr;

use tokio_util::sync::CancellationToken;

use super::report::Sizes;
use crate::children::{Child, ReadyOn, own_path};
use crate::client::{Load, Reply};
use crate::echo::Ready;
use crate::failure::Failure;

/// The running program, and the one request that it is asked.
pub(super) struct BareHyper {
    pub(super) process: Child,
    pub(super) server: SocketAddr,
    pub(super) load: Repeat,
}

impl BareHyper {
    /// Starts it on `core`, to be asked `request` and to answer with a body of `body_bytes`.
    ///
    /// # Errors
    ///
    /// It does not come up; the signal to stop.
    pub(super) fn start(
        request: Vec<u8>,
        body_bytes: usize,
        core: usize,
        stop: &CancellationToken,
    ) -> Result<Self, Failure> {
        let arguments = ["echo-server".into(), "--reply-bytes".into(), body_bytes.to_string().into()];
        let mut process = Child::start("echo", &own_path()?, &arguments, core, ReadyOn::Stdout)?;
        let server = process.ready(stop, ready)?;
        Ok(Self { process, server, load: Repeat { request, body_bytes, reply_bytes: 0 } })
    }
}

fn ready(line: &str) -> Option<SocketAddr> {
    serde_json::from_str::<Ready>(line).ok()?.listen.parse().ok()
}

/// Sends one request again and again.
#[derive(Debug)]
pub(super) struct Repeat {
    request: Vec<u8>,
    body_bytes: usize,
    /// Of the last reply, its head included.
    reply_bytes: usize,
}

impl Repeat {
    pub(super) fn sizes(&self) -> Sizes {
        Sizes { request: self.request.len(), reply: self.reply_bytes }
    }
}

impl Load for Repeat {
    type Sent = ();

    fn request(&mut self, out: &mut Vec<u8>) -> Option<()> {
        out.extend_from_slice(&self.request);
        Some(())
    }

    fn reply(&mut self, (): (), reply: &Reply<'_>) -> Result<(), String> {
        self.reply_bytes = reply.bytes;
        if reply.status == 200 && reply.body.len() == self.body_bytes {
            Ok(())
        } else {
            Err("bare hyper must answer with 200 and as many bytes as it was asked for".into())
        }
    }
}
