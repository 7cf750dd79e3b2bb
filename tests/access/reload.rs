//! What changes for users when the configuration is read again.

use leveret::access::LoginRefused;
use leveret::auth::{Claim, Credentials, Mechanism};

use crate::house::House;
use crate::login::offered;
use crate::support::{Table, method};

#[test]
fn mechanisms_and_who_may_come_from_afar_are_those_of_the_configuration_that_was_read_last() {
    let house = House::new();
    let from_afar = || {
        let claim = Claim::Password(Credentials { login: "guest", password: b"guest" });
        let origin = std::net::IpAddr::from([192, 0, 2, 1]).into();
        house.access().log_in(claim, &origin).map(|user| user.name.to_string())
    };
    assert_eq!(from_afar(), Err(LoginRefused::LoopbackOnly));
    let changes = house.reload(|config| {
        config.access.loopback_users.clear();
        config.access.mechanisms = vec![Mechanism::Plain, Mechanism::Anonymous];
        config.access.anonymous_user = Some("guest".into());
        config.access.default_user.name = "other".into();
    });
    let named = |changes: &[leveret::config::Change]| changes.iter().map(|one| one.key).collect::<Vec<_>>();
    assert_eq!(named(&changes.now), ["loopback_users", "auth_mechanisms", "anonymous_login_user"]);
    assert_eq!(named(&changes.after_restart), ["default_user"]);
    assert_eq!(from_afar(), Ok("guest".to_owned()));
    assert_eq!(offered(&house), "PLAIN ANONYMOUS");
    house.reload(|config| {
        config.access.loopback_users.push("guest".into());
        config.access.anonymous_user = None;
    });
    assert_eq!(from_afar(), Err(LoginRefused::LoopbackOnly));
    assert_eq!(offered(&house), "PLAIN");
}

#[test]
fn limits_of_channels_queues_and_consumers_hold_for_what_comes_after_they_were_read() {
    let house = House::new();
    let mut raw = house.connect("guest");
    let none = &Table::new();
    for name in ["a", "b"] {
        raw.declare(1, name, 0, none);
        raw.send(1, method::basic_consume(name, name, 0, none));
        raw.expect(1, (60, 21));
    }
    raw.open_channel(2);
    house.reload(|config| {
        config.access.channel_max_per_node = Some(1);
        config.access.cluster_queue_limit = Some(1);
        config.access.consumer_max_per_channel = Some(1);
    });
    raw.expect_open(1);
    raw.send(2, method::queue_declare("c", 0, none));
    assert_eq!(raw.expect(2, method::CHANNEL_CLOSE).close().unwrap().0, 406);
    let mut other = house.opening("guest", "/");
    other.expect(0, method::CONNECTION_OPEN_OK);
    other.send(1, method::channel_open());
    let text = "NOT_ALLOWED - number of channels opened on node 'leveret' has reached the maximum allowed limit \
                of 1; it is channel_max_per_node in the configuration";
    other.expect_close(530, text, 0, 0);
    raw.send(1, method::basic_consume("a", "c", 0, none));
    let text = "NOT_ALLOWED - reached maximum (1) of consumers per channel; \
                it is consumer_max_per_channel in the configuration";
    raw.expect_close(530, text, 60, 20);
    house.reload(|config| config.access = leveret::auth::AccessSettings::default());
    let mut raw = house.connect("guest");
    raw.declare(1, "c", 0, none);
    raw.open_channel(2);
}
