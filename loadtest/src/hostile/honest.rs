//! Honest clients beside an attack: each call on a connection of its own and at its time, as after a failover of the core;
//! and a probe and a scrape of the admin listener.

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::clock;

/// A caller gives up after this time.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// More than any reply of ours but the metrics.
const READ_BYTES: usize = 64 * 1024;

/// What is asked, and at which distances.
pub(super) struct Calls<'a> {
    pub(super) server: SocketAddr,
    pub(super) every: Duration,
    pub(super) until: Instant,
    /// The request of each call, by its number.
    pub(super) request: &'a (dyn Fn(u64) -> Vec<u8> + Sync),
    /// What the reply begins with, if all is well.
    pub(super) expected: &'static [u8],
}

/// What became of the calls.
#[derive(Debug, Default)]
pub(super) struct Served {
    /// From when a call was due until its reply was whole; of those without a reply, [`PATIENCE`].
    pub(super) latencies: Vec<Duration>,
    /// Calls that were made again, since their connection was closed before a reply began: it may be given to others before
    /// its first byte has come.
    pub(super) repeated: u64,
    /// The first of the calls that were not served, and how many there were.
    pub(super) failed: Option<(String, u64)>,
}

impl Calls<'_> {
    /// Makes the calls, one after another: one that takes longer than the distance makes the next late, which counts.
    pub(super) fn make(&self, first: u64, step: u64) -> Served {
        let mut served = Served::default();
        let began = clock::now();
        for index in 0.. {
            let due = began + self.every * index;
            if due >= self.until {
                return served;
            }
            clock::pause(due.saturating_duration_since(clock::now()));
            let number = first + u64::from(index) * step;
            let outcome = self.call(number).or_else(|closed| match closed {
                Unserved::Closed => {
                    served.repeated += 1;
                    self.call(number)
                }
                refused => Err(refused),
            });
            served.latencies.push(match &outcome {
                Ok(()) => clock::now().duration_since(due),
                Err(_) => PATIENCE,
            });
            if let Err(why) = outcome {
                served.failed.get_or_insert_with(|| (why.to_string(), 0)).1 += 1;
            }
        }
        served
    }

    fn call(&self, number: u64) -> Result<(), Unserved> {
        use io::ErrorKind::{BrokenPipe, ConnectionReset};
        match exchange(self.server, &(self.request)(number)) {
            Ok(reply) if reply.starts_with(self.expected) => Ok(()),
            Ok(reply) if reply.is_empty() => Err(Unserved::Closed),
            Ok(reply) => {
                let begin = String::from_utf8_lossy(&reply[..reply.len().min(300)]).into_owned();
                Err(Unserved::Otherwise(begin))
            }
            Err(error) if matches!(error.kind(), ConnectionReset | BrokenPipe) => Err(Unserved::Closed),
            Err(error) => Err(Unserved::Otherwise(error.to_string())),
        }
    }
}

/// Why a call was not served.
#[derive(Debug, PartialEq, Eq)]
enum Unserved {
    /// The connection was closed before a reply began.
    Closed,
    Otherwise(String),
}

impl fmt::Display for Unserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("a connection that was closed twice"),
            Self::Otherwise(why) => f.write_str(why),
        }
    }
}

/// One request, and all that comes until the server closes.
fn exchange(server: SocketAddr, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(request)?;
    let mut reply = Vec::with_capacity(READ_BYTES);
    stream.read_to_end(&mut reply)?;
    Ok(reply)
}

impl Served {
    pub(super) fn and(mut self, other: Self) -> Self {
        self.latencies.extend(other.latencies);
        self.repeated += other.repeated;
        self.failed = match (self.failed, other.failed) {
            (Some((why, count)), Some((_, more))) => Some((why, count + more)),
            (one, other) => one.or(other),
        };
        self
    }

    /// The latency that 99 in 100 keep within.
    pub(super) fn p99(&self) -> Duration {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * 99).div_ceil(100);
        sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }

    pub(super) fn failed_count(&self) -> u64 {
        self.failed.as_ref().map_or(0, |(_, count)| *count)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn the_99th_of_a_hundred_is_the_p99_and_a_call_without_reply_counts_with_all_its_patience() {
        let latencies = (1..=100).rev().map(Duration::from_millis).collect();
        let served = Served { latencies, ..Served::default() };
        assert_eq!(served.p99(), Duration::from_millis(99));
        assert_eq!(Served::default().p99(), Duration::ZERO);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        let answer = std::thread::spawn(move || {
            for reply in [&b"HTTP/1.1 201 Created"[..], b"HTTP/1.1 503 Busy", b""] {
                let (mut stream, _) = listener.accept().unwrap();
                stream.read_exact(&mut [0; 4]).unwrap();
                stream.write_all(reply).unwrap();
            }
        });
        let calls = Calls {
            server,
            every: Duration::from_millis(1),
            until: clock::now() + Duration::from_millis(3),
            request: &|_| b"call".to_vec(),
            expected: b"HTTP/1.1 201 ",
        };
        let three: Vec<_> = (0..3).map(|number| calls.call(number)).collect();
        answer.join().unwrap();
        assert_eq!(three[0], Ok(()));
        assert_eq!(three[1..], [Err(Unserved::Otherwise("HTTP/1.1 503 Busy".into())), Err(Unserved::Closed)]);
    }
}
