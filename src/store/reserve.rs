//! Space that is kept for the start after the disk became full: who can start can have its messages consumed, which makes
//! space.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::disk::Disk;

/// Its name in the data directory.
const NAME: &str = "reserve";
/// What is tried, or not complete.
const NEW_NAME: &str = "reserve.new";

/// How much is kept, in bytes: what definitions write at a start, the beginning of a file of the journal, and room for what
/// is recorded of messages that are consumed.
pub(super) const RESERVE_BYTES: u64 = 16 * 1024 * 1024;

/// The reserve of a data directory.
pub(super) struct Reserve {
    disk: Arc<dyn Disk>,
    /// Whether it is there.
    held: Mutex<bool>,
}

impl Reserve {
    /// Where there is space for a start, sees to it that the reserve is there; else gives it up.
    ///
    /// # Errors
    /// The disk refuses for another reason.
    pub(super) fn open(disk: Arc<dyn Disk>) -> io::Result<Self> {
        let is_there = match disk.open(Path::new(NAME)) {
            Ok(file) => file.len()? >= RESERVE_BYTES,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        let held = match allocate(&*disk) {
            Ok(()) if is_there => {
                disk.remove(Path::new(NEW_NAME))?;
                true
            }
            Ok(()) => {
                disk.rename(Path::new(NEW_NAME), Path::new(NAME))?;
                true
            }
            Err(error) if is_out_of_space(&error) => {
                disk.remove(Path::new(NAME))?;
                let what = if is_there {
                    "what was kept in reserve for this start is used: messages can be consumed, which makes space"
                } else {
                    "and there is no reserve to start with"
                };
                tracing::warn!("no space is left on the disk ({error}); {what}");
                false
            }
            Err(error) => return Err(error),
        };
        Ok(Self { disk, held: Mutex::new(held) })
    }

    /// Whether it is there.
    pub(super) fn is_held(&self) -> bool {
        *self.lock()
    }

    /// Takes the space again, if it was given up and there is some.
    pub(super) fn take_back(&self) {
        let mut held = self.lock();
        if *held {
            return;
        }
        let taken =
            allocate(&*self.disk).and_then(|()| self.disk.rename(Path::new(NEW_NAME), Path::new(NAME)));
        match taken {
            Ok(()) => *held = true,
            Err(error) if is_out_of_space(&error) => {}
            Err(error) => tracing::warn!("no reserve can be kept for a start on a full disk: {error}"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the space, or nothing.
fn allocate(disk: &dyn Disk) -> io::Result<()> {
    let new = Path::new(NEW_NAME);
    disk.remove(new)?;
    let allocated = disk.create(new).and_then(|file| file.allocate(RESERVE_BYTES));
    allocated.inspect_err(|_| {
        // What there is of it is worse than nothing.
        let _ = disk.remove(new);
    })
}

/// Whether the disk, or what its owner may use of it, is full.
pub(super) fn is_out_of_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::simulated::SimDisk;

    fn names(disk: &SimDisk) -> Vec<String> {
        disk.list(Path::new("")).unwrap()
    }

    #[test]
    fn it_is_given_up_on_a_full_disk_and_taken_back_when_there_is_space() {
        let disk = SimDisk::new(1);
        let open = || Reserve::open(Arc::<SimDisk>::clone(&disk)).unwrap();
        for _ in 0..2 {
            open();
            assert_eq!(names(&disk), [NAME]);
        }
        assert_eq!(disk.open(Path::new(NAME)).unwrap().len().unwrap(), RESERVE_BYTES);
        disk.set_full(true);
        let reserve = open();
        assert!(names(&disk).is_empty());
        reserve.take_back();
        assert!(names(&disk).is_empty());
        disk.set_full(false);
        for _ in 0..2 {
            reserve.take_back();
            assert_eq!(names(&disk), [NAME]);
        }
    }

    #[test]
    fn one_that_is_too_short_is_made_anew() {
        let disk = SimDisk::new(1);
        disk.create(Path::new(NAME)).unwrap();
        disk.create(Path::new(NEW_NAME)).unwrap();
        Reserve::open(Arc::<SimDisk>::clone(&disk)).unwrap();
        assert_eq!(names(&disk), [NAME]);
        assert_eq!(disk.open(Path::new(NAME)).unwrap().len().unwrap(), RESERVE_BYTES);
    }
}
