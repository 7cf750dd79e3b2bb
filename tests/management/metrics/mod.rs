//! Metrics as Prometheus reads them.

#![allow(clippy::float_cmp, reason = "what is counted is told exactly")]

mod answers;
mod exposition;
mod names;
mod numbers;

use crate::desk::Desk;
use crate::http::{Answer, Request};
use crate::support::{Broker, Properties, Raw, Table, method};
use exposition::Exposition;

fn ask(desk: &Desk, path: &str) -> Answer {
    Request::new("GET", path).send(desk.broker().metrics_addresses()[0])
}

/// What is told there.
#[track_caller]
fn scrape(desk: &Desk, path: &str) -> Exposition {
    let answer = ask(desk, path);
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4"), "{path}");
    Exposition::read(&answer.body)
}

/// A client that has published, got and consumed, and goes on to be there:
/// - channel 1 declared `q` and `a "b"\`; published 3 messages to `q`, of them one of 150 bytes, and two to the exchange
///   `amq.topic`, of which one went to `q` and one nowhere;
/// - channel 2 confirms: one message to `q`; it got two and acknowledged one of them, got one more without that, and once
///   nothing from the other queue;
/// - channel 3 consumes from `q` with a prefetch of 1: it has one of the two that were left.
fn busy(desk: &Desk) -> Raw {
    let mut raw = Raw::connect(&Broker::at(desk.broker().addresses()[0]));
    for channel in 1..=3 {
        raw.open_channel(channel);
    }
    raw.declare(1, "q", 0b00010, &Table::default());
    raw.declare(1, "a \"b\"\\", 0, &Table::default());
    raw.send(1, method::queue_bind("q", "amq.topic", "a.*", &Table::default()));
    raw.expect(1, method::QUEUE_BIND_OK);
    for (exchange, key, size) in
        [("", "q", 10), ("", "q", 10), ("", "q", 150), ("amq.topic", "a.b", 10), ("amq.topic", "x", 10)]
    {
        raw.publish(1, exchange, key, &Properties::new(), &vec![b'x'; size]);
    }
    raw.message_count(1, "q");
    raw.send(2, method::confirm_select());
    raw.expect(2, method::CONFIRM_SELECT_OK);
    raw.publish(2, "", "q", &Properties::new(), b"0123456789");
    raw.expect(2, method::BASIC_ACK);
    for _ in 0..2 {
        raw.send(2, method::basic_get("q", false));
        raw.expect(2, method::BASIC_GET_OK);
        // Its header and its body.
        raw.recv();
        raw.recv();
    }
    raw.send(2, method::basic_ack(1, false));
    raw.get(2, "q").unwrap();
    assert!(raw.get(2, "a \"b\"\\").is_none());
    raw.send(3, method::basic_qos(1));
    raw.expect(3, method::BASIC_QOS_OK);
    raw.send(3, method::basic_consume("q", "tag", 0, &Table::default()));
    raw.expect(3, method::BASIC_CONSUME_OK);
    raw.expect_deliver(3);
    // All of it has been done, and counted, when this is answered.
    raw.message_count(3, "q");
    raw
}
