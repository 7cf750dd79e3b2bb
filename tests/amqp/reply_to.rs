//! Direct reply-to: the pseudo-queue amq.rabbitmq.reply-to.

use crate::peer::Peer;
use crate::support::Broker;

const PSEUDO_QUEUE: &str = "amq.rabbitmq.reply-to";

/// A requester that consumes replies as `c`, and a worker that has its request: the generated name is returned.
fn requester_and_worker(broker: &Broker) -> (Peer, Peer, String) {
    let mut requester = Peer::connect(broker);
    let mut worker = Peer::connect(broker);
    worker.ok("queue.declare queue=rpc exclusive");
    worker.ok("basic.consume queue=rpc consumer-tag=w no-ack");
    requester.ok(&format!("basic.consume queue={PSEUDO_QUEUE} consumer-tag=c no-ack"));
    requester
        .send(&format!("basic.publish routing-key=rpc | correlation-id=1 reply-to={PSEUDO_QUEUE} | request"));
    let request = worker.await_method("basic.deliver");
    assert_eq!((request.text().as_str(), request.get("correlation-id")), ("request", "1"));
    let name = request.get("reply-to").to_owned();
    assert!(name.starts_with("amq.rabbitmq.reply-to."), "{name}");
    (requester, worker, name)
}

#[test]
fn a_reply_goes_straight_to_the_requester() {
    let broker = Broker::start();
    let (mut requester, mut worker, name) = requester_and_worker(&broker);
    for n in 1..=3 {
        worker.send(&format!("basic.publish routing-key={name} mandatory | correlation-id=1 | reply {n}"));
        // Nothing can be done with the tag: RabbitMQ gives every reply the same.
        requester.expect(&format!(
            "basic.deliver consumer-tag=c delivery-tag=* routing-key={name} | correlation-id=1 | reply {n}"
        ));
    }
}

#[test]
fn the_name_stays_the_same_for_the_consumer_and_is_put_in_on_any_exchange() {
    let broker = Broker::start();
    let (mut requester, mut worker, name) = requester_and_worker(&broker);
    worker.ok("queue.bind queue=rpc exchange=amq.fanout");
    requester.send(&format!("basic.publish exchange=amq.fanout | reply-to={PSEUDO_QUEUE} | again"));
    let request = worker.await_method("basic.deliver");
    assert_eq!((request.get("reply-to"), request.text().as_str()), (name.as_str(), "again"));
}

#[test]
fn the_reply_consumer_must_be_without_acks_and_alone_on_its_channel() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.open(2);
    peer.refused(&format!("basic.consume queue={PSEUDO_QUEUE}"), 406, "reply consumer cannot acknowledge");
    peer.ok(&format!("basic.consume queue={PSEUDO_QUEUE} consumer-tag=a no-ack"));
    peer.ok(&format!("2:basic.consume queue={PSEUDO_QUEUE} consumer-tag=a no-ack"));
    peer.refused(
        &format!("basic.consume queue={PSEUDO_QUEUE} consumer-tag=b no-ack"),
        406,
        "reply consumer already set",
    );
}

#[test]
fn a_request_without_a_reply_consumer_is_refused() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=rpc");
    peer.refused(
        &format!("basic.publish routing-key=rpc | reply-to={PSEUDO_QUEUE} | x"),
        406,
        "fast reply consumer does not exist",
    );
    assert_eq!(peer.counts(1, "rpc"), (0, 0));
}

#[test]
fn the_reply_consumer_can_be_cancelled_and_set_again() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    for tag in ["a", "b", "a"] {
        peer.ok(&format!("basic.consume queue={PSEUDO_QUEUE} consumer-tag={tag} no-ack"));
        peer.ok(&format!("basic.cancel consumer-tag={tag}"));
    }
    peer.send(&format!("basic.consume queue={PSEUDO_QUEUE} consumer-tag=c no-ack no-wait"));
    peer.ok("basic.cancel consumer-tag=c");
}

#[test]
fn a_declare_finds_the_pseudo_queue_and_live_generated_names() {
    let broker = Broker::start();
    let (mut requester, mut worker, name) = requester_and_worker(&broker);
    for passive in ["", "passive"] {
        worker.send(&format!("queue.declare queue={PSEUDO_QUEUE} {passive}"));
        worker.expect(&format!("queue.declare-ok queue={PSEUDO_QUEUE} consumer-count=1"));
        worker.send(&format!("queue.declare queue={name} {passive}"));
        worker.expect(&format!("queue.declare-ok queue={name} consumer-count=1"));
    }
    requester.ok("basic.cancel consumer-tag=c");
    worker.refused(
        &format!("queue.declare queue={name} passive"),
        404,
        &format!("no queue '{name}' in vhost '/'"),
    );
}

#[test]
fn a_forged_name_reaches_nobody() {
    let broker = Broker::start();
    let (mut requester, mut worker, name) = requester_and_worker(&broker);
    let mut last = name.clone();
    let flipped = if last.pop() == Some('A') { 'B' } else { 'A' };
    for forged in [
        format!("{PSEUDO_QUEUE}.forged"),
        format!("{PSEUDO_QUEUE}."),
        format!("{PSEUDO_QUEUE}.AAAA.BBBB"),
        format!("{last}{flipped}{flipped}"),
        format!("{name}x"),
        format!("{PSEUDO_QUEUE}.*"),
    ] {
        worker.refused(
            &format!("queue.declare queue={forged} passive"),
            404,
            &format!("no queue '{forged}' in vhost '/'"),
        );
        worker.send(&format!("basic.publish routing-key={forged} | | forged"));
    }
    worker.send(&format!("basic.publish routing-key={name} | | true"));
    requester.expect(&format!("basic.deliver consumer-tag=c delivery-tag=* routing-key={name} | | true"));
}

#[test]
fn a_reply_to_a_requester_that_is_gone_is_dropped() {
    let broker = Broker::start();
    let (requester, mut worker, name) = requester_and_worker(&broker);
    requester.close();
    worker.talk(&format!(
        "> confirm.select
         < confirm.select-ok
         > basic.publish routing-key={name} | | late
         < basic.ack delivery-tag=1"
    ));
    worker.refused(
        &format!("queue.declare queue={name} passive"),
        404,
        &format!("no queue '{name}' in vhost '/'"),
    );
}

#[test]
fn the_pseudo_queue_is_no_queue_to_get_from_or_to_bind() {
    let broker = Broker::start();
    let (_requester, mut worker, _name) = requester_and_worker(&broker);
    let text = format!("no queue '{PSEUDO_QUEUE}' in vhost '/'");
    worker.refused(&format!("basic.get queue={PSEUDO_QUEUE}"), 404, &text);
    worker.refused(&format!("queue.bind queue={PSEUDO_QUEUE} exchange=amq.direct"), 404, &text);
    worker.ok(&format!("queue.delete queue={PSEUDO_QUEUE}"));
}
