//! Connections.

use serde_json::{Value, json};

use crate::desk::{Desk, no_object, not_authorised};
use crate::http::Request;
use crate::support::{Broker, Payload, Raw, Table, method};

fn connected(desk: &Desk) -> Raw {
    Raw::connect(&Broker::at(desk.broker().addresses()[0]))
}

/// As it stands in a path.
fn escaped(name: &str) -> String {
    name.replace(' ', "%20").replace('>', "%3E")
}

#[test]
fn a_connection_is_listed_with_what_tools_read_and_closed_for_a_reason() {
    let desk = Desk::new();
    desk.add_user("m", "management");
    desk.add_user("mon", "monitoring");
    let mut raw = connected(&desk);
    let listed = desk.get("/api/connections");
    let connection = &listed[0];
    for (key, expected) in [
        ("user", json!("guest")),
        ("vhost", json!("/")),
        ("protocol", json!("AMQP 0-9-1")),
        ("state", json!("running")),
        ("ssl", json!(false)),
        ("port", json!(desk.broker().addresses()[0].port())),
        ("node", desk.get("/api/overview")["node"].clone()),
    ] {
        assert_eq!(connection[key], expected, "{key}");
    }
    assert!(connection["connected_at"].as_u64().unwrap() > 0);
    assert!(connection["client_properties"].is_object());
    let path = format!("/api/connections/{}", escaped(connection["name"].as_str().unwrap()));
    assert_eq!(desk.get(&path), *connection);
    assert_eq!(desk.get("/api/vhosts/%2F/connections"), listed);
    assert_eq!(desk.get("/api/connections/username/guest"), listed);
    assert_eq!(desk.get("/api/connections?page=1")["items"], listed);
    assert_eq!(desk.get("/api/overview")["object_totals"]["connections"], 1);
    let as_user = |user: &str, method: &str, path: &str| desk.ask_as(user, method, path, &Value::Null);
    let refused = not_authorised("User not authorised to access object");
    assert_eq!(as_user("m", "GET", "/api/connections").json(), json!([]), "a user sees its own");
    let entry = json!({ "configure": "", "write": "", "read": "" });
    desk.done("PUT", "/api/permissions/%2F/m", &entry);
    let of_vhost = "/api/vhosts/%2F/connections";
    assert_eq!(as_user("m", "GET", of_vhost).json(), json!([]), "so it does in a virtual host");
    desk.done("PUT", "/api/permissions/%2F/mon", &entry);
    assert_eq!(as_user("mon", "GET", of_vhost).json(), listed);
    assert_eq!(as_user("m", "GET", &path).json(), refused);
    assert_eq!(as_user("mon", "GET", "/api/connections").json(), listed);
    assert_eq!(as_user("mon", "DELETE", &path).json(), refused);
    assert_eq!(as_user("mon", "DELETE", "/api/connections/username/guest").json(), refused);
    let request = Request::new("DELETE", &path).login("guest", "guest").header("x-reason", "it is late");
    assert_eq!(request.send(desk.address).status, 204);
    let (code, text, ..) = raw.expect(0, method::CONNECTION_CLOSE).close().unwrap();
    assert_eq!((code, text.as_str()), (320, "CONNECTION_FORCED - it is late"));
    desk.check(&[("GET", "/api/connections/none", Value::Null, 404, no_object())]);
}

#[test]
fn all_connections_of_a_user_are_closed_together() {
    let desk = Desk::new();
    let mut open = [connected(&desk), connected(&desk)];
    desk.done("DELETE", "/api/connections/username/guest", &Value::Null);
    for raw in &mut open {
        let (code, text, ..) = raw.expect(0, method::CONNECTION_CLOSE).close().unwrap();
        assert_eq!((code, text.as_str()), (320, "CONNECTION_FORCED - Closed via management plugin"));
    }
}

#[test]
fn the_bytes_of_a_virtual_host_do_not_fall_when_a_connection_closes() {
    let desk = Desk::new();
    let octets = || {
        let vhost = desk.get("/api/vhosts/%2F");
        ["recv_oct", "send_oct"].map(|name| vhost[name].as_u64().unwrap())
    };
    let mut raw = connected(&desk);
    raw.open_channel(1);
    raw.declare(1, "q", 0, &Table::new());
    let before = octets();
    let of_connection = &desk.get("/api/connections")[0];
    assert_eq!(of_connection["recv_oct"], before[0]);
    assert!(before.iter().all(|bytes| *bytes > 0));
    desk.done("DELETE", "/api/connections/username/guest", &Value::Null);
    raw.expect(0, method::CONNECTION_CLOSE);
    raw.send(0, Payload::method(method::CONNECTION_CLOSE_OK));
    raw.expect_eof();
    // A frame of a method without arguments has twelve bytes.
    let after = octets();
    assert_eq!(after[0], before[0] + 12);
    assert!(after[1] > before[1]);
    // From the end of the handshake on.
    let mut other = connected(&desk);
    other.open_channel(1);
    assert!(octets().iter().zip(after).all(|(now, then)| *now > then));
}
