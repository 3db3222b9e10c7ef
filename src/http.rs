//! The HTTP API and the admin listener, on hyper.

pub(crate) mod admin;
pub(crate) mod api;
pub mod auth;
mod problem;
pub(crate) mod server;
mod wire;

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde::Deserialize;

use crate::clock::duration_setting;

/// `[api]`: the listener that the banking core calls.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Whether plain HTTP may listen on an address that is not loopback, since a proxy in front
    /// terminates TLS.
    pub plaintext_behind_proxy: bool,
    /// Worker threads: 0 for one per core, at most 256.
    pub workers: usize,
    /// Connections open at a time: 1 to 1,000,000. One more is closed at once.
    pub connections_max: usize,
    /// The largest body: 1 KiB to 16 KiB. The longest valid one is under 1 KiB.
    pub body_bytes_max: usize,
    /// How long a head may take to arrive, and how long a connection may idle: 1 s to 10 min.
    #[serde(deserialize_with = "duration_setting")]
    pub idle_timeout: Duration,
    /// How long a body may take to arrive: 1 s to 60 s.
    #[serde(deserialize_with = "duration_setting")]
    pub body_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 8080).into(),
            plaintext_behind_proxy: false,
            workers: 0,
            connections_max: 10_000,
            body_bytes_max: 8 * 1024,
            idle_timeout: Duration::from_secs(60),
            body_timeout: Duration::from_secs(10),
        }
    }
}

/// `[admin]`: the listener for Prometheus and probes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdminConfig {
    /// Where it listens. It has no authentication: keep it off public networks.
    pub listen: SocketAddr,
}

impl Default for AdminConfig {
    fn default() -> Self {
        Self { listen: (Ipv4Addr::LOCALHOST, 9464).into() }
    }
}

/// A setting of `[api]` that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfigError(&'static str);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// # Errors
    ///
    /// [`ConfigError`] names the setting outside its bounds.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let seconds = Duration::from_secs;
        let checks = [
            (
                self.listen.ip().is_loopback() || self.plaintext_behind_proxy,
                "api.listen: plain HTTP may leave this machine only behind a proxy that terminates TLS; \
                 if there is one, set api.plaintext_behind_proxy = true",
            ),
            (self.workers <= 256, "api.workers: must be 0 (one per core) to 256"),
            ((1..=1_000_000).contains(&self.connections_max), "api.connections_max: must be 1 to 1000000"),
            ((1024..=16 * 1024).contains(&self.body_bytes_max), "api.body_bytes_max: must be 1024 to 16384"),
            ((seconds(1)..=seconds(600)).contains(&self.idle_timeout), "api.idle_timeout: must be 1s to 10m"),
            ((seconds(1)..=seconds(60)).contains(&self.body_timeout), "api.body_timeout: must be 1s to 60s"),
        ];
        checks.iter().try_for_each(|(good, message)| if *good { Ok(()) } else { Err(ConfigError(message)) })
    }

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
        let public = Config { listen: "0.0.0.0:8080".parse().unwrap(), ..Default::default() };
        assert!(public.validate().unwrap_err().to_string().contains("plaintext_behind_proxy"));
        assert_eq!(Config { plaintext_behind_proxy: true, ..public }.validate(), Ok(()));
    }

    #[test]
    fn abuse_18_limits_outside_their_bounds_are_refused() {
        let refused = |change: fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            config.validate().is_err()
        };
        assert!(refused(|c| c.connections_max = 0));
        assert!(refused(|c| c.body_bytes_max = usize::MAX));
        assert!(refused(|c| c.body_timeout = Duration::ZERO));
        assert!(refused(|c| c.idle_timeout = Duration::MAX));
        assert!(refused(|c| c.workers = 257));
        assert_eq!(Config::default().validate(), Ok(()));
    }
}
