//! The segments that are open: a bounded number of descriptors for any number of segments.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::HashMap;

use super::disk::{Disk, DiskFile};
use super::segment::table::SegmentId;
use crate::place::QueueId;

/// Segments, opened when they are asked for; those that were not used for longest are closed first.
pub struct OpenFiles {
    disk: Arc<dyn Disk>,
    max: usize,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    files: HashMap<SegmentId, OpenFile>,
    uses: u64,
    /// A file could not be synced before it was closed: what it had is in doubt.
    sync_failed: bool,
}

struct OpenFile {
    file: Arc<dyn DiskFile>,
    used: u64,
    /// Written since it was synced. An error of the disk is told to descriptors that were open when it struck, so such a
    /// file is synced before it is closed.
    unsynced: bool,
}

impl OpenFiles {
    /// Keeps at most `max` files open beside those that are being used.
    pub fn new(disk: Arc<dyn Disk>, max: usize) -> Self {
        Self { disk, max: max.max(1), open: Mutex::default() }
    }

    /// The disk that they are on.
    pub fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.lock().files.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A segment that exists.
    pub fn get(&self, id: SegmentId) -> io::Result<Arc<dyn DiskFile>> {
        {
            let mut open = self.lock();
            open.uses = open.uses.saturating_add(1);
            let uses = open.uses;
            if let Some(entry) = open.files.get_mut(&id) {
                entry.used = uses;
                return Ok(Arc::clone(&entry.file));
            }
        }
        let file = self.disk.open(&id.path())?;
        self.keep(id, &file);
        Ok(file)
    }

    /// A new segment.
    pub fn create(&self, id: SegmentId) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.disk.create(&id.path())?;
        self.keep(id, &file);
        Ok(file)
    }

    /// This segment was written to, and is to be synced.
    pub fn written(&self, id: SegmentId) {
        if let Some(entry) = self.lock().files.get_mut(&id) {
            entry.unsynced = true;
        }
    }

    /// Makes what was written to a segment outlive a loss of power.
    pub fn sync(&self, id: SegmentId) -> io::Result<()> {
        self.get(id)?.sync()?;
        let mut open = self.lock();
        if let Some(entry) = open.files.get_mut(&id) {
            entry.unsynced = false;
        }
        if open.sync_failed { Err(io::Error::other("a segment could not be synced before")) } else { Ok(()) }
    }

    /// Closes a segment that is to be removed; what was written to it does not matter any more.
    pub fn forget(&self, id: SegmentId) {
        let closed = self.lock().files.remove(&id);
        drop(closed);
    }

    /// Closes all segments of a queue that is gone.
    pub fn forget_queue(&self, queue: QueueId) {
        let closed: Vec<OpenFile> = {
            let mut open = self.lock();
            open.files.extract_if(|id, _| id.queue == queue).map(|(_, file)| file).collect()
        };
        drop(closed);
    }

    /// Closes what is not being used: somebody needs descriptors.
    pub fn close_idle(&self) {
        self.shrink(0);
    }

    /// The folder of a queue, made unless it exists.
    pub fn make_folder(&self, queue: QueueId) -> io::Result<PathBuf> {
        let folder = SegmentId::folder(queue);
        self.disk.create_dir(&folder)?;
        Ok(folder)
    }

    fn keep(&self, id: SegmentId, file: &Arc<dyn DiskFile>) {
        {
            let mut open = self.lock();
            let used = open.uses;
            open.files.insert(id, OpenFile { file: Arc::clone(file), used, unsynced: false });
        }
        self.shrink(self.max);
    }

    /// Closes those that were not used for longest until there are no more than `max`.
    fn shrink(&self, max: usize) {
        loop {
            let closed = {
                let mut open = self.lock();
                if open.files.len() <= max {
                    return;
                }
                let oldest = open.files.iter().min_by_key(|(_, entry)| entry.used).map(|(id, _)| *id);
                oldest.and_then(|id| open.files.remove(&id))
            };
            // The sync is done with no lock held: others go on reading.
            if let Some(closed) = closed
                && closed.unsynced
                && let Err(error) = closed.file.sync()
            {
                tracing::error!(%error, "a segment could not be synced");
                self.lock().sync_failed = true;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::SegmentNumber;
    use crate::store::simulated::{Failure, SimDisk};

    fn id(queue: u64, number: u32) -> SegmentId {
        SegmentId { queue: QueueId::stored(queue), number: SegmentNumber(number), journalled: true }
    }

    fn open_count(files: &OpenFiles) -> usize {
        files.lock().files.len()
    }

    #[test]
    fn no_more_files_are_open_than_allowed_and_all_can_be_had() {
        let files = OpenFiles::new(SimDisk::new(1), 3);
        for queue in 0..2 {
            files.make_folder(QueueId::stored(queue)).unwrap();
            for number in 0..10 {
                let file = files.create(id(queue, number)).unwrap();
                file.write_at(&[&[u8::try_from(number).unwrap()]], 0).unwrap();
                assert!(open_count(&files) <= 3);
            }
        }
        for number in (0..10).rev() {
            let mut byte = [0xff];
            files.get(id(1, number)).unwrap().read_at(&mut byte, 0).unwrap();
            assert_eq!(u32::from(byte[0]), number);
            assert!(open_count(&files) <= 3);
        }
        files.forget_queue(QueueId::stored(1));
        assert_eq!(open_count(&files), 0);
    }

    #[test]
    fn what_was_written_is_synced_before_its_file_is_closed_and_a_failure_is_remembered() {
        for fails in [false, true] {
            let disk = SimDisk::new(1);
            let files = OpenFiles::new(Arc::clone(&disk) as Arc<dyn Disk>, 1);
            files.make_folder(QueueId::stored(1)).unwrap();
            files.create(id(1, 0)).unwrap().write_at(&[b"x"], 0).unwrap();
            files.written(id(1, 0));
            // The next operations: the file is made, then the first one is synced.
            if fails {
                disk.fail_at(disk.operations() + 1, Failure::Device);
            }
            files.create(id(1, 1)).unwrap();
            assert_eq!(files.sync(id(1, 1)).is_err(), fails);
        }
    }
}
