//! What message deduplication exchanges know of the messages that they had: each has a queue of its own for that, in no
//! registry, that lives and dies with it. No message ever is in it.
//!
//! On the disk it is defined as any queue is, under a name that no client can give to one.

use std::sync::Arc;

use super::Vhost;
use super::exchange::Exchange;
use super::records::Records;
use super::topology::RESERVED_PREFIX;
use crate::exchange::CacheRules;
use crate::name::QueueName;
use crate::queue::Queue;
use crate::queue::options::QueueOptions;
use crate::store::op::Group;

/// What the name goes on with after the [prefix](RESERVED_PREFIX) of names that only the broker gives.
const OF_EXCHANGE: &str = "message-deduplication.";

/// The exchange of whose messages the queue of this name knows.
pub(super) fn knows_for(queue: &str) -> Option<&str> {
    queue.strip_prefix(RESERVED_PREFIX)?.strip_prefix(OF_EXCHANGE)
}

impl Vhost {
    /// An exchange that is made now gets its queue, if it needs one.
    pub(super) fn begin_remembering(&self, exchange: &Exchange, records: &mut Records<'_>) {
        if !exchange.deduplicates() {
            return;
        }
        let name = QueueName::from(format!("{RESERVED_PREFIX}{OF_EXCHANGE}{}", exchange.name()));
        let options = exchange.options();
        let rules = CacheRules::said(options.arguments.as_table());
        let options = QueueOptions::remembering(options.durable && rules.on_disk, rules.size, rules.ttl);
        let queue = self.new_queue(Queue::new(name, options, None));
        queue.register();
        records.queue(&queue);
        exchange.know_messages_by(queue);
    }

    /// An exchange that an earlier broker had, and that had what it knew in memory, knows nothing.
    pub(super) fn remember_anew(&self, exchange: &Exchange) {
        if exchange.knows_messages_by().is_none() {
            self.begin_remembering(exchange, &mut Records::new(self));
        }
    }

    /// A queue that an earlier broker had for an exchange is the exchange's again.
    pub(super) fn remember_by(&self, exchange: &str, queue: &Arc<Queue>) -> Option<()> {
        let exchange = self.exchanges.get(exchange).filter(|exchange| exchange.deduplicates())?;
        exchange.know_messages_by(Arc::clone(queue));
        Some(())
    }

    /// An exchange is gone, and with it what it knew.
    pub(super) fn end_remembering(exchange: &Exchange, records: &mut Records<'_>) {
        let Some(queue) = exchange.knows_messages_by() else { return };
        let mut nowhere = Group::default();
        let group = if queue.options().durable { records.group() } else { &mut nowhere };
        // One that has failed goes as well.
        let _ = queue.delete(false, false, group);
        records.forget_queue(queue);
    }
}
