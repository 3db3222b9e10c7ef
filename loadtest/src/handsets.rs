//! The handsets: reads every SMS from the simulator's stream of server-sent events, as it comes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::failure::Failure;
use crate::requests::{Challenge, Code, Issued, Reference};
use crate::setup::number_of;
use crate::signals::LOOK_EVERY;

/// When none has come for this long, those that are missing will not come.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// Large reads: many events per system call.
const READ_BYTES: usize = 256 * 1024;

/// An SMS on a handset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sms {
    subscriber: u64,
    reference: Reference,
    code: Code,
}

/// What the reader and those who wait for it share.
#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// SMS since the start, taken or not.
    count: u64,
    /// SMS not taken yet, and when each was read: at most as many as a run issues.
    new: Vec<(Sms, Instant)>,
    /// Why the stream ended.
    failed: Option<String>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All handsets of the simulator.
#[derive(Debug)]
pub(crate) struct Handsets {
    shared: Arc<Shared>,
}

impl Handsets {
    /// Reads on from now, on a thread of its own, until the simulator ends.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(crate) fn watch(simulator: SocketAddr) -> io::Result<Self> {
        let mut stream = TcpStream::connect(simulator)?;
        // HTTP/1.0, so that the events come as they are, without chunks around them.
        write!(stream, "GET /messages/stream HTTP/1.0\r\nHost: {simulator}\r\n\r\n")?;
        let shared = Arc::new(Shared::default());
        let reader = Arc::clone(&shared);
        std::thread::Builder::new().name("handsets".into()).spawn(move || {
            let ended = read(BufReader::with_capacity(READ_BYTES, stream), &reader);
            let reason = ended.err().unwrap_or_else(|| "the stream ended".into());
            reader.state().failed = Some(reason);
            reader.more.notify_all();
        })?;
        Ok(Self { shared })
    }

    /// Waits until `count` SMS have come since the start, and returns when the last one was read.
    ///
    /// # Errors
    ///
    /// The stream broke, or SMS are missing; the signal to stop.
    pub(crate) fn wait_for(&self, count: u64, stop: &CancellationToken) -> Result<Instant, Failure> {
        let mut state = self.shared.state();
        let (mut seen, mut seen_at) = (state.count, clock::now());
        while state.count < count {
            if let Some(reason) = &state.failed {
                return Err(Failure::Wrong(format!("the simulator's stream of messages: {reason}")));
            }
            if stop.is_cancelled() {
                return Err(Failure::Stopped);
            }
            if clock::now().duration_since(seen_at) > SILENCE_MAX {
                let missing = count - state.count;
                return Err(Failure::Wrong(format!("{missing} of {count} SMS have not arrived")));
            }
            let waited = self.shared.more.wait_timeout(state, LOOK_EVERY);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            if state.count > seen {
                (seen, seen_at) = (state.count, clock::now());
            }
        }
        Ok(clock::now())
    }

    /// Takes the SMS that have come since they were last taken: whose handset each is on, and since when.
    ///
    /// # Errors
    ///
    /// The stream broke.
    pub(crate) fn take_new(&self) -> Result<Vec<(u64, Instant)>, Failure> {
        let mut state = self.shared.state();
        match &state.failed {
            Some(reason) => Err(Failure::Wrong(format!("the simulator's stream of messages: {reason}"))),
            None => {
                Ok(std::mem::take(&mut state.new).into_iter().map(|(sms, at)| (sms.subscriber, at)).collect())
            }
        }
    }

    /// Joins what was issued with its SMS, in the order of the challenges' numbers.
    ///
    /// # Errors
    ///
    /// An SMS without a challenge, or the other way round.
    pub(crate) fn join(
        &self,
        issued: &[Issued],
        subscribers: u64,
        asked_at: Instant,
    ) -> Result<Vec<Challenge>, Failure> {
        let new = std::mem::take(&mut self.shared.state().new).into_iter().map(|(sms, _)| sms).collect();
        join(new, issued, subscribers, asked_at).map_err(|reason| Failure::Wrong(reason.into()))
    }
}

fn join(
    sms: Vec<Sms>,
    issued: &[Issued],
    subscribers: u64,
    asked_at: Instant,
) -> Result<Vec<Challenge>, &'static str> {
    let count = sms.len();
    let mut codes: HashMap<_, _> =
        sms.into_iter().map(|sms| ((sms.subscriber, sms.reference), sms.code)).collect();
    if codes.len() != count {
        return Err("two SMS to one handset have one reference");
    }
    let mut challenges = Vec::with_capacity(issued.len());
    for &Issued { number, id, reference } in issued {
        let code = codes.remove(&(number % subscribers, reference));
        let code = code.ok_or("a challenge has no SMS of its reference")?;
        challenges.push(Challenge { number, id, code, asked_at });
    }
    if !codes.is_empty() {
        return Err("an SMS belongs to no challenge");
    }
    challenges.sort_unstable_by_key(|challenge| challenge.number);
    Ok(challenges)
}

/// Reads events until the stream ends.
fn read(mut stream: impl io::BufRead, shared: &Shared) -> Result<(), String> {
    let mut line = Vec::new();
    read_line(&mut stream, &mut line)?;
    if !line.starts_with(b"HTTP/1.") || line.get(9..12) != Some(b"200") {
        return Err(format!("not answered with 200: {}", String::from_utf8_lossy(&line)));
    }
    while read_line(&mut stream, &mut line)? {
        if line.starts_with(b"event:") {
            return Err(format!("something else than a message: {}", String::from_utf8_lossy(&line)));
        }
        if let Some(data) = line.strip_prefix(b"data: ") {
            let sms = parse(data).ok_or("a message is not one of ours")?;
            let read_at = clock::now();
            let mut state = shared.state();
            state.count += 1;
            state.new.push((sms, read_at));
            drop(state);
            shared.more.notify_all();
        }
    }
    Ok(())
}

fn read_line(stream: &mut impl io::BufRead, line: &mut Vec<u8>) -> Result<bool, String> {
    line.clear();
    stream.read_until(b'\n', line).map(|bytes| bytes > 0).map_err(|error| error.to_string())
}

/// The members of a message that matter here.
#[derive(Deserialize)]
struct Message<'a> {
    to: &'a str,
    #[serde(borrow)]
    text: Cow<'a, str>,
}

/// The text is the gateway's default for payments: `… ref 7KQ2 …`, and `@host #482913` at its end.
fn parse(data: &[u8]) -> Option<Sms> {
    let message: Message<'_> = serde_json::from_slice(data).ok()?;
    let subscriber = number_of(message.to)?;
    let (_, after) = message.text.split_once(" ref ")?;
    let reference = after.as_bytes().get(..size_of::<Reference>())?.try_into().ok()?;
    let (_, code) = message.text.rsplit_once('#')?;
    let code = code.as_bytes().try_into().ok()?;
    Some(Sms { subscriber, reference, code })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: &str = r#"{"id":"01","to":"6281200000042","text":"Bank Contoh: kode 482913 utk bayar IDR 1,250,000,000 ke PT ABC rek 7890 ref 7KQ2 s/d 16:15 WIB. JANGAN beri tahu siapa pun.\n@bank.example #482913","segments":1}"#;

    fn sms(subscriber: u64) -> Sms {
        Sms { subscriber, reference: *b"7KQ2", code: *b"482913" }
    }

    fn issued(number: u64) -> Issued {
        Issued { number, id: [b'0'; 32], reference: *b"7KQ2" }
    }

    #[test]
    fn handset_reference_and_code_are_read_from_a_message() {
        assert_eq!(parse(DATA.as_bytes()), Some(sms(42)));
        for (from, to) in [("62812", "62814"), (" ref ", " "), ("#482913", "#48291"), ("\"to\"", "\"too\"")] {
            assert_eq!(parse(DATA.replace(from, to).as_bytes()), None, "{from} → {to}");
        }
    }

    #[test]
    fn the_stream_is_read_to_its_end() {
        let stream = format!(
            "HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\n\r\nretry: 1000\n: connected\n\n\
             id: 1-1\ndata: {DATA}\n\nid: 1-2\ndata: {DATA}\n\n"
        );
        let shared = Shared::default();
        read(stream.as_bytes(), &shared).unwrap();
        assert_eq!(shared.state().count, 2);
        let read: Vec<_> = shared.state().new.iter().map(|(sms, _)| *sms).collect();
        assert_eq!(read, [sms(42), sms(42)]);
    }

    #[test]
    fn lost_messages_and_foreign_ones_are_errors() {
        for event in ["event: lost\ndata: {\"lost\":3}", "data: {}"] {
            let stream = format!("HTTP/1.0 200 OK\r\n\r\n{event}\n\n");
            assert!(read(stream.as_bytes(), &Shared::default()).is_err(), "{event}");
        }
        assert!(read(&b"HTTP/1.0 401 Unauthorized\r\n\r\n"[..], &Shared::default()).is_err());
    }

    #[test]
    fn challenges_and_sms_belong_together_one_to_one() {
        let now = clock::now();
        let joined = join(vec![sms(2), sms(1)], &[issued(11), issued(2)], 10, now).unwrap();
        let numbers: Vec<_> = joined.iter().map(|challenge| challenge.number).collect();
        assert_eq!(numbers, [2, 11]);
        assert!(join(vec![sms(1)], &[], 10, now).is_err());
        assert!(join(vec![], &[issued(1)], 10, now).is_err());
        assert!(join(vec![sms(1), sms(1)], &[issued(1)], 10, now).is_err());
    }

    #[test]
    fn a_wait_ends_when_the_stream_breaks() {
        let handsets = Handsets { shared: Arc::default() };
        handsets.shared.state().failed = Some("broken".into());
        assert!(handsets.wait_for(1, &CancellationToken::new()).is_err());
        assert!(handsets.wait_for(0, &CancellationToken::new()).is_ok());
    }
}
