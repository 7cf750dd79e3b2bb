//! Where a broker's HTTP API is: a host and a port, with TLS or without, or a Unix socket.

use std::fmt;
use std::path::PathBuf;

use super::Login;
use crate::auth::Secret;

/// The port of the HTTP API, and its port with TLS.
const PORT: u16 = 15672;
const PORT_TLS: u16 = 15671;

/// A place to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Endpoint {
    /// Over TCP.
    Host {
        /// A name or an address, an IPv6 one without its brackets.
        host: String,
        port: u16,
        tls: bool,
        /// What stands before `/api`, without a slash at its end.
        prefix: String,
    },
    /// A Unix socket.
    Socket(PathBuf),
}

impl Endpoint {
    /// Reads `http://user:password@host:port/prefix`, the same with `https`, or `unix:/path`. The user, if there is one,
    /// comes with it.
    ///
    /// # Errors
    /// What is wrong with it, in words that do not repeat it: there may be a password in it.
    pub(in crate::cli) fn read(url: &str) -> Result<(Self, Option<Login>), String> {
        if let Some(socket) = url.strip_prefix("unix:") {
            let socket = socket.strip_prefix("//").unwrap_or(socket);
            if !socket.starts_with('/') {
                return Err(
                    "a Unix socket is named by its whole path: unix:///path/to/leveret.sock".to_owned()
                );
            }
            return Ok((Self::Socket(socket.into()), None));
        }
        let (tls, rest) = match url.split_once("://") {
            Some(("http", rest)) => (false, rest),
            Some(("https", rest)) => (true, rest),
            Some(("amqp" | "amqps", _)) => {
                return Err(
                    "that is where AMQP clients connect; the command line uses the HTTP API, usually \
                            http://HOST:15672"
                        .to_owned(),
                );
            }
            _ => return Err("expected http://HOST:PORT, https://HOST:PORT or unix:///PATH".to_owned()),
        };
        let rest = rest.split(['?', '#']).next().unwrap_or(rest);
        let (authority, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_end_matches('/');
        let prefix =
            prefix.strip_suffix("api").filter(|p| p.is_empty() || p.ends_with('/')).unwrap_or(prefix);
        let prefix = prefix.trim_end_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("/{prefix}") };
        let (login, address) = authority.rsplit_once('@').map_or((None, authority), |(l, a)| (Some(l), a));
        let login = login.map(login_of).transpose()?;
        let (host, port) = host_and_port(address, if tls { PORT_TLS } else { PORT })?;
        Ok((Self::Host { host, port, tls, prefix }, login))
    }

    /// What stands before the path of every request.
    pub(super) fn prefix(&self) -> &str {
        match self {
            Self::Host { prefix, .. } => prefix,
            Self::Socket(_) => "",
        }
    }

    /// What a request says of the host that it is for.
    pub(super) fn authority(&self) -> String {
        match self {
            Self::Host { host, port, .. } if host.contains(':') => format!("[{host}]:{port}"),
            Self::Host { host, port, .. } => format!("{host}:{port}"),
            Self::Socket(_) => "localhost".to_owned(),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host { tls, prefix, .. } => {
                write!(f, "http{}://{}{prefix}", if *tls { "s" } else { "" }, self.authority())
            }
            Self::Socket(path) => write!(f, "{}", path.display()),
        }
    }
}

fn login_of(text: &str) -> Result<Login, String> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let user = String::from_utf8(decoded(user)?).map_err(|_| "the user's name is not UTF-8".to_owned())?;
    Ok(Login { user, password: Secret::new(decoded(password)?) })
}

fn host_and_port(address: &str, default: u16) -> Result<(String, u16), String> {
    let (host, port) = if let Some(bracketed) = address.strip_prefix('[') {
        let (host, after) = bracketed.split_once(']').ok_or("an IPv6 address needs its closing ]")?;
        (host, after.strip_prefix(':'))
    } else {
        address.split_once(':').map_or((address, None), |(host, port)| (host, Some(port)))
    };
    let port = match port {
        None | Some("") => default,
        Some(port) => {
            port.parse().map_err(|_| "behind the last colon stands a port, a number up to 65535")?
        }
    };
    if host.is_empty() {
        return Err("it names no host".to_owned());
    }
    Ok((host.to_owned(), port))
}

fn decoded(text: &str) -> Result<Vec<u8>, String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        if octet == b'%' {
            let digit = |octet: Option<u8>| octet.and_then(|octet| char::from(octet).to_digit(16));
            let (high, low) = (digit(octets.next()), digit(octets.next()));
            let octet = high.zip(low).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
            decoded.push(octet.ok_or("a % is followed by two hexadecimal digits (%25 is a % itself)")?);
        } else {
            decoded.push(octet);
        }
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_host_or_a_socket_and_perhaps_a_user() {
        for (url, expected, user, password) in [
            ("http://h", "http://h:15672", None, ""),
            ("https://h/", "https://h:15671", None, ""),
            ("http://u:p@h:8080/x/", "http://h:8080/x", Some("u"), "p"),
            ("http://u:p@h:8080/x/api/", "http://h:8080/x", Some("u"), "p"),
            ("http://u:p@h:8080/api", "http://h:8080", Some("u"), "p"),
            ("http://h/myapi", "http://h:15672/myapi", None, ""),
            ("http://a%40b:c%3a@[::1]:1/?x", "http://[::1]:1", Some("a@b"), "c:"),
            ("unix:///run/leveret.sock", "/run/leveret.sock", None, ""),
            ("unix:/run/leveret.sock", "/run/leveret.sock", None, ""),
        ] {
            let (endpoint, login) = Endpoint::read(url).unwrap();
            assert_eq!(endpoint.to_string(), expected, "{url}");
            assert_eq!(login.as_ref().map(|login| login.user.as_str()), user, "{url}");
            let secret = login.map_or(Secret::new(*b""), |login| login.password);
            assert!(bool::from(secret.matches(password.as_bytes())), "{url}");
        }
    }

    #[test]
    fn a_wrong_url_is_not_repeated_since_a_password_may_be_in_it() {
        for url in [
            "amqp://u:hidden@h",
            "ftp://u:hidden@h",
            "u:hidden@h",
            "http://u:hidden@",
            "http://u:hidden@h:port",
            "http://u:hidden%@h",
            "http://u:hidden@[::1",
            "unix:hidden",
        ] {
            let reason = Endpoint::read(url).unwrap_err();
            assert!(!reason.contains("hidden"), "{reason}");
        }
    }
}
