//! The programs of a measurement, and its rounds.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use tokio_util::sync::CancellationToken;

use super::Limit;
use super::bare::BareHyper;
use super::report::{Conditions, Report, Sizes};
use super::sample::{Kind, Meter, Sample};
use crate::client::{Client, Load as _};
use crate::clock;
use crate::cpu::Cores;
use crate::failure::Failure;
use crate::metrics::Metrics;
use crate::programs::Programs;
use crate::progress;
use crate::requests::{Challenge, Generate, Verify};
use crate::setup::{OPEN_MAX, SENDS_PER_DAY, Setup};

/// The time to live of a challenge: the longest that the gateway allows, so that what is issued before a run
/// can be answered in it.
const TTL: Duration = Duration::from_secs(600);
/// For requests that are not measured.
const PREPARE_MAX: Duration = Duration::from_secs(300);
/// Receipts are answered within milliseconds.
const RECEIPTS_MAX: Duration = Duration::from_secs(10);
/// Between two looks at the simulator's counter of receipts.
const LOOK_AT_RECEIPTS_EVERY: Duration = Duration::from_millis(2);
/// What a run may need beyond its length before a challenge has been answered.
const TTL_MARGIN: Duration = Duration::from_secs(15);
/// Challenges that are prepared beyond what the fastest run so far would need, in percent.
const SPARE_PERCENT: u64 = 10;

/// The running programs, and what has been measured so far.
pub(super) struct Bench {
    limit: Limit,
    stop: CancellationToken,
    progress: ProgressBar,
    programs: Programs,
    server_core: usize,
    conditions: Conditions,
    /// Challenges with their codes, the oldest first.
    challenges: VecDeque<Challenge>,
    /// The number of the next challenge, and how many were issued.
    next: u64,
    issued: u64,
    samples: Vec<Sample>,
}

impl Bench {
    /// Starts simulator and gateway, the latter with or without a line in its log for each decision.
    pub(super) fn start(
        limit: &Limit,
        cores: Cores,
        conditions: Conditions,
        stop: CancellationToken,
        logs_decisions: bool,
    ) -> Result<Self, Failure> {
        let progress = progress::bar(limit.rounds.into(), "{msg}");
        progress.set_message("starting");
        let setup = Setup {
            logs_decisions,
            ttl: TTL,
            window: limit.window.into(),
            receipts: !limit.no_receipts,
            ..Setup::of(limit.subscribers)
        };
        Ok(Self {
            limit: limit.clone(),
            programs: Programs::start(&setup, cores, &stop)?,
            stop,
            progress,
            server_core: cores.server,
            conditions,
            challenges: VecDeque::new(),
            next: 0,
            issued: 0,
            samples: Vec::new(),
        })
    }

    /// Runs all rounds, each on this gateway and then on `logging`, which also logs its decisions.
    pub(super) fn measure(mut self, mut logging: Self) -> Result<Report, Failure> {
        let mut bare = self.start_bare()?;
        for round in 1..=self.limit.rounds {
            self.bare(round, &mut bare)?;
            self.round(round)?;
            logging.round(round)?;
        }
        self.progress.finish_and_clear();
        logging.progress.finish_and_clear();
        let Limit { rounds, seconds, connections, subscribers, window, no_receipts, .. } = self.limit;
        Ok(Report {
            rounds,
            seconds,
            connections,
            subscribers,
            window,
            receipts: !no_receipts,
            conditions: self.conditions,
            samples: self.samples,
            logging: logging.samples,
        })
    }

    fn round(&mut self, round: u32) -> Result<(), Failure> {
        self.prepare(self.challenges_wanted())?;
        self.verify(round)?;
        self.generate(round)
    }

    fn show(&self, round: u32, what: &str) {
        self.progress.set_position(u64::from(round) - 1);
        self.progress.set_message(format!("round {round} of {}: {what}", self.limit.rounds));
    }

    fn client(&self, server: SocketAddr) -> Result<Client, Failure> {
        Client::connect(server, self.limit.connections.into()).map_err(Failure::io("cannot connect"))
    }

    /// Answers one challenge to learn the sizes that bare hyper is to have.
    fn start_bare(&mut self) -> Result<BareHyper, Failure> {
        self.prepare(1)?;
        let mut client = self.client(self.programs.target.server)?;
        let challenge = self.challenges.front().copied();
        let mut verify = Verify::new(&self.programs.target, &mut self.challenges);
        client.run(&mut verify, PREPARE_MAX, &self.stop)?;
        let (reply_bytes, body_bytes) = verify.reply_bytes;
        // The same bytes once more; bare hyper does not care that this challenge has been answered.
        let mut request = Vec::new();
        verify.challenges.extend(challenge);
        verify.request(&mut request);
        self.conditions.verify = Sizes { request: request.len(), reply: reply_bytes };
        BareHyper::start(request, body_bytes, self.server_core, &self.stop)
    }

    fn bare(&mut self, round: u32, bare: &mut BareHyper) -> Result<(), Failure> {
        self.show(round, "bare hyper");
        let mut client = self.client(bare.server)?;
        client.run(&mut bare.load, self.limit.warm_up(), &self.stop)?;
        let before = Meter::read(bare.process.pid())?;
        let run = client.run(&mut bare.load, self.limit.duration(), &self.stop)?;
        self.samples.push(before.sample(Kind::Echo, round, &run, None)?);
        self.conditions.echo = bare.load.sizes();
        bare.process.check()
    }

    fn verify(&mut self, round: u32) -> Result<(), Failure> {
        self.show(round, "verify");
        let mut client = self.client(self.programs.target.server)?;
        let mut load = Verify::new(&self.programs.target, &mut self.challenges);
        client.run(&mut load, self.limit.warm_up(), &self.stop)?;
        let before = Meter::read(self.programs.gateway.pid())?;
        let run = client.run(&mut load, self.limit.duration(), &self.stop)?;
        let sample = before.sample(Kind::Verify, round, &run, None)?;
        self.programs.gateway.check()?;
        self.samples.push(sample);
        Ok(())
    }

    /// Issues no more than may be open: one more would cancel the oldest, whose SMS would then not be sent if
    /// it still waited. The CPU time is counted until the last SMS has been accepted and the last receipt
    /// answered.
    fn generate(&mut self, round: u32) -> Result<(), Failure> {
        self.show(round, "generate");
        let mut client = self.client(self.programs.target.server)?;
        let asked_at = clock::now();
        let room = self.open_max().saturating_sub(self.challenges.len() as u64);
        let end = self.next_max().min(self.next + room);
        let mut load = Generate::new(&self.programs.target, self.next..end);
        client.run(&mut load, self.limit.warm_up(), &self.stop)?;
        self.settle(&load)?;
        let before = Meter::read(self.programs.gateway.pid())?;
        let run = client.run(&mut load, self.limit.duration(), &self.stop)?;
        let end = clock::now();
        let settled = self.settle(&load)?;
        let sample = before.sample(Kind::Generate, round, &run, Some(settled.duration_since(end)))?;
        self.conditions.generate = Sizes { request: load.request_bytes(), reply: load.reply_bytes };
        self.programs.gateway.check()?;
        self.samples.push(sample);
        self.keep(&load, asked_at)
    }

    /// Issues challenges, unmeasured, until `wanted` can be answered in a run.
    fn prepare(&mut self, wanted: u64) -> Result<(), Failure> {
        let oldest = clock::now() + self.limit.warm_up() + self.limit.duration() + TTL_MARGIN;
        while self.challenges.front().is_some_and(|challenge| challenge.asked_at + TTL < oldest) {
            self.challenges.pop_front();
        }
        let missing = wanted.saturating_sub(self.challenges.len() as u64);
        if self.next + missing > self.next_max() {
            let what = "the subscribers' SMS of the day are used up: take more subscribers or fewer rounds";
            return Err(Failure::Setting(what.into()));
        }
        self.progress.set_message(format!("issuing {missing} challenges to be verified"));
        let mut client = self.client(self.programs.target.server)?;
        let asked_at = clock::now();
        let mut load = Generate::new(&self.programs.target, self.next..self.next + missing);
        client.run(&mut load, PREPARE_MAX, &self.stop)?;
        self.settle(&load)?;
        self.keep(&load, asked_at)
    }

    /// Verify cannot be faster than bare hyper; once it has run, not much faster than it was.
    fn challenges_wanted(&self) -> u64 {
        let fastest = |kind| {
            let rates = self
                .samples
                .iter()
                .filter(|sample| sample.kind == kind)
                .map(|sample| sample.requests_per_second);
            rates.fold(0.0, f64::max)
        };
        let rate = match fastest(Kind::Verify) {
            0.0 => fastest(Kind::Echo),
            verify => verify,
        };
        let seconds = (self.limit.warm_up() + self.limit.duration()).as_secs_f64();
        let wanted = (rate * seconds) as u64 * (100 + SPARE_PERCENT) / 100;
        wanted.min(self.open_max())
    }

    /// Challenges that may be open at a time.
    fn open_max(&self) -> u64 {
        OPEN_MAX * self.limit.subscribers
    }

    /// One past the last challenge that may be asked for.
    fn next_max(&self) -> u64 {
        SENDS_PER_DAY * self.limit.subscribers
    }

    /// Takes over what was issued.
    fn keep(&mut self, load: &Generate, asked_at: Instant) -> Result<(), Failure> {
        self.next = load.numbers.start;
        self.issued += load.issued.len() as u64;
        let subscribers = self.limit.subscribers;
        self.challenges.extend(self.programs.handsets.join(&load.issued, subscribers, asked_at)?);
        Ok(())
    }

    /// Waits until every SMS has arrived, and every receipt has been answered.
    fn settle(&self, load: &Generate) -> Result<Instant, Failure> {
        let sms = self.issued + load.issued.len() as u64;
        let arrived = self.programs.handsets.wait_for(sms, &self.stop)?;
        if self.limit.no_receipts {
            return Ok(arrived);
        }
        let deadline = arrived + RECEIPTS_MAX;
        loop {
            let answered = self.receipts_answered()?;
            let now = clock::now();
            if answered >= sms {
                return Ok(now);
            }
            if self.stop.is_cancelled() {
                return Err(Failure::Stopped);
            }
            if now > deadline {
                return Err(Failure::Wrong(format!("{answered} of {sms} receipts were answered")));
            }
            clock::pause(LOOK_AT_RECEIPTS_EVERY);
        }
    }

    fn receipts_answered(&self) -> Result<u64, Failure> {
        let metrics = Metrics::of(self.programs.web)?;
        let answered = metrics.value("smscsim_receipts_total{event=\"acknowledged\"}")?;
        Ok(answered as u64)
    }
}
