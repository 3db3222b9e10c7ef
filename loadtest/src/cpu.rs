//! CPU time of a process and its threads as Linux counts it, and on which core a process runs.

use std::fs;
use std::io;
use std::ops::Sub;
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::failure::Failure;

/// The highest core that can be named in a `CpuSet` (CPU_SETSIZE).
const CORES_MAX: usize = 1024;

/// CPU time since the start of a process or thread, in clock ticks (proc(5): `utime`, `stime`).
///
/// A tick is 10 ms as a rule; over a run of 10 s that is 1 in 1,000. The kernel counts the sum exactly and
/// estimates its split, so the split is only indicative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ticks {
    pub(crate) user: u64,
    pub(crate) system: u64,
}

impl Sub for Ticks {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            user: self.user.saturating_sub(earlier.user),
            system: self.system.saturating_sub(earlier.system),
        }
    }
}

/// The cores of a measurement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cores {
    /// Only the measured server runs on it.
    pub(crate) server: usize,
    /// For this process and the simulator.
    pub(crate) client: usize,
}

impl Cores {
    /// Takes the cores asked for, else the first two that may be used, and confines this process to the
    /// client's: threads that start from here on inherit it.
    ///
    /// # Errors
    ///
    /// A core that may not be used; only one core, unless `may_share`: good for a smoke test only.
    pub(crate) fn take(
        server: Option<usize>,
        client: Option<usize>,
        may_share: bool,
    ) -> Result<Self, Failure> {
        let allowed = allowed_cores().map_err(Failure::io("cannot tell the cores of this machine"))?;
        let first = *allowed.first().ok_or_else(|| Failure::Setting("no core may be used".into()))?;
        let second = *allowed.get(1).unwrap_or(&first);
        let cores = Self { server: server.unwrap_or(first), client: client.unwrap_or(second) };
        if !allowed.contains(&cores.server) || !allowed.contains(&cores.client) {
            return Err(Failure::Setting(format!("of the cores, {allowed:?} may be used")));
        }
        if cores.server == cores.client && !may_share {
            return Err(Failure::Setting("two cores are needed: one for the server alone".into()));
        }
        pin(cores.client).map_err(Failure::io("cannot run on the client's core"))?;
        Ok(cores)
    }
}

/// Clock ticks as time.
pub(crate) fn time(ticks: u64) -> Duration {
    let ticks_per_second = rustix::param::clock_ticks_per_second().max(1);
    Duration::from_micros(ticks.saturating_mul(1_000_000) / ticks_per_second)
}

/// CPU time of a process, its ended threads included.
///
/// # Errors
///
/// The process has ended, or `/proc` is not as documented.
pub(crate) fn of_process(pid: u32) -> io::Result<Ticks> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    parse_stat(&stat).map(|(_, ticks)| ticks).ok_or_else(|| malformed(&stat))
}

/// CPU time of the live threads of a process, by their names; threads of one name are added up.
///
/// # Errors
///
/// As [`of_process`].
pub(crate) fn of_threads(pid: u32) -> io::Result<Vec<(String, Ticks)>> {
    let mut threads: Vec<(String, Ticks)> = Vec::new();
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end between the two looks.
        let Ok(stat) = fs::read_to_string(task?.path().join("stat")) else { continue };
        let (name, ticks) = parse_stat(&stat).ok_or_else(|| malformed(&stat))?;
        match threads.iter_mut().find(|(known, _)| known == name) {
            Some((_, sum)) => {
                sum.user += ticks.user;
                sum.system += ticks.system;
            }
            None => threads.push((name.to_owned(), ticks)),
        }
    }
    threads.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(threads)
}

fn malformed(stat: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not as proc(5) has it: {stat}"))
}

/// Name, `utime` and `stime` of a line of `/proc/PID/stat`. The name is in parentheses and may itself contain
/// blanks and parentheses (proc(5)).
fn parse_stat(stat: &str) -> Option<(&str, Ticks)> {
    /// Fields between the name and `utime`.
    const BEFORE_UTIME: usize = 11;
    let (before, after) = stat.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    let mut fields = after.split_ascii_whitespace().skip(BEFORE_UTIME);
    let user = fields.next()?.parse().ok()?;
    let system = fields.next()?.parse().ok()?;
    Some((name, Ticks { user, system }))
}

/// The cores that this process may use, ascending.
///
/// # Errors
///
/// Those of `sched_getaffinity`.
fn allowed_cores() -> io::Result<Vec<usize>> {
    let allowed = sched_getaffinity(None)?;
    Ok((0..CORES_MAX).filter(|core| allowed.is_set(*core)).collect())
}

/// Confines the calling thread, and what it starts from now on, to one core.
///
/// # Errors
///
/// Those of `sched_setaffinity`: above all, a core that this process may not use.
pub(crate) fn pin(core: usize) -> io::Result<()> {
    if core >= CORES_MAX {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    let mut only = CpuSet::new();
    only.set(core);
    Ok(sched_setaffinity(None, &only)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "4711 (api-0 (x) y) S 1 4711 4711 0 -1 4194560 2057 0 0 0 123 456 0 0 20 0 5 0 99 0 0";

    #[test]
    fn a_name_with_blanks_and_parentheses_does_not_shift_the_fields() {
        assert_eq!(parse_stat(STAT), Some(("api-0 (x) y", Ticks { user: 123, system: 456 })));
    }

    #[test]
    fn a_line_that_is_cut_off_gives_nothing() {
        for end in [0, 10, 30, STAT.find("456").unwrap()] {
            assert_eq!(parse_stat(&STAT[..end]), None, "cut at {end}");
        }
    }

    #[test]
    fn this_process_has_cpu_time_threads_and_a_core() {
        let pid = std::process::id();
        of_process(pid).unwrap();
        assert!(!of_threads(pid).unwrap().is_empty());
        assert!(!allowed_cores().unwrap().is_empty());
    }

    #[test]
    fn what_is_counted_backwards_is_nothing() {
        let (early, late) = (Ticks { user: 1, system: 5 }, Ticks { user: 4, system: 4 });
        assert_eq!(late - early, Ticks { user: 3, system: 0 });
    }

    #[test]
    fn a_core_that_cannot_be_is_refused() {
        assert!(pin(CORES_MAX).is_err());
    }
}
