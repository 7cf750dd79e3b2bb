//! Writing a segment, and reading what one has.

use std::io;

use bytes::{Bytes, BytesMut};

use super::table::{
    BLOCK_HEAD_BYTES, BlockEntry, HEADER_BYTES, SegmentId, TRAILER_BYTES, Trailer, footer, footer_len,
};
use crate::store::checksum::checksum;
use crate::store::disk::DiskFile;
use crate::store::stored::{BlockPlace, OutBlock};

/// A segment that blocks are appended to.
#[derive(Debug)]
pub struct OpenSegment {
    id: SegmentId,
    blocks: Vec<BlockEntry>,
    end: u64,
}

impl OpenSegment {
    /// Begins a segment in a file that has just been made.
    pub fn begin(file: &dyn DiskFile, id: SegmentId) -> io::Result<Self> {
        file.write_at(&[&id.header()], 0)?;
        Ok(Self { id, blocks: Vec::new(), end: HEADER_BYTES })
    }

    /// Which segment it is.
    pub fn id(&self) -> SegmentId {
        self.id
    }

    /// Its length in bytes so far.
    pub fn len(&self) -> u64 {
        self.end
    }

    /// Whether it has no block.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Appends blocks with one write and gives their places. After an error none of them is in it, and another attempt
    /// writes over what there is of them.
    pub fn append(&mut self, file: &dyn DiskFile, blocks: &[OutBlock]) -> io::Result<Vec<BlockPlace>> {
        let mut entries = Vec::with_capacity(blocks.len());
        let mut headers = Vec::with_capacity(blocks.len());
        let (mut index, mut offset) = (self.blocks.len(), self.end);
        for block in blocks {
            let entry =
                u32::try_from(index).ok().and_then(|index| BlockEntry::new(self.id, index, offset, block));
            let entry = entry.ok_or_else(|| io::Error::other("a block too large for a segment"))?;
            headers.push(entry.header(self.id));
            offset = entry.end();
            entries.push(entry);
            index = index.saturating_add(1);
        }
        let slices: Vec<&[u8]> = headers
            .iter()
            .zip(blocks)
            .flat_map(|(header, block)| [header.as_slice(), &block.bytes])
            .collect();
        file.write_at(&slices, self.end)?;
        self.end = offset;
        let places = entries.iter().map(|entry| entry.place).collect();
        self.blocks.append(&mut entries);
        Ok(places)
    }

    /// Writes the footer. What an attempt that failed has left behind it does no harm.
    pub fn seal(&self, file: &dyn DiskFile) -> io::Result<()> {
        file.write_at(&[&footer(self.id, self.end, &self.blocks)], self.end)
    }
}

/// The blocks of a segment, as found.
#[derive(Debug)]
pub struct Found {
    /// Its blocks, by index.
    pub blocks: Vec<BlockEntry>,
    /// What is wrong with the file beside its payloads. Blocks may be missing.
    pub damage: Option<String>,
}

/// Reads which blocks a segment has: by its footer, or by the chain of its blocks' headers where that is damaged.
pub fn open(file: &dyn DiskFile, id: SegmentId) -> io::Result<Found> {
    let len = file.len()?;
    let header = read(file, 0, HEADER_BYTES)?;
    let mut damage = (header.as_deref() != Some(&id.header())).then(|| "its header is damaged".to_owned());
    let at_end = len.saturating_sub(TRAILER_BYTES);
    if let Some(blocks) = footer_by(file, id, at_end)? {
        return Ok(Found { blocks, damage });
    }
    let (blocks, footer) = chain(file, id)?;
    if footer.is_none() {
        damage =
            Some(format!("its footer is damaged or missing; {} blocks were found without it", blocks.len()));
    }
    Ok(Found { blocks: footer.unwrap_or(blocks), damage })
}

/// The blocks by the trailer that stands at `offset`; nothing when there is none or the footer is damaged.
fn footer_by(file: &dyn DiskFile, id: SegmentId, offset: u64) -> io::Result<Option<Vec<BlockEntry>>> {
    let trailer = read(file, offset, TRAILER_BYTES)?.and_then(|bytes| Trailer::parse(id, &bytes));
    let Some(trailer) = trailer else { return Ok(None) };
    let footer = read(file, trailer.offset, u64::from(trailer.len))?;
    Ok(footer.and_then(|bytes| trailer.blocks(id, &bytes)))
}

/// Follows the headers of the blocks from the first; with them the footer's blocks when one stands at their end.
fn chain(file: &dyn DiskFile, id: SegmentId) -> io::Result<(Vec<BlockEntry>, Option<Vec<BlockEntry>>)> {
    let (mut blocks, mut offset) = (Vec::<BlockEntry>::new(), HEADER_BYTES);
    while let Some(bytes) = read(file, offset, BLOCK_HEAD_BYTES)? {
        let entry = BlockEntry::parse(id, offset, &bytes);
        let Some(entry) = entry.filter(|entry| entry.place.index as usize == blocks.len()) else { break };
        offset = entry.end();
        blocks.push(entry);
    }
    let len = read(file, offset, 8)?.and_then(|head| footer_len(&head));
    let Some(len) = len else { return Ok((blocks, None)) };
    let listed = footer_by(file, id, offset.saturating_add(u64::from(len)))?;
    Ok((blocks, listed))
}

/// Reads so many bytes; nothing when the file ends before.
fn read(file: &dyn DiskFile, offset: u64, len: u64) -> io::Result<Option<Vec<u8>>> {
    if offset.saturating_add(len) > file.len()? {
        return Ok(None);
    }
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
    file.read_at(&mut bytes, offset)?;
    Ok(Some(bytes))
}

/// Reads a block's payload. `InvalidData` when it is not what was written.
pub fn read_block(file: &dyn DiskFile, place: BlockPlace) -> io::Result<Bytes> {
    let mut payload = BytesMut::zeroed(place.len as usize);
    file.read_at(&mut payload, place.offset)?;
    if checksum(&payload) == place.crc {
        Ok(payload.freeze())
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidData, "its checksum is wrong"))
    }
}

#[cfg(test)]
mod tests;
