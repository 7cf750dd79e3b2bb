//! Users, permissions and virtual hosts outlive the broker, however it ends.

use leveret::auth::{Tags, TopicPermission, UserLimits};
use leveret::rate::{RateLimit, RateOverflow};
use leveret::store::definitions::VhostMetadata;

use crate::house::House;
use crate::support::{Properties, Table, TempDir, copy_folder, method};

/// Everything that can be changed is, some of it twice.
fn change(house: &House) {
    let environment = house.environment();
    let access = house.access();
    for name in ["a", "b", "gone", "passwordless"] {
        house.add(name, "monitoring");
    }
    access.set_password("passwordless", None).unwrap();
    access.set_tags("a", Tags::parse("administrator,my own").unwrap()).unwrap();
    let publish_rate = RateLimit::new(None, Some(5), RateOverflow::Block);
    access
        .set_limits("b", UserLimits { max_connections: Some(7), publish_rate, ..UserLimits::default() })
        .unwrap();
    let metadata = VhostMetadata {
        description: "of tests".to_owned(),
        tags: vec!["x".to_owned(), "y".to_owned()],
        default_queue_type: Some("quorum".to_owned()),
        max_connections: None,
        max_queues: Some(9),
        publish_rate: RateLimit::new(Some(100), Some(1_000_000), RateOverflow::Reject),
        protected_from_deletion: true,
    };
    environment.create_vhost("v", metadata.clone()).unwrap();
    environment.change_vhost("v", VhostMetadata { max_queues: Some(5), ..metadata }).unwrap();
    environment.create_vhost("gone", VhostMetadata::default()).unwrap();
    house.allow("a", "^a", ".*", "");
    house.allow_in("v", "a", ".*", ".*", ".*");
    house.allow_in("gone", "a", ".*", ".*", ".*");
    house.allow("b", "x", "x", "x");
    environment.clear_permission("b", "/").unwrap();
    house.allow("gone", ".*", ".*", ".*");
    for (exchange, write) in [("amq.topic", "^{username}"), ("other", "x"), ("third", "y")] {
        let topic = TopicPermission::parse(&"a".into(), &"v".into(), exchange.into(), write, "").unwrap();
        environment.set_topic_permission("a", "v", topic).unwrap();
    }
    environment.clear_topic_permissions("a", "v", Some("other")).unwrap();
    let mut raw = house.connect_to("a", "gone");
    raw.declare(1, "q", method::DURABLE, &Table::new());
    let mut raw = house.connect_to("a", "v");
    raw.declare(1, "q", method::DURABLE, &Table::new());
    raw.send(1, method::confirm_select());
    raw.expect(1, (85, 11));
    raw.publish(1, "", "q", &Properties::new().delivery_mode(2), b"kept in v");
    raw.expect(1, (60, 80));
    environment.delete_vhost("gone").unwrap();
    let until = environment.delete_user("gone").unwrap();
    assert!(environment.wait(until));
}

fn check(house: &House) {
    let access = house.access();
    let users = access.users().into_iter().map(|user| {
        let has_password = user.password.is_some();
        (user.name.to_string(), user.tags.to_string(), has_password, user.limits.max_connections)
    });
    let expected = [
        ("a", "administrator,my own", true, None),
        ("b", "monitoring", true, Some(7)),
        ("guest", "administrator", true, None),
        ("passwordless", "monitoring", false, None),
    ];
    let expected =
        expected.map(|(name, tags, password, max)| (name.to_owned(), tags.to_owned(), password, max));
    assert_eq!(users.collect::<Vec<_>>(), expected);
    let permissions = access.permissions().into_iter().map(|entry| {
        let permission = entry.permission;
        let patterns = [permission.configure, permission.write, permission.read];
        let patterns = patterns.map(|names| names.as_str().to_owned()).join(" ");
        format!("{} {} {patterns}", entry.user, entry.vhost)
    });
    assert_eq!(permissions.collect::<Vec<_>>(), ["a / ^a .* ", "a v .* .* .*", "guest / .* .* .*"]);
    let topics = access.topic_permissions().into_iter().map(|entry| {
        format!("{} {} {} {}", entry.user, entry.vhost, entry.topic.exchange, entry.topic.write.as_str())
    });
    assert_eq!(topics.collect::<Vec<_>>(), ["a v amq.topic ^{username}", "a v third y"]);
    let vhosts = &house.environment().vhosts;
    let mut names: Vec<_> = vhosts.all().iter().map(|vhost| vhost.name().to_string()).collect();
    names.sort_unstable();
    assert_eq!(names, ["/", "v"]);
    let metadata = vhosts.get("v").unwrap().metadata();
    assert_eq!((metadata.description.as_str(), metadata.max_queues), ("of tests", Some(5)));
    assert_eq!((metadata.tags.len(), metadata.default_queue_type.as_deref()), (2, Some("quorum")));
    let mut raw = house.connect_to("a", "v");
    assert_eq!(raw.get(1, "q").unwrap().body, b"kept in v");
    raw.publish(1, "", "q", &Properties::new().delivery_mode(2), b"kept in v");
    raw.send(1, method::confirm_select());
    raw.expect(1, (85, 11));
}

#[test]
fn who_may_do_what_is_the_same_after_a_restart_and_the_one_after_it() {
    let data = TempDir::new();
    let house = House::on(data.path());
    change(&house);
    check(&house);
    house.stop();
    for _ in 0..2 {
        let house = House::on(data.path());
        check(&house);
        house.stop();
    }
}

#[test]
fn who_may_do_what_is_the_same_after_the_broker_was_killed() {
    let (data, copy) = (TempDir::new(), TempDir::new());
    let house = House::on(data.path());
    change(&house);
    // What is on the disk at this moment is what a killed broker leaves.
    copy_folder(data.path(), copy.path());
    let after = House::on(copy.path());
    check(&after);
    after.stop();
    house.stop();
}

#[test]
fn a_default_user_that_was_deleted_does_not_come_again_while_there_is_another() {
    let data = TempDir::new();
    let house = House::on(data.path());
    house.add("a", "administrator");
    house.allow("a", ".*", ".*", ".*");
    let until = house.environment().delete_user("guest").unwrap();
    assert!(house.environment().wait(until));
    house.stop();
    let house = House::on(data.path());
    assert!(house.access().user("guest").is_none());
    house.connect("a").expect_open(1);
    house.environment().delete_user("a").unwrap();
    house.stop();
    let house = House::on(data.path());
    house.connect("guest").expect_open(1);
}
