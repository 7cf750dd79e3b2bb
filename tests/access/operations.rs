//! Every operation of AMQP with exactly the permissions that it needs, and without each of them.

use crate::house::{House, exchange_bind, exchange_unbind, expect_channel_close};
use crate::support::{Payload, Properties, Raw, Table, method};

/// A permission: which pattern, and of what.
type Need = (&'static str, &'static str, &'static str);

struct Operation {
    what: &'static str,
    needs: Vec<Need>,
    method: Payload,
    has_content: bool,
    /// The answer; of what has none a round trip shows that it was allowed.
    answer: Option<(u16, u16)>,
}

const CONFIGURE: &str = "configure";
const WRITE: &str = "write";
const READ: &str = "read";

fn operation(what: &'static str, needs: &[Need], method: Payload, answer: (u16, u16)) -> Operation {
    Operation { what, needs: needs.to_vec(), method, has_content: false, answer: Some(answer) }
}

fn publish(what: &'static str, exchange: &'static str, permitted: &'static str) -> Operation {
    let needs = vec![(WRITE, "exchange", permitted)];
    let method = method::basic_publish(exchange, "q", 0);
    Operation { what, needs, method, has_content: true, answer: None }
}

fn operations() -> Vec<Operation> {
    let none = &Table::new();
    let with = |name: &str, value: &str| Table::new().text(name, value);
    let (queue, exchange) = ("queue", "exchange");
    vec![
        operation(
            "exchange.declare",
            &[(CONFIGURE, exchange, "new.x")],
            method::exchange_declare("new.x", "direct", 0, none),
            (40, 11),
        ),
        operation(
            "exchange.declare with an alternate exchange",
            &[(CONFIGURE, exchange, "new.x"), (READ, exchange, "new.x"), (WRITE, exchange, "dst")],
            method::exchange_declare("new.x", "direct", 0, &with("alternate-exchange", "dst")),
            (40, 11),
        ),
        operation(
            "exchange.declare of one that is there",
            &[(CONFIGURE, exchange, "src")],
            method::exchange_declare("src", "direct", 0, none),
            (40, 11),
        ),
        operation(
            "exchange.delete",
            &[(CONFIGURE, exchange, "old.x")],
            method::exchange_delete("old.x"),
            (40, 21),
        ),
        operation(
            "exchange.bind",
            &[(WRITE, exchange, "dst"), (READ, exchange, "src")],
            exchange_bind("dst", "src", "k"),
            (40, 31),
        ),
        operation(
            "exchange.unbind",
            &[(WRITE, exchange, "dst"), (READ, exchange, "src")],
            exchange_unbind("dst", "src", "k"),
            (40, 51),
        ),
        operation(
            "queue.declare",
            &[(CONFIGURE, queue, "new.q")],
            method::queue_declare("new.q", 0, none),
            (50, 11),
        ),
        operation(
            "queue.declare, exclusive",
            &[(CONFIGURE, queue, "own.q")],
            method::queue_declare("own.q", method::EXCLUSIVE, none),
            (50, 11),
        ),
        operation(
            "queue.declare with a dead letter exchange",
            &[(CONFIGURE, queue, "new.q"), (READ, queue, "new.q"), (WRITE, exchange, "dst")],
            method::queue_declare("new.q", 0, &with("x-dead-letter-exchange", "dst")),
            (50, 11),
        ),
        operation(
            "queue.declare with the default exchange for dead letters",
            &[(CONFIGURE, queue, "new.q"), (READ, queue, "new.q"), (WRITE, exchange, "amq.default")],
            method::queue_declare("new.q", 0, &with("x-dead-letter-exchange", "")),
            (50, 11),
        ),
        operation(
            "queue.bind",
            &[(WRITE, queue, "q"), (READ, exchange, "src")],
            method::queue_bind("q", "src", "k", none),
            (50, 21),
        ),
        operation(
            "queue.unbind",
            &[(WRITE, queue, "q"), (READ, exchange, "src")],
            method::queue_unbind("q", "src", "k", none),
            (50, 51),
        ),
        operation("queue.purge", &[(READ, queue, "q")], method::queue_purge("q"), (50, 31)),
        operation("queue.delete", &[(CONFIGURE, queue, "old.q")], method::queue_delete("old.q"), (50, 41)),
        operation(
            "queue.delete of none",
            &[(CONFIGURE, queue, "absent")],
            method::queue_delete("absent"),
            (50, 41),
        ),
        operation("basic.get", &[(READ, queue, "q")], method::basic_get("q", true), (60, 72)),
        operation("basic.consume", &[(READ, queue, "q")], method::basic_consume("q", "t", 0, none), (60, 21)),
        publish("basic.publish", "src", "src"),
        publish("basic.publish to the default exchange", "", "amq.default"),
        publish("basic.publish to a headers exchange", "amq.headers", "amq.headers"),
    ]
}

/// What is there before each operation.
fn reset(guest: &mut Raw) {
    let none = &Table::new();
    for name in ["new.q", "q"] {
        guest.send(1, method::queue_delete(name));
        guest.expect(1, (50, 41));
    }
    guest.send(1, method::exchange_delete("new.x"));
    guest.expect(1, (40, 21));
    for (name, kind) in [("src", "direct"), ("dst", "fanout"), ("old.x", "direct")] {
        guest.send(1, method::exchange_declare(name, kind, 0, none));
        guest.expect(1, (40, 11));
    }
    for name in ["q", "old.q"] {
        guest.declare(1, name, 0, none);
    }
}

/// The pattern for exactly these names.
fn only(needs: &[Need], action: &str) -> String {
    let names = needs.iter().filter(|need| need.0 == action).map(|need| need.2.replace('.', "\\."));
    format!("^({})$", names.collect::<Vec<_>>().join("|"))
}

/// The pattern for all names but this.
fn all_but(lack: &Need, action: &str) -> String {
    if lack.0 == action { format!("^(?!{}$)", lack.2.replace('.', "\\.")) } else { ".*".to_owned() }
}

fn send(raw: &mut Raw, operation: &Operation) {
    let method = operation.method.clone();
    if operation.has_content {
        raw.publish_with(1, method, &Properties::new().encoded(), b"x");
    } else {
        raw.send(1, method);
    }
}

#[test]
fn each_operation_needs_its_permissions_and_no_others() {
    let house = House::new();
    house.add("u", "");
    let mut guest = house.connect("guest");
    for operation in operations() {
        for lack in &operation.needs {
            let (action, kind, name) = *lack;
            eprintln!("{} without {action} of {name}", operation.what);
            reset(&mut guest);
            house.allow("u", &all_but(lack, CONFIGURE), &all_but(lack, WRITE), &all_but(lack, READ));
            let mut raw = house.connect("u");
            send(&mut raw, &operation);
            let text = format!(
                "ACCESS_REFUSED - {action} access to {kind} '{name}' in vhost '/' refused for user 'u'"
            );
            expect_channel_close(&mut raw, 403, &text);
            raw.expect_open(1);
        }
        eprintln!("{} with what it needs", operation.what);
        reset(&mut guest);
        let needs = &operation.needs;
        house.allow("u", &only(needs, CONFIGURE), &only(needs, WRITE), &only(needs, READ));
        let mut raw = house.connect("u");
        send(&mut raw, &operation);
        match operation.answer {
            Some(answer) => _ = raw.expect(1, answer),
            None => raw.expect_open(1),
        }
    }
}

#[test]
fn a_passive_declare_needs_any_permission() {
    let house = House::new();
    house.add("u", "");
    let mut guest = house.connect("guest");
    reset(&mut guest);
    let queue = method::queue_declare("q", method::PASSIVE, &Table::new());
    let exchange = method::exchange_declare("src", "", method::PASSIVE, &Table::new());
    for (name, passive, answer) in [("q", queue, (50, 11)), ("src", exchange, (40, 11))] {
        let kind = if name == "q" { "queue" } else { "exchange" };
        for allowed in [CONFIGURE, WRITE, READ, ""] {
            let pattern = |action| if action == allowed { name } else { "^other$" };
            house.allow("u", pattern(CONFIGURE), pattern(WRITE), pattern(READ));
            let mut raw = house.connect("u");
            raw.send(1, passive.clone());
            if allowed.is_empty() {
                let text = format!(
                    "ACCESS_REFUSED - configure access to {kind} '{name}' in vhost '/' refused for user 'u'"
                );
                expect_channel_close(&mut raw, 403, &text);
            } else {
                raw.expect(1, answer);
            }
        }
    }
}

#[test]
fn b51_without_permission_nobody_learns_whether_something_is_there() {
    let house = House::new();
    house.add("u", "");
    house.allow("u", "^mine", "^mine", "^mine");
    let mut raw = house.connect("u");
    let passive = method::queue_declare("absent", method::PASSIVE, &Table::new());
    for method in [passive, method::basic_get("absent", true), method::queue_delete("absent")] {
        raw.send(1, method);
        let frame = raw.expect(1, method::CHANNEL_CLOSE);
        assert_eq!(frame.close().unwrap().0, 403);
        raw.send(1, Payload::method(method::CHANNEL_CLOSE_OK));
        raw.open_channel(1);
    }
}

#[test]
fn a_name_that_the_broker_gives_needs_a_permission_too() {
    let house = House::new();
    house.add("u", "");
    house.allow("u", "^amq\\.gen", "", "");
    let mut raw = house.connect("u");
    assert!(raw.declare_own(1).starts_with("amq.gen-"));
    house.allow("u", "^mine", "", "");
    raw.send(1, method::queue_declare("", method::EXCLUSIVE, &Table::new()));
    let (code, text, ..) = raw.expect(1, method::CHANNEL_CLOSE).close().unwrap();
    assert_eq!(code, 403);
    assert!(text.starts_with("ACCESS_REFUSED - configure access to queue 'amq.gen-"), "{text}");
}

#[test]
fn a_transaction_is_refused_at_the_publish_and_when_the_permission_goes_before_the_commit() {
    let house = House::new();
    house.add("u", "");
    house.allow("u", "", "^amq\\.(default|fanout)$", "");
    let mut guest = house.connect("guest");
    guest.declare(1, "q", 0, &Table::new());
    let mut raw = house.connect("u");
    let none = Properties::new();
    raw.send(1, Payload::method((90, 10)));
    raw.expect(1, (90, 11));
    raw.publish(1, "amq.direct", "q", &none, b"x");
    expect_channel_close(
        &mut raw,
        403,
        "ACCESS_REFUSED - write access to exchange 'amq.direct' in vhost '/' refused for user 'u'",
    );
    raw.send(1, Payload::method((90, 10)));
    raw.expect(1, (90, 11));
    raw.publish(1, "", "q", &none, b"x");
    raw.expect_open(1);
    house.allow("u", "", "^amq\\.fanout$", "");
    raw.send(1, Payload::method((90, 20)));
    expect_channel_close(
        &mut raw,
        403,
        "ACCESS_REFUSED - write access to exchange 'amq.default' in vhost '/' refused for user 'u'",
    );
    assert_eq!(guest.message_count(1, "q"), 0);
}

#[test]
fn b46_an_impersonator_may_publish_as_anybody_and_others_as_themselves() {
    let house = House::new();
    house.add("u", "");
    house.allow("u", "", ".*", "");
    let mut raw = house.connect("u");
    let as_other = Properties::new().text(4, "other");
    for (tags, allowed) in [("", false), ("impersonator,mine", true), ("administrator", false)] {
        house.access().set_tags("u", leveret::auth::Tags::parse(tags).unwrap()).unwrap();
        raw.publish(1, "amq.fanout", "", &Properties::new().text(4, "u"), b"x");
        raw.publish(1, "amq.fanout", "", &as_other, b"x");
        if allowed {
            raw.expect_open(1);
        } else {
            let text = "PRECONDITION_FAILED - user_id property set to 'other' but authenticated user was 'u'";
            expect_channel_close(&mut raw, 406, text);
        }
    }
}
