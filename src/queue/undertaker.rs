//! Who sees to what a queue cannot do by itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use super::Queue;
use super::core::{Dead, Due};
use crate::place::{Position, QueueId};

/// Sees to what a queue decided and cannot do alone, since it concerns others. Called with no lock held.
pub trait Undertaker: Send + Sync {
    /// Messages are to leave: they go where dead messages go, then [have left](Queue::left).
    fn bury(&self, queue: &Arc<Queue>, dead: Vec<Dead>);

    /// Messages of this queue were journalled and are gone: that they are done with is to be written.
    fn settle(&self, queue: QueueId, gone: Vec<Position>);

    /// Messages are due that waited for it: they go on from here with their times behind them, then [have left](Queue::left).
    fn due(&self, queue: &Arc<Queue>, due: Vec<Due>);

    /// The queue has deleted itself, since nobody used it.
    fn expired(&self, queue: &Arc<Queue>);
}

/// Where a queue finds its undertaker, once there is one.
#[derive(Clone, Default)]
pub struct UndertakerCell(Arc<Cell>);

#[derive(Default)]
struct Cell {
    undertaker: OnceLock<Weak<dyn Undertaker>>,
    /// How often messages have left queues by themselves, or all at once.
    stirs: AtomicU64,
}

impl UndertakerCell {
    /// Appoints the undertaker; the first one stays.
    pub fn appoint(&self, undertaker: Weak<dyn Undertaker>) {
        // Whoever came second has no queues here.
        let _ = self.0.undertaker.set(undertaker);
    }

    /// The undertaker, if there is one.
    pub fn undertaker(&self) -> Option<Arc<dyn Undertaker>> {
        self.0.undertaker.get()?.upgrade()
    }

    /// Something has happened to a queue that no channel counts.
    pub(super) fn stir(&self) {
        self.0.stirs.fetch_add(1, Ordering::Relaxed);
    }

    /// How often that was so.
    pub fn stirs(&self) -> u64 {
        self.0.stirs.load(Ordering::Relaxed)
    }
}
