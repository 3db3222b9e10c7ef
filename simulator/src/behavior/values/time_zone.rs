//! The time zone of a receipt's dates.

use std::fmt;

use super::{Phrase, phrase};

/// A time zone by its distance from UTC in quarter hours: `+07:00`.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct TimeZone {
    minutes: i16,
}

impl TimeZone {
    /// Ahead of UTC.
    pub(crate) fn seconds(self) -> i64 {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for written in ["+07:00", "-03:30", "+00:00", "+05:45"] {
            assert_eq!(TimeZone::parse(written).unwrap().to_string(), written);
        }
    }

    #[test]
    fn what_makes_no_sense_is_not_read() {
        for written in ["07:00", "+7:00", "+14:15", "+01:07", "+00:60", "+0a:00"] {
            assert_eq!(TimeZone::parse(written), None, "{written}");
        }
    }
}
