//! The socket of this machine's operator: found by the data directory, and no password is asked for.

use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use leveret::config::{Config, Listen, ManagementConfig};
use leveret::net::socket_path;
use serde_json::{Value, json};

use crate::desk::{Desk, not_authorised};
use crate::http::{Answer, Request};
use crate::support::TempDir;

fn ask(desk: &Desk, method: &str, path: &str, body: &Value) -> Answer {
    let request = Request::new(method, path);
    let request = if body.is_null() { request } else { request.body(body.to_string()) };
    request.send_to(&socket_path(&desk.broker().environment().config().data_dir))
}

#[test]
fn an_operator_on_this_machine_may_do_everything_without_a_password() {
    let data = TempDir::new();
    let desk = Desk::on(data.path());
    let socket = data.path().join("leveret.sock");
    assert_eq!(socket_path(data.path()), socket.canonicalize().unwrap());
    assert_eq!(std::fs::metadata(&socket).unwrap().mode() & 0o777, 0o600);
    assert_eq!(
        ask(&desk, "GET", "/api/whoami", &Value::Null).json(),
        json!({ "name": "rmq-cli", "tags": ["administrator"], "is_internal_user": true })
    );
    let got = json!({ "count": 1, "ackmode": "ack_requeue_false", "encoding": "auto" });
    let sent = json!({ "properties": {}, "routing_key": "q", "payload": "x", "payload_encoding": "string" });
    for (method, path, body, expected) in [
        ("PUT", "/api/vhosts/v", Value::Null, 201),
        ("PUT", "/api/queues/v/q", json!({ "durable": true }), 201),
        ("POST", "/api/exchanges/v/amq.default/publish", sent, 200),
        ("POST", "/api/queues/v/q/get", got, 200),
        ("GET", "/api/aliveness-test/v", Value::Null, 200),
        ("PUT", "/api/users/u", json!({ "password": "u", "tags": "" }), 201),
        ("DELETE", "/api/users/guest", Value::Null, 204),
        ("GET", "/api/queues", Value::Null, 200),
        ("DELETE", "/api/vhosts/v", Value::Null, 204),
    ] {
        let answer = ask(&desk, method, path, &body);
        assert_eq!(answer.status, expected, "{method} {path}: {answer:?}");
    }
    assert!(ask(&desk, "GET", "/api/users", &Value::Null).json().as_array().unwrap().len() == 1);
    desk.stop();
    assert!(std::fs::symlink_metadata(&socket).is_err(), "it is gone with the broker");
}

#[test]
fn an_operator_is_let_in_while_others_hold_every_place_of_the_network() {
    let desk = Desk::new_at(&TempDir::new());
    // As many as are served at a time, one that waits, and all those that the system accepts for later.
    let held: Vec<TcpStream> = (0..600).map(|_| TcpStream::connect(desk.address).unwrap()).collect();
    for _ in 0..3 {
        assert_eq!(ask(&desk, "GET", "/api/whoami", &Value::Null).status, 200);
    }
    drop(held);
}

#[test]
fn whoever_logs_in_at_the_socket_is_that_user_and_no_name_of_the_machine_matters() {
    let desk = Desk::new_at(&TempDir::new());
    desk.add_user("u", "monitoring");
    let socket = socket_path(&desk.broker().environment().config().data_dir);
    let name = |request: Request| {
        let answer = request.header("host", "evil.example").send_to(&socket);
        (answer.status, answer.json())
    };
    let asked = || Request::new("PUT", "/api/vhosts/x").body("{}");
    assert_eq!(name(asked().login("u", "u")), (401, not_authorised("Not administrator user")));
    assert_eq!(name(asked().login("u", "wrong")).0, 401);
    assert_eq!(name(asked().login("rmq-cli", "")).0, 401);
    assert_eq!(asked().send_to(&socket).status, 201);
    assert_eq!(asked().send(desk.address).status, 401, "where there is no telling who asks");
}

#[test]
fn a_broker_that_is_not_managed_over_the_network_is_so_at_its_socket_and_one_with_a_deep_directory_elsewhere()
{
    let data = TempDir::new();
    let deep: PathBuf = data.path().join("x".repeat(120));
    let management = ManagementConfig { listen: Some(Listen::Nowhere), ..ManagementConfig::default() };
    let config = Config { data_dir: deep.clone(), management, ..Config::default() };
    let desk = Desk::listening_as_configured(config);
    assert!(desk.broker().management_addresses().is_empty());
    let socket = socket_path(&deep);
    assert!(!socket.starts_with(data.path()), "{socket:?}");
    assert_eq!(Request::new("GET", "/api/whoami").send_to(&socket).status, 200);
    desk.stop();
    assert!(std::fs::symlink_metadata(&socket).is_err(), "it is gone with the broker");
}
