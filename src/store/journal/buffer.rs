//! What was appended and is not written yet, and who still has a ticket.
//!
//! Pure: it knows no file and no thread. Whoever is to append takes a ticket before it touches a queue; the ticket
//! names the file that its records will stand in. When the journal goes on to the next file, tickets of the file before
//! may still be out, so that for a moment records are gathered for both.

use std::collections::VecDeque;

use super::batch::Chunk;
use crate::place::{Batch, JournalFile};

/// Records up to this length are copied into the buffer of their batch; the buffers of longer ones are taken over.
const COPIED_MAX_BYTES: usize = 8 * 1024;
/// A batch that has so many bytes is not added to.
const BATCH_MAX_BYTES: usize = 16 * 1024 * 1024;
/// Emptied buffers of this size are kept for those who come next, up to the sum.
const ROOM_BYTES: std::ops::RangeInclusive<usize> = 1024..=1024 * 1024;
const ROOMS_MAX_BYTES: usize = 8 * 1024 * 1024;
/// The emptied buffer of a batch is kept up to this size.
const COPIES_KEPT_MAX_BYTES: usize = 4 * 1024 * 1024;

/// Which round of tickets a ticket belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Round(u64);

/// What is between those who append and the thread that writes.
#[derive(Debug)]
pub(super) struct Buffer {
    /// Tickets that are out, by the round in which they were given; the last round is the present one.
    rounds: VecDeque<Tickets>,
    first_round: u64,
    /// The file that new tickets are for, and the one before it until that is complete.
    current: Numbering,
    leaving: Option<Numbering>,
    /// In the order in which they are to be written.
    gathered: VecDeque<Gathered>,
    /// An emptied batch, for its capacity.
    emptied: Option<Gathered>,
    rooms: Vec<Vec<u8>>,
    rooms_bytes: usize,
}

#[derive(Clone, Copy, Debug)]
struct Tickets {
    file: JournalFile,
    out: u64,
}

/// Which number the next batch in a file gets.
#[derive(Clone, Copy, Debug)]
struct Numbering {
    file: JournalFile,
    next: u64,
}

/// What becomes one batch in the file.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) file: JournalFile,
    pub(super) batch: Batch,
    /// Length and checksum of each group.
    pub(super) chunks: Vec<Chunk>,
    /// The bytes of all groups together.
    pub(super) len: usize,
    /// Whether somebody waits until it is synced.
    pub(super) wants_sync: bool,
    pieces: Vec<Piece>,
    copies: Vec<u8>,
}

#[derive(Debug)]
enum Piece {
    /// So many bytes more of the copies.
    Copied(usize),
    Taken(Vec<u8>),
}

impl Gathered {
    /// A batch of one group.
    pub(super) fn of_one(file: JournalFile, batch: Batch, chunk: Chunk, bytes: Vec<u8>) -> Self {
        let mut gathered = Self { file, batch, ..Self::default() };
        gathered.add(chunk, bytes, true);
        gathered
    }

    fn add(&mut self, chunk: Chunk, bytes: Vec<u8>, wants_sync: bool) -> Option<Vec<u8>> {
        self.chunks.push(chunk);
        self.len = self.len.saturating_add(bytes.len());
        self.wants_sync |= wants_sync;
        if bytes.len() > COPIED_MAX_BYTES {
            self.pieces.push(Piece::Taken(bytes));
            return None;
        }
        self.copies.extend_from_slice(&bytes);
        match self.pieces.last_mut() {
            Some(Piece::Copied(len)) => *len = len.saturating_add(bytes.len()),
            _ => self.pieces.push(Piece::Copied(bytes.len())),
        }
        Some(bytes)
    }

    /// The bytes of all groups, in their order.
    pub(super) fn slices<'a>(&'a self, into: &mut Vec<&'a [u8]>) {
        let mut copies = self.copies.as_slice();
        for piece in &self.pieces {
            match piece {
                Piece::Copied(len) => {
                    let (now, rest) = copies.split_at_checked(*len).unwrap_or((copies, &[]));
                    into.push(now);
                    copies = rest;
                }
                Piece::Taken(bytes) => into.push(bytes),
            }
        }
    }
}

impl Buffer {
    /// Nothing gathered yet; what comes is for `file` and is numbered from `batch` on.
    pub(super) fn new(file: JournalFile, batch: Batch) -> Self {
        Self {
            rounds: VecDeque::from([Tickets { file, out: 0 }]),
            first_round: 0,
            current: Numbering { file, next: batch.0 },
            leaving: None,
            gathered: VecDeque::new(),
            emptied: None,
            rooms: Vec::new(),
            rooms_bytes: 0,
        }
    }

    /// The file that new tickets are for.
    pub(super) fn current_file(&self) -> JournalFile {
        self.current.file
    }

    /// Gives a ticket.
    pub(super) fn enter(&mut self) -> (Round, JournalFile) {
        if let Some(tickets) = self.rounds.back_mut() {
            tickets.out = tickets.out.saturating_add(1);
        }
        let present = (self.rounds.len() as u64).saturating_sub(1);
        (Round(self.first_round.saturating_add(present)), self.current.file)
    }

    /// A ticket comes back. Whether a round is complete with it.
    pub(super) fn leave(&mut self, round: Round) -> bool {
        let at = usize::try_from(round.0.saturating_sub(self.first_round)).unwrap_or(usize::MAX);
        if let Some(tickets) = self.rounds.get_mut(at) {
            tickets.out = tickets.out.saturating_sub(1);
        }
        self.drop_complete_rounds()
    }

    fn drop_complete_rounds(&mut self) -> bool {
        let before = self.first_round;
        while self.rounds.len() > 1 && self.rounds.front().is_some_and(|tickets| tickets.out == 0) {
            self.rounds.pop_front();
            self.first_round = self.first_round.saturating_add(1);
        }
        self.first_round != before
    }

    fn begin_round(&mut self, file: JournalFile) {
        self.rounds.push_back(Tickets { file, out: 0 });
        self.drop_complete_rounds();
    }

    /// Closes the present round. The tickets that are out now are in when that [is complete](Self::is_complete);
    /// nothing when none is out.
    pub(super) fn close_round(&mut self) -> Option<Round> {
        if self.rounds.iter().all(|tickets| tickets.out == 0) {
            return None;
        }
        let present = self.first_round.saturating_add((self.rounds.len() as u64).saturating_sub(1));
        self.begin_round(self.current.file);
        Some(Round(present))
    }

    /// Whether all tickets of that round and those before are in.
    pub(super) fn is_complete(&self, round: Round) -> bool {
        self.first_round > round.0
    }

    /// From now on tickets are for the next file.
    pub(super) fn begin_next_file(&mut self) {
        let leaving = self.current;
        // Each ticket that is still out appends once at most, and so begins one batch at most.
        let out: u64 = self.rounds.iter().map(|tickets| tickets.out).sum();
        self.current = Numbering {
            file: JournalFile(leaving.file.0.saturating_add(1)),
            next: leaving.next.saturating_add(out),
        };
        self.leaving = Some(leaving);
        self.begin_round(self.current.file);
    }

    /// Whether all that will ever stand in `file` was taken: it is left, its tickets are in, nothing is gathered for it.
    pub(super) fn is_past(&self, file: JournalFile) -> bool {
        self.current.file > file
            && self.rounds.front().is_none_or(|tickets| tickets.file > file)
            && self.gathered.front().is_none_or(|gathered| gathered.file > file)
    }

    /// Adds a group to what is gathered for `file`. The buffer comes back if it was copied.
    pub(super) fn append(
        &mut self,
        file: JournalFile,
        chunk: Chunk,
        bytes: Vec<u8>,
        wants_sync: bool,
    ) -> Batch {
        let after = self.gathered.partition_point(|gathered| gathered.file <= file);
        let last = after.checked_sub(1).and_then(|at| self.gathered.get_mut(at));
        let (batch, room) = match last {
            Some(last)
                if last.file == file
                    && (last.len.saturating_add(bytes.len()) <= BATCH_MAX_BYTES || last.len == 0) =>
            {
                (last.batch, last.add(chunk, bytes, wants_sync))
            }
            _ => {
                let mut gathered = self.emptied.take().unwrap_or_default();
                (gathered.file, gathered.batch) = (file, self.next_number(file));
                let room = gathered.add(chunk, bytes, wants_sync);
                let batch = gathered.batch;
                self.gathered.insert(after, gathered);
                (batch, room)
            }
        };
        if let Some(room) = room {
            self.give_room(room);
        }
        batch
    }

    fn next_number(&mut self, file: JournalFile) -> Batch {
        let numbering = match &mut self.leaving {
            Some(leaving) if leaving.file == file => leaving,
            _ => &mut self.current,
        };
        let number = numbering.next;
        numbering.next = number.saturating_add(1);
        Batch(number)
    }

    /// The last batch that is to be written; it may stand in the next file.
    pub(super) fn last_gathered(&self) -> Option<Batch> {
        self.gathered.back().map(|gathered| gathered.batch)
    }

    /// Somebody waits until `batch` is synced. False when it is not here any more, but with the writer.
    pub(super) fn require_sync(&mut self, batch: Batch) -> bool {
        let gathered = self.gathered.iter_mut().find(|gathered| gathered.batch >= batch);
        gathered.map(|gathered| gathered.wants_sync = true).is_some()
    }

    /// Takes what is to be written next, if that belongs into `file`.
    pub(super) fn take(&mut self, file: JournalFile) -> Option<Gathered> {
        self.gathered.pop_front_if(|gathered| gathered.file == file)
    }

    /// Whether nothing waits to be written.
    pub(super) fn is_empty(&self) -> bool {
        self.gathered.is_empty()
    }

    /// What was gathered is written, or never will be: its buffers are used again.
    pub(super) fn recycle(&mut self, mut gathered: Gathered) {
        for piece in std::mem::take(&mut gathered.pieces) {
            if let Piece::Taken(bytes) = piece {
                self.give_room(bytes);
            }
        }
        gathered.chunks.clear();
        gathered.copies.clear();
        gathered.copies.shrink_to(COPIES_KEPT_MAX_BYTES);
        (gathered.len, gathered.wants_sync) = (0, false);
        self.emptied = Some(gathered);
    }

    /// Drops all that is gathered, and gives its length in bytes.
    pub(super) fn discard(&mut self) -> usize {
        self.gathered.drain(..).map(|gathered| gathered.len).sum()
    }

    /// An empty buffer, one with room when there is one.
    pub(super) fn take_room(&mut self) -> Vec<u8> {
        let room = self.rooms.pop().unwrap_or_default();
        self.rooms_bytes = self.rooms_bytes.saturating_sub(room.capacity());
        room
    }

    /// A buffer that is not needed any more.
    pub(super) fn give_room(&mut self, mut room: Vec<u8>) {
        let bytes = self.rooms_bytes.saturating_add(room.capacity());
        if ROOM_BYTES.contains(&room.capacity()) && bytes <= ROOMS_MAX_BYTES {
            room.clear();
            self.rooms_bytes = bytes;
            self.rooms.push(room);
        }
    }
}

#[cfg(test)]
mod tests;
