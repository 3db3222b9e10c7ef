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

    /// The sum of all series of a name that have this label; all of the name if it is empty.
    ///
    /// # Errors
    ///
    /// There is none.
    pub(crate) fn sum(&self, name: &str, label: &str) -> Result<f64, Failure> {
        let of_name = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        let lines = self.0.lines().filter(of_name).filter(|line| line.contains(label));
        let mut values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).peekable();
        match values.peek() {
            Some(_) => Ok(values.sum()),
            None => Err(Failure::Wrong(format!("a program does not count {name} {label}"))),
        }
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
        assert_eq!(metrics.sum("x", "").ok(), Some(17.0));
        assert_eq!(metrics.sum("x", "event=\"sent\"").ok(), Some(9.0));
        assert!(metrics.sum("x", "lost").is_err());
    }
}
