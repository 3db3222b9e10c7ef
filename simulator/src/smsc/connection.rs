//! One ESME's connection: the only task that touches its socket and session.
//!
//! Each turn writes what there is, else reads what there is: so the answers to everything that one read
//! brought go out in one write, and while the ESME is slow to read, they collect up to the session's bound
//! and reading stops.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use smpp::frame::COMMAND_LENGTH_MAX;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::session::Session;
use super::shared::{Orders, Smsc};
use crate::capture::Tap;
use crate::clock::{self, Moment};

/// For the TLS handshake, as long as for a bind.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// For the ESME to close its side after we closed ours.
const LINGER: Duration = Duration::from_secs(1);

/// Bytes received and not yet taken: room for the largest PDU.
struct Input {
    bytes: Box<[u8]>,
    filled: usize,
}

impl Input {
    fn new() -> Self {
        Self { bytes: vec![0; COMMAND_LENGTH_MAX].into_boxed_slice(), filled: 0 }
    }

    fn room(&mut self) -> &mut [u8] {
        &mut self.bytes[self.filled..]
    }

    /// Hands everything received to the session and keeps what it did not take.
    fn give(&mut self, count: usize, session: &mut Session, tap: &mut Option<Tap>, at: &Moment) {
        let come = self.filled + count;
        if let Some(tap) = tap {
            tap.received(&self.bytes[self.filled..come]);
        }
        let consumed = session.on_bytes(&self.bytes[..come], at);
        self.bytes.copy_within(consumed..come, 0);
        self.filled = come - consumed;
    }
}

/// Serves one connection until it is closed by either side: in the clear, or under TLS once its handshake is
/// done.
pub(super) async fn run(smsc: Arc<Smsc>, stream: TcpStream, tls: Option<TlsAcceptor>) {
    // A failure shows on the next read; delay is all that is at stake.
    let _ = stream.set_nodelay(true);
    let mut orders = smsc.orders.subscribe();
    orders.mark_unchanged();
    let tap = tap(&smsc, &stream);
    let Some(tls) = tls else {
        return serve(smsc, stream, tap, orders).await;
    };
    let handshake = tokio::select! {
        handshake = clock::within(HANDSHAKE_TIMEOUT, tls.accept(stream)) => handshake,
        _ = orders.changed() => return,
    };
    match handshake {
        Some(Ok(stream)) => serve(smsc, stream, tap, orders).await,
        failed => {
            if let Some(Err(error)) = failed {
                tracing::info!(%error, "closing: no TLS");
            }
            smsc.metrics.tls_failures.inc();
        }
    }
}

/// A new connection's way into the capture, if there is one.
fn tap(smsc: &Smsc, stream: &TcpStream) -> Option<Tap> {
    let capture = smsc.capture.as_ref()?;
    Some(capture.connection(stream.peer_addr().ok()?, stream.local_addr().ok()?))
}

async fn serve<S>(smsc: Arc<Smsc>, mut stream: S, mut tap: Option<Tap>, mut orders: watch::Receiver<Orders>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut session = Session::new(smsc, *orders.borrow_and_update(), clock::now());
    let mailbox = Arc::clone(session.mailbox());
    let mut input = Input::new();
    let mut unflushed = false;
    let mut armed = session.due();
    let timer = clock::timer(armed);
    tokio::pin!(timer);
    while !session.is_over() {
        let room = session.wants_input().then(|| input.room());
        tokio::select! {
            biased;
            _ = orders.changed() => {
                let ordered = *orders.borrow_and_update();
                session.on_orders(ordered, &Moment::present());
            }
            moved = turn(&mut stream, session.pending(), &mut unflushed, room) => match moved {
                Ok(Moved::Out(count)) if count > 0 => {
                    if let Some(tap) = &mut tap {
                        tap.sent(&session.pending()[..count]);
                    }
                    session.wrote(count);
                }
                Ok(Moved::In(count)) if count > 0 => {
                    let at = Moment::present();
                    input.give(count, &mut session, &mut tap, &at);
                }
                _ => break,
            },
            () = mailbox.arrived(), if session.receives() => {}
            () = &mut timer => {}
        }
        let at = Moment::present();
        // What has already come is heard before it is missed.
        if session.due() <= at.now && session.wants_input() {
            match read_now(&mut stream, input.room()).await {
                Poll::Ready(Ok(count)) if count > 0 => {
                    input.give(count, &mut session, &mut tap, &at);
                }
                Poll::Pending => {}
                Poll::Ready(_) => break,
            }
        }
        session.on_time(&at);
        // A timer that is early costs a turn; one that is set anew each turn costs more.
        let due = session.due();
        if due < armed || armed <= at.now {
            armed = due;
            timer.as_mut().reset(due.into());
        }
    }
    if session.ends_in_order() {
        clock::within(LINGER, linger(&mut stream, &mut input)).await;
    }
}

/// Bytes that a turn moved; none means that the connection is closed.
enum Moved {
    Out(usize),
    In(usize),
}

/// Writes `out` if there is any, else reads into `room` if there is any, whichever can be done first. What
/// TLS holds back is pushed out meanwhile. Moves nothing when it is dropped.
async fn turn<S>(
    stream: &mut S,
    out: &[u8],
    unflushed: &mut bool,
    mut room: Option<&mut [u8]>,
) -> io::Result<Moved>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    poll_fn(|context| {
        if !out.is_empty() {
            if let Poll::Ready(written) = Pin::new(&mut *stream).poll_write(context, out) {
                *unflushed = true;
                return Poll::Ready(written.map(Moved::Out));
            }
        } else if *unflushed && let Poll::Ready(flushed) = Pin::new(&mut *stream).poll_flush(context) {
            *unflushed = false;
            if let Err(error) = flushed {
                return Poll::Ready(Err(error));
            }
        }
        match &mut room {
            Some(room) => poll_read(stream, context, room).map_ok(Moved::In),
            None => Poll::Pending,
        }
    })
    .await
}

/// What has already come, without waiting for it.
async fn read_now<S: AsyncRead + Unpin>(stream: &mut S, room: &mut [u8]) -> Poll<io::Result<usize>> {
    poll_fn(|context| Poll::Ready(poll_read(stream, context, room))).await
}

fn poll_read<S>(stream: &mut S, context: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>>
where
    S: AsyncRead + Unpin,
{
    let mut room = ReadBuf::new(room);
    ready!(Pin::new(stream).poll_read(context, &mut room))?;
    Poll::Ready(Ok(room.filled().len()))
}

/// Closes our side and reads on until the ESME has closed its own. A socket that is dropped with bytes unread
/// resets the connection, and the reset can overtake the last answer.
async fn linger<S>(stream: &mut S, input: &mut Input)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if stream.shutdown().await.is_ok() {
        while matches!(stream.read(&mut input.bytes).await, Ok(count) if count > 0) {}
    }
}
