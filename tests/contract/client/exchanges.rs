//! Exchanges and bindings.

use leveret_contract::{Done, House};
use rabbitmq_http_client::commons::{BindingDestinationType, ExchangeType, PaginationParams};
use rabbitmq_http_client::requests::{BindingDeletionParams, ExchangeParams, XArgumentsBuilder};
use serde_json::{Map, json};

#[test]
fn an_exchange_of_each_type_is_declared_seen_and_deleted() {
    let House { api, broker: _broker } = House::new();
    for (name, exchange_type) in [
        ("f", ExchangeType::Fanout),
        ("t", ExchangeType::Topic),
        ("d", ExchangeType::Direct),
        ("h", ExchangeType::Headers),
        ("c", ExchangeType::ConsistentHashing),
        ("m", ExchangeType::ModulusHash),
        ("r", ExchangeType::Random),
        ("l", ExchangeType::LocalRandom),
        ("n", ExchangeType::RecentHistory),
    ] {
        let expected = String::from(exchange_type.clone());
        api.declare_exchange("/", &ExchangeParams::durable(name, exchange_type, None)).done();
        let found = api.get_exchange_info("/", name).done();
        assert_eq!(
            (found.exchange_type, found.durable, found.auto_delete),
            (expected, true, false),
            "{name}"
        );
    }
    let delayed = Some(Map::from_iter([("x-delayed-type".to_owned(), json!("topic"))]));
    api.declare_exchange("/", &ExchangeParams::durable("x", ExchangeType::DelayedMessage, delayed)).done();
    assert_eq!(api.get_exchange_info("/", "x").done().arguments.get("x-delayed-type"), Some(&json!("topic")));
    assert_eq!(api.list_exchanges().done().len(), 18);
    assert_eq!(api.list_exchanges_in("/").done().len(), 18);
    assert_eq!(api.list_exchanges_paged(&PaginationParams::new(2, 10)).done().len(), 8);
    assert_eq!(api.list_exchanges_in_paged("/", &PaginationParams::new(1, 10)).done().len(), 10);
    api.delete_exchange("/", "f", false).done();
    assert!(api.delete_exchange("/", "f", false).is_err());
    api.delete_exchanges("/", &["f", "t", "x"], true).done();
    assert!(api.get_exchange_info("/", "t").is_err());
}

#[test]
fn bindings_are_made_seen_made_again_and_deleted_by_what_they_are() {
    let House { api, broker: _broker } = House::new();
    api.declare_classic_queue("/", "q").done();
    api.declare_exchange("/", &ExchangeParams::durable_topic("src", None)).done();
    api.declare_exchange("/", &ExchangeParams::durable_headers("dst", None)).done();
    let arguments = XArgumentsBuilder::new().max_length(1).build();
    api.bind_queue("/", "q", "src", Some("a.#"), None).done();
    api.bind_queue("/", "q", "src", Some("a.#"), arguments).done();
    api.bind_queue("/", "q", "src", Some("ü / ~%&*"), None).done();
    api.bind_exchange("/", "dst", "src", None, None).done();
    assert_eq!(api.list_queue_bindings("/", "q").done().len(), 4);
    assert_eq!(api.list_exchange_bindings_with_source("/", "src").done().len(), 4);
    assert_eq!(api.list_bindings_in("/").done().len(), 5);
    assert_eq!(api.list_bindings().done().len(), 5);
    let found = api.list_exchange_bindings_with_destination("/", "dst").done();
    assert_eq!((found.len(), &found[0].destination_type), (1, &BindingDestinationType::Exchange));
    for binding in api.list_exchange_bindings_with_source("/", "src").done() {
        let key = binding.properties_key.clone();
        api.delete_binding(&BindingDeletionParams::from_binding_info(&binding), false).done();
        assert!(api.delete_binding(&BindingDeletionParams::from_binding_info(&binding), false).is_err());
        api.delete_binding(&BindingDeletionParams::from_binding_info(&binding), true).done();
        api.recreate_binding(&binding).done();
        let again = api.list_exchange_bindings_with_source("/", "src").done();
        assert!(again.iter().any(|binding| binding.properties_key == key), "{key:?} in {again:?}");
    }
    assert_eq!(api.list_bindings().done().len(), 5);
}
