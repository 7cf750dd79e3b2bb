//! Exclusive queues: one connection's own, and gone with it.

use crate::peer::Peer;
use crate::support::Broker;

fn locked(queue: &str) -> String {
    format!(
        "cannot obtain exclusive access to locked queue '{queue}' in vhost '/'. It could be originally declared on another connection or \
         the exclusive property value does not match that of the original declaration."
    )
}

#[test]
fn b52_an_exclusive_queue_is_locked_for_other_connections() {
    let broker = Broker::start();
    let mut owner = Peer::connect(&broker);
    let mut other = Peer::connect(&broker);
    owner.talk(
        "> queue.declare queue=mine exclusive
         < queue.declare-ok queue=mine
         > queue.bind queue=mine exchange=amq.direct routing-key=owned
         < queue.bind-ok
         > basic.publish exchange=amq.direct routing-key=owned mandatory | | 1",
    );
    for request in [
        "queue.declare queue=mine",
        "queue.declare queue=mine exclusive",
        "queue.declare queue=mine durable",
        "queue.declare queue=mine no-wait",
        "queue.declare queue=mine passive",
        "queue.declare queue=mine passive no-wait",
        "basic.consume queue=mine",
        "basic.consume queue=mine no-ack exclusive",
        "basic.consume queue=mine no-wait",
        "basic.get queue=mine",
        "basic.get queue=mine no-ack",
        "queue.bind queue=mine exchange=amq.direct routing-key=k",
        "queue.bind queue=mine exchange=amq.direct routing-key=k no-wait",
        "queue.unbind queue=mine exchange=amq.direct routing-key=owned",
        "queue.purge queue=mine",
        "queue.purge queue=mine no-wait",
        "queue.delete queue=mine",
        "queue.delete queue=mine if-unused",
        "queue.delete queue=mine if-unused if-empty no-wait",
    ] {
        other.refused(request, 405, &locked("mine"));
    }
    owner.talk(
        "> queue.declare queue=mine passive
         < queue.declare-ok queue=mine message-count=1
         > basic.publish exchange=amq.direct routing-key=k mandatory | | bound by no other
         < basic.return reply-code=312 reply-text=NO_ROUTE exchange=amq.direct routing-key=k | | bound by no other
         > basic.publish exchange=amq.direct routing-key=owned mandatory | | bound still
         > queue.delete queue=mine
         < queue.delete-ok message-count=2",
    );
}

#[test]
fn everyone_may_publish_to_an_exclusive_queue() {
    let broker = Broker::start();
    let mut owner = Peer::connect(&broker);
    let mut other = Peer::connect(&broker);
    owner.ok("queue.declare queue=mine exclusive");
    owner.ok("basic.consume queue=mine consumer-tag=c no-ack");
    other.send("basic.publish routing-key=mine mandatory | | from another");
    owner.expect("basic.deliver consumer-tag=c delivery-tag=1 routing-key=mine | | from another");
}

#[test]
fn every_channel_of_the_owner_may_use_its_exclusive_queue() {
    let broker = Broker::start();
    let mut owner = Peer::connect(&broker);
    owner.open(2);
    owner.talk(
        "> queue.declare queue=mine exclusive
         < queue.declare-ok queue=mine
         > 2:queue.declare queue=mine exclusive
         < 2:queue.declare-ok queue=mine
         > 2:queue.bind queue=mine exchange=amq.direct routing-key=k
         < 2:queue.bind-ok
         > 2:basic.get queue=mine
         < 2:basic.get-empty
         > channel.close reply-code=200
         < channel.close-ok
         > 2:queue.purge queue=mine
         < 2:queue.purge-ok",
    );
}

#[test]
fn the_owner_cannot_redeclare_it_as_a_shared_queue() {
    let broker = Broker::start();
    let mut owner = Peer::connect(&broker);
    owner.ok("queue.declare queue=mine exclusive");
    owner.refused("queue.declare queue=mine", 405, &locked("mine"));
    owner.ok("queue.declare queue=shared");
    owner.refused("queue.declare queue=shared exclusive", 405, &locked("shared"));
}

#[test]
fn a_difference_in_durable_is_ignored_on_an_exclusive_queue() {
    let broker = Broker::start();
    let mut owner = Peer::connect(&broker);
    owner.ok("queue.declare queue=mine exclusive durable");
    owner.ok("queue.declare queue=mine exclusive");
    owner.ok("queue.declare queue=mine exclusive durable");
    owner.refused(
        "queue.declare queue=mine exclusive auto-delete",
        406,
        "inequivalent arg 'auto_delete' for queue 'mine' in vhost '/': received 'true' but current is 'false'",
    );
}

#[test]
fn an_exclusive_queue_is_gone_before_close_ok() {
    let broker = Broker::start();
    let mut other = Peer::connect(&broker);
    for _ in 0..50 {
        let mut owner = Peer::connect(&broker);
        owner.ok("queue.declare queue=mine exclusive");
        owner.ok("queue.bind queue=mine exchange=amq.fanout");
        owner.close();
        other.refused("queue.declare queue=mine passive", 404, "no queue 'mine' in vhost '/'");
    }
    other.talk(
        "> basic.publish exchange=amq.fanout mandatory | | x
         < basic.return reply-code=312 reply-text=NO_ROUTE exchange=amq.fanout | | x
         > queue.declare queue=mine
         < queue.declare-ok queue=mine",
    );
}

#[test]
fn an_exclusive_queue_goes_when_its_connection_is_lost() {
    let broker = Broker::start();
    let mut owner = Peer::connect(&broker);
    owner.ok("queue.declare queue=mine exclusive");
    owner.ok("queue.bind queue=mine exchange=amq.fanout");
    drop(owner);
    Peer::connect(&broker).await_unroutable("exchange=amq.fanout");
}

#[test]
fn an_exclusive_queue_goes_when_a_connection_exception_closes_its_connection() {
    let broker = Broker::start();
    let mut owner = Peer::connect(&broker);
    owner.ok("queue.declare queue=mine exclusive");
    owner.disconnected("basic.qos prefetch-size=1", 540, "prefetch_size!=0 (1)");
    let mut other = Peer::connect(&broker);
    other.refused("queue.declare queue=mine passive", 404, "no queue 'mine' in vhost '/'");
}

#[test]
fn an_exclusive_auto_delete_queue_goes_with_its_last_consumer() {
    let broker = Broker::start();
    let mut owner = Peer::connect(&broker);
    owner.ok("queue.declare queue=mine exclusive auto-delete");
    owner.ok("basic.consume queue=mine consumer-tag=c");
    owner.ok("basic.cancel consumer-tag=c");
    owner.refused("queue.declare queue=mine passive", 404, "no queue 'mine' in vhost '/'");
}
