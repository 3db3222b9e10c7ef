//! The query of a read: parsed once, unknown or repeated parameters refused.

use std::error::Error as _;
use std::time::Duration;

use axum::extract;
use axum::http::Uri;
use serde::de::{self, DeserializeOwned};
use serde::{Deserialize, Deserializer};

use super::problem::Problem;
use crate::inbox::{Address, Cursor, Filter, Inbox, Needle, Search};

/// The longest wait of a long poll; longer ones would look like dead connections to whatever is in between.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Messages in one reply, at most; also what is given when nothing is asked. With ordinary texts about half a
/// megabyte.
const LIMIT_MAX: usize = 1_000;

/// What a read asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Query {
    #[serde(deserialize_with = "number")]
    to: Option<Address>,
    #[serde(deserialize_with = "number")]
    with: Option<Address>,
    #[serde(deserialize_with = "text")]
    text: Option<Needle>,
    #[serde(deserialize_with = "find")]
    find: Option<Search>,
    #[serde(deserialize_with = "cursor")]
    since: Option<RunCursor>,
    #[serde(deserialize_with = "wait")]
    pub(super) wait: Option<Duration>,
    #[serde(deserialize_with = "limit")]
    pub(super) limit: Option<usize>,
    #[serde(deserialize_with = "last")]
    last: Option<u64>,
}

impl Query {
    /// Reads `to`, `with`, `text`, `find`, `since`, `wait`, `limit` and `last`.
    pub(super) fn parse(uri: &Uri) -> Result<Self, Problem> {
        read(uri)
    }

    /// What it means for `inbox`, in this run of the simulator.
    pub(super) fn filter(&self, inbox: &Inbox, instance: u32) -> Filter {
        let limit = self.limit.unwrap_or(LIMIT_MAX);
        let Self { to, with, text, find, .. } = *self;
        let filter = Filter { to, with, text, find, limit, since: Cursor::START };
        let since = match (self.since, self.last) {
            (Some(since), _) => since.in_run(instance),
            (None, Some(last)) => inbox.cursor_before_last(last, &filter),
            (None, None) => Cursor::START,
        };
        Filter { since, ..filter }
    }
}

/// Reads the parameters that a call takes.
pub(super) fn read<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    match extract::Query::try_from_uri(uri) {
        Ok(extract::Query(query)) => Ok(query),
        // The source begins with the parameter's name.
        Err(refused) => {
            Err(Problem::bad_query(refused.source().map_or_else(String::new, ToString::to_string)))
        }
    }
}

/// A cursor, and the run of the simulator that gave it out; the start belongs to no run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RunCursor {
    instance: Option<u32>,
    cursor: Cursor,
}

impl RunCursor {
    /// The cursor. One that another run gave out means the start.
    pub(super) fn in_run(self, instance: u32) -> Cursor {
        if self.instance == Some(instance) { self.cursor } else { Cursor::START }
    }
}

/// A cursor as the API writes it: with the run of the simulator that it belongs to.
pub(super) fn write_cursor(cursor: Cursor, instance: u32) -> String {
    format!("{instance:08x}-{}", cursor.0)
}

/// Reads what [`write_cursor`] wrote, or a plain `0`.
pub(super) fn parse_cursor(text: &str) -> Option<RunCursor> {
    if text == "0" {
        return Some(RunCursor { instance: None, cursor: Cursor::START });
    }
    let (instance, place) = text.split_once('-')?;
    let instance = Some(u32::from_str_radix(instance, 16).ok()?);
    Some(RunCursor { instance, cursor: Cursor(place.parse().ok()?) })
}

fn cursor<'de, D: Deserializer<'de>>(text: D) -> Result<Option<RunCursor>, D::Error> {
    parsed(text, parse_cursor, "must be a cursor from an earlier reply, or 0")
}

fn number<'de, D: Deserializer<'de>>(text: D) -> Result<Option<Address>, D::Error> {
    parsed(text, parse_number, "must be a phone number of 1 to 20 digits")
}

pub(super) fn parse_number(text: &str) -> Option<Address> {
    // A `+` in a query means a blank, so `to=+62812…` arrives with one.
    Address::new(text.trim().as_bytes()).filter(Address::is_number)
}

fn text<'de, D: Deserializer<'de>>(text: D) -> Result<Option<Needle>, D::Error> {
    parsed(text, Needle::new, "must be 1 to 64 bytes of text")
}

fn find<'de, D: Deserializer<'de>>(text: D) -> Result<Option<Search>, D::Error> {
    parsed(text, Search::new, "must be 1 to 64 bytes of what is looked for")
}

fn wait<'de, D: Deserializer<'de>>(text: D) -> Result<Option<Duration>, D::Error> {
    let wait = |text: &str| humantime::parse_duration(text).ok().filter(|wait| *wait <= WAIT_MAX);
    parsed(text, wait, "must be a duration of at most 60s, such as 5s or 500ms")
}

fn limit<'de, D: Deserializer<'de>>(text: D) -> Result<Option<usize>, D::Error> {
    let limit = |text: &str| text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    parsed(text, limit, "must be 1 to 1000")
}

fn last<'de, D: Deserializer<'de>>(text: D) -> Result<Option<u64>, D::Error> {
    parsed(text, |text| text.parse().ok(), "must be a number of messages")
}

pub(super) fn parsed<'de, D: Deserializer<'de>, T>(
    text: D,
    parse: impl FnOnce(&str) -> Option<T>,
    allowed: &str,
) -> Result<Option<T>, D::Error> {
    parse(&String::deserialize(text)?).map(Some).ok_or_else(|| de::Error::custom(allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Result<Query, Problem> {
        Query::parse(&format!("/messages?{query}").parse().unwrap())
    }

    #[test]
    fn reads_every_parameter() {
        let query = parse(
            "to=%2B628120001234&with=62811&text=kode+1&find=0812&since=0000000a-7&wait=5s&limit=3&last=9",
        )
        .unwrap();
        assert_eq!((query.to, query.with), (Address::new(b"628120001234"), Address::new(b"62811")));
        assert_eq!((query.text, query.find), (Needle::new("kode 1"), Search::new("0812")));
        assert_eq!(query.since.map(|since| since.in_run(10)), Some(Cursor(7)));
        assert_eq!(query.wait, Some(Duration::from_secs(5)));
        assert_eq!((query.limit, query.last), (Some(3), Some(9)));
        assert_eq!(parse("to=+628120001234").unwrap().to, query.to);
        assert_eq!(parse("").unwrap(), Query::default());
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        for query in [
            "from=1",
            "to=",
            "to=abc",
            "to=1&to=2",
            "to=%zz",
            "to=%2",
            "to=%FF",
            "text=",
            "find=+",
            "wait=61s",
            "wait=soon",
            "limit=0",
            "limit=1001",
            "since=7",
            "since=x-1",
            "last=-1",
        ] {
            let refusal = parse(query).unwrap_err().refusal;
            let name = query.split('=').next().unwrap();
            assert!(refusal.detail.contains(name), "{query}: {}", refusal.detail);
        }
    }

    #[test]
    fn a_cursor_of_another_run_means_the_start() {
        let cursor = parse_cursor(&write_cursor(Cursor(7), 10)).unwrap();
        assert_eq!(cursor.in_run(10), Cursor(7));
        assert_eq!(cursor.in_run(11), Cursor::START);
        assert_eq!(parse_cursor("0").map(|start| start.in_run(10)), Some(Cursor::START));
    }
}
