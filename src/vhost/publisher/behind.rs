//! Publishers that should wait.

use std::sync::Arc;

use crate::queue::Queue;
use crate::queue::delivery::Recipient;
use crate::queue::queue::Pressure;
use crate::rate::RateMeter;
use crate::time::Time;

/// Who is so far behind that its publishers should wait.
pub enum Behind {
    /// The consumers of a queue.
    Queue(Arc<Queue>),
    /// A requester that gets direct replies.
    Requester(Arc<dyn Recipient>),
    /// Nobody, but more is published than may be.
    Over(Arc<RateMeter>),
}

impl Behind {
    /// Whether it still is.
    pub fn persists(&self) -> bool {
        match self {
            Self::Queue(queue) => queue.pressure() == Pressure::Behind,
            Self::Requester(recipient) => !recipient.has_room(),
            Self::Over(meter) => {
                let now = Time::now();
                meter.eased_at(now) > now
            }
        }
    }

    /// The limit that is passed.
    pub fn over(&self) -> Option<&Arc<RateMeter>> {
        match self {
            Self::Over(meter) => Some(meter),
            Self::Queue(_) | Self::Requester(_) => None,
        }
    }
}
