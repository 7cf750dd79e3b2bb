//! Definitions.

use leveret_contract::{Done, House};
use rabbitmq_http_client::requests::VirtualHostParams;
use serde_json::Value;

fn furnished() -> House {
    let house = House::new();
    house.api.create_vhost(&VirtualHostParams::named("shop")).done();
    house.api.grant_full_permissions("guest", "shop").done();
    house.api.declare_classic_queue("shop", "orders").done();
    house.api.bind_queue("shop", "orders", "amq.topic", Some("order.#"), None).done();
    house
}

#[test]
fn all_definitions_go_from_one_broker_to_another() {
    let House { api, broker } = furnished();
    let data = api.export_cluster_wide_definitions_as_data().done();
    assert_eq!((data.queues.len(), data.bindings.len(), data.virtual_hosts.len()), (1, 1, 2));
    assert_eq!((data.users[0].name.as_str(), data.permissions.len()), ("guest", 2));
    let text = api.export_cluster_wide_definitions().done();
    assert_eq!(text, api.export_cluster_wide_definitions_as_string().done());
    let exported: Value = serde_json::from_str(&text).expect("JSON");
    let other = House::new();
    other.api.import_definitions(exported.clone()).done();
    other.api.import_cluster_wide_definitions(exported.clone()).done();
    assert_eq!(other.api.list_queue_bindings("shop", "orders").done().len(), 2);
    let again: Value =
        serde_json::from_str(&other.api.export_cluster_wide_definitions().done()).expect("JSON");
    for part in ["users", "vhosts", "permissions", "queues", "exchanges", "bindings", "policies"] {
        assert_eq!(again[part], exported[part], "{part}");
    }
    drop(broker);
}

#[test]
fn those_of_one_virtual_host_go_into_another() {
    let House { api, .. } = &furnished();
    let data = api.export_vhost_definitions_as_data("shop").done();
    assert_eq!((data.queues.len(), data.bindings.len()), (1, 1));
    let text = api.export_vhost_definitions("shop").done();
    assert_eq!(text, api.export_vhost_definitions_as_string("shop").done());
    api.create_vhost(&VirtualHostParams::named("copy")).done();
    api.grant_full_permissions("guest", "copy").done();
    api.import_vhost_definitions("copy", serde_json::from_str(&text).expect("JSON")).done();
    assert_eq!(api.list_queue_bindings("copy", "orders").done().len(), 2);
}
