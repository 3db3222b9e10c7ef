//! `otp-loadtest faults`: many OTPs through an SMSC that fails in every way; what the gateway reports of each
//! is compared with what the handsets showed.
//!
//! The simulator draws its faults from a seed, and counts for itself what must never happen. Every challenge
//! is for a subscriber of its own, so a handset that shows two messages was sent a code twice.

mod profile;
mod steady;
mod tally;

use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::ProgressBar;
use tokio_util::sync::CancellationToken;

use crate::client::{Client, Load, Reply};
use crate::clock;
use crate::cpu::Cores;
use crate::failure::Failure;
use crate::metrics::Metrics;
use crate::programs::Programs;
use crate::progress;
use crate::requests::{Delivery, Generate, Issued, LookUp};
use crate::setup::{NUMBER_DIGITS, Setup};
use crate::signals;
use profile::Profile;
use tally::Tally;

/// The SMSC's behaviour; the seed is put before it.
const BEHAVIOR: &str = include_str!("faults/behavior.toml");
/// Subscribers that the width of a number leaves room for.
const MESSAGES_MAX: u64 = 10_u64.pow(NUMBER_DIGITS as u32) - 1;
/// Links to the SMSC: the faults of one must not affect the others.
const BINDS: usize = 10;
/// Keep-alive connections to the gateway's API.
const CONNECTIONS: usize = 16;
/// The time to live of a challenge, and the shortest that the gateway allows.
const TTL: Duration = Duration::from_secs(60);
const TTL_MIN: Duration = Duration::from_secs(30);
/// For the SMSC to answer: short, so that a window full of black holes opens again. Late answers come after
/// it.
const RESPONSE_TIMER: Duration = Duration::from_secs(2);
/// Between two batches of requests.
const BATCH_EVERY: Duration = Duration::from_millis(100);
/// After its expiry, for a challenge to come to its last delivery state: the gateway's half a minute, and
/// what a full machine may need.
const SETTLE: Duration = Duration::from_secs(35);
/// For the gateway to take all challenges, beyond the time that the rate needs.
const ISSUE_MAX: Duration = Duration::from_secs(120);
/// For a batch to be answered.
const ANSWER_MAX: Duration = Duration::from_secs(120);

#[derive(Clone, Debug, Args)]
pub(crate) struct Faults {
    /// The seeds of the faults, one run each
    #[arg(long, value_name = "SEED,…", value_delimiter = ',', default_value = "1,2,3")]
    seeds: Vec<u64>,

    /// Challenges, each of a subscriber of its own
    #[arg(long, value_name = "COUNT", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=MESSAGES_MAX))]
    messages: u64,

    /// Challenges per second
    #[arg(long, value_name = "COUNT", default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    rate: u64,

    /// Instead: one sick network, a spike of throttling, or an SMSC that refuses everything, beside good messages
    #[arg(long, value_name = "PROFILE,…", value_delimiter = ',', value_enum, conflicts_with_all = ["seeds", "messages", "rate"])]
    profile: Vec<Profile>,

    /// With --profile: how many times; medians are compared
    #[arg(long, value_name = "COUNT", default_value_t = 5, requires = "profile", value_parser = clap::value_parser!(u8).range(1..=100))]
    rounds: u8,

    /// Only see that everything works: one seed, 2000 challenges, or one short round
    #[arg(long, conflicts_with_all = ["seeds", "messages", "rate", "rounds"])]
    smoke: bool,
}

impl Faults {
    fn ttl(&self) -> Duration {
        if self.smoke { TTL_MIN } else { TTL }
    }

    /// Runs and prints.
    ///
    /// # Errors
    ///
    /// [`Failure::Wrong`] if anything happened that must not, after all has been printed; other failures at
    /// once. Nothing is left running.
    pub(crate) fn run(mut self) -> Result<(), Failure> {
        if self.smoke {
            (self.seeds, self.messages, self.rate) = (vec![1], 2000, 1000);
        }
        let stop = signals::cancel_on_signals()?;
        let cores = Cores::take(None, None, self.smoke)?;
        if !self.profile.is_empty() {
            let rounds = if self.smoke { 1 } else { self.rounds.into() };
            return profile::run(&self.profile, rounds, self.smoke, cores, &stop);
        }
        let mut wrong = 0;
        for seed in &self.seeds {
            let tally = FaultRun::start(&self, *seed, cores, &stop)?.run()?;
            write!(io::stdout(), "{tally}").map_err(Failure::io("cannot print the result"))?;
            wrong += tally.violations();
        }
        if wrong > 0 {
            return Err(Failure::Wrong(format!("{wrong} times something happened that must never happen")));
        }
        Ok(())
    }
}

/// Asks for challenges, and asks again for those that the gateway had no place or link for.
struct Issue {
    generate: Generate,
    /// Numbers still to ask for.
    due: VecDeque<u64>,
    /// Numbers that were refused.
    again: Vec<u64>,
    refused: u64,
}

impl Load for Issue {
    type Sent = u64;

    fn request(&mut self, out: &mut Vec<u8>) -> Option<u64> {
        let number = self.due.pop_front()?;
        self.generate.write(number, out);
        Some(number)
    }

    fn reply(&mut self, number: u64, reply: &Reply<'_>) -> Result<(), String> {
        if reply.status == 503 {
            self.refused += 1;
            self.again.push(number);
            return Ok(());
        }
        self.generate.reply(number, reply)
    }
}

/// One run.
struct FaultRun<'a> {
    faults: &'a Faults,
    seed: u64,
    stop: &'a CancellationToken,
    programs: Programs,
    progress: ProgressBar,
    began: Instant,
}

impl<'a> FaultRun<'a> {
    fn start(
        faults: &'a Faults,
        seed: u64,
        cores: Cores,
        stop: &'a CancellationToken,
    ) -> Result<Self, Failure> {
        let progress = progress::bar(faults.messages, "{pos}/{len} {msg}");
        progress.set_message(format!("seed {seed}: starting"));
        let setup = Setup {
            ttl: faults.ttl(),
            binds: BINDS,
            response_timer: RESPONSE_TIMER,
            marked: true,
            behavior: format!("seed = {seed}\n{BEHAVIOR}"),
            ..Setup::of(faults.messages)
        };
        let programs = Programs::start(&setup, cores, stop)?;
        Ok(Self { faults, seed, stop, programs, progress, began: clock::now() })
    }

    fn run(mut self) -> Result<Tally, Failure> {
        let mut tally = Tally::new(self.seed, self.faults.messages);
        let issued = self.issue(&mut tally)?;
        self.wait(self.faults.ttl() + SETTLE, &mut tally)?;
        tally.deliveries = self.look_up(&issued)?;
        tally.count(&Metrics::of(self.programs.web)?, &Metrics::of(self.programs.admin)?)?;
        self.progress.finish_and_clear();
        tally.took = clock::now().duration_since(self.began);
        Ok(tally)
    }

    /// Asks for all challenges, at the rate or as fast as the gateway takes them.
    fn issue(&mut self, tally: &mut Tally) -> Result<Vec<Issued>, Failure> {
        self.progress.set_message(format!("seed {}: issuing", self.seed));
        let mut client = self.client()?;
        let generate = Generate::new(&self.programs.target, 0..0);
        let mut load = Issue { generate, due: VecDeque::new(), again: Vec::new(), refused: 0 };
        let batch = (self.faults.rate * BATCH_EVERY.as_millis() as u64 / 1000).max(1);
        let (mut next, mut due_at) = (0, clock::now());
        let until = due_at + ISSUE_MAX + Duration::from_secs(self.faults.messages / self.faults.rate);
        while (load.generate.issued.len() as u64) < self.faults.messages {
            load.due.extend(load.again.drain(..));
            let end = self.faults.messages.min(next + batch.saturating_sub(load.due.len() as u64));
            load.due.extend(next..end);
            next = end;
            client.run(&mut load, ANSWER_MAX, self.stop)?;
            self.progress.set_position(load.generate.issued.len() as u64);
            self.programs.check()?;
            tally.shown(self.shown()?);
            if clock::now() > until {
                let (taken, all) = (load.generate.issued.len(), self.faults.messages);
                return Err(Failure::Wrong(format!("the gateway took {taken} of {all} challenges in time")));
            }
            due_at = (due_at + BATCH_EVERY).max(clock::now());
            clock::pause(due_at.duration_since(clock::now()));
        }
        tally.refused = load.refused;
        Ok(load.generate.issued)
    }

    fn wait(&mut self, wait: Duration, tally: &mut Tally) -> Result<(), Failure> {
        self.progress.set_message(format!("seed {}: until every challenge has settled", self.seed));
        let until = clock::now() + wait;
        while clock::now() < until {
            if self.stop.is_cancelled() {
                return Err(Failure::Stopped);
            }
            self.programs.check()?;
            tally.shown(self.shown()?);
            clock::pause(BATCH_EVERY);
        }
        Ok(())
    }

    fn look_up(&self, issued: &[Issued]) -> Result<Vec<(u64, Delivery)>, Failure> {
        self.progress.set_message(format!("seed {}: what became of each", self.seed));
        let mut look_up = LookUp::new(&self.programs.target, issued);
        self.client()?.run(&mut look_up, ANSWER_MAX, self.stop)?;
        Ok(look_up.deliveries)
    }

    fn shown(&self) -> Result<Vec<u64>, Failure> {
        Ok(self.programs.handsets.take_new()?.into_iter().map(|(number, _)| number).collect())
    }

    fn client(&self) -> Result<Client, Failure> {
        Client::connect(self.programs.target.server, CONNECTIONS).map_err(Failure::io("cannot connect"))
    }
}
