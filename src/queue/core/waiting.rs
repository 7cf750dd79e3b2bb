//! What waits for its time leaves memory, and comes back before it is due.
//!
//! What has left is not looked at any more until then: its place and its time are known, and which block it is in. That is
//! enough to list it and to say that it is alive; to be taken back or brought to another time it is read first.

use bytes::Bytes;

use super::QueueCore;
use crate::message::Message;
use crate::place::Position;
use crate::queue::due::due;
use crate::queue::id::UnackedKey;
use crate::queue::ready::{Entry, Paged, RestoredBlock, pack};
use crate::queue::scheduled::ScheduledId;
use crate::queue::unacked::Holder;
use crate::queue::waiting::{AHEAD, Waiting, WaitingBlock};
use crate::store::positions::PositionSet;
use crate::store::segment::block::Records;
use crate::store::stored::{BlockPlace, Damage, OutBlock, Returns};
use crate::time::Time;

/// Who holds what waits.
const HOLDERS: [Holder; 2] = [Holder::Scheduled, Holder::Retrying];

impl QueueCore {
    /// A message waits until it is [due](Returns::due), among the unacked ones.
    pub(super) fn wait(&mut self, entry: Entry, holder: Holder) -> UnackedKey {
        let id = ScheduledId { due: entry.returns.due, position: entry.position };
        let key = self.unacked.insert(entry, holder);
        if let Some(waiting) = self.waiting_mut(holder) {
            waiting.insert(id, key);
        }
        key
    }

    /// Asks for what is due soon and on the disk only.
    pub(super) fn ask_ahead(&mut self, now: Time) {
        self.scheduled.ask_ahead(now, &mut self.loads);
        self.retrying.ask_ahead(now, &mut self.loads);
    }

    /// Blocks that leave memory, and behind them those of messages that wait for their times, as far as all of these have
    /// more than `least` bytes, until there are `bytes_max`.
    pub(super) fn with_waiting(
        &mut self,
        mut blocks: Vec<OutBlock>,
        bytes_max: usize,
        least: u64,
    ) -> Vec<OutBlock> {
        let bytes = blocks.iter().map(|block| block.bytes.len()).fold(0, usize::saturating_add);
        let mut left = bytes_max.saturating_sub(bytes) as u64;
        for holder in HOLDERS {
            // What is retried of a group is in memory, where its group has to know it.
            let stays = holder == Holder::Retrying && self.groups.is_some();
            if self.unacked.waiting_memory() <= least || stays {
                continue;
            }
            for block in self.outgoing_waiting(holder, left) {
                left = left.saturating_sub(block.bytes.len() as u64);
                blocks.push(block);
            }
        }
        blocks
    }

    fn outgoing_waiting(&mut self, holder: Holder, max: u64) -> Vec<OutBlock> {
        let near = self.now.plus(AHEAD);
        let (waiting, unacked) = match holder {
            Holder::Scheduled => (&mut self.scheduled, &mut self.unacked),
            _ => (&mut self.retrying, &mut self.unacked),
        };
        let keys = waiting.leaving(near, max, |key| {
            let entry = unacked.get(key)?;
            // One that was put off does not say itself when it is due.
            let says = holder == Holder::Retrying || due(&entry.message) == Some(entry.returns.due);
            says.then_some(entry.message.len() as u64)
        });
        for key in &keys {
            unacked.seek_at(*key);
        }
        let entries = keys.iter().filter_map(|key| unacked.get(*key));
        let (journalled, transient): (Vec<&Entry>, Vec<&Entry>) =
            entries.partition(|entry| entry.home.is_journalled());
        let pack = |entries: Vec<&Entry>| pack(entries.into_iter().map(|entry| (entry, true)));
        [journalled, transient].into_iter().flat_map(pack).collect()
    }

    /// The messages of a block that wait are on the disk only from now on. Others have gone on meanwhile.
    pub(super) fn page(&mut self, block: &OutBlock, place: BlockPlace) {
        let (mut kind, mut ids, mut returns, mut bytes) = (Holder::Scheduled, Vec::new(), Vec::new(), 0_u64);
        for (position, message) in Records::new(block.first, block.bytes.clone()) {
            let Some((key, holder, id)) = self.waits_here(position) else {
                if block.journalled {
                    self.move_single(position, place.home());
                } else {
                    self.unacked.found(position);
                }
                continue;
            };
            let Some((entry, _)) = self.unacked.remove(key) else { continue };
            self.ready.segments.leave(entry.home);
            bytes = bytes.saturating_add(message.body_len() as u64);
            if !entry.returns.is_none() {
                returns.push((position, entry.returns));
            }
            kind = holder;
            ids.push(id);
        }
        let count = u32::try_from(ids.len()).unwrap_or(u32::MAX);
        if count == 0 {
            return;
        }
        self.ready.segments.add_block(place, count);
        let alive = (count != block.count).then(|| ids.iter().map(|id| (id.position, id.position)).collect());
        let paged = Paged::new((block.first, block.last), place, alive, (count, bytes));
        if let Some(waiting) = self.waiting_mut(kind) {
            waiting.page(WaitingBlock { paged, level: block.standing.level, returns }, &ids);
        }
    }

    /// A message at this position that is being written, if it waits.
    fn waits_here(&self, position: Position) -> Option<(UnackedKey, Holder, ScheduledId)> {
        let key = self.unacked.sought(position)?;
        let (entry, holder) = self.unacked.held(key)?;
        let id = ScheduledId { due: entry.returns.due, position };
        let waiting = match holder {
            Holder::Scheduled => &self.scheduled,
            Holder::Retrying => &self.retrying,
            _ => return None,
        };
        (waiting.here(id) == Some(key)).then_some((key, holder, id))
    }

    /// A block was read. What cannot be read does not wait any more: `Err` has the number of messages.
    pub(super) fn loaded_waiting(
        &mut self,
        place: BlockPlace,
        bytes: Result<&Bytes, &Damage>,
    ) -> Result<(), (u64, Damage)> {
        for holder in HOLDERS {
            let taken = self.waiting_mut(holder).and_then(|waiting| waiting.take_asked(place));
            let Some(block) = taken else { continue };
            let count = block.paged.count();
            let bytes = match bytes {
                Ok(bytes) => bytes,
                Err(damage) => {
                    self.lose(holder, block);
                    return Err((u64::from(count), damage.clone()));
                }
            };
            let mut come = 0_u32;
            for (position, message) in block.paged.alive_records(bytes) {
                let known = block.returns.binary_search_by_key(&position, |(position, _)| *position).ok();
                let returns = known.and_then(|at| block.returns.get(at)).map(|(_, returns)| *returns);
                let returns = returns.unwrap_or_else(|| scheduled_for(&message));
                let id = ScheduledId { due: returns.due, position };
                if let Some(waiting) = self.waiting_mut(holder) {
                    waiting.has_come(id);
                }
                self.wait(
                    Entry {
                        returns,
                        home: place.home(),
                        redelivered: holder == Holder::Retrying,
                        level: block.level,
                        // A slice would keep the whole block.
                        ..Entry::new(position, message.detached())
                    },
                    holder,
                );
                come = come.saturating_add(1);
            }
            self.ready.segments.drop_block(place, 0);
            let missing = count.saturating_sub(come);
            if missing > 0 {
                self.ready.segments.drop_messages(place, u64::from(missing));
                if let Some(waiting) = self.waiting_mut(holder) {
                    waiting.is_lost(place);
                }
            }
        }
        Ok(())
    }

    fn lose(&mut self, holder: Holder, block: WaitingBlock) {
        if let Some(waiting) = self.waiting_mut(holder) {
            waiting.is_lost(block.paged.place());
        }
        self.ready.note_damaged(block.paged);
    }

    /// What an earlier broker left in a block of a segment that waits for its time: it stays there. After
    /// [`Self::restore`], which does not have these messages. What stood in a block of messages that wait does so, whatever
    /// the terms of the queue are by now; of others it is known how often they came back, and until when they wait.
    pub fn restore_waiting(&mut self, block: &RestoredBlock, records: Records) {
        let mut found = HOLDERS.map(|holder| (holder, Found::default()));
        let mut count = 0_u32;
        for (position, message) in records.filter(|(position, _)| block.has(*position)) {
            let returns = self.ready.take_returns(position);
            let [scheduled, retrying] = &mut found;
            let is_scheduled = block.standing.waits && returns.is_none();
            if !is_scheduled && self.groups.is_some() {
                self.ready.segments.enter(block.place.home());
                self.retry_on(Entry {
                    returns,
                    home: block.place.home(),
                    redelivered: true,
                    level: block.standing.level,
                    ..Entry::new(position, message)
                });
                continue;
            }
            let (_, found) = if is_scheduled { scheduled } else { retrying };
            found.push(position, &message, if is_scheduled { scheduled_for(&message) } else { returns });
            count = count.saturating_add(1);
        }
        for (holder, Found { ids, returns, bytes }) in found {
            let of_these = u32::try_from(ids.len()).unwrap_or(u32::MAX);
            if of_these == 0 {
                continue;
            }
            let is_all = block.alive.is_none() && of_these == block.count && of_these == count;
            let alive =
                (!is_all).then(|| ids.iter().map(|id| (id.position, id.position)).collect::<PositionSet>());
            let paged = Paged::new((block.first, block.last), block.place, alive, (of_these, bytes));
            self.ready.segments.add_block(block.place, of_these);
            if let Some(waiting) = self.waiting_mut(holder) {
                waiting.page(WaitingBlock { paged, level: block.standing.level, returns }, &ids);
            }
        }
    }

    fn waiting_mut(&mut self, holder: Holder) -> Option<&mut Waiting> {
        match holder {
            Holder::Scheduled => Some(&mut self.scheduled),
            Holder::Retrying => Some(&mut self.retrying),
            _ => None,
        }
    }
}

/// Messages of one block.
#[derive(Default)]
struct Found {
    ids: Vec<ScheduledId>,
    returns: Vec<(Position, Returns)>,
    bytes: u64,
}

impl Found {
    fn push(&mut self, position: Position, message: &Message, returns: Returns) {
        self.ids.push(ScheduledId { due: returns.due, position });
        self.bytes = self.bytes.saturating_add(message.body_len() as u64);
        if !returns.is_none() {
            self.returns.push((position, returns));
        }
    }
}

/// A message that never came back waits for the time that it says.
fn scheduled_for(message: &Message) -> Returns {
    Returns { due: due(message).unwrap_or_default(), ..Returns::default() }
}
