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
    let (taken, data) = (TcpListener::bind("127.0.0.1:0").unwrap(), TempDir::new());
    let address = taken.local_addr().unwrap().to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_leveret"))
        .args(["--listen", "127.0.0.1:0", "--management-listen", &address, "--data-dir"])
        .arg(data.path())
        .env("LEVERET_CONFIG", "/dev/null")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(69));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(&format!("cannot serve the HTTP API on {address}")), "{said}");
    assert!(said.contains("--management-listen"), "{said}");
}
