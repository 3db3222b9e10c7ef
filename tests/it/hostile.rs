//! Clients that take places and give nothing: silent sockets, half-sent heads, replies that nobody reads.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::client::{CORE_KEY, Client};
use crate::support::house::{House, Plan};
use crate::support::{blocking, within};

/// A connection that says this much and no more.
async fn saying(addr: SocketAddr, words: &str) -> TcpStream {
    let mut stream = TcpStream::connect(addr).await.expect("a connection");
    stream.write_all(words.as_bytes()).await.expect("the words are sent");
    stream
}

/// Returns once the other end has closed.
async fn closed(stream: &mut TcpStream) {
    let mut bytes = [0; 1024];
    while matches!(within(stream.read(&mut bytes), "the connection to be closed").await, Ok(count) if count > 0)
    {
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_67_silent_sockets_keep_no_call_out_that_has_a_key() {
    let house = House::with(Plan::default().with("api.connections_max", 8)).await;
    let mut client = house.client().await;
    house.issue(&mut client, 0).await;
    let mut silent = Vec::new();
    for words in ["", "POST /v1/otp/generate HTTP/1.1\r\nhost:", "GET /openapi.yaml HTTP/1.1\r\n"].repeat(20)
    {
        silent.push(saying(house.app().api_addr(), words).await);
    }
    // One that has shown its key keeps its place, and others find one.
    house.issue(&mut client, 1).await;
    for user in 2..6 {
        house.issue(&mut house.client().await, user).await;
    }
    let evicted = house.metrics().await;
    let evicted = evicted.lines().find_map(|line| line.strip_prefix("otpgw_connections_evicted_total "));
    assert!(evicted.is_some_and(|count| count.parse::<u32>().unwrap() >= 50), "{evicted:?}");
    drop(silent);
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_67_a_call_that_has_arrived_is_answered_though_its_place_is_given_to_others() {
    let house = House::with(Plan::default().with("api.connections_max", 4)).await;
    let (addr, body) = (house.app().api_addr(), "{}");
    let call = format!(
        "POST /v1/otp/generate HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {CORE_KEY}\r\n\
         content-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    for round in 0..300 {
        let mut caller = saying(addr, &call).await;
        let mut others = Vec::new();
        for _ in 0..6 {
            others.push(saying(addr, "").await);
        }
        let mut reply = Vec::new();
        within(caller.read_to_end(&mut reply), "a reply").await.expect("no reset");
        assert!(reply.starts_with(b"HTTP/1.1 400 "), "round {round}: {}", String::from_utf8_lossy(&reply));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_67_whoever_s_key_was_withdrawn_keeps_no_place() {
    let mut house = House::with(Plan::default().with("api.connections_max", 4)).await;
    let keyed = |key: &str| house.configuration.clone().with_client("core-2", "core", key);
    let both = keyed("otpgw_leaked");
    house.sandbox.write_configuration(&both).expect("a file");
    house.reload().expect("the same keys");
    let mut leaked = Vec::new();
    for _ in 0..4 {
        let mut client = house.client().await;
        client.key = Some("otpgw_leaked");
        assert_eq!(client.get("/nothing").await.status, 404);
        leaked.push(client);
    }
    house.sandbox.write_configuration(&house.configuration).expect("a file");
    house.reload().expect("the same keys");
    assert_eq!(leaked[3].get("/nothing").await.status, 401);
    // They are strangers now, and give way to whoever comes.
    let mut known = Vec::new();
    for user in 0..3 {
        let mut client = house.client().await;
        house.issue(&mut client, user).await;
        known.push(client);
    }
    house.drain().await;
}

/// What the system holds for the peer of the socket at `port`, in bytes (proc(5), `tx_queue` of /proc/net/tcp).
fn unsent_bytes(server: u16, port: u16) -> Option<usize> {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("Linux");
    let ends = |address: &str, port: u16| address.ends_with(&format!(":{port:04X}"));
    table.lines().skip(1).find_map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        let queued = words.get(4)?.split(':').next()?;
        (ends(words[1], server) && ends(words[2], port)).then(|| usize::from_str_radix(queued, 16).ok())?
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_67_of_replies_that_nobody_reads_the_system_holds_little() {
    let house = House::new().await;
    let addr = house.app().api_addr();
    let ask =
        format!("GET /openapi.yaml HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {CORE_KEY}\r\n\r\n");
    // 100 of them are some megabytes.
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let mut stream = socket.connect(addr).await.expect("a connection");
    stream.write_all(ask.repeat(100).as_bytes()).await.expect("room for questions");
    let port = stream.local_addr().expect("an address").port();
    let filled = async {
        loop {
            // It holds some, and no more though there is more to send.
            let held = unsent_bytes(addr.port(), port).unwrap_or(0);
            if held > 16 * 1024 {
                return held;
            }
            tokio::task::yield_now().await;
        }
    };
    within(filled, "replies to wait").await;
    for _ in 0..20 {
        // A line can be missed while the table changes.
        let held = unsent_bytes(addr.port(), port).unwrap_or(0);
        assert!(held <= 2 * 64 * 1024, "{held} bytes");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_67_silent_sockets_keep_no_probe_out() {
    let house = House::new().await;
    let mut scraper = Client::connect(house.app().admin_addr()).await;
    scraper.key = None;
    assert_eq!(scraper.get("/livez").await.status.as_u16(), 200);
    let mut silent = Vec::new();
    for _ in 0..63 {
        silent.push(saying(house.app().admin_addr(), "GET /metrics HTTP/1.1\r\n").await);
    }
    assert_eq!(scraper.get("/metrics").await.status.as_u16(), 200, "it has just asked");
    for _ in 0..60 {
        silent.push(saying(house.app().admin_addr(), "").await);
    }
    let mut other = Client::connect(house.app().admin_addr()).await;
    other.key = None;
    assert_eq!(other.get("/readyz").await.status.as_u16(), 200);
    assert_eq!(scraper.get("/livez").await.status.as_u16(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_67_a_connection_without_a_key_is_closed_after_five_seconds_and_one_with_a_key_is_not() {
    let house = House::with_manual_clock().await;
    let mut client = house.client().await;
    house.issue(&mut client, 0).await;
    let unanswered = "GET /v1/x HTTP/1.1\r\nhost: gateway\r\n\r\n";
    for (addr, words) in [
        (house.app().api_addr(), ""),
        (house.app().api_addr(), "POST /v1/otp/gen"),
        (house.app().api_addr(), unanswered),
        (house.app().admin_addr(), ""),
        (house.app().admin_addr(), "GET /liv"),
    ] {
        let mut stream = saying(addr, words).await;
        if words == unanswered {
            let mut bytes = [0; 12];
            stream.read_exact(&mut bytes).await.expect("an answer");
            assert_eq!(&bytes, b"HTTP/1.1 401");
        }
        // Once it is served: its time begins then.
        let served = async {
            while !house.metrics().await.contains("otpgw_connections 2\n") && addr == house.app().api_addr() {
            }
        };
        within(served, "the connection to be served").await;
        let pass = async {
            loop {
                house.clock.advance(Duration::from_secs(5));
                // Time for what that wakes.
                house.metrics().await;
            }
        };
        tokio::select! {
            () = closed(&mut stream) => {}
            () = pass => {}
        }
    }
    assert_eq!(client.get("/openapi.yaml").await.status.as_u16(), 200, "it has shown its key");
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_67_the_contract_is_sent_once_to_a_connection_without_a_key() {
    let house = House::new().await;
    let mut client = house.client().await;
    for _ in 0..3 {
        let reply = client.get("/openapi.yaml").await;
        assert_eq!((reply.status.as_u16(), reply.headers.get("connection")), (200, None));
    }
    let requests = "GET /openapi.yaml HTTP/1.1\r\nhost: gateway\r\n\r\n".repeat(100);
    let mut stream = saying(house.app().api_addr(), &requests).await;
    let mut replies = Vec::new();
    let _ = within(stream.read_to_end(&mut replies), "the connection to be closed").await;
    let replies = String::from_utf8_lossy(&replies);
    assert!(replies.matches("HTTP/1.1 200").count() <= 1 && replies.contains("connection: close"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_sent_head_does_not_hold_up_the_end_until_all_others_are_cut_off() {
    let mut house = House::with(Plan::default().with("shutdown.drain_timeout", "60s")).await;
    let mut stream = saying(house.app().api_addr(), "POST /v1/otp/generate HTTP/1.1\r\nhost: ga").await;
    let taken = async { while !house.metrics().await.contains("otpgw_connections 1\n") {} };
    within(taken, "the connection to be taken").await;
    within(house.drain(), "the end").await;
    closed(&mut stream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn abuse_68_a_log_that_nobody_reads_stops_nothing_and_what_is_lost_is_counted() {
    let plan = Plan::default().with("log.filter", "debug").with("log.json", true);
    let house = House::with(plan.with("api.connections_max", 500)).await;
    let mut program = Command::new(env!("CARGO_BIN_EXE_otp-gateway"));
    program.args(["serve", "--config"]).arg(house.sandbox.configuration()).stderr(Stdio::piped());
    let mut child = program.spawn().expect("the gateway starts");
    let (addrs, log) = blocking(move || {
        let mut log = BufReader::new(child.stderr.take().expect("its log"));
        let addrs = loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).expect("a line") > 0, "the gateway ended");
            let line: Value = serde_json::from_str(&line).expect("JSON");
            if line["fields"]["message"] == "ready" {
                let addr = |name: &str| line["fields"][name].as_str().unwrap().parse::<SocketAddr>().unwrap();
                break [addr("api"), addr("admin")];
            }
        };
        // From here on, nobody reads it.
        (addrs, (log, child))
    })
    .await;
    let [api, admin] = addrs;
    let metric = async || {
        let mut client = Client::connect(admin).await;
        let metrics = client.get("/metrics").await.text();
        let dropped = metrics.lines().find_map(|line| line.strip_prefix("otpgw_log_lines_dropped_total "));
        dropped.map(|count| count.parse::<u64>().expect("a count"))
    };
    let mut client = Client::connect(api).await;
    let mut asked = 0;
    while metric().await == Some(0) {
        for _ in 0..1_000 {
            assert_eq!(client.get("/v1/nothing").await.status.as_u16(), 404);
        }
        asked += 1_000;
        assert!(asked <= 100_000, "nothing is lost");
    }
    assert_eq!(client.get("/v1/nothing").await.status.as_u16(), 404);
    assert_eq!(Client::connect(admin).await.get("/livez").await.status.as_u16(), 200);
    let (log, mut child) = log;
    child.kill().expect("it ends");
    child.wait().expect("it has ended");
    drop(log);
}
