//! Users, what they may do, and how much of something they may have.

use std::io::{self, BufRead};

use serde_json::{Map, Value, json};

use super::desk::{Desk, json};
use super::field::Field;
use super::output::Found;
use super::trouble::Trouble;
use crate::cli::exit;

type Done = Result<Found, Trouble>;

/// The password that is an argument, or else the first line of standard input.
fn password(desk: &Desk, at: usize) -> Result<String, Trouble> {
    if let Some(password) = desk.find(at) {
        return Ok(password.to_owned());
    }
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line);
    let password = line.trim_end_matches(['\r', '\n']);
    if read.is_err() || password.is_empty() {
        return Err(Trouble::data("Password is not provided via argument or stdin"));
    }
    Ok(password.to_owned())
}

pub(super) fn add_user(desk: &mut Desk) -> Done {
    let name = desk.argument(0).to_owned();
    desk.say(&format!("Adding user \"{name}\" ..."))?;
    let password = password(desk, 1)?;
    if desk.get(&["users", &name]).is_ok() {
        return Err(Trouble::new(exit::SOFTWARE, format!("User \"{name}\" already exists")));
    }
    let field = if desk.has("pre-hashed-password") { "password_hash" } else { "password" };
    desk.put(&["users", &name], &json!({ field: password, "tags": [] }))
        .map_err(|trouble| trouble.without(INVALID))?;
    desk.say("Done. It may do nothing yet: see 'rabbitmqctl help set_permissions'.")?;
    Ok(Found::Nothing)
}

pub(super) fn delete_user(desk: &mut Desk) -> Done {
    let name = desk.argument(0).to_owned();
    desk.say(&format!("Deleting user \"{name}\" ..."))?;
    desk.delete(&["users", &name]).map_err(|trouble| trouble.or_absent(Trouble::no_user(&name)))?;
    Ok(Found::Nothing)
}

/// Changes something of a user: the API takes it as a whole.
fn change(desk: &mut Desk, name: &str, change: impl FnOnce(&mut Map<String, Value>)) -> Result<(), Trouble> {
    let user = desk.check_user(name)?;
    let fields = ["tags", "password_hash", "hashing_algorithm"].into_iter();
    let mut body: Map<String, Value> =
        fields.map(|field| (field.to_owned(), user.of(field).clone())).collect();
    change(&mut body);
    desk.put(&["users", name], &Value::Object(body))
}

pub(super) fn change_password(desk: &mut Desk) -> Done {
    let name = desk.argument(0).to_owned();
    desk.say(&format!("Changing password for user \"{name}\" ..."))?;
    let password = password(desk, 1)?;
    change(desk, &name, |user| {
        user.remove("password_hash");
        user.remove("hashing_algorithm");
        user.insert("password".to_owned(), json!(password));
    })
    .map_err(|trouble| trouble.without(INVALID))?;
    Ok(Found::Nothing)
}

pub(super) fn clear_password(desk: &mut Desk) -> Done {
    let name = desk.argument(0).to_owned();
    desk.say(&format!("Clearing password for user \"{name}\" ..."))?;
    change(desk, &name, |user| {
        user.insert("password_hash".to_owned(), json!(""));
    })?;
    Ok(Found::Nothing)
}

pub(super) fn set_user_tags(desk: &mut Desk) -> Done {
    let (name, tags) = (desk.argument(0).to_owned(), desk.rest(1));
    desk.say(&format!("Setting tags for user \"{name}\" to [{}] ...", tags.join(", ")))?;
    change(desk, &name, |user| {
        user.insert("tags".to_owned(), json!(tags));
    })?;
    Ok(Found::Nothing)
}

pub(super) fn authenticate_user(desk: &mut Desk) -> Done {
    let name = desk.argument(0).to_owned();
    desk.say(&format!("Authenticating user \"{name}\" ..."))?;
    let password = password(desk, 1)?;
    let asked = json!({ "username": name, "password": password });
    let answer = desk.post(&["leveret", "authenticate"], &asked)?;
    if *answer.of("authenticated") == json!(true) {
        return Ok(Found::Text("Success\n".to_owned(), None));
    }
    Err(Trouble::data(format!(
        "Error: failed to authenticate user \"{name}\"\nuser '{name}' - invalid credentials"
    )))
}

/// What the HTTP API says before it says what is wrong with a password.
const INVALID: &str = "credential_validation_failed: ";

pub(super) fn hash_password(desk: &mut Desk) -> Done {
    let password = password(desk, 0)?;
    let answer = desk.get(&["auth", "hash_password", &password])?;
    Ok(Found::Text(format!("{}\n", answer.of("ok").as_str().unwrap_or_default()), None))
}

pub(super) fn list_users(desk: &mut Desk) -> Done {
    desk.say("Listing users ...")?;
    let users = desk.list(&["users"])?;
    let rows = users.iter().map(|user| json!({ "user": user.of("name"), "tags": user.of("tags") }));
    Ok(Found::Rows(names(&["user", "tags"]), rows.collect()))
}

/// Names of columns.
pub(super) fn names(columns: &[&str]) -> Vec<String> {
    columns.iter().map(|name| (*name).to_owned()).collect()
}

pub(super) fn set_permissions(desk: &mut Desk) -> Done {
    let (user, vhost) = (desk.argument(0).to_owned(), desk.vhost());
    desk.say(&format!("Setting permissions for user \"{user}\" in vhost \"{vhost}\" ..."))?;
    check(desk, &user, &vhost)?;
    let body = json!({ "configure": desk.argument(1), "write": desk.argument(2), "read": desk.argument(3) });
    desk.put(&["permissions", &vhost, &user], &body)?;
    Ok(Found::Nothing)
}

fn check(desk: &mut Desk, user: &str, vhost: &str) -> Result<(), Trouble> {
    desk.check_vhost(vhost)?;
    desk.check_user(user).map(drop)
}

pub(super) fn clear_permissions(desk: &mut Desk) -> Done {
    let (user, vhost) = (desk.argument(0).to_owned(), desk.vhost());
    desk.say(&format!("Clearing permissions for user \"{user}\" in vhost \"{vhost}\" ..."))?;
    check(desk, &user, &vhost)?;
    gone(desk.delete(&["permissions", &vhost, &user]))
}

/// What is not there need not be cleared.
fn gone(deleted: Result<(), Trouble>) -> Done {
    match deleted {
        Err(trouble) if !trouble.is_absence() => Err(trouble),
        _ => Ok(Found::Nothing),
    }
}

/// What a user or a virtual host has of something, with these columns.
fn of(desk: &mut Desk, parts: &[&str], absent: Trouble, columns: &[&str]) -> Done {
    let rows = desk.list(parts).map_err(|trouble| trouble.or_absent(absent))?;
    Ok(Found::Rows(names(columns), rows))
}

pub(super) fn list_permissions(desk: &mut Desk) -> Done {
    let vhost = desk.vhost();
    desk.say(&format!("Listing permissions for vhost \"{vhost}\" ..."))?;
    let columns = ["user", "configure", "write", "read"];
    of(desk, &["vhosts", &vhost, "permissions"], Trouble::no_vhost(&vhost), &columns)
}

pub(super) fn list_user_permissions(desk: &mut Desk) -> Done {
    let user = desk.argument(0).to_owned();
    desk.say(&format!("Listing permissions for user \"{user}\" ..."))?;
    let columns = ["vhost", "configure", "write", "read"];
    of(desk, &["users", &user, "permissions"], Trouble::no_user(&user), &columns)
}

pub(super) fn set_topic_permissions(desk: &mut Desk) -> Done {
    let (user, exchange, vhost) = (desk.argument(0).to_owned(), desk.argument(1).to_owned(), desk.vhost());
    desk.say(&format!(
        "Setting topic permissions on \"{exchange}\" for user \"{user}\" in vhost \"{vhost}\" ..."
    ))?;
    check(desk, &user, &vhost)?;
    let body = json!({ "exchange": exchange, "write": desk.argument(2), "read": desk.argument(3) });
    desk.put(&["topic-permissions", &vhost, &user], &body)?;
    Ok(Found::Nothing)
}

pub(super) fn clear_topic_permissions(desk: &mut Desk) -> Done {
    let (user, vhost) = (desk.argument(0).to_owned(), desk.vhost());
    let exchange = desk.find(1).map(str::to_owned);
    let on = exchange.as_ref().map(|exchange| format!(" on \"{exchange}\"")).unwrap_or_default();
    desk.say(&format!("Clearing topic permissions{on} for user \"{user}\" in vhost \"{vhost}\" ..."))?;
    check(desk, &user, &vhost)?;
    let parts = ["topic-permissions", &vhost, &user].into_iter().chain(exchange.as_deref());
    gone(desk.delete(&parts.collect::<Vec<&str>>()))
}

pub(super) fn list_topic_permissions(desk: &mut Desk) -> Done {
    let vhost = desk.vhost();
    desk.say(&format!("Listing topic permissions for vhost \"{vhost}\" ..."))?;
    let columns = ["user", "exchange", "write", "read"];
    of(desk, &["vhosts", &vhost, "topic-permissions"], Trouble::no_vhost(&vhost), &columns)
}

pub(super) fn list_user_topic_permissions(desk: &mut Desk) -> Done {
    let user = desk.argument(0).to_owned();
    desk.say(&format!("Listing topic permissions for user \"{user}\" ..."))?;
    let columns = ["vhost", "exchange", "write", "read"];
    of(desk, &["users", &user, "topic-permissions"], Trouble::no_user(&user), &columns)
}

pub(super) fn set_user_limits(desk: &mut Desk) -> Done {
    let (user, text) = (desk.argument(0).to_owned(), desk.argument(1).to_owned());
    desk.say(&format!("Setting user limits to \"{text}\" for user \"{user}\" ..."))?;
    desk.check_user(&user)?;
    set_limits(desk, "user-limits", &user, &json(&text)?)
}

/// Sets the limits that an object names.
pub(super) fn set_limits(desk: &mut Desk, kind: &str, of: &str, limits: &Value) -> Done {
    let Some(limits) = limits.as_object() else {
        return Err(Trouble::unavailable("limits are an object, such as {\"max-connections\": 5}"));
    };
    for (name, value) in limits {
        desk.put(&[kind, of, name], &json!({ "value": value }))?;
    }
    Ok(Found::Nothing)
}

pub(super) fn clear_user_limits(desk: &mut Desk) -> Done {
    let (user, name) = (desk.argument(0).to_owned(), desk.argument(1).to_owned());
    desk.say(&format!("Clearing \"{name}\" limit for user \"{user}\" ..."))?;
    let limits = desk.check_user(&user)?.of("limits").clone();
    let all: Vec<String> = match (name.as_str(), limits.as_object()) {
        ("all", Some(limits)) => limits.keys().cloned().collect(),
        _ => vec![name],
    };
    for name in all {
        desk.delete(&["user-limits", &user, &name])?;
    }
    Ok(Found::Nothing)
}

pub(super) fn list_user_limits(desk: &mut Desk) -> Done {
    let Some(user) = desk.value("user").map(str::to_owned) else {
        desk.say("Listing limits for all users ...")?;
        let limits = desk.list(&["user-limits"])?;
        let row =
            |limits: &Value| json!({ "user": limits.of("user"), "limits": limits.of("value").to_string() });
        return Ok(Found::Rows(names(&["user", "limits"]), limits.iter().map(row).collect()));
    };
    desk.say(&format!("Listing limits for user \"{user}\" ..."))?;
    let limits = desk.check_user(&user)?.of("limits").clone();
    Ok(Found::Text(format!("{limits}\n"), Some(limits)))
}
