//! Exchanges.

use serde_json::{Value, json};

use super::entry::{Entry, Made, Obstacle, Read, Reading, Standing, There, refusal, some, vhost};
use super::fields::Fields;
use super::table::from_table;
use crate::channel::exception::Subject;
use crate::connection::Environment;
use crate::equivalence::Resource;
use crate::exchange::{ExchangeOptions, InvalidExchange};
use crate::name::{ExchangeName, VhostName};
use crate::place::Batch;
use crate::vhost::topology::RESERVED_PREFIX;

/// As it is exported.
pub(super) fn object(vhost: &str, name: &str, options: &ExchangeOptions) -> Value {
    json!({
        "name": name,
        "vhost": vhost,
        "type": options.exchange_type.as_str(),
        "durable": options.durable,
        "auto_delete": options.auto_delete,
        "internal": options.internal,
        "arguments": from_table(options.arguments.as_table()),
    })
}

struct ExchangeEntry {
    vhost: VhostName,
    name: ExchangeName,
    options: ExchangeOptions,
}

const KNOWN: [&str; 10] = [
    "name",
    "vhost",
    "type",
    "durable",
    "auto_delete",
    "internal",
    "arguments",
    "policy",
    "user_who_performed_action",
    "message_stats",
];

pub(super) fn read(fields: &Fields<'_>, reading: &mut Reading<'_>) -> Read {
    let (name, vhost) = (fields.name("name")?, fields.vhost(reading.scope)?);
    if name.is_empty() || is_predeclared(name) {
        // They are everywhere.
        return Ok(None);
    }
    if name.starts_with(RESERVED_PREFIX) {
        let reason = "left out: names that begin with 'amq.' are the broker's own";
        reading.remarks.push(fields.finding(&["name"], reason));
        return Ok(None);
    }
    reading.remarks.extend(fields.unknown(&KNOWN));
    let (type_name, arguments) = (fields.text("type")?, fields.table("arguments")?);
    let parsed = ExchangeOptions::parse(type_name, arguments.as_table());
    let parsed = parsed.map_err(|invalid| {
        let reason = invalid.text(name, vhost.as_str());
        match invalid {
            InvalidExchange::UnknownType(_) => fields.finding(&["type"], reason),
            InvalidExchange::ArgumentType { argument, .. } => {
                fields.finding(&["arguments", argument], reason)
            }
            _ => fields.finding(&["arguments"], reason),
        }
    })?;
    let options = ExchangeOptions {
        durable: fields.switch("durable", true)?,
        auto_delete: fields.switch("auto_delete", false)?,
        internal: fields.switch("internal", false)?,
        ..parsed
    };
    some(ExchangeEntry { vhost, name: ExchangeName::declared(name), options })
}

/// Whether every virtual host has it from the start.
pub(super) fn is_predeclared(name: &str) -> bool {
    ["direct", "fanout", "topic", "headers", "match", "rabbitmq.trace", "rabbitmq.event", "rabbitmq.log"]
        .into_iter()
        .any(|rest| name.strip_prefix(RESERVED_PREFIX) == Some(rest))
}

impl Entry for ExchangeEntry {
    fn json(&self) -> Value {
        object(self.vhost.as_str(), self.name.as_str(), &self.options)
    }

    fn obstacle(&self, there: &There<'_>) -> Option<Obstacle> {
        there.no_vhost(&self.vhost)
    }

    fn standing(&self, environment: &Environment) -> Standing {
        let (name, vhost) = (self.name.as_str(), self.vhost.as_str());
        let found = environment.vhosts.get(vhost).and_then(|vhost| vhost.exchanges().get(name));
        let Some(exchange) = found else { return Standing::New };
        match exchange.options().difference(&self.options) {
            None => Standing::Same,
            Some(difference) => {
                let reason = difference.text(Resource { kind: "exchange", name, vhost });
                Standing::Stays(object(vhost, name, exchange.options()), reason)
            }
        }
    }

    fn apply(&self, environment: &Environment) -> Result<Option<Batch>, Obstacle> {
        let vhost = vhost(environment, &self.vhost)?;
        let declared = vhost.exchange_declare(&self.name, self.options.clone());
        declared.map(|(_, until)| until).map_err(|refused| {
            Obstacle::mistake(&[], refusal(&refused, Subject::Exchange(self.name.as_str()), &self.vhost))
        })
    }

    fn makes(&self) -> Option<Made> {
        Some(Made::Exchange(self.vhost.clone(), self.name.to_string()))
    }
}
