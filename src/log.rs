//! The log: lines on standard error, written by a thread of its own, so that nobody waits while they are not read. Lines
//! that find no room meanwhile are dropped and counted.

use std::io::{self, IsTerminal as _};
use std::sync::OnceLock;

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
    let (writer, guard) = writer.finish(io::stderr());
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

/// Lines that were dropped so far.
pub(crate) fn lines_dropped() -> u64 {
    DROPPED.get().map_or(0, |dropped| u64::try_from(dropped.dropped_lines()).unwrap_or(u64::MAX))
}
