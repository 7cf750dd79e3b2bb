//! The thread that moves blocks of ready messages out of memory, without a sync: what is journalled is in the journal until
//! a checkpoint, and what is transient ends with the broker.

use std::io;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::handle::Pages;
use super::segment_store::SegmentStore;
use super::segments::QueueSegments;
use super::spell::Spell;
use super::stored::{OutBlock, Stored};
use crate::place::QueueId;

/// How long to wait before a write is tried again that failed.
const RETRY: Duration = Duration::from_secs(1);

/// Serves requests until the store is closed.
pub(super) fn run(store: &SegmentStore) {
    let mut fails = false;
    let mut told = Spell::default();
    while let Some(id) = store.page_outs.pop() {
        let written = page_out(store, id);
        let failed = match &written {
            // There may be more: portions of other queues come in between.
            Ok(bytes) if *bytes > 0 && store.budget().is_passed() => {
                store.page_outs.push(id);
                false
            }
            // That a queue has nothing to write says nothing of the disk while others have.
            Ok(0) => fails && !store.page_outs.is_last(),
            Ok(_) => false,
            Err(error) => {
                if told.goes_on(Instant::now()) {
                    tracing::error!(
                        "cannot write a backlog to the disk: {error}; publishers are blocked, tried again every second"
                    );
                }
                store.page_outs.push(id);
                true
            }
        };
        if !failed && told.ends() {
            tracing::info!("backlogs can be written to the disk again");
        }
        fails = failed;
        store.trouble.pager_full.store(failed, Ordering::Relaxed);
        store.page_outs.done();
        if written.is_err() && store.page_outs.closed_within(RETRY) {
            return;
        }
    }
}

/// Writes one portion of a queue's backlog and gives its size in bytes.
pub(super) fn page_out(store: &SegmentStore, id: QueueId) -> io::Result<usize> {
    let Some(stored) = store.queues.get(id) else { return Ok(0) };
    let Some(queue) = stored.queue() else { return Ok(0) };
    // Held until the queue knows the new places, so that a checkpoint neither sees nor writes these blocks meanwhile.
    let mut segments = stored.segments();
    if segments.is_gone() {
        return Ok(0);
    }
    let blocks = queue.outgoing(store.limits.blocks_kept, store.limits.page_bytes);
    let bytes = blocks.iter().map(|block| block.bytes.len()).sum();
    for journalled in [true, false] {
        let blocks: Vec<OutBlock> =
            blocks.iter().filter(|block| block.journalled == journalled).cloned().collect();
        write(store, &mut segments, &*queue, &blocks, true)?;
    }
    Ok(bytes)
}

/// Writes blocks of one kind to the queue's segment, in portions, and tells the queue where they are.
pub(super) fn write(
    store: &SegmentStore,
    segments: &mut QueueSegments,
    queue: &dyn Stored,
    blocks: &[OutBlock],
    evict: bool,
) -> io::Result<()> {
    let mut rest = blocks;
    while !rest.is_empty() {
        let mut bytes = 0_usize;
        let fits = |block: &&OutBlock| {
            bytes = bytes.saturating_add(block.bytes.len());
            bytes <= store.limits.page_bytes
        };
        let count = rest.iter().take_while(fits).count().max(1);
        let (portion, others) = rest.split_at(count.min(rest.len()));
        let places = segments.append(&store.files, portion)?;
        for (block, place) in portion.iter().zip(places) {
            queue.stored(block, place, evict);
        }
        rest = others;
    }
    Ok(())
}
