//! Both copies of the definitions together: which of them is to be trusted, and how one is made anew from the other.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::Change;
use super::copy::{self, CopyError, CopyWriter};
use super::tree::{Tree, TreeError};

/// The tree's folder in the data directory.
const TREE: &str = "definitions";
const QUARANTINE: &str = "quarantine";
/// Queues' messages are in here: where there are any there were definitions.
const QUEUES: &str = "queue";

/// All definitions on the disk, twice.
pub(super) struct Home {
    data_dir: PathBuf,
    tree: Tree,
    /// How far the tree was when it was last copied.
    copied: Option<u64>,
}

impl Home {
    /// Opens what is there. What is damaged is moved to the quarantine, reported, and made anew from what is not.
    pub(super) fn open(data_dir: &Path) -> Result<Self, TreeError> {
        let folder = data_dir.join(TREE);
        let existed = fs::metadata(folder.join("db")).is_ok_and(|file| file.len() > 0);
        let mut damaged = false;
        let mut tree = match Tree::open(&folder) {
            Err(TreeError::Damaged(what)) => {
                damaged = true;
                report(&folder, &what, &quarantine(data_dir, TREE)?);
                Tree::open(&folder)?
            }
            opened => opened?,
        };
        let existed = existed && !damaged;
        let mut copied = match copy::check(data_dir) {
            Ok(generation) => generation,
            Err(CopyError::Disk(error)) => return Err(error.into()),
            Err(CopyError::Damaged(what)) => {
                damaged = true;
                report(&data_dir.join(copy::NAME), &what, &quarantine(data_dir, copy::NAME)?);
                None
            }
        };
        let generation = tree.stamp().generation;
        let is_older = copied.is_some_and(|copied| copied > generation);
        let is_lost = generation == 0 && (damaged || has_queues(data_dir));
        if existed && (is_older || is_lost) {
            drop(tree);
            let what = "it is older than what was synced into it";
            report(&folder, &what, &quarantine(data_dir, TREE)?);
            tree = Tree::open(&folder)?;
        }
        if is_older {
            copied = rebuild(&mut tree, data_dir)?;
        } else if is_lost {
            tracing::error!(
                "no definitions are left in {}: only those are known that the journal still has. \
                 The messages of all other queues stay where they are, in {QUEUES}/",
                data_dir.display()
            );
            // The next start finds what is left as it is meant to be.
            tree.begin_anew()?;
        }
        tree.sync()?;
        File::open(data_dir)?.sync_all()?;
        Ok(Self { data_dir: data_dir.to_owned(), tree, copied })
    }

    /// Calls `found` with every definition, in the order of their keys.
    pub(super) fn for_each(&self, found: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), TreeError> {
        self.tree.for_each(found)
    }

    /// Makes these changes in both copies: when it returns they outlive a loss of power, twice.
    pub(super) fn save<'a>(&mut self, changes: impl Iterator<Item = &'a Change>) -> Result<(), TreeError> {
        self.tree.apply(changes)?;
        let generation = self.tree.stamp().generation;
        if self.copied == Some(generation) {
            return Ok(());
        }
        self.tree.sync()?;
        let mut copy = CopyWriter::create(&self.data_dir, generation)?;
        let mut written = Ok(());
        self.tree.for_each(&mut |key, value| {
            if written.is_ok() {
                written = copy.entry(key, value);
            }
        })?;
        written?;
        copy.finish()?;
        self.copied = Some(generation);
        Ok(())
    }
}

/// Fills an empty tree from the second copy.
fn rebuild(tree: &mut Tree, data_dir: &Path) -> Result<Option<u64>, TreeError> {
    let copied = match copy::read(data_dir) {
        Ok(Some(copied)) => copied,
        Ok(None) => return Ok(None),
        Err(CopyError::Disk(error)) => return Err(error.into()),
        Err(CopyError::Damaged(what)) => return Err(TreeError::Damaged(what.to_owned())),
    };
    let (count, generation) = (copied.entries.len(), copied.generation);
    tree.restore(copied.entries.into_iter(), generation)?;
    tree.sync()?;
    tracing::warn!("{count} definitions were restored from {}", data_dir.join(copy::NAME).display());
    Ok(Some(generation))
}

fn has_queues(data_dir: &Path) -> bool {
    fs::read_dir(data_dir.join(QUEUES)).is_ok_and(|mut entries| entries.next().is_some())
}

fn report(what: &Path, why: &dyn std::fmt::Display, moved_to: &Path) {
    tracing::error!("{} is damaged ({why}) and was moved to {}", what.display(), moved_to.display());
}

/// Moves what is damaged out of the way, to a name that nothing has.
fn quarantine(data_dir: &Path, name: &str) -> io::Result<PathBuf> {
    let folder = data_dir.join(QUARANTINE);
    DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    let free = (1..=u32::MAX)
        .map(|number| folder.join(format!("{name}-{number}")))
        .find(|path| fs::symlink_metadata(path).is_err())
        .unwrap_or_else(|| folder.join(name));
    fs::rename(data_dir.join(name), &free)?;
    File::open(&folder)?.sync_all()?;
    File::open(data_dir)?.sync_all()?;
    Ok(free)
}

#[cfg(test)]
mod tests;
