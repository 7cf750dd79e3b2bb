//! What is taken back reaches those that are connected.

use crate::house::{House, expect_channel_close};
use crate::support::raw::client_properties;
use crate::support::{Payload, Properties, Raw, Table, method};

const GONE: &str =
    "ACCESS_REFUSED - write access to exchange 'amq.default' in vhost '/' refused for user 'u'";

#[test]
fn a_publisher_whose_routes_are_remembered_is_refused_from_then_on() {
    let house = House::new();
    house.add("u", "");
    house.allow("u", "", ".*", "");
    let mut guest = house.connect("guest");
    guest.declare(1, "q", 0, &Table::new());
    let mut raw = house.connect("u");
    let none = Properties::new();
    for _ in 0..3 {
        raw.publish(1, "", "q", &none, b"x");
    }
    raw.expect_open(1);
    house.allow("u", "", "^other$", "");
    raw.publish(1, "", "q", &none, b"x");
    expect_channel_close(&mut raw, 403, GONE);
    assert_eq!(guest.message_count(1, "q"), 3);
    house.allow("u", "", "^amq\\.default$", "");
    raw.publish(1, "", "q", &none, b"x");
    raw.expect_open(1);
    assert_eq!(guest.message_count(1, "q"), 4);
}

#[test]
fn b72_a_consumer_that_may_not_read_its_queue_any_more_is_cancelled_and_others_go_on() {
    let house = House::new();
    house.add("u", "");
    house.allow("u", "", "", "^(a|b)$");
    let mut guest = house.connect("guest");
    for queue in ["a", "b"] {
        guest.declare(1, queue, 0, &Table::new());
    }
    let mut raw = house.connect("u");
    for queue in ["a", "b"] {
        raw.send(1, method::basic_consume(queue, queue, 0, &Table::new()));
        raw.expect(1, (60, 21));
    }
    guest.publish(1, "", "a", &Properties::new(), b"held");
    raw.expect(1, (60, 60));
    raw.expect_all(2);
    house.allow("u", "", "", "^b$");
    let cancel = raw.expect(1, (60, 30));
    assert_eq!(cancel.arguments().shortstr(), "a");
    assert_eq!(guest.message_count(1, "a"), 1, "what it held is back");
    guest.publish(1, "", "b", &Properties::new(), b"goes on");
    raw.expect(1, (60, 60));
}

#[test]
fn b72_a_client_that_does_not_know_cancel_loses_its_channel() {
    let house = House::new();
    house.add("u", "");
    house.allow("u", ".*", "", ".*");
    let mut raw = Raw::started(&house.broker);
    raw.send(0, method::connection_start_ok(&Table::new(), "PLAIN", b"\0u\0u"));
    raw.expect_tune();
    raw.send(0, method::connection_tune_ok(2047, 131_072, 0));
    raw.send(0, method::connection_open("/"));
    raw.expect(0, method::CONNECTION_OPEN_OK);
    raw.open_channel(1);
    raw.declare(1, "q", 0, &Table::new());
    raw.send(1, method::basic_consume("q", "t", 0, &Table::new()));
    raw.expect(1, (60, 21));
    house.allow("u", ".*", "", "");
    let text = "ACCESS_REFUSED - read access to queue 'q' in vhost '/' refused for user 'u'";
    expect_channel_close(&mut raw, 403, text);
}

#[test]
fn b72_a_user_without_any_permission_is_put_out_of_the_virtual_host() {
    let house = House::new();
    house.add("u", "");
    house.allow("u", ".*", ".*", ".*");
    let mut raw = house.connect("u");
    house.environment().clear_permission("u", "/").unwrap();
    let text = "NOT_ALLOWED - access to vhost '/' refused for user 'u'";
    raw.expect_close(530, text, 0, 0);
    house.opening("u", "/").expect_close(530, text, 10, 40);
    house.connect("guest").expect_open(1);
}

#[test]
fn b72_the_connections_of_a_user_that_is_deleted_are_closed_and_it_cannot_come_again() {
    let house = House::new();
    house.add("u", "");
    house.allow("u", ".*", ".*", ".*");
    let mut raws = [house.connect("u"), house.connect("u")];
    raws[0].declare_own(1);
    house.environment().delete_user("u").unwrap();
    for raw in &mut raws {
        raw.expect_close(320, "CONNECTION_FORCED - user 'u' is deleted", 0, 0);
    }
    let mut raw = Raw::started(&house.broker);
    raw.send(0, method::connection_start_ok(&client_properties(), "PLAIN", b"\0u\0u"));
    let text = "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. \
                For details see the broker logfile.";
    raw.expect_close(403, text, 0, 0);
    house.connect("guest").expect_open(1);
    house.add("u", "");
    let text = "NOT_ALLOWED - access to vhost '/' refused for user 'u'";
    house.opening("u", "/").expect_close(530, text, 10, 40);
}

#[test]
fn a_get_and_a_declare_are_refused_as_soon_as_the_permission_goes() {
    let house = House::new();
    house.add("u", "");
    house.allow("u", ".*", "", ".*");
    let mut raw = house.connect("u");
    raw.declare(1, "q", 0, &Table::new());
    assert!(raw.get(1, "q").is_none());
    house.allow("u", "^x", "", "^x");
    for (method, action) in
        [(method::basic_get("q", true), "read"), (method::queue_declare("q", 0, &Table::new()), "configure")]
    {
        raw.send(1, method);
        let text = format!("ACCESS_REFUSED - {action} access to queue 'q' in vhost '/' refused for user 'u'");
        expect_channel_close(&mut raw, 403, &text);
    }
    raw.send(1, Payload::method((85, 10)).octet(0));
    raw.expect(1, (85, 11));
}
