//! Where the HTTP API is served, and how.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use super::ListenAddress;
use super::listen_address::InvalidListenAddress;

/// The port of RabbitMQ's HTTP API.
const PORT: u16 = 15672;

/// Whether something is served, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// Nowhere.
    Nowhere,
    /// There.
    At(ListenAddress),
}

impl FromStr for Listen {
    type Err = InvalidListenAddress;

    /// Reads `none`, or what a [`ListenAddress`] is read from.
    fn from_str(text: &str) -> Result<Self, InvalidListenAddress> {
        if text == "none" { Ok(Self::Nowhere) } else { text.parse().map(Self::At) }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nowhere => f.write_str("none"),
            Self::At(address) => address.fmt(f),
        }
    }
}

/// Settings of the HTTP API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagementConfig {
    /// Where it is served; unless that is said, at its usual port if that is free.
    pub listen: Option<Listen>,
    /// The address for a port that is given without one, and for the usual port.
    pub ip: Option<IpAddr>,
    /// Names of this machine that browsers on it may call it by.
    pub hosts: Vec<String>,
    /// The largest body of a request, in bytes.
    pub max_body_size: u64,
}

impl Default for ManagementConfig {
    fn default() -> Self {
        Self { listen: None, ip: None, hosts: Vec::new(), max_body_size: 20_000_000 }
    }
}

impl ManagementConfig {
    /// Where to listen, if anywhere.
    pub fn address(&self) -> Option<ListenAddress> {
        match (self.listen.unwrap_or(Listen::At(ListenAddress::AllInterfaces(PORT))), self.ip) {
            (Listen::Nowhere, _) => None,
            (Listen::At(ListenAddress::AllInterfaces(port)), Some(ip)) => {
                Some(ListenAddress::At(SocketAddr::new(ip, port)))
            }
            (Listen::At(address), _) => Some(address),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_port_is_listened_at_unless_something_else_is_said() {
        for (listen, ip, expected) in [
            (None, None, Some("[::]:15672")),
            (None, Some("127.0.0.1"), Some("127.0.0.1:15672")),
            (Some("none"), Some("127.0.0.1"), None),
            (Some("8080"), None, Some("[::]:8080")),
            (Some("8080"), Some("::1"), Some("[::1]:8080")),
            (Some("127.0.0.1:0"), Some("::1"), Some("127.0.0.1:0")),
        ] {
            let listen = listen.map(|text| text.parse().unwrap());
            let ip = ip.map(|text| text.parse().unwrap());
            let config = ManagementConfig { listen, ip, ..ManagementConfig::default() };
            let address = config.address().map(|address| address.to_string());
            assert_eq!(address.as_deref(), expected, "{listen:?} {ip:?}");
        }
    }
}
