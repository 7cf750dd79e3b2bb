//! What the store asks of a disk: files in a data directory, written at offsets and synced.
//!
//! Everything that the store writes goes through these two traits, so that the same code runs on a simulated disk
//! that loses, tears and refuses what a real one may.

use std::io;
use std::path::Path;
use std::sync::Arc;

/// A directory tree. Paths are relative to its root.
pub trait Disk: Send + Sync {
    /// Opens a file that exists, to read and to write.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// Makes a file; fails when there is one. It is lost with the power unless its folder is synced.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// Makes a folder, and those above it; one that exists is fine.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// Gives a file another name, in the place of one that has it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file; one that is absent is fine.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Removes a folder with all that is in it; one that is absent is fine.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;

    /// The names in a folder, sorted; none when it is absent.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;

    /// Makes the names in a folder outlive a loss of power.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
}

/// An open file.
pub trait DiskFile: Send + Sync {
    /// Fills `buffer` from `offset` on; `UnexpectedEof` when the file ends before.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all of the slices, one after the other, from `offset` on.
    fn write_at(&self, slices: &[&[u8]], offset: u64) -> io::Result<()>;

    /// Makes what was written outlive a loss of power (fdatasync).
    fn sync(&self) -> io::Result<()>;

    /// The length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Whether it has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Makes the file at least so long and takes the space for it now; what is new reads as zeros.
    fn allocate(&self, length: u64) -> io::Result<()>;

    /// Gives back the space behind `offset`, where that can be done; what stood there reads as zeros. The length stays.
    fn free_behind(&self, offset: u64) -> io::Result<()>;
}
