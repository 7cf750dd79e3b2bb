use serde_json::{Value, json};

use super::*;

fn policy(kind: PolicyKind, name: &str, pattern: &str, priority: i64, definition: &Value) -> Policy {
    Policy::parse(kind, name, pattern, "all", priority, definition).unwrap()
}

fn names(in_force: Option<&Arc<InForce>>) -> (Option<String>, Option<String>) {
    let name = |policy: Option<&Arc<Policy>>| policy.map(|policy| policy.name.to_string());
    in_force.map_or((None, None), |found| (name(found.policy.as_ref()), name(found.operator_policy.as_ref())))
}

#[test]
fn one_policy_of_each_kind_holds_that_of_the_highest_priority() {
    let mut policies = Policies::default();
    let length = json!({"max-length": 5});
    for (name, pattern, priority) in
        [("low", "", -1), ("mid-b", "^a", 3), ("mid-a", "^a", 3), ("high", "^ab", 10), ("other", "^c", 11)]
    {
        policies.set(PolicyKind::User, policy(PolicyKind::User, name, pattern, priority, &length));
    }
    policies.set(PolicyKind::Operator, policy(PolicyKind::Operator, "op", "b", 0, &json!({"max-length": 4})));
    let some = |name: &str| Some(name.to_owned());
    for (queue, user, operator, max_length) in [
        ("abc", some("high"), some("op"), 4),
        ("ac", some("mid-a"), None, 5),
        ("b", some("low"), some("op"), 4),
        ("x", some("low"), None, 5),
    ] {
        let found = policies.in_force(Subject::ClassicQueue, queue, None);
        assert_eq!(names(found.as_ref()), (user, operator), "{queue}");
        assert_eq!(found.unwrap().definition.integer("max-length"), Some(max_length), "{queue}");
    }
    assert!(policies.clear(PolicyKind::User, "low") && !policies.clear(PolicyKind::User, "low"));
    assert_eq!(policies.in_force(Subject::QuorumQueue, "x", None), None);
}

#[test]
fn a_policy_that_a_queue_lacks_a_setting_of_leaves_the_place_to_the_next() {
    let mut policies = Policies::default();
    let kind = PolicyKind::User;
    policies.set(kind, policy(kind, "quorum", "", 10, &json!({"delivery-limit": 3, "max-length": 1})));
    policies.set(kind, policy(kind, "both", "", 1, &json!({"max-length": 2})));
    let found = |subject| names(policies.in_force(subject, "q", None).as_ref()).0.unwrap();
    assert_eq!(found(Subject::ClassicQueue), "both");
    assert_eq!(found(Subject::QuorumQueue), "quorum");
}

#[test]
fn a_policy_that_is_set_again_is_another_one_and_others_are_shared() {
    let mut policies = Policies::default();
    let kind = PolicyKind::User;
    let set = |policies: &mut Policies, length: u32| {
        policies.set(kind, policy(kind, "p", "", 0, &json!({ "max-length": length })));
    };
    set(&mut policies, 1);
    let first = policies.in_force(Subject::ClassicQueue, "a", None).unwrap();
    let second = policies.in_force(Subject::ClassicQueue, "b", Some(&first)).unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    set(&mut policies, 2);
    let third = policies.in_force(Subject::ClassicQueue, "b", Some(&first)).unwrap();
    assert_eq!(third.definition.integer("max-length"), Some(2));
    assert_eq!(policies.of(kind).len(), 1);
}
