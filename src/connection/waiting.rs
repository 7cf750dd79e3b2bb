//! Channels that serve nothing for now: their answer waits for the disk, a message that they ask for is being read, or
//! what they were sent meanwhile has not had its turn.
//!
//! Frames that come for such a channel are kept as they are, in their order; all other channels go on, and so do
//! deliveries to its own consumers. What is kept is bounded for the connection as a whole: beyond that it is not read.

use bytes::Bytes;
use leveret_protocol::Event;
use leveret_protocol::method::basic;

use super::channels::{Channels, Raised, Slot, Unserved};
use crate::channel::answer::{Answer, Served, Until};
use crate::channel::get::Getting;
use crate::channel::{Channel, Peer, Session};

/// Beyond this much of kept frames a connection is not read, in bytes.
const KEPT_MAX: usize = 1024 * 1024;

/// A channel that serves nothing for now.
pub(super) struct Waiting {
    pub(super) channel: Box<Channel>,
    reason: Reason,
    /// What has come for it, as it came.
    frames: Vec<u8>,
}

enum Reason {
    /// What was done last is to be answered when this is reached.
    Answer(Until, Answer),
    /// A message is being read.
    Load(Getting),
    /// Nothing but that its turn comes: this get, if there is one, and the kept frames are to be served.
    Turn(Option<Getting>),
}

/// What a channel has to serve that waits no more.
pub(super) struct Turn {
    pub(super) channel: u16,
    pub(super) getting: Option<Getting>,
    pub(super) frames: Bytes,
}

/// The channels of a connection that wait, by number.
#[derive(Default)]
pub(super) struct WaitingChannels {
    numbers: Vec<u16>,
    kept: usize,
}

impl WaitingChannels {
    /// What came for a channel is not to be served any more.
    pub(super) fn forget(&mut self, waiting: &Waiting) {
        self.kept = self.kept.saturating_sub(waiting.frames.len());
    }
}

impl Channels {
    /// Whether any channel waits.
    pub fn any_waits(&self) -> bool {
        !self.waiting.numbers.is_empty()
    }

    /// Whether more is kept of waiting channels than there may be, so that the connection is not to be read.
    pub fn keeps_too_much(&self) -> bool {
        self.waiting.kept >= KEPT_MAX
    }

    /// Whether frames of waiting channels are still to be served.
    pub fn keeps_any(&self) -> bool {
        self.waiting.kept > 0
    }

    /// Whether a channel is waiting.
    pub fn is_waiting(&self, number: u16) -> bool {
        matches!(self.slot(number), Some(Slot::Waiting(_)))
    }

    /// Whether a channel is open and not waiting.
    pub fn is_serving(&self, number: u16) -> bool {
        matches!(self.slot(number), Some(Slot::Open(_)))
    }

    /// Keeps the bytes of an event that came for a waiting channel; says whether it was for one.
    pub(super) fn keep(&mut self, event: &Event<'_>, bytes: &[u8]) -> bool {
        let (Event::Method { channel, .. } | Event::Header { channel, .. } | Event::Body { channel, .. }) =
            event
        else {
            return false;
        };
        let Some(Slot::Waiting(waiting)) = self.slot_mut(*channel) else { return false };
        waiting.frames.extend_from_slice(bytes);
        self.waiting.kept = self.waiting.kept.saturating_add(bytes.len());
        true
    }

    /// Notes how a method was served: a channel may have to wait now.
    pub(super) fn served(&mut self, number: u16, served: Served) {
        let reason = match served {
            Served::Done => return,
            Served::Awaits(until, answer) => Reason::Answer(until, answer),
            Served::Loads(getting) => Reason::Load(getting),
        };
        self.wait(number, reason, Vec::new());
    }

    fn wait(&mut self, number: u16, reason: Reason, frames: Vec<u8>) {
        let Some(slot) = self.slot_mut(number) else { return };
        match std::mem::replace(slot, Slot::Closing) {
            Slot::Open(channel) => {
                let kept = frames.len();
                *slot = Slot::Waiting(Box::new(Waiting { channel, reason, frames }));
                self.waiting.numbers.push(number);
                self.waiting.kept = self.waiting.kept.saturating_add(kept);
            }
            other => *slot = other,
        }
    }

    /// The message that a channel waits for was read, or will not come: its get is served again when its turn comes.
    pub(super) fn loaded(&mut self, number: u16) {
        if let Some(Slot::Waiting(waiting)) = self.slot_mut(number) {
            waiting.reason = match std::mem::replace(&mut waiting.reason, Reason::Turn(None)) {
                Reason::Load(getting) => Reason::Turn(Some(getting)),
                other => other,
            };
        }
    }

    /// Answers on the channels that have waited long enough; they have their turn next.
    pub(super) fn resume(&mut self, session: &Session, peer: &mut dyn Peer) {
        for at in 0..self.waiting.numbers.len() {
            let Some(number) = self.waiting.numbers.get(at).copied() else { break };
            let Some(Slot::Waiting(waiting)) = self.slot_mut(number) else { continue };
            waiting.reason = match std::mem::replace(&mut waiting.reason, Reason::Turn(None)) {
                Reason::Answer(until, answer) if session.is_reached(until) => {
                    answer.tell(number, peer);
                    Reason::Turn(None)
                }
                other => other,
            };
        }
        self.leave_spent();
    }

    /// Channels that wait for their turn and were sent nothing meanwhile wait no more.
    fn leave_spent(&mut self) {
        let mut numbers = std::mem::take(&mut self.waiting.numbers);
        numbers.retain(|number| {
            let Some(slot) = self.slot_mut(*number) else { return false };
            match std::mem::replace(slot, Slot::Closing) {
                Slot::Waiting(waiting)
                    if matches!(waiting.reason, Reason::Turn(None)) && waiting.frames.is_empty() =>
                {
                    *slot = Slot::Open(waiting.channel);
                    false
                }
                other => {
                    *slot = other;
                    matches!(slot, Slot::Waiting(_))
                }
            }
        });
        self.waiting.numbers = numbers;
    }

    /// The next channel that waits for nothing but its turn; it waits no more.
    pub(super) fn take_turn(&mut self) -> Option<Turn> {
        let has_turn = |number: &u16| matches!(self.slot(*number), Some(Slot::Waiting(waiting)) if matches!(waiting.reason, Reason::Turn(_)));
        let at = self.waiting.numbers.iter().position(has_turn)?;
        let channel = self.waiting.numbers.remove(at);
        let slot = self.slot_mut(channel)?;
        let Slot::Waiting(waiting) = std::mem::replace(slot, Slot::Closing) else { return None };
        let Waiting { channel: open, reason, frames } = *waiting;
        *slot = Slot::Open(open);
        self.waiting.kept = self.waiting.kept.saturating_sub(frames.len());
        let getting = if let Reason::Turn(getting) = reason { getting } else { None };
        Some(Turn { channel, getting, frames: Bytes::from(frames) })
    }

    /// Serves a get whose message may have been read meanwhile.
    pub(super) fn get_again(
        &mut self,
        number: u16,
        getting: &Getting,
        session: &mut Session,
        peer: &mut dyn Peer,
    ) -> Result<(), Box<Unserved>> {
        let Some(Slot::Open(channel)) = self.slot_mut(number) else { return Ok(()) };
        let served = channel.get(getting, session, peer).map_err(|exception| Raised {
            channel: number,
            method: basic::Get::ID,
            exception,
        })?;
        self.served(number, served);
        Ok(())
    }

    /// What is left of kept frames that were being served, to go before whatever comes.
    pub(super) fn keep_rest(&mut self, number: u16, rest: &[u8]) {
        match self.slot_mut(number) {
            Some(Slot::Waiting(waiting)) => {
                waiting.frames.splice(..0, rest.iter().copied());
                self.waiting.kept = self.waiting.kept.saturating_add(rest.len());
            }
            Some(Slot::Open(_)) if !rest.is_empty() => self.wait(number, Reason::Turn(None), rest.to_vec()),
            Some(Slot::Open(_) | Slot::Closing) | None => {}
        }
    }
}
