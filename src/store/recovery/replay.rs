//! What the journal's records come to, but for the messages themselves: what is settled, defined, gone.
//!
//! Files are read from the newest to the oldest, since a newer one may say that the older ones are not needed any more
//! and then must not count: a file that is not needed may have been written over, and with it what settled a message of
//! a file before it. Records that replace one another (definitions, states of segments) are kept with their file: a
//! later record counts in the same file, and nothing of an older file does.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::known::Known;
use crate::place::{JournalFile, Position, QueueId, SegmentNumber};
use crate::store::PositionSet;
use crate::store::op::{Malformed, Op, Ops};
use crate::store::stored::{Returns, SegmentState};

/// What the records of the journal come to.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    /// What is known of each queue that a record names.
    pub queues: HashMap<QueueId, QueueReplay, crate::store::by_id::ById>,
    /// The definitions that changed, by key; nothing is one that was forgotten.
    pub definitions: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// The highest queue id in any record, but for those inside definitions.
    pub highest_queue: Option<QueueId>,
}

/// What the records say of one queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueReplay {
    /// It was deleted: nothing of it is needed, its files neither.
    pub is_gone: bool,
    /// What is settled, wherever it is stored.
    pub settled: PositionSet,
    /// How often messages that are not settled were delivered, if they were given back.
    pub returns: BTreeMap<Position, Returns>,
    /// The highest position that a record names: new messages stand behind it, and behind what is in segments.
    pub highest: Option<Position>,
    /// What of its segments is alive, but for what is [settled](Self::settled).
    pub segments: BTreeMap<SegmentNumber, SegmentState>,
    /// Segments of which nothing is alive any more; if there is a file, it can be removed.
    pub segments_gone: BTreeSet<SegmentNumber>,
    /// All before this one may have been delivered.
    pub redelivered_below: Position,
    /// The keys that it knows.
    pub known: Known,
}

/// A [`Replay`] in the making.
#[derive(Debug, Default)]
pub(super) struct Replaying {
    replay: Replay,
    /// The file in which the record stands that counts, of definitions and of segments' states.
    defined_in: BTreeMap<Vec<u8>, JournalFile>,
    stated_in: HashMap<(QueueId, SegmentNumber), JournalFile, crate::store::by_id::ById>,
    /// Files up to this one are not needed any more.
    checkpointed: Option<JournalFile>,
    /// Whether the record before was that the broker stops in order.
    is_closed: bool,
}

impl Replaying {
    /// Files up to this one are not needed, as far as is known by now.
    pub(super) fn checkpointed(&self) -> Option<JournalFile> {
        self.checkpointed
    }

    /// Whether the last record that was read says that the broker stopped in order.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Something damaged was met: what was read before is not the last record.
    pub(super) fn interrupted(&mut self) {
        self.is_closed = false;
    }

    /// Takes the records of a chunk of this file. After an error those before it count.
    pub(super) fn chunk(&mut self, file: JournalFile, bytes: &[u8]) -> Result<(), Malformed> {
        self.is_closed = false;
        for op in Ops::new(bytes) {
            self.is_closed = false;
            self.op(file, op?);
        }
        Ok(())
    }

    fn op(&mut self, file: JournalFile, op: Op<'_>) {
        match op {
            Op::Publish { targets, returns, .. } => {
                for (queue, position) in targets {
                    let queue = self.queue(queue);
                    queue.saw(position);
                    // It was written again; the first record of it, if that is there still, does not know.
                    if !returns.is_none() {
                        queue.delivered(position, returns);
                    }
                }
            }
            Op::Settle { queue, ranges } => {
                let queue = self.queue(queue);
                for (from, to) in ranges {
                    queue.saw(to);
                    if !queue.is_gone {
                        queue.settled.insert_range(from, to);
                    }
                }
            }
            Op::Requeue { queue, position, returns } => {
                let queue = self.queue(queue);
                queue.saw(position);
                queue.delivered(position, returns);
            }
            Op::QueueGone { queue } => {
                let queue = self.queue(queue);
                *queue = QueueReplay { is_gone: true, highest: queue.highest, ..QueueReplay::default() };
            }
            Op::SegmentState { queue, segment, state } => self.segment_state(file, queue, segment, state),
            Op::SegmentGone { queue, segment } => {
                let queue = self.queue(queue);
                if !queue.is_gone {
                    queue.segments.remove(&segment);
                    queue.segments_gone.insert(segment);
                }
            }
            Op::RedeliveredBelow { queue, position } => {
                let queue = self.queue(queue);
                queue.redelivered_below = queue.redelivered_below.max(position);
            }
            Op::Keys { queue, size, keys } => {
                let queue = self.queue(queue);
                // Of two places of a key the later one counts, also of those that an earlier broker has given.
                keys.clone().for_each(|record| queue.saw(record.position));
                if !queue.is_gone {
                    queue.known.add(size, keys, &queue.settled);
                }
            }
            Op::Define { key, value } => self.define(file, key, Some(value)),
            Op::Forget { key } => self.define(file, key, None),
            Op::Checkpointed { through } => self.checkpointed = self.checkpointed.max(Some(through)),
            Op::Closed => self.is_closed = true,
        }
    }

    fn queue(&mut self, queue: QueueId) -> &mut QueueReplay {
        self.replay.highest_queue = self.replay.highest_queue.max(Some(queue));
        self.replay.queues.entry(queue).or_default()
    }

    fn segment_state(
        &mut self,
        file: JournalFile,
        queue: QueueId,
        segment: SegmentNumber,
        state: SegmentState,
    ) {
        let stated_in = self.stated_in.entry((queue, segment)).or_insert(file);
        if *stated_in > file {
            return;
        }
        let queue = self.queue(queue);
        if queue.is_gone || queue.segments_gone.contains(&segment) {
            return;
        }
        queue.segments.insert(segment, state);
    }

    fn define(&mut self, file: JournalFile, key: &[u8], value: Option<&[u8]>) {
        match self.defined_in.get(key) {
            Some(defined_in) if *defined_in > file => return,
            Some(_) => {}
            None => {
                self.defined_in.insert(key.to_owned(), file);
            }
        }
        self.replay.definitions.insert(key.to_owned(), value.map(<[u8]>::to_owned));
    }

    /// What it all comes to, once everything that counts was read.
    pub(super) fn finish(mut self) -> Replay {
        for queue in self.replay.queues.values_mut() {
            for state in queue.segments.values() {
                for (position, returns) in &state.returns {
                    let count = queue.returns.entry(*position).or_default();
                    *count = (*count).max(*returns);
                }
            }
            let QueueReplay { settled, returns, known, .. } = queue;
            returns.retain(|position, _| !settled.contains(*position));
            known.finish(settled);
        }
        self.replay
    }
}

impl QueueReplay {
    fn saw(&mut self, position: Position) {
        if position != Position::NOWHERE {
            self.highest = self.highest.max(Some(position));
        }
    }

    fn delivered(&mut self, position: Position, returns: Returns) {
        // What a newer file has settled needs no count; what this one settles goes at the end.
        if !self.is_gone && !self.settled.contains(position) {
            let count = self.returns.entry(position).or_default();
            *count = (*count).max(returns);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::op::Group;

    const QUEUE: QueueId = QueueId::stored(5);

    type Write<'a> = &'a dyn Fn(&mut Group);

    /// What the records of these files, the newest first, come to.
    fn replay(files: &[(u64, Write<'_>)]) -> Replay {
        let mut replaying = Replaying::default();
        for (file, write) in files {
            let mut group = Group::default();
            write(&mut group);
            replaying.chunk(JournalFile(*file), group.bytes()).unwrap();
        }
        replaying.finish()
    }

    #[test]
    fn the_last_definition_counts() {
        let replay = replay(&[
            (2, &|group| {
                group.forget(b"forgotten later");
                group.define(b"twice", b"first");
                group.define(b"twice", b"second");
            }),
            (1, &|group| {
                group.define(b"forgotten later", b"value");
                group.define(b"once", b"value");
                group.forget(b"twice");
            }),
        ]);
        let expected = [
            (b"forgotten later".to_vec(), None),
            (b"once".to_vec(), Some(b"value".to_vec())),
            (b"twice".to_vec(), Some(b"second".to_vec())),
        ];
        assert_eq!(replay.definitions, expected.into());
    }

    #[test]
    fn the_last_state_of_a_segment_counts_until_it_is_gone() {
        let state = |block| SegmentState { whole: vec![(block, block)], ..SegmentState::default() };
        let replay = replay(&[
            (2, &|group| {
                group.segment_state(QUEUE, SegmentNumber(1), &state(2));
                group.segment_state(QUEUE, SegmentNumber(1), &state(3));
                group.segment_gone(QUEUE, SegmentNumber(2));
                group.segment_state(QUEUE, SegmentNumber(3), &state(1));
                group.segment_gone(QUEUE, SegmentNumber(3));
            }),
            (1, &|group| {
                group.segment_state(QUEUE, SegmentNumber(1), &state(1));
                group.segment_state(QUEUE, SegmentNumber(2), &state(1));
                group.segment_state(QUEUE, SegmentNumber(4), &state(4));
            }),
        ]);
        let queue = &replay.queues[&QUEUE];
        assert_eq!(queue.segments, [(SegmentNumber(1), state(3)), (SegmentNumber(4), state(4))].into());
        assert_eq!(queue.segments_gone, [SegmentNumber(2), SegmentNumber(3)].into());
    }

    #[test]
    fn counts_of_deliveries_are_the_highest_of_what_is_not_settled() {
        let replay = replay(&[
            (2, &|group| {
                group.requeue(QUEUE, Position(1), Returns::failed(2));
                group.settle(QUEUE, Position(2));
                group.segment_state(
                    QUEUE,
                    SegmentNumber(1),
                    &SegmentState {
                        returns: vec![(Position(3), Returns::failed(5)), (Position(2), Returns::failed(4))],
                        ..SegmentState::default()
                    },
                );
            }),
            (1, &|group| {
                group.requeue(QUEUE, Position(1), Returns::failed(1));
                group.requeue(QUEUE, Position(2), Returns::failed(1));
                group.requeue(QUEUE, Position(3), Returns::failed(1));
                group.requeue(QUEUE, Position(4), Returns::failed(1));
                group.settle(QUEUE, Position(4));
            }),
        ]);
        assert_eq!(
            replay.queues[&QUEUE].returns,
            [(Position(1), Returns::failed(2)), (Position(3), Returns::failed(5))].into()
        );
    }

    #[test]
    fn of_a_queue_that_is_gone_nothing_is_kept_whatever_the_order() {
        let settle = |group: &mut Group| {
            group.settle(QUEUE, Position(9));
            group.requeue(QUEUE, Position(8), Returns::failed(1));
            group.segment_gone(QUEUE, SegmentNumber(1));
            group.segment_state(QUEUE, SegmentNumber(2), &SegmentState::default());
        };
        let gone = |group: &mut Group| group.queue_gone(QUEUE);
        let both = |group: &mut Group| {
            gone(group);
            settle(group);
        };
        let expected = QueueReplay { is_gone: true, highest: Some(Position(9)), ..QueueReplay::default() };
        let after = replay(&[(2, &settle), (1, &gone)]);
        let before = replay(&[(2, &gone), (1, &settle)]);
        let together = replay(&[(1, &both)]);
        for replay in [after, before, together] {
            assert_eq!(replay.queues[&QUEUE], expected);
            assert_eq!(replay.highest_queue, Some(QUEUE));
        }
    }

    #[test]
    fn a_message_that_found_its_queue_gone_has_no_position() {
        let message = crate::message::Message::compose("", "q", &[0, 0], b"body").unwrap();
        let replay = replay(&[(1, &|group| {
            let at = group.publish(&message, Returns::default(), [QUEUE, QueueId::stored(6)]);
            group.place(at, Position(3));
            group.redelivered_below(QUEUE, Position(7));
        })]);
        assert_eq!(replay.queues[&QUEUE].highest, Some(Position(3)));
        assert_eq!(replay.queues[&QUEUE].redelivered_below, Position(7));
        assert_eq!(replay.queues[&QueueId::stored(6)].highest, None);
        assert_eq!(replay.highest_queue, Some(QueueId::stored(6)));
    }

    #[test]
    fn only_the_very_last_record_closes() {
        let mut group = Group::default();
        group.closed();
        let mut replaying = Replaying::default();
        replaying.chunk(JournalFile(1), group.bytes()).unwrap();
        assert!(replaying.is_closed());
        group.settle(QUEUE, Position(1));
        replaying.chunk(JournalFile(1), group.bytes()).unwrap();
        assert!(!replaying.is_closed());
    }
}
