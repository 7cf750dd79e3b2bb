//! A connection as an operator sees it. Its task writes it and never waits for those who read.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::channel::entry::ChannelEntry;
use crate::count::{Count, Traffic};

/// An open connection, for an operator.
#[derive(Debug, Default)]
pub struct ConnectionEntry {
    /// Bytes that came and went, which its virtual host counts too...
    pub traffic: Arc<Traffic>,
    /// ...in so many reads...
    pub reads: Count,
    /// ...and so many writes.
    pub writes: Count,
    /// Bytes that wait to be written.
    pub pending_bytes: Count,
    /// A leaf lock, taken to open and to close a channel.
    channels: Mutex<BTreeMap<u16, Arc<ChannelEntry>>>,
}

impl ConnectionEntry {
    /// One whose bytes are counted there, and of which nothing else is known yet.
    pub fn counting(traffic: &Arc<Traffic>) -> Self {
        Self { traffic: Arc::clone(traffic), ..Self::default() }
    }

    /// Its open channels, in the order of their numbers.
    pub fn channels(&self) -> Vec<Arc<ChannelEntry>> {
        self.lock().values().cloned().collect()
    }

    /// How many there are.
    pub fn channel_count(&self) -> usize {
        self.lock().len()
    }

    pub(super) fn open(&self, channel: &Arc<ChannelEntry>) {
        self.lock().insert(channel.whose.number, Arc::clone(channel));
    }

    pub(super) fn close(&self, channel: u16) -> bool {
        self.lock().remove(&channel).is_some()
    }

    pub(super) fn close_all(&self) -> usize {
        std::mem::take(&mut *self.lock()).len()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u16, Arc<ChannelEntry>>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
