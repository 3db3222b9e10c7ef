//! The query of a read: parsed once, unknown or repeated parameters refused.

use super::problem::Problem;
use crate::inbox::{Address, Cursor};
use std::time::Duration;

/// The longest wait of a long poll; longer ones would look like dead
/// connections to whatever is in between.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Messages in one reply, at most; also what is given when nothing is asked.
/// With ordinary texts about half a megabyte.
pub(super) const LIMIT_MAX: usize = 1_000;

/// What a read asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) to: Option<Address>,
    pub(super) with: Option<Address>,
    pub(super) since: Option<Cursor>,
    pub(super) wait: Option<Duration>,
    pub(super) limit: Option<usize>,
    pub(super) last: Option<u64>,
}

impl Query {
    /// Reads `to`, `with`, `since`, `wait`, `limit` and `last`. A cursor that another
    /// life of the simulator gave out (`instance`) means the start.
    pub(super) fn parse(query: &str, instance: u32) -> Result<Self, Problem> {
        let mut parsed = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decode(value).ok_or(Problem::bad_query("A parameter has a broken %-escape."))?;
            match name {
                "to" => set(&mut parsed.to, parse_number(&value))?,
                "with" => set(&mut parsed.with, parse_number(&value))?,
                "since" => set(&mut parsed.since, parse_cursor(&value, instance))?,
                "wait" => set(&mut parsed.wait, parse_wait(&value))?,
                "limit" => set(&mut parsed.limit, parse_limit(&value))?,
                "last" => set(&mut parsed.last, parse_last(&value))?,
                _ => {
                    return Err(Problem::bad_query(
                        "The parameters are to, with, since, wait, limit and last.",
                    ));
                }
            }
        }
        Ok(parsed)
    }
}

/// A cursor as the API writes it: it tells which life of the simulator it is of.
pub(super) fn write_cursor(cursor: Cursor, instance: u32) -> String {
    format!("{instance:08x}-{}", cursor.0)
}

/// Reads what [`write_cursor`] wrote, or a plain `0`.
pub(super) fn parse_cursor(text: &str, instance: u32) -> Result<Cursor, Problem> {
    const EXPECTED: Problem = Problem::bad_query("since must be a cursor from an earlier reply, or 0.");
    if text == "0" {
        return Ok(Cursor::START);
    }
    let (of, place) = text.split_once('-').ok_or(EXPECTED)?;
    let of = u32::from_str_radix(of, 16).map_err(|_| EXPECTED)?;
    let place = place.parse().map_err(|_| EXPECTED)?;
    Ok(if of == instance { Cursor(place) } else { Cursor::START })
}

fn parse_number(text: &str) -> Result<Address, Problem> {
    // A `+` in a query means a blank, so `to=+62812…` arrives with one.
    Address::new(text.trim().as_bytes())
        .filter(Address::is_number)
        .ok_or(Problem::bad_query("to and with must be a phone number of 1 to 20 digits."))
}

fn parse_wait(text: &str) -> Result<Duration, Problem> {
    humantime::parse_duration(text)
        .ok()
        .filter(|wait| *wait <= WAIT_MAX)
        .ok_or(Problem::bad_query("wait must be a duration of at most 60s, such as 5s or 500ms."))
}

fn parse_limit(text: &str) -> Result<usize, Problem> {
    let limit = text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    limit.ok_or(Problem::bad_query("limit must be 1 to 1000."))
}

fn parse_last(text: &str) -> Result<u64, Problem> {
    text.parse().map_err(|_| Problem::bad_query("last must be a number of messages."))
}

fn set<T>(place: &mut Option<T>, value: Result<T, Problem>) -> Result<(), Problem> {
    match place.replace(value?) {
        None => Ok(()),
        Some(_) => Err(Problem::bad_query("A parameter may occur only once.")),
    }
}

/// Decodes a query's value; `None` if an escape is broken or not ASCII.
fn decode(value: &str) -> Option<String> {
    let mut decoded = String::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(octet) = rest.next() {
        decoded.push(match octet {
            b'+' => ' ',
            b'%' => {
                let high = char::from(rest.next()?).to_digit(16)?;
                let low = char::from(rest.next()?).to_digit(16)?;
                char::from_u32(high * 16 + low).filter(char::is_ascii)?
            }
            octet => char::from(octet),
        });
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_parameter() {
        let query = Query::parse("to=%2B628120001234&with=62811&since=0000000a-7&wait=5s&limit=3&last=9", 10)
            .unwrap();
        assert_eq!((query.to, query.with), (Address::new(b"628120001234"), Address::new(b"62811")));
        assert_eq!(query.since, Some(Cursor(7)));
        assert_eq!(query.wait, Some(Duration::from_secs(5)));
        assert_eq!((query.limit, query.last), (Some(3), Some(9)));
        assert_eq!(Query::parse("to=+628120001234", 10).unwrap().to, query.to);
        assert_eq!(Query::parse("", 10).unwrap(), Query::default());
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
            "wait=61s",
            "wait=soon",
            "limit=0",
            "limit=1001",
            "since=7",
            "since=x-1",
            "last=-1",
        ] {
            assert!(Query::parse(query, 10).is_err(), "{query}");
        }
    }

    #[test]
    fn a_cursor_of_another_life_means_the_start() {
        let text = write_cursor(Cursor(7), 10);
        assert_eq!(parse_cursor(&text, 10), Ok(Cursor(7)));
        assert_eq!(parse_cursor(&text, 11), Ok(Cursor::START));
        assert_eq!(parse_cursor("0", 10), Ok(Cursor::START));
    }
}
