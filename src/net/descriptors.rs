//! How many descriptors the process may have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are not connections: files, listeners, runtimes, a few in reserve.
const RESERVED: u64 = 128;

/// Raises the soft limit of descriptors to the hard one, and returns how many connections that leaves room for.
pub fn raise_descriptor_limit() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    let connections = current.unwrap_or(u64::MAX).saturating_sub(RESERVED).max(1);
    usize::try_from(connections).unwrap_or(usize::MAX)
}
