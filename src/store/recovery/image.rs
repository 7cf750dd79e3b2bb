//! Journal files made by hand, for tests.

use std::path::Path;
use std::sync::Arc;

use super::files::path;
use crate::place::{Batch, JournalFile};
use crate::store::checksum::checksum;
use crate::store::disk::{Disk, DiskFile};
use crate::store::journal::FOLDER;
use crate::store::journal::batch::{BLOCK_BYTES, BatchHeader, Chunk, FileHeader, next_offset};
use crate::store::simulated::SimDisk;

/// The bytes of a file, batch after batch.
#[derive(Clone)]
pub(super) struct Image {
    pub(super) header: FileHeader,
    pub(super) bytes: Vec<u8>,
    /// What the next batch says of how much is synced.
    pub(super) synced_to: u64,
    pub(super) next_batch: u64,
}

/// The table entry of a chunk.
pub(super) fn chunk(bytes: &[u8]) -> Chunk {
    Chunk { len: u32::try_from(bytes.len()).unwrap(), crc: checksum(bytes) }
}

impl Image {
    /// A file with no batches, the first of a journal unless said otherwise.
    pub(super) fn new(number: u64) -> Self {
        let header = FileHeader {
            number: JournalFile(number),
            salt: number.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            previous_end: 0,
            live_from: JournalFile(1),
            file_len: 0,
        };
        let bytes = header.encode().to_vec();
        Self { header, bytes, synced_to: 0, next_batch: 1 + number % 1000 * 1000 }
    }

    /// The file that follows this one, where it ends now.
    pub(super) fn next(&self) -> Self {
        let mut next = Self::new(self.header.number.0 + 1);
        next.header.previous_end = self.end();
        next.header.live_from = self.header.live_from;
        next.set_header(next.header);
        next.next_batch = self.next_batch;
        next
    }

    pub(super) fn set_header(&mut self, header: FileHeader) {
        self.header = header;
        self.bytes[..BLOCK_BYTES].copy_from_slice(&header.encode());
    }

    /// Adds a batch of these chunks, and gives where it begins.
    pub(super) fn batch(&mut self, chunks: &[&[u8]]) -> u64 {
        let offset = self.end();
        self.bytes.resize(usize::try_from(offset).unwrap(), 0);
        let header = BatchHeader {
            file: self.header.number,
            batch: Batch(self.next_batch),
            offset,
            synced_to: self.synced_to,
            file_len: self.header.file_len,
        };
        self.next_batch += 1;
        let table: Vec<Chunk> = chunks.iter().map(|bytes| chunk(bytes)).collect();
        header.encode(self.header.salt, &table, &mut self.bytes);
        self.bytes.extend(chunks.concat());
        offset
    }

    /// All that is there was synced, and the next batch says so.
    pub(super) fn sync(&mut self) {
        self.synced_to = self.end();
    }

    /// Where the next batch begins.
    pub(super) fn end(&self) -> u64 {
        next_offset(self.bytes.len() as u64)
    }

    /// The file was made so long before it was used, and says so.
    pub(super) fn made_so_long(&mut self, len: usize) {
        self.set_header(FileHeader { file_len: len as u64, ..self.header });
        self.pad(len);
    }

    /// Zeros up to this length.
    pub(super) fn pad(&mut self, len: usize) {
        self.bytes.resize(len.max(self.bytes.len()), 0);
    }

    /// The file on a disk, synced.
    pub(super) fn write(&self, disk: &SimDisk, name: &str) -> Arc<dyn DiskFile> {
        disk.create_dir(Path::new(FOLDER)).unwrap();
        disk.sync_dir(Path::new("")).unwrap();
        let file = disk.create(&path(name)).unwrap();
        file.write_at(&[&self.bytes], 0).unwrap();
        file.sync().unwrap();
        disk.sync_dir(Path::new(FOLDER)).unwrap();
        file
    }
}
