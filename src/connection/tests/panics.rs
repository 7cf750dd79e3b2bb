//! The end of a connection that fails in the midst of its work.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use leveret_protocol::method::{Method, basic, channel, queue};
use leveret_protocol::{Decoder, encode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::super::open::End;
use super::super::*;
use crate::auth::DEFAULT_VHOST;
use crate::queue::queue::Status;

/// Gives what the client sends, and then fails as only our own mistakes do.
struct Trap {
    sent: Vec<u8>,
}

impl AsyncRead for Trap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        assert!(!self.sent.is_empty(), "a mistake in a connection");
        let count = buffer.remaining().min(self.sent.len());
        buffer.put_slice(&self.sent[..count]);
        self.sent.drain(..count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Trap {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_connection_that_panics_gives_back_what_it_held() {
    let environment = Environment::new(Config::default());
    let vhost = environment.vhosts.get(DEFAULT_VHOST).unwrap();
    let authority = Authority::new(Arc::clone(&environment.access), "guest", vhost.name()).unwrap();
    let outbox = Arc::new(Outbox::new());
    let recipient: Arc<dyn Recipient> = Arc::<Outbox>::clone(&outbox);
    let id = environment.connections.enter(&outbox, "guest".into(), "/".into());
    let mut sent = bytes::BytesMut::new();
    let methods: [Method<'_>; 5] = [
        channel::Open::default().into(),
        queue::Declare { queue: "own", exclusive: true, ..queue::Declare::default() }.into(),
        queue::Declare { queue: "q", ..queue::Declare::default() }.into(),
        basic::Consume { queue: "q", ..basic::Consume::default() }.into(),
        basic::Publish { routing_key: "q", ..basic::Publish::default() }.into(),
    ];
    for method in &methods {
        encode::method(1, method, &mut sent);
    }
    encode::content(1, &[0, 0], b"body", 131_072, &mut sent);
    let mut open = Open::new(Parts {
        socket: Trap { sent: sent.to_vec() },
        is_hung_up: |_| false,
        decoder: Decoder::new(131_072),
        read_ahead: Vec::new(),
        channels: Channels::new(2047, 1 << 20),
        session: Session::new(
            id,
            String::from("client"),
            authority,
            Arc::clone(&vhost),
            recipient,
            true,
            1 << 20,
        ),
        outbox,
        alarms: Arc::clone(&environment.alarms),
        throttle: Arc::default(),
        frame_max: 131_072,
        heartbeat: 0,
        tell_blocked: true,
    });
    let end = open.serve().await;
    assert!(matches!(end, End::Crashed), "{end:?}");
    assert!(vhost.queues().get("own").is_none(), "its exclusive queue is gone");
    let held = vhost.queues().get("q").unwrap().status();
    assert_eq!(held, Ok(Status { ready: 1, unacked: 0, consumers: 0, ..Status::default() }));
}
