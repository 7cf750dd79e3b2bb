//! Virtual hosts and their limits.

use leveret_contract::{Done, House};
use rabbitmq_http_client::commons::{PaginationParams, QueueType, VirtualHostLimitTarget};
use rabbitmq_http_client::requests::{EnforcedLimitParams, VirtualHostParams};

#[test]
fn a_virtual_host_is_made_changed_protected_and_deleted() {
    let House { api, broker: _broker } = House::new();
    let made = VirtualHostParams::named("shop")
        .with_description("orders")
        .with_tags(vec!["a", "b"])
        .with_default_queue_type(QueueType::Classic);
    api.create_vhost(&made).done();
    let shop = api.get_vhost("shop").done();
    assert_eq!(
        (shop.description.as_deref(), shop.default_queue_type.as_deref()),
        (Some("orders"), Some("classic"))
    );
    assert_eq!(shop.tags.expect("tags").to_string(), "a, b");
    assert_eq!(shop.protected_from_deletion, Some(false));
    api.update_vhost(&VirtualHostParams::named("shop").with_description("goods")).done();
    assert_eq!(api.get_vhost("shop").done().description.as_deref(), Some("goods"));
    assert_eq!(api.list_vhosts().done().len(), 2);
    assert_eq!(api.list_vhosts_paged(&PaginationParams::new(1, 1)).done().len(), 1);
    api.enable_vhost_deletion_protection("shop").done();
    assert_eq!(api.get_vhost("shop").done().protected_from_deletion, Some(true));
    assert!(api.delete_vhost("shop", false).is_err());
    api.disable_vhost_deletion_protection("shop").done();
    api.delete_vhost("shop", false).done();
    assert!(api.get_vhost("shop").is_err());
    assert!(api.delete_vhost("shop", false).is_err());
    api.delete_vhost("shop", true).done();
}

#[test]
fn how_much_a_virtual_host_may_have_is_limited_and_no_more() {
    let House { api, broker: _broker } = House::new();
    api.set_vhost_limit("/", EnforcedLimitParams::new(VirtualHostLimitTarget::MaxQueues, 1)).done();
    api.set_vhost_limit("/", EnforcedLimitParams::new(VirtualHostLimitTarget::MaxConnections, 9)).done();
    for found in [api.list_all_vhost_limits().done(), api.list_vhost_limits("/").done()] {
        assert_eq!((found.len(), found[0].vhost.as_str()), (1, "/"));
        assert_eq!(
            (&found[0].limits["max-queues"], &found[0].limits["max-connections"]),
            (&1.into(), &9.into())
        );
    }
    api.declare_classic_queue("/", "a").done();
    assert!(api.declare_classic_queue("/", "b").is_err());
    api.clear_vhost_limit("/", VirtualHostLimitTarget::MaxQueues).done();
    api.clear_vhost_limit("/", VirtualHostLimitTarget::MaxConnections).done();
    api.declare_classic_queue("/", "b").done();
    assert!(api.list_vhost_limits("/").done().iter().all(|of| of.limits.is_empty()));
}
