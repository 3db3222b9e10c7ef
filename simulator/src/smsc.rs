//! The SMSC: accepts ESMEs, and does what the operator asks.

mod account;
mod agenda;
mod arrival;
mod assembly;
mod connection;
mod delivery;
mod delivery_window;
mod faults;
mod fields;
mod handset;
mod long_messages;
mod mailbox;
mod party;
mod pending;
mod receipt;
mod receivers;
mod report;
mod requests;
mod seen;
mod sequence;
mod session;
mod shared;
mod stages;
mod submit;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::behavior::Behavior;
use crate::clock::{self, Moment};
use crate::metrics::Metrics;
pub use handset::HandsetError;
pub(crate) use shared::Smsc;
pub(crate) use stages::{InForce, Running};

/// SMPP connections of a listener at a time, bound or not: each costs its buffers.
const CONNECTIONS_MAX: usize = 512;

/// After a failed accept (out of file descriptors), so that it is not tried in a busy loop.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// For sessions to unbind and close when the simulator shuts down. Longer than [`session::UNBIND_TIMEOUT`],
/// which ends them in order.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

const _: () = assert!(session::UNBIND_TIMEOUT.as_millis() < SHUTDOWN_TIMEOUT.as_millis());

impl Smsc {
    /// Accepts connections, under TLS if there is an acceptor for it, until the simulator shuts down, then
    /// unbinds them.
    pub(crate) async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        tls: Option<TlsAcceptor>,
        shutdown: CancellationToken,
    ) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Some(_) = connections.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) if connections.len() < CONNECTIONS_MAX => {
                        self.metrics.connections.accepted.inc();
                        connections.spawn(connection::run(Arc::clone(&self), stream, tls.clone()));
                    }
                    Ok(_) => self.metrics.connections.refused.inc(),
                    Err(error) => {
                        tracing::warn!(%error, "accepting an SMPP connection failed");
                        clock::timer(clock::now() + ACCEPT_RETRY).await;
                    }
                },
            }
        }
        drop(listener);
        self.unbind_sessions();
        clock::within(SHUTDOWN_TIMEOUT, async { while connections.join_next().await.is_some() {} }).await;
    }

    /// Closes the capture file, once all connections have ended.
    pub(crate) async fn finish_capture(&self) {
        if let Some(capture) = &self.capture {
            capture.finish().await;
        }
    }

    pub(crate) fn sessions_bound(&self) -> usize {
        self.accounts.iter().map(|account| account.bound()).sum()
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The behaviour that was set.
    pub(crate) fn behavior(&self) -> Behavior {
        self.stages.behavior()
    }

    /// Changes it from the next bind and submit on. A scenario begins with its first step.
    pub(crate) fn set_behavior(&self, behavior: Behavior) {
        self.stages.set(behavior, &Moment::present());
    }

    /// What is in force: the behaviour that was set, or a step of its scenario.
    pub(crate) fn in_force(&self) -> InForce {
        self.stages.in_force()
    }

    /// Goes through the steps of scenarios until the simulator shuts down.
    pub(crate) async fn run_scenarios(self: Arc<Self>, shutdown: CancellationToken) {
        shutdown.run_until_cancelled(self.stages.run()).await;
    }

    pub(crate) fn unbind_sessions(&self) {
        self.orders.send_modify(|orders| orders.unbind += 1);
    }

    pub(crate) fn disconnect_sessions(&self) {
        self.orders.send_modify(|orders| orders.disconnect += 1);
    }
}
