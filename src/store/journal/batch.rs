//! How a journal file looks: a header, and batches behind it. Bytes only; no file, no thread.
//!
//! ```text
//! 0      file header, twice: at 0 and at 2048, so that no single damage makes a file unreadable
//! 4096   batch: header (64 bytes), table of its chunks (length, crc32c: 8 bytes each), the chunks back to back
//!        the next batch begins at the next multiple of 4096; what lies between was not necessarily written
//! ```
//!
//! Each file has a random *salt* of which the checksums of its batches' headers are made: what an earlier use of the
//! same blocks left, and what a publisher wrote into a body so that it looks like a batch, is not taken for one.
//! Numbers are little endian.
//!
//! What the writer keeps to, so that recovery can tell a write that the power cut from damage:
//! - a file's header is synced before the file's first batch is written, and the file before it is synced up to its end
//!   before that;
//! - a batch is written when the one before it is; what a sync has covered is never written again;
//! - a batch's `synced_to` is what a *successful* sync has covered; the last batch of a clean stop is written when all
//!   before it is synced, and says so;
//! - a length that a header tells was synced before: a file that is shorter has lost its end to something else than a
//!   loss of power. No batch takes the last block of a file, so that the first one behind a growth, which tells the new
//!   length, begins before the old end.

use crate::place::{Batch, JournalFile};
use crate::store::checksum::{checksum, extended};

/// The header of a file has this size, and batches begin at multiples of it.
pub const BLOCK_BYTES: usize = 4096;

/// The version of this format.
pub const FORMAT: u32 = 1;

const FILE_MAGIC: &[u8; 8] = b"LVRTJRNL";
const FILE_HEADER_BYTES: usize = 56;
const SECOND_COPY_AT: usize = BLOCK_BYTES / 2;

const BATCH_MAGIC: &[u8; 4] = b"LVRB";
/// The part of a batch's header before its table.
pub const BATCH_HEADER_BYTES: usize = 64;
const TABLE_ENTRY_BYTES: usize = 8;

/// What a journal file says of itself. Written and synced before the first batch of that file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileHeader {
    /// Which file it is. This, not the file's name, counts.
    pub number: JournalFile,
    /// Random: makes the checksums of this file's batches its own.
    pub salt: u64,
    /// Where the file before (number - 1) ends, in bytes: what lies behind that there is no part of the journal.
    pub previous_end: u64,
    /// The lowest file that was still needed when this was written.
    pub live_from: JournalFile,
    /// The file's length when it was begun, in bytes; it only grows while it is in use.
    pub file_len: u64,
}

/// What the first block of a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoundHeader {
    /// A header, and whether both copies are as they were written.
    Valid {
        /// What it says.
        header: FileHeader,
        /// False when one of the two copies was damaged, or belongs to an earlier use of the file.
        intact: bool,
    },
    /// A header of another version of the format.
    OtherFormat(u32),
    /// Zeros: a file that was prepared and never used.
    Blank,
    /// Anything else.
    Damaged,
}

impl FileHeader {
    /// The first block of the file.
    pub fn encode(&self) -> [u8; BLOCK_BYTES] {
        let mut copy = Vec::with_capacity(FILE_HEADER_BYTES);
        copy.extend_from_slice(FILE_MAGIC);
        copy.extend_from_slice(&FORMAT.to_le_bytes());
        for number in [self.number.0, self.salt, self.previous_end, self.live_from.0, self.file_len] {
            copy.extend_from_slice(&number.to_le_bytes());
        }
        copy.extend_from_slice(&checksum(&copy).to_le_bytes());
        let mut block = [0; BLOCK_BYTES];
        for at in [0, SECOND_COPY_AT] {
            if let Some(place) = block.get_mut(at..at + FILE_HEADER_BYTES) {
                place.copy_from_slice(&copy);
            }
        }
        block
    }

    /// What the first block of a file (or as much of it as there is) says. When a header was being written over an older
    /// one and only one copy made it, the higher number counts.
    pub fn find(block: &[u8]) -> FoundHeader {
        let copies = [0, SECOND_COPY_AT].map(|at| Self::decode_copy(block.get(at..).unwrap_or_default()));
        match copies {
            [FoundHeader::Valid { header: one, .. }, FoundHeader::Valid { header: other, .. }] => {
                let header = if other.number > one.number { other } else { one };
                FoundHeader::Valid { header, intact: one == other }
            }
            [FoundHeader::Valid { header, .. }, _] | [_, FoundHeader::Valid { header, .. }] => {
                FoundHeader::Valid { header, intact: false }
            }
            [FoundHeader::OtherFormat(format), _] | [_, FoundHeader::OtherFormat(format)] => {
                FoundHeader::OtherFormat(format)
            }
            [FoundHeader::Damaged, FoundHeader::Damaged] => {
                Self::other_format(block).map_or(FoundHeader::Damaged, FoundHeader::OtherFormat)
            }
            [FoundHeader::Blank, FoundHeader::Blank] if block.iter().all(|byte| *byte == 0) => {
                FoundHeader::Blank
            }
            _ => FoundHeader::Damaged,
        }
    }

    /// The format of which both copies say that they are, whatever else it has there: of every format, each copy begins with
    /// the magic and the format, and stands where it stands in this one. One that only one copy names is damage.
    fn other_format(block: &[u8]) -> Option<u32> {
        let [one, other] = [0, SECOND_COPY_AT].map(|at| {
            let mut fields = Fields(block.get(at..)?);
            (fields.take::<8>()? == *FILE_MAGIC).then(|| fields.u32()).flatten()
        });
        one.filter(|format| *format != FORMAT && other == one)
    }

    fn decode_copy(bytes: &[u8]) -> FoundHeader {
        let Some(bytes) = bytes.get(..FILE_HEADER_BYTES) else { return FoundHeader::Damaged };
        if bytes.iter().all(|byte| *byte == 0) {
            return FoundHeader::Blank;
        }
        let mut fields = Fields(bytes);
        let header = || -> Option<FoundHeader> {
            let covered = bytes.get(..FILE_HEADER_BYTES - 4)?;
            if fields.take::<8>()? != *FILE_MAGIC {
                return None;
            }
            let format = fields.u32()?;
            let header = Self {
                number: JournalFile(fields.u64()?),
                salt: fields.u64()?,
                previous_end: fields.u64()?,
                live_from: JournalFile(fields.u64()?),
                file_len: fields.u64()?,
            };
            if fields.u32()? != checksum(covered) {
                return None;
            }
            let valid = FoundHeader::Valid { header, intact: true };
            Some(if format == FORMAT { valid } else { FoundHeader::OtherFormat(format) })
        }();
        header.unwrap_or(FoundHeader::Damaged)
    }
}

/// What one connection appended at once: a part of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Its length in bytes.
    pub len: u32,
    /// crc32c of its bytes.
    pub crc: u32,
}

impl Chunk {
    /// Whether `bytes` are what was written.
    pub fn is(&self, bytes: &[u8]) -> bool {
        bytes.len() == self.len as usize && checksum(bytes) == self.crc
    }
}

/// What one write of the journal's thread begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// The file that it is in.
    pub file: JournalFile,
    /// Its number; grows from batch to batch, in the next file too.
    pub batch: Batch,
    /// Where in the file it begins, in bytes.
    pub offset: u64,
    /// Up to where *this* file was known to be synced when the batch was written: what is bad below this is damage,
    /// behind the last such mark it may be a write that the power cut.
    pub synced_to: u64,
    /// The file's length, in bytes.
    pub file_len: u64,
}

/// A batch's header as it was found, with the extent of what belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundBatch {
    /// What it says.
    pub header: BatchHeader,
    /// How many chunks it has.
    pub chunks: u32,
    /// The length of the chunks together, in bytes.
    pub body_len: u64,
    table_crc: u32,
}

impl BatchHeader {
    /// Appends header and table to `into`, for chunks whose bytes are written right behind it. `salt` is the file's.
    pub fn encode(&self, salt: u64, chunks: &[Chunk], into: &mut Vec<u8>) {
        let body_len: u64 = chunks.iter().map(|chunk| u64::from(chunk.len)).sum();
        let begin = into.len();
        into.extend_from_slice(BATCH_MAGIC);
        for number in [self.file.0, self.batch.0, self.offset, self.synced_to, self.file_len, body_len] {
            into.extend_from_slice(&number.to_le_bytes());
        }
        into.extend_from_slice(&u32::try_from(chunks.len()).unwrap_or(u32::MAX).to_le_bytes());
        let mut table_crc = 0;
        for chunk in chunks {
            table_crc = extended(table_crc, &entry(*chunk));
        }
        into.extend_from_slice(&table_crc.to_le_bytes());
        let crc = extended(checksum(&salt.to_le_bytes()), into.get(begin..).unwrap_or_default());
        into.extend_from_slice(&crc.to_le_bytes());
        for chunk in chunks {
            into.extend_from_slice(&entry(*chunk));
        }
    }

    /// The batch of this file that begins at `offset`, whose bytes (at least [`BATCH_HEADER_BYTES`]) `bytes` are; nothing
    /// when there is none. What it says is then what was written, but its table and its chunks are not looked at, and it may
    /// reach beyond the end of a file that was cut short.
    pub fn find(bytes: &[u8], file: &FileHeader, offset: u64) -> Option<FoundBatch> {
        let covered = bytes.get(..BATCH_HEADER_BYTES - 4)?;
        let mut fields = Fields(bytes);
        if fields.take::<4>()? != *BATCH_MAGIC {
            return None;
        }
        let header = Self {
            file: JournalFile(fields.u64()?),
            batch: Batch(fields.u64()?),
            offset: fields.u64()?,
            synced_to: fields.u64()?,
            file_len: fields.u64()?,
        };
        let found =
            FoundBatch { header, body_len: fields.u64()?, chunks: fields.u32()?, table_crc: fields.u32()? };
        let crc = extended(checksum(&file.salt.to_le_bytes()), covered);
        (fields.u32()? == crc && header.file == file.number && header.offset == offset).then_some(found)
    }
}

impl FoundBatch {
    /// The length of header and table, in bytes.
    pub fn head_len(&self) -> u64 {
        head_len(self.chunks as usize)
    }

    /// Where the last chunk ends, from the start of the file.
    pub fn end(&self) -> u64 {
        self.header.offset.saturating_add(self.head_len()).saturating_add(self.body_len)
    }

    /// The chunks, given header and table ([`Self::head_len`] bytes); nothing when the table is damaged. Their lengths
    /// together are [`Self::body_len`].
    pub fn table(&self, head: &[u8]) -> Option<Vec<Chunk>> {
        let table = head.get(BATCH_HEADER_BYTES..usize::try_from(self.head_len()).ok()?)?;
        if checksum(table) != self.table_crc {
            return None;
        }
        let mut fields = Fields(table);
        let mut chunks = Vec::with_capacity(table.len() / TABLE_ENTRY_BYTES);
        while let Some(len) = fields.u32() {
            chunks.push(Chunk { len, crc: fields.u32()? });
        }
        let body_len: u64 = chunks.iter().map(|chunk| u64::from(chunk.len)).sum();
        (body_len == self.body_len).then_some(chunks)
    }
}

/// The length of header and table of a batch of so many chunks, in bytes.
pub const fn head_len(chunks: usize) -> u64 {
    BATCH_HEADER_BYTES as u64 + chunks as u64 * TABLE_ENTRY_BYTES as u64
}

/// Where the next batch begins when one ends at `end`, in bytes from the start of the file.
pub const fn next_offset(end: u64) -> u64 {
    end.saturating_add(BLOCK_BYTES as u64 - 1) / BLOCK_BYTES as u64 * BLOCK_BYTES as u64
}

fn entry(chunk: Chunk) -> [u8; TABLE_ENTRY_BYTES] {
    (u64::from(chunk.len) | u64::from(chunk.crc) << 32).to_le_bytes()
}

/// Numbers one after the other.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: FileHeader = FileHeader {
        number: JournalFile(7),
        salt: 0x0123_4567_89ab_cdef,
        previous_end: 8192,
        live_from: JournalFile(3),
        file_len: 65_536,
    };

    const BATCH: BatchHeader = BatchHeader {
        file: JournalFile(7),
        batch: Batch(99),
        offset: 12_288,
        synced_to: 4096,
        file_len: 131_072,
    };

    fn chunk(bytes: &[u8]) -> Chunk {
        Chunk { len: u32::try_from(bytes.len()).unwrap(), crc: checksum(bytes) }
    }

    fn head() -> (Vec<u8>, Vec<Chunk>) {
        let chunks = vec![chunk(b"one"), chunk(b""), chunk(b"three")];
        let mut head = b"before".to_vec();
        BATCH.encode(FILE.salt, &chunks, &mut head);
        (head.split_off(6), chunks)
    }

    #[test]
    fn a_file_header_is_read_as_it_was_written() {
        assert_eq!(FileHeader::find(&FILE.encode()), FoundHeader::Valid { header: FILE, intact: true });
    }

    #[test]
    fn no_flipped_bit_and_no_truncation_behind_the_first_copy_makes_a_file_unreadable() {
        let block = FILE.encode();
        for at in 0..BLOCK_BYTES * 8 {
            let mut damaged = block;
            damaged[at / 8] ^= 1 << (at % 8);
            let FoundHeader::Valid { header, .. } = FileHeader::find(&damaged) else { panic!("{at}") };
            assert_eq!(header, FILE, "{at}");
        }
        for len in 0..BLOCK_BYTES {
            match FileHeader::find(&block[..len]) {
                FoundHeader::Valid { header, .. } => assert!(header == FILE && len >= FILE_HEADER_BYTES),
                found => assert!(found == FoundHeader::Damaged && len < FILE_HEADER_BYTES, "{len} {found:?}"),
            }
        }
    }

    #[test]
    fn what_is_no_header_of_ours_is_told_apart() {
        assert_eq!(FileHeader::find(&[0; BLOCK_BYTES]), FoundHeader::Blank);
        assert_eq!(FileHeader::find(&[1; BLOCK_BYTES]), FoundHeader::Damaged);
        let mut late = [0; BLOCK_BYTES];
        late[4000] = 1;
        assert_eq!(FileHeader::find(&late), FoundHeader::Damaged);
        let mut newer = FILE.encode();
        newer[8] = 2;
        let crc = checksum(&newer[..FILE_HEADER_BYTES - 4]).to_le_bytes();
        newer[FILE_HEADER_BYTES - 4..FILE_HEADER_BYTES].copy_from_slice(&crc);
        newer[SECOND_COPY_AT] = 0;
        assert_eq!(FileHeader::find(&newer), FoundHeader::OtherFormat(2));
    }

    #[test]
    fn a_header_of_another_version_is_known_by_what_both_copies_begin_with() {
        let mut newer = FILE.encode();
        for at in [0, SECOND_COPY_AT] {
            newer[at + 8] = 2;
            newer[at + 12..at + 100].fill(0xa5);
        }
        assert_eq!(FileHeader::find(&newer), FoundHeader::OtherFormat(2));
        let mut one_says_so = newer;
        one_says_so[SECOND_COPY_AT + 8] = 3;
        assert_eq!(FileHeader::find(&one_says_so), FoundHeader::Damaged);
        let mut damaged = newer;
        (damaged[8], damaged[SECOND_COPY_AT + 8]) = (1, 1);
        assert_eq!(FileHeader::find(&damaged), FoundHeader::Damaged);
        assert_eq!(FileHeader::find(&newer[..SECOND_COPY_AT]), FoundHeader::Damaged);
    }

    #[test]
    fn a_header_half_written_over_an_older_one_is_the_new_one() {
        let newer = FileHeader { number: JournalFile(9), ..FILE };
        for (first, second) in [(FILE, newer), (newer, FILE)] {
            let mut block = first.encode();
            block[SECOND_COPY_AT..].copy_from_slice(&second.encode()[SECOND_COPY_AT..]);
            assert_eq!(FileHeader::find(&block), FoundHeader::Valid { header: newer, intact: false });
        }
    }

    #[test]
    fn a_batch_is_read_as_it_was_written() {
        let (head, chunks) = head();
        let found = BatchHeader::find(&head, &FILE, BATCH.offset).unwrap();
        assert_eq!(found.header, BATCH);
        assert_eq!((found.head_len(), found.body_len), (head.len() as u64, 8));
        assert_eq!(found.end(), 12_288 + head.len() as u64 + 8);
        assert_eq!(found.table(&head), Some(chunks));
    }

    #[test]
    fn any_flipped_bit_and_any_truncation_of_a_batch_header_is_found() {
        let (head, _) = head();
        for at in 0..head.len() * 8 {
            let mut damaged = head.clone();
            damaged[at / 8] ^= 1 << (at % 8);
            let found = BatchHeader::find(&damaged, &FILE, BATCH.offset);
            assert_eq!(found.is_some(), at / 8 >= BATCH_HEADER_BYTES, "{at}");
            assert_eq!(found.and_then(|found| found.table(&damaged)), None, "{at}");
        }
        for len in 0..head.len() {
            let found = BatchHeader::find(&head[..len], &FILE, BATCH.offset);
            assert_eq!(found.and_then(|found| found.table(&head[..len])), None, "{len}");
        }
    }

    #[test]
    fn a_batch_of_another_file_salt_or_place_is_none() {
        let (head, _) = head();
        let other_file = FileHeader { number: JournalFile(6), ..FILE };
        let other_salt = FileHeader { salt: 1, ..FILE };
        assert_eq!(BatchHeader::find(&head, &other_file, BATCH.offset), None);
        assert_eq!(BatchHeader::find(&head, &other_salt, BATCH.offset), None);
        assert_eq!(BatchHeader::find(&head, &FILE, BATCH.offset + 4096), None);
    }

    #[test]
    fn batches_begin_at_multiples_of_a_block() {
        for (end, next) in [(0, 0), (1, 4096), (4096, 4096), (4097, 8192), (12_287, 12_288)] {
            assert_eq!(next_offset(end), next);
        }
    }
}
