//! Runtime parameters and global parameters.

use std::num::NonZeroU64;
use std::sync::Arc;

use serde_json::{Value, json};

use super::answer::Answer;
use super::call::Call;
use super::failure::Failure;
use super::listing::{one, whole};
use super::policies::invalid;
use crate::definitions::limits;
use crate::policy::Component;
use crate::rate::{MAX_PUBLISH_BYTES_RATE, MAX_PUBLISH_RATE};
use crate::store::definitions::VhostMetadata;
use crate::vhost::Vhost;

/// The name of the one parameter that the limits of a virtual host are.
const LIMITS: &str = "limits";

/// `GET /api/parameters`, `/api/parameters/{component}` and `/api/parameters/{component}/{vhost}`
pub(super) fn list(call: &Call) -> Result<Answer, Failure> {
    let component = call.find("component");
    let found = call.vhosts()?.into_iter().flat_map(|vhost| of(&vhost));
    let found = found.filter(|object| component.is_none_or(|component| object["component"] == component));
    Ok(whole(call, found.collect(), |object: &Value| Some(object.clone())))
}

/// All parameters of a virtual host, its limits among them.
fn of(vhost: &Arc<Vhost>) -> Vec<Value> {
    let limits = limits::of_vhost(&vhost.metadata());
    let limits =
        (!limits.is_empty()).then(|| object(vhost, &Component::VhostLimits, LIMITS, &Value::Object(limits)));
    let others = vhost.parameters();
    let others = others.iter().map(|(component, name, value)| object(vhost, component, name, value));
    limits.into_iter().chain(others).collect()
}

fn object(vhost: &Vhost, component: &Component, name: &str, value: &Value) -> Value {
    json!({ "value": value, "vhost": vhost.name().as_str(), "component": component.as_str(), "name": name })
}

/// The component of the path: one that is not known may have been imported.
fn component(call: &Call) -> Component {
    Component::named(call.part("component"))
}

fn value(call: &Call, component: &Component) -> Result<Option<Value>, Failure> {
    let (vhost, name) = (call.vhost()?, call.part("name"));
    if *component == Component::VhostLimits {
        let limits = limits::of_vhost(&vhost.metadata());
        return Ok((name == LIMITS && !limits.is_empty()).then_some(Value::Object(limits)));
    }
    Ok(vhost.parameter(component, name))
}

/// `GET /api/parameters/{component}/{vhost}/{name}`
pub(super) fn show(call: &Call) -> Result<Answer, Failure> {
    let component = component(call);
    let value = value(call, &component)?.ok_or_else(Failure::no_object)?;
    Ok(one(call, object(&*call.vhost()?, &component, call.part("name"), &value)))
}

/// `PUT /api/parameters/{component}/{vhost}/{name}`
pub(super) fn put(call: &Call) -> Result<Answer, Failure> {
    let body = call.object_with(&["value"])?;
    let component = Component::parse(call.part("component")).map_err(|why| invalid(&why))?;
    let (vhost, name) = (call.vhost()?, call.part("name"));
    let is_new = value(call, &component)?.is_none();
    let value = body.get("value").cloned().unwrap_or_default();
    if component == Component::VhostLimits {
        component.check(name, &value).map_err(|why| invalid(&why))?;
        set_limits(call, &vhost, Some(&value))?;
    } else {
        let until = vhost.set_parameter(&component, name, value).map_err(|why| invalid(&why))?;
        call.wait(until)?;
    }
    Ok(Answer::put(is_new))
}

/// `DELETE /api/parameters/{component}/{vhost}/{name}`
pub(super) fn delete(call: &Call) -> Result<Answer, Failure> {
    let component = component(call);
    value(call, &component)?.ok_or_else(Failure::no_object)?;
    let (vhost, name) = (call.vhost()?, call.part("name"));
    if component == Component::VhostLimits {
        set_limits(call, &vhost, None)?;
    } else {
        call.wait(vhost.clear_parameter(&component, name).map_err(|_| Failure::no_object())?)?;
    }
    Ok(Answer::NoContent)
}

/// The limits of a virtual host are these from now on, and no others.
fn set_limits(call: &Call, vhost: &Vhost, limits: Option<&Value>) -> Result<(), Failure> {
    let limit =
        |name| limits.and_then(|limits| limits.get(name)?.as_i64()).and_then(|max| u64::try_from(max).ok());
    let mut publish_rate = vhost.metadata().publish_rate;
    publish_rate.messages = limit(MAX_PUBLISH_RATE).and_then(NonZeroU64::new);
    publish_rate.bytes = limit(MAX_PUBLISH_BYTES_RATE).and_then(NonZeroU64::new);
    let metadata = VhostMetadata {
        publish_rate,
        max_connections: limit("max-connections"),
        max_queues: limit("max-queues"),
        ..(*vhost.metadata()).clone()
    };
    call.changed(call.environment().change_vhost(vhost.name().as_str(), metadata))
}

/// `GET /api/global-parameters`
pub(super) fn list_global(call: &Call) -> Result<Answer, Failure> {
    let all = call.environment().vhosts.global_parameters().all();
    Ok(whole(call, all, |(name, value)| Some(json!({ "name": name, "value": value }))))
}

/// `GET /api/global-parameters/{name}`
pub(super) fn show_global(call: &Call) -> Result<Answer, Failure> {
    let name = call.part("name");
    let value = call.environment().vhosts.global_parameters().get(name).ok_or_else(Failure::no_object)?;
    Ok(one(call, json!({ "name": name, "value": value })))
}

/// `PUT /api/global-parameters/{name}`
pub(super) fn put_global(call: &Call) -> Result<Answer, Failure> {
    let mut object = call.object_with(&["value"])?;
    let value = object.remove("value").unwrap_or_default();
    let (name, parameters) = (call.part("name"), call.environment().vhosts.global_parameters());
    let is_new = parameters.get(name).is_none();
    call.wait(parameters.set(name, value))?;
    Ok(Answer::put(is_new))
}

/// `DELETE /api/global-parameters/{name}`
pub(super) fn delete_global(call: &Call) -> Result<Answer, Failure> {
    let parameters = call.environment().vhosts.global_parameters();
    call.wait(parameters.clear(call.part("name")).map_err(|_| Failure::no_object())?)?;
    Ok(Answer::NoContent)
}
