//! Channels, listed.

use std::borrow::Borrow;
use std::sync::Arc;

use serde_json::{Value, json};

use super::answer::Answer;
use super::call::{Call, MONITORING, has_any};
use super::connections;
use super::consumers::{self, channel_details};
use super::failure::Failure;
use super::listing::{one, paged};
use super::site::Site;
use super::stand_ins;
use super::statistics::Telling;
use crate::auth::Tags;
use crate::channel::entry::ChannelEntry;
use crate::vhost::Vhost;

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
        let [deliveries, publishes] = breakdown(call, &row.channel);
        fields.insert("deliveries".to_owned(), deliveries);
        fields.insert("publishes".to_owned(), publishes);
    }
    Ok(one(call, object))
}

/// The channels in a virtual host.
fn of(call: &Call, vhost: &Vhost) -> Vec<Arc<ChannelEntry>> {
    let connections = call.environment().connections.described().into_iter();
    let connections = connections.filter(|connection| connection.vhost == *vhost.name());
    connections.flat_map(|connection| connection.about.entry.channels()).collect()
}

/// What each channel publishes to an exchange, where so much is told.
pub(super) fn publishing(call: &Call, vhost: &Vhost, exchange: &str) -> Value {
    let (statistics, telling) = (&call.site.statistics, call.telling());
    beside_channels(call, vhost, |channel| {
        stats_of(statistics.told_of_publishes(telling, channel, Some(exchange)))
    })
}

/// What the consumers of each channel were given from a queue, where so much is told.
pub(super) fn delivered(call: &Call, vhost: &Vhost, queue: &str) -> Value {
    let (statistics, telling) = (&call.site.statistics, call.telling());
    beside_channels(call, vhost, |channel| {
        stats_of(statistics.told_of_deliveries(telling, channel, Some(queue)))
    })
}

fn stats_of<N>(told: Vec<(N, Value)>) -> Option<Value> {
    told.into_iter().next().map(|(_, stats)| stats)
}

fn beside_channels(call: &Call, vhost: &Vhost, stats: impl Fn(&ChannelEntry) -> Option<Value>) -> Value {
    if !call.tells_details() {
        return json!([]);
    }
    let channels = of(call, vhost).into_iter().filter_map(|channel| {
        let stats = stats(&channel)?;
        Some(json!({ "channel_details": channel_details(&channel.whose, &call.site), "stats": stats }))
    });
    channels.collect()
}

/// What a channel's consumers were given from each queue, and what it publishes to each exchange, where so much is told.
fn breakdown(call: &Call, channel: &ChannelEntry) -> [Value; 2] {
    if !call.tells_details() {
        return [json!([]), json!([])];
    }
    let (statistics, telling) = (&call.site.statistics, call.telling());
    [
        each_of("queue", channel, statistics.told_of_deliveries(telling, channel, None)),
        each_of("exchange", channel, statistics.told_of_publishes(telling, channel, None)),
    ]
}

/// What a channel does with each of these.
fn each_of<N: Borrow<str>>(kind: &str, channel: &ChannelEntry, told: Vec<(N, Value)>) -> Value {
    let vhost = channel.whose.vhost.as_str();
    let each = told.into_iter().map(|(name, stats)| {
        let name: &str = name.borrow();
        json!({ kind: { "name": name, "vhost": vhost }, "stats": stats })
    });
    each.collect()
}
