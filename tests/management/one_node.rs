//! What several nodes, or another broker, would have: it is answered as RabbitMQ answers where there is one node.

use serde_json::{Value, json};

use crate::desk::{Desk, bad_request, no_object};

#[test]
fn replicas_and_balance_are_what_one_node_has() {
    let desk = Desk::new();
    let quorum = json!({ "durable": true, "arguments": { "x-queue-type": "quorum" } });
    desk.done("PUT", "/api/queues/%2F/qq", &quorum);
    desk.done("PUT", "/api/queues/%2F/cq", &json!({}));
    let node = desk.get("/api/overview")["node"].clone();
    let status = desk.get("/api/queues/quorum/%2F/qq/status");
    assert_eq!((&status[0]["Node Name"], &status[0]["Raft State"]), (&node, &json!("leader")));
    let this = json!({ "node": node });
    let on = |rest: &str| format!("/api/queues/quorum/{rest}");
    let of_node = |what: &str| on(&format!("replicas/on/{}/{what}", node.as_str().unwrap()));
    for (method, path, body, status) in [
        ("GET", on("%2F/cq/status"), Value::Null, 503),
        ("GET", on("%2F/none/status"), Value::Null, 404),
        ("POST", on("%2F/qq/replicas/add"), this.clone(), 204),
        ("POST", on("%2F/qq/replicas/add"), json!({ "node": "other" }), 503),
        ("POST", on("%2F/cq/replicas/add"), this.clone(), 503),
        ("DELETE", on("%2F/qq/replicas/delete"), this.clone(), 503),
        ("POST", of_node("grow"), Value::Null, 204),
        ("DELETE", of_node("shrink"), Value::Null, 503),
        ("POST", on("replicas/on/other/grow"), Value::Null, 404),
        ("POST", "/api/rebalance/queues".to_owned(), Value::Null, 204),
    ] {
        assert_eq!(desk.ask(method, &path, &body).status, status, "{method} {path}");
    }
    // A virtual host may have any name.
    desk.done("PUT", "/api/vhosts/quorum", &Value::Null);
    desk.done("PUT", "/api/queues/quorum/q", &json!({}));
    assert_eq!(desk.get("/api/queues/quorum/q")["vhost"], "quorum");
}

#[test]
fn features_and_checks_that_say_how_it_is() {
    let desk = Desk::new();
    let used = |desk: &Desk| -> Vec<Value> {
        let used = desk.get("/api/deprecated-features/used");
        used.as_array().unwrap().iter().map(|feature| feature["name"].clone()).collect()
    };
    let all = desk.get("/api/deprecated-features");
    for key in ["name", "desc", "deprecation_phase", "state", "doc_url", "provided_by"] {
        assert!(all.as_array().unwrap().iter().all(|feature| feature[key].is_string()), "{key}");
    }
    assert_eq!(used(&desk), Vec::<Value>::new());
    desk.done("PUT", "/api/queues/%2F/t", &json!({ "durable": false }));
    assert_eq!(used(&desk), ["transient_nonexcl_queues"]);
    let health = "/api/health/checks";
    desk.check(&[
        ("PUT", "/api/feature-flags/quorum_queue/enable", json!({}), 204, Value::Null),
        (
            "PUT",
            "/api/feature-flags/cats/enable",
            json!({}),
            400,
            bad_request("There is no feature flag 'cats' that could be enabled"),
        ),
        ("GET", "/api/queues/%2F/none", Value::Null, 404, no_object()),
    ]);
    for (path, status) in [
        ("certificate-expiration/2/months", 200),
        ("certificate-expiration/x/days", 400),
        ("certificate-expiration/1/decades", 400),
        ("metadata-store/initialized", 200),
        ("metadata-store/initialized/with-data", 200),
        ("quorum-queues-without-elected-leaders/all-vhosts", 200),
        ("quorum-queues-without-elected-leaders/all-vhosts/", 200),
        ("quorum-queues-without-elected-leaders/vhost/%2F/pattern/.*", 200),
    ] {
        assert_eq!(desk.ask("GET", &format!("{health}/{path}"), &Value::Null).status, status, "{path}");
    }
    let effective = desk.get("/api/config/effective");
    assert_eq!(effective["leveret"]["frame_max"], "128KiB");
    assert_eq!(effective["leveret"]["default_pass"], "(hidden)");
    assert_eq!(desk.get("/api/all-configuration")["rabbitmq_definition_format"], "cluster");
}
