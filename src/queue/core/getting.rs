//! `basic.get`: one message, for whoever asks now, or has to wait until it was read.

use std::sync::Arc;

use super::{QueueCore, kept};
use crate::queue::delivery::Recipient;
use crate::queue::id::UnackedKey;
use crate::queue::ready::Entry;
use crate::queue::unacked::Holder;
use crate::store::op::Group;

/// Who waits for a block that is being read, to get its first message.
pub struct Asker {
    /// Whom to tell.
    pub recipient: Arc<dyn Recipient>,
    /// Which of its channels waits.
    pub channel: u16,
}

/// What a get finds.
pub enum Taken {
    /// A message; with a key unless it counts as settled at once.
    Message(Entry, Option<UnackedKey>),
    /// Nothing is ready.
    Empty,
    /// The first message is on the disk, and asked for.
    OnDisk,
}

impl QueueCore {
    /// Takes the first ready message for `basic.get`.
    pub fn get(&mut self, no_ack: bool, group: &mut Group) -> Taken {
        let taken = self.take_first(no_ack, group);
        match &taken {
            Taken::Message(entry, _) => {
                self.counting.got(no_ack, entry.redelivered);
                self.waited_alone(&entry.message);
            }
            Taken::Empty => self.counting.got_nothing(),
            Taken::OnDisk => {}
        }
        taken
    }

    fn take_first(&mut self, no_ack: bool, group: &mut Group) -> Taken {
        if self.is_paused() {
            return Taken::Empty;
        }
        if self.groups.is_some() {
            return self.get_grouped(no_ack, group);
        }
        if self.ready.paged() > 0 {
            self.ready.ask_ahead(&mut self.loads);
        }
        if self.ready.head_is_paged() {
            return Taken::OnDisk;
        }
        let Some(mut entry) = self.pop_in_time() else {
            return if self.ready.head_is_paged() { Taken::OnDisk } else { Taken::Empty };
        };
        if no_ack {
            self.discard(&entry, group);
            return Taken::Message(entry, None);
        }
        (entry.message, entry.given) = (kept(&entry.message), self.now);
        let key = self.unacked.insert(entry.clone(), Holder::Get);
        Taken::Message(entry, Some(key))
    }

    /// Remembers who waits for a message that is on the disk.
    pub fn await_load(&mut self, asker: Asker) {
        let same =
            |other: &Asker| other.channel == asker.channel && other.recipient.id() == asker.recipient.id();
        if !self.askers.iter().any(same) {
            self.askers.push(asker);
        }
    }

    /// Those that need not wait any more.
    pub fn take_askers(&mut self) -> Vec<Asker> {
        if self.askers.is_empty() {
            return Vec::new();
        }
        if self.ready.head_is_paged() {
            // The one that was asked for may have been damaged: they wait for the next then.
            self.ready.ask_ahead(&mut self.loads);
            return Vec::new();
        }
        std::mem::take(&mut self.askers)
    }
}
