//! What a page of somebody else's may not have a browser do.
//!
//! A browser adds what it remembers of a login to whatever any page asks of us, and the name of a page's host may suddenly
//! lead to this machine. So what says that it was asked for by a page has to be asked for by a page of ours, and whoever comes
//! from this machine has to call it by a name that nobody else can give it. Other origins may ask only where an operator says so (CORS).

use std::net::IpAddr;

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, Method};

use super::failure::Failure;

/// Whether a request may be looked at. `names` are further names of this machine; pages of these `origins` may ask as well.
pub(super) fn guard(
    method: &Method,
    head: &HeaderMap,
    peer: IpAddr,
    names: &[&str],
    origins: &[String],
) -> Result<(), Failure> {
    let text = |name: &str| head.get(name).and_then(|value| value.to_str().ok());
    let host = text(HOST.as_str());
    let origin = head.get(ORIGIN).and_then(|origin| origin.to_str().ok());
    let is_welcome = origin.is_some_and(|origin| allowed(origin, origins).is_some());
    if head.contains_key(ORIGIN) && !is_welcome {
        let origin = origin.and_then(|origin| origin.split_once("://"));
        if origin.is_none_or(|(_, asks)| Some(asks) != host) {
            return Err(Failure::forbidden("Requests of pages from elsewhere are not served".to_owned()));
        }
    }
    if !is_welcome
        && *method != Method::GET
        && *method != Method::HEAD
        && matches!(text("sec-fetch-site"), Some("cross-site" | "same-site"))
    {
        return Err(Failure::forbidden("Requests of pages from elsewhere are not served".to_owned()));
    }
    let Some(host) = host else { return Ok(()) };
    if peer.to_canonical().is_loopback() && !is_ours(without_port(host), names) {
        return Err(Failure::forbidden(format!(
            "'{}' is not known as a name of this machine; use localhost, or list it in management.hosts",
            host.escape_debug()
        )));
    }
    Ok(())
}

/// Whether pages of an origin are told that they may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Allowed {
    /// This one is, by its name.
    ByName,
    /// All are.
    AsAll,
}

/// How an origin is among those that may ask, if it is. `null` is no origin: any page can have it.
pub(super) fn allowed(origin: &str, origins: &[String]) -> Option<Allowed> {
    if !origin.contains("://") {
        None
    } else if origins.iter().any(|known| known == origin) {
        Some(Allowed::ByName)
    } else {
        origins.iter().any(|known| known == "*").then_some(Allowed::AsAll)
    }
}

/// Whether nobody but the operator of this machine can have a name lead here: an address, a name without a dot, or one that is
/// known.
fn is_ours(host: &str, names: &[&str]) -> bool {
    let host = host.trim_end_matches('.');
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>().is_ok()
        || !host.contains('.')
        || host.to_ascii_lowercase().ends_with(".localhost")
        || names.iter().any(|name| name.eq_ignore_ascii_case(host))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port))
            if port.bytes().all(|c| c.is_ascii_digit()) && (!name.contains(':') || name.ends_with(']')) =>
        {
            name
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_from_elsewhere_has_nothing_done_and_a_foreign_name_does_not_lead_here() {
        let names = ["mq.example.com"];
        let origins = ["https://ui.example".to_owned()];
        for (method, peer, head, expected) in [
            ("GET", "127.0.0.1", &[("host", "localhost:15672")][..], true),
            ("GET", "127.0.0.1", &[("host", "127.0.0.1:15672")], true),
            ("GET", "::1", &[("host", "[::1]:15672")], true),
            ("GET", "127.0.0.1", &[("host", "rabbitmq:15672")], true),
            ("GET", "127.0.0.1", &[("host", "MQ.example.com")], true),
            ("GET", "127.0.0.1", &[("host", "x.localhost:1")], true),
            ("GET", "127.0.0.1", &[("host", "evil.example:15672")], false),
            ("GET", "::ffff:127.0.0.1", &[("host", "evil.example.")], false),
            ("GET", "192.0.2.1", &[("host", "evil.example")], true),
            ("GET", "127.0.0.1", &[], true),
            ("POST", "192.0.2.1", &[("host", "h:15672"), ("origin", "http://h:15672")], true),
            ("POST", "192.0.2.1", &[("host", "h:15672"), ("origin", "http://evil.example")], false),
            ("GET", "192.0.2.1", &[("host", "h:15672"), ("origin", "http://h")], false),
            ("GET", "192.0.2.1", &[("host", "h:15672"), ("origin", "null")], false),
            ("DELETE", "192.0.2.1", &[("host", "h"), ("sec-fetch-site", "cross-site")], false),
            (
                "DELETE",
                "192.0.2.1",
                &[("host", "h"), ("sec-fetch-site", "cross-site"), ("origin", "https://ui.example")],
                true,
            ),
            ("GET", "192.0.2.1", &[("host", "h"), ("origin", "http://ui.example")], false),
            ("GET", "192.0.2.1", &[("host", "h"), ("origin", "https://ui.example:1")], false),
            ("GET", "127.0.0.1", &[("host", "evil.example"), ("origin", "https://ui.example")], false),
            ("DELETE", "192.0.2.1", &[("host", "h"), ("sec-fetch-site", "same-origin")], true),
            ("GET", "192.0.2.1", &[("host", "h"), ("sec-fetch-site", "cross-site")], true),
        ] {
            let pairs = head.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            let head: HeaderMap = pairs.collect();
            let method: Method = method.parse().unwrap();
            let guarded = guard(&method, &head, peer.parse().unwrap(), &names, &origins);
            assert_eq!(guarded.is_ok(), expected, "{method} from {peer}: {head:?}");
        }
    }
}
