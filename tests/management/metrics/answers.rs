//! Paths, filters, passwords, and what an answer says of itself.

use leveret::config::{Config, MetricsConfig};
use serde_json::json;

use super::{ask, busy, scrape};
use crate::desk::Desk;
use crate::http::Request;

fn with(metrics: MetricsConfig) -> Desk {
    Desk::with(Config { in_memory: true, metrics, ..Config::default() })
}

#[test]
fn queues_are_told_of_the_virtual_hosts_and_with_the_names_that_are_asked_for() {
    let desk = Desk::new();
    desk.done("PUT", "/api/vhosts/other", &json!({}));
    desk.let_in("guest", "other");
    for (vhost, queue) in [("%2F", "one"), ("%2F", "two"), ("other", "one"), ("other", "three")] {
        desk.done("PUT", &format!("/api/queues/{vhost}/{queue}"), &json!({}));
    }
    let names = |query: &str| {
        let told = scrape(&desk, &format!("/metrics/detailed?family=queue_coarse_metrics{query}"));
        let samples = told.samples("rabbitmq_detailed_queue_messages", &[]);
        let mut names: Vec<String> = samples
            .iter()
            .map(|sample| format!("{}:{}", sample.labels["vhost"], sample.labels["queue"]))
            .collect();
        names.sort();
        assert_eq!(told.samples("rabbitmq_detailed_queue_info", &[]).len(), names.len());
        names
    };
    for (query, expected) in [
        ("", &["/:one", "/:two", "other:one", "other:three"][..]),
        ("&vhost=other", &["other:one", "other:three"][..]),
        ("&vhost=other&vhost=%2F", &["/:one", "/:two", "other:one", "other:three"][..]),
        ("&vhost=none", &[][..]),
        ("&queue=%5Eone%24", &["/:one", "other:one"][..]),
        ("&queue=t.%2B&vhost=other", &["other:three"][..]),
        ("&queue=", &["/:one", "/:two", "other:one", "other:three"][..]),
    ] {
        assert_eq!(names(query), expected, "{query}");
    }
    for (query, expected) in [
        ("queue=(", "Invalid 'queue' regex"),
        ("queue=a&queue=b", "Only one 'queue' query parameter is allowed"),
    ] {
        let answer = ask(&desk, &format!("/metrics/detailed?{query}"));
        assert_eq!(answer.status, 400);
        assert!(answer.body.starts_with(expected), "{}", answer.body);
    }
}

#[test]
fn virtual_hosts_and_exchanges_are_told_as_those_of_a_cluster() {
    let desk = Desk::new();
    let _client = busy(&desk);
    let told =
        scrape(&desk, "/metrics/detailed?family=vhost_status&family=exchange_bindings&family=exchange_names");
    assert_eq!(told.value("rabbitmq_cluster_vhost_status", &[("vhost", "/")]), 1.0);
    let topic = [("vhost", "/"), ("exchange", "amq.topic"), ("type", "topic")];
    assert_eq!(told.value("rabbitmq_cluster_exchange_bindings", &topic), 1.0);
    assert_eq!(told.value("rabbitmq_cluster_exchange_name", &topic), 1.0);
    assert!(told.samples("rabbitmq_cluster_exchange_bindings", &[("exchange", "")]).is_empty());
}

#[test]
fn paths_and_methods_that_are_not_there_are_refused_as_by_rabbitmq() {
    let desk = Desk::new();
    let address = desk.broker().metrics_addresses()[0];
    for (method, path, status, body) in [
        ("GET", "/metrics/", 200, None),
        ("GET", "/metrics/default", 200, None),
        ("GET", "/metrics/per-object/", 200, None),
        ("GET", "/metrics/memory-breakdown", 200, None),
        ("GET", "/metrics/unheard", 404, Some("Unknown Registry")),
        ("GET", "/metrics/a/b", 404, None),
        ("GET", "/metricsx", 404, None),
        ("HEAD", "/metrics", 200, Some("")),
        ("POST", "/metrics", 405, Some("")),
        ("OPTIONS", "/metrics", 200, Some("")),
    ] {
        let answer = Request::new(method, path).send(address);
        assert_eq!(answer.status, status, "{method} {path}");
        if let Some(body) = body {
            assert_eq!(answer.body, body, "{method} {path}");
        }
        if ["POST", "OPTIONS"].contains(&method) {
            assert_eq!(answer.header("allow"), Some("HEAD, GET, OPTIONS"));
        }
    }
}

#[test]
fn metrics_are_at_the_path_that_is_configured_and_by_object_if_that_is() {
    let config = MetricsConfig {
        path: "/mq/told".to_owned(),
        return_per_object_metrics: true,
        ..MetricsConfig::default()
    };
    let desk = with(config);
    desk.done("PUT", "/api/queues/%2F/q", &json!({}));
    assert_eq!(ask(&desk, "/metrics").status, 404);
    let told = scrape(&desk, "/mq/told");
    assert_eq!(told.value("rabbitmq_queue_messages_ready", &[("queue", "q")]), 0.0);
    told.value("rabbitmq_identity_info", &[("rabbitmq_endpoint", "per-object")]);
    scrape(&desk, "/mq/told/detailed");
}

#[test]
fn a_password_of_a_monitoring_user_is_asked_for_if_that_is_configured() {
    let desk = with(MetricsConfig { authentication: true, ..MetricsConfig::default() });
    desk.add_user("monitor", "monitoring");
    desk.add_user("manager", "management");
    let address = desk.broker().metrics_addresses()[0];
    for path in ["/metrics", "/metrics/per-object", "/metrics/detailed"] {
        let refused = ask(&desk, path);
        assert_eq!(refused.status, 401, "{path}");
        assert_eq!(refused.header("www-authenticate"), Some("Basic realm=\"RabbitMQ Prometheus\""));
        for (user, password, status) in [
            ("guest", "guest", 200),
            ("monitor", "monitor", 200),
            ("manager", "manager", 401),
            ("guest", "x", 401),
        ] {
            let answer = Request::new("GET", path).login(user, password).send(address);
            assert_eq!(answer.status, status, "{path} {user}");
        }
    }
    assert_eq!(ask(&desk, "/health/live").status, 200);
}

#[test]
fn who_can_read_gzip_gets_it() {
    let desk = Desk::new();
    let address = desk.broker().metrics_addresses()[0];
    let packed = Request::new("GET", "/metrics").header("accept-encoding", "gzip").send(address);
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert_eq!(packed.header("vary"), Some("accept-encoding"));
    super::Exposition::read(&packed.body).value("rabbitmq_queues", &[]);
    assert_eq!(ask(&desk, "/metrics").header("content-encoding"), None);
}
