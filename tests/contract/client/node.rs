//! Overview, nodes, the name and the tags of the cluster.

use leveret_contract::{Done, House};
use rabbitmq_http_client::responses::ReachabilityProbeOutcome;
use serde_json::{Map, json};

#[test]
fn the_overview_says_what_runs_here_and_how_much_of_it() {
    let House { broker, api } = House::new();
    let overview = api.overview().done();
    assert!(api.server_version().done().starts_with("4."));
    assert!(overview.product_version.starts_with("4.") && overview.erlang_version.starts_with("26"));
    assert!(overview.has_jit_enabled() || !overview.erlang_full_version.is_empty());
    assert_eq!(overview.object_totals.exchanges, 8);
    let listeners: Vec<_> = overview.listeners.iter().map(|l| (l.protocol.as_str(), l.port)).collect();
    assert!(listeners.contains(&("amqp", broker.amqp.into())), "{listeners:?}");
    assert!(listeners.contains(&("http", broker.management.into())), "{listeners:?}");
    assert_eq!(overview.node, api.list_nodes().done()[0].name);
}

#[test]
fn a_node_tells_its_limits_and_what_its_memory_is_for() {
    let House { api, broker: _broker } = House::new();
    let node = api.list_nodes().done().remove(0);
    assert!(node.memory_high_watermark > 0 && node.free_disk_space_low_watermark > 0, "{node:?}");
    assert!(node.processors > 0 && node.fd_total > 0 && node.os_pid > 0, "{node:?}");
    assert!(!node.being_drained && !node.has_memory_alarm_in_effect, "{node:?}");
    assert_eq!(api.get_node_info(&node.name).done().name, node.name);
    let memory = api.get_node_memory_footprint(&node.name).done().breakdown.expect("a breakdown");
    assert!(memory.total.rss > 0 && memory.total.max() >= memory.total.allocated, "{memory:?}");
    assert!(memory.grand_total() > 0);
    let plugins = api.list_node_plugins(&node.name).done();
    assert_eq!(plugins.0, api.list_all_cluster_plugins().done().0);
    assert!(plugins.0.iter().any(|plugin| plugin == "rabbitmq_management"), "{plugins:?}");
}

#[test]
fn a_cluster_has_a_name_and_tags_that_can_be_changed() {
    let House { api, broker: _broker } = House::new();
    api.set_cluster_name("warren").done();
    assert_eq!(api.get_cluster_name().done().name, "warren");
    assert_eq!(api.overview().done().cluster_name, "warren");
    let tags = Map::from_iter([("region".to_owned(), json!("eu"))]);
    api.set_cluster_tags(tags.clone()).done();
    assert_eq!(api.get_cluster_tags().done().0, tags);
    api.clear_cluster_tags().done();
    assert!(api.get_cluster_tags().is_err());
}

#[test]
fn logins_are_counted_by_protocol() {
    let House { broker, api } = House::new();
    assert!(broker.api("guest", "wrong").current_user().is_err());
    let node = api.overview().done().node;
    let attempts = api.auth_attempts_statistics(&node).done();
    let http = attempts.iter().find(|of| String::from(of.protocol.clone()).contains("http"));
    let http = http.expect("those over HTTP");
    assert!(http.failure_count >= 1 && http.success_count >= 1, "{http:?}");
    assert_eq!(http.all_attempt_count, http.failure_count + http.success_count, "{http:?}");
}

#[test]
fn who_asks_is_told_who_he_is() {
    let House { broker, api } = House::new();
    assert_eq!(api.current_user().done().name, "guest");
    assert!(matches!(api.probe_reachability(), ReachabilityProbeOutcome::Reached(_)));
    let wrong = broker.api("guest", "wrong").probe_reachability();
    assert!(matches!(wrong, ReachabilityProbeOutcome::Unreachable(_)));
}
