//! `otp-loadtest limit`: how far verify and generate are from bare hyper.
//!
//! The server (bare hyper, or the gateway) has one core to itself; the client, which is this process, and the
//! simulator share another. In each round every kind runs once, so that a machine that changes its speed
//! changes it for all, and a ratio is taken within its round.

mod bare;
mod bench;
mod report;
mod sample;
mod table;

use std::io::{self, Write as _};
use std::time::Duration;

use clap::Args;

use crate::cpu::Cores;
use crate::failure::Failure;
use crate::setup::NUMBER_DIGITS;
use crate::signals;
use bench::Bench;
use report::Conditions;

/// Subscribers that the width of a number leaves room for.
const SUBSCRIBERS_MAX: u64 = 10_u64.pow(NUMBER_DIGITS as u32) - 1;

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
    #[arg(long, conflicts_with = "json")]
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
        let stop = signals::cancel_on_signals()?;
        let cores = Cores::take(self.server_core, self.client_core, self.smoke)?;
        let conditions = Conditions::of_machine(cores.server, cores.client);
        let start =
            |logs_decisions| Bench::start(&self, cores, conditions.clone(), stop.clone(), logs_decisions);
        let report = start(false)?.measure(start(true)?)?;
        let text = if self.json {
            report.json().map_err(|error| Failure::Io("cannot write JSON", error.into()))?
        } else {
            table::text(&report, self.threads)
        };
        io::stdout().write_all(text.as_bytes()).map_err(Failure::io("cannot print the result"))
    }

    fn duration(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// Before each run, uncounted: caches fill, buffers grow.
    fn warm_up(&self) -> Duration {
        self.duration() / 10
    }
}
