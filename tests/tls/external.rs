//! Logins by certificate.

use rcgen::{CertificateParams, DnType, SanType};

use crate::authority::{Authority, of_client};
use crate::client::trusting;
use crate::house::House;
use crate::support::raw::{PROTOCOL_HEADER, client_properties};
use crate::support::{Raw, method};
use crate::tunnel::Tunnel;

/// The mechanisms that are offered, and what comes of a login with EXTERNAL: the code of the close, or nothing.
fn log_in(raw: &mut Raw) -> (String, Option<u16>) {
    raw.send_bytes(PROTOCOL_HEADER);
    let start = raw.expect(0, method::CONNECTION_START);
    let mut arguments = start.arguments();
    assert_eq!((arguments.octet(), arguments.octet()), (0, 9));
    arguments.longstr();
    let offered = String::from_utf8(arguments.longstr()).unwrap();
    raw.send(0, method::connection_start_ok(&client_properties(), "EXTERNAL", b""));
    let answer = raw.recv();
    if answer.method() == Some(method::CONNECTION_TUNE) {
        raw.send(0, method::connection_tune_ok(2047, 131_072, 0));
        raw.send(0, method::connection_open("/"));
        raw.expect(0, method::CONNECTION_OPEN_OK);
        return (offered, None);
    }
    (offered, Some(answer.close().unwrap().0))
}

/// Whether a client with this certificate is let in by a broker that knows one user and has more flags.
fn is_let_in(params: &CertificateParams, user: &str, flags: &[&str]) -> bool {
    let authority = Authority::new("A");
    let identity = authority.signed(params);
    let house = House::verifying(&authority, &[&["--default-user", user], flags].concat());
    let tunnel = Tunnel::to(house.tls, &trusting(&authority, Some(&identity)));
    let (offered, refused) = log_in(&mut Raw::tcp(&tunnel.broker));
    let has_name = offered == "PLAIN AMQPLAIN EXTERNAL";
    assert!(has_name || offered == "PLAIN AMQPLAIN", "{offered}");
    // Without a name in the certificate the mechanism is not even offered.
    assert!(matches!(refused, None | Some(403 | 503)), "{refused:?}");
    assert_eq!(refused == Some(503), !has_name);
    refused.is_none()
}

#[test]
fn a_client_is_the_user_that_its_certificate_names() {
    let with_names = || {
        let mut params = of_client("client");
        params.subject_alt_names = vec![
            SanType::DnsName("one.example".try_into().unwrap()),
            SanType::Rfc822Name("me@example.org".try_into().unwrap()),
            SanType::DnsName("two.example".try_into().unwrap()),
            SanType::URI("urn:client:7".try_into().unwrap()),
            SanType::IpAddress([192, 0, 2, 7].into()),
            SanType::OtherName((vec![1, 3, 6, 1, 4, 1, 311, 20, 2, 3], "other\u{fc}".to_owned().into())),
        ];
        params
    };
    let odd = || {
        let mut params = of_client("a, \"b\"");
        params.distinguished_name.push(DnType::OrganizationalUnitName, "\u{fc} ");
        params
    };
    let from_san = |kind: &'static str, index: &'static str| {
        let from = ["--tls-cert-login-from", "subject_alternative_name"];
        [&from[..], &["--tls-cert-login-san-type", kind, "--tls-cert-login-san-index", index]].concat()
    };
    let common_name = vec!["--tls-cert-login-from", "common_name"];
    for (params, user, flags, expected) in [
        (with_names(), "CN=client,O=Example", vec![], true),
        (with_names(), "CN=Client,O=Example", vec![], false),
        (with_names(), "client", vec![], false),
        (odd(), "OU=\\C3\\BC\\ ,CN=a\\, \\\"b\\\",O=Example", vec![], true),
        (with_names(), "client", common_name.clone(), true),
        (odd(), "a, \"b\"", common_name, true),
        (with_names(), "one.example", from_san("dns", "0"), true),
        (with_names(), "two.example", from_san("dns", "1"), true),
        (with_names(), "two.example", from_san("dns", "2"), false),
        (with_names(), "me@example.org", from_san("email", "0"), true),
        (with_names(), "urn:client:7", from_san("uri", "0"), true),
        (with_names(), "192.0.2.7", from_san("ip", "0"), true),
        (with_names(), "other\u{fc}", from_san("other_name", "0"), true),
        (of_client("client"), "client", from_san("dns", "0"), false),
    ] {
        assert_eq!(is_let_in(&params, user, &flags), expected, "{user} {flags:?}");
    }
}

#[test]
fn without_a_certificate_nobody_logs_in_by_one() {
    let authority = Authority::new("A");
    let identity = authority.client("client");
    let user = ["--default-user", "CN=client,O=Example"];
    let asking = House::verifying(&authority, &user);
    // A broker that asks for none trusts none.
    let not_asking = House::new(&authority, &user);
    for (house, identity) in [(&asking, None), (&not_asking, Some(&identity))] {
        let tunnel = Tunnel::to(house.tls, &trusting(&authority, identity));
        assert_eq!(log_in(&mut Raw::tcp(&tunnel.broker)), ("PLAIN AMQPLAIN".to_owned(), Some(503)));
    }
    assert_eq!(
        log_in(&mut Raw::tcp(&asking.broker)),
        ("PLAIN AMQPLAIN".to_owned(), Some(503)),
        "without TLS"
    );
}

#[test]
fn b19_a_name_with_odd_characters_is_one_line_of_the_log() {
    let authority = Authority::new("A");
    let identity = authority.signed(&of_client("a\nb <script>"));
    let mut house = House::verifying(&authority, &["--tls-cert-login-from", "common_name"]);
    let tunnel = Tunnel::to(house.tls, &trusting(&authority, Some(&identity)));
    assert_eq!(log_in(&mut Raw::tcp(&tunnel.broker)).1, Some(403));
    let line = house.broker.wait_for_line("EXTERNAL login refused: user 'a");
    assert!(line.contains("b <script>' - invalid credentials"), "{line}");
}
