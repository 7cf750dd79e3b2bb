//! Policies, parameters and what else an operator sets in a virtual host.

use std::time::Duration;

use leveret_protocol::table::TableBuilder;
use serde_json::{Value, json};

use super::*;
use crate::exchange::Routable;
use crate::message::Message;
use crate::policy::{Component, Policy, PolicyKind};
use crate::queue::Queue;
use crate::vhost::policies::NoSuchParameter;
use crate::vhost::routing::Found;

const USER: PolicyKind = PolicyKind::User;
const OPERATOR: PolicyKind = PolicyKind::Operator;

fn vhost() -> Vhost {
    Vhost::new(VhostName::from("/"))
}

pub(super) fn policy(kind: PolicyKind, name: &str, pattern: &str, definition: &Value) -> Policy {
    Policy::parse(kind, name, pattern, "all", 0, definition).unwrap()
}

fn declare(vhost: &Vhost, name: &str, options: &QueueOptions) -> Arc<Queue> {
    vhost.queue_declare(Some(QueueName::from(name)), options, MINE).unwrap().queue
}

fn max_length(queue: &Queue) -> Option<u64> {
    queue.terms().unwrap().max_length
}

fn name_of(queue: &Queue, kind: PolicyKind) -> Option<String> {
    let policies = queue.policies()?;
    let policy = match kind {
        USER => policies.policy.as_ref(),
        OPERATOR => policies.operator_policy.as_ref(),
    };
    policy.map(|policy| policy.name.to_string())
}

#[test]
fn a_policy_is_in_force_on_what_there_is_and_on_what_comes_until_it_is_cleared() {
    let vhost = vhost();
    let before = declare(&vhost, "q.before", &QueueOptions::default());
    let other = declare(&vhost, "other", &QueueOptions::default());
    let epoch = vhost.epoch();
    vhost.set_policy(USER, policy(USER, "p", "^q\\.", &json!({"max-length": 5})));
    assert!(vhost.epoch() > epoch, "what was remembered is forgotten");
    let after = declare(&vhost, "q.after", &QueueOptions::default());
    assert_eq!([&before, &other, &after].map(|queue| max_length(queue)), [Some(5), None, Some(5)]);
    assert_eq!(name_of(&after, USER), Some("p".to_owned()));

    vhost.set_policy(OPERATOR, policy(OPERATOR, "op", "", &json!({"max-length": 4})));
    assert_eq!([&before, &other, &after].map(|queue| max_length(queue)), [Some(4); 3]);
    assert_eq!((name_of(&before, USER), name_of(&before, OPERATOR)), (Some("p".into()), Some("op".into())));
    assert_eq!(before.policies().unwrap().definition.json(), json!({"max-length": 4}));

    vhost.set_policy(USER, policy(USER, "p", "^q\\.", &json!({"max-length": 3})));
    assert_eq!(max_length(&before), Some(3), "set again, it says something else");

    assert!(vhost.clear_policy(USER, "p").is_ok());
    assert!(vhost.clear_policy(OPERATOR, "op").is_ok());
    assert_eq!([&before, &other, &after].map(|queue| max_length(queue)), [None; 3]);
    assert_eq!(before.policies(), None);
    for kind in [USER, OPERATOR] {
        assert_eq!(vhost.clear_policy(kind, "p").unwrap_err().to_string(), "Parameter does not exist");
    }
}

#[test]
fn a_policy_gives_an_exchange_its_alternate_unless_it_was_declared_with_one() {
    let vhost = vhost();
    for queue in ["by-policy", "by-argument"] {
        declare(&vhost, queue, &QueueOptions::default());
        let options = ExchangeOptions::durable(ExchangeType::Fanout);
        vhost.exchange_declare(&ExchangeName::from(queue), options).unwrap();
        let destination = Destination::Queue(queue, MINE);
        vhost.bind(&BindingEnds { destination, ..ends(queue, "") }).unwrap();
    }
    let own = TableBuilder::new().string("alternate-exchange", "by-argument").finish();
    let own = ExchangeOptions::parse("direct", own.as_table()).unwrap();
    vhost.exchange_declare(&ExchangeName::from("x.own"), own).unwrap();
    let plain = || ExchangeOptions::durable(ExchangeType::Direct);
    vhost.exchange_declare(&ExchangeName::from("x.before"), plain()).unwrap();
    vhost.set_policy(USER, policy(USER, "ae", "^(x|amq)\\.", &json!({"alternate-exchange": "by-policy"})));
    vhost.exchange_declare(&ExchangeName::from("x.after"), plain()).unwrap();
    let routed = |exchange: &str| {
        let mut found = Found::default();
        vhost.route(exchange, &Routable::with_key("nobody"), &mut found).unwrap();
        found.queues().iter().map(|queue| queue.name().to_string()).collect::<Vec<_>>()
    };
    for (exchange, expected) in [
        ("x.own", "by-argument"),
        ("x.before", "by-policy"),
        ("x.after", "by-policy"),
        ("amq.direct", "by-policy"),
    ] {
        assert_eq!(routed(exchange), [expected], "{exchange}");
    }
    vhost.clear_policy(USER, "ae").unwrap();
    assert_eq!(routed("x.before"), [""; 0]);
    assert_eq!(routed("x.own"), ["by-argument"]);
}

#[test]
fn many_queues_share_what_a_policy_says() {
    let vhost = vhost();
    let queues: Vec<_> =
        (0..3000).map(|n| declare(&vhost, &format!("q{n}"), &QueueOptions::default())).collect();
    vhost.set_policy(USER, policy(USER, "p", "", &json!({"max-length": 5})));
    vhost.set_policy(OPERATOR, policy(OPERATOR, "op", "", &json!({"max-length": 4})));
    let first = queues[0].policies().unwrap();
    assert!(queues.iter().all(|queue| Arc::ptr_eq(&queue.policies().unwrap(), &first)));
    assert!(queues.iter().all(|queue| max_length(queue) == Some(4)));
}

#[test]
fn queues_that_are_declared_while_policies_change_have_those_of_the_end() {
    let vhost = vhost();
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let vhost = &vhost;
            scope.spawn(move || {
                for n in 0..300 {
                    declare(vhost, &format!("q{thread}.{n}"), &QueueOptions::default());
                }
            });
            scope.spawn(move || {
                for n in 0..50 {
                    let name = format!("p{thread}");
                    vhost.set_policy(USER, policy(USER, &name, "", &json!({ "max-length": n })));
                    vhost.clear_policy(USER, &name).unwrap();
                }
            });
        }
    });
    let all = vhost.queues().all();
    assert_eq!(all.len(), 600);
    assert!(all.iter().all(|queue| queue.policies().is_none() && max_length(queue).is_none()));
}

#[test]
fn a_backlog_is_cut_and_expires_by_a_policy_at_once() {
    let vhost = vhost();
    let queue = declare(&vhost, "q", &QueueOptions::default());
    let mut messages = vec![Message::compose("", "q", &[0, 0], b"m").unwrap(); 1000];
    queue.publish(&mut messages, None).unwrap();
    vhost.set_policy(USER, policy(USER, "p", "", &json!({"max-length": 5})));
    assert_eq!(queue.status().unwrap().ready, 5);
    vhost.set_policy(USER, policy(USER, "p", "", &json!({"message-ttl": 1})));
    while queue.status().unwrap().ready > 0 {
        std::thread::yield_now();
    }
}

#[test]
fn a_queue_takes_other_arguments_and_is_redeclared_with_those() {
    let vhost = vhost();
    let arguments =
        |length, ttl| TableBuilder::new().int("x-max-length", length).int("x-message-ttl", ttl).finish();
    let options = |length, ttl| QueueOptions::restored(false, arguments(length, ttl));
    let queue = declare(&vhost, "q", &options(5, 60_000));
    vhost.set_policy(USER, policy(USER, "p", "", &json!({"max-length": 7})));
    vhost.change_queue("q", arguments(9, 70_000)).unwrap();
    let terms = queue.terms().unwrap();
    assert_eq!((terms.max_length, terms.message_ttl), (Some(7), Some(Duration::from_secs(70))));
    let again = |options: &QueueOptions| vhost.queue_declare(Some(QueueName::from("q")), options, MINE);
    assert_eq!(again(&options(9, 70_000)).unwrap().queue, queue);
    assert!(again(&options(5, 60_000)).is_err());
    assert!(vhost.change_queue("nobody", arguments(1, 1)).is_err());
}

#[test]
fn parameters_are_kept_by_component_and_name() {
    let vhost = vhost();
    let (shovel, limits) = (Component::Shovel, Component::VhostLimits);
    assert!(vhost.set_parameter(&shovel, "s", json!([])).is_err());
    vhost.set_parameter(&shovel, "s", json!({"src-uri": "amqp://"})).unwrap();
    vhost.set_parameter(&shovel, "s", json!({"src-uri": "amqp://other"})).unwrap();
    vhost.set_parameter(&limits, "limits", json!({"max-queues": 5})).unwrap();
    assert_eq!(vhost.parameter(&shovel, "s"), Some(json!({"src-uri": "amqp://other"})));
    assert_eq!(vhost.parameters().len(), 2);
    assert_eq!(vhost.clear_parameter(&shovel, "limits"), Err(NoSuchParameter));
    assert_eq!(vhost.clear_parameter(&shovel, "s"), Ok(None));
    assert_eq!(vhost.parameter(&shovel, "s"), None);
}
