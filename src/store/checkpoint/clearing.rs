//! What has ended is removed: segments of which nothing is alive, the files of deleted queues.

use super::Checkpoints;
use crate::config::Durability;
use crate::place::{QueueId, SegmentNumber};
use crate::store::ends::Ended;
use crate::store::op::Group;
use crate::store::segment::table::SegmentId;
use crate::store::segments::{Death, QueueSegments};

impl Checkpoints {
    /// Removes what nobody needs any more.
    pub(in crate::store) fn clear_away(&self, ended: Ended) {
        self.clear_segments(ended.segments);
        for (queue, batch) in ended.queues {
            if batch.is_some_and(|batch| !self.journal.wait(batch)) {
                continue;
            }
            let mut segments = queue.segments();
            segments.end();
            if let Err(error) = segments.remove_all(&self.store.files) {
                tracing::warn!(queue = %queue.id(), %error, "files of a deleted queue could not be removed; the next start does it");
            }
        }
    }

    fn clear_segments(&self, dead: impl IntoIterator<Item = (QueueId, SegmentNumber, bool)>) {
        let mut to_record = Vec::new();
        for (id, number, journalled) in dead {
            let Some(stored) = self.store.queues.get(id) else { continue };
            let Some(queue) = stored.queue() else { continue };
            let mut segments = stored.segments();
            // A block may have been written to it since it was reported.
            if queue.uses_segment(number, journalled) {
                continue;
            }
            match segments.died(number, journalled) {
                Death::Unknown => {}
                Death::Remove => self.remove(&mut segments, id, number, journalled),
                Death::Record => {
                    drop(segments);
                    to_record.push((stored, number));
                }
            }
        }
        if to_record.is_empty() {
            return;
        }
        self.journal.quiesce();
        let mut group = Group::new(Durability::Fsync);
        for (stored, number) in &to_record {
            group.segment_gone(stored.id(), *number);
        }
        let batch = self.journal.append_now(&mut group);
        if !self.journal.wait(batch) {
            return;
        }
        for (stored, number) in to_record {
            let mut segments = stored.segments();
            segments.gone(number);
            self.remove(&mut segments, stored.id(), number, true);
        }
    }

    fn remove(&self, segments: &mut QueueSegments, queue: QueueId, number: SegmentNumber, journalled: bool) {
        if let Err(error) = segments.remove(&self.store.files, number, journalled) {
            let segment = SegmentId { queue, number, journalled };
            tracing::warn!(%segment, %error, "a segment that is not needed could not be removed; the next start does it");
        }
    }
}
