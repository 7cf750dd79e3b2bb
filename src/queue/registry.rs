//! The queues of a virtual host by name. This is also the default exchange: its binding keys are the names.
//!
//! No guard of the map leaves this file.

use std::sync::Arc;

use dashmap::DashMap;

use super::queue::Queue;
use crate::name::QueueName;

/// The queues of a virtual host.
#[derive(Default)]
pub struct Registry {
    queues: DashMap<QueueName, Arc<Queue>, foldhash::quality::RandomState>,
}

impl Registry {
    /// The queue of that name.
    pub fn get(&self, name: &str) -> Option<Arc<Queue>> {
        self.queues.get(name).map(|queue| Arc::clone(&queue))
    }

    /// Enters a queue under its name, in the place of one that has it, and makes it known to its store.
    pub fn insert(&self, queue: &Arc<Queue>) {
        queue.register();
        self.queues.insert(queue.name().clone(), Arc::clone(queue));
    }

    /// Removes exactly this queue; one that was declared under its name meanwhile stays.
    pub fn remove(&self, queue: &Queue) -> bool {
        self.queues.remove_if(queue.name().as_str(), |_, present| present.id() == queue.id()).is_some()
    }

    /// All queues, in no order.
    pub fn all(&self) -> Vec<Arc<Queue>> {
        self.queues.iter().map(|queue| Arc::clone(&queue)).collect()
    }

    /// How many queues there are.
    pub fn len(&self) -> usize {
        self.queues.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }
}
