//! Exchanges.

use std::sync::Arc;

use leveret_protocol::method::exchange;
use leveret_protocol::table::TableBuf;
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::call::Call;
use super::channels;
use super::direct::Direct;
use super::failure::Failure;
use super::fields::{switch, text};
use super::listing::{one, paged};
use super::site::Site;
use super::statistics::Telling;
use super::wire_json::{from_table, to_table};
use crate::vhost::Vhost;
use crate::vhost::exchange::Exchange;

/// An exchange of a virtual host; the default one is nothing but its name.
struct Row {
    vhost: Arc<Vhost>,
    exchange: Option<Arc<Exchange>>,
}

impl Row {
    fn name(&self) -> &str {
        self.exchange.as_ref().map_or("", |exchange| exchange.name().as_str())
    }
}

/// `GET /api/exchanges` and `/api/exchanges/{vhost}`
pub(super) fn list(call: &Call) -> Result<Answer, Failure> {
    let mut rows = Vec::new();
    for vhost in call.vhosts()? {
        let mut exchanges = vhost.exchanges().all();
        exchanges.sort_by(|one, other| one.name().cmp(other.name()));
        rows.push(Row { vhost: Arc::clone(&vhost), exchange: None });
        rows.extend(
            exchanges.into_iter().map(|exchange| Row { vhost: Arc::clone(&vhost), exchange: Some(exchange) }),
        );
    }
    let (site, telling) = (Arc::clone(&call.site), call.telling_exchanges());
    paged(call, rows, Row::name, move |row| Some(object(row, &site, telling)))
}

fn object(row: &Row, site: &Site, telling: Option<Telling>) -> Value {
    let mut object = declaration(row);
    if let (Some(telling), Some(fields)) = (telling, object.as_object_mut()) {
        site.statistics.tell_exchange(telling, &row.vhost, row.exchange.as_deref(), fields);
    }
    object
}

impl Call {
    /// What is told of exchanges, if more than that they are there.
    fn telling_exchanges(&self) -> Option<Telling> {
        self.tells_statistics().then(|| self.telling())
    }
}

fn declaration(row: &Row) -> Value {
    let vhost = row.vhost.name().as_str();
    let Some(exchange) = &row.exchange else {
        return json!({
            "name": "", "vhost": vhost, "type": "direct", "durable": true, "auto_delete": false,
            "internal": false, "arguments": {}, "policy": null, "user_who_performed_action": "rmq-internal",
        });
    };
    let options = exchange.options();
    let policies = exchange.policies();
    json!({
        "name": exchange.name().as_str(),
        "vhost": vhost,
        "type": options.exchange_type.as_str(),
        "durable": options.durable,
        "auto_delete": options.auto_delete,
        "internal": options.internal,
        "arguments": from_table(options.arguments.as_table()),
        "policy": policies.and_then(|policies| Some(policies.policy.as_ref()?.name.clone())),
    })
}

/// `GET /api/exchanges/{vhost}/{exchange}`
pub(super) fn show(call: &Call) -> Result<Answer, Failure> {
    let vhost = call.vhost()?;
    let exchange = named(call, &vhost)?;
    let row = Row { vhost, exchange };
    let telling = call.telling_exchanges();
    let mut object = object(&row, &call.site, telling);
    if let (Some(_), Some(object)) = (telling, object.as_object_mut()) {
        object.insert("incoming".to_owned(), channels::publishing(call, &row.vhost, row.name()));
        // To which queues nobody counts.
        object.insert("outgoing".to_owned(), json!([]));
    }
    Ok(one(call, object))
}

/// The exchange in the path, nothing for the default one; 404 when there is none.
pub(super) fn named(call: &Call, vhost: &Vhost) -> Result<Option<Arc<Exchange>>, Failure> {
    match call.exchange("exchange") {
        "" => Ok(None),
        name => vhost.exchanges().get(name).map(Some).ok_or_else(Failure::no_object),
    }
}

/// `PUT /api/exchanges/{vhost}/{exchange}`: declares it.
pub(super) fn put(call: &Call) -> Result<Answer, Failure> {
    let object = call.object()?;
    let vhost = vhost(call)?;
    let arguments = arguments(&object)?;
    let name = call.exchange("exchange");
    let is_new = vhost.exchanges().get(name).is_none();
    let mut direct = Direct::open(call, &vhost)?;
    let declared = direct.call(exchange::Declare {
        exchange: name,
        type_: text(&object, "type")?.unwrap_or("direct"),
        passive: false,
        durable: switch(&object, "durable")?,
        auto_delete: switch(&object, "auto_delete")?,
        internal: switch(&object, "internal")?,
        no_wait: false,
        arguments: arguments.as_table(),
    });
    declared.map_err(|exception| Failure::of_method(&exception))?;
    direct.check_disk()?;
    Ok(Answer::put(is_new))
}

/// `DELETE /api/exchanges/{vhost}/{exchange}`
pub(super) fn delete(call: &Call) -> Result<Answer, Failure> {
    let vhost = call.vhost()?;
    named(call, &vhost)?;
    let mut direct = Direct::open(call, &vhost)?;
    let deleted = direct.call(exchange::Delete {
        exchange: call.exchange("exchange"),
        if_unused: call.query.is_true("if-unused"),
        no_wait: false,
    });
    deleted.map_err(|exception| Failure::of_method(&exception))?;
    direct.check_disk()?;
    Ok(Answer::NoContent)
}

/// The virtual host in which something is to be made.
pub(super) fn vhost(call: &Call) -> Result<Arc<Vhost>, Failure> {
    call.vhost().map_err(|_| Failure::not_found("vhost_not_found"))
}

/// The arguments in a body.
pub(super) fn arguments(object: &Map<String, Value>) -> Result<TableBuf, Failure> {
    match object.get("arguments") {
        None | Some(Value::Null) => to_table(&Map::new()),
        Some(Value::Object(arguments)) => to_table(arguments),
        Some(Value::Array(none)) if none.is_empty() => to_table(&Map::new()),
        Some(_) => Err(Failure::bad_request("arguments must be an object")),
    }
}
