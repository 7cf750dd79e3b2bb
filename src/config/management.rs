//! Where the HTTP API is served, and how.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::ListenAddress;
use super::http::{HttpTls, address};
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
    /// Where it is served; unless that is said, at its usual port if that is free, and if it is not served over TLS.
    pub listen: Option<Listen>,
    /// The address for a port that is given without one, and for the usual port.
    pub ip: Option<IpAddr>,
    /// Whether TLS is spoken there (`management.listener.ssl`).
    pub listen_tls: bool,
    /// Where else TLS is spoken, and how.
    pub tls: HttpTls,
    /// The socket of this machine's operator; unless that is said, in the data directory.
    pub socket: Option<SocketFile>,
    /// Who may connect to it.
    pub socket_mode: FileMode,
    /// What stands before every path: a slash and more.
    pub path_prefix: Option<String>,
    /// Names of this machine that browsers on it may call it by.
    pub hosts: Vec<String>,
    /// The largest body of a request, in bytes.
    pub max_body_size: u64,
    /// How long a connection may be silent between two requests, and the head of one may take.
    pub idle_timeout: Duration,
    /// What is said to browsers.
    pub browsers: Browsers,
}

/// What browsers are told beside an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Browsers {
    /// Pages of whose origins may ask; `*` is any.
    pub cors_allow_origins: Vec<String>,
    /// For how long browsers remember that, in seconds.
    pub cors_max_age: u32,
    /// `Content-Security-Policy`.
    pub csp_policy: Option<String>,
    /// `Strict-Transport-Security`.
    pub hsts_policy: Option<String>,
    /// `X-Content-Type-Options`.
    pub content_type_options: Option<String>,
    /// `X-XSS-Protection`.
    pub xss_protection: Option<String>,
    /// `X-Frame-Options`.
    pub frame_options: Option<String>,
    /// `Referrer-Policy`.
    pub referrer_policy: Option<String>,
}

impl Default for Browsers {
    fn default() -> Self {
        Self {
            cors_allow_origins: Vec::new(),
            cors_max_age: 1800,
            csp_policy: None,
            hsts_policy: None,
            content_type_options: None,
            xss_protection: None,
            frame_options: None,
            referrer_policy: None,
        }
    }
}

/// Whether there is a socket, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketFile {
    /// There is none.
    Nowhere,
    /// There.
    At(PathBuf),
}

/// Who may do what with a file: nine bits, three for its owner, its group and all others each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileMode(pub u32);

impl Default for ManagementConfig {
    fn default() -> Self {
        Self {
            listen: None,
            ip: None,
            listen_tls: false,
            tls: HttpTls::default(),
            socket: None,
            socket_mode: FileMode(0o600),
            path_prefix: None,
            hosts: Vec::new(),
            max_body_size: 20_000_000,
            idle_timeout: Duration::from_mins(1),
            browsers: Browsers::default(),
        }
    }
}

impl ManagementConfig {
    /// Where to listen, beside the address for TLS.
    pub fn address(&self) -> Option<ListenAddress> {
        address(self.listen.unwrap_or_else(|| usual(PORT, &self.tls)), self.ip)
    }

    /// Whether TLS is spoken anywhere.
    pub fn speaks_tls(&self) -> bool {
        self.tls.address().is_some() || self.listen_tls && self.address().is_some()
    }
}

/// At the usual port, unless TLS is spoken at another: whoever asks for that does not want the other as well.
pub(super) fn usual(port: u16, tls: &HttpTls) -> Listen {
    if tls.address().is_some() { Listen::Nowhere } else { Listen::At(ListenAddress::AllInterfaces(port)) }
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
            let tls = HttpTls { listen: Some("15671".parse().unwrap()), ..HttpTls::default() };
            let over_tls = ManagementConfig { tls, ..config.clone() };
            assert_eq!(
                over_tls.address(),
                listen.and(config.address()),
                "{listen:?}, and over TLS elsewhere"
            );
        }
    }
}
