//! Tells other programs where the broker listens.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

use crate::management::Listening;

/// Writes a line for each: `amqp ADDRESS:PORT`, `amqps` with TLS, `http`, `https`, `http/prometheus`, `https/prometheus`, and
/// `http+unix PATH`. The file is there with all of them, or as it was before.
pub(super) fn write(path: &Path, listening: &[Listening], socket: Option<&Path>) -> io::Result<()> {
    let mut text = String::new();
    for Listening { protocol, address } in listening {
        let scheme = if *protocol == Listening::AMQPS { "amqps" } else { *protocol };
        // A string takes all that is written to it.
        let _ = writeln!(text, "{scheme} {address}");
    }
    if let Some(socket) = socket {
        let _ = writeln!(text, "http+unix {}", socket.display());
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    fs::write(&new, text)?;
    fs::rename(new, path)
}
