//! Tells other programs where the broker listens.

use std::fmt::Write;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

/// Writes a line `amqp ADDRESS:PORT` for each. The file is there with all of them, or as it was before.
pub(super) fn write(path: &Path, addresses: &[SocketAddr]) -> io::Result<()> {
    let mut text = String::new();
    for address in addresses {
        // A string takes all that is written to it.
        let _ = writeln!(text, "amqp {address}");
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    fs::write(&new, text)?;
    fs::rename(new, path)
}
