//! The queues that a connection publishes to, and what is gathered for each.

use std::sync::Arc;

use super::Origin;
use crate::message::Message;
use crate::place::JournalFile;
use crate::queue::queue::Published;
use crate::queue::{Gone, Queue};
use crate::rate::RateMeter;
use crate::store::unit::Unit;

/// A queue that messages were routed to, and those that are gathered for it.
pub(super) struct Known {
    pub(super) queue: Arc<Queue>,
    pub(super) gathered: Vec<Message>,
    /// Whose these are, if it may refuse any.
    pub(super) origins: Vec<Origin>,
    pub(super) may_refuse: bool,
    /// The limit on what is published to it in a second, if that concerns whoever publishes.
    pub(super) rate: Option<Arc<RateMeter>>,
    /// Which of them have a record, and where in it their position is to stand.
    pub(super) records: Vec<Record>,
}

/// The record of a gathered message.
#[derive(Clone, Copy)]
pub(super) struct Record {
    /// Which of the gathered messages of its queue.
    pub(super) index: u32,
    /// Where its position in that queue stands in the group.
    pub(super) at: u32,
}

/// Hands to a queue what was gathered for it.
#[inline]
pub(super) fn hand_over(
    known: &mut Known,
    file: Option<JournalFile>,
    moves: bool,
    unit: &mut Unit,
) -> Result<Published, Gone> {
    let Known { queue, gathered, may_refuse, .. } = known;
    if moves {
        queue.count_again(gathered.len());
    }
    if !queue.deduplicates() {
        return queue.publish_of(gathered, file, *may_refuse);
    }
    let fate = file.map(|_| unit.fate());
    queue.publish_once(gathered, file, *may_refuse, fate.as_ref(), moves)
}

#[inline]
pub(super) fn gather_for(
    known: &mut [Known],
    gathered: &mut Vec<u32>,
    spare: &mut Vec<Vec<Message>>,
    at: u32,
    message: Message,
    origin: Origin,
) {
    if let Some(known) = known.get_mut(at as usize) {
        if known.gathered.is_empty() {
            gathered.push(at);
            if known.gathered.capacity() == 0
                && let Some(lent) = spare.pop()
            {
                known.gathered = lent;
            }
        }
        if known.may_refuse {
            known.origins.push(origin);
        }
        known.gathered.push(message);
    }
}
