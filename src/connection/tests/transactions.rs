//! What a commit does is on the disk as a whole or not at all, also where the messages go that it rejects.

use leveret_protocol::method::{basic, queue, tx};
use leveret_protocol::table::TableBuilder;

use super::client::{Kept, run};
use crate::config::Durability;

#[test]
fn a_commit_and_the_dead_letters_of_what_it_rejects_outlive_a_loss_of_power_together() {
    run(async {
        let kept = Kept::new(Durability::Fsync);
        let (other, letters) = (kept.journalled_queue("other"), kept.journalled_queue("letters"));
        let mut client = kept.connect();
        client.open(2).await;
        let dead_letters = TableBuilder::new()
            .string("x-dead-letter-exchange", "")
            .string("x-dead-letter-routing-key", "letters")
            .finish();
        let dead_letters: &'static _ = Box::leak(Box::new(dead_letters));
        let arguments = dead_letters.as_table();
        client
            .add(1, queue::Declare { queue: "source", durable: true, arguments, ..queue::Declare::default() })
            .add(1, tx::Select {})
            .add_message(1, "source", b"rejected")
            .add(1, tx::Commit {})
            .add(1, basic::Get { queue: "source", no_ack: false })
            .send()
            .await;
        let done = ["1: queue.declare-ok", "1: tx.select-ok", "1: tx.commit-ok"];
        client.expect(&done).await;
        let got = client.next().await;
        assert!(got.contains("GetOk") || got.contains("get-ok"), "{got}");
        client.expect(&["1: rejected"]).await;
        let source = kept.vhost.queues().get("source").unwrap();
        kept.gate.hold();
        client
            .add_message(1, "other", b"published")
            .add(1, basic::Reject { delivery_tag: 1, requeue: false })
            .add(1, tx::Commit {})
            .send()
            .await;
        client.round_trip(2).await;
        kept.gate.wait_for_a_sync();
        for seed in 0..40 {
            let [source, letters, other] =
                [&source, &letters, &other].map(|queue| kept.after_power_loss(queue, seed).len());
            assert!(
                [[1, 0, 0], [0, 1, 1]].contains(&[source, letters, other]),
                "seed {seed}: {source} in its queue, {letters} dead, {other} published"
            );
        }
        kept.gate.open();
        client.expect(&["1: tx.commit-ok"]).await;
        assert_eq!(letters.status().unwrap().ready, 1);
    });
}
