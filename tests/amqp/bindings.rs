//! Bindings, and what each type of exchange makes of them.

use crate::peer::Peer;
use crate::support::Broker;

/// A connection in confirm mode on channel 2, with queue `q` declared.
fn connect(broker: &Broker) -> Peer {
    let mut peer = Peer::connect(broker);
    peer.open(2);
    peer.ok("2:confirm.select");
    peer.ok("queue.declare queue=q");
    peer
}

/// Publishes on channel 2 and tells whether the message found a queue. Empties queue `q`, which must have it at most once.
fn routed(peer: &mut Peer, publish: &str) -> bool {
    peer.send(&format!("2:basic.publish {publish}"));
    let line = peer.next();
    let returned = line.method.name == "basic.return";
    let ack = if returned { peer.next() } else { line };
    assert_eq!(ack.method.name, "basic.ack", "got {ack}");
    let copies = peer.drain(1, "q").len();
    assert_eq!(copies, usize::from(!returned), "copies of {publish}");
    !returned
}

#[test]
fn every_queue_is_bound_to_the_default_exchange_by_its_name() {
    let broker = Broker::start();
    let mut peer = connect(&broker);
    for (key, expected) in [("q", true), ("Q", false), ("q.", false), ("absent", false), ("", false)] {
        assert_eq!(routed(&mut peer, &format!("routing-key={key} mandatory")), expected, "{key}");
    }
}

#[test]
fn a_direct_exchange_compares_the_whole_key() {
    let broker = Broker::start();
    let mut peer = connect(&broker);
    peer.ok("queue.bind queue=q exchange=amq.direct routing-key=a.b");
    peer.ok("queue.bind queue=q exchange=amq.direct routing-key=*");
    for (key, expected) in
        [("a.b", true), ("a", false), ("a.b.c", false), ("*", true), ("", false), ("A.B", false)]
    {
        let publish = format!("exchange=amq.direct routing-key={key} mandatory");
        assert_eq!(routed(&mut peer, &publish), expected, "{key}");
    }
}

#[test]
fn a_fanout_exchange_compares_nothing() {
    let broker = Broker::start();
    let mut peer = connect(&broker);
    peer.ok("queue.bind queue=q exchange=amq.fanout routing-key=k");
    for key in ["k", "z", ""] {
        assert!(routed(&mut peer, &format!("exchange=amq.fanout routing-key={key} mandatory")), "{key}");
    }
}

#[test]
fn a_topic_exchange_matches_words() {
    let broker = Broker::start();
    let mut peer = connect(&broker);
    peer.ok("exchange.declare exchange=t type=topic");
    // The empty key has no word at all, as seen on RabbitMQ 3.10; `.` has two empty ones.
    for (pattern, keys) in [
        ("a.b", &[("a.b", true), ("a", false), ("a.b.c", false), ("a.B", false), ("", false)] as &[_]),
        ("*", &[("a", true), ("", false), ("a.b", false), ("*", true)]),
        ("#", &[("", true), ("a", true), ("a.b.c", true), ("..", true)]),
        ("", &[("", true), ("a", false), (".", false)]),
        (
            "*.stock.#",
            &[("usd.stock", true), ("usd.stock.db.x", true), ("stock", false), ("a.b.stock", false)],
        ),
        ("#.b", &[("b", true), ("a.b", true), ("a.a.b", true), ("b.b", true), ("b.c", false), ("ab", false)]),
        (
            "a.#.z",
            &[("a.z", true), ("a.m.z", true), ("a.m.n.z", true), ("a.z.z", true), ("a", false), ("z", false)],
        ),
        ("#.#", &[("", true), ("a", true), ("a.b", true)]),
        ("*.#", &[("", false), ("a", true), ("a.b", true)]),
        ("*.*", &[("a.b", true), (".", true), ("a", false), ("a.b.c", false), ("a.", true)]),
        ("#.*.#", &[("", false), ("a", true), ("a.b.c", true)]),
        ("a..b", &[("a..b", true), ("a.b", false), ("a.x.b", false)]),
        ("a.*b", &[("a.*b", true), ("a.xb", false)]),
        ("a#", &[("a#", true), ("a", false), ("ab", false)]),
    ] {
        peer.ok(&format!("queue.bind queue=q exchange=t routing-key={pattern}"));
        for (key, expected) in keys {
            let publish = format!("exchange=t routing-key={key} mandatory");
            assert_eq!(routed(&mut peer, &publish), *expected, "{key:?} against {pattern:?}");
        }
        peer.ok(&format!("queue.unbind queue=q exchange=t routing-key={pattern}"));
    }
    assert!(!routed(&mut peer, "exchange=t routing-key=a.b mandatory"));
}

#[test]
fn a_topic_exchange_with_overlapping_patterns_gives_each_queue_one_copy() {
    let broker = Broker::start();
    let mut peer = connect(&broker);
    for pattern in ["#", "*.b", "a.*", "a.b", "a.#", "#.b", "a.#.b", "#.a.b.#"] {
        peer.ok(&format!("queue.bind queue=q exchange=amq.topic routing-key={pattern}"));
    }
    assert!(routed(&mut peer, "exchange=amq.topic routing-key=a.b mandatory"));
}

#[test]
fn a_headers_exchange_compares_headers() {
    let broker = Broker::start();
    let mut peer = connect(&broker);
    for (arguments, headers, expected) in [
        ("{a:1,b:\"x\"}", "{a:1,b:\"x\"}", true),
        ("{a:1,b:\"x\"}", "{b:\"x\",c:true,a:1}", true),
        ("{a:1,b:\"x\"}", "{a:1}", false),
        ("{x-match:\"all\",a:1,b:\"x\"}", "{a:1,b:\"y\"}", false),
        ("{x-match:\"all\",a:1,b:\"x\"}", "{a:1,b:\"x\"}", true),
        ("{x-match:\"any\",a:1,b:\"x\"}", "{a:1,b:\"y\"}", true),
        ("{x-match:\"any\",a:1,b:\"x\"}", "{b:\"x\"}", true),
        ("{x-match:\"any\",a:1,b:\"x\"}", "{a:2,b:\"y\"}", false),
        ("{x-match:\"any\",a:1,b:\"x\"}", "{}", false),
        ("{x-match:\"any\"}", "{a:1}", false),
        ("{x-match:\"all\"}", "{a:1}", true),
        ("{x-match:\"all\"}", "{}", true),
        ("{}", "{a:1}", true),
        ("{x-match:\"all\",a:void}", "{a:5}", true),
        ("{x-match:\"all\",a:void}", "{a:\"z\"}", true),
        ("{x-match:\"all\",a:void}", "{b:1}", false),
        ("{x-match:\"any\",a:void,b:1}", "{a:void}", true),
        ("{x-match:\"all\",x-a:1,b:2}", "{b:2}", true),
        ("{x-match:\"any\",x-a:1,b:2}", "{x-a:1}", false),
        ("{x-match:\"all-with-x\",x-a:1,b:2}", "{b:2}", false),
        ("{x-match:\"all-with-x\",x-a:1,b:2}", "{b:2,x-a:1}", true),
        ("{x-match:\"any-with-x\",x-a:1,b:2}", "{x-a:1}", true),
        ("{x-match:\"any-with-x\",x-a:1,b:2}", "{x-a:2}", false),
        ("{a:1}", "{a:\"1\"}", false),
        ("{a:1}", "{A:1}", false),
        ("{a:true}", "{a:true}", true),
        ("{a:true}", "{a:false}", false),
        ("{a:1}", "{a:true}", false),
    ] {
        peer.ok(&format!("queue.bind queue=q exchange=amq.headers routing-key=k arguments={arguments}"));
        let publish = format!("exchange=amq.headers mandatory | headers={headers} | x");
        assert_eq!(routed(&mut peer, &publish), expected, "{headers} against {arguments}");
        peer.ok(&format!("queue.unbind queue=q exchange=amq.headers routing-key=k arguments={arguments}"));
    }
    peer.ok("queue.bind queue=q exchange=amq.match arguments={a:1}");
    assert!(!routed(&mut peer, "exchange=amq.match mandatory"), "no headers at all");
    assert!(!routed(&mut peer, "exchange=amq.headers mandatory | headers={a:1} |"), "all are unbound");
}

#[test]
fn b62_an_x_match_that_is_none_of_the_four_is_refused() {
    let broker = Broker::start();
    let mut peer = connect(&broker);
    for (value, text) in [
        ("\"foo\"", "Invalid x-match field value <<\"foo\">>; expected all, any, all-with-x, or any-with-x"),
        ("5", "Invalid x-match field type signedint (value 5); expected longstr"),
    ] {
        let request = format!("queue.bind queue=q exchange=amq.headers arguments={{x-match:{value}}}");
        peer.refused(&request, 406, text);
        let request =
            format!("exchange.bind source=amq.headers destination=amq.fanout arguments={{x-match:{value}}}");
        peer.refused(&request, 406, text);
    }
    assert!(!routed(&mut peer, "exchange=amq.headers mandatory"), "a refused binding is none");
    peer.ok("queue.bind queue=q exchange=amq.direct arguments={x-match:\"foo\"}");
}

#[test]
fn b62_a_headers_binding_may_have_a_thousand_arguments() {
    let broker = Broker::start();
    let mut peer = connect(&broker);
    let headers = (0..1000).map(|n| format!("h{n}:{n}")).collect::<Vec<_>>().join(",");
    peer.ok(&format!("queue.bind queue=q exchange=amq.headers arguments={{{headers}}}"));
    assert!(routed(&mut peer, &format!("exchange=amq.headers mandatory | headers={{{headers}}} |")));
    assert!(!routed(&mut peer, "exchange=amq.headers mandatory | headers={h1:1} |"));
}

#[test]
fn a_queue_gets_a_message_once_however_many_bindings_match() {
    let broker = Broker::start();
    let mut peer = connect(&broker);
    peer.ok("exchange.declare exchange=from type=fanout");
    for (exchange, key) in
        [("from", "a"), ("from", "b"), ("amq.direct", "k"), ("amq.fanout", "k"), ("amq.topic", "#")]
    {
        peer.ok(&format!("queue.bind queue=q exchange={exchange} routing-key={key}"));
    }
    for destination in ["amq.direct", "amq.fanout", "amq.topic"] {
        peer.ok(&format!("exchange.bind source=from destination={destination}"));
    }
    assert!(routed(&mut peer, "exchange=from routing-key=k mandatory"));
}

#[test]
fn a_binding_made_twice_is_one_binding() {
    let broker = Broker::start();
    let mut peer = connect(&broker);
    for _ in 0..3 {
        peer.ok("queue.bind queue=q exchange=amq.direct routing-key=k");
    }
    assert!(routed(&mut peer, "exchange=amq.direct routing-key=k mandatory"));
    peer.ok("queue.unbind queue=q exchange=amq.direct routing-key=k");
    assert!(!routed(&mut peer, "exchange=amq.direct routing-key=k mandatory"));
}

#[test]
fn bindings_that_differ_in_their_arguments_are_different_bindings() {
    let broker = Broker::start();
    let mut peer = connect(&broker);
    peer.ok("queue.bind queue=q exchange=amq.direct routing-key=k arguments={a:1}");
    peer.ok("queue.bind queue=q exchange=amq.direct routing-key=k arguments={a:2}");
    peer.ok("queue.unbind queue=q exchange=amq.direct routing-key=k arguments={a:1}");
    assert!(routed(&mut peer, "exchange=amq.direct routing-key=k mandatory"));
    peer.ok("queue.unbind queue=q exchange=amq.direct routing-key=k");
    assert!(routed(&mut peer, "exchange=amq.direct routing-key=k mandatory"));
    peer.ok("queue.unbind queue=q exchange=amq.direct routing-key=k arguments={a:2}");
    assert!(!routed(&mut peer, "exchange=amq.direct routing-key=k mandatory"));
}

#[test]
fn a_bind_needs_both_ends() {
    let broker = Broker::start();
    let mut peer = connect(&broker);
    for (request, text) in [
        ("queue.bind queue=x exchange=amq.direct", "no queue 'x' in vhost '/'"),
        ("queue.bind queue=q exchange=x", "no exchange 'x' in vhost '/'"),
        ("exchange.bind source=x destination=amq.direct", "no exchange 'x' in vhost '/'"),
        ("exchange.bind source=amq.direct destination=x", "no exchange 'x' in vhost '/'"),
    ] {
        peer.refused(request, 404, text);
    }
}

#[test]
fn an_unbind_of_what_is_absent_is_fine() {
    let broker = Broker::start();
    let mut peer = connect(&broker);
    for request in [
        "queue.unbind queue=x exchange=amq.direct",
        "queue.unbind queue=q exchange=x",
        "queue.unbind queue=q exchange=amq.direct routing-key=k",
        "exchange.unbind source=x destination=amq.direct",
        "exchange.unbind source=amq.direct destination=x",
        "exchange.unbind source=amq.direct destination=amq.fanout",
    ] {
        peer.ok(request);
    }
}

#[test]
fn bindings_go_with_their_queue_and_with_their_exchange() {
    let broker = Broker::start();
    let mut peer = connect(&broker);
    peer.ok("exchange.declare exchange=e type=direct");
    peer.ok("queue.bind queue=q exchange=e routing-key=k");
    peer.ok("queue.bind queue=q exchange=amq.direct routing-key=k");
    peer.ok("exchange.delete exchange=e");
    peer.ok("exchange.declare exchange=e type=direct");
    assert!(!routed(&mut peer, "exchange=e routing-key=k mandatory"));
    peer.ok("queue.delete queue=q");
    peer.ok("queue.declare queue=q");
    assert!(!routed(&mut peer, "exchange=amq.direct routing-key=k mandatory"));
}

#[test]
fn a_message_passes_through_a_chain_of_exchanges_by_its_key() {
    let broker = Broker::start();
    let mut peer = connect(&broker);
    peer.ok("exchange.declare exchange=first type=topic");
    peer.ok("exchange.declare exchange=second type=direct");
    peer.ok("exchange.bind source=first destination=second routing-key=a.#");
    peer.ok("queue.bind queue=q exchange=second routing-key=a.b");
    for (key, expected) in [("a.b", true), ("a.c", false), ("b.b", false)] {
        assert_eq!(
            routed(&mut peer, &format!("exchange=first routing-key={key} mandatory")),
            expected,
            "{key}"
        );
    }
    peer.ok("exchange.unbind source=first destination=second routing-key=a.#");
    assert!(!routed(&mut peer, "exchange=first routing-key=a.b mandatory"));
    assert!(routed(&mut peer, "exchange=second routing-key=a.b mandatory"));
}

#[test]
fn b63_a_cycle_of_exchanges_routes_a_message_once() {
    let broker = Broker::start();
    let mut peer = connect(&broker);
    for exchange in ["a", "b", "c"] {
        peer.ok(&format!("exchange.declare exchange={exchange} type=fanout"));
    }
    for (source, destination) in [("a", "b"), ("b", "c"), ("c", "a"), ("a", "a"), ("c", "b")] {
        peer.ok(&format!("exchange.bind source={source} destination={destination}"));
    }
    for exchange in ["a", "b", "c"] {
        assert!(!routed(&mut peer, &format!("exchange={exchange} mandatory")));
    }
    peer.ok("queue.bind queue=q exchange=b");
    peer.ok("queue.bind queue=q exchange=c");
    for exchange in ["a", "b", "c"] {
        assert!(routed(&mut peer, &format!("exchange={exchange} mandatory")));
    }
}

#[test]
fn b63_a_chain_of_a_thousand_exchanges_is_followed_to_its_end() {
    let broker = Broker::start();
    let mut peer = connect(&broker);
    peer.ok("exchange.declare exchange=e-0 type=fanout");
    for n in 1..=1000 {
        peer.send(&format!("exchange.declare exchange=e-{n} type=fanout no-wait"));
        peer.send(&format!("exchange.bind source=e-{} destination=e-{n} no-wait", n - 1));
    }
    peer.ok("queue.bind queue=q exchange=e-1000");
    assert!(routed(&mut peer, "exchange=e-0 mandatory"));
}
