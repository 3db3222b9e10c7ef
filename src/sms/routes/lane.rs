//! What one link sees of the routes.

use std::pin::pin;
use std::rc::Rc;

use tokio::sync::Notify;

use super::lanes::{Elsewhere, Outgoing};
use super::router::Routes;
use crate::clock::Timestamp;
use crate::msisdn::Msisdn;

/// What one link sees of the routes.
pub(in crate::sms) struct Lane {
    pub(super) routes: Rc<Routes>,
    pub(super) link: usize,
    pub(super) wake: Rc<Notify>,
}

impl Lane {
    /// The next item that this link is to send, if there is one.
    pub(in crate::sms) fn take(&self, now: Timestamp) -> Option<Outgoing> {
        let mut state = self.routes.state.borrow_mut();
        let outgoing = state.take(self.link, now);
        if outgoing.is_none() && state.is_over() {
            self.routes.over.notify_waiters();
        }
        outgoing
    }

    /// Says whether the link would send an item at once. If there is one, a link of its SMSC that would is
    /// woken: this or another.
    pub(in crate::sms) fn set_hungry(&self, hungry: bool) {
        let mut state = self.routes.state.borrow_mut();
        let link = &mut state.links[self.link];
        let (smsc, was) = (link.smsc, std::mem::replace(&mut link.hungry, hungry));
        let link = &mut state.links[self.link];
        if hungry && !link.own.is_empty() {
            link.hungry = false;
            link.wake.notify_one();
        } else if !state.smscs[smsc].lane.is_empty() {
            state.wake_one(smsc);
        }
        if hungry && !was {
            self.routes.wanted.notify_one();
        }
    }

    /// Returns once there may be something to take for a link that was hungry. Cancel safe.
    pub(in crate::sms) async fn ready(&self) {
        self.wake.notified().await;
    }

    /// Says whether the link can take SMS.
    pub(in crate::sms) fn set_bound(&self, bound: bool, now: Timestamp) {
        self.routes.state.borrow_mut().set_bound(self.link, bound, now);
    }

    /// Gives back what was surely not sent, in its order; it goes before what waits. To be called after the
    /// link is [not bound](Self::set_bound) any more.
    pub(in crate::sms) fn give_back(&self, unsent: Vec<Outgoing>, now: Timestamp) {
        let mut state = self.routes.state.borrow_mut();
        let smsc = state.links[self.link].smsc;
        let own = std::mem::take(&mut state.links[self.link].own);
        // A probe may be among them; without any, it is another link's.
        if !unsent.is_empty() || !own.is_empty() {
            state.smscs[smsc].circuit.unsent();
        }
        for outgoing in own.into_iter().rev() {
            state.place_first(outgoing, now);
        }
        for outgoing in unsent.into_iter().rev() {
            state.queue.came_back(outgoing.item.phone);
            state.place_first(outgoing, now);
        }
    }

    /// The SMSC dealt with a message: it took it, or refused it for what it was.
    pub(in crate::sms) fn succeeded(&self, now: Timestamp) {
        let mut state = self.routes.state.borrow_mut();
        let smsc = state.links[self.link].smsc;
        state.succeeded(smsc, now);
    }

    /// The SMSC did not answer a message that it had at `since`, or could not deal with it then.
    pub(in crate::sms) fn failed(&self, since: Timestamp, now: Timestamp) {
        let mut state = self.routes.state.borrow_mut();
        let smsc = state.links[self.link].smsc;
        state.failed(smsc, since, now);
    }

    /// An item that was taken is not sent: it is dead, or has to wait.
    pub(in crate::sms) fn unsent(&self, now: Timestamp) {
        let mut state = self.routes.state.borrow_mut();
        let smsc = state.links[self.link].smsc;
        if state.smscs[smsc].circuit.unsent() {
            state.unpark(now);
        }
    }

    /// Has another link send an SMS that this one's SMSC could not deal with.
    ///
    /// # Errors
    ///
    /// The SMS, if no other link can.
    pub(in crate::sms) fn send_elsewhere<T>(
        &self,
        phone: Msisdn,
        submit: T,
        take_back: impl FnOnce(T) -> Outgoing,
        now: Timestamp,
    ) -> Result<(), T> {
        let mut state = self.routes.state.borrow_mut();
        let Some(elsewhere) = state.elsewhere(self.link, phone, now) else { return Err(submit) };
        let outgoing = Outgoing { refused: true, ..take_back(submit) };
        state.queue.came_back(outgoing.item.phone);
        match elsewhere {
            Elsewhere::Smsc(other) => {
                state.smscs[other].lane.push_front(outgoing);
                state.wake_one(other);
            }
            Elsewhere::Link(other) => {
                let link = &mut state.links[other];
                link.own.push_back(outgoing);
                if std::mem::take(&mut link.hungry) {
                    link.wake.notify_one();
                }
            }
        }
        Ok(())
    }

    /// Whether nothing waits or can still come, as far as is known.
    pub(in crate::sms) fn is_over(&self) -> bool {
        self.routes.state.borrow().is_over()
    }

    /// Returns once nothing waits or can still come. Cancel safe.
    pub(in crate::sms) async fn over(&self) {
        let mut over = pin!(self.routes.over.notified());
        while !self.is_over() {
            over.as_mut().await;
            over.set(self.routes.over.notified());
        }
    }
}
