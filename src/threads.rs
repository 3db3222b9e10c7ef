//! Threads with a runtime of their own: what runs on one shares no lock and no queue with the rest.

use std::io;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, LocalOptions};

/// Starts a named thread that runs a future on its own single-threaded runtime, to its end. Tasks that it
/// spawns need not be [`Send`].
pub(crate) fn spawn<F: Future<Output = ()>>(
    name: &str,
    run: impl FnOnce() -> F + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    // Such a runtime is built where it runs; whether that succeeded is told back.
    let (tell, built) = std::sync::mpsc::sync_channel(1);
    let thread = std::thread::Builder::new().name(name.into()).spawn(move || {
        let _whole_or_nothing = AbortOnPanic;
        let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => {
                let _ = tell.send(Err(error));
                return;
            }
        };
        let _ = tell.send(Ok(()));
        runtime.block_on(run());
        // A look-up of a name that hangs in the system must not keep the process from ending.
        runtime.shutdown_background();
    })?;
    built.recv().unwrap_or_else(|_| Err(io::Error::other("its runtime was not built")))?;
    Ok(thread)
}

/// A gateway without one of its threads would look alive and refuse a part of its work for ever. Its
/// supervisor starts a whole one.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("a thread panicked: the process ends");
            std::process::abort();
        }
    }
}
