//! Why a run failed, in words for the person who started it.

use std::fmt;
use std::io;

/// A sentence that says what went wrong with the broker or with the options.
#[derive(Debug, Clone)]
pub(super) struct Failure(String);

impl Failure {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }

    /// Says what was being done when `why` came up.
    pub(super) fn during(what: impl fmt::Display, why: impl fmt::Display) -> Self {
        Self(format!("{what}: {why}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self(match error.kind() {
            io::ErrorKind::UnexpectedEof => "the broker closed the connection without a word".to_owned(),
            io::ErrorKind::ConnectionReset => "the broker reset the connection".to_owned(),
            io::ErrorKind::BrokenPipe => "the broker is gone".to_owned(),
            _ => error.to_string(),
        })
    }
}

impl From<hdrhistogram::CreationError> for Failure {
    fn from(error: hdrhistogram::CreationError) -> Self {
        Self::during("histogram", error)
    }
}
