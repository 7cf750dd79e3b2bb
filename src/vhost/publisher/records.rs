//! The records of published messages, and the places of those in their queues.

use super::once::{Copied, know};
use super::{Known, Origin, Record, Refusal, Route};
use crate::message::Message;
use crate::place::QueueId;
use crate::queue::Queue;
use crate::queue::queue::Published;
use crate::store::op::TARGET_BYTES;
use crate::store::stored::Returns;
use crate::store::unit::Unit;
use crate::vhost::Vhost;

/// Makes the record of a message, once for all queues of its route that outlive the broker.
pub(super) fn record(known: &mut [Known], targets: &[u32], route: Route, message: &Message, unit: &mut Unit) {
    let targets = targets.get(route.range()).unwrap_or_default();
    let journalled = |at: &&u32| known.get(**at as usize).is_some_and(|known| known.queue.is_journalled());
    let ids = targets.iter().filter(journalled).filter_map(|at| Some(known.get(*at as usize)?.queue.id()));
    let mut at = unit.group().publish(message, Returns::default(), ids);
    for target in targets {
        let Some(known) = known.get_mut(*target as usize) else { continue };
        if known.queue.is_journalled() {
            let index = u32::try_from(known.gathered.len()).unwrap_or(u32::MAX);
            known.records.push(Record { index, at });
            at = at.saturating_add(TARGET_BYTES);
        }
    }
}

/// A queue went between the routing of messages and their arrival: one that was declared again under its name, and is
/// still routed to, gets them, with records of their own; otherwise they are gone as if the queue had gone a moment later,
/// with them in it.
pub(super) fn publish_again(
    vhost: &Vhost,
    queue: &Queue,
    sent: impl Iterator<Item = (Message, Origin)>,
    unit: &mut Unit,
) -> Again {
    let none = Again::default();
    let Some(successor) = vhost.queues().get(queue.name().as_str()) else { return none };
    if successor.id() == queue.id() {
        return none;
    }
    let is_routed =
        |message: &Message| message.exchange().is_empty() && message.routing_key() == queue.name().as_str();
    let (mut messages, origins): (Vec<_>, Vec<_>) = sent.filter(|(message, _)| is_routed(message)).unzip();
    let mut records = Vec::new();
    let mut file = None;
    if successor.is_journalled() {
        file = unit.file();
        for (index, message) in messages.iter().enumerate().filter(|(_, message)| message.is_persistent()) {
            let at = unit.group().publish(message, Returns::default(), [successor.id()]);
            records.push(Record { index: u32::try_from(index).unwrap_or(u32::MAX), at });
        }
    }
    let has_records = !records.is_empty();
    let fate = file.map(|_| unit.fate());
    let published = if successor.deduplicates() {
        successor.publish_once(&mut messages, file, true, fate.as_ref(), false)
    } else {
        successor.publish(&mut messages, file)
    };
    let Ok(published) = published else { return Again { has_records, ..none } };
    place(records.into_iter(), &published, unit);
    know(&successor, &published, unit);
    let refused = of(&origins, &published.refused, successor.id()).collect();
    Again { has_records, refused, copied: copied(&origins, &published).collect() }
}

/// What became of messages that were published again.
#[derive(Default)]
pub(super) struct Again {
    pub(super) has_records: bool,
    pub(super) refused: Vec<Refusal>,
    pub(super) copied: Vec<Copied>,
}

/// Completes the records of messages that a queue took, but for those that it did not: these say nothing of it.
pub(super) fn place(records: impl Iterator<Item = Record>, published: &Published, unit: &mut Unit) {
    for Record { index, at } in records {
        if published.has(index) {
            unit.group().place(at, published.first.plus(u64::from(index)));
        }
    }
}

pub(super) fn of<'o>(
    origins: &'o [Origin],
    indexes: &'o [u32],
    by: QueueId,
) -> impl Iterator<Item = Refusal> + 'o {
    indexes
        .iter()
        .filter_map(move |index| Some(Refusal { origin: *origins.get(*index as usize)?, by: Some(by) }))
}

pub(super) fn copied<'o>(
    origins: &'o [Origin],
    published: &'o Published,
) -> impl Iterator<Item = Copied> + 'o {
    let duplicates = published.duplicates.iter();
    duplicates.filter_map(|duplicate| {
        let origin = origins.get(duplicate.index as usize).copied()?;
        Some(Copied { origin, fate: duplicate.fate.clone() })
    })
}
