//! A panic as a line of the log.

use std::panic::{self, PanicHookInfo};
use std::thread;

/// From now on a panic is a line of the log, so that it is not lost where standard error is. The connection that it
/// happened in ends; the broker goes on.
pub(crate) fn log_from_now_on() {
    panic::set_hook(Box::new(|panic| tracing::error!("{}", describe(panic))));
}

fn describe(panic: &PanicHookInfo<'_>) -> String {
    let thread = thread::current();
    let name = thread.name().unwrap_or("unnamed");
    let text = panic.payload_as_str().unwrap_or("no text");
    match panic.location() {
        Some(location) => format!("thread '{name}' panicked at {location}: {text}"),
        None => format!("thread '{name}' panicked: {text}"),
    }
}
