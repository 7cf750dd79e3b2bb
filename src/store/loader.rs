//! The threads that bring blocks back from segments. Each block is checked before a message of it is given out.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use rustix::io::Errno;

use super::segment::file::read_block;
use super::segment::table::SegmentId;
use super::segment_store::SegmentStore;
use super::stored::{BlockPlace, Damage};
use super::work_queue::Next;
use crate::place::QueueId;

/// How long to wait when there are no descriptors or no memory.
const RETRY: Duration = Duration::from_millis(100);

/// So much a queue's clients may hold unacked while memory is short, in bytes: with it they can go on, and bring back what
/// they hold.
pub(super) const UNACKED_MAX_BYTES: u64 = 16 * 1024 * 1024;
/// How long to wait before it is looked again whether they have, or whether there is memory.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Serves requests until the store is closed.
pub(super) fn run(store: &SegmentStore) {
    let mut waits = false;
    loop {
        let look_again = store.held_loads.any().then_some(LOOK_AGAIN);
        let (id, place) = match store.loads.next(look_again) {
            Next::Work(work) => work,
            Next::Nothing => {
                store.held_loads.take_all().into_iter().for_each(|work| store.loads.push(work));
                continue;
            }
            Next::Closed => return,
        };
        if holds(store, id, place) {
            store.loads.done();
            continue;
        }
        let wants_more = load(store, id, place).err();
        if let Some(error) = &wants_more {
            if !waits {
                tracing::error!(queue = %id, %error, "backlog cannot be read for want of resources; tried again until it can");
            }
            store.files.close_idle();
            store.loads.push((id, place));
        }
        // Where others are never done they would wait for ever else.
        if let Some(held) = store.held_loads.take_first() {
            store.loads.push(held);
        }
        store.loads.done();
        waits = wants_more.is_some();
        if waits && store.loads.closed_within(RETRY) {
            return;
        }
    }
}

/// Holds a block back, to be asked for again later, while memory is short and its queue's clients hold much of it.
pub(super) fn holds(store: &SegmentStore, id: QueueId, place: BlockPlace) -> bool {
    if !store.held_loads.is_memory_short() {
        return false;
    }
    let Some(queue) = store.queues.get(id).and_then(|stored| stored.queue()) else { return false };
    let unacked_bytes = queue.unacked_memory();
    if unacked_bytes <= UNACKED_MAX_BYTES {
        return false;
    }
    if store.held_loads.hold(id, place) {
        tracing::warn!(
            "queue '{}': its clients hold {} MiB unacked while the memory alarm is set: nothing more of its backlog is \
             read from the disk, and a basic.get waits, until they acknowledge or the alarm clears; let them \
             acknowledge sooner, give them a smaller prefetch, or raise --memory-limit",
            queue.name(),
            unacked_bytes >> 20
        );
    }
    true
}

/// Brings a block to its queue, or the news that it is damaged.
///
/// # Errors
/// There are no descriptors or no memory at present: nothing is wrong with the block.
pub(super) fn load(store: &SegmentStore, id: QueueId, place: BlockPlace) -> io::Result<()> {
    let Some(stored) = store.queues.get(id) else { return Ok(()) };
    let Some(queue) = stored.queue() else { return Ok(()) };
    let segment = SegmentId { queue: id, number: place.segment, journalled: place.journalled };
    let read = match read(store, segment, place) {
        Ok(bytes) => Ok(bytes),
        Err(error) if passes(&error) => return Err(error),
        // Once more: a disk may fail to read once, and memory may flip a bit as well.
        Err(_) => read(store, segment, place),
    };
    if let Ok(bytes) = &read {
        store.moved.in_blocks.fetch_add(1, Ordering::Relaxed);
        store.moved.in_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    }
    let bytes = read.map_err(|error| {
        // What was purged or deleted while it was being read is not damaged.
        if queue.uses_segment(place.segment, place.journalled) {
            stored.segments().damaged(place.segment, place.journalled);
            store.trouble.damaged_blocks.fetch_add(1, Ordering::Relaxed);
            tracing::error!(
                queue = %id, %segment, block = place.index, offset = place.offset, bytes = place.len, %error,
                "messages of a backlog are lost: their block cannot be read; the file is kept",
            );
        }
        Damage(format!("block {} of {segment}: {error}", place.index))
    });
    queue.loaded(place, bytes);
    Ok(())
}

/// Reads a block of a queue.
pub(super) fn read_at(store: &SegmentStore, id: QueueId, place: BlockPlace) -> io::Result<Bytes> {
    read(store, SegmentId { queue: id, number: place.segment, journalled: place.journalled }, place)
}

fn read(store: &SegmentStore, segment: SegmentId, place: BlockPlace) -> io::Result<Bytes> {
    read_block(&*store.files.get(segment)?, place)
}

/// Whether an error says nothing of the file.
pub(super) fn passes(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN | Errno::INTR))
}
