//! What a peer did wrong on the wire, with the reply code and the text with which RabbitMQ answers.

use std::fmt;

use crate::properties::PropertiesError;
use crate::reply_code::ReplyCode;
use crate::table::TableError;

/// A frame that cannot be decoded. The stream cannot be read any further: the connection is to be closed.
///
/// It displays as the second half of the reply text; [`DecodeError::reply_text`] is the whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError {
    /// The channel of the frame.
    pub channel: u16,
    /// Class and method id where they were read, else zeros.
    pub method: (u16, u16),
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The payload is larger than the negotiated maximum; told from the head of the frame.
    FrameTooLarge {
        /// Frame type.
        kind: u8,
        /// Octets of payload.
        size: u32,
        /// The negotiated maximum of a whole frame.
        frame_max: u32,
    },
    /// No frame type of AMQP, a payload too short for its type, or a heartbeat with one.
    UnknownFrame {
        /// Frame type.
        kind: u8,
        /// What was there of the payload.
        payload: Snippet,
    },
    /// The octet after the payload is not 206.
    InvalidEnd {
        /// Frame type.
        kind: u8,
        /// What was there of the payload.
        payload: Snippet,
        /// What stands in place of 206.
        end: u8,
    },
    /// A heartbeat on a channel, or content on channel 0.
    UnexpectedFrame {
        /// Frame type.
        kind: u8,
        /// What was there of the payload.
        payload: Snippet,
    },
    /// No method has these ids.
    UnknownMethod,
    /// Arguments are missing, or octets follow the last one.
    CannotDecode {
        /// The arguments.
        arguments: Snippet,
    },
    /// A shortstr of a method or property is not UTF-8.
    MalformedUtf8,
    /// An argument is a malformed table.
    Table(TableError),
    /// The properties of a content header are malformed.
    Properties(PropertiesError),
}

/// The first octets of something, for a reply text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snippet {
    octets: Box<[u8]>,
    whole: bool,
}

impl Snippet {
    /// As many octets as RabbitMQ prints of a payload.
    const MAX: usize = 16;

    pub(crate) fn new(bytes: &[u8]) -> Self {
        let octets = bytes.get(..Self::MAX).unwrap_or(bytes);
        Self { octets: octets.into(), whole: octets.len() == bytes.len() }
    }

    fn fmt_counted(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.whole {
            write!(f, "all octets = {self}")
        } else {
            write!(f, "first {} octets = {self}", Self::MAX)
        }
    }
}

/// As an Erlang binary: `<<0,10>>`, or `<<"abc">>` where all octets can be printed.
impl fmt::Display for Snippet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<<")?;
        if !self.octets.is_empty() && self.octets.iter().all(|octet| matches!(octet, b' '..=b'~')) {
            let text = str::from_utf8(&self.octets).unwrap_or_default();
            write!(f, "{text:?}")?;
        } else {
            for (position, octet) in self.octets.iter().enumerate() {
                let comma = if position == 0 { "" } else { "," };
                write!(f, "{comma}{octet}")?;
            }
        }
        f.write_str(">>")
    }
}

impl DecodeError {
    /// The code for `connection.close`.
    pub fn reply_code(&self) -> ReplyCode {
        match &self.fault {
            Fault::FrameTooLarge { .. }
            | Fault::UnknownFrame { .. }
            | Fault::InvalidEnd { .. }
            | Fault::CannotDecode { .. }
            | Fault::MalformedUtf8
            | Fault::Properties(PropertiesError::MalformedUtf8) => ReplyCode::FrameError,
            Fault::UnexpectedFrame { .. } => ReplyCode::UnexpectedFrame,
            Fault::UnknownMethod => ReplyCode::NotImplemented,
            Fault::Table(_) | Fault::Properties(_) => ReplyCode::SyntaxError,
        }
    }

    /// The text for `connection.close`: the code's name and what is wrong.
    pub fn reply_text(&self) -> String {
        format!("{} - {self}", self.reply_code().name())
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.fault {
            Fault::FrameTooLarge { kind, size, frame_max } => {
                let limit = frame_max.saturating_sub(crate::limits::FRAME_OVERHEAD);
                write!(f, "type {kind}, all octets = <<>>: {{frame_too_large,{size},{limit}}}")
            }
            Fault::UnknownFrame { kind, payload } => {
                write!(f, "type {kind}, ")?;
                payload.fmt_counted(f)?;
                f.write_str(": unknown_frame")
            }
            Fault::InvalidEnd { kind, payload, end } => {
                write!(f, "type {kind}, ")?;
                payload.fmt_counted(f)?;
                write!(f, ": {{invalid_frame_end_marker,{end}}}")
            }
            Fault::UnexpectedFrame { kind, payload } => {
                write!(f, "type {kind}, ")?;
                payload.fmt_counted(f)
            }
            Fault::UnknownMethod => {
                let (class_id, method_id) = self.method;
                write!(f, "unknown method {class_id},{method_id}")
            }
            Fault::CannotDecode { arguments } => write!(f, "cannot decode {arguments}"),
            Fault::MalformedUtf8 => f.write_str("Malformed UTF-8 in shortstr"),
            Fault::Table(error) => error.fmt(f),
            Fault::Properties(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for DecodeError {}
