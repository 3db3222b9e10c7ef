//! Ctrl-C and SIGTERM, as a flag that every wait of the harness looks at. What it started is then
//! ended, and its files are removed, by the same drops as after an error.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

/// How often a wait looks at the flag.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Whether the harness was told to stop. Clones share the flag.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Catches the signals from now on.
    ///
    /// # Errors
    ///
    /// The signals or the thread that waits for them could not be had.
    pub(crate) fn on_signals() -> io::Result<Self> {
        let stop = Self::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (mut interrupt, mut terminate) = {
            let _entered = runtime.enter();
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
        };
        let flag = Arc::clone(&stop.0);
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            });
            // Relaxed: it guards no other data.
            flag.store(true, Ordering::Relaxed);
        })?;
        Ok(stop)
    }

    pub(crate) fn is_told(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
