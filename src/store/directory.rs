//! The data directory: made if it is missing, held by one broker at a time, never deleted by us.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

const LOCK_FILE: &str = "lock";

/// A data directory that this process alone uses, for as long as the value lives.
#[derive(Debug)]
pub struct DataDirectory {
    path: PathBuf,
    /// The operating system frees the lock with the descriptor, so a killed broker leaves nothing to clean up.
    _lock: File,
}

impl DataDirectory {
    /// Makes the directory (only its owner may read it) unless it exists, and locks it.
    pub fn open(path: &Path) -> Result<Self, DirectoryError> {
        let refused = |reason| DirectoryError { path: path.to_owned(), reason };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| {
            refused(
                if error.kind() == io::ErrorKind::AlreadyExists
                    || error.kind() == io::ErrorKind::NotADirectory
                {
                    Reason::NotADirectory
                } else {
                    Reason::NotWritable(error)
                },
            )
        })?;
        let path = fs::canonicalize(path).map_err(|error| refused(Reason::NotWritable(error)))?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join(LOCK_FILE))
            .map_err(|error| refused(Reason::NotWritable(error)))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => refused(Reason::Locked),
            TryLockError::Error(error) => refused(Reason::NotWritable(error)),
        })?;
        Ok(Self { path, _lock: lock })
    }

    /// The directory's absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The directory cannot be used.
#[derive(Debug)]
pub struct DirectoryError {
    path: PathBuf,
    reason: Reason,
}

#[derive(Debug)]
enum Reason {
    Locked,
    NotADirectory,
    NotWritable(io::Error),
}

impl DirectoryError {
    /// Whether another path in the configuration is the only remedy (against a condition that may pass).
    pub fn is_misconfigured(&self) -> bool {
        matches!(self.reason, Reason::NotADirectory)
    }
}

impl fmt::Display for DirectoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.reason {
            Reason::Locked => write!(
                f,
                "data directory {path} is in use by another broker; stop that one, or give this one its own with --data-dir"
            ),
            Reason::NotADirectory => {
                write!(
                    f,
                    "data directory {path}: there is something that is not a directory; choose another with --data-dir"
                )
            }
            Reason::NotWritable(error) => write!(f, "data directory {path} cannot be written: {error}"),
        }
    }
}

impl std::error::Error for DirectoryError {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    fn a_path() -> PathBuf {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        std::env::temp_dir().join(format!("leveret-directory-{}-{number}", std::process::id()))
    }

    #[test]
    fn a_directory_is_made_and_held_by_one_broker_at_a_time() {
        let path = a_path().join("deep/inside");
        let held = DataDirectory::open(&path).unwrap();
        let refusal = DataDirectory::open(&path).unwrap_err();
        assert!(refusal.to_string().contains("is in use by another broker"), "{refusal}");
        assert!(!refusal.is_misconfigured());
        drop(held);
        DataDirectory::open(&path).unwrap();
    }

    #[test]
    fn what_is_in_the_directory_stays() {
        let path = a_path();
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("lock"), "mine").unwrap();
        fs::write(path.join("other"), "mine").unwrap();
        drop(DataDirectory::open(&path).unwrap());
        assert_eq!(fs::read(path.join("lock")).unwrap(), b"mine");
        assert_eq!(fs::read(path.join("other")).unwrap(), b"mine");
    }

    #[test]
    fn a_path_that_is_no_directory_is_refused_as_a_wrong_setting() {
        let path = a_path();
        fs::write(&path, "a file").unwrap();
        for path in [path.clone(), path.join("below")] {
            let refusal = DataDirectory::open(&path).unwrap_err();
            assert!(refusal.is_misconfigured(), "{refusal}");
        }
        assert_eq!(fs::read(&path).unwrap(), b"a file");
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_refused() {
        let refusal = DataDirectory::open(Path::new("/proc/leveret")).unwrap_err();
        assert!(refusal.to_string().contains("cannot be written"), "{refusal}");
    }
}
