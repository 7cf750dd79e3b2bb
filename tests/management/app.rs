//! Whether clients are served, while the HTTP API goes on: RabbitMQ's `stop_app` and `start_app`.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::desk::{Desk, bad_request};
use crate::http::Request;
use crate::support::{Broker, Raw, TempDir, method};

#[test]
fn a_broker_that_is_stopped_closes_its_doors_and_opens_them_where_they_were() {
    let desk = Desk::apart("127.0.9.1");
    let amqp = desk.broker().addresses()[0];
    let mut raw = Raw::connect(&Broker::at(amqp));
    desk.done("PUT", "/api/queues/%2F/durable", &json!({ "durable": true }));
    desk.done("PUT", "/api/queues/%2F/transient", &json!({ "durable": false }));
    desk.done("PUT", "/api/exchanges/%2F/transient", &json!({ "type": "fanout", "durable": false }));
    let message = json!({ "routing_key": "durable", "properties": { "delivery_mode": 2 }, "payload": "m", "payload_encoding": "string" });
    desk.done("POST", "/api/exchanges/%2F/amq.default/publish", &message);
    let port = format!("/api/health/checks/port-listener/{}", amqp.port());
    let status = |path: &str| desk.ask("GET", path, &Value::Null).status;
    for turn in 0..2 {
        desk.done("POST", "/api/leveret/app/stop", &Value::Null);
        desk.done("POST", "/api/leveret/app/stop", &Value::Null);
        if turn == 0 {
            let (code, text, ..) = raw.expect(0, method::CONNECTION_CLOSE).close().unwrap();
            let expected = "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'";
            assert_eq!((code, text.as_str()), (320, expected));
        }
        TcpStream::connect(amqp).unwrap_err();
        assert_eq!(desk.get("/api/leveret/app"), json!({ "running": false }));
        assert_eq!((status(&port), status("/api/health/checks/is-in-service")), (503, 503));
        let queues = desk.get("/api/queues");
        assert_eq!((queues.as_array().unwrap().len(), &queues[0]["messages"]), (1, &json!(1)));
        assert_eq!(status("/api/exchanges/%2F/transient"), 404);
        desk.done("POST", "/api/leveret/app/start", &Value::Null);
        desk.done("POST", "/api/leveret/app/start", &Value::Null);
        assert_eq!(desk.get("/api/leveret/app"), json!({ "running": true }));
        assert_eq!((status(&port), status("/api/health/checks/is-in-service")), (200, 200));
        raw = Raw::connect(&Broker::at(amqp));
    }
    raw.open_channel(1);
    assert_eq!(raw.get(1, "durable").unwrap().body, b"m");
}

#[test]
fn a_reset_leaves_what_a_new_broker_has_and_is_refused_while_clients_are_served() {
    let data = TempDir::new();
    let desk = Desk::on(data.path());
    let new = definitions(&desk);
    desk.done("PUT", "/api/vhosts/v", &json!({ "protected_from_deletion": true }));
    desk.add_user("other", "administrator");
    desk.let_in("other", "v");
    desk.done("PUT", "/api/queues/%2F/q", &json!({ "durable": true }));
    desk.done("PUT", "/api/exchanges/v/x", &json!({ "type": "fanout", "durable": true }));
    desk.done("PUT", "/api/policies/%2F/p", &json!({ "pattern": "q", "definition": { "max-length": 7 } }));
    desk.done("PUT", "/api/global-parameters/g", &json!({ "value": 1 }));
    let message = json!({ "routing_key": "q", "properties": { "delivery_mode": 2 }, "payload": "m", "payload_encoding": "string" });
    desk.done("POST", "/api/exchanges/%2F/amq.default/publish", &message);
    desk.done("DELETE", "/api/users/guest", &Value::Null);
    let as_other = |method, path| desk.ask_as("other", method, path, &Value::Null);
    let refused = as_other("POST", "/api/leveret/app/reset");
    let text = "this command requires the 'rabbit' app to be stopped on the target node. Stop it with \
                'rabbitmqctl stop_app'";
    assert_eq!((refused.status, refused.json()), (400, bad_request(text)));
    assert_eq!(as_other("GET", "/api/queues/%2F/q").json()["messages"], 1);
    assert_eq!(as_other("POST", "/api/leveret/app/stop").status, 204);
    assert_eq!(as_other("POST", "/api/leveret/app/reset").status, 204);
    assert_eq!(as_other("GET", "/api/whoami").status, 401);
    assert_eq!(definitions(&desk), new);
    desk.stop();
    let desk = Desk::on(data.path());
    assert_eq!(definitions(&desk), new, "after a restart");
    desk.done("PUT", "/api/queues/%2F/q", &json!({ "durable": true }));
    assert_eq!(desk.get("/api/queues/%2F/q")["messages"], 0);
}

#[test]
fn a_reset_that_is_killed_leaves_a_broker_with_an_administrator_that_can_be_reset_again() {
    for seen in ["v1", "v10", "v19"] {
        let data = TempDir::new();
        let start = || {
            let flags = ["--listen", "127.0.9.4:0", "--management-listen", "127.0.0.1:0"];
            let mut broker = Broker::start_on(data.path(), &flags);
            let line =
                broker.wait_for_line("Management plugin: HTTP (non-TLS) listener started on 127.0.0.1:");
            let http: SocketAddr = line.rsplit(' ').next().unwrap().parse().unwrap();
            (broker, http)
        };
        let (mut broker, http) = start();
        let ask = |http, user: &str, method: &str, path: &str, body: Value| {
            let request = Request::new(method, path).login(user, user);
            if body.is_null() { request.send(http) } else { request.body(body.to_string()).send(http) }
        };
        let done = |http, user: &str, method: &str, path: &str, body: Value| {
            let answer = ask(http, user, method, path, body);
            assert!([200, 201, 204].contains(&answer.status), "{method} {path}: {answer:?}");
        };
        let user = json!({ "password": "other", "tags": "administrator" });
        done(http, "guest", "PUT", "/api/users/other", user);
        for n in 0..20 {
            done(http, "guest", "PUT", &format!("/api/vhosts/v{n}"), Value::Null);
            done(http, "guest", "PUT", &format!("/api/queues/v{n}/q"), json!({ "durable": true }));
            let message = json!({ "routing_key": "q", "properties": { "delivery_mode": 2 }, "payload": "m", "payload_encoding": "string" });
            done(http, "guest", "POST", &format!("/api/exchanges/v{n}/amq.default/publish"), message);
        }
        done(http, "other", "DELETE", "/api/users/guest", Value::Null);
        done(http, "other", "POST", "/api/leveret/app/stop", Value::Null);
        // The answer may never come.
        let mut asking = TcpStream::connect(http).unwrap();
        let login = "authorization: Basic b3RoZXI6b3RoZXI=";
        let head = format!("POST /api/leveret/app/reset HTTP/1.1\r\nhost: localhost\r\n{login}\r\n\r\n");
        asking.write_all(head.as_bytes()).unwrap();
        broker.wait_for_line(&format!("vhost '{seen}' is deleted"));
        broker.kill();
        let (_broker, http) = start();
        let someone = ["other", "guest"]
            .into_iter()
            .find(|user| ask(http, user, "GET", "/api/users", Value::Null).status == 200);
        let someone = someone.expect("an administrator");
        let queues = ask(http, someone, "GET", "/api/queues", Value::Null).json();
        for queue in queues.as_array().unwrap() {
            assert_eq!(queue["messages"], 1, "{queue}");
        }
        for (user, step) in [(someone, "stop"), (someone, "reset"), ("guest", "start")] {
            done(http, user, "POST", &format!("/api/leveret/app/{step}"), Value::Null);
        }
        let vhosts = ask(http, "guest", "GET", "/api/vhosts?columns=name", Value::Null).json();
        assert_eq!(vhosts, json!([{ "name": "/" }]));
        assert_eq!(ask(http, "guest", "GET", "/api/queues", Value::Null).json(), json!([]));
    }
}

/// All that there is, but what each broker draws for itself.
fn definitions(desk: &Desk) -> Value {
    let mut definitions = desk.get("/api/definitions");
    definitions["global_parameters"].as_array_mut().unwrap().retain(|it| it["name"] != "internal_cluster_id");
    definitions["users"][0]["password_hash"] = Value::Null;
    definitions
}

#[test]
fn statistics_are_forgotten_and_nothing_else_is() {
    let desk = Desk::new();
    desk.done("PUT", "/api/queues/%2F/q", &json!({}));
    let node = desk.get("/api/nodes")[0]["name"].as_str().unwrap().to_owned();
    desk.done("DELETE", "/api/reset", &Value::Null);
    desk.done("DELETE", &format!("/api/reset/{node}"), &Value::Null);
    assert_eq!(desk.ask("DELETE", "/api/reset/elsewhere", &Value::Null).status, 404);
    assert_eq!(desk.get("/api/queues").as_array().unwrap().len(), 1);
}

#[test]
fn an_address_that_somebody_else_has_meanwhile_is_told_and_taken_when_it_is_free() {
    let desk = Desk::apart("127.0.9.2");
    let amqp = desk.broker().addresses()[0];
    desk.done("POST", "/api/leveret/app/stop", &Value::Null);
    let other = std::net::TcpListener::bind(amqp).unwrap();
    let answer = desk.ask("POST", "/api/leveret/app/start", &Value::Null);
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.json()["reason"].as_str().unwrap().starts_with(&format!("cannot listen on {amqp}: ")));
    drop(other);
    // A try that began before may still fail.
    let begun = Instant::now();
    while desk.ask("POST", "/api/leveret/app/start", &Value::Null).status != 204 {
        assert!(begun.elapsed() < Duration::from_mins(1), "it listens again");
    }
    Raw::connect(&Broker::at(amqp));
}
