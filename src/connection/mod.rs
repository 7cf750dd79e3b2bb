//! One AMQP connection: its handshake, its frames, its end.

use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::net::{Accepted, Permit};

/// What every connection of a broker shares.
#[derive(Debug)]
pub struct Environment {
    /// The checked configuration.
    pub config: Arc<Config>,
    /// Cancelled when the broker stops: each connection is then closed with 320.
    pub stopping: CancellationToken,
}

/// Serves a connection until it has ended. Runs on a worker's thread.
pub async fn serve(accepted: Accepted, permit: Permit, environment: Arc<Environment>) {
    let _permit = permit;
    let Ok(mut stream) = TcpStream::from_std(accepted.stream) else { return };
    tokio::select! {
        () = environment.stopping.cancelled() => {}
        _ = stream.write_all(b"AMQP\0\0\x09\x01") => {}
    }
}
