//! The bytes of a simulated file: what is on the disk, and what was written since the last sync.

use std::collections::HashSet;
use std::io;

use super::random::Random;

/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// The bytes of one file.
#[derive(Clone, Debug, Default)]
pub(super) struct Blocks {
    /// As whoever reads it sees it.
    current: Vec<u8>,
    /// As it was at the last sync.
    durable: Vec<u8>,
    /// What was done since, in order.
    pending: Vec<Pending>,
}

#[derive(Clone, Debug)]
enum Pending {
    Write { offset: usize, bytes: Vec<u8> },
    Allocate(usize),
}

/// How much of what was not synced a crash leaves.
#[derive(Clone, Copy, Debug)]
pub(super) enum Survives {
    /// Nothing.
    None,
    /// All: as if only the process had died.
    All,
    /// Whole operations, up to some one.
    Prefix,
    /// Any of the operations, whole.
    Some,
    /// Any of the sectors.
    Torn,
}

impl Survives {
    pub(super) fn pick(random: &mut Random) -> Self {
        match random.below(6) {
            0 => Self::None,
            1 => Self::All,
            2 => Self::Prefix,
            3 => Self::Some,
            _ => Self::Torn,
        }
    }

    /// Which of so many operations survive as a whole; all of them may, where sectors are chosen one by one.
    pub(super) fn choose(self, operations: usize, random: &mut Random) -> Vec<bool> {
        let until = random.below(operations as u64 + 1);
        let one = |index: usize| match self {
            Self::None => false,
            Self::All | Self::Torn => true,
            Self::Prefix => (index as u64) < until,
            Self::Some => random.one_in(2),
        };
        (0..operations).map(one).collect()
    }
}

impl Blocks {
    pub(super) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self { durable: bytes.clone(), current: bytes, pending: Vec::new() }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.current
    }

    pub(super) fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let to = from.saturating_add(buffer.len());
        let bytes = self.current.get(from..to).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }

    pub(super) fn write(&mut self, bytes: Vec<u8>, offset: u64) {
        let offset = usize::try_from(offset).unwrap();
        put(&mut self.current, offset, &bytes);
        self.pending.push(Pending::Write { offset, bytes });
    }

    pub(super) fn allocate(&mut self, length: u64) {
        let length = usize::try_from(length).unwrap();
        lengthen(&mut self.current, length);
        self.pending.push(Pending::Allocate(length));
    }

    pub(super) fn sync(&mut self) {
        for pending in std::mem::take(&mut self.pending) {
            match pending {
                Pending::Write { offset, bytes } => put(&mut self.durable, offset, &bytes),
                Pending::Allocate(length) => lengthen(&mut self.durable, length),
            }
        }
    }

    /// A sync fails: some of it is on the disk, and the rest never will be, though it is still read.
    pub(super) fn sync_failed(&mut self, random: &mut Random) {
        self.durable = self.after_crash(Survives::Torn, random);
        self.pending.clear();
    }

    /// What is found after a loss of power.
    pub(super) fn after_crash(&self, survives: Survives, random: &mut Random) -> Vec<u8> {
        let mut left = self.durable.clone();
        let mut lost_sectors = HashSet::new();
        let kept = survives.choose(self.pending.len(), random);
        for (pending, kept) in self.pending.iter().zip(kept) {
            match pending {
                _ if !kept => {}
                Pending::Allocate(length) => {
                    if !matches!(survives, Survives::Torn) || random.one_in(2) {
                        lengthen(&mut left, *length);
                    }
                }
                Pending::Write { offset, bytes } if matches!(survives, Survives::Torn) => {
                    let lose_one_in = 1 + random.below(8);
                    let mut at = 0;
                    while at < bytes.len() {
                        let sector = (offset + at) / SECTOR_BYTES;
                        let end = ((sector + 1) * SECTOR_BYTES - offset).min(bytes.len());
                        // A sector is written as it was at some moment: what it lost, it lost with all that came after.
                        if lost_sectors.contains(&sector) || random.one_in(lose_one_in) {
                            lost_sectors.insert(sector);
                        } else {
                            put(&mut left, offset + at, &bytes[at..end]);
                        }
                        at = end;
                    }
                }
                Pending::Write { offset, bytes } => put(&mut left, *offset, bytes),
            }
        }
        left
    }

    /// Flips a bit on the disk and in what is read.
    pub(super) fn flip(&mut self, offset: usize, bit: u8) {
        self.settle_all();
        self.current[offset] ^= 1 << bit;
        self.durable[offset] ^= 1 << bit;
    }

    pub(super) fn truncate(&mut self, length: usize) {
        self.settle_all();
        self.current.truncate(length);
        self.durable.truncate(length);
    }

    fn settle_all(&mut self) {
        self.pending.clear();
        self.durable.clone_from(&self.current);
    }
}

fn put(bytes: &mut Vec<u8>, offset: usize, new: &[u8]) {
    lengthen(bytes, offset + new.len());
    bytes[offset..offset + new.len()].copy_from_slice(new);
}

fn lengthen(bytes: &mut Vec<u8>, length: usize) {
    if bytes.len() < length {
        bytes.resize(length, 0);
    }
}
