//! How far long work has come: a bar on a terminal, a line every few seconds elsewhere.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// How wide the bar is, in characters.
const WIDTH: usize = 30;
/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Goes to standard error: what is done is the output, not how it goes.
pub(in crate::cli) struct Progress {
    on_terminal: bool,
    written: Instant,
}

impl Progress {
    pub(in crate::cli) fn new() -> Self {
        Self { on_terminal: io::stderr().is_terminal(), written: Instant::now() }
    }

    /// Shows that so much is done, of so much if that is known, and `further` words.
    pub(in crate::cli) fn show(&mut self, done: u64, total: Option<u64>, further: &str) {
        let mut error = io::stderr().lock();
        // Nobody may be watching.
        let _ = if self.on_terminal {
            write!(error, "\r\x1b[K{}", line(done, total, further)).and_then(|()| error.flush())
        } else if self.written.elapsed() >= LINE_EVERY {
            self.written = Instant::now();
            writeln!(error, "{}", line(done, total, further))
        } else {
            Ok(())
        };
    }

    /// Takes the bar away.
    pub(in crate::cli) fn end(self) {
        if self.on_terminal {
            let mut error = io::stderr().lock();
            let _ = write!(error, "\r\x1b[K").and_then(|()| error.flush());
        }
    }
}

fn line(done: u64, total: Option<u64>, further: &str) -> String {
    let further = super::escape(further);
    let Some(total) = total.filter(|total| *total > 0) else { return format!("{done} {further}") };
    let width = u64::try_from(WIDTH).unwrap_or(0);
    let filled = usize::try_from(done.min(total).saturating_mul(width) / total).unwrap_or(0);
    let bar = format!("{:-<WIDTH$}", "#".repeat(filled));
    format!("[{bar}] {done}/{total} {further}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_what_is_done() {
        for (done, total, expected) in [
            (0, Some(10), format!("[{}] 0/10 x", "-".repeat(30))),
            (5, Some(10), format!("[{}{}] 5/10 x", "#".repeat(15), "-".repeat(15))),
            (12, Some(10), format!("[{}] 12/10 x", "#".repeat(30))),
            (7, None, "7 x".to_owned()),
            (0, Some(0), "0 x".to_owned()),
        ] {
            assert_eq!(line(done, total, "x"), expected);
        }
    }
}
