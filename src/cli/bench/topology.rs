//! The queues, the exchange and the bindings of a run: what they are called, who uses which, and their declaration.

use super::connection::Connection;
use super::failure::Failure;
use super::options::{ArgumentValue, BenchOptions, QueueType};
use leveret_protocol::method::{exchange, queue};
use leveret_protocol::{Method, TableBuf, TableBuilder};

/// Declarations are sent together up to this many bytes.
const PIPELINE_BYTES: usize = 64 * 1024;

/// What a run declares at the broker and deletes at its end.
#[derive(Debug)]
pub(super) struct Topology {
    /// Names of the queues.
    queues: Vec<String>,
    /// The exchange; empty for the default exchange.
    exchange: String,
    kind: ExchangeKind,
    bindings: usize,
    durable: bool,
    arguments: TableBuf,
}

/// Where a message is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    /// The exchange; empty for the default exchange.
    pub(super) exchange: String,
    /// The routing key.
    pub(super) routing_key: String,
    /// The headers, where a headers exchange routes by them.
    pub(super) headers: Option<TableBuf>,
}

/// How an exchange type uses binding keys.
#[derive(Debug, Clone, PartialEq, Eq)]
enum ExchangeKind {
    Default,
    Direct,
    Topic,
    Fanout,
    Headers,
    /// A type of a plugin: bound with the weight 1, published to with many keys.
    Other(String),
}

impl ExchangeKind {
    fn new(name: Option<&str>) -> Self {
        match name {
            None => Self::Default,
            Some("direct") => Self::Direct,
            Some("topic") => Self::Topic,
            Some("fanout") => Self::Fanout,
            Some("headers") => Self::Headers,
            Some(other) => Self::Other(other.to_owned()),
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Default => "",
            Self::Direct => "direct",
            Self::Topic => "topic",
            Self::Fanout => "fanout",
            Self::Headers => "headers",
            Self::Other(name) => name,
        }
    }

    /// The key and arguments of binding `number`. Each message matches one binding, of a fanout exchange every one.
    fn binding(&self, number: usize) -> (String, TableBuf) {
        let none = TableBuf::default();
        match self {
            Self::Default => (String::new(), none),
            Self::Direct => (format!("stock.{number}"), none),
            Self::Topic => (format!("stock.{number}.*"), none),
            Self::Fanout => (format!("{number}"), none),
            Self::Headers => (
                format!("{number}"),
                TableBuilder::new().string("x-match", "all").long("stock", count(number)).finish(),
            ),
            Self::Other(_) => ("1".to_owned(), none),
        }
    }

    fn route(&self, exchange: &str, number: usize) -> Route {
        let routing_key = match self {
            Self::Fanout | Self::Headers => String::new(),
            Self::Topic => format!("stock.{number}.usd"),
            _ => format!("stock.{number}"),
        };
        let headers =
            (*self == Self::Headers).then(|| TableBuilder::new().long("stock", count(number)).finish());
        Route { exchange: exchange.to_owned(), routing_key, headers }
    }
}

impl Topology {
    /// Plans a run, under names that no other run has unless the options name it.
    pub(super) fn new(options: &BenchOptions) -> Result<Self, Failure> {
        let prefix = options.name.clone().map_or_else(unique_prefix, Ok)?;
        let kind = ExchangeKind::new(options.exchange_type.as_deref());
        let queues = options.queues.get();
        let quorum = options.queue_type == Some(QueueType::Quorum);
        let typed = options
            .queue_type
            .iter()
            .fold(TableBuilder::new(), |table, queue_type| table.string("x-queue-type", queue_type.name()));
        let arguments = options.queue_arg.iter().fold(typed, |table, (key, value)| match value {
            ArgumentValue::Boolean(value) => table.bool(key, *value),
            ArgumentValue::Integer(value) => table.long(key, *value),
            ArgumentValue::Text(value) => table.string(key, value),
        });
        Ok(Self {
            queues: (0..queues).map(|number| format!("{prefix}.{number}")).collect(),
            exchange: if kind == ExchangeKind::Default { String::new() } else { prefix },
            kind,
            bindings: options.bindings.map_or(queues, |bindings| bindings.get().max(queues)),
            durable: options.durable || options.persistent || quorum,
            arguments: arguments.finish(),
        })
    }

    /// How many queues a message reaches.
    pub(super) fn copies(&self) -> u64 {
        if self.kind == ExchangeKind::Fanout { self.queues.len() as u64 } else { 1 }
    }

    /// The queues that consumer `number` of `consumers` reads.
    pub(super) fn consumed(&self, number: usize, consumers: usize) -> Vec<&str> {
        dealt(self.queues.len(), number, consumers).filter_map(|queue| self.queue(queue)).collect()
    }

    /// The routes that producer `number` of `producers` takes in turn.
    pub(super) fn routes(&self, number: usize, producers: usize) -> Vec<Route> {
        let through_exchange = |route| self.kind.route(&self.exchange, route);
        match self.kind {
            ExchangeKind::Default => dealt(self.queues.len(), number, producers)
                .filter_map(|queue| self.queue(queue))
                .map(|queue| Route { exchange: String::new(), routing_key: queue.to_owned(), headers: None })
                .collect(),
            ExchangeKind::Fanout => vec![through_exchange(0)],
            ExchangeKind::Other(_) => dealt(1000, number, producers).map(through_exchange).collect(),
            _ => dealt(self.bindings, number, producers).map(through_exchange).collect(),
        }
    }

    /// Every queue's name.
    pub(super) fn queues(&self) -> impl Iterator<Item = &str> {
        self.queues.iter().map(String::as_str)
    }

    /// Declares all of it. What has been declared when this fails is deleted by [`Self::delete`].
    pub(super) fn declare(&self, connection: &mut Connection) -> Result<(), Failure> {
        if self.kind != ExchangeKind::Default {
            connection.send(
                super::connection::CHANNEL,
                exchange::Declare {
                    exchange: &self.exchange,
                    type_: self.kind.name(),
                    durable: self.durable,
                    no_wait: true,
                    ..exchange::Declare::default()
                },
            );
        }
        for queue in self.queues() {
            let declare = queue::Declare {
                queue,
                durable: self.durable,
                no_wait: true,
                arguments: self.arguments.as_table(),
                ..queue::Declare::default()
            };
            pipeline(connection, declare)?;
        }
        if self.kind != ExchangeKind::Default {
            for number in 0..self.bindings {
                let (key, arguments) = self.kind.binding(number);
                let bind = queue::Bind {
                    queue: self.queue(number % self.queues.len()).unwrap_or_default(),
                    exchange: &self.exchange,
                    routing_key: &key,
                    no_wait: true,
                    arguments: arguments.as_table(),
                };
                pipeline(connection, bind)?;
            }
        }
        self.synchronise(connection)
    }

    /// How many messages wait in the queues, which must exist.
    pub(super) fn ready(&self, connection: &mut Connection) -> Result<u64, Failure> {
        let mut ready = 0;
        for queue in self.queues() {
            let declare = queue::Declare { queue, passive: true, ..queue::Declare::default() };
            ready += connection.call(declare, |method| match method {
                Method::Queue(queue::Method::DeclareOk(answer)) => Some(u64::from(answer.message_count)),
                _ => None,
            })?;
        }
        Ok(ready)
    }

    /// Waits until the broker has done everything that this connection asked for before.
    pub(super) fn synchronise(&self, connection: &mut Connection) -> Result<(), Failure> {
        let queue = self.queues().last().unwrap_or_default();
        let declare = queue::Declare { queue, passive: true, ..queue::Declare::default() };
        connection.call(declare, |method| {
            matches!(method, Method::Queue(queue::Method::DeclareOk(_))).then_some(())
        })
    }

    /// Deletes all of it; what does not exist any more is no error to a broker.
    pub(super) fn delete(&self, connection: &mut Connection) -> Result<(), Failure> {
        for queue in self.queues() {
            connection.call(queue::Delete { queue, ..queue::Delete::default() }, |method| {
                matches!(method, Method::Queue(queue::Method::DeleteOk(_))).then_some(())
            })?;
        }
        if self.kind != ExchangeKind::Default {
            let delete = exchange::Delete { exchange: &self.exchange, ..exchange::Delete::default() };
            connection.call(delete, |method| {
                matches!(method, Method::Exchange(exchange::Method::DeleteOk(_))).then_some(())
            })?;
        }
        Ok(())
    }

    fn queue(&self, number: usize) -> Option<&str> {
        self.queues.get(number).map(String::as_str)
    }
}

/// `leveret-bench-` with the process' number and a random one.
pub(super) fn unique_prefix() -> Result<String, Failure> {
    let mut random = [0; 4];
    getrandom::fill(&mut random).map_err(|why| Failure::during("no random numbers", why))?;
    Ok(format!("leveret-bench-{}-{:08x}", std::process::id(), u32::from_be_bytes(random)))
}

/// Sends a method that has no answer, together with others.
fn pipeline<'m>(connection: &mut Connection, method: impl Into<Method<'m>>) -> Result<(), Failure> {
    connection.send(super::connection::CHANNEL, method);
    if connection.unsent() > PIPELINE_BYTES { connection.flush() } else { Ok(()) }
}

/// Deals `things` out to `takers`: those of taker `number`. With more takers than things, things are shared.
fn dealt(things: usize, number: usize, takers: usize) -> impl Iterator<Item = usize> {
    let first = if takers <= things { number } else { number % things.max(1) };
    (first..things).step_by(takers.max(1))
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_queue_has_a_taker_and_every_taker_a_queue() {
        for (things, takers) in [(1, 1), (1, 10), (4, 4), (10, 3), (3, 10), (100, 4)] {
            let shares: Vec<Vec<usize>> =
                (0..takers).map(|number| dealt(things, number, takers).collect()).collect();
            assert!(shares.iter().all(|share| !share.is_empty()), "{things} {takers}");
            let mut taken: Vec<usize> = shares.concat();
            assert_eq!(taken.len(), things.max(takers), "{things} {takers}");
            taken.sort_unstable();
            taken.dedup();
            assert_eq!(taken, (0..things).collect::<Vec<_>>(), "{things} {takers}");
        }
    }
}
