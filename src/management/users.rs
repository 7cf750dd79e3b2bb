//! Users.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::call::Call;
use super::failure::Failure;
use super::fields::{tags, text};
use super::listing::{one, paged, whole};
use crate::access::Access;
use crate::auth::{Hashing, PasswordHash, Tags, User, UserLimits};
use crate::connection::operate::Unchanged;
use crate::definitions::limits;

/// `GET /api/users`
pub(super) fn list(call: &Call) -> Result<Answer, Failure> {
    paged(call, call.environment().access.users(), |user| user.name.as_str(), |user| Some(object(user)))
}

/// `GET /api/users/without-permissions`
pub(super) fn without_permissions(call: &Call) -> Result<Answer, Failure> {
    let access = &call.environment().access;
    let permissions = access.permissions();
    let mut users = access.users();
    users.retain(|user| !permissions.iter().any(|entry| entry.user == user.name));
    Ok(whole(call, users, |user| Some(object(user))))
}

/// `GET /api/users/{user}`
pub(super) fn show(call: &Call) -> Result<Answer, Failure> {
    Ok(one(call, object(&*named(call)?)))
}

/// The user in the path.
pub(super) fn named(call: &Call) -> Result<Arc<User>, Failure> {
    call.environment().access.user(call.part("user")).ok_or_else(Failure::no_object)
}

fn object(user: &User) -> Value {
    let tags: Vec<&str> = user.tags.iter().collect();
    let password = user.password.as_ref();
    json!({
        "name": user.name.as_str(),
        "password_hash": password.map(PasswordHash::to_base64).unwrap_or_default(),
        "hashing_algorithm": password.map_or(Hashing::default(), PasswordHash::hashing).as_str(),
        "tags": tags,
        "limits": limits::of_user(&user.limits),
    })
}

/// `PUT /api/users/{user}`
pub(super) fn put(call: &Call) -> Result<Answer, Failure> {
    let name = call.part("user");
    let object = call.object()?;
    let tags = object.get("tags").or_else(|| object.get("administrator"));
    let tags = tags.ok_or_else(|| Failure::bad_request("tags_not_present"))?;
    let tags = parsed_tags(tags)?;
    let access = &call.environment().access;
    let known = access.user(name);
    let password = password(&object, name, access, known.is_some())?;
    let limits = known.as_ref().map_or_else(UserLimits::default, |user| user.limits);
    let put = access.put_user(User { name: name.into(), password, tags, limits });
    call.changed(put.map_err(Unchanged::from))?;
    Ok(Answer::put(known.is_none()))
}

fn parsed_tags(value: &Value) -> Result<Tags, Failure> {
    let tags = tags(value)?;
    Tags::new(tags.iter().map(String::as_str)).map_err(|error| Failure::bad_request(error.to_string()))
}

/// What its password has to match. Neither a password nor a hash, or an empty hash: it cannot log in by one. Passwords are
/// judged, and that a new user has none; what is hashed is not.
fn password(
    object: &Map<String, Value>,
    name: &str,
    access: &Access,
    is_known: bool,
) -> Result<Option<PasswordHash>, Failure> {
    let hashing = match text(object, "hashing_algorithm")? {
        None => None,
        Some(name) => Some(
            Hashing::from_name(name)
                .ok_or_else(|| Failure::bad_request(format!("unknown hashing algorithm '{name}'")))?,
        ),
    };
    let given = text(object, "password")?;
    if given.is_some() || (!is_known && !object.contains_key("password_hash")) {
        let judged = access.settings().credentials.check(given.map(str::as_bytes));
        judged.map_err(|refused| {
            tracing::error!("Credential validation for '{name}' failed!");
            Failure::bad_request(format!("credential_validation_failed: {refused}"))
        })?;
    }
    if let Some(password) = given {
        let hash = access.hash(password.as_bytes()).map_err(|_| Failure::internal())?;
        return Ok(Some(hash));
    }
    match text(object, "password_hash")? {
        None | Some("") => Ok(None),
        Some(hash) => PasswordHash::from_base64_of(hashing, hash)
            .map(Some)
            .map_err(|_| Failure::bad_request(json!(["not_base64", hash]))),
    }
}

/// `DELETE /api/users/{user}`
pub(super) fn delete(call: &Call) -> Result<Answer, Failure> {
    call.changed(call.environment().delete_user(call.part("user")))?;
    Ok(Answer::NoContent)
}

/// `POST /api/users/bulk-delete`: all of them, or none when one is not there.
pub(super) fn bulk_delete(call: &Call) -> Result<Answer, Failure> {
    let object = call.object_with(&["users"])?;
    let names = object.get("users").and_then(Value::as_array);
    let names: Option<Vec<&str>> = names.and_then(|names| names.iter().map(Value::as_str).collect());
    let names = names.ok_or_else(|| Failure::bad_request("users must be a list of names"))?;
    let environment = call.environment();
    if let Some(unknown) = names.iter().find(|name| environment.access.user(name).is_none()) {
        return Err(Failure::bad_request(json!(["no_such_user", unknown])));
    }
    let mut until = None;
    for name in names {
        // One that is named twice, or went meanwhile, is gone all the same.
        until = until.max(environment.delete_user(name).unwrap_or_default());
    }
    call.wait(until)?;
    Ok(Answer::NoContent)
}

/// `GET /api/auth/hash_password/{password}`
pub(super) fn hash_password(call: &Call) -> Result<Answer, Failure> {
    let hash =
        call.environment().access.hash(call.part("password").as_bytes()).map_err(|_| Failure::internal())?;
    Ok(Answer::Json(json!({ "ok": hash.to_base64() })))
}
