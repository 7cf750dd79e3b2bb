//! The queues, exchanges and bindings that a crash test keeps from its first start to its end.

use crate::client::{Client, Gone};
use crate::publication::{Queue, colour};
use crate::support::{Payload, Table, method};

const EXCHANGES: [(&str, &str); 3] = [("fan", "fanout"), ("topics", "topic"), ("heads", "headers")];

const BINDINGS: [(Queue, &str, &str); 7] = [
    (Queue::Ack, "fan", ""),
    (Queue::Idle, "fan", "ignored"),
    (Queue::Tx, "fan", ""),
    (Queue::Tx, "topics", "a.*.c"),
    (Queue::Requeue, "topics", "#.c"),
    (Queue::Idle, "topics", "x.#"),
    (Queue::Get, "heads", ""),
];

fn declares() -> impl Iterator<Item = Payload> {
    let none = Table::new();
    let queues = Queue::ALL.map(|queue| method::queue_declare(queue.name(), method::DURABLE, &none));
    let exchanges =
        EXCHANGES.map(|(name, kind)| method::exchange_declare(name, kind, method::DURABLE, &Table::new()));
    queues.into_iter().chain(exchanges)
}

/// Makes all of it, on a broker that has nothing.
pub(crate) fn declare(client: &mut Client) -> Result<(), Gone> {
    for declare in declares() {
        client.call(1, declare)?;
    }
    for (queue, exchange, key) in BINDINGS {
        let arguments = if exchange == "heads" { colour() } else { Table::new() };
        client.call(1, method::queue_bind(queue.name(), exchange, key, &arguments))?;
    }
    Ok(())
}

/// Sees that the queues and exchanges are there, and are what they were declared as. Of the bindings tell the messages.
pub(crate) fn check(client: &mut Client) -> Result<(), Gone> {
    for queue in Queue::ALL {
        let passive = method::queue_declare(queue.name(), method::PASSIVE, &Table::new());
        assert!(client.exists(1, passive)?, "the queue {queue:?} is lost");
    }
    for (exchange, kind) in EXCHANGES {
        let passive = method::exchange_declare(exchange, kind, method::PASSIVE, &Table::new());
        assert!(client.exists(1, passive)?, "the exchange {exchange} is lost");
    }
    // The same again is refused if any option is another one.
    for declare in declares() {
        client.call(1, declare)?;
    }
    Ok(())
}
