//! What one run was, and what it took.

use std::time::Duration;

use serde::Serialize;

use crate::client::RunStats;
use crate::cpu::{self, Ticks};
use crate::failure::Failure;

/// What was run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// Bare hyper.
    Echo,
    /// First approvals of challenges.
    Verify,
    /// Challenges whose SMS have reached the SMSC.
    Generate,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Echo, Self::Verify, Self::Generate];

    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Echo => "bare hyper",
            Self::Verify => "verify",
            Self::Generate => "generate + SMS",
        }
    }
}

/// One run.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Sample {
    pub(super) kind: Kind,
    pub(super) round: u32,
    /// Requests answered, all of them as they should be.
    pub(super) requests: u64,
    /// From the first request to the last reply.
    pub(super) seconds: f64,
    /// From the last reply until the last SMS was accepted and its receipt answered.
    pub(super) settle_seconds: Option<f64>,
    pub(super) requests_per_second: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    pub(super) max_us: f64,
    /// CPU time of the server's process per request.
    pub(super) cpu_us_per_request: f64,
    pub(super) user_us_per_request: f64,
    pub(super) system_us_per_request: f64,
    /// CPU time of the server by the time that the run took, settling included: 1 is a core that is always
    /// busy.
    pub(super) core_busy: f64,
    /// CPU time per request by the server's threads.
    pub(super) threads: Vec<Thread>,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Thread {
    pub(super) name: String,
    pub(super) user_us_per_request: f64,
    pub(super) system_us_per_request: f64,
}

fn per_request_us(ticks: u64, requests: u64) -> f64 {
    cpu::time(ticks).as_secs_f64() * 1e6 / (requests.max(1) as f64)
}

impl Sample {
    pub(super) fn new(
        kind: Kind,
        round: u32,
        run: &RunStats,
        settled_after: Option<Duration>,
        process: Ticks,
        threads: Vec<(String, Ticks)>,
    ) -> Self {
        let (requests, seconds) = (run.answered, run.took.as_secs_f64());
        let micros = |nanos: u64| nanos as f64 / 1e3;
        let cpu = cpu::time(process.user + process.system).as_secs_f64();
        let thread = |(name, ticks): (String, Ticks)| Thread {
            name,
            user_us_per_request: per_request_us(ticks.user, requests),
            system_us_per_request: per_request_us(ticks.system, requests),
        };
        Self {
            kind,
            round,
            requests,
            seconds,
            settle_seconds: settled_after.map(|after| after.as_secs_f64()),
            requests_per_second: requests as f64 / seconds,
            p50_us: micros(run.latencies.value_at_quantile(0.50)),
            p99_us: micros(run.latencies.value_at_quantile(0.99)),
            max_us: micros(run.latencies.max()),
            cpu_us_per_request: per_request_us(process.user + process.system, requests),
            user_us_per_request: per_request_us(process.user, requests),
            system_us_per_request: per_request_us(process.system, requests),
            core_busy: cpu / (seconds + settled_after.unwrap_or_default().as_secs_f64()),
            threads: threads.into_iter().map(thread).collect(),
        }
    }
}

/// The server's CPU time at the start of a run.
pub(super) struct Meter {
    pid: u32,
    process: Ticks,
    threads: Vec<(String, Ticks)>,
}

impl Meter {
    pub(super) fn read(pid: u32) -> Result<Self, Failure> {
        let unreadable = Failure::io("cannot read the server's CPU time");
        let process = cpu::of_process(pid).map_err(&unreadable)?;
        Ok(Self { pid, process, threads: cpu::of_threads(pid).map_err(&unreadable)? })
    }

    /// What was used since.
    pub(super) fn sample(
        &self,
        kind: Kind,
        round: u32,
        run: &RunStats,
        settled_after: Option<Duration>,
    ) -> Result<Sample, Failure> {
        let now = Self::read(self.pid)?;
        let before = |name: &str| {
            let earlier = self.threads.iter().find(|(known, _)| known == name);
            earlier.map(|(_, ticks)| *ticks).unwrap_or_default()
        };
        let threads = now.threads.into_iter().map(|(name, ticks)| {
            let used = ticks - before(&name);
            (name, used)
        });
        Ok(Sample::new(kind, round, run, settled_after, now.process - self.process, threads.collect()))
    }
}
