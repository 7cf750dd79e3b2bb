//! Queues.

use leveret_protocol::method::queue::Declare;
use leveret_protocol::table::{Table, Value as Field};
use serde_json::{Value, json};

use super::entry::{Entry, Made, Obstacle, Read, Reading, Standing, There, refusal, some, vhost};
use super::fields::Fields;
use super::path::Finding;
use super::table::from_table;
use crate::channel::exception::Subject;
use crate::connection::Environment;
use crate::equivalence::Resource;
use crate::name::{ConnectionId, QueueName, VhostName};
use crate::place::Batch;
use crate::queue::arguments::QUEUE_TYPE;
use crate::queue::options::{InvalidQueue, QueueOptions};
use crate::vhost::topology::RESERVED_PREFIX;

/// As it is exported.
pub(super) fn object(vhost: &str, name: &str, options: &QueueOptions) -> Value {
    json!({
        "name": name,
        "vhost": vhost,
        "type": if options.is_quorum() { "quorum" } else { "classic" },
        "durable": options.durable,
        "auto_delete": options.auto_delete,
        "arguments": from_table(options.arguments.as_table()),
    })
}

struct QueueEntry {
    vhost: VhostName,
    name: QueueName,
    options: QueueOptions,
}

const KNOWN: [&str; 8] =
    ["name", "vhost", "type", "durable", "auto_delete", "exclusive", "arguments", "owner_pid_details"];

/// No connection has this number.
const NO_CONNECTION: ConnectionId = ConnectionId(0);

pub(super) fn read(fields: &Fields<'_>, reading: &mut Reading<'_>) -> Read {
    let (name, vhost) = (fields.some_name("name")?, fields.vhost(reading.scope)?);
    if name.starts_with(RESERVED_PREFIX) {
        let reason = "left out: names that begin with 'amq.' are the broker's own";
        reading.remarks.push(fields.finding(&["name"], reason));
        return Ok(None);
    }
    reading.remarks.extend(fields.unknown(&KNOWN));
    let arguments = fields.table("arguments")?;
    if let Some(left_out) = other_type(fields, arguments.as_table()) {
        reading.remarks.push(left_out);
        return Ok(None);
    }
    let declare = Declare {
        queue: name,
        passive: false,
        durable: fields.switch("durable", true)?,
        exclusive: false,
        auto_delete: fields.switch("auto_delete", false)?,
        no_wait: false,
        arguments: arguments.as_table(),
    };
    let found = reading.environment.vhosts.get(vhost.as_str());
    let augmented = found.and_then(|vhost| vhost.with_default_type(&declare));
    let declare = match &augmented {
        Some(arguments) => Declare { arguments: arguments.as_table(), ..declare },
        None => declare,
    };
    let options = QueueOptions::declared(&declare).map_err(|why| invalid(fields, &why, name, &vhost))?;
    some(QueueEntry { vhost, name: QueueName::declared(name), options })
}

/// Streams, and whatever else RabbitMQ may have.
fn other_type(fields: &Fields<'_>, arguments: Table<'_>) -> Option<Finding> {
    let queue_type = arguments.get(QUEUE_TYPE).and_then(Field::as_str)?;
    if ["classic", "quorum"].contains(&queue_type) {
        return None;
    }
    let queue_type = queue_type.escape_debug();
    let reason = format!("left out: there are no queues of the type '{queue_type}' here");
    Some(fields.finding(&["arguments", QUEUE_TYPE], reason))
}

fn invalid(fields: &Fields<'_>, why: &InvalidQueue, name: &str, vhost: &VhostName) -> Finding {
    let reason = why.text(name, vhost.as_str());
    match why {
        InvalidQueue::Property("non-durable") => fields.finding(&["durable"], reason),
        InvalidQueue::Property("auto-delete") => fields.finding(&["auto_delete"], reason),
        InvalidQueue::DeadLetterExchangeType(_) => {
            fields.finding(&["arguments", "x-dead-letter-exchange"], reason)
        }
        InvalidQueue::NotOfType { argument, .. } => fields.finding(&["arguments", argument], reason),
        InvalidQueue::Argument(invalid) => fields.finding(&["arguments", invalid.argument], reason),
        _ => fields.finding(&[], reason),
    }
}

impl Entry for QueueEntry {
    fn json(&self) -> Value {
        object(self.vhost.as_str(), self.name.as_str(), &self.options)
    }

    fn obstacle(&self, there: &There<'_>) -> Option<Obstacle> {
        there.no_vhost(&self.vhost)
    }

    fn standing(&self, environment: &Environment) -> Standing {
        let (name, vhost) = (self.name.as_str(), self.vhost.as_str());
        let found = environment.vhosts.get(vhost).and_then(|vhost| vhost.queues().get(name));
        let Some(queue) = found else { return Standing::New };
        let options = queue.options();
        let found = || object(vhost, name, &options);
        if queue.owner().is_some() {
            return Standing::Stays(found(), "it is exclusive to a connection".to_owned());
        }
        match options.difference(&self.options) {
            None => Standing::Same,
            Some(difference) => {
                let reason = difference.text(Resource { kind: "queue", name, vhost });
                Standing::Stays(found(), reason)
            }
        }
    }

    fn apply(&self, environment: &Environment) -> Result<Option<Batch>, Obstacle> {
        let vhost = vhost(environment, &self.vhost)?;
        let declared = vhost.declare_queue(self.name.clone(), &self.options, NO_CONNECTION);
        declared.map(|declared| declared.until).map_err(|refused| {
            Obstacle::mistake(&[], refusal(&refused, Subject::Queue(self.name.as_str()), &self.vhost))
        })
    }

    fn makes(&self) -> Option<Made> {
        Some(Made::Queue(self.vhost.clone(), self.name.to_string()))
    }
}
