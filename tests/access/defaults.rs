//! What the configuration says for virtual hosts and queues that say nothing themselves.

use std::time::Duration;

use leveret::config::VhostSettings;
use leveret::connection::operate::Unchanged;
use leveret::policy::PolicyKind;
use leveret::store::definitions::VhostMetadata;

use crate::house::{House, expect_channel_close};
use crate::support::{Properties, Table, method};

#[test]
fn virtual_hosts_are_made_with_the_limits_and_operator_policies_for_their_names() {
    let house = House::configured(VhostSettings {
        default_limits: vec!["pattern=^v max_queues=1 max_connections=2".parse().unwrap()],
        default_policies: vec!["name=short vhost_pattern=^v queue_pattern=^t max-length=3".parse().unwrap()],
        ..VhostSettings::default()
    });
    let environment = house.environment();
    let own = VhostMetadata { max_connections: Some(9), ..VhostMetadata::default() };
    environment.create_vhost("v", own).unwrap();
    environment.create_vhost("w", VhostMetadata::default()).unwrap();
    let made = |name: &str| {
        let vhost = environment.vhosts.get(name).unwrap();
        let policies = vhost.policies();
        let policies =
            policies.of(PolicyKind::Operator).iter().map(|one| one.name.to_string()).collect::<Vec<_>>();
        (vhost.metadata().max_connections, vhost.metadata().max_queues, policies)
    };
    assert_eq!(made("v"), (Some(9), Some(1), vec!["short".to_owned()]));
    assert_eq!(made("w"), (None, None, vec![]));
    house.allow_in("v", "guest", ".*", ".*", ".*");
    let mut raw = house.connect_to("guest", "v");
    raw.declare(1, "t", 0, &Table::new());
    assert_eq!(
        environment.vhosts.get("v").unwrap().queues().get("t").unwrap().terms().unwrap().max_length,
        Some(3)
    );
    raw.send(1, method::queue_declare("u", 0, &Table::new()));
    let text = "PRECONDITION_FAILED - cannot declare queue 'u': queue limit in vhost 'v' (1) is reached; \
                it is max-queues of the vhost";
    expect_channel_close(&mut raw, 406, text);
    house.reload(|config| config.vhosts.default_limits.clear());
    environment.create_vhost("v2", VhostMetadata::default()).unwrap();
    assert_eq!(made("v2"), (None, None, vec!["short".to_owned()]));
    assert_eq!(made("v").1, Some(1), "those that are there keep theirs");
}

#[test]
fn there_are_as_many_virtual_hosts_as_there_may_be() {
    let house = House::configured(VhostSettings { max: Some(2), ..VhostSettings::default() });
    let environment = house.environment();
    environment.create_vhost("a", VhostMetadata::default()).unwrap();
    let refused = environment.create_vhost("b", VhostMetadata::default()).unwrap_err();
    assert_eq!(refused, Unchanged::TooManyVhosts(2));
    assert_eq!(refused.to_string(), "vhost limit of 2 is reached; it is vhost_max in the configuration");
    environment.delete_vhost("a").unwrap();
    environment.create_vhost("b", VhostMetadata::default()).unwrap();
    house.reload(|config| config.vhosts.max = None);
    environment.create_vhost("c", VhostMetadata::default()).unwrap();
}

#[test]
fn queues_without_a_type_have_that_of_their_virtual_host_or_else_that_of_the_configuration() {
    let house = House::configured(VhostSettings {
        default_queue_type: Some("quorum".into()),
        ..VhostSettings::default()
    });
    let is_quorum =
        |name| house.environment().vhosts.get("/").unwrap().queues().get(name).unwrap().options().is_quorum();
    let mut raw = house.connect("guest");
    raw.declare(1, "a", method::DURABLE, &Table::new());
    raw.declare(1, "transient", 0, &Table::new());
    assert!(is_quorum("a") && !is_quorum("transient"));
    let classic = VhostMetadata { default_queue_type: Some("classic".into()), ..VhostMetadata::default() };
    house.environment().change_vhost("/", classic).unwrap();
    raw.declare(1, "b", method::DURABLE, &Table::new());
    house.environment().change_vhost("/", VhostMetadata::default()).unwrap();
    house.reload(|config| config.vhosts.default_queue_type = None);
    raw.declare(1, "c", method::DURABLE, &Table::new());
    assert!(!is_quorum("b") && !is_quorum("c"));
}

#[test]
fn b68_deliveries_are_late_after_the_time_of_the_configuration_unless_the_queue_says_another() {
    let house = House::configured(VhostSettings {
        consumer_timeout: Some(Duration::from_mins(30)),
        ..VhostSettings::default()
    });
    let timeout = |name| {
        let queue = house.environment().vhosts.get("/").unwrap().queues().get(name).unwrap();
        queue.terms().unwrap().consumer_timeout
    };
    let mut raw = house.connect("guest");
    let minute = Table::new().int("x-consumer-timeout", 60_000);
    raw.declare(1, "says nothing", 0, &Table::new());
    raw.declare(1, "a minute", 0, &minute);
    raw.declare(1, "for ever", 0, &Table::new().int("x-consumer-timeout", 0));
    let all = || ["says nothing", "a minute", "for ever"].map(timeout);
    let minutes = |minutes| Some(Duration::from_mins(minutes));
    assert_eq!(all(), [minutes(30), minutes(1), None]);
    raw.publish(1, "", "says nothing", &Properties::new(), b"x");
    raw.send(1, method::basic_consume("says nothing", "c", 0, &Table::new()));
    raw.expect(1, (60, 21));
    raw.expect_deliver(1);
    // What is out is late by what was read last.
    house.reload(|config| config.vhosts.consumer_timeout = Some(Duration::from_millis(1)));
    assert_eq!(all(), [Some(Duration::from_millis(1)), minutes(1), None]);
    raw.expect(1, (60, 30));
    house.reload(|config| config.vhosts.consumer_timeout = None);
    assert_eq!(all(), [None, minutes(1), None]);
}

#[test]
fn a_virtual_host_that_is_protected_is_not_deleted() {
    let house = House::new();
    let environment = house.environment();
    let metadata = VhostMetadata { protected_from_deletion: true, ..VhostMetadata::default() };
    environment.create_vhost("v", metadata).unwrap();
    assert_eq!(environment.delete_vhost("v").unwrap_err(), Unchanged::ProtectedVhost);
    house.allow_in("v", "guest", "", "", "");
    house.connect_to("guest", "v").expect_open(1);
    environment.change_vhost("v", VhostMetadata::default()).unwrap();
    environment.delete_vhost("v").unwrap();
}

#[test]
fn b17_names_that_no_client_can_say_are_not_given() {
    let house = House::new();
    for (length, is_given) in [(0, false), (1, true), (255, true), (256, false)] {
        let name = "n".repeat(length);
        let made = house.environment().create_vhost(&name, VhostMetadata::default());
        assert_eq!(made.is_ok(), is_given, "{length}");
        let user = leveret::auth::User {
            name: name.into(),
            password: None,
            tags: leveret::auth::Tags::default(),
            limits: leveret::auth::UserLimits::default(),
        };
        assert_eq!(house.access().add_user(user.clone()).is_ok(), is_given, "{length}");
        let put = house.access().put_user(user).map_err(|error| error.to_string());
        assert_eq!(put.is_ok(), is_given, "{length}");
        assert!(put.map_or_else(|said| said == "a user's name has 1 to 255 bytes", |_| true));
    }
}

#[test]
fn virtual_hosts_are_made_with_the_users_for_their_names_and_users_that_are_there_stay_as_they_are() {
    let house = House::configured(VhostSettings {
        default_users: vec![
            "name=device vhost_pattern=^v password=device tags=monitoring write=^$".parse().unwrap(),
            "name=guest vhost_pattern=^v password=other".parse().unwrap(),
        ],
        ..VhostSettings::default()
    });
    let environment = house.environment();
    environment.create_vhost("w", VhostMetadata::default()).unwrap();
    assert!(house.access().user("device").is_none(), "it is for others");
    environment.create_vhost("v1", VhostMetadata::default()).unwrap();
    let device = house.access().user("device").unwrap();
    assert!(device.tags.iter().eq(["monitoring"]));
    // They log in with their own passwords: guest's is what it was.
    let mut raw = house.connect_to("device", "v1");
    raw.declare(1, "q", 0, &Table::new());
    raw.publish(1, "", "q", &Properties::new(), b"x");
    let text =
        "ACCESS_REFUSED - write access to exchange 'amq.default' in vhost 'v1' refused for user 'device'";
    expect_channel_close(&mut raw, 403, text);
    house.connect_to("guest", "v1").declare(1, "r", 0, &Table::new());
    house.access().set_tags("device", leveret::auth::Tags::default()).unwrap();
    environment.create_vhost("v2", VhostMetadata::default()).unwrap();
    assert_eq!(house.access().user("device").unwrap().tags, leveret::auth::Tags::default());
    house.connect_to("device", "v2");
}
