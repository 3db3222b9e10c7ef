//! The SMSC: accepts ESMEs, and holds what their sessions share.

mod account;
mod agenda;
mod connection;
mod faults;
mod handset;
mod long_messages;
mod pending;
mod receipts;
mod requests;
mod seen;
mod session;
mod submit;

pub use handset::HandsetError;
pub(crate) use submit::Moment;

use crate::behavior::{Behavior, Plan};
use crate::capture::{Capture, Tap};
use crate::clock;
use crate::config::{Config, Esme};
use crate::inbox::{Inbox, MessageId};
use crate::metrics::Metrics;
use account::Account;
use arc_swap::ArcSwap;
use long_messages::LongMessages;
use pending::PendingMessages;
use seen::Seen;
use smpp::status::CommandStatus;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use subtle::Choice;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// SMPP connections of a listener at a time, bound or not: each costs its buffers.
const CONNECTIONS_MAX: usize = 512;

/// After a failed accept (out of file descriptors), so that it is not tried in
/// a busy loop.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// For sessions to unbind and close when the simulator stops. Longer than
/// [`session::UNBIND_TIMEOUT`], which ends them in order.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

const _: () = assert!(session::UNBIND_TIMEOUT.as_millis() < STOP_TIMEOUT.as_millis());

/// What the operator asks of all sessions: counters, so that a session sees
/// what was asked after it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Orders {
    unbind: u64,
    disconnect: u64,
}

/// What the sessions share.
pub(crate) struct Smsc {
    config: Config,
    inbox: Arc<Inbox>,
    metrics: Arc<Metrics>,
    capture: Option<Capture>,
    plan: ArcSwap<Plan>,
    next_id: AtomicU64,
    accounts: Vec<Arc<Account>>,
    long_messages: Mutex<LongMessages>,
    pending: PendingMessages,
    /// Marks of the parameter that must not come twice.
    seen: Mutex<Seen>,
    orders: watch::Sender<Orders>,
}

impl Smsc {
    pub(crate) fn new(
        config: Config,
        instance: u32,
        inbox: Arc<Inbox>,
        metrics: Arc<Metrics>,
        capture: Option<Capture>,
    ) -> Self {
        let start = clock::now();
        let account = |esme: &Esme| Arc::new(Account::new(esme.clone(), start));
        Self {
            accounts: config.esmes.iter().map(account).collect(),
            inbox,
            metrics,
            capture,
            plan: ArcSwap::from_pointee(Plan::new(config.behavior.clone())),
            // 2³² ids before two lives of the simulator could share one.
            next_id: AtomicU64::new(u64::from(instance) << 32),
            long_messages: Mutex::default(),
            pending: PendingMessages::default(),
            seen: Mutex::default(),
            orders: watch::Sender::new(Orders::default()),
            config,
        }
    }

    /// Accepts connections, under TLS if there is an acceptor for it, until the
    /// simulator stops, then unbinds them.
    pub(crate) async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        tls: Option<TlsAcceptor>,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut connections = JoinSet::new();
        while !*stop.borrow() {
            tokio::select! {
                _ = stop.changed() => {}
                Some(_) = connections.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) if connections.len() < CONNECTIONS_MAX => {
                        self.metrics.connections.inc();
                        connections.spawn(connection::run(Arc::clone(&self), stream, tls.clone()));
                    }
                    Ok(_) => self.metrics.connections_refused.inc(),
                    Err(error) => {
                        tracing::warn!(%error, "accepting an SMPP connection failed");
                        clock::timer(clock::now() + ACCEPT_RETRY).await;
                    }
                },
            }
        }
        drop(listener);
        self.unbind_sessions();
        clock::within(STOP_TIMEOUT, async { while connections.join_next().await.is_some() {} }).await;
    }

    /// Closes the capture file, once all connections have ended.
    pub(crate) async fn finish_capture(&self) {
        if let Some(capture) = &self.capture {
            capture.finish().await;
        }
    }

    /// The way of a new connection into the capture, if there is one.
    fn tap(&self, stream: &TcpStream) -> Option<Tap> {
        let (Some(capture), Ok(esme), Ok(smsc)) = (&self.capture, stream.peer_addr(), stream.local_addr())
        else {
            return None;
        };
        Some(capture.connection(esme, smsc))
    }

    pub(crate) fn sessions_bound(&self) -> usize {
        self.accounts.iter().map(|account| account.bound()).sum()
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(crate) fn behavior(&self) -> Behavior {
        self.plan.load().behavior.clone()
    }

    pub(crate) fn set_behavior(&self, behavior: Behavior) {
        self.plan.store(Arc::new(Plan::new(behavior)));
    }

    pub(crate) fn unbind_sessions(&self) {
        self.orders.send_modify(|orders| orders.unbind += 1);
    }

    pub(crate) fn disconnect_sessions(&self) {
        self.orders.send_modify(|orders| orders.disconnect += 1);
    }

    fn next_id(&self) -> MessageId {
        MessageId::new(self.next_id.fetch_add(1, Ordering::Relaxed))
    }

    /// Whose credentials these are, or the status that says what is wrong. All
    /// are compared, and each in constant time.
    fn admit(&self, system_id: &[u8], password: &[u8]) -> Result<&Arc<Account>, CommandStatus> {
        let (mut known, mut proven) = (Choice::from(0), None);
        for account in &self.accounts {
            let (name, word) = account.admits(system_id, password);
            known |= name;
            if (name & word).into() {
                proven = Some(account);
            }
        }
        match proven {
            Some(account) => Ok(account),
            None if known.into() => Err(CommandStatus::ESME_RINVPASWD),
            None => Err(CommandStatus::ESME_RINVSYSID),
        }
    }
}

impl fmt::Debug for Smsc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Smsc").field("config", &self.config).finish_non_exhaustive()
    }
}
