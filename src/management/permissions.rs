//! What users may do in virtual hosts.

use serde_json::{Value, json};

use super::answer::Answer;
use super::call::Call;
use super::failure::Failure;
use super::fields::text;
use super::listing::{one, whole};
use super::users;
use crate::access::PermissionEntry;
use crate::auth::Permission;

/// `GET /api/permissions`
pub(super) fn list(call: &Call) -> Result<Answer, Failure> {
    Ok(answer(call, call.environment().access.permissions()))
}

/// `GET /api/vhosts/{vhost}/permissions`
pub(super) fn of_vhost(call: &Call) -> Result<Answer, Failure> {
    let vhost = call.vhost()?;
    let mut entries = call.environment().access.permissions();
    entries.retain(|entry| entry.vhost == *vhost.name());
    Ok(answer(call, entries))
}

/// `GET /api/users/{user}/permissions`
pub(super) fn of_user(call: &Call) -> Result<Answer, Failure> {
    let user = users::named(call)?;
    let mut entries = call.environment().access.permissions();
    entries.retain(|entry| entry.user == user.name);
    Ok(answer(call, entries))
}

fn answer(call: &Call, mut entries: Vec<PermissionEntry>) -> Answer {
    entries.sort_by(|one, other| (&one.vhost, &one.user).cmp(&(&other.vhost, &other.user)));
    whole(call, entries, |entry| Some(object(entry)))
}

fn object(entry: &PermissionEntry) -> Value {
    json!({
        "user": entry.user.as_str(),
        "vhost": entry.vhost.as_str(),
        "configure": entry.permission.configure.as_str(),
        "write": entry.permission.write.as_str(),
        "read": entry.permission.read.as_str(),
    })
}

/// The permission that the path names.
fn named(call: &Call) -> Result<PermissionEntry, Failure> {
    let (vhost, user) = (call.part("vhost"), call.part("user"));
    let entries = call.environment().access.permissions();
    let found =
        entries.into_iter().find(|entry| entry.user.as_str() == user && entry.vhost.as_str() == vhost);
    found.ok_or_else(Failure::no_object)
}

/// `GET /api/permissions/{vhost}/{user}`
pub(super) fn show(call: &Call) -> Result<Answer, Failure> {
    Ok(one(call, object(&named(call)?)))
}

/// `PUT /api/permissions/{vhost}/{user}`
pub(super) fn put(call: &Call) -> Result<Answer, Failure> {
    let object = call.object_with(&["configure", "write", "read"])?;
    let pattern =
        |name| text(&object, name)?.ok_or_else(|| Failure::bad_request(format!("{name} must be a string")));
    let permission = Permission::parse(pattern("configure")?, pattern("write")?, pattern("read")?);
    let permission = permission.map_err(|invalid| Failure::bad_request(invalid.to_string()))?;
    known(call)?;
    let is_new = named(call).is_err();
    call.changed(call.environment().set_permission(call.part("user"), call.part("vhost"), permission))?;
    Ok(Answer::put(is_new))
}

/// Both the user and the virtual host of the path have to be there for a `PUT`.
pub(super) fn known(call: &Call) -> Result<(), Failure> {
    let environment = call.environment();
    let user = environment.access.user(call.part("user"));
    if user.is_none() || environment.vhosts.get(call.part("vhost")).is_none() {
        return Err(Failure::bad_request("vhost_or_user_not_found"));
    }
    Ok(())
}

/// `DELETE /api/permissions/{vhost}/{user}`
pub(super) fn delete(call: &Call) -> Result<Answer, Failure> {
    named(call)?;
    call.changed(call.environment().clear_permission(call.part("user"), call.part("vhost")))?;
    Ok(Answer::NoContent)
}
