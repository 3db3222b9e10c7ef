//! The admin listener: `/metrics`, `/livez` and `/readyz`, on a thread of its own, so that they
//! answer even when the API is busy.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::places::Places;
use super::server::{FIRST_HEAD_WITHIN, SEND_BUFFER_BYTES};
use crate::clock::Clock;
use crate::gateway::Gateway;
use crate::log;
use crate::metrics::Metrics;
use crate::threads::{self, Threads};

/// There are a few scrapers and probes. When there are more, the one that has been idle for the longest gives way.
pub(crate) const CONNECTIONS_MAX: usize = 64;
/// A scraper keeps its connection between scrapes, which are a minute apart at most.
const IDLE_TIMEOUT: Duration = Duration::from_secs(120);
/// A thread that has not been heard of for this long does not run any more. Each says so once a second.
const STUCK_AFTER: Duration = Duration::from_secs(10);
/// How long accepting pauses when the system is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(crate) struct Admin {
    gateway: Arc<Gateway>,
    metrics: Arc<Metrics>,
    threads: Arc<Threads>,
    draining: AtomicBool,
}

/// The running admin listener.
#[derive(Debug)]
pub(crate) struct AdminServer {
    addr: SocketAddr,
    thread: JoinHandle<()>,
}

impl AdminServer {
    /// Binds and starts the thread, which ends when `stop` is cancelled.
    pub(crate) fn start(
        listen: SocketAddr,
        admin: Arc<Admin>,
        clock: Clock,
        stop: CancellationToken,
    ) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(listen)?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let thread = threads::spawn("admin", move || async move {
            let listener = TcpListener::from_std(listener).expect("the listener is non-blocking");
            tokio::select! {
                () = stop.cancelled() => {}
                () = serve(listener, admin, clock) => {}
            }
        })?;
        Ok(Self { addr, thread })
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(crate) fn join(self) {
        if self.thread.join().is_err() {
            tracing::error!("the admin thread panicked");
        }
    }
}

async fn serve(listener: TcpListener, admin: Arc<Admin>, clock: Clock) {
    let places = Places::new(CONNECTIONS_MAX, 0);
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            clock.sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Some((place, _)) = places.take() else { continue };
        let (admin, clock) = (Arc::clone(&admin), clock.clone());
        tokio::spawn(async move {
            // A scraper that disconnects, or is too slow, is not worth a log line.
            let _ = rustix::net::sockopt::set_socket_send_buffer_size(&stream, SEND_BUFFER_BYTES);
            let has_asked = AtomicBool::new(false);
            let service = service_fn(|request| {
                has_asked.store(true, Ordering::Relaxed);
                place.active();
                std::future::ready(admin.answer(&request))
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(IDLE_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service);
            let silent = async {
                clock.sleep(FIRST_HEAD_WITHIN).await;
                if has_asked.load(Ordering::Relaxed) {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                // First, so that a probe that is there by now is answered.
                biased;
                _ = connection => {}
                () = place.evicted() => {}
                () = silent => {}
            }
        });
    }
}

impl Admin {
    pub(crate) fn new(gateway: Arc<Gateway>, metrics: Arc<Metrics>, threads: Arc<Threads>) -> Self {
        Self { gateway, metrics, threads, draining: AtomicBool::new(false) }
    }

    /// Makes `/readyz` fail from now on.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    fn answer(&self, request: &Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let known = matches!(request.uri().path(), "/metrics" | "/livez" | "/readyz");
        if known && !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut refusal = text(StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD only\n");
            refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return Ok(refusal);
        }
        Ok(match request.uri().path() {
            "/metrics" => {
                self.gateway.store().observe();
                let dropped = &self.metrics.api.log_lines_dropped;
                dropped.inc_by(log::lines_dropped().saturating_sub(dropped.get()));
                let mut response = Response::new(Full::from(self.metrics.render()));
                let format = HeaderValue::from_static(prometheus::TEXT_FORMAT);
                response.headers_mut().insert(CONTENT_TYPE, format);
                response
            }
            "/livez" => self.alive(),
            "/readyz" => self.ready(),
            _ => text(StatusCode::NOT_FOUND, "see /metrics, /livez and /readyz\n"),
        })
    }

    /// Alive means that each thread has been heard of lately.
    fn alive(&self) -> Response<Full<Bytes>> {
        match self.threads.stuck_for(STUCK_AFTER) {
            None => text(StatusCode::OK, "alive\n"),
            Some(name) => text(StatusCode::SERVICE_UNAVAILABLE, format!("the thread {name} does not run\n")),
        }
    }

    /// Ready means loaded and not draining. A missing link is mentioned, and makes no difference to the
    /// status, since verify works without it.
    fn ready(&self) -> Response<Full<Bytes>> {
        if self.draining.load(Ordering::Relaxed) {
            return text(StatusCode::SERVICE_UNAVAILABLE, "draining\n");
        }
        match self.metrics.links_bound() {
            0 => text(StatusCode::OK, "ready, but no link to the SMSC is bound: no SMS can be sent\n"),
            _ => text(StatusCode::OK, "ready\n"),
        }
    }
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
