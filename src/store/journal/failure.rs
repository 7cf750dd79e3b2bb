//! The end of the journal: why nothing is durable any more.

use std::fmt;
use std::io;

use crate::place::JournalFile;

/// A write or a sync of a journal file in use failed. What the disk has is not known any more, and asking again would
/// only tell that nothing is left to write, not that it was written (a failed fsync drops the pages); so nothing is
/// confirmed from then on, and only a restart, which reads what is there, helps.
#[derive(Debug)]
pub struct JournalFailure {
    /// What was to be done, for a sentence: "write to", "sync".
    pub operation: &'static str,
    /// With which file.
    pub file: JournalFile,
    /// What came of it.
    pub error: io::Error,
}

impl fmt::Display for JournalFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, file, error } = self;
        write!(f, "cannot {operation} journal file {}: {error}", file.0)
    }
}

impl std::error::Error for JournalFailure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}
