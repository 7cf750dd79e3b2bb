//! Bindings.

use leveret_protocol::table::{Table, TableBuf};
use serde_json::{Value, json};

use super::entry::{Entry, Obstacle, Read, Reading, Standing, There, refusal, some, vhost};
use super::fields::Fields;
use super::table::from_table;
use crate::channel::exception::Subject;
use crate::connection::Environment;
use crate::exchange::Routes;
use crate::name::{ConnectionId, ExchangeName, QueueName, VhostName};
use crate::place::Batch;
use crate::vhost::Vhost;
use crate::vhost::exchange::Target;
use crate::vhost::refused::Refused;
use crate::vhost::topology::{BindingEnds, Destination};

/// As it is exported.
pub(super) fn object(
    vhost: &str,
    source: &str,
    (destination, to_queue): (&str, bool),
    key: &str,
    arguments: Table<'_>,
) -> Value {
    json!({
        "source": source,
        "vhost": vhost,
        "destination": destination,
        "destination_type": if to_queue { "queue" } else { "exchange" },
        "routing_key": key,
        "arguments": from_table(arguments),
    })
}

struct BindingEntry {
    vhost: VhostName,
    source: ExchangeName,
    destination: String,
    to_queue: bool,
    key: String,
    arguments: TableBuf,
}

const KNOWN: [&str; 7] =
    ["source", "vhost", "destination", "destination_type", "routing_key", "arguments", "properties_key"];

/// No connection has this number.
const NO_CONNECTION: ConnectionId = ConnectionId(0);

pub(super) fn read(fields: &Fields<'_>, reading: &mut Reading<'_>) -> Read {
    let (source, vhost) = (fields.name("source")?, fields.vhost(reading.scope)?);
    let destination = fields.name("destination")?;
    let destination_type = fields.text("destination_type")?;
    let to_queue = match destination_type {
        "queue" => true,
        "exchange" => false,
        other => {
            let other = other.escape_debug();
            let reason = format!("expected 'queue' or 'exchange', found '{other}'");
            return Err(fields.finding(&["destination_type"], reason));
        }
    };
    let key = fields.name("routing_key")?.to_owned();
    let arguments = fields.table("arguments")?;
    if source.is_empty() {
        // Every queue is bound there.
        return Ok(None);
    }
    reading.remarks.extend(fields.unknown(&KNOWN));
    let destination = if to_queue {
        QueueName::declared(destination).to_string()
    } else {
        ExchangeName::declared(destination).to_string()
    };
    some(BindingEntry {
        vhost,
        source: ExchangeName::declared(source),
        destination,
        to_queue,
        key,
        arguments,
    })
}

impl BindingEntry {
    fn target(&self, vhost: &Vhost) -> Option<Target> {
        let name = self.destination.as_str();
        if self.to_queue {
            vhost.queues().get(name).map(Target::Queue)
        } else {
            vhost.exchanges().get(name).map(Target::Exchange)
        }
    }

    /// What an exchange of this type says of it.
    fn tried(&self, environment: &Environment) -> Option<Obstacle> {
        let vhost = environment.vhosts.get(self.vhost.as_str())?;
        let (source, target) = (vhost.exchanges().get(self.source.as_str())?, self.target(&vhost)?);
        let options = source.options();
        let mut routes = Routes::<Target>::declared(options.exchange_type, options.arguments.as_table());
        let bound = routes.bind(target, &self.key, self.arguments.as_table());
        bound.err().map(|invalid| Obstacle::mistake(&[], invalid.to_string()))
    }
}

impl Entry for BindingEntry {
    fn json(&self) -> Value {
        let to = (self.destination.as_str(), self.to_queue);
        object(self.vhost.as_str(), self.source.as_str(), to, &self.key, self.arguments.as_table())
    }

    fn obstacle(&self, there: &There<'_>) -> Option<Obstacle> {
        if let Some(obstacle) = there.no_vhost(&self.vhost) {
            return Some(obstacle);
        }
        // Ends that are left out on either side are nothing to stop for.
        let missing = |at: &str, kind: &str, name: &str| {
            let name = name.escape_debug();
            Some(Obstacle::left_out(&[at], format!("left out: there is no {kind} '{name}'")))
        };
        let destination = self.destination.as_str();
        if !there.exchange(&self.vhost, self.source.as_str()) {
            return missing("source", "exchange", self.source.as_str());
        }
        if self.to_queue && !there.queue(&self.vhost, destination) {
            return missing("destination", "queue", destination);
        }
        if !self.to_queue && !there.exchange(&self.vhost, destination) {
            return missing("destination", "exchange", destination);
        }
        self.tried(there.environment)
    }

    fn standing(&self, environment: &Environment) -> Standing {
        let is_there = || {
            let vhost = environment.vhosts.get(self.vhost.as_str())?;
            let source = vhost.exchanges().get(self.source.as_str())?;
            let target = self.target(&vhost)?;
            let routes = source.routes();
            routes.has(&target, &self.key, self.arguments.as_table()).then_some(())
        };
        if is_there().is_some() { Standing::Same } else { Standing::New }
    }

    fn apply(&self, environment: &Environment) -> Result<Option<Batch>, Obstacle> {
        let vhost = vhost(environment, &self.vhost)?;
        let name = self.destination.as_str();
        let destination =
            if self.to_queue { Destination::Queue(name, NO_CONNECTION) } else { Destination::Exchange(name) };
        let ends = BindingEnds {
            source: self.source.as_str(),
            destination,
            binding_key: &self.key,
            arguments: self.arguments.as_table(),
        };
        vhost.bind(&ends).map_err(|refused| {
            let subject = if self.to_queue { Subject::Queue(name) } else { Subject::Exchange(name) };
            let reason = refusal(&refused, subject, &self.vhost);
            match refused {
                Refused::NoSource => Obstacle::left_out(&["source"], format!("left out: {reason}")),
                Refused::NoQueue | Refused::NoExchange | Refused::Locked => {
                    Obstacle::left_out(&["destination"], format!("left out: {reason}"))
                }
                _ => Obstacle::mistake(&[], reason),
            }
        })
    }
}
