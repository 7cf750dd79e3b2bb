//! Queues as the store knows them, and blocks of messages on their way between memory and segments.

use bytes::Bytes;

use crate::message::deduplication::DeduplicationKey;
use crate::place::{Home, JournalFile, Position, QueueId, SegmentNumber};
use crate::time::Time;

/// How often a message came back to its queue, and until when it waits there. Of what is known of one message the highest
/// is the latest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Returns {
    /// How often it was given to somebody and came back.
    pub acquired: u32,
    /// How often it came back because it failed there.
    pub deliveries: u32,
    /// When it may be given to somebody again; the beginning of time when it need not wait.
    pub due: Time,
}

impl Returns {
    /// Whether it never came back.
    pub fn is_none(&self) -> bool {
        self.acquired == 0
    }

    /// Whether it is to wait until it is [due](Self::due).
    pub fn waits(&self) -> bool {
        self.due != Time::default()
    }

    /// It came back once more; `failed` unless whoever had it just gave it back.
    #[must_use]
    pub fn again(self, failed: bool) -> Self {
        Self {
            acquired: self.acquired.saturating_add(1),
            deliveries: self.deliveries.saturating_add(u32::from(failed)),
            due: Time::default(),
        }
    }

    /// It failed so often and waits for nothing.
    #[cfg(test)]
    pub fn failed(count: u32) -> Self {
        Self { acquired: count, deliveries: count, due: Time::default() }
    }
}

/// A key that a queue knows: a second message with it is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyRecord {
    /// The key.
    pub key: DeduplicationKey,
    /// The place of its message. Of two records of a key the one with the later place holds.
    pub position: Position,
    /// When it is forgotten; never when it is as soon as its message is settled.
    pub until: Time,
}

/// Some of the keys that a queue knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyRecords {
    /// How many it knows at most.
    pub size: u32,
    /// Those that outlive the broker.
    pub records: Vec<KeyRecord>,
    /// The last one that was looked at; nothing when there are no more.
    pub last: Option<KeyRecord>,
}

/// Messages of a queue, packed one after the other in the order of their positions, on their way to the disk.
#[derive(Clone, Debug)]
pub struct OutBlock {
    /// The position of the first.
    pub first: Position,
    /// The position of the last.
    pub last: Position,
    /// How many they are.
    pub count: u32,
    /// The packed records, as in a segment.
    pub bytes: Bytes,
    /// How often those came back that did.
    pub returns: Vec<(Position, Returns)>,
    /// Whether they outlive the broker.
    pub journalled: bool,
    /// The earliest file of the journal that one of them is in; the first of all where that is not known.
    pub file: JournalFile,
    /// The segments that have these messages until now.
    pub leaves: Vec<SegmentNumber>,
    /// Among which of its queue's messages they wait, and until when.
    pub standing: Standing,
}

/// How the messages of a block wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Their priority.
    pub level: u8,
    /// They wait for times of their own, and are not ready before.
    pub waits: bool,
    /// The earliest deadline that one of them has by its own expiration; never when none has one. Of those that wait the
    /// earliest time.
    pub deadline: Time,
    /// The size of their bodies in bytes.
    pub bytes: u64,
}

impl Default for Standing {
    fn default() -> Self {
        Self { level: 0, waits: false, deadline: Time::NEVER, bytes: 0 }
    }
}

/// Where a block lies in a segment of its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BlockPlace {
    /// The segment.
    pub segment: SegmentNumber,
    /// Whether it is one of journalled messages; those of transient ones are numbered by themselves and end with the broker.
    pub journalled: bool,
    /// Which block of the segment, from 0.
    pub index: u32,
    /// Where its payload begins, in bytes from the start of the file.
    pub offset: u64,
    /// The payload's length in bytes.
    pub len: u32,
    /// crc32c of the payload.
    pub crc: u32,
}

impl BlockPlace {
    /// What becomes of the messages that are stored here, and where they are.
    pub fn home(self) -> Home {
        if self.journalled {
            Home::Segment { segment: self.segment, block: self.index }
        } else {
            Home::Transient
        }
    }
}

/// What of a segment is alive; all else in it is settled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SegmentState {
    /// Runs of blocks of which every message is alive, by index, both ends included.
    pub whole: Vec<(u32, u32)>,
    /// Blocks of which some messages are alive.
    pub partial: Vec<PartialBlock>,
    /// How often those came back that did.
    pub returns: Vec<(Position, Returns)>,
}

/// A block of which some messages are alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartialBlock {
    /// Which block.
    pub index: u32,
    /// How many messages are alive.
    pub count: u32,
    /// The size of their bodies in bytes.
    pub bytes: u64,
    /// The positions that are alive, both ends included; positions that the block does not have may lie between.
    pub ranges: Vec<(Position, Position)>,
}

/// Why a block could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage(pub String);

/// A queue, as the store asks it for what is to be written and tells it where it is. Called with no lock held.
pub trait Stored: Send + Sync {
    /// Which queue.
    fn id(&self) -> QueueId;

    /// Its name, to be shown to people.
    fn name(&self) -> String;

    /// What its clients hold unacked takes so much memory, in bytes, about.
    fn unacked_memory(&self) -> u64;

    /// Blocks that may leave memory, of at most about `bytes_max` bytes: not the first `keep`, not the one that is being filled.
    /// They stay in memory until [`Self::stored`] says that they may go.
    fn outgoing(&self, keep: usize, bytes_max: usize) -> Vec<OutBlock>;

    /// What the ready messages take in memory that may leave it because nobody consumes, in bytes.
    fn idle_memory(&self) -> u64;

    /// The same messages, of at most about `bytes_max` bytes, as [`Self::outgoing`] gives others: from the first one on, and with
    /// the block that is being filled.
    fn outgoing_idle(&self, bytes_max: usize) -> Vec<OutBlock>;

    /// All journalled messages whose record is in this file of the journal or one before it: blocks as they are, single ones
    /// packed into blocks of their own.
    fn alive_through(&self, through: JournalFile) -> Vec<OutBlock>;

    /// The messages of `block` that are still here are at `place` from now on. With `evict` those that wait in memory as
    /// this block are forgotten there.
    fn stored(&self, block: &OutBlock, place: BlockPlace, evict: bool);

    /// The messages of `block` that are still here were written to this file of the journal again.
    fn carried(&self, block: &OutBlock, file: JournalFile);

    /// What of a journalled segment is alive; nothing when no message of it is.
    fn segment_state(&self, segment: SegmentNumber) -> Option<SegmentState>;

    /// Whether anything that is alive is in this segment, of journalled or of transient messages: the store asks before it
    /// removes one that was reported dead, since a block may have been written to it since.
    fn uses_segment(&self, segment: SegmentNumber, journalled: bool) -> bool;

    /// All that is alive of a journalled segment, as [`Self::alive_through`] gives it, when all blocks of that segment were
    /// consumed and only single messages (unacked, given back) are left of them. Empty when blocks of it wait, or nothing is
    /// alive. [`Self::stored`] or [`Self::carried`] tells the new place of these messages.
    fn stragglers(&self, segment: SegmentNumber) -> Vec<OutBlock>;

    /// Whether records of the keys that it knows may stand in this file of the journal or one before it.
    fn keys_through(&self, _through: JournalFile) -> bool {
        false
    }

    /// The keys with a last record in files of the journal up to `through`, which are written to file `to` again: in an order of
    /// the queue's own, from behind `after` on, of at most so many that it knows. None of a later file: its message may yet be
    /// lost with that, and a key without its message would have the next one taken for a copy.
    fn keys(
        &self,
        _through: JournalFile,
        _to: JournalFile,
        _after: Option<KeyRecord>,
        _max: usize,
    ) -> KeyRecords {
        KeyRecords::default()
    }

    /// Records of all keys stand in files of the journal behind this one.
    fn keys_recorded(&self, _through: JournalFile) {}

    /// The block at `place` was read, or cannot be.
    fn loaded(&self, place: BlockPlace, bytes: Result<Bytes, Damage>);
}
