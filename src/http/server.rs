//! The API listener: one acceptor hands connections round-robin to workers, each a thread with a runtime of
//! its own.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpStream as StdStream};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Config;
use super::api::Api;
use super::places::{Place, Places};
use crate::clock::Clock;
use crate::metrics::{Counted, Metrics};
use crate::threads::Threads;

/// More than any documented call needs, and cheap to parse.
const HEADERS_MAX: usize = 64;
/// A larger head is answered with 431.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// hyper's read buffer of a connection would otherwise grow to 400 KiB.
const READ_BUFFER_BYTES_MAX: usize = HEAD_BYTES_MAX;
/// Connections handed to a worker that it has not accepted yet. A worker accepts them at once, so more than a
/// burst means that it is stuck. Their places may have been given to others already.
pub(crate) const DEALT_MAX: usize = 256;
/// How long the acceptor waits when the system is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The first head, with a client's key for the API, arrives within this time, or the connection is closed.
pub(super) const FIRST_HEAD_WITHIN: Duration = Duration::from_secs(5);
/// This part of the connections is kept for those that have shown one.
const KEPT_PART: usize = 4;
/// What the system holds of a reply that is not read: more than all but one of ours have. Linux doubles it.
pub(super) const SEND_BUFFER_BYTES: usize = 32 * 1024;
/// How long the rest of a request's head may take to arrive once the gateway drains.
const HALF_HEAD_WITHIN: Duration = Duration::from_secs(1);

/// An open connection, its place among those that may be open, and that it is counted.
struct Dealt {
    stream: StdStream,
    place: Place,
    counted: Counted,
}

/// The running API listener.
#[derive(Debug)]
pub(crate) struct Server {
    addr: SocketAddr,
    threads: Vec<JoinHandle<()>>,
    places: Arc<Places>,
}

impl Server {
    /// Binds, and starts the acceptor and the workers. They end once `drain` is cancelled and the
    /// requests in flight are answered, at most `drain_timeout` later.
    pub(crate) fn start(
        config: &Config,
        api: &Arc<Api>,
        clock: &Clock,
        metrics: &Arc<Metrics>,
        drain_timeout: Duration,
        drain: &CancellationToken,
        threads: &Arc<Threads>,
    ) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(config.listen)?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let mut running = Vec::new();
        let mut workers = Vec::new();
        for index in 0..config.worker_count() {
            let (sender, dealt) = mpsc::channel(DEALT_MAX);
            let worker = Worker {
                api: Arc::clone(api),
                idle_timeout: config.idle_timeout,
                drain_timeout,
                clock: clock.clone(),
                drain: drain.clone(),
            };
            running.push(threads.spawn(&format!("api-{index}"), move || worker.run(dealt))?);
            workers.push(sender);
        }
        let places = Places::new(config.connections_max, config.connections_max / KEPT_PART);
        let acceptor = Acceptor {
            workers,
            places: Arc::clone(&places),
            // Ten minutes at most, by the bounds of the setting.
            idle_timeout_millis: config.idle_timeout.as_millis() as u32,
            clock: clock.clone(),
            metrics: Arc::clone(metrics),
            drain: drain.clone(),
        };
        running.push(threads.spawn("acceptor", move || acceptor.run(listener))?);
        Ok(Self { addr, threads: running, places })
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Keys may have been withdrawn: a connection keeps its place only once it has shown one again.
    pub(crate) fn forget_known(&self) {
        self.places.forget_known();
    }

    /// Waits until every request in flight is answered, after `drain` was cancelled.
    pub(crate) fn join(self) {
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("an API thread panicked");
            }
        }
    }
}

struct Acceptor {
    workers: Vec<mpsc::Sender<Dealt>>,
    places: Arc<Places>,
    idle_timeout_millis: u32,
    clock: Clock,
    metrics: Arc<Metrics>,
    drain: CancellationToken,
}

impl Acceptor {
    async fn run(self, listener: std::net::TcpListener) {
        let listener = TcpListener::from_std(listener).expect("the listener is non-blocking");
        let mut next = 0;
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.drain.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    next = (next + 1) % self.workers.len();
                    self.deal(stream, next);
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connections");
                    self.clock.sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Hands a connection to a worker. If there is no place for it, it is closed before a byte is read.
    fn deal(&self, stream: TcpStream, worker: usize) {
        let dealt = self.places.take().and_then(|(place, evicts)| {
            if evicts {
                self.metrics.api.connections_evicted.inc();
            }
            stream.set_nodelay(true).ok()?;
            rustix::net::sockopt::set_socket_send_buffer_size(&stream, SEND_BUFFER_BYTES).ok()?;
            // A client that does not read its reply is dropped: hyper has no timeout for writes.
            rustix::net::sockopt::set_tcp_user_timeout(&stream, self.idle_timeout_millis).ok()?;
            let stream = stream.into_std().ok()?;
            let counted = Counted::new(&self.metrics.api.connections);
            self.workers[worker].try_send(Dealt { stream, place, counted }).ok()
        });
        if dealt.is_none() {
            self.metrics.api.connections_refused.inc();
        }
    }
}

/// Whether accept failed because of the connection that was to be accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

struct Worker {
    api: Arc<Api>,
    idle_timeout: Duration,
    drain_timeout: Duration,
    clock: Clock,
    drain: CancellationToken,
}

impl Worker {
    async fn run(self, mut dealt: mpsc::Receiver<Dealt>) {
        let worker = Arc::new(self);
        let connections = tokio_util::task::TaskTracker::new();
        // The acceptor closes the channel when it drains.
        while let Some(Dealt { stream, place, counted }) = dealt.recv().await {
            let worker = Arc::clone(&worker);
            connections.spawn(async move {
                worker.serve(stream, &place).await;
                drop(counted);
            });
        }
        connections.close();
        // Idle connections close at once; one whose request is not answered in time is cut off.
        tokio::select! {
            () = connections.wait() => {}
            () = worker.clock.sleep(worker.drain_timeout) => {
                tracing::warn!(connections = connections.len(), "cut off at the end of the drain timeout");
            }
        }
    }

    async fn serve(&self, stream: StdStream, place: &Place) {
        let Ok(stream) = TcpStream::from_std(stream) else { return };
        let in_progress = AtomicUsize::new(0);
        let service = service_fn(|request| self.answer(request, place, &in_progress));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.idle_timeout)
            .max_headers(HEADERS_MAX)
            .max_header_size(HEAD_BYTES_MAX)
            .max_buf_size(READ_BUFFER_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        let mut head_is_due = pin!(self.clock.sleep(FIRST_HEAD_WITHIN));
        let mut is_due = true;
        let ended = loop {
            tokio::select! {
                // First, so that a head that is there by now is answered, whatever else has come.
                biased;
                ended = connection.as_mut() => break ended,
                () = place.evicted() => {
                    if in_progress.load(Ordering::Relaxed) == 0 {
                        return;
                    }
                    connection.as_mut().graceful_shutdown();
                    break connection.await;
                }
                () = &mut head_is_due, if is_due => {
                    if !place.is_known() {
                        return;
                    }
                    is_due = false;
                }
                () = self.drain.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    tokio::select! {
                        ended = connection.as_mut() => break ended,
                        () = self.clock.sleep(HALF_HEAD_WITHIN) => {}
                    }
                    if in_progress.load(Ordering::Relaxed) == 0 {
                        return;
                    }
                    break connection.await;
                }
            }
        };
        if let Err(error) = ended {
            // hyper's messages name its own states and never quote the input.
            tracing::debug!(%error, "connection ended");
        }
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        place: &Place,
        in_progress: &AtomicUsize,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        in_progress.fetch_add(1, Ordering::Relaxed);
        let answer = self.api.answer(request, || place.known()).await;
        in_progress.fetch_sub(1, Ordering::Relaxed);
        answer
    }
}
