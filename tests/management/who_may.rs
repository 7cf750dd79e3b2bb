//! Who may use what: every endpoint and method of the table, with users of every tag.

use std::collections::BTreeSet;

use leveret::management::{ENDPOINTS, Method, Needs};
use serde_json::{Value, json};

use crate::desk::{Desk, not_authorised};
use crate::http::{Answer, Request};

/// Users by name: their tags, and whether they may enter `in`. None may enter `out`.
const USERS: [(&str, &str, bool); 9] = [
    ("tagless", "", true),
    ("stranger", "other", true),
    ("manager", "management", true),
    ("outsider", "management", false),
    ("policymaker", "policymaker", true),
    ("outside-policymaker", "policymaker", false),
    ("monitor", "monitoring", false),
    ("impersonator", "impersonator,management", true),
    ("administrator", "administrator", false),
];

/// What says no, if anything does.
fn refusal(user: &str, needs: Needs, path: &str) -> Option<&'static str> {
    const VHOST: &str = "User not authorised to access virtual host";
    const OBJECT: &str = "User not authorised to access object";
    let (_, tags, enters) = USERS.into_iter().find(|(name, ..)| *name == user).unwrap();
    let has = |tag: &str| tags.split(',').any(|known| known == tag);
    if needs == Needs::Nothing || has("administrator") {
        return None;
    }
    if !["management", "policymaker", "monitoring"].into_iter().any(has) {
        return Some("Not management user");
    }
    let enters = enters || !path.contains("{vhost}");
    let (may, otherwise) = match needs {
        Needs::Nothing | Needs::Management => (true, ""),
        Needs::Monitoring => (has("monitoring"), "Not monitor user"),
        Needs::Policymaker => (has("policymaker"), OBJECT),
        Needs::Administrator => (false, "Not administrator user"),
        Needs::Vhost => (enters, VHOST),
        Needs::PolicymakerOfVhost => (has("policymaker") && enters, OBJECT),
        Needs::SeesVhost => (enters || has("monitoring"), VHOST),
        Needs::IsUser => (false, OBJECT),
        Needs::SeesUser => (has("monitoring"), OBJECT),
    };
    (!may).then_some(otherwise)
}

/// A path with names of what is not there, but for the virtual host.
fn filled(path: &str) -> String {
    let mut filled = String::new();
    for part in path.split('/').skip(1) {
        filled.push('/');
        filled.push_str(match part {
            "{vhost}" => "in",
            part if part.starts_with('{') => "nothing",
            part => part,
        });
    }
    filled
}

fn asked(desk: &Desk, user: &str, method: Method, path: &str) -> Answer {
    Request::new(method.as_str(), path).login(user, user).body("not json").send(desk.address)
}

#[test]
fn every_endpoint_is_for_whom_the_table_says_and_for_nobody_else() {
    let desk = Desk::new();
    desk.done("PUT", "/api/vhosts/in", &Value::Null);
    for (name, tags, enters) in USERS {
        desk.add_user(name, tags);
        if enters {
            desk.let_in(name, "in");
        }
    }
    for endpoint in ENDPOINTS {
        let path = filled(endpoint.path);
        // What would end the virtual host that all of this is about.
        let ends = endpoint.method == Method::Delete && path == "/api/vhosts/in";
        for (user, ..) in USERS {
            let refusal = refusal(user, endpoint.needs, endpoint.path);
            if ends && refusal.is_none() {
                continue;
            }
            let answer = asked(&desk, user, endpoint.method, &path);
            if let Some(reason) = refusal {
                assert_eq!(answer.status, 401, "{user}: {endpoint:?}: {answer:?}");
                assert_eq!(answer.json(), not_authorised(reason), "{user}: {endpoint:?}");
                continue;
            }
            let found = answer.status;
            // Whoever may enter nothing may ask and does not get: that is told as AMQP tells it.
            let is_of_amqp =
                found == 401 && answer.json()["reason"].as_str().unwrap().contains("refused for user");
            // What asks for a login is open to all, and refuses what is none.
            let is_login = path == "/api/login" && found == 401;
            let is_served = is_login || [200, 201, 204, 400, 404, 503].contains(&found) || is_of_amqp;
            assert!(is_served, "{user}: {endpoint:?}: {answer:?}");
        }
        let nobody = Request::new(endpoint.method.as_str(), &path).body("not json").send(desk.address);
        let of_nobody = Request::new(endpoint.method.as_str(), &path).login("manager", "wrong");
        let of_nobody = of_nobody.body("not json").send(desk.address);
        if endpoint.needs != Needs::Nothing {
            for answer in [nobody, of_nobody] {
                assert_eq!(answer.status, 401, "{endpoint:?}: {answer:?}");
                assert_eq!(answer.header("www-authenticate"), Some("Basic realm=\"RabbitMQ Management\""));
                assert_eq!(answer.json(), json!({ "error": "not_authorized", "reason": "Not_Authorized" }));
            }
        }
    }
}

#[test]
fn a_method_that_a_path_does_not_have_is_405_with_those_that_it_has() {
    let desk = Desk::new();
    let paths: BTreeSet<&str> = ENDPOINTS.iter().map(|endpoint| endpoint.path).collect();
    for path in paths {
        let filled = filled(path);
        let has = |method: Method| ENDPOINTS.iter().any(|row| row.path == path && row.method == method);
        let mut allowed = Vec::new();
        if has(Method::Get) {
            allowed.push("HEAD");
        }
        for method in [Method::Get, Method::Put, Method::Post, Method::Delete] {
            if has(method) {
                allowed.push(method.as_str());
                continue;
            }
            let answer = asked(&desk, "guest", method, &filled);
            assert_eq!((answer.status, answer.body.as_str()), (405, ""), "{} {path}", method.as_str());
        }
        allowed.push("OPTIONS");
        for method in ["OPTIONS", "PATCH"] {
            let answer = Request::new(method, &filled).send(desk.address);
            assert_eq!(answer.status, if method == "OPTIONS" { 200 } else { 405 }, "{path}");
            assert_eq!(answer.header("allow"), Some(allowed.join(", ").as_str()), "{path}");
        }
    }
}

#[test]
fn lists_hold_what_is_in_virtual_hosts_that_the_user_may_see() {
    let desk = Desk::new();
    desk.done("PUT", "/api/vhosts/a", &Value::Null);
    desk.done("PUT", "/api/vhosts/b", &Value::Null);
    for vhost in ["a", "b"] {
        desk.done("PUT", &format!("/api/queues/{vhost}/q"), &json!({}));
        let policy = json!({ "pattern": "q", "definition": { "max-length": 1 } });
        desk.done("PUT", &format!("/api/policies/{vhost}/p"), &policy);
        desk.done("PUT", &format!("/api/vhost-limits/{vhost}/max-queues"), &json!({ "value": 5 }));
    }
    desk.add_user("m", "management");
    desk.let_in("m", "a");
    desk.add_user("all", "monitoring");
    let seen = |user: &str, path: &str, key: &str| {
        let answer = desk.ask_as(user, "GET", path, &Value::Null);
        assert_eq!(answer.status, 200, "{user} {path}: {answer:?}");
        let found = answer.json();
        let found: BTreeSet<String> =
            found.as_array().unwrap().iter().map(|o| o[key].as_str().unwrap().to_owned()).collect();
        found.into_iter().collect::<Vec<_>>().join(" ")
    };
    for (path, key) in [("/api/queues", "vhost"), ("/api/policies", "vhost"), ("/api/vhost-limits", "vhost")]
    {
        assert_eq!(seen("m", path, key), "a", "{path}");
        assert_eq!(seen("all", path, key), "a b", "{path}");
    }
    for (path, key) in [("/api/vhosts", "name"), ("/api/exchanges", "vhost")] {
        assert_eq!(seen("m", path, key), "a", "{path}");
        assert_eq!(seen("all", path, key), "/ a b", "{path}");
    }
    let overview = desk.ask_as("m", "GET", "/api/overview", &Value::Null).json();
    assert_eq!(overview["object_totals"]["queues"], 1);
    assert_eq!(overview.get("listeners"), None);
}

#[test]
fn what_amqp_would_refuse_is_refused_with_its_words() {
    let desk = Desk::new();
    desk.add_user("u", "management");
    let some = json!({ "configure": "^mine", "write": "^mine", "read": "^mine" });
    desk.done("PUT", "/api/permissions/%2F/u", &some);
    desk.done("PUT", "/api/queues/%2F/other", &json!({}));
    let message =
        json!({ "routing_key": "x", "properties": {}, "payload": "", "payload_encoding": "string" });
    let get = json!({ "count": 1, "ackmode": "ack_requeue_true", "encoding": "auto" });
    for (method, path, body, status, reason) in [
        ("PUT", "/api/queues/%2F/mine", json!({}), 201, ""),
        (
            "PUT",
            "/api/queues/%2F/yours",
            json!({}),
            401,
            "configure access to queue 'yours' in vhost '/' refused for user 'u'",
        ),
        (
            "DELETE",
            "/api/queues/%2F/other",
            Value::Null,
            401,
            "configure access to queue 'other' in vhost '/' refused for user 'u'",
        ),
        (
            "DELETE",
            "/api/queues/%2F/other/contents",
            Value::Null,
            401,
            "read access to queue 'other' in vhost '/' refused for user 'u'",
        ),
        (
            "POST",
            "/api/queues/%2F/other/get",
            get,
            401,
            "ACCESS_REFUSED - read access to queue 'other' in vhost '/' refused for user 'u'",
        ),
        (
            "POST",
            "/api/exchanges/%2F/amq.direct/publish",
            message,
            401,
            "ACCESS_REFUSED - write access to exchange 'amq.direct' in vhost '/' refused for user 'u'",
        ),
        (
            "POST",
            "/api/bindings/%2F/e/amq.direct/q/mine",
            json!({}),
            401,
            "read access to exchange 'amq.direct' in vhost '/' refused for user 'u'",
        ),
        (
            "PUT",
            "/api/exchanges/%2F/yours",
            json!({}),
            401,
            "configure access to exchange 'yours' in vhost '/' refused for user 'u'",
        ),
    ] {
        let answer = desk.ask_as("u", method, path, &body);
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        if status == 401 {
            assert_eq!(answer.json(), not_authorised(reason), "{method} {path}");
        }
    }
}
