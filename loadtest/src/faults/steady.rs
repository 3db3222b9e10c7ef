//! A steady load of challenges, each asked for at its time and followed to its handset.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use crate::client::{Client, Load, Reply};
use crate::clock;
use crate::failure::Failure;
use crate::programs::Programs;
use crate::requests::Generate;

/// Keep-alive connections to the gateway's API: one, since what is not used for five seconds from the start is closed.
const CONNECTIONS: usize = 1;
/// For what is due at once to be answered.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// Between two looks at the handsets while nothing is due.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Which challenges are asked for: `good` ones, and after them in their numbers `bad` ones, to a sick network; both
/// at even distances over the same time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) good: u64,
    pub(super) bad: u64,
    pub(super) good_per_second: u64,
    /// After the last is asked for, the handsets are watched for so long.
    pub(super) tail: Duration,
}

impl Plan {
    /// Each number and when it is due, in order.
    fn arrivals(&self) -> Vec<(Duration, u64)> {
        let whole = Duration::from_secs(self.good) / u32::try_from(self.good_per_second).unwrap_or(1).max(1);
        let spread = |count: u64, first: u64| {
            (0..count)
                .map(move |number| (whole.mul_f64((number as f64 + 0.5) / count as f64), first + number))
        };
        let mut arrivals: Vec<_> = spread(self.good, 0).chain(spread(self.bad, self.good)).collect();
        arrivals.sort_unstable();
        arrivals
    }
}

/// What became of one challenge.
#[derive(Clone, Debug)]
pub(super) struct Fate {
    pub(super) asked_at: Instant,
    /// Why the gateway did not take it: the reply's reason.
    pub(super) refused: Option<String>,
    /// When its SMS was shown, and whether by the second SMSC.
    pub(super) shown: Vec<(Instant, bool)>,
}

impl Fate {
    /// From when it was to be asked for until it was shown for the first time.
    pub(super) fn took(&self) -> Option<Duration> {
        let first = self.shown.iter().map(|(at, _)| *at).min()?;
        Some(first.duration_since(self.asked_at))
    }
}

/// Asks for what is due.
struct Due {
    generate: Generate,
    numbers: VecDeque<u64>,
    refused: Vec<(u64, String)>,
}

#[derive(Deserialize)]
struct Refusal {
    reason: String,
}

impl Load for Due {
    type Sent = u64;

    fn request(&mut self, out: &mut Vec<u8>) -> Option<u64> {
        let number = self.numbers.pop_front()?;
        self.generate.write(number, out);
        Some(number)
    }

    fn reply(&mut self, number: u64, reply: &Reply<'_>) -> Result<(), String> {
        if reply.status != 503 {
            return self.generate.reply(number, reply);
        }
        let refusal: Refusal =
            serde_json::from_slice(reply.body).map_err(|_| "a refusal gives no reason".to_owned())?;
        self.refused.push((number, refusal.reason));
        Ok(())
    }
}

/// Asks for all challenges, each at its time, and returns what became of each, by number.
///
/// # Errors
///
/// Another answer than 201 or 503; a program that ended; the signal to stop.
pub(super) fn run(
    programs: &mut Programs,
    plan: Plan,
    stop: &CancellationToken,
    mut advanced: impl FnMut(u64),
) -> Result<Vec<Fate>, Failure> {
    let mut client =
        Client::connect(programs.target.server, CONNECTIONS).map_err(Failure::io("cannot connect"))?;
    let generate = Generate::new(&programs.target, 0..0);
    let mut load = Due { generate, numbers: VecDeque::new(), refused: Vec::new() };
    let began = clock::now();
    let fate = |(due, number)| (number, Fate { asked_at: began + due, refused: None, shown: Vec::new() });
    let mut arrivals: VecDeque<_> = plan.arrivals().into();
    let mut fates: Vec<_> = arrivals.iter().copied().map(fate).collect();
    fates.sort_unstable_by_key(|(number, _)| *number);
    let mut fates: Vec<Fate> = fates.into_iter().map(|(_, fate)| fate).collect();
    let end = began + arrivals.back().map_or(Duration::ZERO, |(due, _)| *due) + plan.tail;
    loop {
        let now = clock::now();
        while let Some((_, number)) = arrivals.pop_front_if(|(due, _)| began + *due <= now) {
            load.numbers.push_back(number);
        }
        advanced(load.numbers.len() as u64);
        client.run(&mut load, ANSWER_MAX, stop)?;
        look(programs, &mut fates)?;
        if now >= end {
            break;
        }
        if stop.is_cancelled() {
            return Err(Failure::Stopped);
        }
        programs.check()?;
        let next = arrivals.front().map_or(end, |(due, _)| began + *due);
        clock::pause(next.saturating_duration_since(clock::now()).min(LOOK_EVERY));
    }
    for (number, reason) in load.refused {
        fate_of(&mut fates, number)?.refused = Some(reason);
    }
    Ok(fates)
}

/// Takes what the handsets show.
fn look(programs: &Programs, fates: &mut [Fate]) -> Result<(), Failure> {
    for (number, at) in programs.handsets.take_new()? {
        fate_of(fates, number)?.shown.push((at, false));
    }
    if let Some((_, handsets)) = &programs.second {
        for (number, at) in handsets.take_new()? {
            fate_of(fates, number)?.shown.push((at, true));
        }
    }
    Ok(())
}

fn fate_of(fates: &mut [Fate], number: u64) -> Result<&mut Fate, Failure> {
    let fate = usize::try_from(number).ok().and_then(|number| fates.get_mut(number));
    fate.ok_or_else(|| Failure::Wrong(format!("an SMS is on handset {number}, which nobody asked for")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_and_bad_ones_are_spread_over_the_same_time() {
        let plan = Plan { good: 100, bad: 10, good_per_second: 50, tail: Duration::ZERO };
        let arrivals = plan.arrivals();
        assert_eq!(arrivals.len(), 110);
        assert!(arrivals.is_sorted());
        assert_eq!(arrivals[0], (Duration::from_millis(10), 0));
        assert_eq!(arrivals.last(), Some(&(Duration::from_millis(1_990), 99)));
        let bad: Vec<_> = arrivals.iter().filter(|(_, number)| *number >= 100).map(|(due, _)| *due).collect();
        assert_eq!((bad[0], bad[9]), (Duration::from_millis(100), Duration::from_millis(1_900)));
    }
}
