//! `x-expires`: a queue that nobody uses goes by itself.

use std::time::{Duration, Instant};

use crate::peer::Peer;
use crate::support::Broker;

const DEADLINE: Duration = Duration::from_mins(1);

/// Whether there is a queue of that name, asked in a way that does not count as using it.
fn exists(peer: &mut Peer, queue: &str) -> bool {
    peer.send(&format!("basic.publish routing-key={queue} mandatory | | x"));
    let found = peer.next();
    if found.method.name == "basic.return" {
        peer.await_method("basic.ack");
        return false;
    }
    assert_eq!(found.method.name, "basic.ack", "{found}");
    true
}

/// Waits until the queue has gone, and gives how long that took.
fn await_end(peer: &mut Peer, queue: &str) -> Duration {
    let start = Instant::now();
    while exists(peer, queue) {
        assert!(start.elapsed() < DEADLINE, "{queue} is still there");
        std::thread::yield_now();
    }
    start.elapsed()
}

#[test]
fn a_queue_that_nobody_uses_goes_with_its_messages_and_its_bindings() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("confirm.select");
    for durable in ["", "durable"] {
        peer.ok(&format!("queue.declare queue=q {durable} arguments={{x-expires:100}}"));
        peer.ok("queue.bind queue=q exchange=amq.direct routing-key=k");
        await_end(&mut peer, "q");
        peer.refused("queue.declare queue=q passive", 404, "no queue 'q' in vhost '/'");
        peer.ok("confirm.select");
        peer.send("basic.publish exchange=amq.direct routing-key=k mandatory | | x");
        peer.await_method("basic.return");
        peer.await_method("basic.ack");
        let again = peer.ok(&format!("queue.declare queue=q {durable}"));
        assert_eq!(again.number("message-count"), 0, "it is another queue");
        peer.ok("queue.delete queue=q");
    }
}

#[test]
fn a_declare_a_passive_one_and_a_get_renew_it_and_consumers_suspend_it() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("confirm.select");
    let declare = "queue.declare queue=q arguments={x-expires:700}";
    let start = Instant::now();
    peer.ok(declare);
    // Each of them for longer than the queue would live without.
    for keeps in [declare, "queue.declare queue=q passive", "basic.get queue=q"] {
        let until = start.elapsed() + Duration::from_secs(1);
        while start.elapsed() < until {
            peer.send(keeps);
            let found = peer.next();
            assert!(["queue.declare-ok", "basic.get-empty"].contains(&found.method.name), "{keeps}: {found}");
        }
    }
    peer.ok("queue.declare queue=other");
    peer.ok("basic.consume queue=q consumer-tag=c no-ack");
    let consumed = Instant::now();
    while consumed.elapsed() < Duration::from_secs(1) {
        peer.ok("queue.declare queue=other passive");
    }
    peer.ok("basic.cancel consumer-tag=c");
    let took = await_end(&mut peer, "q");
    assert!(took >= Duration::from_millis(600), "a consumer that goes leaves the whole time: {took:?}");
}
