//! The server itself: who it lets in, what it bears, how it ends.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use leveret::config::{Config, ManagementConfig};
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};

use crate::desk::{Desk, bad_request, no_object};
use crate::http::Request;
use crate::support::TempDir;

#[test]
fn a_path_that_there_is_not_is_404_and_a_slash_at_the_end_does_not_matter() {
    let desk = Desk::new();
    for path in
        ["/api/nonsense", "/api/shovels", "/api/federation-links", "/api/stream/connections", "/metrics"]
    {
        let answer = desk.ask("GET", path, &Value::Null);
        assert_eq!((answer.status, answer.json()), (404, no_object()), "{path}");
    }
    for path in
        ["/api/whoami", "/api/whoami/", "/api/vhosts/%2F/", "/api/users/", "/api/bindings/?columns=source"]
    {
        assert_eq!(desk.ask("GET", path, &Value::Null).status, 200, "{path}");
    }
    assert_eq!(desk.get("/api/whoami")["name"], "guest");
}

#[test]
fn a_head_is_answered_as_a_get_without_its_body() {
    let desk = Desk::new();
    let answer = desk.ask("HEAD", "/api/overview", &Value::Null);
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

#[test]
fn bodies_heads_and_paths_that_are_wrong_are_refused_and_nothing_ends_by_them() {
    let management = ManagementConfig { max_body_size: 1024, ..ManagementConfig::default() };
    let desk = Desk::with(Config { in_memory: true, management, ..Config::default() });
    for (body, reason) in [
        ("x", "not_json"),
        ("[]", "not_json"),
        ("{", "not_json"),
        (
            "\"{}\"",
            "invalid payload: the request body JSON-decoded to a string. Is the input doubly-JSON-encoded?",
        ),
        (&"[".repeat(1000), "not_json"),
        (&" ".repeat(2000), "Exceeded HTTP request body size limit"),
    ] {
        let answer =
            Request::new("PUT", "/api/vhosts/v").login("guest", "guest").body(body).send(desk.address);
        assert_eq!((answer.status, answer.json()), (400, bad_request(reason)), "{body}");
    }
    let unauthorised = Request::new("PUT", "/api/vhosts/v").body(" ".repeat(2000)).send(desk.address);
    assert_eq!(unauthorised.status, 401);
    let unread = Request::new("GET", "/api/version").body(" ".repeat(2000)).send(desk.address);
    assert_eq!(unread.status, 200, "what nobody reads is not held");
    for (request, expected) in [
        (Request::new("PUT", &format!("/api/queues/%2F/{}", "x".repeat(256))).login("guest", "guest"), 400),
        (Request::new("PUT", &format!("/api/queues/%2F/{}", "x".repeat(255))).login("guest", "guest"), 201),
        (Request::new("PUT", &format!("/api/users/{}", "x".repeat(256))).login("guest", "guest"), 400),
        (Request::new("GET", "/api/vhosts/%FF").login("guest", "guest"), 400),
        (Request::new("GET", "/api/vhosts/%2").login("guest", "guest"), 404),
    ] {
        assert_eq!(request.send(desk.address).status, expected);
    }
    let many =
        (0..200).fold(Request::new("GET", "/api/whoami"), |request, n| request.header(&format!("x{n}"), "y"));
    assert_eq!(many.send(desk.address).status, 431);
    let mut stream = TcpStream::connect(desk.address).unwrap();
    stream.write_all(b"\x00\x01nonsense\r\n\r\n").unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert!(rest.starts_with(b"HTTP/1.1 400"), "{rest:?}");
    assert_eq!(desk.get("/api/whoami")["name"], "guest");
}

#[test]
fn who_is_not_known_yet_has_no_long_body_held() {
    let desk = Desk::new();
    let form = format!("username=guest&password=guest&x={}", "x".repeat(20_000));
    let answer = Request::new("POST", "/api/login").body(form).send(desk.address);
    assert_eq!((answer.status, answer.json()), (400, bad_request("Exceeded HTTP request body size limit")));
}

#[test]
fn pages_from_elsewhere_and_foreign_names_of_this_machine_are_refused() {
    let management = ManagementConfig { hosts: vec!["mq.example".to_owned()], ..ManagementConfig::default() };
    let desk = Desk::with(Config { in_memory: true, management, ..Config::default() });
    for (headers, expected) in [
        (&[][..], 200),
        (&[("host", "localhost:1")], 200),
        (&[("host", "mq.example")], 200),
        (&[("host", "evil.example:15672")], 403),
        (&[("origin", "http://evil.example")], 403),
        (&[("host", "localhost:1"), ("origin", "http://localhost:1")], 200),
        (&[("host", "localhost:1"), ("origin", "null")], 403),
    ] {
        let request = Request::new("GET", "/api/whoami").login("guest", "guest");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        let answer = request.send(desk.address);
        assert_eq!(answer.status, expected, "{headers:?}: {answer:?}");
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    let posted = Request::new("POST", "/api/users/bulk-delete").login("guest", "guest");
    let posted = posted.header("sec-fetch-site", "cross-site").body("{\"users\":[]}").send(desk.address);
    assert_eq!(posted.status, 403);
}

#[test]
fn one_address_cannot_have_all_connections() {
    let desk = Desk::new();
    let ask = |from: [u8; 4]| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
        socket.connect(&desk.address.into()).unwrap();
        let mut stream = TcpStream::from(socket);
        // Whoever is refused may find the connection closed already.
        let _ =
            stream.write_all(b"GET /api/version HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap().lines().next().unwrap_or_default().to_owned()
    };
    let silent: Vec<_> = (0..256).map(|_| TcpStream::connect(desk.address).unwrap()).collect();
    assert_eq!(ask([127, 0, 0, 1]), "HTTP/1.1 503 Service Unavailable");
    assert_eq!(ask([127, 0, 0, 2]), "HTTP/1.1 200 OK");
    drop(silent);
    while ask([127, 0, 0, 1]) != "HTTP/1.1 200 OK" {}
}

#[test]
fn health_checks_are_answered_while_as_many_long_requests_as_may_take_their_time() {
    let data = TempDir::new();
    let fifo = data.path().join("log");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let mut config = Config { in_memory: true, ..Config::default() };
    config.log.file.path = Some(fifo.clone());
    let desk = Desk::with(config);
    let mut long = Vec::new();
    for _ in 0..30 {
        // Nobody writes there, so that whoever opens it to read waits.
        let mut stream = TcpStream::connect(desk.address).unwrap();
        stream
            .write_all(
                b"GET /api/leveret/log HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
                  authorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\n\r\n",
            )
            .unwrap();
        long.push(stream);
        for check in ["health/checks/is-in-service", "health/checks/alarms", "healthchecks/node"] {
            assert_eq!(desk.get(&format!("/api/{check}"))["status"], "ok");
        }
    }
    let _writer = OpenOptions::new().read(true).write(true).open(&fifo).unwrap();
    for mut stream in long {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 412"), "{answer}");
    }
    assert_eq!(desk.get("/api/whoami")["name"], "guest");
}

#[test]
fn a_connection_serves_one_request_after_the_other_and_ends_with_the_broker() {
    let desk = Desk::apart("127.0.9.3");
    let mut stream = TcpStream::connect(desk.address).unwrap();
    let request = "GET /api/version HTTP/1.1\r\nhost: localhost\r\n\r\n";
    for _ in 0..3 {
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        while !answer.windows(4).any(|four| four == b"\r\n\r\n")
            || !answer.ends_with(b"\"")
            || answer.ends_with(b"\r\n\r\n\"")
        {
            let mut octet = [0];
            stream.read_exact(&mut octet).unwrap();
            answer.push(octet[0]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200"));
    }
    let address = desk.address;
    desk.stop();
    assert_eq!(stream.read(&mut [0; 16]).unwrap(), 0, "the connection has ended");
    TcpStream::connect(address).unwrap_err();
}

#[test]
fn a_long_list_comes_whole_in_slices() {
    let desk = Desk::new();
    let vhost = desk.broker().vhosts().get("/").unwrap();
    for n in 0..3000 {
        let options = leveret::queue::options::QueueOptions::default();
        vhost
            .queue_declare(Some(format!("q{n:05}").as_str().into()), &options, leveret::name::ConnectionId(0))
            .unwrap();
    }
    let queues = desk.get("/api/queues");
    let names: Vec<&str> =
        queues.as_array().unwrap().iter().map(|queue| queue["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 3000);
    assert!(names.is_sorted());
    assert_eq!(
        desk.get("/api/overview")["object_totals"],
        json!({
            "channels": 0, "connections": 0, "consumers": 0, "exchanges": 8, "queues": 3000,
        })
    );
}
