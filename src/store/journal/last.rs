//! Beside the journal's files it is noted which one is the last, so that it is missed when it is not there: the others
//! are missed by their numbers.
//!
//! The note is written when the header of that file is on the disk, and not synced. What a loss of power leaves of it is
//! the number of an earlier file, which says less and nothing that is wrong.

use std::io;
use std::path::{Path, PathBuf};

use super::FOLDER;
use crate::place::JournalFile;
use crate::store::checksum::checksum;
use crate::store::disk::Disk;

/// The name of the note in the journal's folder.
pub const LAST: &str = "last";

const LEN: usize = 12;

fn path() -> PathBuf {
    Path::new(FOLDER).join(LAST)
}

fn encode(file: JournalFile) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    let number = file.0.to_le_bytes();
    let (first, second) = bytes.split_at_mut(number.len());
    first.copy_from_slice(&number);
    second.copy_from_slice(&checksum(&number).to_le_bytes());
    bytes
}

fn decode(bytes: [u8; LEN]) -> Option<JournalFile> {
    let (number, crc) = bytes.split_first_chunk::<8>()?;
    (crc == checksum(number).to_le_bytes()).then(|| JournalFile(u64::from_le_bytes(*number)))
}

/// Notes that this file is the last.
///
/// # Errors
/// It cannot be written. Nothing depends on it.
pub(super) fn note(disk: &dyn Disk, file: JournalFile) -> io::Result<()> {
    let note = match disk.open(&path()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => disk.create(&path())?,
        opened => opened?,
    };
    note.write_at(&[&encode(file)], 0)
}

/// Which file was the last, as far as it was noted.
pub fn noted(disk: &dyn Disk) -> Option<JournalFile> {
    let mut bytes = [0; LEN];
    disk.open(&path()).ok()?.read_at(&mut bytes, 0).ok()?;
    decode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::simulated::SimDisk;

    #[test]
    fn the_last_note_counts() {
        let disk = SimDisk::new(1);
        assert_eq!(noted(&*disk), None);
        disk.create_dir(Path::new(FOLDER)).unwrap();
        for number in [1, 2, 70_000] {
            note(&*disk, JournalFile(number)).unwrap();
            assert_eq!(noted(&*disk), Some(JournalFile(number)));
        }
    }

    #[test]
    fn a_damaged_note_says_nothing() {
        let disk = SimDisk::new(1);
        disk.create_dir(Path::new(FOLDER)).unwrap();
        note(&*disk, JournalFile(7)).unwrap();
        for at in 0..LEN as u64 {
            for bit in 0..8 {
                disk.damage(path(), at, bit);
                assert_eq!(noted(&*disk), None, "{at} {bit}");
                disk.damage(path(), at, bit);
            }
        }
        disk.truncate(path(), 11);
        assert_eq!(noted(&*disk), None);
    }
}
