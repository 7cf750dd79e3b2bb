//! What recovery found, for the log and for whoever asks.

use std::fmt;
use std::path::PathBuf;

use super::scan::DamagedPart;
use crate::place::JournalFile;

/// What was read, what of it was damaged, and how the broker had stopped.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many files of the journal were needed.
    pub files: usize,
    /// What was read in them, in bytes.
    pub bytes: u64,
    /// How the journal ended.
    pub end: JournalEnd,
    /// What was damaged, up to [`Self::DAMAGES_MAX`] of it.
    pub damages: Vec<Damage>,
    /// How much was damaged.
    pub damages_count: u64,
    /// Names in the journal's folder that are not ours; they are left alone.
    pub foreign: Vec<String>,
}

/// How the journal ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JournalEnd {
    /// There was none.
    #[default]
    Absent,
    /// The broker had stopped in order.
    Closed,
    /// It had not.
    Open {
        /// In this file
        file: JournalFile,
        /// the journal ends here, in bytes from the start of the file. What came behind was not synced.
        offset: u64,
        /// Whether something did come behind, and was cut off.
        torn: bool,
    },
}

/// Something that was good once, or is to be there, and is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// What it is.
    pub what: Damaged,
    /// Where it was put, relative to the data directory; nothing when there is nothing of it, or it could not be written.
    pub quarantined: Option<PathBuf>,
}

/// What is damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damaged {
    /// A part of a file.
    Part {
        /// In this file,
        file: JournalFile,
        /// from here, in bytes from its start,
        from: u64,
        /// to here.
        to: u64,
        /// Which part it is.
        part: DamagedPart,
    },
    /// A whole file: its header cannot be read, or another one has its number.
    File {
        /// Its name in the journal's folder.
        name: String,
    },
    /// All of it: it is not there.
    Journal,
    /// Files that are not there.
    MissingFiles {
        /// The first of them.
        first: JournalFile,
        /// The last of them.
        last: JournalFile,
    },
}

impl Report {
    /// No more than so many damages are listed one by one.
    pub const DAMAGES_MAX: usize = 1000;

    /// Whether the broker had stopped in order, so that only what was delivered was delivered.
    pub fn is_clean_stop(&self) -> bool {
        matches!(self.end, JournalEnd::Closed | JournalEnd::Absent)
    }

    /// Whether something is damaged, so that messages may be missing.
    pub fn is_damaged(&self) -> bool {
        self.damages_count > 0
    }

    /// Whether this is known, as far as it is listed.
    pub(super) fn lists(&self, what: &Damaged) -> bool {
        self.damages.len() >= Self::DAMAGES_MAX || self.damages.iter().any(|damage| damage.what == *what)
    }

    pub(super) fn add(&mut self, damage: Damage) {
        self.damages_count = self.damages_count.saturating_add(1);
        if self.damages.len() < Self::DAMAGES_MAX {
            self.damages.push(damage);
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            Damaged::Part { file, from, to, part } => {
                let part = match part {
                    DamagedPart::Chunk => "records",
                    DamagedPart::Batch => "a batch of records",
                    DamagedPart::Missing => "the end of the file, which is missing,",
                    DamagedPart::Record => "a record of an unknown kind",
                };
                write!(f, "{part} at {from} to {to} of journal file {}", file.0)?;
            }
            Damaged::File { name } => write!(f, "the header of journal/{name}")?,
            Damaged::Journal => f.write_str("the journal, which is missing")?,
            Damaged::MissingFiles { first, last } if first == last => {
                write!(f, "journal file {}, which is missing", first.0)?;
            }
            Damaged::MissingFiles { first, last } => {
                write!(f, "journal files {} to {}, which are missing", first.0, last.0)?;
            }
        }
        match &self.quarantined {
            Some(path) => write!(f, " (kept as {})", path.display()),
            None => Ok(()),
        }
    }
}

impl fmt::Display for JournalEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("there was no journal"),
            Self::Closed => f.write_str("the broker had stopped in order"),
            Self::Open { file, offset, torn: false } => {
                write!(
                    f,
                    "the broker had not stopped in order; the journal ends at {offset} of file {}",
                    file.0
                )
            }
            Self::Open { file, offset, torn: true } => {
                let file = file.0;
                write!(
                    f,
                    "the broker had not stopped in order; what it was writing at {offset} of journal file {file} is cut off"
                )
            }
        }
    }
}
