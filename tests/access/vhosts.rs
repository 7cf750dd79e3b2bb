//! Virtual hosts that come and go.

use leveret::store::definitions::VhostMetadata;

use crate::house::House;
use crate::support::{Properties, Table, method};

fn house() -> House {
    let house = House::new();
    house.environment().create_vhost("v", VhostMetadata::default()).unwrap();
    house
}

#[test]
fn a_virtual_host_is_entered_by_those_that_have_a_permission_in_it() {
    let house = house();
    let text = "NOT_ALLOWED - access to vhost 'v' refused for user 'guest'";
    house.opening("guest", "v").expect_close(530, text, 10, 40);
    house.allow_in("v", "guest", "", "", "");
    house.connect_to("guest", "v").expect_open(1);
    assert!(house.environment().create_vhost("v", VhostMetadata::default()).is_err());
}

#[test]
fn b72_a_virtual_host_that_is_deleted_takes_its_connections_along_and_comes_again_empty() {
    let house = house();
    house.allow_in("v", "guest", ".*", ".*", ".*");
    let none = &Table::new();
    let mut raw = house.connect_to("guest", "v");
    raw.declare(1, "q", method::DURABLE, none);
    raw.declare(1, "own", method::EXCLUSIVE, none);
    raw.send(1, method::exchange_declare("x", "fanout", method::DURABLE, none));
    raw.expect(1, (40, 11));
    raw.send(1, method::queue_bind("q", "x", "", none));
    raw.expect(1, (50, 21));
    raw.publish(1, "x", "", &Properties::new().delivery_mode(2), b"x");
    raw.expect_open(1);
    let mut other = house.connect("guest");
    house.environment().delete_vhost("v").unwrap();
    raw.expect_close(320, "CONNECTION_FORCED - vhost 'v' is deleted", 0, 0);
    house.opening("guest", "v").expect_close(530, "NOT_ALLOWED - vhost v not found", 10, 40);
    other.expect_open(1);
    assert!(house.environment().delete_vhost("v").is_err());

    house.environment().create_vhost("v", VhostMetadata::default()).unwrap();
    let text = "NOT_ALLOWED - access to vhost 'v' refused for user 'guest'";
    house.opening("guest", "v").expect_close(530, text, 10, 40);
    house.allow_in("v", "guest", ".*", ".*", ".*");
    let mut raw = house.connect_to("guest", "v");
    raw.send(1, method::queue_declare("q", method::PASSIVE, none));
    assert_eq!(raw.expect(1, method::CHANNEL_CLOSE).close().unwrap().0, 404);
}

#[test]
fn queues_are_of_the_type_that_their_virtual_host_says_if_they_can_be() {
    let house = house();
    house.allow_in("v", "guest", ".*", ".*", ".*");
    let quorum = Some("quorum".to_owned());
    let metadata = VhostMetadata { default_queue_type: quorum, ..VhostMetadata::default() };
    house.environment().change_vhost("v", metadata).unwrap();
    let mut raw = house.connect_to("guest", "v");
    let none = &Table::new();
    raw.declare(1, "durable", method::DURABLE, none);
    raw.declare(1, "durable", method::DURABLE, &Table::new().text("x-queue-type", "quorum"));
    raw.declare(1, "transient", 0, none);
    raw.declare_own(1);
    raw.declare(1, "classic", method::DURABLE, &Table::new().text("x-queue-type", "classic"));
    raw.send(
        1,
        method::queue_declare("durable", method::DURABLE, &Table::new().text("x-queue-type", "classic")),
    );
    assert_eq!(raw.expect(1, method::CHANNEL_CLOSE).close().unwrap().0, 406);
}
