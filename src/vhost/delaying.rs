//! Where the messages of a delayed message exchange wait: in a queue of the exchange's own, that is in no registry and that
//! lives and dies with it.
//!
//! On the disk it is defined as any queue is, under a name that no client can give to one.

use std::sync::Arc;

use super::Vhost;
use super::exchange::Exchange;
use super::records::Records;
use super::topology::RESERVED_PREFIX;
use crate::name::QueueName;
use crate::queue::Queue;
use crate::queue::options::QueueOptions;
use crate::store::op::Group;

/// What the name goes on with after the [prefix](RESERVED_PREFIX) of names that only the broker gives.
const OF_EXCHANGE: &str = "delayed-message.";

/// The exchange whose messages wait in the queue of this name.
pub(super) fn waits_for(queue: &str) -> Option<&str> {
    queue.strip_prefix(RESERVED_PREFIX)?.strip_prefix(OF_EXCHANGE)
}

impl Vhost {
    /// An exchange that is made now gets its queue, if it needs one.
    pub(super) fn begin_delaying(&self, exchange: &Exchange, records: &mut Records<'_>) {
        if !exchange.delays() {
            return;
        }
        let name = QueueName::from(format!("{RESERVED_PREFIX}{OF_EXCHANGE}{}", exchange.name()));
        let options = QueueOptions::scheduling(exchange.options().durable);
        let queue = self.new_queue(Queue::new(name, options, None));
        queue.register();
        records.queue(&queue);
        exchange.wait_in(queue);
    }

    /// An exchange is gone, and with it what waits.
    pub(super) fn end_delaying(exchange: &Exchange, records: &mut Records<'_>) {
        let Some(queue) = exchange.waiting() else { return };
        let mut nowhere = Group::default();
        let group = if queue.options().durable { records.group() } else { &mut nowhere };
        // One that has failed goes as well.
        let _ = queue.delete(false, false, group);
        records.forget_queue(queue);
    }

    /// The exchange that has this queue; an error when it is gone.
    pub(super) fn delays_for(&self, queue: &Arc<Queue>) -> Result<Option<Arc<Exchange>>, Gone> {
        let Some(name) = waits_for(queue.name().as_str()) else { return Ok(None) };
        let exchange = self.exchanges.get(name);
        exchange.filter(|exchange| exchange.waiting() == Some(queue)).map(Some).ok_or(Gone)
    }
}

/// The exchange is gone.
pub(super) struct Gone;
