//! SASL mechanisms: how a peer says who it is.

use leveret_protocol::table::{Table, Value};

/// A way to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 4616: an authorization identity, a login and a password, with a NUL between them.
    Plain,
    /// AMQP 0-8's: a field table with `LOGIN` and `PASSWORD`.
    AmqPlain,
    /// RFC 4422: what lies outside of the protocol says who it is, here the peer's certificate.
    External,
    /// RFC 4505: the peer does not say who it is.
    Anonymous,
}

/// Who a peer says it is, borrowed from its frame, so that no copy of the password stays behind.
#[derive(Clone, Copy)]
pub enum Claim<'a> {
    /// A user, with its password.
    Password(Credentials<'a>),
    /// The user of its certificate.
    Certificate,
    /// Nobody.
    Anonymous,
}

/// A user and its proof.
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
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Plain, Self::AmqPlain, Self::External, Self::Anonymous];

    /// The mechanism of that name, whether it is offered or not.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.name() == name)
    }

    /// The mechanism's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::AmqPlain => "AMQPLAIN",
            Self::External => "EXTERNAL",
            Self::Anonymous => "ANONYMOUS",
        }
    }

    /// Reads the response of `connection.start-ok`. The login has to be UTF-8, a password need not be. What goes with
    /// EXTERNAL and ANONYMOUS means nothing here.
    pub fn parse(self, response: &[u8]) -> Result<Claim<'_>, MalformedResponse> {
        let (login, password) = match self {
            Self::Plain => plain(response),
            Self::AmqPlain => amqplain(response),
            Self::External => return Ok(Claim::Certificate),
            Self::Anonymous => return Ok(Claim::Anonymous),
        }
        .ok_or(MalformedResponse)?;
        let login = str::from_utf8(login).map_err(|_| MalformedResponse)?;
        Ok(Claim::Password(Credentials { login, password }))
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

    fn credentials(claim: Claim<'_>) -> Option<(&str, &[u8])> {
        match claim {
            Claim::Password(credentials) => Some((credentials.login, credentials.password)),
            Claim::Certificate | Claim::Anonymous => None,
        }
    }

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
            let parsed = Mechanism::Plain.parse(response).ok().and_then(credentials);
            assert_eq!(parsed, expected, "{response:?}");
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
            let parsed = Mechanism::AmqPlain.parse(table.as_bytes()).ok().and_then(credentials);
            let expected = valid.then_some(("LOGIN", &b"PASSWORD"[..]));
            assert_eq!(parsed, expected, "{table:?}");
        }
        for garbage in [&b"\0guest\0guest"[..], b"\x05LOGINS\xff\xff\xff\xff", b"\xff"] {
            assert!(Mechanism::AmqPlain.parse(garbage).is_err());
        }
    }

    #[test]
    fn a_mechanism_is_found_by_its_name() {
        for mechanism in Mechanism::ALL {
            assert_eq!(Mechanism::from_name(mechanism.name()), Some(mechanism));
        }
        for name in ["", "plain", "PLAIN AMQPLAIN", "SCRAM-SHA-256"] {
            assert_eq!(Mechanism::from_name(name), None);
        }
    }

    #[test]
    fn external_and_anonymous_need_no_response() {
        for response in [&b""[..], b"guest", b"\xff\0"] {
            assert!(matches!(Mechanism::External.parse(response), Ok(Claim::Certificate)));
            assert!(matches!(Mechanism::Anonymous.parse(response), Ok(Claim::Anonymous)));
        }
    }
}
