//! Threads with a runtime of their own, so that a busy one does not delay the others.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, LocalOptions};

use crate::clock::Clock;

/// How often each thread says that it runs.
const BEAT_EVERY: Duration = Duration::from_secs(1);

/// The threads of one gateway, and when each has been heard of.
#[derive(Debug)]
pub(crate) struct Threads {
    clock: Clock,
    /// Of those that have not ended.
    beats: Mutex<Vec<Weak<Beat>>>,
}

#[derive(Debug)]
struct Beat {
    name: String,
    /// By the clock's uptime, in milliseconds.
    at: AtomicU64,
}

impl Threads {
    pub(crate) fn new(clock: Clock) -> Arc<Self> {
        Arc::new(Self { clock, beats: Mutex::default() })
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.clock.uptime().as_millis()).unwrap_or(u64::MAX)
    }

    /// A thread that has not been heard of for this time, if there is one.
    pub(crate) fn stuck_for(&self, time: Duration) -> Option<String> {
        let now = self.millis();
        let mut beats = self.beats.lock().unwrap_or_else(PoisonError::into_inner);
        beats.retain(|beat| beat.strong_count() > 0);
        let is_stuck = |beat: &Arc<Beat>| {
            u128::from(now.saturating_sub(beat.at.load(Ordering::Relaxed))) >= time.as_millis()
        };
        beats.iter().filter_map(Weak::upgrade).find(is_stuck).map(|beat| beat.name.clone())
    }

    /// [Starts](spawn) a thread that is to be heard of.
    pub(crate) fn spawn<F: Future<Output = ()>>(
        self: &Arc<Self>,
        name: &str,
        run: impl FnOnce() -> F + Send + 'static,
    ) -> io::Result<JoinHandle<()>> {
        let beat = Arc::new(Beat { name: name.into(), at: AtomicU64::new(self.millis()) });
        self.beats.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&beat));
        let threads = Arc::clone(self);
        spawn(name, move || async move {
            let beats = async {
                loop {
                    beat.at.store(threads.millis(), Ordering::Relaxed);
                    threads.clock.sleep(BEAT_EVERY).await;
                }
            };
            tokio::select! {
                () = run() => {}
                () = beats => {}
            }
        })
    }
}

/// Starts a named thread that runs a future on its own single-threaded runtime, to its end. Tasks that it
/// spawns need not be [`Send`].
pub(crate) fn spawn<F: Future<Output = ()>>(
    name: &str,
    run: impl FnOnce() -> F + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    // Such a runtime has to be built on the thread that runs it, which reports whether that succeeded.
    let (report, built) = std::sync::mpsc::sync_channel(1);
    let thread = std::thread::Builder::new().name(name.into()).spawn(move || {
        let _whole_or_nothing = AbortOnPanic;
        let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => {
                let _ = report.send(Err(error));
                return;
            }
        };
        let _ = report.send(Ok(()));
        runtime.block_on(run());
        // A DNS look-up that hangs in the system must not keep the process from exiting.
        runtime.shutdown_background();
    })?;
    built.recv().unwrap_or_else(|_| Err(io::Error::other("its runtime was not built")))?;
    Ok(thread)
}

/// Aborts the process when it is dropped by a panic: a gateway that lost one of its threads would look alive
/// and refuse a part of its work permanently, whereas the process supervisor starts a complete one.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("a thread panicked: the process ends");
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_is_stuck_is_named_and_one_that_runs_or_has_ended_is_not() {
        let threads = Threads::new(Clock::system());
        let (release, stuck) = std::sync::mpsc::sync_channel::<()>(1);
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let ends = threads.spawn("ends", || async {}).unwrap();
        let runs = threads.spawn("runs", || async { _ = stopped.await }).unwrap();
        let blocks = threads.spawn("blocks", move || async move { _ = stuck.recv() }).unwrap();
        ends.join().unwrap();
        let stuck = std::iter::from_fn(|| Some(threads.stuck_for(3 * BEAT_EVERY))).find_map(|stuck| stuck);
        assert_eq!(stuck.as_deref(), Some("blocks"));
        drop(release);
        blocks.join().unwrap();
        assert_eq!(threads.stuck_for(3 * BEAT_EVERY), None);
        drop(stop);
        runs.join().unwrap();
    }
}
