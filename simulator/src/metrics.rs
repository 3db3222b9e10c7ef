//! The simulator's metrics. A metric's name and help are said once, where it is declared.

use prometheus::core::Collector;
use prometheus::{Encoder as _, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};

use crate::inbox::Counts;

/// What a field of [`Metrics`] can be.
trait Metric {
    fn new(registry: &Registry, name: &str, help: &str) -> Self;
}

impl Metric for IntCounter {
    fn new(registry: &Registry, name: &str, help: &str) -> Self {
        registered(registry, Self::new(name, help))
    }
}

impl Metric for IntGauge {
    fn new(registry: &Registry, name: &str, help: &str) -> Self {
        registered(registry, Self::new(name, help))
    }
}

fn registered<C: Collector + Clone + 'static>(registry: &Registry, collector: prometheus::Result<C>) -> C {
    let collector = collector.expect("names and labels are valid, as the test shows");
    registry.register(Box::new(collector.clone())).expect("each name is registered once, as the test shows");
    collector
}

/// Declares [`Metrics`]: each field with its type, its name, and a doc comment that is its help.
macro_rules! metrics {
    ($( $(#[doc = $help:literal])+ $visibility:vis $field:ident: $type:ty = $name:literal; )+) => {
        /// Counters and gauges of one simulator.
        #[derive(Debug)]
        pub(crate) struct Metrics {
            registry: Registry,
            $( $(#[doc = $help])+ $visibility $field: $type, )+
        }

        impl Metrics {
            pub(crate) fn new() -> Self {
                let registry = Registry::new();
                Self {
                    $( $field: Metric::new(&registry, $name, concat!($($help),+).trim_start()), )+
                    registry,
                }
            }
        }
    };
}

/// Declares a counter for each value of a label, which names its field.
macro_rules! counters {
    ($family:ident by $label:literal: $($value:ident),+) => {
        #[derive(Debug)]
        pub(crate) struct $family { $( pub(crate) $value: IntCounter, )+ }

        impl Metric for $family {
            fn new(registry: &Registry, name: &str, help: &str) -> Self {
                let family = registered(registry, IntCounterVec::new(Opts::new(name, help), &[$label]));
                Self { $( $value: family.with_label_values(&[stringify!($value)]), )+ }
            }
        }
    };
}

metrics! {
    /// SMPP sessions bound now.
    pub(crate) sessions_bound: IntGauge = "smscsim_sessions_bound";
    /// SMPP connections; those refused were too many.
    pub(crate) connections: Results = "smscsim_connections_total";
    /// TLS handshakes that failed.
    pub(crate) tls_failures: IntCounter = "smscsim_tls_failures_total";
    /// Connections captured in part, for want of room.
    pub(crate) capture_cut: IntCounter = "smscsim_capture_cut_total";
    /// Bind requests.
    pub(crate) binds: Results = "smscsim_binds_total";
    /// submit_sm.
    pub(crate) submits: Submits = "smscsim_submits_total";
    /// Messages that expired before a handset showed them.
    pub(crate) messages_expired: IntCounter = "smscsim_messages_expired_total";
    /// Segments of long messages that never became whole.
    pub(crate) segments_dropped: IntCounter = "smscsim_segments_dropped_total";
    /// What happened to delivery receipts; one receipt has several events.
    pub(crate) receipts: Receipts = "smscsim_receipts_total";
    /// What a peer sent against the protocol.
    pub(crate) errors: Errors = "smscsim_protocol_errors_total";
    /// Submits whose unique parameter had come before.
    pub(crate) repeated: IntCounter = "smscsim_repeated_total";
    /// Messages shown after their expiry: none.
    pub(crate) shown_late: IntCounter = "smscsim_shown_late_total";
    /// Messages that handsets sent.
    pub(crate) from_handsets: IntCounter = "smscsim_from_handsets_total";
    /// Requests about messages.
    pub(crate) requests: Requests = "smscsim_requests_total";
    /// What the simulator did wrong because its behaviour says so.
    pub(crate) faults: Faults = "smscsim_faults_total";
    /// The step of the scenario that is in force, counted from 1; 0 without a scenario.
    pub(crate) scenario_step: IntGauge = "smscsim_scenario_step";
    /// Web connections closed for being too many.
    pub(crate) web_refused: IntCounter = "smscsim_web_refused_total";
    /// Messages that stream readers were too slow for.
    pub(crate) stream_lost: IntCounter = "smscsim_stream_lost_total";
    /// Messages in the inbox.
    inbox_messages: IntGauge = "smscsim_inbox_messages";
    /// Bytes of the messages in the inbox.
    inbox_bytes: IntGauge = "smscsim_inbox_bytes";
    /// Messages shown by handsets.
    messages_delivered: IntCounter = "smscsim_messages_delivered_total";
    /// Messages dropped to keep the inbox within its bounds.
    inbox_dropped: IntCounter = "smscsim_inbox_dropped_total";
}

counters!(Results by "result": accepted, refused);
// Those refused for the window or the rate are throttled.
counters!(Submits by "result": accepted, throttled, refused);
// Those dropped were not sent, for want of room or of a session.
counters!(Receipts by "event": sent, acknowledged, refused, unanswered, dropped);
// A stray response answers nothing.
counters!(Errors by "kind": framing, malformed, unknown_command, stray_response);
counters!(Requests by "command": query_sm, cancel_sm, replace_sm);
counters!(
    Faults by "kind": refused, unanswered, answered_twice, unknown_sequence, generic_nack, disconnected,
    unbound, half_open, malformed, bind_refused, bind_unanswered, enquire_link_ignored, receipt_lost
);

impl Metrics {
    /// All metrics in Prometheus' text format, with what the inbox counts under its own lock.
    pub(crate) fn render(&self, inbox: &Counts) -> Vec<u8> {
        self.inbox_messages.set(to_gauge(inbox.messages));
        self.inbox_bytes.set(to_gauge(inbox.bytes));
        self.messages_delivered.inc_by(inbox.delivered.saturating_sub(self.messages_delivered.get()));
        self.inbox_dropped.inc_by(inbox.dropped.saturating_sub(self.inbox_dropped.get()));
        let mut text = Vec::new();
        TextEncoder::new()
            .encode(&self.registry.gather(), &mut text)
            .expect("a gathered registry always encodes into memory");
        text
    }
}

fn to_gauge(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renders_every_result_from_the_start_and_the_inbox_as_it_is() {
        let metrics = Metrics::new();
        metrics.submits.accepted.inc();
        let counts = Counts { delivered: 3, dropped: 1, messages: 2, handsets: 1, bytes: 700 };
        metrics.render(&counts);
        let text = String::from_utf8(metrics.render(&counts)).unwrap();
        for line in [
            "smscsim_submits_total{result=\"accepted\"} 1",
            "smscsim_receipts_total{event=\"dropped\"} 0",
            "smscsim_messages_delivered_total 3",
            "smscsim_inbox_dropped_total 1",
            "smscsim_inbox_bytes 700",
            "smscsim_repeated_total 0",
            "smscsim_shown_late_total 0",
            "smscsim_requests_total{command=\"cancel_sm\"} 0",
            "smscsim_faults_total{kind=\"receipt_lost\"} 0",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line} in\n{text}");
        }
    }
}
