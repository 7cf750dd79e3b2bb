//! Reads the files as they are: every batch that is whole, no rule of recovery.

use std::path::Path;

use super::super::batch::{BLOCK_BYTES, BatchHeader, FileHeader, FoundHeader, next_offset};
use crate::place::{Batch, JournalFile};
use crate::store::op::{Op, Ops};
use crate::store::simulated::SimDisk;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record {
    Publish(u64),
    Settle(u64),
    Define(u64),
    Closed,
    Other,
}

#[derive(Debug)]
pub(super) struct ReadFile {
    pub(super) header: FileHeader,
    pub(super) batches: Vec<ReadBatch>,
}

#[derive(Debug)]
pub(super) struct ReadBatch {
    pub(super) header: BatchHeader,
    pub(super) end: u64,
    pub(super) records: Vec<Record>,
}

/// The files, in the order of their numbers.
pub(super) fn read(disk: &SimDisk) -> Vec<ReadFile> {
    let mut files: Vec<_> = disk
        .files()
        .iter()
        .filter(|(path, _)| path.starts_with(super::FOLDER))
        .filter_map(|(path, _)| read_file(disk, path))
        .collect();
    files.sort_by_key(|file| file.header.number);
    files
}

fn read_file(disk: &SimDisk, path: &Path) -> Option<ReadFile> {
    let bytes = disk.contents(path);
    let FoundHeader::Valid { header, .. } = FileHeader::find(bytes.get(..BLOCK_BYTES)?) else { return None };
    let mut batches = Vec::new();
    let mut offset = BLOCK_BYTES;
    while let Some(batch) =
        bytes.get(offset..).and_then(|bytes| BatchHeader::find(bytes, &header, offset as u64))
    {
        let end = usize::try_from(batch.end()).unwrap();
        let head = offset + usize::try_from(batch.head_len()).unwrap();
        let Some(mut body) = bytes.get(head..end) else { break };
        let Some(table) = batch.table(&bytes[offset..head]) else { break };
        let mut records = Vec::new();
        let mut is_whole = true;
        for chunk in table {
            let (bytes, rest) = body.split_at(chunk.len as usize);
            is_whole &= chunk.is(bytes);
            if !is_whole {
                break;
            }
            body = rest;
            records.extend(Ops::new(bytes).map_while(Result::ok).map(|op| record(&op)));
        }
        if !is_whole {
            break;
        }
        batches.push(ReadBatch { header: batch.header, end: batch.end(), records });
        offset = usize::try_from(next_offset(batch.end())).unwrap();
    }
    Some(ReadFile { header, batches })
}

fn record(op: &Op<'_>) -> Record {
    match op {
        Op::Publish { targets, .. } => Record::Publish(targets.clone().next().unwrap().1.0),
        Op::Settle { ranges, .. } => Record::Settle(ranges.clone().next().unwrap().0.0),
        Op::Define { key, .. } => Record::Define(u64::from_le_bytes(*key.first_chunk().unwrap())),
        Op::Closed => Record::Closed,
        _ => Record::Other,
    }
}

/// All records with the batch and the file that they stand in.
pub(super) fn records(files: &[ReadFile]) -> Vec<(JournalFile, Batch, Record)> {
    let mut all = Vec::new();
    for file in files {
        for batch in &file.batches {
            let place = (file.header.number, batch.header.batch);
            all.extend(batch.records.iter().map(|record| (place.0, place.1, record.clone())));
        }
    }
    all
}
