//! What records mean, said as plainly as can be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;

use crate::message::Message;
use crate::place::{JournalFile, Position, QueueId};
use crate::store::op::{Group, TARGET_BYTES};
use crate::store::recovery::{Recovery, RecoveryError, Replay};
use crate::store::simulated::SimDisk;
use crate::store::stored::Returns;

/// A record. Messages are told apart by a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Publish { id: u32, targets: Vec<(u64, u64)>, deliveries: u32 },
    Settle { queue: u64, position: u64 },
    Requeue { queue: u64, position: u64, deliveries: u32 },
    QueueGone(u64),
    Define(u8, u32),
    Forget(u8),
    Checkpointed(u64),
    Closed,
}

/// The message of this number: another one has other bytes.
pub(super) fn message(id: u32) -> Message {
    let key = format!("key-{id}");
    let len = (id as usize).wrapping_mul(37) % 300;
    let body: Vec<u8> = id.to_le_bytes().into_iter().cycle().take(4 + len).collect();
    // Delivery mode 2: persistent.
    Message::compose("exchange", &key, &[0x10, 0x00, 2], &body).unwrap()
}

/// The chunk of these records.
pub(super) fn encode<'a>(actions: impl IntoIterator<Item = &'a Action>) -> Vec<u8> {
    let mut group = Group::default();
    for action in actions {
        match action {
            Action::Publish { id, targets, deliveries } => {
                let queues = targets.iter().map(|(queue, _)| QueueId::stored(*queue));
                let mut at = group.publish(&message(*id), Returns::failed(*deliveries), queues);
                for (_, position) in targets {
                    group.place(at, Position(*position));
                    at += TARGET_BYTES;
                }
            }
            Action::Settle { queue, position } => {
                group.settle(QueueId::stored(*queue), Position(*position));
            }
            Action::Requeue { queue, position, deliveries } => {
                group.requeue(QueueId::stored(*queue), Position(*position), Returns::failed(*deliveries));
            }
            Action::QueueGone(queue) => group.queue_gone(QueueId::stored(*queue)),
            Action::Define(key, value) => group.define(&[*key], &value.to_le_bytes()),
            Action::Forget(key) => group.forget(&[*key]),
            Action::Checkpointed(file) => group.checkpointed(JournalFile(*file)),
            Action::Closed => group.closed(),
        }
    }
    group.bytes().to_vec()
}

/// What is there after a start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// By queue, in the order in which they are given: position, message, deliveries.
    pub(super) messages: BTreeMap<u64, Vec<(u64, u32, u32)>>,
    /// What was defined, and nothing for what was forgotten.
    pub(super) definitions: BTreeMap<u8, Option<u32>>,
}

/// What these records come to.
pub(super) fn expected<'a>(actions: impl IntoIterator<Item = &'a Action>) -> Outcome {
    let mut published: BTreeMap<(u64, u64), (u32, u32)> = BTreeMap::new();
    let (mut settled, mut gone) = (BTreeSet::new(), BTreeSet::new());
    let mut counts: BTreeMap<(u64, u64), u32> = BTreeMap::new();
    let mut definitions = BTreeMap::new();
    for action in actions {
        match action {
            Action::Publish { id, targets, deliveries } => {
                for place in targets {
                    let count = published.get(place).map_or(0, |(_, count)| *count);
                    published.insert(*place, (*id, count.max(*deliveries)));
                }
            }
            Action::Settle { queue, position } => {
                settled.insert((*queue, *position));
            }
            Action::Requeue { queue, position, deliveries } => {
                let count = counts.entry((*queue, *position)).or_default();
                *count = (*count).max(*deliveries);
            }
            Action::QueueGone(queue) => {
                gone.insert(*queue);
            }
            Action::Define(key, value) => {
                definitions.insert(*key, Some(*value));
            }
            Action::Forget(key) => {
                definitions.insert(*key, None);
            }
            Action::Checkpointed(_) | Action::Closed => {}
        }
    }
    let mut messages: BTreeMap<u64, Vec<(u64, u32, u32)>> = BTreeMap::new();
    for ((queue, position), (id, deliveries)) in published {
        if !settled.contains(&(queue, position)) && !gone.contains(&queue) {
            let count = counts.get(&(queue, position)).copied().unwrap_or_default();
            messages.entry(queue).or_default().push((position, id, deliveries.max(count)));
        }
    }
    Outcome { messages, definitions }
}

/// What recovery finds, each message checked byte for byte.
pub(super) fn recover(disk: &Arc<SimDisk>) -> (Outcome, Recovery) {
    let (outcome, _, recovery) = try_to_recover(disk).unwrap();
    (outcome, recovery)
}

/// As [`recover`], on a disk that may fail.
pub(super) fn try_to_recover(disk: &Arc<SimDisk>) -> Result<(Outcome, Replay, Recovery), RecoveryError> {
    let mut recovery = Recovery::find(Arc::<SimDisk>::clone(disk))?;
    let replay = recovery.replay(&mut |_| ())?;
    let mut outcome = Outcome::default();
    recovery.messages(&replay, &|_, _| false, &mut |_| (), &mut |alive| {
        let found = Message::new(Bytes::copy_from_slice(alive.message), alive.parts).unwrap();
        let id = u32::from_le_bytes(found.body()[..4].try_into().unwrap());
        let original = message(id);
        assert_eq!(
            (found.address(), found.properties_bytes(), found.body(), found.is_persistent()),
            (original.address(), original.properties_bytes(), original.body(), original.is_persistent())
        );
        let queue = outcome.messages.entry(alive.queue.number()).or_default();
        queue.push((alive.position.0, id, alive.returns.deliveries));
        let known = &replay.queues[&alive.queue];
        assert!(known.highest >= Some(alive.position) && replay.highest_queue >= Some(alive.queue));
    })?;
    for (key, value) in &replay.definitions {
        let value = value.as_ref().map(|value| u32::from_le_bytes(value[..].try_into().unwrap()));
        outcome.definitions.insert(key[0], value);
    }
    Ok((outcome, replay, recovery))
}
