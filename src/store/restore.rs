//! The start: which blocks a queue has in segments, and what is in its folder for nothing.

use std::io;
use std::path::Path;

use foldhash::HashSet;

use super::loader::passes;
use super::positions::PositionSet;
use super::segment::block::Records;
use super::segment::file::{self, read_block};
use super::segment::table::{BlockEntry, QUEUES_FOLDER, SegmentId};
use super::segment_store::SegmentStore;
use super::segments::quarantine;
use super::stored::{BlockPlace, SegmentState, Standing};
use crate::place::{Position, QueueId, SegmentNumber};

/// A block of journalled messages in a segment, of which something is alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoredBlock {
    /// Where it is.
    pub place: BlockPlace,
    /// The position of its first message, alive or not.
    pub first: Position,
    /// The position of its last message, alive or not.
    pub last: Position,
    /// How many of its messages are alive.
    pub count: u32,
    /// The size of their bodies in bytes.
    pub bytes: u64,
    /// The positions that are alive, when some are not. Positions that the block does not have may be among them.
    pub alive: Option<PositionSet>,
    /// How they wait.
    pub standing: Standing,
}

impl RestoredBlock {
    /// Whether the message is alive, if it is in this block.
    pub fn has(&self, position: Position) -> bool {
        self.alive.as_ref().is_none_or(|alive| alive.contains(position))
    }

    /// Divides it into the messages that `wanted` says yes to, and the others. Needs its records.
    pub fn divide(self, records: Records, wanted: impl Fn(Position) -> bool) -> [Option<Self>; 2] {
        let mut parts = [(); 2].map(|()| (0_u32, 0_u64, PositionSet::default()));
        for (position, message) in records.filter(|(position, _)| self.has(*position)) {
            let [these, others] = &mut parts;
            let (count, bytes, positions) = if wanted(position) { these } else { others };
            *count = count.saturating_add(1);
            *bytes = bytes.saturating_add(message.body_len() as u64);
            positions.insert(position);
        }
        let is_one = parts.iter().any(|(count, ..)| *count == self.count);
        parts.map(|(count, bytes, positions)| {
            let alive = if is_one { self.alive.clone() } else { Some(positions) };
            (count > 0).then(|| Self { count, bytes, alive, ..self.clone() })
        })
    }
}

/// What was found of a queue's segments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestoredSegments {
    /// In the order of their first positions. A block of messages that were unacked when they were written may lie within
    /// the gaps of another one.
    pub blocks: Vec<RestoredBlock>,
    /// What is missing or damaged, one sentence each, logged already.
    pub damage: Vec<String>,
}

/// What became of the files that nobody needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// How many were removed.
    pub removed: u64,
    /// How many were moved to the quarantine.
    pub kept: u64,
}

impl SegmentStore {
    /// Reads which blocks a queue has, by what the journal says of its segments: `states` are the last record of each,
    /// without those that are gone, and `settled` is what the journal says to be settled. What is damaged or missing is
    /// logged; the rest is given.
    ///
    /// # Errors
    /// There are no descriptors or no memory to read with, which says nothing of the segments.
    pub fn restore<'a>(
        &self,
        queue: QueueId,
        states: impl IntoIterator<Item = (SegmentNumber, &'a SegmentState)>,
        settled: &PositionSet,
    ) -> io::Result<RestoredSegments> {
        let mut restored = RestoredSegments::default();
        let stored = self.queues.obtain(queue);
        for (number, state) in states {
            let id = SegmentId { queue, number, journalled: true };
            stored.segments().number_used(number);
            let before = restored.blocks.len();
            let problems = match self.restore_segment(id, state, settled, &mut restored.blocks) {
                Ok((len, problems)) => {
                    stored.segments().restore(number, len);
                    problems
                }
                Err(error) if passes(&error) => return Err(error),
                Err(error) => vec![format!("{id} cannot be read, and its messages are lost: {error}")],
            };
            if !problems.is_empty() {
                stored.segments().damaged(number, true);
            }
            for problem in problems {
                tracing::error!(%queue, "{problem}");
                restored.damage.push(problem);
            }
            if restored.blocks.len() == before && stored.segments().has(number) {
                self.ends.segments(queue, vec![(number, true)]);
            }
        }
        restored.blocks.sort_by_key(|block| block.first);
        Ok(restored)
    }

    /// The journal says of segments of these numbers that they are gone, and would say it of another one that got the number.
    pub fn numbers_used(&self, queue: QueueId, gone: impl IntoIterator<Item = SegmentNumber>) {
        let stored = self.queues.obtain(queue);
        let mut segments = stored.segments();
        for number in gone {
            segments.number_used(number);
        }
    }

    /// The records of a block; nothing when it is damaged, which is logged: its segment is kept then.
    ///
    /// # Errors
    /// There are no descriptors or no memory to read with, which says nothing of the block.
    pub(super) fn records_of(&self, queue: QueueId, block: &RestoredBlock) -> io::Result<Option<Records>> {
        let place = block.place;
        let id = SegmentId { queue, number: place.segment, journalled: place.journalled };
        match self.files.get(id).and_then(|file| read_block(&*file, place)) {
            Ok(payload) => Ok(Some(Records::new(block.first, payload))),
            Err(error) if passes(&error) => Err(error),
            Err(error) => {
                tracing::error!(%queue, "{id}: block {} cannot be read, and its messages are lost: {error}", place.index);
                self.queues.obtain(queue).segments().damaged(place.segment, place.journalled);
                Ok(None)
            }
        }
    }

    /// The positions that a block has, of which the first is `first`.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub(super) fn positions_of(
        &self,
        queue: QueueId,
        place: BlockPlace,
        first: Position,
    ) -> io::Result<PositionSet> {
        let segment =
            self.files.get(SegmentId { queue, number: place.segment, journalled: place.journalled })?;
        let records = Records::new(first, read_block(&*segment, place)?);
        Ok(records.map(|(position, _)| (position, position)).collect())
    }

    /// Gives the segment's length and what is wrong with it.
    fn restore_segment(
        &self,
        id: SegmentId,
        state: &SegmentState,
        settled: &PositionSet,
        blocks: &mut Vec<RestoredBlock>,
    ) -> io::Result<(u64, Vec<String>)> {
        let segment = self.files.get(id)?;
        let found = file::open(&*segment, id)?;
        let mut problems: Vec<String> =
            found.damage.into_iter().map(|damage| format!("{id}: {damage}")).collect();
        let mut missing = 0_usize;
        let present = u32::try_from(found.blocks.len()).unwrap_or(u32::MAX);
        let whole = state.whole.iter().flat_map(|(from, to)| {
            missing = missing.saturating_add((*from.max(&present)..to.saturating_add(1)).len());
            (*from..to.saturating_add(1).min(present)).map(|index| (index, None))
        });
        let whole: Vec<_> = whole.collect();
        let partial = state.partial.iter().map(|partial| (partial.index, Some(partial)));
        for (index, partial) in whole.into_iter().chain(partial) {
            let Some(entry) = found.blocks.get(index as usize) else {
                missing = missing.saturating_add(1);
                continue;
            };
            let block = RestoredBlock {
                place: entry.place,
                first: entry.first,
                last: entry.last,
                count: partial.map_or(entry.count, |partial| partial.count),
                bytes: partial.map_or_else(|| entry.standing.bytes, |partial| partial.bytes),
                alive: partial.map(|partial| partial.ranges.iter().copied().collect()),
                standing: entry.standing,
            };
            blocks.extend(without_settled(entry, block, settled, || read_block(&*segment, entry.place).ok()));
        }
        if missing > 0 {
            problems.push(format!("{id}: {missing} blocks are missing, and their messages are lost"));
        }
        Ok((segment.len()?, problems))
    }

    /// Whether the file that stands in this segment's place is something else. One that was never finished may be empty.
    fn is_anothers(&self, id: SegmentId) -> bool {
        let read = || -> io::Result<bool> {
            let file = self.files.disk().open(&id.path())?;
            let mut found = id.header();
            if file.len()? < found.len() as u64 {
                return Ok(false);
            }
            file.read_at(&mut found, 0)?;
            Ok(found != id.header() && found.iter().any(|byte| *byte != 0))
        };
        read().unwrap_or(true)
    }

    /// Removes what is in the queues' folders without being registered: transient messages of an earlier run, segments that
    /// a crash left unfinished, folders of deleted queues. Where the journal was damaged and could have said more,
    /// journalled segments are moved to the quarantine instead, and always what is another's. To be called when all queues are restored. `unknown` are
    /// queues of which the journal says something though nobody has defined them: their folders are left alone.
    ///
    /// # Errors
    /// A folder cannot be read, or a file neither removed nor moved.
    pub fn sweep(&self, journal_is_whole: bool, unknown: &HashSet<QueueId>) -> io::Result<Swept> {
        let (disk, mut swept) = (self.files.disk(), Swept::default());
        for name in disk.list(Path::new(QUEUES_FOLDER))? {
            let number = name.parse::<u64>().ok().filter(|number| number.to_string() == name);
            let Some(queue) = number.map(QueueId::stored) else {
                tracing::warn!(%name, "something foreign is among the queues' folders; it is left alone");
                continue;
            };
            if unknown.contains(&queue) {
                tracing::error!(%queue, "messages are stored of a queue that is not defined; they are left alone");
                continue;
            }
            let folder = SegmentId::folder(queue);
            let stored = self.queues.get(queue);
            let mut left = 0_u32;
            for name in disk.list(&folder)? {
                let id = SegmentId::named(queue, &name);
                let segments = stored.as_ref().map(|stored| stored.segments());
                let is_needed = |id: SegmentId| {
                    id.journalled && segments.as_ref().is_some_and(|segments| segments.has(id.number))
                };
                let is_damaged =
                    |id: SegmentId| segments.as_ref().is_some_and(|segments| segments.is_damaged(id));
                match id {
                    Some(id) if is_needed(id) => left = left.saturating_add(1),
                    Some(id)
                        if (!id.journalled || (journal_is_whole && !is_damaged(id)))
                            && !self.is_anothers(id) =>
                    {
                        disk.remove(&id.path())?;
                        swept.removed = swept.removed.saturating_add(1);
                    }
                    Some(id) => {
                        quarantine(&self.files, &id.path())?;
                        swept.kept = swept.kept.saturating_add(1);
                    }
                    None => {
                        tracing::warn!(%queue, %name, "something foreign is in a queue's folder; it is left alone");
                        left = left.saturating_add(1);
                    }
                }
            }
            if left == 0 {
                disk.remove_dir_all(&folder)?;
            }
        }
        Ok(swept)
    }
}

/// The block without what is settled; nothing when nothing is left of it. Where some of it may be settled, `read` gives its
/// payload: only that says which positions it has.
fn without_settled(
    entry: &BlockEntry,
    mut block: RestoredBlock,
    settled: &PositionSet,
    read: impl FnOnce() -> Option<bytes::Bytes>,
) -> Option<RestoredBlock> {
    let (first, last) = (entry.first, entry.last);
    let settled_within = settled.count_within(first, last);
    let span = last.0.saturating_sub(first.0).saturating_add(1);
    if settled_within == span {
        return None;
    }
    if settled_within == 0 {
        return (block.count > 0).then_some(block);
    }
    let mut alive = block.alive.take().unwrap_or_else(|| PositionSet::from_iter([(first, last)]));
    for (from, to) in settled.ranges_within(first, last) {
        alive.remove_range(from, to);
    }
    if let Some(payload) = read() {
        let left = Records::new(first, payload).filter(|(position, _)| alive.contains(*position));
        (block.count, block.bytes) = left.fold((0, 0), |(count, bytes): (u32, u64), (_, message)| {
            (count.saturating_add(1), bytes.saturating_add(message.body_len() as u64))
        });
    }
    // A payload that cannot be read is found out when it is to be delivered; what is counted until then is what there was.
    block.alive = Some(alive);
    (block.count > 0).then_some(block)
}
