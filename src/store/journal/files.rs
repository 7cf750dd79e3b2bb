//! The journal's files: those that are complete and still needed, and spares that wait to be used.
//!
//! A spare has its full length on the disk before it is used, so that running out of space is met here, where nothing
//! is at stake, and not in a file in use. A thread of its own prepares one when a file is filling and there is none.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::batch::BLOCK_BYTES;
use super::{JournalEvents, Limits, LiveFile, Start, last};
use crate::place::JournalFile;
use crate::store::disk::{Disk, DiskFile};
use crate::store::reserve::is_out_of_space;
use crate::store::spell::Spell;

/// The folder of the journal's files.
pub const FOLDER: &str = "journal";
/// What the name of a file ends with until it is prepared.
pub const UNPREPARED: &str = ".new";

/// Where there was no space, it is tried again after so long, and when files are released.
const SPACE_RETRY: Duration = Duration::from_secs(1);
/// Where there is no space for a whole file to begin with, this part of one is tried: what records need of those who make
/// space by consuming.
const BEGINNING: u64 = 8;
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];
/// So many of them are written at once.
const ZEROS_AT_ONCE: usize = 16;
const SYNC_EVERY_BYTES: u64 = 4 * 1024 * 1024;

/// A file that can be written over.
pub(super) struct Spare {
    pub(super) name: String,
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) len: u64,
}

pub(super) struct Files {
    disk: Arc<dyn Disk>,
    limits: Limits,
    events: Arc<dyn JournalEvents>,
    state: Mutex<State>,
    /// A spare is wanted, is there, files were released, or the end has come.
    changed: Condvar,
    is_full: AtomicBool,
}

#[allow(clippy::struct_excessive_bools, reason = "each is what one thread tells another")]
struct State {
    /// Complete and needed, in the order of their numbers.
    live: VecDeque<(LiveFile, Option<Arc<dyn DiskFile>>)>,
    live_from: JournalFile,
    spares: Vec<Spare>,
    next_name: u64,
    wanted: bool,
    ended: bool,
    /// For want of space: no spare can be prepared; the file in use cannot grow.
    no_spare: bool,
    no_growth: bool,
    told: Spell,
}

impl Files {
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        start: &Start,
        limits: Limits,
        events: Arc<dyn JournalEvents>,
    ) -> io::Result<Self> {
        let folder = Path::new(FOLDER);
        disk.create_dir(folder)?;
        disk.sync_dir(Path::new(""))?;
        let mut next_name = start.file.0;
        for name in disk.list(folder)? {
            if name.ends_with(UNPREPARED) {
                disk.remove(&folder.join(&name))?;
            } else if let Ok(number) = name.parse::<u64>() {
                next_name = next_name.max(number.saturating_add(1));
            }
        }
        let state = State {
            live: start.live.iter().map(|live| (live.clone(), None)).collect(),
            live_from: start.live_from,
            spares: Vec::new(),
            next_name,
            wanted: false,
            ended: false,
            no_spare: false,
            no_growth: false,
            told: Spell::default(),
        };
        let files = Self {
            disk,
            limits,
            events,
            state: Mutex::new(state),
            changed: Condvar::new(),
            is_full: AtomicBool::new(false),
        };
        for name in &start.spares {
            files.adopt(name)?;
        }
        Ok(files)
    }

    /// A file that an earlier run has left and nobody needs: a spare, if it is fit to be one.
    fn adopt(&self, name: &str) -> io::Result<()> {
        let file = self.disk.open(&path(name))?;
        let spare = Spare { name: name.to_owned(), len: file.len()?, file };
        if !self.is_fit(&spare) {
            return self.disk.remove(&path(name));
        }
        // Its unused part may have been given back to a start on a full disk.
        match spare.file.allocate(spare.len) {
            Err(error) if is_out_of_space(&error) => self.disk.remove(&path(name)),
            Err(error) => Err(error),
            Ok(()) => self.keep_or_remove(spare),
        }
    }

    fn keep_or_remove(&self, spare: Spare) -> io::Result<()> {
        let mut state = self.lock();
        if self.is_fit(&spare) && state.spares.len() < self.limits.spares {
            state.spares.push(spare);
            return Ok(());
        }
        drop(state);
        self.disk.remove(&path(&spare.name))
    }

    /// One that has grown far beyond its size is worth more as free space.
    fn is_fit(&self, spare: &Spare) -> bool {
        (self.limits.file_bytes..=self.limits.file_bytes.saturating_mul(2)).contains(&spare.len)
    }

    /// The file to begin with: a spare, or one that is made quickly, its space taken but not written.
    pub(super) fn first(&self, previous_end: u64) -> io::Result<Spare> {
        if let Some(spare) = self.take_spare() {
            return Ok(spare);
        }
        let (name, file) = self.create()?;
        // A full disk is no reason not to start: what is there can be consumed, which makes space.
        match file.allocate(self.limits.file_bytes) {
            Err(error) if is_out_of_space(&error) => {
                tracing::warn!(
                    "no space for a whole journal file ({} MiB): {error}; publishers are blocked, tried again every second",
                    self.limits.file_bytes >> 20
                );
                self.free_behind_the_last(previous_end);
                if let Err(error) = self.allocate_some(&*file) {
                    let _ = self.disk.remove(&unprepared(&name));
                    return Err(error);
                }
                // The preparing thread notices when there is some.
                self.set_full(|state| {
                    state.told.goes_on(Instant::now());
                    (state.no_spare, state.wanted) = (true, true);
                });
            }
            result => result?,
        }
        self.prepared(name, file)
    }

    /// Takes as much space as there is: at least that of a header and of a place for the first batch, by which the next start
    /// knows that nothing was written, if this one comes to nothing.
    fn allocate_some(&self, file: &dyn DiskFile) -> io::Result<()> {
        match file.allocate(self.limits.file_bytes / BEGINNING) {
            Err(error) if is_out_of_space(&error) => file.allocate(2 * BLOCK_BYTES as u64),
            allocated => allocated,
        }
    }

    /// What an earlier run has taken for its last file and not written. Without it each start on a full disk would have less
    /// space than the one before, until nothing could be recorded of those who make space by consuming.
    fn free_behind_the_last(&self, end: u64) {
        let last = self.lock().live.back().map(|(live, _)| path(&live.name));
        let Some(last) = last else { return };
        if let Err(error) = self.disk.open(&last).and_then(|file| file.free_behind(end)) {
            tracing::warn!("the unused part of {} cannot be given back: {error}", last.display());
        }
    }

    fn create(&self) -> io::Result<(String, Arc<dyn DiskFile>)> {
        let mut state = self.lock();
        let name = state.next_name.to_string();
        state.next_name = state.next_name.saturating_add(1);
        drop(state);
        let file = self.disk.create(&unprepared(&name))?;
        Ok((name, file))
    }

    /// The file's length and name are made to last.
    fn prepared(&self, name: String, file: Arc<dyn DiskFile>) -> io::Result<Spare> {
        let len = file.len()?;
        file.sync()?;
        self.disk.rename(&unprepared(&name), &path(&name))?;
        self.disk.sync_dir(Path::new(FOLDER))?;
        Ok(Spare { name, file, len })
    }

    /// A file of zeros: writing over what was written is faster to sync than writing where nothing was.
    fn prepare(&self) -> io::Result<Spare> {
        let (name, file) = self.create()?;
        let write = || {
            file.allocate(self.limits.file_bytes)?;
            let mut at = 0;
            while at < self.limits.file_bytes {
                let mut left = self.limits.file_bytes.saturating_sub(at);
                let mut slices = [&ZEROS[..]; ZEROS_AT_ONCE];
                for slice in &mut slices {
                    let len = usize::try_from(left).unwrap_or(usize::MAX).min(ZEROS.len());
                    *slice = ZEROS.get(..len).unwrap_or_default();
                    left = left.saturating_sub(len as u64);
                }
                file.write_at(&slices, at)?;
                at = self.limits.file_bytes.saturating_sub(left);
                // In steps, so that the file in use, which shares the disk, is not held up behind all of it.
                if at.is_multiple_of(SYNC_EVERY_BYTES) {
                    file.sync()?;
                }
            }
            self.prepared(name.clone(), Arc::clone(&file))
        };
        write().inspect_err(|_| {
            // What there is of it stands in the way of those who need the space.
            let _ = self.disk.remove(&unprepared(&name));
        })
    }

    /// The preparing thread: until the end, prepares a spare when one is wanted and there is none, and tells `ready`.
    pub(super) fn prepare_spares(&self, ready: impl Fn()) {
        let mut state = self.lock();
        loop {
            if state.ended {
                return;
            }
            if !state.wanted || !state.spares.is_empty() {
                state.wanted = false;
                state = self.set_full_locked(state, |state| state.no_spare = false);
                if !state.wanted && !state.ended {
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                continue;
            }
            drop(state);
            state = match self.prepare_spare() {
                Ok(()) => {
                    ready();
                    self.lock()
                }
                Err(error) => {
                    let mut state = self.lock();
                    if state.told.goes_on(Instant::now()) {
                        tracing::error!(
                            "cannot prepare the next journal file: {error}; publishers are blocked, tried again every second"
                        );
                    }
                    let state = self.set_full_locked(state, |state| state.no_spare = true);
                    self.wait_for_space(state)
                }
            };
        }
    }

    fn prepare_spare(&self) -> io::Result<()> {
        let spare = self.prepare()?;
        self.lock().spares.push(spare);
        Ok(())
    }

    /// Does once what the preparing thread does. Whether there is a spare that there was not.
    #[cfg(test)]
    pub(super) fn prepare_spare_once(&self) -> bool {
        let mut state = self.lock();
        let is_wanted = std::mem::take(&mut state.wanted) && state.spares.is_empty() && !state.ended;
        drop(state);
        is_wanted && self.prepare_spare().is_ok()
    }

    /// Waits until it is time to look for space again.
    fn wait_for_space<'a>(&'a self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        if state.ended {
            return state;
        }
        self.changed.wait_timeout(state, SPACE_RETRY).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Makes a file in use as long as is needed and, where there is space, so much longer. Gives its new length. While there
    /// is not even space for what is needed this waits; an error is another one, or that the journal ends.
    pub(super) fn grow(&self, file: &dyn DiskFile, needed: u64, more: u64) -> io::Result<u64> {
        loop {
            let len = needed.saturating_add(more);
            let grown = match file.allocate(len) {
                Err(error) if is_out_of_space(&error) => file.allocate(needed).map(|()| needed),
                allocated => allocated.map(|()| len),
            };
            match grown {
                Ok(len) => {
                    self.set_full(|state| state.no_growth = false);
                    return Ok(len);
                }
                Err(error) if is_out_of_space(&error) => {
                    let mut state = self.lock();
                    if state.ended {
                        return Err(error);
                    }
                    if state.told.goes_on(Instant::now()) {
                        tracing::error!(
                            "no space for the journal: {error}; nothing is confirmed until there is, tried again every second"
                        );
                    }
                    let state = self.set_full_locked(state, |state| state.no_growth = true);
                    drop(self.wait_for_space(state));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// A spare will be needed soon.
    pub(super) fn want_spare(&self) {
        let mut state = self.lock();
        if state.spares.is_empty() && !state.wanted {
            state.wanted = true;
            self.changed.notify_all();
        }
    }

    pub(super) fn take_spare(&self) -> Option<Spare> {
        self.lock().spares.pop()
    }

    /// A file is complete.
    pub(super) fn closed(&self, live: LiveFile, file: Arc<dyn DiskFile>) {
        self.lock().live.push_back((live, Some(file)));
    }

    /// The header of this file is on the disk, and records come into it.
    pub(super) fn begun(&self, file: JournalFile) {
        if let Err(error) = last::note(&*self.disk, file) {
            tracing::warn!("that journal file {} is the last one cannot be noted: {error}", file.0);
        }
    }

    /// The lowest file that is needed.
    pub(super) fn live_from(&self) -> JournalFile {
        self.lock().live_from
    }

    /// The complete files that are needed, in their order.
    pub(super) fn live(&self) -> Vec<LiveFile> {
        self.lock().live.iter().map(|(live, _)| live.clone()).collect()
    }

    /// The files up to this one are not needed any more.
    pub(super) fn release_through(&self, file: JournalFile) {
        let mut state = self.lock();
        let count = state.live.partition_point(|(live, _)| live.number <= file);
        let released: Vec<_> = state.live.drain(..count).collect();
        if let Some((last, _)) = released.last() {
            state.live_from = JournalFile(last.number.0.saturating_add(1));
        }
        drop(state);
        let needs_space = self.events.needs_space();
        for (live, file) in released {
            let done = match file {
                _ if needs_space => self.disk.remove(&path(&live.name)),
                Some(file) => self.keep_or_remove(Spare { name: live.name.clone(), file, len: live.len }),
                None => self.adopt(&live.name),
            };
            if let Err(error) = done {
                tracing::warn!("journal file {} cannot be removed: {error}", live.name);
            }
        }
        if needs_space {
            self.events.freed();
        }
        let _state = self.lock();
        self.changed.notify_all();
    }

    pub(super) fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    /// Nothing is prepared, and nobody waits for space, from now on.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }

    fn set_full(&self, change: impl FnOnce(&mut State)) {
        drop(self.set_full_locked(self.lock(), change));
    }

    /// Tells it when this changes whether there is space; the lock is left for that.
    fn set_full_locked<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        change: impl FnOnce(&mut State),
    ) -> MutexGuard<'a, State> {
        change(&mut state);
        let is_full = state.no_spare || state.no_growth;
        if self.is_full.swap(is_full, Ordering::Relaxed) == is_full {
            return state;
        }
        let is_told = !is_full && state.told.ends();
        drop(state);
        if is_told {
            tracing::info!("there is space for the journal again");
        }
        self.events.full(is_full);
        self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn path(name: &str) -> PathBuf {
    Path::new(FOLDER).join(name)
}

fn unprepared(name: &str) -> PathBuf {
    Path::new(FOLDER).join(format!("{name}{UNPREPARED}"))
}
