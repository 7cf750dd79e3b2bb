//! What waits for the disk, on a disk that waits for the test.

use leveret_protocol::method::{Method, basic, channel, confirm, connection, exchange, queue, tx};

use super::super::open::End;
use super::client::{Kept, PIPE_BYTES, run, settle_down};
use crate::config::Durability;
use crate::queue::Queue;
use crate::queue::queue::Status;
use tokio::io::AsyncWriteExt as _;

fn consume(queue: &'static str, no_ack: bool) -> basic::Consume<'static> {
    basic::Consume { queue, consumer_tag: "c", no_ack, ..basic::Consume::default() }
}

/// What a queue has ready, unacked, and of consumers.
fn holds(queue: &Queue) -> (usize, usize, usize) {
    let Status { ready, unacked, consumers, .. } = queue.status().unwrap();
    (ready, unacked, consumers)
}

#[test]
fn a_confirm_comes_after_the_sync_of_its_batch_and_not_before() {
    run(async {
        let kept = Kept::new(Durability::Fsync);
        kept.journalled_queue("q");
        let mut client = kept.connect();
        client.open(2).await;
        client.add(1, confirm::Select::default()).send().await;
        client.expect(&["1: confirm.select-ok"]).await;
        kept.gate.hold();
        client.add_message(1, "q", b"a").add_message(1, "q", b"b").send().await;
        client.round_trip(2).await;
        kept.gate.wait_for_a_sync();
        // Of the next group commit.
        client.add_message(1, "q", b"c").send().await;
        client.round_trip(2).await;
        kept.gate.let_one_through();
        client.expect(&["1: basic.ack 2 true"]).await;
        kept.gate.wait_for_a_sync();
        client.round_trip(2).await;
        kept.gate.let_one_through();
        client.expect(&["1: basic.ack 3 false"]).await;
    });
}

#[test]
fn what_needs_no_disk_is_confirmed_though_the_disk_is_held() {
    run(async {
        let kept = Kept::new(Durability::Fsync);
        kept.journalled_queue("q");
        kept.gate.hold();
        let mut client = kept.connect();
        client.open(2).await;
        client
            .add(1, queue::Declare { queue: "transient", ..queue::Declare::default() })
            .add(1, confirm::Select::default())
            .add(2, confirm::Select::default())
            .add_message(1, "transient", b"a")
            .add_message(2, "q", b"b")
            .add_message(2, "transient", b"c")
            .send()
            .await;
        client
            .expect(&[
                "1: queue.declare-ok",
                "1: confirm.select-ok",
                "2: confirm.select-ok",
                "1: basic.ack 1 false",
            ])
            .await;
        client.round_trip(1).await;
        kept.gate.open();
        client.expect(&["2: basic.ack 2 true"]).await;
    });
}

#[test]
fn a_lossy_virtual_host_confirms_what_is_written_though_the_disk_does_not_sync() {
    run(async {
        let kept = Kept::new(Durability::Os);
        kept.journalled_queue("q");
        kept.gate.hold();
        let mut client = kept.connect();
        client.open(1).await;
        client.add(1, confirm::Select::default()).add_message(1, "q", b"a").send().await;
        client.expect(&["1: confirm.select-ok", "1: basic.ack 1 false"]).await;
    });
}

#[test]
fn a_waiting_channel_keeps_its_order_while_another_one_is_served() {
    run(async {
        let kept = Kept::new(Durability::Fsync);
        kept.journalled_queue("q");
        let mut client = kept.connect();
        client.open(2).await;
        client.add(1, tx::Select {}).send().await;
        client.expect(&["1: tx.select-ok"]).await;
        kept.gate.hold();
        client
            .add_message(1, "q", b"first")
            .add(1, tx::Commit {})
            .add(1, queue::Declare { queue: "after", ..queue::Declare::default() })
            .add_message(1, "after", b"second")
            .add(1, tx::Commit {})
            .add(1, consume("after", true))
            .send()
            .await;
        client.round_trip(2).await;
        kept.gate.wait_for_a_sync();
        assert!(kept.vhost.queues().get("after").is_none(), "the channel waits");
        client.round_trip(2).await;
        kept.gate.open();
        client
            .expect(&[
                "1: tx.commit-ok",
                "1: queue.declare-ok",
                "1: tx.commit-ok",
                "1: basic.consume-ok",
                "1: basic.deliver 1",
                "1: second",
            ])
            .await;
    });
}

/// A channel 1 that waits for the disk in a connection with another channel, 2.
async fn with_a_waiting_channel(kept: &Kept) -> super::client::Client {
    kept.journalled_queue("q");
    let mut client = kept.connect();
    client.open(2).await;
    client.add(1, tx::Select {}).send().await;
    client.expect(&["1: tx.select-ok"]).await;
    kept.gate.hold();
    client.add_message(1, "q", b"first").add(1, tx::Commit {}).send().await;
    client.round_trip(2).await;
    client
}

#[test]
fn beyond_a_mebibyte_of_frames_for_waiting_channels_a_connection_is_not_read() {
    run(async {
        let kept = Kept::new(Durability::Fsync);
        let mut client = with_a_waiting_channel(&kept).await;
        let body = vec![b'x'; 100_000];
        for _ in 0..30 {
            client.add_message(1, "q", &body);
        }
        client.add(1, tx::Commit {}).add(2, basic::Qos::default());
        let bytes = client.take_added();
        let mut sent = 0;
        loop {
            let room = tokio::select! {
                biased;
                count = client.pipe.write(&bytes[sent..]) => count.unwrap(),
                () = settle_down() => break,
            };
            sent += room;
        }
        let most = (1 << 20) + 128 * 1024 + PIPE_BYTES;
        assert!(sent >= 1 << 20 && sent <= most, "{sent} bytes were taken");
        kept.gate.open();
        client.pipe.write_all(&bytes[sent..]).await.unwrap();
        let mut said = [client.next().await, client.next().await, client.next().await];
        said.sort();
        assert_eq!(said, ["1: tx.commit-ok", "1: tx.commit-ok", "2: basic.qos-ok"]);
        assert_eq!(holds(&kept.journalled_queue("q")), (31, 0, 0));
    });
}

#[test]
fn a_body_of_which_the_start_came_while_its_channel_waited_arrives_whole() {
    run(async {
        let kept = Kept::new(Durability::Fsync);
        let mut client = with_a_waiting_channel(&kept).await;
        let body: Vec<u8> = (0..=255).cycle().take(300_000).collect();
        client.add_message(1, "q", &body).add(1, tx::Commit {});
        let bytes = client.take_added();
        // In the midst of a frame of the body.
        let (start, rest) = bytes.split_at(150_000);
        client.pipe.write_all(start).await.unwrap();
        settle_down().await;
        kept.gate.open();
        client.expect(&["1: tx.commit-ok"]).await;
        settle_down().await;
        client.pipe.write_all(rest).await.unwrap();
        client.expect(&["1: tx.commit-ok"]).await;
        let queue = kept.journalled_queue("q");
        assert_eq!(holds(&queue), (2, 0, 0));
    });
}

#[test]
fn deliveries_to_a_channel_that_waits_go_on() {
    run(async {
        let kept = Kept::new(Durability::Fsync);
        kept.journalled_queue("q");
        let mut client = kept.connect();
        client.open(2).await;
        client
            .add(1, queue::Declare { queue: "transient", ..queue::Declare::default() })
            .add(1, consume("transient", false))
            .add(1, tx::Select {})
            .send()
            .await;
        client.expect(&["1: queue.declare-ok", "1: basic.consume-ok", "1: tx.select-ok"]).await;
        kept.gate.hold();
        client.add_message(1, "q", b"a").add(1, tx::Commit {}).send().await;
        client.round_trip(2).await;
        client.add_message(2, "transient", b"b").send().await;
        client.expect(&["1: basic.deliver 1", "1: b"]).await;
        kept.gate.open();
        client.expect(&["1: tx.commit-ok"]).await;
    });
}

#[test]
fn a_channel_close_waits_behind_what_was_sent_before_it() {
    run(async {
        let kept = Kept::new(Durability::Fsync);
        let mut client = with_a_waiting_channel(&kept).await;
        client
            .add_message(1, "q", b"second")
            .add(1, tx::Commit {})
            .add(1, channel::Close::default())
            .add(1, channel::Open::default())
            .add(1, basic::Qos::default())
            .send()
            .await;
        client.round_trip(2).await;
        kept.gate.open();
        client
            .expect(&[
                "1: tx.commit-ok",
                "1: tx.commit-ok",
                "1: channel.close-ok",
                "1: channel.open-ok",
                "1: basic.qos-ok",
            ])
            .await;
        assert_eq!(holds(&kept.journalled_queue("q")), (2, 0, 0));
    });
}

#[test]
fn a_channel_that_fails_in_what_it_was_sent_while_it_waited_is_closed_and_nothing_after_it_is_served() {
    run(async {
        let kept = Kept::new(Durability::Fsync);
        let mut client = with_a_waiting_channel(&kept).await;
        client
            .add(1, basic::Ack { delivery_tag: 77, multiple: false })
            .add_message(1, "q", b"second")
            .add(1, tx::Commit {})
            .send()
            .await;
        client.round_trip(2).await;
        kept.gate.open();
        client.expect(&["1: tx.commit-ok", "1: channel.close 406"]).await;
        client.add(1, channel::CloseOk {}).add(1, channel::Open::default()).send().await;
        client.expect(&["1: channel.open-ok"]).await;
        assert_eq!(holds(&kept.journalled_queue("q")), (1, 0, 0));
    });
}

#[test]
fn a_connection_that_its_client_closes_ends_behind_what_was_sent_on_waiting_channels() {
    run(async {
        let kept = Kept::new(Durability::Fsync);
        let mut client = with_a_waiting_channel(&kept).await;
        client
            .add_message(1, "q", b"second")
            .add(1, tx::Commit {})
            .add(0, connection::Close::default())
            .send()
            .await;
        settle_down().await;
        kept.gate.open();
        client.expect(&["1: tx.commit-ok"]).await;
        // Whether the second commit was on the disk before its connection ended is all the same to the client.
        while client.next().await != "0: connection.close-ok" {}
        assert!(matches!(client.ended().await, End::Client));
        assert_eq!(holds(&kept.journalled_queue("q")), (2, 0, 0));
    });
}

#[test]
fn a_client_that_is_gone_while_its_channel_waits_leaves_nothing_behind() {
    run(async {
        let kept = Kept::new(Durability::Fsync);
        let queue = kept.journalled_queue("q");
        let other = kept.journalled_queue("other");
        let mut client = kept.connect();
        client.open(2).await;
        client
            .add(1, queue::Declare { queue: "own", exclusive: true, ..queue::Declare::default() })
            .add_message(1, "q", b"held")
            .add(1, consume("q", false))
            .add(1, tx::Select {})
            .send()
            .await;
        client
            .expect(&[
                "1: queue.declare-ok",
                "1: basic.consume-ok",
                "1: tx.select-ok",
                "1: basic.deliver 1",
                "1: held",
            ])
            .await;
        kept.gate.hold();
        client
            .add_message(1, "other", b"a")
            .add(1, basic::Ack { delivery_tag: 1, multiple: false })
            .add(1, tx::Commit {})
            .add_message(1, "q", b"never served")
            .send()
            .await;
        client.round_trip(2).await;
        assert_eq!(holds(&queue), (0, 0, 1));
        let end = client.vanish().await;
        assert!(matches!(end, End::Socket(_)), "{end:?}");
        assert_eq!((holds(&queue), holds(&other)), ((0, 0, 0), (1, 0, 0)));
        assert!(kept.vhost.queues().get("own").is_none(), "its exclusive queue is gone");
    });
}

#[test]
fn a_sync_that_fails_closes_the_connection_and_nothing_is_confirmed() {
    run(async {
        let kept = Kept::new(Durability::Fsync);
        kept.journalled_queue("q");
        let mut client = kept.connect();
        client.open(3).await;
        client.add(1, confirm::Select::default()).add(2, tx::Select {}).send().await;
        client.expect(&["1: confirm.select-ok", "2: tx.select-ok"]).await;
        kept.gate.hold();
        client.add_message(1, "q", b"a").add_message(2, "q", b"b").add(2, tx::Commit {}).send().await;
        client.round_trip(3).await;
        kept.gate.wait_for_a_sync();
        kept.gate.fail();
        let said = client.next().await;
        assert!(said.starts_with("0: connection.close 541 INTERNAL_ERROR - the disk failed"), "{said}");
        let end = client.end().await;
        assert!(matches!(end, End::Server(..)), "{end:?}");

        // Those that come later are told as well.
        let mut late = kept.connect();
        late.open(1).await;
        late.add(1, confirm::Select::default()).add_message(1, "q", b"c").send().await;
        late.expect(&["1: confirm.select-ok"]).await;
        let said = late.next().await;
        assert!(said.starts_with("0: connection.close 541"), "{said}");
    });
}

/// A durable queue's declare.
fn durable(queue: &'static str) -> queue::Declare<'static> {
    queue::Declare { queue, durable: true, ..queue::Declare::default() }
}

#[test]
fn what_changes_what_is_durable_is_answered_when_it_is_on_the_disk_and_its_channel_waits_until_then() {
    let exchange = "e";
    let bind = queue::Bind { queue: "q", exchange, ..queue::Bind::default() };
    let unbind = queue::Unbind { queue: "q", exchange, ..queue::Unbind::default() };
    let bind_exchange =
        exchange::Bind { source: exchange, destination: "amq.fanout", ..exchange::Bind::default() };
    let unbind_exchange =
        exchange::Unbind { source: exchange, destination: "amq.fanout", ..exchange::Unbind::default() };
    let declare_exchange =
        exchange::Declare { exchange, type_: "direct", durable: true, ..exchange::Declare::default() };
    let delete_exchange = exchange::Delete { exchange, ..exchange::Delete::default() };
    let steps: [(Method<'static>, &str); 9] = [
        (durable("q").into(), "1: queue.declare-ok"),
        (declare_exchange.into(), "1: Exchange(DeclareOk(DeclareOk))"),
        (bind.into(), "1: Queue(BindOk(BindOk))"),
        (bind_exchange.into(), "1: Exchange(BindOk(BindOk))"),
        (unbind_exchange.into(), "1: Exchange(UnbindOk(UnbindOk))"),
        (unbind.into(), "1: Queue(UnbindOk(UnbindOk))"),
        (durable("q").into(), "1: queue.declare-ok"),
        (delete_exchange.into(), "1: Exchange(DeleteOk(DeleteOk))"),
        (
            queue::Delete { queue: "q", ..queue::Delete::default() }.into(),
            "1: Queue(DeleteOk(DeleteOk { message_count: 0 }))",
        ),
    ];
    run(async move {
        let kept = Kept::new(Durability::Fsync);
        let mut client = kept.connect();
        client.open(2).await;
        for (at, (method, answer)) in steps.into_iter().enumerate() {
            kept.gate.hold();
            client.add(1, method).add(1, basic::Qos::default()).send().await;
            // The second declare changes nothing, and what it says is on the disk already.
            if at != 6 {
                client.round_trip(2).await;
                kept.gate.wait_for_a_sync();
                client.round_trip(2).await;
                kept.gate.open();
            }
            client.expect(&[answer, "1: basic.qos-ok"]).await;
        }
    });
}

#[test]
fn a_declare_of_what_another_connection_declares_just_now_waits_with_it() {
    run(async {
        let kept = Kept::new(Durability::Fsync);
        let (mut first, mut second) = (kept.connect(), kept.connect());
        first.open(1).await;
        second.open(2).await;
        kept.gate.hold();
        first.add(1, durable("q")).send().await;
        settle_down().await;
        second.add(1, durable("q")).send().await;
        second.round_trip(2).await;
        kept.gate.open();
        first.expect(&["1: queue.declare-ok"]).await;
        second.expect(&["1: queue.declare-ok"]).await;
    });
}

#[test]
fn what_ends_with_its_connection_or_wants_no_answer_waits_for_nothing() {
    run(async {
        let kept = Kept::new(Durability::Fsync);
        kept.gate.hold();
        let mut client = kept.connect();
        client.open(1).await;
        client
            .add(1, queue::Declare { no_wait: true, ..durable("q") })
            .add(1, queue::Declare { exclusive: true, ..durable("own") })
            .add(1, queue::Declare { queue: "transient", ..queue::Declare::default() })
            .add(
                1,
                queue::Bind {
                    queue: "transient",
                    exchange: "amq.fanout",
                    no_wait: true,
                    ..queue::Bind::default()
                },
            )
            .add(1, queue::Delete { queue: "q", no_wait: true, ..queue::Delete::default() })
            .send()
            .await;
        client.expect(&["1: queue.declare-ok", "1: queue.declare-ok"]).await;
        client.round_trip(1).await;
    });
}
