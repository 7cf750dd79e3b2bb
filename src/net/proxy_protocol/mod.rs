//! The PROXY protocol, versions 1 and 2: a proxy says first for whom it connects.
//!
//! Nothing is read that stands behind the header: it belongs to whatever is spoken next.

mod header;

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

pub use header::{Header, Malformed};
use header::{LINE_MAX, SIGNATURE, WORD, payload_len, version_1, version_2};

/// No header is shorter, in bytes.
const SHORTEST: usize = SIGNATURE.len();

/// Why no header was read.
#[derive(Debug)]
pub enum NoHeader {
    /// What was sent is none.
    Malformed(Malformed),
    /// The socket ended or failed.
    Socket(io::Error),
}

impl From<Malformed> for NoHeader {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl From<io::Error> for NoHeader {
    fn from(error: io::Error) -> Self {
        Self::Socket(error)
    }
}

impl fmt::Display for NoHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(malformed) => malformed.fmt(f),
            Self::Socket(error) => error.fmt(f),
        }
    }
}

/// Reads the header that a connection begins with. How long that may take is the caller's.
///
/// # Errors
/// There is none, or it cannot be read; or the socket ends before it does.
pub async fn read_header(stream: &mut TcpStream) -> Result<Header, NoHeader> {
    let mut start = [0; SHORTEST];
    stream.read_exact(&mut start).await?;
    if start == SIGNATURE {
        let mut fixed = [0; 16];
        let (begin, rest) = fixed.split_at_mut(SHORTEST);
        begin.copy_from_slice(&start);
        stream.read_exact(rest).await?;
        let mut payload = vec![0; payload_len(&fixed)?];
        stream.read_exact(&mut payload).await?;
        return Ok(version_2(&fixed, &payload)?);
    }
    if !start.starts_with(WORD) {
        return Err(Malformed("there is no header of the PROXY protocol").into());
    }
    let line = rest_of_line(stream, start.to_vec()).await?;
    Ok(version_1(&line)?)
}

/// Reads to the end of the line and no further, which is found by looking at what waits.
async fn rest_of_line(stream: &mut TcpStream, mut line: Vec<u8>) -> Result<Vec<u8>, NoHeader> {
    let mut waiting = [0; LINE_MAX];
    loop {
        let room = LINE_MAX.saturating_sub(line.len());
        if room == 0 {
            return Err(Malformed("its line is too long").into());
        }
        let count = stream.peek(waiting.get_mut(..room).unwrap_or_default()).await?;
        if count == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let seen = waiting.get(..count).unwrap_or_default();
        let taken = seen.iter().position(|octet| *octet == b'\n').map_or(count, |at| at.saturating_add(1));
        let before = line.len();
        line.resize(before.saturating_add(taken), 0);
        stream.read_exact(line.get_mut(before..).unwrap_or_default()).await?;
        if line.last() == Some(&b'\n') {
            return Ok(line.strip_suffix(b"\r\n").ok_or(Malformed("its line has no end"))?.to_vec());
        }
    }
}
