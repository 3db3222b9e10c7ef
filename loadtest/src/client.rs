//! A closed-loop HTTP/1.1 client that costs little: it shares its core with the simulator, and must keep the
//! server busy.
//!
//! One thread looks after all its connections with epoll. Each has one request under way and sends the next
//! once the last is answered. The thread never sleeps, but lets others run when nothing has come: to wake a
//! sleeper costs the server's core an interrupt for another core, 1 to 2 µs of CPU time that a client on
//! another machine does not cost, and that a slower server would pay more often.
//!
//! The load adapts to the server, so latencies are those of a closed loop: a server that stalls is asked
//! less, and its stall counts once per connection only.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustix::event::{Timespec, epoll};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::failure::Failure;

/// The longest reply that is accepted, head and body, in bytes. The gateway's have under 1 KiB.
const REPLY_BYTES_MAX: usize = 16 * 1024;
/// A server that answers nothing for this long hangs.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// The longest latency that is recorded as it is, in nanoseconds; above the longest silence.
const LATENCY_NANOS_MAX: u64 = 60_000_000_000;
/// Digits of a latency that are kept.
const LATENCY_DIGITS: u8 = 3;

/// What is asked, and what must be answered.
pub(crate) trait Load {
    /// What a request has to remember for the judgement of its reply.
    type Sent: Copy;

    /// Appends the next request, whole, to the empty `out`; `None` when there is none left.
    fn request(&mut self, out: &mut Vec<u8>) -> Option<Self::Sent>;

    /// Judges a reply.
    ///
    /// # Errors
    ///
    /// What is wrong with it. This ends the run.
    fn reply(&mut self, sent: Self::Sent, reply: &Reply<'_>) -> Result<(), String>;
}

/// A whole reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reply<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
    /// Bytes of head and body.
    pub(crate) bytes: usize,
}

/// The result of a run of the closed loop.
#[derive(Debug)]
pub(crate) struct RunStats {
    /// Requests answered, each as it should be.
    pub(crate) answered: u64,
    /// From the first request to the last reply.
    pub(crate) took: Duration,
    /// From just before a request was written until its reply was read, in nanoseconds.
    pub(crate) latencies: Histogram<u64>,
}

/// Keep-alive connections to one server.
#[derive(Debug)]
pub(crate) struct Client {
    epoll: OwnedFd,
    connections: Vec<Connection>,
}

#[derive(Debug)]
struct Connection {
    // Blocking: it is read only when epoll says that there is something, and a request is far smaller than
    // the socket's empty send buffer.
    stream: TcpStream,
    input: Box<[u8]>,
    filled: usize,
    sent_at: Instant,
}

impl Client {
    /// Opens `count` connections.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(crate) fn connect(server: SocketAddr, count: usize) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut connections = Vec::with_capacity(count);
        for index in 0..count {
            let stream = TcpStream::connect(server)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(SILENCE_MAX))?;
            stream.set_write_timeout(Some(SILENCE_MAX))?;
            epoll::add(&epoll, &stream, epoll::EventData::new_u64(index as u64), epoll::EventFlags::IN)?;
            let input = vec![0; REPLY_BYTES_MAX].into_boxed_slice();
            connections.push(Connection { stream, input, filled: 0, sent_at: clock::now() });
        }
        Ok(Self { epoll, connections })
    }

    /// Keeps every connection busy for `duration`, or until `load` has no more requests, and returns when the
    /// last request is answered.
    ///
    /// # Errors
    ///
    /// The first reply that is not as it should be, or none for [`SILENCE_MAX`]; the signal to stop.
    pub(crate) fn run<L: Load>(
        &mut self,
        load: &mut L,
        duration: Duration,
        stop: &CancellationToken,
    ) -> Result<RunStats, Failure> {
        let start = clock::now();
        let mut run = Run {
            load,
            until: start + duration,
            sent: vec![None; self.connections.len()],
            request: Vec::with_capacity(1024),
            under_way: 0,
            answered: 0,
            latencies: new_latencies(),
        };
        for (index, connection) in self.connections.iter_mut().enumerate() {
            run.send(index, connection, start)?;
        }
        let mut last_reply = start;
        let mut events = Vec::with_capacity(self.connections.len());
        let at_once = Timespec::default();
        while run.under_way > 0 {
            if stop.is_cancelled() {
                return Err(Failure::Stopped);
            }
            events.clear();
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&at_once)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(Failure::Io("epoll_wait", error.into())),
            }
            if events.is_empty() {
                std::thread::yield_now();
                if clock::now().duration_since(last_reply) > SILENCE_MAX {
                    return Err(Failure::Wrong(format!("the server answers nothing for {SILENCE_MAX:?}")));
                }
            }
            for event in &events {
                let index = usize::try_from({ event.data }.u64()).unwrap_or(usize::MAX);
                if let Some(replied_at) = run.receive(index, &mut self.connections[index])? {
                    last_reply = replied_at;
                }
            }
        }
        Ok(RunStats {
            answered: run.answered,
            took: last_reply.duration_since(start),
            latencies: run.latencies,
        })
    }
}

/// A histogram that takes every latency of a run.
pub(crate) fn new_latencies() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_NANOS_MAX, LATENCY_DIGITS)
        .expect("1 < the maximum / 2, and 3 digits are among the 0 to 5 that there may be")
}

/// A run under way.
struct Run<'a, L: Load> {
    load: &'a mut L,
    until: Instant,
    /// By connection: the request under way.
    sent: Vec<Option<L::Sent>>,
    request: Vec<u8>,
    under_way: usize,
    answered: u64,
    latencies: Histogram<u64>,
}

impl<L: Load> Run<'_, L> {
    /// Sends the next request, unless the time is up or there is none.
    fn send(&mut self, index: usize, connection: &mut Connection, now: Instant) -> Result<(), Failure> {
        if now >= self.until {
            return Ok(());
        }
        self.request.clear();
        let Some(sent) = self.load.request(&mut self.request) else { return Ok(()) };
        connection.sent_at = now;
        connection.stream.write_all(&self.request).map_err(Failure::io("cannot send a request"))?;
        self.sent[index] = Some(sent);
        self.under_way += 1;
        Ok(())
    }

    /// Reads what came; when a reply is whole, judges it, sends the next request, and returns the time.
    fn receive(&mut self, index: usize, connection: &mut Connection) -> Result<Option<Instant>, Failure> {
        let room = &mut connection.input[connection.filled..];
        let read = connection.stream.read(room).map_err(Failure::io("cannot read a reply"))?;
        if read == 0 {
            let why = if connection.filled == REPLY_BYTES_MAX { "too long a reply" } else { "closed" };
            return Err(Failure::Wrong(format!("a connection of the server: {why}")));
        }
        connection.filled += read;
        let input = &connection.input[..connection.filled];
        let Some(reply) = parse(input).map_err(|reason| wrong(reason, input))? else { return Ok(None) };
        let (Some(sent), true) = (self.sent[index].take(), reply.bytes == input.len()) else {
            return Err(wrong("more than one reply to one request", input));
        };
        let now = clock::now();
        let nanos = now.duration_since(connection.sent_at).as_nanos();
        self.latencies.saturating_record(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.load.reply(sent, &reply).map_err(|reason| wrong(&reason, input))?;
        self.under_way -= 1;
        self.answered += 1;
        connection.filled = 0;
        self.send(index, connection, now)?;
        Ok(Some(now))
    }
}

/// Quotes the reply: it holds test data only.
fn wrong(reason: &str, input: &[u8]) -> Failure {
    Failure::Wrong(format!("{reason}; the server answered:\n{}", String::from_utf8_lossy(input)))
}

/// The reply at the start of `input`, once it is whole.
fn parse(input: &[u8]) -> Result<Option<Reply<'_>>, &'static str> {
    let Some(head_end) = input.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let (head, body) = (&input[..head_end], &input[head_end + 4..]);
    let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let status = lines.next().and_then(parse_status).ok_or("no HTTP/1.1 status line")?;
    let length = lines.find_map(parse_content_length).ok_or("no Content-Length")?;
    let whole = body.get(..length);
    Ok(whole.map(|body| Reply { status, body, bytes: head_end + 4 + length }))
}

fn parse_status(line: &[u8]) -> Option<u16> {
    let code = line.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
    str::from_utf8(code).ok()?.parse().ok()
}

fn parse_content_length(line: &[u8]) -> Option<usize> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = line.split_at(colon);
    if !name.eq_ignore_ascii_case(b"content-length") {
        return None;
    }
    str::from_utf8(value[1..].trim_ascii()).ok()?.parse().ok()
}

/// The body of `GET http://server{path}`, for rare requests.
///
/// # Errors
///
/// No reply, or another status than 200.
pub(crate) fn get(server: SocketAddr, path: &str) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(SILENCE_MAX))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n")?;
    let mut input = Vec::new();
    stream.read_to_end(&mut input)?;
    match parse(&input) {
        Ok(Some(Reply { status: 200, body, .. })) => Ok(body.to_vec()),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, format!("{path} is not answered with 200"))),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    const OK: &[u8] = b"HTTP/1.1 201 Created\r\ndate: x\r\nContent-Length: 5\r\n\r\nhello";

    #[test]
    fn a_reply_is_whole_only_with_its_last_byte() {
        for end in 0..OK.len() {
            assert_eq!(parse(&OK[..end]), Ok(None), "cut at {end}");
        }
        assert_eq!(parse(OK), Ok(Some(Reply { status: 201, body: b"hello", bytes: OK.len() })));
    }

    #[test]
    fn what_follows_a_reply_is_not_part_of_it() {
        let input = [OK, OK].concat();
        assert_eq!(parse(&input).unwrap().unwrap().bytes, OK.len());
    }

    #[test]
    fn a_reply_that_is_not_understood_is_refused() {
        for input in [
            &b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n"[..],
            b"HTTP/1.1 abc\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        ] {
            assert!(parse(input).is_err(), "{}", String::from_utf8_lossy(input));
        }
    }

    /// Asks a number of times for anything, and expects 201.
    struct Some201 {
        left: u32,
    }

    impl Load for Some201 {
        type Sent = ();

        fn request(&mut self, out: &mut Vec<u8>) -> Option<()> {
            self.left = self.left.checked_sub(1)?;
            out.extend_from_slice(b"GET / HTTP/1.1\r\n\r\n");
            Some(())
        }

        fn reply(&mut self, (): (), reply: &Reply<'_>) -> Result<(), String> {
            if reply.status == 201 { Ok(()) } else { Err(format!("status {}", reply.status)) }
        }
    }

    /// A server that answers the requests of one connection with `replies`, in pieces.
    fn serve(replies: Vec<&'static [u8]>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 18];
            for reply in replies {
                stream.read_exact(&mut request).unwrap();
                let (first, second) = reply.split_at(reply.len() / 2);
                stream.write_all(first).unwrap();
                stream.write_all(second).unwrap();
            }
        });
        addr
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn every_request_is_answered_and_timed_once() {
        let mut client = Client::connect(serve(vec![OK; 3]), 1).unwrap();
        let run = client.run(&mut Some201 { left: 3 }, LONG, &CancellationToken::new()).unwrap();
        assert_eq!((run.answered, run.latencies.len()), (3, 3));
    }

    #[test]
    fn a_wrong_reply_or_a_closed_connection_ends_the_run() {
        let other = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nfull";
        for replies in [vec![OK, other], vec![OK]] {
            let mut client = Client::connect(serve(replies), 1).unwrap();
            let run = client.run(&mut Some201 { left: 3 }, LONG, &CancellationToken::new());
            assert!(matches!(run, Err(Failure::Wrong(_) | Failure::Io(..))), "{run:?}");
        }
    }
}
