//! How many bytes of the heap are live, exactly and cheaply.
//!
//! The resident size of a process includes what its allocator holds back, so that it does not fall when messages
//! leave. [`CountedHeap`] counts the bytes that are asked for and given back instead. Each thread adds to a counter of
//! its own cache line; only the sum of all of them means anything, since what one thread allocates another may free.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

/// More than the threads of most brokers; beyond it threads share a counter, which is slower but as exact.
const COUNTERS: usize = 64;

/// A counter on a cache line (and the one that the processor fetches with it) of its own.
#[repr(align(128))]
struct Counter(AtomicI64);

static LIVE: [Counter; COUNTERS] = [const { Counter(AtomicI64::new(0)) }; COUNTERS];
static NEXT_THREAD: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Constant and without a destructor: using it neither allocates nor fails while a thread ends.
    static COUNTER: Cell<Option<usize>> = const { Cell::new(None) };
}

fn count(bytes: i64) {
    let index = COUNTER.get().unwrap_or_else(|| {
        let index = NEXT_THREAD.fetch_add(1, Ordering::Relaxed) % COUNTERS;
        COUNTER.set(Some(index));
        index
    });
    if let Some(counter) = LIVE.get(index) {
        counter.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// A layout's size never exceeds `isize::MAX`, so that nothing is cut off.
#[allow(clippy::cast_possible_wrap)]
fn signed(bytes: usize) -> i64 {
    bytes as i64
}

/// Bytes that are allocated and not yet freed, as they were asked for; 0 unless [`CountedHeap`] is the process's
/// global allocator. Sums 64 counters: read it some times a second, not a message.
pub fn live_bytes() -> u64 {
    let sum: i64 = LIVE.iter().map(|counter| counter.0.load(Ordering::Relaxed)).sum();
    u64::try_from(sum).unwrap_or(0)
}

/// An allocator that counts what passes through it.
#[derive(Debug, Default)]
pub struct CountedHeap<A>(pub A);

// SAFETY: every call is passed on unchanged to `A`, which fulfils `GlobalAlloc`'s contract, and its answer is passed
// back unchanged, so that the contract is fulfilled here too. Counting touches no allocated memory, does not allocate
// (a static array and a constant thread-local without destructor), cannot panic (the index is checked, the addition
// wraps) and so cannot unwind or re-enter the allocator.
unsafe impl<A: GlobalAlloc> GlobalAlloc for CountedHeap<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises about `layout` are those that `A` asks for.
        let block = unsafe { self.0.alloc(layout) };
        if !block.is_null() {
            count(signed(layout.size()));
        }
        block
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as in `alloc`.
        let block = unsafe { self.0.alloc_zeroed(layout) };
        if !block.is_null() {
            count(signed(layout.size()));
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: `block` came from this allocator with this layout, hence from `A`.
        unsafe { self.0.dealloc(block, layout) };
        count(-signed(layout.size()));
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as in `dealloc`; the caller's promises about `new_size` are those that `A` asks for.
        let moved = unsafe { self.0.realloc(block, layout, new_size) };
        if !moved.is_null() {
            count(signed(new_size) - signed(layout.size()));
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::alloc::System;

    // One test, since the counters are the process's.
    #[test]
    fn what_is_allocated_is_live_until_it_is_freed_whichever_thread_frees_it() {
        let heap = CountedHeap(System);
        let small = Layout::from_size_align(100, 8).unwrap();
        let large = Layout::from_size_align(1000, 8).unwrap();
        assert_eq!(live_bytes(), 0);
        // SAFETY: the layouts are not of size 0, and each block is freed once with the layout it has.
        let address = unsafe {
            let block = heap.alloc(small);
            assert_eq!(live_bytes(), 100);
            let zeroed = heap.alloc_zeroed(small);
            assert_eq!(live_bytes(), 200);
            heap.dealloc(zeroed, small);
            let grown = heap.realloc(block, small, 1000);
            assert_eq!(live_bytes(), 1000);
            grown as usize
        };
        // SAFETY: the block was grown to `large` and belongs to nobody else.
        let free = move || unsafe { CountedHeap(System).dealloc(address as *mut u8, large) };
        std::thread::spawn(free).join().unwrap();
        assert_eq!(live_bytes(), 0);
    }
}
