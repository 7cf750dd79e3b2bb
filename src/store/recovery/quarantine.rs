//! The folder for what is damaged: nothing of it is ever deleted by us.

use std::io;
use std::path::{Path, PathBuf};

use crate::store::disk::{Disk, DiskFile};
use crate::store::journal::batch::BLOCK_BYTES;

/// The folder, in the data directory.
pub const FOLDER: &str = "quarantine";

const COPIED_AT_ONCE: u64 = 1024 * 1024;

/// Copies a part of a file (as much of it as there is and can be read) under a name that says where it was. A copy that is
/// there already is left as it is. Nothing when there is nothing to copy.
///
/// # Errors
/// The copy cannot be written.
pub fn keep_copy(
    disk: &dyn Disk,
    file: &dyn DiskFile,
    from: u64,
    to: u64,
    name: &str,
) -> io::Result<Option<PathBuf>> {
    let to = to.min(file.len()?);
    if from >= to {
        return Ok(None);
    }
    prepare(disk)?;
    let path = Path::new(FOLDER).join(name);
    if disk.list(Path::new(FOLDER))?.iter().any(|existing| existing == name) {
        return Ok(Some(path));
    }
    let unfinished = Path::new(FOLDER).join(format!("{name}.new"));
    disk.remove(&unfinished)?;
    let copy = disk.create(&unfinished)?;
    let mut at = from;
    while at < to {
        let len = to.saturating_sub(at).min(COPIED_AT_ONCE);
        let mut bytes = vec![0; usize::try_from(len).unwrap_or_default()];
        if file.read_at(&mut bytes, at).is_err() {
            read_what_can_be(file, &mut bytes, at);
        }
        copy.write_at(&[&bytes], at.saturating_sub(from))?;
        at = at.saturating_add(len);
    }
    copy.sync()?;
    disk.rename(&unfinished, &path)?;
    disk.sync_dir(Path::new(FOLDER))?;
    Ok(Some(path))
}

/// Moves a whole file there, under this name or, when that is taken, one with a number behind it.
///
/// # Errors
/// The file cannot be moved; it is where it was.
pub fn keep_file(disk: &dyn Disk, path: &Path, name: &str) -> io::Result<PathBuf> {
    prepare(disk)?;
    let existing = disk.list(Path::new(FOLDER))?;
    let mut free = name.to_owned();
    let mut count = 1_u64;
    while existing.contains(&free) {
        count = count.saturating_add(1);
        free = format!("{name}-{count}");
    }
    let kept = Path::new(FOLDER).join(free);
    disk.rename(path, &kept)?;
    disk.sync_dir(Path::new(FOLDER))?;
    disk.sync_dir(path.parent().unwrap_or(Path::new("")))?;
    Ok(kept)
}

/// What cannot be read stays zero.
fn read_what_can_be(file: &dyn DiskFile, bytes: &mut [u8], mut at: u64) {
    bytes.fill(0);
    for block in bytes.chunks_mut(BLOCK_BYTES) {
        if file.read_at(block, at).is_err() {
            block.fill(0);
        }
        at = at.saturating_add(block.len() as u64);
    }
}

fn prepare(disk: &dyn Disk) -> io::Result<()> {
    disk.create_dir(Path::new(FOLDER))?;
    disk.sync_dir(Path::new(""))
}
