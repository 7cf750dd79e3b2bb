//! Who asks: basic authentication, and the form of a page.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use serde_json::json;

use super::answer::Answer;
use super::call::Call;
use super::endpoint::Needs;
use super::failure::Failure;
use super::permit::permit;
use super::query::Query;
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
    let claimed = Credentials { login: &login, password: &password };
    log_in_as(environment, claimed, peer).map_err(Unknown::Refused)
}

/// The user of that name with that password. If it is refused, so late is that to be answered.
fn log_in_as(
    environment: &Environment,
    claimed: Credentials<'_>,
    peer: IpAddr,
) -> Result<Arc<User>, Duration> {
    let origin = Origin::from(peer);
    let login = claimed.login;
    environment.access.log_in_over(LoginProtocol::Http, Claim::Password(claimed), &origin).map_err(
        |refused| {
            tracing::warn!("HTTP access denied: user '{}' from {peer}: {refused}", login.escape_debug());
            environment.access.failed(&origin)
        },
    )
}

/// `POST /api/login`: a page's form with a `username` and a `password`, and whether they are right. RabbitMQ has a cookie hold
/// them from then on for its pages; here no page would read it, and whoever else serves on this host would be sent it.
pub(super) fn by_form(call: &Call) -> Result<Answer, Failure> {
    let unsaid = || Failure::not_authenticated("Not_Authorized");
    let form = Query::parse(str::from_utf8(&call.body).map_err(|_| unsaid())?);
    let said = form.get("username").zip(form.get("password"));
    let (login, password) = said.ok_or_else(unsaid)?;
    let environment = call.environment();
    let claimed = Credentials { login, password: password.as_bytes() };
    let user = log_in_as(environment, claimed, call.peer).map_err(Failure::login_refused)?;
    permit(environment, &user, Needs::Management, None, None)?;
    Ok(Answer::Json(json!("ok")))
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
