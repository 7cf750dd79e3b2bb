//! The segments of one queue: which there are, which one is being written, and what the journal knows of them.
//!
//! ```text
//!            append                 footer               sync              SegmentState
//! (none) ------------> open ------------------> Unsynced ------> Synced ----------------> Registered
//! ```
//!
//! A segment of transient messages is only ever open or closed: nobody reads it after the broker's end. A journalled one
//! that is not registered is worth nothing to a recovery, since all of it is still in the journal.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use super::open_files::OpenFiles;
use super::segment::file::OpenSegment;
use super::segment::table::{QUEUES_FOLDER, SegmentId};
use super::stored::{BlockPlace, OutBlock};
use crate::place::{JournalFile, QueueId, SegmentNumber};

/// A segment that has reached this length in bytes is not added to.
pub const SEGMENT_BYTES: u64 = 16 * 1024 * 1024;

/// Where files go that were found damaged, once nothing of them is needed.
pub const QUARANTINE_FOLDER: &str = "quarantine";

/// The segments of a queue. Guarded by a lock of the store's threads: a queue never waits for it.
#[derive(Debug)]
pub struct QueueSegments {
    queue: QueueId,
    segment_bytes: u64,
    gone: bool,
    has_folder: bool,
    /// Names in the folder, or the folder's own, may not outlive a loss of power yet.
    unsynced_names: bool,
    journalled: Lane,
    transient: Lane,
    /// The journalled ones that are complete.
    complete: BTreeMap<SegmentNumber, Complete>,
    moves: Moves,
    damaged: BTreeSet<SegmentId>,
}

/// What is written elsewhere.
#[derive(Debug, Default)]
struct Moves {
    /// Complete segments of which messages were written elsewhere since the journal was told what of them is alive.
    from: BTreeSet<SegmentNumber>,
    /// The journal is going to be told what is alive of complete segments, and of no others.
    wait: bool,
}

/// Segments of one kind are written one after the other.
#[derive(Debug, Default)]
struct Lane {
    next: u32,
    open: Option<OpenSegment>,
    /// The earliest file of the journal that has a message of the one that is open.
    since: JournalFile,
}

/// A complete journalled segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Complete {
    /// Its length in bytes.
    pub len: u64,
    /// How far it is.
    pub stage: Stage,
}

/// How far a complete segment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Written.
    Unsynced,
    /// It outlives a loss of power.
    Synced,
    /// The journal says what of it is alive. What is settled of it is so by that record, or by records in this file of the
    /// journal and those behind it.
    Registered(JournalFile),
}

/// What is to be done with a segment of which nothing is alive any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// Nothing: there is none, or it is too early to tell.
    Unknown,
    /// Its file may be removed.
    Remove,
    /// Its file may be removed once the journal says that it is gone, and that is durable.
    Record,
}

impl QueueSegments {
    /// A queue without segments. A segment that has reached `segment_bytes` is not added to.
    pub fn new(queue: QueueId, segment_bytes: u64) -> Self {
        Self {
            queue,
            segment_bytes,
            gone: false,
            has_folder: false,
            unsynced_names: false,
            journalled: Lane::default(),
            transient: Lane::default(),
            complete: BTreeMap::new(),
            moves: Moves::default(),
            damaged: BTreeSet::new(),
        }
    }

    /// Whether the queue was deleted: nothing is written any more.
    pub fn is_gone(&self) -> bool {
        self.gone
    }

    /// A segment that was found at the start, of which the journal says what is alive.
    pub fn restore(&mut self, number: SegmentNumber, len: u64) {
        self.has_folder = true;
        self.number_used(number);
        // The next checkpoint says again what is alive, so that nothing depends on where that stood.
        let stage = Stage::Registered(JournalFile(0));
        self.complete.insert(number, Complete { len, stage });
    }

    /// A journalled segment had this number: no other one gets it.
    pub fn number_used(&mut self, number: SegmentNumber) {
        self.journalled.next = self.journalled.next.max(number.0.saturating_add(1));
    }

    /// The complete journalled segments.
    pub fn complete(&self) -> impl Iterator<Item = (SegmentNumber, Complete)> + '_ {
        self.complete.iter().map(|(number, complete)| (*number, *complete))
    }

    /// Whether it is a complete journalled segment of this queue.
    pub fn has(&self, number: SegmentNumber) -> bool {
        self.complete.contains_key(&number)
    }

    /// The file is damaged: it is kept when its segment dies.
    pub fn damaged(&mut self, number: SegmentNumber, journalled: bool) {
        self.damaged.insert(self.id(number, journalled));
    }

    /// Whether that was said of it.
    pub fn is_damaged(&self, id: SegmentId) -> bool {
        self.damaged.contains(&id)
    }

    fn id(&self, number: SegmentNumber, journalled: bool) -> SegmentId {
        SegmentId { queue: self.queue, number, journalled }
    }

    /// Appends blocks, all of them journalled or none, with one write. After an error none of them is written.
    pub fn append(&mut self, files: &OpenFiles, blocks: &[OutBlock]) -> io::Result<Vec<BlockPlace>> {
        let journalled = blocks.first().is_some_and(|block| block.journalled);
        let is_full = |open: &OpenSegment| open.len() >= self.segment_bytes;
        if self.lane(journalled).open.as_ref().is_some_and(is_full) {
            self.complete_open(files, journalled)?;
        }
        if self.lane(journalled).open.is_none() {
            self.begin(files, journalled)?;
        }
        let Some(open) = &mut self.lane_mut(journalled).open else {
            return Err(io::Error::other("no segment to write to"));
        };
        let id = open.id();
        let file = files.get(id)?;
        let places = open.append(&*file, blocks)?;
        let earliest = blocks.iter().map(|block| block.file).min().unwrap_or_default();
        let lane = self.lane_mut(journalled);
        lane.since = lane.since.min(earliest);
        if journalled {
            files.written(id);
        }
        Ok(places)
    }

    fn begin(&mut self, files: &OpenFiles, journalled: bool) -> io::Result<()> {
        if !self.has_folder {
            files.make_folder(self.queue)?;
            self.has_folder = true;
        }
        let lane = self.lane_mut(journalled);
        let number = SegmentNumber(lane.next);
        // A file that could be made but not written to is in nobody's way.
        lane.next = lane.next.saturating_add(1);
        let id = self.id(number, journalled);
        let file = files.create(id)?;
        match OpenSegment::begin(&*file, id) {
            Ok(open) => {
                let lane = self.lane_mut(journalled);
                (lane.open, lane.since) = (Some(open), JournalFile(u64::MAX));
            }
            Err(error) => {
                files.forget(id);
                // Its number is not used again, so that one that stays is swept away at the next start.
                let _ = files.disk().remove(&id.path());
                return Err(error);
            }
        }
        self.unsynced_names |= journalled;
        Ok(())
    }

    fn complete_open(&mut self, files: &OpenFiles, journalled: bool) -> io::Result<()> {
        let Some(open) = &self.lane(journalled).open else { return Ok(()) };
        let (id, len) = (open.id(), open.len());
        if journalled {
            open.seal(&*files.get(id)?)?;
            files.written(id);
            self.complete.insert(id.number, Complete { len, stage: Stage::Unsynced });
        }
        self.lane_mut(journalled).open = None;
        Ok(())
    }

    /// Completes the journalled segment that is being written, if there is one with messages of these files of the journal.
    /// Another one goes on: of many queues with a little each, every checkpoint would leave a small file.
    pub fn complete_through(&mut self, files: &OpenFiles, through: JournalFile) -> io::Result<()> {
        if self.is_due(through) {
            self.complete_open(files, true)?;
        }
        self.moves.wait = true;
        Ok(())
    }

    /// Whether messages may be written elsewhere that the journal knows to be in a segment: else what it is told next would
    /// have them in neither place.
    pub fn may_move(&self) -> bool {
        !self.moves.wait
    }

    /// There was nothing to record.
    pub fn nothing_recorded(&mut self) {
        self.moves.wait = false;
    }

    /// Whether there is such a one.
    pub fn is_due(&self, through: JournalFile) -> bool {
        self.journalled.open.is_some() && self.journalled.since <= through
    }

    /// Whether names in the queue's folder are to be synced; not any more from now on, unless that [fails](Self::names_lost).
    pub fn take_unsynced_names(&mut self) -> bool {
        std::mem::take(&mut self.unsynced_names)
    }

    /// The names could not be synced.
    pub fn names_lost(&mut self) {
        self.unsynced_names = true;
    }

    /// Messages of a complete segment are being written elsewhere: no record of the new place may stand in the journal before
    /// one that takes them out of this segment, or a crash in between would leave them in both.
    pub fn moves(&mut self, number: SegmentNumber) {
        self.moves.from.insert(number);
    }

    /// The complete segments of which a record is due for a checkpoint through this file: those that have none, those whose
    /// record may depend on one of these files, and those from which messages were moved.
    pub fn to_record(&self, through: JournalFile) -> Vec<SegmentNumber> {
        let is_due = |number: &SegmentNumber, stage: Stage| match stage {
            Stage::Unsynced => false,
            Stage::Synced => true,
            Stage::Registered(file) => file <= through || self.moves.from.contains(number),
        };
        self.complete
            .iter()
            .filter(|(number, it)| is_due(number, it.stage))
            .map(|(number, _)| *number)
            .collect()
    }

    /// The journal says of all that was [to be recorded](Self::to_record) what is alive of it.
    pub fn recorded(&mut self, segments: &[SegmentNumber], since: JournalFile) {
        for number in segments {
            self.advance(*number, Stage::Registered(since));
        }
        self.moves.from.clear();
        self.moves.wait = false;
    }

    /// A complete segment got further.
    pub fn advance(&mut self, number: SegmentNumber, stage: Stage) {
        if let Some(complete) = self.complete.get_mut(&number) {
            complete.stage = stage;
        }
    }

    /// Nothing of a segment is alive, says its queue: it is written to no more, and forgotten unless the journal has to say
    /// so before.
    pub fn died(&mut self, number: SegmentNumber, journalled: bool) -> Death {
        let lane = self.lane_mut(journalled);
        if lane.open.take_if(|open| open.id().number == number).is_some() {
            return Death::Remove;
        }
        if !journalled {
            return if number.0 < self.transient.next { Death::Remove } else { Death::Unknown };
        }
        match self.complete.get(&number).map(|complete| complete.stage) {
            // Of what was moved out of it the journal does not know the new place yet: whoever records that sees to it.
            Some(Stage::Registered(_)) if self.moves.from.contains(&number) => Death::Unknown,
            Some(Stage::Registered(_)) => Death::Record,
            Some(_) => {
                self.complete.remove(&number);
                Death::Remove
            }
            None => Death::Unknown,
        }
    }

    /// The journal says for good that a segment is gone.
    pub fn gone(&mut self, number: SegmentNumber) {
        self.complete.remove(&number);
        self.moves.from.remove(&number);
    }

    /// Removes the file of a segment that is dead, or puts it aside when it is damaged.
    pub fn remove(&mut self, files: &OpenFiles, number: SegmentNumber, journalled: bool) -> io::Result<()> {
        let id = self.id(number, journalled);
        files.forget(id);
        if self.damaged.contains(&id) {
            quarantine(files, &id.path())?;
            self.damaged.remove(&id);
            return Ok(());
        }
        files.disk().remove(&id.path())
    }

    /// The queue is deleted: nothing is written any more.
    pub fn end(&mut self) {
        self.gone = true;
        self.journalled.open = None;
        self.transient.open = None;
        self.complete.clear();
    }

    /// Removes all that there is of a deleted queue; what is damaged is put aside.
    pub fn remove_all(&mut self, files: &OpenFiles) -> io::Result<()> {
        files.forget_queue(self.queue);
        for id in std::mem::take(&mut self.damaged) {
            if let Err(error) = quarantine(files, &id.path()) {
                self.damaged.insert(id);
                return Err(error);
            }
        }
        if self.has_folder {
            files.disk().remove_dir_all(&SegmentId::folder(self.queue))?;
            self.has_folder = false;
        }
        Ok(())
    }

    fn lane(&self, journalled: bool) -> &Lane {
        if journalled { &self.journalled } else { &self.transient }
    }

    fn lane_mut(&mut self, journalled: bool) -> &mut Lane {
        if journalled { &mut self.journalled } else { &mut self.transient }
    }
}

/// Moves a file out of the way, under a name that says where it was.
pub fn quarantine(files: &OpenFiles, path: &Path) -> io::Result<()> {
    let disk = files.disk();
    let folder = PathBuf::from(QUARANTINE_FOLDER);
    disk.create_dir(&folder)?;
    let name: Vec<String> =
        path.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    let taken = disk.list(&folder)?;
    let name = name.join("-");
    let free = std::iter::once(name.clone())
        .chain((2..=taken.len().saturating_add(2)).map(|number| format!("{name}-{number}")))
        .find(|name| !taken.contains(name));
    let to = folder.join(free.unwrap_or(name));
    disk.rename(path, &to)?;
    disk.sync_dir(&folder)?;
    if let Some(from) = path.parent() {
        disk.sync_dir(from)?;
    }
    tracing::warn!(file = %path.display(), kept_as = %to.display(), "a damaged file was put aside");
    Ok(())
}

/// Makes the names of the files in a queue's folder, and the folder's own, outlive a loss of power.
pub fn sync_names(files: &OpenFiles, queue: QueueId) -> io::Result<()> {
    files.disk().sync_dir(&SegmentId::folder(queue))?;
    files.disk().sync_dir(Path::new(QUEUES_FOLDER))
}
