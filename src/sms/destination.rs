//! Parts of the numbers that fail as one: a handset, and the numbers with the same first digits, which one network
//! serves.

use std::fmt;

use crate::msisdn::Msisdn;

/// Numbers with the same first digits: as many as are configured, or as the [route](super::route)'s prefix has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Prefix(u64);

impl Prefix {
    /// The first `digits` of a number.
    pub(super) fn of(phone: Msisdn, digits: u32) -> Self {
        Self(phone.first_digits(digits))
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whom an SMS is for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recipient {
    pub(super) phone: Msisdn,
    pub(super) prefix: Prefix,
}

/// What can be unwell on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Destination {
    Handset(Msisdn),
    Prefix(Prefix),
}
