//! The second reading: the messages that are alive.

use std::collections::HashMap;

use super::order::{Order, Record};
use super::replay::{QueueReplay, Replay};
use crate::message::Parts;
use crate::place::{JournalFile, Position, QueueId};
use crate::store::op::{Op, Ops};
use crate::store::stored::Returns;

/// No more bytes of messages of all queues are held to bring them into order.
const HELD_MAX_BYTES: usize = 64 * 1024 * 1024;

/// A message that is alive, as it stands in the journal.
#[derive(Clone, Copy, Debug)]
pub struct Alive<'a> {
    /// In which queue it is.
    pub queue: QueueId,
    /// At which place.
    pub position: Position,
    /// How often it was delivered.
    pub returns: Returns,
    /// In which file of the journal it stands.
    pub file: JournalFile,
    /// Address, properties and body, without gaps.
    pub message: &'a [u8],
    /// Where these begin and end.
    pub parts: Parts,
}

/// Messages on their way to their queues.
pub(super) struct Messages<'a> {
    replay: &'a Replay,
    /// Whether the message is in a segment.
    is_elsewhere: &'a dyn Fn(QueueId, Position) -> bool,
    give: &'a mut dyn FnMut(Alive<'_>),
    orders: HashMap<QueueId, Order, crate::store::by_id::ById>,
    /// Bytes held in all orders.
    held_bytes: usize,
    nothing: QueueReplay,
}

impl<'a> Messages<'a> {
    pub(super) fn new(
        replay: &'a Replay,
        is_elsewhere: &'a dyn Fn(QueueId, Position) -> bool,
        give: &'a mut dyn FnMut(Alive<'_>),
    ) -> Self {
        let (orders, nothing) = (HashMap::default(), QueueReplay::default());
        Self { replay, is_elsewhere, give, orders, held_bytes: 0, nothing }
    }

    /// Takes the messages of a chunk of this file; what cannot be read was reported at the first reading.
    pub(super) fn chunk(&mut self, file: JournalFile, bytes: &[u8]) {
        for op in Ops::new(bytes).map_while(Result::ok) {
            if let Op::Publish { targets, returns, message, parts } = op {
                let record = Record { returns, file, message, parts };
                for (queue, position) in targets {
                    if position != Position::NOWHERE {
                        self.message(queue, position, record);
                    }
                }
            }
        }
    }

    fn message(&mut self, queue: QueueId, position: Position, record: Record<'_>) {
        let known = self.replay.queues.get(&queue).unwrap_or(&self.nothing);
        if known.is_gone || known.settled.contains(position) || (self.is_elsewhere)(queue, position) {
            return;
        }
        let counted = known.returns.get(&position).copied().unwrap_or_default();
        let record = Record { returns: record.returns.max(counted), ..record };
        let order = self.orders.entry(queue).or_default();
        let before = order.held_bytes();
        order.offer(position, record, &known.settled, &mut giver(queue, self.give));
        self.held_bytes = self.held_bytes.saturating_add(order.held_bytes()).saturating_sub(before);
        if self.held_bytes > HELD_MAX_BYTES {
            self.give_all();
        }
    }

    /// Gives what is still held.
    pub(super) fn give_all(&mut self) {
        for (queue, order) in &mut self.orders {
            order.give_all(&mut giver(*queue, self.give));
        }
        self.held_bytes = 0;
    }
}

fn giver(queue: QueueId, give: &mut dyn FnMut(Alive<'_>)) -> impl FnMut(Position, Record<'_>) {
    move |position, Record { returns, file, message, parts }| {
        give(Alive { queue, position, returns, file, message, parts });
    }
}
