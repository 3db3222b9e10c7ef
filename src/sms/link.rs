//! The link to the SMSC: one ESME transceiver session after another, over TCP, for as long as the gateway
//! runs.
//!
//! ```text
//!             ┌─────────────── pause, longer after each failure ◄───────────┐
//!             ▼                                                             │
//!        connecting ── connected ──► session (see `session`) ── over ──────►┤
//!             └─────────────────────── not reached ────────────────────────►┘
//! ```
//!
//! From each of them, told to stop, it empties the queue for at most `drain_timeout`, and what is left is
//! dropped, counted, reported and logged by challenge.
//!
//! One task owns everything. It reads before it does anything else, and never waits to write or to report.

mod backoff;
mod buffer;
mod session;
mod settings;
mod submits;

use std::fmt;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

pub use settings::{Config, WINDOW_MAX};

use buffer::ReadBuffer;
use session::{Context, End, Session};
use settings::Settings;

use super::DeliveryReport;
use super::outbox::{Item, Queue};
use super::receipts::{MessageIdForm, Receipts, Sent};
use crate::clock::{Clock, Timestamp};
use crate::metrics::Metrics;
use crate::subscriber::challenge::Delivery;
use crate::subscriber::code::Code;
use crate::subscriber::policy::OutOfBounds;

const _: () = assert!(WINDOW_MAX < super::REPORTS_MAX, "each submit in flight holds a report's place");

/// The most addresses of a host that are tried in one attempt.
const ADDRESSES_MAX: usize = 8;
/// The most reads in a row: more than all answers of the largest window need.
const READS_MAX: usize = 16;
/// A session that was bound for so long was a good one: the pauses begin anew.
const STABLE_AFTER: Duration = Duration::from_secs(10);

/// One link to the SMSC, to be [run](Link::run).
pub struct Link<R> {
    settings: Settings,
    password: Zeroizing<String>,
    queue: Queue,
    release: R,
    reports: mpsc::Sender<DeliveryReport>,
    clock: Clock,
    metrics: Arc<Metrics>,
}

/// Shows no password.
impl<R> fmt::Debug for Link<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// A connection that did not come about.
enum ConnectError {
    Timeout,
    Io(io::ErrorKind),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("not reached in time"),
            Self::Io(kind) => write!(f, "not reached: {kind}"),
        }
    }
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
    async fn worth_no_attempt(&mut self, queue: &mut Queue, clock: &Clock) {
        let until = self.ordered(clock).await;
        queue.close();
        let mut time_over = pin!(clock.sleep_until(until));
        tokio::select! {
            () = queue.ready() => {}
            () = &mut time_over => return,
        }
        if !queue.is_over() {
            time_over.await;
        }
    }
}

impl<R: Fn(&Item) -> Option<(Code, Duration)>> Link<R> {
    /// A link that sends what is in `queue`.
    ///
    /// `release` is asked just before an item is written: it derives the code and says what is left of its
    /// time, or says that the item must not be sent any more. It must not block. `reports` gets one outcome
    /// for each item (accepted, rejected, unknown or dropped), then what receipts say; more may follow an
    /// unknown one.
    ///
    /// # Errors
    ///
    /// The first setting that is [`OutOfBounds`]; the password counts to `smsc.password_file` and is not
    /// quoted.
    pub fn new(
        config: &Config,
        password: Zeroizing<String>,
        queue: Queue,
        release: R,
        reports: mpsc::Sender<DeliveryReport>,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Result<Self, OutOfBounds> {
        let settings = Settings::new(config, &password)?;
        Ok(Self { settings, password, queue, release, reports, clock, metrics })
    }

    /// Keeps a session up until `drain` is cancelled, then drains and unbinds. Dropping it instead loses
    /// what is queued, and in flight is then forever unknown.
    pub async fn run(mut self, drain: CancellationToken) {
        let mut receipts = Receipts::new(
            MessageIdForm::default(),
            self.settings.receipts_max,
            self.settings.receipts_age_max,
        );
        let drain_timeout = self.settings.drain_timeout;
        let mut stop = Stop { token: drain, drain_timeout, until: None };
        let mut failures = 0;
        while let Some(stream) = self.connect(&mut stop, &mut failures).await {
            let (end, bound_at) = self.session(stream, &mut receipts, &mut stop).await;
            if end == End::Stopped {
                break;
            }
            let stable = bound_at.is_some_and(|at| self.clock.now().since(at) >= STABLE_AFTER);
            failures = if stable { 1 } else { failures.saturating_add(1) };
            if self.pause(end, failures, &mut stop).await.is_none() {
                break;
            }
        }
        self.drop_the_rest();
    }

    /// Connects, for as many attempts as it takes. `None` when told to stop.
    async fn connect(&mut self, stop: &mut Stop, failures: &mut u32) -> Option<TcpStream> {
        loop {
            let Self { settings, clock, queue, metrics, .. } = self;
            let connected = tokio::select! {
                biased;
                () = stop.worth_no_attempt(queue, clock) => return None,
                connected = connect(settings, clock) => connected,
            };
            match connected {
                Ok(stream) => return Some(stream),
                Err(error) => {
                    *failures = failures.saturating_add(1);
                    metrics.sms.link_failures.inc();
                    let pause = self.back_off(*failures);
                    tracing::warn!(smsc = self.settings.address, %error, ?pause, "SMSC not reached");
                    self.sleep(pause, stop).await?;
                }
            }
        }
    }

    /// Waits before the next attempt. `None` when told to stop.
    async fn pause(&mut self, end: End, failures: u32, stop: &mut Stop) -> Option<()> {
        let smsc = &self.settings.address;
        let pause = if end.is_refused_credentials() {
            let pause = backoff::after_refusal(self.settings.reconnect_max, draw());
            tracing::error!(smsc, reason = %end, ?pause, "SMSC refuses our system_id or password");
            pause
        } else {
            let pause = self.back_off(failures);
            tracing::warn!(smsc, reason = %end, ?pause, "link to the SMSC lost");
            pause
        };
        self.sleep(pause, stop).await
    }

    fn back_off(&self, failures: u32) -> Duration {
        backoff::after_failure(failures, self.settings.reconnect_min, self.settings.reconnect_max, draw())
    }

    async fn sleep(&mut self, pause: Duration, stop: &mut Stop) -> Option<()> {
        tokio::select! {
            biased;
            () = stop.worth_no_attempt(&mut self.queue, &self.clock) => None,
            () = self.clock.sleep(pause) => Some(()),
        }
    }

    /// Runs one session to its end. Returns why it ended, and since when it was bound.
    async fn session(
        &mut self,
        stream: TcpStream,
        receipts: &mut Receipts,
        stop: &mut Stop,
    ) -> (End, Option<Timestamp>) {
        let Self { settings, password, queue, release, reports, clock, metrics } = self;
        let metrics = &metrics.sms;
        let context = Context { settings, password, release, reports, metrics };
        let session = Session::new(context, receipts, clock.now());
        let mut connection = Connection { stream, input: ReadBuffer::new(), session, clock };
        let end = connection.run(queue, reports, stop).await;
        if !connection.session.all_answered() {
            // What the SMSC has not read yet must not reach it after we have gone: the kernel drops it. The
            // reports stay unknown, since the SMSC may have read it.
            let _ = connection.stream.set_zero_linger();
        }
        let session = connection.session;
        let bound_at = session.bound_at();
        session.end(queue);
        queue.set_bound(false);
        if end != End::Stopped {
            metrics.link_failures.inc();
        }
        (end, bound_at)
    }

    /// Told to stop: nothing is sent after a restart, so what is left is dropped.
    fn drop_the_rest(mut self) {
        self.queue.close();
        let mut count = 0_u64;
        while let Some(item) = self.queue.take() {
            tracing::warn!(challenge = %item.challenge, "not sent: the gateway stopped");
            self.metrics.sms.dropped.inc();
            // The gateway stops too: a report that finds no place is of no use to it.
            let _ = self.reports.try_send(Sent::of(&item).report(Delivery::Dropped));
            count += 1;
        }
        tracing::info!(dropped = count, "link to the SMSC stopped");
    }
}

/// Drawn at this edge. Without randomness the pause is the longest, which is safe.
fn draw() -> u64 {
    getrandom::u64().unwrap_or(u64::MAX)
}

/// Tries each address of the SMSC's host in turn, each for `session_init_timeout`.
async fn connect(settings: &Settings, clock: &Clock) -> Result<TcpStream, ConnectError> {
    let timeout = settings.session_init_timeout;
    let addresses = within(clock, timeout, lookup_host(&settings.address)).await?;
    let mut error = ConnectError::Io(io::ErrorKind::NotFound);
    for address in addresses.take(ADDRESSES_MAX) {
        match within(clock, timeout, TcpStream::connect(address)).await {
            Ok(stream) => {
                // Batches are made here; the kernel is not to hold them back. Without it they are late
                // and nothing worse.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(failed) => error = failed,
        }
    }
    Err(error)
}

async fn within<T>(
    clock: &Clock,
    timeout: Duration,
    work: impl Future<Output = io::Result<T>>,
) -> Result<T, ConnectError> {
    tokio::select! {
        biased;
        done = work => done.map_err(|error| ConnectError::Io(error.kind())),
        () = clock.sleep(timeout) => Err(ConnectError::Timeout),
    }
}

/// A session and its socket.
struct Connection<'a, R> {
    stream: TcpStream,
    input: ReadBuffer,
    session: Session<'a, R>,
    clock: &'a Clock,
}

/// What woke the link up.
enum Woken {
    Read(io::Result<usize>),
    Stop(Timestamp),
    Reports(bool),
    Items,
    /// Time, or a socket that can be written again: the loop looks for itself.
    Other,
}

impl<R: Fn(&Item) -> Option<(Code, Duration)>> Connection<'_, R> {
    /// Carries bytes between socket and session until the session is over.
    // Per wake-up: one read, one write for all that is due, no allocation. The timer is set anew only when
    // something is due earlier than it is set for, or when it has fired.
    async fn run(
        &mut self,
        queue: &mut Queue,
        reports: &mpsc::Sender<DeliveryReport>,
        stop: &mut Stop,
    ) -> End {
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
            let blocked = self.step(queue, now);
            if let Some(end) = self.session.over() {
                return end;
            }
            queue.set_bound(self.session.is_bound());
            let wake_at = self.session.wake_at(now);
            if wake_at < timer_at || now >= timer_at {
                timer_at = wake_at;
                timer.set(self.clock.sleep_until(timer_at));
            }
            let Self { stream, input, session, clock } = self;
            let (mut reader, writer) = stream.split();
            let woken = tokio::select! {
                biased;
                read = reader.read(input.space()), if session.wants_input() => Woken::Read(read),
                _ = writer.writable(), if blocked => Woken::Other,
                () = &mut timer => Woken::Other,
                until = stop.ordered(clock), if !session.is_stopping() => Woken::Stop(until),
                permit = reports.reserve(), if session.waits_for_reports() => Woken::Reports(permit.is_ok()),
                () = queue.ready(), if session.wants_items(now) && !queue.is_over() => Woken::Items,
            };
            self.on_woken(woken, queue);
        }
    }

    fn on_woken(&mut self, woken: Woken, queue: &mut Queue) {
        match woken {
            Woken::Read(read) => self.on_read(read),
            Woken::Stop(until) => {
                queue.close();
                self.session.stop(until);
            }
            Woken::Reports(true) => self.session.reports_have_room(),
            // The gateway has gone: nothing can be released or reported any more.
            Woken::Reports(false) => self.session.lost(End::Stopped),
            // Those who make items go first, if they wait for this core: the more there are in one write,
            // the less each costs. On a core of its own this takes no time.
            Woken::Items => std::thread::yield_now(),
            Woken::Other => {}
        }
    }

    /// Does what can be done without waiting. Returns whether the socket takes no more bytes.
    fn step(&mut self, queue: &mut Queue, now: Timestamp) -> bool {
        loop {
            if self.session.wants_items(now) {
                self.session.submit(queue, now);
            }
            self.session.advance(queue.is_over(), now);
            let blocked = self.write();
            self.session.set_blocked(blocked);
            self.session.advance(queue.is_over(), now);
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
            match self.stream.try_write(self.session.pending()) {
                Ok(0) => self.session.lost(End::Closed),
                Ok(count) => {
                    self.session.wrote(count, self.clock.now());
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(error) => {
                    // Answers that came before the end are heard.
                    self.read_what_is_there();
                    self.session.lost(End::Io(error.kind()));
                }
            }
            break;
        }
        false
    }

    fn read_what_is_there(&mut self) {
        for _ in 0..READS_MAX {
            if !self.session.wants_input() || self.session.over().is_some() {
                return;
            }
            match self.stream.try_read(self.input.space()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                read => self.on_read(read),
            }
        }
    }

    fn on_read(&mut self, read: io::Result<usize>) {
        match read {
            Ok(0) => return self.session.lost(End::Closed),
            Ok(count) => self.input.read(count),
            Err(error) => return self.session.lost(End::Io(error.kind())),
        }
        let now = self.clock.now();
        while self.session.over().is_none() {
            match self.input.frame() {
                Ok(Some(frame)) => {
                    self.session.on_frame(frame, now);
                    let length = frame.len();
                    self.input.consume(length);
                }
                Ok(None) => break,
                Err(error) => {
                    self.session.lost(End::Frame(error));
                    break;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
