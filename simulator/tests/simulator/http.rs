//! Just enough HTTP/1.1 to say also what no client library would.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::time::soon;

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// Sends `head` (request line and headers, lines ended by `\n`) and reads the whole reply.
pub(crate) async fn exchange(address: SocketAddr, head: &str) -> Reply {
    read(send(address, head).await).await
}

/// As [`exchange`], with a body.
pub(crate) async fn call(address: SocketAddr, head: &str, body: &str) -> Reply {
    let mut stream = send(address, &format!("{}\nContent-Length: {}", head.trim(), body.len())).await;
    // A refusal may come, and close the connection, before all of it is sent.
    let _ = soon(stream.write_all(body.as_bytes())).await;
    read(stream).await
}

async fn read(mut stream: TcpStream) -> Reply {
    let mut reply = Vec::new();
    soon(stream.read_to_end(&mut reply)).await.unwrap();
    let reply = String::from_utf8(reply).unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").expect("a whole head");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Reply { status, head: head.to_owned(), body: body.to_owned() }
}

pub(crate) async fn get(address: SocketAddr, target: &str) -> Reply {
    exchange(address, &format!("GET {target} HTTP/1.1\nHost: {address}")).await
}

pub(crate) async fn send(address: SocketAddr, head: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{}\r\nConnection: close\r\n\r\n", head.trim().replace('\n', "\r\n"));
    soon(stream.write_all(request.as_bytes())).await.unwrap();
    stream
}

/// Reads from `stream` until what came satisfies `enough`.
pub(crate) async fn read_until(stream: &mut TcpStream, text: &mut String, enough: impl Fn(&str) -> bool) {
    let mut piece = vec![0; 64 * 1_024];
    while !enough(text) {
        let count = soon(stream.read(&mut piece)).await.unwrap();
        assert!(count > 0, "the stream ended after:\n{text}");
        text.push_str(&String::from_utf8_lossy(&piece[..count]));
    }
}
