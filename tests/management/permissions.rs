//! Permissions and topic permissions.

use serde_json::{Value, json};

use crate::desk::{Desk, bad_request, no_object};

#[test]
fn permissions_are_set_listed_and_taken_back() {
    let desk = Desk::new();
    desk.add_user("u", "");
    let all = json!({ "configure": ".*", "write": "^w", "read": "" });
    let entry = json!({ "user": "u", "vhost": "/", "configure": ".*", "write": "^w", "read": "" });
    let unknown = bad_request("vhost_or_user_not_found");
    desk.check(&[
        ("GET", "/api/permissions/%2F/u", Value::Null, 404, no_object()),
        ("DELETE", "/api/permissions/%2F/u", Value::Null, 404, no_object()),
        ("GET", "/api/users/u/permissions", Value::Null, 200, json!([])),
        ("GET", "/api/users/none/permissions", Value::Null, 404, no_object()),
        (
            "PUT",
            "/api/permissions/%2F/u",
            json!({ "configure": "", "write": "" }),
            400,
            bad_request("[{key_missing,read}]"),
        ),
        (
            "PUT",
            "/api/permissions/%2F/u",
            json!({ "configure": "(", "write": "", "read": "" }),
            400,
            Value::Null,
        ),
        ("PUT", "/api/permissions/none/u", all.clone(), 400, unknown.clone()),
        ("PUT", "/api/permissions/%2F/none", all.clone(), 400, unknown),
        ("PUT", "/api/permissions/%2F/u", all.clone(), 201, Value::Null),
        ("PUT", "/api/permissions/%2F/u", all, 204, Value::Null),
        ("GET", "/api/permissions/%2F/u", Value::Null, 200, entry.clone()),
        ("GET", "/api/users/u/permissions", Value::Null, 200, json!([entry])),
        ("DELETE", "/api/permissions/%2F/u", Value::Null, 204, Value::Null),
        ("GET", "/api/permissions/%2F/u", Value::Null, 404, no_object()),
    ]);
    let all = desk.get("/api/permissions");
    assert_eq!(
        all,
        json!([{ "user": "guest", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*" }])
    );
}

#[test]
fn topic_permissions_are_set_listed_and_taken_back() {
    let desk = Desk::new();
    desk.add_user("u", "");
    let topic = |exchange: &str| json!({ "exchange": exchange, "write": "^w", "read": "^r" });
    let entry = |exchange: &str| json!({ "user": "u", "vhost": "/", "exchange": exchange, "write": "^w", "read": "^r" });
    desk.check(&[
        ("GET", "/api/topic-permissions/%2F/u", Value::Null, 404, no_object()),
        (
            "PUT",
            "/api/topic-permissions/%2F/u",
            json!({ "exchange": "", "write": "(" }),
            400,
            bad_request("[{key_missing,read}]"),
        ),
        ("PUT", "/api/topic-permissions/none/u", topic("a"), 400, bad_request("vhost_or_user_not_found")),
        ("PUT", "/api/topic-permissions/%2F/u", topic("a"), 201, Value::Null),
        ("PUT", "/api/topic-permissions/%2F/u", topic("b"), 204, Value::Null),
        ("GET", "/api/topic-permissions/%2F/u", Value::Null, 200, json!([entry("a"), entry("b")])),
        ("GET", "/api/topic-permissions/%2F/u/b", Value::Null, 200, json!([entry("b")])),
        ("GET", "/api/vhosts/%2F/topic-permissions", Value::Null, 200, json!([entry("a"), entry("b")])),
        ("DELETE", "/api/topic-permissions/%2F/u/a", Value::Null, 204, Value::Null),
        ("DELETE", "/api/topic-permissions/%2F/u/a", Value::Null, 404, no_object()),
        ("GET", "/api/users/u/topic-permissions", Value::Null, 200, json!([entry("b")])),
        ("DELETE", "/api/topic-permissions/%2F/u", Value::Null, 204, Value::Null),
        ("GET", "/api/topic-permissions", Value::Null, 200, json!([])),
    ]);
}
