//! Channels, listed.

use std::sync::Arc;

use serde_json::{Value, json};

use super::answer::Answer;
use super::call::{Call, MONITORING, has_any};
use super::connections;
use super::consumers;
use super::failure::Failure;
use super::listing::{one, paged};
use super::site::Site;
use super::stand_ins;
use super::statistics::Telling;
use crate::auth::Tags;
use crate::channel::entry::ChannelEntry;

/// A channel with its name.
struct Row {
    name: String,
    channel: Arc<ChannelEntry>,
    /// Of its connection.
    state: &'static str,
}

/// The open channels.
fn rows(call: &Call) -> Vec<Row> {
    let mut rows = Vec::new();
    let now = crate::time::Time::now();
    for connection in call.environment().connections.described() {
        let state = connection.about.throttle.state(now).as_str();
        rows.extend(connection.about.entry.channels().into_iter().map(|channel| Row {
            name: channel.whose.channel_name(),
            channel,
            state,
        }));
    }
    rows
}

fn object(row: &Row, site: &Site, telling: Telling) -> Value {
    let (channel, whose) = (&row.channel, &row.channel.whose);
    let mut object = json!({
        "name": row.name,
        "number": whose.number,
        "node": site.node,
        "user": whose.user.as_str(),
        "user_who_performed_action": whose.user.as_str(),
        "vhost": whose.vhost.as_str(),
        "connection_details": {
            "name": whose.connection_name,
            "peer_host": whose.peer.map(|peer| peer.ip().to_string()),
            "peer_port": whose.peer.map(|peer| peer.port()),
        },
        // A channel is slowed with its connection.
        "state": if row.state == "flow" { "flow" } else { "running" },
        "confirm": channel.confirms(),
        "transactional": channel.is_transactional(),
        "consumer_count": channel.consumers(),
        "prefetch_count": channel.prefetch.get(),
        "global_prefetch_count": channel.global_prefetch.get(),
        "messages_unacknowledged": channel.unacked.get(),
        "messages_unconfirmed": channel.unconfirmed(),
        "messages_uncommitted": channel.uncommitted.get(),
        "acks_uncommitted": channel.uncommitted_acks.get(),
        "pending_raft_commands": 0,
        "garbage_collection": stand_ins::garbage_collection(),
        "reductions": 0,
        "reductions_details": { "rate": 0.0 },
    });
    if let Some(fields) = object.as_object_mut() {
        site.statistics.tell_channel(telling, channel, fields);
    }
    object
}

fn listed(call: &Call, mut rows: Vec<Row>) -> Result<Answer, Failure> {
    call.needs_statistics()?;
    let user = call.user()?;
    let sees_all = has_any(user, &[Tags::ADMINISTRATOR, MONITORING]);
    rows.retain(|row| sees_all || row.channel.whose.user == user.name);
    let (site, telling) = (Arc::clone(&call.site), call.telling());
    paged(call, rows, |row| &row.name, move |row| Some(object(row, &site, telling)))
}

/// `GET /api/channels`: the user's own, or all of them for whoever may see everything.
pub(super) fn list(call: &Call) -> Result<Answer, Failure> {
    listed(call, rows(call))
}

/// `GET /api/vhosts/{vhost}/channels`
pub(super) fn of_vhost(call: &Call) -> Result<Answer, Failure> {
    let vhost = call.vhost()?;
    let mut rows = rows(call);
    rows.retain(|row| row.channel.whose.vhost == *vhost.name());
    listed(call, rows)
}

/// `GET /api/connections/{connection}/channels`
pub(super) fn of_connection(call: &Call) -> Result<Answer, Failure> {
    let connection = connections::seen(call)?;
    let mut rows = rows(call);
    rows.retain(|row| row.channel.whose.connection == connection);
    listed(call, rows)
}

/// `GET /api/channels/{channel}`
pub(super) fn show(call: &Call) -> Result<Answer, Failure> {
    call.needs_statistics()?;
    let name = call.part("channel");
    let row = rows(call).into_iter().find(|row| row.name == name).ok_or_else(Failure::no_object)?;
    connections::may(call, row.channel.whose.user.as_str(), &[Tags::ADMINISTRATOR, MONITORING])?;
    let mut object = object(&row, &call.site, call.telling());
    if let Some(fields) = object.as_object_mut() {
        let consumers = row.channel.subscribers();
        let consumers = consumers.iter().map(|consumer| consumers::object(consumer, &call.site));
        fields.insert("consumer_details".to_owned(), consumers.collect());
        fields.insert("deliveries".to_owned(), json!([]));
        fields.insert("publishes".to_owned(), call.publishes_of(&row.channel));
    }
    Ok(one(call, object))
}

impl Call {
    /// What a channel publishes to each exchange, where so much is told.
    fn publishes_of(&self, channel: &ChannelEntry) -> Value {
        if !self.tells_details() {
            return json!([]);
        }
        let flows = channel.flows().into_iter().map(|(exchange, flow)| {
            json!({
                "exchange": { "name": exchange.as_str(), "vhost": channel.whose.vhost.as_str() },
                "stats": {
                    "publish": flow.publish.get(),
                    "confirm": flow.confirm.get(),
                    "return_unroutable": flow.return_unroutable.get(),
                    "drop_unroutable": flow.drop_unroutable.get(),
                },
            })
        });
        flows.collect()
    }
}
