//! How long a queue stays that nobody uses: from its declaration, its last get or the end of its last consumer on.

use super::QueueCore;
use crate::time::Time;

impl QueueCore {
    /// Somebody uses the queue, or its last consumer has gone.
    pub fn renew(&mut self, now: Time) {
        self.used = now;
    }

    /// When it is over unless somebody uses it until then; never while it has consumers.
    pub(super) fn lease_end(&self) -> Time {
        match self.terms.expires {
            Some(after) if self.consumers.is_empty() => self.used.plus(after),
            Some(_) | None => Time::NEVER,
        }
    }

    /// Whether nobody has used it for too long: it is to go.
    pub fn is_over(&self, now: Time) -> bool {
        self.lease_end() <= now
    }
}
