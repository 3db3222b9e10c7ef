//! What was measured, in a table or as JSON.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::Duration;

use serde::Serialize;

use crate::client::Run;
use crate::cpu::{self, Ticks};

/// A server that is less busy wakes up for single requests, with cold caches.
const BUSY_MIN: f64 = 0.8;

/// What was run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Bare hyper.
    Echo,
    /// First approvals of challenges.
    Verify,
    /// Challenges whose SMS have reached the SMSC.
    Generate,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Echo, Self::Verify, Self::Generate];

    const fn label(self) -> &'static str {
        match self {
            Self::Echo => "bare hyper",
            Self::Verify => "verify",
            Self::Generate => "generate + SMS",
        }
    }
}

/// One run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Sample {
    pub(crate) kind: Kind,
    round: u32,
    /// Requests answered, all of them as they should be.
    requests: u64,
    /// From the first request to the last reply.
    seconds: f64,
    /// From the last reply until the last SMS was accepted and its receipt answered.
    settle_seconds: Option<f64>,
    requests_per_second: f64,
    p50_us: f64,
    p99_us: f64,
    max_us: f64,
    /// CPU time of the server's process per request.
    cpu_us_per_request: f64,
    user_us_per_request: f64,
    system_us_per_request: f64,
    /// CPU time of the server by the time that the run took, settling included: 1 is a core that is
    /// always busy.
    core_busy: f64,
    /// CPU time per request by the server's threads.
    threads: Vec<Thread>,
}

#[derive(Clone, Debug, Serialize)]
struct Thread {
    name: String,
    user_us_per_request: f64,
    system_us_per_request: f64,
}

fn per_request_us(ticks: u64, requests: u64) -> f64 {
    cpu::time(ticks).as_secs_f64() * 1e6 / (requests.max(1) as f64)
}

impl Sample {
    pub(crate) fn new(
        kind: Kind,
        round: u32,
        run: &Run,
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

    /// Requests per second.
    pub(crate) fn rate(&self) -> f64 {
        self.requests_per_second
    }
}

/// Bytes of a request and of its reply, heads included.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Sizes {
    pub(crate) request: usize,
    pub(crate) reply: usize,
}

/// What the numbers depend on besides the settings.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Conditions {
    cpu_model: String,
    kernel: String,
    server_core: usize,
    client_core: usize,
    pub(crate) echo: Sizes,
    pub(crate) verify: Sizes,
    pub(crate) generate: Sizes,
}

impl Conditions {
    /// Of this machine; sizes are filled in as they become known.
    pub(crate) fn of_machine(server_core: usize, client_core: usize) -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let cpu_info = read("/proc/cpuinfo");
        let model = cpu_info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let none = Sizes::default();
        Self {
            cpu_model: model.map_or("unknown", |(_, name)| name).into(),
            kernel: read("/proc/sys/kernel/osrelease").trim().into(),
            server_core,
            client_core,
            echo: none,
            verify: none,
            generate: none,
        }
    }
}

/// Everything that was measured.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) rounds: u32,
    pub(crate) seconds: u64,
    pub(crate) connections: u16,
    pub(crate) subscribers: u64,
    pub(crate) window: u16,
    pub(crate) receipts: bool,
    pub(crate) conditions: Conditions,
    pub(crate) samples: Vec<Sample>,
}

/// Medians over the rounds.
#[derive(Clone, Debug, Serialize)]
struct Summary {
    kind: Kind,
    requests_per_second: f64,
    p50_us: f64,
    p99_us: f64,
    cpu_us_per_request: f64,
    /// The least and the most of all rounds.
    cpu_us_per_request_range: (f64, f64),
    user_us_per_request: f64,
    system_us_per_request: f64,
    core_busy: f64,
    /// By the echo of the same round.
    cpu_ratio_to_echo: f64,
}

#[derive(Serialize)]
struct Document<'a> {
    summary: Vec<Summary>,
    #[serde(flatten)]
    report: &'a Report,
}

/// The middle value, or the mean of the two in the middle; 0 of none.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

impl Report {
    /// Prints to standard output.
    ///
    /// # Errors
    ///
    /// Those of standard output.
    pub(crate) fn print(&self, json: bool, threads: bool) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if json {
            serde_json::to_writer_pretty(&mut out, &Document { summary: self.summaries(), report: self })?;
            writeln!(out)?;
        } else {
            out.write_all(self.table().as_bytes())?;
            if threads {
                out.write_all(self.thread_table().as_bytes())?;
            }
        }
        out.flush()
    }

    fn of(&self, kind: Kind) -> impl Iterator<Item = &Sample> + Clone {
        self.samples.iter().filter(move |sample| sample.kind == kind)
    }

    fn summaries(&self) -> Vec<Summary> {
        Kind::ALL.iter().filter_map(|kind| self.summary(*kind)).collect()
    }

    fn summary(&self, kind: Kind) -> Option<Summary> {
        let samples = self.of(kind);
        samples.clone().next()?;
        let of = |value: fn(&Sample) -> f64| median(samples.clone().map(value));
        let cpu = || samples.clone().map(|sample| sample.cpu_us_per_request);
        let ratios = samples.clone().filter_map(|sample| {
            let echo = self.of(Kind::Echo).find(|echo| echo.round == sample.round)?;
            Some(sample.cpu_us_per_request / echo.cpu_us_per_request)
        });
        Some(Summary {
            kind,
            requests_per_second: of(|sample| sample.requests_per_second),
            p50_us: of(|sample| sample.p50_us),
            p99_us: of(|sample| sample.p99_us),
            cpu_us_per_request: median(cpu()),
            cpu_us_per_request_range: (cpu().fold(f64::INFINITY, f64::min), cpu().fold(0.0, f64::max)),
            user_us_per_request: of(|sample| sample.user_us_per_request),
            system_us_per_request: of(|sample| sample.system_us_per_request),
            core_busy: of(|sample| sample.core_busy),
            cpu_ratio_to_echo: median(ratios),
        })
    }

    fn table(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(
            text,
            "{:<15}{:>10}{:>9}{:>9}{:>13}{:>16}{:>16}{:>7}{:>9}",
            "",
            "requests/s",
            "p50 µs",
            "p99 µs",
            "CPU µs/req",
            "least – most",
            "user + system",
            "core",
            "× bare"
        );
        for summary in self.summaries() {
            let (least, most) = summary.cpu_us_per_request_range;
            let _ = writeln!(
                text,
                "{:<15}{:>10.0}{:>9.0}{:>9.0}{:>13.2}{:>16}{:>16}{:>6.0}%{:>9.2}",
                summary.kind.label(),
                summary.requests_per_second,
                summary.p50_us,
                summary.p99_us,
                summary.cpu_us_per_request,
                format!("{least:.2} – {most:.2}"),
                format!("{:.1} + {:.1}", summary.user_us_per_request, summary.system_us_per_request),
                summary.core_busy * 100.0,
                summary.cpu_ratio_to_echo,
            );
        }
        text.push('\n');
        self.write_notes(&mut text);
        text
    }

    fn write_notes(&self, text: &mut String) {
        let Self { rounds, seconds, connections, subscribers, window, conditions, .. } = self;
        let Conditions { cpu_model, kernel, server_core, client_core, echo, verify, generate } = conditions;
        let sms: u64 = self.of(Kind::Generate).map(|sample| sample.requests).sum();
        let settle = median(self.of(Kind::Generate).filter_map(|sample| sample.settle_seconds));
        let receipts = if self.receipts { "receipts answered" } else { "no receipts asked for" };
        let sizes = |sizes: &Sizes| format!("{} + {}", sizes.request, sizes.reply);
        let _ = writeln!(
            text,
            "Medians of {rounds} interleaved rounds of {seconds} s. CPU is utime + stime of the server's process; \
             the ratio is\ntaken within each round. Latencies are those of a closed loop of {connections} \
             keep-alive connections.\n\
             Generate: {sms} SMS, all arrived, {receipts}, counted until the last, {settle:.2} s after the last \
             reply; window {window}.\n\
             Verify: each a first approval, codes read from the handsets; {subscribers} subscribers.\n\
             Bytes of request + reply: bare hyper {}, verify {}, generate {}.\n\
             Server on core {server_core}, client and simulator on core {client_core}. {cpu_model}, Linux {kernel}.",
            sizes(echo),
            sizes(verify),
            sizes(generate),
        );
        if server_core == client_core {
            text.push_str("Server and client share a core: these numbers say nothing.\n");
        }
        for summary in self.summaries().iter().filter(|summary| summary.core_busy < BUSY_MIN) {
            let _ = writeln!(
                text,
                "{}: the server's core was idle or taken by others for {:.0} % of the time, which makes each \
                 request dearer;\nmeasure again on a quiet machine.",
                summary.kind.label(),
                (1.0 - summary.core_busy) * 100.0
            );
        }
        let expected = *seconds as f64 * 0.99;
        for sample in self.samples.iter().filter(|sample| sample.seconds < expected) {
            let _ = writeln!(
                text,
                "Round {}, {}: ended after {:.1} s, since these subscribers can have no more challenges.",
                sample.round,
                sample.kind.label(),
                sample.seconds
            );
        }
    }

    fn thread_table(&self) -> String {
        let mut text = format!("\n{:<15}{:<17}{:>13}{:>16}\n", "", "thread", "CPU µs/req", "user + system");
        for kind in Kind::ALL {
            let Some(first) = self.of(kind).next() else { continue };
            for thread in &first.threads {
                let of = |value: fn(&Thread) -> f64| {
                    let all = self.of(kind).flat_map(|sample| &sample.threads);
                    median(all.filter(|other| other.name == thread.name).map(value))
                };
                let (user, system) =
                    (of(|thread| thread.user_us_per_request), of(|thread| thread.system_us_per_request));
                let _ = writeln!(
                    text,
                    "{:<15}{:<17}{:>13.2}{:>16}",
                    kind.label(),
                    thread.name,
                    user + system,
                    format!("{user:.1} + {system:.1}")
                );
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::new_latencies;

    fn sample(kind: Kind, round: u32, ticks: u64) -> Sample {
        let mut latencies = new_latencies();
        latencies.saturating_record(500_000);
        let run = Run { answered: 10_000, took: Duration::from_secs(10), latencies };
        let ticks = Ticks { user: ticks, system: ticks };
        let settled = (kind == Kind::Generate).then_some(Duration::from_millis(20));
        Sample::new(kind, round, &run, settled, ticks, vec![("api-0".into(), ticks)])
    }

    fn report() -> Report {
        let samples = [(Kind::Echo, 5), (Kind::Verify, 7), (Kind::Generate, 14)];
        Report {
            rounds: 3,
            seconds: 10,
            connections: 32,
            subscribers: 200_000,
            window: 1000,
            receipts: true,
            conditions: Conditions::of_machine(0, 1),
            samples: (1..=3)
                .flat_map(|round| samples.map(|(kind, ticks)| sample(kind, round, ticks * u64::from(round))))
                .collect(),
        }
    }

    #[test]
    fn a_median_is_in_the_middle_whatever_the_order() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        assert_eq!(median(std::iter::empty()), 0.0);
    }

    #[test]
    fn a_ratio_is_taken_within_its_round() {
        let summary = report().summary(Kind::Verify).unwrap();
        assert!((summary.cpu_ratio_to_echo - 1.4).abs() < 1e-9);
        assert!(summary.cpu_us_per_request_range.0 < summary.cpu_us_per_request);
        assert!((summary.p50_us - 500.0).abs() < 1.0);
    }

    #[test]
    fn every_kind_has_its_row_and_shortened_runs_are_named() {
        let mut report = report();
        let table = report.table();
        for kind in Kind::ALL {
            assert!(table.contains(kind.label()), "{table}");
        }
        assert!(!table.contains("ended after") && !table.contains("say nothing"), "{table}");
        assert!(table.contains("measure again"), "a core that is busy for 1 % of the time: {table}");
        assert!(report.thread_table().contains("api-0"));
        report.samples[1].seconds = 4.0;
        report.conditions.client_core = 0;
        let table = report.table();
        assert!(
            table.contains("Round 1, verify: ended after 4.0 s") && table.contains("say nothing"),
            "{table}"
        );
    }

    #[test]
    fn the_table_is_aligned() {
        let table = report().table();
        let widths: Vec<_> = table.lines().take(4).map(|line| line.chars().count()).collect();
        assert!(widths.iter().all(|width| *width == widths[0]), "{table}");
    }

    #[test]
    fn json_has_summary_conditions_and_every_run() {
        let report = report();
        let document = Document { summary: report.summaries(), report: &report };
        let json = serde_json::to_value(document).unwrap();
        assert_eq!(json["summary"][1]["kind"], "verify");
        assert_eq!(json["samples"].as_array().unwrap().len(), 9);
        assert_eq!(json["conditions"]["server_core"], 0);
        assert_eq!(json["samples"][2]["threads"][0]["name"], "api-0");
    }
}
