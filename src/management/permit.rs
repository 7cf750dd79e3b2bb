//! Whether a user may use an endpoint: by its tags, and by the virtual host in the path.

use super::call::{MANAGEMENT, MONITORING, POLICYMAKER, has_any, may_enter};
use super::endpoint::Needs;
use super::failure::Failure;
use crate::auth::{Tags, User};
use crate::connection::Environment;

const ADMINISTRATOR: &str = Tags::ADMINISTRATOR;

/// Says why a user may not use what needs that, if it may not. `vhost` and `of` are the virtual host and the user in the path.
pub(super) fn permit(
    environment: &Environment,
    user: &User,
    needs: Needs,
    vhost: Option<&str>,
    of: Option<&str>,
) -> Result<(), Failure> {
    if !has_any(user, &[ADMINISTRATOR, MONITORING, POLICYMAKER, MANAGEMENT]) {
        return Err(Failure::not_authorised("Not management user"));
    }
    // A virtual host that is not there is not found later.
    let enters = || {
        vhost.is_none_or(|vhost| {
            environment.vhosts.get(vhost).is_none() || may_enter(environment, user, vhost)
        })
    };
    let is_administrator = has_any(user, &[ADMINISTRATOR]);
    let is_monitor = has_any(user, &[ADMINISTRATOR, MONITORING]);
    let (may, otherwise) = match needs {
        Needs::Nothing | Needs::Management => (true, ""),
        Needs::Monitoring => (is_monitor, "Not monitor user"),
        Needs::Administrator => (is_administrator, "Not administrator user"),
        Needs::Policymaker => (has_any(user, &[ADMINISTRATOR, POLICYMAKER]), OBJECT),
        Needs::Vhost => (is_administrator || enters(), VHOST),
        Needs::SeesVhost => (is_monitor || enters(), VHOST),
        Needs::PolicymakerOfVhost => (is_administrator || has_any(user, &[POLICYMAKER]) && enters(), OBJECT),
        Needs::IsUser => (is_administrator || of == Some(user.name.as_str()), OBJECT),
        Needs::SeesUser => (is_monitor || of == Some(user.name.as_str()), OBJECT),
    };
    if may { Ok(()) } else { Err(Failure::not_authorised(otherwise)) }
}

const VHOST: &str = "User not authorised to access virtual host";
const OBJECT: &str = "User not authorised to access object";
