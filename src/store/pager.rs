//! The thread that moves blocks of ready messages out of memory, without a sync: what is journalled is in the journal until
//! a checkpoint, and what is transient ends with the broker.

use std::cmp::Reverse;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::handle::Pages;
use super::segment_store::SegmentStore;
use super::segments::QueueSegments;
use super::spell::Spell;
use super::stored::{OutBlock, Stored};
use super::stored_queues::StoredQueue;
use crate::place::QueueId;

/// How long to wait before a write is tried again that failed.
const RETRY: Duration = Duration::from_secs(1);

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum PageOut {
    /// A portion of this queue's backlog.
    Of(QueueId),
    /// What there is in queues that nobody consumes from.
    Search,
}

/// A queue that nobody consumes from gives up what it has when that is at least this, in bytes: for less it is not worth to
/// have a file...
const IDLE_MIN_BYTES: u64 = 4 * 1024;
/// ...or, when there are many, its share of the budget, but never more than this.
const IDLE_MAX_BYTES: u64 = 64 * 1024;

/// Serves requests until the store is closed.
pub(super) fn run(store: &SegmentStore) {
    let mut fails = false;
    let mut told = Spell::default();
    while let Some(work) = store.page_outs.pop() {
        let written = serve(store, work);
        let failed = match &written {
            // There may be more: portions of other queues come in between.
            Ok(bytes) if *bytes > 0 && store.budget().is_passed() => {
                store.page_outs.push(work);
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
                store.page_outs.push(work);
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

/// Does what is asked for and gives how many bytes were written.
pub(super) fn serve(store: &SegmentStore, work: PageOut) -> io::Result<usize> {
    match work {
        PageOut::Of(id) => page_out(store, id),
        PageOut::Search => search(store),
    }
}

/// Writes one portion of a queue's backlog and gives its size in bytes.
pub(super) fn page_out(store: &SegmentStore, id: QueueId) -> io::Result<usize> {
    let Some(stored) = store.queues.get(id) else { return Ok(0) };
    portion(store, &stored, |queue| queue.outgoing(store.limits.blocks_kept, store.limits.page_bytes))
}

/// Writes what queues have in memory that nobody consumes from, those with the most first, until three quarters of the
/// budget are left, and gives the size of all in bytes.
pub(super) fn search(store: &SegmentStore) -> io::Result<usize> {
    let budget = store.budget();
    if !budget.wants_search() {
        return Ok(0);
    }
    let with_memory = |stored: Arc<StoredQueue>| {
        let memory = stored.queue()?.idle_memory();
        (memory >= IDLE_MIN_BYTES).then_some((memory, stored))
    };
    let mut idle: Vec<_> = store.queues.all().into_iter().filter_map(with_memory).collect();
    idle.sort_unstable_by_key(|(memory, _)| Reverse(*memory));
    let share = budget.limit().checked_div(idle.len() as u64).unwrap_or(0);
    let least = share.clamp(IDLE_MIN_BYTES, IDLE_MAX_BYTES);
    let mut bytes = 0_usize;
    for (_, stored) in idle.iter().take_while(|(memory, _)| *memory >= least) {
        if budget.used() <= budget.limit() / 4 * 3 || store.page_outs.is_closed() {
            break;
        }
        let written = page_out_idle(store, stored)?;
        bytes = bytes.saturating_add(written);
    }
    budget.searched();
    Ok(bytes)
}

/// Writes what a queue has in memory if nobody consumes from it, and gives its size in bytes.
pub(super) fn page_out_idle(store: &SegmentStore, stored: &StoredQueue) -> io::Result<usize> {
    portion(store, stored, |queue| queue.outgoing_idle(store.limits.page_bytes))
}

fn portion(
    store: &SegmentStore,
    stored: &StoredQueue,
    outgoing: impl FnOnce(&dyn Stored) -> Vec<OutBlock>,
) -> io::Result<usize> {
    let Some(queue) = stored.queue() else { return Ok(0) };
    // Held until the queue knows the new places, so that a checkpoint neither sees nor writes these blocks meanwhile.
    let mut segments = stored.segments();
    if segments.is_gone() {
        return Ok(0);
    }
    let mut blocks = outgoing(&*queue);
    blocks.retain(|block| block.leaves.is_empty() || segments.may_move());
    for segment in blocks.iter().flat_map(|block| &block.leaves) {
        segments.moves(*segment);
    }
    let bytes: usize = blocks.iter().map(|block| block.bytes.len()).sum();
    for journalled in [true, false] {
        let blocks: Vec<OutBlock> =
            blocks.iter().filter(|block| block.journalled == journalled).cloned().collect();
        write(store, &mut segments, &*queue, &blocks, true)?;
    }
    store.moved.out_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
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
