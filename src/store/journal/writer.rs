//! The journal's thread: takes what was gathered, writes it in one go, syncs if anybody waits for that, tells.
//!
//! There is no timer: what arrives during a sync is the next batch.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use super::LiveFile;
use super::batch::{BLOCK_BYTES, BatchHeader, Chunk, FileHeader, head_len, next_offset};
use super::buffer::Gathered;
use super::failure::{ENLARGE, JournalFailure};
use super::files::Spare;
use super::group_commit::{GroupCommit, Work};
use crate::place::{Batch, JournalFile};
use crate::store::checksum::checksum;
use crate::store::op::Group;

/// A file that is filled beyond its size grows by so much at once.
const GROWTH_BYTES: u64 = 4 * 1024 * 1024;

pub(super) struct Writer {
    group_commit: Arc<GroupCommit>,
    file: InUse,
    /// The file after this one, once tickets are given for it.
    next: Option<Spare>,
    /// The last batch that was written.
    last: Batch,
    head: Vec<u8>,
}

/// What became of a piece of work.
enum Step {
    /// It is done; what was written can be used again.
    Done(Option<Gathered>),
    /// It was the last one.
    End,
}

/// The file that is written.
struct InUse {
    header: FileHeader,
    spare: Spare,
    /// Where the next batch begins.
    offset: u64,
    /// Up to where a sync has succeeded.
    synced_to: u64,
}

impl Writer {
    /// Begins the first file.
    pub(super) fn new(
        group_commit: Arc<GroupCommit>,
        spare: Spare,
        header: FileHeader,
        last: Batch,
    ) -> io::Result<Self> {
        let file = InUse::begin(spare, header)?;
        group_commit.files.begun(header.number);
        Ok(Self { group_commit, file, next: None, last, head: Vec::new() })
    }

    /// Works until the journal ends, in whatever way.
    pub(super) fn run(mut self) {
        let file = self.file.header.number;
        let ended = catch_unwind(AssertUnwindSafe(|| self.work())).unwrap_or_else(|_| {
            Err(JournalFailure {
                operation: "go on with",
                file,
                error: io::Error::other("a panic, see above"),
            })
        });
        self.end(ended);
    }

    /// Nothing comes any more, and everybody is told.
    fn end(&self, ended: Result<(), JournalFailure>) {
        let group_commit = &self.group_commit;
        let Err(failure) = ended else { return group_commit.end() };
        if failure.is_end_without_space() {
            tracing::warn!("the journal ends while it waits for space: what was not confirmed is not kept");
        } else {
            tracing::error!("the journal has failed, nothing is confirmed any more: {failure}");
        }
        let failure = group_commit.failure.get_or_init(|| Arc::new(failure));
        group_commit.end();
        group_commit.events.failed(failure);
    }

    fn work(&mut self) -> Result<(), JournalFailure> {
        let mut done = None;
        loop {
            let work = self.group_commit.next_work(self.file.header.number, done.take());
            match self.step(work)? {
                Step::Done(written) => done = written,
                Step::End => return Ok(()),
            }
        }
    }

    fn step(&mut self, work: Work) -> Result<Step, JournalFailure> {
        self.group_commit.counters.at_work(true);
        let step = self.take(work);
        self.group_commit.counters.at_work(false);
        step
    }

    fn take(&mut self, work: Work) -> Result<Step, JournalFailure> {
        match work {
            Work::Write(gathered) => {
                self.write(&gathered)?;
                if gathered.wants_sync {
                    self.sync()?;
                }
                self.look_ahead();
                return Ok(Step::Done(Some(gathered)));
            }
            Work::Sync => self.sync()?,
            Work::LookAhead => self.look_ahead(),
            Work::Refuse(bytes) => {
                let error = io::Error::other(format!("{bytes} bytes of records at once"));
                return Err(self.failure("write to", error));
            }
            Work::NextFile => self.begin_next_file()?,
            Work::Close => return self.close().map(|()| Step::End),
            Work::End => return Ok(Step::End),
        }
        Ok(Step::Done(None))
    }

    /// Does one thing if there is anything to do. Whether there was; nothing once the journal has ended.
    #[cfg(test)]
    pub(super) fn work_once(&mut self) -> Option<bool> {
        let Some(work) = self.group_commit.work_now(self.file.header.number) else { return Some(false) };
        match self.step(work) {
            Ok(Step::Done(_)) => return Some(true),
            Ok(Step::End) => self.end(Ok(())),
            Err(failure) => self.end(Err(failure)),
        }
        None
    }

    fn write(&mut self, gathered: &Gathered) -> Result<(), JournalFailure> {
        let offset = self.file.offset;
        let head_len = head_len(gathered.chunks.len());
        let end = offset.saturating_add(head_len).saturating_add(gathered.len as u64);
        let next = next_offset(end);
        // The last block stays free: what is written behind a growth begins before the old end.
        let needed = next.saturating_add(BLOCK_BYTES as u64);
        if needed > self.file.spare.len {
            self.grow(needed)?;
        }
        let file = &self.file;
        self.head.clear();
        let header = BatchHeader {
            file: file.header.number,
            batch: gathered.batch,
            offset,
            synced_to: file.synced_to,
            file_len: file.spare.len,
        };
        header.encode(file.header.salt, &gathered.chunks, &mut self.head);
        // Whole blocks are written, so that the system need not read what was there before.
        let padding = [0; BLOCK_BYTES];
        let padding_len = usize::try_from(next.saturating_sub(end)).unwrap_or_default();
        let mut slices = vec![self.head.as_slice()];
        gathered.slices(&mut slices);
        slices.extend(padding.get(..padding_len));
        let written = self.file.spare.file.write_at(&slices, offset);
        written.map_err(|error| self.failure("write to", error))?;
        self.file.offset = next;
        self.last = gathered.batch;
        let counters = &self.group_commit.counters;
        counters.written(next.saturating_sub(offset), gathered.len, gathered.chunks.len());
        self.group_commit.written(gathered.batch, gathered.len);
        Ok(())
    }

    fn grow(&mut self, needed: u64) -> Result<(), JournalFailure> {
        let grown = self.group_commit.files.grow(&*self.file.spare.file, needed, GROWTH_BYTES);
        let len = grown.map_err(|error| self.failure(ENLARGE, error))?;
        // The next batch tells the new length, which is therefore to outlive a loss of power before it does.
        self.sync()?;
        self.file.spare.len = len;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), JournalFailure> {
        let begun = Instant::now();
        self.file.spare.file.sync().map_err(|error| self.failure("sync", error))?;
        self.file.synced_to = self.file.offset;
        self.group_commit.counters.synced(begun.elapsed());
        self.group_commit.durable.reach(self.last);
        Ok(())
    }

    /// Has a spare prepared when the file is filling, and gives no more tickets for it when it is nearly full.
    fn look_ahead(&mut self) {
        let limits = &self.group_commit.limits;
        if self.next.is_some() {
            return;
        }
        if self.file.offset.saturating_add(limits.margin_bytes) > limits.file_bytes {
            self.next = self.group_commit.files.take_spare();
            if self.next.is_some() {
                return self.group_commit.begin_next_file();
            }
        }
        if self.file.offset > limits.file_bytes / 4 {
            self.group_commit.files.want_spare();
        }
    }

    /// The file is complete: it is synced before the header of the next one says where it ends, and that header before
    /// there is a batch behind it.
    fn begin_next_file(&mut self) -> Result<(), JournalFailure> {
        if self.file.synced_to < self.file.offset {
            self.sync()?;
        }
        let number = JournalFile(self.file.header.number.0.saturating_add(1));
        let next = self.next.take().ok_or_else(|| {
            self.failure("follow", io::Error::other("tickets were given for a file that is not there"))
        })?;
        let header = FileHeader {
            number,
            salt: salt().map_err(|error| self.failure("follow", error))?,
            previous_end: self.file.offset,
            live_from: self.group_commit.files.live_from(),
            file_len: next.len,
        };
        let begun = InUse::begin(next, header);
        let begun = begun.map_err(|error| JournalFailure { operation: "begin", file: number, error })?;
        self.group_commit.files.begun(number);
        let complete = std::mem::replace(&mut self.file, begun);
        let (complete, file) = complete.into_live();
        let number = complete.number;
        self.group_commit.files.closed(complete, file);
        self.group_commit.events.file_closed(number);
        Ok(())
    }

    /// The last record, behind everything that is synced.
    fn close(&mut self) -> Result<(), JournalFailure> {
        self.sync()?;
        let mut group = Group::default();
        group.closed();
        let chunk =
            Chunk { len: u32::try_from(group.len()).unwrap_or(u32::MAX), crc: checksum(group.bytes()) };
        let batch = Batch(self.last.0.saturating_add(1));
        self.write(&Gathered::of_one(self.file.header.number, batch, chunk, group.bytes().to_vec()))?;
        self.sync()
    }

    fn failure(&self, operation: &'static str, error: io::Error) -> JournalFailure {
        JournalFailure { operation, file: self.file.header.number, error }
    }
}

impl InUse {
    fn begin(spare: Spare, header: FileHeader) -> io::Result<Self> {
        spare.file.write_at(&[&header.encode()], 0)?;
        spare.file.sync()?;
        let offset = BLOCK_BYTES as u64;
        Ok(Self { header, spare, offset, synced_to: offset })
    }

    fn into_live(self) -> (LiveFile, Arc<dyn crate::store::disk::DiskFile>) {
        let Spare { name, file, len } = self.spare;
        (LiveFile { number: self.header.number, name, len }, file)
    }
}

/// What makes the checksums of one file's batches its own.
pub(super) fn salt() -> io::Result<u64> {
    let mut salt = [0; 8];
    getrandom::fill(&mut salt).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(u64::from_le_bytes(salt))
}
