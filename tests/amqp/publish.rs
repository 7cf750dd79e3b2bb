//! basic.publish and basic.return.

use crate::peer::Peer;
use crate::support::Broker;

#[test]
fn every_property_arrives_as_it_was_sent() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    let content = "content-type=text/plain content-encoding=gzip headers={a:1} delivery-mode=2 priority=9 correlation-id=c reply-to=r \
                   expiration=60000 message-id=m timestamp=1700000000 type=t user-id=guest app-id=app cluster-id=cl | body";
    peer.ok("queue.declare queue=q");
    peer.send(&format!("basic.publish routing-key=q | {content}"));
    peer.send("basic.get queue=q no-ack");
    peer.expect(&format!("basic.get-ok delivery-tag=1 routing-key=q | {content}"));
}

#[test]
fn headers_of_every_type_arrive_as_they_were_sent() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    let headers = "{s:\"text \\\"quoted\\\"\",i:-5,l:-5l,h:-5s,o:-5b,B:200B,u:60000u,I:4000000000i,t:true,f:false,v:void,d:0.5d,T:1700000000T,\
                   a:[1,\"two\",[3],{four:4}],table:{inner:{deep:[]}},empty:{},same:1,same:2}";
    peer.ok("queue.declare queue=q");
    peer.send(&format!("basic.publish routing-key=q | headers={headers} |"));
    peer.send("basic.get queue=q no-ack");
    peer.expect(&format!("basic.get-ok delivery-tag=1 routing-key=q | headers={headers} |"));
}

#[test]
fn odd_property_values_are_passed_on() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q");
    // RabbitMQ before 3.13 refused a delivery mode other than 1 and 2; since then it is transient.
    for (tag, properties) in [
        "delivery-mode=0",
        "delivery-mode=3",
        "delivery-mode=255 priority=255",
        "timestamp=18446744073709551615",
        "content-type= message-id=",
        "headers={}",
        "",
    ]
    .into_iter()
    .enumerate()
    {
        peer.send(&format!("basic.publish routing-key=q | {properties} | x"));
        peer.send("basic.get queue=q no-ack");
        peer.expect(&format!("basic.get-ok delivery-tag={} routing-key=q | {properties} | x", tag + 1));
    }
}

#[test]
fn bodies_of_any_size_arrive_whole() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q");
    for size in [0, 1, 131_063, 131_064, 131_065, 262_128, 1_000_003, 16_777_216] {
        let body: Vec<u8> = (0..size).map(|n: u32| n.to_be_bytes()[3] ^ n.to_be_bytes()[1]).collect();
        peer.publish("basic.publish routing-key=q", &body);
        peer.send("basic.get queue=q no-ack");
        let got = peer.await_method("basic.get-ok");
        assert!(got.body == body, "a body of {size}");
    }
}

#[test]
fn b55_a_publish_to_an_absent_exchange_closes_the_channel() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    for flags in ["", "mandatory"] {
        let request = format!("basic.publish exchange=x routing-key=k {flags} | | body");
        peer.refused(&request, 404, "no exchange 'x' in vhost '/'");
    }
}

#[test]
fn b55_immediate_is_not_implemented() {
    let broker = Broker::start();
    for flags in ["immediate", "mandatory immediate"] {
        let peer = Peer::connect(&broker);
        peer.disconnected(&format!("basic.publish routing-key=q {flags} | | x"), 540, "immediate=true");
    }
}

#[test]
fn b55_a_mandatory_message_without_a_queue_comes_back_as_it_was() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.talk(
        "> basic.publish routing-key=nobody mandatory | content-type=a headers={k:[1]} message-id=7 | the body
         < basic.return reply-code=312 reply-text=NO_ROUTE routing-key=nobody | content-type=a headers={k:[1]} message-id=7 | the body
         > basic.publish exchange=amq.direct routing-key=nobody mandatory | | again
         < basic.return reply-code=312 reply-text=NO_ROUTE exchange=amq.direct routing-key=nobody | | again
         > basic.publish exchange=amq.direct routing-key=nobody | | dropped
         > queue.declare queue=q
         < queue.declare-ok queue=q
         > basic.publish routing-key=q mandatory | | routed
         > basic.get queue=q no-ack
         < basic.get-ok delivery-tag=1 routing-key=q | | routed",
    );
    let body = vec![7; 300_000];
    peer.publish("basic.publish routing-key=nobody mandatory", &body);
    assert!(peer.await_method("basic.return").body == body);
}

#[test]
fn the_user_id_must_be_the_authenticated_user() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q");
    for user in ["other", "Guest", "\"\""] {
        let name = user.trim_matches('"');
        peer.refused(
            &format!("basic.publish routing-key=q | user-id={user} | x"),
            406,
            &format!("user_id property set to '{name}' but authenticated user was 'guest'"),
        );
    }
    peer.send("basic.publish routing-key=q | user-id=guest | x");
    peer.send("basic.get queue=q no-ack");
    peer.expect("basic.get-ok delivery-tag=1 routing-key=q | user-id=guest | x");
}

#[test]
fn an_expiration_is_a_number_of_milliseconds_up_to_ten_years() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q");
    for (expiration, reason) in [
        ("abc", "no_integer"),
        ("\"\"", "no_integer"),
        ("\" 10\"", "no_integer"),
        ("-1", "{value_negative,-1}"),
        ("10.5", "{leftover_string,\".5\"}"),
        ("10s", "{leftover_string,\"s\"}"),
        ("315360000001", "{value_too_large,315360000001}"),
    ] {
        let written = expiration.trim_matches('"');
        peer.refused(
            &format!("basic.publish routing-key=q | expiration={expiration} | x"),
            406,
            &format!("invalid expiration '{written}': {reason}"),
        );
    }
    peer.send("basic.publish routing-key=q | expiration=99999999999999999999 | x");
    assert_eq!(peer.await_method("channel.close").number("reply-code"), 406);
    peer.send("channel.close-ok");
    peer.open(1);
    for expiration in ["1000000", "+600000", "315360000000"] {
        peer.send(&format!("basic.publish routing-key=q | expiration={expiration} | x"));
        peer.send("basic.get queue=q no-ack");
        assert_eq!(peer.await_method("basic.get-ok").get("expiration"), expiration);
    }
}

#[test]
fn cc_and_bcc_add_routing_keys_and_bcc_is_taken_off() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    for queue in ["to", "copy", "blind", "mixed"] {
        peer.ok(&format!("queue.declare queue={queue}"));
    }
    peer.send("basic.publish routing-key=to | headers={CC:[\"copy\",\"to\",\"mixed\"],BCC:[\"blind\",\"mixed\"],n:1} | x");
    for (tag, queue) in ["to", "copy", "blind", "mixed"].into_iter().enumerate() {
        let tag = tag + 1;
        peer.send(&format!("basic.get queue={queue} no-ack"));
        peer.expect(&format!(
            "basic.get-ok delivery-tag={tag} routing-key=to | headers={{CC:[\"copy\",\"to\",\"mixed\"],n:1}} | x"
        ));
        peer.send(&format!("basic.get queue={queue}"));
        peer.expect("basic.get-empty");
    }
}

#[test]
fn cc_counts_for_mandatory_and_on_every_exchange() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q");
    peer.ok("queue.bind queue=q exchange=amq.topic routing-key=*.b");
    peer.ok("queue.bind queue=q exchange=amq.direct routing-key=k");
    peer.talk(
        "> basic.publish exchange=amq.topic routing-key=z mandatory | headers={CC:[\"a.b\",\"c.b\"]} | 1
         > basic.publish exchange=amq.direct routing-key=z mandatory | headers={BCC:[\"k\"]} | 2
         > basic.publish exchange=amq.direct routing-key=z mandatory | headers={CC:[\"nobody\"]} | 3
         < basic.return reply-code=312 reply-text=NO_ROUTE exchange=amq.direct routing-key=z | headers={CC:[\"nobody\"]} | 3
         > basic.get queue=q no-ack
         < basic.get-ok delivery-tag=1 exchange=amq.topic routing-key=z message-count=1 | headers={CC:[\"a.b\",\"c.b\"]} | 1
         > basic.get queue=q no-ack
         < basic.get-ok delivery-tag=2 exchange=amq.direct routing-key=z | headers={} | 2",
    );
}

#[test]
fn cc_is_an_array_and_what_is_no_string_in_it_is_passed_over() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q");
    for (name, value, kind) in [
        ("CC", "\"q\"", "longstr"),
        ("BCC", "\"q\"", "longstr"),
        ("CC", "5", "signedint"),
        ("CC", "{}", "table"),
    ] {
        peer.refused(
            &format!("basic.publish routing-key=q | headers={{{name}:{value}}} | x"),
            406,
            &format!("invalid message: {{unacceptable_type_in_header,\"{name}\",{kind}}}"),
        );
    }
    peer.send("basic.publish routing-key=nobody mandatory | headers={CC:[5,\"q\",true]} | x");
    peer.send("basic.get queue=q no-ack");
    peer.expect("basic.get-ok delivery-tag=1 routing-key=nobody | headers={CC:[5,\"q\",true]} | x");
}

#[test]
fn messages_of_one_channel_are_in_a_queue_in_the_order_of_their_publishing() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q");
    peer.ok("queue.bind queue=q exchange=amq.fanout");
    for n in 0..1000 {
        let to = if n % 2 == 0 { "routing-key=q" } else { "exchange=amq.fanout" };
        peer.send(&format!("basic.publish {to} | delivery-mode={} | {n}", 1 + n % 3 % 2));
    }
    let expected: Vec<_> = (0..1000).map(|n: u32| n.to_string()).collect();
    assert_eq!(peer.drain(1, "q"), expected);
}
