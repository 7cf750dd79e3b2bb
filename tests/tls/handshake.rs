//! Who gets a handshake, and what both sides learn when there is none.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use pkcs8::pkcs5::pbes2::Parameters;
use pkcs8::{LineEnding, PrivateKeyInfoRef, SecretDocument};
use rustls::crypto::ring::{cipher_suite, default_provider};
use rustls::version;

use crate::authority::{Authority, Identity};
use crate::client::{BOTH, connect, speaking, trusting, with_provider};
use crate::house::{Files, House, PATIENT};
use crate::support::raw::{DEADLINE, PROTOCOL_HEADER};
use crate::support::{Broker, Raw, Received};

#[test]
fn a_client_comes_in_over_every_version_that_is_spoken() {
    let authority = Authority::new("A");
    let house = House::new(&authority, &[]);
    for version in BOTH {
        let client = connect(house.tls, "localhost", &speaking(&[version], &authority, None)).unwrap();
        assert_eq!(client.conn.protocol_version(), Some(version.version));
    }
    let only_new = House::new(&authority, &["--tls-versions", "tlsv1.3"]);
    connect(only_new.tls, "localhost", &speaking(&[&version::TLS13], &authority, None)).unwrap();
    let refused = connect(only_new.tls, "localhost", &speaking(&[&version::TLS12], &authority, None));
    assert_eq!(refused.unwrap_err(), "received fatal alert: ProtocolVersion");
}

#[test]
fn a_key_that_is_encrypted_is_read_with_its_password() {
    let authority = Authority::new("A");
    let server = authority.server(&["localhost"]);
    let key = SecretDocument::from_pem(&server.key).unwrap().1;
    let parameters = Parameters::generate_pbkdf2_sha256_aes256cbc(2048, &[1; 16], [2; 16]).unwrap();
    let key = PrivateKeyInfoRef::try_from(key.as_bytes())
        .unwrap()
        .encrypt_with_params(parameters, "hare and hound");
    let files = Files::new(&authority, &server);
    let encrypted = key.unwrap().to_pem("ENCRYPTED PRIVATE KEY", LineEnding::LF).unwrap();
    files.put("key.pem", &encrypted);
    files.put("leveret.toml", "[tls]\npassword = 'hare and hound'\n");
    let config = files.path("leveret.toml");
    let house = House::with(files, &["--config", config.to_str().unwrap()]);
    connect(house.tls, "localhost", &trusting(&authority, None)).unwrap();
    assert!(house.broker.log().iter().all(|line| !line.contains("hound")), "a password is not shown");
}

#[test]
fn the_certificate_is_one_that_a_client_refuses_when_it_has_to() {
    let authority = Authority::new("A");
    for (server, host, trusted, expected) in [
        (authority.server(&["localhost"]), "localhost", &authority, None),
        (authority.server(&["127.0.0.1"]), "127.0.0.1", &authority, None),
        (authority.server(&["localhost"]), "broker.example", &authority, Some("not valid for name")),
        (authority.expired_server(&["localhost"]), "localhost", &authority, Some("certificate expired")),
        (authority.server(&["localhost"]), "localhost", &Authority::new("B"), Some("UnknownIssuer")),
    ] {
        let house = House::with(Files::new(&authority, &server), &[]);
        let outcome = connect(house.tls, host, &trusting(trusted, None));
        match (outcome, expected) {
            (Ok(_), None) => {}
            (Err(said), Some(expected)) => assert!(said.contains(expected), "{said}"),
            (outcome, expected) => panic!("{host}: {:?}, not {expected:?}", outcome.err()),
        }
        if expected == Some("certificate expired") {
            assert!(house.broker.log().iter().any(|line| line.contains("has expired")), "the log warns");
        }
    }
}

#[test]
fn what_the_chain_lacks_is_taken_from_the_authorities() {
    let root = Authority::new("root");
    let between = root.below("between");
    let server = between.server(&["localhost"]);
    let files = Files::new(&root, &server);
    let house = House::with(files, &[]);
    let lacking = connect(house.tls, "localhost", &trusting(&root, None)).unwrap_err();
    assert!(lacking.contains("UnknownIssuer"), "{lacking}");
    let files = Files::new(&root, &server);
    files.put("ca.pem", &(root.pem() + &between.pem()));
    let house = House::with(files, &[]);
    connect(house.tls, "localhost", &trusting(&root, None)).unwrap();
}

/// What the client with this certificate is told, and a part of what the log says.
fn check(house: &mut House, authority: &Authority, identity: Option<&Identity>, told: &str, logged: &str) {
    for version in BOTH {
        let config = speaking(&[version], authority, identity);
        let outcome = connect(house.tls, "localhost", &config).map(|_| ());
        if told.is_empty() {
            assert_eq!(outcome, Ok(()), "{version:?}");
        } else {
            assert_eq!(outcome, Err(format!("received fatal alert: {told}")), "{version:?}");
            house.broker.wait_for_line(logged);
        }
    }
}

#[test]
fn a_client_without_a_certificate_that_is_trusted_does_not_come_in() {
    let (authority, other) = (Authority::new("A"), Authority::new("B"));
    let good = authority.client("client");
    let table: [(Option<&Identity>, &str, &str); 4] = [
        (Some(&good), "", ""),
        (Some(&authority.expired_client("client")), "CertificateExpired", "certificate expired"),
        (Some(&other.client("client")), "UnknownCA", "UnknownIssuer"),
        // One for servers says nothing of clients.
        (
            Some(&authority.server(&["client"])),
            "UnsupportedCertificate",
            "handshake failed: invalid peer certificate",
        ),
    ];
    let mut optional = House::verifying(&authority, &[]);
    let mut required = House::verifying(&authority, &["--tls-fail-if-no-peer-cert"]);
    for (identity, told, logged) in table {
        check(&mut optional, &authority, identity, told, logged);
        check(&mut required, &authority, identity, told, logged);
    }
    check(&mut optional, &authority, None, "", "");
    for (version, told) in [(&version::TLS12, "HandshakeFailure"), (&version::TLS13, "CertificateRequired")] {
        let config = speaking(&[version], &authority, None);
        let refused = connect(required.tls, "localhost", &config).map(|_| ()).unwrap_err();
        assert!(
            refused == format!("received fatal alert: {told}") || refused.contains("CertificateRequired"),
            "{refused}"
        );
        required.broker.wait_for_line("TLS handshake failed: peer sent no certificates");
    }
}

#[test]
fn a_chain_may_be_as_long_as_its_depth() {
    let root = Authority::new("root");
    let one = root.below("one");
    let two = one.below("two");
    let near = one.client("near").with(&one);
    let far = two.client("far").with(&two).with(&one);
    for (depth, nearest, near_in, far_in) in
        [("0", true, false, false), ("1", true, true, false), ("2", true, true, true)]
    {
        let house = House::verifying(&root, &["--tls-depth", depth]);
        for (identity, expected) in [(&root.client("nearest"), nearest), (&near, near_in), (&far, far_in)] {
            let outcome = connect(house.tls, "localhost", &trusting(&root, Some(identity)));
            assert_eq!(outcome.is_ok(), expected, "depth {depth}");
        }
    }
}

#[test]
fn suites_are_those_that_are_named() {
    let authority = Authority::new("A");
    let named = "ECDHE-ECDSA-AES128-GCM-SHA256,ECDHE-RSA-AES256-SHA384,TLS_AES_128_GCM_SHA256";
    let house = House::new(&authority, &["--tls-ciphers", named]);
    let log = house.broker.log();
    let passed_over = "tls.ciphers: not known here and passed over: ECDHE-RSA-AES256-SHA384";
    assert!(log.iter().any(|line| line.contains(passed_over)), "{log:#?}");
    for (suite, expected) in [
        (cipher_suite::TLS13_AES_128_GCM_SHA256, true),
        (cipher_suite::TLS13_AES_256_GCM_SHA384, false),
        (cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, true),
        (cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, false),
    ] {
        let mut provider = default_provider();
        provider.cipher_suites = vec![suite];
        let versions = if suite.tls13().is_some() { [&version::TLS13] } else { [&version::TLS12] };
        let config = with_provider(provider, &versions, &authority, None);
        assert_eq!(connect(house.tls, "localhost", &config).is_ok(), expected, "{suite:?}");
    }
}

/// What is answered to these bytes, until the end.
fn answer(house: &House, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(house.tls).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

#[test]
fn a_client_of_tls_1_1_does_not_come_in_and_the_log_says_why() {
    let mut house = House::new(&Authority::new("A"), &[]);
    // client hello: version, random, no session, one suite (TLS_RSA_WITH_AES_128_CBC_SHA), no compression.
    let hello = [&[3, 2][..], &[7; 32], &[0, 0, 2, 0, 0x2f, 1, 0]].concat();
    let message = [&[1, 0, 0, u8::try_from(hello.len()).unwrap()][..], &hello].concat();
    let record = [&[22, 3, 1, 0, u8::try_from(message.len()).unwrap()][..], &message].concat();
    let answer = answer(&house, &record);
    // A fatal alert.
    assert_eq!((answer[0], answer[5]), (21, 2), "{answer:?}");
    house.broker.wait_for_line("TLS handshake failed: the client speaks no version from 1.2 on");
}

#[test]
fn b3_who_speaks_something_else_is_named_in_the_log() {
    let mut house = House::new(&Authority::new("A"), &[]);
    for (bytes, line) in [
        (
            &PROTOCOL_HEADER[..],
            "this is not TLS: it looks like AMQP without TLS, which this port does not speak",
        ),
        (b"GET / HTTP/1.1\r\n\r\n", "this is not TLS: it looks like HTTP"),
        (b"PROXY UNKNOWN\r\n", "this is not TLS: it looks like the PROXY protocol, which is off"),
    ] {
        assert_eq!(answer(&house, bytes), b"", "{line}");
        house.broker.wait_for_line(line);
    }
    answer(&house, b"nonsense, and more of it");
    house.broker.wait_for_line("TLS handshake failed: ");
    // And TLS where none is spoken.
    let mut raw = Raw::tcp(&house.broker);
    raw.send_bytes(&[22, 3, 1, 0, 200, 1, 0, 0]);
    house.broker.wait_for_line("it looks like TLS, which this port does not speak");
    let mut raw = Raw::tcp(&house.broker);
    raw.send_bytes(b"PROXY UNKNOWN\r\n");
    house.broker.wait_for_line("this is not AMQP: it looks like the PROXY protocol, which is off");
}

#[test]
fn b19_a_handshake_that_takes_too_long_is_ended() {
    let mut house = House::new(&Authority::new("A"), &["--tls-handshake-timeout", "300ms"]);
    for begun in [&b""[..], &[22], &[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]] {
        assert_eq!(answer(&house, begun), b"");
    }
    house.broker.wait_for_line("TLS handshake timed out after 300 ms (tls.handshake_timeout)");
    let whole = House::new(&Authority::new("A"), &["--handshake-timeout", "300ms"]);
    assert_eq!(answer(&whole, &[22]), b"");
}

#[test]
fn handshakes_of_tls_count_among_those_who_have_not_logged_in() {
    let flags = [&["--max-connections", "64"][..], &PATIENT].concat();
    let house = House::new(&Authority::new("A"), &flags);
    let silent: Vec<TcpStream> = (0..64).map(|_| TcpStream::connect(house.tls).unwrap()).collect();
    // All of them have come in when the next one at their door has not.
    for door in [&Broker::at(house.tls), &house.broker] {
        assert_eq!(Raw::tcp(door).recv_within(DEADLINE), Received::End(0));
    }
    drop(silent);
}

#[test]
fn b19_new_keys_without_end_end_the_connection_and_no_other() {
    let authority = Authority::new("A");
    let house = House::new(&authority, &PATIENT);
    let config = speaking(&[&version::TLS13], &authority, None);
    let mut witness = connect(house.tls, "localhost", &config).unwrap();
    let mut client = connect(house.tls, "localhost", &config).unwrap();
    // New keys now and then are as they should be.
    witness.conn.refresh_traffic_keys().unwrap();
    for _ in 0..10_000 {
        let asked = client.conn.refresh_traffic_keys();
        // Until it was told to stop, or nobody takes what it sends.
        if asked.is_err() || client.flush().is_err() {
            break;
        }
    }
    // An alert, or a reset that was faster.
    let error = client.read_to_end(&mut Vec::new()).unwrap_err();
    assert!(!matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    witness.write_all(&[1, 0, 0, 0, 0, 0, 0, 0xce]).unwrap();
    let mut rest = Vec::new();
    let _ = witness.read_to_end(&mut rest);
    assert!(rest.windows(4).any(|method| method == [0, 10, 0, 50]), "it is served to its close");
}

#[test]
fn b19_records_of_a_byte_each_are_read_as_what_they_make() {
    let authority = Authority::new("A");
    let house = House::new(&authority, &PATIENT);
    let mut client = connect(house.tls, "localhost", &trusting(&authority, None)).unwrap();
    // A heartbeat, then something that is wrong.
    for byte in [8, 0, 0, 0, 0, 0, 0, 0xce, 1, 0, 0, 0, 0, 0, 0, 0xce] {
        client.write_all(&[byte]).unwrap();
        client.flush().unwrap();
    }
    let mut rest = Vec::new();
    let _ = client.read_to_end(&mut rest);
    assert!(rest.windows(4).any(|method| method == [0, 10, 0, 50]));
}

#[test]
fn what_is_no_tls_after_the_handshake_ends_the_connection_and_is_logged() {
    let authority = Authority::new("A");
    let mut house = House::new(&authority, &[]);
    for version in BOTH {
        let mut client = connect(house.tls, "localhost", &speaking(&[version], &authority, None)).unwrap();
        let local = client.sock.local_addr().unwrap();
        client.sock.write_all(&[0x55; 64]).unwrap();
        house.broker.wait_for_line(&format!("{local} -> {}: TLS failed before the login: ", house.tls));
        assert!(std::io::copy(&mut client.sock, &mut std::io::sink()).is_ok(), "it ends");
    }
}
