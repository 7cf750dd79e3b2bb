//! The content of a `basic.publish`: header and body, put together from the frames that follow the method.
//!
//! Most messages never come here: a connection that has method, header and body in one read makes the message of
//! that. Here is the general case, in any number of pieces.

use bytes::Bytes;
use leveret_protocol::limits::MESSAGE_SIZE_HARD_CAP;
use leveret_protocol::method::basic;
use leveret_protocol::properties::Properties;

use super::exception::{Exception, frame_error, precondition_failed, unexpected_frame};
use crate::message::{Message, Parts};

/// What a channel expects next.
#[derive(Debug, Default)]
pub enum Content {
    /// A method.
    #[default]
    Idle,
    /// The header of this publish.
    AwaitHeader {
        /// Return it if no queue takes it.
        mandatory: bool,
        /// Exchange and routing key, as on the wire.
        address: Bytes,
    },
    /// The rest of a body.
    AwaitBody(Assembly),
}

/// A message of which some is missing.
#[derive(Debug)]
pub struct Assembly {
    mandatory: bool,
    parts: Parts,
    bytes: Vec<u8>,
    missing: u64,
    empty_frames: u32,
}

/// A message that is complete.
#[derive(Debug)]
pub struct Complete {
    /// Return it if no queue takes it.
    pub mandatory: bool,
    /// The message.
    pub message: Message,
}

/// Frames without payload that one body may have.
const EMPTY_FRAMES_MAX: u32 = 1024;

impl Assembly {
    /// Room grows with what has come, never with what is claimed, and never beyond the end of the message.
    fn append(&mut self, payload: &[u8]) {
        let room = self.bytes.capacity().saturating_sub(self.bytes.len());
        if room < payload.len() {
            let missing = usize::try_from(self.missing).unwrap_or(usize::MAX).saturating_add(payload.len());
            self.bytes.reserve_exact(missing.min(payload.len().max(self.bytes.len())));
        }
        self.bytes.extend_from_slice(payload);
    }
}

impl Content {
    /// How many bytes are held for a message that is not complete.
    pub fn held(&self) -> usize {
        match self {
            Self::Idle | Self::AwaitHeader { .. } => 0,
            Self::AwaitBody(assembly) => assembly.bytes.len(),
        }
    }

    /// What is wrong with a method that comes now.
    pub fn interrupted_by_method(&self) -> Option<Exception> {
        match self {
            Self::Idle => None,
            Self::AwaitHeader { .. } => Some(unexpected_frame(
                "expected content header for class 60, got non content header frame instead",
            )),
            Self::AwaitBody(_) => {
                Some(unexpected_frame("expected content body, got non content body frame instead"))
            }
        }
    }

    /// A content header came. Gives the message when it has no body.
    pub fn header(
        &mut self,
        class_id: u16,
        weight: u16,
        body_size: u64,
        properties: Properties<'_>,
        message_size_max: u64,
    ) -> Result<Option<Complete>, Exception> {
        let (mandatory, address) = match std::mem::take(self) {
            Self::AwaitHeader { mandatory, address } => (mandatory, address),
            Self::Idle => {
                return Err(unexpected_frame("expected method frame, got non method frame instead"));
            }
            Self::AwaitBody(_) => {
                return Err(unexpected_frame("expected content body, got non content body frame instead"));
            }
        };
        check_header(class_id, weight, body_size, message_size_max)?;
        let persistent = properties.is_persistent();
        let properties = properties.as_bytes();
        let parts = Parts::packed(
            u16::try_from(address.len()).unwrap_or(u16::MAX),
            u32::try_from(properties.len()).unwrap_or(u32::MAX),
        );
        let parts = Parts { persistent, ..parts };
        let mut bytes = Vec::with_capacity(parts.body_at as usize);
        bytes.extend_from_slice(&address);
        bytes.extend_from_slice(properties);
        Self::complete(self, Assembly { mandatory, parts, bytes, missing: body_size, empty_frames: 0 })
    }

    /// A piece of a body frame came. Gives the message when it is the last.
    pub fn body(&mut self, payload: &[u8], ends_frame: bool) -> Result<Option<Complete>, Exception> {
        let mut assembly = match std::mem::take(self) {
            Self::AwaitBody(assembly) => assembly,
            Self::Idle => {
                return Err(unexpected_frame("expected method frame, got non method frame instead"));
            }
            Self::AwaitHeader { .. } => {
                return Err(unexpected_frame(
                    "expected content header for class 60, got non content header frame instead",
                ));
            }
        };
        assembly.missing = assembly
            .missing
            .checked_sub(payload.len() as u64)
            .ok_or_else(|| frame_error("content body frame exceeds remaining content size"))?;
        assembly.append(payload);
        if payload.is_empty() && ends_frame {
            assembly.empty_frames = assembly.empty_frames.saturating_add(1);
            if assembly.empty_frames > EMPTY_FRAMES_MAX {
                return Err(frame_error("too many content body frames without content"));
            }
        }
        if assembly.missing == 0 && !ends_frame {
            // Nothing is missing but the end of the frame.
            *self = Self::AwaitBody(assembly);
            return Ok(None);
        }
        Self::complete(self, assembly)
    }

    fn complete(&mut self, assembly: Assembly) -> Result<Option<Complete>, Exception> {
        if assembly.missing > 0 {
            *self = Self::AwaitBody(assembly);
            return Ok(None);
        }
        let message = Message::new(Bytes::from(assembly.bytes), assembly.parts)
            .ok_or_else(|| frame_error("content does not fit together"))?;
        Ok(Some(Complete { mandatory: assembly.mandatory, message }))
    }
}

/// Whether a content header may follow a `basic.publish`.
pub fn check_header(
    class_id: u16,
    weight: u16,
    body_size: u64,
    message_size_max: u64,
) -> Result<(), Exception> {
    if class_id != basic::CLASS_ID {
        return Err(unexpected_frame(format!(
            "expected content header for class 60, got one for class {class_id} instead"
        )));
    }
    if weight != 0 {
        return Err(unexpected_frame(format!("expected content header with weight 0, got {weight} instead")));
    }
    if body_size > MESSAGE_SIZE_HARD_CAP {
        return Err(frame_error(format!(
            "content body of {body_size} bytes exceeds {MESSAGE_SIZE_HARD_CAP}"
        )));
    }
    if body_size > message_size_max {
        return Err(precondition_failed(format!(
            "message size {body_size} is larger than configured max size {message_size_max}; \
             it is max_message_size in the configuration"
        )));
    }
    Ok(())
}
