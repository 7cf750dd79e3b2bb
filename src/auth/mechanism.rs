//! SASL mechanisms: how a peer says who it is.

use leveret_protocol::table::{Table, Value};

/// A way to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 4616: an authorization identity, a login and a password, with a NUL between them.
    Plain,
    /// AMQP 0-8's: a field table with `LOGIN` and `PASSWORD`.
    AmqPlain,
}

/// What a peer claims. Borrowed from its frame, so that no copy of the password stays behind.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// The user that the peer says it is.
    pub login: &'a str,
    /// The proof.
    pub password: &'a [u8],
}

/// A response that does not follow its mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedResponse;

impl Mechanism {
    /// The mechanisms' names as `connection.start` lists them.
    pub const OFFERED: &'static str = "PLAIN AMQPLAIN";

    /// The mechanism that a peer chose, if we offer it.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "PLAIN" => Some(Self::Plain),
            "AMQPLAIN" => Some(Self::AmqPlain),
            _ => None,
        }
    }

    /// The mechanism's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::AmqPlain => "AMQPLAIN",
        }
    }

    /// Reads the response of `connection.start-ok`. The login has to be UTF-8, a password need not be.
    pub fn parse(self, response: &[u8]) -> Result<Credentials<'_>, MalformedResponse> {
        let (login, password) = match self {
            Self::Plain => plain(response),
            Self::AmqPlain => amqplain(response),
        }
        .ok_or(MalformedResponse)?;
        let login = str::from_utf8(login).map_err(|_| MalformedResponse)?;
        Ok(Credentials { login, password })
    }
}

/// Exactly two NULs. Nobody acts for another here: an authorization identity has to be the login itself.
fn plain(response: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut parts = response.split(|octet| *octet == 0);
    let (identity, login, password) = (parts.next()?, parts.next()?, parts.next()?);
    let valid = parts.next().is_none() && (identity.is_empty() || identity == login);
    valid.then_some((login, password))
}

/// The entries of a table, without its length.
fn amqplain(response: &[u8]) -> Option<(&[u8], &[u8])> {
    let table = Table::parse(response).ok()?;
    match (table.get("LOGIN")?, table.get("PASSWORD")?) {
        (Value::LongStr(login), Value::LongStr(password)) => Some((login, password)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use leveret_protocol::table::TableBuilder;

    #[test]
    fn plain_is_a_login_and_a_password_after_a_nul_each() {
        let long = [b"\0guest\0".to_vec(), vec![b'p'; 4096]].concat();
        for (response, expected) in [
            (&b"\0guest\0secret"[..], Some(("guest", &b"secret"[..]))),
            (b"guest\0guest\0secret", Some(("guest", b"secret"))),
            (b"\0guest\0", Some(("guest", b""))),
            (b"\0\0", Some(("", b""))),
            (b"\0guest\0\xff", Some(("guest", b"\xff"))),
            (&long, Some(("guest", &[b'p'; 4096]))),
            (b"", None),
            (b"guest", None),
            (b"\0guest", None),
            (b"\0guest\0sec\0ret", None),
            (b"other\0guest\0secret", None),
            (b"\0\xff\0secret", None),
        ] {
            let parsed = Mechanism::Plain.parse(response).ok();
            assert_eq!(parsed.map(|c| (c.login, c.password)), expected, "{response:?}");
        }
    }

    #[test]
    fn amqplain_is_a_table_with_a_login_and_a_password() {
        let entries = |keys: &[&str]| {
            keys.iter().fold(TableBuilder::new(), |table, key| table.string(key, *key)).finish()
        };
        let numbers = TableBuilder::new().int("LOGIN", 1).int("PASSWORD", 2).finish();
        for (table, valid) in [
            (entries(&["LOGIN", "PASSWORD"]), true),
            (entries(&["PASSWORD", "x", "LOGIN"]), true),
            (entries(&["LOGIN"]), false),
            (entries(&["PASSWORD"]), false),
            (entries(&[]), false),
            (numbers, false),
        ] {
            let parsed = Mechanism::AmqPlain.parse(table.as_bytes()).ok();
            let expected = valid.then_some(("LOGIN", &b"PASSWORD"[..]));
            assert_eq!(parsed.map(|c| (c.login, c.password)), expected, "{table:?}");
        }
        for garbage in [&b"\0guest\0guest"[..], b"\x05LOGINS\xff\xff\xff\xff", b"\xff"] {
            assert!(Mechanism::AmqPlain.parse(garbage).is_err());
        }
    }

    #[test]
    fn a_mechanism_is_found_by_the_name_that_is_offered() {
        for name in Mechanism::OFFERED.split(' ') {
            assert_eq!(Mechanism::from_name(name).map(Mechanism::name), Some(name));
        }
        for name in ["", "plain", "EXTERNAL", "ANONYMOUS", "PLAIN AMQPLAIN"] {
            assert_eq!(Mechanism::from_name(name), None);
        }
    }
}
