//! `otp-loadtest faults --profile`: one sick network, a spike of throttling, or an SMSC that refuses everything, and
//! what the other messages notice of it.
//!
//! The runs of a round, those without anything bad among them, happen at the same time, so that whatever else the
//! machine does happens to all of them.

use std::fmt;
use std::io::{self, Write as _};
use std::time::Duration;

use clap::ValueEnum;
use indicatif::ProgressBar;
use tokio_util::sync::CancellationToken;

use super::steady::{self, Fate, Plan};
use crate::cpu::Cores;
use crate::failure::Failure;
use crate::median::median;
use crate::programs::Programs;
use crate::progress;
use crate::setup::Setup;

/// Networks of the good messages.
const NETWORKS: usize = 5;
/// Networks of the bad ones, where there are several.
const SICK_NETWORKS: usize = 8;
/// How many times the good messages' 99th percentile may be that without bad ones, and how much longer still.
const P99_FACTOR: f64 = 2.0;
const P99_GRACE_MS: f64 = 20.0;
/// Within so long, a message has to be shown that the first SMSC does not take and the second does.
const SECOND_MAX: Duration = Duration::from_secs(10);
/// Well, what goes on during a spike, and for how long.
const SPIKE: &str = r#"
scenario = "well 10s, throttling 3s, well"
[[phase]]
name = "well"
submit.latency = "10ms"
submit.rate = 200
[[phase]]
name = "throttling"
submit.latency = "10ms"
submit.status = "ESME_RTHROTTLED"
"#;
const SPIKE_ENDS: Duration = Duration::from_secs(13);
/// What is offered a second during it, and by when after it that much is shown again in a second, and all that waited.
const SPIKE_RATE: u64 = 100;
const RATE_WITHIN: u64 = 6;
const EMPTY_WITHIN: Duration = Duration::from_secs(12);
/// Messages to an SMSC that refuses everything.
const FAILOVER_MESSAGES: u64 = 60;

/// What is wrong with the first SMSC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    SickPrefixThrottled,
    SickPrefixQueueFull,
    SickPrefixFailing,
    SickPrefixSilent,
    SickPrefixErratic,
    /// Eight networks are sick, each of two in another way
    SickPrefixes,
    /// Everything is throttled for three seconds
    ThrottlingSpike,
    /// The first of two SMSCs refuses everything: throttled
    AllThrottled,
    /// The first of two SMSCs refuses everything: queue full
    AllQueueFull,
}

impl Profile {
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// The runs that it needs, each with the same without anything bad where it is compared with that.
    fn cases(self, short: bool) -> Vec<Case> {
        let (good, bad) = if short { (300, 30) } else { (3_000, 300) };
        let tail = Duration::from_secs(12);
        let case = |smscs: usize, kind: Kind, behavior: String, plan: Plan| {
            let setup = Setup {
                behavior,
                second: (smscs == 2).then(|| "scenario = \"healthy\"".into()),
                networks: NETWORKS,
                sick: plan.bad,
                sick_networks: if self == Self::SickPrefixes { SICK_NETWORKS } else { 1 },
                ..Setup::of(plan.good + plan.bad)
            };
            Case { profile: self, smscs, kind, setup, plan }
        };
        match self {
            Self::SickPrefixThrottled
            | Self::SickPrefixQueueFull
            | Self::SickPrefixFailing
            | Self::SickPrefixSilent
            | Self::SickPrefixErratic
            | Self::SickPrefixes => {
                let behavior = format!("scenario = \"{}\"", self.name());
                // Of several, most of what there is.
                let plan = if self == Self::SickPrefixes {
                    Plan { good: good / 5, bad: 16 * bad, good_per_second: 10, tail }
                } else {
                    Plan { good, bad, good_per_second: 50, tail }
                };
                [1, 2].map(|smscs| case(smscs, Kind::Sick, behavior.clone(), plan)).into()
            }
            Self::ThrottlingSpike => {
                let good = SPIKE_RATE * if short { 22 } else { 28 };
                let plan = Plan { good, bad: 0, good_per_second: SPIKE_RATE, tail: Duration::from_secs(3) };
                vec![case(1, Kind::Spike, SPIKE.into(), plan)]
            }
            Self::AllThrottled | Self::AllQueueFull => {
                let throttled = self == Self::AllThrottled;
                let status = if throttled { "ESME_RTHROTTLED" } else { "ESME_RMSGQFUL" };
                let plan = Plan { good: FAILOVER_MESSAGES, bad: 0, good_per_second: 10, tail };
                let behavior = format!("submit.latency = \"10ms\"\nsubmit.status = \"{status}\"\n");
                vec![case(2, Kind::Failover, behavior, plan)]
            }
        }
    }
}

/// What is to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Nothing bad: to compare with.
    Well,
    Sick,
    Spike,
    Failover,
}

#[derive(Clone, Debug)]
struct Case {
    profile: Profile,
    smscs: usize,
    kind: Kind,
    setup: Setup,
    plan: Plan,
}

impl Case {
    /// The same without bad messages, at a healthy SMSC.
    fn well(&self) -> Self {
        let plan = Plan { bad: 0, ..self.plan };
        let setup = Setup {
            behavior: "scenario = \"healthy\"".into(),
            subscribers: plan.good,
            sick: 0,
            ..self.setup.clone()
        };
        Self { kind: Kind::Well, plan, setup, ..self.clone() }
    }

    fn run(&self, cores: Cores, stop: &CancellationToken, bar: &ProgressBar) -> Result<Seen, Failure> {
        let mut programs = Programs::start(&self.setup, cores, stop)?;
        let fates = steady::run(&mut programs, self.plan, stop, |count| bar.inc(count))?;
        let (good, bad) = fates.split_at(usize::try_from(self.plan.good).unwrap_or(usize::MAX));
        let mut seen = Seen::of(good, bad);
        if self.kind == Kind::Spike {
            let ended = programs.simulator_up + SPIKE_ENDS;
            let shown_in = |second| {
                let from = ended + Duration::from_secs(second);
                let shown = good.iter().flat_map(|fate| &fate.shown);
                shown.filter(|(at, _)| (from..from + Duration::from_secs(1)).contains(at)).count()
            };
            seen.by_second_after = (0..RATE_WITHIN).map(shown_in).collect();
            let by = ended + EMPTY_WITHIN;
            let asked = good.iter().filter(|fate| fate.asked_at + Duration::from_millis(500) < by);
            let is_late = |fate: &&Fate| fate.refused.is_none() && fate.shown.iter().all(|(at, _)| *at > by);
            seen.late = asked.filter(is_late).count();
        }
        Ok(seen)
    }
}

/// What one run showed.
#[derive(Clone, Debug, Default)]
struct Seen {
    p99: Duration,
    good: usize,
    good_shown: usize,
    good_refused: usize,
    good_lost: usize,
    slowest: Duration,
    /// Of all messages.
    twice: usize,
    by_second: usize,
    bad: usize,
    bad_shown: usize,
    bad_refused: usize,
    bad_slowest: Duration,
    /// After a spike: messages shown in each of the seconds in which the rate has to come back.
    by_second_after: Vec<usize>,
    /// After a spike: messages that waited for too long.
    late: usize,
}

impl Seen {
    fn of(good: &[Fate], bad: &[Fate]) -> Self {
        let refused = |fates: &[Fate]| fates.iter().filter(|fate| fate.refused.is_some()).count();
        let mut took: Vec<_> = good.iter().filter_map(Fate::took).collect();
        took.sort_unstable();
        let bad_took: Vec<_> = bad.iter().filter_map(Fate::took).collect();
        let all = || good.iter().chain(bad);
        let by_second = all().filter(|fate| fate.shown.iter().any(|(_, second)| *second)).count();
        Self {
            p99: took.get((took.len() * 99).div_ceil(100).saturating_sub(1)).copied().unwrap_or_default(),
            good: good.len(),
            good_shown: took.len(),
            good_refused: refused(good),
            good_lost: good.iter().filter(|fate| fate.refused.is_none() && fate.shown.is_empty()).count(),
            slowest: took.last().copied().unwrap_or_default(),
            twice: all().filter(|fate| fate.shown.len() > 1).count(),
            by_second,
            bad: bad.len(),
            bad_shown: bad_took.len(),
            bad_refused: refused(bad),
            bad_slowest: bad_took.iter().max().copied().unwrap_or_default(),
            by_second_after: Vec::new(),
            late: 0,
        }
    }

    /// What must not be, in words.
    fn faults(&self, case: &Case) -> Vec<String> {
        let mut faults = Vec::new();
        let mut expect = |holds: bool, what: String| faults.extend((!holds).then_some(what));
        expect(self.good_lost == 0, format!("{} good ones lost", self.good_lost));
        expect(self.good_refused == 0, format!("{} good ones refused", self.good_refused));
        expect(self.twice == 0, format!("{} shown twice", self.twice));
        match case.kind {
            Kind::Sick if case.smscs == 2 => {
                let missing = self.bad - self.bad_shown;
                expect(
                    missing == 0,
                    format!("{missing} bad ones not shown, {} of them refused", self.bad_refused),
                );
                expect(self.bad_slowest <= SECOND_MAX, format!("a bad one took {:?}", self.bad_slowest));
            }
            Kind::Failover => {
                expect(self.by_second == self.good, format!("{} by the second SMSC", self.by_second));
                expect(self.slowest <= SECOND_MAX, format!("one took {:?}", self.slowest));
            }
            Kind::Spike => {
                let back = self.by_second_after.iter().any(|shown| *shown as u64 >= SPIKE_RATE);
                expect(back, format!("the rate is not back: {:?} a second", self.by_second_after));
                expect(self.late == 0, format!("{} still wait", self.late));
            }
            Kind::Sick | Kind::Well => {}
        }
        faults
    }
}

/// One line, beside the run that it is compared with.
struct Line<'a>(&'a Case, &'a Seen, Option<&'a Seen>);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(case, seen, well) = self;
        write!(f, "{:<23} {} SMSC  good {}/{}", case.profile.name(), case.smscs, seen.good_shown, seen.good)?;
        write!(f, "  refused {}  p99 {:.1} ms", seen.good_refused, millis(seen.p99))?;
        if let Some(well) = well {
            write!(f, " (without {:.1})", millis(well.p99))?;
        }
        match case.kind {
            Kind::Sick => write!(
                f,
                "  bad {}/{}  refused {}  by the second {}  slowest {:.1} s",
                seen.bad_shown,
                seen.bad,
                seen.bad_refused,
                seen.by_second,
                seen.bad_slowest.as_secs_f64()
            ),
            Kind::Failover => {
                write!(f, "  by the second {}  slowest {:.2} s", seen.by_second, seen.slowest.as_secs_f64())
            }
            Kind::Spike => {
                write!(f, "  shown in the seconds after it {:?}  late {}", seen.by_second_after, seen.late)
            }
            Kind::Well => Ok(()),
        }
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Runs the profiles so many times, and prints.
///
/// # Errors
///
/// [`Failure::Wrong`] if anything was seen that must not be, after all has been printed; other failures at once.
pub(super) fn run(
    profiles: &[Profile],
    rounds: usize,
    short: bool,
    cores: Cores,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    let cases: Vec<Case> = profiles.iter().flat_map(|profile| profile.cases(short)).collect();
    // One for each number of SMSCs.
    let mut wells: Vec<Case> = Vec::new();
    for case in cases.iter().filter(|case| case.kind == Kind::Sick) {
        if wells.iter().all(|well| well.smscs != case.smscs) {
            wells.push(case.well());
        }
    }
    let all: Vec<Case> = cases.iter().chain(&wells).cloned().collect();
    let messages: u64 = all.iter().map(|case| case.plan.good + case.plan.bad).sum();
    let bar = progress::bar(messages * rounds as u64, "{pos}/{len} {msg}");
    let print = |line: &str| writeln!(io::stdout(), "{line}").map_err(Failure::io("cannot print the result"));
    let mut wrong = Vec::new();
    let mut p99s: Vec<(Vec<f64>, Vec<f64>)> = vec![Default::default(); cases.len()];
    for round in 1..=rounds {
        bar.set_message(format!("round {round} of {rounds}"));
        let seen: Vec<Seen> = std::thread::scope(|scope| {
            let runs: Vec<_> = all.iter().map(|case| scope.spawn(|| case.run(cores, stop, &bar))).collect();
            let joined = runs.into_iter().map(|run| {
                run.join().unwrap_or_else(|_| Err(Failure::Wrong("a run of the load test panicked".into())))
            });
            joined.collect::<Vec<_>>()
        })
        .into_iter()
        .collect::<Result<_, _>>()?;
        let (seen, seen_well) = seen.split_at(cases.len());
        print(&format!("round {round}"))?;
        for ((case, seen), p99s) in cases.iter().zip(seen).zip(&mut p99s) {
            let well = wells.iter().zip(seen_well).find(|(well, _)| well.smscs == case.smscs);
            let well = well.map(|(_, seen)| seen).filter(|_| case.kind == Kind::Sick);
            print(&format!("  {}", Line(case, seen, well)))?;
            p99s.0.push(millis(seen.p99));
            p99s.1.extend(well.map(|seen| millis(seen.p99)));
            let name = case.profile.name();
            let faults = seen.faults(case);
            wrong.extend(
                faults.iter().map(|fault| format!("round {round}, {name}, {} SMSC: {fault}", case.smscs)),
            );
        }
    }
    bar.finish_and_clear();
    print("medians")?;
    for (case, (with, without)) in cases.iter().zip(p99s).filter(|(case, _)| case.kind == Kind::Sick) {
        let (with, without) = (median(with.into_iter()), median(without.into_iter()));
        let name = case.profile.name();
        let line = format!("{name:<23} {} SMSC  p99 {:.1} ms, without {:.1}", case.smscs, with, without);
        print(&format!("  {line}"))?;
        if with > P99_FACTOR * without + P99_GRACE_MS {
            wrong.push(line);
        }
    }
    if wrong.is_empty() { print("all is as it must be") } else { Err(Failure::Wrong(wrong.join("\n"))) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn fate(took: &[u64], second: bool) -> Fate {
        let asked_at = clock::now();
        let shown = took.iter().map(|millis| (asked_at + Duration::from_millis(*millis), second)).collect();
        Fate { asked_at, refused: None, shown }
    }

    fn case(profile: Profile, smscs: usize) -> Case {
        profile.cases(true).into_iter().find(|case| case.smscs == smscs).unwrap()
    }

    #[test]
    fn what_must_not_be_is_found() {
        let sick = case(Profile::SickPrefixThrottled, 2);
        let good = vec![fate(&[5], false); 100];
        assert!(Seen::of(&good, &[fate(&[9_000], true)]).faults(&sick).is_empty());
        let refused = Fate { refused: Some("smsc_failing".into()), ..fate(&[], false) };
        for (good, bad, found) in [
            (fate(&[], false), fate(&[1], true), "1 good ones lost"),
            (refused.clone(), fate(&[1], true), "1 good ones refused"),
            (fate(&[1, 2], false), fate(&[1], true), "1 shown twice"),
            (fate(&[1], false), fate(&[], true), "1 bad ones not shown, 0 of them refused"),
            (fate(&[1], false), refused, "1 bad ones not shown, 1 of them refused"),
            (fate(&[1], false), fate(&[10_001], true), "a bad one took 10.001s"),
        ] {
            assert_eq!(Seen::of(&[good], &[bad]).faults(&sick), [found]);
        }
        let one = case(Profile::SickPrefixThrottled, 1);
        assert!(Seen::of(&good, &[fate(&[], false)]).faults(&one).is_empty(), "with one they may fail");
        let all = case(Profile::AllThrottled, 2);
        assert_eq!(Seen::of(&[fate(&[1], false)], &[]).faults(&all), ["0 by the second SMSC"]);
        let spike = case(Profile::ThrottlingSpike, 1);
        let seen = Seen { by_second_after: vec![50, 99], late: 1, ..Seen::of(&good, &[]) };
        assert_eq!(seen.faults(&spike), ["the rate is not back: [50, 99] a second", "1 still wait"]);
    }

    #[test]
    fn the_99th_percentile_of_a_hundred_is_the_99th() {
        let good: Vec<_> = (1..=100).map(|millis| fate(&[millis], false)).collect();
        assert_eq!(Seen::of(&good, &[]).p99, Duration::from_millis(99));
    }
}
