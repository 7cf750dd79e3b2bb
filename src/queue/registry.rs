//! The queues of a virtual host by name. This is also the default exchange: its binding keys are the names.
//!
//! No guard of the map leaves this file.

use std::sync::Arc;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;

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

    /// The queue of that name, or the one that `make` makes; says whether it was made.
    pub fn get_or_insert(&self, name: &QueueName, make: impl FnOnce() -> Queue) -> (Arc<Queue>, bool) {
        match self.queues.entry(name.clone()) {
            Entry::Occupied(entry) => (Arc::clone(entry.get()), false),
            Entry::Vacant(entry) => (Arc::clone(&entry.insert(Arc::new(make()))), true),
        }
    }

    /// Removes exactly this queue; one that was declared under its name meanwhile stays.
    pub fn remove(&self, queue: &Queue) -> bool {
        self.queues.remove_if(queue.name().as_str(), |_, present| present.id() == queue.id()).is_some()
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
