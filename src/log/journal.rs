//! Whether standard output is systemd's journal, which takes the severity of a line from its beginning.

use std::io;
use std::os::fd::AsFd;

use rustix::fs::fstat;

use crate::config::LogLevel;

/// Names what standard output or standard error is when it is the journal.
const VARIABLE: &str = "JOURNAL_STREAM";

/// Whether standard output is the journal.
pub(super) fn is_stdout() -> bool {
    std::env::var(VARIABLE).is_ok_and(|stream| is_stream(&io::stdout(), &stream))
}

/// Whether `file` is the one that `DEVICE:INODE` names: the variable is inherited, the stream need not be.
fn is_stream(file: &impl AsFd, stream: &str) -> bool {
    let Ok(status) = fstat(file) else { return false };
    stream == format!("{}:{}", status.st_dev, status.st_ino)
}

/// What a line of this level begins with there, in syslog's numbers.
pub(super) fn prefix(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Error | LogLevel::None => "<3>",
        LogLevel::Warning => "<4>",
        LogLevel::Info => "<6>",
        LogLevel::Debug => "<7>",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_known_by_its_device_and_inode() {
        let file = std::fs::File::open(env!("CARGO_MANIFEST_DIR")).unwrap();
        let status = fstat(&file).unwrap();
        let named = format!("{}:{}", status.st_dev, status.st_ino);
        assert!(is_stream(&file, &named));
        for other in ["", "0:0", &format!("{named}0"), &format!("0{named}")] {
            assert!(!is_stream(&file, other), "{other}");
        }
    }
}
