//! A message with what its queue knows of it.

use crate::message::Message;
use crate::place::{Home, Position};
use crate::store::stored::Returns;
use crate::time::Time;

/// A message with what its queue knows of it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its place.
    pub position: Position,
    /// The message.
    pub message: Message,
    /// How often it was given to somebody before and came back.
    pub returns: Returns,
    /// What becomes of it when the broker ends, and where it is written.
    pub home: Home,
    /// Whether it may have been given to a consumer before: it was, or an earlier broker did not end in order.
    pub redelivered: bool,
    /// Its priority in its queue.
    pub level: u8,
    /// When it was given to whoever has it now, about.
    pub given: Time,
    /// It is being written elsewhere, so that its queue must be able to find it by its position.
    pub(in crate::queue) sought: bool,
}

impl Entry {
    /// A message that is not journalled and was never delivered.
    pub fn new(position: Position, message: Message) -> Self {
        Self {
            position,
            message,
            returns: Returns::default(),
            home: Home::Transient,
            redelivered: false,
            level: 0,
            given: Time::default(),
            sought: false,
        }
    }
}
