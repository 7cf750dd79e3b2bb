//! Limits of virtual hosts and of users.

use std::num::NonZeroU64;

use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::call::Call;
use super::failure::Failure;
use super::listing::whole;
use super::users;
use crate::auth::UserLimits;
use crate::rate::{MAX_PUBLISH_BYTES_RATE, MAX_PUBLISH_RATE, RateLimit};
use crate::store::definitions::VhostMetadata;

/// `GET /api/vhost-limits` and `/api/vhost-limits/{vhost}`: of those that have any.
pub(super) fn of_vhosts(call: &Call) -> Result<Answer, Failure> {
    let limits = call.vhosts()?.into_iter().filter_map(|vhost| {
        let value = vhost_limits(&vhost.metadata());
        (!value.is_empty()).then(|| json!({ "vhost": vhost.name().as_str(), "value": value }))
    });
    Ok(whole(call, limits.collect(), |limits: &Value| Some(limits.clone())))
}

/// The limits of a virtual host, those that there are.
pub(super) fn vhost_limits(metadata: &VhostMetadata) -> Map<String, Value> {
    let named = [("max-connections", metadata.max_connections), ("max-queues", metadata.max_queues)];
    let named = named.into_iter().chain(rates(&metadata.publish_rate));
    named.filter_map(|(name, max)| Some((name.to_owned(), json!(max?)))).collect()
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
    set_vhost_limit(&mut metadata, call.part("name"), max)?;
    call.changed(call.environment().change_vhost(vhost.name().as_str(), metadata))
}

/// The limits on what is published in a second, which are our own.
pub(super) fn rates(rate: &RateLimit) -> [(&'static str, Option<u64>); 2] {
    [
        (MAX_PUBLISH_RATE, rate.messages.map(NonZeroU64::get)),
        (MAX_PUBLISH_BYTES_RATE, rate.bytes.map(NonZeroU64::get)),
    ]
}

/// Sets one of these; says whether it is one.
fn set_rate(rate: &mut RateLimit, name: &str, max: Option<u64>) -> bool {
    let max = max.and_then(NonZeroU64::new);
    match name {
        MAX_PUBLISH_RATE => rate.messages = max,
        MAX_PUBLISH_BYTES_RATE => rate.bytes = max,
        _ => return false,
    }
    true
}

fn set_vhost_limit(metadata: &mut VhostMetadata, name: &str, max: Option<u64>) -> Result<(), Failure> {
    if set_rate(&mut metadata.publish_rate, name, max) {
        return Ok(());
    }
    *match name {
        "max-connections" => &mut metadata.max_connections,
        "max-queues" => &mut metadata.max_queues,
        _ => return Err(unknown(name)),
    } = max;
    Ok(())
}

/// `GET /api/user-limits` and `/api/user-limits/{user}`: of those that have any.
pub(super) fn of_users(call: &Call) -> Result<Answer, Failure> {
    let users = match call.find("user") {
        Some(_) => vec![users::named(call)?],
        None => call.environment().access.users(),
    };
    let limits = users.into_iter().filter_map(|user| {
        let value = users::limits(&user.limits);
        let is_empty = value.as_object().is_none_or(Map::is_empty);
        (!is_empty).then(|| json!({ "user": user.name.as_str(), "value": value }))
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
    let mut limits: UserLimits = user.limits;
    let name = call.part("name");
    if !set_rate(&mut limits.publish_rate, name, max) {
        *match name {
            "max-connections" => &mut limits.max_connections,
            "max-channels" => &mut limits.max_channels,
            _ => return Err(unknown(name)),
        } = max;
    }
    call.changed(call.environment().set_user_limits(user.name.as_str(), limits))
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
