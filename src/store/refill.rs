//! Queues get back what an earlier broker left in them: which messages are in the journal, and which in segments.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use foldhash::{HashMap, HashSet};

use super::journal::Journal;
use super::op::Group;
use super::positions::PositionSet;
use super::recovery::{QueueReplay, Recovery, Replay};
use super::restore::RestoredBlock;
use super::segment::block::Records;
use super::segment_store::SegmentStore;
use crate::message::Message;
use crate::place::{JournalFile, Position, QueueId};
use crate::store::stored::{KeyRecord, Returns};

/// A queue that is filled again, before anybody uses it.
pub trait Refill: Send + Sync {
    /// Which queue.
    fn id(&self) -> QueueId;

    /// What it has in segments, in the order of their first positions; how often messages were delivered; the position of the
    /// next message; and below which position messages may have been delivered without being counted.
    fn restore(
        &self,
        blocks: Vec<RestoredBlock>,
        returns: Vec<(Position, Returns)>,
        next: Position,
        redelivered_below: Position,
    );

    /// Which keys it knew.
    fn restore_keys(&self, _keys: Vec<KeyRecord>) {}

    /// What it has in a segment of messages that wait for times of their own: a block, or what of one does so, with the
    /// block's records. Called after [`Self::restore`], which has the returns of these messages, but not them.
    fn restore_waiting(&self, block: &RestoredBlock, records: Records);

    /// A message that stands in this file of the journal. Called in the order of positions, nearly.
    fn push_restored(&self, position: Position, returns: Returns, file: JournalFile, message: Message);
}

/// What is in segments, so that it is not taken from the journal once more.
#[derive(Default)]
pub(super) struct InSegments {
    queues: HashMap<QueueId, QueueBlocks>,
    /// Of blocks that each reach across many others there are the positions.
    waiting: HashMap<QueueId, PositionSet>,
}

/// The blocks of one queue, in the order of their first positions.
struct QueueBlocks {
    blocks: Vec<RestoredBlock>,
    /// For each block the highest position of it and those before it: one may lie within the gaps of another.
    reach: Vec<Position>,
    /// The positions of blocks with gaps, as far as they were asked for.
    read: RefCell<HashMap<usize, PositionSet>>,
}

impl InSegments {
    fn insert(&mut self, queue: QueueId, blocks: &[RestoredBlock]) {
        if blocks.is_empty() {
            return;
        }
        let mut highest = Position::default();
        let reach = blocks.iter().map(|block| {
            highest = highest.max(block.last);
            highest
        });
        let reach = reach.collect();
        self.queues.insert(queue, QueueBlocks { blocks: blocks.to_vec(), reach, read: RefCell::default() });
    }

    /// Whether the message is alive in a segment.
    pub(super) fn contains(&self, store: &SegmentStore, queue: QueueId, position: Position) -> bool {
        self.waiting.get(&queue).is_some_and(|waiting| waiting.contains(position))
            || self.queues.get(&queue).is_some_and(|blocks| blocks.contain(store, queue, position))
    }
}

impl QueueBlocks {
    fn contain(&self, store: &SegmentStore, queue: QueueId, position: Position) -> bool {
        let behind = self.blocks.partition_point(|block| block.first <= position);
        let candidates = self.blocks.iter().zip(&self.reach).enumerate().take(behind).rev();
        for (at, (block, reach)) in candidates {
            if *reach < position {
                return false;
            }
            if position <= block.last && self.has(at, block, store, queue, position) {
                return true;
            }
        }
        false
    }

    fn has(
        &self,
        at: usize,
        block: &RestoredBlock,
        store: &SegmentStore,
        queue: QueueId,
        position: Position,
    ) -> bool {
        let span = block.last.0.saturating_sub(block.first.0).saturating_add(1);
        match &block.alive {
            None if u64::from(block.count) == span => return true,
            Some(alive) if !alive.contains(position) => return false,
            _ => {}
        }
        // Only its payload says which positions it has. One that cannot be read has none that the journal still has.
        let mut read = self.read.borrow_mut();
        let positions = read
            .entry(at)
            .or_insert_with(|| store.positions_of(queue, block.place, block.first).unwrap_or_default());
        positions.contains(position)
    }
}

/// Of blocks of ready messages: what of them is ready. What of them has come back and waits to be tried again goes to
/// `waiting`.
fn divide(
    store: &SegmentStore,
    id: QueueId,
    blocks: Vec<RestoredBlock>,
    returns: &std::collections::BTreeMap<Position, Returns>,
    waiting: &mut Vec<RestoredBlock>,
) -> io::Result<Vec<RestoredBlock>> {
    let waits = |position: &Position| returns.get(position).is_some_and(Returns::waits);
    let mut ready = Vec::with_capacity(blocks.len());
    for block in blocks {
        let may_wait = returns.range(block.first..=block.last).any(|(position, _)| waits(position));
        let records = if may_wait { store.records_of(id, &block)? } else { None };
        let Some(records) = records else {
            ready.push(block);
            continue;
        };
        let [waits, others] = block.divide(records, |position| waits(&position));
        waiting.extend(waits);
        ready.extend(others);
    }
    Ok(ready)
}

/// What came back.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Refilled {
    /// Messages that are alive.
    pub(super) messages: u64,
    /// Messages in the journal of queues that nobody has defined.
    pub(super) of_unknown: u64,
}

/// The queues that are to be filled, by id.
pub(super) struct Refilling<'q, Q> {
    queues: std::collections::HashMap<QueueId, &'q Arc<Q>, crate::store::by_id::ById>,
    in_segments: InSegments,
    /// Below which position messages may have been delivered, where there are any.
    pub(super) redelivered_below: Vec<(QueueId, Position)>,
    pub(super) refilled: Refilled,
}

impl<'q, Q: Refill> Refilling<'q, Q> {
    pub(super) fn new(queues: &'q [Arc<Q>]) -> Self {
        Self {
            queues: queues.iter().map(|queue| (queue.id(), queue)).collect(),
            in_segments: InSegments::default(),
            redelivered_below: Vec::new(),
            refilled: Refilled::default(),
        }
    }

    /// Tells each queue what it has in segments.
    pub(super) fn restore_segments(
        &mut self,
        store: &SegmentStore,
        replay: &Replay,
        is_clean_stop: bool,
    ) -> io::Result<()> {
        let nothing = QueueReplay::default();
        for (id, queue) in &self.queues {
            let Some(found) = replay.queues.get(id) else { continue };
            let found = if found.is_gone { &nothing } else { found };
            let states = found.segments.iter().map(|(number, state)| (*number, state));
            store.numbers_used(*id, found.segments_gone.iter().copied());
            let blocks = store.restore(*id, states, &found.settled)?.blocks;
            let highest = blocks.iter().map(|block| block.last).max().max(found.highest);
            // The records of what may have been delivered may be gone, and what comes is not to be taken for it.
            let next = highest.map_or(Position::default(), Position::next).max(found.redelivered_below);
            let redelivered_below = if is_clean_stop { found.redelivered_below } else { next };
            if redelivered_below > Position::default() {
                self.redelivered_below.push((*id, redelivered_below));
            }
            let count = blocks.iter().map(|block| u64::from(block.count)).sum();
            self.refilled.messages = self.refilled.messages.saturating_add(count);
            let returns = found.returns.iter().map(|(position, count)| (*position, *count)).collect();
            let (mut waiting, blocks): (Vec<_>, Vec<_>) =
                blocks.into_iter().partition(|block| block.standing.waits);
            self.in_segments.insert(*id, &blocks);
            let blocks = divide(store, *id, blocks, &found.returns, &mut waiting)?;
            queue.restore(blocks, returns, next, redelivered_below);
            if !found.known.is_empty() {
                queue.restore_keys(found.known.records().collect());
            }
            for block in waiting {
                // Only a block itself says when its messages are due. It stays where it is.
                if let Some(records) = store.records_of(*id, &block)? {
                    if block.standing.waits {
                        let positions = self.in_segments.waiting.entry(*id).or_default();
                        for (position, _) in records.clone().filter(|(position, _)| block.has(*position)) {
                            positions.insert(position);
                        }
                    }
                    queue.restore_waiting(&block, records);
                }
            }
        }
        Ok(())
    }

    /// The queues that the journal has something of and that nobody has defined.
    pub(super) fn unknown(&self, replay: &Replay) -> HashSet<QueueId> {
        let has_something = |found: &QueueReplay| !found.is_gone && found.highest.is_some();
        let unknown =
            replay.queues.iter().filter(|(id, found)| has_something(found) && !self.queues.contains_key(*id));
        unknown.map(|(id, _)| *id).collect()
    }

    /// Gives each queue what of it is in the journal.
    pub(super) fn push_messages(
        &mut self,
        store: &SegmentStore,
        recovery: &mut Recovery,
        replay: &Replay,
        progress: &mut dyn FnMut(super::recovery::Progress),
    ) -> Result<(), super::recovery::RecoveryError> {
        let is_elsewhere = |queue, position| self.in_segments.contains(store, queue, position);
        let (queues, refilled) = (&self.queues, &mut self.refilled);
        recovery.messages(replay, &is_elsewhere, progress, &mut |alive| {
            let Some(queue) = queues.get(&alive.queue) else {
                refilled.of_unknown = refilled.of_unknown.saturating_add(1);
                return;
            };
            if let Some(message) = Message::new(Bytes::copy_from_slice(alive.message), alive.parts) {
                queue.push_restored(alive.position, alive.returns, alive.file, message);
                refilled.messages = refilled.messages.saturating_add(1);
                if refilled.messages.is_multiple_of(ROOM_EVERY) {
                    store.await_room();
                }
            }
        })
    }
}

/// After so many messages it is looked whether what was brought back is paged out fast enough.
const ROOM_EVERY: u64 = 64;

/// Writes down which messages may have been delivered, since the records that say so may go before they do.
pub(super) fn record_redelivered(journal: &Journal, redelivered_below: &[(QueueId, Position)]) {
    for part in redelivered_below.chunks(10_000) {
        let mut group = Group::default();
        for (queue, position) in part {
            group.redelivered_below(*queue, *position);
        }
        journal.append_now(&mut group);
    }
}
