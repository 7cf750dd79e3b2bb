//! Users, permissions, topic permissions, limits of users.

use leveret_contract::{Amqp, Done, House};
use rabbitmq_http_client::commons::{PaginationParams, UserLimitTarget};
use rabbitmq_http_client::password_hashing::{base64_encoded_salted_password_hash_sha256, salt};
use rabbitmq_http_client::requests::{EnforcedLimitParams, Permissions, TopicPermissions, UserParams};

fn hash(password: &str) -> String {
    base64_encoded_salted_password_hash_sha256(&salt(), password)
}

#[test]
fn a_user_is_made_seen_and_deleted_and_may_log_in_with_a_hash_from_elsewhere() {
    let House { broker, api } = House::new();
    let hash = hash("alice");
    api.create_user(&UserParams::administrator("alice", &hash)).done();
    let alice = api.get_user("alice").done();
    assert_eq!(alice.tags.to_string(), "administrator");
    assert_eq!(alice.password_hash.expect("a hash").as_str(), hash);
    assert_eq!(broker.api("alice", "alice").current_user().done().name, "alice");
    api.create_user(&UserParams::without_tags("bob", &hash)).done();
    let names = |users: Vec<rabbitmq_http_client::responses::User>| {
        users.into_iter().map(|user| user.name).collect::<Vec<_>>()
    };
    assert_eq!(names(api.list_users().done()), ["alice", "bob", "guest"]);
    assert_eq!(names(api.list_users_paged(&PaginationParams::new(2, 2)).done()), ["guest"]);
    assert_eq!(names(api.list_users_without_permissions().done()), ["alice", "bob"]);
    api.delete_user("bob", false).done();
    assert!(api.delete_user("bob", false).is_err());
    api.delete_user("bob", true).done();
    api.delete_users(vec!["alice"]).done();
    assert!(api.get_user("alice").is_err());
}

#[test]
fn permissions_are_given_seen_and_taken() {
    let House { broker, api } = House::new();
    api.create_user(&UserParams::management("alice", &hash("alice"))).done();
    let read = Permissions { user: "alice", vhost: "/", configure: "", read: "^a", write: "" };
    api.declare_permissions(&read).done();
    assert_eq!(api.get_permissions("/", "alice").done().read, "^a");
    api.grant_permissions(&Permissions::full_access("alice", "/")).done();
    assert_eq!(api.get_permissions("/", "alice").done().configure, ".*");
    api.declare_permissions(&read).done();
    api.grant_full_permissions("alice", "/").done();
    assert_eq!(api.list_permissions_of("alice").done()[0].write, ".*");
    assert_eq!(api.list_permissions().done().len(), 2);
    assert_eq!(api.list_permissions_in("/").done().len(), 2);
    assert!(Amqp::open(&broker, "alice", "a").is_open());
    api.clear_permissions("/", "alice", false).done();
    assert!(api.get_permissions("/", "alice").is_err());
    assert!(api.clear_permissions("/", "alice", false).is_err());
    api.clear_permissions("/", "alice", true).done();
}

#[test]
fn topic_permissions_are_given_seen_and_taken() {
    let House { api, broker: _broker } = House::new();
    let own = TopicPermissions { user: "guest", vhost: "/", write: "^a", read: "^b", exchange: "amq.topic" };
    api.declare_topic_permissions(&own).done();
    for found in [
        api.list_topic_permissions().done(),
        api.list_topic_permissions_in("/").done(),
        api.list_topic_permissions_of("guest").done(),
    ] {
        assert_eq!(
            (found.len(), found[0].exchange.as_str(), found[0].write.as_str()),
            (1, "amq.topic", "^a")
        );
    }
    assert_eq!(api.get_topic_permissions_of("/", "guest").done().read, "^b");
    api.clear_topic_permissions("/", "guest", false).done();
    assert!(api.list_topic_permissions_in("/").done().is_empty());
    api.clear_topic_permissions("/", "guest", true).done();
}

#[test]
fn what_a_user_may_have_is_limited_and_no_more() {
    let House { api, broker: _broker } = House::new();
    api.set_user_limit("guest", EnforcedLimitParams::new(UserLimitTarget::MaxConnections, 100)).done();
    api.set_user_limit("guest", EnforcedLimitParams::new(UserLimitTarget::MaxChannels, 7)).done();
    for found in [api.list_all_user_limits().done(), api.list_user_limits("guest").done()] {
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].username.as_str(), &found[0].limits["max-channels"]), ("guest", &7.into()));
    }
    api.clear_user_limit("guest", UserLimitTarget::MaxChannels).done();
    assert_eq!(api.list_user_limits("guest").done()[0].limits.len(), 1);
    api.clear_user_limit("guest", UserLimitTarget::MaxConnections).done();
    assert!(api.list_user_limits("guest").done().iter().all(|of| of.limits.is_empty()));
}
