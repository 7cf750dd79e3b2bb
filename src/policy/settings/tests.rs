use serde_json::json;

use super::*;

fn checked(kind: PolicyKind, settings: &Value) -> Result<(), String> {
    check(kind, settings.as_object().unwrap())
}

fn definition(settings: &Value) -> Definition {
    let settings = settings.as_object().unwrap();
    Definition::new(settings.iter().map(|(name, value)| (Box::from(name.as_str()), value.clone())))
}

#[test]
fn settings_are_known_by_their_names_in_order() {
    assert!(KNOWN.is_sorted_by(|first, second| first.name < second.name));
}

#[test]
fn a_value_that_cannot_be_is_told_in_rabbitmqs_words() {
    let retry = |settings: Value| {
        let mut all = json!({"delayed-retry-type": "all"});
        all.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        all
    };
    for (settings, text) in [
        (json!({"alternate-exchange": 5}), "5 is not a valid alternate exchange name"),
        (json!({"consumer-disconnected-timeout": -1}), "-1 is not a valid consumer disconnected timeout"),
        (json!({"consumer-timeout": "1"}), "<<\"1\">> is not a valid consumer timeout"),
        (json!({"dead-letter-exchange": true}), "true is not a valid dead letter exchange name"),
        (json!({"dead-letter-routing-key": []}), "[] is not a valid dead letter routing key"),
        (json!({"dead-letter-strategy": "x"}), "<<\"x\">> is not a valid dead letter strategy"),
        (json!({"delivery-limit": 1.5}), "1.5 is not a valid delivery limit"),
        (json!({"expires": 0}), "0 is not a valid queue expiry"),
        (json!({"federation-upstream": 1}), "1 is not a valid federation upstream name"),
        (json!({"federation-upstream-set": 1}), "1 is not a valid federation upstream set name"),
        (json!({"federation-upstream-pattern": 1}), "1 is not a valid federation upstream pattern name"),
        (
            json!({"federation-upstream-pattern": "("}),
            "could not compile pattern ( to a regular expression. Error: <<\"unclosed group\">>",
        ),
        (
            json!({"federation-upstream": "a", "federation-upstream-set": "b"}),
            "cannot specify federation-upstream, federation-upstream-set or federation-upstream-pattern together",
        ),
        (json!({"initial-cluster-size": -1}), "-1 is not a valid cluster size"),
        (json!({"max-age": "7d"}), "<<\"7d\">> is not a valid max age"),
        (json!({"max-age": "0s"}), "<<\"0s\">> is not a valid max age"),
        (json!({"max-age": ""}), "<<>> is not a valid max age"),
        (json!({"max-in-memory-bytes": -1}), "-1 is not a valid maximum memory in bytes"),
        (json!({"max-in-memory-length": -1}), "-1 is not a valid maximum memory in bytes"),
        (json!({"max-length": -1}), "-1 is not a valid maximum length"),
        (json!({"max-length": null}), "null is not a valid maximum length"),
        (json!({"max-length": {"a": [1, true]}}), "#{<<\"a\">> => [1,true]} is not a valid maximum length"),
        (json!({"max-length-bytes": "5"}), "<<\"5\">> is not a valid maximum length in bytes"),
        (
            json!({"member-placement-tag": ""}),
            "<<>> is not a valid member-placement-tag value. Must be a non-empty string",
        ),
        (json!({"message-ttl": -1}), "-1 is not a valid message TTL"),
        (json!({"overflow": "drop-middle"}), "<<\"drop-middle\">> is not a valid overflow value"),
        (json!({"queue-leader-locator": "x"}), "<<\"x\">> is not a valid queue leader locator value"),
        (json!({"queue-master-locator": "x"}), "<<\"x\">> is not a valid master locator"),
        (json!({"queue-mode": "eager"}), "<<\"eager\">> is not a valid queue-mode value"),
        (json!({"queue-version": 3}), "3 is not a valid queue-version value"),
        (json!({"scheduled": 1}), "1 is not a valid scheduled value"),
        (json!({"stream-filter-size-bytes": 15}), "15 is not a valid filter size. Valid range is 16-255"),
        (
            json!({"stream-max-segment-size-bytes": 3_000_000_001_u64}),
            "3000000001 is not a valid segment size",
        ),
        (json!({"target-group-size": 0}), "0 is not a valid qq target count value"),
        (json!({"routing-key": "k"}), "shards-per-node must be specified"),
        (json!({"routing-key": 1, "shards-per-node": 2}), "routing-key should be binary, actually was 1"),
        (json!({"shards-per-node": "2"}), "shards-per-node should be a number, actually was <<\"2\">>"),
        (json!({"shards-per-node": -1}), "shards-per-node should be greater than 0, actually was -1"),
        (
            json!({"delayed-retry-type": "x"}),
            "<<\"x\">> is not a valid delayed retry type. Must be one of: all, failed, returned, disabled",
        ),
        (json!({"delayed-retry-factor": 0.5}), "0.5 is not a valid delayed retry factor. Must be at least 1"),
        (json!({"delayed-retry-jitter": 101}), "101 is not a valid delayed retry jitter in percent"),
        (retry(json!({})), "delayed-retry-min is required when delayed-retry-type is all"),
        (
            retry(json!({"delayed-retry-min": 0})),
            "0 is not a valid delayed retry minimum delay. Must be a positive integer",
        ),
        (
            retry(json!({"delayed-retry-min": 5, "delayed-retry-max": -4})),
            "-4 is not a valid delayed retry maximum delay. Must be a positive integer",
        ),
        (
            retry(json!({"delayed-retry-min": 5, "delayed-retry-max": 4})),
            "delayed-retry-max (4) must not be smaller than delayed-retry-min (5)",
        ),
        // The first by name, and before what is not known.
        (json!({"overflow": 1, "expires": 0, "foo": 1}), "0 is not a valid queue expiry"),
        (
            json!({"foo": 1, "bar": "x", "max-length": 4}),
            "[{<<\"bar\">>,<<\"x\">>},{<<\"foo\">>,1}] are not recognised policy settings",
        ),
        (json!({"max-priority": 4}), "[{<<\"max-priority\">>,4}] are not recognised policy settings"),
    ] {
        assert_eq!(checked(PolicyKind::User, &settings), Err(text.to_owned()), "{settings}");
    }
}

#[test]
fn a_value_that_can_be_is_taken() {
    for settings in [
        json!({"message-ttl": 0, "max-length": 0, "max-length-bytes": 0, "expires": 1, "consumer-timeout": 0}),
        json!({"max-length": 18_446_744_073_709_551_615_u64}),
        json!({"delivery-limit": -1}),
        json!({"max-age": "10Y"}),
        json!({"queue-version": 1, "queue-mode": "lazy", "overflow": "reject-publish-dlx"}),
        json!({"delayed-retry-type": "disabled"}),
        json!({"delayed-retry-factor": 1.5, "delayed-retry-jitter": 0}),
        json!({"delayed-retry-factor": 1, "delayed-retry-jitter": 100}),
        json!({"delayed-retry-type": "failed", "delayed-retry-min": 5, "delayed-retry-max": 5}),
        json!({"dead-letter-exchange": "", "dead-letter-routing-key": "", "alternate-exchange": ""}),
        json!({"shards-per-node": 2, "routing-key": "1234"}),
        json!({"federation-upstream-pattern": "^a"}),
    ] {
        assert_eq!(checked(PolicyKind::User, &settings), Ok(()), "{settings}");
    }
}

#[test]
fn operators_may_set_what_they_may_in_rabbitmq() {
    let mut may: Vec<&str> =
        KNOWN.iter().filter(|known| known.merge.is_some()).map(|known| known.name).collect();
    may.sort_unstable();
    assert_eq!(
        may,
        [
            "delayed-retry-factor",
            "delayed-retry-jitter",
            "delayed-retry-max",
            "delayed-retry-min",
            "delayed-retry-type",
            "delivery-limit",
            "expires",
            "max-in-memory-bytes",
            "max-in-memory-length",
            "max-length",
            "max-length-bytes",
            "max-publish-bytes-rate",
            "max-publish-rate",
            "member-placement-tag",
            "message-ttl",
            "overflow",
            "publish-rate-overflow",
            "queue-master-locator",
            "queue-version",
            "target-group-size",
        ]
    );
    assert_eq!(
        checked(PolicyKind::Operator, &json!({"dead-letter-exchange": "d", "max-length": 1})),
        Err("[{<<\"dead-letter-exchange\">>,<<\"d\">>}] are not recognised policy settings".to_owned())
    );
}

#[test]
fn a_queue_that_lacks_a_setting_gets_nothing_of_the_policy() {
    use ApplyTo::{All, ClassicQueues, Queues, QuorumQueues};
    for (name, value, apply_to, classic, quorum) in [
        ("max-length", json!(1), All, true, true),
        ("delivery-limit", json!(1), Queues, false, true),
        ("delivery-limit", json!(1), ClassicQueues, true, true),
        ("dead-letter-strategy", json!("at-least-once"), All, false, true),
        ("dead-letter-strategy", json!("at-least-once"), ClassicQueues, true, true),
        ("max-in-memory-length", json!(1), ClassicQueues, false, true),
        ("target-group-size", json!(3), All, false, true),
        ("queue-mode", json!("lazy"), QuorumQueues, true, false),
        ("queue-master-locator", json!("balanced"), All, true, false),
        ("max-age", json!("1D"), All, false, false),
        ("initial-cluster-size", json!(1), All, false, false),
        ("stream-max-segment-size-bytes", json!(1), All, false, false),
    ] {
        let definition = definition(&json!({ "message-ttl": 1, name: value }));
        let applicable = |subject| is_applicable(&definition, apply_to, subject);
        let found = (applicable(Subject::ClassicQueue), applicable(Subject::QuorumQueue));
        assert_eq!(found, (classic, quorum), "{name}");
        assert!(applicable(Subject::Exchange), "{name}: RabbitMQ asks queues only");
    }
}

#[test]
fn an_operator_policy_is_merged_setting_by_setting() {
    for (name, policy, operator, expected) in [
        ("message-ttl", json!(5), json!(6), json!(5)),
        ("message-ttl", json!(7), json!(6), json!(6)),
        ("expires", json!(1), json!(2), json!(1)),
        ("max-length-bytes", json!(3), json!(2), json!(2)),
        ("max-in-memory-length", json!(3), json!(2), json!(2)),
        ("max-in-memory-bytes", json!(3), json!(4), json!(3)),
        ("delivery-limit", json!(3), json!(4), json!(3)),
        ("delivery-limit", json!(-1), json!(4), json!(4)),
        ("delivery-limit", json!(4), json!(-1), json!(4)),
        ("delivery-limit", json!(-2), json!(-1), json!(-1)),
        ("queue-version", json!(2), json!(1), json!(1)),
        ("overflow", json!("drop-head"), json!("reject-publish"), json!("reject-publish")),
        ("target-group-size", json!(3), json!(5), json!(5)),
        ("delayed-retry-min", json!(3), json!(5), json!(5)),
        ("delayed-retry-max", json!(3), json!(5), json!(3)),
        ("delayed-retry-type", json!("all"), json!("failed"), json!("failed")),
    ] {
        let first = definition(&json!({ name: policy, "consumer-timeout": 1 }));
        let second = definition(&json!({ name: operator, "max-length": 9 }));
        let merged = merged(&first, &second);
        assert_eq!(merged.get(name), Some(&expected), "{name}");
        assert_eq!(merged.integer("max-length"), Some(9), "what only the operator says holds");
        assert_eq!(merged.integer("consumer-timeout"), Some(1), "what only the user says holds");
    }
    let least = merged(&definition(&json!({"max-length": 3})), &definition(&json!({"max-length": 2})));
    assert_eq!(least.json(), json!({"max-length": 2}));
}
