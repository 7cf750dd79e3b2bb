//! The first process of a container gets the children of those that have ended, and has to notice when they end as well.

use rustix::process::{WaitOptions, getpid, wait};
use tokio::signal::unix::{SignalKind, signal};

/// Notices that processes have ended which this one has not begun, if it is the first of its container. A broker begins none.
pub(super) fn collect() {
    if !getpid().is_init() {
        return;
    }
    match signal(SignalKind::child()) {
        Ok(mut ended) => {
            tokio::spawn(async move {
                loop {
                    while matches!(wait(WaitOptions::NOHANG), Ok(Some(_))) {}
                    if ended.recv().await.is_none() {
                        return;
                    }
                }
            });
        }
        Err(error) => tracing::warn!("processes that end here will not be noticed: {error}"),
    }
}
