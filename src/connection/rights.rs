//! What an open connection loses when its user may do less than before.
//!
//! Whatever is asked from then on is refused by itself; this is about what goes on without being asked: the connection, and
//! its consumers.

use leveret_protocol::reply_code::ReplyCode;
use tokio::io::{AsyncRead, AsyncWrite};

use super::channels::{Channels, Slot};
use super::open::{Open, State};
use crate::auth::{Action, Resource};
use crate::channel::Session;
use crate::channel::exception::not_allowed;
use crate::queue::QueueId;

impl Channels {
    /// The consumers of queues that the user may not read from any more: channel, slot and queue of each.
    pub fn without_right(&mut self, session: &mut Session) -> Vec<(u16, u32, QueueId)> {
        let mut found = Vec::new();
        for (number, slot) in (0..).zip(&self.slots) {
            let channel = match slot {
                Some(Slot::Open(channel)) => channel,
                Some(Slot::Waiting(waiting)) => &waiting.channel,
                Some(Slot::Closing) | None => continue,
            };
            found.extend(
                channel.without_right(session).into_iter().map(|(slot, queue)| (number, slot, queue)),
            );
        }
        found
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Open<S> {
    /// Closes the connection if it may not be in its virtual host any more; else takes out consumers of queues that may not
    /// be read any more. A client that does not understand `basic.cancel` loses the channel instead.
    pub(super) fn rights_changed(&mut self) {
        if !matches!(self.state, State::Running) {
            return;
        }
        self.end_batch();
        self.session.renew_limits();
        if let Some(text) = self.session.authority.lost_access() {
            self.close(ReplyCode::NotAllowed, &not_allowed(text).text, (0, 0));
            return;
        }
        for (channel, slot, queue) in self.channels.without_right(&mut self.session) {
            let is_there = self.session.subscriptions.get(slot).is_some_and(|found| found.channel == channel);
            if !is_there || !matches!(self.state, State::Running) {
                continue;
            }
            let name = self.session.subscriptions.get(slot).and_then(|found| found.queue());
            let Some(name) = name.map(|queue| queue.name().clone()) else { continue };
            let queue_read = Resource::Queue(name.as_str());
            let Err(exception) = self.session.authority.permits(Action::Read, queue_read) else { continue };
            tracing::warn!(
                "a consumer on connection {}, channel {channel}, is cancelled: {}",
                self.session.name,
                exception.text
            );
            if self.session.consumer_cancel_notify {
                self.lose_consumer(channel, slot, queue);
            } else {
                self.raise(channel, (0, 0), &exception);
            }
        }
    }
}
