//! What a call needs beside its subscriber.

use std::time::Duration;

use crate::msisdn::Msisdn;
use crate::named::named;

named! {
    /// Why a call that would do something new cannot be taken in now, whoever its subscriber is: nothing is
    /// decided, and the same call may succeed later.
    pub enum Unavailable {
        /// All places in the outbox that the number's route may have are taken.
        OutboxFull = "outbox_full",
        /// No link that the number's route uses is bound, and none has been for a while.
        NoLink = "no_link",
        /// Links are bound, but their SMSCs answered a burst of submits with errors or not at all, and are
        /// given time to recover.
        SmscFailing = "smsc_failing",
        /// There is no memory for one challenge more, and none of this subscriber's to drop.
        StoreFull = "store_full",
        /// The registered phone changed while the call was on its way to its decision.
        PhoneChanged = "phone_changed",
    }
}

impl Unavailable {
    /// When it is worth trying again.
    pub(crate) fn retry_after(self) -> Duration {
        Duration::from_secs(match self {
            // A thousand SMS leave in a second; what fills the outbox drains soon or not at all.
            Self::OutboxFull => 1,
            // After so long an SMSC that failed is tried again, too.
            Self::NoLink | Self::SmscFailing => 5,
            // An operator has to give it more.
            Self::StoreFull => 60,
            // The next attempt finds the new phone.
            Self::PhoneChanged => 1,
        })
    }
}

/// What was found, before the lock was taken, of what a call needs beside its subscriber. A decision
/// consults it after the replay check: a replay needs nothing.
#[derive(Clone, Copy, Debug)]
pub struct Admission {
    /// The phone whose route has a place for the SMS; `None` if nobody was enrolled yet.
    pub phone: Option<Msisdn>,
    /// Whether that place is reserved.
    pub place: Result<(), Unavailable>,
    /// Whether there is memory for one challenge more.
    pub memory: Result<(), Unavailable>,
}

impl Admission {
    /// Whether an SMS to `phone` can be taken in.
    pub(crate) fn sms(&self, phone: Msisdn) -> Result<(), Unavailable> {
        if self.phone == Some(phone) { self.place } else { Err(Unavailable::PhoneChanged) }
    }
}
