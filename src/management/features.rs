//! Feature flags, and what RabbitMQ calls deprecated.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::answer::Answer;
use super::call::Call;
use super::failure::Failure;
use super::listing::whole;

/// What tools ask whether it is there.
const FEATURE_FLAGS: [&str; 14] = [
    "classic_mirrored_queue_version",
    "classic_queue_type_delivery_support",
    "detailed_queues_endpoint",
    "direct_exchange_routing_v2",
    "drop_unroutable_metric",
    "empty_basic_get_metric",
    "implicit_default_bindings",
    "listener_records_in_ets",
    "maintenance_mode_status",
    "message_containers",
    "quorum_queue",
    "stream_queue",
    "user_limits",
    "virtual_host_metadata",
];

/// `GET /api/feature-flags`
pub(super) fn flags(_: &Call) -> Result<Answer, Failure> {
    let flags: BTreeSet<&str> = FEATURE_FLAGS.into_iter().collect();
    let flags = flags.into_iter().map(|name| {
        json!({
            "name": name, "desc": "", "doc_url": "", "state": "enabled", "stability": "required",
            "provided_by": "rabbit",
        })
    });
    Ok(Answer::Json(flags.collect()))
}

/// `PUT /api/feature-flags/{name}/enable`: every one that there is is enabled.
pub(super) fn enable(call: &Call) -> Result<Answer, Failure> {
    let name = call.part("name");
    if FEATURE_FLAGS.contains(&name) {
        return Ok(Answer::NoContent);
    }
    let name = name.escape_debug();
    Err(Failure::bad_request(format!("There is no feature flag '{name}' that could be enabled")))
}

/// What RabbitMQ deprecates, by name, and whether it can be used here.
const DEPRECATED: [(&str, &str, bool); 7] = [
    ("amqp_address_v1", "Addresses of AMQP 1.0 in their first form", false),
    ("classic_queue_mirroring", "Classic queues with mirrors on other nodes", false),
    ("global_qos", "A prefetch that the consumers of a channel share", true),
    ("management_metrics_collection", "Rates and counters in the HTTP API", true),
    ("queue_master_locator", "The argument x-queue-master-locator and its policy", true),
    ("ram_node_type", "Nodes that keep nothing on the disk", false),
    ("transient_nonexcl_queues", "Queues that are neither durable nor exclusive", true),
];

fn deprecated_feature((name, desc, is_there): (&str, &str, bool)) -> Value {
    json!({
        "name": name,
        "desc": desc,
        "deprecation_phase": if is_there { "permitted_by_default" } else { "removed" },
        "state": if is_there { "permitted" } else { "denied" },
        "doc_url": "",
        "provided_by": "rabbit",
    })
}

/// `GET /api/deprecated-features`
pub(super) fn deprecated(call: &Call) -> Result<Answer, Failure> {
    Ok(whole(call, DEPRECATED.to_vec(), |feature| Some(deprecated_feature(*feature))))
}

/// `GET /api/deprecated-features/used`: of those that leave something to be seen.
pub(super) fn deprecated_and_used(call: &Call) -> Result<Answer, Failure> {
    let vhosts = call.environment().vhosts.all();
    let queues = || vhosts.iter().flat_map(|vhost| vhost.queues().all());
    let is_used = |name: &str| match name {
        "transient_nonexcl_queues" => {
            queues().any(|queue| !queue.options().durable && queue.owner().is_none())
        }
        "queue_master_locator" => queues().any(|queue| {
            let in_force = queue.policies();
            let definition = in_force.as_ref().map(|in_force| &in_force.definition);
            queue.options().arguments.as_table().get("x-queue-master-locator").is_some()
                || definition.is_some_and(|definition| definition.get("queue-master-locator").is_some())
        }),
        _ => false,
    };
    let used: Vec<_> = DEPRECATED.into_iter().filter(|(name, ..)| is_used(name)).collect();
    Ok(whole(call, used, |feature| Some(deprecated_feature(*feature))))
}
