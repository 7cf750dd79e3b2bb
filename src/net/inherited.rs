//! Sockets that a service manager has opened and passed to this process (`LISTEN_FDS`).

use std::io;
use std::net::TcpListener;

use listenfd::ListenFd;

/// The listening sockets that were passed; none where nothing was.
///
/// # Errors
/// One of them is no listening TCP socket.
pub fn inherited_listeners() -> io::Result<Vec<TcpListener>> {
    let mut passed = ListenFd::from_env();
    let listeners = (0..passed.len()).map(|at| {
        let listener = passed.take_tcp_listener(at);
        let listener = listener.map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("the passed socket {} does not listen for TCP: {error}", at + 3),
            )
        })?;
        Ok(listener)
    });
    let listeners: Vec<Option<TcpListener>> = listeners.collect::<io::Result<_>>()?;
    Ok(listeners.into_iter().flatten().collect())
}
