//! Tells other programs where the broker listens.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

use crate::net::{Listener, Transport};

/// Writes a line `amqp ADDRESS:PORT` for each, `amqps` with TLS. The file is there with all of them, or as it was before.
pub(super) fn write(path: &Path, listeners: &[Listener]) -> io::Result<()> {
    let mut text = String::new();
    for listener in listeners {
        let scheme = match listener.transport() {
            Transport::Tcp => "amqp",
            Transport::Tls => "amqps",
        };
        // A string takes all that is written to it.
        let _ = writeln!(text, "{scheme} {}", listener.address());
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    fs::write(&new, text)?;
    fs::rename(new, path)
}
