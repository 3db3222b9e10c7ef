//! The counters of the programs.

use std::net::SocketAddr;

use crate::client;
use crate::failure::Failure;

/// A program's counters, as Prometheus would scrape them.
pub(crate) struct Metrics(String);

impl Metrics {
    /// Scrapes the program that listens at `admin`.
    ///
    /// # Errors
    ///
    /// It does not answer.
    pub(crate) fn of(admin: SocketAddr) -> Result<Self, Failure> {
        let text =
            client::get(admin, "/metrics").map_err(Failure::io("cannot scrape a program's metrics"))?;
        Ok(Self(String::from_utf8_lossy(&text).into_owned()))
    }

    /// The value of one series, written as it is there: `name` or `name{label="value"}`.
    ///
    /// # Errors
    ///
    /// The series does not exist.
    pub(crate) fn value(&self, series: &str) -> Result<f64, Failure> {
        let value = |line: &str| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok();
        let missing = || Failure::Wrong(format!("a program does not count {series}"));
        self.0.lines().find_map(value).ok_or_else(missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_found_by_its_whole_name() {
        let metrics = Metrics("# HELP x\nx{event=\"sent\"} 9\nx{event=\"sent_late\"} 8\nxy 7\n".into());
        assert_eq!(metrics.value("x{event=\"sent\"}").ok(), Some(9.0));
        assert_eq!(metrics.value("xy").ok(), Some(7.0));
        assert!(metrics.value("x").is_err());
    }
}
