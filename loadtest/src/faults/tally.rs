//! What the gateway reports of every challenge, compared with what its handset showed.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::failure::Failure;
use crate::metrics::Metrics;
use crate::requests::Delivery;

/// The result of one run.
#[derive(Debug)]
pub(super) struct Tally {
    seed: u64,
    pub(super) took: Duration,
    /// Times that the gateway refused to issue, for want of a place in the outbox or a link; it was asked
    /// again.
    pub(super) refused: u64,
    /// What the gateway reports of each challenge, by number.
    pub(super) deliveries: Vec<(u64, Delivery)>,
    /// How many messages each handset has; every challenge has a handset of its own.
    shown: Vec<u8>,
    /// Counters of the two programs, with the names to print.
    counts: Vec<(&'static str, f64)>,
    /// The simulator's counters that must be 0.
    never: Vec<(&'static str, f64)>,
}

/// Names to print, and the series of the simulator.
const SIMULATOR_COUNTS: [(&str, &str); 7] = [
    ("taken by the SMSC", "smscsim_submits_total{result=\"accepted\"}"),
    ("refused", "smscsim_faults_total{kind=\"refused\"}"),
    ("never answered", "smscsim_faults_total{kind=\"unanswered\"}"),
    ("disconnected", "smscsim_faults_total{kind=\"disconnected\"}"),
    ("shown", "smscsim_messages_delivered_total"),
    ("expired at the SMSC", "smscsim_messages_expired_total"),
    ("receipts lost", "smscsim_faults_total{kind=\"receipt_lost\"}"),
];
/// Names to print, and which series of the gateway are summed.
const GATEWAY_COUNTS: [(&str, &str, &str); 5] = [
    ("throttled", "otpgw_sms_submits_total", "outcome=\"throttled\""),
    ("in doubt", "otpgw_sms_submits_total", "outcome=\"unknown\""),
    ("not sent", "otpgw_sms_unsent_total", ""),
    ("links lost", "otpgw_sms_link_failures_total", ""),
    ("circuit opened", "otpgw_sms_smsc_circuit_opened_total", ""),
];
/// The share of all challenges whose handset must show the message, and the share that may end unknown, in
/// percent: the faults hit some eight in a hundred, and half of those are never reported.
const SHOWN_PERCENT_MIN: usize = 90;
const UNKNOWN_PERCENT_MAX: usize = 10;
/// Names to print, and the simulator's series of what must never happen.
const SIMULATOR_NEVER: [(&str, &str); 2] =
    [("accepted twice", "smscsim_repeated_total"), ("shown after expiry", "smscsim_shown_late_total")];

/// A reported delivery state, compared with the handset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judgement {
    Correct,
    /// Reported as certainly not delivered, and the handset has the SMS.
    ReportedLost,
    /// Reported as delivered, and the handset has no SMS.
    ReportedDelivered,
    /// Not a final state, long after the expiry.
    NotFinal,
}

fn judge(delivery: Delivery, shown: u8) -> Judgement {
    let is_shown = shown > 0;
    match delivery {
        Delivery::Queued | Delivery::Accepted => Judgement::NotFinal,
        Delivery::Delivered if !is_shown => Judgement::ReportedDelivered,
        Delivery::Undelivered | Delivery::Expired | Delivery::Rejected | Delivery::Dropped if is_shown => {
            Judgement::ReportedLost
        }
        Delivery::Delivered
        | Delivery::Undelivered
        | Delivery::Expired
        | Delivery::Rejected
        | Delivery::Dropped
        | Delivery::Unknown => Judgement::Correct,
    }
}

impl Tally {
    pub(super) fn new(seed: u64, messages: u64) -> Self {
        Self {
            seed,
            took: Duration::ZERO,
            refused: 0,
            deliveries: Vec::new(),
            shown: vec![0; usize::try_from(messages).unwrap_or(usize::MAX)],
            counts: Vec::new(),
            never: Vec::new(),
        }
    }

    /// Counts messages on these handsets.
    pub(super) fn shown(&mut self, handsets: Vec<u64>) {
        for handset in handsets {
            let shown = usize::try_from(handset).ok().and_then(|handset| self.shown.get_mut(handset));
            shown.into_iter().for_each(|shown| *shown = shown.saturating_add(1));
        }
    }

    /// Takes over the programs' counters.
    ///
    /// # Errors
    ///
    /// A series does not exist.
    pub(super) fn count(&mut self, simulator: &Metrics, gateway: &Metrics) -> Result<(), Failure> {
        for (name, series) in SIMULATOR_COUNTS {
            self.counts.push((name, simulator.value(series)?));
        }
        for (name, series, label) in GATEWAY_COUNTS {
            self.counts.push((name, gateway.sum(series, label)?));
        }
        for (name, series) in SIMULATOR_NEVER {
            self.never.push((name, simulator.value(series)?));
        }
        Ok(())
    }

    /// How often something happened that must not, 0 being a pass.
    pub(super) fn violations(&self) -> u64 {
        let counted: f64 = self.never.iter().map(|(_, count)| count).sum();
        let missing = self.shown.len().abs_diff(self.deliveries.len());
        let untrue = self.judged(|judgement| judgement != Judgement::Correct);
        counted as u64
            + (missing + untrue + self.shown_twice() + self.too_few_shown() + self.too_many_unknown()) as u64
    }

    /// By how many messages too few were shown: a gateway that sends nothing must not pass.
    fn too_few_shown(&self) -> usize {
        let shown = self.shown.iter().filter(|shown| **shown > 0).count();
        (self.shown.len() * SHOWN_PERCENT_MIN).div_ceil(100).saturating_sub(shown)
    }

    /// By how many challenges too many are unknown: nor must one that reports nothing.
    fn too_many_unknown(&self) -> usize {
        let unknown = self.deliveries.iter().filter(|(_, delivery)| *delivery == Delivery::Unknown).count();
        unknown.saturating_sub(self.shown.len() * UNKNOWN_PERCENT_MAX / 100)
    }

    fn judged(&self, matches: impl Fn(Judgement) -> bool) -> usize {
        let judgement = |(number, delivery): &(u64, Delivery)| {
            let shown = usize::try_from(*number).ok().and_then(|number| self.shown.get(number));
            judge(*delivery, shown.copied().unwrap_or_default())
        };
        self.deliveries.iter().map(judgement).filter(|judgement| matches(*judgement)).count()
    }

    fn shown_twice(&self) -> usize {
        self.shown.iter().filter(|shown| **shown > 1).count()
    }

    fn by_delivery(&self) -> BTreeMap<Delivery, usize> {
        let mut counts = BTreeMap::new();
        for (_, delivery) in &self.deliveries {
            *counts.entry(*delivery).or_default() += 1;
        }
        counts
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, refused, took, deliveries, .. } = self;
        let seconds = took.as_secs();
        writeln!(
            f,
            "seed {seed}: {} challenges, {seconds} s, {refused} times refused for now",
            deliveries.len()
        )?;
        let join = |parts: Vec<String>| parts.join(" · ");
        let states = self.by_delivery();
        let states = states.iter().map(|(delivery, count)| format!("{delivery:?} {count}").to_lowercase());
        writeln!(f, "  delivery     {}", join(states.collect()))?;
        let counts = self.counts.iter().map(|(name, count)| format!("{name} {count}"));
        writeln!(f, "  happened     {}", join(counts.collect()))?;
        let never = self.never.iter().map(|(name, count)| format!("{name} {count}"));
        let never = never.chain([
            format!("shown twice {}", self.shown_twice()),
            format!("reported delivered, not shown {}", self.judged(|j| j == Judgement::ReportedDelivered)),
            format!("reported lost, shown {}", self.judged(|j| j == Judgement::ReportedLost)),
            format!("not final {}", self.judged(|j| j == Judgement::NotFinal)),
            format!("short of {SHOWN_PERCENT_MIN} % shown {}", self.too_few_shown()),
            format!("over {UNKNOWN_PERCENT_MAX} % unknown {}", self.too_many_unknown()),
        ]);
        writeln!(f, "  must be 0    {}", join(never.collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// These, among a thousand that were delivered and shown.
    fn tally(deliveries: &[Delivery], shown: &[u64]) -> Tally {
        let all = 1_000 + deliveries.len() as u64;
        let mut tally = Tally::new(1, all);
        let delivered = std::iter::repeat(Delivery::Delivered);
        tally.deliveries = (0..all).zip(deliveries.iter().copied().chain(delivered)).collect();
        tally.shown(shown.to_vec());
        tally.shown((deliveries.len() as u64..all).collect());
        tally
    }

    #[test]
    fn correct_reports_are_not_counted() {
        use Delivery::{Delivered, Dropped, Expired, Rejected, Undelivered, Unknown};
        let ends = [Delivered, Undelivered, Expired, Rejected, Dropped, Unknown, Unknown];
        assert_eq!(tally(&ends, &[0, 6]).violations(), 0);
    }

    #[test]
    fn each_wrong_report_is_counted() {
        assert_eq!(tally(&[Delivery::Delivered], &[]).violations(), 1);
        for lost in [Delivery::Undelivered, Delivery::Expired, Delivery::Rejected, Delivery::Dropped] {
            assert_eq!(tally(&[lost], &[0]).violations(), 1, "{lost:?}");
        }
        for open in [Delivery::Queued, Delivery::Accepted] {
            assert_eq!(tally(&[open], &[0]).violations(), 1, "{open:?}");
        }
    }

    #[test]
    fn two_messages_on_one_handset_a_missing_answer_and_what_the_simulator_saw_are_wrong() {
        assert_eq!(tally(&[Delivery::Unknown], &[0, 0]).violations(), 1);
        let mut missing = tally(&[Delivery::Unknown], &[]);
        missing.deliveries.pop();
        assert_eq!(missing.violations(), 1);
        let mut seen = tally(&[Delivery::Unknown], &[]);
        seen.never.push(("accepted twice", 2.0));
        assert_eq!(seen.violations(), 2);
        assert!(seen.to_string().contains("accepted twice 2"));
    }

    #[test]
    fn to_send_nothing_or_to_know_nothing_is_wrong() {
        let mut nothing = Tally::new(1, 100);
        nothing.deliveries = (0..100).map(|number| (number, Delivery::Dropped)).collect();
        assert_eq!(nothing.violations(), 90);
        nothing.deliveries.iter_mut().for_each(|(_, delivery)| *delivery = Delivery::Unknown);
        nothing.shown((0..100).collect());
        assert_eq!(nothing.violations(), 90);
    }
}
