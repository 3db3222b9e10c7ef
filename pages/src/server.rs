//! A web listener with bounds.

use std::io;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustix::net::sockopt::set_tcp_user_timeout;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{Guard, clock};

/// Connections at a time: a page, some tests and a load tester need few; each costs a read buffer.
const CONNECTIONS_MAX: usize = 512;
/// For a request's headers to arrive, and for a connection to be idle.
const HEADER_TIMEOUT: Duration = Duration::from_secs(60);
/// A browser on localhost sends about twenty.
const HEADERS_MAX: usize = 64;
/// What hyper buffers of a connection at most; a request's headers have to fit.
const BUFFER_BYTES_MAX: usize = 16 * 1024;
/// For a reader to take some of what waits for it.
const STALL_MILLIS_MAX: u32 = 30_000;
/// After a failed accept (out of file descriptors), so that it is not tried in a busy loop.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// For open connections to finish when the program shuts down.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves `site` behind `guard` until `stop`, and then at most a second longer.
///
/// No more than 512 connections are open; for one more `refused` is called, and it is closed at once: that is
/// clearer than a connection that waits.
pub async fn serve(
    listener: TcpListener,
    site: Router,
    guard: Guard,
    refused: impl Fn(),
    stop: CancellationToken,
) {
    let server =
        Server { site: guard.before(site), connections: JoinSet::new(), open: GracefulShutdown::new() };
    server.run(listener, refused, stop).await;
}

struct Server {
    site: Router,
    connections: JoinSet<hyper::Result<()>>,
    open: GracefulShutdown,
}

impl Server {
    async fn run(mut self, listener: TcpListener, refused: impl Fn(), stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = self.connections.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok(_) if self.connections.len() >= CONNECTIONS_MAX => refused(),
                    // A connection that cannot be set up has gone.
                    Ok((stream, _)) => drop(self.open(stream, STALL_MILLIS_MAX)),
                    Err(error) => {
                        tracing::warn!(%error, "accepting a web connection failed");
                        clock::pause(ACCEPT_RETRY).await;
                    }
                },
            }
        }
        drop(listener);
        // What is open then is dropped with its tasks.
        let _ = clock::within(SHUTDOWN_TIMEOUT, self.open.shutdown()).await;
    }

    fn open(&mut self, stream: TcpStream, stall_millis_max: u32) -> io::Result<()> {
        stream.set_nodelay(true)?;
        // A reader that takes nothing is cut off: hyper times only what it reads.
        set_tcp_user_timeout(&stream, stall_millis_max)?;
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_headers(HEADERS_MAX)
            .max_buf_size(BUFFER_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(self.site.clone()));
        self.connections.spawn(self.open.watch(connection));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, Bytes};
    use axum::routing::get;
    use futures_util::stream;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
    /// More than the buffers of two sockets hold.
    const PIECES: usize = 1_000;
    const PIECE_BYTES: usize = 64 * 1024;

    /// A server with one connection that sends [`PIECES`], and the reader's end of it.
    async fn pair(stall_millis_max: u32) -> (Server, TcpStream) {
        let reply = || {
            let piece = Bytes::from_static(&[b'x'; PIECE_BYTES]);
            Body::from_stream(stream::iter((0..PIECES).map(move |_| Ok::<_, io::Error>(piece.clone()))))
        };
        let site = Router::new().route("/", get(async move || reply()));
        let mut server = Server { site, connections: JoinSet::new(), open: GracefulShutdown::new() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let reader = TcpStream::connect(listener.local_addr().unwrap());
        let (reader, accepted) = tokio::join!(reader, listener.accept());
        server.open(accepted.unwrap().0, stall_millis_max).unwrap();
        let mut reader = reader.unwrap();
        reader.write_all(REQUEST).await.unwrap();
        (server, reader)
    }

    #[tokio::test]
    async fn a_reader_that_takes_nothing_is_cut_off() {
        let (mut server, _reader) = pair(100).await;
        assert!(server.connections.join_next().await.unwrap().unwrap().is_err());
    }

    #[tokio::test]
    async fn a_reader_that_goes_on_gets_everything() {
        let (_server, mut reader) = pair(60_000).await;
        let mut piece = vec![0; PIECE_BYTES];
        let mut received = 0;
        while received < PIECES * PIECE_BYTES {
            let count = reader.read(&mut piece).await.unwrap();
            assert_ne!(count, 0, "the reply ended after {received} bytes");
            received += count;
        }
    }
}
