//! What was measured, as text for people.

use std::fmt::Write as _;

use super::report::{Conditions, Report, Sizes};
use super::sample::{Kind, Thread};
use crate::median::median;

/// A server that is less busy wakes up for single requests, with cold caches.
const BUSY_MIN: f64 = 0.8;

/// The table, and that of the server's threads if `with_threads`.
pub(super) fn text(report: &Report, with_threads: bool) -> String {
    let mut text = table(report);
    if with_threads {
        text.push_str(&thread_table(report));
    }
    text
}

fn table(report: &Report) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{:<15}{:>10}{:>9}{:>9}{:>13}{:>16}{:>16}{:>7}{:>9}{:>10}",
        "",
        "requests/s",
        "p50 µs",
        "p99 µs",
        "CPU µs/req",
        "least – most",
        "user + system",
        "core",
        "× bare",
        "+ log µs"
    );
    for summary in report.summaries() {
        let (least, most) = summary.cpu_us_per_request_range;
        let _ = writeln!(
            text,
            "{:<15}{:>10.0}{:>9.0}{:>9.0}{:>13.2}{:>16}{:>16}{:>6.0}%{:>9.2}{:>10}",
            summary.kind.label(),
            summary.requests_per_second,
            summary.p50_us,
            summary.p99_us,
            summary.cpu_us_per_request,
            format!("{least:.2} – {most:.2}"),
            format!("{:.1} + {:.1}", summary.user_us_per_request, summary.system_us_per_request),
            summary.core_busy * 100.0,
            summary.cpu_ratio_to_echo,
            summary.log_cpu_us_per_request.map_or_else(|| "–".to_owned(), |cost| format!("{cost:.2}")),
        );
    }
    text.push('\n');
    write_notes(report, &mut text);
    text
}

fn write_notes(report: &Report, text: &mut String) {
    let Report { rounds, seconds, connections, subscribers, window, conditions, .. } = report;
    let Conditions { cpu_model, kernel, server_core, client_core, echo, verify, generate } = conditions;
    let sms: u64 = report.of(Kind::Generate).map(|sample| sample.requests).sum();
    let settle = median(report.of(Kind::Generate).filter_map(|sample| sample.settle_seconds));
    let receipts = if report.receipts { "receipts answered" } else { "no receipts asked for" };
    let sizes = |sizes: &Sizes| format!("{} + {}", sizes.request, sizes.reply);
    let _ = writeln!(
        text,
        "Medians of {rounds} interleaved rounds of {seconds} s. CPU is utime + stime of the server's process; \
         the ratio is\ntaken within each round. The last column is what a line in the log for each decision costs on top, on \
         another gateway\nin the same rounds. Latencies are those of a closed loop of {connections} \
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
    for summary in report.summaries().iter().filter(|summary| summary.core_busy < BUSY_MIN) {
        let _ = writeln!(
            text,
            "{}: the server's core was idle or taken by others for {:.0} % of the time, which makes each \
             request dearer;\nmeasure again on a quiet machine.",
            summary.kind.label(),
            (1.0 - summary.core_busy) * 100.0
        );
    }
    let expected = *seconds as f64 * 0.99;
    for sample in report.samples.iter().filter(|sample| sample.seconds < expected) {
        let _ = writeln!(
            text,
            "Round {}, {}: ended after {:.1} s, since these subscribers can have no more challenges.",
            sample.round,
            sample.kind.label(),
            sample.seconds
        );
    }
}

fn thread_table(report: &Report) -> String {
    let mut text = format!("\n{:<15}{:<17}{:>13}{:>16}\n", "", "thread", "CPU µs/req", "user + system");
    for kind in Kind::ALL {
        let Some(first) = report.of(kind).next() else { continue };
        for thread in &first.threads {
            let of = |value: fn(&Thread) -> f64| {
                let all = report.of(kind).flat_map(|sample| &sample.threads);
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

#[cfg(test)]
mod tests {
    use super::super::report::testing::report;
    use super::*;

    #[test]
    fn every_kind_has_its_row_and_shortened_runs_are_named() {
        let mut report = report();
        let table = table(&report);
        for kind in Kind::ALL {
            assert!(table.contains(kind.label()), "{table}");
        }
        assert!(!table.contains("ended after") && !table.contains("say nothing"), "{table}");
        assert!(table.contains("measure again"), "a core that is busy for 1 % of the time: {table}");
        assert!(text(&report, true).contains("api-0"));
        report.samples[1].seconds = 4.0;
        report.conditions.client_core = 0;
        let table = text(&report, false);
        assert!(
            table.contains("Round 1, verify: ended after 4.0 s") && table.contains("say nothing"),
            "{table}"
        );
    }

    #[test]
    fn the_table_is_aligned() {
        let table = table(&report());
        let widths: Vec<_> = table.lines().take(4).map(|line| line.chars().count()).collect();
        assert!(widths.iter().all(|width| *width == widths[0]), "{table}");
    }
}
