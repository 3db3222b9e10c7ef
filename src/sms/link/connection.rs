//! One session and its socket: carries bytes and time between them.

use std::io;
use std::pin::pin;

use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;

use super::buffer::ReadBuffer;
use super::session::{End, Session, Step};
use super::shutdown::Shutdown;
use super::socket::Socket;
use super::tls::{Broken, Tls};
use crate::clock::{Clock, Timestamp};
use crate::sms::DeliveryReport;
use crate::sms::router::Lane;

/// The most reads in a row: more than all answers of the largest window need.
const READS_MAX: usize = 16;

pub(super) struct Connection<'a> {
    socket: Socket,
    input: ReadBuffer,
    session: Session<'a>,
    lane: &'a Lane,
    reports: &'a mpsc::Sender<DeliveryReport>,
    clock: &'a Clock,
}

/// What woke the link up.
enum Woken {
    Read(io::Result<usize>),
    ShutDown(Timestamp),
    /// Nobody takes reports any more.
    ReportsClosed,
    /// Time, items, room: the session looks for itself.
    Other,
}

impl<'a> Connection<'a> {
    pub(super) fn new(
        socket: Socket,
        session: Session<'a>,
        lane: &'a Lane,
        reports: &'a mpsc::Sender<DeliveryReport>,
        clock: &'a Clock,
    ) -> Self {
        Self { socket, input: ReadBuffer::new(), session, lane, reports, clock }
    }

    /// Runs the session until it is over, and closes the connection. Returns why it is over, and since when it
    /// was bound.
    pub(super) async fn run(mut self, shutdown: &mut Shutdown) -> (End, Option<Timestamp>) {
        let end = self.run_session(shutdown).await;
        if self.session.all_answered() {
            self.socket.close();
        } else {
            // What is in doubt must not reach the SMSC from now on. The reports stay unknown, since the SMSC
            // may have read it.
            self.socket.reset();
        }
        let bound_at = self.session.bound_at();
        self.session.end(self.clock.now());
        (end, bound_at)
    }

    // Per wake-up: one read, one write for all that is due, no allocation. The timer is set anew only when
    // something is due earlier than it is set for, or when it has fired.
    async fn run_session(&mut self, shutdown: &mut Shutdown) -> End {
        let mut timer_at = self.clock.now();
        let mut timer = pin!(self.clock.sleep_until(timer_at));
        let mut shutting_down = false;
        loop {
            let now = self.hear_before_it_is_late().await;
            let wait = match self.session.step(now, &mut self.socket) {
                Ok(Step::Wait(wait)) => wait,
                Ok(Step::Over(end)) => return end,
                Err(error) => {
                    // Answers that came before the end are heard.
                    self.read_what_is_there();
                    self.session.lost(End::Io(error.kind()));
                    continue;
                }
            };
            if wait.until < timer_at || now >= timer_at {
                timer_at = wait.until;
                timer.set(self.clock.sleep_until(timer_at));
            }
            let Self { socket: Socket { stream, tls }, input, lane, reports, clock, .. } = self;
            let (mut reader, writer) = stream.split();
            let space = tls.as_mut().map_or_else(|| input.space(), Tls::space);
            let woken = tokio::select! {
                biased;
                read = reader.read(space), if wait.input => Woken::Read(read),
                _ = writer.writable(), if wait.output => Woken::Other,
                () = &mut timer => Woken::Other,
                until = shutdown.ordered(clock), if !shutting_down => Woken::ShutDown(until),
                place = reports.reserve(), if wait.reports => {
                    if place.is_ok() { Woken::Other } else { Woken::ReportsClosed }
                }
                () = lane.ready(), if wait.items => Woken::Other,
                () = lane.drained(), if wait.queue_over => Woken::Other,
            };
            match woken {
                Woken::Read(read) => self.on_read(read),
                Woken::ShutDown(until) => {
                    shutting_down = true;
                    self.session.shut_down(until);
                }
                // Nothing can be reported any more: the gateway has gone.
                Woken::ReportsClosed => self.session.lost(End::ShutDown),
                Woken::Other => {}
            }
        }
    }

    /// However long this thread was held up, what has come in meanwhile is heard before the session gives up on
    /// it. Returns the time.
    async fn hear_before_it_is_late(&mut self) -> Timestamp {
        let now = self.clock.now();
        if now < self.session.due() {
            return now;
        }
        // Has the runtime look at the socket.
        tokio::task::yield_now().await;
        self.read_what_is_there();
        self.clock.now()
    }

    fn read_what_is_there(&mut self) {
        for _ in 0..READS_MAX {
            if !self.session.wants_input() || self.session.over().is_some() {
                return;
            }
            let Self { socket: Socket { stream, tls }, input, .. } = self;
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
        let Self { socket, input, session, .. } = self;
        let Some(tls) = &mut socket.tls else {
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
fn hear(input: &mut ReadBuffer, session: &mut Session<'_>, now: Timestamp) {
    while session.over().is_none() {
        match input.frame() {
            Ok(Some(frame)) => {
                session.hear(frame, now);
                let length = frame.len();
                input.consume(length);
            }
            Ok(None) => break,
            Err(error) => session.lost(End::Frame(error)),
        }
    }
}
