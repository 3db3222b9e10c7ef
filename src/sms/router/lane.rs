//! What one link sees of the routes.

use std::pin::pin;
use std::rc::Rc;

use tokio::sync::Notify;

use super::Router;
use super::lanes::{self, LinkIndex};
use crate::clock::Timestamp;
use crate::sms::outbox::Outgoing;

/// What one link sees of the routes.
pub(in crate::sms) struct Lane {
    router: Rc<Router>,
    index: LinkIndex,
    wake: Rc<Notify>,
}

/// Another link that takes an SMS.
#[must_use = "its SMSC counts on the SMS already"]
pub(in crate::sms) struct Failover<'a> {
    lane: &'a Lane,
    to: lanes::Failover,
}

impl Lane {
    pub(super) fn new(router: Rc<Router>, index: LinkIndex, wake: Rc<Notify>) -> Self {
        Self { router, index, wake }
    }

    /// The next item that this link is to send, if there is one.
    pub(in crate::sms) fn take(&self, now: Timestamp) -> Option<Outgoing> {
        let outgoing = self.router.lanes().take(self.index, now);
        if outgoing.is_none() {
            self.router.notify_if_drained();
        }
        outgoing
    }

    /// The link would send an item at once, or not. If there is one, a link of its SMSC that would is woken:
    /// this or another.
    pub(in crate::sms) fn set_idle(&self, idle: bool) {
        if self.router.lanes().set_idle(self.index, idle) {
            self.router.notify_idle();
        }
    }

    /// Returns once there may be something to take for a link that was idle. Cancel safe.
    pub(in crate::sms) async fn ready(&self) {
        self.wake.notified().await;
    }

    /// The link can take SMS, or not.
    pub(in crate::sms) fn set_bound(&self, bound: bool, now: Timestamp) {
        self.router.lanes().set_bound(self.index, bound, now);
    }

    /// Gives back what was surely not sent, in its order; it goes before what waits. To be called after the
    /// link is [not bound](Self::set_bound) any more.
    pub(in crate::sms) fn give_back(&self, unsent: Vec<Outgoing>, now: Timestamp) {
        self.router.lanes().take_back(self.index, unsent, now);
    }

    /// The SMSC dealt with a message: it took it, or refused it for what it was.
    pub(in crate::sms) fn succeeded(&self, now: Timestamp) {
        self.router.lanes().succeeded(self.index.smsc, now);
    }

    /// The SMSC did not answer a message that it had at `since`, or could not deal with it then.
    pub(in crate::sms) fn failed(&self, since: Timestamp, now: Timestamp) {
        self.router.lanes().failed(self.index.smsc, since, now);
    }

    /// An item that was taken is not sent: it is dead, or has to wait.
    pub(in crate::sms) fn unsent(&self, now: Timestamp) {
        self.router.lanes().unsent(self.index.smsc, now);
    }

    /// Another link for an SMS that this one's SMSC could not deal with, if there is one. The SMS counts as
    /// sent there, and is to follow.
    pub(in crate::sms) fn failover(&self, outgoing: &Outgoing, now: Timestamp) -> Option<Failover<'_>> {
        let to = self.router.lanes().failover(self.index, outgoing, now)?;
        Some(Failover { lane: self, to })
    }

    /// Whether nothing waits or can still come, as far as is known.
    pub(in crate::sms) fn is_drained(&self) -> bool {
        self.router.lanes().is_drained()
    }

    /// Returns once nothing waits or can still come. Cancel safe.
    pub(in crate::sms) async fn drained(&self) {
        let mut drained = pin!(self.router.drained());
        while !self.is_drained() {
            drained.as_mut().await;
            drained.set(self.router.drained());
        }
    }
}

impl Failover<'_> {
    /// Has the other link send the SMS. The next SMSC that cannot deal with it has the last word.
    pub(in crate::sms) fn send(self, mut outgoing: Outgoing) {
        outgoing.refused = true;
        self.lane.router.lanes().fail_over(self.to, outgoing);
    }
}
