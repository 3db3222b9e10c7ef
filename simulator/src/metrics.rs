//! The simulator's metrics. Labels are resolved once, here.

use prometheus::core::Collector;
use prometheus::{Encoder as _, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};

use crate::inbox::Counts;

/// Counters and gauges of one simulator; [`Metrics::new`] says what they count.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) sessions_bound: IntGauge,
    pub(crate) connections: IntCounter,
    pub(crate) connections_refused: IntCounter,
    pub(crate) tls_failures: IntCounter,
    pub(crate) capture_cut: IntCounter,
    pub(crate) binds_accepted: IntCounter,
    pub(crate) binds_refused: IntCounter,
    pub(crate) submits_accepted: IntCounter,
    /// Refused for the window or the rate.
    pub(crate) submits_throttled: IntCounter,
    /// Refused for any other reason.
    pub(crate) submits_refused: IntCounter,
    pub(crate) messages_expired: IntCounter,
    pub(crate) segments_dropped: IntCounter,
    pub(crate) receipts_sent: IntCounter,
    pub(crate) receipts_acknowledged: IntCounter,
    pub(crate) receipts_refused: IntCounter,
    pub(crate) receipts_unanswered: IntCounter,
    /// Not sent, for want of room or of a session.
    pub(crate) receipts_dropped: IntCounter,
    pub(crate) framing_errors: IntCounter,
    pub(crate) malformed_pdus: IntCounter,
    pub(crate) unknown_commands: IntCounter,
    /// Responses that answer nothing.
    pub(crate) stray_responses: IntCounter,
    pub(crate) repeated: IntCounter,
    pub(crate) shown_late: IntCounter,
    pub(crate) from_handsets: IntCounter,
    pub(crate) requests: Requests,
    pub(crate) faults: Faults,
    pub(crate) web_refused: IntCounter,
    pub(crate) stream_lost: IntCounter,
    inbox: InboxMetrics,
}

/// Requests about messages that were submitted.
#[derive(Debug)]
pub(crate) struct Requests {
    pub(crate) query: IntCounter,
    pub(crate) cancel: IntCounter,
    pub(crate) replace: IntCounter,
}

/// What the SMSC did wrong on purpose.
#[derive(Debug)]
pub(crate) struct Faults {
    pub(crate) refused: IntCounter,
    pub(crate) unanswered: IntCounter,
    pub(crate) answered_twice: IntCounter,
    pub(crate) unknown_sequence: IntCounter,
    pub(crate) generic_nack: IntCounter,
    pub(crate) disconnected: IntCounter,
    pub(crate) unbound: IntCounter,
    pub(crate) half_open: IntCounter,
    pub(crate) malformed: IntCounter,
    pub(crate) bind_refused: IntCounter,
    pub(crate) bind_unanswered: IntCounter,
    pub(crate) enquire_link_ignored: IntCounter,
    pub(crate) receipt_lost: IntCounter,
}

/// What the inbox counts under its own lock, brought here when somebody looks.
#[derive(Debug)]
struct InboxMetrics {
    messages: IntGauge,
    bytes: IntGauge,
    delivered: IntCounter,
    dropped: IntCounter,
}

/// The names are constants of this module and registered once each.
const REGISTERED: &str = "metric names are valid and distinct";

fn register<C: Collector + Clone + 'static>(registry: &Registry, made: prometheus::Result<C>) -> C {
    let collector = made.expect(REGISTERED);
    registry.register(Box::new(collector.clone())).expect(REGISTERED);
    collector
}

fn counter(registry: &Registry, name: &str, help: &str) -> IntCounter {
    register(registry, IntCounter::new(name, help))
}

fn gauge(registry: &Registry, name: &str, help: &str) -> IntGauge {
    register(registry, IntGauge::new(name, help))
}

/// A counter for each value of one label.
fn family(registry: &Registry, name: &str, label: &str, help: &str) -> impl Fn(&str) -> IntCounter + use<> {
    let counters = register(registry, IntCounterVec::new(Opts::new(name, help), &[label]));
    move |value| counters.with_label_values(&[value])
}

impl Requests {
    fn new(registry: &Registry) -> Self {
        let command = family(registry, "smscsim_requests_total", "command", "Requests about messages.");
        Self { query: command("query_sm"), cancel: command("cancel_sm"), replace: command("replace_sm") }
    }
}

impl Faults {
    fn new(registry: &Registry) -> Self {
        let help = "What the simulator did wrong because its behaviour says so.";
        let kind = family(registry, "smscsim_faults_total", "kind", help);
        Self {
            refused: kind("refused"),
            unanswered: kind("unanswered"),
            answered_twice: kind("answered_twice"),
            unknown_sequence: kind("unknown_sequence"),
            generic_nack: kind("generic_nack"),
            disconnected: kind("disconnected"),
            unbound: kind("unbound"),
            half_open: kind("half_open"),
            malformed: kind("malformed"),
            bind_refused: kind("bind_refused"),
            bind_unanswered: kind("bind_unanswered"),
            enquire_link_ignored: kind("enquire_link_ignored"),
            receipt_lost: kind("receipt_lost"),
        }
    }
}

impl InboxMetrics {
    fn new(registry: &Registry) -> Self {
        let dropped = "Messages dropped to keep the inbox within its bounds.";
        Self {
            messages: gauge(registry, "smscsim_inbox_messages", "Messages in the inbox."),
            bytes: gauge(registry, "smscsim_inbox_bytes", "Bytes of the messages in the inbox."),
            delivered: counter(registry, "smscsim_messages_delivered_total", "Messages shown by handsets."),
            dropped: counter(registry, "smscsim_inbox_dropped_total", dropped),
        }
    }

    fn update(&self, counts: &Counts) {
        self.messages.set(to_gauge(counts.messages));
        self.bytes.set(to_gauge(counts.bytes));
        self.delivered.inc_by(counts.delivered.saturating_sub(self.delivered.get()));
        self.dropped.inc_by(counts.dropped.saturating_sub(self.dropped.get()));
    }
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let registry = Registry::new();
        let counter = |name: &str, help: &str| counter(&registry, name, help);
        let family = |name: &str, label: &str, help: &str| family(&registry, name, label, help);
        let connections = "SMPP connections; those refused were too many.";
        let connections = family("smscsim_connections_total", "result", connections);
        let binds = family("smscsim_binds_total", "result", "Bind requests.");
        let submits = family("smscsim_submits_total", "result", "submit_sm.");
        let receipts = "What happened to delivery receipts; one receipt has several events.";
        let receipts = family("smscsim_receipts_total", "event", receipts);
        let errors = "What a peer sent against the protocol.";
        let errors = family("smscsim_protocol_errors_total", "kind", errors);
        let expired = "Messages that expired before a handset showed them.";
        let segments = "Segments of long messages that never became whole.";
        let repeated = "Submits whose unique parameter had come before.";
        Self {
            sessions_bound: gauge(&registry, "smscsim_sessions_bound", "SMPP sessions bound now."),
            connections: connections("accepted"),
            connections_refused: connections("refused"),
            tls_failures: counter("smscsim_tls_failures_total", "TLS handshakes that failed."),
            capture_cut: counter(
                "smscsim_capture_cut_total",
                "Connections captured in part, for want of room.",
            ),
            binds_accepted: binds("accepted"),
            binds_refused: binds("refused"),
            submits_accepted: submits("accepted"),
            submits_throttled: submits("throttled"),
            submits_refused: submits("refused"),
            messages_expired: counter("smscsim_messages_expired_total", expired),
            segments_dropped: counter("smscsim_segments_dropped_total", segments),
            receipts_sent: receipts("sent"),
            receipts_acknowledged: receipts("acknowledged"),
            receipts_refused: receipts("refused"),
            receipts_unanswered: receipts("unanswered"),
            receipts_dropped: receipts("dropped"),
            framing_errors: errors("framing"),
            malformed_pdus: errors("malformed"),
            unknown_commands: errors("unknown_command"),
            stray_responses: errors("stray_response"),
            repeated: counter("smscsim_repeated_total", repeated),
            shown_late: counter("smscsim_shown_late_total", "Messages shown after their expiry: none."),
            from_handsets: counter("smscsim_from_handsets_total", "Messages that handsets sent."),
            requests: Requests::new(&registry),
            faults: Faults::new(&registry),
            web_refused: counter("smscsim_web_refused_total", "Web connections closed for being too many."),
            stream_lost: counter(
                "smscsim_stream_lost_total",
                "Messages that stream readers were too slow for.",
            ),
            inbox: InboxMetrics::new(&registry),
            registry,
        }
    }

    /// All metrics in Prometheus' text format.
    pub(crate) fn render(&self, inbox: &Counts) -> Vec<u8> {
        self.inbox.update(inbox);
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
        metrics.submits_accepted.inc();
        let counts = Counts { delivered: 3, dropped: 1, messages: 2, bytes: 700 };
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
