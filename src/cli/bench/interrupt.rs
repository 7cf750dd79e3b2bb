//! Ctrl-C and SIGTERM: the first ends the measurement and lets the run clean up, the second ends the process.

use super::failure::Failure;
use super::run::Run;
use std::io;
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The status of a process that Ctrl-C ended, by the shells' convention.
pub(super) const INTERRUPTED: u8 = 130;

/// Listens for both signals, on a thread that sleeps until one comes.
pub(super) fn listen(run: &Arc<Run>) -> Result<(), Failure> {
    let run = Arc::clone(run);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let signals = {
        let _entered = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    let body = move || runtime.block_on(wait(signals, &run));
    std::thread::Builder::new()
        .name("bench-signals".to_owned())
        .spawn(body)
        .map(drop)
        .map_err(io::Error::into)
}

async fn wait((mut interrupt, mut terminate): (Signal, Signal), run: &Run) {
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if run.interrupt() {
            std::process::exit(INTERRUPTED.into());
        }
    }
}
