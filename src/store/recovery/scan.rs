//! One file of the journal, read from front to back: its chunks, what of it is damaged, and where it ends.
//!
//! A file that another one followed ends where that one says: all before is to be good, and what is not is damage. The
//! last file ends where the power may have cut a write off: at the first bad batch that lies behind everything that a
//! later batch knows to have been synced. What is bad before that was good once, and is damage too. And so is it when a
//! file is shorter than it says that it was, since its length is synced before anything is written: the power cuts off
//! writes, not files.
//!
//! Behind the record of an orderly stop there is nothing: the broker goes on in another file. What is left of the file was
//! prepared and never used, and is not read.

use std::io;
use std::sync::Arc;

use super::window::Window;
use crate::place::Batch;
use crate::store::disk::DiskFile;
use crate::store::journal::batch::{
    BATCH_HEADER_BYTES, BLOCK_BYTES, BatchHeader, Chunk, FileHeader, FoundBatch, next_offset,
};
use crate::store::op::is_close_mark;

/// What stands in a file, in the order in which it stands there.
#[derive(Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// Records that were written together, as they were written.
    Chunk {
        /// Where they begin, in bytes from the start of the file.
        offset: u64,
        /// The records.
        bytes: &'a [u8],
    },
    /// Something that was good once.
    Damaged {
        /// Where it begins, in bytes from the start of the file.
        from: u64,
        /// Where it ends, or would end if the file had not been cut short.
        to: u64,
        /// Which part of the file it is.
        what: DamagedPart,
    },
}

/// Which part of a journal file is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DamagedPart {
    /// The records of one connection; those beside them are good.
    Chunk,
    /// A batch whose header is bad, so that nothing in it can be told apart.
    Batch,
    /// The file is shorter than it was.
    Missing,
    /// A record in a chunk whose checksum is right.
    Record,
}

/// How the reading of a file ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scanned {
    /// Where the file ends, in bytes: what lies behind is no part of the journal.
    pub end: u64,
    /// Whether something behind the end was the beginning of a write that the power cut off.
    pub torn: bool,
    /// The highest number of a batch, of those behind the end too.
    pub last_batch: Option<Batch>,
}

/// Reads a file. `end` is where the next file says that this one ends, if there is a next one; `progress` is told how far
/// it is, in bytes from the start of the file. An error is one of the file as a whole; what cannot be read is damage.
pub fn scan(
    file: Arc<dyn DiskFile>,
    header: &FileHeader,
    end: Option<u64>,
    progress: &mut dyn FnMut(u64),
    give: &mut dyn FnMut(Part<'_>),
) -> io::Result<Scanned> {
    let scan = Scan {
        window: Window::new(file)?,
        header,
        end,
        synced_to: None,
        no_header_behind: None,
        told_len: header.file_len,
        last_batch: None,
        chunks: Vec::new(),
    };
    Ok(scan.run(progress, give))
}

struct Scan<'a> {
    window: Window,
    header: &'a FileHeader,
    /// Where the next file says that it ends.
    end: Option<u64>,
    /// Up to where a later batch knows the file to be synced; looked for when something bad is found.
    synced_to: Option<u64>,
    /// No header of a batch stands behind this offset, as far as was looked.
    no_header_behind: Option<u64>,
    /// How long the file was, as far as is known by now.
    told_len: u64,
    last_batch: Option<Batch>,
    /// The table of the batch that is being read, and which of its chunks are good.
    chunks: Vec<(Chunk, bool)>,
}

const BLOCK: u64 = BLOCK_BYTES as u64;

impl Scan<'_> {
    fn run(mut self, progress: &mut dyn FnMut(u64), give: &mut dyn FnMut(Part<'_>)) -> Scanned {
        let file_len = self.window.file_len();
        let limit = self.end.unwrap_or(file_len);
        let mut at = BLOCK;
        while at < limit.min(file_len) {
            progress(at);
            let batch = self.read_batch(at);
            let is_good = batch.is_some() && self.chunks.iter().all(|(_, good)| *good);
            if !is_good && self.may_be_cut_at(at) {
                let is_cut_short = self.is_cut_short_in(at);
                // What is left of a batch that lost its end with the file's is served as far as it can be told apart.
                if !is_cut_short || batch.is_none() {
                    let torn = !is_cut_short && (batch.is_some() || self.next_header(at).is_some());
                    self.give_missing(if is_cut_short { at } else { file_len }, give);
                    return Scanned { end: at, torn, last_batch: self.last_batch };
                }
            }
            let next = if let Some(batch) = batch {
                self.give_chunks(at.saturating_add(batch.head_len()), give);
                let next = next_offset(batch.end());
                if self.is_closed_by(&batch, next) {
                    (self.synced_to, self.no_header_behind) = (Some(next), Some(next));
                }
                next
            } else {
                let next = self.next_header(at).unwrap_or(limit).min(limit);
                give(Part::Damaged { from: at, to: next, what: DamagedPart::Batch });
                next
            };
            at = next.max(at.saturating_add(1));
        }
        match self.end {
            Some(end) if at < end => {
                give(Part::Damaged { from: at.min(file_len), to: end, what: DamagedPart::Missing });
            }
            Some(_) => {}
            None => self.give_missing(file_len, give),
        }
        Scanned { end: self.end.unwrap_or(at), torn: false, last_batch: self.last_batch }
    }

    /// Reads the batch that begins at `at`, and which of its chunks are good. Nothing when its header or its table is bad.
    fn read_batch(&mut self, at: u64) -> Option<FoundBatch> {
        self.chunks.clear();
        let batch = self.header_at(at)?;
        // Errors show where the parts are asked for one by one; this is to read them at once.
        let _ = self.window.get(at, batch.end().min(self.window.file_len()).saturating_sub(at));
        let table = batch.table(self.window.get(at, batch.head_len()).ok()?)?;
        let mut offset = at.saturating_add(batch.head_len());
        for chunk in table {
            let is_good = self.window.get(offset, u64::from(chunk.len)).is_ok_and(|bytes| chunk.is(bytes));
            self.chunks.push((chunk, is_good));
            offset = offset.saturating_add(u64::from(chunk.len));
        }
        Some(batch)
    }

    /// Whether the batch that was read says that the broker stopped in order, as the last one that was written: alone, and
    /// when all before it was synced. Should something begin where the next batch would, it is looked at like anything.
    fn is_closed_by(&mut self, batch: &FoundBatch, next: u64) -> bool {
        let FoundBatch { header, .. } = batch;
        let [(chunk, true)] = *self.chunks.as_slice() else { return false };
        let begin = header.offset.saturating_add(batch.head_len());
        self.end.is_none()
            && header.synced_to == header.offset
            && self.window.get(begin, chunk.len.into()).is_ok_and(is_close_mark)
            && self.header_at(next).is_none()
    }

    /// Whether the file was longer than it is, and what begins at `at` is not all there for that reason.
    fn is_cut_short_in(&mut self, at: u64) -> bool {
        let file_len = self.window.file_len();
        let batch = self.header_at(at);
        let is_header_cut = at.saturating_add(BATCH_HEADER_BYTES as u64) > file_len;
        self.is_short() && (is_header_cut || batch.is_some_and(|batch| batch.end() > file_len))
    }

    fn is_short(&self) -> bool {
        self.window.file_len() < self.told_len
    }

    /// Tells that the end of the file is missing, if it is, and what is useless without it, from `from` on.
    fn give_missing(&self, from: u64, give: &mut dyn FnMut(Part<'_>)) {
        if self.is_short() {
            give(Part::Damaged { from, to: self.told_len, what: DamagedPart::Missing });
        }
    }

    fn give_chunks(&mut self, mut offset: u64, give: &mut dyn FnMut(Part<'_>)) {
        for (chunk, is_good) in &self.chunks {
            let len = u64::from(chunk.len);
            let bytes = if *is_good { self.window.get(offset, len).ok() } else { None };
            let to = offset.saturating_add(len);
            let damaged = Part::Damaged { from: offset, to, what: DamagedPart::Chunk };
            give(bytes.map_or(damaged, |bytes| Part::Chunk { offset, bytes }));
            offset = to;
        }
    }

    /// Whether a write that began at `at` may have been cut off by the power.
    fn may_be_cut_at(&mut self, at: u64) -> bool {
        if self.end.is_some() {
            return false;
        }
        let synced_to = match self.synced_to {
            Some(synced_to) => synced_to,
            None => self.latest_mark(at),
        };
        self.synced_to = Some(synced_to);
        at >= synced_to
    }

    /// The highest mark in a batch behind `at`. A mark lies before the batch that has it, so that those behind any later
    /// place have the same highest one as long as it is of interest.
    fn latest_mark(&mut self, at: u64) -> u64 {
        let mut highest = 0;
        let mut from = at;
        while let Some(found) = self.next_header(from) {
            from = found;
            if let Some(batch) = self.header_at(from) {
                highest = highest.max(batch.header.synced_to);
            }
        }
        highest
    }

    /// Where behind `at` the next good header of a batch stands.
    fn next_header(&mut self, at: u64) -> Option<u64> {
        if self.no_header_behind.is_some_and(|behind| behind <= at) {
            return None;
        }
        let mut offset = next_offset(at.saturating_add(1));
        while offset < self.window.file_len() {
            if self.header_at(offset).is_some() {
                return Some(offset);
            }
            offset = offset.saturating_add(BLOCK);
        }
        self.no_header_behind = Some(at);
        None
    }

    fn header_at(&mut self, at: u64) -> Option<FoundBatch> {
        let bytes = self.window.get(at, BATCH_HEADER_BYTES as u64).ok()?;
        let batch = BatchHeader::find(bytes, self.header, at)?;
        self.last_batch = self.last_batch.max(Some(batch.header.batch));
        self.told_len = self.told_len.max(batch.header.file_len);
        Some(batch)
    }
}

#[cfg(test)]
mod tests;
