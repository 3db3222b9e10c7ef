//! One ESME's connection: the only task that touches its socket and session.
//!
//! Each turn writes what there is, else reads what there is: so the answers to
//! everything that one read brought go out in one write, and while the ESME is
//! slow to read, they collect up to the session's bound and reading stops.

use super::Smsc;
use super::session::Session;
use super::submit::Moment;
use crate::clock;
use smpp::frame::COMMAND_LENGTH_MAX;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

/// For the ESME to close its side after we closed ours.
const LINGER: Duration = Duration::from_secs(1);

/// Octets received and not yet taken: room for the largest PDU.
struct Input {
    octets: Box<[u8]>,
    filled: usize,
}

impl Input {
    fn new() -> Self {
        Self { octets: vec![0; COMMAND_LENGTH_MAX].into_boxed_slice(), filled: 0 }
    }

    fn room(&mut self) -> &mut [u8] {
        &mut self.octets[self.filled..]
    }

    /// Hands everything received to the session and keeps what it did not take.
    fn give(&mut self, count: usize, session: &mut Session, at: &Moment) {
        self.filled += count;
        let consumed = session.on_bytes(&self.octets[..self.filled], at);
        self.octets.copy_within(consumed..self.filled, 0);
        self.filled -= consumed;
    }
}

/// Serves one connection until it is closed by either side.
pub(super) async fn run(smsc: Arc<Smsc>, mut stream: TcpStream) {
    // A failure shows on the next read; delay is all that is at stake.
    let _ = stream.set_nodelay(true);
    let (mut reader, mut writer) = stream.split();
    let mut orders = smsc.orders.subscribe();
    let mut session = Session::new(Arc::clone(&smsc), *orders.borrow_and_update(), clock::now());
    let mut input = Input::new();
    let mut armed = session.due();
    let timer = clock::timer(armed);
    tokio::pin!(timer);
    while !session.is_over() {
        tokio::select! {
            biased;
            _ = orders.changed() => {
                let ordered = *orders.borrow_and_update();
                session.on_orders(ordered, clock::now());
            }
            written = writer.write(session.pending()), if !session.pending().is_empty() => match written {
                Ok(count) if count > 0 => session.wrote(count),
                _ => break,
            },
            read = reader.read(input.room()), if session.wants_input() => match read {
                Ok(count) if count > 0 => {
                    let at = Moment { now: clock::now(), wall: clock::wall() };
                    input.give(count, &mut session, &at);
                }
                _ => break,
            },
            () = smsc.held.arrived(), if session.wants_receipts() => {}
            () = &mut timer => {}
        }
        let now = clock::now();
        // What has already come is heard before it is missed.
        if session.due() <= now && session.wants_input() {
            match reader.try_read(input.room()) {
                Ok(count) if count > 0 => {
                    input.give(count, &mut session, &Moment { now, wall: clock::wall() });
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                _ => break,
            }
        }
        session.on_time(now);
        // A timer that is early costs a turn; one that is set anew each turn
        // costs more.
        let due = session.due();
        if due < armed || armed <= now {
            armed = due;
            timer.as_mut().reset(due.into());
        }
    }
    if session.ends_in_order() {
        clock::within(LINGER, linger(reader, writer, &mut input)).await;
    }
}

/// Closes our side and reads on until the ESME has closed its own. A socket
/// that is dropped with octets unread resets the connection, and the reset can
/// overtake the last answer.
async fn linger(mut reader: ReadHalf<'_>, mut writer: WriteHalf<'_>, input: &mut Input) {
    if writer.shutdown().await.is_ok() {
        while matches!(reader.read(&mut input.octets).await, Ok(count) if count > 0) {}
    }
}
