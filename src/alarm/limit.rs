//! A limit that can be changed while the broker runs, and who set it.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Who set a limit last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetBy {
    /// A file, the environment, a flag or the default.
    Configuration,
    /// An operator, for as long as the broker runs or until its configuration is read again.
    Operator,
}

/// A limit in bytes.
#[derive(Debug)]
pub(super) struct Limit {
    /// The key of the configuration that it comes from.
    key: &'static str,
    bytes: AtomicU64,
    by_operator: AtomicBool,
}

impl Limit {
    pub(super) const fn new(key: &'static str, bytes: u64) -> Self {
        Self { key, bytes: AtomicU64::new(bytes), by_operator: AtomicBool::new(false) }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn set(&self, bytes: u64, by: SetBy) {
        self.by_operator.store(by == SetBy::Operator, Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
    }
}

/// Where it is set.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.by_operator.load(Ordering::Relaxed) {
            write!(f, "set while running, in the place of {}", self.key)
        } else {
            write!(f, "set by {}", self.key)
        }
    }
}
