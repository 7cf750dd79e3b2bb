//! RabbitMQ's firehose: what clients publish and what is delivered to them, told at the exchange `amq.rabbitmq.trace` while
//! tracing is on in the virtual host.

use leveret_protocol::properties::{Properties, PropertiesBuilder};
use leveret_protocol::table::{ArrayBuf, ArrayBuilder, TableBuf, TableBuilder, Value};

use super::Session;
use super::publish::extra_keys;
use crate::message::Message;
use crate::net::node_name;
use crate::queue::delivery::Delivery;
use crate::store::unit::Unit;
use crate::time::Time;
use crate::vhost::publisher::{Origin, Publisher, Traced};

/// Where it is told.
const EXCHANGE: &str = "amq.rabbitmq.trace";

impl Session {
    /// Tells what was published since this was last called.
    #[cold]
    pub(super) fn tell_published(&mut self) {
        let mut telling = self.telling();
        for Traced { message, channel, queues } in self.publisher.take_traced() {
            let queues = queues.iter().fold(ArrayBuilder::new(), |names, queue| names.string(queue.as_str()));
            let headers = self.ends(of_message(&message), channel);
            let headers = headers.value("routed_queues", Value::Array(queues.finish().as_array()));
            telling.tell(&format!("publish.{}", message.exchange()), &headers.finish(), &message, self);
        }
        telling.end(self);
    }

    /// Tells what is about to be sent to the client.
    #[cold]
    pub fn tell_deliveries(&mut self, deliveries: &[Delivery]) {
        let mut telling = self.telling();
        for delivery in deliveries {
            let Some(subscription) = self.subscriptions.get(delivery.slot) else { continue };
            let Some(queue) = subscription.queue() else { continue };
            let (key, channel) = (format!("deliver.{}", queue.name()), subscription.channel);
            telling.tell_delivery(&key, channel, delivery.redelivered, &delivery.message, self);
        }
        telling.end(self);
    }

    /// The same of a message that is got.
    #[cold]
    pub(super) fn tell_got(&mut self, queue: &str, channel: u16, redelivered: bool, message: &Message) {
        let mut telling = self.telling();
        telling.tell_delivery(&format!("deliver.{queue}"), channel, redelivered, message, self);
        telling.end(self);
    }

    fn telling(&self) -> Telling {
        Telling { publisher: Publisher::default().from_within(), unit: self.vhost.unit(), now: Time::now() }
    }

    /// Who publishes, or gets it.
    fn ends(&self, headers: TableBuilder, channel: u16) -> TableBuilder {
        headers
            .string("vhost", self.vhost.name().as_str())
            .string("connection", &self.name)
            .int("channel", channel.into())
            .string("user", self.authority.user().as_str())
    }
}

/// What is told of a few messages at once.
struct Telling {
    publisher: Publisher,
    unit: Unit,
    now: Time,
}

impl Telling {
    fn tell_delivery(
        &mut self,
        key: &str,
        channel: u16,
        redelivered: bool,
        message: &Message,
        session: &Session,
    ) {
        let headers = of_message(message).int("redelivered", redelivered.into());
        let headers = session.ends(headers, channel).finish();
        self.tell(key, &headers, message, session);
    }

    fn tell(&mut self, key: &str, headers: &TableBuf, of: &Message, session: &Session) {
        // What tells of others is not told of.
        if of.exchange() == EXCHANGE {
            return;
        }
        let properties = PropertiesBuilder { headers: Some(headers.as_table()), ..Default::default() };
        // A key that would be too long tells nothing.
        let Some(mut told) = Message::compose(EXCHANGE, key, &properties.finish(), of.body()) else { return };
        told.arrive(self.now);
        let (vhost, unit) = (&session.vhost, &mut self.unit);
        let table = told.properties().headers();
        let Ok(routed) = self.publisher.route(vhost, &told, &[], table, unit) else { return };
        self.publisher.gather(vhost, routed, told.clone(), Origin::default(), unit);
    }

    /// All of it goes to its queues.
    fn end(mut self, session: &Session) {
        self.publisher.flush(&session.vhost, &mut self.unit);
        self.unit.end();
    }
}

/// What a message says of itself.
fn of_message(message: &Message) -> TableBuilder {
    let properties = message.properties();
    let mut keys = ArrayBuilder::new().string(message.routing_key());
    let mut others = Vec::new();
    // What cannot be read was refused when it was published.
    let _ = extra_keys(properties.headers(), |key| others.push(key));
    for key in others {
        keys = keys.string(key);
    }
    let keys: ArrayBuf = keys.finish();
    TableBuilder::new()
        .string("exchange_name", message.exchange())
        .value("routing_keys", Value::Array(keys.as_array()))
        .table("properties", table_of(properties).as_table())
        .string("node", node_name())
}

/// Properties as a table, those that there are.
fn table_of(properties: Properties<'_>) -> TableBuf {
    let texts = [
        ("app_id", properties.app_id()),
        ("user_id", properties.user_id()),
        ("type", properties.type_()),
        ("message_id", properties.message_id()),
        ("expiration", properties.expiration()),
        ("reply_to", properties.reply_to()),
        ("correlation_id", properties.correlation_id()),
        ("content_encoding", properties.content_encoding()),
        ("content_type", properties.content_type()),
    ];
    let numbers = [
        ("timestamp", properties.timestamp()),
        ("priority", properties.priority().map(u64::from)),
        ("delivery_mode", properties.delivery_mode().map(u64::from)),
    ];
    let mut table = TableBuilder::new();
    for (name, text) in texts {
        if let Some(text) = text {
            table = table.string(name, text);
        }
    }
    for (name, number) in numbers {
        if let Some(number) = number {
            table = match i32::try_from(number) {
                Ok(number) => table.int(name, number),
                Err(_) => table.long(name, i64::try_from(number).unwrap_or(i64::MAX)),
            };
        }
    }
    if let Some(headers) = properties.headers() {
        table = table.table("headers", headers);
    }
    table.finish()
}
