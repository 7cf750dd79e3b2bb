//! A Unix socket, by which programs on this machine reach a broker: where it is, listening at it, and who comes.
//!
//! A broker makes it in its data directory, which nobody but its owner enters. Where that would be too long a path, or nothing is
//! kept and there is no such directory, it is in a directory for what runs, under a name made of the data directory's.

mod path;

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::OFlags;
use tokio::net::{UnixListener, UnixStream};

pub use path::{runtime_socket_path, socket_path, socket_path_inside};

/// Whoever has not this right may not even connect.
pub const SOCKET_MODE: u32 = 0o600;

/// How long it waits after an accept that failed.
const WAIT: Duration = Duration::from_millis(100);

/// A Unix socket that accepts connections. Its file is removed on drop.
#[derive(Debug)]
pub struct LocalListener {
    listener: UnixListener,
    path: PathBuf,
    /// Held by whoever listens there, so that two who begin at once do not take each other's socket for an old one.
    lock: Option<File>,
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalPeer {
    /// The user that its process runs as.
    pub uid: u32,
}

impl LocalPeer {
    /// Whether it may do everything: it is this process's own user, who may do anything to this process anyway, or root.
    pub fn is_operator(self) -> bool {
        self.uid == 0 || self.uid == rustix::process::geteuid().as_raw()
    }
}

impl LocalListener {
    /// Listens there, in a directory that this process alone uses; must be called within a runtime. What an earlier one has
    /// left there is replaced.
    ///
    /// # Errors
    /// Somebody listens there, there is something else than a socket, or the file cannot be made.
    pub fn in_own_directory(path: PathBuf, mode: u32) -> io::Result<Self> {
        let listener = bound(&path, mode)?;
        Ok(Self { listener, path, lock: None })
    }

    /// The same in a directory that others use as well. It is made, for this user alone, if it is missing.
    ///
    /// # Errors
    /// Also where another user may put its files there in the place of ours.
    pub fn in_directory_of_many(path: PathBuf, mode: u32) -> io::Result<Self> {
        made(path.parent().unwrap_or(Path::new(".")))?;
        Self::at(path, mode)
    }

    /// The same, wherever that is.
    ///
    /// # Errors
    /// As above.
    pub fn at(path: PathBuf, mode: u32) -> io::Result<Self> {
        let lock = locked(&lock_of(&path))?;
        let listener = bound(&path, mode)?;
        Ok(Self { listener, path, lock: Some(lock) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next connection, and who it is. Waits through a lack of descriptors or memory, which the other listeners tell of.
    pub async fn accept(&self) -> (UnixStream, LocalPeer) {
        loop {
            match self.listener.accept().await.and_then(|(stream, _)| Ok((stream.peer_cred()?, stream))) {
                Ok((peer, stream)) => return (stream, LocalPeer { uid: peer.uid() }),
                Err(error) => {
                    tracing::debug!("cannot accept a connection on {}: {error}", self.path.display());
                    tokio::time::sleep(WAIT).await;
                }
            }
        }
    }
}

impl Drop for LocalListener {
    fn drop(&mut self) {
        remove(&self.path);
        if self.lock.is_some() {
            remove(&lock_of(&self.path));
        }
    }
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != ErrorKind::NotFound
    {
        tracing::warn!("{} cannot be removed: {error}", path.display());
    }
}

fn lock_of(path: &Path) -> PathBuf {
    path.with_extension("lock")
}

/// The directory, which others may not write to.
fn made(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let found = fs::symlink_metadata(directory)?;
    let user = rustix::process::geteuid().as_raw();
    if found.uid() != user && found.uid() != 0 || found.mode() & 0o022 != 0 || !found.is_dir() {
        let reason = format!(
            "others may write to the directory {}, which belongs to user {}",
            directory.display(),
            found.uid()
        );
        return Err(io::Error::new(ErrorKind::PermissionDenied, reason));
    }
    Ok(())
}

/// A file that this process alone has locked. Whoever had it before may have removed it meanwhile: then it locks nothing.
fn locked(path: &Path) -> io::Result<File> {
    loop {
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(path)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => taken(),
            TryLockError::Error(error) => error,
        })?;
        let inode = lock.metadata()?.ino();
        if fs::symlink_metadata(path).is_ok_and(|found| found.ino() == inode) {
            return Ok(lock);
        }
    }
}

fn taken() -> io::Error {
    io::Error::new(ErrorKind::AddrInUse, "another broker listens there")
}

/// Binds under another name first: what is found under the right one has its permissions already.
fn bound(path: &Path, mode: u32) -> io::Result<UnixListener> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(ErrorKind::AlreadyExists, "there is a file that is no socket"));
        }
        Ok(_) if is_listened_at(path) => return Err(taken()),
        _ => {}
    }
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&new)?;
    let shown = fs::set_permissions(&new, Permissions::from_mode(mode)).and_then(|()| fs::rename(&new, path));
    if shown.is_err() {
        // What matters is why it could not be shown.
        let _ = fs::remove_file(&new);
    }
    shown.map(|()| listener)
}

fn is_listened_at(path: &Path) -> bool {
    // The queue of one that listens may be full.
    match StdUnixStream::connect(path) {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound),
    }
}

#[cfg(test)]
mod tests;
