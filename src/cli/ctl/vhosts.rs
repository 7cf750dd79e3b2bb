//! Virtual hosts, their limits, policies and parameters.

use serde_json::{Value, json};

use super::desk::{Desk, json};
use super::field::Field;
use super::output::Found;
use super::trouble::Trouble;
use super::users::{names, set_limits};

type Done = Result<Found, Trouble>;

pub(super) fn add_vhost(desk: &mut Desk) -> Done {
    let name = desk.argument(0).to_owned();
    desk.say(&format!("Adding vhost \"{name}\" ..."))?;
    put_vhost(desk, &name)
}

pub(super) fn update_vhost_metadata(desk: &mut Desk) -> Done {
    let name = desk.argument(0).to_owned();
    desk.say(&format!("Updating metadata of vhost \"{name}\" ..."))?;
    desk.check_vhost(&name)?;
    put_vhost(desk, &name)
}

/// Makes a virtual host, or changes what is given of one.
fn put_vhost(desk: &mut Desk, name: &str) -> Done {
    let switches =
        [("description", "description"), ("tags", "tags"), ("default-queue-type", "default_queue_type")];
    let given = switches
        .into_iter()
        .filter_map(|(switch, field)| Some((field.to_owned(), json!(desk.value(switch)?))));
    let body = Value::Object(given.collect());
    desk.put(&["vhosts", name], &body)?;
    Ok(Found::Nothing)
}

pub(super) fn delete_vhost(desk: &mut Desk) -> Done {
    let name = desk.argument(0).to_owned();
    desk.say(&format!("Deleting vhost \"{name}\" ..."))?;
    let absent = Trouble::data(format!("Virtual host '{name}' does not exist"));
    desk.delete(&["vhosts", &name]).map_err(|trouble| trouble.or_absent(absent))?;
    Ok(Found::Nothing)
}

pub(super) fn list_vhosts(desk: &mut Desk) -> Done {
    desk.say("Listing vhosts ...")?;
    let asked = desk.rest(0);
    let columns = if asked.is_empty() { names(&["name"]) } else { asked };
    let rows = desk.list(&["vhosts"])?;
    super::listing::known(&columns, rows.first())?;
    Ok(Found::Rows(columns, rows))
}

/// `trace_on` and `trace_off`: whether copies of all messages go to `amq.rabbitmq.trace`.
fn trace(desk: &mut Desk, on: bool) -> Done {
    let vhost = desk.vhost();
    let (doing, done) = if on { ("Starting", "enabled") } else { ("Stopping", "disabled") };
    desk.say(&format!("{doing} tracing for vhost \"{vhost}\" ..."))?;
    desk.check_vhost(&vhost)?;
    desk.put(&["vhosts", &vhost], &json!({ "tracing": on }))?;
    Ok(Found::Text(format!("Trace {done} for vhost {vhost}\n"), None))
}

pub(super) fn trace_on(desk: &mut Desk) -> Done {
    trace(desk, true)
}

pub(super) fn trace_off(desk: &mut Desk) -> Done {
    trace(desk, false)
}

pub(super) fn set_vhost_limits(desk: &mut Desk) -> Done {
    let (vhost, text) = (desk.vhost(), desk.argument(0).to_owned());
    desk.say(&format!("Setting vhost limits to \"{text}\" for vhost \"{vhost}\" ..."))?;
    desk.check_vhost(&vhost)?;
    set_limits(desk, "vhost-limits", &vhost, &json(&text)?)
}

pub(super) fn clear_vhost_limits(desk: &mut Desk) -> Done {
    let vhost = desk.vhost();
    desk.say(&format!("Clearing vhost \"{vhost}\" limits ..."))?;
    desk.check_vhost(&vhost)?;
    for limits in desk.list(&["vhost-limits", &vhost])? {
        for name in limits.of("value").as_object().into_iter().flat_map(|limits| limits.keys()) {
            desk.delete(&["vhost-limits", &vhost, name])?;
        }
    }
    Ok(Found::Nothing)
}

pub(super) fn list_vhost_limits(desk: &mut Desk) -> Done {
    if desk.has("global") {
        desk.say("Listing limits for all vhosts ...")?;
        let limits = desk.list(&["vhost-limits"])?;
        let row =
            |limits: &Value| json!({ "vhost": limits.of("vhost"), "limits": limits.of("value").to_string() });
        return Ok(Found::Rows(names(&["vhost", "limits"]), limits.iter().map(row).collect()));
    }
    let vhost = desk.vhost();
    desk.say(&format!("Listing limits for vhost \"{vhost}\" ..."))?;
    desk.check_vhost(&vhost)?;
    let limits = desk.list(&["vhost-limits", &vhost])?;
    let Some(limits) = limits.first().map(|limits| limits.of("value").clone()) else {
        return Ok(Found::Text("\n".to_owned(), Some(json!({}))));
    };
    Ok(Found::Text(format!("{limits}\n"), Some(limits)))
}

/// Policies of users and of operators: what they are called in paths and texts.
struct Kind {
    path: &'static str,
    setting: &'static str,
    clearing: &'static str,
    listing: &'static str,
}

const POLICY: Kind = Kind { path: "policies", setting: "policy", clearing: "policy", listing: "policies" };
const OPERATOR_POLICY: Kind = Kind {
    path: "operator-policies",
    setting: "operator policy override",
    clearing: "operator policy",
    listing: "operator policy overrides",
};

fn set(desk: &mut Desk, kind: &Kind) -> Done {
    let (name, pattern, definition) =
        (desk.argument(0).to_owned(), desk.argument(1).to_owned(), desk.argument(2).to_owned());
    let vhost = desk.vhost();
    let priority = desk.value("priority").unwrap_or("0").to_owned();
    let setting = kind.setting;
    desk.say(&format!(
        "Setting {setting} \"{name}\" for pattern \"{pattern}\" to \"{definition}\" with priority \"{priority}\" for \
         vhost \"{vhost}\" ..."
    ))?;
    let priority: i64 =
        priority.parse().map_err(|_| Trouble::usage("a priority is a whole number, such as 5"))?;
    desk.check_vhost(&vhost)?;
    let body = json!({
        "pattern": pattern, "definition": json(&definition)?, "priority": priority,
        "apply-to": desk.value("apply-to").unwrap_or("all"),
    });
    desk.put(&[kind.path, &vhost, &name], &body)?;
    Ok(Found::Nothing)
}

fn clear(desk: &mut Desk, kind: &Kind) -> Done {
    let (name, vhost) = (desk.argument(0).to_owned(), desk.vhost());
    desk.say(&format!("Clearing {} \"{name}\" on vhost \"{vhost}\" ...", kind.clearing))?;
    desk.check_vhost(&vhost)?;
    desk.delete(&[kind.path, &vhost, &name]).map_err(|trouble| trouble.or_absent(no_parameter()))?;
    Ok(Found::Nothing)
}

fn no_parameter() -> Trouble {
    Trouble::unavailable("Parameter does not exist")
}

/// The rows with one field shown as JSON.
fn with_text(rows: Vec<Value>, field: &str) -> Vec<Value> {
    let shown = |row: Value| {
        let text = json!(row.of(field).to_string());
        row.with(field, text)
    };
    rows.into_iter().map(shown).collect()
}

fn list(desk: &mut Desk, kind: &Kind) -> Done {
    let vhost = desk.vhost();
    desk.say(&format!("Listing {} for vhost \"{vhost}\" ...", kind.listing))?;
    desk.check_vhost(&vhost)?;
    let rows = with_text(desk.list(&[kind.path, &vhost])?, "definition");
    Ok(Found::Rows(names(&["vhost", "name", "pattern", "apply-to", "definition", "priority"]), rows))
}

pub(super) fn set_policy(desk: &mut Desk) -> Done {
    set(desk, &POLICY)
}

pub(super) fn clear_policy(desk: &mut Desk) -> Done {
    clear(desk, &POLICY)
}

pub(super) fn list_policies(desk: &mut Desk) -> Done {
    list(desk, &POLICY)
}

pub(super) fn set_operator_policy(desk: &mut Desk) -> Done {
    set(desk, &OPERATOR_POLICY)
}

pub(super) fn clear_operator_policy(desk: &mut Desk) -> Done {
    clear(desk, &OPERATOR_POLICY)
}

pub(super) fn list_operator_policies(desk: &mut Desk) -> Done {
    list(desk, &OPERATOR_POLICY)
}

pub(super) fn set_parameter(desk: &mut Desk) -> Done {
    let (component, name, value) =
        (desk.argument(0).to_owned(), desk.argument(1).to_owned(), desk.argument(2).to_owned());
    let vhost = desk.vhost();
    desk.say(&format!(
        "Setting runtime parameter \"{name}\" for component \"{component}\" to \"{value}\" in vhost \"{vhost}\" ..."
    ))?;
    desk.check_vhost(&vhost)?;
    let body = json!({ "component": component, "vhost": vhost, "name": name, "value": json(&value)? });
    desk.put(&["parameters", &component, &vhost, &name], &body)?;
    Ok(Found::Nothing)
}

pub(super) fn clear_parameter(desk: &mut Desk) -> Done {
    let (component, name, vhost) = (desk.argument(0).to_owned(), desk.argument(1).to_owned(), desk.vhost());
    desk.say(&format!(
        "Clearing runtime parameter \"{name}\" for component \"{component}\" on vhost \"{vhost}\" ..."
    ))?;
    let deleted = desk.delete(&["parameters", &component, &vhost, &name]);
    deleted.map_err(|trouble| trouble.or_absent(no_parameter()))?;
    Ok(Found::Nothing)
}

pub(super) fn list_parameters(desk: &mut Desk) -> Done {
    let vhost = desk.vhost();
    desk.say(&format!("Listing runtime parameters for vhost \"{vhost}\" ..."))?;
    desk.check_vhost(&vhost)?;
    let mut rows = desk.list(&["parameters"])?;
    rows.retain(|row| *row.of("vhost") == json!(vhost));
    Ok(Found::Rows(names(&["component", "name", "value"]), with_text(rows, "value")))
}

pub(super) fn set_global_parameter(desk: &mut Desk) -> Done {
    let (name, value) = (desk.argument(0).to_owned(), desk.argument(1).to_owned());
    desk.say(&format!("Setting global runtime parameter \"{name}\" to \"{value}\" ..."))?;
    let body = json!({ "name": name, "value": json(&value)? });
    desk.put(&["global-parameters", &name], &body)?;
    Ok(Found::Nothing)
}

pub(super) fn clear_global_parameter(desk: &mut Desk) -> Done {
    let name = desk.argument(0).to_owned();
    desk.say(&format!("Clearing global runtime parameter \"{name}\" ..."))?;
    desk.delete(&["global-parameters", &name]).map_err(|trouble| trouble.or_absent(no_parameter()))?;
    Ok(Found::Nothing)
}

pub(super) fn list_global_parameters(desk: &mut Desk) -> Done {
    desk.say("Listing global runtime parameters ...")?;
    let rows = desk.list(&["global-parameters"])?;
    Ok(Found::Rows(names(&["name", "value"]), with_text(rows, "value")))
}
