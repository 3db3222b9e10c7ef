//! The log: lines on standard error, written by a thread of its own, so that nobody waits while they are not read. Lines
//! that find no room meanwhile are dropped and counted.

use std::io::{self, IsTerminal as _};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use settings::{Section, own, text};
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

/// Lines that wait to be written: some megabytes.
const LINES_MAX: usize = 16 * 1024;

/// `[log]`: what is logged, to standard error.
#[derive(Debug, Default)]
pub struct Log {
    /// Which modules log at which levels.
    pub filter: EnvFilter,
    /// One JSON object per line instead of text.
    pub json: bool,
}

impl Log {
    pub(crate) fn read(section: &Section<'_>) -> Self {
        let allowed = "a filter of levels and modules such as \"info\" or \"info,otp_gateway::sms=debug\"";
        let filter = text(allowed, |filter| EnvFilter::try_new(filter).ok());
        Self {
            filter: section.or("filter", filter, EnvFilter::new("info")),
            json: section.or("json", own(), false),
        }
    }
}

/// There is one log of the process.
static DROPPED: OnceLock<ErrorCounter> = OnceLock::new();

/// Starts the log of the process. What waits is written when the guard is dropped, for a second at the most.
///
/// # Errors
///
/// It was started before.
pub fn start(log: Log) -> Result<WorkerGuard, TryInitError> {
    let writer = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(LINES_MAX).thread_name("log");
    let (writer, guard) = writer.finish(Counting(io::stderr()));
    let dropped = writer.error_counter();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(log.filter)
        .with_writer(writer)
        .with_ansi(io::stderr().is_terminal());
    if log.json {
        subscriber.json().finish().try_init()?;
    } else {
        subscriber.finish().try_init()?;
    }
    let _ = DROPPED.set(dropped);
    Ok(guard)
}

/// Lines that could not be written.
static FAILED: AtomicU64 = AtomicU64::new(0);

/// Counts what cannot be written, a line at a time: standard error may be closed, or its disk full.
struct Counting<W>(W);

impl<W: io::Write> io::Write for Counting<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.0.write_all(line).is_err() {
            FAILED.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Lines that were lost so far: dropped, since nobody read them, or not written.
pub(crate) fn lines_dropped() -> u64 {
    let dropped =
        DROPPED.get().map_or(0, |dropped| u64::try_from(dropped.dropped_lines()).unwrap_or(u64::MAX));
    dropped + FAILED.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_line_that_cannot_be_written_is_counted_and_the_next_is_tried() {
        let before = lines_dropped();
        let mut full = Counting(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
        full.write_all(b"one\n").unwrap();
        full.write_all(b"another\n").unwrap();
        assert_eq!(lines_dropped() - before, 2);
        let mut open = Counting(Vec::new());
        open.write_all(b"written\n").unwrap();
        assert_eq!((open.0.as_slice(), lines_dropped() - before), (&b"written\n"[..], 2));
    }
}
