//! `otp-loadtest hostile`: what honest callers notice of clients that mean ill.
//!
//! In each round every attack runs once, and so does none, in turn, so that a machine that changes its speed changes it for
//! all. Meanwhile honest callers come, each on a connection of its own, and a probe and a scrape of the admin listener.
//! The gateway has few places, and the attackers several sockets for each.

mod attack;
mod honest;
mod memory;

use std::io::{self, Write as _};
use std::time::Duration;

use clap::Args;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::cpu::Cores;
use crate::failure::Failure;
use crate::median::median;
use crate::metrics::Metrics;
use crate::programs::Programs;
use crate::requests::Generate;
use crate::setup::Setup;
use crate::signals;
use attack::{Aim, Attack, Attackers};
use honest::{Calls, Served};
use memory::Memory;

/// Connections that the gateway may have open.
const PLACES: usize = 60;
/// The gateway's default: each place is memory once it has been used.
const OUTBOX_ITEMS_MAX: usize = 20_000;
/// Sockets of an attack: several for each place, of the API's and of the admin listener's.
const SOCKETS: usize = 240;
/// Honest callers, and each one's calls a second.
const CALLERS: u64 = 4;
const CALLS_PER_SECOND: u32 = 25;
/// Probes and scrapes a second.
const PROBES_PER_SECOND: u32 = 10;
/// Before the callers are timed, for an attack to unfold.
const UNFOLD: Duration = Duration::from_millis(500);
/// An honest p99 may be this many times what it is without an attack, and what a shared machine adds on top.
const TIMES_MAX: f64 = 2.0;
const NOISE: Duration = Duration::from_millis(20);
/// Of a hundred calls so many may have to be made again.
const REPEATED_PERCENT_MAX: u64 = 1;
/// What TCP sockets may hold beyond what they do without an attack: some 128 KiB for each place, and the attackers' own.
const SOCKET_BYTES_MAX: u64 = 64 << 20;
/// For what an attack has left to be closed and given back.
const CLEANED_UP_WITHIN: Duration = Duration::from_secs(10);
/// Descriptors that may be open beyond those before: a scrape's own, and what closes late.
const DESCRIPTORS_SPARE: f64 = 4.0;

#[derive(Clone, Debug, Args)]
pub(crate) struct Hostile {
    /// Rounds; medians are taken over them
    #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=20))]
    rounds: u32,

    /// Seconds of each attack
    #[arg(long, value_name = "COUNT", default_value_t = 7, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,

    /// Only see that everything works: one round of two seconds; how fast it is is not judged
    #[arg(long, conflicts_with_all = ["rounds", "seconds"])]
    smoke: bool,
}

/// What one attack did in one round.
struct Outcome {
    attack: Attack,
    calls: Served,
    probes: Served,
    opened: u64,
    memory: Memory,
}

impl Hostile {
    /// Measures and prints.
    ///
    /// # Errors
    ///
    /// [`Failure::Wrong`] if an honest caller was not served or was held up, after all has been printed; other failures at
    /// once. Nothing is left running.
    pub(crate) fn run(mut self) -> Result<(), Failure> {
        if self.smoke {
            (self.rounds, self.seconds) = (1, 2);
        }
        let stop = signals::cancel_on_signals()?;
        let cores = Cores::take(None, None, self.smoke)?;
        let setup =
            Setup { connections_max: Some(PLACES), outbox_items_max: OUTBOX_ITEMS_MAX, ..Setup::of(20_000) };
        let mut programs = Programs::start(&setup, cores, &stop)?;
        say(&format!(
            "{PLACES} places, {SOCKETS} sockets, {} honest calls/s on connections of their own, {} s each",
            CALLERS * u64::from(CALLS_PER_SECOND),
            self.seconds
        ))?;
        let mut outcomes = Vec::new();
        for round in 1..=self.rounds {
            say(&format!("round {round}"))?;
            for attack in Attack::ALL {
                let outcome = self.attack(attack, outcomes.len() as u64, &mut programs, &stop)?;
                say(&outcome.line())?;
                outcomes.push(outcome);
            }
        }
        self.judge(&outcomes)
    }

    fn attack(
        &self,
        attack: Attack,
        number: u64,
        programs: &mut Programs,
        stop: &CancellationToken,
    ) -> Result<Outcome, Failure> {
        let before = open(programs)?;
        let memory =
            memory::Watch::begin(programs.gateway.pid()).map_err(Failure::io("cannot read memory"))?;
        let aim = Aim { api: programs.target.server, admin: programs.admin, sockets: SOCKETS };
        let attackers = Attackers::begin(attack, aim).map_err(Failure::io("cannot start a thread"))?;
        clock::pause(UNFOLD);
        let (calls, probes) = self.serve(programs, number)?;
        let opened = attackers.opened();
        let memory = memory.end().map_err(Failure::io("cannot read memory"))?;
        drop(attackers);
        if stop.is_cancelled() {
            return Err(Failure::Stopped);
        }
        programs.check()?;
        cleaned_up(programs, before)?;
        Ok(Outcome { attack, calls, probes, opened, memory })
    }

    /// The honest callers' calls, each to a subscriber of its own, and the probes.
    fn serve(&self, programs: &Programs, number: u64) -> Result<(Served, Served), Failure> {
        let until = clock::now() + Duration::from_secs(self.seconds);
        let generate = Generate::new(&programs.target, 0..0);
        let first = number * self.seconds * CALLERS * u64::from(CALLS_PER_SECOND);
        let call = |number: u64| {
            let mut request = Vec::new();
            generate.write(number, &mut request);
            closing(&request)
        };
        let probe = |number: u64| {
            let path = if number.is_multiple_of(2) { "/livez" } else { "/metrics" };
            closing(format!("GET {path} HTTP/1.1\r\nhost: gateway\r\n\r\n").as_bytes())
        };
        let (server, every) = (programs.target.server, Duration::from_secs(1) / CALLS_PER_SECOND);
        let calls = Calls { server, every, until, request: &call, expected: b"HTTP/1.1 201 " };
        let every = Duration::from_secs(1) / PROBES_PER_SECOND;
        let probes =
            Calls { server: programs.admin, every, until, request: &probe, expected: b"HTTP/1.1 200 " };
        std::thread::scope(|scope| {
            let calls = &calls;
            let start = |caller| scope.spawn(move || calls.make(first + caller, CALLERS));
            let callers: Vec<_> = (0..CALLERS).map(start).collect();
            let probes = scope.spawn(|| probes.make(0, 1));
            let ended = |_| Failure::Wrong("a caller of ours panicked".into());
            let mut served = Served::default();
            for caller in callers {
                served = served.and(caller.join().map_err(ended)?);
            }
            Ok((served, probes.join().map_err(ended)?))
        })
    }

    /// Whether all were served, and in time.
    fn judge(&self, outcomes: &[Outcome]) -> Result<(), Failure> {
        let of = |attack: Attack| outcomes.iter().filter(move |outcome| outcome.attack == attack);
        let p99 = |attack, served: fn(&Outcome) -> &Served| {
            median(of(attack).map(|outcome| served(outcome).p99().as_secs_f64()))
        };
        say("medians of the p99: calls (by none), probes (by none)")?;
        let mut wrong = Vec::new();
        for attack in Attack::ALL {
            let mut words = format!("  {:<15}", attack.label());
            for served in [(|outcome| &outcome.calls) as fn(&Outcome) -> &Served, |outcome| &outcome.probes] {
                let (none, here) = (p99(Attack::None, served), p99(attack, served));
                words += &format!("{:>8.1} ms ({:.2})", here * 1e3, here / none);
                if !self.smoke && here > TIMES_MAX * none + NOISE.as_secs_f64() {
                    wrong.push(format!(
                        "{}: {:.1} ms against {:.1} ms",
                        attack.label(),
                        here * 1e3,
                        none * 1e3
                    ));
                }
            }
            say(&words)?;
        }
        let quiet = of(Attack::None).map(|outcome| outcome.memory.sockets).max().unwrap_or(0);
        wrong.extend(outcomes.iter().flat_map(|outcome| outcome.wrong(quiet)));
        if wrong.is_empty() { Ok(()) } else { Err(Failure::Wrong(wrong.join("\n"))) }
    }
}

impl Outcome {
    /// What must not be, whatever the machine does. `quiet`: what sockets hold without an attack, in bytes.
    fn wrong(&self, quiet: u64) -> Vec<String> {
        let (label, mut wrong) = (self.attack.label(), Vec::new());
        for served in [&self.calls, &self.probes] {
            if let Some((why, count)) = &served.failed {
                wrong.push(format!("{label}: {count} not served, such as {why}"));
            }
            if served.repeated * 100 > served.latencies.len() as u64 * REPEATED_PERCENT_MAX {
                wrong.push(format!("{label}: {} of {} made again", served.repeated, served.latencies.len()));
            }
        }
        if self.memory.sockets > quiet + SOCKET_BYTES_MAX {
            wrong.push(format!("{label}: sockets held {} bytes, and {quiet} without", self.memory.sockets));
        }
        if self.attack != Attack::None && self.opened < SOCKETS as u64 {
            wrong.push(format!("{label}: only {} connections were opened: no attack", self.opened));
        }
        wrong
    }

    fn line(&self) -> String {
        let Self { attack, calls, probes, opened, memory } = self;
        let millis = |served: &Served| served.p99().as_secs_f64() * 1e3;
        let served = |served: &Served| served.latencies.len() as u64 - served.failed_count();
        format!(
            "  {:<15} calls {}/{} p99 {:>6.1} ms  probes {}/{} p99 {:>6.1} ms  {} made again  {opened:>6} connections opened  \
             {memory}",
            attack.label(),
            served(calls),
            calls.latencies.len(),
            millis(calls),
            served(probes),
            probes.latencies.len(),
            millis(probes),
            calls.repeated + probes.repeated,
        )
    }
}

/// The request with the wish that the connection is closed after its reply.
fn closing(request: &[u8]) -> Vec<u8> {
    let head = request.windows(2).position(|end| end == b"\r\n").map_or(0, |line| line + 2);
    [&request[..head], b"connection: close\r\n", &request[head..]].concat()
}

/// API connections, and descriptors of the gateway's process.
fn open(programs: &Programs) -> Result<(f64, f64), Failure> {
    let metrics = Metrics::of(programs.admin)?;
    Ok((metrics.value("otpgw_connections")?, metrics.value("process_open_fds")?))
}

/// Waits until nothing is left of an attack.
fn cleaned_up(programs: &Programs, before: (f64, f64)) -> Result<(), Failure> {
    let until = clock::now() + CLEANED_UP_WITHIN;
    loop {
        let now = open(programs)?;
        if now.0 <= before.0 && now.1 <= before.1 + DESCRIPTORS_SPARE {
            return Ok(());
        }
        if clock::now() > until {
            return Err(Failure::Wrong(format!(
                "after the attack {} connections and {} descriptors are open, and before {} and {}",
                now.0, now.1, before.0, before.1
            )));
        }
        clock::pause(Duration::from_millis(100));
    }
}

fn say(line: &str) -> Result<(), Failure> {
    writeln!(io::stdout(), "{line}").map_err(Failure::io("cannot print"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(attack: Attack, millis: u64, failed: Option<(String, u64)>) -> Outcome {
        let latencies = vec![Duration::from_millis(millis); 100];
        let calls = Served { latencies, repeated: 0, failed };
        let probes = Served { latencies: vec![Duration::from_millis(1); 100], ..Served::default() };
        let opened = SOCKETS as u64;
        Outcome { attack, calls, probes, opened, memory: Memory::default() }
    }

    #[test]
    fn twice_as_slow_and_what_a_machine_adds_is_good_and_more_or_a_call_without_reply_is_not() {
        let hostile = Hostile { rounds: 1, seconds: 1, smoke: false };
        let judge = |millis, failed: Option<u64>| {
            let failed = failed.map(|count| ("reset".to_owned(), count));
            let outcomes = [outcome(Attack::None, 10, None), outcome(Attack::SlowHeads, millis, failed)];
            hostile.judge(&outcomes).map_err(|failure| failure.to_string())
        };
        assert_eq!(judge(40, None), Ok(()));
        assert_eq!(judge(41, None), Err("slow heads: 41.0 ms against 10.0 ms".into()));
        assert_eq!(judge(10, Some(3)), Err("slow heads: 3 not served, such as reset".into()));
    }

    #[test]
    fn many_calls_made_again_much_memory_and_an_attack_that_is_none_are_wrong() {
        let good = || outcome(Attack::SlowHeads, 1, None);
        assert_eq!(good().wrong(0), Vec::<String>::new());
        let mut repeated = good();
        repeated.calls.repeated = 1;
        assert_eq!(repeated.wrong(0), Vec::<String>::new());
        repeated.calls.repeated = 2;
        assert_eq!(repeated.wrong(0), ["slow heads: 2 of 100 made again"]);
        let mut large = good();
        large.memory.sockets = SOCKET_BYTES_MAX + 8;
        assert_eq!(large.wrong(8), Vec::<String>::new());
        assert_eq!(large.wrong(7).len(), 1);
        let none = Outcome { opened: 239, ..good() };
        assert_eq!(none.wrong(0), ["slow heads: only 239 connections were opened: no attack"]);
    }

    #[test]
    fn a_request_asks_for_its_connection_to_be_closed() {
        let request = closing(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n");
        assert_eq!(request, b"GET / HTTP/1.1\r\nconnection: close\r\nhost: x\r\n\r\n");
    }
}
