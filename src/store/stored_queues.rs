//! The queues that the store knows.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use dashmap::DashMap;

use super::segments::QueueSegments;
use super::stored::Stored;
use crate::place::QueueId;

/// A queue with its segments.
pub struct StoredQueue {
    id: QueueId,
    queue: Mutex<Option<Weak<dyn Stored>>>,
    segments: Mutex<QueueSegments>,
    /// Held while one waits for the segments: the pager, which has one portion after the other to write, would else take
    /// them again and again before a checkpoint that waits for them is awake.
    turn: Mutex<()>,
}

impl StoredQueue {
    /// Which one.
    pub fn id(&self) -> QueueId {
        self.id
    }

    /// The queue, unless it is no more.
    pub fn queue(&self) -> Option<Arc<dyn Stored>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).as_ref()?.upgrade()
    }

    /// Its segments, for as long as the guard lives. For threads of the store alone: they hold this while they write.
    pub fn segments(&self) -> MutexGuard<'_, QueueSegments> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All queues, by id.
pub struct StoredQueues {
    queues: DashMap<QueueId, Arc<StoredQueue>, crate::store::by_id::ById>,
    segment_bytes: u64,
}

impl StoredQueues {
    /// No queues. A segment of one that has reached `segment_bytes` is not added to.
    pub fn new(segment_bytes: u64) -> Self {
        Self { queues: DashMap::default(), segment_bytes }
    }

    /// The queue with this id.
    pub fn get(&self, id: QueueId) -> Option<Arc<StoredQueue>> {
        self.queues.get(&id).map(|queue| Arc::clone(&queue))
    }

    /// The queue with this id, made unless the store knows it.
    pub fn obtain(&self, id: QueueId) -> Arc<StoredQueue> {
        let made = || {
            let segments = Mutex::new(QueueSegments::new(id, self.segment_bytes));
            Arc::new(StoredQueue { id, queue: Mutex::new(None), segments, turn: Mutex::default() })
        };
        Arc::clone(&self.queues.entry(id).or_insert_with(made))
    }

    /// From now on this is the queue with this id.
    pub fn register(&self, id: QueueId, queue: Weak<dyn Stored>) {
        let stored = self.obtain(id);
        *stored.queue.lock().unwrap_or_else(PoisonError::into_inner) = Some(queue);
    }

    /// Forgets a queue.
    pub fn remove(&self, id: QueueId) -> Option<Arc<StoredQueue>> {
        self.queues.remove(&id).map(|(_, queue)| queue)
    }

    /// All of them, in no order.
    pub fn all(&self) -> Vec<Arc<StoredQueue>> {
        self.queues.iter().map(|queue| Arc::clone(&queue)).collect()
    }
}
