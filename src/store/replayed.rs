//! What a journal says, for tests: read in the plainest way, as far as its batches are whole.

use std::collections::BTreeMap;
use std::path::Path;

use super::disk::Disk;
use super::journal::FOLDER;
use super::journal::batch::{BLOCK_BYTES, BatchHeader, FileHeader, FoundHeader, next_offset};
use super::op::{Op, Ops};
use super::positions::PositionSet;
use super::simulated::SimDisk;
use super::stored::SegmentState;
use crate::place::{JournalFile, Position, QueueId, SegmentNumber};
use crate::store::stored::Returns;

/// Everything that the records of a journal say together.
#[derive(Debug, Default)]
pub(super) struct Replayed {
    pub(super) queues: BTreeMap<QueueId, ReplayedQueue>,
    /// The lowest file that is needed, by the last record that says so.
    pub(super) live_from: u64,
    /// The files that were read.
    pub(super) files: Vec<u64>,
}

/// What the records say of one queue.
#[derive(Debug, Default)]
pub(super) struct ReplayedQueue {
    pub(super) is_gone: bool,
    /// Bodies of what was published.
    pub(super) published: BTreeMap<Position, Vec<u8>>,
    pub(super) settled: PositionSet,
    pub(super) returns: BTreeMap<Position, Returns>,
    pub(super) segments: BTreeMap<SegmentNumber, SegmentState>,
}

impl ReplayedQueue {
    fn count(&mut self, position: Position, returns: Returns) {
        let count = self.returns.entry(position).or_default();
        *count = returns.max(*count);
    }
}

impl Replayed {
    pub(super) fn read(disk: &SimDisk) -> Self {
        let mut files = BTreeMap::new();
        for name in disk.list(Path::new(FOLDER)).unwrap() {
            let bytes = disk.contents(Path::new(FOLDER).join(name));
            let block = bytes.get(..BLOCK_BYTES).unwrap_or_default();
            if let FoundHeader::Valid { header, .. } = FileHeader::find(block) {
                files.insert(header.number.0, (header, bytes));
            }
        }
        let live_from = files.values().map(|(header, _)| header.live_from.0).max().unwrap_or(0);
        let read = |live_from: u64| {
            let mut replayed = Self { live_from, ..Self::default() };
            for (number, (header, bytes)) in files.range(live_from..) {
                let end = files.get(&(number + 1)).map_or(bytes.len() as u64, |(next, _)| next.previous_end);
                replayed.file(header, bytes, end);
                replayed.files.push(*number);
            }
            replayed
        };
        // Files that were released since the last header was written may be there in part.
        let live_from = read(live_from).live_from;
        read(live_from)
    }

    fn file(&mut self, header: &FileHeader, bytes: &[u8], end: u64) {
        let mut offset = BLOCK_BYTES as u64;
        while offset < end {
            let rest = bytes.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
            let Some(found) = BatchHeader::find(rest, header, offset) else { return };
            let head_len = usize::try_from(found.head_len()).unwrap();
            let Some(chunks) = rest.get(..head_len).and_then(|head| found.table(head)) else { return };
            let mut body = &rest[head_len..];
            let mut groups = Vec::new();
            for chunk in chunks {
                let Some((group, others)) = body.split_at_checked(chunk.len as usize) else { return };
                if !chunk.is(group) {
                    return;
                }
                groups.push(group);
                body = others;
            }
            for group in groups {
                for op in Ops::new(group) {
                    self.op(op.unwrap());
                }
            }
            offset = next_offset(found.end());
        }
    }

    fn op(&mut self, op: Op<'_>) {
        match op {
            Op::Publish { targets, returns, message, parts } => {
                for (queue, position) in targets {
                    let queue = self.queues.entry(queue).or_default();
                    queue.published.insert(position, message[parts.body_at as usize..].to_vec());
                    queue.count(position, returns);
                }
            }
            Op::Settle { queue, ranges } => {
                for (from, to) in ranges {
                    self.queues.entry(queue).or_default().settled.insert_range(from, to);
                }
            }
            Op::Requeue { queue, position, returns } => {
                self.queues.entry(queue).or_default().count(position, returns);
            }
            Op::QueueGone { queue } => self.queues.entry(queue).or_default().is_gone = true,
            Op::SegmentState { queue, segment, state } => {
                let queue = self.queues.entry(queue).or_default();
                for (position, returns) in &state.returns {
                    queue.count(*position, *returns);
                }
                queue.segments.insert(segment, state);
            }
            Op::SegmentGone { queue, segment } => {
                self.queues.entry(queue).or_default().segments.remove(&segment);
            }
            Op::Checkpointed { through: JournalFile(through) } => {
                self.live_from = self.live_from.max(through + 1);
            }
            Op::RedeliveredBelow { .. }
            | Op::Keys { .. }
            | Op::Define { .. }
            | Op::Forget { .. }
            | Op::Closed => {}
        }
    }
}
