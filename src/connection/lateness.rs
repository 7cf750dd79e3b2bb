//! A consumer that does not settle a delivery in time: it is cancelled, or its channel closed.

use tokio::io::{AsyncRead, AsyncWrite};

use super::open::{Open, State};
use crate::channel::exception::delivery_timed_out;
use crate::queue::QueueId;
use crate::queue::delivery::Late;

impl<S: AsyncRead + AsyncWrite + Unpin> Open<S> {
    /// A delivery is late, unless it was settled meanwhile. A client that understands `basic.cancel` gets one and loses the
    /// consumer with all that this holds; of another one the channel is closed.
    pub(super) fn delivery_late(&mut self, late: &Late) {
        if !matches!(self.state, State::Running) {
            return;
        }
        self.end_batch();
        let Some(channel) = self.channels.late(late, &self.session) else { return };
        tracing::warn!(
            "a consumer on connection {}, channel {channel}, has not settled a delivery for {} ms",
            self.session.name,
            late.timeout.as_millis()
        );
        if !self.session.consumer_cancel_notify {
            return self.raise(channel, (0, 0), &delivery_timed_out(channel, late.timeout));
        }
        self.lose_consumer(channel, late.slot, late.queue);
    }

    /// Takes a consumer out of its queue with all that it holds, and tells the client so by `basic.cancel`.
    pub(super) fn lose_consumer(&mut self, channel: u16, slot: u32, queue: QueueId) {
        self.session.stop(slot);
        self.session.end_unit();
        self.outbox.take(&mut self.taken);
        let (unsent, others): (Vec<_>, Vec<_>) =
            self.taken.deliveries.drain(..).partition(|delivery| delivery.slot == slot);
        self.taken.deliveries = others;
        self.channels.return_of(channel, slot, &mut self.session);
        for delivery in unsent {
            self.session.unsend(delivery);
        }
        self.send_taken();
        self.session.leave_queue(slot);
        self.channels.consumer_gone(slot, queue, &mut self.session, &mut self.output);
        self.session.end_unit();
    }
}
