//! `otp-loadtest window`: how much of its window a link uses.
//!
//! A link may have `window` submits without an answer, so at a round trip of `rtt` it can send no more than
//! `window / rtt` a second. The gateway measures the round trip of every submit; while its queue is never
//! empty, submits answered in a second by what the measured round trip allows is the share that is used.

use std::io::{self, Write as _};
use std::time::Duration;

use clap::Args;
use tokio_util::sync::CancellationToken;

use crate::client::Client;
use crate::clock;
use crate::cpu::Cores;
use crate::failure::Failure;
use crate::metrics::Metrics;
use crate::programs::Programs;
use crate::requests::Generate;
use crate::setup::{OPEN_MAX, Setup};
use crate::signals;

const CONNECTIONS: usize = 32;
/// The longest that the gateway allows, so that nothing that waits expires.
const TTL: Duration = Duration::from_secs(600);
/// Before the measurement, for windows to fill.
const SETTLE: Duration = Duration::from_millis(500);
/// For a batch to be answered.
const ANSWER_MAX: Duration = Duration::from_secs(120);
/// The least share of its window that a link must use, in percent.
const USED_PERCENT_MIN: f64 = 90.0;
/// Challenges that are issued between two looks at the queue.
const BATCH: u64 = 2_000;

#[derive(Clone, Debug, Args)]
pub(crate) struct Window {
    /// The SMSC's times to answer, in milliseconds
    #[arg(long, value_name = "MS,…", value_delimiter = ',', default_value = "20,100")]
    latencies: Vec<u32>,

    /// Numbers of binds
    #[arg(long, value_name = "COUNT,…", value_delimiter = ',', default_value = "1,10")]
    binds: Vec<u16>,

    /// Submits that may be unanswered on each bind
    #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    window: u16,

    /// Seconds of each measurement
    #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,

    /// Only see that everything works: 20 ms, one bind, one second
    #[arg(long, conflicts_with_all = ["latencies", "binds", "seconds"])]
    smoke: bool,
}

/// How much of its windows a gateway used.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Used {
    round_trip_seconds: f64,
    submits_per_second: f64,
    /// What the windows allow at that round trip, a second.
    capacity: f64,
}

/// What the gateway counts of submits at one moment.
#[derive(Clone, Copy, Debug)]
struct Count {
    answered: f64,
    round_trips_seconds: f64,
}

impl Used {
    fn between(before: Count, after: Count, seconds: f64, in_flight_max: f64) -> Self {
        let answered = after.answered - before.answered;
        let round_trip_seconds = (after.round_trips_seconds - before.round_trips_seconds) / answered;
        let capacity = in_flight_max / round_trip_seconds;
        Self { round_trip_seconds, submits_per_second: answered / seconds, capacity }
    }

    fn percent(&self) -> f64 {
        self.submits_per_second / self.capacity * 100.0
    }
}

impl Window {
    /// Measures and prints.
    ///
    /// # Errors
    ///
    /// [`Failure::Wrong`] if less of a window is used than must be, after all has been printed (but for a
    /// smoke test, whose machine may be busy); other failures at once. Nothing is left running.
    pub(crate) fn run(mut self) -> Result<(), Failure> {
        if self.smoke {
            (self.latencies, self.binds, self.seconds) = (vec![20], vec![1], 1);
        }
        let stop = signals::cancel_on_signals()?;
        let cores = Cores::take(None, None, self.smoke)?;
        let print = |line: String| writeln!(io::stdout(), "{line}").map_err(Failure::io("cannot print"));
        print(format!("window {}, {} s each", self.window, self.seconds))?;
        print("binds  latency  round trip  submits/s  window / round trip  used".into())?;
        let mut least = f64::INFINITY;
        for latency in &self.latencies {
            for binds in &self.binds {
                let used = self.measure(*latency, *binds, cores, &stop)?;
                least = least.min(used.percent());
                let Used { round_trip_seconds, submits_per_second, capacity } = used;
                print(format!(
                    "{binds:>5}  {latency:>4} ms  {:>7.2} ms  {submits_per_second:>9.0}  {capacity:>17.0}/s  {:>3.0} %",
                    round_trip_seconds * 1e3,
                    used.percent()
                ))?;
            }
        }
        if least < USED_PERCENT_MIN && !self.smoke {
            return Err(Failure::Wrong(format!("under {USED_PERCENT_MIN} % of a window was used")));
        }
        Ok(())
    }

    fn measure(
        &self,
        latency: u32,
        binds: u16,
        cores: Cores,
        stop: &CancellationToken,
    ) -> Result<Used, Failure> {
        let in_flight_max = f64::from(self.window) * f64::from(binds);
        let rate = in_flight_max / f64::from(latency.max(1)) * 1e3;
        // What leaves while the queue is watched and measured, and as much again.
        let wanted = 2.0 * rate * (self.seconds as f64 + SETTLE.as_secs_f64());
        let setup = Setup {
            ttl: TTL,
            binds: binds.into(),
            window: self.window.into(),
            receipts: false,
            behavior: format!("[submit]\nlatency = \"{latency}ms\"\n"),
            ..Setup::of((wanted as u64).max(BATCH))
        };
        let mut programs = Programs::start(&setup, cores, stop)?;
        let issue_max = setup.subscribers * OPEN_MAX;
        fill(&programs, wanted / 2.0, issue_max, stop)?;
        clock::pause(SETTLE);
        let (before, began) = (count(&programs)?, clock::now());
        clock::pause(Duration::from_secs(self.seconds));
        let (after, seconds) = (count(&programs)?, clock::now().duration_since(began).as_secs_f64());
        programs.check()?;
        if queued(&programs)? < in_flight_max {
            return Err(Failure::Wrong(
                "the queue ran empty: the machine cannot issue as fast as the links send".into(),
            ));
        }
        Ok(Used::between(before, after, seconds, in_flight_max))
    }
}

/// Issues challenges until `wanted` SMS wait to be sent.
fn fill(programs: &Programs, wanted: f64, issue_max: u64, stop: &CancellationToken) -> Result<(), Failure> {
    let mut client =
        Client::connect(programs.target.server, CONNECTIONS).map_err(Failure::io("cannot connect"))?;
    let mut load = Generate::new(&programs.target, 0..0);
    while queued(programs)? < wanted {
        let next = load.numbers.end;
        if next >= issue_max {
            return Err(Failure::Wrong("the links send as fast as this machine can issue".into()));
        }
        load.numbers = next..next + BATCH;
        client.run(&mut load, ANSWER_MAX, stop)?;
    }
    Ok(())
}

fn queued(programs: &Programs) -> Result<f64, Failure> {
    let metrics = Metrics::of(programs.admin)?;
    Ok(metrics.value("otpgw_sms_outbox_items")? - metrics.value("otpgw_sms_in_flight")?)
}

fn count(programs: &Programs) -> Result<Count, Failure> {
    let metrics = Metrics::of(programs.admin)?;
    Ok(Count {
        answered: metrics.value("otpgw_sms_submit_duration_seconds_count{smsc=\"main\"}")?,
        round_trips_seconds: metrics.value("otpgw_sms_submit_duration_seconds_sum{smsc=\"main\"}")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_that_is_always_full_is_used_whole() {
        let before = Count { answered: 100.0, round_trips_seconds: 2.0 };
        let after = Count { answered: 2_100.0, round_trips_seconds: 42.0 };
        let used = Used::between(before, after, 2.0, 20.0);
        assert!((used.round_trip_seconds - 0.02).abs() < 1e-9 && (used.capacity - 1_000.0).abs() < 1e-6);
        assert!((used.percent() - 100.0).abs() < 1e-6);
    }
}
