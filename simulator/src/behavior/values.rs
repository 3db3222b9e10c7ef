//! The values that a behaviour is written with.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};
use settings::{Entry, Form as _, Setting, list, own};
use smpp::pdu::MessageState;
use smpp::status::CommandStatus;

use super::draw::{Draw, Stream};

/// The longest of all delays: timers beyond a day are a mistake in a unit.
pub const DELAY_MAX: Duration = Duration::from_secs(24 * 3_600);

/// Parts of a million: how [`Percent`] is kept.
const WHOLE: u32 = 1_000_000;

/// A share, from 0 to 100 percent, to the ten-thousandth of a percent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Percent {
    parts: u32,
}

impl Percent {
    /// All.
    pub const ALL: Self = Self { parts: WHOLE };

    /// `percent` from 0 to 100; `None` for any other number.
    #[must_use]
    pub fn new(percent: f64) -> Option<Self> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 to a million once it is checked"
        )]
        (0.0..=100.0).contains(&percent).then(|| Self { parts: (percent * 10_000.0).round() as u32 })
    }

    fn value(self) -> f64 {
        f64::from(self.parts) / 10_000.0
    }

    pub(crate) const fn is_all(self) -> bool {
        self.parts == WHOLE
    }

    /// Whether this draw is among the share.
    pub(crate) fn takes(self, draw: Draw, stream: Stream) -> bool {
        self.is_all() || draw.below(stream, u64::from(WHOLE)) < u64::from(self.parts)
    }
}

impl fmt::Debug for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.value())
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.value())
    }
}

impl Setting for Percent {
    fn allowed() -> String {
        "0 to 100 percent".into()
    }

    fn read(entry: &Entry<'_>) -> Option<Self> {
        entry.number().and_then(Self::new).or_else(|| entry.refuse(Self::allowed()))
    }
}

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Count<const MIN: u32, const MAX: u32>(u32);

impl<const MIN: u32, const MAX: u32> Count<MIN, MAX> {
    /// `count`, cut to the range.
    #[must_use]
    pub fn new(count: u32) -> Self {
        Self(count.clamp(MIN, MAX))
    }

    /// The number.
    #[must_use]
    pub const fn value(self) -> u32 {
        self.0
    }
}

impl<const MIN: u32, const MAX: u32> fmt::Debug for Count<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<const MIN: u32, const MAX: u32> Serialize for Count<MIN, MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.0)
    }
}

impl<const MIN: u32, const MAX: u32> Setting for Count<MIN, MAX> {
    fn allowed() -> String {
        (MIN..=MAX).allowed()
    }

    fn read(entry: &Entry<'_>) -> Option<Self> {
        (MIN..=MAX).read(entry).map(Self)
    }
}

/// A value that is written as a word or a short phrase.
pub(crate) trait Phrase: Sized {
    /// What may be written, in words.
    const ALLOWED: &'static str;
    /// What is written; `None` when it is none of what may be.
    fn parse(written: &str) -> Option<Self>;
}

macro_rules! phrase {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl Setting for $type {
            fn allowed() -> String {
                Self::ALLOWED.into()
            }

            fn read(entry: &Entry<'_>) -> Option<Self> {
                entry.text().and_then(Self::parse).or_else(|| entry.refuse(Self::ALLOWED))
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

/// A `command_status`, by its name in SMPP 3.4 or its number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Status(pub CommandStatus);

/// The numbers that a named status can have: SMPP 3.4's end at 0xFF.
const NAMED_STATUS_MAX: u32 = 0xFF;

impl Phrase for Status {
    const ALLOWED: &'static str =
        "a status of SMPP 3.4 by name (\"ESME_RTHROTTLED\") or by number (\"0x58\", up to \"0xFFFFFFFF\")";

    fn parse(written: &str) -> Option<Self> {
        if let Some(digits) = written.strip_prefix("0x") {
            return u32::from_str_radix(digits, 16).ok().map(|number| Self(CommandStatus(number)));
        }
        let named = |number| CommandStatus(number).name() == Some(written);
        (0..=NAMED_STATUS_MAX).find(|number| named(*number)).map(|number| Self(CommandStatus(number)))
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "0x{:X}", self.0.0),
        }
    }
}

phrase!(Status);

/// The word of a receipt's `stat:`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Stat(&'static str);

const STATS: [&str; 10] = [
    "DELIVRD", "UNDELIV", "EXPIRED", "REJECTD", "ACCEPTD", "ENROUTE", "DELETED", "UNKNOWN", "FAILED",
    "BUFFRED",
];

impl Stat {
    /// On the handset.
    pub const DELIVRD: Self = Self("DELIVRD");
    /// Not delivered in time.
    pub const EXPIRED: Self = Self("EXPIRED");
    /// Cancelled.
    pub const DELETED: Self = Self("DELETED");

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// The state that the word stands for.
    #[must_use]
    pub fn state(self) -> MessageState {
        MessageState::from_text(self.0.as_bytes()).unwrap_or(MessageState::UNKNOWN)
    }

    /// Whether it says that the handset did not get the message.
    pub(crate) fn is_failure(self) -> bool {
        matches!(
            self.state(),
            MessageState::UNDELIVERABLE
                | MessageState::EXPIRED
                | MessageState::REJECTED
                | MessageState::DELETED
        )
    }
}

impl Phrase for Stat {
    const ALLOWED: &'static str =
        "DELIVRD, UNDELIV, EXPIRED, REJECTD, ACCEPTD, ENROUTE, DELETED, UNKNOWN, FAILED or BUFFRED";

    fn parse(written: &str) -> Option<Self> {
        STATS.iter().find(|word| **word == written).map(|word| Self(word))
    }
}

impl fmt::Display for Stat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

phrase!(Stat);

/// The states that a message goes through: 1 to [`States::MAX`] words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct States(Vec<Stat>);

impl States {
    /// The most states of a message.
    pub const MAX: usize = 8;

    /// The words in order.
    #[must_use]
    pub fn words(&self) -> &[Stat] {
        &self.0
    }

    /// Whether a message that goes through these gets to the handset.
    pub(crate) fn is_delivered(&self) -> bool {
        self.0.iter().any(|stat| stat.state() == MessageState::DELIVERED)
            || !self.0.iter().any(|stat| stat.is_failure())
    }
}

impl Default for States {
    fn default() -> Self {
        Self(vec![Stat::DELIVRD])
    }
}

impl Setting for States {
    fn allowed() -> String {
        list(1..=Self::MAX, "states", own::<Stat>()).allowed()
    }

    fn read(entry: &Entry<'_>) -> Option<Self> {
        list(1..=Self::MAX, "states", own::<Stat>()).read(entry).map(Self)
    }
}

/// A duration from nothing to a day: `250ms`, `1m 30s`.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Span(Duration);

impl Span {
    /// `duration`, cut to a day.
    #[must_use]
    pub fn new(duration: Duration) -> Self {
        Self(duration.min(DELAY_MAX))
    }

    /// The duration.
    #[must_use]
    pub const fn value(self) -> Duration {
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
pub enum Delay {
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
    pub const ZERO: Self = Self::Fixed(Span(Duration::ZERO));

    /// Always this long, cut to a day.
    #[must_use]
    pub fn fixed(duration: Duration) -> Self {
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
                least + nanoseconds(draw.below(stream, nanos(most - least) + 1))
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

fn nanoseconds(count: u64) -> Duration {
    Duration::from_nanos(count)
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

/// A time zone by its distance from UTC in quarter hours: `+07:00`.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct TimeZone {
    minutes: i16,
}

impl TimeZone {
    /// Ahead of UTC.
    #[must_use]
    pub fn seconds(self) -> i64 {
        i64::from(self.minutes) * 60
    }
}

/// UTC+14:00, as on the Line Islands, is the furthest from UTC.
const ZONE_MINUTES_MAX: i16 = 14 * 60;

impl Phrase for TimeZone {
    const ALLOWED: &'static str =
        "a distance from UTC from \"-14:00\" to \"+14:00\" in quarter hours (\"+07:00\")";

    fn parse(written: &str) -> Option<Self> {
        let (sign, hours, minutes) = match written.as_bytes() {
            [sign @ (b'+' | b'-'), h1, h0, b':', m1, m0] => (sign, [*h1, *h0], [*m1, *m0]),
            _ => return None,
        };
        let two = |digits: [u8; 2]| {
            let [high, low] = digits;
            let all_digits = high.is_ascii_digit() && low.is_ascii_digit();
            all_digits.then(|| i16::from(high - b'0') * 10 + i16::from(low - b'0'))
        };
        let (hours, minutes) = (two(hours)?, two(minutes)?);
        let total = hours * 60 + minutes;
        let sensible = minutes < 60 && minutes % 15 == 0 && total <= ZONE_MINUTES_MAX;
        sensible.then_some(Self { minutes: if *sign == b'-' { -total } else { total } })
    }
}

impl fmt::Display for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.minutes < 0 { '-' } else { '+' };
        let minutes = self.minutes.unsigned_abs();
        write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

phrase!(TimeZone);

/// A short word of printable ASCII: 1 to `MAX` characters.
#[derive(Clone, PartialEq, Eq)]
pub struct Word<const MAX: usize>(String);

impl<const MAX: usize> Word<MAX> {
    /// The word; `None` when it is empty, too long, or not printable ASCII.
    #[must_use]
    pub fn new(word: &str) -> Option<Self> {
        let sensible = (1..=MAX).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_graphic());
        sensible.then(|| Self(word.to_owned()))
    }

    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> fmt::Debug for Word<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<const MAX: usize> Serialize for Word<MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<const MAX: usize> Setting for Word<MAX> {
    fn allowed() -> String {
        format!("1 to {MAX} printable ASCII characters without blanks")
    }

    fn read(entry: &Entry<'_>) -> Option<Self> {
        entry.text().and_then(Self::new).or_else(|| entry.refuse(Self::allowed()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for written in ["0s", "20ms", "1m30s", "uniform 10ms 50ms", "normal 20ms 5ms", "spikes 20ms 2s 0.5%"]
        {
            assert_eq!(Delay::parse(written).unwrap().to_string(), written);
        }
        for written in ["+07:00", "-03:30", "+00:00", "+05:45"] {
            assert_eq!(TimeZone::parse(written).unwrap().to_string(), written);
        }
        for written in ["ESME_ROK", "ESME_RTHROTTLED", "0x401"] {
            assert_eq!(Status::parse(written).unwrap().to_string(), written);
        }
        assert_eq!(Status::parse("0x58"), Some(Status(CommandStatus::ESME_RTHROTTLED)));
        assert_eq!(STATS.map(|word| Stat::parse(word).unwrap().as_str()), STATS);
    }

    #[test]
    fn what_makes_no_sense_is_not_read() {
        for written in ["", "fast", "20", "uniform 5ms", "uniform 50ms 10ms", "spikes 1ms 2ms 3", "2days"] {
            assert_eq!(Delay::parse(written), None, "{written}");
        }
        for written in ["07:00", "+7:00", "+14:15", "+01:07", "+00:60", "+0a:00"] {
            assert_eq!(TimeZone::parse(written), None, "{written}");
        }
        for written in ["ESME_WHAT", "58", "0x", "0x1FFFFFFFF"] {
            assert_eq!(Status::parse(written), None, "{written}");
        }
        assert!(Percent::new(-0.1).is_none() && Percent::new(100.1).is_none());
        assert!(Percent::new(f64::NAN).is_none());
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

    #[test]
    fn a_message_arrives_if_a_state_says_so_or_none_says_the_contrary() {
        let states = |words: &[&str]| States(words.iter().map(|word| Stat::parse(word).unwrap()).collect());
        for (words, expected) in [
            (&["DELIVRD"][..], true),
            (&["ACCEPTD"], true),
            (&["DELIVRD", "ACCEPTD"], true),
            (&["ACCEPTD", "UNDELIV"], false),
            (&["EXPIRED"], false),
            (&["FAILED"], false),
        ] {
            assert_eq!(states(words).is_delivered(), expected, "{words:?}");
        }
    }
}
