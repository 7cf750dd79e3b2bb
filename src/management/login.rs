//! Who asks: basic authentication.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::access::{LoginProtocol, Origin};
use crate::auth::{Claim, Credentials, User};
use crate::connection::Environment;

/// Why nobody was found to ask.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unknown {
    /// Nothing was said, or nothing that can be read.
    NoCredentials,
    /// A login failed, and the answer is to be this late.
    Refused(Duration),
}

/// The user that the head of a request names, with its password.
pub(super) fn log_in(
    environment: &Environment,
    head: &HeaderMap,
    peer: IpAddr,
) -> Result<Arc<User>, Unknown> {
    let (login, password) = credentials(head).ok_or(Unknown::NoCredentials)?;
    let origin = Origin::from(peer);
    let claim = Claim::Password(Credentials { login: &login, password: &password });
    environment.access.log_in_over(LoginProtocol::Http, claim, &origin).map_err(|refused| {
        tracing::warn!("HTTP access denied: user '{}' from {peer}: {refused}", login.escape_debug());
        Unknown::Refused(environment.access.failed(&origin))
    })
}

fn credentials(head: &HeaderMap) -> Option<(String, Vec<u8>)> {
    let (scheme, encoded) = head.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let mut login = STANDARD.decode(encoded.trim()).ok()?;
    let colon = login.iter().position(|octet| *octet == b':')?;
    let password = login.split_off(colon).split_off(1);
    Some((String::from_utf8(login).ok()?, password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_ends_at_the_first_colon_and_a_password_may_have_more() {
        for (header, expected) in [
            ("Basic dTpw", Some(("u", "p"))),
            ("basic  dTpw", Some(("u", "p"))),
            ("Basic dTpwOng6", Some(("u", "p:x:"))),
            ("Basic Og==", Some(("", ""))),
            ("Basic dXA=", None),
            ("Basic ???", None),
            ("Bearer dTpw", None),
            ("Basic", None),
        ] {
            let head = HeaderMap::from_iter([(AUTHORIZATION, header.parse().unwrap())]);
            let found = credentials(&head);
            let found =
                found.as_ref().map(|(login, password)| (login.as_str(), str::from_utf8(password).unwrap()));
            assert_eq!(found, expected, "{header}");
        }
        assert_eq!(credentials(&HeaderMap::new()), None);
    }
}
