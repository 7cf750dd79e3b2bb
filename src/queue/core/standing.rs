//! What an operator changes while the queue is used: what is in force, and whether anything is delivered.

use std::sync::Arc;

use super::QueueCore;
use crate::queue::terms::Terms;

impl QueueCore {
    /// What is in force from now on. Follow with [`Self::deliver`] and [`Self::trim`]. Needs [the time](Self::at).
    pub fn set_terms(&mut self, terms: Arc<Terms>) {
        self.is_plain = *terms == Terms::default() && self.groups.is_none();
        self.counts = terms.counts();
        let before = std::mem::replace(&mut self.terms, terms).consumer_timeout;
        self.look_at_clock();
        if self.terms.consumer_timeout != before {
            self.time_deliveries_anew();
        }
    }

    /// What is in force.
    pub fn terms(&self) -> &Arc<Terms> {
        &self.terms
    }

    /// Gives nothing to anybody from now on, or gives again: follow with [`Self::deliver`] then.
    pub fn pause(&mut self, paused: bool) {
        self.consumers.pause(paused);
    }

    /// Whether it gives nothing to anybody.
    pub fn is_paused(&self) -> bool {
        self.consumers.is_paused()
    }
}
