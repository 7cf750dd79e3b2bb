//! Connections: listed, and closed.

use std::sync::Arc;

use leveret_protocol::reply_code::ReplyCode;
use serde_json::{Value, json};

use super::answer::Answer;
use super::call::{Call, MONITORING, has_any};
use super::failure::Failure;
use super::listing::{one, paged, whole};
use super::site::Site;
use super::stand_ins;
use super::statistics::Telling;
use super::wire_json::from_table;
use crate::auth::Tags;
use crate::connection::registry::Described;
use crate::name::ConnectionId;
use crate::net::{Certificate, Encryption};
use crate::time::Time;

/// A connection with its name, which is made of where it comes from and where it arrived.
struct Row {
    name: String,
    connection: Described,
}

/// All open connections.
fn rows(call: &Call) -> Vec<Row> {
    let described = call.environment().connections.described();
    let row = |connection: Described| Row {
        name: format!("{} -> {}", connection.about.peer, connection.about.local),
        connection,
    };
    described.into_iter().map(row).collect()
}

fn object(row: &Row, site: &Site, telling: Option<Telling>) -> Value {
    let Described { id, user, vhost, encryption, about } = &row.connection;
    let node = &site.node;
    let Some(telling) = telling else {
        return json!({
            "name": row.name, "node": node, "user": user.as_str(), "vhost": vhost.as_str(),
        });
    };
    let properties = from_table(about.client_properties.as_table());
    let own_name = properties.get("connection_name").cloned().unwrap_or(Value::Null);
    let secured = |tell: fn(&Encryption) -> Value| encryption.as_deref().map(tell);
    let certificate = encryption.as_ref().and_then(|with| with.peer.as_ref());
    let shown = |tell: fn(&Certificate) -> &str| certificate.map(tell);
    let mut object = json!({
        "name": row.name,
        "user_provided_name": own_name,
        "node": node,
        "user": user.as_str(),
        "user_who_performed_action": user.as_str(),
        "vhost": vhost.as_str(),
        "protocol": "AMQP 0-9-1",
        "type": "network",
        "state": about.throttle.state(Time::now()).as_str(),
        "auth_mechanism": about.mechanism.name(),
        "ssl": encryption.is_some(),
        "ssl_protocol": secured(|with| json!(with.protocol)),
        "ssl_key_exchange": secured(|with| json!(with.key_exchange)),
        "ssl_cipher": secured(|with| json!(with.cipher)),
        "ssl_hash": secured(|with| json!(with.hash)),
        "peer_cert_subject": shown(|certificate| &certificate.subject),
        "peer_cert_issuer": shown(|certificate| &certificate.issuer),
        "peer_cert_validity": shown(Certificate::validity),
        "host": about.local.ip().to_string(),
        "port": about.local.port(),
        "peer_host": about.peer.ip().to_string(),
        "peer_port": about.peer.port(),
        "connected_at": about.connected_at.as_millis(),
        "frame_max": about.frame_max,
        "channel_max": about.channel_max,
        "timeout": about.heartbeat,
        "client_properties": properties,
        "channels": about.entry.channel_count(),
        "recv_cnt": about.entry.reads.get(),
        "send_cnt": about.entry.writes.get(),
        "send_pend": about.entry.pending_bytes.get(),
        "garbage_collection": stand_ins::garbage_collection(),
        "reductions": 0,
        "reductions_details": { "rate": 0.0 },
    });
    if let Some(fields) = object.as_object_mut() {
        site.statistics.tell_connection(telling, *id, &about.entry, fields);
    }
    object
}

impl Call {
    /// What is told of connections, if more than that they are there.
    fn telling_connections(&self) -> Option<Telling> {
        self.tells_statistics().then(|| self.telling())
    }
}

/// `GET /api/connections`: the user's own, or all of them for whoever may see everything.
pub(super) fn list(call: &Call) -> Result<Answer, Failure> {
    listed(call, rows(call))
}

/// `GET /api/vhosts/{vhost}/connections`: likewise.
pub(super) fn of_vhost(call: &Call) -> Result<Answer, Failure> {
    let vhost = call.vhost()?;
    let mut rows = rows(call);
    rows.retain(|row| row.connection.vhost == *vhost.name());
    listed(call, rows)
}

fn listed(call: &Call, mut rows: Vec<Row>) -> Result<Answer, Failure> {
    let user = call.user()?;
    let sees_all = has_any(user, &[Tags::ADMINISTRATOR, MONITORING]);
    rows.retain(|row| sees_all || row.connection.user == user.name);
    let (site, telling) = (Arc::clone(&call.site), call.telling_connections());
    paged(call, rows, |row| &row.name, move |row| Some(object(row, &site, telling)))
}

/// `GET /api/connections/username/{user}`
pub(super) fn of_user(call: &Call) -> Result<Answer, Failure> {
    let (site, telling) = (Arc::clone(&call.site), call.telling_connections());
    Ok(whole(call, those_of_user(call), move |row| Some(object(row, &site, telling))))
}

fn those_of_user(call: &Call) -> Vec<Row> {
    let user = call.part("user");
    let mut rows = rows(call);
    rows.retain(|row| row.connection.user.as_str() == user);
    rows
}

/// The connection in the path, if the user may have to do with it: it is its own, or the user has one of these tags.
fn named(call: &Call, tags: &[&str]) -> Result<Row, Failure> {
    let name = call.part("connection");
    let row = rows(call).into_iter().find(|row| row.name == name).ok_or_else(Failure::no_object)?;
    may(call, row.connection.user.as_str(), tags)?;
    Ok(row)
}

/// The connection in the path, if the user may see it.
pub(super) fn seen(call: &Call) -> Result<ConnectionId, Failure> {
    named(call, &[Tags::ADMINISTRATOR, MONITORING]).map(|row| row.connection.id)
}

/// What belongs to this user is for it, and for whoever has one of these tags.
pub(super) fn may(call: &Call, owner: &str, tags: &[&str]) -> Result<(), Failure> {
    let user = call.user()?;
    if user.name.as_str() == owner || has_any(user, tags) {
        return Ok(());
    }
    Err(Failure::not_authorised("User not authorised to access object"))
}

/// `GET /api/connections/{connection}`
pub(super) fn show(call: &Call) -> Result<Answer, Failure> {
    let row = named(call, &[Tags::ADMINISTRATOR, MONITORING])?;
    Ok(one(call, object(&row, &call.site, call.telling_connections())))
}

/// `DELETE /api/connections/{connection}`: closes it.
pub(super) fn close(call: &Call) -> Result<Answer, Failure> {
    let row = named(call, &[Tags::ADMINISTRATOR])?;
    tell_to_close(call, &row);
    Ok(Answer::NoContent)
}

/// `DELETE /api/connections/username/{user}`: closes those of a user.
pub(super) fn close_of_user(call: &Call) -> Result<Answer, Failure> {
    for row in those_of_user(call) {
        tell_to_close(call, &row);
    }
    Ok(Answer::NoContent)
}

fn tell_to_close(call: &Call, row: &Row) {
    let reason = call.reason.as_deref().unwrap_or("Closed via management plugin");
    let reason: String = reason.chars().filter(|c| !c.is_control()).take(REASON_MAX).collect();
    tracing::warn!("closing connection {}: {reason}", row.name);
    let text = format!("CONNECTION_FORCED - {reason}");
    call.environment().connections.close(row.connection.id, ReplyCode::ConnectionForced, &text);
}

/// A reply text has 255 bytes, its beginning among them; headers are ASCII.
const REASON_MAX: usize = 200;
