//! From `host:port` to a connection, with TLS where it is wanted.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};

use super::settings::Settings;
use super::socket::Socket;
use super::tls::{Broken, Connector, Tls, TlsError};
use crate::clock::Clock;

/// The most addresses of a host that are tried in one attempt.
const ADDRESSES_MAX: usize = 8;

/// A connection that did not come about.
#[derive(Debug)]
pub(super) enum ConnectError {
    Timeout,
    Io(io::ErrorKind),
    Tls(TlsError),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("not reached in time"),
            Self::Io(kind) => write!(f, "not reached: {kind}"),
            Self::Tls(error) => write!(f, "{error}"),
        }
    }
}

/// Finds and reaches the SMSC, each step within `session_init_timer`.
pub(super) async fn connect(
    settings: &Settings,
    connector: Option<&Connector>,
    clock: &Clock,
) -> Result<Socket, ConnectError> {
    let timer = settings.session_init_timer;
    let addresses: Vec<SocketAddr> = within(clock, timer, lookup_host(&settings.address)).await?.collect();
    let mut stream = connect_any(&addresses, timer, clock).await?;
    let Some(connector) = connector else { return Ok(Socket { stream, tls: None }) };
    let tls = tokio::select! {
        biased;
        tls = Tls::handshake(connector, &mut stream) => tls.map_err(|broken| match broken {
            Broken::Tls(error) => ConnectError::Tls(error),
            Broken::Io(kind) => ConnectError::Io(kind),
        })?,
        () = clock.sleep(timer) => return Err(ConnectError::Timeout),
    };
    Ok(Socket { stream, tls: Some(tls) })
}

/// Tries the addresses in turn, each within `timer`, [`ADDRESSES_MAX`] at the most.
async fn connect_any(
    addresses: &[SocketAddr],
    timer: Duration,
    clock: &Clock,
) -> Result<TcpStream, ConnectError> {
    let mut error = ConnectError::Io(io::ErrorKind::NotFound);
    for address in addresses.iter().take(ADDRESSES_MAX) {
        match within(clock, timer, TcpStream::connect(address)).await {
            Ok(stream) => {
                // Batches are made here; the kernel is not to hold them back. Without it they are late
                // and nothing worse.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(failed) => error = failed,
        }
    }
    Err(error)
}

async fn within<T>(
    clock: &Clock,
    timer: Duration,
    work: impl Future<Output = io::Result<T>>,
) -> Result<T, ConnectError> {
    tokio::select! {
        biased;
        done = work => done.map_err(|error| ConnectError::Io(error.kind())),
        () = clock.sleep(timer) => Err(ConnectError::Timeout),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::clock::Timestamp;

    const TIMER: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn l3_of_several_addresses_dead_ones_are_passed_over() {
        let clock = Clock::manual(Timestamp::from_unix_millis(0));
        let alive = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dead = {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            listener.local_addr().unwrap()
        };
        let addresses = [dead, dead, alive.local_addr().unwrap()];
        let stream = connect_any(&addresses, TIMER, &clock).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), addresses[2]);
        assert!(connect_any(&addresses[..2], TIMER, &clock).await.is_err());
        assert!(connect_any(&[], TIMER, &clock).await.is_err());
    }

    #[tokio::test]
    async fn l3_so_many_addresses_are_tried_and_no_more() {
        let clock = Clock::manual(Timestamp::from_unix_millis(0));
        let alive = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dead = {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            listener.local_addr().unwrap()
        };
        let mut addresses = vec![dead; ADDRESSES_MAX];
        addresses.push(alive.local_addr().unwrap());
        assert!(connect_any(&addresses, TIMER, &clock).await.is_err());
        assert!(connect_any(&addresses[1..], TIMER, &clock).await.is_ok());
    }

    #[tokio::test]
    async fn l3_an_address_that_does_not_answer_is_given_up_in_time() {
        let clock = Clock::manual(Timestamp::from_unix_millis(0));
        let mut reached = std::pin::pin!(within(&clock, TIMER, std::future::pending::<io::Result<()>>()));
        tokio::select! {
            biased;
            _ = &mut reached => panic!("too early"),
            () = std::future::ready(()) => clock.advance(TIMER),
        }
        assert!(matches!(reached.await, Err(ConnectError::Timeout)));
    }
}
