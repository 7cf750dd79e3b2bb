//! Segments: files of a queue with blocks of packed messages that outlived the journal or left memory.
//!
//! ```text
//! header   magic "LVRTSEGM", format u32, queue u64, number u32, journalled u32, crc32c                     32 bytes
//! block*   magic u32, index u32, first u64, last u64, count u32, payload length u32, payload crc32c,
//!          crc32c of this header                                                                           40 bytes
//!          payload: records as in [`block`]
//! footer   magic u32, number of blocks u32, for each: offset of its payload u64, first u64, last u64,
//!          count u32, payload length u32, payload crc32c
//! trailer  offset of the footer u64, its length u32, its crc32c, magic u32, crc32c of the trailer          24 bytes
//! ```
//!
//! All numbers are little endian. Every checksum but a payload's goes on from one of the file's identity (queue, number,
//! kind), so that no part of another segment passes for one of this. Only the footer is read at a start; where it is missing
//! or bad, the chain of block headers says the same.

pub mod block;
pub mod file;
pub mod table;
