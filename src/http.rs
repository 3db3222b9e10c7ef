//! The HTTP API and the admin listener, on hyper.

pub(crate) mod admin;
pub(crate) mod api;
pub(crate) mod auth;
mod decision_log;
mod places;
mod problem;
mod request_id;
pub(crate) mod server;
mod wire;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use settings::{Form, minutes, seconds, settings, text};

settings! {
    /// `[api]`: the listener that the banking core calls.
    pub(crate) struct Config {
        /// Whether plain HTTP may listen on an address that is not loopback, since a proxy in front
        /// terminates TLS.
        pub(crate) plaintext_behind_proxy: bool = false,
        /// Where it listens.
        pub(crate) listen: SocketAddr [address(plaintext_behind_proxy)] = (Ipv4Addr::LOCALHOST, 8080).into(),
        /// Worker threads; 0 for one per core.
        pub(crate) workers: usize [0..=256] = 0,
        /// The most connections open at a time, a quarter of them kept for those that have shown a client's key. When
        /// there is none left, the one without a key that has been idle for the longest is closed; if all have shown
        /// one, the new one is.
        pub(crate) connections_max: usize [1..=1_000_000] = 10_000,
        /// The largest body, in bytes. The longest valid one is under 1 KiB.
        pub(crate) body_bytes_max: usize [1024..=16 * 1024] = 8 * 1024,
        /// How long a request's head may take to arrive, and how long a connection may be idle.
        pub(crate) idle_timeout: Duration [seconds(1)..=minutes(10)] = seconds(60),
        /// How long a request's body may take to arrive.
        pub(crate) body_timeout: Duration [seconds(1)..=seconds(60)] = seconds(10),
    }
}

settings! {
    /// `[admin]`: the listener for Prometheus and probes.
    pub(crate) struct AdminConfig {
        /// Where it listens. It has no authentication: keep it off public networks.
        pub(crate) listen: SocketAddr = (Ipv4Addr::LOCALHOST, 9464).into(),
    }
}

/// Plain HTTP is accepted from other machines only behind a proxy that terminates TLS.
fn address(plaintext_behind_proxy: bool) -> impl Form<Value = SocketAddr> {
    let allowed = match plaintext_behind_proxy {
        true => "an IP address and a port such as \"0.0.0.0:8080\"",
        false => {
            "a loopback address and a port such as \"127.0.0.1:8080\"; any other address needs \
             plaintext_behind_proxy = true and a proxy that terminates TLS"
        }
    };
    let may_listen = move |addr: &SocketAddr| plaintext_behind_proxy || addr.ip().is_loopback();
    text(allowed, move |text| text.parse().ok().filter(may_listen))
}

impl Config {
    pub(crate) fn worker_count(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        if self.workers == 0 { cores() } else { self.workers }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_leaves_the_machine_only_behind_a_proxy() {
        let read = |toml: &str| settings::from_toml(toml, |root| Some(Config::read(root)));
        let public = "listen = \"0.0.0.0:8080\"\n";
        let refused = read(public).unwrap_err().to_string();
        assert!(refused.contains("listen: found \"0.0.0.0:8080\", allowed a loopback address"), "{refused}");
        assert!(read(&format!("{public}plaintext_behind_proxy = true")).is_ok());
    }
}
