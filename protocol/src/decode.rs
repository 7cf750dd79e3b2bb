//! Bytes to events, in place.

use crate::error::{DecodeError, Fault, Snippet};
use crate::frame::{self, Head};
use crate::method::{Method, MethodError, basic};
use crate::properties::{Properties, PropertiesError};
use crate::wire::{FieldError, Reader};

/// What the peer said. All slices point into the decoder's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// A method.
    Method {
        /// The channel; 0 is the connection.
        channel: u16,
        /// The method.
        method: Method<'a>,
        /// The payload of its frame: ids and arguments as they came (see [`basic::Publish::address`]).
        payload: &'a [u8],
    },
    /// A content header.
    Header {
        /// The channel, never 0.
        channel: u16,
        /// The class of the method that the content belongs to; that it fits is not checked here.
        class_id: u16,
        /// Zero by the specification; not checked here.
        weight: u16,
        /// Octets of the whole body.
        body_size: u64,
        /// The properties; empty for any class but `basic`, whose properties are not known.
        properties: Properties<'a>,
    },
    /// A piece of a body frame: as much as has come.
    Body {
        /// The channel, never 0.
        channel: u16,
        /// The next octets; none where only the frame's end has come.
        payload: &'a [u8],
        /// Octets of payload of the whole frame.
        frame_size: u32,
        /// Whether the frame ends here.
        ends_frame: bool,
    },
    /// A heartbeat.
    Heartbeat,
}

/// What [`Decoder::next`] gives: octets used and event, or nothing yet.
pub type Decoded<'a> = Result<Option<(usize, Event<'a>)>, DecodeError>;

/// Splits a stream of frames.
///
/// A frame of a method or header is given out whole, the payload of a body frame as it comes, so that a large frame
/// is never buffered by the caller.
#[derive(Debug, Clone)]
pub struct Decoder {
    frame_max: u32,
    body: Option<BodyFrame>,
}

/// A body frame of which some has been given out.
#[derive(Debug, Clone, Copy)]
struct BodyFrame {
    channel: u16,
    size: u32,
    /// Octets of payload still to come; the end octet follows.
    missing: usize,
}

impl Decoder {
    /// A decoder at the start of the frames, after the protocol header. `frame_max` is in octets, of a whole frame;
    /// RabbitMQ's tolerance of 8 octets is added to it. Zero does not mean "no limit".
    pub const fn new(frame_max: u32) -> Self {
        Self { frame_max, body: None }
    }

    /// Takes the negotiated `frame_max`.
    pub const fn set_frame_max(&mut self, frame_max: u32) {
        self.frame_max = frame_max;
    }

    /// The next event of `input` and how many octets it takes, or `None` if more must come first: see
    /// [`Decoder::wanted`]. The caller drops those octets, then calls again.
    ///
    /// # Errors
    /// The peer broke the protocol. The stream cannot be read any further.
    #[inline]
    pub fn next<'a>(&mut self, input: &'a [u8]) -> Decoded<'a> {
        if let Some(body) = self.body {
            return self.continue_body(body, input);
        }
        let Some((head, rest)) = input.split_first_chunk() else { return Ok(None) };
        let head = Head::parse(*head);
        if head.size > self.frame_max {
            return Err(self.too_large(head));
        }
        match head.kind {
            frame::BODY => self.start_body(head, rest),
            frame::METHOD | frame::HEADER | frame::HEARTBEAT => whole(head, rest),
            _ => Err(unknown_frame(head, rest)),
        }
    }

    /// How long `input` must be for [`Decoder::next`] to give an event or an error; it may give one earlier.
    pub fn wanted(&self, input: &[u8]) -> usize {
        const FRAME_MIN: usize = frame::HEAD_SIZE + 1;
        if self.body.is_some() {
            return 1;
        }
        match input.first_chunk().map(|head| Head::parse(*head)) {
            None | Some(Head { kind: frame::BODY, .. }) => FRAME_MIN,
            Some(head) => FRAME_MIN.saturating_add(head.size as usize),
        }
    }

    #[cold]
    fn too_large(&self, head: Head) -> DecodeError {
        let fault = Fault::FrameTooLarge { kind: head.kind, size: head.size, frame_max: self.frame_max };
        DecodeError { channel: head.channel, method: (0, 0), fault }
    }

    /// A body frame that is there whole is given out at once; any other is taken up by [`Self::continue_body`].
    #[inline]
    fn start_body<'a>(&mut self, head: Head, rest: &'a [u8]) -> Decoded<'a> {
        let Head { channel, size, .. } = head;
        if channel == 0 {
            return Err(unexpected_frame(head, rest));
        }
        if let Some((payload, [frame::END, ..])) = rest.split_at_checked(size as usize) {
            let event = Event::Body { channel, payload, frame_size: size, ends_frame: true };
            return Ok(Some((frame_size(payload), event)));
        }
        if rest.is_empty() {
            return Ok(None);
        }
        let event = self.continue_body(BodyFrame { channel, size, missing: size as usize }, rest)?;
        Ok(event.map(|(used, event)| (frame::HEAD_SIZE + used, event)))
    }

    #[inline(never)]
    fn continue_body<'a>(&mut self, body: BodyFrame, input: &'a [u8]) -> Decoded<'a> {
        let (channel, frame_size) = (body.channel, body.size);
        let Some((payload, after)) = input.split_at_checked(body.missing) else {
            if input.is_empty() {
                return Ok(None);
            }
            self.body = Some(BodyFrame { missing: body.missing - input.len(), ..body });
            return Ok(Some((
                input.len(),
                Event::Body { channel, payload: input, frame_size, ends_frame: false },
            )));
        };
        match after.first() {
            Some(&frame::END) => {
                self.body = None;
                Ok(Some((payload.len() + 1, Event::Body { channel, payload, frame_size, ends_frame: true })))
            }
            Some(&end) => {
                let seen = if payload.len() == frame_size as usize { payload } else { &[] };
                Err(invalid_end(Head { kind: frame::BODY, channel, size: frame_size }, seen, end))
            }
            None if payload.is_empty() => Ok(None),
            None => {
                self.body = Some(BodyFrame { missing: 0, ..body });
                Ok(Some((payload.len(), Event::Body { channel, payload, frame_size, ends_frame: false })))
            }
        }
    }
}

/// The event of a frame that must be there whole.
#[inline]
fn whole(head: Head, rest: &[u8]) -> Decoded<'_> {
    let Some((payload, after)) = rest.split_at_checked(head.size as usize) else { return Ok(None) };
    match after.first() {
        Some(&frame::END) => {}
        Some(&end) => return Err(invalid_end(head, payload, end)),
        None => return Ok(None),
    }
    match head.kind {
        frame::METHOD => method(head, payload),
        frame::HEADER => header(head, payload),
        _ => heartbeat(head, payload),
    }
}

/// Octets of a whole frame.
#[inline]
const fn frame_size(payload: &[u8]) -> usize {
    frame::HEAD_SIZE + payload.len() + 1
}

/// The methods that come with every message are read here, so that the event is built where the caller wants it: an
/// enum of this size that is moved even once costs more than reading an ack. Whatever is wrong with them is told by
/// [`any_method`].
#[inline]
fn method(head: Head, payload: &[u8]) -> Decoded<'_> {
    let Some((ids, arguments)) = payload.split_first_chunk() else {
        return Err(unknown_frame(head, payload));
    };
    macro_rules! frequent {
        ($Name:ident) => {{
            let mut reader = Reader::new(arguments);
            if let Ok(method) = basic::$Name::read(&mut reader)
                && reader.rest().is_empty()
            {
                let method = Method::Basic(basic::Method::$Name(method));
                let event = Event::Method { channel: head.channel, method, payload };
                return Ok(Some((frame_size(payload), event)));
            }
        }};
    }
    let id = ids_of(*ids);
    match id {
        basic::Publish::ID => {
            if let Some(publish) = basic::Publish::read_fast(payload) {
                let method = Method::Basic(basic::Method::Publish(publish));
                let event = Event::Method { channel: head.channel, method, payload };
                return Ok(Some((frame_size(payload), event)));
            }
        }
        basic::Ack::ID => frequent!(Ack),
        basic::Deliver::ID => frequent!(Deliver),
        _ => {}
    }
    any_method(head.channel, id, arguments, payload)
}

#[inline]
fn ids_of([c1, c0, m1, m0]: [u8; 4]) -> (u16, u16) {
    (u16::from_be_bytes([c1, c0]), u16::from_be_bytes([m1, m0]))
}

#[inline(never)]
fn any_method<'a>(channel: u16, id: (u16, u16), arguments: &'a [u8], payload: &'a [u8]) -> Decoded<'a> {
    match Method::decode(id, arguments) {
        Ok(method) => Ok(Some((frame_size(payload), Event::Method { channel, method, payload }))),
        Err(error) => Err(malformed_method(channel, id, arguments, error)),
    }
}

#[inline]
fn header(head: Head, payload: &[u8]) -> Decoded<'_> {
    let channel = head.channel;
    let Some(([c1, c0, w1, w0, size @ ..], properties)) = payload.split_first_chunk::<12>() else {
        return Err(unknown_frame(head, payload));
    };
    if channel == 0 {
        return Err(unexpected_frame(head, payload));
    }
    let class_id = u16::from_be_bytes([*c1, *c0]);
    let properties = if class_id == basic::CLASS_ID {
        match Properties::parse(properties) {
            Ok(properties) => properties,
            Err(error) => return Err(malformed_properties(channel, error)),
        }
    } else {
        Properties::EMPTY
    };
    let (weight, body_size) = (u16::from_be_bytes([*w1, *w0]), u64::from_be_bytes(*size));
    let event = Event::Header { channel, class_id, weight, body_size, properties };
    Ok(Some((frame_size(payload), event)))
}

#[cold]
fn heartbeat(head: Head, payload: &[u8]) -> Decoded<'_> {
    if !payload.is_empty() {
        return Err(unknown_frame(head, payload));
    }
    if head.channel != 0 {
        return Err(unexpected_frame(head, payload));
    }
    Ok(Some((frame_size(payload), Event::Heartbeat)))
}

#[cold]
fn unknown_frame(head: Head, rest: &[u8]) -> DecodeError {
    let fault = Fault::UnknownFrame { kind: head.kind, payload: snippet(head, rest) };
    DecodeError { channel: head.channel, method: (0, 0), fault }
}

#[cold]
fn unexpected_frame(head: Head, rest: &[u8]) -> DecodeError {
    let fault = Fault::UnexpectedFrame { kind: head.kind, payload: snippet(head, rest) };
    DecodeError { channel: head.channel, method: (0, 0), fault }
}

#[cold]
fn invalid_end(head: Head, payload: &[u8], end: u8) -> DecodeError {
    let fault = Fault::InvalidEnd { kind: head.kind, payload: Snippet::new(payload), end };
    DecodeError { channel: head.channel, method: (0, 0), fault }
}

#[cold]
fn malformed_method(channel: u16, method: (u16, u16), arguments: &[u8], error: MethodError) -> DecodeError {
    let fault = match error {
        MethodError::Unknown => Fault::UnknownMethod,
        MethodError::Trailing | MethodError::Field(FieldError::Truncated) => {
            Fault::CannotDecode { arguments: Snippet::new(arguments) }
        }
        MethodError::Field(FieldError::MalformedUtf8) => Fault::MalformedUtf8,
        MethodError::Field(FieldError::Table(error)) => Fault::Table(error),
    };
    DecodeError { channel, method, fault }
}

#[cold]
fn malformed_properties(channel: u16, error: PropertiesError) -> DecodeError {
    DecodeError { channel, method: basic::Publish::ID, fault: Fault::Properties(error) }
}

/// Of what follows a head, the start of its payload.
fn snippet(head: Head, rest: &[u8]) -> Snippet {
    Snippet::new(rest.get(..head.size as usize).unwrap_or_default())
}

/// The eight octets with which a client opens a connection.
pub const PROTOCOL_HEADER: [u8; 8] = *b"AMQP\x00\x00\x09\x01";

/// What the first octets of a connection are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProtocolHeader {
    /// Fewer than eight octets.
    Incomplete,
    /// `AMQP` and a version.
    Complete(Version),
    /// Something else.
    Invalid(Looks),
}

/// The four octets after `AMQP`: protocol id, major, minor, revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version(pub [u8; 4]);

impl Version {
    /// Whether this is AMQP 0-9-1, or 0-9 as old clients announce it and RabbitMQ takes it.
    pub const fn is_supported(self) -> bool {
        matches!(self.0, [0, 0, 9, 1] | [1, 1, 0, 9])
    }
}

/// What octets that are not AMQP look like, as a hint for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looks {
    /// A request line of HTTP.
    Http,
    /// The start of a TLS handshake.
    Tls,
    /// A header of the PROXY protocol.
    Proxy,
    /// Nothing known.
    Unknown,
}

/// Reads the protocol header at the start of a connection.
pub fn protocol_header(input: &[u8]) -> ProtocolHeader {
    match input.first_chunk::<8>() {
        None => ProtocolHeader::Incomplete,
        Some([b'A', b'M', b'Q', b'P', version @ ..]) => ProtocolHeader::Complete(Version(*version)),
        Some([0x16, 0x03, ..]) => ProtocolHeader::Invalid(Looks::Tls),
        Some([b'P', b'R', b'O', b'X', b'Y', b' ', ..] | b"\r\n\r\n\0\r\nQ") => {
            ProtocolHeader::Invalid(Looks::Proxy)
        }
        Some(other) if is_http(*other) => ProtocolHeader::Invalid(Looks::Http),
        Some(_) => ProtocolHeader::Invalid(Looks::Unknown),
    }
}

fn is_http(start: [u8; 8]) -> bool {
    const METHODS: [&[u8]; 9] =
        [b"GET ", b"HEAD ", b"POST ", b"PUT ", b"DELETE ", b"OPTIONS ", b"PATCH ", b"CONNECT ", b"PRI * "];
    METHODS.iter().any(|method| start.starts_with(method))
}
