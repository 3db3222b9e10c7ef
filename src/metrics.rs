//! Everything that Prometheus scrapes: one struct, passed in, its labels resolved at the start.
//!
//! Label values are names of enums, never input. Prefix `otpgw_`, base units.

use std::marker::PhantomData;

use prometheus::core::Collector;
use prometheus::{
    Encoder as _, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Opts, Registry, TextEncoder,
};

use crate::named::{Named, named};
use crate::subscriber::verdict::VerdictKind;

/// Request durations in seconds: from a look-up in memory to a client that has given up.
const DURATION_BUCKETS_SECONDS: [f64; 10] =
    [50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 5e-3, 25e-3, 100e-3, 1.0, 10.0];
/// Submit round trips in seconds: from a loopback simulator to the response timer.
const SUBMIT_BUCKETS_SECONDS: [f64; 9] = [1e-3, 5e-3, 20e-3, 50e-3, 100e-3, 500e-3, 1.0, 5.0, 30.0];

named! {
    /// The API calls.
    pub enum Call {
        /// `POST /v1/otp/generate`.
        Generate = "generate",
        /// `POST /v1/otp/verify`.
        Verify = "verify",
        /// `POST /v1/otp/resend`.
        Resend = "resend",
        /// `POST /v1/otp/cancel`.
        Cancel = "cancel",
        /// `GET …/challenges/{challenge_id}`.
        Challenge = "challenge",
        /// Anything else.
        Other = "other",
    }
}

/// The statuses that the API answers with, the rest being counted as 500.
const STATUSES: [u16; 15] =
    [200, 201, 202, 400, 401, 403, 404, 405, 408, 413, 415, 422, 429, 503, UNFORESEEN];
/// What a status that is none of ours counts as.
const UNFORESEEN: u16 = 500;

/// A counter for each value of an enum.
#[derive(Debug)]
struct CounterBy<E> {
    counters: Box<[IntCounter]>,
    by: PhantomData<E>,
}

impl<E: Named> CounterBy<E> {
    fn new(counters: &IntCounterVec) -> Self {
        let counters = E::ALL.iter().map(|value| counters.with_label_values(&[value.name()])).collect();
        Self { counters, by: PhantomData }
    }

    fn of(&self, value: E) -> &IntCounter {
        &self.counters[value.index()]
    }
}

/// Counts and times of one API call.
#[derive(Debug)]
struct CallMetrics {
    by_status: [IntCounter; STATUSES.len()],
    duration: Histogram,
}

/// What is counted for one SMSC, by its name.
#[derive(Clone, Debug)]
pub struct SmscMetrics {
    /// The SMSC's name in the configuration.
    pub name: String,
    /// Links that are bound and can send.
    pub links_bound: IntGauge,
    /// 1 while its circuit is open or half-open.
    pub circuit_open: IntGauge,
    /// How often its circuit opened.
    pub circuit_opened: IntCounter,
}

/// What the links count.
#[derive(Debug)]
pub struct SmsMetrics {
    links_bound: IntGaugeVec,
    circuit_open: IntGaugeVec,
    circuit_opened: IntCounterVec,
    /// Places of the outbox that are taken.
    pub outbox_items: IntGauge,
    /// Links that are bound and can send, to all SMSCs.
    pub link_bound: IntGauge,
    /// Submits without a response yet.
    pub in_flight: IntGauge,
    /// Binds that succeeded.
    pub binds: IntCounter,
    /// Connections or binds that failed, and links that were lost.
    pub link_failures: IntCounter,
    /// Connections that ended since there was no TLS, or none any more.
    pub tls_failures: IntCounter,
    /// Submits written in full.
    pub submitted: IntCounter,
    /// Submits that the SMSC accepted.
    pub accepted: IntCounter,
    /// Submits that the SMSC refused for good.
    pub rejected: IntCounter,
    /// Submits that the SMSC refused for now and that are tried again.
    pub throttled: IntCounter,
    /// Submits that the SMSC could not deal with and that another link takes.
    pub rerouted: IntCounter,
    /// Submits in doubt: written in full and never answered.
    pub unknown: IntCounter,
    /// Items dropped unsent: the challenge had ended or too little time was left.
    pub dropped: IntCounter,
    /// Receipts that found their message and were news of it.
    pub receipts_matched: IntCounter,
    /// Receipts that found their message and said nothing new.
    pub receipts_repeated: IntCounter,
    /// Receipts of no known message, held until a response brings it.
    pub receipts_held: IntCounter,
    /// Receipts for unknown or forgotten messages that said nothing worth holding.
    pub receipts_unmatched: IntCounter,
    /// Receipts answered with 0x64 since the gateway was behind.
    pub receipts_deferred: IntCounter,
    /// PDUs that were not as the specification has them and were understood all the same.
    pub anomalies: IntCounter,
    /// From a submit written in full to its response.
    pub submit_duration: Histogram,
}

/// All metrics of the gateway.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// By [`Named::index`].
    calls: Box<[CallMetrics]>,
    verdicts: CounterBy<VerdictKind>,
    /// Challenges issued.
    pub challenges_issued: IntCounter,
    /// Calls answered from a remembered idempotency key.
    pub replays: IntCounter,
    /// Ids presented that were none of the presenter's.
    pub unknown_presented: IntCounter,
    /// Subscribers loaded.
    pub subscribers: IntGauge,
    /// Bytes of challenges, sends and remembered keys.
    pub live_bytes: IntGauge,
    /// Open API connections.
    pub connections: IntGauge,
    /// Connections closed at once since there were too many.
    pub connections_refused: IntCounter,
    /// What the ESME link counts.
    pub sms: SmsMetrics,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Registers every metric, so that each is scraped from the first second on.
    pub fn new() -> Self {
        let registry = Registry::new();
        let requests = registered(
            &registry,
            labelled("otpgw_requests_total", "API requests answered.", &["call", "status"]),
        );
        let durations = registered(
            &registry,
            HistogramVec::new(
                HistogramOpts::new(
                    "otpgw_request_duration_seconds",
                    "Time from a request's head to its reply.",
                )
                .buckets(DURATION_BUCKETS_SECONDS.to_vec()),
                &["call"],
            ),
        );
        let verdicts = registered(
            &registry,
            labelled("otpgw_verdicts_total", "Verify decisions by verdict.", &["verdict"]),
        );
        let info = Opts::new("otpgw_build_info", "The running version; always 1.");
        let info = registered(&registry, IntGaugeVec::new(info, &["version"]));
        info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let counter = |name, help| registered(&registry, IntCounter::new(name, help));
        let gauge = |name, help| registered(&registry, IntGauge::new(name, help));
        let call_metrics = |call: Call| CallMetrics {
            by_status: STATUSES.map(|status| requests.with_label_values(&[call.name(), &status.to_string()])),
            duration: durations.with_label_values(&[call.name()]),
        };
        Self {
            calls: Call::ALL.iter().map(|call| call_metrics(*call)).collect(),
            verdicts: CounterBy::new(&verdicts),
            challenges_issued: counter("otpgw_challenges_issued_total", "Challenges issued."),
            replays: counter(
                "otpgw_idempotent_replays_total",
                "Calls answered from a remembered idempotency key.",
            ),
            unknown_presented: counter(
                "otpgw_unknown_challenges_presented_total",
                "Challenge ids presented that were none of the presenter's.",
            ),
            subscribers: gauge("otpgw_subscribers", "Subscribers loaded."),
            live_bytes: gauge("otpgw_live_bytes", "Memory of challenges, sends and remembered keys."),
            connections: gauge("otpgw_connections", "Open API connections."),
            connections_refused: counter(
                "otpgw_connections_refused_total",
                "API connections closed at once since there were too many.",
            ),
            sms: SmsMetrics::new(&registry),
            registry,
        }
    }

    /// Counts one answered request.
    pub fn answered(&self, call: Call, status: u16, seconds: f64) {
        let metrics = &self.calls[call.index()];
        let index = STATUSES.iter().position(|known| *known == status).unwrap_or(STATUSES.len() - 1);
        metrics.by_status[index].inc();
        metrics.duration.observe(seconds);
    }

    /// Counts one decision of verify.
    pub fn verdict(&self, verdict: VerdictKind) {
        self.verdicts.of(verdict).inc();
    }

    /// What is counted for the SMSC of this name, which an operator gave it: there are few.
    pub fn smsc(&self, name: &str) -> SmscMetrics {
        SmscMetrics {
            name: name.into(),
            links_bound: self.sms.links_bound.with_label_values(&[name]),
            circuit_open: self.sms.circuit_open.with_label_values(&[name]),
            circuit_opened: self.sms.circuit_opened.with_label_values(&[name]),
        }
    }

    /// The text that Prometheus scrapes.
    pub fn render(&self) -> Vec<u8> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text).expect("writing to a Vec cannot fail");
        text
    }
}

impl SmsMetrics {
    fn new(registry: &Registry) -> Self {
        let counter = |name, help| registered(registry, IntCounter::new(name, help));
        let gauge = |name, help| registered(registry, IntGauge::new(name, help));
        let submits = registered(
            registry,
            labelled("otpgw_sms_submits_total", "What became of submits.", &["outcome"]),
        );
        let receipts = registered(
            registry,
            labelled("otpgw_sms_receipts_total", "What became of delivery receipts.", &["outcome"]),
        );
        let submit_duration = HistogramOpts::new(
            "otpgw_sms_submit_duration_seconds",
            "Time from a submit written in full to its response.",
        );
        let by_smsc =
            |name: &str, help: &str| registered(registry, IntGaugeVec::new(Opts::new(name, help), &["smsc"]));
        Self {
            links_bound: by_smsc(
                "otpgw_sms_smsc_links_bound",
                "Links to the SMSC that are bound and can send.",
            ),
            circuit_open: by_smsc(
                "otpgw_sms_smsc_circuit_open",
                "1 while nothing or little is sent to the SMSC since it fails.",
            ),
            circuit_opened: registered(
                registry,
                labelled(
                    "otpgw_sms_smsc_circuit_opened_total",
                    "How often the SMSC was found to fail.",
                    &["smsc"],
                ),
            ),
            outbox_items: gauge("otpgw_sms_outbox_items", "Places of the outbox that are taken."),
            link_bound: gauge("otpgw_sms_link_bound", "Links that are bound and can send, to all SMSCs."),
            in_flight: gauge("otpgw_sms_in_flight", "Submits that wait for their response."),
            binds: counter("otpgw_sms_binds_total", "Binds that succeeded."),
            link_failures: counter(
                "otpgw_sms_link_failures_total",
                "Connections or binds that failed, and links that were lost.",
            ),
            tls_failures: counter(
                "otpgw_sms_tls_failures_total",
                "Connections to SMSCs without TLS that both sides accept.",
            ),
            submitted: counter("otpgw_sms_submitted_total", "Submits written in full."),
            accepted: submits.with_label_values(&["accepted"]),
            rejected: submits.with_label_values(&["rejected"]),
            throttled: submits.with_label_values(&["throttled"]),
            rerouted: submits.with_label_values(&["rerouted"]),
            unknown: submits.with_label_values(&["unknown"]),
            dropped: submits.with_label_values(&["dropped"]),
            receipts_matched: receipts.with_label_values(&["matched"]),
            receipts_repeated: receipts.with_label_values(&["repeated"]),
            receipts_held: receipts.with_label_values(&["held"]),
            receipts_unmatched: receipts.with_label_values(&["unmatched"]),
            receipts_deferred: receipts.with_label_values(&["deferred"]),
            anomalies: counter("otpgw_sms_anomalies_total", "Odd PDUs that were understood all the same."),
            submit_duration: registered(
                registry,
                Histogram::with_opts(submit_duration.buckets(SUBMIT_BUCKETS_SECONDS.to_vec())),
            ),
        }
    }
}

fn labelled(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntCounterVec> {
    IntCounterVec::new(Opts::new(name, help), labels)
}

fn registered<C: Collector + Clone + 'static>(registry: &Registry, collector: prometheus::Result<C>) -> C {
    let collector = collector.expect("names and labels are valid, as the tests show");
    registry.register(Box::new(collector.clone())).expect("each name is registered once, as the tests show");
    collector
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_there_from_the_start_and_counts() {
        let metrics = Metrics::new();
        metrics.answered(Call::Verify, 200, 0.001);
        metrics.answered(Call::Other, 999, 0.001);
        metrics.verdict(VerdictKind::Approved);
        let text = String::from_utf8(metrics.render()).unwrap();
        for line in [
            "otpgw_requests_total{call=\"verify\",status=\"200\"} 1",
            "otpgw_requests_total{call=\"other\",status=\"500\"} 1",
            "otpgw_verdicts_total{verdict=\"approved\"} 1",
            "otpgw_verdicts_total{verdict=\"locked\"} 0",
            "otpgw_sms_link_bound 0",
        ] {
            assert!(text.contains(line), "{line} is missing from\n{text}");
        }
    }
}
