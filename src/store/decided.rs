//! What was decided, held back from its caller until it can no longer be lost.

use std::fmt;

/// A decision's outcome, and the mark that a reply about it waits for.
///
/// The state has changed already, and hyper drops a request's future when its client hangs up: what follows
/// from the outcome in memory is done at once, by [`then`](Self::then), and only a reply goes through
/// [`durable`](Self::durable). So no reply speaks of something that may still be lost, and nothing that a
/// reply speaks of depends on somebody waiting for it.
#[derive(Debug)]
#[must_use = "a reply waits for `durable`"]
pub struct Decided<T> {
    outcome: T,
    mark: Mark,
}

/// How much of the record of decisions must be kept safe before a reply may speak of one of them.
#[derive(Debug)]
pub(super) enum Mark {
    /// Memory is all there is until there is a journal: nothing to wait for.
    Memory,
    /// Held back until a test says how it ends.
    #[cfg(test)]
    Held(tokio::sync::watch::Receiver<Option<Result<(), StoreError>>>),
}

/// Why nothing can be said of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreError {
    /// The decision was taken, and it is not known whether it survives a restart. The same call, made again with
    /// the same idempotency key, shows it.
    #[cfg_attr(not(test), expect(dead_code, reason = "only a journal can fail to keep a decision"))]
    OutcomeUnknown,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is not known whether what was decided will be kept")
    }
}

impl std::error::Error for StoreError {}

/// Ends the process when a panic passes through: memory may hold half of a change.
pub(super) struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("a decision panicked: memory may hold half of it, so the process ends");
            std::process::abort();
        }
    }
}

impl<T> Decided<T> {
    pub(super) fn new(outcome: T, mark: Mark) -> Self {
        Self { outcome, mark }
    }

    /// Does what follows from the outcome in memory, before any wait. A panic ends the process, as one in the
    /// decision does: a change without its effect must not be replied to.
    pub(crate) fn then(self, effect: impl FnOnce(&T)) -> Self {
        let _abort = AbortOnPanic;
        effect(&self.outcome);
        self
    }

    /// Makes of the outcome what is to be replied, before any wait, so that nothing else is kept for it.
    pub(crate) fn map<U>(self, map: impl FnOnce(T) -> U) -> Decided<U> {
        Decided { outcome: map(self.outcome), mark: self.mark }
    }

    /// The outcome for a reply, once it can no longer be lost.
    ///
    /// Cancel safe: dropping it changes nothing but that nobody is told.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub(crate) async fn durable(self) -> Result<T, StoreError> {
        match self.mark {
            Mark::Memory => Ok(self.outcome),
            #[cfg(test)]
            Mark::Held(mut held) => {
                let ended = held.wait_for(Option::is_some).await.expect("the test holds the other end");
                ended.expect("it was waited for").map(|()| self.outcome)
            }
        }
    }

    /// The outcome at once, for what nobody is told of.
    pub fn without_waiting(self) -> T {
        self.outcome
    }
}
