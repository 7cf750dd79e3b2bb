//! The broker as a whole.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::answer::Answer;
use super::call::Call;
use super::failure::Failure;
use super::fields::text;
use super::listing::one;
use super::nodes::{exchange_types, listeners};
use super::stand_ins;
use crate::config::keys;
use crate::connection::capabilities::{COMPATIBLE_PRODUCT, COMPATIBLE_VERSION};
use crate::name::VhostName;
use crate::version;
use crate::vhost::Vhost;

/// `GET /api/overview`
pub(super) fn show(call: &Call) -> Result<Answer, Failure> {
    let site = &call.site;
    let vhosts = call.vhosts()?;
    let tells = call.tells_statistics();
    let config = call.environment().config();
    let mut object = json!({
        "management_version": COMPATIBLE_VERSION,
        "rates_mode": config.statistics.rates_mode.as_str(),
        "sample_retention_policies": stand_ins::sample_retention_policies(),
        "exchange_types": exchange_types(),
        "product_version": COMPATIBLE_VERSION,
        "product_name": COMPATIBLE_PRODUCT,
        "rabbitmq_version": COMPATIBLE_VERSION,
        "leveret_version": version::NUMBER,
        "cluster_name": call.cluster_name(),
        "cluster_tags": {},
        "node_tags": {},
        "default_queue_type": "classic",
        "erlang_version": stand_ins::ERLANG_VERSION,
        "erlang_full_version": stand_ins::ERLANG_FULL_VERSION,
        "release_series_support_status": "supported",
        "disable_stats": !tells,
        "is_op_policy_updating_enabled": true,
        "enable_queue_totals": false,
        "statistics_db_event_queue": stand_ins::EVENT_QUEUE,
        "node": site.node,
    });
    if let (true, Some(fields)) = (tells, object.as_object_mut()) {
        let names: Vec<VhostName> = vhosts.iter().map(|vhost| vhost.name().clone()).collect();
        let all = names.len() == call.environment().vhosts.all().len();
        site.statistics.tell_overview(call.telling(), &site.environment, (&names, all), fields);
        fields.insert("object_totals".to_owned(), object_totals(call, &vhosts));
    }
    if let (Some(commit), Some(fields)) = (version::COMMIT, object.as_object_mut()) {
        fields.insert("leveret_commit".to_owned(), json!(commit));
    }
    let sees_node = super::call::has_any(call.user()?, &["administrator", "monitoring"]);
    if let (true, Some(object)) = (sees_node, object.as_object_mut()) {
        object.insert("listeners".to_owned(), listeners(site));
        object.insert("contexts".to_owned(), super::nodes::contexts(site));
    }
    Ok(one(call, object))
}

/// How many there are of each kind in some virtual hosts.
fn object_totals(call: &Call, vhosts: &[Arc<Vhost>]) -> Value {
    let totals = call.site.statistics.totals(call.environment());
    let (mut queues, mut consumers, mut exchanges, mut connections, mut channels) = (0, 0, 0, 0, 0);
    for vhost in vhosts {
        let held = totals.vhosts.get(vhost.name()).copied().unwrap_or_default();
        queues += held.queues;
        consumers += held.consumers;
        // And the default one.
        exchanges += vhost.exchanges().all().len() + 1;
    }
    for connection in call.environment().connections.described() {
        if vhosts.iter().any(|vhost| *vhost.name() == connection.vhost) {
            connections += 1;
            channels += connection.about.entry.channel_count();
        }
    }
    json!({
        "channels": channels, "connections": connections, "consumers": consumers, "exchanges": exchanges,
        "queues": queues,
    })
}

/// How fast something grows that does not.
pub(super) fn rate() -> Value {
    json!({ "rate": 0.0 })
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
