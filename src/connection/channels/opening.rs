//! Channels come and go.

use std::sync::Arc;

use leveret_protocol::method::channel;

use super::{Channels, Slot, WaitingChannels};
use crate::channel::exception::{Exception, not_allowed, too_many_channels};
use crate::channel::{Channel, Peer, Session};
use crate::connection::entry::ConnectionEntry;
use crate::count::Event;

impl Channels {
    /// The same; what an operator sees of its connection is there.
    #[must_use]
    pub fn seen_in(self, entry: Arc<ConnectionEntry>) -> Self {
        Self { entry, ..self }
    }

    /// What an operator sees of its connection.
    pub fn entry(&self) -> &ConnectionEntry {
        &self.entry
    }

    /// A channel's consumers are taken out of their queues; it is not to be used any more.
    pub fn release(&mut self, number: u16, session: &mut Session) {
        if let Some(channel) = self.open_mut(number) {
            let held = channel.held();
            channel.close(session);
            self.incomplete = self.incomplete.saturating_sub(held);
            if self.entry.close(number) {
                session.vhost.churn().add(Event::ChannelClosed);
            }
        }
    }

    /// The consumers of all channels are taken out of their queues, and the channels are gone.
    pub fn release_all(&mut self, session: &mut Session) {
        for channel in self.iter_mut() {
            channel.close(session);
        }
        for _ in 0..self.entry.close_all() {
            session.vhost.churn().add(Event::ChannelClosed);
        }
        self.slots = Vec::new();
        self.waiting = WaitingChannels::default();
        self.open = 0;
        self.incomplete = 0;
    }

    pub(super) fn open(
        &mut self,
        number: u16,
        session: &Session,
        peer: &mut dyn Peer,
    ) -> Result<(), Exception> {
        if self.open >= usize::from(self.channel_max) {
            return Err(not_allowed(format!(
                "number of channels opened ({}) has reached the negotiated channel_max ({})",
                self.open, self.channel_max
            )));
        }
        let user = session.authority.user();
        let place = session.authority.access().open_channel(user.as_str());
        let place = place.map_err(|refused| too_many_channels(refused, user))?;
        let at = usize::from(number);
        if at >= self.slots.len() {
            self.slots.resize_with(at.saturating_add(1), || None);
        }
        if let Some(slot) = self.slots.get_mut(at) {
            let channel = Channel::new(number).counted(place).seen(session);
            self.entry.open(channel.entry());
            session.vhost.churn().add(Event::ChannelOpened);
            *slot = Some(Slot::Open(Box::new(channel)));
            self.open = self.open.saturating_add(1);
        }
        session.tell_channel("channel.created", number);
        peer.method(number, channel::OpenOk {}.into());
        Ok(())
    }

    pub(super) fn forget(&mut self, number: u16) {
        if let Some(slot) = self.slots.get_mut(usize::from(number))
            && slot.take().is_some()
        {
            self.open = self.open.saturating_sub(1);
        }
    }
}
