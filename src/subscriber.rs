//! A person enrolled for OTP, and every decision about them. Pure: time, randomness and limits are arguments,
//! and a decision changes nothing until its events are applied.
//!
//! ```text
//! decide:  (&Subscriber, command, &Policy, Timestamp) -> Decision { outcome, events }
//! apply:   (&mut Subscriber, &Event)
//! ```

pub mod admission;
pub mod challenge;
pub mod challenge_id;
pub mod code;
mod commands;
mod decide;
pub(crate) mod event;
pub mod id;
pub mod idempotency;
pub(crate) mod lockout;
pub mod policy;
pub(crate) mod tagged;
pub mod transaction;
pub mod verdict;

pub(crate) use commands::{
    Cancel, Cancelled, Enrol, EnrolRefused, GenerateRefusedKind, Resend, ResendRefused, Resent,
};
pub use commands::{Decision, Draw, Generate, GenerateRefused, Issued, Presented, Verify};
pub(crate) use event::Event;

use challenge::{Challenge, OpenChallenge, State};
use challenge_id::{ChallengeId, SmsReference};
use idempotency::Remembered;
use lockout::Lockout;
use policy::Policy;

use crate::clock::Timestamp;
use crate::msisdn::Msisdn;
use crate::named::named;

named! {
    /// What a subscriber confirms with.
    pub enum Authenticator {
        /// A device that shows codes ("Secure ID").
        HardToken = "hard_token",
        /// A code by SMS to the registered phone.
        SmsOtp = "sms_otp",
    }
}

/// The state that decisions about one person depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscriber {
    phone: Msisdn,
    authenticator: Authenticator,
    lockout: Lockout,
    /// How often a challenge id was presented that this subscriber does not have.
    pub(crate) unknown_presented: u32,
    /// Those that no event has ended, in the order of issue.
    open: Vec<OpenChallenge>,
    /// In the order in which they ended.
    ended: Vec<Challenge>,
    /// At most the acts on each challenge held, with which they are dropped: see `forget_ended`.
    remembered: Vec<Remembered>,
    /// When an SMS was queued, in the last 24 hours.
    sends: Vec<Timestamp>,
}

impl Subscriber {
    /// A subscriber as enrolled: no challenge, no failure.
    pub fn new(phone: Msisdn, authenticator: Authenticator) -> Self {
        Self {
            phone,
            authenticator,
            lockout: Lockout::default(),
            unknown_presented: 0,
            open: Vec::new(),
            ended: Vec::new(),
            remembered: Vec::new(),
            sends: Vec::new(),
        }
    }

    /// The challenge with this id, if at `now` it is open or ended at most ten minutes ago.
    pub(crate) fn challenge(&self, id: ChallengeId, now: Timestamp) -> Option<&Challenge> {
        self.challenges().find(|challenge| challenge.id == id && !challenge.is_forgotten(now))
    }

    /// The newest challenge whose SMS had this reference, if it is open or ended at most ten minutes ago.
    pub(crate) fn challenge_with(&self, reference: SmsReference, now: Timestamp) -> Option<&Challenge> {
        let held = self.challenges().filter(|challenge| !challenge.is_forgotten(now));
        held.filter(|challenge| challenge.id.sms_reference() == reference).max_by_key(|c| c.issued_at)
    }

    /// The state of a challenge that is held; without its master key an open one is as good as expired.
    pub(crate) fn state(&self, challenge: &Challenge, policy: &Policy, now: Timestamp) -> State {
        match challenge.state(now) {
            State::Open if !self.open_challenge(challenge.id).is_some_and(|open| open.has_key(policy)) => {
                State::Expired
            }
            state => state,
        }
    }

    /// All that are held, those that are forgotten included.
    fn challenges(&self) -> impl Iterator<Item = &Challenge> {
        self.open.iter().map(|open| &open.challenge).chain(&self.ended)
    }

    fn open_challenge(&self, id: ChallengeId) -> Option<&OpenChallenge> {
        self.open.iter().find(|open| open.challenge.id == id)
    }

    /// The registered phone.
    pub(crate) fn phone(&self) -> Msisdn {
        self.phone
    }

    /// The bytes that this subscriber holds outside its own struct.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.open.capacity() * size_of::<OpenChallenge>()
            + self.ended.capacity() * size_of::<Challenge>()
            + self.remembered.capacity() * size_of::<Remembered>()
            + self.sends.capacity() * size_of::<Timestamp>()
    }
}

#[cfg(test)]
mod tests;
