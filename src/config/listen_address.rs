//! An address to accept connections at.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    /// This port on every interface, IPv6 and IPv4: what RabbitMQ does by default.
    AllInterfaces(u16),
    /// Exactly this address; port 0 takes a free one.
    At(SocketAddr),
}

impl FromStr for ListenAddress {
    type Err = InvalidListenAddress;

    /// Reads `127.0.0.1:5672`, `[::1]:5672`, `localhost:5672`, or a port alone for every interface.
    fn from_str(text: &str) -> Result<Self, InvalidListenAddress> {
        let port_alone = text.strip_prefix(':').or_else(|| text.strip_prefix("*:")).unwrap_or(text);
        if let Ok(port) = port_alone.parse() {
            return Ok(Self::AllInterfaces(port));
        }
        if let Some(Ok(port)) = text.strip_prefix("localhost:").map(str::parse) {
            return Ok(Self::At(SocketAddr::new(IpAddr::from([127, 0, 0, 1]), port)));
        }
        text.parse().map(Self::At).map_err(|_| InvalidListenAddress)
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllInterfaces(port) => write!(f, "[::]:{port}"),
            Self::At(address) => address.fmt(f),
        }
    }
}

/// The text is no address and port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidListenAddress;

impl fmt::Display for InvalidListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "expected an IP address and a port, such as 127.0.0.1:5672 or [::1]:5672, or a port alone",
        )
    }
}

impl std::error::Error for InvalidListenAddress {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_and_a_port_or_a_port_alone_can_be_listened_at() {
        for (text, shown) in [
            ("127.0.0.1:5672", "127.0.0.1:5672"),
            ("127.0.0.1:0", "127.0.0.1:0"),
            ("[::1]:5672", "[::1]:5672"),
            ("localhost:1", "127.0.0.1:1"),
            ("5673", "[::]:5673"),
            (":5673", "[::]:5673"),
            ("*:5673", "[::]:5673"),
        ] {
            assert_eq!(text.parse::<ListenAddress>().unwrap().to_string(), shown);
        }
        for text in ["", "127.0.0.1", "::1", "example.com:5672", "127.0.0.1:70000", "localhost:", "70000"] {
            assert_eq!(text.parse::<ListenAddress>(), Err(InvalidListenAddress), "{text}");
        }
    }
}
