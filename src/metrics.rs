//! Everything that Prometheus scrapes: one struct that is passed in, with its labels resolved at the start.
//!
//! A metric's name and help are given once, where its field is declared. Label values are names of enums,
//! never input. Prefix `otpgw_`, base units.

use std::marker::PhantomData;

use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::MetricFamily;
use prometheus::{
    Encoder as _, Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};

use crate::call::Call;
use crate::named::{Named, named};
use crate::subscriber::challenge::Delivery;
use crate::subscriber::lockout::Lock;
use crate::subscriber::verdict::VerdictKind;
use crate::subscriber::{GenerateRefused, GenerateRefusedKind};

/// Request durations in seconds: from a look-up in memory to a client that has given up.
const DURATION_BUCKETS_SECONDS: [f64; 14] =
    [50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 5e-3, 25e-3, 100e-3, 250e-3, 500e-3, 1.0, 2.5, 5.0, 10.0];
/// Submit round trips in seconds: from a loopback simulator to the response timer.
const SUBMIT_BUCKETS_SECONDS: [f64; 11] =
    [1e-3, 5e-3, 20e-3, 50e-3, 100e-3, 200e-3, 500e-3, 1.0, 2.0, 5.0, 30.0];

named! {
    /// How a submit ended.
    pub(crate) enum SubmitOutcome {
        /// The SMSC took it.
        Accepted = "accepted",
        /// The SMSC refused it permanently.
        Rejected = "rejected",
        /// The SMSC refused it for now; it is tried again.
        Throttled = "throttled",
        /// The SMSC failed to process it; another link sends it.
        Rerouted = "rerouted",
        /// In doubt: written in full and never answered.
        Unknown = "unknown",
    }
}

named! {
    /// Why an SMS ended without, or no longer with, an SMSC to send it to.
    pub(crate) enum Unsent {
        /// Too little time was left.
        Expired = "expired",
        /// Its challenge had ended.
        Ended = "ended",
        /// Its destination took nothing, or is silent.
        DestinationFailing = "destination_failing",
        /// The gateway stopped.
        Stopped = "stopped",
    }
}

named! {
    /// What the SMSC reports to have become of an SMS.
    pub(crate) enum DeliveryOutcome {
        /// Reached the handset.
        Delivered = "delivered",
        /// Will not reach the handset.
        Undelivered = "undelivered",
        /// Its validity ended before it reached the handset.
        Expired = "expired",
        /// Refused after the SMSC had taken it.
        Rejected = "rejected",
    }
}

impl DeliveryOutcome {
    /// `None` if a receipt with this state leaves open what becomes of the SMS.
    pub(crate) fn of(delivery: Delivery) -> Option<Self> {
        match delivery {
            Delivery::Delivered => Some(Self::Delivered),
            Delivery::Undelivered => Some(Self::Undelivered),
            Delivery::Expired => Some(Self::Expired),
            Delivery::Rejected => Some(Self::Rejected),
            Delivery::Queued | Delivery::Accepted | Delivery::Unknown | Delivery::Dropped => None,
        }
    }
}

named! {
    /// How a delivery receipt was processed.
    pub(crate) enum ReceiptOutcome {
        /// Its send is known, and its state was reported.
        Matched = "matched",
        /// Its send is known, and its state is not new.
        Repeated = "repeated",
        /// The submit's response has not arrived yet; the receipt is held until then.
        Held = "held",
        /// Its message is not known, and it has nothing worth holding.
        Unmatched = "unmatched",
        /// Its id is known, but neither of its addresses is the message's handset: it is ignored.
        Mismatched = "mismatched",
        /// It cannot be processed now: the SMSC is asked to send it again.
        Deferred = "deferred",
    }
}

/// The statuses that a call can be answered with, as `openapi.yaml` has them. Any other is counted as the last.
pub(crate) const fn statuses(call: Call) -> &'static [u16] {
    match call {
        Call::Generate => &[201, 400, 401, 403, 408, 413, 415, 422, 429, 503, UNFORESEEN],
        Call::Resend => &[202, 400, 401, 403, 408, 413, 415, 422, 429, 503, UNFORESEEN],
        Call::Verify | Call::Cancel => &[200, 400, 401, 403, 408, 413, 415, 422, 503, UNFORESEEN],
        Call::Challenge => &[200, 401, 403, 404, 503, UNFORESEEN],
        Call::Other => &[200, 401, 404, 405, UNFORESEEN],
    }
}

const UNFORESEEN: u16 = 500;

/// A counter for each value of an enum.
#[derive(Clone, Debug)]
pub(crate) struct CounterBy<E> {
    counters: Box<[IntCounter]>,
    by: PhantomData<E>,
}

impl<E: Named> CounterBy<E> {
    /// The counter of a value.
    pub(crate) fn of(&self, value: E) -> &IntCounter {
        &self.counters[value.index()]
    }

    /// Of a counter by SMSC and outcome, those of one SMSC.
    fn in_smsc(counters: &IntCounterVec, smsc: &str) -> Self {
        let counter = |outcome: &E| counters.with_label_values(&[smsc, outcome.name()]);
        Self { counters: E::ALL.iter().map(counter).collect(), by: PhantomData }
    }
}

/// Counts in a gauge for as long as it lives.
#[derive(Debug)]
pub(crate) struct Counted(IntGauge);

impl Counted {
    pub(crate) fn new(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A group of metrics: each field with its type, its name, how it is made, and a doc comment that is its
/// help.
macro_rules! metrics {
    (
        $(#[$meta:meta])*
        $visibility:vis struct $group:ident {
            $( $(#[doc = $help:literal])+ $field_visibility:vis $field:ident: $type:ty = $name:literal, $make:expr; )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug)]
        $visibility struct $group {
            $( $(#[doc = $help])+ $field_visibility $field: $type, )+
        }

        impl $group {
            fn new(registry: &Registry) -> Self {
                Self { $( $field: ($make)(registry, $name, concat!($($help),+).trim_start()), )+ }
            }
        }
    };
}

metrics! {
    /// What the API and the store count.
    pub(crate) struct ApiMetrics {
        /// API requests answered.
        requests: Requests = "otpgw_requests_total", requests;
        /// Time from a request's head to its reply.
        durations: Durations = "otpgw_request_duration_seconds", durations;
        /// Verify decisions by verdict.
        verdicts: CounterBy<VerdictKind> = "otpgw_verdicts_total", counter_by("verdict");
        /// Calls of generate that issued nothing, by reason.
        generate_refusals: CounterBy<GenerateRefusedKind> = "otpgw_generate_refusals_total", counter_by("reason");
        /// Locks that failures caused.
        locks: CounterBy<LockKind> = "otpgw_locks_total", counter_by("kind");
        /// Codes sent again.
        pub(crate) resends: IntCounter = "otpgw_resends_total", counter;
        /// Challenges issued.
        pub(crate) challenges_issued: IntCounter = "otpgw_challenges_issued_total", counter;
        /// Calls answered from a remembered idempotency key.
        pub(crate) replays: IntCounter = "otpgw_idempotent_replays_total", counter;
        /// Challenge ids presented that the subscriber does not have.
        pub(crate) unknown_presented: IntCounter = "otpgw_unknown_challenges_presented_total", counter;
        /// Subscribers loaded.
        pub(crate) subscribers: IntGauge = "otpgw_subscribers", gauge;
        /// Memory of challenges, sends and remembered keys.
        pub(crate) live_bytes: IntGauge = "otpgw_live_bytes", gauge;
        /// By how much the machine's wall clock is ahead of the gateway's, in seconds.
        pub(crate) clock_drift: Gauge = "otpgw_clock_drift_seconds", real_gauge;
        /// Open API connections.
        pub(crate) connections: IntGauge = "otpgw_connections", gauge;
        /// Lines of the log that were lost: not read in time, or not written.
        pub(crate) log_lines_dropped: IntCounter = "otpgw_log_lines_dropped_total", counter;
        /// API connections without a client's key that were closed since others came.
        pub(crate) connections_evicted: IntCounter = "otpgw_connections_evicted_total", counter;
        /// API connections closed at once since there were too many.
        pub(crate) connections_refused: IntCounter = "otpgw_connections_refused_total", counter;
    }
}

metrics! {
    /// What the links count.
    pub(crate) struct SmsMetrics {
        /// Links to the SMSC that are bound and can send.
        links_bound: IntGaugeVec = "otpgw_sms_links_bound", gauge_by_smsc;
        /// 1 while little or nothing is sent to the SMSC because it fails.
        circuit_open: IntGaugeVec = "otpgw_sms_smsc_circuit_open", gauge_by_smsc;
        /// How often the SMSC was found to fail.
        circuit_opened: IntCounterVec = "otpgw_sms_smsc_circuit_opened_total", counter_by_smsc;
        /// 1 while the SMSC refuses most messages for now, so that others are preferred to it.
        refusing: IntGaugeVec = "otpgw_sms_smsc_refusing", gauge_by_smsc;
        /// How often the SMSC began to refuse most messages for now.
        refusing_began: IntCounterVec = "otpgw_sms_smsc_refusing_began_total", counter_by_smsc;
        /// Prefixes that the SMSC refuses on their own, fails with, or leaves without an answer.
        unwell_destinations: IntGaugeVec = "otpgw_sms_smsc_unwell_destinations", gauge_by_smsc;
        /// SMS that wait to be tried again at the SMSC, or for their destination there.
        waiting: IntGaugeVec = "otpgw_sms_smsc_waiting", gauge_by_smsc;
        /// Places of the outbox that are taken.
        pub(crate) outbox_items: IntGauge = "otpgw_sms_outbox_items", gauge;
        /// Submits that wait for their response.
        pub(crate) in_flight: IntGauge = "otpgw_sms_in_flight", gauge;
        /// Binds that succeeded.
        pub(crate) binds: IntCounter = "otpgw_sms_binds_total", counter;
        /// Connections or binds that failed, and links that were lost.
        pub(crate) link_failures: IntCounter = "otpgw_sms_link_failures_total", counter;
        /// Connections to SMSCs without TLS that both sides accept.
        pub(crate) tls_failures: IntCounter = "otpgw_sms_tls_failures_total", counter;
        /// SMS that are not sent, or not sent again, by reason.
        pub(crate) unsent: CounterBy<Unsent> = "otpgw_sms_unsent_total", counter_by("reason");
        /// Submits written in full.
        written: IntCounterVec = "otpgw_sms_submits_written_total", counter_by_smsc;
        /// Submits by how they ended.
        submits: IntCounterVec = "otpgw_sms_submits_total", counter_by_smsc_and_outcome;
        /// Delivery receipts by what they report for good.
        deliveries: IntCounterVec = "otpgw_sms_deliveries_total", counter_by_smsc_and_outcome;
        /// Delivery receipts by how they were processed.
        pub(crate) receipts: CounterBy<ReceiptOutcome> = "otpgw_sms_receipts_total", counter_by("outcome");
        /// PDUs that deviate from the specification and were accepted.
        pub(crate) anomalies: IntCounter = "otpgw_sms_anomalies_total", counter;
        /// Time from a submit written in full to its response.
        submit_duration: HistogramVec = "otpgw_sms_submit_duration_seconds", submit_duration;
    }
}

/// What is counted for one SMSC, by its name.
#[derive(Clone, Debug)]
pub(crate) struct SmscMetrics {
    pub(crate) name: String,
    /// Links that are bound and can send.
    pub(crate) links_bound: IntGauge,
    /// 1 while its circuit is open or half-open.
    pub(crate) circuit_open: IntGauge,
    /// How often its circuit opened.
    pub(crate) circuit_opened: IntCounter,
    /// 1 while others are preferred to it because of its refusals.
    pub(crate) refusing: IntGauge,
    /// How often that began.
    pub(crate) refusing_began: IntCounter,
    /// Destinations that are held back or avoided.
    pub(crate) unwell_destinations: IntGauge,
    /// SMS that wait to be tried again, or for their destination.
    pub(crate) waiting: IntGauge,
    /// Submits written in full.
    pub(crate) written: IntCounter,
    /// Submits by how they ended.
    pub(crate) submits: CounterBy<SubmitOutcome>,
    deliveries: CounterBy<DeliveryOutcome>,
    /// Time from a submit written in full to its response.
    pub(crate) submit_duration: Histogram,
}

impl SmscMetrics {
    /// Counts what a receipt reports, if that is for good.
    pub(crate) fn reported(&self, delivery: Delivery) {
        if let Some(outcome) = DeliveryOutcome::of(delivery) {
            self.deliveries.of(outcome).inc();
        }
    }
}

named! {
    /// How long a lock lasts.
    enum LockKind {
        Timed = "timed",
        Disabled = "disabled",
    }
}

/// By call, then by status, as [`statuses`] lists them.
type Requests = Box<[Box<[IntCounter]>]>;
/// By call.
type Durations = Box<[Histogram]>;

/// All metrics of the gateway.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// What the API and the store count.
    pub(crate) api: ApiMetrics,
    /// What the links count.
    pub(crate) sms: SmsMetrics,
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
        let info = Opts::new("otpgw_build_info", "The running version; always 1.");
        let info = registered(&registry, IntGaugeVec::new(info, &["version"]));
        info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let process = Box::new(ProcessCollector::for_self());
        registry.register(process).expect("each name is registered once, as the tests show");
        Self { api: ApiMetrics::new(&registry), sms: SmsMetrics::new(&registry), registry }
    }

    /// Counts one answered request.
    pub(crate) fn answered(&self, call: Call, status: u16, seconds: f64) {
        let known = statuses(call);
        let index = known.iter().position(|known| *known == status).unwrap_or(known.len() - 1);
        self.api.requests[call.index()][index].inc();
        self.api.durations[call.index()].observe(seconds);
    }

    /// Counts one decision of verify.
    pub(crate) fn verdict(&self, verdict: VerdictKind) {
        self.api.verdicts.of(verdict).inc();
    }

    /// Counts one call of generate that issued nothing.
    pub(crate) fn not_issued(&self, refused: GenerateRefused) {
        self.api.generate_refusals.of(refused.kind()).inc();
    }

    /// Counts one lock that began.
    pub(crate) fn locked(&self, lock: Lock) {
        let kind = match lock {
            Lock::Until(_) => LockKind::Timed,
            Lock::Disabled => LockKind::Disabled,
        };
        self.api.locks.of(kind).inc();
    }

    /// The metrics of one SMSC. `name` comes from the configuration, which bounds the label's values.
    pub(crate) fn smsc(&self, name: &str) -> SmscMetrics {
        SmscMetrics {
            name: name.into(),
            links_bound: self.sms.links_bound.with_label_values(&[name]),
            circuit_open: self.sms.circuit_open.with_label_values(&[name]),
            circuit_opened: self.sms.circuit_opened.with_label_values(&[name]),
            refusing: self.sms.refusing.with_label_values(&[name]),
            refusing_began: self.sms.refusing_began.with_label_values(&[name]),
            unwell_destinations: self.sms.unwell_destinations.with_label_values(&[name]),
            waiting: self.sms.waiting.with_label_values(&[name]),
            written: self.sms.written.with_label_values(&[name]),
            submits: CounterBy::in_smsc(&self.sms.submits, name),
            deliveries: CounterBy::in_smsc(&self.sms.deliveries, name),
            submit_duration: self.sms.submit_duration.with_label_values(&[name]),
        }
    }

    /// Links that are bound and can send, to all SMSCs.
    pub(crate) fn links_bound(&self) -> u64 {
        let families = self.sms.links_bound.collect();
        families
            .iter()
            .flat_map(MetricFamily::get_metric)
            .map(|metric| metric.get_gauge().get_value() as u64)
            .sum()
    }

    /// The text that Prometheus scrapes.
    pub(crate) fn render(&self) -> Vec<u8> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text).expect("writing to a Vec cannot fail");
        text
    }
}

fn counter(registry: &Registry, name: &str, help: &str) -> IntCounter {
    registered(registry, IntCounter::new(name, help))
}

fn gauge(registry: &Registry, name: &str, help: &str) -> IntGauge {
    registered(registry, IntGauge::new(name, help))
}

fn real_gauge(registry: &Registry, name: &str, help: &str) -> Gauge {
    registered(registry, Gauge::new(name, help))
}

fn counter_by<E: Named>(label: &'static str) -> impl FnOnce(&Registry, &str, &str) -> CounterBy<E> {
    move |registry, name, help| {
        let counters = registered(registry, IntCounterVec::new(Opts::new(name, help), &[label]));
        let counters = E::ALL.iter().map(|value| counters.with_label_values(&[value.name()])).collect();
        CounterBy { counters, by: PhantomData }
    }
}

fn counter_by_smsc(registry: &Registry, name: &str, help: &str) -> IntCounterVec {
    registered(registry, IntCounterVec::new(Opts::new(name, help), &["smsc"]))
}

fn counter_by_smsc_and_outcome(registry: &Registry, name: &str, help: &str) -> IntCounterVec {
    registered(registry, IntCounterVec::new(Opts::new(name, help), &["smsc", "outcome"]))
}

fn gauge_by_smsc(registry: &Registry, name: &str, help: &str) -> IntGaugeVec {
    registered(registry, IntGaugeVec::new(Opts::new(name, help), &["smsc"]))
}

fn submit_duration(registry: &Registry, name: &str, help: &str) -> HistogramVec {
    let options = HistogramOpts::new(name, help).buckets(SUBMIT_BUCKETS_SECONDS.to_vec());
    registered(registry, HistogramVec::new(options, &["smsc"]))
}

fn requests(registry: &Registry, name: &str, help: &str) -> Requests {
    let requests = registered(registry, IntCounterVec::new(Opts::new(name, help), &["call", "status"]));
    let counter = |call: Call, status: &u16| requests.with_label_values(&[call.name(), &status.to_string()]);
    let by_status = |call: &Call| statuses(*call).iter().map(|status| counter(*call, status)).collect();
    Call::ALL.iter().map(by_status).collect()
}

fn durations(registry: &Registry, name: &str, help: &str) -> Durations {
    let options = HistogramOpts::new(name, help).buckets(DURATION_BUCKETS_SECONDS.to_vec());
    let durations = registered(registry, HistogramVec::new(options, &["call"]));
    Call::ALL.iter().map(|call| durations.with_label_values(&[call.name()])).collect()
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
        let smsc = metrics.smsc("main");
        smsc.reported(Delivery::Accepted);
        smsc.reported(Delivery::Delivered);
        let text = String::from_utf8(metrics.render()).unwrap();
        for line in [
            "otpgw_requests_total{call=\"verify\",status=\"200\"} 1",
            "otpgw_requests_total{call=\"other\",status=\"500\"} 1",
            "otpgw_verdicts_total{verdict=\"approved\"} 1",
            "otpgw_verdicts_total{verdict=\"locked\"} 0",
            "otpgw_generate_refusals_total{reason=\"sends_used_up\"} 0",
            "otpgw_locks_total{kind=\"timed\"} 0",
            "otpgw_sms_submits_total{outcome=\"unknown\",smsc=\"main\"} 0",
            "otpgw_sms_unsent_total{reason=\"ended\"} 0",
            "otpgw_sms_deliveries_total{outcome=\"delivered\",smsc=\"main\"} 1",
            "otpgw_sms_submit_duration_seconds_count{smsc=\"main\"} 0",
            "# TYPE process_resident_memory_bytes gauge",
            "otpgw_sms_receipts_total{outcome=\"deferred\"} 0",
            "# HELP otpgw_sms_links_bound Links to the SMSC that are bound and can send.",
            "otpgw_sms_links_bound{smsc=\"main\"} 0",
        ] {
            assert!(text.contains(line), "{line} is missing from\n{text}");
        }
        for impossible in ["call=\"verify\",status=\"201\"", "outcome=\"queued\""] {
            assert!(!text.contains(impossible), "{impossible} is in\n{text}");
        }
    }
}
