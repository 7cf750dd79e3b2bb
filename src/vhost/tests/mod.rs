//! What a virtual host keeps of what has gone.

mod history;
mod kept;
mod moving;
mod policies;
mod resting;
mod scheduled;

use leveret_protocol::table::Table;

use super::topology::{BindingEnds, Destination};
use super::*;
use crate::exchange::ExchangeType;
use crate::name::{ConnectionId, ExchangeName, QueueName};
use crate::queue::options::QueueOptions;

const MINE: ConnectionId = ConnectionId(1);

fn ends<'a>(source: &'a str, binding_key: &'a str) -> BindingEnds<'a> {
    BindingEnds { source, destination: Destination::Queue("q", MINE), binding_key, arguments: Table::EMPTY }
}

#[test]
fn a_queue_does_not_remember_the_exchanges_that_led_to_it_once() {
    let vhost = Vhost::new(VhostName::from("/"));
    vhost.queue_declare(Some(QueueName::from("q")), &QueueOptions::default(), MINE).unwrap();
    for delete in [true, false] {
        for auto_delete in [true, false] {
            let options = ExchangeOptions { auto_delete, ..ExchangeOptions::durable(ExchangeType::Direct) };
            vhost.exchange_declare(&ExchangeName::from("e"), options).unwrap();
            for key in ["a", "b"] {
                vhost.bind(&ends("e", key)).unwrap();
            }
            assert_eq!(vhost.remembered_sources(), 1);
            if delete {
                vhost.exchange_delete("e", false).unwrap();
            } else {
                vhost.unbind(&ends("e", "a")).unwrap();
                assert_eq!(vhost.remembered_sources(), 1, "one binding is left");
                vhost.unbind(&ends("e", "b")).unwrap();
            }
            assert_eq!(vhost.remembered_sources(), 0, "delete: {delete}, auto-delete: {auto_delete}");
            vhost.exchange_delete("e", false).unwrap();
        }
    }
}
