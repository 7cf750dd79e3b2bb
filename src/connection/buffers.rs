//! Buffers of a worker's thread, lent to the connection that has bytes: an idle connection holds none.

use std::cell::RefCell;

use bytes::BytesMut;

/// The smallest read buffer, in bytes.
const READ_MIN: usize = 4 * 1024;
/// The largest, in bytes: the allocator hands out up to this size without going to the system.
const READ_MAX: usize = 128 * 1024;
/// How many emptied write buffers a thread keeps.
const KEEP: usize = 8;
/// Write buffers that are larger are not kept, in bytes.
const KEEP_MAX: usize = 1024 * 1024;

thread_local! {
    static READ: RefCell<BytesMut> = RefCell::new(BytesMut::new());
    static WRITE: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

/// How much a connection reads at a time: it follows what came, so that what pins a buffer pins little that is not
/// its own, and a busy connection reads much at once.
#[derive(Clone, Copy, Debug)]
pub struct ReadSize(usize);

impl Default for ReadSize {
    fn default() -> Self {
        Self(READ_MIN)
    }
}

impl ReadSize {
    /// An empty buffer with room for `before` bytes and a read. Each read has one of its own: messages are slices of it,
    /// and cores that drop them share no count with the one that reads on.
    pub fn take_buffer(self, before: usize) -> BytesMut {
        let wanted = self.0.saturating_add(before);
        let kept = READ.take();
        if (wanted..=wanted.saturating_mul(2)).contains(&kept.capacity()) {
            kept
        } else {
            BytesMut::with_capacity(wanted)
        }
    }

    /// A read gave `count` bytes.
    pub fn adapt(&mut self, count: usize) {
        if count >= self.0 {
            self.0 = self.0.saturating_mul(2).min(READ_MAX);
        } else if count < self.0 / 4 {
            self.0 = (self.0 / 2).max(READ_MIN);
        }
    }
}

/// Gives a read buffer back that nothing refers to.
pub fn keep_read_buffer(mut buffer: BytesMut) {
    buffer.clear();
    READ.set(buffer);
}

/// An empty buffer to write into.
pub fn take_write_buffer() -> BytesMut {
    WRITE.with_borrow_mut(Vec::pop).unwrap_or_else(|| BytesMut::with_capacity(4096))
}

/// Gives a write buffer back.
pub fn keep_write_buffer(mut buffer: BytesMut) {
    WRITE.with_borrow_mut(|kept| {
        if kept.len() < KEEP && buffer.capacity() <= KEEP_MAX {
            buffer.clear();
            kept.push(buffer);
        }
    });
}
