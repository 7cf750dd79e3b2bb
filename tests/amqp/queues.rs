//! queue.declare, queue.delete, queue.purge, and how long a queue lives.

use crate::peer::Peer;
use crate::support::Broker;

#[test]
fn a_declare_answers_with_the_name_and_the_counts() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.open(2);
    peer.talk(
        "> queue.declare queue=q
         < queue.declare-ok queue=q
         > basic.publish routing-key=q | | one
         > basic.publish routing-key=q | | two
         > queue.declare queue=q
         < queue.declare-ok queue=q message-count=2
         > 2:basic.qos prefetch-count=1
         < 2:basic.qos-ok
         > 2:basic.consume queue=q consumer-tag=c
         < 2:basic.consume-ok consumer-tag=c
         < 2:basic.deliver consumer-tag=c delivery-tag=1 routing-key=q | | one
         > queue.declare queue=q passive
         < queue.declare-ok queue=q message-count=1 consumer-count=1",
    );
}

#[test]
fn a_declare_with_no_wait_answers_nothing() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.talk(
        "> queue.declare queue=q no-wait
         > queue.declare queue=q no-wait
         > queue.declare queue=q passive no-wait
         > queue.bind queue=q exchange=amq.fanout no-wait
         > basic.publish exchange=amq.fanout | | x
         > queue.purge queue=q no-wait
         > queue.declare queue=q passive
         < queue.declare-ok queue=q
         > queue.delete queue=q no-wait
         > queue.delete queue=q
         < queue.delete-ok",
    );
}

#[test]
fn an_exception_comes_in_spite_of_no_wait() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    for request in [
        "queue.declare queue=absent passive no-wait",
        "queue.bind queue=absent exchange=amq.direct no-wait",
        "queue.purge queue=absent no-wait",
        "basic.consume queue=absent no-wait",
    ] {
        peer.refused(request, 404, "no queue 'absent' in vhost '/'");
    }
}

#[test]
fn a_declare_without_a_name_makes_a_new_queue_each_time() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    let first = peer.ok("queue.declare exclusive").get("queue").to_owned();
    let second = peer.ok("queue.declare exclusive").get("queue").to_owned();
    assert_ne!(first, second);
    for name in [first, second] {
        let random = name.strip_prefix("amq.gen-").expect("a generated name");
        assert_eq!(random.len(), 22, "{name}");
        let base64 = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        assert!(random.chars().all(base64), "{name}");
        peer.refused(
            &format!("queue.declare queue={name} exclusive"),
            403,
            &format!("queue name '{name}' contains reserved prefix 'amq.*'"),
        );
        peer.ok(&format!("queue.declare queue={name} passive"));
    }
}

#[test]
fn an_empty_name_means_the_last_queue_declared_on_this_channel() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.open(2);
    peer.talk(
        "> queue.declare queue=first
         < queue.declare-ok queue=first
         > queue.declare queue=last
         < queue.declare-ok queue=last
         > 2:queue.declare queue=elsewhere
         < 2:queue.declare-ok queue=elsewhere
         > queue.bind exchange=amq.direct routing-key=k
         < queue.bind-ok
         > basic.publish exchange=amq.direct routing-key=k | | a
         > queue.declare queue=last passive
         < queue.declare-ok queue=last message-count=1
         > basic.get no-ack
         < basic.get-ok delivery-tag=1 exchange=amq.direct routing-key=k | | a
         > basic.consume consumer-tag=c no-ack
         < basic.consume-ok consumer-tag=c
         > basic.publish routing-key=last | | b
         < basic.deliver consumer-tag=c delivery-tag=2 routing-key=last | | b
         > basic.cancel consumer-tag=c
         < basic.cancel-ok consumer-tag=c
         > basic.publish routing-key=last | | c
         > queue.purge
         < queue.purge-ok message-count=1
         > queue.unbind exchange=amq.direct routing-key=k
         < queue.unbind-ok
         > basic.publish exchange=amq.direct routing-key=k mandatory | | d
         < basic.return reply-code=312 reply-text=NO_ROUTE exchange=amq.direct routing-key=k | | d
         > queue.delete
         < queue.delete-ok
         > queue.declare queue=first passive
         < queue.declare-ok queue=first
         > basic.get
         < basic.get-empty",
    );
}

#[test]
fn an_empty_name_after_a_declare_without_a_name_means_the_generated_one() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    let name = peer.ok("queue.declare exclusive").get("queue").to_owned();
    peer.ok("basic.consume consumer-tag=c no-ack");
    peer.send(&format!("basic.publish routing-key={name} | | x"));
    peer.expect(&format!("basic.deliver consumer-tag=c delivery-tag=1 routing-key={name} | | x"));
}

#[test]
fn a_binding_with_an_empty_queue_and_key_has_the_queue_s_name_as_its_key() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.talk(
        "> queue.declare queue=q
         < queue.declare-ok queue=q
         > queue.bind exchange=amq.direct
         < queue.bind-ok
         > basic.publish exchange=amq.direct routing-key=q | | by name
         > basic.publish exchange=amq.direct mandatory | | by nothing
         < basic.return reply-code=312 reply-text=NO_ROUTE exchange=amq.direct | | by nothing
         > basic.get no-ack
         < basic.get-ok delivery-tag=1 exchange=amq.direct routing-key=q | | by name
         > queue.unbind exchange=amq.direct
         < queue.unbind-ok
         > basic.publish exchange=amq.direct routing-key=q mandatory | | unbound
         < basic.return reply-code=312 reply-text=NO_ROUTE exchange=amq.direct routing-key=q | | unbound",
    );
}

#[test]
fn a_passive_declare_and_one_with_no_wait_count_as_the_last() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.open(2);
    peer.talk(
        "> queue.declare queue=one
         < queue.declare-ok queue=one
         > basic.publish routing-key=one | | from one
         > queue.declare queue=two no-wait
         > basic.publish routing-key=two | | from two
         > basic.get no-ack
         < basic.get-ok delivery-tag=1 routing-key=two | | from two
         > queue.declare queue=one passive
         < queue.declare-ok queue=one message-count=1
         > basic.get no-ack
         < basic.get-ok delivery-tag=2 routing-key=one | | from one",
    );
}

#[test]
fn an_empty_name_with_nothing_declared_before_is_not_found() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    for request in [
        "queue.bind exchange=amq.direct routing-key=k",
        "queue.bind exchange=amq.direct",
        "queue.unbind exchange=amq.direct routing-key=k",
        "queue.purge",
        "queue.delete",
        "basic.consume",
        "basic.get",
    ] {
        peer.refused(request, 404, "no previously declared queue");
    }
    peer.refused("queue.declare passive", 404, "no queue '' in vhost '/'");
}

#[test]
fn what_was_declared_last_is_forgotten_when_the_channel_closes() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q");
    peer.ok("channel.close reply-code=200");
    peer.open(1);
    peer.refused("basic.get", 404, "no previously declared queue");
}

#[test]
fn b50_names_that_begin_with_amq_are_reserved() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    for (name, flags) in [
        ("amq.mine", ""),
        ("amq.mine", "exclusive auto-delete"),
        ("amq.mine", "durable no-wait"),
        ("amq.", ""),
    ] {
        let text = format!("queue name '{name}' contains reserved prefix 'amq.*'");
        peer.refused(&format!("queue.declare queue={name} {flags}"), 403, &text);
        let text = format!("no queue '{name}' in vhost '/'");
        peer.refused(&format!("queue.declare queue={name} passive"), 404, &text);
    }
    // Line breaks are left out before anything is looked at.
    let text = "queue name 'amq.mine' contains reserved prefix 'amq.*'";
    peer.refused("queue.declare queue=am\r\nq.mine", 403, text);
    peer.ok("queue.declare queue=amqp");
    peer.ok("queue.declare queue=AMQ.mine");
}

#[test]
fn line_breaks_in_a_queue_s_name_are_left_out() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    assert_eq!(peer.ok("queue.declare queue=a\r\nb").get("queue"), "ab");
    peer.ok("queue.declare queue=ab passive");
}

#[test]
fn a_delete_answers_with_the_number_of_ready_messages() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.talk(
        "> queue.declare queue=q
         < queue.declare-ok queue=q
         > basic.publish routing-key=q | | 1
         > basic.publish routing-key=q | | 2
         > basic.publish routing-key=q | | 3
         > basic.get queue=q
         < basic.get-ok delivery-tag=1 routing-key=q message-count=2 | | 1
         > queue.delete queue=q
         < queue.delete-ok message-count=2
         > queue.delete queue=q
         < queue.delete-ok
         > basic.ack delivery-tag=1
         > queue.declare queue=q
         < queue.declare-ok queue=q",
    );
}

#[test]
fn b53_a_delete_if_empty_or_if_unused_spares_a_queue_that_is_not() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.open(2);
    peer.ok("queue.declare queue=full");
    peer.ok("queue.declare queue=used");
    peer.send("basic.publish routing-key=full | | x");
    peer.ok("2:basic.consume queue=used consumer-tag=c");
    peer.refused("queue.delete queue=full if-empty", 406, "queue 'full' in vhost '/' not empty");
    peer.refused("queue.delete queue=full if-unused if-empty", 406, "queue 'full' in vhost '/' not empty");
    peer.refused("queue.delete queue=used if-unused", 406, "queue 'used' in vhost '/' in use");
    peer.refused("queue.delete queue=used if-unused no-wait", 406, "queue 'used' in vhost '/' in use");
    assert_eq!(peer.counts(1, "full"), (1, 0));
    assert_eq!(peer.counts(1, "used"), (0, 1));
    peer.ok("queue.delete queue=full if-unused");
    peer.ok("2:basic.cancel consumer-tag=c");
    peer.ok("queue.delete queue=used if-unused if-empty");
    peer.ok("queue.delete queue=absent if-unused if-empty");
}

#[test]
fn a_queue_whose_messages_are_all_unacked_counts_as_empty() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.talk(
        "> queue.declare queue=q
         < queue.declare-ok queue=q
         > basic.publish routing-key=q | | x
         > basic.get queue=q
         < basic.get-ok delivery-tag=1 routing-key=q | | x
         > queue.delete queue=q if-empty
         < queue.delete-ok",
    );
}

#[test]
fn a_purge_takes_the_ready_messages_and_leaves_the_unacked() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.talk(
        "> queue.declare queue=q
         < queue.declare-ok queue=q
         > queue.purge queue=q
         < queue.purge-ok
         > basic.publish routing-key=q | | 1
         > basic.publish routing-key=q | | 2
         > basic.publish routing-key=q | | 3
         > basic.get queue=q
         < basic.get-ok delivery-tag=1 routing-key=q message-count=2 | | 1
         > queue.purge queue=q
         < queue.purge-ok message-count=2
         > basic.reject delivery-tag=1 requeue
         > basic.get queue=q
         < basic.get-ok delivery-tag=2 redelivered routing-key=q | | 1",
    );
    peer.refused("queue.purge queue=absent", 404, "no queue 'absent' in vhost '/'");
}

#[test]
fn an_auto_delete_queue_lives_until_its_last_consumer_is_cancelled() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.talk(
        "> queue.declare queue=q auto-delete
         < queue.declare-ok queue=q
         > basic.get queue=q
         < basic.get-empty
         > basic.consume queue=q consumer-tag=a
         < basic.consume-ok consumer-tag=a
         > basic.consume queue=q consumer-tag=b
         < basic.consume-ok consumer-tag=b
         > basic.cancel consumer-tag=a
         < basic.cancel-ok consumer-tag=a
         > queue.declare queue=q passive
         < queue.declare-ok queue=q consumer-count=1
         > basic.cancel consumer-tag=b
         < basic.cancel-ok consumer-tag=b",
    );
    peer.refused("queue.declare queue=q passive", 404, "no queue 'q' in vhost '/'");
}

#[test]
fn an_auto_delete_queue_without_a_consumer_outlives_its_connection() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q auto-delete");
    peer.close();
    Peer::connect(&broker).ok("queue.declare queue=q passive");
}

#[test]
fn an_auto_delete_queue_goes_with_the_channel_of_its_last_consumer() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.open(2);
    peer.ok("queue.declare queue=q auto-delete");
    peer.ok("queue.bind queue=q exchange=amq.fanout");
    peer.send("basic.publish routing-key=q | | lost");
    peer.ok("2:basic.consume queue=q consumer-tag=c");
    peer.await_method("basic.deliver");
    peer.ok("2:channel.close reply-code=200");
    peer.refused("queue.declare queue=q passive", 404, "no queue 'q' in vhost '/'");
    peer.talk(
        "> basic.publish exchange=amq.fanout mandatory | | x
         < basic.return reply-code=312 reply-text=NO_ROUTE exchange=amq.fanout | | x
         > queue.declare queue=q auto-delete
         < queue.declare-ok queue=q",
    );
}

#[test]
fn a_queue_declared_again_after_its_deletion_is_a_new_one() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.talk(
        "> queue.declare queue=q
         < queue.declare-ok queue=q
         > queue.bind queue=q exchange=amq.fanout
         < queue.bind-ok
         > basic.publish routing-key=q | | old
         > basic.get queue=q
         < basic.get-ok delivery-tag=1 routing-key=q | | old
         > queue.delete queue=q
         < queue.delete-ok
         > queue.declare queue=q durable
         < queue.declare-ok queue=q
         > basic.nack delivery-tag=1 requeue
         > basic.publish exchange=amq.fanout mandatory | | unbound
         < basic.return reply-code=312 reply-text=NO_ROUTE exchange=amq.fanout | | unbound
         > basic.get queue=q
         < basic.get-empty",
    );
}

#[test]
fn b51_a_passive_declare_of_an_absent_queue_finds_and_makes_nothing() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    for request in [
        "queue.declare queue=x passive",
        "queue.declare queue=x passive durable",
        "queue.declare queue=x passive exclusive auto-delete",
        "queue.declare queue=x passive arguments={x-expires:0}",
        "queue.declare queue=x passive no-wait",
    ] {
        peer.refused(request, 404, "no queue 'x' in vhost '/'");
    }
    peer.send("basic.publish routing-key=x mandatory | | x");
    peer.expect("basic.return reply-code=312 reply-text=NO_ROUTE routing-key=x | | x");
}

#[test]
fn what_is_absent_is_not_found() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    for request in [
        "queue.bind queue=x exchange=amq.direct",
        "queue.purge queue=x",
        "basic.consume queue=x",
        "basic.get queue=x",
    ] {
        peer.refused(request, 404, "no queue 'x' in vhost '/'");
    }
}
