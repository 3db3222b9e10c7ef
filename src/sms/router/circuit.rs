//! Whether an SMSC is worth sending to: a circuit that a burst of failures opens.
//!
//! ```text
//!             a burst of failures             its pause is over
//!   Closed ──────────────────────► Open ───────────────────────► HalfOpen
//!     ▲                              ▲                            │    │
//!     │                              └── a probe failed ──────────┘    │
//!     └───────── PROBES_GOOD probes succeeded, one after another ──────┘
//! ```
//!
//! A failure is a submit that got no answer, or one that the SMSC itself could not deal with. A refusal of one
//! message, or for now, is not a failure. An SMSC that has dealt with others since a submit was written is not down
//! because it leaves that one without an answer: it counts among failures and successes, and not as one more in a
//! row. The pause doubles each time the circuit opens anew before it was closed for [`CALM_AFTER`], so that traffic
//! does not swing to and fro.

use std::time::Duration;

use crate::clock::Timestamp;

/// This many failures without a success between them are a burst, however slowly they come.
const IN_A_ROW: u32 = 5;
/// This many failures within two spans are a burst if successes are fewer.
const IN_SPANS: u32 = 10;
const SPAN: Duration = Duration::from_secs(5);
/// The first pause: as long as `Retry-After` has a caller wait.
pub(super) const PAUSE_MIN: Duration = Duration::from_secs(5);
/// The longest pause: an SMSC that is well again is noticed within a minute.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Probes that must succeed, one at a time.
const PROBES_GOOD: u32 = 3;
/// A probe that came to nothing within this time is forgotten: no response timer is longer.
const PROBE_AGE_MAX: Duration = Duration::from_secs(120);
/// Closed for this long, it opens for the shortest pause again.
const CALM_AFTER: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open { until: Timestamp },
    HalfOpen { from: Timestamp, good: u32, probed_at: Option<Timestamp> },
}

/// The circuit of one SMSC.
#[derive(Debug)]
pub(super) struct Circuit {
    state: State,
    /// Failures since the last success, and when that was.
    in_a_row: u32,
    succeeded_at: Option<Timestamp>,
    /// When the present span began. It lasts for [`SPAN`], and until the success that begins the next.
    span_from: Timestamp,
    /// Of the present span, and of the one before.
    failures: [u32; 2],
    successes: [u32; 2],
    /// How long it opens the next time.
    pause: Duration,
    closed_at: Timestamp,
}

impl Circuit {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            state: State::Closed,
            in_a_row: 0,
            succeeded_at: None,
            span_from: now,
            failures: [0; 2],
            successes: [0; 2],
            pause: PAUSE_MIN,
            closed_at: now,
        }
    }

    /// Whether nothing may be sent.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    /// Whether all may be sent.
    pub(super) fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Whether a message may be sent: any, or the next probe.
    pub(super) fn takes(&self) -> bool {
        match self.state {
            State::Closed => true,
            State::Open { .. } => false,
            State::HalfOpen { probed_at, .. } => probed_at.is_none(),
        }
    }

    /// A message is on its way.
    pub(super) fn took(&mut self, now: Timestamp) {
        if let State::HalfOpen { probed_at, .. } = &mut self.state {
            *probed_at = Some(now);
        }
    }

    /// The SMSC dealt with a message. Returns whether it takes more than before.
    pub(super) fn succeeded(&mut self, now: Timestamp) -> bool {
        (self.in_a_row, self.succeeded_at) = (0, Some(now));
        // Not at a failure: what the last of a stream left unanswered is weighed against its successes.
        if now.since(self.span_from) >= SPAN {
            self.span_from = now;
            (self.failures, self.successes) = ([0, self.failures[0]], [0, self.successes[0]]);
        }
        self.successes[0] = self.successes[0].saturating_add(1);
        match &mut self.state {
            State::Closed | State::Open { .. } => false,
            State::HalfOpen { good, probed_at, .. } => {
                (*good, *probed_at) = (*good + 1, None);
                if *good >= PROBES_GOOD {
                    self.state = State::Closed;
                    (self.failures, self.closed_at) = ([0; 2], now);
                }
                true
            }
        }
    }

    /// The SMSC has not dealt with a message that it had at `since`. Returns whether the circuit has opened.
    pub(super) fn failed(&mut self, since: Timestamp, now: Timestamp) -> bool {
        if self.succeeded_at.is_none_or(|at| at <= since) {
            self.in_a_row = self.in_a_row.saturating_add(1);
        }
        self.failures[0] = self.failures[0].saturating_add(1);
        let [failures, successes] =
            [self.failures, self.successes].map(|[now, before]| now.saturating_add(before));
        let burst = failures >= IN_SPANS && failures > successes;
        let opens = match self.state {
            State::Closed => self.in_a_row >= IN_A_ROW || burst,
            State::Open { .. } => false,
            // What was written before says nothing of a probe.
            State::HalfOpen { from, .. } => since >= from,
        };
        if opens {
            if self.is_closed() && now.since(self.closed_at) >= CALM_AFTER {
                self.pause = PAUSE_MIN;
            }
            self.state = State::Open { until: now.plus(self.pause) };
            self.pause = (2 * self.pause).min(PAUSE_MAX);
            self.in_a_row = 0;
        }
        opens
    }

    /// A message that was on its way was not sent after all. Returns whether the next probe may be sent.
    pub(super) fn unsent(&mut self) -> bool {
        match &mut self.state {
            State::HalfOpen { probed_at, .. } => probed_at.take().is_some(),
            State::Closed | State::Open { .. } => false,
        }
    }

    /// Ends a pause, and the wait for a probe, whose time is over. Returns whether it takes more than before.
    pub(super) fn on_time(&mut self, now: Timestamp) -> bool {
        match self.state {
            State::Open { until } if now >= until => {
                self.state = State::HalfOpen { from: now, good: 0, probed_at: None };
                true
            }
            State::HalfOpen { from, good, probed_at: Some(at) } if now.since(at) >= PROBE_AGE_MAX => {
                self.state = State::HalfOpen { from, good, probed_at: None };
                true
            }
            State::Closed | State::Open { .. } | State::HalfOpen { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_unix_millis(1_000_000);

    fn after(seconds: u64) -> Timestamp {
        START.plus(Duration::from_secs(seconds))
    }

    fn open(circuit: &mut Circuit, now: Timestamp) {
        for failure in 1..=IN_A_ROW {
            assert_eq!(circuit.failed(now, now), failure == IN_A_ROW);
        }
    }

    #[test]
    fn s7_a_burst_opens_it_and_single_failures_do_not() {
        let mut circuit = Circuit::new(START);
        for _ in 0..1_000 {
            (1..IN_A_ROW).for_each(|_| assert!(!circuit.failed(START, START)));
            (0..2 * IN_A_ROW).for_each(|_| assert!(!circuit.succeeded(START)));
            assert!(circuit.takes());
        }
        open(&mut circuit, START);
        assert!(circuit.is_open() && !circuit.takes());
    }

    #[test]
    fn s7_failures_that_outnumber_successes_open_it_too() {
        let mut circuit = Circuit::new(START);
        let mut failures = 0;
        while !circuit.is_open() {
            circuit.failed(START, START);
            circuit.failed(START, START);
            failures += 2;
            circuit.succeeded(START);
        }
        assert_eq!(failures, IN_SPANS);

        // As many, but slowly.
        let mut circuit = Circuit::new(START);
        for second in 0..1_000 {
            assert!(
                !circuit.failed(after(5 * second), after(5 * second))
                    && !circuit.failed(after(5 * second), after(5 * second))
            );
            circuit.succeeded(after(5 * second));
        }
    }

    #[test]
    fn s7_after_its_pause_three_probes_one_after_another_close_it() {
        let mut circuit = Circuit::new(START);
        open(&mut circuit, START);
        assert!(!circuit.on_time(after(4)) && circuit.is_open());
        assert!(circuit.on_time(after(5)));
        for probe in 1..=PROBES_GOOD {
            assert!(circuit.takes());
            circuit.took(after(5));
            assert!(!circuit.takes(), "one at a time");
            assert!(circuit.succeeded(after(6)));
            assert_eq!(circuit.is_closed(), probe == PROBES_GOOD);
        }
        assert!(!circuit.failed(after(6), after(6)), "what failed before is forgotten");
    }

    #[test]
    fn s7_a_failed_probe_opens_it_for_twice_as_long_and_no_longer_than_a_minute() {
        let mut circuit = Circuit::new(START);
        open(&mut circuit, START);
        let mut now = START;
        for pause in [5, 10, 20, 40, 60, 60] {
            let almost = now.plus(Duration::from_secs(pause) - Duration::from_millis(1));
            assert!(!circuit.on_time(almost), "{pause}");
            now = now.plus(Duration::from_secs(pause));
            assert!(circuit.on_time(now), "{pause}");
            circuit.took(now);
            assert!(circuit.failed(now, now));
        }
    }

    #[test]
    fn s7_an_smsc_that_fails_again_soon_is_left_alone_for_longer() {
        let mut circuit = Circuit::new(START);
        open(&mut circuit, START);
        circuit.on_time(after(5));
        (0..PROBES_GOOD).for_each(|_| assert!(circuit.succeeded(after(5))));
        open(&mut circuit, after(20));
        assert!(!circuit.on_time(after(29)) && circuit.on_time(after(30)));
        (0..PROBES_GOOD).for_each(|_| assert!(circuit.succeeded(after(30))));
        open(&mut circuit, after(90));
        assert!(circuit.on_time(after(95)), "it was well for a minute");
    }

    #[test]
    fn a_probe_that_was_not_sent_or_was_lost_makes_room_for_the_next() {
        let mut circuit = Circuit::new(START);
        open(&mut circuit, START);
        circuit.on_time(after(5));
        circuit.took(after(5));
        assert!(circuit.unsent() && circuit.takes() && !circuit.unsent());
        circuit.took(after(6));
        assert!(!circuit.on_time(after(125)) && circuit.on_time(after(126)) && circuit.takes());
    }

    #[test]
    fn what_was_left_unanswered_while_others_were_answered_is_no_row_of_failures() {
        let mut circuit = Circuit::new(START);
        (0..200).for_each(|_| assert!(!circuit.succeeded(after(1))));
        (0..100).for_each(|_| assert!(!circuit.failed(START, after(2))));
        assert!(circuit.is_closed());
        // A last success, long after the others, is not all that there was.
        circuit.succeeded(after(60));
        (0..50).for_each(|_| assert!(!circuit.failed(after(50), after(61))));
        (1..IN_A_ROW).for_each(|_| assert!(!circuit.failed(after(60), after(62))));
        assert!(circuit.failed(after(60), after(62)));
    }

    #[test]
    fn what_was_written_before_the_pause_does_not_fail_a_probe() {
        let mut circuit = Circuit::new(START);
        (0..IN_A_ROW).for_each(|_| _ = circuit.failed(START, START));
        let half_open = START.plus(PAUSE_MIN);
        assert!(circuit.on_time(half_open) && circuit.takes());
        assert!(!circuit.failed(START, half_open));
        assert!(circuit.failed(half_open, half_open));
    }
}
