//! Parameters and global parameters. Shovels and federation upstreams are kept, though nothing runs by them.

use leveret_contract::{Api, Done, House};
use rabbitmq_http_client::commons::QueueType;
use rabbitmq_http_client::requests::{
    Amqp091ShovelDestinationParams, Amqp091ShovelParams, Amqp091ShovelSourceParams, ExchangeFederationParams,
    FederationUpstreamParams, GlobalRuntimeParameterDefinition, RuntimeParameterDefinition,
};
use serde_json::{Map, json};

const HERE: &str = "amqp://localhost";

fn declare_upstream(api: &Api, name: &str) {
    let exchange = ExchangeFederationParams::new(QueueType::Classic);
    let upstream = FederationUpstreamParams::new_exchange_federation_upstream("/", name, HERE, exchange);
    api.declare_federation_upstream(upstream).done();
}

#[test]
fn parameters_are_set_seen_and_cleared() {
    let House { api, broker: _broker } = House::new();
    let value = Map::from_iter([("uri".to_owned(), json!(HERE)), ("expires".to_owned(), json!(3_600_000))]);
    let upstream = RuntimeParameterDefinition {
        name: "up",
        vhost: "/",
        component: "federation-upstream",
        value: value.clone(),
    };
    api.upsert_runtime_parameter(&upstream).done();
    let found = api.get_runtime_parameter("federation-upstream", "/", "up").done();
    assert_eq!(found.value.0, value);
    declare_upstream(&api, "other");
    assert_eq!(api.list_runtime_parameters().done().len(), 2);
    assert_eq!(api.list_runtime_parameters_of_component("federation-upstream").done().len(), 2);
    assert_eq!(api.list_runtime_parameters_of_component_in("federation-upstream", "/").done().len(), 2);
    api.clear_runtime_parameter("federation-upstream", "/", "up", false).done();
    assert!(api.clear_runtime_parameter("federation-upstream", "/", "up", false).is_err());
    api.clear_runtime_parameter("federation-upstream", "/", "up", true).done();
    api.clear_all_runtime_parameters_of_component("federation-upstream").done();
    declare_upstream(&api, "last");
    api.clear_all_runtime_parameters().done();
    assert!(api.list_runtime_parameters().done().is_empty());
}

#[test]
fn global_parameters_are_set_seen_and_cleared() {
    let House { api, broker: _broker } = House::new();
    let value = Map::from_iter([("k".to_owned(), json!([1, "two"]))]);
    api.upsert_global_runtime_parameter(&GlobalRuntimeParameterDefinition {
        name: "ours",
        value: value.clone(),
    })
    .done();
    assert_eq!(api.get_global_runtime_parameter("ours").done().value.0, json!(value));
    assert!(api.list_global_runtime_parameters().done().iter().any(|parameter| parameter.name == "ours"));
    api.clear_global_runtime_parameter("ours").done();
    assert!(api.get_global_runtime_parameter("ours").is_err());
}

#[test]
fn federation_upstreams_are_kept() {
    let House { api, broker: _broker } = House::new();
    declare_upstream(&api, "up");
    assert_eq!(api.get_federation_upstream("/", "up").done().uri, HERE);
    assert_eq!(api.list_federation_upstreams().done().len(), 1);
    api.delete_federation_upstream("/", "up", false).done();
    assert!(api.delete_federation_upstream("/", "up", false).is_err());
    assert!(api.list_federation_upstreams().done().is_empty());
}

#[test]
fn shovels_are_kept() {
    let House { api, broker: _broker } = House::new();
    let shovel = Amqp091ShovelParams {
        vhost: "/",
        name: "s",
        acknowledgement_mode: Default::default(),
        reconnect_delay: Some(5),
        source: Amqp091ShovelSourceParams::queue_source(HERE, "a"),
        destination: Amqp091ShovelDestinationParams::queue_destination(HERE, "b"),
    };
    api.declare_amqp091_shovel(shovel).done();
    assert_eq!(api.get_runtime_parameter("shovel", "/", "s").done().value.0["src-queue"], "a");
    api.delete_shovel("/", "s", false).done();
    assert!(api.delete_shovel("/", "s", false).is_err());
    api.delete_shovel("/", "s", true).done();
}
