//! What a header of the PROXY protocol says (proxy-protocol.txt of `HAProxy`, sections 2.1 and 2.2). Pure.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// How version 2 begins.
pub(super) const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// How version 1 begins.
pub(super) const WORD: &[u8; 6] = b"PROXY ";
/// No header of version 1 is longer, in bytes, its end included.
pub(super) const LINE_MAX: usize = 107;
/// No header of version 2 has more behind its first 16 bytes: addresses of sockets of Unix have 216, the rest may say what a
/// proxy knows of a client's certificate.
pub(super) const PAYLOAD_MAX: usize = 4096;

/// The part with the checksum over all of it.
const CRC32C: u8 = 0x03;

/// For whom a proxy connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// For itself, or for whom cannot be said in addresses: what the socket says holds.
    Unknown,
    /// For a client.
    Client {
        /// Where the client connects from.
        source: SocketAddr,
        /// Where it connected to.
        destination: SocketAddr,
    },
}

/// What was sent is no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub(super) &'static str);

/// Reads version 1, without the end of its line.
pub(super) fn version_1(line: &[u8]) -> Result<Header, Malformed> {
    const MALFORMED: Malformed = Malformed("its line cannot be read");
    let line = str::from_utf8(line).map_err(|_| MALFORMED)?;
    let mut words = line.split(' ');
    if words.next() != Some("PROXY") {
        return Err(MALFORMED);
    }
    let read: fn(&str) -> Option<IpAddr> = match words.next() {
        // Whatever follows.
        Some("UNKNOWN") => return Ok(Header::Unknown),
        Some("TCP4") => |word| word.parse::<Ipv4Addr>().ok().map(IpAddr::from),
        Some("TCP6") => |word| word.parse::<Ipv6Addr>().ok().map(IpAddr::from),
        _ => return Err(MALFORMED),
    };
    let mut address = || words.next().and_then(read).ok_or(MALFORMED);
    let (source, destination) = (address()?, address()?);
    let mut port = || words.next().and_then(port).ok_or(MALFORMED);
    let (source_port, destination_port) = (port()?, port()?);
    if words.next().is_some() {
        return Err(MALFORMED);
    }
    Ok(Header::Client {
        source: SocketAddr::new(source.to_canonical(), source_port),
        destination: SocketAddr::new(destination.to_canonical(), destination_port),
    })
}

/// Digits, without a zero before them.
fn port(word: &str) -> Option<u16> {
    let canonical =
        word.bytes().all(|octet| octet.is_ascii_digit()) && (word == "0" || !word.starts_with('0'));
    canonical.then(|| word.parse().ok()).flatten()
}

/// How many bytes follow the first 16 of version 2.
pub(super) fn payload_len(fixed: &[u8; 16]) -> Result<usize, Malformed> {
    let [.., high, low] = *fixed;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > PAYLOAD_MAX { Err(Malformed("it is too long")) } else { Ok(length) }
}

/// Reads version 2: its first 16 bytes, and what follows.
pub(super) fn version_2(fixed: &[u8; 16], payload: &[u8]) -> Result<Header, Malformed> {
    let [_, _, _, _, _, _, _, _, _, _, _, _, command, family, _, _] = *fixed;
    let is_local = match command {
        0x20 => true,
        0x21 => false,
        _ => return Err(Malformed("its version or its command is not known")),
    };
    let (header, rest) = match family {
        0x11 => addresses::<4>(payload)?,
        0x21 => addresses::<16>(payload)?,
        // Sockets of Unix, two paths.
        0x31 | 0x32 => (Header::Unknown, payload.get(216..).ok_or(Malformed("its addresses are cut off"))?),
        0x00 => (Header::Unknown, payload),
        // Over a local one there may stand anything.
        _ if is_local => return Ok(Header::Unknown),
        _ => return Err(Malformed("its family or its transport is not known")),
    };
    // Where nothing is said of addresses there is nothing to be relied on behind them.
    if family != 0 {
        check_parts(fixed, payload, rest)?;
    }
    Ok(if is_local { Header::Unknown } else { header })
}

fn addresses<const N: usize>(payload: &[u8]) -> Result<(Header, &[u8]), Malformed>
where
    IpAddr: From<[u8; N]>,
{
    const CUT_OFF: Malformed = Malformed("its addresses are cut off");
    let (source, rest) = payload.split_first_chunk::<N>().ok_or(CUT_OFF)?;
    let (destination, rest) = rest.split_first_chunk::<N>().ok_or(CUT_OFF)?;
    let (source_port, rest) = rest.split_first_chunk::<2>().ok_or(CUT_OFF)?;
    let (destination_port, rest) = rest.split_first_chunk::<2>().ok_or(CUT_OFF)?;
    let at = |address: [u8; N], port| {
        SocketAddr::new(IpAddr::from(address).to_canonical(), u16::from_be_bytes(port))
    };
    let header = Header::Client {
        source: at(*source, *source_port),
        destination: at(*destination, *destination_port),
    };
    Ok((header, rest))
}

/// What stands behind the addresses: parts with a type and a length. The checksum, if there is one, is over all of the header
/// with zeros in its own place.
fn check_parts(fixed: &[u8; 16], payload: &[u8], mut rest: &[u8]) -> Result<(), Malformed> {
    const CUT_OFF: Malformed = Malformed("a part of it is cut off");
    while let Some((kind, behind)) = rest.split_first() {
        let (length, behind) = behind.split_first_chunk::<2>().ok_or(CUT_OFF)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (value, behind) = behind.split_at_checked(length).ok_or(CUT_OFF)?;
        if *kind == CRC32C {
            let given = <[u8; 4]>::try_from(value).map_err(|_| CUT_OFF)?;
            let at = payload.len().saturating_sub(behind.len().saturating_add(4));
            let (before, after) = payload.split_at_checked(at).ok_or(CUT_OFF)?;
            let crc = crc32c::crc32c_append(crc32c::crc32c(fixed), before);
            let crc = crc32c::crc32c_append(crc, &[0; 4]);
            let crc = crc32c::crc32c_append(crc, after.get(4..).unwrap_or_default());
            if crc != u32::from_be_bytes(given) {
                return Err(Malformed("its checksum is another one"));
            }
        }
        rest = behind;
    }
    Ok(())
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Malformed {}
