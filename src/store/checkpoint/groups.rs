//! What a checkpoint appends to the journal, gathered over queues.

use std::sync::{Arc, MutexGuard};

use foldhash::HashMap;

use crate::config::Durability;
use crate::place::{Batch, JournalFile, Position, SegmentNumber};
use crate::store::journal::{Journal, Ticket};
use crate::store::op::Group;
use crate::store::segment::block::Records;
use crate::store::segments::QueueSegments;
use crate::store::stored::{OutBlock, Returns, Stored};
use crate::store::stored_queues::StoredQueue;

/// Messages of several queues that get into the journal again together: each batch of it takes a block of the disk at least.
pub(super) struct Carrying<'a> {
    /// Taken before any of the queues was asked.
    pub(super) ticket: Ticket,
    pub(super) group: Group,
    pub(super) queues: Vec<CarriedQueue<'a>>,
}

/// What of one queue is gathered.
pub(super) struct CarriedQueue<'a> {
    pub(super) queue: Arc<dyn Stored>,
    pub(super) blocks: Vec<OutBlock>,
    /// The pager neither sees nor writes these blocks until the queue knows where they are.
    _segments: MutexGuard<'a, QueueSegments>,
}

impl<'a> Carrying<'a> {
    pub(super) fn begin(ticket: Ticket) -> Self {
        // Nobody waits for these: what they replace is kept until a record behind them is durable.
        Self { ticket, group: Group::new(Durability::Os), queues: Vec::new() }
    }

    pub(super) fn add(
        &mut self,
        segments: MutexGuard<'a, QueueSegments>,
        queue: Arc<dyn Stored>,
        blocks: Vec<OutBlock>,
    ) {
        if blocks.is_empty() {
            return;
        }
        for block in &blocks {
            let counts: HashMap<Position, Returns> = block.returns.iter().copied().collect();
            for (position, message) in Records::new(block.first, block.bytes.clone()) {
                let returns = counts.get(&position).copied().unwrap_or_default();
                let at = self.group.publish(&message, returns, [queue.id()]);
                self.group.place(at, position);
            }
        }
        self.queues.push(CarriedQueue { queue, blocks, _segments: segments });
    }
}

/// Records of segments that get into the journal together.
pub(super) struct Recording<'a> {
    /// The earliest file of which a ticket may be out.
    since: JournalFile,
    pub(super) group: Group,
    /// The segments of which something is alive.
    pub(super) segments: Vec<(&'a Arc<StoredQueue>, Vec<SegmentNumber>)>,
}

impl Recording<'_> {
    /// Before the queues are asked.
    pub(super) fn begin(journal: &Journal) -> Self {
        let since = JournalFile(journal.current_file().0.saturating_sub(1));
        Self { since, group: Group::new(Durability::Os), segments: Vec::new() }
    }

    /// After the queues were asked.
    pub(super) fn end(mut self, journal: &Journal) -> Batch {
        journal.quiesce();
        let batch = journal.append_now(&mut self.group);
        for (queue, segments) in self.segments {
            queue.segments().recorded(&segments, self.since);
        }
        batch
    }
}
