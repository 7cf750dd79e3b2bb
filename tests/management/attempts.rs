//! Logins, counted.

use serde_json::{Value, json};

use crate::desk::{Desk, no_object};
use crate::http::Request;
use crate::support::{Broker, Raw};

#[test]
fn logins_are_counted_by_protocol_and_by_who_tried_until_they_are_forgotten() {
    let desk = Desk::new();
    let node = desk.get("/api/overview")["node"].as_str().unwrap().to_owned();
    let path = format!("/api/auth/attempts/{node}");
    assert_eq!(Request::new("GET", "/api/whoami").login("guest", "wrong").send(desk.address).status, 401);
    assert_eq!(Request::new("GET", "/api/whoami").login("nobody", "x").send(desk.address).status, 401);
    let _connected = Raw::connect(&Broker::at(desk.broker().addresses()[0]));
    let row = |protocol: &str, failed: u64, succeeded: u64| {
        json!({
            "protocol": protocol, "auth_attempts": failed + succeeded, "auth_attempts_failed": failed,
            "auth_attempts_succeeded": succeeded,
        })
    };
    // Each request is a login, and so is this one.
    assert_eq!(desk.get(&path), json!([row("amqp091", 0, 1), row("http", 2, 2)]));
    let sources = desk.get(&format!("{path}/source"));
    let failed_by = |user: &str| {
        let mut rows = sources.as_array().unwrap().iter();
        let row = rows.find(|row| row["username"] == user && row["protocol"] == "http").unwrap();
        assert_eq!(row["remote_address"], "127.0.0.1");
        row["auth_attempts_failed"].clone()
    };
    assert_eq!((failed_by("guest"), failed_by("nobody")), (json!(1), json!(1)));
    desk.done("DELETE", &path, &Value::Null);
    desk.done("DELETE", &format!("{path}/source"), &Value::Null);
    assert_eq!(desk.get(&path), json!([row("http", 0, 2)]), "this one, and that which forgot the sources");
    desk.check(&[("GET", "/api/auth/attempts/elsewhere", Value::Null, 404, no_object())]);
}
