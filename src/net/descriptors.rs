//! How many descriptors the process may have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are not connections: up to 128 open segments, the files of the journal, definitions, listeners,
/// runtimes, a few in reserve. Without one for its next file the journal would stand still.
const RESERVED: u64 = 256;

/// Raises the soft limit of descriptors to the hard one, and returns how many connections that leaves room for.
pub fn raise_descriptor_limit() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    usize::try_from(connections_within(current.unwrap_or(u64::MAX))).unwrap_or(usize::MAX)
}

/// How many of so many descriptors may be connections: those that are not reserved, but half of them where there are few.
fn connections_within(descriptors: u64) -> u64 {
    descriptors.saturating_sub(RESERVED).max(descriptors / 2).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_the_descriptors_that_the_store_needs() {
        for (descriptors, connections) in
            [(0, 1), (100, 50), (300, 150), (512, 256), (1024, 768), (1 << 20, 1_048_320)]
        {
            assert_eq!(connections_within(descriptors), connections, "{descriptors}");
        }
    }
}
