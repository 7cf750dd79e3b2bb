//! Reads numbers and runs of bytes; what is not there is nothing.

use super::{Key, Pair};
use crate::message::deduplication::DeduplicationKey;
use crate::place::{Position, QueueId};
use crate::store::stored::{KeyRecord, PartialBlock, Returns, SegmentState};
use crate::time::Time;

#[derive(Clone, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn queue(&mut self) -> Option<QueueId> {
        self.u64().map(QueueId::stored)
    }

    pub(super) fn position(&mut self) -> Option<Position> {
        self.u64().map(Position)
    }

    pub(super) fn returns(&mut self) -> Option<Returns> {
        let (acquired, deliveries) = (self.u32()?, self.u32()?);
        Some(Returns { acquired, deliveries, due: Time::from_millis(self.u64()?) })
    }

    /// Pairs of numbers, their count before them.
    pub(super) fn pairs(&mut self) -> Option<&'a [Pair]> {
        let count = self.u32()? as usize;
        let (pairs, _) = self.take(count.checked_mul(size_of::<Pair>())?)?.as_chunks();
        Some(pairs)
    }

    pub(super) fn key(&mut self) -> Option<KeyRecord> {
        let key = DeduplicationKey(self.array().map(u128::from_le_bytes)?);
        Some(KeyRecord { key, position: self.position()?, until: self.u64().map(Time::from_millis)? })
    }

    /// Keys, their count before them.
    pub(super) fn keys(&mut self) -> Option<&'a [Key]> {
        let count = self.u32()? as usize;
        let (keys, _) = self.take(count.checked_mul(size_of::<Key>())?)?.as_chunks();
        Some(keys)
    }

    /// What is read again and again, the count before it. No room is made for what is only claimed.
    fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.u32()? as usize;
        let mut list = Vec::with_capacity(count.min(self.len() / size_of::<u64>()));
        for _ in 0..count {
            list.push(read(self)?);
        }
        Some(list)
    }

    pub(super) fn segment_state(&mut self) -> Option<SegmentState> {
        Some(SegmentState {
            whole: self.list(|reader| Some((reader.u32()?, reader.u32()?)))?,
            partial: self.list(|reader| {
                Some(PartialBlock {
                    index: reader.u32()?,
                    count: reader.u32()?,
                    bytes: reader.u64()?,
                    ranges: reader.list(|reader| Some((reader.position()?, reader.position()?)))?,
                })
            })?,
            returns: self.list(|reader| Some((reader.position()?, reader.returns()?)))?,
        })
    }
}
