//! The PROXY protocol before AMQP, and before TLS.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use crate::authority::Authority;
use crate::client::trusting;
use crate::house::House;
use crate::support::raw::{DEADLINE, PLAIN_GUEST, PROTOCOL_HEADER, client_properties};
use crate::support::{Broker, Raw, Received, method};

const PROXIES: [&str; 1] = ["--proxy-protocol-enabled"];

/// Version 2 over IPv4, for a client at that address and port 1234, with more behind the addresses.
fn version_2(client: [u8; 4], more: &[u8]) -> Vec<u8> {
    let length = u16::try_from(12 + more.len()).unwrap().to_be_bytes();
    let start = [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11"[..], &length].concat();
    [&start[..], &client, &[198, 51, 100, 1], &1234_u16.to_be_bytes(), &5672_u16.to_be_bytes(), more].concat()
}

fn version_1(client: &str) -> Vec<u8> {
    format!("PROXY TCP4 {client} 198.51.100.1 1234 5672\r\n").into_bytes()
}

/// Logs guest in behind a header: the code of the close, or nothing.
fn log_in(broker: &Broker, header: &[u8]) -> Option<u16> {
    let mut raw = Raw::tcp(broker);
    raw.send_bytes(&[header, PROTOCOL_HEADER].concat());
    raw.expect(0, method::CONNECTION_START);
    raw.send(0, method::connection_start_ok(&client_properties(), "PLAIN", PLAIN_GUEST));
    let answer = raw.recv();
    if answer.method() == Some(method::CONNECTION_TUNE) {
        raw.send(0, method::connection_tune_ok(2047, 131_072, 0));
        raw.send(0, method::connection_open("/"));
        raw.expect(0, method::CONNECTION_OPEN_OK);
        return None;
    }
    Some(answer.close().unwrap().0)
}

#[test]
fn b13_a_client_is_where_its_proxy_says() {
    let mut broker = Broker::start_with(&PROXIES);
    for (header, expected) in [
        (version_1("127.0.0.1"), None),
        (version_1("192.0.2.7"), Some(403)),
        (b"PROXY UNKNOWN\r\n".to_vec(), None),
        (b"PROXY TCP6 ::1 ::1 1 2\r\n".to_vec(), None),
        (b"PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n".to_vec(), Some(403)),
        (version_2([127, 0, 0, 1], b""), None),
        (version_2([192, 0, 2, 7], b""), Some(403)),
        // Health checks of the proxy itself.
        (b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0".to_vec(), None),
    ] {
        assert_eq!(log_in(&broker, &header), expected, "{}", header.escape_ascii());
    }
    broker.wait_for_line("192.0.2.7:1234 -> 198.51.100.1:5672: PLAIN login refused");
    broker.wait_for_line("127.0.0.1:1234 -> 198.51.100.1:5672: user 'guest' authenticated");
    let everyone = ["--proxy-protocol-enabled", "--loopback-users", "nobody"];
    let broker = Broker::start_with(&everyone);
    assert_eq!(log_in(&broker, &version_2([192, 0, 2, 7], &[4, 0, 1, 7])), None);
}

#[test]
fn b18_without_a_header_that_can_be_read_the_connection_ends() {
    let mut broker = Broker::start_with(&PROXIES);
    let long = [&b"PROXY UNKNOWN "[..], &[b'x'; 200]].concat();
    let mut huge = version_2([192, 0, 2, 7], b"");
    huge[14] = 0xff;
    for (bytes, line) in [
        (&b"AMQP\0\0\x09\x01AMQP\0\0\x09\x01"[..], "there is no header of the PROXY protocol"),
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n", "its line cannot be read"),
        (&long, "its line is too long"),
        (&huge, "it is too long"),
        (&version_2([192, 0, 2, 7], &[4, 0, 9]), "a part of it is cut off"),
    ] {
        let mut raw = Raw::tcp(&broker);
        raw.send_bytes(bytes);
        assert_eq!(raw.recv_within(DEADLINE), Received::End(0), "{line}");
        broker.wait_for_line(&format!("the proxy does not say for whom it connects: {line}"));
    }
}

#[test]
fn a_header_that_does_not_come_is_not_waited_for() {
    let mut broker = Broker::start_with(&["--proxy-protocol-enabled", "--handshake-timeout", "300ms"]);
    for begun in [&b""[..], b"PROXY TCP4 ", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x10\0"] {
        let mut raw = Raw::tcp(&broker);
        raw.send_bytes(begun);
        assert_eq!(raw.recv_within(DEADLINE), Received::End(0), "{begun:?}");
    }
    broker.wait_for_line("handshake timed out");
}

#[test]
fn b18_a_proxy_that_is_not_trusted_is_refused_whatever_it_says() {
    let mut broker =
        Broker::start_with(&["--proxy-protocol-enabled", "--proxy-protocol-trusted", "203.0.113.0/24"]);
    for bytes in [&version_1("127.0.0.1")[..], &PROTOCOL_HEADER[..], b""] {
        let mut raw = Raw::tcp(&broker);
        raw.send_bytes(bytes);
        assert_eq!(raw.recv_within(DEADLINE), Received::End(0));
    }
    broker.wait_for_line("if it is one, add its address to proxy_protocol.trusted");
}

#[test]
fn the_header_stands_before_tls() {
    let authority = Authority::new("A");
    let house = House::new(&authority, &PROXIES);
    for header in [version_1("192.0.2.7"), version_2([192, 0, 2, 7], b"")] {
        let mut stream = TcpStream::connect(house.tls).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let host = ServerName::try_from("localhost").unwrap();
        let mut session = ClientConnection::new(Arc::clone(&trusting(&authority, None)), host).unwrap();
        // In one piece with what follows.
        let mut bytes = header;
        session.write_tls(&mut bytes).unwrap();
        stream.write_all(&bytes).unwrap();
        let mut stream = StreamOwned::new(session, stream);
        stream.write_all(PROTOCOL_HEADER).unwrap();
        let mut start = [0; 4];
        stream.read_exact(&mut start).unwrap();
        assert_eq!(start[..3], [1, 0, 0]);
    }
}
