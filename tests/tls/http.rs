//! HTTP over TLS: the API and the metrics, each with certificates of its own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::authority::Authority;
use crate::client::{ask, connect, trusting};
use crate::house::{Files, House};
use crate::reload::reload;
use crate::support::raw::DEADLINE;

const OK: &str = "HTTP/1.1 200 OK\r\n";

/// Where the log says that it is served.
fn announced(house: &mut House, announcement: &str) -> SocketAddr {
    let line = house.broker.wait_for_line(announcement);
    line.split_once(announcement).unwrap().1.trim().parse().unwrap()
}

const MANAGEMENT: &str = "Management plugin: HTTPS listener started on ";
const METRICS: &str = "Prometheus metrics: HTTPS listener started on ";

#[test]
fn the_http_api_and_metrics_are_served_over_tls_with_what_amqp_shows_unless_they_have_their_own() {
    let (amqp, api) = (Authority::new("A"), Authority::new("B"));
    let files = Files::new(&amqp, &amqp.server(&["localhost"]));
    let own = api.server(&["localhost"]);
    files.put("api.pem", &own.chain);
    files.put("api.key", &own.key);
    let path = |name: &str| files.path(name).to_str().unwrap().to_owned();
    let (certificate, key) = (path("api.pem"), path("api.key"));
    let flags = [
        &["--management-tls-listen", "127.0.0.1:0", "--metrics-tls-listen", "127.0.0.1:0"][..],
        &["--management-tls-certfile", &certificate, "--management-tls-keyfile", &key],
    ];
    let mut house = House::with(files, &flags.concat());
    let (https, metrics) = (announced(&mut house, MANAGEMENT), announced(&mut house, METRICS));
    let answer = ask(https, "/api/version", &trusting(&api, None)).unwrap();
    assert!(answer.starts_with(OK), "{answer}");
    let answer = ask(metrics, "/health/live", &trusting(&amqp, None)).unwrap();
    assert!(answer.starts_with(OK), "{answer}");
    let refused = ask(https, "/api/version", &trusting(&amqp, None)).unwrap_err();
    assert!(refused.contains("UnknownIssuer"), "{refused}");
    // Without TLS nobody is answered there.
    let mut plain = TcpStream::connect(https).unwrap();
    plain.set_read_timeout(Some(DEADLINE)).unwrap();
    plain.write_all(b"GET /api/version HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut told = Vec::new();
    // It may be reset with what was not read.
    let _ = plain.read_to_end(&mut told);
    assert!(!told.starts_with(b"HTTP"), "{told:?}");
    assert_eq!(house.stop().status.code(), Some(0));
}

#[test]
fn a_reload_replaces_the_certificates_of_all_or_of_none() {
    let (authority, other) = (Authority::new("A"), Authority::new("B"));
    let files = Files::new(&authority, &authority.server(&["localhost"]));
    let own = authority.server(&["localhost"]);
    files.put("api.pem", &own.chain);
    files.put("api.key", &own.key);
    let path = |name: &str| files.path(name).to_str().unwrap().to_owned();
    let (certificate, key) = (path("api.pem"), path("api.key"));
    let flags = [
        &["--management-listen", "127.0.0.1:0", "--management-listen-tls"][..],
        &["--management-tls-certfile", &certificate, "--management-tls-keyfile", &key],
    ];
    let mut house = House::with(files, &flags.concat());
    let https = announced(&mut house, MANAGEMENT);
    let (old, new) = (trusting(&authority, None), trusting(&other, None));
    ask(https, "/api/version", &old).unwrap();
    // The one for AMQP could be used, that for the API cannot.
    house.files.put_server(&other.server(&["localhost"]));
    house.files.put("api.pem", "rubbish");
    reload(&house, "everything stays as it was", 1);
    let said = format!("management.tls.certfile: {certificate}: there is no certificate");
    assert!(house.broker.log().iter().any(|line| line.contains(&said)), "{:#?}", house.broker.log());
    ask(https, "/api/version", &old).unwrap();
    connect(house.tls, "localhost", &old).unwrap();
    let own = other.server(&["localhost"]);
    house.files.put("api.pem", &own.chain);
    house.files.put("api.key", &own.key);
    reload(&house, "configuration read again", 1);
    ask(https, "/api/version", &new).unwrap();
    connect(house.tls, "localhost", &new).unwrap();
    assert!(ask(https, "/api/version", &old).unwrap_err().contains("UnknownIssuer"));
}

#[test]
fn clients_without_a_certificate_do_not_come_in_where_one_is_asked_for() {
    let authority = Authority::new("A");
    let flags = [
        &["--management-tls-listen", "127.0.0.1:0", "--management-tls-verify", "verify_peer"][..],
        &["--management-tls-fail-if-no-peer-cert"],
    ];
    let mut house = House::new(&authority, &flags.concat());
    let https = announced(&mut house, MANAGEMENT);
    let answer = ask(https, "/api/version", &trusting(&authority, Some(&authority.client("c")))).unwrap();
    assert!(answer.starts_with(OK), "{answer}");
    ask(https, "/api/version", &trusting(&authority, None)).unwrap_err();
    let stranger = Authority::new("B").client("c");
    ask(https, "/api/version", &trusting(&authority, Some(&stranger))).unwrap_err();
}

#[test]
fn certificates_that_end_soon_are_told_by_the_check_wherever_they_are_shown() {
    let authority = Authority::new("A");
    let files = Files::new(&authority, &authority.server(&["localhost"]));
    let ended = authority.expired_server(&["localhost"]);
    files.put("ended.pem", &ended.chain);
    files.put("ended.key", &ended.key);
    let path = |name: &str| files.path(name).to_str().unwrap().to_owned();
    let (certificate, key, of_amqp) = (path("ended.pem"), path("ended.key"), path("cert.pem"));
    let flags = [
        &["--management-listen", "127.0.0.1:0", "--management-tls-listen", "127.0.0.1:0"][..],
        &["--management-tls-certfile", &certificate, "--management-tls-keyfile", &key],
        &["--metrics-listen", "127.0.0.1:0", "--metrics-tls-listen", "127.0.0.1:0"],
        &["--metrics-tls-certfile", &certificate, "--metrics-tls-keyfile", &key],
    ];
    let mut house = House::with(files, &flags.concat());
    let metrics = announced(&mut house, "Prometheus metrics: HTTP (non-TLS) listener started on ");
    let http = announced(&mut house, "Management plugin: HTTP (non-TLS) listener started on ");
    let check = |within: &str| {
        let mut stream = TcpStream::connect(http).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let path = format!("/api/health/checks/certificate-expiration/{within}");
        let head = "host: localhost\r\nauthorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\nconnection: close";
        write!(stream, "GET {path} HTTP/1.1\r\n{head}\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        let expired = body["expired"].as_array().cloned().unwrap_or_default();
        let told = expired.iter().map(|one| {
            let of = |name: &str| one[name].as_str().unwrap().to_owned();
            (of("protocol"), of("certfile"), one["certfile_expires_on"][0].as_str().unwrap().to_owned())
        });
        let mut told: Vec<_> = told.collect();
        told.sort_unstable();
        (head.split(' ').nth(1).unwrap().to_owned(), body["reason"].clone(), told)
    };
    let ended = |protocol: &str| (protocol.to_owned(), certificate.clone(), "2001-01-01 00:00:00".to_owned());
    let reason = serde_json::json!("Certificates expiring");
    let of_http = vec![ended("https"), ended("https/prometheus")];
    assert_eq!(check("1/days"), ("503".to_owned(), reason.clone(), of_http));
    let mut stream = TcpStream::connect(metrics).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    write!(stream, "GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let ends = |protocol: &str| {
        let name = format!("leveret_certificate_expiry_timestamp_seconds{{protocol=\"{protocol}\"");
        let line = answer.lines().find(|line| line.starts_with(&name)).unwrap();
        line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    // The beginning of 2001.
    assert_eq!([ends("https"), ends("https/prometheus")], [978_307_200; 2]);
    assert!(ends("amqp/ssl") > 4_000_000_000);
    // The other one counts for two thousand years.
    let (status, told_reason, told) = check("1000000/years");
    assert_eq!((status.as_str(), &told_reason), ("503", &reason));
    assert!(told.iter().all(|(_, file, _)| *file != of_amqp), "{told:?}");
}

#[test]
fn the_check_of_certificates_that_count_for_long_is_passed_and_that_of_amqp_fails_when_it_has_ended() {
    let authority = Authority::new("A");
    for (server, expected) in [
        (authority.server(&["localhost"]), "HTTP/1.1 200"),
        (authority.expired_server(&["localhost"]), "HTTP/1.1 503"),
    ] {
        let files = Files::new(&authority, &server);
        let mut house = House::with(files, &["--management-listen", "127.0.0.1:0"]);
        let http = announced(&mut house, "Management plugin: HTTP (non-TLS) listener started on ");
        let mut stream = TcpStream::connect(http).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let head = "host: localhost\r\nauthorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\nconnection: close";
        let path = "/api/health/checks/certificate-expiration/2/months";
        write!(stream, "GET {path} HTTP/1.1\r\n{head}\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(expected), "{answer}");
        assert_eq!(answer.contains("amqp/ssl"), expected.ends_with("503"), "{answer}");
    }
}
