//! exchange.declare and exchange.delete, and how long an exchange lives.

use crate::peer::Peer;
use crate::support::Broker;

#[test]
fn every_virtual_host_has_the_predeclared_exchanges() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    for (name, kind, internal) in [
        ("amq.direct", "direct", ""),
        ("amq.fanout", "fanout", ""),
        ("amq.topic", "topic", ""),
        ("amq.headers", "headers", ""),
        ("amq.match", "headers", ""),
        ("amq.rabbitmq.trace", "topic", "internal"),
    ] {
        peer.ok(&format!("exchange.declare exchange={name} type={kind} durable {internal}"));
        peer.ok(&format!("exchange.declare exchange={name} passive"));
    }
}

#[test]
fn an_exchange_of_each_type_can_be_declared_and_deleted() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    for kind in [
        "direct",
        "fanout",
        "topic",
        "headers",
        "x-consistent-hash",
        "x-modulus-hash",
        "x-random",
        "x-local-random",
        "x-recent-history",
    ] {
        for flags in ["", "durable", "auto-delete", "internal", "durable auto-delete internal"] {
            peer.ok(&format!("exchange.declare exchange=e type={kind} {flags}"));
            peer.ok(&format!("exchange.declare exchange=e type={kind} {flags}"));
            peer.ok("exchange.declare exchange=e passive");
            peer.ok("exchange.delete exchange=e");
            peer.refused("exchange.declare exchange=e passive", 404, "no exchange 'e' in vhost '/'");
        }
    }
    peer.ok("exchange.delete exchange=e");
    peer.ok("exchange.delete exchange=e if-unused");
}

#[test]
fn no_wait_answers_nothing() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.talk(
        "> queue.declare queue=q
         < queue.declare-ok queue=q
         > exchange.declare exchange=a type=fanout no-wait
         > exchange.declare exchange=b type=fanout no-wait
         > exchange.declare exchange=a passive no-wait
         > exchange.bind source=a destination=b no-wait
         > queue.bind queue=q exchange=b no-wait
         > basic.publish exchange=a | | x
         > exchange.unbind source=a destination=b no-wait
         > basic.publish exchange=a mandatory | | y
         < basic.return reply-code=312 reply-text=NO_ROUTE exchange=a | | y
         > exchange.delete exchange=a no-wait
         > basic.get queue=q no-ack
         < basic.get-ok delivery-tag=1 exchange=a | | x",
    );
    peer.refused("exchange.declare exchange=a passive no-wait", 404, "no exchange 'a' in vhost '/'");
}

#[test]
fn b51_a_passive_declare_of_an_absent_exchange_finds_and_makes_nothing() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    for request in [
        "exchange.declare exchange=x passive",
        "exchange.declare exchange=x type=direct passive",
        "exchange.declare exchange=x type=nope passive",
        "exchange.declare exchange=x type=topic durable auto-delete internal passive",
        "exchange.declare exchange=x type=direct passive no-wait",
    ] {
        peer.refused(request, 404, "no exchange 'x' in vhost '/'");
    }
    peer.refused("basic.publish exchange=x | | x", 404, "no exchange 'x' in vhost '/'");
}

#[test]
fn an_unknown_type_is_refused() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.refused("exchange.declare exchange=e type=nope", 406, "unknown exchange type 'nope'");
    peer.refused("exchange.declare exchange=e passive", 404, "no exchange 'e' in vhost '/'");
}

#[test]
fn b49_a_declare_that_differs_from_what_is_there_is_refused() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("exchange.declare exchange=plain type=direct");
    peer.ok("exchange.declare exchange=all type=topic durable auto-delete internal");
    peer.ok("exchange.declare exchange=ae type=direct arguments={alternate-exchange:\"a\",unknown:1}");
    for (request, argument, exchange, rest) in [
        ("plain type=fanout", "type", "plain", "received 'fanout' but current is 'direct'"),
        ("plain type=direct durable", "durable", "plain", "received 'true' but current is 'false'"),
        ("plain type=direct auto-delete", "auto_delete", "plain", "received 'true' but current is 'false'"),
        ("plain type=direct internal", "internal", "plain", "received 'true' but current is 'false'"),
        ("all type=topic auto-delete internal", "durable", "all", "received 'false' but current is 'true'"),
        ("all type=topic durable internal", "auto_delete", "all", "received 'false' but current is 'true'"),
        ("all type=topic durable auto-delete", "internal", "all", "received 'false' but current is 'true'"),
        ("amq.topic type=direct durable", "type", "amq.topic", "received 'direct' but current is 'topic'"),
        (
            "plain type=direct arguments={alternate-exchange:\"a\"}",
            "alternate-exchange",
            "plain",
            "received the value 'a' of type 'longstr' but current is none",
        ),
        (
            "ae type=direct arguments={alternate-exchange:\"b\"}",
            "alternate-exchange",
            "ae",
            "received 'b' but current is 'a'",
        ),
        (
            "ae type=direct",
            "alternate-exchange",
            "ae",
            "received none but current is the value 'a' of type 'longstr'",
        ),
    ] {
        let text = format!("inequivalent arg '{argument}' for exchange '{exchange}' in vhost '/': {rest}");
        peer.refused(&format!("exchange.declare exchange={request}"), 406, &text);
    }
    peer.ok(
        "exchange.declare exchange=ae type=direct arguments={alternate-exchange:\"a\",unknown:2,more:true}",
    );
    peer.ok("exchange.declare exchange=plain type=fanout durable internal passive");
}

#[test]
fn b50_names_that_begin_with_amq_are_reserved() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    for (name, flags) in
        [("amq.foo", ""), ("amq.foo", "durable auto-delete internal"), ("amq.foo", "no-wait"), ("amq.", "")]
    {
        let text = format!("exchange name '{name}' contains reserved prefix 'amq.*'");
        peer.refused(&format!("exchange.declare exchange={name} type=direct {flags}"), 403, &text);
        let text = format!("no exchange '{name}' in vhost '/'");
        peer.refused(&format!("exchange.declare exchange={name} passive"), 404, &text);
    }
    // Line breaks are left out before anything is looked at.
    let text = "exchange name 'amq.foo' contains reserved prefix 'amq.*'";
    peer.refused("exchange.declare exchange=am\r\nq.foo type=direct", 403, text);
    peer.ok("exchange.declare exchange=amqp type=direct");
    peer.ok("exchange.declare exchange=AMQ.foo type=direct");
}

#[test]
fn predeclared_exchanges_cannot_be_deleted() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    for name in ["amq.direct", "amq.rabbitmq.trace"] {
        let text = format!("deletion of system exchange '{name}' in vhost '/' not allowed");
        peer.refused(&format!("exchange.delete exchange={name}"), 403, &text);
        peer.refused(&format!("exchange.delete exchange={name} if-unused"), 403, &text);
        peer.ok(&format!("exchange.declare exchange={name} passive"));
    }
}

#[test]
fn b54_nothing_can_be_done_to_the_default_exchange() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q");
    for request in [
        "exchange.declare type=direct",
        "exchange.declare type=direct passive",
        "exchange.declare type=direct durable no-wait",
        "exchange.delete",
        "exchange.delete if-unused",
        "exchange.bind",
        "exchange.bind source=amq.direct routing-key=k",
        "exchange.bind destination=amq.direct routing-key=k",
        "exchange.unbind source=amq.direct routing-key=k",
        "exchange.unbind destination=amq.direct routing-key=k",
        "queue.bind queue=q routing-key=k",
        "queue.bind queue=q routing-key=q no-wait",
        "queue.unbind queue=q routing-key=k",
        "queue.unbind queue=q routing-key=q",
    ] {
        peer.refused(request, 403, "operation not permitted on the default exchange");
    }
    peer.talk(
        "> basic.publish routing-key=k mandatory | | bound to nothing
         < basic.return reply-code=312 reply-text=NO_ROUTE routing-key=k | | bound to nothing
         > basic.publish routing-key=q mandatory | | bound as ever
         > basic.get queue=q no-ack
         < basic.get-ok delivery-tag=1 routing-key=q | | bound as ever",
    );
}

#[test]
fn b53_a_delete_if_unused_spares_an_exchange_with_bindings() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q");
    peer.ok("exchange.declare exchange=e type=direct");
    peer.ok("exchange.declare exchange=to type=direct");
    peer.ok("queue.bind queue=q exchange=e");
    peer.refused("exchange.delete exchange=e if-unused", 406, "exchange 'e' in vhost '/' in use");
    peer.ok("queue.unbind queue=q exchange=e");
    peer.ok("exchange.bind source=e destination=to");
    peer.refused("exchange.delete exchange=e if-unused", 406, "exchange 'e' in vhost '/' in use");
    peer.ok("exchange.delete exchange=to if-unused");
    peer.ok("exchange.delete exchange=e if-unused");
    peer.ok("exchange.declare exchange=e type=direct");
    peer.ok("queue.bind queue=q exchange=e");
    peer.ok("exchange.delete exchange=e");
    peer.ok("queue.declare queue=q passive");
}

#[test]
fn an_auto_delete_exchange_goes_with_its_last_binding() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    let gone = "no exchange 'e' in vhost '/'";
    for (bind, unbind) in [
        ("queue.bind queue=q exchange=e", "queue.unbind queue=q exchange=e"),
        ("queue.bind queue=q exchange=e", "queue.delete queue=q"),
        ("exchange.bind source=e destination=to", "exchange.unbind source=e destination=to"),
        ("exchange.bind source=e destination=to", "exchange.delete exchange=to"),
    ] {
        peer.ok("queue.declare queue=q");
        peer.ok("exchange.declare exchange=to type=fanout");
        peer.ok("exchange.declare exchange=e type=fanout auto-delete");
        peer.ok("exchange.declare exchange=e passive");
        peer.ok(bind);
        peer.ok("queue.declare queue=second");
        peer.ok("queue.bind queue=second exchange=e");
        peer.ok("queue.unbind queue=second exchange=e");
        peer.ok("exchange.declare exchange=e passive");
        peer.ok(unbind);
        peer.refused("exchange.declare exchange=e passive", 404, gone);
    }
}

#[test]
fn an_auto_delete_exchange_stays_while_only_its_incoming_bindings_go() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("exchange.declare exchange=from type=fanout");
    peer.ok("exchange.declare exchange=e type=fanout auto-delete");
    peer.ok("exchange.bind source=from destination=e");
    peer.ok("exchange.unbind source=from destination=e");
    peer.ok("exchange.declare exchange=e passive");
}

#[test]
fn a_chain_of_auto_delete_exchanges_goes_as_a_whole() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q");
    for exchange in ["a", "b", "c"] {
        peer.ok(&format!("exchange.declare exchange={exchange} type=fanout auto-delete"));
    }
    peer.ok("exchange.bind source=a destination=b");
    peer.ok("exchange.bind source=b destination=c");
    peer.ok("queue.bind queue=q exchange=c");
    peer.ok("queue.delete queue=q");
    for exchange in ["a", "b", "c"] {
        let text = format!("no exchange '{exchange}' in vhost '/'");
        peer.refused(&format!("exchange.declare exchange={exchange} passive"), 404, &text);
    }
}

#[test]
fn b55_an_internal_exchange_takes_messages_from_exchanges_and_from_no_client() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("queue.declare queue=q");
    peer.ok("exchange.declare exchange=inside type=fanout internal");
    peer.ok("exchange.declare exchange=outside type=fanout");
    peer.ok("exchange.bind source=outside destination=inside");
    peer.ok("queue.bind queue=q exchange=inside");
    for exchange in ["inside", "amq.rabbitmq.trace"] {
        for flags in ["", "mandatory"] {
            peer.refused(
                &format!("basic.publish exchange={exchange} routing-key=k {flags} | | x"),
                403,
                &format!("cannot publish to internal exchange '{exchange}' in vhost '/'"),
            );
        }
    }
    peer.talk(
        "> basic.publish exchange=outside routing-key=k | | x
         > basic.get queue=q no-ack
         < basic.get-ok delivery-tag=1 exchange=outside routing-key=k | | x",
    );
}

#[test]
fn line_breaks_in_an_exchange_s_name_are_left_out() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.ok("exchange.declare exchange=a\r\nb type=direct");
    peer.ok("exchange.declare exchange=ab passive");
}

#[test]
fn an_alternate_exchange_takes_what_has_no_other_route() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.talk(
        "> exchange.declare exchange=e type=direct arguments={alternate-exchange:\"rest\"}
         < exchange.declare-ok
         > exchange.declare exchange=rest type=fanout
         < exchange.declare-ok
         > queue.declare queue=q
         < queue.declare-ok queue=q
         > queue.declare queue=others
         < queue.declare-ok queue=others
         > queue.bind queue=q exchange=e routing-key=k
         < queue.bind-ok
         > queue.bind queue=others exchange=rest
         < queue.bind-ok
         > basic.publish exchange=e routing-key=k mandatory | | routed
         > basic.publish exchange=e routing-key=z mandatory | | other
         > basic.get queue=q no-ack
         < basic.get-ok delivery-tag=1 exchange=e routing-key=k | | routed
         > basic.get queue=others no-ack
         < basic.get-ok delivery-tag=2 exchange=e routing-key=z | | other
         > basic.get queue=others no-ack
         < basic.get-empty",
    );
}

#[test]
fn a_mandatory_message_is_returned_when_the_alternate_exchange_is_absent_or_routes_nowhere() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.talk(
        "> exchange.declare exchange=e type=direct arguments={alternate-exchange:\"rest\"}
         < exchange.declare-ok
         > basic.publish exchange=e routing-key=k mandatory | | absent
         < basic.return reply-code=312 reply-text=NO_ROUTE exchange=e routing-key=k | | absent
         > exchange.declare exchange=rest type=fanout
         < exchange.declare-ok
         > basic.publish exchange=e routing-key=k mandatory | | unbound
         < basic.return reply-code=312 reply-text=NO_ROUTE exchange=e routing-key=k | | unbound",
    );
}

#[test]
fn b64_alternate_exchanges_in_a_cycle_are_asked_once_each() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.talk(
        "> exchange.declare exchange=a type=direct arguments={alternate-exchange:\"b\"}
         < exchange.declare-ok
         > exchange.declare exchange=b type=direct arguments={alternate-exchange:\"c\"}
         < exchange.declare-ok
         > exchange.declare exchange=c type=direct arguments={alternate-exchange:\"a\"}
         < exchange.declare-ok
         > basic.publish exchange=a routing-key=k mandatory | | nowhere
         < basic.return reply-code=312 reply-text=NO_ROUTE exchange=a routing-key=k | | nowhere
         > queue.declare queue=q
         < queue.declare-ok queue=q
         > queue.bind queue=q exchange=c routing-key=k
         < queue.bind-ok
         > basic.publish exchange=a routing-key=k mandatory | | to q
         > basic.get queue=q no-ack
         < basic.get-ok delivery-tag=1 exchange=a routing-key=k | | to q
         > basic.get queue=q no-ack
         < basic.get-empty",
    );
}

#[test]
fn b64_an_exchange_may_be_its_own_alternate_and_that_of_one_it_is_bound_to() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.talk(
        "> exchange.declare exchange=self type=direct arguments={alternate-exchange:\"self\"}
         < exchange.declare-ok
         > basic.publish exchange=self routing-key=k mandatory | | nowhere
         < basic.return reply-code=312 reply-text=NO_ROUTE exchange=self routing-key=k | | nowhere
         > exchange.declare exchange=a type=direct arguments={alternate-exchange:\"b\"}
         < exchange.declare-ok
         > exchange.declare exchange=b type=fanout
         < exchange.declare-ok
         > exchange.bind source=b destination=a
         < exchange.bind-ok
         > basic.publish exchange=a routing-key=k mandatory | | nowhere
         < basic.return reply-code=312 reply-text=NO_ROUTE exchange=a routing-key=k | | nowhere
         > queue.declare queue=q
         < queue.declare-ok queue=q
         > queue.bind queue=q exchange=b
         < queue.bind-ok
         > basic.publish exchange=a routing-key=k mandatory | | once
         > basic.get queue=q no-ack
         < basic.get-ok delivery-tag=1 exchange=a routing-key=k | | once
         > basic.get queue=q no-ack
         < basic.get-empty",
    );
}

#[test]
fn an_exchange_that_another_one_is_bound_to_asks_its_own_alternate_exchange() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.talk(
        "> exchange.declare exchange=from type=fanout
         < exchange.declare-ok
         > exchange.declare exchange=to type=direct arguments={alternate-exchange:\"amq.fanout\"}
         < exchange.declare-ok
         > exchange.bind source=from destination=to
         < exchange.bind-ok
         > queue.declare queue=q
         < queue.declare-ok queue=q
         > queue.bind queue=q exchange=amq.fanout
         < queue.bind-ok
         > basic.publish exchange=from routing-key=k mandatory | | x
         > basic.get queue=q no-ack
         < basic.get-ok delivery-tag=1 exchange=from routing-key=k | | x",
    );
}

#[test]
fn an_alternate_exchange_is_a_name() {
    let broker = Broker::start();
    let mut peer = Peer::connect(&broker);
    peer.refused(
        "exchange.declare exchange=e type=direct arguments={alternate-exchange:5}",
        406,
        "invalid type 'signedint' for arg 'alternate-exchange' in exchange 'e' in vhost '/'",
    );
}
