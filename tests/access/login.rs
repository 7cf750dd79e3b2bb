//! Who gets in, and how.

use leveret::auth::{AccessSettings, Hashing, Mechanism, PasswordHash};

use crate::house::House;
use crate::support::raw::{PROTOCOL_HEADER, client_properties};
use crate::support::{Raw, method};

/// Whether a peer that says this is let in.
fn is_let_in(house: &House, mechanism: &str, response: &str) -> bool {
    let mut raw = Raw::started(&house.broker);
    raw.send(0, method::connection_start_ok(&client_properties(), mechanism, response.as_bytes()));
    let answer = raw.recv();
    if answer.method() == Some(method::CONNECTION_TUNE) {
        return true;
    }
    let (code, text, ..) = answer.close().unwrap();
    let refused = format!("ACCESS_REFUSED - Login was refused using authentication mechanism {mechanism}. ");
    assert!(code == 503 || (code == 403 && text.starts_with(&refused)), "{code} {text}");
    false
}

pub(crate) fn offered(house: &House) -> String {
    let mut raw = Raw::tcp(&house.broker);
    raw.send_bytes(PROTOCOL_HEADER);
    let start = raw.expect(0, method::CONNECTION_START);
    let mut arguments = start.arguments();
    assert_eq!((arguments.octet(), arguments.octet()), (0, 9));
    arguments.longstr();
    String::from_utf8(arguments.longstr()).unwrap()
}

#[test]
fn b12_a_password_counts_from_the_moment_of_its_change_and_without_one_nobody_logs_in() {
    let house = House::new();
    house.add("u", "");
    assert!(is_let_in(&house, "PLAIN", "\0u\0u"));
    for hashing in Hashing::ALL {
        let password = PasswordHash::new(hashing, [9, 8, 7, 6], "n\u{e9}w".as_bytes());
        house.access().set_password("u", Some(password)).unwrap();
        assert!(is_let_in(&house, "PLAIN", "\0u\0n\u{e9}w"), "{hashing:?}");
        assert!(!is_let_in(&house, "PLAIN", "\0u\0u"), "{hashing:?}");
    }
    house.access().set_password("u", None).unwrap();
    for response in ["\0u\0", "\0u\0u", "\0u\0n\u{e9}w"] {
        assert!(!is_let_in(&house, "PLAIN", response), "{response:?}");
    }
}

#[test]
fn nobody_is_let_in_without_a_name_unless_it_is_said_as_whom() {
    let house = House::new();
    assert_eq!(offered(&house), "PLAIN AMQPLAIN");
    assert!(!is_let_in(&house, "ANONYMOUS", ""));
    assert!(!is_let_in(&house, "EXTERNAL", ""));
    let house = House::with(AccessSettings {
        mechanisms: vec![Mechanism::Plain, Mechanism::Anonymous],
        anonymous_user: Some("guest".into()),
        ..AccessSettings::default()
    });
    assert_eq!(offered(&house), "PLAIN ANONYMOUS");
    assert!(is_let_in(&house, "ANONYMOUS", "") && is_let_in(&house, "ANONYMOUS", "somebody@example.com"));
    assert!(!is_let_in(&house, "AMQPLAIN", ""), "not offered");
    house.environment().delete_user("guest").unwrap();
    assert!(!is_let_in(&house, "ANONYMOUS", ""));
}

#[test]
fn two_hashes_of_one_password_differ_and_both_match() {
    let house = House::new();
    let [first, second] = [(), ()].map(|()| house.access().hash(b"secret").unwrap());
    assert_ne!(first.to_base64(), second.to_base64());
    for hash in [first, second] {
        assert!(bool::from(PasswordHash::verify(Some(&hash), b"secret")));
    }
}
