//! What one link sees of the routes.

use std::pin::pin;
use std::rc::Rc;

use tokio::sync::Notify;

use super::Router;
use super::destinations::Trouble;
use super::lanes::{self, LinkIndex};
use crate::clock::Timestamp;
use crate::sms::destination::Prefix;
use crate::sms::outbox::Outgoing;
use crate::sms::pace::Blame;

/// What one link sees of the routes.
pub(in crate::sms) struct Lane {
    router: Rc<Router>,
    index: LinkIndex,
    wake: Rc<Notify>,
}

/// Another link that takes an SMS.
#[must_use = "the SMS is to follow"]
pub(in crate::sms) struct Failover<'a> {
    lane: &'a Lane,
    to: lanes::Failover,
}

/// Where and when an SMS is tried again.
#[must_use = "the SMS is to follow"]
pub(in crate::sms) struct Again<'a> {
    lane: &'a Lane,
    to: lanes::Again,
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

    /// When there may be something to take that is not there now: for a link that has room.
    pub(in crate::sms) fn due(&self) -> Option<Timestamp> {
        self.router.lanes().due(self.index)
    }

    /// The SMSC took a message.
    pub(in crate::sms) fn accepted(&self, outgoing: &Outgoing, now: Timestamp) {
        self.router.lanes().accepted(self.index, outgoing, now);
    }

    /// The SMSC refused a message for what it was.
    pub(in crate::sms) fn dealt_with(&self, outgoing: &Outgoing, now: Timestamp) {
        self.router.lanes().dealt_with(self.index, outgoing, now);
    }

    /// The SMSC refused a message for now. Returns where it may go, if it is to be tried again.
    pub(in crate::sms) fn refused(
        &self,
        outgoing: &Outgoing,
        trouble: Trouble,
        now: Timestamp,
    ) -> Option<Again<'_>> {
        let to = self.router.lanes().refused(self.index, outgoing, trouble, now)?;
        Some(Again { lane: self, to })
    }

    /// Who is to blame for what the SMSC refuses for now.
    pub(in crate::sms) fn blame(&self) -> Blame {
        self.router.lanes().smscs[self.index.smsc].spread.blame()
    }

    /// The SMSC could not deal with a message. Returns another link for it, if there is one.
    pub(in crate::sms) fn failed(&self, outgoing: &Outgoing, now: Timestamp) -> Option<Failover<'_>> {
        let mut lanes = self.router.lanes();
        lanes.failed(self.index, outgoing, now);
        let to = lanes.failover(self.index, outgoing, now).filter(|_| !outgoing.failed)?;
        Some(Failover { lane: self, to })
    }

    /// The SMSC did not answer a message in time that it had at `since`.
    pub(in crate::sms) fn unanswered(&self, outgoing: &Outgoing, since: Timestamp, now: Timestamp) {
        self.router.lanes().unanswered(self.index, outgoing, since, now);
    }

    /// The link was lost with messages on it that were not answered: they are one failure together. The last was
    /// for this prefix, and the SMSC had it at `since`.
    pub(in crate::sms) fn lost(&self, prefix: Prefix, since: Timestamp, now: Timestamp) {
        self.router.lanes().lost(self.index.smsc, prefix, since, now);
    }

    /// A message that was taken is not sent: it is dead.
    pub(in crate::sms) fn unsent(&self, outgoing: &Outgoing, now: Timestamp) {
        self.router.lanes().unsent(self.index, outgoing, now);
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
    pub(in crate::sms) fn send(self, mut outgoing: Outgoing, now: Timestamp) {
        outgoing.failed = true;
        self.lane.router.lanes().fail_over(self.to, outgoing, now);
    }
}

impl Again<'_> {
    /// Whether another SMSC is to take it.
    pub(in crate::sms) fn is_elsewhere(&self) -> bool {
        matches!(self.to, lanes::Again::Elsewhere { .. })
    }

    /// Has the SMS wait, or the other SMSC take it.
    pub(in crate::sms) fn send(self, outgoing: Outgoing, now: Timestamp) {
        self.lane.router.lanes().try_again(self.lane.index, self.to, outgoing, now);
    }
}
