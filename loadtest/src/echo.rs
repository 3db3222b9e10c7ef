//! Bare hyper, the limit of a gateway on this HTTP stack: it reads a request's bytes and answers as many
//! bytes as the gateway would, on the gateway's layout of threads.
//!
//! One acceptor deals connections round-robin to workers, each a thread with a runtime of its own, one per
//! core that the process may use. No timer, no time-out, no parsing beyond hyper's.

use std::convert::Infallible;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, TcpStream as StdStream};

use bytes::{Bytes, BytesMut};
use clap::Args;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// Connections that a worker has not taken up yet: more than a run opens.
const DEALT_MAX: usize = 1024;
/// The longest reply that may be asked for, in bytes.
const REPLY_BYTES_MAX: u32 = 65_536;

#[derive(Debug, Args)]
pub(crate) struct Echo {
    /// Bytes of a reply's body
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=i64::from(REPLY_BYTES_MAX)))]
    reply_bytes: u32,
}

/// What the echo prints when it is up: one line of JSON.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ready {
    /// Where it listens: a loopback address with a free port.
    pub(crate) listen: String,
}

impl Echo {
    /// Serves until the process ends.
    ///
    /// # Errors
    ///
    /// A thread or the listener that could not be had, or a closed standard output.
    pub(crate) fn serve(&self) -> io::Result<()> {
        let reply_bytes = self.reply_bytes as usize;
        let mut workers = Vec::new();
        for index in 0..std::thread::available_parallelism()?.get() {
            let (sender, dealt) = mpsc::channel(DEALT_MAX);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            std::thread::Builder::new()
                .name(format!("echo-{index}"))
                .spawn(move || runtime.block_on(work(dealt, reply_bytes)))?;
            workers.push(sender);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(accept(&workers))
    }
}

async fn accept(workers: &[mpsc::Sender<StdStream>]) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let ready = Ready { listen: listener.local_addr()?.to_string() };
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, &ready)?;
    writeln!(out)?;
    out.flush()?;
    for worker in workers.iter().cycle() {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        // A worker with a full queue has died; its connections are closed.
        let _ = worker.try_send(stream.into_std()?);
    }
    Ok(())
}

async fn work(mut dealt: mpsc::Receiver<StdStream>, reply_bytes: usize) {
    while let Some(stream) = dealt.recv().await {
        let Ok(stream) = TcpStream::from_std(stream) else { continue };
        let service = service_fn(move |request| answer(request, reply_bytes));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        // The client finds out how a connection ends.
        tokio::spawn(async move { drop(connection.await) });
    }
}

async fn answer(request: Request<Incoming>, reply_bytes: usize) -> Result<Response<Full<Bytes>>, Infallible> {
    let Ok(body) = request.into_body().collect().await else {
        let mut refused = Response::new(Full::default());
        *refused.status_mut() = StatusCode::BAD_REQUEST;
        return Ok(refused);
    };
    let mut response = Response::new(Full::new(fit(&body.to_bytes(), reply_bytes)));
    // As the gateway's replies have them.
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The body itself, cut or filled up to `bytes`.
fn fit(body: &Bytes, bytes: usize) -> Bytes {
    if body.len() >= bytes {
        return body.slice(..bytes);
    }
    let mut longer = BytesMut::with_capacity(bytes);
    longer.extend_from_slice(body);
    longer.resize(bytes, b' ');
    longer.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_cut_or_filled_up() {
        let body = Bytes::from_static(b"12345");
        assert_eq!(fit(&body, 3), "123");
        assert_eq!(fit(&body, 5), "12345");
        assert_eq!(fit(&body, 7), "12345  ");
    }
}
