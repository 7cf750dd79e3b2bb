//! Health checks, aliveness, nodes and the overview.

use leveret::alarm::SetBy;
use leveret::config::DiskLimit;
use serde_json::{Value, json};

use crate::desk::{Desk, bad_request, no_object};
use crate::support::TempDir;

#[test]
fn checks_say_what_is_and_answer_503_when_it_is_not_well() {
    let data = TempDir::new();
    let desk = Desk::on(data.path());
    let ok = json!({ "status": "ok" });
    let port = desk.broker().addresses()[0].port();
    let (http, metrics) = (desk.address.port(), desk.broker().metrics_addresses()[0].port());
    let ports = [port, http, metrics];
    let missing = json!({ "status": "failed", "reason": "No active listener", "missing": 1, "ports": ports });
    let protocols = ["amqp", "http", "http/prometheus"];
    let mqtt = json!({
        "status": "failed", "reason": "No active listener", "missing": "mqtt", "protocols": protocols,
    });
    desk.check(&[
        ("GET", "/api/health/checks/alarms", Value::Null, 200, ok.clone()),
        ("GET", "/api/health/checks/local-alarms", Value::Null, 200, ok.clone()),
        ("GET", "/api/health/checks/virtual-hosts", Value::Null, 200, ok.clone()),
        ("GET", "/api/health/checks/is-in-service", Value::Null, 200, ok.clone()),
        ("GET", "/api/health/checks/below-node-connection-limit", Value::Null, 200, ok.clone()),
        ("GET", "/api/health/checks/reached-target-cluster-size", Value::Null, 200, Value::Null),
        (
            "GET",
            &format!("/api/health/checks/port-listener/{port}"),
            Value::Null,
            200,
            json!({ "status": "ok", "port": port }),
        ),
        ("GET", "/api/health/checks/port-listener/1", Value::Null, 503, missing),
        ("GET", "/api/health/checks/port-listener/x", Value::Null, 400, bad_request("Invalid port")),
        (
            "GET",
            "/api/health/checks/protocol-listener/amqp091",
            Value::Null,
            200,
            json!({ "status": "ok", "protocol": "amqp" }),
        ),
        (
            "GET",
            "/api/health/checks/protocol-listener/http%2Fprometheus",
            Value::Null,
            200,
            json!({ "status": "ok", "protocol": "http/prometheus" }),
        ),
        ("GET", "/api/health/checks/protocol-listener/http", Value::Null, 200, Value::Null),
        ("GET", "/api/health/checks/protocol-listener/https", Value::Null, 503, Value::Null),
        ("GET", &format!("/api/health/checks/port-listener/{metrics}"), Value::Null, 200, Value::Null),
        ("GET", "/api/health/checks/protocol-listener/mqtt", Value::Null, 503, mqtt),
        ("GET", "/api/health/checks/nonsense", Value::Null, 404, no_object()),
        ("GET", "/api/healthchecks/node", Value::Null, 200, ok.clone()),
        ("GET", "/api/aliveness-test/%2F", Value::Null, 200, ok),
        ("GET", "/api/aliveness-test/none", Value::Null, 404, no_object()),
    ]);
    assert_eq!(desk.get("/api/queues/%2F/aliveness-test")["messages"], 0);
    desk.broker().environment().alarms.set_disk_limit(DiskLimit::Absolute(u64::MAX), SetBy::Operator);
    let node = desk.get("/api/overview")["node"].clone();
    let raised = json!({
        "status": "failed", "reason": "There are alarms in effect in the cluster",
        "alarms": [{ "node": node, "resource": "disk" }],
    });
    desk.check(&[("GET", "/api/health/checks/alarms", Value::Null, 503, raised)]);
    assert_eq!(desk.get("/api/nodes")[0]["disk_free_alarm"], true);
}

/// What strict clients cannot do without.
#[test]
fn the_overview_and_the_node_have_what_tools_read() {
    let desk = Desk::new();
    let (overview, nodes) = (desk.get("/api/overview"), desk.get("/api/nodes"));
    for path in [
        "cluster_name",
        "node",
        "erlang_full_version",
        "erlang_version",
        "rabbitmq_version",
        "product_name",
        "product_version",
        "statistics_db_event_queue",
        "churn_rates.connection_created",
        "churn_rates.connection_closed",
        "churn_rates.queue_declared",
        "churn_rates.queue_created",
        "churn_rates.queue_deleted",
        "churn_rates.channel_created",
        "churn_rates.channel_closed",
        "queue_totals.messages",
        "queue_totals.messages_details.rate",
        "object_totals.connections",
        "object_totals.channels",
        "object_totals.queues",
        "object_totals.exchanges",
        "object_totals.consumers",
        "message_stats",
        "listeners",
        "rates_mode",
        "management_version",
        "exchange_types",
    ] {
        let found = path.split('.').try_fold(&overview, |value, name| value.get(name));
        assert!(found.is_some_and(|found| !found.is_null()), "{path}");
    }
    let protocols: Vec<&Value> =
        overview["listeners"].as_array().unwrap().iter().map(|l| &l["protocol"]).collect();
    assert_eq!(protocols, ["amqp", "http", "http/prometheus"]);
    let contexts: Vec<&Value> =
        overview["contexts"].as_array().unwrap().iter().map(|context| &context["description"]).collect();
    assert_eq!(contexts, ["RabbitMQ Management", "RabbitMQ Prometheus"]);
    for name in [
        "name",
        "uptime",
        "run_queue",
        "processors",
        "os_pid",
        "fd_total",
        "fd_used",
        "proc_total",
        "proc_used",
        "mem_limit",
        "mem_used",
        "mem_alarm",
        "disk_free_limit",
        "disk_free_alarm",
        "rates_mode",
        "enabled_plugins",
        "being_drained",
        "sockets_used",
        "sockets_total",
        "partitions",
        "running",
        "type",
    ] {
        assert!(!nodes[0][name].is_null(), "{name}");
    }
    let node = nodes[0]["name"].as_str().unwrap();
    desk.check(&[
        ("GET", &format!("/api/nodes/{node}"), Value::Null, 200, Value::Null),
        ("GET", "/api/nodes/other@host", Value::Null, 404, no_object()),
        ("GET", "/api/cluster-name", Value::Null, 200, json!({ "name": "leveret" })),
        ("PUT", "/api/cluster-name", json!({ "name": "x" }), 204, Value::Null),
        ("GET", "/api/cluster-name", Value::Null, 200, json!({ "name": "x" })),
        ("GET", "/api/auth", Value::Null, 200, json!({ "oauth_enabled": false })),
    ]);
    let flags = desk.get("/api/feature-flags");
    for name in ["stream_queue", "quorum_queue"] {
        let flag = flags.as_array().unwrap().iter().find(|flag| flag["name"] == name).unwrap();
        assert_eq!(flag["state"], "enabled", "{name}");
    }
}
