//! The tree that definitions live in: sled, and what it needs to be trusted. Only this file names it.
//!
//! What sled gives back after a loss of power may be older than what it said was flushed, or nothing, without an
//! error: its `flush` leaves out the file's length. So the file is synced by us as well, and beside the definitions
//! stands a *stamp*, changed in the same step: how many changes there were, and the sum of a hash over all entries. A
//! tree that does not add up to its stamp, or that is older than the second copy, is not used.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::Change;

/// Where the stamp stands: before all kinds.
const STAMP_KEY: [u8; 1] = [0];

/// What sled may keep of its pages in memory: definitions are read at the start and written from then on.
const CACHE_BYTES: u64 = 1 << 20;

/// sled's own settings are some sixty octets, in a file that it reads whole.
const SETTINGS_MAX_BYTES: u64 = 64 * 1024;

/// So much longer than the tree itself may be what sled has written down of where its pages are, which it reads whole.
const SNAPSHOT_SLACK_BYTES: u64 = 1024 * 1024;

/// How long to wait for a lock that only we can have.
const UNLOCKED_WITHIN: Duration = Duration::from_secs(10);

/// How much was changed, and the sum of what is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Grows with each batch of changes.
    pub(super) generation: u64,
    /// Of every entry, added up.
    pub(super) sum: u64,
}

impl Stamp {
    fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        let (generation, sum) = bytes.split_at_mut(8);
        generation.copy_from_slice(&self.generation.to_le_bytes());
        sum.copy_from_slice(&self.sum.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (generation, sum) = bytes.split_first_chunk::<8>()?;
        let sum = sum.try_into().ok()?;
        Some(Self { generation: u64::from_le_bytes(*generation), sum: u64::from_le_bytes(sum) })
    }

    pub(super) fn add(&mut self, key: &[u8], value: &[u8]) {
        self.sum = self.sum.wrapping_add(hash(key, value));
    }

    fn take(&mut self, key: &[u8], value: &[u8]) {
        self.sum = self.sum.wrapping_sub(hash(key, value));
    }
}

/// FNV-1a over the key's length, the key and the value: it is written down, so that it must never be another.
fn hash(key: &[u8], value: &[u8]) -> u64 {
    let length = (key.len() as u64).to_le_bytes();
    let hash = length.iter().chain(key).chain(value).fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    // Sums of its low bits alone would be weak.
    hash ^ hash.rotate_left(31).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Why the tree cannot be used.
#[derive(Debug)]
pub(super) enum TreeError {
    /// The disk refuses; it may not do so later.
    Disk(io::Error),
    /// It is damaged.
    Damaged(String),
}

impl std::fmt::Display for TreeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Disk(error) => error.fmt(f),
            Self::Damaged(what) => f.write_str(what),
        }
    }
}

impl From<io::Error> for TreeError {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

impl From<sled::Error> for TreeError {
    fn from(error: sled::Error) -> Self {
        match error {
            sled::Error::Io(error) => Self::Disk(error),
            error => Self::Damaged(error.to_string()),
        }
    }
}

/// Definitions on the disk.
pub(super) struct Tree {
    db: sled::Db,
    folder: PathBuf,
    stamp: Stamp,
    /// Large values are files of their own, which sled does not sync.
    synced_blobs: HashSet<OsString>,
}

impl Tree {
    /// Opens the tree in `folder`, or makes one there, and reads all of it once.
    pub(super) fn open(folder: &Path) -> Result<Self, TreeError> {
        guarded(|| {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            check_sizes(folder)?;
            let db = open(folder)?;
            let mut tree =
                Self { db, folder: folder.to_owned(), stamp: Stamp::default(), synced_blobs: HashSet::new() };
            tree.check()?;
            Ok(tree)
        })
    }

    /// Adds up what is there.
    fn check(&mut self) -> Result<(), TreeError> {
        let mut found = Stamp::default();
        self.for_each(&mut |key, value| found.add(key, value))?;
        let stamp = match self.db.get(STAMP_KEY)? {
            Some(bytes) => Stamp::from_bytes(&bytes),
            None if found.sum == 0 => Some(Stamp::default()),
            None => None,
        };
        match stamp {
            Some(stamp) if stamp.sum == found.sum => self.stamp = stamp,
            _ => return Err(TreeError::Damaged("its entries do not add up to its stamp".to_owned())),
        }
        Ok(())
    }

    /// What it has been through.
    pub(super) fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Calls `found` with every definition, in the order of their keys.
    pub(super) fn for_each(&self, found: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), TreeError> {
        guarded(|| {
            for entry in &*self.db {
                let (key, value) = entry?;
                if *key != STAMP_KEY {
                    found(&key, &value);
                }
            }
            Ok(())
        })
    }

    /// Makes these changes in one step, the last of a key counting. What changes nothing is left out.
    pub(super) fn apply<'a>(&mut self, changes: impl Iterator<Item = &'a Change>) -> Result<(), TreeError> {
        let last: std::collections::BTreeMap<&[u8], Option<&[u8]>> =
            changes.map(|change| (change.key.as_slice(), change.value.as_deref())).collect();
        guarded(|| {
            let mut batch = sled::Batch::default();
            let mut stamp = self.stamp;
            for (key, value) in last {
                let before = self.db.get(key)?;
                if before.as_deref() == value {
                    continue;
                }
                if let Some(before) = &before {
                    stamp.take(key, before);
                }
                match value {
                    Some(value) => {
                        stamp.add(key, value);
                        batch.insert(key, value);
                    }
                    None => batch.remove(key),
                }
                stamp.generation = self.stamp.generation.saturating_add(1);
            }
            if stamp != self.stamp {
                self.apply_stamped(batch, stamp)?;
            }
            Ok(())
        })
    }

    /// An empty tree is not one that has lost something.
    pub(super) fn begin_anew(&mut self) -> Result<(), TreeError> {
        guarded(|| self.apply_stamped(sled::Batch::default(), Stamp { generation: 1, sum: 0 }))
    }

    /// Fills an empty tree with what the second copy has.
    pub(super) fn restore(
        &mut self,
        entries: impl Iterator<Item = (Vec<u8>, Vec<u8>)>,
        generation: u64,
    ) -> Result<(), TreeError> {
        guarded(|| {
            let mut batch = sled::Batch::default();
            let mut stamp = Stamp { generation, sum: 0 };
            for (key, value) in entries {
                stamp.add(&key, &value);
                batch.insert(key, value);
            }
            self.apply_stamped(batch, stamp)
        })
    }

    fn apply_stamped(&mut self, mut batch: sled::Batch, stamp: Stamp) -> Result<(), TreeError> {
        batch.insert(&STAMP_KEY, &stamp.to_bytes());
        self.db.apply_batch(batch)?;
        self.stamp = stamp;
        Ok(())
    }

    /// Makes what was applied outlive a loss of power.
    pub(super) fn sync(&mut self) -> Result<(), TreeError> {
        guarded(|| {
            self.db.flush()?;
            self.sync_blobs()?;
            // sled's own flush syncs a range of the file and not its length: what was appended would be lost.
            File::open(self.folder.join("db"))?.sync_data()?;
            File::open(&self.folder)?.sync_all()?;
            Ok(())
        })
    }

    /// Has sled write what was applied, as far as it syncs by itself.
    #[cfg(test)]
    pub(super) fn write(&self) -> Result<(), TreeError> {
        self.db.flush()?;
        Ok(())
    }

    fn sync_blobs(&mut self) -> io::Result<()> {
        let folder = self.folder.join("blobs");
        let names = fs::read_dir(&folder)?.map(|entry| Ok(entry?.file_name()));
        let names = names.collect::<io::Result<HashSet<OsString>>>()?;
        if names == self.synced_blobs {
            return Ok(());
        }
        for name in names.difference(&self.synced_blobs) {
            File::open(folder.join(name))?.sync_all()?;
        }
        File::open(&folder)?.sync_all()?;
        self.synced_blobs = names;
        Ok(())
    }
}

/// sled reads some of its files whole and asks for as much memory as they are long, before it finds that they are damaged.
fn check_sizes(folder: &Path) -> Result<(), TreeError> {
    let of_pages = fs::metadata(folder.join("db")).map_or(0, |file| file.len());
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let max = match name.as_str() {
            "conf" => SETTINGS_MAX_BYTES,
            name if name.starts_with("snap") => of_pages.saturating_add(SNAPSHOT_SLACK_BYTES),
            _ => continue,
        };
        let length = entry.metadata()?.len();
        if length > max {
            return Err(TreeError::Damaged(format!(
                "its file {name} has {length} bytes, and never that many"
            )));
        }
    }
    Ok(())
}

/// Opens sled. One that was closed a moment ago may be at work in a thread of its own still, and has its file locked.
fn open(folder: &Path) -> Result<sled::Db, sled::Error> {
    let config = sled::Config::new()
        .path(folder)
        .mode(sled::Mode::LowSpace)
        .cache_capacity(CACHE_BYTES)
        .flush_every_ms(None);
    let deadline = Instant::now() + UNLOCKED_WITHIN;
    loop {
        match config.open() {
            Err(sled::Error::Io(error))
                if error.to_string().contains("could not acquire lock") && Instant::now() < deadline =>
            {
                thread::sleep(Duration::from_millis(5));
            }
            opened => return opened,
        }
    }
}

/// sled panics on some kinds of damage and after some errors of the disk: that is an error like others.
fn guarded<T>(act: impl FnOnce() -> Result<T, TreeError>) -> Result<T, TreeError> {
    catch_unwind(AssertUnwindSafe(act))
        .unwrap_or_else(|_| Err(TreeError::Damaged("reading it failed, see the panic above".to_owned())))
}
