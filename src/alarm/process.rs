//! How much memory the process holds.

use std::fs;

use super::heap::live_bytes;

/// Tells how much memory is used.
pub trait MemoryMeter: std::fmt::Debug + Send + Sync {
    /// What is allocated and not yet freed, in bytes.
    fn live_bytes(&self) -> u64;
    /// What the process occupies beside its files, in bytes: also what its allocator holds back, and its threads' stacks.
    fn resident_bytes(&self) -> u64;
}

/// The memory of this process.
#[derive(Clone, Copy, Debug)]
pub struct ProcessMemory;

impl MemoryMeter for ProcessMemory {
    fn live_bytes(&self) -> u64 {
        live_bytes()
    }

    fn resident_bytes(&self) -> u64 {
        let pages = fs::read_to_string("/proc/self/statm").ok().and_then(|text| anonymous_pages(&text));
        pages.unwrap_or(0).saturating_mul(rustix::param::page_size() as u64)
    }
}

/// What `/proc/self/statm` says of pages that are no file's: the resident ones without the shared ones.
fn anonymous_pages(statm: &str) -> Option<u64> {
    let mut numbers = statm.split_ascii_whitespace().skip(1).map(str::parse::<u64>);
    let (resident, shared) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    Some(resident.saturating_sub(shared))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_are_read_as_the_kernel_writes_them() {
        assert_eq!(anonymous_pages("100000 2500 900 300 0 9000 0\n"), Some(1600));
        for text in ["", "1", "1 2", "1 x 3", "1 2 x"] {
            assert_eq!(anonymous_pages(text), None, "{text}");
        }
        assert!(ProcessMemory.resident_bytes() > 0);
    }
}
