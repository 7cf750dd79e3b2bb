//! Publishers that should wait.

use std::sync::Arc;

use crate::queue::Queue;
use crate::queue::delivery::Recipient;
use crate::queue::queue::Pressure;

/// Who is so far behind that its publishers should wait.
pub enum Behind {
    /// The consumers of a queue.
    Queue(Arc<Queue>),
    /// A requester that gets direct replies.
    Requester(Arc<dyn Recipient>),
}

impl Behind {
    /// Whether it still is.
    pub fn persists(&self) -> bool {
        match self {
            Self::Queue(queue) => queue.pressure() == Pressure::Behind,
            Self::Requester(recipient) => !recipient.has_room(),
        }
    }
}
