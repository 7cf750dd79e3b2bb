//! Documents held against a broker in memory.

use serde_json::{Value, json};

use super::{Document, Export, Import, Mode, Report, Scope};
use crate::config::Config;
use crate::connection::Environment;

fn environment() -> Environment {
    Environment::new(Config { in_memory: true, ..Config::default() })
}

fn import(environment: &Environment, document: &Value, mode: Mode) -> Report {
    imported(environment, document, Scope::Broker, mode)
}

fn imported(environment: &Environment, document: &Value, scope: Scope, mode: Mode) -> Report {
    let document = Document::parse(document.to_string().as_bytes(), scope).unwrap();
    Import { environment, user: Some("guest"), mode }.of(&document).0
}

fn export(environment: &Environment) -> String {
    Export { environment, cluster_name: "c" }.broker().collect()
}

fn told(findings: &[super::Finding]) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}

/// A bit of everything, as RabbitMQ 3.10 exported it.
fn everything() -> Value {
    json!({
        "rabbit_version": "3.10.8",
        "users": [
            {"name": "u", "password_hash": "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR",
             "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": ["management"],
             "limits": {"max-channels": 4}},
            {"name": "nobody", "password_hash": "", "hashing_algorithm": "rabbit_password_hashing_sha256",
             "tags": "", "limits": []},
        ],
        "vhosts": [
            {"name": "/"},
            {"name": "v", "description": "d", "tags": ["a"], "metadata": {"default_queue_type": "quorum"}},
        ],
        "permissions": [{"user": "u", "vhost": "v", "configure": "^c", "write": "", "read": ".*"}],
        "topic_permissions": [
            {"user": "u", "vhost": "v", "exchange": "amq.topic", "write": "^a", "read": ".*"}],
        "parameters": [
            {"vhost": "v", "component": "vhost-limits", "name": "limits", "value": {"max-queues": 50}},
            {"vhost": "v", "component": "operator_policy", "name": "op",
             "value": {"pattern": "^q", "definition": {"max-length": 9}, "priority": 1, "apply-to": "queues"}},
            {"vhost": "/", "component": "something-new", "name": "n", "value": {"deep": [{"a": null}]}},
        ],
        "global_parameters": [{"name": "g", "value": {"a": [1, 2]}}],
        "policies": [{"vhost": "v", "name": "p", "pattern": "^q", "apply-to": "all",
                      "definition": {"max-length": 10}, "priority": 2}],
        "queues": [
            {"name": "q1", "vhost": "v", "durable": true, "auto_delete": false, "arguments": {"x-max-length": 5}},
            {"name": "q2", "vhost": "/", "durable": false, "auto_delete": true, "arguments": []},
        ],
        "exchanges": [{"name": "x", "vhost": "v", "type": "topic", "durable": true, "auto_delete": false,
                       "internal": true, "arguments": {"alternate-exchange": "amq.direct"}}],
        "bindings": [
            {"source": "x", "vhost": "v", "destination": "q1", "destination_type": "queue",
             "routing_key": "a.#", "arguments": {"k": 1, "present": null}},
            {"source": "amq.topic", "vhost": "v", "destination": "x", "destination_type": "exchange",
             "routing_key": "z", "arguments": {}},
        ],
    })
}

#[test]
fn what_was_exported_makes_the_same_broker_again_octet_for_octet() {
    let first = environment();
    let report = import(&first, &everything(), Mode::Apply);
    assert_eq!(told(report.mistakes()), [""; 0]);
    assert_eq!(told(report.remarks()), ["parameters[2].component: kept, and without effect: not known here"]);
    let text = export(&first);
    let exported: Value = serde_json::from_str(&text).unwrap();
    for (section, expected) in
        [("queues", 2), ("exchanges", 1), ("bindings", 2), ("users", 3), ("parameters", 3)]
    {
        assert_eq!(exported[section].as_array().unwrap().len(), expected, "{section}");
    }
    assert_eq!(exported["bindings"][1]["arguments"], json!({"k": 1, "present": null}));
    let second = environment();
    assert_eq!(told(import(&second, &exported, Mode::Apply).mistakes()), [""; 0]);
    assert_eq!(export(&second), text);
    let again = import(&second, &exported, Mode::ApplyAndTell);
    assert_eq!((again.applied(), again.changes()), (0, &[][..]), "{}", again.json());
}

#[test]
fn the_order_in_which_things_were_made_does_not_show() {
    let names = ["b", "a", "d", "c"];
    let document = |names: &[&str]| {
        let queues = names.iter().map(|name| json!({"name": name, "vhost": "/"}));
        let bindings = names.iter().flat_map(|name| {
            names.iter().map(move |key| {
                json!({"source": "amq.direct", "vhost": "/", "destination": name,
                       "destination_type": "queue", "routing_key": key})
            })
        });
        let hash = "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR";
        let users = json!([{"name": "guest", "tags": "administrator", "password_hash": hash}]);
        json!({"users": users, "queues": queues.collect::<Vec<_>>(), "bindings": bindings.collect::<Vec<_>>()})
    };
    let mut reversed = names;
    reversed.reverse();
    let texts = [names, reversed].map(|names| {
        let environment = environment();
        assert_eq!(told(import(&environment, &document(&names), Mode::Apply).mistakes()), [""; 0]);
        export(&environment)
    });
    assert_eq!(texts[0], texts[1]);
    assert_eq!(texts[0].matches("\"routing_key\"").count(), 16);
}

#[test]
fn a_mistake_is_told_with_its_place_and_nothing_behind_it_is_applied() {
    let queue = |further: Value| {
        let mut queue = json!({"name": "bad", "vhost": "/"});
        queue.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
        json!({"queues": [{"name": "before", "vhost": "/"}, queue, {"name": "behind", "vhost": "/"}]})
    };
    let policy = |further: Value| {
        let mut policy = json!({"name": "p", "vhost": "/", "pattern": "q", "definition": {"max-length": 1}});
        policy.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
        json!({"policies": [policy]})
    };
    for (document, expected) in [
        (queue(json!({"arguments": {"x-max-length": -1}})), "queues[1].arguments.x-max-length: invalid arg"),
        (queue(json!({"arguments": {"x-max-age": "1D"}})), "queues[1].arguments.x-max-age: invalid arg"),
        (queue(json!({"arguments": 5})), "queues[1].arguments: expected an object, found a number"),
        (queue(json!({"durable": "yes"})), "queues[1].durable: expected true or false, found a text"),
        (
            queue(json!({"durable": false, "arguments": {"x-queue-type": "quorum"}})),
            "queues[1].durable: invalid property 'non-durable'",
        ),
        (queue(json!({"name": ""})), "queues[1].name: a name is not empty"),
        (queue(json!({"name": "x".repeat(256)})), "queues[1].name: a name has at most 255 bytes"),
        (queue(json!({"vhost": "no"})), "queues[1].vhost: there is no virtual host 'no'"),
        (queue(json!({"vhost": null})), "queues[1].vhost: it has to be there"),
        (json!({"queues": [5]}), "queues[0]: expected an object, found a number"),
        (json!({"queues": {}}), "queues: expected a list, found an object"),
        (json!({"users": [{"name": "x"}]}), "users[0].tags: tags_not_present"),
        (
            json!({"users": [{"name": "x", "tags": "", "password_hash": "zz"}]}),
            "users[0].password_hash: a password hash is base64",
        ),
        (
            json!({"users": [{"name": "x", "tags": "", "hashing_algorithm": "zz"}]}),
            "users[0].hashing_algorithm: unknown hashing algorithm 'zz'",
        ),
        (
            json!({"users": [{"name": "x", "tags": "", "limits": {"max-cats": 1}}]}),
            "users[0].limits.max-cats: there is no such limit of users",
        ),
        (
            json!({"permissions": [{"user": "x", "vhost": "/", "configure": "", "write": "", "read": ""}]}),
            "permissions[0].user: there is no user 'x'",
        ),
        (
            json!({"permissions": [{"user": "guest", "vhost": "/", "configure": "", "write": "*", "read": ""}]}),
            "permissions[0].write: invalid regular expression '*'",
        ),
        (
            json!({"topic_permissions": [
                {"user": "guest", "vhost": "/", "exchange": "x", "write": "", "read": "*"}]}),
            "topic_permissions[0].read: invalid regular expression '*'",
        ),
        (
            json!({"exchanges": [{"name": "e", "vhost": "/", "type": "nope"}]}),
            "exchanges[0].type: unknown exchange type 'nope'",
        ),
        (
            json!({"exchanges": [
                {"name": "e", "vhost": "/", "type": "direct", "arguments": {"alternate-exchange": 1}}]}),
            "exchanges[0].arguments.alternate-exchange: invalid type",
        ),
        (
            json!({"bindings": [{"source": "amq.headers", "vhost": "/", "destination": "amq.fanout",
                "destination_type": "exchange", "routing_key": "", "arguments": {"x-match": "some"}}]}),
            "bindings[0]: Invalid x-match field value",
        ),
        (
            json!({"bindings": [{"source": "a", "vhost": "/", "destination": "b", "destination_type": "c",
                "routing_key": ""}]}),
            "bindings[0].destination_type: expected 'queue' or 'exchange', found 'c'",
        ),
        (policy(json!({"pattern": "*"})), "policies[0].pattern: pattern should be regular expression"),
        (policy(json!({"apply-to": "cats"})), "policies[0].apply-to: apply-to 'cats' unrecognised"),
        (
            policy(json!({"definition": {"max-length": -1}})),
            "policies[0].definition: -1 is not a valid maximum length",
        ),
        (policy(json!({"priority": "high"})), "policies[0].priority: expected a whole number, found a text"),
        (
            json!({"parameters": [{"vhost": "/", "component": "vhost-limits", "name": "limits",
                "value": {"max-queues": "x"}}]}),
            "parameters[0].value.max-queues: expected a whole number",
        ),
        (
            json!({"parameters": [{"vhost": "/", "component": "federation-upstream", "name": "f", "value": {}}]}),
            "parameters[0].value: Key \"uri\" not found in f",
        ),
        (json!({"global_parameters": [{"name": "g"}]}), "global_parameters[0].value: it has to be there"),
    ] {
        for mode in [Mode::Try, Mode::Apply] {
            let environment = environment();
            let report = import(&environment, &document, mode);
            let mistakes = told(report.mistakes());
            assert_eq!(mistakes.len(), 1, "{document}: {mistakes:?}");
            assert!(mistakes[0].starts_with(expected), "{mistakes:?} and not {expected}");
            let vhost = environment.vhosts.get("/").unwrap();
            let has = |name: &str| vhost.queues().get(name).is_some();
            assert!(!has("bad") && !has("behind"), "{document}");
            assert_eq!(has("before"), mode == Mode::Apply && document["queues"][2].is_object(), "{document}");
        }
    }
}

#[test]
fn what_a_trial_says_is_what_happens_and_a_trial_does_nothing() {
    let environment = environment();
    let before = export(&environment);
    let tried = import(&environment, &everything(), Mode::Try);
    assert_eq!(told(tried.mistakes()), [""; 0]);
    assert_eq!(export(&environment), before);
    let done = import(&environment, &everything(), Mode::ApplyAndTell);
    let named = |report: &Report| -> Vec<String> {
        report.changes().iter().map(|change| format!("{} {}", change.action.as_str(), change.path)).collect()
    };
    assert_eq!(named(&tried), named(&done));
    let changed = json!({
        "queues": [{"name": "q1", "vhost": "v", "arguments": {"x-max-length": 6}}],
        "policies": [{"vhost": "v", "name": "p", "pattern": "^q", "definition": {"max-length": 11}}],
    });
    let tried = import(&environment, &changed, Mode::Try);
    assert_eq!(named(&tried), ["change policies[0]", "keep queues[0]"]);
    assert_eq!(tried.changes()[0].before.as_ref().unwrap()["definition"], json!({"max-length": 10}));
    assert_eq!(
        tried.json()["absent"],
        json!([{"section": "queues", "object":
        {"name": "q2", "vhost": "/", "type": "classic", "durable": false, "auto_delete": true, "arguments": {}}}])
    );
    assert!(told(tried.remarks())[0].starts_with("queues[0]: stays as it is: inequivalent arg 'x-"));
}

#[test]
fn what_cannot_be_here_is_left_out_and_told() {
    let queue = |name: &str, arguments: Value| json!({"name": name, "vhost": "/", "arguments": arguments});
    let binding = |source: &str, destination: &str| {
        json!({"source": source, "vhost": "/", "destination": destination, "destination_type": "queue",
               "routing_key": "k", "properties_key": "k"})
    };
    let document = json!({
        "rabbitmq_version": "3.8.0", "cats": 1,
        "exchanges": [
            {"name": "amq.topic", "vhost": "/", "type": "topic"},
            {"name": "", "vhost": "/", "type": "direct"},
            {"name": "amq.mine", "vhost": "/", "type": "topic"},
        ],
        "queues": [
            queue("amq.queuebar", json!({})),
            queue("s", json!({"x-queue-type": "stream"})),
            queue("lazy", json!({"x-queue-mode": "lazy"})),
        ],
        "bindings": [
            binding("", "lazy"), binding("amq.topic", "s"), binding("gone", "lazy"), binding("amq.topic", "lazy")],
        "policies": [
            {"vhost": "/", "name": "ha", "pattern": "", "definition": {"ha-mode": "all", "max-length": 3}},
            {"vhost": "/", "name": "only", "pattern": "", "definition": {"ha-mode": "all"}},
        ],
        "global_parameters": [{"name": "internal_cluster_id", "value": "x"}],
    });
    let environment = environment();
    let report = import(&environment, &document, Mode::Apply);
    assert_eq!(told(report.mistakes()), [""; 0]);
    let mut remarks = told(report.remarks());
    remarks.sort_unstable();
    assert_eq!(
        remarks,
        [
            "bindings[1].destination: left out: there is no queue 's'",
            "bindings[2].source: left out: there is no exchange 'gone'",
            "cats: passed over: not known here",
            "exchanges[2].name: left out: names that begin with 'amq.' are the broker's own",
            "global_parameters[0]: left out: it is another broker's own, and says which one that was",
            "policies[0].definition.ha-mode: left out: not a setting of such policies here",
            "policies[1].definition.ha-mode: left out: not a setting of such policies here",
            "policies[1]: left out: nothing that it says is known here",
            "queues[0].name: left out: names that begin with 'amq.' are the broker's own",
            "queues[1].arguments.x-queue-type: left out: there are no queues of the type 'stream' here",
        ]
    );
    let vhost = environment.vhosts.get("/").unwrap();
    assert_eq!(vhost.queues().len(), 1);
    let policies = vhost.policies();
    let names: Vec<_> = policies.of(crate::policy::PolicyKind::User).iter().map(|p| p.name.clone()).collect();
    assert_eq!(names, ["ha".into()]);
}

#[test]
fn of_one_virtual_host_only_what_is_in_it_is_imported_wherever_it_came_from() {
    let first = environment();
    import(&first, &everything(), Mode::Apply);
    let of = |name: &str| first.vhosts.get(name).unwrap();
    let text: String = Export { environment: &first, cluster_name: "c" }.vhost(&of("v")).collect();
    let exported: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&exported["users"], &exported["queues"][0]["vhost"]), (&Value::Null, &Value::Null));
    let whole = import(&first, &exported, Mode::Try);
    assert!(
        told(whole.mistakes())[0].contains(".vhost: it has to be there, and is not: definitions of a single")
    );
    let mut with_users = exported.clone();
    with_users["users"] = json!([{"name": "new", "tags": ""}]);
    let report = imported(&first, &with_users, Scope::Vhost("/".into()), Mode::Apply);
    assert_eq!(told(report.mistakes()), [""; 0]);
    assert_eq!(told(report.remarks()), ["users: passed over: they belong to no single virtual host"]);
    assert!(of("/").queues().get("q1").is_some() && of("/").exchanges().get("x").is_some());
    assert!(first.access.user("new").is_none());
    assert_eq!(of("/").metadata().max_queues, Some(50));
}

#[test]
fn more_queues_than_a_virtual_host_may_have_are_refused_before_any_is_made() {
    let environment = environment();
    let queues: Vec<Value> = (0..4).map(|n| json!({"name": format!("q{n}"), "vhost": "/"})).collect();
    let limits = |max: i64| {
        json!({"parameters": [{"vhost": "/", "component": "vhost-limits", "name": "limits",
               "value": {"max-queues": max}}], "queues": queues})
    };
    let report = import(&environment, &limits(3), Mode::Apply);
    assert_eq!(
        told(report.mistakes()),
        [
            "queues: the virtual host '/' has 0 queues, and with 4 more it would have more than its limit of 3: raise its \
          max-queues"
        ]
    );
    assert_eq!(environment.vhosts.get("/").unwrap().queues().len(), 0);
    assert_eq!(told(import(&environment, &limits(4), Mode::Apply).mistakes()), [""; 0]);
    assert_eq!(
        told(import(&environment, &limits(3), Mode::Apply).mistakes()),
        [""; 0],
        "they are there already"
    );
}

#[test]
fn a_user_logs_in_as_the_document_says_whatever_its_hash_was_made_with() {
    let environment = environment();
    let user = |name: &str, further: Value| {
        let mut user = json!({"name": name, "tags": []});
        user.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
        user
    };
    // Each of "test12"; the algorithm of the first is told by its length, as it was before RabbitMQ 3.6.
    let document = json!({"users": [
        user("md5", json!({"password_hash": "kI3GChNpte2FApYFXScl+0dIluk="})),
        user("sha256", json!({"password_hash": "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR",
                              "hashing_algorithm": "rabbit_password_hashing_sha256"})),
        user("plain", json!({"password": "test12"})),
        user("none", json!({"password_hash": ""})),
    ]});
    assert_eq!(told(import(&environment, &document, Mode::Apply).mistakes()), [""; 0]);
    for (name, expected) in [("md5", true), ("sha256", true), ("plain", true), ("none", false)] {
        let user = environment.access.user(name).unwrap();
        let matches = crate::auth::PasswordHash::verify(user.password.as_ref(), b"test12");
        assert_eq!(bool::from(matches), expected, "{name}");
    }
    // A password that is as it was is not hashed anew.
    assert_eq!(import(&environment, &document, Mode::Apply).applied(), 0);
}
