//! One link to an SMSC: one ESME session after another, over TCP, for as long as the gateway runs.
//!
//! ```text
//!             ┌─────────────── pause, longer after each failure ◄───────────┐
//!             ▼                                                             │
//!        connecting ── connected ──► session (see `session`) ── over ──────►┤
//!             └─────────────────────── not reached ────────────────────────►┘
//! ```
//!
//! From each of them, told to stop, it sends what is queued for at most `drain_timeout`; what is left then
//! is dropped, counted, reported and logged by challenge (see [`super::links`]).
//!
//! One task owns a link. It reads before it does anything else, and never waits to write or to report.

mod backoff;
mod buffer;
mod compose;
mod connect;
mod later;
mod muted;
mod pace;
mod session;
pub(super) mod settings;
mod submits;
pub mod tls;

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

pub(super) use session::Role;
pub use settings::{Config, InterfaceVersion, Mode, ValidityForm, WINDOW_MAX};

use buffer::ReadBuffer;
use connect::{ConnectError, Connected};
use session::{Context, End, Session};
use settings::Settings;
use tls::{Broken, Connector, Tls};

use super::DeliveryReport;
use super::outbox::Item;
use super::receipts::Receipts;
use super::routes::Lane;
use crate::clock::{Clock, Timestamp};
use crate::metrics::{Metrics, SmscMetrics};
use crate::subscriber::code::Code;

const _: () = assert!(WINDOW_MAX < super::REPORTS_MAX, "each submit in flight holds a report's place");

/// The most reads in a row: more than all answers of the largest window need.
const READS_MAX: usize = 16;
/// A session that was bound for so long was a good one: the pauses begin anew.
const STABLE_AFTER: Duration = Duration::from_secs(10);

/// What all links share.
pub(super) struct Common<R> {
    /// The code and what is left of its time; `None` once it must not be sent.
    pub(super) release: R,
    pub(super) reports: mpsc::Sender<DeliveryReport>,
    pub(super) clock: Clock,
    pub(super) metrics: Arc<Metrics>,
}

/// What the links of one SMSC share.
pub(super) struct Smsc {
    pub(super) settings: Settings,
    pub(super) password: Zeroizing<String>,
    /// TLS, if it is spoken.
    pub(super) connector: Option<Connector>,
    pub(super) receipts: RefCell<Receipts>,
    /// The next `user_message_reference`.
    pub(super) next_reference: Cell<u16>,
    pub(super) metrics: SmscMetrics,
}

impl Smsc {
    pub(super) fn new(
        settings: Settings,
        password: Zeroizing<String>,
        connector: Option<Connector>,
        metrics: SmscMetrics,
    ) -> Self {
        let receipts = Receipts::new(settings.message_ids, settings.receipts_max, settings.receipts_age_max);
        // A receipt of a message before the last restart is not to be taken for one after.
        let next_reference = Cell::new((draw() & u64::from(u16::MAX)) as u16);
        Self { settings, password, connector, receipts: RefCell::new(receipts), next_reference, metrics }
    }
}

/// One link to an SMSC, to be [run](Link::run).
pub(super) struct Link<R> {
    smsc: Rc<Smsc>,
    role: Role,
    lane: Lane,
    common: Rc<Common<R>>,
}

/// The order to stop, and until when draining may last once it is given.
struct Stop {
    token: CancellationToken,
    drain_timeout: Duration,
    until: Option<Timestamp>,
}

impl Stop {
    /// Returns the deadline once the order is given. Cancel safe.
    async fn ordered(&mut self, clock: &Clock) -> Timestamp {
        self.token.cancelled().await;
        *self.until.get_or_insert_with(|| clock.now().plus(self.drain_timeout))
    }

    /// For a link that is not bound: returns once the order is given and either nothing is queued or the
    /// time is over. Cancel safe.
    async fn worth_no_attempt(&mut self, lane: &Lane, clock: &Clock) {
        let until = self.ordered(clock).await;
        tokio::select! {
            () = lane.over() => {}
            () = clock.sleep_until(until) => {}
        }
    }
}

impl<R: Fn(&Item) -> Option<(Code, Duration)>> Link<R> {
    pub(super) fn new(smsc: Rc<Smsc>, role: Role, lane: Lane, common: Rc<Common<R>>) -> Self {
        Self { smsc, role, lane, common }
    }

    /// Keeps a session up until `drain` is cancelled, then drains and unbinds.
    pub(super) async fn run(self, drain: CancellationToken) {
        let drain_timeout = self.smsc.settings.drain_timeout;
        let mut stop = Stop { token: drain, drain_timeout, until: None };
        let mut failures = 0;
        while let Some(connected) = self.connect(&mut stop, &mut failures).await {
            let (end, bound_at) = self.session(connected, &mut stop).await;
            if end == End::Stopped {
                return;
            }
            let stable = bound_at.is_some_and(|at| self.common.clock.now().since(at) >= STABLE_AFTER);
            failures = if stable { 1 } else { failures.saturating_add(1) };
            if self.pause(end, failures, &mut stop).await.is_none() {
                return;
            }
        }
    }

    /// Connects, for as many attempts as it takes. `None` when told to stop.
    async fn connect(&self, stop: &mut Stop, failures: &mut u32) -> Option<Connected> {
        let Smsc { settings, connector, .. } = &*self.smsc;
        let clock = &self.common.clock;
        loop {
            let connected = tokio::select! {
                biased;
                () = stop.worth_no_attempt(&self.lane, clock) => return None,
                connected = connect::connect(settings, connector.as_ref(), clock) => connected,
            };
            match connected {
                Ok(connected) => return Some(connected),
                Err(error) => {
                    *failures = failures.saturating_add(1);
                    self.common.metrics.sms.link_failures.inc();
                    let pause = self.after_no_connection(&error, *failures);
                    self.sleep(pause, stop).await?;
                }
            }
        }
    }

    /// Tells of a connection that did not come about. Returns the pause before the next attempt.
    fn after_no_connection(&self, error: &ConnectError, failures: u32) -> Duration {
        let Settings { name, address, .. } = &self.smsc.settings;
        if let ConnectError::Tls(_) = error {
            self.common.metrics.sms.tls_failures.inc();
            let pause = backoff::after_refusal(self.smsc.settings.reconnect_max, draw());
            tracing::error!(smsc = name, address, %error, ?pause, "no TLS with the SMSC");
            return pause;
        }
        let pause = self.back_off(failures);
        tracing::warn!(smsc = name, address, %error, ?pause, "SMSC not reached");
        pause
    }

    /// Waits before the next attempt. `None` when told to stop.
    async fn pause(&self, end: End, failures: u32, stop: &mut Stop) -> Option<()> {
        let Settings { name, address, .. } = &self.smsc.settings;
        if let End::Tls(_) = end {
            self.common.metrics.sms.tls_failures.inc();
        }
        let pause = if end.needs_people() {
            let pause = backoff::after_refusal(self.smsc.settings.reconnect_max, draw());
            tracing::error!(smsc = name, address, reason = %end, ?pause, "SMSC refuses us");
            pause
        } else {
            let pause = self.back_off(failures);
            tracing::warn!(smsc = name, address, reason = %end, ?pause, "link to the SMSC lost");
            pause
        };
        self.sleep(pause, stop).await
    }

    fn back_off(&self, failures: u32) -> Duration {
        let settings = &self.smsc.settings;
        backoff::after_failure(failures, settings.reconnect_min, settings.reconnect_max, draw())
    }

    async fn sleep(&self, pause: Duration, stop: &mut Stop) -> Option<()> {
        tokio::select! {
            biased;
            () = stop.worth_no_attempt(&self.lane, &self.common.clock) => None,
            () = self.common.clock.sleep(pause) => Some(()),
        }
    }

    /// Runs one session to its end. Returns why it ended, and since when it was bound.
    async fn session(&self, connected: Connected, stop: &mut Stop) -> (End, Option<Timestamp>) {
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
        };
        let session = Session::new(context, clock.now());
        let lane = &self.lane;
        let Connected { stream, tls } = connected;
        let mut connection = Connection { stream, tls, input: ReadBuffer::new(), session, lane, clock };
        let end = connection.run(reports, stop).await;
        if !connection.session.all_answered() {
            // What the SMSC has not read yet must not reach it after we have gone: the kernel drops it. The
            // reports stay unknown, since the SMSC may have read it.
            let _ = connection.stream.set_zero_linger();
        } else if let Some(tls) = &mut connection.tls {
            tls.close(&connection.stream);
        }
        let session = connection.session;
        let bound_at = session.bound_at();
        lane.set_hungry(false);
        session.end(clock.now());
        if end != End::Stopped {
            metrics.sms.link_failures.inc();
        }
        (end, bound_at)
    }
}

/// Drawn at this edge. Without randomness the pause is the longest, which is safe.
fn draw() -> u64 {
    getrandom::u64().unwrap_or(u64::MAX)
}

/// A session and its socket.
struct Connection<'a, R> {
    stream: TcpStream,
    tls: Option<Tls>,
    input: ReadBuffer,
    session: Session<'a, R>,
    lane: &'a Lane,
    clock: &'a Clock,
}

/// What woke the link up.
enum Woken {
    Read(io::Result<usize>),
    Stop(Timestamp),
    Reports(bool),
    /// Time, items, or a socket that can be written again: the loop looks for itself.
    Other,
}

impl<R: Fn(&Item) -> Option<(Code, Duration)>> Connection<'_, R> {
    /// Carries bytes between socket and session until the session is over.
    // Per wake-up: one read, one write for all that is due, no allocation. The timer is set anew only when
    // something is due earlier than it is set for, or when it has fired.
    async fn run(&mut self, reports: &mpsc::Sender<DeliveryReport>, stop: &mut Stop) -> End {
        let mut timer_at = self.session.due();
        let mut timer = pin!(self.clock.sleep_until(timer_at));
        loop {
            let mut now = self.clock.now();
            if now >= self.session.due() {
                // However long this thread was held up, what has come in meanwhile is heard first.
                // Yielding has the runtime look at the socket.
                tokio::task::yield_now().await;
                self.read_what_is_there();
                now = self.clock.now();
                self.session.on_time(now);
            }
            if let Some(end) = self.session.over() {
                // What is not written in full is surely not sent, and stays so.
                return end;
            }
            self.lane.set_bound(self.session.sends(), now);
            let blocked = self.step(now);
            if let Some(end) = self.session.over() {
                return end;
            }
            let over = self.lane.is_over();
            let hungry = self.session.wants_items(now) && !over;
            self.lane.set_hungry(hungry);
            let wake_at = self.session.wake_at(now);
            if wake_at < timer_at || now >= timer_at {
                timer_at = wake_at;
                timer.set(self.clock.sleep_until(timer_at));
            }
            let Self { stream, tls, input, session, lane, clock } = self;
            let (mut reader, writer) = stream.split();
            let space = tls.as_mut().map_or_else(|| input.space(), Tls::space);
            let woken = tokio::select! {
                biased;
                read = reader.read(space), if session.wants_input() => Woken::Read(read),
                _ = writer.writable(), if blocked => Woken::Other,
                () = &mut timer => Woken::Other,
                until = stop.ordered(clock), if !session.is_stopping() => Woken::Stop(until),
                permit = reports.reserve(), if session.waits_for_reports() => Woken::Reports(permit.is_ok()),
                () = lane.ready(), if hungry => Woken::Other,
                () = lane.over(), if session.is_stopping() && !over => Woken::Other,
            };
            self.on_woken(woken);
        }
    }

    fn on_woken(&mut self, woken: Woken) {
        match woken {
            Woken::Read(read) => self.on_read(read),
            Woken::Stop(until) => self.session.stop(until),
            Woken::Reports(true) => self.session.reports_have_room(),
            // The gateway has gone: nothing can be released or reported any more.
            Woken::Reports(false) => self.session.lost(End::Stopped),
            Woken::Other => {}
        }
    }

    /// Does what can be done without waiting. Returns whether the socket takes no more bytes.
    fn step(&mut self, now: Timestamp) -> bool {
        loop {
            if self.session.wants_items(now) {
                self.session.submit(now);
            }
            self.session.advance(self.lane.is_over(), now);
            let blocked = self.write();
            self.session.set_blocked(blocked);
            self.session.advance(self.lane.is_over(), now);
            // More than one round only where a batch is larger than a buffer, or the last write led to more.
            let more = self.session.wants_backlog(now) || !self.session.pending().is_empty();
            if blocked || !more || self.session.over().is_some() {
                return blocked;
            }
        }
    }

    /// Returns whether the socket takes no more bytes.
    fn write(&mut self) -> bool {
        while !self.session.pending().is_empty() {
            let (stream, pending) = (&self.stream, self.session.pending());
            let written = match &mut self.tls {
                Some(tls) => tls.try_write(stream, pending),
                None => stream.try_write(pending),
            };
            match written {
                Ok(0) => self.session.lost(End::Closed),
                Ok(count) => {
                    self.session.wrote(count, self.clock.now());
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(error) => self.write_failed(error.kind()),
            }
            return false;
        }
        match self.tls.as_mut().map_or(Ok(true), |tls| tls.flush(&self.stream)) {
            Ok(all) => !all,
            Err(error) => {
                self.write_failed(error.kind());
                false
            }
        }
    }

    fn write_failed(&mut self, kind: io::ErrorKind) {
        // Answers that came before the end are heard.
        self.read_what_is_there();
        self.session.lost(End::Io(kind));
    }

    fn read_what_is_there(&mut self) {
        for _ in 0..READS_MAX {
            if !self.session.wants_input() || self.session.over().is_some() {
                return;
            }
            let Self { stream, tls, input, .. } = self;
            let space = tls.as_mut().map_or_else(|| input.space(), Tls::space);
            match stream.try_read(space) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                read => self.on_read(read),
            }
        }
    }

    fn on_read(&mut self, read: io::Result<usize>) {
        let count = match read {
            Ok(0) => return self.session.lost(End::Closed),
            Ok(count) => count,
            Err(error) => return self.session.lost(End::Io(error.kind())),
        };
        let now = self.clock.now();
        let Self { tls, input, session, .. } = self;
        let Some(tls) = tls else {
            input.read(count);
            return hear(input, session, now);
        };
        let broken = tls.read(count, |plain| {
            let count = plain.read(input.space())?;
            input.read(count);
            hear(input, session, now);
            Ok(count)
        });
        match broken {
            Ok(()) => {}
            Err(Broken::Io(io::ErrorKind::UnexpectedEof)) => session.lost(End::Closed),
            Err(Broken::Io(kind)) => session.lost(End::Io(kind)),
            Err(Broken::Tls(error)) => session.lost(End::Tls(error)),
        }
    }
}

/// Gives the session the whole frames that have come in.
fn hear<R: Fn(&Item) -> Option<(Code, Duration)>>(
    input: &mut ReadBuffer,
    session: &mut Session<'_, R>,
    now: Timestamp,
) {
    while session.over().is_none() {
        match input.frame() {
            Ok(Some(frame)) => {
                session.on_frame(frame, now);
                let length = frame.len();
                input.consume(length);
            }
            Ok(None) => break,
            Err(error) => session.lost(End::Frame(error)),
        }
    }
}

#[cfg(test)]
mod tests;
