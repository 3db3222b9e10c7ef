//! One ESME at the SMSC: its credentials, its limits, and its sessions.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use prometheus::IntCounter;
use subtle::{Choice, ConstantTimeEq as _};

use super::receivers::Receivers;
use crate::config::Esme;
use crate::rate::Rate;

/// One ESME of the configuration.
pub(super) struct Account {
    pub(super) esme: Esme,
    pub(super) system_id: Arc<str>,
    pub(super) receivers: Receivers,
    bound: AtomicUsize,
    rate: Option<Rate>,
}

impl Account {
    /// `dropped` counts deliveries that are given up for want of a session.
    pub(super) fn new(esme: Esme, dropped: IntCounter) -> Self {
        Self {
            system_id: esme.system_id.as_str().into(),
            receivers: Receivers::new(dropped),
            bound: AtomicUsize::new(0),
            rate: esme.rate.and_then(NonZeroU32::new).map(Rate::new),
            esme,
        }
    }

    /// Whether these are its credentials; both are always compared, and each in constant time.
    pub(super) fn admits(&self, system_id: &[u8], password: &[u8]) -> (Choice, Choice) {
        (system_id.ct_eq(self.esme.system_id.as_bytes()), password.ct_eq(self.esme.password.as_bytes()))
    }

    /// Sessions bound now.
    pub(super) fn bound(&self) -> usize {
        self.bound.load(Ordering::Relaxed)
    }

    /// Counts a session in, unless there are as many as may be.
    pub(super) fn take_seat(&self) -> bool {
        let max = self.esme.binds_max;
        let take = |bound| (bound < max).then_some(bound + 1);
        self.bound.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    pub(super) fn leave_seat(&self) {
        self.bound.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether the rate allows one more segment now; counts it if so.
    pub(super) fn is_within_rate(&self) -> bool {
        self.rate.as_ref().is_none_or(Rate::takes)
    }
}
