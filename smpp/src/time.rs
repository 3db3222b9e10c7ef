//! Times and periods as `validity_period` and `schedule_delivery_time` write them (SMPP 3.4 §7.1.1), and the
//! calendar that they and receipts share.
//!
//! `YYMMDDhhmmsstnnp`: sixteen characters, of which `p` says what the others mean: `R` a period from now on,
//! `+` and `-` a local time `nn` quarter hours ahead of or behind UTC; `t` is tenths of a second. Both ends
//! of a link agree on the century: this one.

use std::time::Duration;

/// Characters of a time, its NUL not counted.
pub const TIME_BYTES: usize = 16;

const SECONDS_OF_DAY: u64 = 86_400;
/// Days fill two digits, and months and years have no fixed length: longer periods are cut.
const PERIOD_SECONDS_MAX: u64 = 100 * SECONDS_OF_DAY - 1;

/// What a time field says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Time {
    /// A period from the moment the PDU was received. A month counts 30 days, a year 365.
    Period(Duration),
    /// A point in time: seconds since 1970-01-01 00:00 UTC, tenths dropped.
    At {
        /// Seconds since the Unix epoch.
        unix_seconds: i64,
    },
}

/// Reads a time field; `None` for an empty one and for one of any other form.
#[must_use]
pub fn parse(time: &[u8]) -> Option<Time> {
    if !is_well_formed(time) {
        return None;
    }
    let field = |index: usize| number(&time[index..index + 2]);
    let [year, month, day] = [field(0)?, field(2)?, field(4)?];
    let [hour, minute, second] = [field(6)?, field(8)?, field(10)?];
    if time[TIME_BYTES - 1] == b'R' {
        let days = u64::from(year) * 365 + u64::from(month) * 30 + u64::from(day);
        let seconds = u64::from(hour) * 3_600 + u64::from(minute) * 60 + u64::from(second);
        return Some(Time::Period(Duration::from_secs(days * SECONDS_OF_DAY + seconds)));
    }
    let date = CalendarTime { year: 2000 + year, month, day, hour, minute, second };
    let ahead = i64::from(field(13)?) * 15 * 60;
    let ahead = if time[TIME_BYTES - 1] == b'+' { ahead } else { -ahead };
    date.is_valid().then(|| Time::At { unix_seconds: date.unix_seconds() - ahead })
}

/// Whether these are sixteen characters of the form above: digits, then `+`, `-` or `R`.
pub(crate) fn is_well_formed(time: &[u8]) -> bool {
    let Ok(&[ref digits @ .., sign]) = <&[u8; TIME_BYTES]>::try_from(time) else {
        return false;
    };
    digits.iter().all(u8::is_ascii_digit) && matches!(sign, b'+' | b'-' | b'R')
}

/// A period from the moment the SMSC receives it: `000000000300000R` is three minutes.
///
/// Whole seconds, the fraction dropped, so that a validity never outlives what is left; a period of 100 days
/// or more is cut to a second less.
#[must_use]
pub fn period(period: Duration) -> [u8; TIME_BYTES] {
    let seconds = period.as_secs().min(PERIOD_SECONDS_MAX);
    let mut time = *b"000000000000000R";
    let parts = [seconds / SECONDS_OF_DAY, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60];
    for (digits, part) in time[4..12].chunks_exact_mut(2).zip(parts) {
        digits.copy_from_slice(&two_digits(part));
    }
    time
}

/// A point in time in UTC: `261122151500000+`. Two digits stand for the years 2000 to 2099; others wrap
/// round.
#[must_use]
pub fn absolute(unix_seconds: i64) -> [u8; TIME_BYTES] {
    let mut time = *b"000000000000000+";
    time[..12].copy_from_slice(&CalendarTime::from_unix_seconds(unix_seconds).digits());
    time
}

/// A date and time of day without zone. Fields are as their names say; [`is_valid`](Self::is_valid) says
/// whether they name a real moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CalendarTime {
    /// All four digits.
    pub year: u16,
    /// 1 to 12.
    pub month: u16,
    /// 1 to 31.
    pub day: u16,
    /// 0 to 23.
    pub hour: u16,
    /// 0 to 59.
    pub minute: u16,
    /// 0 to 59.
    pub second: u16,
}

impl CalendarTime {
    /// The date and time of day in UTC. Years before 0 and after 65,535 are cut to those.
    #[must_use]
    pub fn from_unix_seconds(unix_seconds: i64) -> Self {
        let days = unix_seconds.div_euclid(86_400);
        let second_of_day = unix_seconds.rem_euclid(86_400);
        let (year, month, day) = civil_from_days(days);
        // Each is in the range of its kind but the year, which is cut to it.
        let small = |number: i64| u16::try_from(number.clamp(0, 65_535)).unwrap_or_default();
        Self {
            year: small(year),
            month: small(month),
            day: small(day),
            hour: small(second_of_day / 3_600),
            minute: small(second_of_day / 60 % 60),
            second: small(second_of_day % 60),
        }
    }

    /// Seconds since 1970-01-01 00:00, the date and time taken for UTC.
    #[must_use]
    pub fn unix_seconds(&self) -> i64 {
        let days = days_from_civil(i64::from(self.year), i64::from(self.month), i64::from(self.day));
        days * 86_400 + i64::from(self.hour) * 3_600 + i64::from(self.minute) * 60 + i64::from(self.second)
    }

    /// Whether there is such a moment, leap years considered and leap seconds not.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        // A 30th of February, or a 25th hour, is another moment when it is counted out.
        Self::from_unix_seconds(self.unix_seconds()) == *self
    }

    /// `yyMMddHHmmss`.
    #[must_use]
    pub fn digits(&self) -> [u8; 12] {
        let mut digits = [b'0'; 12];
        let parts = [self.year, self.month, self.day, self.hour, self.minute, self.second];
        for (digits, part) in digits.chunks_exact_mut(2).zip(parts) {
            digits.copy_from_slice(&two_digits(u64::from(part)));
        }
        digits
    }
}

/// The number of decimal digits; `None` for anything else or over 65,535.
pub(crate) fn number(digits: &[u8]) -> Option<u16> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    digits
        .iter()
        .try_fold(0u16, |number, &digit| number.checked_mul(10)?.checked_add(u16::from(digit - b'0')))
}

/// The last two decimal digits.
fn two_digits(number: u64) -> [u8; 2] {
    let digit = |number: u64| b'0' + (number % 10) as u8;
    [digit(number / 10), digit(number)]
}

/// Days since 1970-01-01 in the Gregorian calendar. Years start in March here, so that the leap day is the
/// last of its year; 400 years have 146,097 days.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse of [`days_from_civil`]: year, month and day.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn s10_a_period_is_written_in_days_hours_minutes_and_seconds() {
        assert_eq!(&period(180 * SECOND), b"000000000300000R");
        assert_eq!(&period(Duration::ZERO), b"000000000000000R");
        assert_eq!(&period(93_784 * SECOND), b"000001020304000R");
    }

    #[test]
    fn a_period_is_never_longer_than_asked_for() {
        assert_eq!(&period(Duration::from_millis(29_999)), b"000000000029000R");
        assert_eq!(&period(Duration::MAX), b"000099235959000R");
    }

    #[test]
    fn s10_written_times_are_read_back() {
        for seconds in [0, 1, 59, 60, 3_599, 86_399, 86_400, PERIOD_SECONDS_MAX] {
            let written = period(Duration::from_secs(seconds));
            assert_eq!(parse(&written), Some(Time::Period(Duration::from_secs(seconds))));
        }
        let unix_seconds = 1_795_360_509;
        assert_eq!(&absolute(unix_seconds), b"261122151509000+");
        assert_eq!(parse(&absolute(unix_seconds)), Some(Time::At { unix_seconds }));
    }

    #[test]
    fn a_zone_is_taken_off_in_quarter_hours() {
        let at = |time| match parse(time) {
            Some(Time::At { unix_seconds }) => unix_seconds,
            other => panic!("{other:?}"),
        };
        let utc = at(b"261122151509000+");
        assert_eq!(at(b"261122221509028+"), utc, "seven hours ahead");
        assert_eq!(at(b"261122094509022-"), utc, "five and a half hours behind");
    }

    #[test]
    fn what_is_no_time_is_not_read() {
        for time in [
            &b""[..],
            b"000000000300000",
            b"000000000300000r",
            b"0000000003000000R",
            b"00000000 300000R",
            b"261322151509000+",
            b"260230000000000+",
            b"261122241509000+",
        ] {
            assert_eq!(parse(time), None, "{}", time.escape_ascii());
        }
    }

    #[test]
    fn the_calendar_knows_its_leap_days() {
        let date = |year, month, day| CalendarTime { year, month, day, hour: 0, minute: 0, second: 0 };
        assert_eq!(date(1970, 1, 1).unix_seconds(), 0);
        assert_eq!(date(2000, 3, 1).unix_seconds(), 951_868_800);
        assert!(date(2024, 2, 29).is_valid() && date(2000, 2, 29).is_valid());
        for date in [date(2023, 2, 29), date(2100, 2, 29), date(2026, 4, 31), date(2026, 0, 1)] {
            assert!(!date.is_valid(), "{date:?}");
        }
    }

    #[test]
    fn a_field_beyond_its_range_makes_no_moment() {
        let midnight = CalendarTime { year: 2026, month: 12, day: 31, hour: 0, minute: 0, second: 0 };
        assert!(CalendarTime { hour: 23, minute: 59, second: 59, ..midnight }.is_valid());
        for (month, day, hour, minute, second) in [
            (13, 1, 0, 0, 0),
            (65_535, 1, 0, 0, 0),
            (12, 0, 0, 0, 0),
            (12, 32, 0, 0, 0),
            (12, 31, 24, 0, 0),
            (12, 31, 0, 60, 0),
            (12, 31, 0, 0, 60),
        ] {
            let time = CalendarTime { year: 2026, month, day, hour, minute, second };
            assert!(!time.is_valid(), "{time:?}");
        }
    }

    #[test]
    fn days_count_on_without_gap_or_overlap() {
        let mut before = CalendarTime::from_unix_seconds(-1);
        assert_eq!(before.unix_seconds(), -1);
        for day in 0..200_000 {
            let date = CalendarTime::from_unix_seconds(day * 86_400);
            assert_eq!(date.unix_seconds(), day * 86_400);
            assert!(date > before && date.is_valid());
            before = date;
        }
    }
}
