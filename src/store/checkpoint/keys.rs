//! What queues know of keys, on its way from the journal's oldest files to its newest.
//!
//! It never leaves the journal: a key takes 32 octets, and most are forgotten before their file is to go. The records of a
//! key follow the rule for messages that are written again: the ticket is taken before the queue is asked, at a time when
//! none of an earlier file is out, so that what settles the message of a key stands in the same file as the key or later.

use std::sync::Arc;

use super::{Checkpoints, Stop};
use crate::config::Durability;
use crate::place::JournalFile;
use crate::store::op::Group;
use crate::store::stored_queues::StoredQueue;

/// So many keys are asked for under one lock of their queue, and written at once.
const KEYS_AT_ONCE: usize = 8192;

impl Checkpoints {
    /// The keys of which there may be records in files up to `through` get new ones.
    pub(super) fn carry_keys(
        &mut self,
        queues: &[Arc<StoredQueue>],
        through: JournalFile,
    ) -> Result<(), Stop> {
        for stored in queues {
            let Some(queue) = self.queue(stored)? else { continue };
            if !queue.keys_through(through) {
                continue;
            }
            let mut after = None;
            loop {
                if self.store.ends.is_closed() {
                    return Err(Stop::Ended);
                }
                let ticket = self.ticket();
                let file = ticket.file();
                let known = queue.keys(through, file, after, KEYS_AT_ONCE);
                let mut group = Group::new(Durability::Os);
                for record in known.records {
                    group.know(stored.id(), known.size, record);
                }
                let len = group.len() as u64;
                if len > 0 {
                    let batch = self.journal.append(ticket, &mut group);
                    self.count_carried(file, len);
                    if self.journal.is_congested() {
                        self.wait(batch)?;
                    }
                }
                after = known.last;
                if after.is_none() {
                    queue.keys_recorded(through);
                    break;
                }
            }
        }
        Ok(())
    }
}
