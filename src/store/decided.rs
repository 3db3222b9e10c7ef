//! The outcome of a decision, which a reply may only use once it can no longer be lost.

use std::fmt;

/// A decision's outcome, and the mark that a reply about it waits for.
///
/// The state has changed already, and hyper drops a request's future when its client disconnects. So what
/// follows from the outcome in memory is done at once, through [`then`](Self::then), and only the reply
/// waits, in [`durable`](Self::durable): no reply reports what may still be lost, and no effect depends on a
/// client that waits for it.
#[derive(Debug)]
#[must_use = "a reply waits for `durable`"]
pub struct Decided<T> {
    outcome: T,
    mark: Mark,
}

/// What a reply waits for: the point up to which decisions must be durable.
#[derive(Debug)]
pub(super) enum Mark {
    /// Without a journal decisions are only in memory, and there is nothing to wait for.
    Memory,
    /// Waits for the result that a test sends.
    #[cfg(test)]
    Held(tokio::sync::watch::Receiver<Option<Result<(), StoreError>>>),
}

/// Why the outcome of a decision cannot be reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreError {
    /// The decision was taken, and it is not known whether it survives a restart. The same call, made again
    /// with the same idempotency key, shows it.
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

    /// Puts the outcome into effect in memory, before any wait. A panic aborts the process, as one in the
    /// decision does: a change without its effect must not be replied to.
    pub(crate) fn then(self, effect: impl FnOnce(&T)) -> Self {
        let _abort = AbortOnPanic;
        effect(&self.outcome);
        self
    }

    /// Turns the outcome into the reply before any wait, so that nothing else is kept for it.
    pub(crate) fn map<U>(self, map: impl FnOnce(T) -> U) -> Decided<U> {
        Decided { outcome: map(self.outcome), mark: self.mark }
    }

    /// The outcome for a reply, once it can no longer be lost.
    ///
    /// Cancel safe: what was decided stays decided, and only the reply is lost.
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

    /// The outcome at once, for effects that no reply reports.
    pub fn without_waiting(self) -> T {
        self.outcome
    }
}
