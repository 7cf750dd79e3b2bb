//! Policies, operator policies and parameters.

use serde_json::{Value, json};

use crate::desk::{Desk, bad_request, no_object};

#[test]
fn policies_are_set_put_in_force_and_taken_back() {
    let desk = Desk::new();
    desk.done("PUT", "/api/queues/%2F/q", &json!({}));
    for (path, effective) in [("/api/policies", 10), ("/api/operator-policies", 5)] {
        let (one, none) = (format!("{path}/%2F/p"), format!("{path}/%2F/none"));
        let policy = json!({ "pattern": "^q", "definition": { "max-length": effective }, "priority": 2, "apply-to": "queues" });
        let mut listed = policy.clone();
        listed["vhost"] = json!("/");
        listed["name"] = json!("p");
        let wrong = json!({ "pattern": "^q", "definition": { "max-lengthh": 10 } });
        desk.check(&[
            ("GET", path, Value::Null, 200, json!([])),
            ("PUT", &one, json!({ "pattern": "^q" }), 400, bad_request("[{key_missing,definition}]")),
            ("PUT", &one, wrong, 400, Value::Null),
            ("PUT", &one, policy.clone(), 201, Value::Null),
            ("PUT", &one, policy, 204, Value::Null),
            ("GET", &one, Value::Null, 200, listed.clone()),
            ("GET", path, Value::Null, 200, json!([listed])),
            ("GET", &none, Value::Null, 404, no_object()),
            ("DELETE", &none, Value::Null, 404, no_object()),
        ]);
        let queue = desk.get("/api/queues/%2F/q");
        assert_eq!(queue["effective_policy_definition"], json!({ "max-length": effective }));
    }
    let queue = desk.get("/api/queues/%2F/q");
    assert_eq!((&queue["policy"], &queue["operator_policy"]), (&json!("p"), &json!("p")));
    desk.done("DELETE", "/api/policies/%2F/p", &Value::Null);
    desk.done("DELETE", "/api/operator-policies/%2F/p", &Value::Null);
    let queue = desk.get("/api/queues/%2F/q");
    assert_eq!((&queue["policy"], &queue["effective_policy_definition"]), (&Value::Null, &json!({})));
}

#[test]
fn parameters_are_kept_by_component_and_limits_are_parameters_too() {
    let desk = Desk::new();
    let value = json!({ "value": { "src-uri": "amqp://", "x": [1] } });
    let listed = json!({ "component": "shovel", "vhost": "/", "name": "s", "value": { "src-uri": "amqp://", "x": [1] } });
    let limits =
        json!({ "component": "vhost-limits", "vhost": "/", "name": "limits", "value": { "max-queues": 9 } });
    let unknown = bad_request("Validation failed\n\ncomponent nonsense not found\n");
    desk.check(&[
        ("GET", "/api/parameters", Value::Null, 200, json!([])),
        ("PUT", "/api/parameters/shovel/%2F/s", value.clone(), 201, Value::Null),
        ("PUT", "/api/parameters/shovel/%2F/s", value.clone(), 204, Value::Null),
        ("PUT", "/api/parameters/nonsense/%2F/s", value, 400, unknown),
        (
            "PUT",
            "/api/parameters/vhost-limits/%2F/limits",
            json!({ "value": { "max-queues": 9 } }),
            201,
            Value::Null,
        ),
        ("GET", "/api/parameters/vhost-limits/%2F/limits", Value::Null, 200, limits.clone()),
        (
            "GET",
            "/api/vhost-limits",
            Value::Null,
            200,
            json!([{ "vhost": "/", "value": { "max-queues": 9 } }]),
        ),
        ("GET", "/api/parameters", Value::Null, 200, json!([limits, listed])),
        ("GET", "/api/parameters/shovel", Value::Null, 200, json!([listed])),
        ("GET", "/api/parameters/shovel/%2F", Value::Null, 200, json!([listed])),
        ("GET", "/api/parameters/shovel/%2F/s", Value::Null, 200, listed),
        ("GET", "/api/parameters/nonsense", Value::Null, 200, json!([])),
        ("DELETE", "/api/parameters/shovel/%2F/s", Value::Null, 204, Value::Null),
        ("DELETE", "/api/parameters/shovel/%2F/s", Value::Null, 404, no_object()),
        ("DELETE", "/api/parameters/vhost-limits/%2F/limits", Value::Null, 204, Value::Null),
        ("GET", "/api/vhost-limits", Value::Null, 200, json!([])),
    ]);
}

#[test]
fn global_parameters_are_of_any_value() {
    let desk = Desk::new();
    let nested = |depth| (0..depth).fold(json!(1), |value, _| json!([value]));
    desk.check(&[
        (
            "PUT",
            "/api/global-parameters/g",
            json!({ "value": nested(65) }),
            400,
            bad_request("nested_too_deeply"),
        ),
        ("PUT", "/api/global-parameters/deep", json!({ "value": nested(64) }), 201, Value::Null),
        ("DELETE", "/api/global-parameters/deep", Value::Null, 204, Value::Null),
        ("PUT", "/api/global-parameters/g", json!({}), 400, bad_request("[{key_missing,value}]")),
        ("PUT", "/api/global-parameters/g", json!({ "value": { "a": [1] } }), 201, Value::Null),
        ("PUT", "/api/global-parameters/g", json!({ "value": "text" }), 204, Value::Null),
        ("GET", "/api/global-parameters/g", Value::Null, 200, json!({ "name": "g", "value": "text" })),
        ("GET", "/api/global-parameters", Value::Null, 200, json!([{ "name": "g", "value": "text" }])),
        ("DELETE", "/api/global-parameters/g", Value::Null, 204, Value::Null),
        ("DELETE", "/api/global-parameters/g", Value::Null, 404, no_object()),
    ]);
}
