//! Ctrl-C and SIGTERM cancel a token, which every wait of a measurement looks at. What was started is then
//! ended, and its files removed, by the same drops as after an error.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;

/// How often a wait looks at the token.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A token that the first signal from now on cancels.
///
/// # Errors
///
/// The signals or the thread that waits for them could not be had.
pub(crate) fn cancel_on_signals() -> Result<CancellationToken, Failure> {
    let token = CancellationToken::new();
    watch(token.clone()).map_err(Failure::io("cannot catch signals"))?;
    Ok(token)
}

fn watch(token: CancellationToken) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut interrupt, mut terminate) = {
        let _entered = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    let wait = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        token.cancel();
    };
    std::thread::Builder::new().name("signals".into()).spawn(move || runtime.block_on(wait))?;
    Ok(())
}
