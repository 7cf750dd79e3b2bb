//! AMQP over TLS is AMQP.

use crate::authority::Authority;
use crate::client::trusting;
use crate::house::House;
use crate::support::method::{self, basic_consume, queue_declare};
use crate::support::{Properties, Raw, Table};
use crate::tunnel::Tunnel;

#[test]
fn messages_of_all_sizes_arrive_as_they_were_sent() {
    let authority = Authority::new("A");
    let house = House::new(&authority, &[]);
    let tunnel = Tunnel::to(house.tls, &trusting(&authority, None));
    let mut raw = Raw::connect(&tunnel.broker);
    raw.open_channel(1);
    raw.send(1, queue_declare("q", 0, &Table::new()));
    raw.expect(1, method::QUEUE_DECLARE_OK);
    let bodies: Vec<Vec<u8>> = [0, 1, 100, 16_383, 16_384, 16_385, 131_072, 1_000_000, 4_000_000]
        .into_iter()
        .map(|size| (0..size).map(|at: u32| u8::try_from(at % 251).unwrap()).collect())
        .collect();
    for body in &bodies {
        raw.publish(1, "", "q", &Properties::new(), body);
    }
    raw.send(1, basic_consume("q", "c", method::CONSUME_NO_ACK, &Table::new()));
    raw.expect(1, method::BASIC_CONSUME_OK);
    for body in &bodies {
        let message = raw.expect_deliver(1);
        assert!(message.body == *body, "{} bytes, not {}", message.body.len(), body.len());
    }
}

#[test]
fn a_client_that_reads_late_gets_all_of_it() {
    let authority = Authority::new("A");
    let house = House::new(&authority, &[]);
    let tunnel = Tunnel::to(house.tls, &trusting(&authority, None));
    let mut raw = Raw::connect(&tunnel.broker);
    raw.open_channel(1);
    raw.send(1, queue_declare("q", 0, &Table::new()));
    raw.expect(1, method::QUEUE_DECLARE_OK);
    let (count, body) = (400, vec![7; 50_000]);
    let mut other = Raw::connect(&house.broker);
    other.open_channel(1);
    raw.send(1, basic_consume("q", "c", method::CONSUME_NO_ACK, &Table::new()));
    raw.expect(1, method::BASIC_CONSUME_OK);
    // More than sockets hold, while nobody reads.
    for _ in 0..count {
        other.publish(1, "", "q", &Properties::new(), &body);
    }
    for _ in 0..count {
        assert_eq!(raw.expect_deliver(1).body, body);
    }
    raw.send(0, method::close(method::CONNECTION_CLOSE));
    raw.expect(0, method::CONNECTION_CLOSE_OK);
}
