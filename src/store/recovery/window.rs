//! A file read from front to back through one buffer, so that recovery needs no more memory for a large journal than
//! for a small one.

use std::io;
use std::sync::Arc;

use crate::store::disk::DiskFile;

/// So much is read at once when less is asked for.
const READ_BYTES: u64 = 1024 * 1024;
/// A buffer that had to be larger than this is not kept.
const KEPT_MAX_BYTES: usize = 32 * 1024 * 1024;

/// A part of a file in memory, moved forward as bytes are asked for.
pub(super) struct Window {
    file: Arc<dyn DiskFile>,
    len: u64,
    buffer: Vec<u8>,
    /// Where in the file the buffer begins, and how much of it was read.
    start: u64,
    filled: usize,
}

impl Window {
    pub(super) fn new(file: Arc<dyn DiskFile>) -> io::Result<Self> {
        let len = file.len()?;
        Ok(Self { file, len, buffer: Vec::new(), start: 0, filled: 0 })
    }

    /// The file's length in bytes.
    pub(super) fn file_len(&self) -> u64 {
        self.len
    }

    /// The bytes from `offset` on, `len` of them; they stay in memory until others are asked for that are not near.
    /// Nothing is allocated for what the file does not have.
    pub(super) fn get(&mut self, offset: u64, len: u64) -> io::Result<&[u8]> {
        let end =
            offset.checked_add(len).filter(|end| *end <= self.len).ok_or(io::ErrorKind::UnexpectedEof)?;
        if offset < self.start || end > self.end() {
            let ahead = end.max(offset.saturating_add(READ_BYTES)).min(self.len);
            // Where a part of what was to be read ahead is unreadable, what was asked for may not be.
            self.load(offset, ahead).or_else(|_| self.load(offset, end))?;
        }
        let from = usize::try_from(offset.saturating_sub(self.start)).unwrap_or(usize::MAX);
        let to = usize::try_from(end.saturating_sub(self.start)).unwrap_or(usize::MAX);
        self.buffer.get(from..to).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn end(&self) -> u64 {
        self.start.saturating_add(self.filled as u64)
    }

    /// Has the buffer hold all from `offset` to `end`; what of it is there already is moved, not read again.
    fn load(&mut self, offset: u64, end: u64) -> io::Result<()> {
        let wanted = usize::try_from(end.saturating_sub(offset)).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let here = if (self.start..self.end()).contains(&offset) {
            let from = usize::try_from(offset.saturating_sub(self.start)).unwrap_or(self.filled);
            self.buffer.copy_within(from..self.filled, 0);
            self.filled.saturating_sub(from)
        } else {
            0
        };
        (self.start, self.filled) = (offset, here.min(wanted));
        if self.buffer.capacity() > KEPT_MAX_BYTES && wanted <= KEPT_MAX_BYTES {
            self.buffer.truncate(self.filled);
            self.buffer.shrink_to(KEPT_MAX_BYTES);
        }
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        let rest = self.buffer.get_mut(self.filled..wanted).unwrap_or_default();
        self.file.read_at(rest, offset.saturating_add(self.filled as u64))?;
        self.filled = wanted;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::disk::Disk;
    use crate::store::simulated::{Random, SimDisk};
    use std::path::Path;

    #[test]
    fn any_part_is_read_as_it_is() {
        let disk = SimDisk::new(1);
        let file = disk.create(Path::new("file")).unwrap();
        let mut random = Random::new(1);
        let bytes: Vec<u8> = (0..3_000_000).map(|_| random.number().to_le_bytes()[0]).collect();
        file.write_at(&[&bytes], 0).unwrap();
        let mut window = Window::new(file).unwrap();
        for _ in 0..500 {
            let from = usize::try_from(random.below(3_000_001)).unwrap();
            let len = usize::try_from(random.below(2_000_000)).unwrap() >> random.below(21);
            match bytes.get(from..from + len) {
                Some(expected) => {
                    assert!(window.get(from as u64, len as u64).unwrap() == expected, "{from} {len}");
                }
                None => assert!(window.get(from as u64, len as u64).is_err()),
            }
        }
        assert!(window.get(u64::MAX, 2).is_err());
    }

    #[test]
    fn an_unreadable_part_hides_only_itself() {
        let disk = SimDisk::new(1);
        let file = disk.create(Path::new("file")).unwrap();
        file.write_at(&[&[7; 10_000]], 0).unwrap();
        let mut window = Window::new(file).unwrap();
        disk.fail_read(disk.reads());
        assert_eq!(window.get(0, 100).unwrap(), [7; 100]);
        disk.fail_read(disk.reads());
        disk.fail_read(disk.reads() + 1);
        assert!(window.get(50, 100).is_err());
        assert_eq!(window.get(50, 100).unwrap(), [7; 100]);
    }
}
