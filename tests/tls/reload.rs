//! Certificates that change while clients are connected.

use std::io::{Read, Write};

use rustix::process::Signal;

use crate::authority::Authority;
use crate::client::{Secured, connect, trusting};
use crate::house::{Files, House, PATIENT};

/// Has everything read again and waits for what the log says of it for the `nth` time.
pub(crate) fn reload(house: &House, said: &str, nth: usize) {
    house.broker.signal(Signal::HUP);
    let deadline = std::time::Instant::now() + crate::support::raw::DEADLINE;
    while house.broker.log().iter().filter(|line| line.contains(said)).count() < nth {
        assert!(std::time::Instant::now() < deadline, "{:#?}", house.broker.log());
        std::thread::yield_now();
    }
}

/// The rest of connection.start comes, and something that is wrong is answered: it is still served.
fn is_served(client: &mut Secured) -> bool {
    // An empty method frame on channel 0.
    if client.write_all(&[1, 0, 0, 0, 0, 0, 0, 0xce]).is_err() {
        return false;
    }
    let mut rest = Vec::new();
    let _ = client.read_to_end(&mut rest);
    rest.windows(4).any(|method| method == [0, 10, 0, 50])
}

#[test]
fn another_certificate_is_shown_after_a_reload_and_connections_stay() {
    let (authority, other) = (Authority::new("A"), Authority::new("B"));
    let house = House::new(&authority, &PATIENT);
    let mut before = connect(house.tls, "localhost", &trusting(&authority, None)).unwrap();
    house.files.put_server(&other.server(&["localhost"]));
    reload(&house, "configuration read again", 1);
    connect(house.tls, "localhost", &trusting(&other, None)).unwrap();
    let refused = connect(house.tls, "localhost", &trusting(&authority, None)).unwrap_err();
    assert!(refused.contains("UnknownIssuer"), "{refused}");
    assert!(is_served(&mut before));
    assert_eq!(house.stop().status.code(), Some(0));
}

#[test]
fn a_certificate_that_cannot_be_used_leaves_the_one_that_was_there() {
    let authority = Authority::new("A");
    let house = House::new(&authority, &[]);
    let good = std::fs::read_to_string(house.files.path("cert.pem")).unwrap();
    for (nth, bad) in ["", "rubbish", &authority.server(&["localhost"]).chain].into_iter().enumerate() {
        house.files.put("cert.pem", bad);
        reload(&house, "everything stays as it was", nth + 1);
        connect(house.tls, "localhost", &trusting(&authority, None)).unwrap();
    }
    let log = house.broker.log();
    let path = house.files.path("cert.pem");
    let expected = format!("tls.certfile: {}: there is no certificate", path.display());
    assert!(log.iter().any(|line| line.contains(&expected)), "{log:#?}");
    house.files.put("cert.pem", &good);
    reload(&house, "configuration read again", 1);
    connect(house.tls, "localhost", &trusting(&authority, None)).unwrap();
}

#[test]
fn a_client_whose_certificate_was_revoked_or_whose_authority_is_gone_does_not_come_again() {
    let (authority, other) = (Authority::new("A"), Authority::new("B"));
    let files = Files::new(&authority, &authority.server(&["localhost"]));
    files.put("crl.pem", &authority.revoked(&[99]));
    let list = files.path("crl.pem");
    let flags = ["--tls-verify", "verify_peer", "--tls-crlfile", list.to_str().unwrap()];
    let house = House::with(files, &[&flags[..], &PATIENT].concat());
    let (seven, eight) = (authority.numbered_client("a", 7), authority.numbered_client("b", 8));
    let (seven, eight) = (trusting(&authority, Some(&seven)), trusting(&authority, Some(&eight)));
    let mut before = connect(house.tls, "localhost", &seven).unwrap();
    connect(house.tls, "localhost", &eight).unwrap();
    house.files.put("crl.pem", &authority.revoked(&[99, 7]));
    reload(&house, "configuration read again", 1);
    // With the same client, which would have resumed its session if there were any.
    let refused = connect(house.tls, "localhost", &seven).unwrap_err();
    assert_eq!(refused, "received fatal alert: CertificateRevoked");
    connect(house.tls, "localhost", &eight).unwrap();
    assert!(is_served(&mut before));
    house.files.put("ca.pem", &other.pem());
    house.files.put("crl.pem", &other.revoked(&[1]));
    reload(&house, "configuration read again", 2);
    let refused = connect(house.tls, "localhost", &eight).unwrap_err();
    assert_eq!(refused, "received fatal alert: UnknownCA");
}
