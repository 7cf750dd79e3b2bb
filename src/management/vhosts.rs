//! Virtual hosts.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::call::Call;
use super::failure::Failure;
use super::fields::{switch, tags, text};
use super::listing::{one, paged};
use super::site::Site;
use super::statistics::Telling;
use crate::store::definitions::VhostMetadata;
use crate::vhost::Vhost;

/// `GET /api/vhosts`
pub(super) fn list(call: &Call) -> Result<Answer, Failure> {
    let (site, telling) = (Arc::clone(&call.site), call.tells_statistics().then(|| call.telling()));
    paged(
        call,
        call.vhosts()?,
        |vhost| vhost.name().as_str(),
        move |vhost| Some(object(vhost, &site, telling)),
    )
}

/// `GET /api/vhosts/{vhost}`
pub(super) fn show(call: &Call) -> Result<Answer, Failure> {
    let telling = call.tells_statistics().then(|| call.telling());
    Ok(one(call, object(&*call.vhost()?, &call.site, telling)))
}

fn object(vhost: &Vhost, site: &Site, telling: Option<Telling>) -> Value {
    let node = site.node.as_str();
    let metadata = vhost.metadata();
    let default_queue_type = metadata.default_queue_type.as_deref().unwrap_or("classic");
    let mut cluster_state = Map::new();
    cluster_state.insert(node.to_owned(), json!("running"));
    let mut object = json!({
        "name": vhost.name().as_str(),
        "description": metadata.description,
        "tags": metadata.tags,
        "default_queue_type": default_queue_type,
        "metadata": {
            "description": metadata.description,
            "tags": metadata.tags,
            "default_queue_type": default_queue_type,
        },
        "protected_from_deletion": metadata.protected_from_deletion,
        "tracing": vhost.is_tracing(),
        "cluster_state": cluster_state,
        "durability": vhost.durability().as_str(),
    });
    if let Some(telling) = telling {
        let totals = site.statistics.totals(&site.environment);
        let held = totals.vhosts.get(vhost.name()).copied().unwrap_or_default();
        if let Some(fields) = object.as_object_mut() {
            site.statistics.tell_vhost(telling, vhost, &held, fields);
        }
    }
    object
}

/// `PUT /api/vhosts/{vhost}`: makes one, or says something else of it. What is not said stays as it is.
pub(super) fn put(call: &Call) -> Result<Answer, Failure> {
    let name = call.part("vhost");
    let object = call.object()?;
    let tracing = object.contains_key("tracing").then(|| switch(&object, "tracing")).transpose()?;
    let environment = call.environment();
    let known = environment.vhosts.get(name);
    let mut metadata =
        known.as_ref().map_or_else(VhostMetadata::default, |vhost| (*vhost.metadata()).clone());
    if let Some(description) = text(&object, "description")? {
        description.clone_into(&mut metadata.description);
    }
    if let Some(value) = object.get("tags") {
        metadata.tags = tags(value)?;
    }
    if let Some(queue_type) = text(&object, "default_queue_type")? {
        metadata.default_queue_type = match queue_type {
            "classic" | "undefined" | "" => None,
            "quorum" => Some(queue_type.to_owned()),
            _ => return Err(Failure::bad_request(format!("unknown queue type '{queue_type}'"))),
        };
    }
    if object.contains_key("protected_from_deletion") {
        metadata.protected_from_deletion = switch(&object, "protected_from_deletion")?;
    }
    if let Some(vhost) = known {
        call.changed(environment.change_vhost(name, metadata))?;
        if let Some(tracing) = tracing {
            vhost.set_tracing(tracing);
        }
        return Ok(Answer::NoContent);
    }
    call.changed(environment.create_vhost(name, metadata))?;
    if let (Some(tracing), Some(vhost)) = (tracing, environment.vhosts.get(name)) {
        vhost.set_tracing(tracing);
    }
    if call.is_operator {
        return Ok(Answer::Created(None));
    }
    // Whoever makes one may use it, as in RabbitMQ.
    let all = crate::auth::Permission::parse(".*", ".*", ".*")
        .map_err(|invalid| Failure::bad_request(invalid.to_string()))?;
    call.changed(environment.set_permission(call.user()?.name.as_str(), name, all))?;
    Ok(Answer::Created(None))
}

/// `DELETE /api/vhosts/{vhost}`
pub(super) fn delete(call: &Call) -> Result<Answer, Failure> {
    call.changed(call.environment().delete_vhost(call.part("vhost")))?;
    Ok(Answer::NoContent)
}

/// `POST /api/vhosts/{vhost}/start/{node}`: it runs already.
pub(super) fn start(call: &Call) -> Result<Answer, Failure> {
    call.vhost()?;
    if call.part("node") == call.site.node { Ok(Answer::NoContent) } else { Err(Failure::no_object()) }
}

/// `GET /api/vhosts/{vhost}/deletion/protection`
pub(super) fn protection(call: &Call) -> Result<Answer, Failure> {
    show(call)
}

/// `POST /api/vhosts/{vhost}/deletion/protection`
pub(super) fn protect(call: &Call) -> Result<Answer, Failure> {
    set_protected(call, true)
}

/// `DELETE /api/vhosts/{vhost}/deletion/protection`
pub(super) fn unprotect(call: &Call) -> Result<Answer, Failure> {
    set_protected(call, false)
}

fn set_protected(call: &Call, protected_from_deletion: bool) -> Result<Answer, Failure> {
    let vhost = call.vhost()?;
    let metadata = VhostMetadata { protected_from_deletion, ..(*vhost.metadata()).clone() };
    call.changed(call.environment().change_vhost(vhost.name().as_str(), metadata))?;
    Ok(Answer::NoContent)
}
