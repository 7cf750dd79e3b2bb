//! The data directory: made if it is missing, held by one broker at a time, never deleted by us.
//!
//! Its file `format` says that it is ours and in which version. A directory without that file and with anything else in
//! it is somebody else's: it is refused before anything is written there.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

const LOCK_FILE: &str = "lock";
const FORMAT_FILE: &str = "format";
const NEW_FORMAT_FILE: &str = "format.new";
/// The permissions of those who are neither the owner nor of his group.
const OTHERS: u32 = 0o007;
/// A new file system has this folder.
const LOST_AND_FOUND: &str = "lost+found";

/// The version of what a broker keeps in its data directory.
pub const FORMAT: u32 = 1;

/// A data directory that this process alone uses, for as long as the value lives.
#[derive(Debug)]
pub struct DataDirectory {
    path: PathBuf,
    /// The operating system frees the lock with the descriptor, so a killed broker leaves nothing to clean up.
    _lock: File,
}

impl DataDirectory {
    /// Makes the directory (only its owner may read it) unless it exists, checks that it is ours and can be written, and
    /// locks it.
    pub fn open(path: &Path) -> Result<Self, DirectoryError> {
        Self::try_open(path).map_err(|reason| {
            // Whoever reads it may not know the folder that the broker was started in.
            let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            let reason = match reason {
                Reason::NotPermitted => not_ours(&path).unwrap_or(Reason::NotPermitted),
                reason => reason,
            };
            DirectoryError { path, reason }
        })
    }

    fn try_open(path: &Path) -> Result<Self, Reason> {
        make(path)?;
        let path = fs::canonicalize(path)?;
        let (owner, user) = (fs::metadata(&path)?.uid(), rustix::process::geteuid().as_raw());
        if owner != user {
            return Err(Reason::Owner { owner, user });
        }
        // Before the lock, which would be the first thing that is written into a directory of somebody else's.
        let format = Format::read(&path)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(path.join(LOCK_FILE))
            .map_err(|error| if is_link(&path.join(LOCK_FILE)) { Reason::Link } else { error.into() })?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => Reason::Locked,
            TryLockError::Error(error) => error.into(),
        })?;
        format.write(&path)?;
        Ok(Self { path, _lock: lock })
    }

    /// The permissions of the directory, if others than its owner and his group may enter or read it. All files in it are its
    /// owner's alone, but for those that were brought there.
    pub fn open_to_others(&self) -> Option<u32> {
        let mode = fs::metadata(&self.path).ok()?.mode() & 0o777;
        (mode & OTHERS != 0).then_some(mode)
    }

    /// The directory's absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink())
}

fn make(path: &Path) -> Result<(), Reason> {
    if let Ok(target) = fs::read_link(path)
        && !path.exists()
    {
        return Err(Reason::Dangling(target));
    }
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists | ErrorKind::NotADirectory => Reason::NotADirectory,
        _ => error.into(),
    })
}

/// What is there of a path, if it is somebody else's.
fn not_ours(path: &Path) -> Option<Reason> {
    let there = path.ancestors().find(|path| path.exists())?;
    let owner = fs::metadata(there).ok()?.uid();
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let is_made = there == path;
    (owner != user).then(|| Reason::NotOurs { directory: there.to_owned(), is_made, owner, user, group })
}

/// Whether the directory says already what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Unwritten,
    Written,
}

impl Format {
    fn read(path: &Path) -> Result<Self, Reason> {
        let mut text = String::new();
        match File::open(path.join(FORMAT_FILE)) {
            Ok(file) => file.take(100).read_to_string(&mut text).map_err(|error| match error.kind() {
                ErrorKind::InvalidData | ErrorKind::IsADirectory => Reason::UnknownFormat,
                _ => error.into(),
            })?,
            Err(error) if error.kind() == ErrorKind::NotFound => return Self::unwritten(path),
            Err(error) => return Err(error.into()),
        };
        let version = text.strip_prefix("leveret ").and_then(|rest| rest.strip_suffix('\n'));
        match version.and_then(|version| version.parse().ok()) {
            Some(FORMAT) => Ok(Self::Written),
            Some(version) if version > FORMAT => Err(Reason::NewerFormat(version)),
            _ => Err(Reason::UnknownFormat),
        }
    }

    /// There may be only what a start that came to nothing has left, or a new file system.
    fn unwritten(path: &Path) -> Result<Self, Reason> {
        for entry in fs::read_dir(path)? {
            let name = entry?.file_name();
            if ![LOCK_FILE, NEW_FORMAT_FILE, LOST_AND_FOUND].iter().any(|ours| name == *ours) {
                return Err(Reason::Foreign(name.to_string_lossy().escape_debug().to_string()));
            }
        }
        Ok(Self::Unwritten)
    }

    /// Writes the format, if only to see that the directory can be written. Whether there is space for a start is seen to by
    /// the store, which keeps some for it.
    fn write(self, path: &Path) -> Result<(), Reason> {
        let new = path.join(NEW_FORMAT_FILE);
        let written = write_format(&new);
        match self {
            Self::Unwritten => {
                written.and_then(|file| file.sync_all())?;
                fs::rename(new, path.join(FORMAT_FILE))?;
                File::open(path)?.sync_all()?;
            }
            Self::Written => {
                match written.map_err(Reason::from) {
                    Ok(_) | Err(Reason::Full) => {}
                    Err(reason) => return Err(reason),
                }
                match fs::remove_file(new) {
                    Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

fn write_format(new: &Path) -> io::Result<File> {
    // What a start that came to nothing has left, or a link to something that is not to be written.
    match fs::remove_file(new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(new)?;
    put_format(&mut file)?;
    Ok(file)
}

fn put_format(file: &mut File) -> io::Result<()> {
    file.write_all(format!("leveret {FORMAT}\n").as_bytes())
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
    /// The file that is to be locked is a symbolic link.
    Link,
    NotADirectory,
    /// A symbolic link to this, which does not exist.
    Dangling(PathBuf),
    /// There is something of this name in it, and no format.
    Foreign(String),
    NewerFormat(u32),
    UnknownFormat,
    /// User ids.
    Owner {
        owner: u32,
        user: u32,
    },
    ReadOnly,
    NotPermitted,
    /// A directory on the way belongs to another user, and that it cannot be written is his doing.
    NotOurs {
        directory: PathBuf,
        /// Whether it is the data directory, and not one that that is to be made in.
        is_made: bool,
        owner: u32,
        user: u32,
        group: u32,
    },
    Full,
    NotWritable(io::Error),
}

impl From<io::Error> for Reason {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            // One of a file inside says which.
            ErrorKind::PermissionDenied if error.get_ref().is_none() => Self::NotPermitted,
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::NotWritable(error),
        }
    }
}

impl DirectoryError {
    /// The directory was found usable, and yet writing to it failed.
    pub fn not_writable(path: &Path, error: io::Error) -> Self {
        Self { path: path.to_owned(), reason: error.into() }
    }

    /// Whether another path in the configuration, or another broker, is the only remedy (against a condition that may
    /// pass).
    pub fn is_misconfigured(&self) -> bool {
        matches!(
            self.reason,
            Reason::NotADirectory
                | Reason::Link
                | Reason::Dangling(_)
                | Reason::Foreign(_)
                | Reason::NewerFormat(_)
                | Reason::UnknownFormat
        )
    }
}

impl fmt::Display for DirectoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "data directory {}", self.path.display())?;
        match &self.reason {
            Reason::Locked => f.write_str(
                " is in use by another broker; stop that one, or give this one its own with --data-dir",
            ),
            Reason::Link => write!(
                f,
                ": its file '{LOCK_FILE}' is a symbolic link, which no broker makes, and what it leads to was not touched; \
                 remove the link, or choose another with --data-dir"
            ),
            Reason::NotADirectory => {
                f.write_str(": there is something that is not a directory; choose another with --data-dir")
            }
            Reason::Dangling(target) => write!(
                f,
                " is a symbolic link to {}, which does not exist; make that, or choose another with --data-dir",
                target.display()
            ),
            Reason::Foreign(name) => write!(
                f,
                " holds files of something else (such as '{name}') and no file '{FORMAT_FILE}' of a broker; \
                 nothing in it was touched: choose another with --data-dir, or empty it yourself"
            ),
            Reason::NewerFormat(version) => write!(
                f,
                " was written by a later version of leveret (format {version}, this one knows up to {FORMAT}); \
                 start that version, or choose another with --data-dir"
            ),
            Reason::UnknownFormat => write!(
                f,
                ": its file '{FORMAT_FILE}' is not one that leveret writes; restore it from a backup, \
                 or choose another with --data-dir"
            ),
            Reason::Owner { owner, user } => write!(
                f,
                " belongs to the user with the id {owner} and this broker runs as {user}; \
                 run it as that user, or hand over the directory with chown -R"
            ),
            Reason::ReadOnly => f.write_str(
                " is on a file system that is mounted read-only and cannot be written; mount it with rw, \
                 or choose another with --data-dir",
            ),
            Reason::NotPermitted => f.write_str(
                " cannot be written: its permissions forbid it; let its owner write (chmod u+rwx), \
                 or choose another with --data-dir",
            ),
            Reason::NotOurs { directory, is_made, owner, user, group } => write!(
                f,
                " cannot be written: {directory} belongs to the user with the id {owner}, and this broker runs as {user}; \
                 {mend}, run the broker as its owner (a container: --user {owner}), or choose another with --data-dir",
                directory = directory.display(),
                mend = if *is_made {
                    format!("hand it over (chown -R {user}:{group})")
                } else {
                    format!(
                        "make the data directory for it (install --directory --owner {user} --group {group})"
                    )
                }
            ),
            Reason::Full => f.write_str(
                " cannot be written: no space is left on its disk; free some, or give it a larger \
                 disk, and start again: nothing is lost",
            ),
            Reason::NotWritable(error) => write!(f, " cannot be written: {error}"),
        }
    }
}

impl std::error::Error for DirectoryError {}

#[cfg(test)]
mod tests;
