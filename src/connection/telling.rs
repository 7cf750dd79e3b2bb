//! What happens to connections, as events of RabbitMQ's event exchange.

use std::net::SocketAddr;
use std::sync::Arc;

use leveret_protocol::table::{TableBuilder, Value};

use super::Environment;
use super::handshake::Negotiated;
use crate::access::{LoginRefused, Origin};
use crate::auth::User;
use crate::event::acting_for;
use crate::net::node_name;
use crate::time::Time;

/// Between whom a connection is.
#[derive(Clone, Copy)]
pub(super) struct Ends {
    pub(super) peer: SocketAddr,
    pub(super) local: SocketAddr,
    pub(super) is_tls: bool,
}

pub(super) fn opened(environment: &Environment, negotiated: &Negotiated, ends: Ends) {
    let events = environment.vhosts.events();
    if !events.is_wanted() {
        return;
    }
    let _acting = acting_for(negotiated.user.name.as_str());
    events.tell("connection.created", |headers| {
        let Ends { peer, local, is_tls } = ends;
        named(headers, negotiated, ends)
            .string("user", negotiated.user.name.as_str())
            .string("vhost", negotiated.vhost.as_str())
            .string("protocol", "{0,9,1}")
            .string("type", "network")
            .string("peer_host", peer.ip().to_string())
            .int("peer_port", peer.port().into())
            .string("host", local.ip().to_string())
            .int("port", local.port().into())
            .bool("ssl", is_tls)
            .int("channel_max", negotiated.channel_max.into())
            .long("frame_max", negotiated.frame_max.into())
            .int("timeout", negotiated.heartbeat.into())
            .long("connected_at", i64::try_from(Time::now().as_millis()).unwrap_or(i64::MAX))
    });
}

pub(super) fn closed(environment: &Environment, negotiated: &Negotiated, ends: Ends) {
    environment.vhosts.events().tell("connection.closed", |headers| named(headers, negotiated, ends));
}

/// Somebody has tried to log in, under this name if it was said and events are wanted.
pub(super) fn logged_in(
    environment: &Environment,
    name: &str,
    logged_in: &Result<Arc<User>, LoginRefused>,
    origin: &Origin,
) {
    let (key, name) = match logged_in {
        Ok(user) => ("user.authentication.success", user.name.as_str()),
        Err(_) => ("user.authentication.failure", name),
    };
    environment.vhosts.events().tell(key, |headers| {
        let headers = headers
            .string("name", name)
            .string("peer_host", origin.address.to_string())
            .string("connection_type", "network");
        match logged_in {
            Ok(_) => headers,
            Err(refused) => headers.string("error", refused.to_string()),
        }
    });
}

fn named(headers: TableBuilder, negotiated: &Negotiated, Ends { peer, local, .. }: Ends) -> TableBuilder {
    let headers = headers.string("name", format!("{peer} -> {local}")).string("node", node_name());
    let properties = negotiated.client_properties.as_table();
    match properties.get("connection_name").and_then(Value::as_str) {
        Some(name) => headers.string("user_provided_name", name),
        None => headers,
    }
}
