//! How long something takes.

use std::fmt;
use std::time::Duration;

use super::{Percent, Phrase, phrase};
use crate::behavior::draw::{Draw, Stream};

/// The longest of all delays: timers beyond a day are a mistake in a unit.
pub const DELAY_MAX: Duration = Duration::from_secs(24 * 3_600);

/// A duration from nothing to a day: `250ms`, `1m 30s`.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span(Duration);

impl Span {
    /// `duration`, cut to a day.
    pub(crate) fn new(duration: Duration) -> Self {
        Self(duration.min(DELAY_MAX))
    }

    /// The duration.
    pub(crate) const fn value(self) -> Duration {
        self.0
    }
}

impl Phrase for Span {
    const ALLOWED: &'static str = "a duration up to a day (\"20ms\", \"1m 30s\")";

    fn parse(written: &str) -> Option<Self> {
        humantime::parse_duration(written).ok().filter(|span| *span <= DELAY_MAX).map(Self)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without blanks, so that a delay is told apart word by word.
        let written = humantime::format_duration(self.0).to_string();
        written.split(' ').try_for_each(|part| f.write_str(part))
    }
}

phrase!(Span);

/// How long something takes, drawn anew each time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delay {
    /// Always the same: `20ms`.
    Fixed(Span),
    /// Anything between two durations, each as likely: `uniform 10ms 50ms`.
    Uniform(Span, Span),
    /// Mean and standard deviation, never below zero: `normal 20ms 5ms`.
    Normal(Span, Span),
    /// Mostly the first, in a share of cases the second: `spikes 20ms 2s 1%`.
    Spikes(Span, Span, Percent),
}

impl Delay {
    /// None.
    pub(crate) const ZERO: Self = Self::Fixed(Span(Duration::ZERO));

    /// Always this long, cut to a day.
    pub(crate) fn fixed(duration: Duration) -> Self {
        Self::Fixed(Span::new(duration))
    }

    /// Whether it needs a draw.
    pub(crate) const fn is_random(self) -> bool {
        !matches!(self, Self::Fixed(_))
    }

    /// The duration for a draw.
    pub(crate) fn draw(self, draw: Draw, stream: Stream) -> Duration {
        match self {
            Self::Fixed(Span(always)) => always,
            Self::Uniform(Span(least), Span(most)) => {
                least + Duration::from_nanos(draw.below(stream, nanos(most - least) + 1))
            }
            Self::Normal(Span(mean), Span(deviation)) => {
                let (above, share) = draw.normal(stream);
                let off = deviation.mul_f64(share);
                if above { mean + off } else { mean.saturating_sub(off) }
            }
            Self::Spikes(Span(mostly), Span(spike), share) => {
                if share.takes(draw, stream) {
                    spike
                } else {
                    mostly
                }
            }
        }
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX - 1)
}

impl Phrase for Delay {
    const ALLOWED: &'static str = "a duration up to a day (\"20ms\"), \"uniform 10ms 50ms\", \"normal 20ms 5ms\" or \"spikes 20ms 2s 1%\"";

    fn parse(written: &str) -> Option<Self> {
        let words: Vec<_> = written.split_ascii_whitespace().collect();
        match words.as_slice() {
            ["uniform", least, most] => {
                let (least, most) = (Span::parse(least)?, Span::parse(most)?);
                (least.0 <= most.0).then_some(Self::Uniform(least, most))
            }
            ["normal", mean, deviation] => Some(Self::Normal(Span::parse(mean)?, Span::parse(deviation)?)),
            ["spikes", mostly, spike, share] => {
                let share = share.strip_suffix('%')?.parse().ok().and_then(Percent::new)?;
                Some(Self::Spikes(Span::parse(mostly)?, Span::parse(spike)?, share))
            }
            _ => Span::parse(written).map(Self::Fixed),
        }
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(always) => always.fmt(f),
            Self::Uniform(least, most) => write!(f, "uniform {least} {most}"),
            Self::Normal(mean, deviation) => write!(f, "normal {mean} {deviation}"),
            Self::Spikes(mostly, spike, share) => write!(f, "spikes {mostly} {spike} {share:?}"),
        }
    }
}

phrase!(Delay);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for written in ["0s", "20ms", "1m30s", "uniform 10ms 50ms", "normal 20ms 5ms", "spikes 20ms 2s 0.5%"]
        {
            assert_eq!(Delay::parse(written).unwrap().to_string(), written);
        }
    }

    #[test]
    fn what_makes_no_sense_is_not_read() {
        for written in ["", "fast", "20", "uniform 5ms", "uniform 50ms 10ms", "spikes 1ms 2ms 3", "2days"] {
            assert_eq!(Delay::parse(written), None, "{written}");
        }
    }

    #[test]
    fn delays_keep_to_their_form() {
        let delay = |written| Delay::parse(written).unwrap();
        let drawn = |written, n| delay(written).draw(Draw::new(7, b"62811", n), Stream::Latency);
        let mut spikes = 0;
        let mut sum = Duration::ZERO;
        for n in 0..2_000 {
            assert_eq!(drawn("20ms", n), Duration::from_millis(20));
            let uniform = drawn("uniform 10ms 50ms", n);
            assert!((Duration::from_millis(10)..=Duration::from_millis(50)).contains(&uniform));
            sum += drawn("normal 100ms 10ms", n);
            spikes += u32::from(drawn("spikes 20ms 2s 10%", n) == Duration::from_secs(2));
        }
        assert!((150..250).contains(&spikes), "{spikes} of 2000 in ten percent");
        assert!((98..=102).contains(&(sum.as_millis() / 2_000)), "{sum:?} of 2000 round 100 ms");
    }
}
