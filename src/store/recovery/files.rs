//! Which files the journal has: found by what stands in them, in the order of their numbers.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::RecoveryError;
use crate::place::JournalFile;
use crate::store::disk::{Disk, DiskFile};
use crate::store::journal::batch::{BLOCK_BYTES, FileHeader, FoundHeader};
use crate::store::journal::{FOLDER, LAST, UNPREPARED, noted};

/// A file of the journal.
#[derive(Clone, Debug)]
pub(super) struct FoundFile {
    /// Its name in the journal's folder.
    pub(super) name: String,
    pub(super) header: FileHeader,
    pub(super) len: u64,
}

/// What is in the journal's folder.
#[derive(Debug, Default)]
pub(super) struct FoundFiles {
    /// The journal's files by number, each number once.
    pub(super) files: Vec<FoundFile>,
    /// The names of files that were prepared and never used.
    pub(super) blank: Vec<String>,
    /// The names of files whose header cannot be read, or that have the number of another one.
    pub(super) damaged: Vec<String>,
    /// The names of files that are not ours.
    pub(super) foreign: Vec<String>,
    /// Which file was the last, as far as that was noted.
    pub(super) noted: Option<JournalFile>,
}

/// The path of a journal file.
pub(super) fn path(name: &str) -> PathBuf {
    Path::new(FOLDER).join(name)
}

impl FoundFiles {
    pub(super) fn find(disk: &dyn Disk) -> Result<Self, RecoveryError> {
        let mut found = Self { noted: noted(disk), ..Self::default() };
        let mut names =
            disk.list(Path::new(FOLDER)).map_err(|error| RecoveryError::io("list", FOLDER, error))?;
        // By number and not by text, so that of two files with one number it is always the same that counts.
        names.sort_by_key(|name| (name.parse::<u64>().unwrap_or(u64::MAX), name.clone()));
        for name in names {
            if name.parse::<u64>().is_ok() {
                found.add(disk, name)?;
            } else if !name.ends_with(UNPREPARED) && name != LAST {
                found.foreign.push(name);
            }
        }
        found.files.sort_by_key(|file| file.header.number);
        let mut number = None;
        for file in std::mem::take(&mut found.files) {
            if number.replace(file.header.number) == Some(file.header.number) {
                found.damaged.push(file.name);
            } else {
                found.files.push(file);
            }
        }
        Ok(found)
    }

    fn add(&mut self, disk: &dyn Disk, name: String) -> Result<(), RecoveryError> {
        let open = || -> io::Result<(Arc<dyn DiskFile>, u64)> {
            let file = disk.open(&path(&name))?;
            let len = file.len()?;
            Ok((file, len))
        };
        let (file, len) = open().map_err(|error| RecoveryError::io("open", path(&name), error))?;
        match read_header(&*file, len) {
            Ok(FoundHeader::Valid { header, .. }) => self.files.push(FoundFile { name, header, len }),
            Ok(FoundHeader::OtherFormat(format)) => return Err(RecoveryError::OtherFormat { name, format }),
            Ok(FoundHeader::Blank) => self.blank.push(name),
            // What cannot be read is damaged as well.
            Ok(FoundHeader::Damaged) | Err(_) => self.damaged.push(name),
        }
        Ok(())
    }

    /// Where the file of this number ends, if the one after it is there to say so.
    pub(super) fn end_of(&self, number: JournalFile) -> Option<u64> {
        let next = number.0.checked_add(1)?;
        let at = self.files.binary_search_by_key(&next, |file| file.header.number.0).ok()?;
        Some(self.files.get(at)?.header.previous_end)
    }

    /// Whether there is nothing of ours.
    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty() && self.blank.is_empty() && self.damaged.is_empty()
    }

    /// The files from this number on.
    pub(super) fn from(&self, number: JournalFile) -> impl Iterator<Item = &FoundFile> {
        self.files.iter().filter(move |file| file.header.number >= number)
    }

    pub(super) fn last(&self) -> Option<&FoundFile> {
        self.files.last()
    }

    /// The last file of the journal when that is not there.
    pub(super) fn lost_last(&self) -> Option<JournalFile> {
        let found = self.last().map(|file| file.header.number);
        self.noted.filter(|noted| found.is_none_or(|found| found < *noted))
    }

    /// The numbers from `from` on that are not there, though a higher one is or was.
    pub(super) fn missing(&self, from: JournalFile) -> Vec<(JournalFile, JournalFile)> {
        let mut missing = Vec::new();
        let mut expected = from.0;
        for file in &self.files {
            let number = file.header.number.0;
            if number < expected {
                continue;
            }
            if number > expected {
                missing.push((JournalFile(expected), JournalFile(number.saturating_sub(1))));
            }
            expected = number.saturating_add(1);
        }
        if let Some(last) = self.lost_last() {
            // Where there is no file at all nobody knows which were needed.
            let first = if self.files.is_empty() { last.0 } else { expected.min(last.0) };
            missing.push((JournalFile(first), last));
        }
        missing
    }
}

/// A file is blank when its header and the place of its first batch are.
fn read_header(file: &dyn DiskFile, len: u64) -> io::Result<FoundHeader> {
    let mut blocks = vec![0; usize::try_from(len).unwrap_or(usize::MAX).min(2 * BLOCK_BYTES)];
    file.read_at(&mut blocks, 0)?;
    let (first, second) = blocks.split_at_checked(BLOCK_BYTES).unwrap_or((&blocks, &[]));
    Ok(match FileHeader::find(first) {
        FoundHeader::Blank if second.iter().any(|byte| *byte != 0) => FoundHeader::Damaged,
        found => found,
    })
}
