//! What a call needs besides its subscriber: a place in the outbox, and memory.

use std::time::Duration;

use crate::msisdn::Msisdn;
use crate::named::named;

named! {
    /// Why a call that would do something new is refused for now, independently of its subscriber: nothing is
    /// decided, and the same call may succeed later.
    pub enum Unavailable {
        /// All places in the outbox of the number's route are taken.
        OutboxFull = "outbox_full",
        /// No link that the number's route uses is bound, and none has been for a while.
        NoLink = "no_link",
        /// Links are bound, but their SMSCs answered a burst of submits with errors or not at all, and are
        /// given time to recover.
        SmscFailing = "smsc_failing",
        /// The number's network refuses SMS or does not answer, and as many as may wait for it do.
        DestinationFailing = "destination_failing",
        /// The memory for challenges is used up, and the subscriber has no old challenge to replace.
        StoreFull = "store_full",
        /// The registered phone changed between the reservation and the decision.
        PhoneChanged = "phone_changed",
    }
}

impl Unavailable {
    /// After which time it is worth trying again.
    pub(crate) fn retry_after(self) -> Duration {
        Duration::from_secs(match self {
            // A thousand SMS leave in a second: the outbox empties soon or not at all.
            Self::OutboxFull => 1,
            // An SMSC that failed is tried again after this time, too.
            Self::NoLink | Self::SmscFailing | Self::DestinationFailing => 5,
            // An operator has to configure more.
            Self::StoreFull => 60,
            // The next attempt finds the new phone.
            Self::PhoneChanged => 1,
        })
    }
}

/// What was available, before the lock was taken, of what a call needs besides its subscriber. A decision
/// consults it after the replay check, since a replay needs nothing.
#[derive(Clone, Copy, Debug)]
pub struct Admission {
    /// The phone whose route has a place for the SMS; `None` if the subscriber was not enrolled.
    pub phone: Option<Msisdn>,
    /// Whether that place is reserved.
    pub place: Result<(), Unavailable>,
    /// Whether there is memory for another challenge.
    pub memory: Result<(), Unavailable>,
}

impl Admission {
    /// Whether an SMS to `phone` can be queued.
    pub(crate) fn sms(&self, phone: Msisdn) -> Result<(), Unavailable> {
        if self.phone == Some(phone) { self.place } else { Err(Unavailable::PhoneChanged) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::named::Named as _;

    #[test]
    fn whoever_is_refused_for_now_is_to_come_again_after_a_second_to_a_minute() {
        for unavailable in Unavailable::ALL {
            let seconds = unavailable.retry_after().as_secs();
            assert!((1..=60).contains(&seconds), "{unavailable:?}: {seconds} s");
        }
    }
}
