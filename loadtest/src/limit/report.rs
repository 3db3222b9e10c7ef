//! What was measured, over all rounds.

use serde::Serialize;

use super::sample::{Kind, Sample};
use crate::median::median;

/// Bytes of a request and of its reply, heads included.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Sizes {
    pub(super) request: usize,
    pub(super) reply: usize,
}

/// What the numbers depend on besides the settings.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Conditions {
    pub(super) cpu_model: String,
    pub(super) kernel: String,
    pub(super) server_core: usize,
    pub(super) client_core: usize,
    pub(super) echo: Sizes,
    pub(super) verify: Sizes,
    pub(super) generate: Sizes,
}

impl Conditions {
    /// Of this machine; sizes are filled in as they become known.
    pub(super) fn of_machine(server_core: usize, client_core: usize) -> Self {
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
pub(super) struct Report {
    pub(super) rounds: u32,
    pub(super) seconds: u64,
    pub(super) connections: u16,
    pub(super) subscribers: u64,
    pub(super) window: u16,
    pub(super) receipts: bool,
    pub(super) conditions: Conditions,
    pub(super) samples: Vec<Sample>,
    /// Those of a gateway that logs each of its decisions.
    pub(super) logging: Vec<Sample>,
}

/// Medians over the rounds.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Summary {
    pub(super) kind: Kind,
    pub(super) requests_per_second: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    pub(super) cpu_us_per_request: f64,
    /// The least and the most of all rounds.
    pub(super) cpu_us_per_request_range: (f64, f64),
    pub(super) user_us_per_request: f64,
    pub(super) system_us_per_request: f64,
    pub(super) core_busy: f64,
    /// By the echo of the same round.
    pub(super) cpu_ratio_to_echo: f64,
    /// What a line in the log for each decision costs: the median of the rounds' differences.
    pub(super) log_cpu_us_per_request: Option<f64>,
}

#[derive(Serialize)]
struct Document<'a> {
    summary: Vec<Summary>,
    #[serde(flatten)]
    report: &'a Report,
}

impl Report {
    /// Everything, for programs.
    ///
    /// # Errors
    ///
    /// A number that JSON cannot write.
    pub(super) fn json(&self) -> serde_json::Result<String> {
        let document = Document { summary: self.summaries(), report: self };
        Ok(serde_json::to_string_pretty(&document)? + "\n")
    }

    pub(super) fn of(&self, kind: Kind) -> impl Iterator<Item = &Sample> + Clone {
        self.samples.iter().filter(move |sample| sample.kind == kind)
    }

    pub(super) fn summaries(&self) -> Vec<Summary> {
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
        let logging = self.logging.iter().filter(|logging| logging.kind == kind);
        let mut costs = logging
            .filter_map(|logging| {
                let plain = samples.clone().find(|sample| sample.round == logging.round)?;
                Some(logging.cpu_us_per_request - plain.cpu_us_per_request)
            })
            .peekable();
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
            log_cpu_us_per_request: costs.peek().is_some().then(|| median(costs)),
        })
    }
}

#[cfg(test)]
pub(super) mod testing {
    use std::time::Duration;

    use super::*;
    use crate::client::{RunStats, new_latencies};
    use crate::cpu::Ticks;

    fn sample(kind: Kind, round: u32, ticks: u64) -> Sample {
        let mut latencies = new_latencies();
        latencies.saturating_record(500_000);
        let run = RunStats { answered: 10_000, took: Duration::from_secs(10), latencies };
        let ticks = Ticks { user: ticks, system: ticks };
        let settled = (kind == Kind::Generate).then_some(Duration::from_millis(20));
        Sample::new(kind, round, &run, settled, ticks, vec![("api-0".into(), ticks)])
    }

    pub(in crate::limit) fn report() -> Report {
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
            logging: (1..=3).map(|round| sample(Kind::Verify, round, 10 * u64::from(round))).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::report;
    use super::*;

    #[test]
    fn a_ratio_is_taken_within_its_round() {
        let summary = report().summary(Kind::Verify).unwrap();
        assert!((summary.cpu_ratio_to_echo - 1.4).abs() < 1e-9);
        assert!(summary.cpu_us_per_request_range.0 < summary.cpu_us_per_request);
        assert!((summary.p50_us - 500.0).abs() < 1.0);
        // 3, 6 and 9 ticks of 10 ms in user and as much in system, for 10,000 requests.
        assert!((summary.log_cpu_us_per_request.unwrap() - 12.0).abs() < 1e-9);
        assert_eq!(report().summary(Kind::Echo).unwrap().log_cpu_us_per_request, None);
    }

    #[test]
    fn json_has_summary_conditions_and_every_run() {
        let json: serde_json::Value = serde_json::from_str(&report().json().unwrap()).unwrap();
        assert_eq!(json["summary"][1]["kind"], "verify");
        assert_eq!(json["samples"].as_array().unwrap().len(), 9);
        assert_eq!(json["conditions"]["server_core"], 0);
        assert_eq!(json["samples"][2]["threads"][0]["name"], "api-0");
    }
}
