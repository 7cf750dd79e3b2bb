//! Where the HTTP API is served: flags, and ports that are taken.

use std::net::TcpListener;
use std::process::Command;

use crate::http::Request;
use crate::support::{Broker, TempDir};

const ANNOUNCED: &str = "HTTP (non-TLS) listener started on ";

#[test]
fn the_http_api_is_served_where_the_flag_says() {
    let mut broker = Broker::start_with(&["--management-listen", "127.0.0.1:0"]);
    let line = broker.wait_for_line(ANNOUNCED);
    let (_, address) = line.split_once(ANNOUNCED).unwrap();
    let answer = Request::new("GET", "/api/version").send(address.trim().parse().unwrap());
    assert_eq!(answer.status, 200);
}

#[test]
fn a_port_that_was_asked_for_and_is_taken_is_a_start_that_fails() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (flag, other, served) in [
        ("--management-listen", "--metrics-listen", "the HTTP API"),
        ("--metrics-listen", "--management-listen", "metrics"),
    ] {
        let data = TempDir::new();
        let output = Command::new(env!("CARGO_BIN_EXE_leveret"))
            .args(["--listen", "127.0.0.1:0", flag, &address, other, "none", "--data-dir"])
            .arg(data.path())
            .env("LEVERET_CONFIG", "/dev/null")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(69));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(&format!("cannot serve {served} on {address}")), "{said}");
        assert!(said.contains(flag), "{said}");
    }
}

#[test]
fn the_names_of_rabbitmq_conf_say_where_http_is_spoken_and_where_the_socket_is() {
    let data = TempDir::new();
    let socket = data.path().join("s.sock");
    let file = data.path().join("rabbitmq.conf");
    let text = "management.tcp.port = 0\nmanagement.tcp.ip = 127.0.0.1\nprometheus.tcp.port = 0\n\
                prometheus.tcp.ip = 127.0.0.1\nmanagement.path_prefix = /mq\n\
                management.cors.allow_origins.1 = https://ui.example\n";
    std::fs::write(&file, text).unwrap();
    let ports = data.path().join("ports");
    let mut broker = Command::new(env!("CARGO_BIN_EXE_leveret"))
        .args(["--in-memory", "--listen", "127.0.0.1:0", "--management-socket-mode", "0666", "--ports-file"])
        .arg(&ports)
        .arg("--management-socket")
        .arg(&socket)
        .env("RABBITMQ_CONFIG_FILE", &file)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    let told = loop {
        assert!(std::time::Instant::now() < deadline);
        if let Ok(told) = std::fs::read_to_string(&ports) {
            break told;
        }
        std::thread::yield_now();
    };
    let at = |scheme: &str| {
        let line = told.lines().find_map(|line| line.strip_prefix(&format!("{scheme} ")));
        line.unwrap_or_else(|| panic!("{scheme} in {told}")).to_owned()
    };
    let version = Request::new("GET", "/mq/api/version").send(at("http").parse().unwrap());
    let live = Request::new("GET", "/health/live").send(at("http/prometheus").parse().unwrap());
    let named = at("http+unix");
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&socket).unwrap()) & 0o777;
    let whoami = Request::new("GET", "/api/whoami").send_to(&socket);
    broker.kill().unwrap();
    broker.wait().unwrap();
    assert_eq!((version.status, live.status, whoami.status), (200, 200, 200));
    assert_eq!((named.as_str(), mode), (socket.to_str().unwrap(), 0o666));
}
