//! Topic permissions: keys of topic exchanges.

use leveret::auth::TopicPermission;

use crate::house::{House, exchange_bind, expect_channel_close};
use crate::support::{Payload, Properties, Table, method};

fn house() -> House {
    let house = House::new();
    house.add("u", "");
    house.allow("u", ".*", ".*", ".*");
    set(&house, "amq.topic", "^{username}\\.", "^{vhost}|^r");
    house
}

fn set(house: &House, exchange: &str, write: &str, read: &str) {
    let topic = TopicPermission::parse(&"u".into(), &"/".into(), exchange.into(), write, read).unwrap();
    house.environment().set_topic_permission("u", "/", topic).unwrap();
}

fn refused(action: &str, key: &str) -> String {
    format!(
        "ACCESS_REFUSED - {action} access to topic '{key}' in exchange 'amq.topic' in vhost '/' refused for user 'u'"
    )
}

#[test]
fn all_keys_of_a_publish_need_the_permission_of_a_topic_exchange() {
    let house = house();
    let mut raw = house.connect("u");
    let none = Properties::new();
    let cc = |name: &str, keys: &[&str]| Properties::new().headers(&Table::new().texts(name, keys));
    for (exchange, key, properties, lacks) in [
        ("amq.topic", "u.1", &none, None),
        ("amq.topic", "x.1", &none, Some("x.1")),
        ("amq.topic", "u.1", &none, None),
        ("amq.topic", "u.1", &cc("CC", &["u.2", "y"]), Some("y")),
        ("amq.topic", "u.1", &cc("BCC", &["z", "u.2"]), Some("z")),
        ("amq.topic", "u.1", &cc("CC", &["u.2"]), None),
        ("amq.direct", "x", &none, None),
        ("", "x", &none, None),
    ] {
        raw.publish(1, exchange, key, properties, b"x");
        match lacks {
            None => raw.expect_open(1),
            Some(key) => expect_channel_close(&mut raw, 403, &refused("write", key)),
        }
    }
}

#[test]
fn a_binding_key_needs_the_permission_of_a_topic_exchange() {
    let house = house();
    let mut raw = house.connect("u");
    raw.declare(1, "q", 0, &Table::new());
    let none = &Table::new();
    let bound: [(Payload, (u16, u16), Option<&str>); 6] = [
        (method::queue_bind("q", "amq.topic", "r.*", none), (50, 21), None),
        (method::queue_bind("q", "amq.topic", "/", none), (50, 21), None),
        (method::queue_bind("q", "amq.topic", "#", none), (50, 21), Some("#")),
        (method::queue_unbind("q", "amq.topic", "#", none), (50, 51), Some("#")),
        (exchange_bind("amq.fanout", "amq.topic", "#"), (40, 31), Some("#")),
        (method::queue_bind("q", "amq.direct", "#", none), (50, 21), None),
    ];
    for (bind, answer, lacks) in bound {
        raw.send(1, bind);
        match lacks {
            None => _ = raw.expect(1, answer),
            Some(key) => expect_channel_close(&mut raw, 403, &refused("read", key)),
        }
    }
}

#[test]
fn a_change_of_topic_permissions_reaches_a_channel_that_publishes() {
    let house = house();
    let mut raw = house.connect("u");
    let none = Properties::new();
    raw.publish(1, "amq.topic", "u.1", &none, b"x");
    raw.expect_open(1);
    set(&house, "amq.topic", "^v", "");
    raw.publish(1, "amq.topic", "u.1", &none, b"x");
    expect_channel_close(&mut raw, 403, &refused("write", "u.1"));
    house.environment().clear_topic_permissions("u", "/", Some("amq.topic")).unwrap();
    raw.publish(1, "amq.topic", "u.1", &none, b"x");
    raw.expect_open(1);
}
