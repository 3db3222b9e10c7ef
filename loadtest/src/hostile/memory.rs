//! What an attack costs in memory: the gateway's own, and what the system holds for all TCP sockets of the machine.

use std::fmt;
use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::clock;

const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The most at a time, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Memory {
    /// The gateway's resident set.
    resident: u64,
    /// In buffers of TCP sockets, the attackers' own included.
    pub(super) sockets: u64,
}

impl Memory {
    fn now(pid: u32) -> io::Result<Self> {
        let page = rustix::param::page_size() as u64;
        let statm = fs::read_to_string(format!("/proc/{pid}/statm"))?;
        let resident = second_word(&statm).unwrap_or(0);
        let sockstat = fs::read_to_string("/proc/net/sockstat")?;
        Ok(Self { resident: resident * page, sockets: tcp_pages(&sockstat).unwrap_or(0) * page })
    }

    fn most(self, other: Self) -> Self {
        Self { resident: self.resident.max(other.resident), sockets: self.sockets.max(other.sockets) }
    }
}

fn second_word(text: &str) -> Option<u64> {
    text.split_whitespace().nth(1)?.parse().ok()
}

/// Pages of TCP's buffers (proc(5), `sockstat`).
fn tcp_pages(sockstat: &str) -> Option<u64> {
    let tcp = sockstat.lines().find_map(|line| line.strip_prefix("TCP: "))?;
    let mut words = tcp.split_whitespace().skip_while(|word| *word != "mem");
    words.nth(1)?.parse().ok()
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        write!(f, "gateway {:.0} MiB, sockets {:.1} MiB", mib(self.resident), mib(self.sockets))
    }
}

/// Looks at the memory until it ends.
pub(super) struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<Memory>>,
}

impl Watch {
    pub(super) fn begin(pid: u32) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let watch = move || {
            let mut most = Memory::default();
            while !stopped.load(Ordering::Relaxed) {
                most = most.most(Memory::now(pid)?);
                clock::pause(LOOK_EVERY);
            }
            Ok(most)
        };
        Ok(Self { stop, thread: std::thread::Builder::new().name("memory".into()).spawn(watch)? })
    }

    /// The most that there was.
    pub(super) fn end(self) -> io::Result<Memory> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| io::Error::other("the thread panicked"))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_s_files_are_understood() {
        let sockstat = "sockets: used 20\nTCP: inuse 7 orphan 0 tw 4 alloc 8 mem 123\nUDP: inuse 0 mem 9\n";
        assert_eq!(tcp_pages(sockstat), Some(123));
        assert_eq!(second_word("100 42 7"), Some(42));
        let own = Memory::now(std::process::id()).unwrap();
        assert!(own.resident > 1 << 20, "{own:?}");
        let other = Memory { resident: 1, sockets: own.sockets + 1 };
        assert_eq!(own.most(other), Memory { resident: own.resident, sockets: own.sockets + 1 });
    }
}
