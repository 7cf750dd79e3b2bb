//! What a broker finds that starts after a loss of power: all that was confirmed, and of a commit all or nothing.

use std::sync::Arc;

use leveret_protocol::method::{basic, confirm, queue, tx};

use super::client::{Client, Kept, run, settle_down};
use crate::config::Durability;
use crate::queue::Queue;

/// How many of the many ways in which the power may go are tried.
const WAYS: u64 = 16;

/// A queue with these messages, which are on the disk, and a channel 1 in confirm mode beside 2.
async fn with_messages(kept: &Kept, messages: &[&str]) -> (Client, Arc<Queue>) {
    let queue = kept.journalled_queue("q");
    let mut client = kept.connect();
    client.open(2).await;
    client.add(1, confirm::Select::default()).send().await;
    client.expect(&["1: confirm.select-ok"]).await;
    for message in messages {
        publish(&mut client, "q", message).await;
    }
    (client, queue)
}

/// Publishes and waits for the confirm. What was written before is on the disk as well then.
async fn publish(client: &mut Client, queue: &'static str, body: &str) {
    client.add_message(1, queue, body.as_bytes()).send().await;
    let said = client.next().await;
    assert!(said.starts_with("1: basic.ack "), "{said}");
}

#[test]
fn whatever_becomes_of_a_message_is_found_after_a_loss_of_power() {
    let ack = basic::Ack { delivery_tag: 1, multiple: false };
    let get = basic::Get { queue: "q", no_ack: false };
    let drop_it = basic::Reject { delivery_tag: 1, requeue: false };
    let requeue = basic::Reject { delivery_tag: 1, requeue: true };
    let steps: [(&str, Vec<leveret_protocol::method::Method<'static>>, &[&str]); 7] = [
        ("ack", vec![get.into(), ack.into()], &["b"]),
        ("reject", vec![get.into(), drop_it.into()], &["b"]),
        ("requeue", vec![get.into(), requeue.into()], &["a", "b"]),
        ("nothing", vec![get.into()], &["a", "b"]),
        ("get without acknowledgement", vec![basic::Get { queue: "q", no_ack: true }.into()], &["b"]),
        ("purge", vec![queue::Purge { queue: "q", no_wait: true }.into()], &[]),
        (
            "consume without acknowledgement",
            vec![
                basic::Consume { queue: "q", no_ack: true, no_wait: true, ..basic::Consume::default() }
                    .into(),
                // So that what was in the queue is sent before the confirm of what is published next.
                basic::Qos::default().into(),
            ],
            &[],
        ),
    ];
    for (what, methods, left) in steps {
        run(async move {
            let kept = Kept::new(Durability::Fsync);
            kept.journalled_queue("other");
            let (mut client, queue) = with_messages(&kept, &["a", "b"]).await;
            for method in methods {
                client.add(2, method);
            }
            client.send().await;
            settle_down().await;
            client.add_message(1, "other", b"c").send().await;
            while !client.next().await.starts_with("1: basic.ack ") {}
            for seed in 0..WAYS {
                assert_eq!(kept.after_power_loss(&queue, seed), left, "{what}, {seed}");
            }
        });
    }
}

#[test]
fn of_a_commit_all_is_found_or_nothing_and_all_once_it_was_answered() {
    run(async {
        let kept = Kept::new(Durability::Fsync);
        let other = kept.journalled_queue("other");
        let (mut client, queue) = with_messages(&kept, &["old"]).await;
        client.add(2, tx::Select {}).add(2, basic::Get { queue: "q", no_ack: false }).send().await;
        client.expect(&["2: tx.select-ok", "2: basic.get-ok 1", "2: old"]).await;
        kept.gate.hold();
        let body = "x".repeat(3000);
        client
            .add_message(2, "q", body.as_bytes())
            .add_message(2, "other", body.as_bytes())
            .add(2, basic::Ack { delivery_tag: 1, multiple: false })
            .add(2, tx::Commit {})
            .send()
            .await;
        client.round_trip(1).await;
        kept.gate.wait_for_a_sync();
        let before = (vec!["old".to_owned()], Vec::new());
        let after = (vec![body.clone()], vec![body]);
        let found = |seed| (kept.after_power_loss(&queue, seed), kept.after_power_loss(&other, seed));
        let found_before: Vec<_> = (0..WAYS).map(found).collect();
        assert!(found_before.iter().all(|found| *found == before || *found == after), "{found_before:?}");
        kept.gate.open();
        client.expect(&["2: tx.commit-ok"]).await;
        for seed in 0..WAYS {
            assert_eq!(found(seed), after, "{seed}");
        }
    });
}

#[test]
fn a_commit_of_nothing_but_settlements_is_on_the_disk_when_it_is_answered() {
    run(async {
        let kept = Kept::new(Durability::Fsync);
        let (mut client, queue) = with_messages(&kept, &["a"]).await;
        client
            .add(2, tx::Select {})
            .add(2, basic::Get { queue: "q", no_ack: false })
            .add(2, basic::Ack { delivery_tag: 1, multiple: false })
            .add(2, tx::Commit {})
            .send()
            .await;
        client.expect(&["2: tx.select-ok", "2: basic.get-ok 1", "2: a", "2: tx.commit-ok"]).await;
        for seed in 0..WAYS {
            assert_eq!(kept.after_power_loss(&queue, seed), [""; 0], "{seed}");
        }
    });
}
