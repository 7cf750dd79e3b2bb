//! Sockets that a service manager has opened and passed to this process (`LISTEN_FDS`).

use std::io;
use std::net::TcpListener;

use listenfd::ListenFd;

/// What they are called (`FileDescriptorName=`), with colons between the names.
const NAMES: &str = "LISTEN_FDNAMES";

/// A socket that was passed.
#[derive(Debug)]
pub struct Passed {
    /// What the service manager calls it: the name of the unit, unless it was given one; nothing where there are no names.
    pub name: String,
    /// It listens.
    pub listener: TcpListener,
}

/// The listening sockets that were passed; none where nothing was.
///
/// # Errors
/// One of them is no listening TCP socket.
pub fn inherited_listeners() -> io::Result<Vec<Passed>> {
    let names = std::env::var(NAMES).unwrap_or_default();
    let mut names = names.split(':');
    let mut passed = ListenFd::from_env();
    let mut found = Vec::new();
    for at in 0..passed.len() {
        let name = names.next().unwrap_or_default().to_owned();
        let listener = passed.take_tcp_listener(at).map_err(|error| {
            let of_name = if name.is_empty() { String::new() } else { format!(" ({})", name.escape_debug()) };
            let text = format!("the passed socket {}{of_name} does not listen for TCP: {error}", at + 3);
            io::Error::new(error.kind(), text)
        })?;
        found.extend(listener.map(|listener| Passed { name, listener }));
    }
    Ok(found)
}
