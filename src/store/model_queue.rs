//! A queue as the store sees it, for tests: every message has an entry, and everything is counted anew each time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::{Bytes, BytesMut};

use super::handle::Pages;
use super::op::Group;
use super::segment::block::{Records, push_record};
use super::segment_store::SegmentStore;
use super::stored::{BlockPlace, Damage, OutBlock, PartialBlock, Returns, SegmentState, Standing, Stored};
use crate::message::Message;
use crate::place::{JournalFile, Position, QueueId, SegmentNumber};

/// How many messages are packed into a block.
const BLOCK_MESSAGES: usize = 3;

pub(super) struct ModelQueue {
    id: QueueId,
    store: Arc<SegmentStore>,
    state: Mutex<State>,
    when_asked: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    /// What it says of it.
    pub(super) unacked_memory: AtomicU64,
}

#[derive(Default)]
struct State {
    next: u64,
    messages: BTreeMap<Position, Held>,
    /// The positions of every block that was stored.
    blocks: BTreeMap<(SegmentNumber, bool, u32), Vec<Position>>,
    used: BTreeSet<(SegmentNumber, bool)>,
    damage: Vec<BlockPlace>,
}

struct Held {
    /// Absent when it is on the disk alone.
    message: Option<Message>,
    /// The journal's file that has it; nothing for one that is in a segment, or transient.
    file: Option<JournalFile>,
    place: Option<BlockPlace>,
    journalled: bool,
    returns: Returns,
    unacked: bool,
}

impl ModelQueue {
    pub(super) fn register(id: QueueId, store: &Arc<SegmentStore>) -> Arc<Self> {
        let queue = Arc::new(Self {
            id,
            store: Arc::clone(store),
            state: Mutex::default(),
            when_asked: Mutex::default(),
            unacked_memory: AtomicU64::new(0),
        });
        let weak = Arc::downgrade(&queue);
        store.register(id, weak);
        queue
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Does that when the queue is asked what is alive, once.
    pub(super) fn when_asked(&self, act: impl FnOnce() + Send + 'static) {
        *self.when_asked.lock().unwrap() = Some(Box::new(act));
    }

    /// What a persistent message with this body would be.
    pub(super) fn message(body: &[u8]) -> Message {
        Message::compose("", "key", &[0x10, 0, 2], body).unwrap()
    }

    /// Takes a message; journalled when it says in which file its record will be.
    pub(super) fn publish(&self, body: &[u8], file: Option<JournalFile>) -> Position {
        let mut state = self.lock();
        let position = Position(state.next);
        state.next += 1;
        let held = Held {
            message: Some(Self::message(body)),
            file,
            place: None,
            journalled: file.is_some(),
            returns: Returns::default(),
            unacked: false,
        };
        state.messages.insert(position, held);
        position
    }

    /// Whether the message was there to be settled.
    pub(super) fn settle(&self, position: Position, group: &mut Group) -> bool {
        let mut state = self.lock();
        let Some(held) = state.messages.remove(&position) else { return false };
        if held.journalled {
            group.settle(self.id, position);
        }
        let dead = state.dead();
        drop(state);
        self.store.segments_dead(self.id, dead);
        true
    }

    /// Delivers a message: it is in memory from then on. False when it has to be loaded before.
    pub(super) fn deliver(&self, position: Position) -> bool {
        let mut state = self.lock();
        let Some(held) = state.messages.get_mut(&position) else { return false };
        held.unacked = held.message.is_some();
        held.unacked
    }

    /// Takes a message back; how often it was delivered by now.
    pub(super) fn requeue(&self, position: Position, group: &mut Group) -> Option<Returns> {
        let mut state = self.lock();
        let held = state.messages.get_mut(&position).filter(|held| held.unacked)?;
        held.unacked = false;
        held.returns = held.returns.again(true);
        if held.journalled {
            group.requeue(self.id, position, held.returns);
        }
        Some(held.returns)
    }

    /// The positions of all that is here.
    pub(super) fn positions(&self) -> Vec<Position> {
        self.lock().messages.keys().copied().collect()
    }

    /// How many messages are on the disk alone.
    pub(super) fn paged(&self) -> usize {
        self.lock().messages.values().filter(|held| held.message.is_none()).count()
    }

    /// Where the block is that has this message.
    pub(super) fn place(&self, position: Position) -> Option<BlockPlace> {
        self.lock().messages.get(&position)?.place
    }

    /// The body of a message that is in memory.
    pub(super) fn body(&self, position: Position) -> Option<Vec<u8>> {
        Some(self.lock().messages.get(&position)?.message.as_ref()?.body().to_vec())
    }

    /// The blocks that were said to be damaged.
    pub(super) fn damage(&self) -> Vec<BlockPlace> {
        self.lock().damage.clone()
    }
}

impl State {
    fn uses(&self, segment: SegmentNumber, journalled: bool) -> bool {
        self.messages.values().any(|held| {
            held.place.is_some_and(|place| place.segment == segment && place.journalled == journalled)
        })
    }

    /// Segments that were used and are not any more.
    fn dead(&mut self) -> Vec<(SegmentNumber, bool)> {
        let used = std::mem::take(&mut self.used);
        let (used, dead) =
            used.into_iter().partition(|(segment, journalled)| self.uses(*segment, *journalled));
        self.used = used;
        Vec::from_iter::<BTreeSet<_>>(dead)
    }

    fn pack<'a>(
        positions: impl Iterator<Item = (&'a Position, &'a Held)>,
        journalled: bool,
    ) -> Vec<OutBlock> {
        let chosen: Vec<_> = positions
            .filter(|(_, held)| held.journalled == journalled)
            .filter_map(|(position, held)| Some((*position, held.message.as_ref()?, held)))
            .collect();
        let block = |chunk: &[(Position, &Message, &Held)]| {
            let mut bytes = BytesMut::new();
            let mut last = chunk[0].0;
            for (position, message, _) in chunk {
                push_record(&mut bytes, u16::try_from(position.0 - last.0).unwrap(), message);
                last = *position;
            }
            let counted = chunk.iter().filter(|(_, _, held)| !held.returns.is_none());
            OutBlock {
                first: chunk[0].0,
                last,
                count: u32::try_from(chunk.len()).unwrap(),
                bytes: bytes.freeze(),
                returns: counted.map(|(position, _, held)| (*position, held.returns)).collect(),
                journalled,
                file: chunk.iter().filter_map(|(_, _, held)| held.file).min().unwrap_or_default(),
                leaves: Vec::new(),
                standing: Standing {
                    bytes: chunk.iter().map(|(_, message, _)| message.body_len() as u64).sum(),
                    ..Standing::default()
                },
            }
        };
        chosen.chunks(BLOCK_MESSAGES).map(block).collect()
    }
}

impl Stored for ModelQueue {
    fn id(&self) -> QueueId {
        self.id
    }

    fn name(&self) -> String {
        self.id.to_string()
    }

    fn unacked_memory(&self) -> u64 {
        self.unacked_memory.load(Ordering::Relaxed)
    }

    fn outgoing(&self, keep: usize, bytes_max: usize) -> Vec<OutBlock> {
        let mut state = self.lock();
        for held in state.messages.values_mut().filter(|held| !held.unacked && held.place.is_some()) {
            held.message = None;
        }
        let mut blocks = Vec::new();
        for journalled in [true, false] {
            let ready = state.messages.iter().filter(|(_, held)| !held.unacked && held.place.is_none());
            blocks.extend(State::pack(ready, journalled).into_iter().skip(keep));
        }
        let mut bytes = 0;
        blocks.retain(|block| {
            bytes += block.bytes.len();
            bytes <= bytes_max
        });
        blocks
    }

    fn idle_memory(&self) -> u64 {
        let state = self.lock();
        let in_memory = state.messages.values().filter(|held| !held.unacked && held.place.is_none());
        in_memory.filter_map(|held| held.message.as_ref()).map(|message| message.len() as u64).sum()
    }

    fn outgoing_idle(&self, bytes_max: usize) -> Vec<OutBlock> {
        self.outgoing(0, bytes_max)
    }

    fn alive_through(&self, through: JournalFile) -> Vec<OutBlock> {
        let act = self.when_asked.lock().unwrap().take();
        if let Some(act) = act {
            act();
        }
        let state = self.lock();
        let old = state.messages.iter().filter(|(_, held)| held.file.is_some_and(|file| file <= through));
        State::pack(old, true)
    }

    fn stored(&self, block: &OutBlock, place: BlockPlace, evict: bool) {
        let mut state = self.lock();
        let positions: Vec<Position> =
            Records::new(block.first, block.bytes.clone()).map(|(position, _)| position).collect();
        assert_eq!(positions.len(), block.count as usize);
        for position in &positions {
            if let Some(held) = state.messages.get_mut(position) {
                assert_eq!(held.journalled, place.journalled);
                (held.file, held.place) = (None, Some(place));
                if evict && !held.unacked {
                    held.message = None;
                }
            }
        }
        state.blocks.insert((place.segment, place.journalled, place.index), positions);
        state.used.insert((place.segment, place.journalled));
        let dead = state.dead();
        drop(state);
        self.store.segments_dead(self.id, dead);
    }

    fn carried(&self, block: &OutBlock, file: JournalFile) {
        let mut state = self.lock();
        for (position, _) in Records::new(block.first, block.bytes.clone()) {
            if let Some(held) = state.messages.get_mut(&position) {
                assert!(held.message.is_some(), "what is on the disk alone was carried");
                (held.file, held.place) = (Some(file), None);
            }
        }
        let dead = state.dead();
        drop(state);
        self.store.segments_dead(self.id, dead);
    }

    fn segment_state(&self, segment: SegmentNumber) -> Option<SegmentState> {
        let state = self.lock();
        if !state.uses(segment, true) {
            return None;
        }
        let mut made = SegmentState::default();
        for ((_, _, index), positions) in state.blocks.range((segment, true, 0)..=(segment, true, u32::MAX)) {
            let here = |position: &&Position| {
                let held = state.messages.get(position);
                held.and_then(|held| held.place).is_some_and(|at| at.segment == segment && at.index == *index)
            };
            let alive: Vec<Position> = positions.iter().filter(here).copied().collect();
            let held: Vec<&Held> = alive.iter().map(|position| &state.messages[position]).collect();
            let counted = alive.iter().zip(&held).filter(|(_, held)| !held.returns.is_none());
            made.returns.extend(counted.map(|(position, held)| (*position, held.returns)));
            if alive.len() == positions.len() {
                made.whole.push((*index, *index));
            } else if !alive.is_empty() {
                let count = u32::try_from(alive.len()).unwrap();
                let ranges = alive.iter().map(|position| (*position, *position)).collect();
                made.partial.push(PartialBlock { index: *index, count, bytes: 1, ranges });
            }
        }
        Some(made)
    }

    fn uses_segment(&self, segment: SegmentNumber, journalled: bool) -> bool {
        self.lock().uses(segment, journalled)
    }

    fn stragglers(&self, segment: SegmentNumber) -> Vec<OutBlock> {
        let state = self.lock();
        let left = || {
            state.messages.iter().filter(|(_, held)| {
                held.place.is_some_and(|place| place.segment == segment && place.journalled)
            })
        };
        if left().any(|(_, held)| !held.unacked) {
            return Vec::new();
        }
        State::pack(left(), true)
    }

    fn loaded(&self, place: BlockPlace, bytes: Result<Bytes, Damage>) {
        let mut state = self.lock();
        let Ok(bytes) = bytes else {
            state.damage.push(place);
            return;
        };
        let positions = &state.blocks[&(place.segment, place.journalled, place.index)];
        let first = positions[0];
        for (position, message) in Records::new(first, bytes) {
            if let Some(held) = state.messages.get_mut(&position) {
                held.message = Some(message);
            }
        }
    }
}
