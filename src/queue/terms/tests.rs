use leveret_protocol::table::{TableBuf, TableBuilder};
use serde_json::json;

use super::*;
use crate::policy::{Policies, Policy, PolicyKind, Subject};
use crate::queue::retry::Which;

/// The terms of a queue with these arguments that a policy of this definition matches, if it is applicable.
fn merged(arguments: &TableBuf, policy: &serde_json::Value) -> Terms {
    let kind = PolicyKind::User;
    let apply_to = if text(arguments.as_table(), name::QUEUE_TYPE) == Some("quorum") {
        ("quorum_queues", Subject::QuorumQueue)
    } else {
        ("classic_queues", Subject::ClassicQueue)
    };
    let mut policies = Policies::default();
    policies.set(kind, Policy::parse(kind, "p", "", apply_to.0, 0, policy).unwrap());
    let found = policies.in_force(apply_to.1, "q", None).unwrap();
    Terms::merged(arguments.as_table(), &found.definition)
}

fn quorum() -> TableBuilder {
    TableBuilder::new().string(name::QUEUE_TYPE, "quorum")
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn of_two_numbers_the_lower_holds() {
    let arguments = |number| {
        TableBuilder::new()
            .int(name::MESSAGE_TTL, number)
            .int(name::EXPIRES, number)
            .int(name::MAX_LENGTH, number)
            .int(name::MAX_LENGTH_BYTES, number)
            .int(name::CONSUMER_TIMEOUT, number)
            .finish()
    };
    let policy = json!({
        "message-ttl": 1000, "expires": 1000, "max-length": 1000, "max-length-bytes": 1000, "consumer-timeout": 1000,
    });
    for (arguments, expected) in
        [(TableBuf::default(), 1000), (arguments(999), 999), (arguments(1000), 1000), (arguments(1001), 1000)]
    {
        let (time, number) = (Some(Duration::from_millis(expected)), Some(expected));
        let terms = merged(&arguments, &policy);
        assert_eq!(
            (
                terms.message_ttl,
                terms.expires,
                terms.max_length,
                terms.max_length_bytes,
                terms.consumer_timeout
            ),
            (time, time, number, number, time)
        );
    }
}

#[test]
fn a_delivery_limit_is_the_lower_one_and_no_limit_is_the_highest() {
    let classic = |limit| TableBuilder::new().int(name::DELIVERY_LIMIT, limit).finish();
    let of_quorum = |limit| quorum().int(name::DELIVERY_LIMIT, limit).finish();
    for (arguments, policy, expected) in [
        (classic(3), 4, Some(3)),
        (classic(5), 4, Some(4)),
        (classic(-1), 4, Some(4)),
        (classic(4), -1, Some(4)),
        (classic(-1), -2, None),
        (TableBuf::default(), 4, Some(4)),
        (TableBuf::default(), -1, None),
        (of_quorum(30), 25, Some(25)),
        (quorum().finish(), 25, Some(25)),
        (quorum().finish(), -1, None),
        (of_quorum(0), -1, Some(0)),
    ] {
        let limit = merged(&arguments, &json!({ "delivery-limit": policy })).delivery_limit;
        assert_eq!(limit, expected, "{arguments:?} {policy}");
    }
    assert_eq!(merged(&quorum().finish(), &json!({"max-length": 1})).delivery_limit, Some(20));
}

#[test]
fn the_argument_decides_where_dead_messages_go() {
    let policy = json!({
        "dead-letter-exchange": "p", "dead-letter-routing-key": "pk", "dead-letter-strategy": "at-least-once",
        "overflow": "reject-publish",
    });
    let to = |arguments: TableBuf| merged(&arguments, &policy).dead_letter.unwrap();
    let dead_letter = |exchange: &str, key: &str, at_least_once| DeadLetter {
        exchange: exchange.into(),
        routing_key: Some(key.into()),
        at_least_once,
    };
    let exchange = || TableBuilder::new().string(name::DEAD_LETTER_EXCHANGE, "a");
    assert_eq!(to(TableBuf::default()), dead_letter("p", "pk", true));
    // Each for itself, as in RabbitMQ.
    assert_eq!(to(exchange().finish()), dead_letter("a", "pk", true));
    assert_eq!(
        to(exchange().string(name::DEAD_LETTER_ROUTING_KEY, "ak").finish()),
        dead_letter("a", "ak", true)
    );
    let once = TableBuilder::new().string(name::DEAD_LETTER_STRATEGY, "at-most-once").finish();
    assert_eq!(to(once), dead_letter("p", "pk", false));
    let drops = TableBuilder::new().string(name::OVERFLOW, "drop-head").finish();
    assert_eq!(to(drops), dead_letter("p", "pk", false));
    assert_eq!(merged(&TableBuf::default(), &json!({"dead-letter-routing-key": "k"})).dead_letter, None);
}

#[test]
fn at_a_limit_a_classic_queues_argument_and_a_quorum_queues_policy_decides() {
    let policy = json!({"overflow": "reject-publish", "max-length": 1});
    let drops = |table: TableBuilder| table.string(name::OVERFLOW, "drop-head").finish();
    assert_eq!(merged(&drops(TableBuilder::new()), &policy).overflow, Overflow::DropHead);
    assert_eq!(merged(&drops(quorum()), &policy).overflow, Overflow::RejectPublish);
    let dead = json!({"overflow": "reject-publish-dlx", "max-length": 1});
    assert_eq!(merged(&TableBuf::default(), &dead).overflow, Overflow::RejectPublishDeadLetter);
    assert_eq!(merged(&quorum().finish(), &dead).overflow, Overflow::DropHead);
}

#[test]
fn of_a_retry_the_policy_decides_but_the_lower_of_two_times_holds() {
    let arguments = TableBuilder::new()
        .string(name::DELAYED_RETRY_TYPE, "all")
        .int(name::DELAYED_RETRY_MIN, 1000)
        .int(name::DELAYED_RETRY_MAX, 9000)
        .int(name::DELAYED_RETRY_FACTOR, 2)
        .int(name::DELAYED_RETRY_JITTER, 10)
        .finish();
    let retry = |policy| merged(&arguments, &policy).retry;
    let declared = retry(json!({"max-length": 1})).unwrap();
    assert_eq!((declared.min, declared.factor, declared.jitter), (SECOND, Some(2000), 10));
    let both = retry(json!({
        "delayed-retry-type": "failed", "delayed-retry-min": 500, "delayed-retry-max": 10_000,
        "delayed-retry-factor": 1.5, "delayed-retry-jitter": 20,
    }));
    let expected =
        Retry { which: Which::Failed, min: SECOND / 2, max: 9 * SECOND, factor: Some(1500), jitter: 20 };
    assert_eq!(both, Some(expected));
    assert_eq!(retry(json!({"delayed-retry-type": "disabled"})), None);
}

#[test]
fn messages_may_be_scheduled_where_the_argument_or_else_the_policy_says_so() {
    let argument = |scheduled| TableBuilder::new().bool(name::SCHEDULED, scheduled).finish();
    for (arguments, policy, expected) in [
        (TableBuf::default(), true, true),
        (TableBuf::default(), false, false),
        (argument(false), true, false),
        (argument(true), false, true),
    ] {
        assert_eq!(merged(&arguments, &json!({ "scheduled": policy })).scheduled, expected);
    }
}

#[test]
fn without_arguments_and_policies_nothing_is_in_force() {
    assert_eq!(Terms::declared(Table::EMPTY), Terms::default());
    let one = TableBuilder::new().int(name::MESSAGE_TTL, 1000).finish();
    assert_eq!(Terms::declared(one.as_table()).message_ttl, Some(SECOND));
    // A policy may leave a queue without a timeout, as an argument may.
    assert_eq!(merged(&TableBuf::default(), &json!({"consumer-timeout": 0})).consumer_timeout, None);
}
