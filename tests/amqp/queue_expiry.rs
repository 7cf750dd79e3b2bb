//! `x-expires`: a queue that nobody uses goes by itself.

use std::time::{Duration, Instant};

use crate::peer::Peer;
use crate::support::{Broker, assert_waited};

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

/// Waits until the queue has gone.
fn await_end(peer: &mut Peer, queue: &str) {
    let start = Instant::now();
    while exists(peer, queue) {
        assert!(start.elapsed() < DEADLINE, "{queue} is still there");
        std::thread::yield_now();
    }
}

#[test]
fn a_queue_that_nobody_uses_goes_with_its_messages_and_its_bindings() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("confirm.select");
    for durable in ["", "durable"] {
        // At once, since it goes soon.
        let declare = format!("queue.declare queue=q {durable} arguments={{x-expires:500}}");
        peer.send_all(&[declare.as_str(), "queue.bind queue=q exchange=amq.direct routing-key=k"]);
        peer.await_method("queue.declare-ok");
        peer.await_method("queue.bind-ok");
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
    let declare = |queue: usize| format!("queue.declare queue=q{queue} arguments={{x-expires:8000}}");
    for queue in 0..4 {
        peer.ok(&declare(queue));
    }
    peer.ok("basic.consume queue=q3 consumer-tag=c no-ack");
    // Each of them for longer than its queue would live without.
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(10) {
        let keeps =
            [declare(0), "queue.declare queue=q1 passive".to_owned(), "basic.get queue=q2".to_owned()];
        for keeps in keeps {
            peer.send(&keeps);
            let found = peer.next();
            assert!(["queue.declare-ok", "basic.get-empty"].contains(&found.method.name), "{keeps}: {found}");
        }
    }
    let start = Instant::now();
    peer.ok("basic.cancel consumer-tag=c");
    await_end(&mut peer, "q3");
    assert_waited(start, 8000, "a consumer that goes leaves the whole time: its end");
    for queue in ["q0", "q1", "q2"] {
        await_end(&mut peer, queue);
    }
}
