//! Users.

use serde_json::{Value, json};

use super::entry::{Entry, Made, Obstacle, Read, Reading, Standing, There, some};
use super::fields::Fields;
use super::limits;
use super::path::Finding;
use crate::access::Access;
use crate::auth::{Hashing, PasswordHash, Tags, User, UserLimits};
use crate::connection::Environment;
use crate::place::Batch;

/// As it is exported.
pub(super) fn object(user: &User) -> Value {
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

struct UserEntry(User);

const KNOWN: [&str; 7] =
    ["name", "password", "password_hash", "hashing_algorithm", "tags", "administrator", "limits"];

pub(super) fn read(fields: &Fields<'_>, reading: &mut Reading<'_>) -> Read {
    let name = fields.some_name("name")?;
    let tags_at = if fields.has("tags") { "tags" } else { "administrator" };
    let tags = fields.words(tags_at)?.ok_or_else(|| fields.finding(&["tags"], "tags_not_present"))?;
    let tags = Tags::new(tags.iter().map(String::as_str));
    let tags = tags.map_err(|error| fields.finding(&[tags_at], error.to_string()))?;
    let known = reading.environment.access.user(name);
    let password = password(fields, &reading.environment.access, known.as_deref())?;
    reading.remarks.extend(fields.unknown(&KNOWN));
    let limits = limits(fields)?;
    some(UserEntry(User { name: name.into(), password, tags, limits }))
}

/// What its password has to match. A password that it has already stays as it is hashed. Neither a password nor a hash, or an
/// empty hash: it cannot log in by one.
fn password(
    fields: &Fields<'_>,
    access: &Access,
    user: Option<&User>,
) -> Result<Option<PasswordHash>, Finding> {
    let known = user.and_then(|user| user.password.as_ref());
    let said = match fields.maybe_text("hashing_algorithm")? {
        None => None,
        Some(name) => Some(Hashing::from_name(name).ok_or_else(|| {
            fields.finding(
                &["hashing_algorithm"],
                format!("unknown hashing algorithm '{}'", name.escape_debug()),
            )
        })?),
    };
    if let Some(password) = fields.maybe_text("password")? {
        if known.is_some() && bool::from(PasswordHash::verify(known, password.as_bytes())) {
            return Ok(known.cloned());
        }
        check(fields, access, Some(password))?;
        return match access.hash(password.as_bytes()) {
            Ok(hash) => Ok(Some(hash)),
            Err(error) => {
                Err(fields.finding(&["password"], format!("the system has no randomness: {error}")))
            }
        };
    }
    match fields.maybe_text("password_hash")? {
        None => {
            if user.is_none() {
                check(fields, access, None)?;
            }
            Ok(None)
        }
        Some("") => Ok(None),
        Some(text) => {
            let hash = PasswordHash::from_base64_of(said, text);
            hash.map(Some).map_err(|invalid| fields.finding(&["password_hash"], invalid.to_string()))
        }
    }
}

/// Whether a password is as the configuration wants it.
fn check(fields: &Fields<'_>, access: &Access, password: Option<&str>) -> Result<(), Finding> {
    let judged = access.settings().credentials.check(password.map(str::as_bytes));
    judged
        .map_err(|refused| fields.finding(&["password"], format!("credential_validation_failed: {refused}")))
}

fn limits(fields: &Fields<'_>) -> Result<UserLimits, Finding> {
    let mut found = UserLimits::default();
    // Old versions wrote no limits as an empty list.
    if fields.get("limits").is_some_and(Value::is_object) {
        let within = fields.within("limits")?;
        for (name, value) in fields.get("limits").and_then(Value::as_object).into_iter().flatten() {
            let max = value.as_i64();
            let max = max.ok_or_else(|| within.finding(&[name], "expected a whole number"))?;
            // Below zero is no limit.
            limits::set_of_user(&mut found, name, u64::try_from(max).ok())
                .map_err(|_| within.finding(&[name], "there is no such limit of users"))?;
        }
    }
    Ok(found)
}

impl Entry for UserEntry {
    fn json(&self) -> Value {
        object(&self.0)
    }

    fn obstacle(&self, _: &There<'_>) -> Option<Obstacle> {
        None
    }

    fn standing(&self, environment: &Environment) -> Standing {
        let found = environment.access.user(self.0.name.as_str());
        Standing::of(found.map(|user| object(&user)), &self.json())
    }

    fn apply(&self, environment: &Environment) -> Result<Option<Batch>, Obstacle> {
        let user = &self.0;
        let before = environment.access.user(user.name.as_str());
        let put = environment.access.put_user(user.clone());
        let until = put.map_err(|error| Obstacle::mistake(&["name"], error.to_string()))?;
        // Connections that are open feel a limit.
        if before.is_some_and(|before| before.limits != user.limits) {
            let set = environment.set_user_limits(user.name.as_str(), user.limits);
            return Ok(until.max(set.unwrap_or_default()));
        }
        Ok(until)
    }

    fn makes(&self) -> Option<Made> {
        Some(Made::User(self.0.name.to_string()))
    }
}
