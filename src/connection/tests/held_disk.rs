//! A disk whose syncs wait until a test lets them through, or makes them fail.

use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::store::disk::{Disk, DiskFile};
use crate::store::simulated::SimDisk;

/// Only a test that fails waits for so long.
const DEADLINE: Duration = Duration::from_mins(1);

/// The disk. At first its syncs go through.
pub(super) struct HeldDisk {
    disk: Arc<SimDisk>,
    gate: Arc<Gate>,
}

/// What syncs pass through.
#[derive(Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    is_held: bool,
    /// How many syncs go through though it is held.
    let_through: usize,
    fails: bool,
    /// How many syncs wait.
    waiting: usize,
}

struct HeldFile {
    file: Arc<dyn DiskFile>,
    gate: Arc<Gate>,
}

impl HeldDisk {
    pub(super) fn new() -> (Arc<Self>, Arc<Gate>) {
        let gate = Arc::new(Gate::default());
        (Arc::new(Self { disk: SimDisk::new(1), gate: Arc::clone(&gate) }), gate)
    }

    /// What of it a loss of power leaves.
    pub(super) fn after_crash(&self, seed: u64) -> Arc<SimDisk> {
        self.disk.after_crash(seed)
    }

    fn held(&self, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(HeldFile { file, gate: Arc::clone(&self.gate) })
    }
}

impl Gate {
    /// No sync goes through from now on.
    pub(super) fn hold(&self) {
        self.change(|state| state.is_held = true);
    }

    /// One sync goes through.
    pub(super) fn let_one_through(&self) {
        self.change(|state| state.let_through += 1);
    }

    /// Those that wait go through, and those to come.
    pub(super) fn open(&self) {
        self.change(|state| state.is_held = false);
    }

    /// Those that wait fail, and those to come.
    pub(super) fn fail(&self) {
        self.change(|state| (state.is_held, state.fails) = (false, true));
    }

    /// Waits until a sync waits.
    pub(super) fn wait_for_a_sync(&self) {
        let deadline = Instant::now() + DEADLINE;
        let mut state = self.state.lock().unwrap();
        while state.waiting == 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "nothing is synced");
            state = self.changed.wait_timeout(state, left).unwrap().0;
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
        self.changed.notify_all();
    }

    fn pass(&self) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        state.waiting += 1;
        self.changed.notify_all();
        state = self.changed.wait_while(state, |state| state.is_held && state.let_through == 0).unwrap();
        state.waiting -= 1;
        state.let_through = state.let_through.saturating_sub(1);
        if state.fails { Err(io::Error::other("the disk is broken")) } else { Ok(()) }
    }
}

impl Disk for HeldDisk {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.disk.open(path).map(|file| self.held(file))
    }
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.disk.create(path).map(|file| self.held(file))
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.create_dir(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }
    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_dir_all(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.disk.list(path)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.sync_dir(path)
    }
}

impl DiskFile for HeldFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_at(buffer, offset)
    }
    fn write_at(&self, slices: &[&[u8]], offset: u64) -> io::Result<()> {
        self.file.write_at(slices, offset)
    }
    fn sync(&self) -> io::Result<()> {
        self.gate.pass()?;
        self.file.sync()
    }
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn allocate(&self, length: u64) -> io::Result<()> {
        self.file.allocate(length)
    }
    fn free_behind(&self, offset: u64) -> io::Result<()> {
        self.file.free_behind(offset)
    }
}
