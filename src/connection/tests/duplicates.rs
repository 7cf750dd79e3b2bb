//! Duplicates are confirmed when their originals are as safe as their own confirms would say.

use leveret_protocol::method::{confirm, exchange, queue, tx};
use leveret_protocol::table::TableBuilder;

use super::client::{Kept, run};
use crate::config::Durability;

/// To a queue that takes messages once, and by an exchange that does to one that does not.
const WAYS: [[&str; 2]; 2] = [["", "once"], ["once", "any"]];

async fn with_both(kept: &Kept) {
    let mut client = kept.connect();
    client.open(1).await;
    let once = TableBuilder::new().bool("x-message-deduplication", true).int("x-cache-size", 5).finish();
    let once: &'static _ = Box::leak(Box::new(once));
    let arguments = once.as_table();
    client
        .add(1, queue::Declare { queue: "once", durable: true, arguments, ..queue::Declare::default() })
        .add(1, queue::Declare { queue: "bound", durable: true, ..queue::Declare::default() })
        .add(
            1,
            exchange::Declare {
                exchange: "once",
                type_: "x-message-deduplication",
                durable: true,
                arguments,
                ..exchange::Declare::default()
            },
        )
        .add(1, queue::Bind { queue: "bound", exchange: "once", ..queue::Bind::default() })
        .send()
        .await;
    client
        .expect(&[
            "1: queue.declare-ok",
            "1: queue.declare-ok",
            "1: Exchange(DeclareOk(DeclareOk))",
            "1: Queue(BindOk(BindOk))",
        ])
        .await;
}

#[test]
fn a_duplicate_without_a_record_waits_for_the_sync_of_its_original() {
    for way in WAYS {
        run(async {
            let kept = Kept::new(Durability::Fsync);
            with_both(&kept).await;
            let (mut first, mut second) = (kept.connect(), kept.connect());
            first.open(2).await;
            second.open(2).await;
            for client in [&mut first, &mut second] {
                client.add(1, confirm::Select::default()).send().await;
                client.expect(&["1: confirm.select-ok"]).await;
            }
            kept.gate.hold();
            first.add_once(1, way, true, "a").send().await;
            first.round_trip(2).await;
            kept.gate.wait_for_a_sync();
            second.add_once(1, way, false, "a").send().await;
            second.round_trip(2).await;
            kept.gate.let_one_through();
            first.expect(&["1: basic.ack 1 false"]).await;
            second.expect(&["1: basic.ack 1 false"]).await;
            // By now there is nothing to wait for.
            second.add_once(1, way, false, "a").send().await;
            second.expect(&["1: basic.ack 2 false"]).await;
        });
    }
}

#[test]
fn what_stands_before_a_duplicate_does_not_wait_for_it() {
    for way in WAYS {
        run(async {
            let kept = Kept::new(Durability::Fsync);
            with_both(&kept).await;
            let mut client = kept.connect();
            client.open(2).await;
            client.add(1, confirm::Select::default()).add(2, confirm::Select::default()).send().await;
            client.expect(&["1: confirm.select-ok", "2: confirm.select-ok"]).await;
            kept.gate.hold();
            // Original and duplicate come with one read.
            client
                .add_once(1, way, true, "a")
                .add_once(2, way, false, "b")
                .add_once(2, way, false, "a")
                .add_once(2, way, false, "c")
                .send()
                .await;
            client.expect(&["2: basic.ack 1 false"]).await;
            client.round_trip(2).await;
            kept.gate.open();
            client.expect(&["2: basic.ack 3 true", "1: basic.ack 1 false"]).await;
        });
    }
}

#[test]
fn a_commit_of_nothing_but_a_duplicate_waits_for_its_original() {
    for way in WAYS {
        run(async {
            let kept = Kept::new(Durability::Fsync);
            with_both(&kept).await;
            let (mut first, mut second) = (kept.connect(), kept.connect());
            first.open(2).await;
            second.open(2).await;
            second.add(1, tx::Select {}).send().await;
            second.expect(&["1: tx.select-ok"]).await;
            kept.gate.hold();
            first.add_once(1, way, true, "a").send().await;
            first.round_trip(2).await;
            kept.gate.wait_for_a_sync();
            second.add_once(1, way, false, "a").add(1, tx::Commit {}).send().await;
            second.round_trip(2).await;
            kept.gate.let_one_through();
            second.expect(&["1: tx.commit-ok"]).await;
        });
    }
}
