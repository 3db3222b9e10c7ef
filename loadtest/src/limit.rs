//! `otp-loadtest limit`: how far verify and generate are from bare hyper.
//!
//! The server (bare hyper, or the gateway) runs alone on one core; the client, which is this process, and
//! the simulator share another. In each round every kind runs once, so that a machine that changes its
//! speed changes it for all, and a ratio is taken within its round.

mod bench;
mod files;
mod handsets;
mod load;

use std::time::Duration;

use clap::Args;

use crate::cpu;
use crate::failure::Failure;
use crate::report::Conditions;
use crate::stop::Stop;
use bench::Bench;
use files::NUMBER_DIGITS;

/// Subscribers that the width of a number leaves room for.
const SUBSCRIBERS_MAX: u64 = 10_u64.pow(NUMBER_DIGITS as u32) - 1;

/// Settings of `limit`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Limit {
    /// Rounds; medians are taken over them
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    rounds: u32,

    /// Seconds of each run; under 10 the numbers are not worth much
    #[arg(long, value_name = "COUNT", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,

    /// Keep-alive connections, each with one request under way
    #[arg(long, value_name = "COUNT", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1000))]
    connections: u16,

    /// Subscribers of the gateway
    #[arg(long, value_name = "COUNT", default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(100..=SUBSCRIBERS_MAX))]
    subscribers: u64,

    /// SMPP submits that may be unanswered; the default is the gateway's
    #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    window: u16,

    /// Ask for no delivery receipts
    #[arg(long)]
    no_receipts: bool,

    /// The core of the server [default: the first that this process may use]
    #[arg(long, value_name = "CORE")]
    server_core: Option<usize>,

    /// The core of client and simulator [default: the second]
    #[arg(long, value_name = "CORE")]
    client_core: Option<usize>,

    /// Only see that everything works: one round of 1 s, 2000 subscribers, 8 connections
    #[arg(long, conflicts_with_all = ["rounds", "seconds", "connections", "subscribers"])]
    smoke: bool,

    /// Also print the CPU time of the server's threads
    #[arg(long)]
    threads: bool,

    /// Print JSON instead of the table
    #[arg(long)]
    json: bool,
}

impl Limit {
    /// Measures and prints.
    ///
    /// # Errors
    ///
    /// [`Failure`]; then nothing is printed and nothing is left running.
    pub(crate) fn run(mut self) -> Result<(), Failure> {
        if self.smoke {
            (self.rounds, self.seconds, self.connections, self.subscribers) = (1, 1, 8, 2000);
        }
        let stop = Stop::on_signals().map_err(Failure::io("cannot catch signals"))?;
        let (server_core, client_core) = self.cores()?;
        // Threads that start from here on, this process's own, inherit the core.
        cpu::pin(client_core).map_err(Failure::io("cannot run on the client's core"))?;
        let conditions = Conditions::of_machine(server_core, client_core);
        let report = Bench::start(&self, server_core, client_core, conditions, stop)?.measure()?;
        report.print(self.json, self.threads).map_err(Failure::io("cannot print the result"))
    }

    fn cores(&self) -> Result<(usize, usize), Failure> {
        let allowed = cpu::allowed_cores().map_err(Failure::io("cannot tell the cores of this machine"))?;
        let first = *allowed.first().ok_or_else(|| Failure::Setting("no core may be used".into()))?;
        // On a machine with one core both share it: good for a smoke test alone, and reported.
        let second = *allowed.get(1).unwrap_or(&first);
        let cores = (self.server_core.unwrap_or(first), self.client_core.unwrap_or(second));
        if !allowed.contains(&cores.0) || !allowed.contains(&cores.1) {
            return Err(Failure::Setting(format!("of the cores, {allowed:?} may be used")));
        }
        if cores.0 == cores.1 && !self.smoke {
            return Err(Failure::Setting("two cores are needed: one for the server alone".into()));
        }
        Ok(cores)
    }

    fn duration(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// Before each run, uncounted: caches fill, buffers grow.
    fn warm_up(&self) -> Duration {
        self.duration() / 10
    }
}
