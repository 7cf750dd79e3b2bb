//! Shows something again and again.

use std::io::{self, IsTerminal};
use std::time::Duration;

use super::{Failure, print};

/// A time between two looks.
pub(super) fn interval(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected seconds, such as 2 or 0.5".to_owned())?;
    if (0.1..=86_400.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err("expected 0.1 to 86400 seconds".to_owned())
    }
}

/// Until it fails, or the process is ended. On a terminal each takes the place of the last.
pub(super) fn repeat(
    interval: Duration,
    mut show: impl FnMut() -> Result<(), Failure>,
) -> Result<(), Failure> {
    loop {
        if io::stdout().is_terminal() {
            // The cursor to its first place, and nothing below it.
            print("\x1b[H\x1b[2J")?;
        }
        show()?;
        std::thread::sleep(interval);
    }
}
