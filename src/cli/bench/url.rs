//! The address of a broker as `amqp://user:password@host:port/vhost`, or `amqps://...?cacertfile=FILE`. Knows no socket.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where a broker listens and as whom to log in, from an AMQP URI as RabbitMQ's "URI specification" describes it.
#[derive(Clone, PartialEq, Eq)]
pub struct AmqpUrl {
    /// Host name or address, an IPv6 address without its brackets.
    pub host: String,
    /// With TLS: whose certificates are trusted.
    pub(super) tls: Option<Authority>,
    /// TCP port; 5672 when the URI names none, with TLS 5671.
    pub port: u16,
    /// User name; `guest` when the URI names none.
    pub user: String,
    /// Password; `guest` when the URI names no user.
    pub password: String,
    /// Virtual host; `/` when the URI has no path, or nothing in it.
    pub vhost: String,
}

/// A file of certificates, PEM.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Authority(pub(super) PathBuf);

impl FromStr for AmqpUrl {
    type Err = String;

    fn from_str(uri: &str) -> Result<Self, String> {
        let (rest, with_tls) = match uri.split_once("://") {
            Some(("amqp", rest)) => (rest, false),
            Some(("amqps", rest)) => (rest, true),
            Some((scheme, _)) => {
                return Err(format!("scheme {scheme}:// is not supported, only amqp:// and amqps://"));
            }
            None => return Err("expected amqp://user:password@host:port/vhost".to_owned()),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let tls = if with_tls { Some(authority(query)?) } else { None };
        let (authority, vhost) = match rest.split_once('/') {
            // A bare slash is the empty name by the letter of the specification, but nobody means that.
            Some((authority, "")) => (authority, "/".to_owned()),
            Some((authority, vhost)) => (authority, percent_decoded(vhost)?),
            None => (rest, "/".to_owned()),
        };
        let (login, address) = authority.rsplit_once('@').map_or((None, authority), |(l, a)| (Some(l), a));
        let (user, password) = match login {
            None => ("guest".to_owned(), "guest".to_owned()),
            Some(login) => {
                let (user, password) = login.split_once(':').unwrap_or((login, ""));
                (percent_decoded(user)?, percent_decoded(password)?)
            }
        };
        let (host, port) = host_and_port(address, if with_tls { 5671 } else { 5672 })?;
        Ok(Self { host, tls, port, user, password, vhost })
    }
}

/// Without the password: it is for messages to people.
impl fmt::Display for AmqpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls.is_some() { "amqps" } else { "amqp" };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for AmqpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// As RabbitMQ's "URI query parameters" name it.
fn authority(query: &str) -> Result<Authority, String> {
    let file = query.split('&').find_map(|parameter| parameter.strip_prefix("cacertfile="));
    let file = file.ok_or("amqps:// needs ?cacertfile=FILE, whose certificates are trusted")?;
    Ok(Authority(percent_decoded(file)?.into()))
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
        Some(port) => port.parse().map_err(|_| format!("{port} is no port"))?,
    };
    Ok((if host.is_empty() { "127.0.0.1".to_owned() } else { percent_decoded(host)? }, port))
}

fn percent_decoded(text: &str) -> Result<String, String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
            let (high, low) = (digit(bytes.next()), digit(bytes.next()));
            let value = high.zip(low).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
            decoded.push(value.ok_or_else(|| format!("% without two hexadecimal digits in {text}"))?);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).map_err(|_| format!("{text} is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_names_host_port_login_and_vhost() {
        for (uri, expected) in [
            ("amqp://", ("127.0.0.1", 5672, "guest", "guest", "/")),
            ("amqp://rabbit", ("rabbit", 5672, "guest", "guest", "/")),
            ("amqp://u:p@h:1/v", ("h", 1, "u", "p", "v")),
            ("amqp://u%40x:p%2Fq@h:1/%2f", ("h", 1, "u@x", "p/q", "/")),
            ("amqp://u@[::1]:2/a?heartbeat=5", ("::1", 2, "u", "", "a")),
            ("amqps://h?x=1&cacertfile=%2fca.pem", ("h", 5671, "guest", "guest", "/")),
            ("amqp://h/", ("h", 5672, "guest", "guest", "/")),
        ] {
            let url: AmqpUrl = uri.parse().unwrap();
            let actual =
                (url.host.as_str(), url.port, url.user.as_str(), url.password.as_str(), url.vhost.as_str());
            assert_eq!(actual, expected, "{uri}");
            let authority = url.tls.map(|Authority(path)| path);
            assert_eq!(authority, uri.starts_with("amqps:").then(|| PathBuf::from("/ca.pem")), "{uri}");
        }
    }

    #[test]
    fn what_is_no_amqp_uri_is_refused() {
        for uri in ["localhost", "amqps://h", "http://h", "amqp://h:port", "amqp://[::1", "amqp://%zz@h"] {
            assert!(uri.parse::<AmqpUrl>().is_err(), "{uri}");
        }
    }

    #[test]
    fn a_printed_url_hides_the_password() {
        let url: AmqpUrl = "amqp://user:secret@h:1/v".parse().unwrap();
        assert_eq!(format!("{url} {url:?}"), "amqp://h:1 amqp://h:1");
    }
}
