//! The broker as a whole.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::call::Call;
use super::failure::Failure;
use super::fields::text;
use super::listing::one;
use super::nodes::{exchange_types, listeners};
use super::stand_ins;
use crate::config::keys;
use crate::connection::capabilities::{COMPATIBLE_PRODUCT, COMPATIBLE_VERSION};
use crate::queue::queue::Status;
use crate::vhost::Vhost;

/// `GET /api/overview`
pub(super) fn show(call: &Call) -> Result<Answer, Failure> {
    let site = &call.site;
    let vhosts = call.vhosts()?;
    let mut totals = Totals::default();
    for vhost in &vhosts {
        totals.add(vhost);
    }
    let mut object = json!({
        "management_version": COMPATIBLE_VERSION,
        "rates_mode": "basic",
        "sample_retention_policies": stand_ins::sample_retention_policies(),
        "exchange_types": exchange_types(),
        "product_version": COMPATIBLE_VERSION,
        "product_name": COMPATIBLE_PRODUCT,
        "rabbitmq_version": COMPATIBLE_VERSION,
        "leveret_version": env!("CARGO_PKG_VERSION"),
        "cluster_name": call.cluster_name(),
        "cluster_tags": {},
        "node_tags": {},
        "default_queue_type": "classic",
        "erlang_version": stand_ins::ERLANG_VERSION,
        "erlang_full_version": stand_ins::ERLANG_FULL_VERSION,
        "release_series_support_status": "supported",
        "disable_stats": false,
        "is_op_policy_updating_enabled": true,
        "enable_queue_totals": false,
        "message_stats": {},
        "churn_rates": churn_rates(),
        "queue_totals": messages(&totals.messages),
        "object_totals": {
            "channels": totals.channels,
            "connections": totals.connections,
            "consumers": totals.messages.consumers,
            "exchanges": totals.exchanges,
            "queues": totals.queues,
        },
        "statistics_db_event_queue": stand_ins::EVENT_QUEUE,
        "node": site.node,
    });
    let sees_node = super::call::has_any(call.user()?, &["administrator", "monitoring"]);
    if let (true, Some(object)) = (sees_node, object.as_object_mut()) {
        object.insert("listeners".to_owned(), listeners(site));
        object.insert("contexts".to_owned(), super::nodes::contexts(site));
    }
    Ok(one(call, object))
}

/// How much there is in some virtual hosts.
#[derive(Default)]
struct Totals {
    messages: Status,
    queues: usize,
    exchanges: usize,
    connections: u64,
    channels: u64,
}

impl Totals {
    /// Adds what is in a virtual host, one queue after the other.
    fn add(&mut self, vhost: &Vhost) {
        for queue in vhost.queues().all() {
            let Ok(status) = queue.status() else { continue };
            self.queues += 1;
            self.messages.ready += status.ready;
            self.messages.unacked += status.unacked;
            self.messages.consumers += status.consumers;
        }
        // And the default one.
        self.exchanges += vhost.exchanges().all().len() + 1;
        self.connections += vhost.connections().taken();
    }
}

/// The counts of messages, as queues, virtual hosts and the overview tell them.
pub(super) fn messages(status: &Status) -> Value {
    json!({
        "messages": status.ready + status.unacked,
        "messages_details": rate(),
        "messages_ready": status.ready,
        "messages_ready_details": rate(),
        "messages_unacknowledged": status.unacked,
        "messages_unacknowledged_details": rate(),
    })
}

/// How fast something grows. Nothing is sampled yet.
pub(super) fn rate() -> Value {
    json!({ "rate": 0.0 })
}

fn churn_rates() -> Value {
    let names = [
        "connection_created",
        "connection_closed",
        "channel_created",
        "channel_closed",
        "queue_declared",
        "queue_created",
        "queue_deleted",
    ];
    let mut rates = Map::new();
    for name in names {
        rates.insert(name.to_owned(), json!(0));
        rates.insert(format!("{name}_details"), rate());
    }
    Value::Object(rates)
}

/// `GET /api/whoami`
pub(super) fn whoami(call: &Call) -> Result<Answer, Failure> {
    let user = call.user()?;
    let tags: Vec<&str> = user.tags.iter().collect();
    Ok(Answer::Json(json!({ "name": user.name.as_str(), "tags": tags, "is_internal_user": true })))
}

/// `GET /api/auth`: how pages are to log in.
pub(super) fn auth(_: &Call) -> Result<Answer, Failure> {
    Ok(Answer::Json(json!({ "oauth_enabled": false })))
}

/// `GET /api/version`
pub(super) fn version(_: &Call) -> Result<Answer, Failure> {
    Ok(Answer::Json(json!(COMPATIBLE_VERSION)))
}

/// `GET /api/extensions`
pub(super) fn extensions(_: &Call) -> Result<Answer, Failure> {
    Ok(Answer::Json(json!([])))
}

/// `GET /api/cluster-name`
pub(super) fn cluster_name(call: &Call) -> Result<Answer, Failure> {
    Ok(Answer::Json(json!({ "name": call.cluster_name() })))
}

/// `PUT /api/cluster-name`
pub(super) fn rename_cluster(call: &Call) -> Result<Answer, Failure> {
    let object = call.object_with(&["name"])?;
    let name = text(&object, "name")?.filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Failure::bad_request("name must be a string"))?;
    call.wait(call.environment().vhosts.global_parameters().set(CLUSTER_NAME, json!(name)))?;
    Ok(Answer::NoContent)
}

/// `GET /api/config/effective`: every key with its value, but for secrets.
pub(super) fn configuration(call: &Call) -> Result<Answer, Failure> {
    let config = call.environment().config();
    let values = keys().map(|key| {
        let shown = key.shown(&config).quoted();
        (key.name.to_owned(), serde_json::from_str(&shown).unwrap_or(Value::String(shown)))
    });
    Ok(Answer::Json(json!({ "leveret": Value::Object(values.collect()) })))
}

/// The global parameter that has another name than the configuration says.
const CLUSTER_NAME: &str = "cluster_name";

impl Call {
    /// The name that this broker goes by.
    pub(super) fn cluster_name(&self) -> String {
        let renamed = self.environment().vhosts.global_parameters().get(CLUSTER_NAME);
        let renamed = renamed.as_ref().and_then(Value::as_str).map(str::to_owned);
        renamed.unwrap_or_else(|| self.environment().config().cluster_name.clone())
    }
}

impl super::site::Site {
    /// How long the broker runs.
    pub(crate) fn uptime(&self) -> Duration {
        let now = crate::time::Time::now();
        Duration::from_millis(now.as_millis().saturating_sub(self.started.as_millis()))
    }
}
