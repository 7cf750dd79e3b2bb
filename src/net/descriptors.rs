//! How many descriptors the process may have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are neither connections nor segments: the files of the journal, definitions, listeners, runtimes, a few
/// in reserve. Without one for its next file the journal would stand still.
const RESERVED: u64 = 128;
/// At least so many segments may be open...
const SEGMENTS_MIN: u64 = 128;
/// ...and at most so many: with many queues whose backlogs are on the disk, closing one costs a sync.
const SEGMENTS_MAX: u64 = 4096;
/// Between these it is this part of the descriptors.
const SEGMENTS_PART: u64 = 16;

/// How many files this process has open; nothing where the system does not say.
pub fn open_descriptors() -> Option<usize> {
    // The one that the list is read from is closed again.
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1))
}

/// Raises the soft limit of descriptors to the hard one, and returns how many connections that leaves room for.
pub fn raise_descriptor_limit() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    // Where it may not be raised it stays.
    let _ = setrlimit(Resource::Nofile, raised);
    max_connections()
}

/// How many connections the limit of descriptors leaves room for.
pub fn max_connections() -> usize {
    let current = getrlimit(Resource::Nofile).current;
    usize::try_from(connections_within(current.unwrap_or(u64::MAX))).unwrap_or(usize::MAX)
}

/// How many connections so many descriptors leave room for.
pub fn connections_with(descriptors: u64) -> u64 {
    connections_within(descriptors)
}

/// How many segments may be open, with the descriptors that the process [will have](raise_descriptor_limit).
pub fn open_segments() -> usize {
    let most = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    usize::try_from(segments_within(most)).unwrap_or(usize::MAX)
}

fn segments_within(descriptors: u64) -> u64 {
    (descriptors / SEGMENTS_PART).clamp(SEGMENTS_MIN, SEGMENTS_MAX)
}

/// How many of so many descriptors may be connections: those that are not reserved, but half of them where there are few.
fn connections_within(descriptors: u64) -> u64 {
    let reserved = RESERVED.saturating_add(segments_within(descriptors));
    descriptors.saturating_sub(reserved).max(descriptors / 2).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_the_descriptors_that_the_store_needs() {
        for (descriptors, connections) in
            [(0, 1), (100, 50), (300, 150), (512, 256), (1024, 768), (20_000, 18_622), (1 << 20, 1_044_352)]
        {
            assert_eq!(connections_within(descriptors), connections, "{descriptors}");
        }
    }
}
