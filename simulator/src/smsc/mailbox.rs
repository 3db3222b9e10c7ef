//! Where others leave deliveries for a session that receives.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::delivery::Delivery;

/// Deliveries that may wait in one mailbox, and again in its session: three seconds at 20,000 submits a
/// second. Beyond, submits that ask for a receipt are refused.
///
/// Some 12 MB, and what the messages take that the inbox has dropped meanwhile; their texts are freed.
pub(super) const WAITING_MAX: usize = 65_536;

#[derive(Default)]
pub(super) struct Mailbox {
    queue: Mutex<VecDeque<Delivery>>,
    arrived: Notify,
}

impl Mailbox {
    /// Something may have come, for the one session that waits.
    pub(super) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    pub(super) fn is_full(&self) -> bool {
        self.queue().len() >= WAITING_MAX
    }

    /// At most one delivery's parts over [`WAITING_MAX`], which [`Mailbox::is_full`] is asked for before.
    pub(super) fn put(&self, delivery: Delivery) {
        self.queue().push_back(delivery);
        self.arrived.notify_one();
    }

    /// At most `count` of what has come.
    pub(super) fn take(&self, count: usize) -> VecDeque<Delivery> {
        let mut queue = self.queue();
        let count = count.min(queue.len());
        queue.drain(..count).collect()
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<Delivery>> {
        // Nothing in this module panics while it holds the lock.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
