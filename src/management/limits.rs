//! Limits of virtual hosts and of users.

use serde_json::{Value, json};

use super::answer::Answer;
use super::call::Call;
use super::failure::Failure;
use super::listing::whole;
use super::users;
use crate::auth::UserLimits;
use crate::definitions::limits;

/// `GET /api/vhost-limits` and `/api/vhost-limits/{vhost}`: of those that have any.
pub(super) fn of_vhosts(call: &Call) -> Result<Answer, Failure> {
    let limits = call.vhosts()?.into_iter().filter_map(|vhost| {
        let value = limits::of_vhost(&vhost.metadata());
        (!value.is_empty()).then(|| json!({ "vhost": vhost.name().as_str(), "value": value }))
    });
    Ok(whole(call, limits.collect(), |limits: &Value| Some(limits.clone())))
}

/// `PUT /api/vhost-limits/{vhost}/{name}`
pub(super) fn put_of_vhost(call: &Call) -> Result<Answer, Failure> {
    let value = value(call)?;
    change_vhost(call, value)?;
    Ok(Answer::NoContent)
}

/// `DELETE /api/vhost-limits/{vhost}/{name}`
pub(super) fn delete_of_vhost(call: &Call) -> Result<Answer, Failure> {
    change_vhost(call, None)?;
    Ok(Answer::NoContent)
}

fn change_vhost(call: &Call, max: Option<u64>) -> Result<(), Failure> {
    let vhost = call.vhost()?;
    let mut metadata = (*vhost.metadata()).clone();
    let name = call.part("name");
    limits::set_of_vhost(&mut metadata, name, max).map_err(|_| unknown(name))?;
    call.changed(call.environment().change_vhost(vhost.name().as_str(), metadata))
}

/// `GET /api/user-limits` and `/api/user-limits/{user}`: of those that have any.
pub(super) fn of_users(call: &Call) -> Result<Answer, Failure> {
    let users = match call.find("user") {
        Some(_) => vec![users::named(call)?],
        None => call.environment().access.users(),
    };
    let limits = users.into_iter().filter_map(|user| {
        let value = limits::of_user(&user.limits);
        (!value.is_empty()).then(|| json!({ "user": user.name.as_str(), "value": value }))
    });
    Ok(whole(call, limits.collect(), |limits: &Value| Some(limits.clone())))
}

/// `PUT /api/user-limits/{user}/{name}`
pub(super) fn put_of_user(call: &Call) -> Result<Answer, Failure> {
    let value = value(call)?;
    change_user(call, value)?;
    Ok(Answer::NoContent)
}

/// `DELETE /api/user-limits/{user}/{name}`
pub(super) fn delete_of_user(call: &Call) -> Result<Answer, Failure> {
    change_user(call, None)?;
    Ok(Answer::NoContent)
}

fn change_user(call: &Call, max: Option<u64>) -> Result<(), Failure> {
    let user = users::named(call)?;
    let mut changed: UserLimits = user.limits;
    let name = call.part("name");
    limits::set_of_user(&mut changed, name, max).map_err(|_| unknown(name))?;
    call.changed(call.environment().set_user_limits(user.name.as_str(), changed))
}

/// The limit in the body; nothing for one below zero, which is none.
fn value(call: &Call) -> Result<Option<u64>, Failure> {
    let object = call.object_with(&["value"])?;
    let value = object.get("value").unwrap_or(&Value::Null);
    let number = value.as_i64().ok_or_else(|| {
        let name = call.part("name");
        Failure::bad_request(format!(
            "Validation failed\n\n{name} should be a number, actually was {value}\n"
        ))
    })?;
    Ok(u64::try_from(number).ok())
}

fn unknown(name: &str) -> Failure {
    Failure::bad_request(format!("Validation failed\n\nUnrecognised terms [{name}] in limits\n"))
}
