//! Policies and operator policies.

use leveret_contract::{Api, Done, House};
use rabbitmq_http_client::commons::PolicyTarget;
use rabbitmq_http_client::requests::PolicyParams;
use serde_json::{Map, Value, json};

fn policy<'a>(
    name: &'a str,
    target: PolicyTarget,
    priority: i32,
    key: &str,
    value: Value,
) -> PolicyParams<'a> {
    let definition = Map::from_iter([(key.to_owned(), value)]);
    PolicyParams::new("/", name, "^q", definition).apply_to(target).priority(priority)
}

fn effective(api: &Api) -> Map<String, Value> {
    api.get_queue_info("/", "q").done().effective_policy_definition.expect("one").0.unwrap_or_default()
}

#[test]
fn policies_are_set_applied_and_deleted() {
    let House { api, broker: _broker } = House::new();
    api.declare_classic_queue("/", "q").done();
    let long = policy("long", PolicyTarget::Queues, 1, "max-length", json!(10));
    api.declare_policy(&long).done();
    let exchange = policy("exchange", PolicyTarget::Exchanges, 5, "alternate-exchange", json!("x"));
    let classic = policy("classic", PolicyTarget::ClassicQueues, 2, "max-length", json!(20));
    api.declare_policies(vec![&exchange, &classic]).done();
    let found = api.get_policy("/", "long").done();
    assert_eq!((found.pattern.as_str(), found.priority, found.apply_to), ("^q", 1, PolicyTarget::Queues));
    assert_eq!(api.get_queue_info("/", "q").done().policy.as_deref(), Some("classic"));
    assert_eq!(effective(&api)["max-length"], 20);
    assert_eq!(api.list_policies().done().len(), 3);
    assert_eq!(api.list_policies_in("/").done().len(), 3);
    assert_eq!(api.list_policies_for_target("/", PolicyTarget::Exchanges).done().len(), 1);
    let matching = api.list_matching_policies("/", "q", PolicyTarget::ClassicQueues).done();
    assert_eq!(matching.iter().map(|policy| policy.name.as_str()).collect::<Vec<_>>(), ["classic", "long"]);
    api.delete_policy("/", "classic", false).done();
    assert_eq!(effective(&api)["max-length"], 10);
    assert!(api.delete_policy("/", "classic", false).is_err());
    api.delete_policies_in("/", vec!["classic", "long", "exchange"]).done();
    assert!(api.list_policies().done().is_empty());
}

#[test]
fn operator_policies_are_set_applied_and_deleted() {
    let House { api, broker: _broker } = House::new();
    api.declare_classic_queue("/", "q").done();
    let short = policy("short", PolicyTarget::Queues, 1, "max-length", json!(5));
    let quorum = policy("quorum", PolicyTarget::QuorumQueues, 1, "max-length", json!(6));
    api.declare_operator_policy(&short).done();
    api.declare_operator_policies(vec![&quorum]).done();
    assert_eq!(api.get_operator_policy("/", "short").done().definition.get("max-length"), Some(&json!(5)));
    let queue = api.get_queue_info("/", "q").done();
    assert_eq!(queue.operator_policy.as_deref(), Some("short"));
    assert_eq!(effective(&api)["max-length"], 5);
    assert_eq!(api.list_operator_policies().done().len(), 2);
    assert_eq!(api.list_operator_policies_in("/").done().len(), 2);
    assert_eq!(api.list_operator_policies_for_target("/", PolicyTarget::QuorumQueues).done().len(), 1);
    assert_eq!(api.list_matching_operator_policies("/", "q", PolicyTarget::ClassicQueues).done().len(), 1);
    api.delete_operator_policy("/", "short", false).done();
    assert!(api.delete_operator_policy("/", "short", false).is_err());
    api.delete_operator_policies_in("/", vec!["quorum"]).done();
    assert!(effective(&api).is_empty());
}
