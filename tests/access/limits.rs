//! How much a user, a virtual host and a channel may have.

use leveret::auth::{AccessSettings, UserLimits};
use leveret::store::definitions::VhostMetadata;

use crate::house::{House, expect_channel_close};
use crate::support::{Payload, Table, method};

#[test]
fn b17_a_virtual_host_and_a_user_have_as_many_connections_as_they_may() {
    let house = House::new();
    house.add("u", "");
    house.allow("u", ".*", ".*", ".*");
    let limited = VhostMetadata { max_connections: Some(2), ..VhostMetadata::default() };
    house.environment().change_vhost("/", limited).unwrap();
    let (mut first, _second) = (house.connect("guest"), house.connect("u"));
    let text = "NOT_ALLOWED - access to vhost '/' refused for user 'u': connection limit (2) is reached; \
                it is max-connections of the vhost";
    house.opening("u", "/").expect_close(530, text, 10, 40);
    first.send(0, method::close(method::CONNECTION_CLOSE));
    first.expect(0, method::CONNECTION_CLOSE_OK);
    drop(first);
    house.environment().change_vhost("/", VhostMetadata::default()).unwrap();
    let limits = UserLimits { max_connections: Some(1), ..UserLimits::default() };
    house.access().set_limits("u", limits).unwrap();
    let text = "NOT_ALLOWED - connection refused for user 'u': user connection limit (1) is reached; \
                it is max-connections of the user";
    house.opening("u", "/").expect_close(530, text, 10, 40);
    house.connect("guest").expect_open(1);
    house.add("w", "");
    house.allow("w", ".*", ".*", ".*");
    house.access().set_limits("w", limits).unwrap();
    // The place is free as soon as the client is told, though its socket is still there.
    let closed = [(); 3].map(|()| {
        let mut raw = house.connect("w");
        raw.send(0, method::close(method::CONNECTION_CLOSE));
        raw.expect(0, method::CONNECTION_CLOSE_OK);
        raw
    });
    drop(closed);
    house.access().set_limits("u", UserLimits::default()).unwrap();
    house.connect("u").expect_open(1);
}

#[test]
fn b65_a_virtual_host_has_as_many_queues_as_it_may() {
    let house = House::new();
    let limited = VhostMetadata { max_queues: Some(2), ..VhostMetadata::default() };
    house.environment().change_vhost("/", limited).unwrap();
    let mut raw = house.connect("guest");
    let none = &Table::new();
    raw.declare(1, "a", 0, none);
    raw.declare(1, "b", 0, none);
    raw.send(1, method::queue_declare("c", 0, none));
    let text = "PRECONDITION_FAILED - cannot declare queue 'c': queue limit in vhost '/' (2) is reached; \
                it is max-queues of the vhost";
    expect_channel_close(&mut raw, 406, text);
    raw.declare(1, "a", 0, none);
    raw.send(1, method::queue_delete("b"));
    raw.expect(1, (50, 41));
    raw.declare(1, "c", 0, none);
}

#[test]
fn b65_all_virtual_hosts_together_have_as_many_queues_as_they_may() {
    let house = House::with(AccessSettings { cluster_queue_limit: Some(3), ..AccessSettings::default() });
    house.environment().create_vhost("v", VhostMetadata::default()).unwrap();
    house.allow_in("v", "guest", ".*", ".*", ".*");
    let (mut raw, mut other) = (house.connect("guest"), house.connect_to("guest", "v"));
    let none = &Table::new();
    raw.declare(1, "a", 0, none);
    raw.declare_own(1);
    other.declare(1, "a", method::DURABLE, none);
    let text = "PRECONDITION_FAILED - cannot declare queue 'b': queue limit in cluster (3) is reached; \
                it is cluster_queue_limit in the configuration";
    for raw in [&mut raw, &mut other] {
        raw.send(1, method::queue_declare("b", 0, none));
        expect_channel_close(raw, 406, text);
    }
    house.environment().delete_vhost("v").unwrap();
    raw.declare(1, "b", 0, none);
    raw.send(1, method::queue_declare("c", 0, none));
    assert_eq!(raw.expect(1, method::CHANNEL_CLOSE).close().unwrap().0, 406);
}

#[test]
fn b65_all_virtual_hosts_together_have_as_many_exchanges_as_they_may() {
    let house = House::new();
    let environment = house.environment();
    environment.create_vhost("v", VhostMetadata::default()).unwrap();
    house.allow_in("v", "guest", ".*", ".*", ".*");
    let (mut raw, mut other) = (house.connect("guest"), house.connect_to("guest", "v"));
    let declare = |name: &str, bits| method::exchange_declare(name, "direct", bits, &Table::new());
    let listed = environment.vhosts.all().iter().map(|vhost| vhost.exchanges().len() as u64 + 1).sum::<u64>();
    house.reload(|config| config.access.cluster_exchange_limit = Some(listed + 2));
    raw.send(1, declare("a", 0));
    raw.expect(1, method::EXCHANGE_DECLARE_OK);
    other.send(1, declare("a", 0));
    other.expect(1, method::EXCHANGE_DECLARE_OK);
    for (raw, vhost) in [(&mut raw, "/"), (&mut other, "v")] {
        // What is there may be declared again.
        raw.send(1, declare("a", 0));
        raw.expect(1, method::EXCHANGE_DECLARE_OK);
        raw.send(1, declare("b", 0));
        let text = format!(
            "PRECONDITION_FAILED - cannot declare exchange 'b' in vhost '{vhost}': exchange limit of {} is reached; \
             it is cluster_exchange_limit in the configuration",
            listed + 2
        );
        expect_channel_close(raw, 406, &text);
    }
    raw.send(1, method::exchange_delete("a"));
    raw.expect(1, (40, 21));
    raw.send(1, declare("b", 0));
    raw.expect(1, method::EXCHANGE_DECLARE_OK);
    // With all that is in it.
    environment.delete_vhost("v").unwrap();
    for n in 0..8 {
        raw.send(1, declare(&n.to_string(), 0));
        raw.expect(1, method::EXCHANGE_DECLARE_OK);
    }
    raw.send(1, declare("c", 0));
    assert_eq!(raw.expect(1, method::CHANNEL_CLOSE).close().unwrap().0, 406);
}

#[test]
fn b29_a_user_and_the_broker_have_as_many_channels_as_they_may() {
    let house = House::with(AccessSettings { channel_max_per_node: Some(4), ..AccessSettings::default() });
    house.add("u", "");
    house.allow("u", ".*", ".*", ".*");
    let limits = UserLimits { max_channels: Some(2), ..UserLimits::default() };
    house.access().set_limits("u", limits).unwrap();
    let mut raw = house.connect("u");
    raw.open_channel(2);
    raw.send(2, Payload::method(method::CHANNEL_CLOSE).short(200).shortstr("").short(0).short(0));
    raw.expect(2, method::CHANNEL_CLOSE_OK);
    raw.open_channel(3);
    raw.send(4, method::channel_open());
    let text = "NOT_ALLOWED - number of channels opened for user 'u' has reached the maximum allowed user limit \
                of 2; it is max-channels of the user";
    raw.expect_close(530, text, 0, 0);
    let mut guest = house.connect("guest");
    for channel in 2..5 {
        guest.open_channel(channel);
    }
    guest.send(5, method::channel_open());
    let text = "NOT_ALLOWED - number of channels opened on node 'leveret' has reached the maximum allowed limit \
                of 4; it is channel_max_per_node in the configuration";
    guest.expect_close(530, text, 0, 0);
    house.connect("u").open_channel(2);
}

#[test]
fn b58_a_channel_has_as_many_consumers_as_it_may() {
    let settings = AccessSettings { consumer_max_per_channel: Some(2), ..AccessSettings::default() };
    let house = House::with(settings);
    let mut raw = house.connect("guest");
    raw.declare(1, "q", 0, &Table::new());
    for tag in ["a", "b"] {
        raw.send(1, method::basic_consume("q", tag, 0, &Table::new()));
        raw.expect(1, (60, 21));
    }
    raw.send(1, method::basic_cancel("a"));
    raw.expect(1, (60, 31));
    raw.send(1, method::basic_consume("q", "c", 0, &Table::new()));
    raw.expect(1, (60, 21));
    raw.send(1, method::basic_consume("q", "d", 0, &Table::new()));
    let text = "NOT_ALLOWED - reached maximum (2) of consumers per channel; \
                it is consumer_max_per_channel in the configuration";
    raw.expect_close(530, text, 60, 20);
}
