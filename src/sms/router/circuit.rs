//! Whether an SMSC is worth sending to: a circuit that a burst of failures opens.
//!
//! ```text
//!             a burst of failures             its pause is over
//!   Closed ──────────────────────► Open ───────────────────────► HalfOpen
//!     ▲ ▲                            │  ▲                         │    │
//!     │ │                            │  └── a probe failed ───────┘    │
//!     │ └── one that has not failed ─┘                                 │
//!     │     works, or slow probes do                                   │
//!     └───────── PROBES_GOOD probes succeeded, one after another ──────┘
//! ```
//!
//! A failure is a submit that got no answer, or one that the SMSC itself could not deal with; a refusal of one
//! message, or for now, is not. Failures open the circuit only if they are of [`DESTINATIONS_MIN`] destinations and none
//! but those works, or of all that there are at the time, since networks behind the SMSC can fail while the SMSC and all
//! others are well. What opens it regardless is that nothing at all is answered. The pause doubles each time the circuit
//! opens anew before it was closed for [`CALM_AFTER`], so that traffic does not swing to and fro.
//!
//! What failed says little of destinations that were at rest. If fewer than [`DESTINATIONS_MIN`] have failed, the circuit is
//! open for [those alone](Circuit::failing), and the first other one that works closes it. If more have, others may
//! [try](Circuit::may_try), one at a time and whatever the pause, where no other SMSC can take over: each is a probe. One
//! that worked lately may try twice.
//!
//! A circuit that errors have opened is [slow](Circuit::takes_slowly) rather than shut where no other SMSC can take
//! over: it takes a message a second, one at a time, each of which is a probe.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::sms::destination::Prefix;

/// This many failures without a success between them are a burst, however slowly they come.
const IN_A_ROW: u32 = 5;
/// This many failures within two spans are a burst if successes are fewer.
const IN_SPANS: u32 = 10;
const SPAN: Duration = Duration::from_secs(5);
/// Errors of this many destinations are the SMSC's own if none but those has worked for [`WORKS`], or if there are
/// [`PREVAILING`] times as many failures as successes. They are not if in the last span so many messages to one that has
/// not failed in it went well.
const DESTINATIONS_MIN: usize = 3;
const WORKS: Duration = Duration::from_secs(2);
const WELL_IN_A_ROW: u32 = 3;
const PREVAILING: u32 = 4;
/// This many destinations that worked are known: nearly always all that there are.
const WORKED: usize = 256;
/// The most destinations that are known to fail. With so many, no other is to try.
const FAILING_MAX: usize = 32;
/// One that worked within this time is active: at night, one message in it.
const WORKED_LATELY: Duration = Duration::from_secs(60);
/// One that worked within this time, and has not failed in it, works untroubled.
const UNTROUBLED_FOR: Duration = Duration::from_secs(10);
/// The first pause: as long as `Retry-After` has a caller wait.
pub(super) const PAUSE_MIN: Duration = Duration::from_secs(5);
/// The longest pause: an SMSC that is well again is noticed within a minute.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Probes that must succeed, one at a time.
const PROBES_GOOD: u32 = 3;
/// A probe that came to nothing within this time is forgotten: no response timer is longer.
const PROBE_AGE_MAX: Duration = Duration::from_secs(120);
/// Between two messages while it is slow.
const SLOW_PAUSE: Duration = Duration::from_secs(1);
/// Closed for this long, it opens for the shortest pause again.
const CALM_AFTER: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open { until: Timestamp },
    HalfOpen,
}

/// Why it is open or half-open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Errors,
    Silence,
}

/// What came of the messages of one span.
#[derive(Debug, Default)]
struct Span {
    failures: u32,
    successes: u32,
    /// The first destinations that failed.
    failing: Vec<Prefix>,
}

/// One more destination that failed.
fn add_failing(failing: &mut Vec<Prefix>, prefix: Prefix) {
    if failing.len() < FAILING_MAX && !failing.contains(&prefix) {
        failing.push(prefix);
    }
}

/// A destination that a message went to successfully.
#[derive(Clone, Copy, Debug)]
struct Worked {
    at: Timestamp,
    /// Successes since it failed.
    in_a_row: u32,
    failed_at: Option<Timestamp>,
}

/// The circuit of one SMSC.
#[derive(Debug)]
pub(super) struct Circuit {
    state: State,
    cause: Cause,
    /// None while it is closed. Otherwise those that had failed when it opened, one at least; once they are
    /// [`DESTINATIONS_MIN`], those that have failed since, too.
    failing: Vec<Prefix>,
    /// Failures of others while it is open for those alone.
    beside: u32,
    /// Since when it is not closed, or half-open: what was written before says nothing of a probe.
    probes_from: Timestamp,
    probed_at: Option<Timestamp>,
    /// Probes that succeeded.
    good: u32,
    /// Failures since the last success.
    in_a_row: u32,
    /// Submits without an answer since the last answer of any kind, and when that was.
    unanswered: u32,
    answered_at: Option<Timestamp>,
    /// When the present span began. It lasts for [`SPAN`], and until the success that begins the next.
    span_from: Timestamp,
    /// The present span, and the one before.
    spans: [Span; 2],
    /// The destinations that a message went to successfully last.
    worked: BTreeMap<Prefix, Worked>,
    /// Failures of three destinations open it though others work.
    opens_on_several: bool,
    /// How long it opens the next time.
    pause: Duration,
    closed_at: Timestamp,
}

impl Circuit {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            state: State::Closed,
            cause: Cause::Errors,
            failing: Vec::new(),
            beside: 0,
            probes_from: now,
            probed_at: None,
            good: 0,
            in_a_row: 0,
            unanswered: 0,
            answered_at: None,
            span_from: now,
            spans: Default::default(),
            worked: BTreeMap::new(),
            opens_on_several: false,
            pause: PAUSE_MIN,
            closed_at: now,
        }
    }

    /// One that counts what is refused for now: open, others are only preferred, so that it opens on failures of three
    /// destinations whatever becomes of others.
    pub(super) fn of_refusals(now: Timestamp) -> Self {
        Self { opens_on_several: true, ..Self::new(now) }
    }

    /// Whether nothing may be sent for now but what [may try](Self::may_try), or goes [slowly](Self::takes_slowly).
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    /// Whether all may be sent.
    pub(super) fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Whether all to this destination may be sent.
    pub(super) fn is_closed_for(&self, prefix: Prefix) -> bool {
        self.is_closed() || self.is_closed_for_others() && !self.failing.contains(&prefix)
    }

    /// Whether all may be sent but what goes to a few destinations.
    pub(super) fn is_closed_for_others(&self) -> bool {
        self.failing.len() < DESTINATIONS_MIN
    }

    /// The destinations that it is not closed for, as far as they are known.
    pub(super) fn failing(&self) -> &[Prefix] {
        &self.failing
    }

    /// Whether destinations that have not failed, or once after they worked, may try, whatever the pause.
    pub(super) fn others_may_try(&self) -> bool {
        self.failing.len() < FAILING_MAX
    }

    /// Whether a message to this destination may try now, since no other SMSC can take it.
    pub(super) fn may_try(&self, prefix: Prefix) -> bool {
        self.others_may_try() && !self.failing.contains(&prefix) && self.probed_at.is_none()
    }

    /// Whether a message to this destination may be sent now, since no other SMSC can take it.
    pub(super) fn may_send(&self, prefix: Prefix, now: Timestamp) -> bool {
        self.is_closed_for(prefix) || self.takes() || self.takes_slowly(now) || self.may_try(prefix)
    }

    /// Whether it answers, if only with errors, since it opened.
    pub(super) fn answers(&self) -> bool {
        self.cause == Cause::Errors
    }

    /// Whether a message may be sent: any, or the next probe.
    pub(super) fn takes(&self) -> bool {
        match self.state {
            State::Closed => true,
            State::Open { .. } => false,
            State::HalfOpen => self.probed_at.is_none(),
        }
    }

    /// Whether a message may be sent though it is open, since no other SMSC can take it.
    pub(super) fn takes_slowly(&self, now: Timestamp) -> bool {
        self.is_open()
            && self.answers()
            && self.probed_at.is_none()
            && now.since(self.probes_from) >= SLOW_PAUSE
    }

    /// A message to this destination is on its way.
    pub(super) fn took(&mut self, prefix: Prefix, now: Timestamp) {
        if !self.is_closed_for(prefix) {
            self.probed_at = Some(now);
        }
    }

    /// The SMSC dealt with a message. Returns whether it takes more than before.
    pub(super) fn succeeded(&mut self, prefix: Prefix, now: Timestamp) -> bool {
        self.answered(now);
        self.in_a_row = 0;
        // Not at a failure: what the last of a stream left unanswered is weighed against its successes.
        if now.since(self.span_from) >= SPAN {
            self.span_from = now;
            self.spans[1] = std::mem::take(&mut self.spans[0]);
        }
        self.spans[0].successes = self.spans[0].successes.saturating_add(1);
        self.add_worked(prefix, now);
        if self.is_closed() {
            return false;
        }
        if self.is_closed_for(prefix) {
            self.close(now);
            return true;
        }
        let Some(probed_at) = self.probed_at.take() else { return false };
        (self.good, self.probes_from) = (self.good + 1, probed_at);
        if self.good >= PROBES_GOOD {
            self.close(now);
        }
        true
    }

    fn close(&mut self, now: Timestamp) {
        self.failing.clear();
        (self.state, self.closed_at, self.spans) = (State::Closed, now, Default::default());
        (self.probed_at, self.good) = (None, 0);
    }

    /// The SMSC answered, if only that it will not take a message.
    pub(super) fn answered(&mut self, now: Timestamp) {
        (self.unanswered, self.answered_at) = (0, Some(now));
    }

    /// The SMSC answered a message that it had at `since` with an error of its own. Returns whether the circuit has
    /// opened.
    pub(super) fn failed(&mut self, prefix: Prefix, since: Timestamp, now: Timestamp) -> bool {
        self.answered(now);
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.add_failed(prefix, now);
        if !self.is_closed() && self.is_closed_for(prefix) {
            return self.failed_beside(prefix, Cause::Errors, now);
        }
        let is_burst = self.is_closed() && (self.in_a_row >= IN_A_ROW || self.failures_prevail());
        self.opens(is_burst && self.is_its_own(prefix, now), prefix, Cause::Errors, since, now)
    }

    /// The SMSC did not answer a message that it had at `since`. Returns whether the circuit has opened.
    pub(super) fn unanswered(&mut self, prefix: Prefix, since: Timestamp, now: Timestamp) -> bool {
        if self.answered_at.is_none_or(|at| at <= since) {
            self.unanswered = self.unanswered.saturating_add(1);
        }
        self.add_failed(prefix, now);
        if !self.is_closed() && self.is_closed_for(prefix) {
            return self.failed_beside(prefix, Cause::Silence, now);
        }
        let is_burst = self.is_closed() && self.failures_prevail();
        let is_dead = self.unanswered >= IN_A_ROW;
        self.opens(is_dead || is_burst && self.is_its_own(prefix, now), prefix, Cause::Silence, since, now)
    }

    /// Failures and successes of two spans.
    fn counts(&self) -> (u32, u32) {
        let sum = |count: fn(&Span) -> u32| self.spans.iter().map(count).fold(0, u32::saturating_add);
        (sum(|span| span.failures), sum(|span| span.successes))
    }

    /// Whether there were so many failures in two spans, and fewer successes.
    fn failures_prevail(&self) -> bool {
        let (failures, successes) = self.counts();
        failures >= IN_SPANS && failures > successes
    }

    fn opens(&mut self, burst: bool, failed: Prefix, cause: Cause, since: Timestamp, now: Timestamp) -> bool {
        let is_probe = self.probed_at.is_some() && since >= self.probes_from;
        match self.state {
            State::Closed if burst => {
                if now.since(self.closed_at) >= CALM_AFTER {
                    self.pause = PAUSE_MIN;
                }
            }
            State::HalfOpen if is_probe => {}
            // One that tried before the pause was over: the next may go.
            State::HalfOpen if self.probed_at.is_some_and(|at| since >= at) => {
                self.probed_at = None;
                return false;
            }
            // A message that it took slowly, or that tried.
            State::Open { .. } if is_probe => {
                self.probes_from = self.probed_at.take().unwrap_or(now);
                (self.cause, self.good) = (cause, 0);
                return false;
            }
            State::Closed | State::Open { .. } | State::HalfOpen => return false,
        }
        if self.is_closed() {
            self.failing = self.failing_lately(failed);
        }
        self.open(cause, now);
        true
    }

    fn open(&mut self, cause: Cause, now: Timestamp) {
        self.state = State::Open { until: now.plus(self.pause) };
        self.pause = (2 * self.pause).min(PAUSE_MAX);
        (self.cause, self.probed_at, self.probes_from, self.good) = (cause, None, now, 0);
        (self.in_a_row, self.unanswered, self.beside) = (0, 0, 0);
    }

    /// A message failed of a destination that it is closed for, though it is not for others. Returns whether it has
    /// opened for more.
    fn failed_beside(&mut self, failed: Prefix, cause: Cause, now: Timestamp) -> bool {
        self.beside += 1;
        let for_more = self.beside >= IN_A_ROW;
        if for_more {
            let failing = self.failing_lately(failed);
            failing.into_iter().for_each(|prefix| add_failing(&mut self.failing, prefix));
            self.open(cause, now);
        }
        for_more
    }

    /// Whether a message went to a destination successfully not long ago.
    pub(super) fn has_worked(&self, prefix: Prefix) -> bool {
        self.worked.contains_key(&prefix)
    }

    /// Whether a destination worked not long ago that has not failed since some time before.
    pub(super) fn works_untroubled(&self, now: Timestamp) -> bool {
        let is_lately = |at: Timestamp| now.since(at) < UNTROUBLED_FOR;
        self.worked.values().any(|known| is_lately(known.at) && !known.failed_at.is_some_and(is_lately))
    }

    fn add_worked(&mut self, prefix: Prefix, now: Timestamp) {
        if let Some(known) = self.worked.get_mut(&prefix) {
            (known.at, known.in_a_row) = (now, known.in_a_row.saturating_add(1));
            return;
        }
        if self.worked.len() >= WORKED
            && let Some((oldest, _)) = self.worked.iter().min_by_key(|(_, known)| known.at)
        {
            let oldest = *oldest;
            self.worked.remove(&oldest);
        }
        self.worked.insert(prefix, Worked { at: now, in_a_row: 1, failed_at: None });
    }

    fn add_failed(&mut self, prefix: Prefix, now: Timestamp) {
        self.spans[0].failures = self.spans[0].failures.saturating_add(1);
        add_failing(&mut self.spans[0].failing, prefix);
        let known = self.worked.get_mut(&prefix);
        // One failure says little of a destination that worked lately.
        let worked = known.is_some_and(|known| {
            known.failed_at = Some(now);
            std::mem::take(&mut known.in_a_row) > 0 && now.since(known.at) < WORKED_LATELY
        });
        if !worked && !self.is_closed_for_others() {
            add_failing(&mut self.failing, prefix);
        }
    }

    /// The destination that has just failed, and the first ones that failed in two spans and have not worked since.
    fn failing_lately(&self, failed: Prefix) -> Vec<Prefix> {
        let works = |prefix| self.worked.get(prefix).is_some_and(|known| known.in_a_row > 0);
        let mut failing = vec![failed];
        let failed = self.spans.iter().flat_map(|span| &span.failing).filter(|prefix| !works(*prefix));
        failed.for_each(|prefix| add_failing(&mut failing, *prefix));
        failing
    }

    /// Whether what fails is more than what its destinations explain: it is several and hardly anything else goes well,
    /// or nothing else went well lately.
    fn is_its_own(&self, failed: Prefix, now: Timestamp) -> bool {
        let failing = self.failing_lately(failed);
        let is_other = |(prefix, known): &(&Prefix, &Worked)| {
            !failing.contains(prefix) && known.failed_at.is_none_or(|at| now.since(at) >= SPAN)
        };
        let others = || self.worked.iter().filter(is_other).map(|(_, known)| known);
        let is_well = |known: &Worked| known.in_a_row >= WELL_IN_A_ROW && now.since(known.at) < SPAN;
        let worked_for = others().map(|known| now.since(known.at)).min();
        let no_other_for = |duration| worked_for.is_none_or(|last| last >= duration);
        let (failures, successes) = self.counts();
        let several = failing.len() >= DESTINATIONS_MIN;
        let prevail = failures / PREVAILING >= successes.max(1);
        let none_is_well = !others().any(is_well) && (no_other_for(WORKS) || prevail);
        several && (self.opens_on_several || none_is_well) || no_other_for(WORKED_LATELY)
    }

    /// A message that was on its way was not sent after all. Returns whether the next probe may be sent.
    pub(super) fn unsent(&mut self) -> bool {
        self.probed_at.take().is_some()
    }

    /// Ends a pause, and the wait for a probe, whose time is over. Returns whether it takes more than before.
    pub(super) fn on_time(&mut self, now: Timestamp) -> bool {
        if self.probed_at.is_some_and(|at| now.since(at) >= PROBE_AGE_MAX) {
            self.probed_at = None;
            return true;
        }
        match self.state {
            State::Open { until } if now >= until => {
                (self.state, self.probes_from) = (State::HalfOpen, now);
                true
            }
            State::Open { .. } => self.takes_slowly(now),
            // The next probe, if nothing came of the last.
            State::HalfOpen => self.takes(),
            State::Closed => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sms::outbox::tests::phone;

    const START: Timestamp = Timestamp::from_unix_millis(1_000_000);

    fn after(seconds: u64) -> Timestamp {
        START.plus(Duration::from_secs(seconds))
    }

    /// One of many destinations.
    fn prefix(number: u8) -> Prefix {
        Prefix::of(phone(number), 12)
    }

    fn fail(circuit: &mut Circuit, now: Timestamp) -> bool {
        circuit.failed(prefix(0), now, now)
    }

    fn succeed(circuit: &mut Circuit, now: Timestamp) -> bool {
        circuit.succeeded(prefix(0), now)
    }

    fn open(circuit: &mut Circuit, now: Timestamp) {
        for failure in 1..=IN_A_ROW {
            assert_eq!(fail(circuit, now), failure == IN_A_ROW);
        }
    }

    /// Three probes, each of which succeeds.
    fn close(circuit: &mut Circuit, now: Timestamp) {
        for _ in 0..PROBES_GOOD {
            assert!(circuit.takes());
            circuit.took(prefix(0), now);
            assert!(succeed(circuit, now));
        }
        assert!(circuit.is_closed());
    }

    #[test]
    fn s7_a_burst_opens_it_and_single_failures_do_not() {
        let mut circuit = Circuit::new(START);
        for _ in 0..1_000 {
            (1..IN_A_ROW).for_each(|_| assert!(!fail(&mut circuit, START)));
            (0..2 * IN_A_ROW).for_each(|_| assert!(!succeed(&mut circuit, START)));
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
            fail(&mut circuit, START);
            fail(&mut circuit, START);
            failures += 2;
            succeed(&mut circuit, START);
        }
        assert_eq!(failures, IN_SPANS);

        // As many, but slowly.
        let mut circuit = Circuit::new(START);
        for second in 0..1_000 {
            assert!(!fail(&mut circuit, after(5 * second)) && !fail(&mut circuit, after(5 * second)));
            succeed(&mut circuit, after(5 * second));
        }
    }

    #[test]
    fn what_failed_counts_for_two_spans_and_no_longer() {
        // Nine failures, never five in a row; successes, of which one after five seconds begins a span; one failure more.
        let opens = |successes_at: &[u64]| {
            let mut circuit = Circuit::of_refusals(START);
            for number in 0..9 {
                if number % 4 == 0 {
                    circuit.succeeded(prefix(9), START);
                }
                assert!(!circuit.failed(prefix(number % 3), START, START));
            }
            let mut now = START;
            for millis in successes_at {
                now = START.plus(Duration::from_millis(*millis));
                circuit.succeeded(prefix(9), now);
            }
            circuit.failed(prefix(0), now, now)
        };
        assert!(opens(&[]) && opens(&[5_000]), "the span itself and the next");
        assert!(opens(&[5_000, 9_999]) && opens(&[4_999, 9_998]), "a span has not begun before its time");
        assert!(!opens(&[5_000, 10_000]) && !opens(&[5_000, 60_000]), "the span after the next");
    }

    #[test]
    fn s7_errors_of_two_destinations_open_no_circuit_while_another_is_well_and_of_three_do_once_none_is() {
        let mut circuit = Circuit::new(START);
        for second in 0..300 {
            circuit.succeeded(prefix(9), after(second));
            assert!(!circuit.failed(prefix(1), after(second), after(second)));
            assert!(!circuit.failed(prefix(2), after(second), after(second)));
        }
        circuit.succeeded(prefix(9), after(300));
        assert!(!circuit.failed(prefix(3), after(304), after(304)), "another still works");
        assert!(circuit.failed(prefix(3), after(305), after(305)));
    }

    #[test]
    fn s7_three_failing_destinations_open_no_circuit_beside_others_that_work() {
        let fails_beside = |failures: u8, well: u8| {
            let mut circuit = Circuit::new(START);
            (0..100).any(|second| {
                (0..well).for_each(|number| _ = circuit.succeeded(prefix(10 + number % 2), after(second)));
                (0..failures).any(|number| circuit.failed(prefix(number % 3), after(second), after(second)))
            })
        };
        assert!(!fails_beside(18, 16) && !fails_beside(200, 16));
        assert!(fails_beside(18, 0));
    }

    #[test]
    fn s7_an_smsc_that_fails_with_most_of_every_destination_opens_it() {
        let opens = |mut circuit: Circuit| {
            (0..1_000_u16).any(|number| {
                let now = START.plus(u32::from(number) * Duration::from_millis(20));
                let prefix = prefix(u8::try_from(number % 10).unwrap());
                if number % 3 == 0 {
                    circuit.succeeded(prefix, now);
                    false
                } else {
                    circuit.failed(prefix, now, now)
                }
            })
        };
        assert!(opens(Circuit::new(START)) && opens(Circuit::of_refusals(START)));
    }

    #[test]
    fn s7_errors_of_the_only_destination_that_there_is_open_it() {
        let mut circuit = Circuit::new(START);
        circuit.succeeded(prefix(9), START);
        circuit.succeeded(prefix(1), START);
        (0..2 * IN_SPANS).for_each(|_| assert!(!circuit.failed(prefix(1), after(59), after(59))));
        assert!(circuit.failed(prefix(1), after(60), after(60)), "the other has been at rest for a minute");
    }

    #[test]
    fn s7_of_what_failed_alone_nothing_is_known_of_others_and_the_first_that_works_closes_it() {
        for silent in [false, true] {
            let fail = |circuit: &mut Circuit, number: u8, now: Timestamp| match silent {
                true => circuit.unanswered(prefix(number), now, now),
                false => circuit.failed(prefix(number), now, now),
            };
            let mut circuit = Circuit::new(START);
            assert!((0..IN_A_ROW).any(|_| fail(&mut circuit, 1, START)));
            assert!(circuit.is_open() && circuit.is_closed_for_others());
            assert!(!circuit.is_closed_for(prefix(1)) && circuit.is_closed_for(prefix(2)));
            assert_eq!(circuit.failing(), [prefix(1)]);
            // A failure or two say nothing, nor that the first fails on.
            (1..IN_A_ROW).for_each(|_| assert!(!fail(&mut circuit, 2, after(1))));
            assert!(circuit.on_time(after(5)));
            circuit.took(prefix(2), after(5));
            assert!(circuit.takes(), "that is no probe");
            circuit.took(prefix(1), after(5));
            assert!(!circuit.takes() && fail(&mut circuit, 1, after(5)));
            assert!(circuit.is_closed_for(prefix(2)));
            assert!(circuit.succeeded(prefix(2), after(6)) && circuit.is_closed());
            assert!(!fail(&mut circuit, 1, after(7)), "it is closed for that one, too");
            // Others fail, too.
            let mut circuit = Circuit::new(START);
            assert!((0..IN_A_ROW).any(|_| fail(&mut circuit, 1, START)));
            assert!((2..7).any(|number| fail(&mut circuit, number, after(1))));
            assert!(circuit.is_open() && !circuit.is_closed_for_others());
        }
    }

    #[test]
    fn s7_after_its_pause_three_probes_one_after_another_close_it() {
        let mut circuit = Circuit::new(START);
        open(&mut circuit, START);
        circuit.on_time(after(4));
        assert!(circuit.is_open());
        assert!(circuit.on_time(after(5)));
        for probe in 1..=PROBES_GOOD {
            assert!(circuit.takes());
            circuit.took(prefix(0), after(5));
            assert!(!circuit.takes(), "one at a time");
            assert!(succeed(&mut circuit, after(6)));
            assert_eq!(circuit.is_closed(), probe == PROBES_GOOD);
        }
        assert!(!fail(&mut circuit, after(6)), "what failed before is forgotten");
    }

    #[test]
    fn s7_a_failed_probe_opens_it_for_twice_as_long_and_no_longer_than_a_minute() {
        let mut circuit = Circuit::new(START);
        open(&mut circuit, START);
        let mut now = START;
        for pause in [5, 10, 20, 40, 60, 60] {
            circuit.on_time(now.plus(Duration::from_secs(pause) - Duration::from_millis(1)));
            assert!(circuit.is_open(), "{pause}");
            now = now.plus(Duration::from_secs(pause));
            assert!(circuit.on_time(now) && !circuit.is_open(), "{pause}");
            circuit.took(prefix(0), now);
            assert!(fail(&mut circuit, now));
        }
    }

    #[test]
    fn s7_an_smsc_that_fails_again_soon_is_left_alone_for_longer() {
        let mut circuit = Circuit::new(START);
        open(&mut circuit, START);
        circuit.on_time(after(5));
        close(&mut circuit, after(5));
        open(&mut circuit, after(20));
        circuit.on_time(after(29));
        assert!(circuit.is_open());
        assert!(circuit.on_time(after(30)) && !circuit.is_open());
        close(&mut circuit, after(30));
        open(&mut circuit, after(90));
        assert!(circuit.on_time(after(95)) && !circuit.is_open(), "it was well for a minute");
    }

    #[test]
    fn s7_what_answers_with_errors_takes_a_message_a_second_and_closes_with_three_that_go_well() {
        let mut circuit = Circuit::new(START);
        open(&mut circuit, START);
        assert!(!circuit.takes_slowly(START) && circuit.answers());
        let mut now = START;
        for _ in 0..3 {
            now = now.plus(SLOW_PAUSE);
            assert!(circuit.on_time(now) && circuit.takes_slowly(now));
            circuit.took(prefix(0), now);
            assert!(!circuit.takes_slowly(now.plus(SLOW_PAUSE)), "one at a time");
            assert!(!fail(&mut circuit, now) && circuit.is_open());
        }
        for _ in 0..PROBES_GOOD {
            now = now.plus(Duration::from_millis(400));
            assert!(!circuit.takes_slowly(now), "a second apart");
            now = now.plus(Duration::from_millis(600));
            circuit.on_time(now);
            circuit.took(prefix(0), now);
            assert!(succeed(&mut circuit, now));
        }
        assert!(circuit.is_closed());
    }

    #[test]
    fn s6a_what_has_not_failed_may_try_one_at_a_time_whatever_the_pause() {
        let mut circuit = Circuit::new(START);
        [0, 1, 2, 0, 1].into_iter().for_each(|failing| _ = circuit.unanswered(prefix(failing), START, START));
        assert!(circuit.is_open() && !circuit.is_closed_for_others());
        assert!(circuit.may_try(prefix(5)) && !circuit.may_try(prefix(0)) && !circuit.takes());
        assert!(circuit.may_send(prefix(5), START) && !circuit.may_send(prefix(0), START));
        circuit.took(prefix(5), START);
        assert!(!circuit.may_try(prefix(6)), "one at a time");
        circuit.unanswered(prefix(5), START, after(1));
        assert!(circuit.may_try(prefix(6)) && !circuit.may_try(prefix(5)), "it has failed, too");
    }

    #[test]
    fn s6a_with_too_many_that_fail_no_other_may_try() {
        let mut circuit = Circuit::new(START);
        let failing = u8::try_from(FAILING_MAX).unwrap();
        (0..failing - 1).for_each(|number| _ = circuit.unanswered(prefix(number), START, START));
        assert!(circuit.others_may_try() && circuit.may_try(prefix(100)));
        circuit.unanswered(prefix(failing), START, START);
        assert_eq!(circuit.failing().len(), FAILING_MAX);
        assert!(!circuit.others_may_try() && !circuit.may_try(prefix(100)));
        circuit.unanswered(prefix(failing + 1), START, START);
        assert_eq!(circuit.failing().len(), FAILING_MAX);
    }

    #[test]
    fn s6a_one_failure_of_what_worked_until_now_says_little() {
        let mut circuit = Circuit::new(START);
        circuit.succeeded(prefix(5), START);
        [0, 1, 2, 0, 1]
            .into_iter()
            .for_each(|failing| _ = circuit.unanswered(prefix(failing), START, after(1)));
        assert!(circuit.is_open());
        circuit.unanswered(prefix(5), after(1), after(2));
        assert!(circuit.may_try(prefix(5)));
        circuit.unanswered(prefix(5), after(2), after(3));
        assert!(!circuit.may_try(prefix(5)));
    }

    #[test]
    fn s6a_what_works_again_is_none_of_those_that_fail() {
        let mut circuit = Circuit::new(START);
        circuit.failed(prefix(5), START, START);
        circuit.succeeded(prefix(5), START);
        [0, 1, 2, 0, 1]
            .into_iter()
            .for_each(|failing| _ = circuit.failed(prefix(failing), after(61), after(61)));
        assert!(circuit.is_open());
        assert_eq!(circuit.failing(), [1, 0, 2].map(prefix), "the last first");
    }

    #[test]
    fn s6a_what_opens_it_is_one_of_those_that_fail_however_many_have() {
        let mut circuit = Circuit::new(START);
        for number in 0..u8::try_from(FAILING_MAX).unwrap() {
            circuit.failed(prefix(number), START, START);
            circuit.succeeded(prefix(number), START);
        }
        (0..IN_A_ROW).for_each(|_| _ = circuit.unanswered(prefix(100), after(1), after(2)));
        assert!(circuit.is_open());
        assert_eq!(circuit.failing(), [prefix(100)]);
    }

    #[test]
    fn s6a_what_worked_long_ago_has_failed_with_its_first_failure() {
        let mut circuit = Circuit::new(START);
        circuit.succeeded(prefix(5), START);
        [0, 1, 2, 0, 1].into_iter().for_each(|failing| {
            _ = circuit.unanswered(prefix(failing), after(60), after(60));
        });
        circuit.unanswered(prefix(5), after(60), after(60));
        assert!(!circuit.may_try(prefix(5)));
    }

    #[test]
    fn s6a_what_works_untroubled_has_worked_lately_and_not_failed_for_some_time() {
        let mut circuit = Circuit::new(START);
        assert!(!circuit.works_untroubled(START));
        circuit.succeeded(prefix(1), START);
        assert!(circuit.works_untroubled(after(9)) && !circuit.works_untroubled(after(10)));
        circuit.failed(prefix(1), after(1), after(1));
        circuit.succeeded(prefix(1), after(10));
        assert!(!circuit.works_untroubled(after(10)) && circuit.works_untroubled(after(11)));
    }

    #[test]
    fn s7_what_does_not_answer_is_not_even_slow() {
        let mut circuit = Circuit::new(START);
        (1..IN_A_ROW).for_each(|_| assert!(!circuit.unanswered(prefix(0), START, after(10))));
        assert!(circuit.unanswered(prefix(0), START, after(10)), "whatever the destinations are");
        assert!(!circuit.takes_slowly(after(12)) && !circuit.answers());
    }

    #[test]
    fn a_probe_that_was_not_sent_or_was_lost_makes_room_for_the_next() {
        let mut circuit = Circuit::new(START);
        open(&mut circuit, START);
        circuit.on_time(after(5));
        circuit.took(prefix(0), after(5));
        assert!(circuit.unsent() && circuit.takes() && !circuit.unsent());
        circuit.took(prefix(0), after(6));
        assert!(!circuit.on_time(after(125)) && circuit.on_time(after(126)) && circuit.takes());
    }

    #[test]
    fn what_was_left_unanswered_while_others_were_answered_is_no_row_of_failures() {
        let mut circuit = Circuit::new(START);
        (0..200).for_each(|_| assert!(!succeed(&mut circuit, after(1))));
        (0..100).for_each(|_| assert!(!circuit.unanswered(prefix(0), START, after(2))));
        assert!(circuit.is_closed());
        // Any answer will do, but an old one.
        circuit.answered(after(60));
        (0..50).for_each(|_| assert!(!circuit.unanswered(prefix(0), after(50), after(61))));
        (1..IN_A_ROW).for_each(|_| assert!(!circuit.unanswered(prefix(0), after(60), after(62))));
        assert!(circuit.unanswered(prefix(0), after(60), after(62)));
    }

    #[test]
    fn what_was_written_before_the_pause_does_not_fail_a_probe() {
        let mut circuit = Circuit::new(START);
        (0..IN_A_ROW).for_each(|_| _ = circuit.unanswered(prefix(0), START, START));
        let half_open = START.plus(PAUSE_MIN);
        assert!(circuit.on_time(half_open) && circuit.takes());
        circuit.took(prefix(0), half_open);
        assert!(!circuit.unanswered(prefix(0), START, half_open));
        assert!(circuit.unanswered(prefix(0), half_open, half_open));
    }
}
