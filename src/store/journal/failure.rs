//! The end of the journal: why nothing is durable any more.

use std::fmt;
use std::io;

use crate::place::JournalFile;
use crate::store::reserve::is_out_of_space;

/// The operation of a file that is to be made longer, which waits for space.
pub(super) const ENLARGE: &str = "enlarge";

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

impl JournalFailure {
    /// Whether nothing went wrong with what the journal has: it was ended while it waited for space for more.
    pub fn is_end_without_space(&self) -> bool {
        self.operation == ENLARGE && is_out_of_space(&self.error)
    }
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
