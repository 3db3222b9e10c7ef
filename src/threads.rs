//! Threads with a runtime of their own, so that a busy one does not delay the others.

use std::io;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, LocalOptions};

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
