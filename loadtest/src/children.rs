//! Programs that the harness starts, each on its core, and ends, whatever happens.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, BufRead as _, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child as StdChild, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clap::Args;
use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::cpu;
use crate::failure::Failure;
use crate::signals::LOOK_EVERY;

/// How long a program may take to come up: the gateway has to load its subscribers.
const READY_MAX: Duration = Duration::from_secs(60);
/// Lines of a program's log that are kept for an error message.
const LOG_LINES_MAX: usize = 10;
/// The longest such line, in bytes; the rest of a longer one counts as further lines.
const LOG_LINE_BYTES_MAX: u64 = 4096;
/// Lines that nobody has read yet. Once the program is ready, further ones are dropped.
const LINES_WAITING_MAX: usize = 64;

/// The command line of the hidden subcommand through which programs are started.
#[derive(Debug, Args)]
pub(crate) struct Pinned {
    /// The core to run on
    #[arg(long)]
    core: usize,
    /// Whose death ends the program
    #[arg(long)]
    parent: u32,
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

impl Pinned {
    /// Confines this process to the core, ties its life to its parent's, and becomes the program. Returns
    /// only with an error.
    pub(crate) fn become_program(&self) -> io::Error {
        match self.prepare() {
            Ok(()) => Command::new(&self.command[0]).args(&self.command[1..]).exec(),
            Err(error) => error,
        }
    }

    fn prepare(&self) -> io::Result<()> {
        cpu::pin(self.core)?;
        // Kept across exec (prctl(2)), so that even a killed harness leaves nothing running.
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // Between the fork and the line before, the parent may have died unnoticed.
        match getppid() {
            Some(parent) if parent.as_raw_nonzero().get().cast_unsigned() == self.parent => Ok(()),
            _ => Err(io::Error::other("the harness has ended")),
        }
    }
}

/// The output on which a program reports that it is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadyOn {
    /// Standard output; its standard error is the log.
    Stdout,
    /// Standard error, which is the log as well.
    Stderr,
}

/// A running program. Dropping it kills it and waits for its end.
#[derive(Debug)]
pub(crate) struct Child {
    name: &'static str,
    process: StdChild,
    lines: Receiver<String>,
    log: Arc<Log>,
}

/// The last lines of a log.
#[derive(Debug, Default)]
struct Log(Mutex<VecDeque<String>>);

impl Log {
    fn lines(&self) -> MutexGuard<'_, VecDeque<String>> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: String) {
        let mut lines = self.lines();
        if lines.len() == LOG_LINES_MAX {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

/// The program of ours with this name, which is built into the folder where this one is.
///
/// # Errors
///
/// [`Failure::NotBuilt`].
pub(crate) fn sibling(name: &str) -> Result<PathBuf, Failure> {
    let own = own_path()?;
    let path = own.with_file_name(name);
    if path.is_file() { Ok(path) } else { Err(Failure::NotBuilt(path)) }
}

/// This program itself.
///
/// # Errors
///
/// Those of the system.
pub(crate) fn own_path() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(Failure::io("cannot find this program's own file"))
}

impl Child {
    /// Starts `program` on `core`.
    ///
    /// # Errors
    ///
    /// It could not be started.
    pub(crate) fn start(
        name: &'static str,
        program: &Path,
        arguments: &[OsString],
        core: usize,
        ready_on: ReadyOn,
    ) -> Result<Self, Failure> {
        let mut process = Command::new(own_path()?)
            .args(["pinned", "--core", &core.to_string(), "--parent", &std::process::id().to_string(), "--"])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(if ready_on == ReadyOn::Stdout { Stdio::piped() } else { Stdio::null() })
            .stderr(Stdio::piped())
            .spawn()
            .map_err(Failure::io("cannot start a program"))?;
        let (sender, lines) = sync_channel(LINES_WAITING_MAX);
        let log = Arc::new(Log::default());
        let (stdout, stderr) = (process.stdout.take(), process.stderr.take());
        let child = Self { name, process, lines, log: Arc::clone(&log) };
        let spoken = sender.clone();
        if let Some(stdout) = stdout {
            follow(name, stdout, move |line| offer(&sender, line))?;
        }
        if let Some(stderr) = stderr {
            follow(name, stderr, move |line| {
                log.push(line.clone());
                if ready_on == ReadyOn::Stderr {
                    offer(&spoken, line);
                }
            })?;
        }
        Ok(child)
    }

    /// Waits for the line in which the program says that it is up: the first from which `parse` gets
    /// something.
    ///
    /// # Errors
    ///
    /// The program ended or took too long; the signal to stop.
    pub(crate) fn ready<T>(
        &mut self,
        stop: &CancellationToken,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, Failure> {
        let deadline = clock::now() + READY_MAX;
        loop {
            match self.lines.recv_timeout(LOOK_EVERY) {
                Ok(line) => {
                    if let Some(ready) = parse(&line) {
                        return Ok(ready);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return Err(self.failure("ended at its start")),
                Err(RecvTimeoutError::Timeout) => self.check()?,
            }
            if stop.is_cancelled() {
                return Err(Failure::Stopped);
            }
            if clock::now() > deadline {
                return Err(self.failure(&format!("not up within {READY_MAX:?}")));
            }
        }
    }

    /// Whether it still runs.
    ///
    /// # Errors
    ///
    /// [`Failure::Child`] if it ended by itself.
    pub(crate) fn check(&mut self) -> Result<(), Failure> {
        match self.process.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(self.failure(&format!("ended by itself: {status}"))),
            Err(error) => Err(Failure::Io("cannot look after a program", error)),
        }
    }

    /// A failure that is this program's, with the end of its log.
    pub(crate) fn failure(&self, reason: &str) -> Failure {
        let log = self.log.lines().iter().cloned().collect();
        Failure::Child { name: self.name, reason: reason.into(), log }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Both fail only for a process that has ended and been waited for.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Hands on the lines of an output until it is closed, so that its writer never waits.
fn follow(
    name: &'static str,
    output: impl Read + Send + 'static,
    mut take: impl FnMut(String) + Send + 'static,
) -> Result<(), Failure> {
    let read = move || {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        loop {
            line.clear();
            match output.by_ref().take(LOG_LINE_BYTES_MAX).read_until(b'\n', &mut line) {
                Ok(1..) => take(String::from_utf8_lossy(line.trim_ascii_end()).into_owned()),
                Ok(0) | Err(_) => return,
            }
        }
    };
    let thread = std::thread::Builder::new().name(format!("log of {name}")).spawn(read);
    thread.map(drop).map_err(Failure::io("cannot start a thread"))
}

fn offer(lines: &SyncSender<String>, line: String) {
    match lines.try_send(line) {
        // Only the wait for the ready line reads them.
        Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_keeps_its_last_lines_only() {
        let log = Log::default();
        for line in 0..25 {
            log.push(line.to_string());
        }
        assert_eq!(log.lines().len(), LOG_LINES_MAX);
        assert_eq!(log.lines().back().unwrap(), "24");
    }

    #[test]
    fn a_program_that_is_not_there_is_named_with_how_to_build_it() {
        let message = sibling("no-such-program").unwrap_err().to_string();
        assert!(message.contains("no-such-program") && message.contains("cargo build"), "{message}");
    }

    #[test]
    fn an_output_is_handed_on_line_by_line() {
        let (sender, lines) = sync_channel(LINES_WAITING_MAX);
        follow("test", &b"one\ntwo\r\nthree"[..], move |line| offer(&sender, line)).unwrap();
        assert_eq!(lines.iter().collect::<Vec<_>>(), ["one", "two", "three"]);
    }
}
