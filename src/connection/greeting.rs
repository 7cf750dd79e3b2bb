//! The socket's side of the handshake.

use std::io;
use std::sync::Arc;

use bytes::{Buf, BytesMut};
use leveret_protocol::decode::{PROTOCOL_HEADER, protocol_header};
use leveret_protocol::method::connection::CloseOk;
use leveret_protocol::{Decoder, Event, encode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Environment;
use super::farewell::{ANSWERED, REFUSED, answer, farewell};
use super::handshake::{Answer, Handshake, Negotiated, Refusal, Step};
use crate::access::Origin;
use crate::auth::Mechanism;
use crate::net::{Permit, Socket, watch_without_heartbeats};

/// Why a handshake did not lead to an open connection.
pub(super) enum End {
    /// The peer is refused.
    Refused(Refusal),
    /// The socket ended, or the peer closed the connection.
    Socket,
    /// What came is no TLS, or the peer says by it that it goes: with TLS 1.3 it tells only after the handshake that it does
    /// not trust the broker's certificate.
    Tls(io::Error),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        // What is wrong with TLS; sockets do not fail with this.
        if error.kind() == io::ErrorKind::InvalidData { Self::Tls(error) } else { Self::Socket }
    }
}

/// The bytes of a handshake.
pub(super) struct Greeting {
    stream: Socket,
    input: BytesMut,
    output: BytesMut,
    permit: Permit,
}

/// A handshake that led to an open connection.
pub(super) struct Greeted {
    /// What was agreed on.
    pub(super) negotiated: Negotiated,
    /// The decoder, tuned.
    pub(super) decoder: Decoder,
    /// The socket.
    pub(super) stream: Socket,
    /// What was read beyond the handshake.
    pub(super) read_ahead: Vec<u8>,
    /// The connection's room.
    pub(super) permit: Permit,
}

impl Greeting {
    pub(super) fn new(stream: Socket, permit: Permit) -> Self {
        Self { stream, input: BytesMut::new(), output: BytesMut::new(), permit }
    }

    /// What was agreed on, and the decoder as it was tuned. `open-ok` is still to be sent.
    pub(super) async fn handshake(
        &mut self,
        origin: Origin,
        environment: &Environment,
    ) -> Result<(Negotiated, Decoder), End> {
        let properties = Arc::clone(&environment.server_properties);
        let offered =
            Mechanism::ALL.into_iter().filter(|mechanism| environment.access.offers(*mechanism, &origin));
        let offered: Vec<_> = offered.collect();
        let mut handshake = Handshake::new(environment.config(), properties, origin, offered);
        while self.input.len() < PROTOCOL_HEADER.len() {
            self.read().await?;
        }
        let start = handshake.protocol_header(protocol_header(&self.input)).map_err(End::Refused)?;
        encode::method(0, &start.into(), &mut self.output);
        self.input.advance(PROTOCOL_HEADER.len());
        let mut decoder = Decoder::new(handshake.frame_max());
        loop {
            self.flush().await?;
            let Some((used, event)) =
                decoder.next(&self.input).map_err(|error| End::Refused(error.into()))?
            else {
                self.read().await?;
                continue;
            };
            let step = match event {
                Event::Method { channel, method, .. } => {
                    handshake.method(channel, &method, environment).map_err(End::Refused)?
                }
                Event::Heartbeat => Step::Await,
                Event::Header { .. } | Event::Body { .. } => return Err(End::Socket),
            };
            self.input.advance(used);
            decoder.set_frame_max(handshake.frame_max());
            if handshake.is_authenticated() {
                self.permit.authenticated();
            }
            match step {
                Step::Await => {}
                Step::Send(method) => encode::method(0, &method, &mut self.output),
                Step::Close => {
                    encode::method(0, &CloseOk {}.into(), &mut self.output);
                    self.flush().await?;
                    return Err(End::Socket);
                }
                Step::Open(negotiated) => {
                    if negotiated.heartbeat == 0 {
                        watch_without_heartbeats(&self.stream)?;
                    }
                    decoder.set_frame_max(negotiated.frame_max);
                    return Ok((*negotiated, decoder));
                }
            }
        }
    }

    /// The handshake is over.
    pub(super) fn into_greeted(self, (negotiated, decoder): (Negotiated, Decoder)) -> Greeted {
        let Self { stream, input, permit, .. } = self;
        Greeted { negotiated, decoder, stream, read_ahead: input.to_vec(), permit }
    }

    /// Tells the peer that it is refused, if it is to be told, and closes.
    pub(super) async fn refuse(&mut self, refusal: &Refusal) {
        if !refusal.delay.is_zero() {
            tokio::time::sleep(refusal.delay).await;
        }
        let close = refusal.answer.method();
        if refusal.answer == Answer::ProtocolHeader {
            self.output.extend_from_slice(&PROTOCOL_HEADER);
        }
        if let Some(close) = close {
            encode::method(0, &close.into(), &mut self.output);
        }
        if self.flush().await.is_ok() && close.is_some() {
            answer(&mut self.stream, ANSWERED).await;
        }
        farewell(&mut self.stream, REFUSED).await;
    }

    async fn read(&mut self) -> io::Result<()> {
        self.input.reserve(4096);
        match self.stream.read_buf(&mut self.input).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all_buf(&mut self.output).await?;
        self.stream.flush().await
    }
}
