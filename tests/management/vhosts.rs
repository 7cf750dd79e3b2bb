//! Virtual hosts and their limits.

use serde_json::{Value, json};

use crate::desk::{Desk, bad_request, no_object};
use crate::support::TempDir;

#[test]
fn a_virtual_host_is_made_changed_and_deleted() {
    let desk = Desk::new();
    let described = json!({ "description": "d", "tags": "a, b" });
    desk.check(&[
        ("PUT", "/api/vhosts/v", Value::Null, 201, Value::Null),
        ("PUT", "/api/vhosts/v", described, 204, Value::Null),
        ("PUT", "/api/vhosts/v", json!({ "tags": ["c"], "default_queue_type": "quorum" }), 204, Value::Null),
        (
            "PUT",
            "/api/vhosts/v",
            json!({ "default_queue_type": "x" }),
            400,
            bad_request("unknown queue type 'x'"),
        ),
        ("PUT", "/api/vhosts/v", json!({ "tags": 5 }), 400, Value::Null),
        ("GET", "/api/vhosts/none", Value::Null, 404, no_object()),
        ("DELETE", "/api/vhosts/none", Value::Null, 404, no_object()),
    ]);
    let vhost = desk.get("/api/vhosts/v");
    for (key, expected) in [
        ("name", json!("v")),
        ("description", json!("d")),
        ("tags", json!(["c"])),
        ("default_queue_type", json!("quorum")),
        ("metadata", json!({ "description": "d", "tags": ["c"], "default_queue_type": "quorum" })),
        ("tracing", json!(false)),
        ("messages", json!(0)),
    ] {
        assert_eq!(vhost[key], expected, "{key}");
    }
    assert!(vhost["cluster_state"].as_object().unwrap().values().all(|state| state == "running"));
    let permissions =
        json!([{ "user": "guest", "vhost": "v", "configure": ".*", "write": ".*", "read": ".*" }]);
    assert_eq!(desk.get("/api/vhosts/v/permissions"), permissions);
    desk.check(&[
        ("POST", "/api/vhosts/v/deletion/protection", Value::Null, 204, Value::Null),
        (
            "DELETE",
            "/api/vhosts/v",
            Value::Null,
            412,
            json!({
                "error": "precondition_failed",
                "reason": "Refusing to delete virtual host 'v' because it is protected from deletion",
            }),
        ),
        ("PUT", "/api/vhosts/v", json!({ "protected_from_deletion": false }), 204, Value::Null),
        ("DELETE", "/api/vhosts/v", Value::Null, 204, Value::Null),
        ("GET", "/api/vhosts/v", Value::Null, 404, no_object()),
        ("GET", "/api/vhosts/v/permissions", Value::Null, 404, no_object()),
        ("GET", "/api/queues/v", Value::Null, 404, no_object()),
    ]);
}

#[test]
fn limits_are_set_listed_and_taken_back() {
    let desk = Desk::new();
    desk.add_user("u", "");
    let unknown = bad_request("Validation failed\n\nUnrecognised terms [nonsense] in limits\n");
    let no_number = bad_request("Validation failed\n\nmax-queues should be a number, actually was \"x\"\n");
    desk.check(&[
        ("GET", "/api/vhost-limits", Value::Null, 200, json!([])),
        ("PUT", "/api/vhost-limits/%2F/max-queues", json!({ "value": 1 }), 204, Value::Null),
        ("PUT", "/api/vhost-limits/%2F/max-queues", json!({ "value": "x" }), 400, no_number),
        ("PUT", "/api/vhost-limits/%2F/max-queues", json!({}), 400, bad_request("[{key_missing,value}]")),
        ("PUT", "/api/vhost-limits/%2F/nonsense", json!({ "value": 1 }), 400, unknown.clone()),
        ("PUT", "/api/vhost-limits/none/max-queues", json!({ "value": 1 }), 404, no_object()),
        (
            "GET",
            "/api/vhost-limits/",
            Value::Null,
            200,
            json!([{ "vhost": "/", "value": { "max-queues": 1 } }]),
        ),
        (
            "GET",
            "/api/vhost-limits/%2F",
            Value::Null,
            200,
            json!([{ "vhost": "/", "value": { "max-queues": 1 } }]),
        ),
        ("PUT", "/api/queues/%2F/a", json!({}), 201, Value::Null),
        ("PUT", "/api/queues/%2F/b", json!({}), 400, Value::Null),
        ("DELETE", "/api/vhost-limits/%2F/max-queues", Value::Null, 204, Value::Null),
        ("DELETE", "/api/vhost-limits/%2F/max-queues", Value::Null, 204, Value::Null),
        ("PUT", "/api/queues/%2F/b", json!({}), 201, Value::Null),
        ("PUT", "/api/user-limits/u/max-channels", json!({ "value": 7 }), 204, Value::Null),
        ("PUT", "/api/user-limits/u/max-publish-rate", json!({ "value": 50 }), 204, Value::Null),
        ("GET", "/api/users/u/", Value::Null, 200, Value::Null),
        ("DELETE", "/api/user-limits/u/max-publish-rate", Value::Null, 204, Value::Null),
        ("PUT", "/api/vhost-limits/%2F/max-publish-bytes-rate", json!({ "value": 9 }), 204, Value::Null),
        (
            "GET",
            "/api/vhost-limits/%2F",
            Value::Null,
            200,
            json!([{ "vhost": "/", "value": { "max-publish-bytes-rate": 9 } }]),
        ),
        ("DELETE", "/api/vhost-limits/%2F/max-publish-bytes-rate", Value::Null, 204, Value::Null),
        ("PUT", "/api/user-limits/u/nonsense", json!({ "value": 7 }), 400, unknown),
        ("PUT", "/api/user-limits/none/max-channels", json!({ "value": 7 }), 404, no_object()),
        (
            "GET",
            "/api/user-limits",
            Value::Null,
            200,
            json!([{ "user": "u", "value": { "max-channels": 7 } }]),
        ),
        (
            "GET",
            "/api/user-limits/u",
            Value::Null,
            200,
            json!([{ "user": "u", "value": { "max-channels": 7 } }]),
        ),
        ("DELETE", "/api/user-limits/u/max-channels", Value::Null, 204, Value::Null),
        ("GET", "/api/user-limits/u", Value::Null, 200, json!([])),
    ]);
}

#[test]
fn what_was_set_is_there_after_a_restart() {
    let data = TempDir::new();
    let paths = [
        "/api/users",
        "/api/permissions",
        "/api/vhost-limits",
        "/api/policies",
        "/api/bindings",
        "/api/parameters",
        "/api/global-parameters",
        "/api/topic-permissions",
        "/api/cluster-name",
    ];
    let desk = Desk::on(data.path());
    desk.done("PUT", "/api/vhosts/v%2Fx", &json!({ "description": "d" }));
    desk.add_user("u", "monitoring");
    desk.let_in("u", "v%2Fx");
    desk.done(
        "PUT",
        "/api/topic-permissions/v%2Fx/u",
        &json!({ "exchange": "amq.topic", "write": "a", "read": "b" }),
    );
    desk.done("PUT", "/api/vhost-limits/v%2Fx/max-queues", &json!({ "value": 9 }));
    desk.done("PUT", "/api/policies/v%2Fx/p", &json!({ "pattern": "", "definition": { "max-length": 3 } }));
    desk.done("PUT", "/api/queues/v%2Fx/q", &json!({ "durable": true, "arguments": { "x-max-length": 2 } }));
    desk.done("PUT", "/api/exchanges/v%2Fx/e", &json!({ "durable": true, "type": "headers" }));
    desk.done(
        "POST",
        "/api/bindings/v%2Fx/e/e/q/q",
        &json!({ "routing_key": "k", "arguments": { "b": 1, "a": [true] } }),
    );
    desk.done("PUT", "/api/parameters/shovel/v%2Fx/s", &json!({ "value": { "src-uri": "amqp://" } }));
    desk.done("PUT", "/api/global-parameters/g", &json!({ "value": [1, { "a": null }] }));
    desk.done("PUT", "/api/cluster-name", &json!({ "name": "c" }));
    let before: Vec<Value> = paths.iter().map(|path| desk.get(path)).collect();
    desk.stop();
    let desk = Desk::on(data.path());
    for (path, before) in paths.iter().zip(before) {
        assert_eq!(desk.get(path), before, "{path}");
    }
    assert_eq!(desk.get("/api/cluster-name"), json!({ "name": "c" }));
    assert_eq!(desk.get("/api/vhosts/v%2Fx")["description"], "d");
    desk.done("DELETE", "/api/vhosts/v%2Fx", &Value::Null);
    assert_eq!(desk.get("/api/topic-permissions"), json!([]));
}
