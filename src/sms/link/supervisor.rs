//! Keeps a session with the SMSC up.

use std::rc::Rc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::backoff;
use super::connect::{ConnectError, connect};
use super::connection::Connection;
use super::session::{Context, End, Role, Session};
use super::settings::Settings;
use super::shared::{Common, Smsc};
use super::shutdown::Shutdown;
use super::socket::Socket;
use crate::clock::Timestamp;
use crate::sms::outbox::Item;
use crate::sms::router::Lane;
use crate::subscriber::code::Code;

/// A session that was bound for this long was a good one: the pauses begin anew.
const STABLE_AFTER: Duration = Duration::from_secs(10);

/// One link to an SMSC, to be [run](Link::run).
///
/// ```text
///             ┌─────────────── pause, longer after each failure ◄───────────┐
///             ▼                                                             │
///        connecting ── connected ──► session (see `session`) ── over ──────►┤
///             └─────────────────────── not reached ────────────────────────►┘
/// ```
///
/// Shutting down, it goes on in each of them until nothing is queued, for at most `drain_timeout`; what is left
/// then is dropped, counted, reported and logged by challenge (see [`crate::sms::links`]).
pub(in crate::sms) struct Link<R> {
    smsc: Rc<Smsc>,
    role: Role,
    lane: Lane,
    common: Rc<Common<R>>,
}

impl<R: Fn(&Item) -> Option<(Code, Duration)>> Link<R> {
    pub(in crate::sms) fn new(smsc: Rc<Smsc>, role: Role, lane: Lane, common: Rc<Common<R>>) -> Self {
        Self { smsc, role, lane, common }
    }

    /// Keeps a session up until `drain` is cancelled, then drains and unbinds.
    pub(in crate::sms) async fn run(self, drain: CancellationToken) {
        let mut shutdown = Shutdown::new(drain, self.smsc.settings.drain_timeout);
        let mut failures = 0;
        while let Some(socket) = self.connect(&mut shutdown, &mut failures).await {
            let (end, bound_at) = self.session(socket, &mut shutdown).await;
            if end == End::ShutDown {
                return;
            }
            let stable = bound_at.is_some_and(|at| self.common.clock.now().since(at) >= STABLE_AFTER);
            failures = if stable { 1 } else { failures.saturating_add(1) };
            let pause = self.after_session(end, failures);
            if self.sleep(pause, &mut shutdown).await.is_none() {
                return;
            }
        }
    }

    /// Connects, for as many attempts as it takes. `None` when shutting down.
    async fn connect(&self, shutdown: &mut Shutdown, failures: &mut u32) -> Option<Socket> {
        let Smsc { settings, connector, .. } = &*self.smsc;
        let clock = &self.common.clock;
        loop {
            let connected = tokio::select! {
                biased;
                () = shutdown.nothing_to_drain(&self.lane, clock) => return None,
                connected = connect(settings, connector.as_ref(), clock) => connected,
            };
            match connected {
                Ok(socket) => return Some(socket),
                Err(error) => {
                    *failures = failures.saturating_add(1);
                    let pause = self.after_no_connection(&error, *failures);
                    self.sleep(pause, shutdown).await?;
                }
            }
        }
    }

    /// Runs one session to its end. Returns why it ended, and since when it was bound.
    async fn session(&self, socket: Socket, shutdown: &mut Shutdown) -> (End, Option<Timestamp>) {
        let Common { release, reports, clock, metrics } = &*self.common;
        let context = Context {
            settings: &self.smsc.settings,
            password: &self.smsc.password,
            role: self.role,
            lane: &self.lane,
            receipts: &self.smsc.receipts,
            next_reference: &self.smsc.next_reference,
            release,
            reports,
            metrics: &metrics.sms,
            smsc: &self.smsc.metrics,
        };
        let session = Session::new(context, clock.now());
        Connection::new(socket, session, &self.lane, reports, clock).run(shutdown).await
    }

    /// Counts and logs a connection that did not come about. Returns the pause before the next attempt.
    fn after_no_connection(&self, error: &ConnectError, failures: u32) -> Duration {
        let Settings { name, address, .. } = &self.smsc.settings;
        self.common.metrics.sms.link_failures.inc();
        if let ConnectError::Tls(_) = error {
            self.common.metrics.sms.tls_failures.inc();
            let pause = self.pause_after_refusal();
            tracing::error!(smsc = name, address, %error, ?pause, "no TLS with the SMSC");
            return pause;
        }
        let pause = self.pause_after_failure(failures);
        tracing::warn!(smsc = name, address, %error, ?pause, "SMSC not reached");
        pause
    }

    /// Counts and logs the end of a session. Returns the pause before the next attempt.
    fn after_session(&self, end: End, failures: u32) -> Duration {
        let Settings { name, address, .. } = &self.smsc.settings;
        self.common.metrics.sms.link_failures.inc();
        if let End::Tls(_) = end {
            self.common.metrics.sms.tls_failures.inc();
        }
        if end.is_permanent() {
            let pause = self.pause_after_refusal();
            tracing::error!(smsc = name, address, reason = %end, ?pause, "SMSC refuses us");
            return pause;
        }
        let pause = self.pause_after_failure(failures);
        tracing::warn!(smsc = name, address, reason = %end, ?pause, "link to the SMSC lost");
        pause
    }

    fn pause_after_failure(&self, failures: u32) -> Duration {
        let settings = &self.smsc.settings;
        backoff::after_failure(failures, settings.reconnect_min, settings.reconnect_max, backoff::draw())
    }

    fn pause_after_refusal(&self) -> Duration {
        backoff::after_refusal(self.smsc.settings.reconnect_max, backoff::draw())
    }

    /// Waits before the next attempt. `None` when shutting down.
    async fn sleep(&self, pause: Duration, shutdown: &mut Shutdown) -> Option<()> {
        tokio::select! {
            biased;
            () = shutdown.nothing_to_drain(&self.lane, &self.common.clock) => None,
            () = self.common.clock.sleep(pause) => Some(()),
        }
    }
}
