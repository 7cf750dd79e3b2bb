//! `rabbitmq-plugins`: what plugins do for RabbitMQ is built in here, or is not there. It asks no broker.

use serde_json::{Value, json};

use super::desk::Desk;
use super::output::Found;
use super::trouble::Trouble;
use crate::cli::exit;

type Done = Result<Found, Trouble>;

/// Plugins of RabbitMQ, and whether what they do is built in.
const PLUGINS: [(&str, bool); 46] = [
    ("rabbitmq_amqp1_0", false),
    ("rabbitmq_amqp_client", false),
    ("rabbitmq_auth_backend_cache", false),
    ("rabbitmq_auth_backend_http", false),
    ("rabbitmq_auth_backend_internal_loopback", false),
    ("rabbitmq_auth_backend_ldap", false),
    ("rabbitmq_auth_backend_oauth2", false),
    ("rabbitmq_auth_mechanism_ssl", true),
    ("rabbitmq_consistent_hash_exchange", true),
    ("rabbitmq_delayed_message_exchange", true),
    ("rabbitmq_event_exchange", true),
    ("rabbitmq_exchange_federation", false),
    ("rabbitmq_federation", false),
    ("rabbitmq_federation_common", false),
    ("rabbitmq_federation_management", false),
    ("rabbitmq_federation_prometheus", false),
    ("rabbitmq_jms_topic_exchange", false),
    ("rabbitmq_management", true),
    ("rabbitmq_management_agent", true),
    ("rabbitmq_message_deduplication", true),
    ("rabbitmq_mqtt", false),
    ("rabbitmq_peer_discovery_aws", false),
    ("rabbitmq_peer_discovery_common", false),
    ("rabbitmq_peer_discovery_consul", false),
    ("rabbitmq_peer_discovery_etcd", false),
    ("rabbitmq_peer_discovery_k8s", false),
    ("rabbitmq_prometheus", true),
    ("rabbitmq_queue_federation", false),
    ("rabbitmq_random_exchange", true),
    ("rabbitmq_recent_history_exchange", true),
    ("rabbitmq_sharding", false),
    ("rabbitmq_shovel", false),
    ("rabbitmq_shovel_management", false),
    ("rabbitmq_shovel_prometheus", false),
    ("rabbitmq_stomp", false),
    ("rabbitmq_stream", false),
    ("rabbitmq_stream_common", false),
    ("rabbitmq_stream_management", false),
    ("rabbitmq_top", false),
    ("rabbitmq_tracing", false),
    ("rabbitmq_trust_store", false),
    ("rabbitmq_web_dispatch", true),
    ("rabbitmq_web_mqtt", false),
    ("rabbitmq_web_mqtt_examples", false),
    ("rabbitmq_web_stomp", false),
    ("rabbitmq_web_stomp_examples", false),
];

/// Whether it is built in; `None` for a name that no plugin has.
fn built_in(name: &str) -> Option<bool> {
    PLUGINS.iter().find(|(known, _)| *known == name).map(|(_, built_in)| *built_in)
}

/// The names among these that are not built in, whether a plugin has them or not.
pub(in crate::cli) fn that_are_not_there<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    names.filter(|name| !name.is_empty() && built_in(name) != Some(true)).collect()
}

pub(super) fn list(desk: &mut Desk) -> Done {
    let pattern = desk.find(0).unwrap_or(".*").to_owned();
    desk.say(&format!("Listing plugins with pattern \"{pattern}\" ..."))?;
    let wanted = regex::bytes::RegexBuilder::new(&pattern).unicode(false).size_limit(1 << 20).build();
    let wanted = wanted.map_err(|_| Trouble::usage(format!("'{pattern}' is no regular expression")))?;
    let only_on = desk.has("enabled") || desk.has("implicitly-enabled");
    let listed = PLUGINS.iter().filter(|(name, on)| wanted.is_match(name.as_bytes()) && (*on || !only_on));
    let minimal = desk.has("minimal");
    let (lines, objects): (Vec<String>, Vec<Value>) = listed
        .map(|(name, on)| {
            let state = if *on { "enabled" } else { "not_enabled" };
            let mark = if *on { "E*" } else { "  " };
            let line = if minimal { format!("{name}\n") } else { format!("[{mark}] {name}\n") };
            (line, json!({ "name": name, "enabled": state, "running": on }))
        })
        .unzip();
    let legend = " Configured: E = built in, always enabled\n | Status: * = running\n |/\n";
    let legend = if minimal { "" } else { legend };
    Ok(Found::Text(legend.to_owned() + &lines.concat(), Some(json!({ "plugins": objects }))))
}

/// Refuses names that no plugin has.
fn check(names: &[String]) -> Result<(), Trouble> {
    let unknown: Vec<&str> =
        names.iter().map(String::as_str).filter(|name| built_in(name).is_none()).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let text = format!("The following plugins could not be found: {}", unknown.join(", "));
    Err(Trouble::new(exit::SOFTWARE, text))
}

/// Succeeds for what is built in, and says of the rest that it is not there: the start of an image must not fail for it.
pub(super) fn enable(desk: &mut Desk) -> Done {
    let names = desk.rest(0);
    desk.say("Enabling plugins:")?;
    check(&names)?;
    for name in &names {
        if built_in(name) == Some(true) {
            desk.say(&format!("  {name}: built in, always enabled"))?;
        } else {
            desk.say(&format!("  {name}: not there, Leveret does not do what it does for RabbitMQ"))?;
        }
    }
    desk.say("Plugin configuration unchanged.")?;
    Ok(Found::Nothing)
}

pub(super) fn disable(desk: &mut Desk) -> Done {
    let names = desk.rest(0);
    desk.say(&format!("Disabling plugins: {}", names.join(", ")))?;
    check(&names)?;
    desk.say(
        "What is built in cannot be disabled; listeners can (management.listen, metrics.listen: none).",
    )?;
    desk.say("Plugin configuration unchanged.")?;
    Ok(Found::Nothing)
}

pub(super) fn is_enabled(desk: &mut Desk) -> Done {
    let names = desk.rest(0);
    check(&names)?;
    let off: Vec<&str> =
        names.iter().map(String::as_str).filter(|name| built_in(name) != Some(true)).collect();
    if off.is_empty() {
        let words = format!("Plugin {} is enabled\n", names.join(", "));
        return Ok(Found::Text(words, Some(json!({ "result": "ok" }))));
    }
    Err(Trouble::unavailable(format!("Plugin {} is not enabled", off.join(", "))))
}

/// No plugin has a directory.
pub(super) fn directories(desk: &mut Desk) -> Done {
    desk.say("There are none: everything is built in.")?;
    Ok(Found::Text(String::new(), Some(json!({ "plugin_directories": [] }))))
}
