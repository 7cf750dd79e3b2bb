//! A disk for tests that fails as disks fail, the same way for the same seed.
//!
//! What was written and not synced may be there after a crash, or not, or in part: any subset of its sectors of 512
//! bytes. A name that was made, changed or removed may be as before unless its folder was synced. Any one operation may
//! fail. Operations that change something are counted, so that a test can crash at each of them in turn:
//!
//! ```text
//! let disk = SimDisk::new(1);            // run once, to count
//! work(&disk);
//! for operation in 0..disk.operations() {
//!     let disk = SimDisk::new(1);
//!     disk.crash_at(operation);
//!     work(&disk);                       // that operation and all behind it fail
//!     for seed in 0..8 {
//!         check(&disk.after_crash(seed));
//!     }
//! }
//! ```

#![allow(clippy::missing_panics_doc, reason = "a test ends when it names a file that is not there")]

mod blocks;
mod names;
mod random;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use self::blocks::{Blocks, Survives};
use self::names::{Names, Node};
pub use self::random::Random;
use super::disk::{Disk, DiskFile};

/// How an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No space is left (ENOSPC); nothing is done.
    NoSpace,
    /// The device fails (EIO). A sync that fails leaves in doubt what was written before it, for good.
    Device,
    /// A write is done in part, then the device fails; other operations are not done.
    Short,
}

/// The disk. Clones of the `Arc` and open files see the same one.
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

struct State {
    names: Names,
    files: Vec<Blocks>,
    random: Random,
    operations: u64,
    reads: u64,
    failures: BTreeMap<u64, Failure>,
    failing_reads: BTreeSet<u64>,
    crash_at: Option<u64>,
    crashed: bool,
    full: bool,
}

/// What is to be done with an operation.
enum Fate {
    Done,
    /// Not done; or a write in part.
    Fails(Failure),
    /// The power fails while it is done.
    Crashes,
}

impl SimDisk {
    /// An empty disk. The seed decides in what way syncs fail.
    pub fn new(seed: u64) -> Arc<Self> {
        Self::with(Names::default(), Vec::new(), seed)
    }

    fn with(names: Names, files: Vec<Blocks>, seed: u64) -> Arc<Self> {
        let state = State {
            names,
            files,
            random: Random::new(seed),
            operations: 0,
            reads: 0,
            failures: BTreeMap::new(),
            failing_reads: BTreeSet::new(),
            crash_at: None,
            crashed: false,
            full: false,
        };
        Arc::new(Self { state: Arc::new(Mutex::new(state)) })
    }

    /// How many operations that change something there were.
    pub fn operations(&self) -> u64 {
        lock(&self.state).operations
    }

    /// How many times bytes were read.
    pub fn reads(&self) -> u64 {
        lock(&self.state).reads
    }

    /// The operation of this number, counted from 0, fails.
    pub fn fail_at(&self, operation: u64, failure: Failure) {
        lock(&self.state).failures.insert(operation, failure);
    }

    /// The read of this number, counted from 0, fails (EIO).
    pub fn fail_read(&self, read: u64) {
        lock(&self.state).failing_reads.insert(read);
    }

    /// While it is full, nothing is made and nothing grows (ENOSPC).
    pub fn set_full(&self, full: bool) {
        lock(&self.state).full = full;
    }

    /// The power fails during the operation of this number, counted from 0: it and all behind it fail ([`is_crash`]).
    pub fn crash_at(&self, operation: u64) {
        lock(&self.state).crash_at = Some(operation);
    }

    /// The power fails now.
    pub fn crash(&self) {
        lock(&self.state).crashed = true;
    }

    /// Whether the power has failed.
    pub fn is_crashed(&self) -> bool {
        lock(&self.state).crashed
    }

    /// The disk as it may be found after a loss of power: one of many ways for each seed.
    pub fn after_crash(&self, seed: u64) -> Arc<Self> {
        let state = lock(&self.state);
        let mut random = Random::new(seed);
        let survives = Survives::pick(&mut random);
        let names = state.names.after_crash(survives, &mut random);
        let files =
            state.files.iter().map(|file| Blocks::from_bytes(file.after_crash(survives, &mut random)));
        Self::with(names, files.collect(), seed)
    }

    /// The disk as it is found when only the process has died: all that was written is there, but still not synced.
    pub fn after_kill(&self) -> Arc<Self> {
        let state = lock(&self.state);
        Self::with(state.names.clone(), state.files.clone(), 0)
    }

    /// The files and their lengths, by path.
    pub fn files(&self) -> Vec<(PathBuf, u64)> {
        let state = lock(&self.state);
        let files = state.names.files();
        files.map(|(path, file)| (path.to_path_buf(), state.files[file].bytes().len() as u64)).collect()
    }

    /// The bytes of a file.
    pub fn contents(&self, path: impl AsRef<Path>) -> Vec<u8> {
        let state = lock(&self.state);
        state.files[state.file(path.as_ref()).unwrap()].bytes().to_vec()
    }

    /// Flips a bit (0 to 7) of a byte of a file.
    pub fn damage(&self, path: impl AsRef<Path>, offset: u64, bit: u8) {
        let mut state = lock(&self.state);
        let file = state.file(path.as_ref()).unwrap();
        state.files[file].flip(usize::try_from(offset).unwrap(), bit);
    }

    /// Cuts a file off.
    pub fn truncate(&self, path: impl AsRef<Path>, length: u64) {
        let mut state = lock(&self.state);
        let file = state.file(path.as_ref()).unwrap();
        state.files[file].truncate(usize::try_from(length).unwrap());
    }
}

/// Whether an operation failed since the power had failed.
pub fn is_crash(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.to_string() == CRASH)
}

const CRASH: &str = "the simulated power has failed";
const NO_SPACE: i32 = 28;
const DEVICE: i32 = 5;

impl State {
    /// Counts an operation and says what becomes of it. An error is one that was never begun.
    fn begin(&mut self, needs_space: bool) -> io::Result<Fate> {
        if self.crashed {
            return Err(crash());
        }
        let operation = self.operations;
        self.operations += 1;
        if self.crash_at == Some(operation) {
            self.crashed = true;
            return Ok(Fate::Crashes);
        }
        Ok(match self.failures.get(&operation) {
            Some(failure) => Fate::Fails(*failure),
            None if needs_space && self.full => Fate::Fails(Failure::NoSpace),
            None => Fate::Done,
        })
    }

    fn begin_read(&mut self) -> io::Result<()> {
        if self.crashed {
            return Err(crash());
        }
        let read = self.reads;
        self.reads += 1;
        if self.failing_reads.contains(&read) { Err(io::Error::from_raw_os_error(DEVICE)) } else { Ok(()) }
    }

    fn file(&self, path: &Path) -> io::Result<usize> {
        match self.names.get(path) {
            Some(Node::File(file)) => Ok(file),
            Some(Node::Folder) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// A change of names: done, not done, or (when the power fails meanwhile) perhaps done.
    fn change_names(&mut self, needs_space: bool, change: impl FnOnce(&mut Self)) -> io::Result<()> {
        match self.begin(needs_space)? {
            Fate::Fails(failure) => Err(failure.into()),
            Fate::Done => {
                change(self);
                Ok(())
            }
            Fate::Crashes => {
                change(self);
                Err(crash())
            }
        }
    }

    fn in_folder(&self, path: &Path) -> io::Result<()> {
        let parent = path.parent().unwrap_or(Path::new(""));
        if self.names.is_folder(parent) { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }
}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        Self::from_raw_os_error(if failure == Failure::NoSpace { NO_SPACE } else { DEVICE })
    }
}

fn crash() -> io::Error {
    io::Error::other(CRASH)
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Disk for SimDisk {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = lock(&self.state);
        state.begin_read()?;
        let file = state.file(path)?;
        Ok(Arc::new(SimFile { state: Arc::clone(&self.state), file }))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = lock(&self.state);
        if state.names.get(path).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.in_folder(path)?;
        let file = state.files.len();
        state.change_names(true, |state| {
            state.files.push(Blocks::default());
            state.names.put(path, Node::File(file));
        })?;
        Ok(Arc::new(SimFile { state: Arc::clone(&self.state), file }))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = lock(&self.state);
        if state.names.is_folder(path) {
            return Ok(());
        }
        state.change_names(true, |state| {
            let folders: Vec<&Path> = path.ancestors().collect();
            for folder in folders.into_iter().rev() {
                if !state.names.is_folder(folder) {
                    state.names.put(folder, Node::Folder);
                }
            }
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = lock(&self.state);
        let file = state.file(from)?;
        state.in_folder(to)?;
        state.change_names(false, |state| state.names.rename(from, to, Node::File(file)))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = lock(&self.state);
        match state.names.get(path) {
            Some(Node::File(_)) => state.change_names(false, |state| state.names.remove(path)),
            Some(Node::Folder) => Err(io::ErrorKind::IsADirectory.into()),
            None => Ok(()),
        }
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut state = lock(&self.state);
        match state.names.get(path) {
            Some(Node::Folder) => state.change_names(false, |state| state.names.remove(path)),
            Some(Node::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
            None => Ok(()),
        }
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut state = lock(&self.state);
        state.begin_read()?;
        Ok(state.names.list(path))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = lock(&self.state);
        if !state.names.is_folder(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        match state.begin(false)? {
            Fate::Done => {
                state.names.sync(path);
                Ok(())
            }
            Fate::Fails(failure) => Err(failure.into()),
            Fate::Crashes => Err(crash()),
        }
    }
}

/// An open file of a [`SimDisk`].
struct SimFile {
    state: Arc<Mutex<State>>,
    file: usize,
}

impl DiskFile for SimFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut state = lock(&self.state);
        state.begin_read()?;
        state.files[self.file].read(buffer, offset)
    }

    fn write_at(&self, slices: &[&[u8]], offset: u64) -> io::Result<()> {
        let mut state = lock(&self.state);
        let mut bytes = slices.concat();
        let grows = offset + bytes.len() as u64 > state.files[self.file].bytes().len() as u64;
        match state.begin(grows)? {
            Fate::Done => {
                state.files[self.file].write(bytes, offset);
                Ok(())
            }
            Fate::Crashes => {
                state.files[self.file].write(bytes, offset);
                Err(crash())
            }
            Fate::Fails(failure) => {
                if failure == Failure::Short {
                    let part = state.random.below(bytes.len() as u64);
                    bytes.truncate(usize::try_from(part).unwrap());
                    state.files[self.file].write(bytes, offset);
                }
                Err(failure.into())
            }
        }
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = lock(&self.state);
        match state.begin(false)? {
            Fate::Done => {
                state.files[self.file].sync();
                Ok(())
            }
            Fate::Crashes => Err(crash()),
            Fate::Fails(failure) => {
                let State { files, random, .. } = &mut *state;
                files[self.file].sync_failed(random);
                Err(failure.into())
            }
        }
    }

    fn len(&self) -> io::Result<u64> {
        Ok(lock(&self.state).files[self.file].bytes().len() as u64)
    }

    fn free_behind(&self, offset: u64) -> io::Result<()> {
        // To a loss of power it is a write like others.
        let zeros = vec![0; usize::try_from(self.len()?.saturating_sub(offset)).unwrap()];
        self.write_at(&[&zeros], offset)
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        let mut state = lock(&self.state);
        let grows = length > state.files[self.file].bytes().len() as u64;
        match state.begin(grows)? {
            Fate::Done => {
                state.files[self.file].allocate(length);
                Ok(())
            }
            Fate::Crashes => {
                state.files[self.file].allocate(length);
                Err(crash())
            }
            Fate::Fails(failure) => Err(failure.into()),
        }
    }
}
