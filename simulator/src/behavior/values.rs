//! The values that a behaviour is written with.

mod delay;
mod stat;
mod status;
mod time_zone;

use std::fmt;

use serde::{Serialize, Serializer};
use settings::{Entry, Setting};

use super::draw::{Draw, Stream};
pub use delay::DELAY_MAX;
pub(crate) use delay::{Delay, Span};
pub(crate) use stat::{Stat, States};
pub(crate) use status::Status;
pub(crate) use time_zone::TimeZone;

/// Parts of a million: how [`Percent`] is kept.
const WHOLE: u32 = 1_000_000;

/// A share, from 0 to 100 percent, to the ten-thousandth of a percent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Percent {
    parts: u32,
}

impl Percent {
    /// All.
    pub(crate) const ALL: Self = Self { parts: WHOLE };

    /// `percent` from 0 to 100; `None` for any other number.
    pub(crate) fn new(percent: f64) -> Option<Self> {
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

/// A value that is written as a word or a short phrase.
pub(crate) trait Phrase: Sized {
    /// What may be written, in words.
    const ALLOWED: &'static str;
    /// What is written; `None` when it is none of what may be.
    fn parse(written: &str) -> Option<Self>;
}

/// Makes a [`Phrase`] that is written as it is read a setting.
macro_rules! phrase {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl settings::Setting for $type {
            fn allowed() -> String {
                Self::ALLOWED.into()
            }

            fn read(entry: &settings::Entry<'_>) -> Option<Self> {
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

pub(super) use phrase;

/// A short word of printable ASCII: 1 to `MAX` characters.
#[derive(Clone, PartialEq, Eq)]
pub struct Word<const MAX: usize>(String);

impl<const MAX: usize> Word<MAX> {
    /// The word; `None` when it is empty, too long, or not printable ASCII.
    pub fn new(word: &str) -> Option<Self> {
        let sensible = (1..=MAX).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_graphic());
        sensible.then(|| Self(word.to_owned()))
    }

    /// The word.
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
    fn a_share_is_no_less_than_nothing_and_no_more_than_all() {
        assert!(Percent::new(-0.1).is_none() && Percent::new(100.1).is_none());
        assert!(Percent::new(f64::NAN).is_none());
    }
}
