//! Blocks that are not read at present: memory is short, and whoever wants them holds much already.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use foldhash::HashSet;

use super::stored::BlockPlace;
use crate::place::QueueId;

/// The memory of the whole broker, as far as the store has to know of it.
pub trait LiveMemory: Send + Sync {
    /// Looks whether more is live than there may be. Asked once a block that is read.
    fn is_short(&self) -> bool;
}

/// The blocks, in the order in which they were wanted.
#[derive(Default)]
pub struct HeldLoads {
    memory: OnceLock<Arc<dyn LiveMemory>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    loads: VecDeque<(QueueId, BlockPlace)>,
    /// The queues of which it was said, since memory was last enough.
    told: HashSet<QueueId>,
}

impl HeldLoads {
    /// From now on this memory is asked; before that there is always enough. Once.
    pub fn watch(&self, memory: Arc<dyn LiveMemory>) {
        let _ = self.memory.set(memory);
    }

    /// Whether memory is short at present.
    pub fn is_memory_short(&self) -> bool {
        let is_short = self.memory.get().is_some_and(|memory| memory.is_short());
        if !is_short {
            self.lock().told.clear();
        }
        is_short
    }

    /// Holds a block; whether it is the first of its queue since memory was last enough.
    pub fn hold(&self, id: QueueId, place: BlockPlace) -> bool {
        let mut state = self.lock();
        state.loads.push_back((id, place));
        state.told.insert(id)
    }

    /// Takes the one that has waited longest.
    pub fn take_first(&self) -> Option<(QueueId, BlockPlace)> {
        self.lock().loads.pop_front()
    }

    /// Takes all.
    pub fn take_all(&self) -> VecDeque<(QueueId, BlockPlace)> {
        std::mem::take(&mut self.lock().loads)
    }

    /// Whether there are any.
    pub fn any(&self) -> bool {
        !self.lock().loads.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for HeldLoads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldLoads").field("loads", &self.lock().loads.len()).finish_non_exhaustive()
    }
}
