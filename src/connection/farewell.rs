//! The end of a socket after the last frame was written.
//!
//! A socket that is closed while the peer still sends is reset, and with it may go what the peer has not read yet: our
//! close, or our answer to its own. Clients do send on: acknowledgements that were on their way, or a close of ours that
//! crossed with theirs. So we end our side only, and drop what the peer says until it ends its own.

use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use leveret_protocol::encode;
use leveret_protocol::method::connection::CloseOk;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// How long a client that agreed to the end has to end its side.
pub(super) const AGREED: Duration = Duration::from_secs(5);
/// How long a peer that was refused has.
pub(super) const REFUSED: Duration = Duration::from_secs(1);
/// How long a peer that was refused with a close has to answer it (as long as RabbitMQ gives it).
pub(super) const ANSWERED: Duration = Duration::from_secs(3);

/// So much of it is dropped at a time.
const SAID_BYTES: usize = 4096;

/// Drops what the peer says until it has answered our close or ended its side, for as long as it `has`. Our side is not to
/// be ended before: a client that looks for the end before it answers, as php-amqplib does, takes that for a broken
/// connection, and its user is not told why it was refused.
pub(super) async fn answer<S: AsyncRead + Unpin>(socket: &mut S, has: Duration) {
    let mut answer = BytesMut::new();
    encode::method(0, &CloseOk {}.into(), &mut answer);
    let mut said = BytesMut::new();
    let answering = async {
        said.reserve(SAID_BYTES);
        while let Ok(1..) = socket.read_buf(&mut said).await {
            if said.ends_with(&answer) {
                break;
            }
            said.advance(said.len().saturating_sub(answer.len()));
            said.reserve(SAID_BYTES);
        }
    };
    let _ = timeout(has, answering).await;
}

/// Ends our side and waits for the peer to end its own, for as long as it `has`.
pub(super) async fn farewell<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut S, has: Duration) {
    let mut dropped = [0; 512];
    // With TLS even our own end has to be taken by the peer.
    let ending = async {
        if socket.shutdown().await.is_ok() {
            while let Ok(1..) = socket.read(&mut dropped).await {}
        }
    };
    let _ = timeout(has, ending).await;
}
