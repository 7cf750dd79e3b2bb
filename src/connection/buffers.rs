//! Buffers of a worker's thread, lent to the connection that has bytes: an idle connection holds none.

use std::cell::RefCell;

use bytes::BytesMut;

/// What a read asks the socket for at least, in bytes.
const READ_MIN: usize = 32 * 1024;
/// The size of a new buffer, in bytes.
const BUFFER_BYTES: usize = 256 * 1024;
/// How many emptied write buffers a thread keeps.
const KEEP: usize = 8;

thread_local! {
    static READ: RefCell<BytesMut> = RefCell::new(BytesMut::new());
    static WRITE: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

/// Lends the thread's read buffer, empty, with room for `before` bytes and a read. What `read` splits off lives on.
pub fn with_read_buffer<R>(before: usize, read: impl FnOnce(&mut BytesMut) -> R) -> R {
    READ.with_borrow_mut(|buffer| {
        buffer.clear();
        if buffer.capacity() < before.saturating_add(READ_MIN) {
            *buffer = BytesMut::with_capacity(BUFFER_BYTES.max(before.saturating_add(READ_MIN)));
        }
        read(buffer)
    })
}

/// An empty buffer to write into.
pub fn take_write_buffer() -> BytesMut {
    WRITE.with_borrow_mut(Vec::pop).unwrap_or_else(|| BytesMut::with_capacity(4096))
}

/// Gives a write buffer back.
pub fn keep_write_buffer(mut buffer: BytesMut) {
    WRITE.with_borrow_mut(|kept| {
        if kept.len() < KEEP && buffer.capacity() <= 4 * BUFFER_BYTES {
            buffer.clear();
            kept.push(buffer);
        }
    });
}
