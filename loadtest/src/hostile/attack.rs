//! Clients that mean ill: what each does to the gateway, from a thread of its own, until it is dropped.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::clock;

/// Between two looks at a few of the sockets: all in one go would take the honest callers' core for ten milliseconds.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// Sockets that are looked at in one go.
const AT_ONCE: usize = 12;
/// For the system to accept a connection; the backlog may be full.
const CONNECT_MAX: Duration = Duration::from_millis(200);
/// A head that never ends, a byte at a time.
const ENDLESS_HEAD: &[u8] = b"POST /v1/otp/verify HTTP/1.1\r\nhost: gateway\r\nx-filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
/// The longest reply that the API gives to anybody.
const ASK_FOR_MUCH: &[u8] = b"GET /openapi.yaml HTTP/1.1\r\nhost: gateway\r\n\r\n";
/// The longest reply of the admin listener.
const ASK_FOR_METRICS: &[u8] = b"GET /metrics HTTP/1.1\r\nhost: gateway\r\n\r\n";

/// What is done to the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attack {
    /// Nothing: what the others are compared with.
    None,
    /// Sockets that say nothing.
    SilentSockets,
    /// Sockets that send a head so slowly that it never ends.
    SlowHeads,
    /// Sockets that ask for the longest reply again and again, and read none.
    UnreadReplies,
    /// As silent sockets and unread replies, on the admin listener.
    AdminFlood,
}

impl Attack {
    pub(super) const ALL: [Self; 5] =
        [Self::None, Self::SilentSockets, Self::SlowHeads, Self::UnreadReplies, Self::AdminFlood];

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::SilentSockets => "silent sockets",
            Self::SlowHeads => "slow heads",
            Self::UnreadReplies => "unread replies",
            Self::AdminFlood => "admin flood",
        }
    }

    /// What one socket of it sends, over and over; a byte each time if `slowly`.
    fn script(self) -> Script {
        match self {
            Self::None | Self::SilentSockets => Script { text: b"", slowly: false },
            Self::SlowHeads => Script { text: ENDLESS_HEAD, slowly: true },
            Self::UnreadReplies => Script { text: ASK_FOR_MUCH, slowly: false },
            Self::AdminFlood => Script { text: ASK_FOR_METRICS, slowly: false },
        }
    }
}

#[derive(Clone, Copy)]
struct Script {
    text: &'static [u8],
    slowly: bool,
}

/// Where an attack goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Aim {
    pub(super) api: SocketAddr,
    pub(super) admin: SocketAddr,
    /// Sockets at a time.
    pub(super) sockets: usize,
}

/// An attack under way.
pub(super) struct Attackers {
    stop: Arc<AtomicBool>,
    opened: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Attackers {
    /// # Errors
    ///
    /// The system starts no thread.
    pub(super) fn begin(attack: Attack, aim: Aim) -> io::Result<Self> {
        let (stop, opened) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&opened));
        let run = move || attack_until(attack, aim, &stopped, &counted);
        let thread = match attack {
            Attack::None => None,
            _ => Some(std::thread::Builder::new().name("attacker".into()).spawn(run)?),
        };
        Ok(Self { stop, opened, thread })
    }

    /// Connections opened so far.
    pub(super) fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }
}

impl Drop for Attackers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn attack_until(attack: Attack, aim: Aim, stop: &AtomicBool, opened: &AtomicU64) {
    let server = if attack == Attack::AdminFlood { aim.admin } else { aim.api };
    let script = attack.script();
    let mut sockets: Vec<Option<Attacker>> = (0..aim.sockets).map(|_| None).collect();
    while !stop.load(Ordering::Relaxed) {
        for (index, socket) in sockets.iter_mut().enumerate() {
            if index % AT_ONCE == 0 {
                clock::pause(LOOK_EVERY);
            }
            // Every other one of a flood says nothing.
            let script =
                if attack == Attack::AdminFlood && index % 2 == 0 { Attack::None.script() } else { script };
            if socket.as_mut().is_none_or(|socket| socket.go_on(script).is_err()) {
                *socket = Attacker::connect(server).ok();
                opened.fetch_add(u64::from(socket.is_some()), Ordering::Relaxed);
            }
            if stop.load(Ordering::Relaxed) {
                return;
            }
        }
    }
}

struct Attacker {
    stream: TcpStream,
    /// Bytes of the script that are sent.
    at: usize,
}

impl Attacker {
    fn connect(server: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&server, CONNECT_MAX)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, at: 0 })
    }

    /// Sends what the socket takes of the script. An error when the server has closed.
    fn go_on(&mut self, script: Script) -> io::Result<()> {
        if script.text.is_empty() || script.slowly {
            self.see_whether_it_is_open()?;
        }
        while !script.text.is_empty() {
            let rest = &script.text[self.at % script.text.len()..];
            let rest = if script.slowly { &rest[..1] } else { rest };
            match self.stream.write(rest) {
                Ok(written) => self.at += written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
            if script.slowly {
                return Ok(());
            }
        }
        Ok(())
    }

    fn see_whether_it_is_open(&mut self) -> io::Result<()> {
        match self.stream.read(&mut [0]) {
            Ok(0) => Err(io::ErrorKind::ConnectionReset.into()),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn an_attack_keeps_its_sockets_open_and_opens_others_for_those_that_are_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let aim = Aim { api: addr, admin: addr, sockets: 2 };
        let attackers = Attackers::begin(Attack::SlowHeads, aim).unwrap();
        let (mut first, _) = listener.accept().unwrap();
        let _second = listener.accept().unwrap();
        let mut begin = [0; 8];
        first.read_exact(&mut begin).unwrap();
        assert_eq!(&begin, b"POST /v1");
        drop(first);
        let (mut third, _) = listener.accept().unwrap();
        third.read_exact(&mut begin).unwrap();
        assert_eq!((&begin, attackers.opened()), (b"POST /v1", 3));
    }

    #[test]
    fn what_is_not_read_is_written_until_the_socket_takes_no_more() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut attacker = Attacker::connect(listener.local_addr().unwrap()).unwrap();
        let _peer = listener.accept().unwrap();
        attacker.go_on(Attack::UnreadReplies.script()).unwrap();
        assert!(attacker.at > 100 * ASK_FOR_MUCH.len(), "{} bytes", attacker.at);
    }
}
